//! `GET /v1/messages/ID`: what became of an acknowledged push.

use serde::Serialize;

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use crate::gate::Gate;

#[derive(Serialize)]
struct One {
    id: u64,
    state: &'static str,
    attempts: u32,
}

#[derive(Serialize)]
struct Many {
    id: u64,
    pending: u32,
    acked: u32,
    expired: u32,
    dropped: u32,
    attempts: u32,
}

/// What became of it: a state where it was for one user, else how many are in each.
pub(crate) fn message(id: &str, ask: &Ask<'_>, gate: &mut Gate) -> Result<Answer, Refusal> {
    ask.only(&[])?;
    let is_plain = id.bytes().all(|byte| byte.is_ascii_digit());
    let Some(id) = id.parse().ok().filter(|_| is_plain) else {
        return Err(Refusal::bad_request("an id is a number"));
    };
    let Some(fates) = gate.fates_of(id) else {
        let text = "no such message, or it wanted no ack, or it was too long ago";
        return Err(Refusal::not_found(text));
    };
    let attempts = fates.attempts;
    Ok(if fates.is_single {
        Answer::json(&One {
            id,
            state: fates.state(),
            attempts,
        })
    } else {
        Answer::json(&Many {
            id,
            pending: fates.pending(),
            acked: fates.acked,
            expired: fates.expired,
            dropped: fates.dropped,
            attempts,
        })
    })
}
