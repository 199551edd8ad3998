//! `POST /v1/drain`: the shutdown in good order, as SIGTERM begins it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use crate::gate::{EndedBy, Gate};
use crate::time::SPAN_MAX;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    over_ms: Option<u64>,
}

#[derive(Serialize)]
struct Told {
    draining: u32,
}

/// Begins it; tells how many connections there are to drain.
pub(crate) fn drain(ask: &Ask<'_>, gate: &mut Gate) -> Result<Answer, Refusal> {
    let over = if ask.body.is_empty() {
        None
    } else {
        ask.json::<Wish>()?.over_ms
    };
    let over = over.map(Duration::from_millis);
    if over.is_some_and(|over| over > SPAN_MAX) {
        return Err(Refusal::bad_request("over_ms: at most 49 days"));
    }
    // A second shutdown would be one without goodbyes.
    if gate.is_draining || gate.is_stop_asked {
        return Err(Refusal::new(409, "draining", "the shutdown has begun"));
    }
    gate.drain_over = over;
    gate.stop_by(EndedBy::Operator);
    let draining = gate.connections();
    Ok(Answer::json(&Told { draining }))
}
