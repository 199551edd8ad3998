//! Token buckets against debts in numbers so wide that nothing is rounded, whatever the clock does:
//! so many at once, in any span as many more as the rate pays and never more, to who keeps to the
//! rate never less, and the wait that is told is to the tick.

use std::time::Duration;

use pulsegate::Rate;
use pulsegate::time::{SPAN_MAX, Span, TICK_MS, Tick};

use crate::take::Take;

// Private to the library: the same file, compiled once more.
#[path = "../../../../src/gate/bucket.rs"]
#[allow(dead_code, unreachable_pub, reason = "the gate uses all of it")]
mod gate_bucket;

use gate_bucket::{Bucket, Price};

/// What a configuration can say: so many at most, in an hour at most.
const COUNT_MAX: u32 = 1_000_000;
const PER_MAX: u32 = 3_600_000;
/// What an input may try to take: a million at once, twice.
const TRIES: u32 = 1 << 21;
/// A thousandth.
const PART: u128 = 1_000;
/// What very many in very long are paid too much at most, in thousandths: what a tick pays is
/// rounded, 2^30 / an hour's ticks at least, by less than one.
const EXCESS: u128 = 2;

/// What a bucket owes, in numbers that nothing is rounded in.
#[derive(Clone, Copy, Debug)]
struct Debt {
    owed: u128,
    /// What one costs, and what a tick pays.
    one: u128,
    pays: u128,
    count: u128,
}

/// What is owed at most and at least, which is the same but for very many in very long.
#[derive(Clone, Copy, Debug)]
struct Books {
    most: Debt,
    least: Debt,
    /// When that was so; ticks wrap, this does not.
    stamp: u64,
}

/// A bucket, a debt that may grow beyond what may be owed, and what both must be.
struct Bench {
    price: Price,
    bucket: Bucket,
    books: Books,
    /// Owed by a rival, by the price's own count.
    rival: u32,
    rival_books: Books,
    /// What the price has divided both its numbers by; nothing where it has rounded them as well.
    common: Option<u128>,
    now: u64,
    /// When something was asked for, and how many had been granted by then.
    asked: Vec<(u64, u64)>,
    granted: u64,
    tries: u32,
}

pub(super) fn run(bytes: &[u8]) {
    let mut take = Take::new(bytes);
    let mut bench = Bench::new(&mut take);
    while !take.is_empty() {
        bench.act(&mut take);
    }
}

impl Bench {
    fn new(take: &mut Take<'_>) -> Self {
        let kinds = take.byte();
        let count = match kinds % 8 {
            0..=2 => u32::from(take.byte() % 16),
            3..=5 => u32::from(take.word() % 4_096),
            6 => u32::from(take.word()),
            _ => COUNT_MAX - take.long() % COUNT_MAX,
        };
        let mut millis = match kinds / 8 % 4 {
            0 => u64::from(take.byte()) * 10,
            1 => u64::from(take.word()),
            2 => u64::from(PER_MAX) - u64::from(take.word()),
            _ => take.giant() % (SPAN_MAX.as_secs() * 1_000),
        };
        if common(count, millis).is_none() {
            // So long and so many at once is no configuration.
            millis %= u64::from(PER_MAX) + 1;
        }
        let common = common(count, millis);
        let per = Duration::from_millis(millis);
        let price = Price::of(Rate { count, per });
        let now = u64::from(take.long());
        let excess = if common.is_some() { 0 } else { EXCESS };
        let books = Books::new(count, millis, excess, now);
        Self {
            price,
            bucket: Bucket::new(tick(now)),
            books,
            rival: 0,
            rival_books: books,
            common,
            now,
            asked: Vec::new(),
            granted: 0,
            tries: TRIES,
        }
    }

    fn act(&mut self, take: &mut Take<'_>) {
        let deed = take.byte();
        let keeps_to_it = deed & 0x80 != 0;
        match deed % 8 {
            0 => self.ask(u32::from(take.byte()), keeps_to_it),
            1 => self.ask(TRIES, keeps_to_it),
            2 => self.now += u64::from(take.byte()),
            3 => self.now += u64::from(take.long()),
            // Circles and a bit.
            4 => self.now += u64::from(take.byte()) << 28 | u64::from(take.word()),
            5 => drop(self.wait()),
            6 => self.now += u64::from(self.wait().saturating_sub(u32::from(take.byte() % 2))),
            _ => self.note(u32::from(take.byte() % 9)),
        }
    }

    /// Asks for so many, or for no more of them than the rate allows.
    fn ask(&mut self, wanted: u32, keeps_to_it: bool) {
        let mut books = self.books;
        books.settle(self.now);
        let Books { most, least, .. } = books;
        let owing = u32::try_from(most.room()).unwrap_or(u32::MAX);
        let wanted = if keeps_to_it {
            wanted.min(owing)
        } else {
            wanted
        };
        let wanted = wanted.min(self.tries);
        if wanted == 0 {
            // The bucket is not looked at.
            return;
        }
        self.books = books;
        let mut got = 0;
        while got < wanted && self.bucket.take(self.price, tick(self.now)) {
            got += 1;
        }
        self.tries -= got;
        let bounds = most.room().min(wanted.into())..=least.room().min(wanted.into());
        assert!(
            bounds.contains(&got.into()),
            "{got} of {bounds:?}: {most:?}"
        );
        self.books.take(got.into());
        self.asked.push((self.now, self.granted));
        self.granted += u64::from(got);
        self.judge_spans();
    }

