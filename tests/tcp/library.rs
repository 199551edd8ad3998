//! The loop inside this process, on a thread of its own, over the real kernel: what only a handler
//! sees, and what only tiny limits reach.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use pulsegate::codec::message::Body;
use pulsegate::net::mio::MioNet;
use pulsegate::{
    Answer, CloseReason, ConnId, Dialect, ErrorCode, Gate, Handler, Limits, Message, Options, Push,
    Remote, RemoteError, Server, Settings, Target,
};

use crate::client::{Client, Framing, eventually};

/// A server on a thread.
pub struct House<H: Handler + Send + 'static> {
    addr: SocketAddr,
    pub remote: Remote<H>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl<H: Handler + Send + 'static> House<H> {
    pub fn new(handler: H, limits: Limits, settings: Settings) -> Self {
        let net = MioNet::new(limits.events).unwrap();
        let options = Options {
            limits,
            ..Options::default()
        };
        let mut server = Server::new(net, handler, options).unwrap();
        let bind = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        let addr = server.listen(Settings { bind, ..settings }).unwrap()[0];
        let remote = server.remote();
        let thread = std::thread::spawn(move || server.run());
        Self {
            addr,
            remote,
            thread: Some(thread),
        }
    }

    pub fn line(&self) -> Client {
        Client::connect(self.addr, Framing::Line)
    }

    /// Runs something in the loop.
    pub fn ask<R: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Gate, &mut H) -> R + Send + 'static,
    ) -> R {
        self.remote.call(task).unwrap()
    }

    /// Waits until everybody has left, and demands that nothing is left of them.
    fn is_swept(&self) {
        eventually("all sockets are closed", || {
            (self.ask(|gate, _| gate.sockets()) == 0).then_some(())
        });
        let (held, topics, users) = self.ask(|gate, _| {
            gate.check();
            (gate.bytes_held(), gate.topics(), gate.users())
        });
        assert_eq!((held, topics, users), ([0, 0, 0], 0, 0));
    }
}

impl<H: Handler + Send + 'static> Drop for House<H> {
    fn drop(&mut self) {
        eventually("the loop takes the last task", || {
            let posted = self.remote.post(|gate, _| gate.shut_down());
            (posted != Err(RemoteError::Full)).then_some(())
        });
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.unwrap().unwrap().unwrap();
        }
    }
}

/// Notes who came and how each one ended.
#[derive(Default)]
struct Register {
    open: HashMap<ConnId, Vec<CloseReason>>,
    order: Vec<CloseReason>,
}

impl Handler for Register {
    fn on_open(&mut self, _: &mut Gate, conn: ConnId) {
        assert!(self.open.insert(conn, Vec::new()).is_none());
    }

    fn on_message(&mut self, gate: &mut Gate, conn: ConnId, message: Message<'_>) -> Answer {
        match message {
            Message::Login { token, .. } if *token.reveal() == "wrong" => {
                Answer::Error(ErrorCode::BadCredentials, "the token is wrong".into())
            }
            _ => gate.obey(conn, message),
        }
    }

    fn on_close(&mut self, _: &mut Gate, conn: ConnId, reason: CloseReason) {
        self.open.get_mut(&conn).unwrap().push(reason);
        self.order.push(reason);
    }
}

#[test]
fn every_end_is_told_once_with_its_reason() {
    let settings = Settings {
        idle_timeout: Some(Duration::from_millis(300)),
        ..Settings::default()
    };
    let house = House::new(Register::default(), Limits::default(), settings);
    let ended = |reason: CloseReason| {
        eventually(reason.word(), || {
            let last = house.ask(|_, register| register.order.pop());
            last.map(|last| assert_eq!(last, reason))
        });
    };
    house.line().half_close();
    ended(CloseReason::PeerClosed);
    house.line().reset();
    ended(CloseReason::PeerReset);
    let mut client = house.line();
    client.say("quit");
    client.closes("quit");
    ended(CloseReason::Quit);
    let mut client = house.line();
    client.send(b"\xff\n");
    client.closes("protocol");
    ended(CloseReason::Protocol);
    house.line().closes("idle-timeout");
    ended(CloseReason::IdleTimeout);
    let mut client = house.line();
    for _ in 0..3 {
        client.fails("login alice wrong", "bad-credentials");
    }
    client.closes("login-failed");
    ended(CloseReason::LoginFailed);
    let mut old = house.line();
    old.login("alice");
    let mut new = house.line();
    new.login("alice");
    old.closes("replaced");
    ended(CloseReason::Replaced);
    assert_eq!(house.ask(|gate, _| gate.kick("alice")), 1);
    new.closes("kicked");
    ended(CloseReason::Kicked);
    let open = house.ask(|_, register| std::mem::take(&mut register.open));
    assert!(open.values().all(|reasons| reasons.len() == 1), "{open:?}");
    house.is_swept();
}

