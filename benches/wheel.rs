//! What does a deadline cost at a million connections, and what would it cost elsewhere?
//!
//! `wheel_…` measures the operations one by one, per key. `eager_…` and `lazy_…` measure the whole
//! heartbeat pattern, per beat, over the wheel and over the structures that one would reach for
//! instead. All of them do the same work on the same keys in the same order.
//!
//! Each of a million keys beats every 10 s and is closed after 30 s of silence; one in 4,096 never
//! beats, expires, and comes back. *Eager* moves the deadline with each beat. *Lazy* only notes the
//! time of the beat, and moves the deadline when it comes up: this is what the server does.
//!
//! `…_in_order`: keys arrive in the order of their numbers, as connections do that were accepted in
//! one rush. `…_shuffled`: in an order that has nothing to do with their numbers, so that whatever
//! is indexed by the key misses every cache.
//!
//! `cargo bench --bench wheel -- lazy` runs one part.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::future::poll_fn;
use std::hint::black_box;
use std::task::Poll;
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use hierarchical_hash_wheel_timer::IdOnlyTimerEntry;
use hierarchical_hash_wheel_timer::wheels::{cancellable, quad_wheel};
use pulsegate::time::{Span, Tick};
use pulsegate::wheel::Wheel;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use tokio::runtime::{Builder, EnterGuard, Runtime};
use tokio_util::time::{DelayQueue, delay_queue};

const KEYS: u32 = 1_000_000;
/// Ticks between two beats of a key: 10 s.
const BEAT: u32 = 5_000;
/// Ticks of silence after which a key expires: 30 s.
const IDLE: u32 = 15_000;
/// Ticks in one measured step: whatever happens once in 256 ticks is in each step.
const STEP: u32 = 256;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for (order, keys) in ORDERS {
        let mut group = criterion.benchmark_group(format!("wheel_{order}"));
        operations(&mut group, &keys());
    }
    next(&mut criterion.benchmark_group("wheel"));
    for (name, pattern) in [("eager", Pattern::Eager), ("lazy", Pattern::Lazy)] {
        for (order, keys) in ORDERS {
            let mut group = criterion.benchmark_group(format!("{name}_{order}"));
            heartbeats(&mut group, pattern, &keys());
        }
    }
    criterion.final_summary();
}

/// Makes the keys, in the order in which they arrive.
type Arrive = fn() -> Vec<u32>;

const ORDERS: [(&str, Arrive); 2] = [("in_order", || (0..KEYS).collect()), ("shuffled", shuffled)];

/// All keys in an order of chance, the same in every run.
fn shuffled() -> Vec<u32> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut keys: Vec<u32> = (0..KEYS).collect();
    for last in (1..KEYS).rev() {
        keys.swap(last as usize, (random.next_u32() % (last + 1)) as usize);
    }
    keys
}

/// The wheel's operations, each over a million keys, 100 of which share a tick.
fn operations(group: &mut BenchmarkGroup<'_, WallTime>, keys: &[u32]) {
    let mut wheel = Wheel::new(Tick::START, KEYS as usize);
    let mut shift = 0;
    let mut set_all = |wheel: &mut Wheel| {
        shift = (shift + 1_000) % 6_000;
        let begun = Instant::now();
        for (&key, place) in keys.iter().zip(0..) {
            wheel.set(key, Tick::START.after(Span(1 + shift + place / 100)));
        }
        begun.elapsed()
    };
    let remove_all = |wheel: &mut Wheel| {
        let begun = Instant::now();
        keys.iter().for_each(|&key| wheel.remove(key));
        begun.elapsed()
    };

    group.throughput(Throughput::Elements(u64::from(KEYS)));
    group.bench_function("set", |bencher| {
        let mut round = |_| {
            remove_all(&mut wheel);
            set_all(&mut wheel)
        };
        bencher.iter_custom(|rounds| (0..rounds).map(&mut round).sum());
    });
    group.bench_function("set_again", |bencher| {
        set_all(&mut wheel);
        bencher.iter_custom(|rounds| (0..rounds).map(|_| set_all(&mut wheel)).sum());
    });
    group.bench_function("remove", |bencher| {
        let mut round = |_| {
            set_all(&mut wheel);
            remove_all(&mut wheel)
        };
        bencher.iter_custom(|rounds| (0..rounds).map(&mut round).sum());
    });
    expiry(group, keys);
}

