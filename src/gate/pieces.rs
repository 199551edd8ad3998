//! The frozen part of an outbox: pieces to which nothing is appended any more.
//!
//! A piece belongs to this outbox alone, which then pays for its memory, or is held by others as
//! well and paid for by a charge of its own.

use std::collections::{TryReserveError, VecDeque};

use bytes::Bytes;

/// Bytes that nothing is appended to any more.
#[derive(Debug)]
pub(crate) enum Piece {
    Own(Vec<u8>),
    Shared(Bytes),
}

const _: () = assert!(size_of::<Piece>() == size_of::<Bytes>());

/// Pieces in order.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    queue: VecDeque<Piece>,
    /// Memory of those that are our own.
    owned: usize,
}

impl Piece {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Memory that goes with it.
    fn owned(&self) -> usize {
        match self {
            Self::Own(bytes) => bytes.capacity(),
            Self::Shared(_) => 0,
        }
    }
}

impl Pieces {
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn front(&self) -> Option<&Piece> {
        self.queue.front()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.queue.iter().map(Piece::bytes)
    }

    /// Makes room for so many more.
    pub(crate) fn reserve(&mut self, more: usize) -> Result<(), TryReserveError> {
        self.queue.try_reserve(more)
    }

    pub(crate) fn push_back(&mut self, piece: Piece) {
        self.owned += piece.owned();
        self.queue.push_back(piece);
    }

    pub(crate) fn pop_front(&mut self) -> Option<Piece> {
        let piece = self.queue.pop_front()?;
        self.owned -= piece.owned();
        Some(piece)
    }

    pub(crate) fn pop_back(&mut self) -> Option<Piece> {
        let piece = self.queue.pop_back()?;
        self.owned -= piece.owned();
        Some(piece)
    }

    /// Memory that goes with them, without shared bytes.
    pub(crate) fn cost(&self) -> usize {
        self.owned + self.queue.capacity() * size_of::<Piece>()
    }

    /// Forgets all, and the room for them where there is more than for `spare`.
    pub(crate) fn recycle(&mut self, spare: usize) {
        self.owned = 0;
        self.queue.clear();
        if self.queue.capacity() > spare {
            self.queue = VecDeque::new();
        }
    }

    /// Full sweep: what is our own is counted, and no piece is empty.
    pub(crate) fn check(&self) {
        let owned: usize = self.queue.iter().map(Piece::owned).sum();
        assert_eq!(self.owned, owned, "own pieces are counted");
        assert!(self.iter().all(|piece| !piece.is_empty()), "no empty piece");
    }
}
