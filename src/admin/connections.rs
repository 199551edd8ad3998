//! `GET /v1/connections`: a page of connections, in the order that is asked for.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::desk::Facts;
use super::page::{Page, Table, push, rows_of};
use crate::gate::Gate;
use crate::gate::conn::NONE;
use crate::id::ConnId;
use crate::time::Tick;

/// What connections are ordered by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sort {
    Id,
    Opened,
    LastIn,
    LastOut,
    BytesIn,
    BytesOut,
    FramesIn,
    FramesOut,
    Rate,
    Outbox,
}

const SORTS: [(&str, Sort); 10] = [
    ("id", Sort::Id),
    ("opened", Sort::Opened),
    ("last_in", Sort::LastIn),
    ("last_out", Sort::LastOut),
    ("bytes_in", Sort::BytesIn),
    ("bytes_out", Sort::BytesOut),
    ("frames_in", Sort::FramesIn),
    ("frames_out", Sort::FramesOut),
    ("frames_per_second", Sort::Rate),
    ("outbox", Sort::Outbox),
];

/// Open connections. A key is what they are ordered by, turned so that what is asked for comes
/// first, and the id.
#[derive(Debug)]
pub(crate) struct Connections {
    sort: Sort,
}

#[derive(Serialize)]
pub(crate) struct Row<'a> {
    id: u64,
    user: Option<&'a str>,
    address: String,
    listener: &'a str,
    opened: u64,
    last_in: u64,
    last_out: u64,
    bytes_in: u64,
    bytes_out: u64,
    frames_in: u64,
    frames_out: u64,
    /// Received, lately.
    frames_per_second: f64,
    /// Of the last whole interval; null where no listener's limit has them counted.
    frames_per_interval: Option<u32>,
    /// Received in this one so far.
    bytes_in_interval: Option<u32>,
    outbox: usize,
}

/// A page of connections.
pub(crate) fn connections(ask: &Ask<'_>, facts: &Facts) -> Result<Answer, Refusal> {
    ask.only(&["limit", "after", "sort"])?;
    let word = ask.parameter("sort").unwrap_or("id");
    let Some((_, sort)) = SORTS.into_iter().find(|(known, _)| *known == word) else {
        let words = SORTS.map(|(word, _)| word).join(", ");
        return Err(Refusal::bad_request(format!("sort: one of {words}")));
    };
    let after = ask.parameter("after").map(|text| cursor(sort, text));
    let after = after.transpose()?;
    let page = Page::new(Connections { sort }, after, rows_of(ask, facts)?);
    Ok(Answer::Work(Box::new(page)))
}

/// Where a page begins: an id, or what the page before told.
fn cursor(sort: Sort, text: &str) -> Result<(u64, u64), Refusal> {
    let number = |text: &str| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>().ok().filter(|_| is_plain)
    };
    let found = match sort {
        Sort::Id => number(text).map(|id| (0, id)),
        _ => text
            .split_once('-')
            .and_then(|(key, id)| Some((number(key)?, number(id)?))),
    };
    found.ok_or_else(|| Refusal::bad_request("after: what the page before calls next"))
}

impl Table for Connections {
    type Key = (u64, u64);

    const ROWS: &'static str = "connections";

    fn slots(&self, gate: &Gate) -> u32 {
        gate.conns.len()
    }

    fn key(&self, gate: &Gate, slot: u32) -> Option<Self::Key> {
        let conn = gate.conns.at(slot);
        if !conn.is_open() {
            return None;
        }
        let id = gate.conns.id(slot).to_u64();
        // What is largest comes first, and what was longest ago: as a point in time, so that no
        // key moves while the pages are told.
        let since = |tick: Tick| {
            let ago = gate.clock.live().since(tick).duration();
            let at = gate.clock.lived().saturating_sub(ago).as_millis();
            u64::MAX - u64::try_from(at).unwrap_or(u64::MAX)
        };
        let first = match self.sort {
            Sort::Id => u64::MAX,
            Sort::Opened => u64::MAX - u64::from(conn.opened_seconds),
            Sort::LastIn => since(conn.last_in),
            Sort::LastOut => since(conn.last_out),
            Sort::BytesIn => conn.bytes_in,
            Sort::BytesOut => conn.bytes_out,
            Sort::FramesIn => conn.frames_in,
            Sort::FramesOut => conn.frames_out,
            Sort::Rate => gate.frame_rate(slot),
            Sort::Outbox => conn.waiting() as u64,
        };
        Some((u64::MAX - first, id))
    }

    fn tell(&self, gate: &Gate, facts: &Facts, key: &Self::Key, out: &mut Vec<u8>) -> bool {
        let found = ConnId::from_u64(key.1).and_then(|conn| gate.conns.find_open(conn));
        found.is_some_and(|slot| push(&row(gate, facts, slot), out))
    }

    fn cursor(&self, key: &Self::Key) -> Value {
        match self.sort {
            Sort::Id => Value::from(key.1),
            _ => Value::from(format!("{}-{}", key.0, key.1)),
        }
    }

    fn total(&self, gate: &Gate) -> usize {
        gate.connections() as usize
    }
}

/// What is told of a connection; times in milliseconds since 1970.
pub(crate) fn row<'a>(gate: &'a Gate, facts: &Facts, slot: u32) -> Row<'a> {
    let conn = gate.conns.at(slot);
    // In whole ticks, so that the same tick is always the same point.
    let now = gate.clock.lived() + gate.stalled();
    let when = |tick: Tick| {
        let ago = gate.clock.live().since(tick).duration();
        facts.point(now.saturating_sub(ago))
    };
    let interval = gate.interval(slot);
    Row {
        id: gate.conns.id(slot).to_u64(),
        user: (conn.user != NONE).then(|| gate.user_at(conn.user)),
        address: conn.peer().to_string(),
        listener: &gate.rules_of(slot).settings.name,
        opened: facts.point(Duration::from_secs(conn.opened_seconds.into())),
        last_in: when(conn.last_in),
        last_out: when(conn.last_out),
        bytes_in: conn.bytes_in,
        bytes_out: conn.bytes_out,
        frames_in: conn.frames_in,
        frames_out: conn.frames_out,
        frames_per_second: thousandths(gate.frame_rate(slot)),
        frames_per_interval: interval.map(|(frames, _)| frames),
        bytes_in_interval: interval.map(|(_, bytes)| bytes),
        outbox: conn.waiting(),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate of more than 2^52 is not one"
)]
fn thousandths(number: u64) -> f64 {
    number as f64 / 1_000.0
}
