//! Whose outbox is the largest: asked only where the output budget is used up, and not by looking
//! at every connection each time.
//!
//! A heap of sizes that is made when it is first asked, grows with what is appended meanwhile, and
//! is forgotten when it is full. An entry may be out of date; it is put right when it comes up.
//! - An outbox that grows is noted again, so that the top is never too small.
//! - Making the heap costs a look at every connection, and is paid by as many entries or answers.

use std::collections::BinaryHeap;

use super::conn::Conns;
use crate::id::ConnId;

/// Sizes of outboxes, largest first; empty while nobody asks.
#[derive(Debug, Default)]
pub(crate) struct Largest(BinaryHeap<Entry>);

/// What waited for a connection, when it was noted.
type Entry = (usize, ConnId);

/// Entries beyond the connections that a heap is made for, so that small ones last, too.
const SPARE: usize = 64;

impl Largest {
    /// Bytes it holds at most, for each connection.
    pub(crate) const COST: usize = 2 * size_of::<Entry>();

    /// An outbox has grown to `waiting` bytes.
    pub(crate) fn note(&mut self, conn: ConnId, waiting: usize) {
        if self.0.is_empty() {
            return;
        }
        if self.0.len() == self.0.capacity() {
            self.0 = BinaryHeap::new();
        } else {
            self.0.push((waiting, conn));
        }
    }

    /// The connection with the largest outbox, which must be emptied before the next call.
    pub(crate) fn take(&mut self, conns: &Conns) -> Option<u32> {
        if self.0.is_empty() {
            self.fill(conns);
        }
        while let Some((noted, conn)) = self.0.pop() {
            let index = conns.find(conn);
            let waiting = index.map_or(0, |index| conns.at(index).waiting());
            if waiting == noted {
                return index;
            }
            if waiting > 0 {
                self.0.push((waiting, conn));
            }
        }
        None
    }

    fn fill(&mut self, conns: &Conns) {
        let waiting = conns.iter().filter(|(_, conn)| conn.outbox.is_some());
        let entry = |(index, conn): (u32, &super::conn::Conn)| (conn.waiting(), conns.id(index));
        let mut entries = Vec::with_capacity(2 * conns.live() as usize + SPARE);
        entries.extend(waiting.map(entry));
        self.0 = BinaryHeap::from(entries);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

    use super::*;

    fn scan(conns: &Conns) -> usize {
        let sizes = conns.iter().map(|(_, conn)| conn.waiting());
        sizes.max().unwrap_or(0)
    }

    fn append(conns: &mut Conns, largest: &mut Largest, index: u32, bytes: usize) {
        let outbox = conns.at_mut(index).outbox.get_or_insert_default();
        outbox.copy(&vec![b'x'; bytes]).expect("there is memory");
        let waiting = outbox.len();
        largest.note(conns.id(index), waiting);
    }

    fn write(conns: &mut Conns, index: u32, bytes: usize) {
        let conn = conns.at_mut(index);
        if let Some(mut outbox) = conn.outbox.take() {
            outbox.advance(bytes.min(outbox.len()));
            conn.outbox = (!outbox.is_empty()).then_some(outbox);
        }
    }

    proptest! {
        #[test]
        fn it_is_always_the_one_that_a_look_at_all_would_find(
            steps in prop::collection::vec((0..3_u8, 0..12_u32, 1..9_usize), 1..400),
        ) {
            let mut conns = Conns::new(12);
            for index in 0..12 {
                conns.open(index, SocketAddr::from(([127, 0, 0, 1], 1)));
            }
            let mut largest = Largest::default();
            for (step, index, bytes) in steps {
                match step {
                    0 => append(&mut conns, &mut largest, index, bytes),
                    1 => write(&mut conns, index, bytes),
                    _ => {
                        let size = scan(&conns);
                        let taken = largest.take(&conns);
                        prop_assert_eq!(taken.is_some(), size > 0);
                        if let Some(taken) = taken {
                            prop_assert_eq!(conns.at(taken).waiting(), size);
                            conns.at_mut(taken).outbox = None;
                        }
                    }
                }
            }
        }
    }
}
