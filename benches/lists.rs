//! What a look-up in black and white lists costs, for one entry and for a million, and what those
//! take in memory. It asserts its bounds: 100 ns, 64 MB.
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
    /// Names of users.
    Users,
}

fn address(kind: Kind, dice: &mut SplitMix64) -> IpAddr {
    let wide = u128::from(dice.next_u64()) << 64 | u128::from(dice.next_u64());
    match kind {
        Kind::Four | Kind::Users => Ipv4Addr::from(dice.next_u64() as u32).into(),
        Kind::Nested => Ipv4Addr::from(dice.next_u64() as u32 >> 3 | 0x2000_0000).into(),
        Kind::Six => Ipv6Addr::from(wide >> 8 | 0x20 << 120).into(),
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

fn look_up(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("look-up");
    for kind in [Kind::Four, Kind::Nested, Kind::Six, Kind::Users] {
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
            // The best of some rounds: what else the machine does is no part of it.
            let mut each = u128::MAX;
            let mut found = 0;
            for _ in 0..20 {
                let began = spent();
                found = (0..wanted.len()).filter(|at| black_box(find(*at))).count();
                each = each.min((spent() - began).as_nanos() / wanted.len() as u128);
            }
            println!(
                "{kind:?}, {entries}: {bytes} bytes, built in {built:?}, {found} found, {each} ns"
            );
            assert!(each < 100, "{kind:?}: {each} ns a look-up");
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
}

criterion_group!(benches, look_up);
criterion_main!(benches);
