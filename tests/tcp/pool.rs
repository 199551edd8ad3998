//! The pool over real threads and sockets: one that counts, a server of ours, and Redis.

mod gate;
mod plain;
mod redis;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pulsegate::pool::{Exhausted, Lent, Options, Pool, PoolError, Pooled, SetupError};

use self::plain::Plain;
use crate::client::eventually;

/// What the connections of a test have in common.
#[derive(Default)]
struct House {
    open: AtomicU32,
    most: AtomicU32,
    checks: AtomicU32,
    is_away: AtomicBool,
    check_panics: AtomicBool,
}

/// A connection to nowhere.
struct Counted {
    house: Arc<House>,
}

impl Pooled for Counted {
    type Settings = Arc<House>;
    type Error = io::Error;

    fn connect(house: &Arc<House>) -> io::Result<Self> {
        if house.is_away.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let open = house.open.fetch_add(1, Ordering::Relaxed) + 1;
        house.most.fetch_max(open, Ordering::Relaxed);
        Ok(Self {
            house: Arc::clone(house),
        })
    }

    fn check(&mut self) -> io::Result<()> {
        self.house.checks.fetch_add(1, Ordering::Relaxed);
        let panics = self.house.check_panics.swap(false, Ordering::Relaxed);
        assert!(!panics, "a check that panics");
        Ok(())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // Others go on while it is being closed.
        (0..20).for_each(|_| std::thread::yield_now());
        self.house.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn pool(options: Options) -> (Pool<Counted>, Arc<House>) {
    let house = Arc::<House>::default();
    let pool = Pool::new(Arc::clone(&house), options).unwrap();
    (pool, house)
}

const QUIET: Options = Options {
    min: 0,
    max: 4,
    exhausted: Exhausted::Wait,
    extra_max: 0,
    wait_max: Duration::from_secs(20),
    queue_max: 64,
    idle_max: None,
    age_max: None,
    beat: None,
    retry_min: Duration::from_millis(5),
    retry_max: Duration::from_millis(50),
};

/// Rests for so long. Only where silence itself is what is tested.
fn rest(span: Duration) {
    let end = Instant::now() + span;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
}

/// Runs `threads` that take turns and end them in some way, and demands that all come to their end.
fn rounds(
    pool: &Pool<Counted>,
    threads: u32,
    each: u32,
    end: impl Fn(Lent<'_, Counted>, u32) + Sync,
) {
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for turn in 0..each {
                    end(pool.checkout().unwrap(), turn);
                }
            });
        }
    });
}

#[test]
fn sixteen_threads_on_four_connections_lose_no_wake_up() {
    let (pool, house) = pool(QUIET);
    rounds(&pool, 16, 5_000, |lent, _| drop(lent));
    let stats = pool.stats();
    assert_eq!((stats.timed_out, stats.waiting), (0, 0));
    assert!(house.most.load(Ordering::Relaxed) <= 4);
    assert_eq!(
        (stats.idle, stats.pooled),
        (house.open.load(Ordering::Relaxed), stats.idle)
    );
}

#[test]
fn short_lived_ones_come_on_top_and_go_on_their_return() {
    let options = Options {
        exhausted: Exhausted::Extra,
        extra_max: 2,
        ..QUIET
    };
    let (pool, house) = pool(options);
    rounds(&pool, 16, 500, |lent, turn| {
        if turn % 7 == 0 {
            lent.discard();
        }
    });
    assert!(house.most.load(Ordering::Relaxed) <= 6);
    assert!(house.open.load(Ordering::Relaxed) <= 4);
    assert_eq!(pool.stats().extra, 0);
    let held: Vec<_> = (0..6).map(|_| pool.checkout().unwrap()).collect();
    let stats = pool.stats();
    assert_eq!((stats.pooled, stats.extra), (4, 2));
    let refused = pool.checkout_within(Duration::ZERO);
    assert!(matches!(refused, Err(PoolError::Exhausted)));
    drop(held);
    assert_eq!(house.open.load(Ordering::Relaxed), 4);
}

#[test]
fn who_came_first_is_served_first() {
    let (pool, _) = pool(Options { max: 1, ..QUIET });
    let held = pool.checkout().unwrap();
    let served = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for turn in 0..8 {
            scope.spawn({
                let (pool, served) = (&pool, &served);
                move || {
                    let _mine = pool.checkout().unwrap();
                    assert_eq!(served.fetch_add(1, Ordering::Relaxed), turn);
                }
            });
            eventually("it waits", || {
                (pool.stats().waiting == turn + 1).then_some(())
            });
        }
        drop(held);
    });
    let stats = pool.stats();
    assert_eq!((stats.waited.count(), stats.opened), (8, 1));
}

#[test]
fn the_line_is_bounded_in_length_and_in_time() {
    let (pool, _) = pool(Options {
        max: 1,
        queue_max: 1,
        ..QUIET
    });
    let held = pool.checkout().unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let began = Instant::now();
            let error = pool
                .checkout_within(Duration::from_millis(150))
                .unwrap_err();
            (error, began.elapsed())
        });
        eventually("one waits", || (pool.stats().waiting == 1).then_some(()));
        assert!(matches!(pool.checkout(), Err(PoolError::Full)));
        let (error, waited) = waits.join().unwrap();
        assert!(matches!(error, PoolError::TimedOut(_)), "{error}");
        assert!(waited >= Duration::from_millis(150), "{waited:?}");
    });
    drop(held);
    assert_eq!(pool.stats().timed_out, 1);
    drop(pool.checkout().unwrap());
}

