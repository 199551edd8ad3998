//! Many clients on one thread.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use pulsegate::client::{Body, Crowd, Event, Login, Member, Options, Request};
use pulsegate::net::mio::MioNet;

use crate::client::PATIENCE;
use crate::daemon::Daemon;
use crate::support::{FRAMINGS, brisk};

const MEMBERS: u32 = 300;

/// Turns until each member was told something of this kind.
#[track_caller]
fn until_all(crowd: &mut Crowd<MioNet>, wanted: impl Fn(&Event) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let mut told: HashMap<Member, u32> = HashMap::new();
    while told.len() < crowd.len() {
        assert!(
            Instant::now() < deadline,
            "{} of {}",
            told.len(),
            crowd.len()
        );
        crowd.turn(Duration::from_millis(100)).unwrap();
        while let Some((member, event)) = crowd.event() {
            if wanted(&event) {
                *told.entry(member).or_default() += 1;
            }
        }
    }
    assert!(told.values().all(|times| *times == 1));
}

fn crowd(daemon: &Daemon, name: &str, options: Options) -> (Crowd<MioNet>, Vec<Member>) {
    let mut crowd = Crowd::new(MioNet::new(256).unwrap(), options);
    let members = (0..MEMBERS).map(|number| {
        let last = u8::try_from(number % 8).unwrap();
        let from = IpAddr::V4(Ipv4Addr::new(127, 0, 1, last + 1));
        let login = Some(Login::new(format!("user-{number}")));
        crowd.add(daemon.addr(name), Some(from), login)
    });
    let members = members.collect();
    (crowd, members)
}

#[test]
fn a_crowd_talks_on_one_thread_in_every_framing() {
    let daemon = Daemon::new("idle_timeout = \"900ms\"");
    for (name, framing) in FRAMINGS {
        let (mut crowd, members) = crowd(&daemon, name, brisk(framing));
        until_all(&mut crowd, |event| *event == Event::Connected);
        for (number, member) in members.iter().enumerate() {
            let next = (number + 1) % members.len();
            let to = format!("user-{next}");
            let body = Body::Text("hello".into());
            let (machine, now) = crowd.machine(*member).unwrap();
            let words = Request::Send {
                to: to.into(),
                body,
                ack: true,
            };
            machine.request(now, &words).unwrap();
        }
        until_all(&mut crowd, |event| matches!(event, Event::Message(_)));
        // Three timeouts long nobody says a word, and nobody is lost.
        let until = Instant::now() + Duration::from_millis(2_700);
        while Instant::now() < until {
            crowd.turn(Duration::from_millis(100)).unwrap();
            while let Some((_, event)) = crowd.event() {
                assert!(matches!(event, Event::Answer { .. }), "{event}");
            }
        }
        for member in members {
            let (machine, now) = crowd.machine(member).unwrap();
            machine.quit(now);
        }
        until_all(&mut crowd, |event| matches!(event, Event::GaveUp(_)));
    }
}

#[test]
fn a_crowd_that_is_refused_is_told() {
    let daemon = Daemon::new("login = \"none\"");
    let (mut crowd, _) = crowd(&daemon, "line", brisk(FRAMINGS[0].1));
    until_all(&mut crowd, |event| matches!(event, Event::GaveUp(_)));
}
