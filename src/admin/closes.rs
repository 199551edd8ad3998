//! `GET /v1/closes`: how the latest connections ended, newest first.

use serde::Serialize;

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::desk::Facts;
use super::page::{push, rows_of};
use super::work::{Left, Work};
use crate::gate::{Death, EndDetail, Gate};
use crate::reason::CloseReason;

/// Records that are being told. They are numbered from the first death on, so that one that comes
/// meanwhile moves none.
#[derive(Debug)]
struct Closes {
    user: Option<String>,
    reason: Option<CloseReason>,
    rows_left: usize,
    /// Records from this number on were told, or came later.
    below: u64,
    has_begun: bool,
    has_rows: bool,
}

#[derive(Serialize)]
struct Row<'a> {
    at: u64,
    connection: u64,
    user: Option<&'a str>,
    address: String,
    listener: &'a str,
    reason: &'static str,
    /// Who asked for it.
    by: &'static str,
    /// What it was, where the reason stands for several things.
    detail: Option<&'static str>,
    age_s: u64,
    silent_ms: u64,
    unsent_ms: u64,
    bytes_in: u64,
    bytes_out: u64,
    frames_in: u64,
    frames_out: u64,
    outbox: usize,
}

/// The records that are asked for.
pub(crate) fn closes(ask: &Ask<'_>, gate: &Gate, facts: &Facts) -> Result<Answer, Refusal> {
    ask.only(&["user", "reason", "limit"])?;
    let reason = match ask.parameter("reason") {
        None => None,
        Some(word) => {
            let mut all = CloseReason::ALL.into_iter();
            let found = all.find(|reason| reason.word() == word);
            let wrong = || Refusal::bad_request("reason: no such reason");
            Some(found.ok_or_else(wrong)?)
        }
    };
    Ok(Answer::Work(Box::new(Closes {
        user: ask.parameter("user").map(str::to_owned),
        reason,
        rows_left: rows_of(ask, facts)?,
        below: ended(gate),
        has_begun: false,
        has_rows: false,
    })))
}

/// How many have ended so far.
fn ended(gate: &Gate) -> u64 {
    gate.stats().closed.iter().sum()
}

impl Closes {
    fn wants(&self, death: &Death) -> bool {
        let is_his = |user: &String| death.user.as_deref() == Some(user);
        self.user.as_ref().is_none_or(is_his)
            && self.reason.is_none_or(|reason| death.reason == reason)
    }
}

impl Work for Closes {
    fn go_on(
        &mut self,
        gate: &mut Gate,
        facts: &Facts,
        budget: &mut u32,
        room: usize,
        out: &mut Vec<u8>,
    ) -> Left {
        if !std::mem::replace(&mut self.has_begun, true) {
            out.extend_from_slice(b"{\"closes\":[");
        }
        let newer = usize::try_from(ended(gate) - self.below).unwrap_or(usize::MAX);
        for death in gate.deaths().skip(newer) {
            if self.rows_left == 0 {
                break;
            }
            if *budget == 0 || out.len() >= room {
                return Left::More;
            }
            *budget -= 1;
            self.below -= 1;
            if !self.wants(death) {
                continue;
            }
            if std::mem::replace(&mut self.has_rows, true) {
                out.extend_from_slice(b",\n");
            }
            self.rows_left -= 1;
            push(&row(gate, facts, death), out);
        }
        out.extend_from_slice(b"]}\n");
        Left::Nothing
    }
}

fn row<'a>(gate: &'a Gate, facts: &Facts, death: &'a Death) -> Row<'a> {
    let millis = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Row {
        at: facts.point(death.ended),
        connection: death.conn.to_u64(),
        user: death.user.as_deref(),
        address: death.peer.to_string(),
        listener: gate.listener_name(death.listener),
        reason: death.reason.word(),
        by: death.by.word(),
        detail: death.detail.map(EndDetail::word),
        age_s: death.age.as_secs(),
        silent_ms: millis(death.silent),
        unsent_ms: millis(death.unsent),
        bytes_in: death.bytes_in,
        bytes_out: death.bytes_out,
        frames_in: death.frames_in,
        frames_out: death.frames_out,
        outbox: death.waiting,
    }
}
