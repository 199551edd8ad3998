//! The records of how connections ended.

use std::time::Duration;

use pulsegate::{CloseReason, EndDetail, EndedBy, Limits, Options, Settings};

use super::{Stage, s};

#[test]
fn a_record_tells_how_a_connection_ended_and_what_it_was_like() {
    let mut stage = Stage::with(
        Settings {
            idle_timeout: Some(s(3)),
            ..Settings::default()
        },
        Options::default(),
    );
    let peer = stage.login("ann");
    stage.ask(peer, "ping\n");
    let conn = stage.conn(peer);
    let traffic = stage.server.gate().traffic(conn);
    stage.pass(s(4));
    assert_eq!(stage.reason(peer), Some(CloseReason::IdleTimeout));
    let gate = stage.server.gate();
    let death = gate.deaths().next().expect("there is a record");
    assert_eq!((death.conn, death.reason), (conn, CloseReason::IdleTimeout));
    assert_eq!(death.user.as_deref(), Some("ann"));
    assert_eq!(Some((death.bytes_in, death.bytes_out)), traffic);
    assert_eq!(
        (death.frames_in, death.frames_out, death.waiting),
        (2, 2, 0)
    );
    let most = s(3) + Duration::from_millis(10);
    assert!((s(3)..=most).contains(&death.silent), "{:?}", death.silent);
    assert_eq!(death.silent, death.unsent);
    assert!((s(2)..=s(4)).contains(&death.age), "{:?}", death.age);
    assert!(death.at <= gate.now());
}

#[test]
fn the_latest_deaths_are_kept_and_no_more() {
    let deaths = 3;
    let limits = Limits {
        deaths,
        ..Limits::default()
    };
    let mut stage = Stage::within(limits);
    for user in ["a", "b", "c", "d", "e"] {
        let peer = stage.login(user);
        stage.say(peer, "quit\n");
        stage.settle();
    }
    let users: Vec<_> = stage.server.gate().deaths().collect();
    let users: Vec<_> = users.iter().map(|death| death.user.as_deref()).collect();
    assert_eq!(users, [Some("e"), Some("d"), Some("c")]);
}

#[test]
fn a_record_names_who_asked_for_the_end_and_what_the_reason_stands_for() {
    let limits = Limits {
        connections: 1,
        ..Limits::default()
    };
    let mut stage = Stage::within(limits);
    let newest = |stage: &Stage| {
        let death = stage.server.gate().deaths().next().expect("there is one");
        (death.reason, death.by, death.detail)
    };
    stage.login("ann");
    stage.dial(crate::world::Path::default());
    stage.settle();
    let full = (
        CloseReason::Overloaded,
        EndedBy::Gate,
        Some(EndDetail::Connections),
    );
    assert_eq!(newest(&stage), full);
    assert_eq!(stage.server.gate_mut().kick("ann"), 1);
    stage.settle();
    let kicked = (CloseReason::Kicked, EndedBy::Application, None);
    assert_eq!(newest(&stage), kicked);
    let bob = stage.login("bob");
    stage.say(bob, "quit\n");
    stage.settle();
    assert_eq!(newest(&stage), (CloseReason::Quit, EndedBy::Client, None));
    stage.login("cid");
    stage.expect_drain(Duration::ZERO);
    stage.server.gate_mut().shut_down();
    stage.settle();
    let left = (CloseReason::Shutdown, EndedBy::Application, None);
    assert_eq!(newest(&stage), left);
}
