//! Answers, late or not at all.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use pulsegate::{Answer, CloseReason, ConnId, Gate, Handler, Message, TimerId};

use super::Faults;
use crate::report::to_stdout;

/// A server's handler with faults.
pub(super) struct Faulty {
    faults: Faults,
    /// By topic.
    members: HashMap<String, Vec<ConnId>>,
    /// Messages that let the next one to the same member go first.
    held: HashMap<ConnId, Vec<u8>>,
    /// What is still to be said, and when.
    later: VecDeque<(Duration, ConnId, Vec<u8>)>,
    /// The next stall.
    stall: Option<TimerId>,
    /// The next time that something is to be said.
    speak: Option<TimerId>,
    /// Messages to members so far, the lost ones included.
    messages: u64,
    pings: u64,
}

impl Faulty {
    pub(super) fn new(faults: Faults) -> Self {
        Self {
            faults,
            members: HashMap::new(),
            held: HashMap::new(),
            later: VecDeque::new(),
            stall: None,
            speak: None,
            messages: 0,
            pings: 0,
        }
    }

    fn say(&mut self, gate: &mut Gate, conn: ConnId, line: &[u8]) {
        if self.faults.delay.is_zero() {
            gate.send(conn, line);
            return;
        }
        let at = gate.now() + self.faults.delay;
        self.later.push_back((at, conn, line.to_vec()));
        if self.speak.is_none() {
            self.speak = gate.set_timer(self.faults.delay);
        }
    }

    fn say_what_is_due(&mut self, gate: &mut Gate) {
        let now = gate.now();
        while let Some((_, conn, line)) = self.later.pop_front_if(|(at, ..)| *at <= now) {
            gate.send(conn, &line);
        }
        let next = self.later.front().map(|(at, ..)| at.saturating_sub(now));
        self.speak = next.and_then(|pause| gate.set_timer(pause));
    }

    fn publish(&mut self, gate: &mut Gate, topic: &str, body: &str) {
        let members = self.members.get(topic).cloned().unwrap_or_default();
        for conn in members {
            self.messages += 1;
            if is_nth(self.messages, self.faults.drop) {
                continue;
            }
            let line = format!("msg {} topic:{topic}/sink {body}", self.messages);
            let held = self.held.remove(&conn);
            if held.is_none() && is_nth(self.messages, self.faults.swap) {
                self.held.insert(conn, line.into_bytes());
                continue;
            }
            let times = 1 + usize::from(is_nth(self.messages, self.faults.twice));
            for _ in 0..times {
                self.say(gate, conn, line.as_bytes());
            }
            if let Some(line) = held {
                self.say(gate, conn, &line);
            }
        }
    }

    fn set_stall(&mut self, gate: &mut Gate) {
        if self.faults.stall.is_some() && self.stall.is_none() {
            self.stall = gate.set_timer(self.faults.every);
        }
    }
}

impl Handler for Faulty {
    fn on_open(&mut self, gate: &mut Gate, _: ConnId) {
        self.set_stall(gate);
    }

    fn on_message(&mut self, gate: &mut Gate, conn: ConnId, message: Message<'_>) -> Answer {
        let Message::Frame(frame) = message else {
            return Answer::None;
        };
        let line = String::from_utf8_lossy(frame);
        let mut words = line.splitn(3, ' ');
        match (words.next().unwrap_or_default(), words.next(), words.next()) {
            ("ping", None, None) => {
                self.pings += 1;
                if !is_nth(self.pings, self.faults.mute) {
                    self.say(gate, conn, b"pong");
                }
            }
            ("login", Some(_), _) => self.say(gate, conn, b"ok"),
            ("join", Some(topic), None) => {
                let members = self.members.entry(topic.to_owned()).or_default();
                members.push(conn);
                self.say(gate, conn, b"ok");
            }
            ("pub", Some(topic), Some(body)) => {
                self.say(gate, conn, b"ok");
                self.publish(gate, topic, body);
            }
            _ => self.say(gate, conn, frame),
        }
        Answer::None
    }

    fn on_close(&mut self, _: &mut Gate, conn: ConnId, _: CloseReason) {
        self.held.remove(&conn);
        for members in self.members.values_mut() {
            members.retain(|member| *member != conn);
        }
    }

    fn on_timer(&mut self, gate: &mut Gate, timer: TimerId) {
        if self.stall == Some(timer) {
            let stalled = stall(self.faults.stall.unwrap_or_default());
            // The gate's clock is of the turn's beginning.
            self.stall = gate.set_timer(stalled + self.faults.every);
        } else {
            self.say_what_is_due(gate);
        }
    }
}

/// What no handler may do, on purpose; how long it was.
fn stall(span: Duration) -> Duration {
    let began = Instant::now();
    while let Some(rest) = span
        .checked_sub(began.elapsed())
        .filter(|rest| !rest.is_zero())
    {
        std::thread::park_timeout(rest);
    }
    let stalled = began.elapsed();
    // Whoever does not read it does not want to know.
    let _ = to_stdout(format!("stalled {}\n", stalled.as_nanos()).as_bytes());
    stalled
}

fn is_nth(number: u64, nth: u64) -> bool {
    nth > 0 && number.is_multiple_of(nth)
}