#[test]
fn who_panics_with_a_connection_in_hand_leaves_it_to_be_checked() {
    let (pool, house) = pool(QUIET);
    let held = std::thread::scope(|scope| {
        let panics = scope.spawn(|| {
            let _held = pool.checkout().unwrap();
            panic!("with a connection in hand");
        });
        panics.join()
    });
    assert!(held.is_err());
    // by the keeper or by the next one to have it
    drop(pool.checkout().unwrap());
    eventually("it is checked", || {
        (house.checks.load(Ordering::Relaxed) == 1).then_some(())
    });
    assert_eq!(pool.stats().broken, 0);
}

#[test]
fn a_check_that_panics_costs_that_connection_and_not_the_keeper() {
    let beat = Some(Duration::from_millis(20));
    let (pool, house) = pool(Options {
        min: 2,
        beat,
        ..QUIET
    });
    let beats = |more: u32| {
        let before = house.checks.load(Ordering::Relaxed);
        eventually("the keeper beats", || {
            (house.checks.load(Ordering::Relaxed) >= before + more).then_some(())
        });
    };
    beats(4);
    house.check_panics.store(true, Ordering::Relaxed);
    beats(4);
    let stats = pool.stats();
    assert_eq!((stats.broken, stats.opened, stats.pooled), (1, 3, 2));
}

#[test]
fn what_its_holder_discards_is_replaced_up_to_the_minimum() {
    let (pool, house) = pool(Options { min: 2, ..QUIET });
    let idle = || (pool.stats().idle == 2).then_some(());
    eventually("the minimum is there", idle);
    pool.checkout().unwrap().discard();
    eventually("it is replaced", idle);
    assert_eq!((pool.stats().opened, pool.stats().broken), (3, 1));
    assert_eq!(house.open.load(Ordering::Relaxed), 2);
}

#[test]
fn while_the_server_is_away_callers_wait_and_are_told_why_in_the_end() {
    let (pool, house) = pool(QUIET);
    house.is_away.store(true, Ordering::Relaxed);
    let error = pool
        .checkout_within(Duration::from_millis(100))
        .unwrap_err();
    assert!(matches!(&error, PoolError::Connect(_)), "{error}");
    assert!(pool.stats().failed > 2);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| drop(pool.checkout().unwrap()));
        }
        eventually("all wait", || (pool.stats().waiting >= 7).then_some(()));
        house.is_away.store(false, Ordering::Relaxed);
    });
    let (refusing, house) = self::pool(Options {
        exhausted: Exhausted::Refuse,
        ..QUIET
    });
    house.is_away.store(true, Ordering::Relaxed);
    assert!(matches!(refusing.checkout(), Err(PoolError::Connect(_))));
    house.is_away.store(false, Ordering::Relaxed);
    let held: Vec<_> = (0..4)
        .map(|_| eventually("it is back", || refusing.checkout().ok()))
        .collect();
    assert!(matches!(refusing.checkout(), Err(PoolError::Exhausted)));
    drop(held);
}

#[test]
fn a_pool_that_is_closed_tells_those_who_wait_and_keeps_nothing() {
    let (pool, house) = pool(Options { max: 2, ..QUIET });
    let held = [pool.checkout().unwrap(), pool.checkout().unwrap()];
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| pool.checkout().err());
        eventually("one waits", || (pool.stats().waiting == 1).then_some(()));
        pool.close();
        assert!(matches!(waits.join().unwrap(), Some(PoolError::Closed)));
    });
    assert_eq!(house.open.load(Ordering::Relaxed), 2);
    drop(held);
    assert_eq!(house.open.load(Ordering::Relaxed), 0);
    assert!(matches!(pool.checkout(), Err(PoolError::Closed)));
    drop(pool);
    // the keeper has ended, and with it the last one who knows the house
    assert_eq!(Arc::strong_count(&house), 1);
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let new = |options| Pool::<Counted>::new(Arc::default(), options).err();
    let none = new(Options { max: 0, ..QUIET });
    assert!(matches!(none, Some(SetupError::NoRoom)));
    let more = new(Options { min: 5, ..QUIET });
    assert!(matches!(more, Some(SetupError::MinAboveMax)));
}

#[test]
fn what_the_server_has_closed_is_replaced_before_its_caller_sees_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let pool = Pool::<Plain>::new(listener.local_addr().unwrap(), QUIET).unwrap();
    let first = pool.checkout().unwrap();
    let (server_end, _) = listener.accept().unwrap();
    drop(first);
    drop(server_end);
    let mut second = eventually("it is found closed", || {
        let lent = pool.checkout().unwrap();
        (pool.stats().broken == 1).then_some(lent)
    });
    assert!(second.is_open());
    assert_eq!(pool.stats().opened, 2);
}
