//! Who listens to what: topics by name, each with its members.
//!
//! A topic exists while it has members. A member knows its place in the topic's list, so that
//! leaving costs one swap.

use hashbrown::HashTable;
use slab::Slab;
use smol_str::SmolStr;

use super::conn::{Conns, Membership};
use super::users::hash;

/// A topic with at least one member.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: SmolStr,
    /// Told apart from an earlier topic in the same entry.
    pub(crate) serial: u64,
    members: Vec<u32>,
}

/// All topics.
#[derive(Debug)]
pub(crate) struct Topics {
    names: HashTable<u32>,
    entries: Slab<Topic>,
    key: (u64, u64),
    made: u64,
    /// Memberships in all.
    joined: u64,
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "entries are bounded by limits of type u32"
)]
impl Topics {
    pub(crate) fn new(key: (u64, u64)) -> Self {
        Self {
            names: HashTable::new(),
            entries: Slab::new(),
            key,
            made: 0,
            joined: 0,
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        let entries = &self.entries;
        self.names
            .find(hash(self.key, name), |&topic| {
                entries[topic as usize].name == name
            })
            .copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Memberships in all topics.
    pub(crate) fn joined(&self) -> u64 {
        self.joined
    }

    /// What is in a slot.
    pub(crate) fn get(&self, slot: u32) -> Option<&Topic> {
        self.entries.get(slot as usize)
    }

    /// Slots; every one in use is below.
    pub(crate) fn slots(&self) -> usize {
        self.entries.capacity()
    }

    pub(crate) fn at(&self, topic: u32) -> &Topic {
        &self.entries[topic as usize]
    }

    pub(crate) fn members(&self, topic: u32) -> &[u32] {
        &self.entries[topic as usize].members
    }

    /// Makes `conn` a member; it must not be one yet.
    pub(crate) fn join(&mut self, conns: &mut Conns, name: &str, conn: u32) {
        let topic = self.find(name).unwrap_or_else(|| self.make(name));
        let members = &mut self.entries[topic as usize].members;
        let place = members.len() as u32;
        members.push(conn);
        self.joined += 1;
        conns
            .at_mut(conn)
            .extra()
            .topics
            .push(Membership { topic, place });
    }

    fn make(&mut self, name: &str) -> u32 {
        self.made += 1;
        let serial = self.made;
        let topic = Topic {
            name: SmolStr::new(name),
            serial,
            members: Vec::new(),
        };
        let topic = self.entries.insert(topic) as u32;
        let (key, entries) = (self.key, &self.entries);
        self.names.insert_unique(hash(key, name), topic, |&other| {
            hash(key, &entries[other as usize].name)
        });
        topic
    }

    /// Ends the membership of `conn` in `topic`; whether it was a member.
    pub(crate) fn leave(&mut self, conns: &mut Conns, topic: u32, conn: u32) -> bool {
        let held = conns
            .at(conn)
            .topics()
            .iter()
            .position(|held| held.topic == topic);
        let Some(held) = held else { return false };
        let place = conns.at_mut(conn).extra().topics.swap_remove(held).place;
        let members = &mut self.entries[topic as usize].members;
        assert_eq!(
            members[place as usize], conn,
            "member and topic point at each other"
        );
        members.swap_remove(place as usize);
        self.joined -= 1;
        if let Some(&moved) = members.get(place as usize) {
            let topics = &mut conns.at_mut(moved).extra().topics;
            let held = topics.iter_mut().find(|held| held.topic == topic);
            held.expect("a member holds its membership").place = place;
        } else if members.is_empty() {
            self.forget(topic);
        } else if members.capacity() > 64 && members.len() < members.capacity() / 4 {
            let half = members.capacity() / 2;
            members.shrink_to(half);
        }
        true
    }

    fn forget(&mut self, topic: u32) {
        let entry = self.entries.remove(topic as usize);
        let found = self
            .names
            .find_entry(hash(self.key, &entry.name), |&other| other == topic);
        found.expect("every entry is in the table").remove();
        if self.entries.is_empty() {
            self.entries.shrink_to_fit();
            self.names = HashTable::new();
        }
    }

    /// Full sweep: topics and members point at each other.
    pub(crate) fn check(&self, conns: &Conns) {
        assert_eq!(self.names.len(), self.entries.len(), "one name a topic");
        let mut memberships = 0;
        for (topic, entry) in &self.entries {
            assert_eq!(
                self.find(&entry.name),
                Some(topic as u32),
                "found under its name"
            );
            assert!(!entry.members.is_empty(), "a topic without members is gone");
            for (place, &member) in (0..).zip(&entry.members) {
                assert!(conns.at(member).is_open(), "members live");
                let holds = |held: &&Membership| held.topic == topic as u32;
                let held = conns
                    .at(member)
                    .topics()
                    .iter()
                    .filter(holds)
                    .collect::<Vec<_>>();
                assert!(
                    matches!(held[..], [held] if held.place == place),
                    "known by its member"
                );
                memberships += 1;
            }
        }
        let held = conns
            .iter()
            .map(|(_, conn)| conn.topics().len())
            .sum::<usize>();
        assert_eq!(memberships, held, "memberships are counted from both sides");
        assert_eq!(memberships as u64, self.joined, "memberships recounted");
    }
}
