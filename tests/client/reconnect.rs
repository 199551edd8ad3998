//! Losing a connection and coming back.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use pulsegate::CloseReason;
use pulsegate::client::{
    Away, Client, Event, GaveUp, Login, Lost, Options, Outcome, Refused, Retry,
};
use pulsegate::codec::framing::Framing;

use crate::client::{Framing as Foreign, PATIENCE};
use crate::daemon::Daemon;
use crate::support::{FRAMINGS, brisk, connect, done, letter, next, outcome, until};

/// The server's side of a connection, by hand and in lines.
struct Side {
    reader: BufReader<TcpStream>,
}

impl Side {
    fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let reader = BufReader::new(stream);
        Self { reader }
    }

    /// One that has answered the login.
    fn greet(listener: &TcpListener) -> Self {
        let mut side = Self::accept(listener);
        side.hears("login ann");
        side.say("ok heartbeat=20000 proto=1\n");
        side
    }

    #[track_caller]
    fn hears(&mut self, wanted: &str) {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), wanted);
    }

    fn say(&mut self, text: &str) {
        self.reader.get_mut().write_all(text.as_bytes()).unwrap();
    }
}

/// A client on its way to a server that is played.
fn started() -> (TcpListener, Client) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let ann = Client::start(&at, Some(Login::new("ann")), brisk(Framing::Line));
    (listener, ann.unwrap())
}

fn is_connected(event: &Event) -> bool {
    *event == Event::Connected
}

#[test]
fn what_was_sent_and_not_answered_is_unknown_and_not_sent_again() {
    let (listener, ann) = started();
    let mut side = Side::greet(&listener);
    assert_eq!(next(&ann), Event::Connected);
    let sent = ann.send("bob", "one").unwrap();
    side.hears("send bob one");
    drop(side);
    assert_eq!(outcome(&ann, sent), Outcome::Unknown);
    assert!(matches!(
        next(&ann),
        Event::Lost(Lost::PeerClosed | Lost::Reset)
    ));
    assert!(matches!(next(&ann), Event::Retrying { attempt: 1, .. }));
    let later = ann.send("bob", "two").unwrap();
    let mut side = Side::greet(&listener);
    // Not the first one again.
    side.hears("send bob two");
    side.say("ok queued=1\n");
    assert!(matches!(outcome(&ann, later), Outcome::Done(_)));
}

#[test]
fn it_comes_back_to_a_gate_that_restarts_and_joins_its_topics_again() {
    for (name, framing) in FRAMINGS {
        let config = |port| {
            format!(
                "[[listener]]\nname = \"main\"\nbind = \"127.0.0.1:{port}\"\nframing = \"{name}\"\n\
                 reconnect = \"10ms\"\n"
            )
        };
        let mut daemon = Daemon::start(&config(0));
        let at = daemon.addr("main");
        let ann = connect(at, "ann", brisk(framing));
        done(&ann, ann.join("news").unwrap());
        daemon.signal(rustix::process::Signal::TERM);
        daemon.exit();
        let lost = next(&ann);
        assert_eq!(lost, Event::Lost(Lost::Closed(CloseReason::Shutdown)));
        let kept = ann.publish("news", "said while away").unwrap();
        let _daemon = Daemon::start(&config(at.port()));
        until(&ann, is_connected);
        assert_eq!(done(&ann, kept), Some(1));
        let all = letter(&ann);
        assert_eq!(all.topic.as_deref(), Some("news"));
    }
}

#[test]
fn nobody_comes_back_who_was_kicked_or_replaced() {
    let daemon = Daemon::new("");
    for (name, framing) in FRAMINGS {
        let ann = connect(daemon.addr(name), "ann", brisk(framing));
        let mut foreign = daemon.client(Foreign::Line);
        foreign.login("ann");
        let replaced = Lost::Closed(CloseReason::Replaced);
        assert_eq!(next(&ann), Event::Lost(replaced.clone()));
        assert_eq!(next(&ann), Event::GaveUp(GaveUp::Told(replaced)));
        assert_eq!(ann.send("bob", "x"), Err(Refused::Over));
        foreign.fence();
    }
}

#[test]
fn two_of_one_user_do_not_oust_each_other_for_ever() {
    let daemon = Daemon::new("");
    let at = daemon.addr("line");
    let first = connect(at, "ann", brisk(Framing::Line));
    let second = connect(at, "ann", brisk(Framing::Line));
    until(&first, |event| matches!(event, Event::GaveUp(_)));
    assert_eq!(first.recv(), None);
    // Twenty times the wait before a first attempt: who came back would have.
    assert_eq!(second.recv_timeout(Duration::from_secs(1)), None);
    assert!(second.is_online());
}

#[test]
fn a_login_that_is_refused_for_good_is_not_tried_again() {
    let daemon = Daemon::new("login = \"none\"");
    let refused = Client::connect(
        &daemon.addr("line").to_string(),
        Some(Login::new("ann")),
        brisk(Framing::Line),
    );
    let error = refused.unwrap_err();
    assert!(matches!(&error.lost, Lost::LoginRefused(no) if &*no.code == "forbidden"));
    // Without a name it may come.
    let guest = Client::connect(&daemon.addr("line").to_string(), None, brisk(Framing::Line));
    assert!(guest.unwrap().is_online());
}

#[test]
fn the_time_that_the_server_names_is_kept() {
    let (listener, ann) = started();
    Side::greet(&listener).say("close overloaded 700\n");
    until(&ann, |event| matches!(event, Event::Lost(_)));
    let began = Instant::now();
    let _side = Side::greet(&listener);
    let waited = began.elapsed();
    let range = Duration::from_millis(650)..Duration::from_secs(5);
    assert!(range.contains(&waited), "{waited:?}");
}

#[test]
fn attempts_are_told_and_limited_and_what_waits_is_not_sent() {
    let at = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let retry = Retry {
        base: Duration::from_millis(5),
        attempts: Some(3),
        ..Retry::FOR_EVER
    };
    let options = Options {
        retry,
        ..Options::default()
    };
    let ann = Client::start(&at.to_string(), None, options).unwrap();
    let waiting = ann.publish("news", "x").unwrap();
    for attempt in 1..=3 {
        assert_eq!(next(&ann), Event::Lost(Lost::Refused));
        let event = next(&ann);
        assert!(matches!(event, Event::Retrying { attempt: told, .. } if told == attempt));
    }
    assert_eq!(next(&ann), Event::Lost(Lost::Refused));
    assert_eq!(outcome(&ann, waiting), Outcome::Unsent);
    assert_eq!(next(&ann), Event::GaveUp(GaveUp::Attempts(3)));
    assert_eq!(ann.recv(), None);

    let away = Away::Refuse;
    let options = Options {
        away,
        ..Options::default()
    };
    let ann = Client::start(&at.to_string(), None, options).unwrap();
    until(&ann, |event| matches!(event, Event::Retrying { .. }));
    assert_eq!(ann.send("bob", "x"), Err(Refused::Away));
}
