//! A table of sources: found by what identifies them, those without a connection in a list.

use std::hash::Hasher;

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use super::super::bucket::Price;
use super::super::conn::NONE;
use crate::time::Tick;

/// An address, or the name of a user.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    id: u64,
    /// Since when the debts are what they are (real clock).
    stamp: Tick,
    /// Owed for newcomers.
    pub(super) accepts: u32,
    /// Owed for logins.
    logins: u32,
    pub(super) conns: u32,
    /// Neighbours in the list of those without a connection; in one that is free, the next free.
    older: u32,
    newer: u32,
}

const _: () = assert!(size_of::<Source>() == 32);

impl Source {
    fn settle(&mut self, accepts: Option<Price>, logins: Option<Price>, now: Tick) {
        let passed = now.since(self.stamp);
        let left = |price: Option<Price>, debt| price.map_or(0, |price| price.settle(debt, passed));
        self.accepts = left(accepts, self.accepts);
        self.logins = left(logins, self.logins);
        self.stamp = now;
    }
}

/// Sources by what identifies them.
#[derive(Debug)]
pub(super) struct Table {
    index: HashTable<u32>,
    pub(super) entries: Vec<Source>,
    key: (u64, u64),
    free: u32,
    /// Those without a connection, in the order of when they were heard of.
    oldest: u32,
    newest: u32,
    pub(super) idle: u32,
    idle_max: u32,
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "entries are bounded by limits of type u32"
)]
impl Table {
    /// Room for `live` sources with connections and `idle_max` others; what is not used costs
    /// address space only.
    pub(super) fn new(key: (u64, u64), live: usize, idle_max: u32) -> Self {
        let room = live + idle_max as usize;
        Self {
            index: HashTable::with_capacity(room),
            entries: Vec::with_capacity(room),
            key,
            free: NONE,
            oldest: NONE,
            newest: NONE,
            idle: 0,
            idle_max,
        }
    }

    pub(super) fn find(&self, id: u64) -> Option<u32> {
        let entries = &self.entries;
        let found = self.index.find(hash_id(self.key, id), |&place| {
            entries[place as usize].id == id
        });
        found.copied()
    }

    /// The source's entry, made where there is none, as the latest of those without a connection.
    pub(super) fn find_or_make(&mut self, id: u64, now: Tick) -> u32 {
        if let Some(place) = self.find(id) {
            if self.entries[place as usize].conns == 0 {
                self.unlink(place);
                self.link(place);
            }
            return place;
        }
        if self.idle >= self.idle_max.max(1) {
            self.forget(self.oldest);
        }
        let source = Source {
            id,
            stamp: now,
            accepts: 0,
            logins: 0,
            conns: 0,
            older: NONE,
            newer: NONE,
        };
        let place = match self.free {
            NONE => {
                self.entries.push(source);
                self.entries.len() as u32 - 1
            }
            place => {
                self.free = std::mem::replace(&mut self.entries[place as usize], source).newer;
                place
            }
        };
        let (key, entries) = (self.key, &self.entries);
        self.index.insert_unique(hash_id(key, id), place, |&other| {
            hash_id(key, entries[other as usize].id)
        });
        self.link(place);
        place
    }

    /// One more connection: how many there are now.
    pub(super) fn enter(&mut self, place: u32) -> u32 {
        if self.entries[place as usize].conns == 0 {
            self.unlink(place);
        }
        let source = &mut self.entries[place as usize];
        source.conns += 1;
        source.conns
    }

    /// One connection less. Who owes nothing is forgotten with its last.
    pub(super) fn leave(&mut self, id: u64) {
        let place = self.find(id).expect("who has connections is in the table");
        let source = &mut self.entries[place as usize];
        source.conns -= 1;
        if source.conns > 0 {
            return;
        }
        let owes = source.accepts > 0 || source.logins > 0;
        self.link(place);
        if !owes || self.idle > self.idle_max {
            self.forget(if owes { self.oldest } else { place });
        }
    }

