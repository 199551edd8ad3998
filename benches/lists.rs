//! What a look-up in black and white lists costs, for one entry and for a million, and what those
//! take in memory. It asserts its bounds: 64 MB, and 100 ns in the median of its rounds. Beside
//! each round it takes the time of one load from as much memory, since a list that is out of the
//! caches costs one or two of those: where one load alone takes more than half of the bound, the
//! bound is two loads.
#![allow(missing_docs, reason = "criterion's macro makes a public function")]
#![allow(clippy::unwrap_used, reason = "in a bench a panic is the verdict")]
#![allow(clippy::print_stdout, reason = "what it measured besides")]
#![allow(clippy::cast_possible_truncation, reason = "dice are cut as they fall")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pulsegate::Network;
use pulsegate::lists::{Colour, Draft, Lists};
use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// What addresses are looked up in.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Single addresses all over IPv4.
    Four,
    /// Networks of 24 to 32 bits in an eighth of it.
    Nested,
    /// Networks of 48 and 64 bits in 2000::/8.
    Six,
    /// Single addresses there.
    Hosts,
    /// Names of users.
    Users,
}

fn address(kind: Kind, dice: &mut SplitMix64) -> IpAddr {
    let wide = u128::from(dice.next_u64()) << 64 | u128::from(dice.next_u64());
    match kind {
        Kind::Four | Kind::Users => Ipv4Addr::from(dice.next_u64() as u32).into(),
        Kind::Nested => Ipv4Addr::from(dice.next_u64() as u32 >> 3 | 0x2000_0000).into(),
        Kind::Six | Kind::Hosts => Ipv6Addr::from(wide >> 8 | 0x20 << 120).into(),
    }
}

fn lists(kind: Kind, entries: usize) -> Lists {
    let mut dice = SplitMix64::seed_from_u64(7);
    let mut draft = Draft::new((1, 2));
    for number in 0..entries {
        let bits = match kind {
            Kind::Four => 32,
            Kind::Nested => 24 + (number % 9) as u8,
            Kind::Six => [48, 64][number % 2],
            Kind::Hosts => 128,
            Kind::Users => {
                draft.add_user(&format!("user{number}"), Colour::Black);
                continue;
            }
        };
        let colour = [Colour::Black, Colour::White][number % 3 / 2];
        let network = Network::new(address(kind, &mut dice), bits).unwrap();
        draft.add_network(network, colour);
    }
    draft.finish()
}

/// Processor time of this thread.
fn spent() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap()
}

/// Memory as large as a list, each line of a cache telling which one comes next.
struct Chase {
    lines: Vec<[u32; 16]>,
    at: u32,
}

impl Chase {
    fn new(bytes: usize) -> Self {
        let mut dice = SplitMix64::seed_from_u64(5);
        let mut order: Vec<u32> = (0..(bytes / 64).max(2) as u32).collect();
        for end in (1..order.len()).rev() {
            order.swap(end, dice.next_u64() as usize % end);
        }
        let mut lines = vec![[0; 16]; order.len()];
        let next = order.iter().cycle().skip(1);
        for (from, to) in order.iter().zip(next) {
            lines[*from as usize][0] = *to;
        }
        Self { lines, at: 0 }
    }

    fn go(&mut self, steps: usize) {
        for _ in 0..steps {
            self.at = self.lines[self.at as usize][0];
        }
        black_box(self.at);
    }
}

/// What each of so many steps takes in some rounds, in ns: least, median and most of them.
fn rounds(steps: usize, mut round: impl FnMut()) -> [u128; 3] {
    let mut all = [0; 21].map(|_: u8| {
        let began = spent();
        round();
        (spent() - began).as_nanos() / steps as u128
    });
    all.sort_unstable();
    [all[0], all[10], all[20]]
}

fn look_up(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("look-up");
    let mut slow = Vec::new();
    let kinds = [
        Kind::Four,
        Kind::Nested,
        Kind::Six,
        Kind::Hosts,
        Kind::Users,
    ];
    for kind in kinds {
        for entries in [1, 1_000, 1_000_000] {
            let began = Instant::now();
            let lists = lists(kind, entries);
            let built = began.elapsed();
            let bytes = lists.bytes();
            assert!(bytes < 64_000_000, "{kind:?}: {bytes} bytes");
            let mut dice = SplitMix64::seed_from_u64(9);
            let wanted: Vec<IpAddr> = (0..1 << 16).map(|_| address(kind, &mut dice)).collect();
            let names: Vec<String> = (0..1 << 16)
                .map(|_| format!("user{}", dice.next_u64() % 2_000_000))
                .collect();
            let find = |at: usize| match kind {
                Kind::Users => lists.find_user(&names[at % names.len()]).is_some(),
                _ => lists.find(wanted[at % wanted.len()]).is_some(),
            };
            let mut chase = Chase::new(bytes);
            let load = rounds(wanted.len(), || chase.go(wanted.len()));
            let mut found = 0;
            let each = rounds(wanted.len(), || {
                found = (0..wanted.len()).filter(|at| black_box(find(*at))).count();
            });
            println!(
                "{kind:?}, {entries}: {bytes} bytes, built in {built:?}, {found} found, \
                 {each:?} ns, one load {load:?} ns"
            );
            if each[1] >= (2 * load[1]).max(100) {
                slow.push(format!("{kind:?}, {entries}: {} ns a look-up", each[1]));
            }
            let mut at = 0;
            let id = BenchmarkId::new(format!("{kind:?}"), entries);
            group.bench_with_input(id, &(), |bencher, ()| {
                bencher.iter(|| {
                    at += 1;
                    black_box(find(at))
                });
            });
        }
    }
    group.finish();
    assert!(slow.is_empty(), "{slow:?}");
}

criterion_group!(benches, look_up);
criterion_main!(benches);