/// Taking out a million keys, 100 of which share a tick, tick by tick.
fn expiry(group: &mut BenchmarkGroup<'_, WallTime>, keys: &[u32]) {
    let mut wheel = Wheel::new(Tick::START, KEYS as usize);
    let (mut now, mut due) = (Tick::START, Vec::with_capacity(1_024));
    group.bench_function("expire", |bencher| {
        let mut round = |_| {
            for (&key, place) in keys.iter().zip(0..) {
                wheel.set(key, now.after(Span(1 + place / 100)));
            }
            let begun = Instant::now();
            while !wheel.is_empty() {
                now = now.after(Span(1));
                wheel.advance(now, 1_000, &mut due);
                due.clear();
            }
            begun.elapsed()
        };
        bencher.iter_custom(|rounds| (0..rounds).map(&mut round).sum());
    });
}

/// Finding the next tick: in a full wheel, and where all but the last slot of the turn is empty.
fn next(group: &mut BenchmarkGroup<'_, WallTime>) {
    group.throughput(Throughput::Elements(1));
    let mut wheel = Wheel::new(Tick(100), KEYS as usize);
    wheel.set(0, Tick(100 + 16_383));
    group.bench_function("next_of_one_key", |bencher| {
        bencher.iter(|| black_box(&wheel).next());
    });
    group.bench_function("advance_over_empty_slots", |bencher| {
        let mut due = Vec::new();
        bencher.iter(|| {
            let now = wheel.next().expect("one key is set").before(Span(1));
            wheel.advance(black_box(now), 1, &mut due);
            wheel.set(0, now.after(Span(16_383)));
        });
    });
    (0..KEYS).for_each(|key| wheel.set(key, Tick(101 + key % 16_383)));
    group.bench_function("next_of_a_million_keys", |bencher| {
        bencher.iter(|| black_box(&wheel).next());
    });
}

#[derive(Clone, Copy)]
enum Pattern {
    Eager,
    Lazy,
}

/// The whole pattern over each structure.
fn heartbeats(group: &mut BenchmarkGroup<'_, WallTime>, pattern: Pattern, order: &[u32]) {
    group.throughput(Throughput::Elements(u64::from(STEP * (KEYS / BEAT))));
    let wheel = || Wheel::new(Tick(0), KEYS as usize);
    heartbeat(group, "wheel", pattern, order, wheel);
    heartbeat(group, "binary_heap", pattern, order, Heap::new);
    heartbeat(group, "btree_set", pattern, order, Tree::new);
    heartbeat(group, "delay_queue", pattern, order, Delays::new);
    heartbeat(group, "quad_wheel", pattern, order, Quad::new);
    heartbeat(
        group,
        "quad_wheel_cancellable",
        pattern,
        order,
        Cancellable::new,
    );
}

/// Measures one structure in steady state.
fn heartbeat<T: Timers>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    pattern: Pattern,
    order: &[u32],
    make: fn() -> T,
) {
    // made by the first call, so that a part that is filtered out costs no time
    let mut beats = None;
    group.bench_function(name, |bencher| {
        let beats = beats.get_or_insert_with(|| {
            let mut beats = Beats::new(make(), order);
            beats.run(pattern, IDLE + BEAT);
            beats
        });
        bencher.iter(|| beats.run(pattern, STEP));
    });
}

/// A million keys that beat, over some structure of timers.
struct Beats<T> {
    timers: T,
    /// Which keys beat in which tick of the period.
    order: Vec<u32>,
    seen: Vec<u32>,
    due: Vec<u32>,
    now: u32,
    expired: u64,
}

