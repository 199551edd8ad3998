//! Bytes cut anywhere, and everything in any order.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;

/// What a server says in a busy session.
fn session(framing: Framing) -> Vec<u8> {
    use crate::codec::reply::{Delivery, Fields, Reply, encode};
    let mut out = Vec::new();
    let body = Body::Text("hello\u{fc}".into());
    let letter = |id, ack| {
        let (from, topic, body) = (Some("bob"), Some("news"), &body);
        Reply::Message(Delivery {
            id,
            from,
            topic,
            body,
            ack,
        })
    };
    let login = Fields::NONE.with("heartbeat", 20_000).with("proto", 1);
    for reply in [
        Reply::Ok(login),
        letter(1, true),
        Reply::Ping,
        letter(1, true),
        letter(2, false),
        Reply::Ok(Fields::NONE.with("queued", 1)),
        Reply::Error(crate::ErrorCode::NoSuchUser, "nobody"),
        Reply::Close(CloseReason::Shutdown, 1_500),
    ] {
        encode(&reply, None, &framing, &mut out).unwrap();
    }
    out
}

/// Two requests, a session in these pieces, and what was told and said.
fn live_through(framing: Framing, pieces: &[&[u8]]) -> (Vec<Event>, Vec<u8>) {
    let mut rig = Rig::new(Options {
        framing,
        ..Options::default()
    });
    rig.send("one").unwrap();
    rig.send("two").unwrap();
    rig.dial();
    let (mut events, mut said) = (Vec::new(), Vec::new());
    for piece in pieces {
        rig.hear(piece);
        said.extend_from_slice(rig.machine.output());
        let length = rig.machine.output().len();
        rig.machine.wrote(rig.now, length);
    }
    while let Some(event) = rig.event() {
        events.push(event);
    }
    (events, said)
}

#[test]
fn wherever_the_bytes_are_cut_the_same_happens() {
    for framing in [Framing::Line, JSON, BINARY] {
        let whole = session(framing);
        let (events, _) = live_through(framing, &[&whole]);
        assert_eq!(events.len(), 7, "{events:?}");
        let bytes: Vec<_> = whole.chunks(1).collect();
        assert_eq!(live_through(framing, &bytes).0, events);
        for cut in 0..whole.len() {
            let (front, back) = whole.split_at(cut);
            assert_eq!(
                live_through(framing, &[front, back]).0,
                events,
                "cut at {cut}"
            );
        }
    }
}

/// Anything that may happen to a client.
#[derive(Clone, Debug)]
enum Deed {
    Send,
    Join(u8),
    Leave(u8),
    Ping,
    Quit,
    /// The server reads what was written, and answers so many requests.
    Serve(usize),
    Message(u64, bool),
    ServerPing,
    Write(usize),
    Lose,
    Dialed(bool),
    Pass(u64),
    Take,
    Close(usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => Just(Deed::Send),
        1 => (0..4_u8).prop_map(Deed::Join),
        1 => (0..4_u8).prop_map(Deed::Leave),
        1 => Just(Deed::Ping),
        6 => (0..6_usize).prop_map(Deed::Serve),
        2 => ((0..20_u64), any::<bool>()).prop_map(|(id, ack)| Deed::Message(id, ack)),
        1 => Just(Deed::ServerPing),
        4 => (0..60_usize).prop_map(Deed::Write),
        1 => Just(Deed::Lose),
        4 => prop::bool::weighted(0.8).prop_map(Deed::Dialed),
        3 => (0..30_000_u64).prop_map(Deed::Pass),
        3 => Just(Deed::Take),
        1 => (0..4_usize).prop_map(Deed::Close),
        1 => prop::bool::weighted(0.1)
            .prop_map(|quits| if quits { Deed::Quit } else { Deed::Take }),
    ]
}

/// A world of one client, and what must hold in it.
struct World {
    rig: Rig,
    /// What the server has read of this connection, and not answered.
    inbox: String,
    waiting: Vec<String>,
    asked: HashSet<RequestId>,
    answers: HashMap<RequestId, Outcome>,
    said: HashMap<String, u32>,
    letters: HashSet<u64>,
    ends: u32,
    number: u64,
}

impl World {
    fn new() -> Self {
        let retry = Retry {
            attempts: Some(50),
            ..Retry::FOR_EVER
        };
        Self {
            rig: Rig::new(Options {
                retry,
                away: Away::Queue(20),
                ..Options::default()
            }),
            inbox: String::new(),
            waiting: Vec::new(),
            asked: HashSet::new(),
            answers: HashMap::new(),
            said: HashMap::new(),
            letters: HashSet::new(),
            ends: 0,
            number: 0,
        }
    }

    fn ask(&mut self, words: &Request<'_>) {
        if let Ok(request) = self.rig.machine.request(self.rig.now, words) {
            assert!(self.asked.insert(request), "a number is used once");
        }
    }

