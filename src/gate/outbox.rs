//! What waits to be written to one connection.
//!
//! Knows no socket. Small frames are copied one behind the other, large ones that many connections
//! share are held by reference. A position counts the bytes ever appended, so that "has this
//! message left?" is a comparison with the bytes the socket took.
//!
//! - `len` equals the bytes of all pieces minus what was written of the first.
//! - Marks tell since when bytes wait; they are kept only while the socket does not take all, one
//!   for each 8 ms in which something was appended.

use std::collections::{TryReserveError, VecDeque};
use std::io::IoSlice;

use bytes::Bytes;

use super::pieces::{Piece, Pieces};
use crate::time::{Span, Tick};

/// Frames up to this size are copied rather than shared.
pub(crate) const COPY_MAX: usize = 512;
/// Pieces handed to one vectored write.
pub(crate) const SLICES_MAX: usize = 64;
/// A spare outbox keeps a buffer of at most this size.
const SPARE_MAX: usize = 4_096;
/// And room for so many pieces and marks.
const SPARE_PIECES: usize = 16;
/// Appends within so many ticks share a mark.
const MARK_TICKS: u32 = 4;

/// Output that waits.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Frozen pieces, in order.
    pieces: Pieces,
    /// What was appended since, in own bytes.
    tail: Vec<u8>,
    /// Written bytes of the first piece, or of the tail where there is no piece.
    head: usize,
    len: usize,
    marks: VecDeque<Mark>,
    /// The last time the socket took bytes, or was found full; while blocked.
    pub(crate) stuck_since: Tick,
    /// Since when there is more than the soft limit.
    pub(crate) soft_since: Option<Tick>,
}

/// The bytes up to `end` (a position, wrapping) were appended by `tick`.
#[derive(Clone, Copy, Debug)]
struct Mark {
    end: u32,
    tick: Tick,
}

impl Outbox {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Memory it holds of its own: buffers, references and marks; shared bytes are not in it.
    pub(crate) fn cost(&self) -> usize {
        self.tail.capacity()
            + self.pieces.cost()
            + self.marks.capacity() * size_of::<Mark>()
            + size_of::<Self>()
    }