#[test]
fn the_backend_pushes_from_another_thread() {
    let house = House::new((), Limits::default(), Settings::default());
    let mut alice = house.line();
    let mut bob = house.line();
    alice.login("alice");
    bob.login("bob");
    bob.asks("join t", "ok");
    let receipts = house.ask(|gate, ()| {
        [Target::User("alice"), Target::Topic("t"), Target::Everyone]
            .map(|target| gate.push(target, &Push::text("hello")).unwrap())
    });
    assert_eq!(receipts.map(|receipt| receipt.queued), [1, 1, 2]);
    let told = [
        alice.message(),
        bob.message(),
        alice.message(),
        bob.message(),
    ];
    assert_eq!(
        told.each_ref().map(|one| &*one.from),
        ["-", "topic:t/-", "-", "-"]
    );
    assert_eq!(told[2], told[3]);
    let gone = house.ask(|gate, ()| gate.push(Target::User("carol"), &Push::text("x")));
    assert_eq!(gone, Err(ErrorCode::NoSuchUser));
}

/// Answers `data` later, when it is told to.
#[derive(Default)]
struct Thinker {
    waiting: Vec<ConnId>,
}

impl Handler for Thinker {
    fn on_message(&mut self, gate: &mut Gate, conn: ConnId, message: Message<'_>) -> Answer {
        match message {
            Message::Data { .. } => {
                self.waiting.push(conn);
                Answer::Later
            }
            _ => gate.obey(conn, message),
        }
    }
}

#[test]
fn while_an_answer_takes_its_time_that_connection_waits_and_no_other() {
    let house = House::new(Thinker::default(), Limits::default(), Settings::default());
    let mut slow = house.line();
    let mut other = house.line();
    slow.login("slow");
    slow.send("ping\ndata think\nping\ndata again\nping\n");
    slow.hears("pong");
    for _ in 0..2 {
        let conn = eventually("the handler is asked", || {
            house.ask(|_, thinker| thinker.waiting.pop())
        });
        other.fence();
        let answer = Answer::Error(ErrorCode::Forbidden, "no".into());
        assert!(house.ask(move |gate, _| gate.answer(conn, answer)));
        slow.hears("error forbidden no");
        slow.hears("pong");
    }
}

#[test]
fn a_reset_is_noticed_while_an_answer_is_owed_and_a_half_close_waits_for_it() {
    let house = House::new(Thinker::default(), Limits::default(), Settings::default());
    let mut lost = house.line();
    lost.login("lost");
    lost.send("data think\nping\n");
    let conn = eventually("the handler is asked", || {
        house.ask(|_, thinker| thinker.waiting.pop())
    });
    lost.reset();
    eventually("the reset is noticed", || {
        (house.ask(|gate, _| gate.stats().closed(CloseReason::PeerReset)) == 1).then_some(())
    });
    assert!(!house.ask(move |gate, _| gate.answer(conn, Answer::None)));

    let mut patient = house.line();
    patient.login("patient");
    patient.send("data think\nping\n");
    patient.half_close();
    let conn = eventually("the handler is asked", || {
        house.ask(|_, thinker| thinker.waiting.pop())
    });
    let answer = Answer::Error(ErrorCode::Forbidden, "no".into());
    assert!(house.ask(move |gate, _| gate.answer(conn, answer)));
    patient.hears("error forbidden no");
    patient.hears("pong");
    patient.eof();
    house.is_swept();
}

#[test]
fn an_answer_for_somebody_who_has_left_reaches_nobody() {
    let house = House::new(Thinker::default(), Limits::default(), Settings::default());
    let mut slow = house.line();
    slow.login("slow");
    slow.say("data think");
    let conn = eventually("the handler is asked", || {
        house.ask(|_, thinker| thinker.waiting.pop())
    });
    assert!(house.ask(move |gate, _| gate.close(conn, CloseReason::Kicked)));
    slow.closes("kicked");
    drop(slow);
    eventually("it has left", || {
        (house.ask(|gate, _| gate.sockets()) == 0).then_some(())
    });
    // The next one gets the same slot, and nothing of what was meant for the other.
    let mut next = house.line();
    next.fence();
    let answer = Answer::Error(ErrorCode::Forbidden, "not for you".into());
    assert!(!house.ask(move |gate, _| gate.answer(conn, answer)));
    next.fence();
}

/// One of everything: each loop ends after its first step and must go on by itself.
fn tiny() -> Limits {
    Limits {
        events: 1,
        accepts: 1,
        reads: 1,
        read_bytes: 16,
        frames: 1,
        flushes: 1,
        expiries: 1,
        fanout: 1,
        reaps: 1,
        tasks: 1,
        ..Limits::default()
    }
}