    /// Forgets a source without connections.
    fn forget(&mut self, place: u32) {
        self.unlink(place);
        let id = self.entries[place as usize].id;
        let found = self
            .index
            .find_entry(hash_id(self.key, id), |&other| other == place);
        found.expect("every entry is in the index").remove();
        self.entries[place as usize].newer = self.free;
        self.free = place;
    }

    fn link(&mut self, place: u32) {
        let older = std::mem::replace(&mut self.newest, place);
        match older {
            NONE => self.oldest = place,
            _ => self.entries[older as usize].newer = place,
        }
        let source = &mut self.entries[place as usize];
        (source.older, source.newer) = (older, NONE);
        self.idle += 1;
    }

    fn unlink(&mut self, place: u32) {
        let Source { older, newer, .. } = self.entries[place as usize];
        match older {
            NONE => self.oldest = newer,
            _ => self.entries[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            _ => self.entries[newer as usize].older = older,
        }
        self.idle -= 1;
    }

    /// Lets time pay the debts of a source.
    pub(super) fn settle(
        &mut self,
        place: u32,
        accepts: Option<Price>,
        logins: Option<Price>,
        now: Tick,
    ) {
        self.entries[place as usize].settle(accepts, logins, now);
    }

    /// What all of them owe at the prices of before, or what is left of it, is owed at others.
    pub(super) fn reprice(
        &mut self,
        accepts: [Option<Price>; 2],
        logins: [Option<Price>; 2],
        now: Tick,
    ) {
        for source in &mut self.entries {
            source.settle(accepts[0], logins[0], now);
            source.accepts = Price::carry(accepts, source.accepts);
            source.logins = Price::carry(logins, source.logins);
        }
    }

    /// Whether a login of this source may be tried.
    pub(super) fn log_in(
        &mut self,
        id: u64,
        accepts: Option<Price>,
        price: Price,
        now: Tick,
    ) -> bool {
        let place = self.find_or_make(id, now);
        self.settle(place, accepts, Some(price), now);
        let source = &mut self.entries[place as usize];
        let debt = price.take(source.logins);
        source.logins = debt.unwrap_or(source.logins);
        debt.is_some()
    }

    /// Forgets those at the old end of the list that owe nothing any more.
    pub(super) fn trim(&mut self, accepts: Option<Price>, logins: Option<Price>, now: Tick) {
        for _ in 0..2 {
            if self.oldest == NONE {
                return;
            }
            self.settle(self.oldest, accepts, logins, now);
            let source = self.entries[self.oldest as usize];
            if source.accepts > 0 || source.logins > 0 {
                return;
            }
            self.forget(self.oldest);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Full sweep: index, entries and the list of the idle agree; how many connections there are.
    pub(super) fn check(&self) -> u64 {
        let (mut listed, mut place, mut older) = (0, self.oldest, NONE);
        while place != NONE {
            let source = &self.entries[place as usize];
            assert_eq!(
                (source.older, source.conns),
                (older, 0),
                "the idle are linked"
            );
            (older, place) = (place, source.newer);
            listed += 1;
        }
        assert_eq!(
            (listed, older),
            (self.idle, self.newest),
            "all the idle are listed"
        );
        assert!(
            self.idle <= self.idle_max.max(1),
            "sources stay under their bound"
        );
        let used = self
            .index
            .iter()
            .map(|&place| &self.entries[place as usize]);
        let (mut conns, mut idle) = (0, 0);
        for source in used {
            assert!(self.find(source.id).is_some(), "found by its id");
            conns += u64::from(source.conns);
            idle += u32::from(source.conns == 0);
        }
        assert_eq!(idle, self.idle, "the idle are counted");
        conns
    }
}

fn hash_id(key: (u64, u64), id: u64) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(key.0, key.1);
    hasher.write_u64(id);
    hasher.finish()
}
