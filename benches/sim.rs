//! How fast the simulation is: connection-hours played per second of processor time, on one fixed
//! workload with all checks on. Asserted: at least 2,000.
#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "../tests/sim/world/mod.rs"]
mod world;

use rustix::time::{ClockId, clock_gettime};
use world::speed;

const HOURS: u64 = 20;
const ROUNDS: usize = 5;

fn main() {
    let mut speeds = Vec::new();
    for _ in 0..ROUNDS {
        let began = on_cpu();
        let outcome = speed::play(HOURS);
        let seconds = on_cpu() - began;
        speeds.push(outcome.connection_hours as f64 / seconds);
        println!(
            "sim connection-hours={} turns={} beats={} CPU={seconds:.3} s ns/turn={:.0}",
            outcome.connection_hours,
            outcome.turns,
            outcome.beats,
            seconds * 1e9 / outcome.turns as f64
        );
    }
    speeds.sort_by(f64::total_cmp);
    println!(
        "sim connection-hours/CPU-second min={:.0} median={:.0} max={:.0}",
        speeds[0],
        speeds[ROUNDS / 2],
        speeds[ROUNDS - 1]
    );
    assert!(
        speeds[ROUNDS / 2] >= 2_000.0,
        "at least 2,000 connection-hours a CPU-second"
    );
}

/// Seconds this process has spent on a processor.
fn on_cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
