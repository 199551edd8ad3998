//! Whether it lives, and whether it takes more.

use super::answer::{Answer, Refusal};
use crate::gate::{Gate, Step};

/// The loop turns, or nobody would answer.
pub(crate) fn healthz() -> Answer {
    Answer::text(200, "ok")
}

/// Whether newcomers are welcome.
pub(crate) fn readyz(gate: &Gate) -> Result<Answer, Refusal> {
    if gate.is_draining {
        return Err(Refusal::new(503, "draining", "the server is shutting down"));
    }
    if gate.pace.lag.is_over() {
        return Err(Refusal::overloaded("the loop lags: newcomers wait"));
    }
    if gate.connections() >= gate.limits.connections {
        return Err(Refusal::overloaded(
            "there are as many connections as may be",
        ));
    }
    let [_, output, _] = gate.bytes_held();
    // A sixteenth is what the next burst may take before somebody is cut.
    if output >= gate.limits.output_budget / 16 * 15 || gate.step() >= Step::Accepts {
        return Err(Refusal::overloaded("the output budget is used up"));
    }
    Ok(Answer::text(200, "ready"))
}
