//! What a request causes to its own sender follows the answer: whatever else its handler does.

use pulsegate::{
    Answer, CloseReason, ConnId, Fields, Gate, Handler, Limits, Message, Push, Settings,
    SlowConsumer, Target,
};

use crate::client::eventually;
use crate::library::House;

/// Lets one `data` wait; the next one answers it, and both users are told.
#[derive(Default)]
struct Matchmaker {
    waiting: Option<ConnId>,
}

impl Handler for Matchmaker {
    fn on_message(&mut self, gate: &mut Gate, conn: ConnId, message: Message<'_>) -> Answer {
        let Message::Data { .. } = message else {
            return gate.obey(conn, message);
        };
        let Some(waiting) = self.waiting.take() else {
            self.waiting = Some(conn);
            return Answer::Later;
        };
        let user = gate.user(conn).unwrap().to_owned();
        let secret = Push::text("for your eyes only");
        assert_eq!(gate.push(Target::User(&user), &secret).unwrap().queued, 1);
        assert!(gate.answer(waiting, Answer::Ok(Fields::NONE)));
        let found = Push::text("found");
        assert_eq!(gate.push(Target::User(&user), &found).unwrap().queued, 1);
        Answer::Ok(Fields::NONE.with("queued", 1))
    }
}

#[test]
fn an_answer_to_another_connection_takes_nothing_along() {
    let house = House::new(
        Matchmaker::default(),
        Limits::default(),
        Settings::default(),
    );
    let mut alice = house.line();
    let mut bob = house.line();
    alice.login("alice");
    bob.login("bob");
    alice.say("data a match please");
    alice.say("ping");
    eventually("alice waits", || {
        house.ask(|_, maker| maker.waiting.is_some()).then_some(())
    });
    bob.say("data a match please");
    alice.hears("ok");
    alice.hears("pong");
    bob.hears("ok queued=1");
    assert_eq!(bob.message().body, "for your eyes only");
    assert_eq!(bob.message().body, "found");
}

/// Leaves a message for the sender of `data`, and shows it the door.
struct Doorman;

impl Handler for Doorman {
    fn on_message(&mut self, gate: &mut Gate, conn: ConnId, message: Message<'_>) -> Answer {
        let Message::Data { .. } = message else {
            return gate.obey(conn, message);
        };
        let user = gate.user(conn).unwrap().to_owned();
        let push = Push {
            ack: true,
            ..Push::text("why you had to go")
        };
        assert_eq!(gate.push(Target::User(&user), &push).unwrap().queued, 1);
        gate.close(conn, CloseReason::Kicked);
        Answer::None
    }
}

#[test]
fn a_message_that_was_held_when_its_receiver_ended_waits_for_the_next_login() {
    let house = House::new(Doorman, Limits::default(), Settings::default());
    let mut alice = house.line();
    alice.login("alice");
    alice.say("data let me in");
    alice.closes("kicked");
    let mut alice = house.line();
    alice.login("alice");
    assert_eq!(alice.message().body, "why you had to go");
}

#[test]
fn a_message_to_oneself_that_finds_no_room_behind_the_answer_is_parked() {
    let settings = Settings {
        outbox_low: 60_000,
        outbox_soft: 60_000,
        outbox_max: 60_000,
        slow_consumer: SlowConsumer::DropNewest,
        ..Settings::default()
    };
    let house = House::new((), Limits::default(), settings);
    let mut alice = house.line();
    let socket = socket2::SockRef::from(alice.socket());
    socket.set_recv_buffer_size(256 << 10).unwrap();
    alice.login("alice");
    let text = "x".repeat(30_000);
    let mut sent = 0;
    // Until the socket is full and not even the outbox takes one more.
    while house.ask(|gate, ()| gate.stats().dropped_newest) == 0 {
        alice.say(format!("asend alice {text}"));
        sent += 1;
        eventually("it is handled", || {
            (house.ask(|gate, ()| gate.stats().letters.made) == sent).then_some(())
        });
    }
    let mut heard = 0;
    while heard < sent {
        let line = alice.hear_text();
        if line.starts_with("msga ") {
            heard += 1;
            let id = line.split(' ').nth(1).unwrap();
            alice.say(format!("ack {id}"));
        }
    }
}
