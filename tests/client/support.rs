//! What the tests of the client share.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use pulsegate::client::{Client, Event, Letter, Login, Options, Outcome, RequestId, Retry};
use pulsegate::codec::framing::{Endian, Framing, Layout};

use crate::client::PATIENCE;

pub const JSON: Framing = Framing::LenHdr { bare_ping: false };
pub const BINARY: Framing = Framing::Binary(Layout {
    width: 4,
    endian: Endian::Big,
    offset: 0,
    adjust: 0,
    strip: None,
});

/// The names of the daemon's listeners, and what is spoken there.
pub const FRAMINGS: [(&str, Framing); 3] = [
    ("line", Framing::Line),
    ("lenhdr", JSON),
    ("binary", BINARY),
];

/// Options that come back soon.
pub fn brisk(framing: Framing) -> Options {
    let base = Duration::from_millis(50);
    let retry = Retry {
        base,
        ..Retry::FOR_EVER
    };
    Options {
        framing,
        retry,
        ..Options::default()
    }
}

pub fn connect(at: SocketAddr, user: &str, options: Options) -> Client {
    let client = Client::connect(&at.to_string(), Some(Login::new(user)), options).unwrap();
    assert_eq!(next(&client), Event::Connected);
    client
}

/// The next event.
#[track_caller]
pub fn next(client: &Client) -> Event {
    let event = client.recv_timeout(PATIENCE);
    event.expect("something happens")
}

/// The next message.
#[track_caller]
pub fn letter(client: &Client) -> Letter<'static> {
    match next(client) {
        Event::Message(letter) => letter,
        other => panic!("{other:?}"),
    }
}

/// Waits until a request is done; returns how many it was queued for.
#[track_caller]
pub fn done(client: &Client, request: RequestId) -> Option<u64> {
    client.wait(request, PATIENCE).unwrap().get("queued")
}

/// Passes over events until one is wanted.
#[track_caller]
pub fn until(client: &Client, wanted: impl Fn(&Event) -> bool) -> Event {
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "it does not happen");
        let event = next(client);
        if wanted(&event) {
            return event;
        }
    }
}

/// Waits for what became of a request, as an event.
#[track_caller]
pub fn outcome(client: &Client, wanted: RequestId) -> Outcome {
    let is_it =
        |event: &Event| matches!(event, Event::Answer { request, .. } if *request == wanted);
    match until(client, is_it) {
        Event::Answer { outcome, .. } => outcome,
        other => panic!("{other:?}"),
    }
}
