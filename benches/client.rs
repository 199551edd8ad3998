//! What the client costs: its own work per message without sockets, and the memory of an idle one
//! in a crowd.
//!
//! Asserted: below 2 µs a message in every framing, sent or received; at most 512 bytes an idle
//! member of a crowd with a user of 13 bytes.
#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/null.rs"]
mod null;

use std::sync::Arc;
use std::time::Duration;

use null::NullNet;
use pulsegate::client::{Body, Crowd, Event, Login, Machine, Options, Request};
use pulsegate::codec::framing::{Endian, Framing, Layout};
use pulsegate::codec::reply::{Delivery, Fields, Reply, encode};
use pulsegate::net::Net as _;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

const BINARY: Framing = Framing::Binary(Layout {
    width: 4,
    endian: Endian::Big,
    offset: 0,
    adjust: 0,
    strip: None,
});
const FRAMINGS: [(&str, Framing); 3] = [
    ("line", Framing::Line),
    ("lenhdr", Framing::LenHdr { bare_ping: false }),
    ("binary", BINARY),
];
/// Messages of one read, and reads of one round.
const MESSAGES: u32 = 100;
const READS: u32 = 200;
const ROUNDS: usize = 9;
const MEMBERS: u32 = 10_000;

fn main() {
    for (name, framing) in FRAMINGS {
        for (what, cost) in [
            ("received", receiving(framing, false)),
            ("received and acknowledged", receiving(framing, true)),
            ("sent and answered", sending(framing)),
        ] {
            println!("client {name} 100 bytes {what}: {} ns", cost.as_nanos());
            assert!(cost < Duration::from_micros(2), "below 2 us a message");
        }
    }
    let fresh = bytes_per_member(0);
    let used = bytes_per_member(100);
    println!("client bytes/idle member={fresh:.1} after 100 messages={used:.1}");
    assert!(
        fresh <= 512.0 && used <= 512.0,
        "at most 512 bytes an idle member"
    );
}

/// A machine that is logged in.
fn online(framing: Framing) -> Machine {
    let options = Options {
        framing,
        ..Options::default()
    };
    let login = Some(Login::new("ann"));
    let mut machine = Machine::new(Arc::new(options), login, 7, Duration::ZERO);
    assert!(machine.wants_dial(Duration::ZERO));
    machine.dialed(Duration::ZERO);
    let login = Fields::NONE.with("heartbeat", 20_000).with("proto", 1);
    machine.received(Duration::ZERO, &said(framing, &Reply::Ok(login)));
    assert_eq!(machine.event(Duration::ZERO), Some(Event::Connected));
    written(&mut machine);
    machine
}

fn said(framing: Framing, reply: &Reply<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    encode(reply, None, &framing, &mut out).expect("it fits");
    out
}

/// The socket takes all.
fn written(machine: &mut Machine) {
    let length = machine.output().len();
    machine.wrote(Duration::ZERO, length);
}

/// The time of one message that comes and is taken; heartbeats settle the acks in between.
fn receiving(framing: Framing, ack: bool) -> Duration {
    let body = Body::Text("x".repeat(100).into());
    let mut machine = online(framing);
    let mut id = 0;
    median(|| {
        let mut spent = Duration::ZERO;
        for _ in 0..READS {
            let mut input = Vec::new();
            for _ in 0..MESSAGES {
                id += 1;
                let (from, topic, body) = (Some("bob"), Some("news"), &body);
                let message = Delivery {
                    id,
                    from,
                    topic,
                    body,
                    ack,
                };
                input.extend(said(framing, &Reply::Message(message)));
            }
            let began = on_cpu();
            machine.received(Duration::ZERO, &input);
            while let Some(event) = machine.event(Duration::ZERO) {
                assert!(matches!(event, Event::Message(_)));
            }
            written(&mut machine);
            spent += on_cpu() - began;
        }
        spent / (READS * MESSAGES)
    })
}

/// The time of one message that is sent, and of its answer.
fn sending(framing: Framing) -> Duration {
    let (to, body, ack) = ("bob".into(), Body::Text("x".repeat(100).into()), false);
    let words = Request::Send { to, body, ack };
    let answer = said(framing, &Reply::Ok(Fields::NONE.with("queued", 1)));
    let answers = answer.repeat(MESSAGES as usize);
    let mut machine = online(framing);
    median(|| {
        let began = on_cpu();
        for _ in 0..READS {
            for _ in 0..MESSAGES {
                machine
                    .request(Duration::ZERO, &words)
                    .expect("there is room");
            }
            written(&mut machine);
            machine.received(Duration::ZERO, &answers);
            while let Some(event) = machine.event(Duration::ZERO) {
                assert!(matches!(event, Event::Answer { .. }));
            }
        }
        (on_cpu() - began) / (READS * MESSAGES)
    })
}

/// Processor time of this thread: what others do on the machine is not the client's work.
fn on_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("it counts from zero")
}

fn median(mut round: impl FnMut() -> Duration) -> Duration {
    let mut rounds: Vec<_> = (0..ROUNDS).map(|_| round()).collect();
    rounds.sort_unstable();
    rounds[ROUNDS / 2]
}

/// Live bytes a member of a crowd, compared with a crowd of one.
fn bytes_per_member(messages: u64) -> f64 {
    let few = live_bytes(1, messages);
    let many = live_bytes(MEMBERS, messages);
    (many - few) as f64 / f64::from(MEMBERS - 1)
}

/// Live bytes of a crowd after login, so many messages, and a heartbeat.
fn live_bytes(members: u32, messages: u64) -> isize {
    let net = NullNet::with_backlog(members);
    let before = counting::live();
    let mut crowd = Crowd::with_room(net, Options::default(), members);
    for member in 0..members {
        let login = Login::new(format!("user-{member:08}"));
        crowd.add(([127, 0, 0, 1], 7373).into(), None, Some(login));
        turn(&mut crowd);
    }
    let mut texts = vec![String::from("ok heartbeat=20000 proto=1\n")];
    if messages > 0 {
        texts.push(
            (0..messages)
                .map(|id| format!("msga {id} bob hello\n"))
                .collect(),
        );
    }
    for text in texts {
        for member in 0..members {
            crowd.net_mut().say(member, text.as_bytes());
            turn(&mut crowd);
        }
    }
    // What the last ones have to say leaves before the silence begins.
    turn(&mut crowd);
    crowd.net_mut().rest(Duration::from_secs(21));
    for _ in 0..members {
        turn(&mut crowd);
    }
    for member in 0..members {
        crowd.net_mut().say(member, b"pong\n");
        turn(&mut crowd);
    }
    assert!(crowd.net_mut().written() > 0, "there was traffic");
    counting::live() - before
}

fn turn(crowd: &mut Crowd<NullNet>) {
    crowd
        .turn(Duration::ZERO)
        .expect("the null net never fails");
    while let Some((_, event)) = crowd.event() {
        let is_good = matches!(event, Event::Connected | Event::Message(_));
        assert!(is_good, "{event}");
    }
}
