//! Large messages and bursts, for one who reads.

use pulsegate::{Limits, Push, Settings, Target};

use crate::client::{Client, Framing};
use crate::daemon::Daemon;
use crate::library::House;

#[test]
fn a_burst_of_one_turn_is_offered_to_the_socket_before_its_reader_is_called_slow() {
    let house = House::new((), Limits::default(), Settings::default());
    let mut bob = house.line();
    bob.login("bob");
    let text = "x".repeat(60_000);
    let queued = house.ask(move |gate, ()| {
        let push = |_| gate.push(Target::User("bob"), &Push::text(&text)).unwrap();
        (0..5).map(push).map(|receipt| receipt.queued).sum::<u32>()
    });
    assert_eq!(queued, 5);
    for _ in 0..5 {
        assert_eq!(bob.message().body.len(), 60_000);
    }
}

#[test]
fn a_message_that_grows_in_another_encoding_costs_its_receiver_nothing() {
    let daemon = Daemon::new("");
    let mut bob = daemon.client(Framing::Lenhdr);
    bob.login("bob");
    let mut alice = daemon.user("alice");
    // Each of these bytes becomes six in JSON: more than an outbox may ever hold.
    let body = "\u{1}".repeat(65_000);
    alice.asks(&format!("send bob {body}"), "ok queued=0");
    alice.asks("send bob small", "ok queued=1");
    assert_eq!(bob.message().body, "\"small\"");
}

#[test]
fn a_parked_message_that_fits_no_frame_keeps_none_behind_it_waiting() {
    let daemon = Daemon::start(
        "[[listener]]\nname = \"line\"\nbind = \"127.0.0.1:0\"\n\
         [[listener]]\nname = \"binary\"\nbind = \"127.0.0.1:0\"\n\
         framing = { binary = { width = 1 } }\n",
    );
    let mut alice = daemon.line();
    alice.login("alice");
    let mut bob = daemon.line();
    bob.login("bob");
    bob.asks("quit", "close quit");
    bob.eof();
    let long = "x".repeat(300);
    alice.asks(&format!("asend bob {long}"), "ok queued=0 offline=1");
    alice.asks("asend bob short", "ok queued=0 offline=1");
    let mut bob = Narrow(daemon.client(Framing::Binary));
    bob.0.send(b"\x08\x03\0\x03bob\0\0");
    assert_eq!(bob.hear()[0], 0x83);
    assert!(bob.hear().ends_with(b"\0\x05aliceshort"));
    // Nor is one parked for a user who is here.
    alice.asks(&format!("asend bob {long}"), "ok queued=0");
    alice.asks("asend bob again", "ok queued=1");
    assert!(bob.hear().ends_with(b"\0\x05aliceagain"));
}

/// A client whose length field is one byte wide.
struct Narrow(Client);

impl Narrow {
    fn hear(&mut self) -> Vec<u8> {
        let length = usize::from(self.0.exactly(1)[0]);
        self.0.exactly(length)
    }
}