#[test]
fn with_tiny_limits_every_turn_leaves_work_and_all_of_it_is_done() {
    let house = House::new((), tiny(), Settings::default());
    let mut clients: Vec<_> = (0..20).map(|_| house.line()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(format!("login u{number}\njoin t\n{}", "ping\n".repeat(50)));
    }
    for client in &mut clients {
        client.hears("ok heartbeat=20000 proto=1");
        client.hears("ok");
        for _ in 0..50 {
            client.hears("pong");
        }
    }
    clients[0].asks("pub t to all of you", "ok queued=20");
    for client in &mut clients {
        assert_eq!(client.message().body, "to all of you");
        client.half_close();
        client.eof();
    }
    house.is_swept();
}

#[test]
fn a_frame_far_larger_than_the_read_buffer_is_put_together() {
    let house = House::new((), tiny(), Settings::default());
    let mut alice = house.line();
    alice.login("alice");
    let body = "x".repeat(5_000);
    alice.asks(&format!("send alice {body}"), "ok queued=1");
    assert_eq!(alice.message().body, body);
}

#[test]
fn a_crowd_that_comes_and_goes_leaves_nothing_behind() {
    let house = House::new(Register::default(), Limits::default(), Settings::default());
    for round in 0..10 {
        let mut crowd: Vec<_> = (0..50).map(|_| house.line()).collect();
        for (number, client) in crowd.iter_mut().enumerate() {
            client.send(format!("login u{}\njoin t{}\n", number % 40, number % 7));
        }
        for (number, mut client) in crowd.into_iter().enumerate() {
            match (number + round) % 4 {
                0 => client.reset(),
                1 => client.half_close(),
                2 => drop(client.try_send("quit\n")),
                _ => drop(client.try_send("asend u1 half a fra")),
            }
        }
    }
    house.is_swept();
    let (open, turns) = house.ask(|gate, register| {
        let open = std::mem::take(&mut register.open);
        (open, gate.stats().turns)
    });
    assert_eq!(open.len(), 500);
    assert!(open.values().all(|reasons| reasons.len() == 1));
    assert!(turns < 100_000, "the loop spins: {turns} turns");
}

/// Panics over what it is told to, before and after it has changed something.
struct Fragile;

impl Handler for Fragile {
    fn on_message(&mut self, gate: &mut Gate, conn: ConnId, message: Message<'_>) -> Answer {
        let Message::Data { body } = message else {
            return gate.obey(conn, message);
        };
        if *body == Body::Text("after".into()) {
            let everybody = gate.push(Target::Everyone, &Push::text("half done"));
            assert!(everybody.is_ok_and(|receipt| receipt.queued > 0));
        }
        if *body == Body::Text("gone".into()) {
            assert!(gate.close(conn, CloseReason::Kicked));
        }
        panic!("planted");
    }
}

#[test]
fn a_panic_over_one_request_costs_that_connection_and_no_other() {
    let house = House::new(Fragile, Limits::default(), Settings::default());
    let mut other = house.line();
    other.login("other");
    for (round, (data, reason)) in [
        ("before", "internal"),
        ("after", "internal"),
        ("gone", "kicked"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = house.line();
        client.login("client");
        client.send(format!("join t\nping\ndata {data}\nping\n"));
        client.hears("ok");
        client.hears("pong");
        client.closes(reason);
        if data == "after" {
            assert_eq!(other.message().body, "half done");
        }
        other.fails("send client x", "no-such-user");
        let panics = house.ask(|gate, _| gate.stats().panics);
        assert_eq!(panics, round as u64 + 1);
    }
    let internal = house.ask(|gate, _| gate.stats().closed(CloseReason::Internal));
    assert_eq!(internal, 2);
    drop(other);
    house.is_swept();
}

/// An application with a decoder of its own, which has a bug.
struct Decoder;

impl Handler for Decoder {
    fn on_message(&mut self, gate: &mut Gate, conn: ConnId, message: Message<'_>) -> Answer {
        if let Message::Frame(body) = message {
            let length = usize::from(body[0]);
            gate.send(conn, &body[1..=length]);
        }
        Answer::None
    }
}

#[test]
fn a_panic_in_an_application_s_decoder_costs_one_connection() {
    let settings = Settings {
        dialect: Dialect::Frames,
        ..Settings::default()
    };
    let house = House::new(Decoder, Limits::default(), settings);
    let mut other = house.line();
    other.asks("\x02hi", "hi");
    for _ in 0..3 {
        let mut client = house.line();
        client.say("\x02yo");
        client.say("\x50too short");
        client.hears("yo");
        client.eof();
        other.asks("\x02hi", "hi");
    }
    let stats = house.ask(|gate, _| gate.stats().clone());
    assert_eq!((stats.panics, stats.closed(CloseReason::Internal)), (3, 3));
    drop(other);
    house.is_swept();
}
