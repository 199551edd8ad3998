//! Whether the tool tells the truth: its sink, its selftest, and what it takes itself.

use std::time::{Duration, Instant};

use pulsegate::{Limits, Settings};

use crate::house::House;
use crate::tool::{report, run, skip};

#[test]
fn the_selftest_proves_what_it_claims_and_is_quick() {
    let began = Instant::now();
    let run = run(&["selftest"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    let lines: Vec<_> = run.stdout.lines().collect();
    let (last, proofs) = lines.split_last().unwrap();
    assert_eq!(*last, format!("all {} proofs hold", proofs.len()));
    for (proof, claim) in proofs.iter().zip([
        "a stall",
        "a server that is killed",
        "a delay",
        "not answered",
        "lost",
        "invalid",
    ]) {
        assert!(
            proof.starts_with("proved") && proof.contains(claim),
            "{proof}"
        );
    }
}
