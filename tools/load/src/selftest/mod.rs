//! `selftest`: the tool against its own [`sink`](crate::sink), which does wrong on purpose.
//!
//! Each proof injects one fault whose size is known and runs an ordinary scenario, through the same
//! command line, workers and verdict as any run; what the run says must be what was injected.

mod host;
mod proofs;

use crate::crew::Outcome;
use crate::error::{Doing, FAILED, Fatal, PASSED};
use crate::report::to_stdout;

/// What became of one proof.
pub(crate) struct Proof {
    /// What was to be shown.
    claim: &'static str,
    holds: bool,
    /// The figures.
    seen: String,
    /// The signal that ended it.
    interrupted: Option<i32>,
}

impl Proof {
    fn new(claim: &'static str, outcome: &Outcome, holds: bool, seen: String) -> Self {
        Self {
            claim,
            holds,
            seen,
            interrupted: outcome.interrupted,
        }
    }
}

/// Goes through all proofs; returns the exit code.
pub(crate) fn main() -> Result<u8, Fatal> {
    let mut refuted = 0;
    for prove in proofs::ALL {
        let proof = prove()?;
        if let Some(signal) = proof.interrupted {
            return Ok(128 + u8::try_from(signal).unwrap_or(0));
        }
        let word = if proof.holds { "proved " } else { "REFUTED" };
        refuted += u32::from(!proof.holds);
        say(&format!("{word}  {}: {}\n", proof.claim, proof.seen))?;
    }
    let all = proofs::ALL.len();
    if refuted == 0 {
        say(&format!("all {all} proofs hold\n"))?;
        Ok(PASSED)
    } else {
        say(&format!("{refuted} of {all} proofs do not hold\n"))?;
        Ok(FAILED)
    }
}

fn say(line: &str) -> Result<(), Fatal> {
    to_stdout(line.as_bytes()).doing(|| String::from("writing to standard output"))
}
