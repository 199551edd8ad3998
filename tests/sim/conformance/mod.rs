//! The simulated net and the real one are the same net: each row of a table is a script that is
//! played over real loopback sockets and over simulated ones, and both must tell the same.
//!
//! A wait is repeated until nothing more comes, and what it told is joined: how the kernel spreads
//! news over several waits is free, what is told in the end is not. Sizes of kernel buffers are
//! free as well.

mod play;
mod rigs;

use std::time::Duration;

use pulsegate::net::{AcceptFault, Ending, Net, SocketOptions};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use self::play::Step::{self, *};
use self::play::{LISTENER, play};
use self::rigs::{Real, Rig, Simulated};
use crate::world::dice::Rate;

/// Accepted and registered, its first edge taken.
const OPEN: &[Step] = &[Dial, Wait, Accept, Register(0), Wait];

/// A newcomer that this happens to before it is accepted.
const fn early(happens: Step) -> [Step; 8] {
    [
        Dial,
        happens,
        Wait,
        Accept,
        Register(0),
        Wait,
        Read(0, 8),
        Read(0, 8),
    ]
}

/// What is played, each behind [`OPEN`] where it begins with an open connection.
const ROWS: &[(&str, bool, &[Step])] = &[
    (
        "a newcomer is told once",
        false,
        &[Wait, Dial, Wait, Wait, Accept, Accept, Wait],
    ),
    (
        "each newcomer is told",
        false,
        &[Dial, Wait, Dial, Wait, Accept, Accept, Accept],
    ),
    (
        "one edge for two",
        false,
        &[Dial, Dial, Wait, Accept, Accept, Accept, Wait],
    ),
    (
        "registering tells the level",
        false,
        &[Dial, Wait, Accept, Register(0), Wait, Wait],
    ),
    (
        "bytes before the registration",
        false,
        &early(Say(0, "early")),
    ),
    (
        "the end before the registration",
        false,
        &[
            Dial,
            Say(0, "x"),
            Fin(0),
            Wait,
            Accept,
            Register(0),
            Wait,
            Read(0, 8),
            Read(0, 8),
        ],
    ),
    ("a reset before the accept", false, &early(Reset(0))),
    (
        "short reads",
        true,
        &[
            Say(0, "0123456789"),
            Wait,
            Read(0, 4),
            Wait,
            Read(0, 4),
            Wait,
        ],
    ),
    (
        "drained, and the next byte",
        true,
        &[
            Say(0, "ab"),
            Wait,
            Read(0, 4),
            Read(0, 4),
            Say(0, "c"),
            Wait,
            Wait,
            Read(0, 4),
        ],
    ),
    (
        "a look takes nothing",
        true,
        &[
            Peek(0),
            Say(0, "ab"),
            Wait,
            Peek(0),
            Peek(0),
            Read(0, 4),
            Peek(0),
        ],
    ),
    (
        "a look at the end",
        true,
        &[
            Say(0, "a"),
            Fin(0),
            Wait,
            Peek(0),
            Read(0, 4),
            Peek(0),
            Read(0, 4),
        ],
    ),
    (
        "a look tells a reset, once",
        true,
        &[Reset(0), Wait, Peek(0), Read(0, 8)],
    ),
    (
        "more bytes are another edge",
        true,
        &[
            Say(0, "ab"),
            Wait,
            Say(0, "cd"),
            Wait,
            Wait,
            Read(0, 8),
            Read(0, 8),
        ],
    ),
    (
        "a half close behind bytes",
        true,
        &[
            Say(0, "bye"),
            Fin(0),
            Wait,
            Wait,
            Read(0, 8),
            Read(0, 8),
            Read(0, 8),
            Wait,
        ],
    ),
    (
        "a half close hears on",
        true,
        &[Fin(0), Wait, Read(0, 8), Write(0, "you too"), Hear(0)],
    ),
    (
        "a reset",
        true,
        &[Reset(0), Wait, Read(0, 8), Read(0, 8), Write(0, "x"), Wait],
    ),
    (
        "a reset behind bytes",
        true,
        &[Say(0, "abc"), Wait, Reset(0), Wait, Read(0, 8), Read(0, 8)],
    ),
    (
        "a write finds the reset",
        true,
        &[Reset(0), Wait, Write(0, "x"), Write(0, "x"), Read(0, 8)],
    ),
    (
        "who has left answers with a reset",
        true,
        &[
            Leave(0),
            Wait,
            Read(0, 8),
            Write(0, "late"),
            Wait,
            Write(0, "x"),
            Read(0, 8),
        ],
    ),
    (
        "a full socket has no edge",
        true,
        &[Fill(0), Wait, Write(0, "x"), Wait],
    ),
    (
        "room is an edge",
        true,
        &[Fill(0), Wait, Hear(0), Wait, Wait, Write(0, "x"), Hear(0)],
    ),
    (
        "full, and bytes come",
        true,
        &[Fill(0), Wait, Say(0, "ping"), Wait, Read(0, 8), Read(0, 8)],
    ),
    (
        "full, and a reset comes",
        true,
        &[Fill(0), Wait, Reset(0), Wait, Write(0, "x")],
    ),
    (
        "an end of ours",
        true,
        &[Shut(0), Hear(0), Say(0, "on"), Wait, Read(0, 8)],
    ),
    (
        "both ends",
        true,
        &[Shut(0), Fin(0), Wait, Read(0, 8), Hear(0), Wait],
    ),
    (
        "the last words",
        true,
        &[Finish(0, "bye"), Hear(0), Say(0, "on"), Wait, Read(0, 8)],
    ),
    (
        "a close delivers",
        true,
        &[Write(0, "bye"), Close(0, Ending::Graceful), Hear(0), Wait],
    ),
    (
        "an abort does not",
        true,
        &[Write(0, "bye"), Close(0, Ending::Abort), Hear(0), Wait],
    ),
    (
        "a close over unread bytes resets",
        true,
        &[Say(0, "x"), Wait, Close(0, Ending::Graceful), Hear(0), Wait],
    ),
    (
        "a closed token is never told",
        true,
        &[
            Say(0, "x"),
            Close(0, Ending::Abort),
            Say(0, "y"),
            Wait,
            Wait,
        ],
    ),
    (
        "two connections are told apart",
        true,
        &[
            Dial,
            Wait,
            Accept,
            Register(1),
            Wait,
            Say(1, "b"),
            Wait,
            Say(0, "a"),
            Fin(1),
            Wait,
        ],
    ),
    ("nobody listens", false, &[Unlisten, Dial, Wait]),
    ("a wake ends one wait", false, &[Wake, Wait, Wait]),
];

