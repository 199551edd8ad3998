//! What a request causes to its own sender follows the answer: whatever else its handler does.

use pulsegate::{Answer, ConnId, Fields, Gate, Handler, Limits, Message, Push, Settings, Target};

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