    /// In any span that ends now no more were granted than at once and by the rate.
    fn judge_spans(&self) {
        let Debt {
            one, pays, count, ..
        } = self.books.least;
        for (since, before) in &self.asked {
            let granted = u128::from(self.granted - before);
            let passed = u128::from(self.now - since);
            let most = count + passed * pays / one;
            assert!(granted <= most, "{granted} of {most} in {passed} ticks");
        }
    }

    /// Who waits for so long gets one, and not a tick before.
    fn wait(&mut self) -> u32 {
        self.books.settle(self.now);
        let told = self.bucket.wait(self.price, tick(self.now));
        assert!(told != Some(Span::ZERO), "a wait that is none");
        let told = told.map_or(0, |wait| wait.0);
        let bounds = self.books.least.wait()..=self.books.most.wait();
        assert!(bounds.contains(&told.into()), "{told} of {bounds:?}");
        let gets_one = |later: u32| {
            let mut bucket = self.bucket;
            bucket.take(self.price, tick(self.now + u64::from(later)))
        };
        assert!(gets_one(told), "none after the wait of {told}");
        assert!(told == 0 || !gets_one(told - 1), "one before {told}");
        told
    }

    /// One more of a rival, `kept` of which are kept beyond what may be owed.
    fn note(&mut self, kept: u32) {
        let passed = passed(self.rival_books.stamp, self.now);
        let left = self.price.settle(self.rival, Span(passed));
        assert!(left <= self.rival, "time lends");
        let beyond;
        (self.rival, beyond) = self.price.take_beyond(left, kept);
        assert!(beyond <= kept, "{beyond} of {kept}");
        self.rival_books.settle(self.now);
        let Books { most, least, .. } = &mut self.rival_books;
        // A debt is of 32 bits.
        let end = self
            .common
            .map(|common| u128::from(u32::MAX) * common * PART);
        let end = end.unwrap_or(u128::MAX);
        let kept = kept.into();
        let bounds = least.take_beyond(kept, end)..=most.take_beyond(kept, end);
        assert!(bounds.contains(&beyond.into()), "{beyond} of {bounds:?}");
        if let Some(common) = self.common {
            let owed = u128::from(self.rival) * common * PART;
            assert_eq!((owed, owed), (least.owed, most.owed), "{common}");
        }
    }
}

impl Books {
    fn new(count: u32, millis: u64, excess: u128, now: u64) -> Self {
        let count = u128::from(count.max(1));
        let debt = |pays| Debt {
            owed: 0,
            one: ticks(millis) * PART,
            pays,
            count,
        };
        Self {
            most: debt(count * PART),
            least: debt(count * (PART + excess)),
            stamp: now,
        }
    }

    fn settle(&mut self, now: u64) {
        let passed = passed(self.stamp, now);
        self.most.pay(passed);
        self.least.pay(passed);
        self.stamp = now;
    }

    fn take(&mut self, count: u128) {
        self.most.owed += count * self.most.one;
        self.least.owed += count * self.least.one;
    }
}

impl Debt {
    fn pay(&mut self, ticks: u32) {
        self.owed = self.owed.saturating_sub(u128::from(ticks) * self.pays);
    }

    /// How many can be taken.
    fn room(&self) -> u128 {
        (self.one * self.count).saturating_sub(self.owed) / self.one
    }

    /// Ticks until one can be taken.
    fn wait(&self) -> u128 {
        let excess = (self.owed + self.one).saturating_sub(self.one * self.count);
        excess.div_ceil(self.pays)
    }

    /// Takes one in any case: how many are beyond what may be owed, `kept` at most.
    fn take_beyond(&mut self, kept: u128, end: u128) -> u128 {
        let most = self.one * (self.count + kept);
        self.owed = (self.owed + self.one).min(most).min(end);
        let excess = self.owed.saturating_sub(self.one * self.count);
        excess.div_ceil(self.one)
    }
}

/// What a rate's two numbers can be divided by, where a debt of it needs no rounding then.
fn common(count: u32, millis: u64) -> Option<u128> {
    let (ticks, count) = (ticks(millis), u128::from(count.max(1)));
    let (mut common, mut rest) = (ticks, count);
    while rest > 0 {
        (common, rest) = (rest, common % rest);
    }
    (ticks / common * count <= u128::from(u32::MAX / 2)).then_some(common)
}

/// A rate is one of whole ticks.
fn ticks(millis: u64) -> u128 {
    u128::from(millis / u64::from(TICK_MS)).max(1)
}

/// The time that a bucket sees: more than half of the circle at once is none.
fn passed(since: u64, now: u64) -> u32 {
    tick(now).since(tick(since)).0
}

#[expect(clippy::cast_possible_truncation, reason = "ticks wrap")]
fn tick(at: u64) -> Tick {
    Tick(at as u32)
}
