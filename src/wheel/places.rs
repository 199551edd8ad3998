//! Lists of keys in chunks of a cache line, all from one pool.
//!
//! Knows nothing of time but the tick that each chunk is marked with. Appending touches the last
//! chunk of a list only, taking one key the first one; hanging a whole list onto another touches
//! one chunk of it. A chunk is 64 bytes for 13 keys; a list that holds one key has a whole chunk.

use crate::time::Tick;

/// Keys in a chunk.
const CHUNK_KEYS: usize = 13;

/// No chunk.
const NIL: u32 = u32::MAX;

/// The first and the last chunk of a list; both or neither are `NIL`.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    head: u32,
    tail: u32,
}

/// Some keys of one tick.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Chunk {
    next: u32,
    tick: Tick,
    len: u32,
    keys: [u32; CHUNK_KEYS],
}

const _: () = assert!(size_of::<Chunk>() == 64);

/// The pool of chunks.
#[derive(Debug)]
pub(super) struct Places {
    chunks: Vec<Chunk>,
    /// Chunks that are in no list, linked by `next`.
    free: u32,
    /// Keys in all lists.
    len: usize,
}

impl List {
    pub(super) const EMPTY: Self = Self {
        head: NIL,
        tail: NIL,
    };

    pub(super) fn is_empty(&self) -> bool {
        self.head == NIL
    }
}

impl Places {
    /// A pool with room for so many keys in `lists` lists, each with a chunk that is nearly empty.
    pub(super) fn new(keys: usize, lists: usize) -> Self {
        Self {
            chunks: Vec::with_capacity(keys.div_ceil(CHUNK_KEYS) + lists),
            free: NIL,
            len: 0,
        }
    }

    /// Keys in all lists.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Forgets every list that was made from it.
    pub(super) fn clear(&mut self) {
        self.chunks.clear();
        self.free = NIL;
        self.len = 0;
    }

    /// Appends `key` to the list, in a chunk that is marked with `tick`.
    pub(super) fn append(&mut self, list: &mut List, key: u32, tick: Tick) {
        self.len += 1;
        if let Some(chunk) = self.chunks.get_mut(list.tail as usize)
            && chunk.tick == tick
            && let Some(place) = chunk.keys.get_mut(chunk.len as usize)
        {
            *place = key;
            chunk.len += 1;
            return;
        }
        let fresh = self.make(key, tick);
        self.join(
            list,
            List {
                head: fresh,
                tail: fresh,
            },
        );
    }

    /// Hangs all of `rest` onto the end of `list`.
    pub(super) fn join(&mut self, list: &mut List, rest: List) {
        if list.is_empty() {
            *list = rest;
        } else if !rest.is_empty() {
            self.chunks[list.tail as usize].next = rest.head;
            list.tail = rest.tail;
        }
    }

    /// The tick that the first chunk is marked with.
    pub(super) fn first_tick(&self, list: &List) -> Option<Tick> {
        self.chunks.get(list.head as usize).map(|chunk| chunk.tick)
    }

    /// Takes the key at `at` of the first chunk, and moves `at` on; gives the chunk back with its
    /// last key.
    pub(super) fn take(&mut self, list: &mut List, at: &mut u32) -> Option<(u32, Tick)> {
        let head = list.head;
        let chunk = self.chunks.get_mut(head as usize)?;
        let (key, tick) = (chunk.keys[*at as usize], chunk.tick);
        *at += 1;
        self.len -= 1;
        if *at == chunk.len {
            *at = 0;
            list.head = chunk.next;
            chunk.next = self.free;
            self.free = head;
            if list.is_empty() {
                list.tail = NIL;
            }
        }
        Some((key, tick))
    }

    /// The keys of a list with their ticks, from place `at` of its first chunk on.
    pub(super) fn iter(&self, list: List, at: u32) -> impl Iterator<Item = (u32, Tick)> {
        let mut next = list.head;
        let chunks = std::iter::from_fn(move || {
            let chunk = self.chunks.get(next as usize)?;
            next = chunk.next;
            Some(chunk)
        });
        let keys = chunks.flat_map(|chunk| {
            let keys = &chunk.keys[..chunk.len as usize];
            keys.iter().map(|&key| (key, chunk.tick))
        });
        keys.skip(at as usize)
    }

    /// A chunk with one key.
    fn make(&mut self, key: u32, tick: Tick) -> u32 {
        let mut chunk = Chunk {
            next: NIL,
            tick,
            len: 1,
            keys: [0; CHUNK_KEYS],
        };
        chunk.keys[0] = key;
        let index = self.free;
        if let Some(old) = self.chunks.get_mut(index as usize) {
            self.free = old.next;
            *old = chunk;
            return index;
        }
        self.chunks.push(chunk);
        u32::try_from(self.chunks.len() - 1).expect("fewer chunks than keys")
    }
}