    /// Lets `write` append up to `room` bytes to the own ones; returns what it returned.
    ///
    /// # Errors
    /// Where there is no memory for them.
    #[inline]
    pub(crate) fn append<R>(
        &mut self,
        room: usize,
        write: impl FnOnce(&mut Vec<u8>) -> R,
    ) -> Result<R, TryReserveError> {
        self.tail.try_reserve(room)?;
        let before = self.tail.len();
        let result = write(&mut self.tail);
        self.len += self.tail.len() - before;
        Ok(result)
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// Where there is no memory for them.
    #[inline]
    pub(crate) fn copy(&mut self, bytes: &[u8]) -> Result<(), TryReserveError> {
        self.append(bytes.len(), |tail| tail.extend_from_slice(bytes))
    }

    /// Appends a frame that others may hold as well.
    ///
    /// # Errors
    /// Where there is no memory for it.
    pub(crate) fn share(&mut self, frame: &Bytes) -> Result<(), TryReserveError> {
        if frame.len() <= COPY_MAX {
            return self.copy(frame);
        }
        self.pieces.reserve(2)?;
        self.freeze();
        self.pieces.push_back(Piece::Shared(frame.clone()));
        self.len += frame.len();
        Ok(())
    }

    /// Takes back what was appended last, down to `len` bytes waiting.
    ///
    /// # Panics
    /// Where more than the last append is to be taken back.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "positions are compared by distance"
    )]
    pub(crate) fn retract(&mut self, len: usize) {
        let surplus = self.len - len;
        // Where there are marks, the last one ends with the last append.
        if let Some(last) = self.marks.back_mut() {
            last.end = last.end.wrapping_sub(surplus as u32);
        }
        if self.tail.is_empty() {
            let piece = self.pieces.pop_back().expect("something was appended");
            assert_eq!(piece.len(), surplus, "only the last append is taken back");
        } else {
            self.tail.truncate(self.tail.len() - surplus);
        }
        self.len = len;
    }

    /// Makes the own bytes a piece, so that something can follow them.
    fn freeze(&mut self) {
        if !self.tail.is_empty() {
            let own = std::mem::take(&mut self.tail);
            self.pieces.push_back(Piece::Own(own));
        }
    }

    /// What waits, where it is one piece: the usual case.
    pub(crate) fn only(&self) -> Option<&[u8]> {
        match (self.pieces.len(), self.tail.is_empty()) {
            (0, _) => Some(&self.tail[self.head..]),
            (1, true) => self.pieces.front().map(|piece| &piece.bytes()[self.head..]),
            _ => None,
        }
    }

    /// The first pieces, for a vectored write. Returns how many of `slices` were filled.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES_MAX]) -> usize {
        let mut count = 0;
        let mut skip = self.head;
        for piece in self.pieces.iter().chain([&self.tail[..]]) {
            if count == SLICES_MAX || piece.len() == skip {
                break;
            }
            slices[count] = IoSlice::new(&piece[skip..]);
            count += 1;
            skip = 0;
        }
        count
    }

    /// Forgets the first `written` bytes.
    pub(crate) fn advance(&mut self, written: usize) {
        assert!(written <= self.len, "no more was written than there was");
        self.len -= written;
        self.head += written;
        while let Some(first) = self.pieces.front() {
            if self.head < first.len() {
                return;
            }
            self.head -= first.len();
            self.pieces.pop_front();
        }
        if self.head == self.tail.len() {
            self.tail.clear();
            self.head = 0;
        } else if self.head >= SPARE_MAX && self.head >= self.tail.len() / 2 {
            // A reader that never quite catches up must not make the buffer grow for ever.
            self.tail.drain(..self.head);
            self.head = 0;
        }
    }

    /// Notes that the bytes up to position `end` wait since `now`.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "positions are compared by distance"
    )]
    pub(crate) fn mark(&mut self, end: u64, now: Tick) {
        let end = end as u32;
        if let Some(last) = self.marks.back_mut()
            && now.since(last.tick) < Span(MARK_TICKS)
        {
            last.end = end;
            return;
        }
        self.marks.push_back(Mark { end, tick: now });
    }

    /// Forgets the marks of bytes up to position `written`.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "positions are compared by distance"
    )]
    pub(crate) fn unmark(&mut self, written: u64) {
        let written = written as u32;
        while self
            .marks
            .front()
            .is_some_and(|mark| written.wrapping_sub(mark.end) < 1 << 31)
        {
            self.marks.pop_front();
        }
    }

    /// Nothing of it counts as older than `oldest`.
    pub(crate) fn age(&mut self, oldest: Tick) {
        let marks = self.marks.iter_mut().map(|mark| &mut mark.tick);
        let since = [&mut self.stuck_since].into_iter();
        for stamp in since.chain(&mut self.soft_since).chain(marks) {
            if stamp.is_before(oldest) {
                *stamp = oldest;
            }
        }
    }

    /// By when the oldest waiting byte had been appended for sure; late by at most 8 ms.
    pub(crate) fn oldest(&self) -> Option<Tick> {
        self.marks
            .front()
            .map(|mark| mark.tick.after(Span(MARK_TICKS - 1)))
    }

    /// Empties it for the next connection that needs one.
    pub(crate) fn recycle(&mut self) {
        self.tail.clear();
        self.pieces.recycle(SPARE_PIECES);
        if !self.marks.is_empty() {
            self.marks.clear();
        }
        if self.tail.capacity() > SPARE_MAX {
            self.tail = Vec::new();
        }
        if self.marks.capacity() > SPARE_PIECES {
            self.marks = VecDeque::new();
        }
        self.head = 0;
        self.len = 0;
        self.soft_since = None;
    }

    /// Full sweep: the length equals the pieces.
    pub(crate) fn check(&self) {
        let held = self.pieces.iter().map(<[u8]>::len).sum::<usize>() + self.tail.len();
        assert_eq!(
            self.len,
            held - self.head,
            "an outbox's length equals its pieces"
        );
        self.pieces.check();
    }

    /// Most memory that a spare one holds.
    pub(crate) const fn spare_max() -> usize {
        SPARE_MAX + SPARE_PIECES * (size_of::<Piece>() + size_of::<Mark>()) + size_of::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_back_leaves_no_age_behind() {
        let mut outbox = Outbox::default();
        let append = |outbox: &mut Outbox, bytes: usize, tick: u32| {
            outbox.copy(&vec![b'x'; bytes]).expect("there is memory");
            outbox.mark(outbox.len() as u64, Tick(tick));
        };
        append(&mut outbox, 100, 0);
        append(&mut outbox, 50, 1_000);
        outbox.retract(100);
        append(&mut outbox, 20, 9_000);
        outbox.advance(100);
        outbox.unmark(100);
        // Of the twenty bytes that wait none is older than their append.
        assert_eq!(outbox.oldest(), Some(Tick(9_000 + MARK_TICKS - 1)));
    }
}