impl<T: Timers> Beats<T> {
    fn new(mut timers: T, order: &[u32]) -> Self {
        for (&key, place) in order.iter().zip(0..) {
            timers.set(key, place / (KEYS / BEAT) + 1 + IDLE - BEAT);
        }
        Self {
            timers,
            order: order.to_vec(),
            seen: vec![0; KEYS as usize],
            due: Vec::new(),
            now: 0,
            expired: 0,
        }
    }

    fn run(&mut self, pattern: Pattern, ticks: u32) -> u64 {
        for _ in 0..ticks {
            self.now += 1;
            match pattern {
                Pattern::Eager => self.tick_eagerly(),
                Pattern::Lazy => self.tick_lazily(),
            }
        }
        self.expired
    }

    /// The keys that beat now, as a range of `order`.
    fn beating(&self) -> std::ops::Range<usize> {
        let per_tick = (KEYS / BEAT) as usize;
        let first = (self.now % BEAT) as usize * per_tick;
        first..first + per_tick
    }

    fn tick_eagerly(&mut self) {
        for &key in &self.order[self.beating()] {
            if beats(key) {
                self.timers.set(key, self.now + IDLE);
            }
        }
        self.timers.advance(self.now, &mut self.due);
        for key in self.due.drain(..) {
            self.expired += 1;
            self.timers.set(key, self.now + IDLE);
        }
    }

    fn tick_lazily(&mut self) {
        for &key in &self.order[self.beating()] {
            if beats(key) {
                self.seen[key as usize] = self.now;
            }
        }
        self.timers.advance(self.now, &mut self.due);
        for key in self.due.drain(..) {
            let seen = &mut self.seen[key as usize];
            if *seen + IDLE <= self.now {
                self.expired += 1;
                *seen = self.now;
            }
            self.timers.set(key, *seen + IDLE);
        }
    }
}

fn beats(key: u32) -> bool {
    !key.is_multiple_of(4_096)
}

/// What the heartbeat pattern asks of a structure of timers. Time goes on tick by tick.
trait Timers {
    /// Sets `key` to come up at `at`, wherever it was set before, if at all.
    fn set(&mut self, key: u32, at: u32);
    /// Goes on to `now`, the tick after the last; appends what is due and takes it out.
    fn advance(&mut self, now: u32, due: &mut Vec<u32>);
}

impl Timers for Wheel {
    fn set(&mut self, key: u32, at: u32) {
        self.set(key, Tick(at));
    }

    fn advance(&mut self, now: u32, due: &mut Vec<u32>) {
        self.advance(Tick(now), usize::MAX, due);
    }
}

/// `BinaryHeap` with lazy deletion: an entry counts only where it is the key's latest.
struct Heap {
    heap: BinaryHeap<Reverse<(u32, u32)>>,
    at: Vec<u32>,
}

impl Heap {
    fn new() -> Self {
        Self {
            heap: BinaryHeap::with_capacity(4 * KEYS as usize),
            at: vec![0; KEYS as usize],
        }
    }
}

impl Timers for Heap {
    fn set(&mut self, key: u32, at: u32) {
        self.at[key as usize] = at;
        self.heap.push(Reverse((at, key)));
    }

    fn advance(&mut self, now: u32, due: &mut Vec<u32>) {
        while let Some(&Reverse((at, key))) = self.heap.peek()
            && at <= now
        {
            self.heap.pop();
            if self.at[key as usize] == at {
                self.at[key as usize] = 0;
                due.push(key);
            }
        }
    }
}

/// `BTreeSet` over tick and key.
struct Tree {
    set: BTreeSet<(u32, u32)>,
    at: Vec<u32>,
}

impl Tree {
    fn new() -> Self {
        Self {
            set: BTreeSet::new(),
            at: vec![0; KEYS as usize],
        }
    }
}

