//! What does the pool cost those who use it?
//!
//! `pool_idle/books`: checkout and return of an idle connection that has nothing to be looked at:
//! the pool's own work; the promise is 300 ns. `pool_idle/socket`: the same with the look at a
//! socket, which is a system call. On a machine that others use too, the mean of criterion tells of
//! them as well: `batches` prints the least and the median of short batches beside it.
//!
//! `rounds`: 16 threads take turns on 4 connections a million times in all; a wake-up that is lost
//! would leave one waiting for ever, and here for longer than its minute.
//!
//! `cargo bench --bench pool -- books` runs one part.
#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "../tests/tcp/pool/plain.rs"]
mod plain;

use std::convert::Infallible;
use std::hint::black_box;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use criterion::Criterion;
use plain::Plain;
use pulsegate::pool::{Options, Pool, Pooled};

const THREADS: u32 = 16;
const CONNECTIONS: u32 = 4;
const ROUNDS: u32 = 1_000_000;
const BATCH: u32 = 200;
const BATCHES: usize = 20_000;

/// Nothing but its place in the pool.
struct Nothing;

impl Pooled for Nothing {
    type Settings = ();
    type Error = Infallible;

    fn connect((): &()) -> Result<Self, Infallible> {
        Ok(Self)
    }

    fn check(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let addr = listener.local_addr().expect("it is bound");
    let mut group = criterion.benchmark_group("pool_idle");
    let books = pool::<Nothing>(());
    group.bench_function("books", |bench| bench.iter(|| turn(&books)));
    let socket = pool::<Plain>(addr);
    group.bench_function("socket", |bench| bench.iter(|| turn(&socket)));
    group.finish();
    criterion.final_summary();
    // not for those who look for another part
    let wanted = |part: &str| {
        let mut words = std::env::args().skip(1);
        words.all(|word| word.starts_with("--") || word == part)
    };
    if wanted("batches") {
        batches("books", &books);
        batches("socket", &socket);
    }
    if wanted("rounds") {
        rounds();
    }
}

fn pool<C: Pooled>(settings: C::Settings) -> Pool<C> {
    let options = Options {
        max: CONNECTIONS,
        wait_max: Duration::from_secs(60),
        ..Options::default()
    };
    Pool::new(settings, options).expect("a thread is to be had")
}

fn turn<C: Pooled>(pool: &Pool<C>) {
    let lent = pool.checkout().expect("one is there");
    black_box(&*lent);
}

/// Batches so short that most of them are not interrupted.
fn batches<C: Pooled>(name: &str, pool: &Pool<C>) {
    let batch = || {
        let began = Instant::now();
        (0..BATCH).for_each(|_| turn(pool));
        began.elapsed().as_nanos() as f64 / f64::from(BATCH)
    };
    let mut times: Vec<f64> = (0..BATCHES).map(|_| batch()).collect();
    times.sort_unstable_by(f64::total_cmp);
    let [least, median] = [0, BATCHES / 2].map(|at| times[at]);
    println!("batches {name} ns/turn min={least:.1} median={median:.1}");
}

fn rounds() {
    let pool = pool::<Nothing>(());
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..ROUNDS / THREADS).for_each(|_| turn(&pool)));
        }
    });
    let (took, stats) = (began.elapsed(), pool.stats());
    println!(
        "rounds threads={THREADS} connections={CONNECTIONS} rounds={ROUNDS} lost={} opened={} \
         waited={} longest={:?} ns/round={}",
        stats.timed_out,
        stats.opened,
        stats.waited.count(),
        stats.waited.longest(),
        took.as_nanos() / u128::from(ROUNDS)
    );
    assert_eq!((stats.timed_out, stats.waiting), (0, 0));
    assert!(stats.opened <= u64::from(CONNECTIONS));
}
