//! How many descriptors there are decides how many connections there may be.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::daemon::{Daemon, LINE};
use crate::program::{folder, outcome, shell};

/// The number of connections in the start line.
fn connections(daemon: &Daemon) -> usize {
    let log = daemon.log();
    let rest = log.split("; at most ").nth(1).unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

/// Connects so many, and counts who is served; the others must be told why not.
fn served(daemon: &Daemon, count: usize) -> (Vec<Client>, usize) {
    let mut inside = Vec::new();
    let mut refused = 0;
    for _ in 0..count {
        let mut client = daemon.client();
        client.send("ping\n");
        let answer = client.line();
        if answer == "pong" {
            inside.push(client);
        } else {
            assert_eq!(answer, "close overloaded 1000");
            refused += 1;
        }
    }
    (inside, refused)
}

#[test]
fn auto_is_as_many_as_fit() {
    let daemon = Daemon::limited(LINE, 200);
    let most = connections(&daemon);
    assert!((50..200).contains(&most), "{most}");
    assert!(!daemon.log().contains("WARN"), "{}", daemon.log());
    let (mut inside, refused) = served(&daemon, most + 20);
    assert_eq!((inside.len(), refused), (most, 20));
    for client in &mut inside {
        client.fence();
    }
    // A place is free as soon as somebody leaves.
    let mut leaver = inside.pop().unwrap();
    leaver.asks("quit", "close quit");
    assert_eq!(leaver.rest(), b"");
    assert_eq!(served(&daemon, 1).0.len(), 1);
}

#[test]
fn what_does_not_fit_is_lowered_loudly() {
    let config = format!("[limits]\nconnections = 5000\n{LINE}");
    let daemon = Daemon::limited(&config, 200);
    let most = connections(&daemon);
    assert_eq!(most, connections(&Daemon::limited(LINE, 200)));
    let log = daemon.log();
    let needed = 5_000 + 200 - most;
    let says = format!(
        "connections lowered from 5000 to {most}: they need {needed} descriptors and the limit \
         is 200; raise it (ulimit -n, LimitNOFILE=) to at least {needed}\n"
    );
    let line = log.lines().next().unwrap();
    assert!(line.starts_with("WARN  ["), "{log}");
    assert_eq!(format!("{line}\n").split("Z] ").nth(1), Some(&says[..]));
    let (inside, refused) = served(&daemon, most + 5);
    assert_eq!((inside.len(), refused), (most, 5));
}

#[test]
fn what_is_told_to_be_enough_is_enough() {
    let config = format!("[limits]\nconnections = 300\n{LINE}");
    let log = Daemon::limited(&config, 200).log();
    let enough = log.split("to at least ").nth(1).unwrap();
    let enough: u32 = enough.lines().next().unwrap().parse().unwrap();
    let daemon = Daemon::limited(&config, enough);
    assert_eq!(connections(&daemon), 300);
    assert!(!daemon.log().contains("WARN"), "{}", daemon.log());
    let daemon = Daemon::limited(&config, enough - 1);
    assert_eq!(connections(&daemon), 299);
}

#[test]
fn a_number_that_fits_is_kept() {
    let config = format!("[limits]\nconnections = 3\n{LINE}");
    let daemon = Daemon::limited(&config, 200);
    assert_eq!(connections(&daemon), 3);
    let (inside, refused) = served(&daemon, 5);
    assert_eq!((inside.len(), refused), (3, 2));
}

#[test]
fn a_limit_that_leaves_no_room_is_a_failure_that_says_why() {
    let folder = folder(&[("c.toml", LINE)]);
    for limit in [16, 64] {
        let mut command = shell(&format!("ulimit -n {limit}; exec \"$0\" \"$@\""));
        command.args(["serve", "-c", "c.toml", "--admin-bind", "off"]);
        command.current_dir(folder.path());
        let outcome = outcome(command);
        assert_eq!((outcome.code, &outcome.stdout[..]), (Some(1), ""));
        let why = format!("pulsegate: the descriptor limit of {limit} leaves no room for ");
        let rest = outcome.stderr.strip_prefix(&why).unwrap();
        let (needed, rest) = rest
            .strip_prefix("connections: ")
            .and_then(|rest| rest.split_once(' '))
            .unwrap();
        // As many more as whoever runs the tests has left open.
        assert!((97..160).contains(&needed.parse().unwrap()), "{needed}");
        let remedy = "are needed for everything else; raise it (ulimit -n, LimitNOFILE=)\n";
        assert_eq!(rest, remedy);
    }
}

#[test]
fn the_soft_limit_is_raised_to_the_hard_one() {
    let line = "ulimit -Sn 100; ulimit -Hn 400; exec \"$0\" \"$@\"";
    let daemon = Daemon::launch(shell(line), LINE, &[]);
    assert_eq!(
        connections(&daemon),
        connections(&Daemon::limited(LINE, 400))
    );
}

#[test]
fn descriptors_that_were_inherited_are_counted() {
    // Some supervisors leave theirs open. The tests' own may too: only the difference counts.
    let start = |open: &str| {
        let line = format!("{open}ulimit -n 200; exec \"$0\" \"$@\"");
        let mut bash = Command::new("/bin/bash");
        bash.arg("-c").arg(line);
        bash.arg(env!("CARGO_BIN_EXE_pulsegate"));
        Daemon::launch(bash, LINE, &[])
    };
    let daemon = start("for n in {100..169}; do eval \"exec $n</dev/null\"; done; ");
    let most = connections(&daemon);
    assert_eq!(most + 70, connections(&start("")));
    let (mut inside, refused) = served(&daemon, most + 10);
    assert_eq!((inside.len(), refused), (most, 10));
    inside[0].fence();
    let log = daemon.log();
    assert!(!log.contains("Too many open files"), "{log}");
}

#[test]
fn when_they_run_out_all_the_same_who_is_inside_stays() {
    let daemon = Daemon::start(LINE);
    let mut inside: Vec<Client> = (0..20).map(|_| daemon.client()).collect();
    for client in &mut inside {
        client.fence();
    }
    let before = daemon.limit_descriptors(Some(40));
    assert!(before > Some(100), "{before:?}");
    let began = Instant::now();
    let mut waiting: Vec<Client> = (0..60).map(|_| daemon.client()).collect();
    for client in &mut waiting {
        client.send("ping\n");
    }
    daemon.logs("Too many open files");
    // Long enough for a few more tries.
    while began.elapsed() < Duration::from_millis(500) {
        for client in &mut inside {
            client.fence();
        }
    }
    daemon.limit_descriptors(before);
    for client in &mut waiting {
        assert_eq!(client.line(), "pong");
    }
    // However often it was tried again: once in ten seconds.
    let rests = daemon.log().matches("Too many open files").count() as u64;
    let most = 1 + began.elapsed().as_secs().div_ceil(10);
    assert!(rests <= most, "{rests} lines");
}