impl Timers for Tree {
    fn set(&mut self, key: u32, at: u32) {
        let old = std::mem::replace(&mut self.at[key as usize], at);
        if old != 0 {
            self.set.remove(&(old, key));
        }
        self.set.insert((at, key));
    }

    fn advance(&mut self, now: u32, due: &mut Vec<u32>) {
        while let Some(&(at, key)) = self.set.first()
            && at <= now
        {
            self.set.pop_first();
            self.at[key as usize] = 0;
            due.push(key);
        }
    }
}

/// `tokio_util::time::DelayQueue` in a runtime whose clock stands still but for our ticks.
struct Delays {
    queue: DelayQueue<u32>,
    keys: Vec<Option<delay_queue::Key>>,
    start: tokio::time::Instant,
    runtime: &'static Runtime,
    _entered: EnterGuard<'static>,
}

impl Delays {
    fn new() -> Self {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O");
        let runtime: &'static Runtime = Box::leak(Box::new(runtime));
        let entered = runtime.enter();
        Self {
            queue: DelayQueue::with_capacity(KEYS as usize),
            keys: vec![None; KEYS as usize],
            start: tokio::time::Instant::now(),
            runtime,
            _entered: entered,
        }
    }
}

impl Timers for Delays {
    fn set(&mut self, key: u32, at: u32) {
        let at = self.start + Span(at).duration();
        match &self.keys[key as usize] {
            Some(place) => self.queue.reset_at(place, at),
            None => self.keys[key as usize] = Some(self.queue.insert_at(key, at)),
        }
    }

    fn advance(&mut self, _now: u32, due: &mut Vec<u32>) {
        let Self { queue, keys, .. } = self;
        let step = async {
            tokio::time::advance(Span(1).duration()).await;
            poll_fn(|context| {
                while let Poll::Ready(Some(expired)) = queue.poll_expired(context) {
                    let key = expired.into_inner();
                    keys[key as usize] = None;
                    due.push(key);
                }
                Poll::Ready(())
            })
            .await;
        };
        self.runtime.block_on(tokio::task::unconstrained(step));
    }
}

/// `QuadWheelWithOverflow` without cancelling: an entry counts only where it is the key's latest.
struct Quad {
    wheel: quad_wheel::QuadWheelWithOverflow<(u32, u32)>,
    at: Vec<u32>,
    now: u32,
}

impl Quad {
    fn new() -> Self {
        Self {
            wheel: quad_wheel::QuadWheelWithOverflow::default(),
            at: vec![0; KEYS as usize],
            now: 0,
        }
    }
}

impl Timers for Quad {
    fn set(&mut self, key: u32, at: u32) {
        self.at[key as usize] = at;
        let delay = Duration::from_millis(u64::from(at - self.now));
        self.wheel
            .insert_with_delay((key, at), delay)
            .expect("it lies ahead");
    }

    fn advance(&mut self, now: u32, due: &mut Vec<u32>) {
        self.now = now;
        for (key, at) in self.wheel.tick() {
            if self.at[key as usize] == at {
                self.at[key as usize] = 0;
                due.push(key);
            }
        }
    }
}

/// The variant of it that can cancel.
struct Cancellable {
    wheel: cancellable::QuadWheelWithOverflow<IdOnlyTimerEntry<u32>>,
    now: u32,
}

impl Cancellable {
    fn new() -> Self {
        Self {
            wheel: cancellable::QuadWheelWithOverflow::new(),
            now: 0,
        }
    }
}

impl Timers for Cancellable {
    fn set(&mut self, key: u32, at: u32) {
        // not found is no error here: it came up, or was never set
        let _ = self.wheel.cancel(&key);
        let delay = Duration::from_millis(u64::from(at - self.now));
        self.wheel
            .insert(IdOnlyTimerEntry { id: key, delay })
            .expect("it lies ahead");
    }

    fn advance(&mut self, now: u32, due: &mut Vec<u32>) {
        self.now = now;
        due.extend(self.wheel.tick().iter().map(|entry| entry.id));
    }
}
