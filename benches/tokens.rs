//! What judging a login's token costs: the right one and a wrong one, static among a hundred
//! thousand users, and signed by every algorithm.
#![allow(missing_docs, reason = "criterion's macro makes a public function")]
#![allow(clippy::unwrap_used, reason = "in a bench a panic is the verdict")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use pulsegate::LoginCheck;
use pulsegate::tokens::Tokens;
use pulsegate::tokens::keys::Keys;
use pulsegate::tokens::users::Users;

const KEYS: &str = include_str!("../tests/tcp/signed/keys.json");
const SIGNED: &str = include_str!("../tests/tcp/signed/tokens.txt");
/// SHA-256 of "abc".
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const NOW: Duration = Duration::from_secs(1_800_000_000);

fn bench(criterion: &mut Criterion) {
    let mut users = String::new();
    for number in 0..100_000 {
        writeln!(users, "user-{number} {ABC}").unwrap();
    }
    let tokens = Tokens {
        users: Some(Users::read(&users).unwrap()),
        keys: Some(Keys::read(KEYS).unwrap()),
    };
    let judge = |check, user: &str, token: &str| {
        let judged = tokens.judge(check, black_box(user), black_box(token), NOW);
        judged.is_ok()
    };
    for (name, user, token) in [
        ("users", "user-77777", "abc"),
        ("users, wrong", "user-77777", "abd"),
        ("users, nobody", "user-7777x", "abc"),
    ] {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| judge(LoginCheck::Users, user, token));
        });
    }
    for (name, token) in SIGNED.lines().filter_map(|line| line.split_once(' ')) {
        criterion.bench_function(&format!("jwt, {name}"), |bencher| {
            bencher.iter(|| judge(LoginCheck::Jwt, "alice", token));
        });
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
