//! The desk and its keeper, with connections to nowhere that misbehave on demand.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::*;
use crate::pool::{Exhausted, Pool};

#[derive(Default)]
struct House {
    /// How long a check takes that fails, in milliseconds; 0: it does not.
    late: AtomicU32,
    close_panics: AtomicBool,
    closed: AtomicU32,
}

struct Fake(Arc<House>);

impl Pooled for Fake {
    type Settings = Arc<House>;
    type Error = io::Error;

    fn connect(house: &Arc<House>) -> io::Result<Self> {
        Ok(Self(Arc::clone(house)))
    }

    fn check(&mut self) -> io::Result<()> {
        match self.0.late.load(Ordering::Relaxed) {
            0 => Ok(()),
            millis => {
                // A server that takes its time.
                rest(Duration::from_millis(millis.into()));
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }

    fn close(self) {
        self.0.closed.fetch_add(1, Ordering::Relaxed);
        assert!(
            !self.0.close_panics.load(Ordering::Relaxed),
            "a close that panics"
        );
    }
}

const BARE: Options = Options {
    min: 0,
    max: 4,
    exhausted: Exhausted::Wait,
    extra_max: 0,
    wait_max: Duration::from_secs(20),
    queue_max: 64,
    idle_max: None,
    age_max: None,
    beat: Some(Duration::from_millis(1)),
    retry_min: Duration::from_millis(5),
    retry_max: Duration::from_millis(50),
};

/// Four idle ones that have not answered for longer than the beat; there is no keeper.
fn stale() -> (Shared<Fake>, Arc<House>) {
    let house = Arc::<House>::default();
    let shared = Shared::<Fake>::new(Arc::clone(&house), BARE);
    let held: Vec<_> = (0..4)
        .map(|_| shared.checkout(BARE.wait_max).unwrap())
        .collect();
    drop(held);
    rest(Duration::from_millis(3));
    (shared, house)
}

/// Rests for so long: where silence itself is what is tested.
fn rest(span: Duration) {
    let clock = Clock::new();
    while clock.now() < span {
        std::thread::park_timeout(span - clock.now().min(span));
    }
}

#[track_caller]
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let clock = Clock::new();
    while !is_so() {
        let waited = clock.now();
        assert!(
            waited < Duration::from_secs(20),
            "{what}: it does not happen"
        );
        std::thread::yield_now();
    }
}

#[test]
fn a_checkout_ends_with_its_time_whatever_lies_idle() {
    let (shared, house) = stale();
    house.late.store(30, Ordering::Relaxed);
    let wait = Duration::from_millis(20);
    let error = shared.checkout(wait).unwrap_err();
    assert!(
        matches!(error, PoolError::TimedOut(span) if span == wait),
        "{error}"
    );
    let stats = shared.lock().book.stats();
    assert_eq!((stats.broken, stats.timed_out, stats.idle), (1, 1, 3));
    // Whoever has the time goes through all of them, to a new one.
    drop(shared.checkout(BARE.wait_max).unwrap());
    let stats = shared.lock().book.stats();
    assert_eq!((stats.broken, stats.opened, stats.idle), (4, 5, 1));
    assert_eq!(house.closed.load(Ordering::Relaxed), 4);
}

#[test]
fn a_close_that_panics_costs_nobody_a_place() {
    let (shared, house) = stale();
    house.close_panics.store(true, Ordering::Relaxed);
    house.late.store(1, Ordering::Relaxed);
    let held = shared.checkout(BARE.wait_max).unwrap();
    let stats = shared.lock().book.stats();
    assert_eq!((stats.broken, stats.pooled, stats.waiting), (4, 1, 0));
    drop(held);
    assert_eq!(shared.lock().book.stats().idle, 1);
}

#[test]
fn a_close_that_panics_does_not_end_the_keeper() {
    let house = Arc::<House>::default();
    house.close_panics.store(true, Ordering::Relaxed);
    let options = Options {
        min: 2,
        age_max: Some(Duration::from_millis(10)),
        ..BARE
    };
    let pool = Pool::<Fake>::new(Arc::clone(&house), options).unwrap();
    eventually("the old are replaced", || {
        house.closed.load(Ordering::Relaxed) >= 6
    });
    eventually("the minimum is there", || pool.stats().idle == 2);
    house.close_panics.store(false, Ordering::Relaxed);
}
