//! Every message of the dialect, in every framing.

use pulsegate::client::{Acks, Body, CallError, Event, GaveUp, Options, Request};

use crate::client::{PATIENCE, eventually};
use crate::daemon::Daemon;
use crate::support::{FRAMINGS, brisk, connect, done, letter, next};

#[test]
fn every_message_goes_and_comes_in_every_framing() {
    let daemon = Daemon::new("");
    for (name, framing) in FRAMINGS {
        let (ann, bob) = (format!("ann-{name}"), format!("bob-{name}"));
        let at = daemon.addr(name);
        let (ann, bob) = (
            connect(at, &ann, brisk(framing)),
            connect(at, &bob, brisk(framing)),
        );
        let (to_ann, to_bob) = (format!("ann-{name}"), format!("bob-{name}"));

        assert_eq!(done(&ann, ann.ping().unwrap()), None);
        assert_eq!(
            done(&ann, ann.send(&to_bob, "hi \"bob\" \\ ü").unwrap()),
            Some(1)
        );
        let hi = letter(&bob);
        assert_eq!(hi.from.as_deref(), Some(&to_ann[..]));
        assert_eq!(hi.body, Body::Text("hi \"bob\" \\ ü".into()));
        assert!(!hi.ack && hi.topic.is_none());

        assert_eq!(
            done(&bob, bob.send_acked(&to_ann, "back").unwrap()),
            Some(1)
        );
        assert!(letter(&ann).ack);

        assert_eq!(done(&ann, ann.join("news").unwrap()), None);
        assert_eq!(done(&bob, bob.publish("news", "all").unwrap()), Some(1));
        let all = letter(&ann);
        assert_eq!(all.topic.as_deref(), Some("news"));
        assert_eq!(all.from.as_deref(), Some(&to_bob[..]));
        assert_eq!(done(&ann, ann.leave("news").unwrap()), None);
        let left = ann.wait(ann.leave("news").unwrap(), PATIENCE);
        assert!(matches!(left, Err(CallError::Refused(no)) if &*no.code == "not-joined"));

        let data = ann.wait(ann.data("x").unwrap(), PATIENCE);
        assert!(matches!(data, Err(CallError::Refused(no)) if &*no.code == "no-backend"));
        let nobody = ann.wait(ann.send("nobody", "x").unwrap(), PATIENCE);
        assert!(matches!(nobody, Err(CallError::Refused(no)) if &*no.code == "no-such-user"));

        ann.quit();
        assert_eq!(next(&ann), Event::GaveUp(GaveUp::Quit));
        assert_eq!(ann.recv(), None);
        assert!(ann.is_over());
    }
}

#[test]
fn json_stays_json_and_line_breaks_go_where_frames_have_lengths() {
    let daemon = Daemon::new("");
    let at = |name| daemon.addr(name);
    let json = connect(at("lenhdr"), "json", brisk(FRAMINGS[1].1));
    let binary = connect(at("binary"), "binary", brisk(FRAMINGS[2].1));
    let body = Body::Json("{\"n\":[9007199254740993,null]}".into());
    let words = |to: &'static str, body: &Body<'static>| Request::Send {
        to: to.into(),
        body: body.clone(),
        ack: false,
    };
    done(&json, json.request(&words("json", &body)).unwrap());
    assert_eq!(letter(&json).body, body);
    done(&json, json.request(&words("binary", &body)).unwrap());
    let text = "{\"n\":[9007199254740993,null]}".into();
    assert_eq!(letter(&binary).body, Body::Text(text));
    let lines = Body::Text("a\r\nb".into());
    done(&binary, binary.request(&words("json", &lines)).unwrap());
    assert_eq!(letter(&json).body, lines);
}

#[test]
fn many_requests_at_once_are_answered_in_order() {
    let daemon = Daemon::new("");
    for (name, framing) in FRAMINGS {
        let ann = connect(daemon.addr(name), "ann", brisk(framing));
        let sent: Vec<_> = (0..2_000)
            .map(|number| ann.send("ann", &number.to_string()).unwrap())
            .collect();
        let (mut answered, mut letters) = (Vec::new(), Vec::new());
        while answered.len() < sent.len() || letters.len() < sent.len() {
            match next(&ann) {
                Event::Answer { request, .. } => answered.push(request),
                Event::Message(letter) => letters.push(letter.body),
                other => panic!("{other}"),
            }
        }
        assert_eq!(answered, sent);
        let wanted = (0..2_000).map(|number: u32| Body::Text(number.to_string().into()));
        assert!(letters.into_iter().eq(wanted));
    }
}

#[test]
fn a_heartbeat_keeps_it_alive_while_the_application_is_away() {
    let daemon = Daemon::new("idle_timeout = \"600ms\"");
    for (name, framing) in FRAMINGS {
        let ann = connect(daemon.addr(name), "ann", brisk(framing));
        // Five timeouts long the application does not touch it: clients that say nothing tell the
        // time.
        for _ in 0..5 {
            daemon.line().closes("idle-timeout");
        }
        assert!(ann.is_online(), "{name}");
        assert_eq!(ann.recv_timeout(std::time::Duration::ZERO), None, "{name}");
    }
}

#[test]
fn a_message_is_acknowledged_when_it_is_taken_and_not_before() {
    let daemon = Daemon::new("ack_timeout = \"300ms\"");
    for (name, framing) in FRAMINGS {
        let bob = connect(daemon.addr(name), "bob", brisk(framing));
        let acks = Acks::Application;
        let options = Options {
            acks,
            ..brisk(framing)
        };
        let ann = connect(daemon.addr(name), "ann", options);
        done(&bob, bob.send_acked("ann", "important").unwrap());
        let first = letter(&ann);
        // It comes again after ack_timeout, and is told once.
        assert_eq!(
            ann.recv_timeout(std::time::Duration::from_millis(800)),
            None
        );
        // Unacknowledged, it is the user's: the next connection gets it.
        drop(ann);
        let ann = connect(daemon.addr(name), "ann", brisk(framing));
        assert_eq!(letter(&ann).id, first.id);
        // Taken is acknowledged: nobody gets it any more.
        done(&ann, ann.ping().unwrap());
        drop(ann);
        let ann = connect(daemon.addr(name), "ann", brisk(framing));
        done(&ann, ann.ping().unwrap());
        assert_eq!(
            ann.recv_timeout(std::time::Duration::from_millis(500)),
            None
        );
        ann.quit();
        eventually("ann is over", || ann.recv().is_none().then_some(()));
    }
}
