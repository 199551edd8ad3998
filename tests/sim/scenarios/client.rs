//! The library's client in the simulated world: it beats, comes back, and does not fight.

use std::sync::Arc;
use std::time::Duration;

use pulsegate::client::{Event, GaveUp, Login, Lost, Machine, Options, Outcome};
use pulsegate::codec::message::{Body, Request};
use pulsegate::{CloseReason, Settings};

use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::socket::{Heard, Key};

/// A machine, its connection, and what it has told.
struct Peer {
    machine: Machine,
    key: Option<Key>,
    /// The connection's cable is cut: what is said is taken, and arrives nowhere.
    is_cut: bool,
    events: Vec<Event>,
}

impl Peer {
    fn new(stage: &Stage, user: &str) -> Self {
        let seed = user.bytes().map(u64::from).sum();
        let login = Some(Login::new(user));
        let options = Arc::new(Options::default());
        Self {
            machine: Machine::new(options, login, seed, now(stage)),
            key: None,
            is_cut: false,
            events: Vec::new(),
        }
    }

    /// Does what a driver does, once.
    fn drive(&mut self, stage: &mut Stage) {
        let now = now(stage);
        let machine = &mut self.machine;
        if machine.deadline().is_some_and(|at| at <= now) {
            machine.tick(now);
        }
        if machine.wants_dial(now) {
            self.key = Some(stage.dial(Path::default()));
            machine.dialed(now);
        }
        let Some(key) = self.key else { return };
        let heard = stage.hear(key);
        machine.received(now, heard.as_bytes());
        match stage.at_peer(key) {
            Heard::Fin => machine.lost(now, Lost::PeerClosed),
            Heard::Reset => machine.lost(now, Lost::Reset),
            Heard::Bytes(_) | Heard::Nothing => {}
        }
        let words = String::from_utf8(machine.output().to_vec()).expect("lines are UTF-8");
        if machine.has_link() && !words.is_empty() {
            if !self.is_cut {
                stage.say(key, &words);
            }
            machine.wrote(now, words.len());
        }
        if !machine.has_link() {
            stage.net().kernel.leave(key);
            (self.key, self.is_cut) = (None, false);
        }
        while let Some(event) = self.machine.event(now) {
            self.events.push(event);
        }
    }

    /// The system resets the connection.
    fn reset(&mut self, stage: &mut Stage) {
        let key = self.key.take().expect("it is connected");
        stage.net().kernel.reset(key);
        self.machine.lost(now(stage), Lost::Reset);
    }

    fn ask(&mut self, stage: &Stage, request: &Request<'_>) {
        let taken = self.machine.request(now(stage), request);
        taken.expect("there is room");
    }

    fn count(&self, is_it: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| is_it(event)).count()
    }

    fn connected(&self) -> usize {
        self.count(|event| *event == Event::Connected)
    }

    fn messages(&self) -> usize {
        self.count(|event| matches!(event, Event::Message(_)))
    }
}

fn now(stage: &Stage) -> Duration {
    Duration::from_nanos(stage.now())
}

/// All of them for so long, ten times a second.
fn pass(stage: &mut Stage, peers: &mut [Peer], span: Duration) {
    let end = now(stage) + span;
    while now(stage) < end {
        for peer in &mut *peers {
            peer.drive(stage);
        }
        stage.pass(ms(100));
    }
}

#[test]
fn clients_of_the_library_stay_for_an_hour_by_their_heartbeats_alone() {
    let mut stage = Stage::new(Settings::default());
    stage.checks = false;
    let mut peers = [Peer::new(&stage, "ann"), Peer::new(&stage, "bob")];
    pass(&mut stage, &mut peers, s(1));
    for peer in &mut peers {
        peer.ask(
            &stage,
            &Request::Join {
                topic: "news".into(),
            },
        );
    }
    pass(&mut stage, &mut peers, s(3_600));
    assert_eq!(stage.ends, [], "nobody was taken for dead");
    // A third of a minute apart, each; a join moves the first one.
    let beats = stage.server.gate().stats().beats;
    assert!((2 * 175..=2 * 181).contains(&beats), "{beats} heartbeats");
    let body = Body::Text("hello".into());
    peers[0].ask(
        &stage,
        &Request::Publish {
            topic: "news".into(),
            body,
        },
    );
    pass(&mut stage, &mut peers, s(1));
    assert_eq!(peers[1].messages(), 1);
    assert_eq!(peers.each_ref().map(Peer::connected), [1, 1]);
}

#[test]
fn whoever_is_cut_off_comes_back_and_is_a_member_again() {
    let mut stage = Stage::new(Settings::default());
    let mut peers = [Peer::new(&stage, "ann"), Peer::new(&stage, "bob")];
    pass(&mut stage, &mut peers, s(1));
    peers[0].ask(
        &stage,
        &Request::Join {
            topic: "news".into(),
        },
    );
    pass(&mut stage, &mut peers, s(1));
    for round in 1..=3 {
        if round == 2 {
            let key = peers[0].key.expect("it is connected");
            // The connection dies and nobody says so: the next heartbeat finds out.
            stage.net().kernel.vanish(key);
            peers[0].is_cut = true;
        } else {
            peers[0].reset(&mut stage);
        }
        let gone = peers[0].connected();
        pass(&mut stage, &mut peers, s(100));
        assert_eq!(peers[0].connected(), gone + 1, "it came back, once");
        let body = Body::Text("hello".into());
        peers[1].ask(
            &stage,
            &Request::Publish {
                topic: "news".into(),
                body,
            },
        );
        pass(&mut stage, &mut peers, s(1));
        assert_eq!(peers[0].messages(), round, "it is a member again");
    }
    assert_eq!(peers[1].connected(), 1);
}

#[test]
fn what_was_asked_and_not_answered_is_told_as_unknown_and_never_said_again() {
    let mut stage = Stage::new(Settings::default());
    let mut peers = [Peer::new(&stage, "ann"), Peer::new(&stage, "bob")];
    pass(&mut stage, &mut peers, s(1));
    let body = Body::Text("once".into());
    let to = "bob".into();
    peers[0].ask(
        &stage,
        &Request::Send {
            to,
            body,
            ack: false,
        },
    );
    peers[0].drive(&mut stage);
    peers[0].reset(&mut stage);
    pass(&mut stage, &mut peers, s(60));
    let is_unknown = |event: &Event| {
        matches!(
            event,
            Event::Answer {
                outcome: Outcome::Unknown,
                ..
            }
        )
    };
    assert_eq!(peers[0].count(is_unknown), 1, "{:?}", peers[0].events);
    assert_eq!(peers[0].connected(), 2);
    assert!(peers[1].messages() <= 1, "it was said once");
}

#[test]
fn two_rivals_for_one_name_do_not_oust_each_other_for_ever() {
    let mut stage = Stage::new(Settings::default());
    let mut peers = [Peer::new(&stage, "ann"), Peer::new(&stage, "ann")];
    pass(&mut stage, &mut peers, s(1));
    pass(&mut stage, &mut peers, s(600));
    assert_eq!(peers.each_ref().map(Peer::connected), [1, 1]);
    let gave_up = |event: &Event| {
        matches!(
            event,
            Event::GaveUp(GaveUp::Told(Lost::Closed(CloseReason::Replaced)))
        )
    };
    let gone = peers.each_ref().map(|peer| peer.count(gave_up));
    assert_eq!(gone.iter().sum::<usize>(), 1, "one of them has left");
}
