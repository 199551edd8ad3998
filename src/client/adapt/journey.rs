//! A whole client that learns, in simulated time: the machine, a middlebox that forgets, and a
//! server that names its heartbeat and closes whoever is silent for three of them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::*;
use crate::client::{Event, Login, Lost, Machine, Options};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// One way.
const DELAY: Duration = Duration::from_millis(20);

/// Everything between the machine and the other end, and that end.
struct Way {
    /// After so long without a packet the flow is forgotten.
    forgets: Duration,
    /// The server closes after so long a silence.
    timeout: Duration,
    /// Whether there is a connection that the middlebox remembers.
    is_known: bool,
    /// When a packet passed the middlebox, and when the server heard something.
    passed: Duration,
    heard: Duration,
    /// What is on its way to the client, and when it arrives.
    coming: VecDeque<(Duration, Vec<u8>)>,
}

/// What a journey has come to.
#[derive(Debug, Default)]
struct Log {
    /// The silences before heartbeats that were answered, in order.
    silences: Vec<Duration>,
    pings: usize,
    /// Connections that died silently, and after how many pings.
    deaths: Vec<usize>,
    /// Those that the server ended.
    closes: usize,
}

impl Way {
    /// A packet passes the middlebox, or is forgotten there for ever.
    fn passes(&mut self, now: Duration) -> bool {
        self.is_known &= now.saturating_sub(self.passed) < self.forgets;
        if self.is_known {
            self.passed = now;
        }
        self.is_known
    }

    /// The client sends; the server answers each line at once.
    fn send(&mut self, now: Duration, bytes: &[u8], log: &mut Log) {
        let silence = now.saturating_sub(self.passed);
        let has_passed = self.passes(now);
        for line in std::str::from_utf8(bytes).unwrap().lines() {
            let answer = if line.starts_with("login ") {
                let third = self.timeout.as_millis() / 3;
                format!("ok heartbeat={third} proto=1\n")
            } else {
                assert_eq!(line, "ping");
                log.pings += 1;
                if has_passed {
                    log.silences.push(silence);
                }
                String::from("pong\n")
            };
            if has_passed {
                self.heard = now + DELAY;
                self.passed = now + 2 * DELAY;
                self.coming.push_back((self.passed, answer.into()));
            }
        }
    }

    /// When the server loses its patience.
    fn deadline(&self) -> Option<Duration> {
        self.is_known.then(|| self.heard + self.timeout)
    }
}

/// Lives for so long.
fn live(forgets: Duration, timeout: Duration, adaptive: bool, time: Duration) -> Log {
    let mut now = Duration::ZERO;
    let options = Arc::new(Options::default());
    let mut machine = Machine::new(options, Some(Login::new("ann")), 7, now);
    if adaptive {
        machine = machine.with_rhythm(Box::new(Adaptive::new(SECOND, MINUTE)));
    }
    let (is_known, passed, heard) = (false, now, now);
    let coming = VecDeque::new();
    let mut way = Way {
        forgets,
        timeout,
        is_known,
        passed,
        heard,
        coming,
    };
    let mut log = Log::default();
    while now < time {
        machine.tick(now);
        if way.deadline().is_some_and(|deadline| deadline <= now) {
            if way.passes(now) {
                let goodbye = b"close idle-timeout\n".to_vec();
                way.coming.push_back((now, goodbye));
            }
            way.is_known = false;
        }
        while way.coming.front().is_some_and(|(at, _)| *at <= now) {
            let (_, bytes) = way.coming.pop_front().unwrap();
            machine.received(now, &bytes);
        }
        if machine.wants_dial(now) {
            (way.is_known, way.passed, way.heard) = (true, now, now);
            way.coming.clear();
            machine.dialed(now);
        }
        let output = machine.output().to_vec();
        if !output.is_empty() {
            machine.wrote(now, output.len());
            way.send(now, &output, &mut log);
        }
        while let Some(event) = machine.event(now) {
            match event {
                Event::Lost(Lost::Silent(_)) => log.deaths.push(log.pings),
                Event::Lost(_) => log.closes += 1,
                Event::Connected | Event::Retrying { .. } => {}
                event => panic!("{event}"),
            }
        }
        let arrival = way.coming.front().map(|(at, _)| *at);
        let next = [machine.deadline(), arrival, way.deadline()];
        let next = next.into_iter().flatten().min().unwrap();
        now = next.max(now + Duration::from_micros(1));
    }
    log
}

#[test]
fn a_client_that_learns_stays_connected_behind_every_box() {
    let timeout = 20 * MINUTE;
    for forgets in [31, 47, 90, 240, 399, 600, 899] {
        let forgets = forgets * SECOND;
        let log = live(forgets, timeout, true, 24 * 60 * MINUTE);
        let says = format!("{forgets:?}: {log:?}");
        assert_eq!(log.closes, 0, "{says}");
        // What it has learned after 20 heartbeats.
        let early = log.deaths.iter().filter(|pings| **pings <= 20).count();
        assert!(early <= 3, "{says}");
        let settled = log.silences[24..log.silences.len().min(30)].iter();
        for silence in settled {
            assert!(
                *silence < forgets && *silence * 10 >= forgets * 9,
                "{silence:?} of {says}"
            );
        }
        // A day of doubts.
        let most = 4 + log.pings / 32;
        assert!(
            log.deaths.len() <= most.min(14),
            "{} deaths: {says}",
            log.deaths.len()
        );

        let third = live(forgets, timeout, false, 24 * 60 * MINUTE);
        if forgets > timeout / 3 {
            assert!(third.deaths.is_empty() && log.pings < third.pings, "{says}");
        } else {
            assert_eq!(
                third.deaths.len(),
                third.pings,
                "each one dies: {forgets:?}"
            );
        }
    }
}

#[test]
fn a_client_that_learns_beats_seldom_where_nothing_forgets() {
    let never = 7 * 24 * 60 * MINUTE;
    for minutes in [1, 5, 20] {
        let timeout = minutes * MINUTE;
        let [learned, third] = [true, false].map(|adaptive| live(never, timeout, adaptive, never));
        for log in [&learned, &third] {
            assert!(
                log.deaths.is_empty() && log.closes == 0,
                "{minutes}: {log:?}"
            );
        }
        assert!(
            learned.pings * 100 <= third.pings * 38,
            "{} {}",
            learned.pings,
            third.pings
        );
    }
}
