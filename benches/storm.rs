//! The reconnect storm: ten thousand clients of this library lose one gate in the same instant and
//! come back to it while it accepts only so many a second. The gate is a process of its own, the
//! clients are one crowd on one thread, from 50 addresses; bystanders were never lost.
//!
//! `STORM_CLIENTS` and `STORM_RATE` (accepts a second) choose another storm.
//!
//! Asserted: all are back; logins a second, from the second second until 95 % are back: the peak is
//! at most 1.5 of the mean; nobody's heartbeat is missed on either side.
#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "support/storm_gate.rs"]
mod storm_gate;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use pulsegate::client::{Crowd, Event, Login, Lost, Member, Options};
use pulsegate::net::mio::MioNet;

/// Addresses that the clients come from.
const SOURCES: u32 = 50;
const BYSTANDERS: u32 = 200;
const PATIENCE: Duration = Duration::from_secs(240);

fn main() {
    if std::env::args().any(|arg| arg == "--gate") {
        return storm_gate::run();
    }
    let clients = chosen("STORM_CLIENTS", 10_000);
    let rate = chosen("STORM_RATE", 1_000);
    let mut gate = Gate::start();
    let mut crowd = Crowd::new(MioNet::new(1_024).expect("a poll"), Options::default());
    let mut names = HashMap::new();
    for number in 0..clients + BYSTANDERS {
        let name = if number < clients { "storm" } else { "other" };
        let last = u8::try_from(number % SOURCES + 1).expect("few");
        let from = IpAddr::V4(Ipv4Addr::new(127, 0, 9, last));
        let login = Login::new(format!("{name}-{number}"));
        names.insert(crowd.add(gate.addr, Some(from), Some(login)), name);
    }
    until(&mut crowd, clients + BYSTANDERS, |_, event| {
        *event == Event::Connected
    });
    println!("storm: {clients} clients and {BYSTANDERS} others are logged in");
    gate.tell(&format!("rate {rate}"));
    gate.tell("drop");

    let mut storm = Storm::default();
    let began = Instant::now();
    while storm.back.len() < clients as usize {
        assert!(began.elapsed() < PATIENCE, "{} are back", storm.back.len());
        crowd
            .turn(Duration::from_millis(100))
            .expect("the poll works");
        while let Some((member, event)) = crowd.event() {
            storm.take(began.elapsed(), names[&member], member, &event);
        }
    }
    let took = began.elapsed();
    storm.report(clients, rate, took);
    gate.tell("report");
    let report = gate.line();
    println!("storm: the gate says: {report}");
    assert!(
        report.ends_with("idle-timeout=0"),
        "no heartbeat was missed"
    );
}

/// What was seen of a storm.
#[derive(Default)]
struct Storm {
    /// When each was back.
    back: HashMap<Member, Duration>,
    /// How connections were lost, after the first time.
    lost: HashMap<String, u32>,
    /// Attempts.
    retries: u32,
    others_lost: u32,
}

impl Storm {
    fn take(&mut self, now: Duration, name: &str, member: Member, event: &Event) {
        match event {
            Event::Connected => {
                self.back.insert(member, now);
            }
            Event::Retrying { .. } => self.retries += 1,
            Event::Lost(lost) => {
                self.others_lost += u32::from(name == "other");
                let word = match lost {
                    Lost::Io(text) => text.to_string(),
                    lost => lost.to_string(),
                };
                *self.lost.entry(word).or_default() += 1;
                // Who was back and is lost again is not back.
                self.back.remove(&member);
            }
            other => println!("storm: {other}"),
        }
    }

    fn report(&self, clients: u32, rate: u32, took: Duration) {
        let mut times: Vec<_> = self.back.values().copied().collect();
        times.sort_unstable();
        let most = times[times.len() * 95 / 100];
        let mut seconds = vec![0_u32; second(took) + 1];
        for time in &times {
            seconds[second(*time)] += 1;
        }
        println!("storm: logins in each second: {seconds:?}");
        println!(
            "storm: lost for: {:?}, attempts {}",
            self.lost, self.retries
        );
        // Whole seconds, from the second one until 95 % are back.
        let judged = &seconds[1..second(most).clamp(2, seconds.len())];
        let mean = f64::from(judged.iter().sum::<u32>()) / judged.len() as f64;
        let peak = judged.iter().max().copied().unwrap_or_default();
        let ratio = f64::from(peak) / mean;
        println!(
            "storm: clients={clients} rate={rate}/s all back after {took:.1?}, 95 % after \
             {most:.1?}; logins/s mean={mean:.0} peak={peak} peak/mean={ratio:.2}; \
             others lost={}",
            self.others_lost
        );
        assert_eq!(self.others_lost, 0, "the others stay");
        assert!(ratio <= 1.5, "the peak is at most 1.5 of the mean");
    }
}

/// Which second of the storm it is.
fn second(time: Duration) -> usize {
    usize::try_from(time.as_secs()).expect("it is short")
}

/// Turns until so many were told something of this kind.
fn until(crowd: &mut Crowd<MioNet>, mut left: u32, wanted: impl Fn(Member, &Event) -> bool) {
    let began = Instant::now();
    while left > 0 {
        assert!(began.elapsed() < PATIENCE, "{left} are left");
        crowd
            .turn(Duration::from_millis(100))
            .expect("the poll works");
        while let Some((member, event)) = crowd.event() {
            left -= u32::from(wanted(member, &event));
        }
    }
}

fn chosen(name: &str, default: u32) -> u32 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

/// The gate's process; ended with this value.
struct Gate {
    child: Child,
    input: ChildStdin,
    lines: Box<dyn Iterator<Item = String>>,
    addr: SocketAddr,
}

impl Gate {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .arg("--gate")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the gate starts");
        let input = child.stdin.take().expect("it is piped");
        let output = child.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let addr = lines
            .next()
            .expect("it says where")
            .parse()
            .expect("an address");
        Self {
            child,
            input,
            lines: Box::new(lines),
            addr,
        }
    }

    fn tell(&mut self, what: &str) {
        writeln!(self.input, "{what}").expect("the gate listens");
        if what != "report" {
            assert_eq!(self.line(), "done");
        }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("the gate answers")
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