fn script(is_open: bool, steps: &'static [Step]) -> impl Iterator<Item = Step> {
    let before = if is_open { OPEN } else { &[] };
    before.iter().chain(steps).copied()
}

#[test]
fn both_nets_tell_the_same_of_every_script() {
    let mut differ = Vec::new();
    for &(title, is_open, steps) in ROWS {
        let real = play(&mut Real::new(), script(is_open, steps));
        let simulated = play(&mut Simulated::new(), script(is_open, steps));
        let lines = real
            .iter()
            .zip(&simulated)
            .filter(|(one, other)| one != other);
        let lines: Vec<String> = lines
            .map(|(one, other)| format!("    real {one}\n    sim  {other}"))
            .collect();
        if !lines.is_empty() {
            differ.push(format!("{title}:\n{}", lines.join("\n")));
        }
    }
    assert!(differ.is_empty(), "\n{}", differ.join("\n"));
}

#[test]
fn a_net_that_behaves_otherwise_is_noticed() {
    let &(_, is_open, steps) = ROWS
        .iter()
        .find(|(title, ..)| *title == "a half close behind bytes")
        .expect("there is such a row");
    let honest = play(&mut Simulated::new(), script(is_open, steps));
    let mut other = Simulated::new();
    other.net.faults.read_failed = Rate::per_mille(1_000);
    assert_ne!(play(&mut other, script(is_open, steps)), honest);
}

#[test]
fn out_of_descriptors_both_nets_refuse_and_keep_the_newcomer_without_an_edge() {
    const NAME: &str = "conformance::out_of_descriptors_both_nets_refuse_and_keep_the_newcomer_\
                        without_an_edge";
    // A process of its own: its limit is everybody's.
    if std::env::var_os("CONFORMANCE_CHILD").is_none() {
        let mut child = std::process::Command::new(std::env::current_exe().expect("it runs"));
        child.args(["--exact", NAME, "--nocapture"]);
        let output = child
            .env("CONFORMANCE_CHILD", "1")
            .output()
            .expect("starts");
        let said = String::from_utf8_lossy(&output.stderr);
        let ran = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && ran.contains("1 passed"),
            "{said}{ran}"
        );
        return;
    }
    let (mut real, mut sim) = (Real::new(), Simulated::new());
    let of_real = starve(&mut real, |_, most| {
        let hard = getrlimit(Resource::Nofile).maximum;
        let limit = Rlimit {
            current: Some(most),
            maximum: hard,
        };
        setrlimit(Resource::Nofile, limit).expect("it may be lowered");
    });
    let of_sim = starve(&mut sim, |sim, most| {
        // The simulation counts what the server was given, not what every process has.
        sim.net.kernel.fd_limit = usize::try_from(most).expect("a small number") - 3;
    });
    assert_eq!(of_real, of_sim);
}

/// A newcomer comes, there is no descriptor, then there is one again: what is told of it.
fn starve<R: Rig>(rig: &mut R, limit: impl Fn(&mut R, u64)) -> Vec<String> {
    let place = rig.place();
    let options = SocketOptions::default();
    let listening = rig.net().listen(place, &options, LISTENER);
    let (listener, addr) = listening.expect("it listens");
    assert!(rig.dial(addr));
    let mut told = Vec::new();
    let mut look = |rig: &mut R| {
        let mut ready = Vec::new();
        let short = Some(Duration::from_millis(20));
        rig.net().wait(&mut ready, short).expect("it polls");
        let accepted = rig.net().accept(&listener);
        let fault = accepted
            .map(drop)
            .map_err(|error| match AcceptFault::of(&error) {
                AcceptFault::Exhausted => error.raw_os_error(),
                _ => Some(0),
            });
        told.push(format!("{} news, {fault:?}", ready.len()));
    };
    limit(rig, 3);
    look(rig);
    look(rig);
    limit(rig, 64);
    look(rig);
    look(rig);
    told
}
