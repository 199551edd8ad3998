//! Pages of long tables: selected and told in slices.
//!
//! A page is the first so many keys behind the last page's, in order: whatever comes and goes
//! meanwhile, who stays is told once. To find them a table is looked through in slices, keeping no
//! more keys than the page has rows; then its rows are written as the socket takes them. A row
//! that is gone by then is left out.

use std::collections::BinaryHeap;
use std::fmt::Debug;
use std::vec::IntoIter;

use serde::Serialize;

use super::answer::{Refusal, to_json};
use super::ask::Ask;
use super::desk::Facts;
use super::work::{Left, Work};
use crate::gate::Gate;

/// A table that can be told in pages.
pub(crate) trait Table: Debug + Send {
    /// What the rows are ordered by; each is there once.
    type Key: Ord + Clone + Debug + Send;

    /// What the rows are called.
    const ROWS: &'static str;

    /// Slots to look through.
    fn slots(&self, gate: &Gate) -> u32;
    /// The key of what is in a slot, unless that is no row.
    fn key(&self, gate: &Gate, slot: u32) -> Option<Self::Key>;
    /// Appends a row, where it is still there: whether it is.
    fn tell(&self, gate: &Gate, facts: &Facts, key: &Self::Key, out: &mut Vec<u8>) -> bool;
    /// What the next page is asked for with.
    fn cursor(&self, key: &Self::Key) -> serde_json::Value;
    /// How many rows there are on all pages.
    fn total(&self, gate: &Gate) -> usize;
    /// What stands before the rows: nothing, or fields that end with a comma.
    fn preface(&self) -> Vec<u8> {
        Vec::new()
    }
}

/// A page in the making.
#[derive(Debug)]
pub(crate) struct Page<T: Table> {
    table: T,
    after: Option<T::Key>,
    rows_max: usize,
    stage: Stage<T::Key>,
    has_rows: bool,
    next: serde_json::Value,
}

#[derive(Debug)]
enum Stage<K> {
    /// Slots below were looked at; the keys of the page so far, and one more.
    Selects(u32, BinaryHeap<K>),
    Tells(IntoIter<K>),
    Ended,
}

/// Slots looked at for one row's share of a turn.
const SLOTS_A_ROW: u32 = 8;

impl<T: Table> Page<T> {
    pub(crate) fn new(table: T, after: Option<T::Key>, rows_max: usize) -> Self {
        Self {
            table,
            after,
            rows_max,
            stage: Stage::Selects(0, BinaryHeap::new()),
            has_rows: false,
            next: serde_json::Value::Null,
        }
    }

    /// Looks through more slots; whether all were.
    fn select(&mut self, gate: &Gate, budget: &mut u32) -> bool {
        let Stage::Selects(slot, keys) = &mut self.stage else {
            return true;
        };
        let slots = self.table.slots(gate);
        while *budget > 0 && *slot < slots {
            *budget -= 1;
            let end = slots.min(slot.saturating_add(SLOTS_A_ROW));
            for slot in *slot..end {
                let Some(key) = self.table.key(gate, slot) else {
                    continue;
                };
                let is_behind = self.after.as_ref().is_none_or(|after| *after < key);
                let is_full = keys.len() > self.rows_max;
                if is_behind && (!is_full || keys.peek().is_some_and(|last| key < *last)) {
                    keys.push(key);
                    if is_full {
                        keys.pop();
                    }
                }
            }
            *slot = end;
        }
        *slot >= slots
    }

    /// All slots were looked at: the page begins.
    fn begin(&mut self, gate: &Gate, out: &mut Vec<u8>) {
        let Stage::Selects(_, keys) = std::mem::replace(&mut self.stage, Stage::Ended) else {
            return;
        };
        let mut keys = keys.into_sorted_vec();
        if keys.len() > self.rows_max {
            keys.truncate(self.rows_max);
            let last = keys.last();
            self.next = last.map_or(serde_json::Value::Null, |last| self.table.cursor(last));
        }
        out.push(b'{');
        out.extend_from_slice(&self.table.preface());
        let head = format!("\"total\":{},\"{}\":[", self.table.total(gate), T::ROWS);
        out.extend_from_slice(head.as_bytes());
        self.stage = Stage::Tells(keys.into_iter());
    }
}

impl<T: Table> Work for Page<T> {
    fn go_on(
        &mut self,
        gate: &mut Gate,
        facts: &Facts,
        budget: &mut u32,
        room: usize,
        out: &mut Vec<u8>,
    ) -> Left {
        if matches!(self.stage, Stage::Selects(..)) {
            if !self.select(gate, budget) {
                return Left::More;
            }
            self.begin(gate, out);
        }
        let Stage::Tells(keys) = &mut self.stage else {
            return Left::Nothing;
        };
        while *budget > 0 && out.len() < room {
            let Some(key) = keys.next() else {
                out.extend_from_slice(b"],\"next\":");
                out.extend_from_slice(&to_json(&self.next));
                out.extend_from_slice(b"}\n");
                self.stage = Stage::Ended;
                return Left::Nothing;
            };
            *budget -= 1;
            let before = out.len();
            if self.has_rows {
                out.extend_from_slice(b",\n");
            }
            if self.table.tell(gate, facts, &key, out) {
                self.has_rows = true;
            } else {
                out.truncate(before);
            }
        }
        Left::More
    }

    fn held(&self) -> usize {
        let keys = match &self.stage {
            Stage::Selects(_, keys) => keys.capacity(),
            Stage::Tells(keys) => keys.len(),
            Stage::Ended => 0,
        };
        keys * size_of::<T::Key>()
    }
}

/// How many rows a request wants.
pub(crate) fn rows_of(ask: &Ask<'_>, facts: &Facts) -> Result<usize, Refusal> {
    let wanted = ask.number::<u64>("limit")?;
    if wanted == Some(0) {
        return Err(Refusal::bad_request("limit must be at least 1"));
    }
    let (usual, most) = (facts.limits.page, facts.limits.page_max);
    let rows = wanted.unwrap_or_else(|| usual.into()).min(most.into());
    Ok(usize::try_from(rows).unwrap_or(usize::MAX))
}

/// Appends a row.
pub(crate) fn push(row: &impl Serialize, out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(&to_json(row));
    true
}
