//! Seeds: the sweep, the pinned ones, and how to replay one.
//!
//! - `SIM_SEED=n cargo test --release --test sim replay -- --nocapture` plays one seed with a
//!   readable log
//! - `SIM_SEEDS=from..to cargo test --release --test sim sweep -- --nocapture` plays a range;
//!   each seed twice, or with `SIM_FIRST=1` once and only up to the first seed that fails
//! - `SIM_PLAN='n -u3 …'` plays what a shrunk failure has left of a seed, as `SIM_SEED` does

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};

use crate::shrink;
use crate::world::cut::Cut;
use crate::world::marks::Marks;
use crate::world::run::{Report, run};
use crate::world::{self, speed};

/// Seeds that once found a bug: they run first, for ever.
const PINNED: &[u64] = &[
    15, 21, 66, 79, 291, 372, 428, 5032, 5097, 6127, 6319, 100151, 100172, 700337, 2900035869,
    3477879423, 207919296, 239099749, 239099884, 357,
];

/// Seeds that are played twice.
const TWICE: u64 = 8;

/// So many seeds together reach every situation that the world is there for.
const FULL: u64 = 200;

/// Plays a seed; where it fails, what went wrong and how to replay it.
fn play(seed: u64) -> Result<Report, String> {
    let report = catch_unwind(AssertUnwindSafe(|| run(seed, false)));
    report.map_err(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|&text| text.to_owned()));
        let command = "cargo test --release --test sim replay -- --nocapture";
        let why: String = text.unwrap_or_default().chars().take(300).collect();
        format!("seed {seed}: {why}\n    replay: SIM_SEED={seed} {command}")
    })
}

/// The range that `SIM_SEEDS` names, or the usual one.
fn range() -> (u64, u64) {
    let Ok(text) = std::env::var("SIM_SEEDS") else {
        return if cfg!(debug_assertions) {
            (0, 40)
        } else {
            (0, FULL)
        };
    };
    let (from, to) = text.split_once("..").expect("SIM_SEEDS=from..to");
    (
        from.parse().expect("a number"),
        to.parse().expect("a number"),
    )
}

#[test]
fn pinned_seeds_pass() {
    for &seed in PINNED {
        let report = play(seed).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(play(seed), Ok(report), "seed {seed} is not deterministic");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..TWICE {
        assert_eq!(play(seed), play(seed), "seed {seed} is not deterministic");
    }
}

/// What a sweep has played so far.
#[derive(Default)]
struct Tally {
    seeds: u64,
    turns: u64,
    seconds: u64,
    marks: Marks,
    failures: Vec<String>,
    first_failed: Option<u64>,
}

impl Tally {
    fn add(&mut self, seed: u64, report: Result<Report, String>) {
        self.seeds += 1;
        match report {
            Ok(report) => {
                self.turns += report.turns;
                self.seconds += report.lasted / 1_000_000_000;
                self.marks.add(report.marks);
            }
            Err(failure) => {
                self.first_failed.get_or_insert(seed);
                self.failures.push(failure);
            }
        }
    }
}

/// The sweep that `SIM_SEEDS` names, played once for all tests that ask.
static SWEEP: LazyLock<Tally> = LazyLock::new(sweep);

fn sweep() -> Tally {
    let (from, to) = range();
    let next = AtomicU64::new(from);
    let tally = Mutex::new(Tally::default());
    let stops_at_first = std::env::var_os("SIM_FIRST").is_some();
    let plays_twice = std::env::var_os("SIM_SEEDS").is_some() && !stops_at_first;
    let work = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= to {
            return;
        }
        let mut report = play(seed);
        if plays_twice && report.is_ok() && play(seed) != report {
            report = Err(format!("seed {seed} is not deterministic"));
        }
        let is_last = stops_at_first && report.is_err();
        tally.lock().expect("nobody panics here").add(seed, report);
        if is_last {
            next.store(to, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    tally.into_inner().expect("nobody panics here")
}

#[test]
fn a_sweep_of_seeds_passes() {
    let tally = &*SWEEP;
    eprintln!(
        "{} seeds, {} turns, {} simulated seconds",
        tally.seeds, tally.turns, tally.seconds
    );
    let failures = &tally.failures;
    if let Some(first) = tally.first_failed
        && std::env::var_os("SIM_FIRST").is_none()
    {
        eprintln!("{}", shrink::told(first));
    }
    assert!(
        failures.is_empty(),
        "{} seeds fail:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn a_sweep_reaches_every_situation() {
    // Fewer seeds may miss some, and promise nothing.
    if SWEEP.seeds >= FULL {
        let missing = SWEEP.marks.missing();
        assert!(missing.is_empty(), "unseen: {missing:#?}");
    }
}

#[test]
fn the_workload_of_the_speed_bench_plays() {
    assert_eq!(speed::play(1), speed::play(1), "not deterministic");
}

#[test]
fn replay() {
    if let Ok(seed) = std::env::var("SIM_SEED") {
        let report = run(seed.parse().expect("SIM_SEED is a number"), true);
        eprintln!("{report:?}");
    }
    if let Ok(plan) = std::env::var("SIM_PLAN") {
        let (seed, cut) = Cut::read(&plan).unwrap_or_else(|wrong| panic!("SIM_PLAN: {wrong}"));
        eprintln!("{:?}", world::run::play(seed, &cut, true));
    }
}
