//! Everything that is counted, as one JSON object.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::answer::Answer;
use super::desk::Facts;
use crate::codec::framing::Guess;
use crate::gate::{self, Gate, Histogram, RestCause};
use crate::reason::CloseReason;

#[derive(Serialize)]
struct Told<'a> {
    version: &'static str,
    protocol: u64,
    now: u64,
    uptime_s: u64,
    draining: bool,
    connections: Connections,
    listeners: Vec<Listener<'a>>,
    users: Users,
    topics: Gauge,
    /// Bans of this interface, entries of black and white lists, addresses and names counted for
    /// their limits.
    bans: usize,
    list_entries: usize,
    sources: usize,
    counters: BTreeMap<&'static str, u64>,
    /// How long listeners took nobody, by what for.
    accept_paused_ms: BTreeMap<&'static str, u64>,
    overload: Overload,
    closed: BTreeMap<&'static str, u64>,
    foreign: BTreeMap<&'static str, u64>,
    messages: BTreeMap<&'static str, u64>,
    #[serde(rename = "loop")]
    pace: Pace,
    memory: Memory,
    /// What the process can no longer do, where it has given anything up.
    hardening: Option<Hardening>,
}

#[derive(Serialize)]
struct Hardening {
    uid: u32,
    capabilities: bool,
    no_new_privs: bool,
    landlock: &'static str,
    landlock_abi: u32,
    seccomp: &'static str,
    core_dumps: bool,
}

#[derive(Serialize)]
struct Connections {
    open: u32,
    closing: u32,
    limit: u32,
}

#[derive(Serialize)]
struct Listener<'a> {
    name: &'a str,
    open: u32,
    logged_in: u32,
    closing: u32,
}

#[derive(Serialize)]
struct Users {
    online: u32,
    absent: u32,
}

#[derive(Serialize)]
struct Gauge {
    now: u64,
    limit: u64,
}

#[derive(Serialize)]
struct Pace {
    turns: u64,
    last_us: u64,
    p50_us: u64,
    p99_us: u64,
    longest_us: u64,
    deadlines_late_p99_us: u64,
    deadlines_late_longest_us: u64,
    stalled_ms: u64,
    lag_us: u64,
    lag_limit_us: u64,
    /// Newcomers wait for it.
    lags: bool,
    timers: u64,
}

/// How far overload has led, and what was done for it.
#[derive(Serialize)]
struct Overload {
    step: u8,
    name: &'static str,
    taken: u64,
    readers: u64,
    pushes: u64,
    handshakes: u64,
    evictions: u64,
}

#[derive(Serialize)]
struct Memory {
    #[serde(flatten)]
    parts: BTreeMap<&'static str, Gauge>,
    parked_messages: u64,
    ceiling: u64,
    resident: u64,
}

/// Tells everything that is counted.
pub(crate) fn stats(gate: &Gate, facts: &Facts) -> Answer {
    let stats = gate.stats();
    let letters = &stats.letters;
    let open = gate.connections();
    let told = Told {
        version: env!("CARGO_PKG_VERSION"),
        protocol: 1,
        now: facts.wall.as_secs(),
        uptime_s: u64::from(gate.clock.seconds()),
        draining: gate.is_draining,
        connections: Connections {
            open,
            closing: gate.sockets() - open,
            limit: gate.limits.connections,
        },
        listeners: listeners(gate),
        users: Users {
            online: gate.users(),
            absent: gate.absent_users(),
        },
        topics: gauge(gate.topics(), gate.limits.topics as usize),
        bans: gate.banned(),
        list_entries: gate.listed(),
        sources: gate.sources(),
        counters: counters(gate),
        accept_paused_ms: RestCause::ALL
            .iter()
            .map(|cause| (cause.word(), micros(gate.rests().lasted(*cause)) / 1_000))
            .collect(),
        overload: overload(gate),
        closed: CloseReason::ALL
            .iter()
            .map(|reason| (reason.word(), stats.closed(*reason)))
            .collect(),
        foreign: Guess::ALL
            .iter()
            .map(|guess| (guess.word(), stats.foreign[*guess as usize]))
            .collect(),
        messages: BTreeMap::from([
            ("made", letters.made),
            ("acked", letters.acked),
            ("resent", letters.resent),
            ("parked", letters.parked),
            ("expired", letters.expired),
            ("dropped", letters.dropped),
        ]),
        pace: pace(gate),
        memory: memory(gate, facts),
        hardening: gate.hardened().map(hardening),
    };
    Answer::json(&told)
}