    fn write(&mut self, most: usize) {
        if !self.rig.machine.has_link() {
            return;
        }
        let output = self.rig.machine.output();
        let length = output.len().min(most);
        self.inbox += std::str::from_utf8(&output[..length]).unwrap();
        self.rig.machine.wrote(self.rig.now, length);
        while let Some((line, rest)) = self.inbox.split_once('\n') {
            *self.said.entry(line.to_owned()).or_default() += 1;
            self.waiting.push(line.to_owned());
            self.inbox = rest.to_owned();
        }
    }

    fn serve(&mut self, most: usize) {
        for line in self
            .waiting
            .drain(..most.min(self.waiting.len()))
            .collect::<Vec<_>>()
        {
            let answer = match line.split(' ').next().unwrap() {
                "ping" => "pong\n",
                "pong" | "ack" => continue,
                "quit" => "close quit\n",
                "login" => "ok heartbeat=20000 proto=1\n",
                "leave" => "error not-joined no\n",
                _ => "ok queued=1\n",
            };
            self.rig.hear(answer);
        }
    }

    fn act(&mut self, deed: &Deed) {
        let topic = |number: &u8| format!("t{number}").into();
        match deed {
            Deed::Send => {
                self.number += 1;
                let body = Body::Text(format!("unique-{}", self.number).into());
                self.ask(&Request::Data { body });
            }
            Deed::Join(number) => self.ask(&Request::Join {
                topic: topic(number),
            }),
            Deed::Leave(number) => self.ask(&Request::Leave {
                topic: topic(number),
            }),
            Deed::Ping => self.ask(&Request::Ping),
            Deed::Quit => self.rig.machine.quit(self.rig.now),
            Deed::Serve(most) => self.serve(*most),
            Deed::Message(id, ack) if self.rig.machine.is_online() => {
                let word = if *ack { "msga" } else { "msg" };
                self.rig.hear(format!("{word} {id} bob hi\n"));
            }
            Deed::Message(..) => {}
            Deed::ServerPing => self.rig.hear("ping\n"),
            Deed::Write(most) => self.write(*most),
            Deed::Lose if self.rig.machine.has_link() => {
                self.rig.machine.lost(self.rig.now, Lost::Reset);
            }
            Deed::Lose => {}
            Deed::Dialed(is_good) => {
                if self.rig.machine.wants_dial(self.rig.now) {
                    (self.inbox, self.waiting) = (String::new(), Vec::new());
                    match is_good {
                        true => self.rig.machine.dialed(self.rig.now),
                        false => self.rig.machine.lost(self.rig.now, Lost::Refused),
                    }
                }
            }
            Deed::Pass(millis) => self.rig.pass(Duration::from_millis(*millis)),
            Deed::Take => self.take(),
            Deed::Close(which) if self.rig.machine.is_online() => {
                let reasons = ["idle-timeout", "overloaded 2000", "lifetime", "replaced"];
                self.rig.hear(format!("close {}\n", reasons[*which]));
            }
            Deed::Close(_) => {}
        }
    }

    fn take(&mut self) {
        while let Some(event) = self.rig.event() {
            assert_eq!(self.ends, 0, "nothing follows the last event: {event}");
            match event {
                Event::Answer { request, outcome } => {
                    assert!(self.asked.contains(&request));
                    let before = self.answers.insert(request, outcome);
                    assert_eq!(before, None, "one answer each");
                }
                Event::Message(letter) => {
                    assert!(self.letters.insert(letter.id), "told once");
                }
                Event::GaveUp(_) => self.ends += 1,
                _ => {}
            }
        }
    }

    /// What holds at any time.
    fn check(&mut self) {
        let (machine, now) = (&mut self.rig.machine, self.rig.now);
        machine.tick(now);
        if let Some(deadline) = machine.deadline() {
            let is_dial = matches!(machine.phase, Phase::Away { .. });
            assert!(
                deadline > now || is_dial,
                "no deadline is past after its tick"
            );
        }
        assert!(machine.has_link() || machine.output().is_empty());
        for (line, times) in &self.said {
            assert!(
                !line.starts_with("data ") || *times == 1,
                "sent {times} times: {line}"
            );
        }
    }

    fn finish(&mut self) {
        self.rig.machine.quit(self.rig.now);
        self.rig.pass(2 * SECOND);
        self.take();
        assert!(self.rig.machine.is_over());
        assert_eq!(self.ends, 1);
        for request in &self.asked {
            let outcome = self.answers.get(request);
            assert!(outcome.is_some(), "every request is answered: {request:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn in_whatever_order_things_happen(deeds in prop::collection::vec(deed(), 0..150)) {
        let mut world = World::new();
        for deed in &deeds {
            world.act(deed);
            world.check();
        }
        world.finish();
        // What was never sent was never seen by the server, and what was done was.
        for (line, _) in world.said.iter().filter(|(line, _)| line.starts_with("data ")) {
            let number: u64 = line.rsplit_once('-').unwrap().1.parse().unwrap();
            prop_assert!(number <= world.number);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..6),
        framing in prop::sample::select(vec![Framing::Line, JSON, BINARY]),
    ) {
        let mut rig = Rig::new(Options { framing, ..Options::default() });
        rig.dial();
        for piece in &pieces {
            rig.hear(piece);
        }
    }
}