fn listeners(gate: &Gate) -> Vec<Listener<'_>> {
    let told = gate.listeners().map(|(settings, crowd)| Listener {
        name: &settings.name,
        open: crowd.open,
        logged_in: crowd.logged_in,
        closing: crowd.closing,
    });
    told.collect()
}

fn counters(gate: &Gate) -> BTreeMap<&'static str, u64> {
    let stats = gate.stats();
    BTreeMap::from([
        ("accepted", stats.accepted),
        ("refused", stats.refused),
        ("crowded", stats.crowded),
        ("hurried", stats.hurried),
        ("strangers", stats.strangers),
        ("logins_refused", stats.logins_refused),
        ("logins_failed", stats.logins_failed),
        ("throttled", stats.throttled),
        ("accept_faults", stats.accept_faults),
        ("accept_pauses", stats.accept_pauses),
        ("bytes_in", stats.bytes_in),
        ("bytes_out", stats.bytes_out),
        ("frames_in", stats.frames_in),
        ("frames_out", stats.frames_out),
        ("heartbeats", stats.beats),
        ("bad_requests", stats.bad_requests),
        ("socket_faults", stats.socket_faults),
        ("panics", stats.panics),
        ("unfit", stats.unfit),
        ("dropped_newest", stats.dropped_newest),
        ("stale_events", stats.stale_events),
        ("events", stats.events),
        ("requeued", stats.requeued),
        ("tasks", stats.tasks),
    ])
}

fn pace(gate: &Gate) -> Pace {
    let pace = gate.pace();
    let part = |histogram: &Histogram, share| micros(histogram.permille(share));
    Pace {
        turns: gate.stats().turns,
        last_us: micros(pace.last),
        p50_us: part(&pace.turns, 500),
        p99_us: part(&pace.turns, 990),
        longest_us: micros(pace.turns.longest()),
        deadlines_late_p99_us: part(&pace.lateness, 990),
        deadlines_late_longest_us: micros(pace.lateness.longest()),
        stalled_ms: micros(gate.stalled()) / 1_000,
        lag_us: micros(pace.lag.mean()),
        lag_limit_us: micros(gate.limits.lag),
        lags: pace.lag.is_over(),
        timers: gate.wheel.len() as u64,
    }
}

fn overload(gate: &Gate) -> Overload {
    let done = &gate.stats().overload;
    Overload {
        step: gate.step() as u8,
        name: gate.step().word(),
        taken: done.taken,
        readers: done.rested,
        pushes: done.pushes,
        handshakes: done.handshakes,
        evictions: done.evicted,
    }
}

fn memory(gate: &Gate, facts: &Facts) -> Memory {
    let (held, ceiling) = (gate.memory(facts.held), gate.ceiling());
    let parts = held.parts().into_iter().zip(ceiling.parts());
    let parts = parts.map(|((name, now), (_, limit))| (name, Gauge { now, limit }));
    Memory {
        parts: parts.collect(),
        parked_messages: gate.parked() as u64,
        ceiling: ceiling.total(),
        resident: facts.process.resident,
    }
}

fn hardening(hardened: &gate::Hardened) -> Hardening {
    Hardening {
        uid: hardened.uid,
        capabilities: hardened.capabilities,
        no_new_privs: hardened.no_new_privs,
        landlock: hardened.landlock.word(),
        landlock_abi: hardened.landlock_abi,
        seccomp: hardened.seccomp.word(),
        core_dumps: hardened.dumps,
    }
}

fn gauge(now: usize, limit: usize) -> Gauge {
    Gauge {
        now: now as u64,
        limit: limit as u64,
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
