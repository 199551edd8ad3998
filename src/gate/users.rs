//! Who is here: users by name, each with its connections, oldest login first.
//!
//! Knows no policy. A user whose last connection left is remembered as absent for a while, so that
//! acknowledged messages can wait for the next login; the absent stand in a list, longest gone
//! first, of bounded length. Names are chosen by strangers: the table's hash is keyed.

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;
use slab::Slab;
use smol_str::SmolStr;
use std::hash::Hasher;

use super::conn::NONE;
use crate::id::ListenerId;
use crate::time::Tick;

/// A user, present or absent.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) name: SmolStr,
    conns: Members,
    mailbox: Option<Box<Mailbox>>,
    /// The timer of an absent user or of parked messages, or [`NONE`].
    pub(crate) timer: u32,
    /// When the last connection left (real clock); `None` where nobody of that name was here.
    pub(crate) left: Option<Tick>,
    /// The listener of the last connection: its settings say how long messages are kept.
    pub(crate) listener: ListenerId,
    /// Neighbours in the list of the absent.
    longer: u32,
    shorter: u32,
}

const _: () = assert!(size_of::<User>() <= 72);

/// Keys of parked messages, oldest id first.
#[derive(Debug, Default)]
struct Mailbox {
    keys: Vec<u32>,
}

/// The connections of a user: usually one.
#[derive(Debug)]
enum Members {
    One(u32),
    Many(Box<Several>),
}

/// The connections of a user with several devices, oldest login first.
#[derive(Debug)]
struct Several {
    conns: Vec<u32>,
}

/// All users.
#[derive(Debug)]
pub(crate) struct Users {
    names: HashTable<u32>,
    entries: Slab<User>,
    key: (u64, u64),
    /// Users for which there is always room.
    reserve: usize,
    longest_gone: u32,
    last_gone: u32,
    absent: u32,
}

impl Members {
    fn as_slice(&self) -> &[u32] {
        match self {
            Self::One(NONE) => &[],
            Self::One(conn) => std::slice::from_ref(conn),
            Self::Many(several) => &several.conns,
        }
    }

    fn push(&mut self, conn: u32) {
        match self {
            Self::One(NONE) => *self = Self::One(conn),
            Self::One(first) => {
                *self = Self::Many(Box::new(Several {
                    conns: vec![*first, conn],
                }));
            }
            Self::Many(several) => several.conns.push(conn),
        }
    }

    fn remove(&mut self, conn: u32) -> bool {
        match self {
            Self::One(only) if *only == conn => *self = Self::One(NONE),
            Self::One(_) => return false,
            Self::Many(several) => {
                let conns = &mut several.conns;
                let Some(place) = conns.iter().position(|held| *held == conn) else {
                    return false;
                };
                conns.remove(place);
                if let [only] = conns[..] {
                    *self = Self::One(only);
                }
            }
        }
        true
    }
}

/// Hashes a name under a key.
pub(crate) fn hash(key: (u64, u64), name: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(key.0, key.1);
    hasher.write(name.as_bytes());
    hasher.finish()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "entries are bounded by limits of type u32"
)]
impl Users {
    /// Room for `users` at once, so that no growing table ever moves in one turn; what is not
    /// used costs address space only.
    pub(crate) fn new(key: (u64, u64), users: usize) -> Self {
        Self {
            names: HashTable::with_capacity(users),
            entries: Slab::with_capacity(users),
            reserve: users,
            key,
            longest_gone: NONE,
            last_gone: NONE,
            absent: 0,
        }
    }

    /// The key of the hashes of what strangers choose.
    pub(crate) fn key(&self) -> (u64, u64) {
        self.key
    }

    /// The entry of that name, present or absent.
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        let entries = &self.entries;
        self.names
            .find(hash(self.key, name), |&user| {
                entries[user as usize].name == name
            })
            .copied()
    }

    /// The entry of that name, made where there is none: absent and never here.
    pub(crate) fn find_or_make(&mut self, name: &str) -> u32 {
        if let Some(user) = self.find(name) {
            return user;
        }
        let user = self.entries.insert(User {
            name: SmolStr::new(name),
            conns: Members::One(NONE),
            mailbox: None,
            timer: NONE,
            left: None,
            listener: ListenerId(0),
            longer: NONE,
            shorter: NONE,
        }) as u32;
        let (key, entries) = (self.key, &self.entries);
        self.names.insert_unique(hash(key, name), user, |&other| {
            hash(key, &entries[other as usize].name)
        });
        self.append_absent(user);
        user
    }

    pub(crate) fn at(&self, user: u32) -> &User {
        &self.entries[user as usize]
    }

    pub(crate) fn at_mut(&mut self, user: u32) -> &mut User {
        &mut self.entries[user as usize]
    }

    /// What is in a slot.
    pub(crate) fn get(&self, slot: u32) -> Option<&User> {
        self.entries.get(slot as usize)
    }

    /// Slots; every one in use is below.
    pub(crate) fn slots(&self) -> usize {
        self.entries.capacity()
    }

    /// The user's parked messages, oldest id first.
    pub(crate) fn mailbox(&self, user: u32) -> &[u32] {
        self.entries[user as usize]
            .mailbox
            .as_ref()
            .map_or(&[], |mailbox| &mailbox.keys)
    }

    /// Puts a parked message into the mailbox, at its place in the order of ids.
    pub(crate) fn keep(&mut self, user: u32, key: u32, place: usize) {
        let mailbox = self.entries[user as usize].mailbox.get_or_insert_default();
        mailbox.keys.insert(place, key);
    }

    /// Takes the parked message at `place` out of its mailbox.
    pub(crate) fn unkeep(&mut self, user: u32, place: usize) {
        let entry = &mut self.entries[user as usize];
        let mailbox = entry.mailbox.as_mut().expect("the message is in it");
        mailbox.keys.remove(place);
        if mailbox.keys.is_empty() {
            entry.mailbox = None;
        }
    }

    /// The user's connections, oldest login first.
    pub(crate) fn conns(&self, user: u32) -> &[u32] {
        self.entries[user as usize].conns.as_slice()
    }

    pub(crate) fn is_present(&self, user: u32) -> bool {
        !self.conns(user).is_empty()
    }

    /// Adds a connection to a user.
    pub(crate) fn bind(&mut self, user: u32, conn: u32) {
        if !self.is_present(user) {
            self.remove_absent(user);
        }
        self.entries[user as usize].conns.push(conn);
    }

    /// Takes a connection from a user, who is absent from `now` on where it was the last.
    pub(crate) fn unbind(&mut self, user: u32, conn: u32, now: Tick, listener: ListenerId) {
        let entry = &mut self.entries[user as usize];
        assert!(
            entry.conns.remove(conn),
            "a user and its connections point at each other"
        );
        if entry.conns.as_slice().is_empty() {
            entry.left = Some(now);
            entry.listener = listener;
            self.append_absent(user);
        }
    }

    /// Forgets an absent user without messages.
    pub(crate) fn forget(&mut self, user: u32) {
        assert!(!self.is_present(user), "only the absent are forgotten");
        self.remove_absent(user);
        let entry = self.entries.remove(user as usize);
        assert!(
            entry.mailbox.is_none() && entry.timer == NONE,
            "nothing may hang on it"
        );
        let found = self
            .names
            .find_entry(hash(self.key, &entry.name), |&other| other == user);
        found.expect("every entry is in the table").remove();
        self.shrink();
    }

    /// Gives memory back once most of what the absent took is unused.
    fn shrink(&mut self) {
        if self.entries.is_empty() && self.entries.capacity() > self.reserve {
            self.entries = Slab::with_capacity(self.reserve);
        }
        if self.names.capacity() / 4 > self.names.len().max(self.reserve) {
            let (key, entries) = (self.key, &self.entries);
            let half = self.names.capacity() / 2;
            self.names
                .shrink_to(half, |&other| hash(key, &entries[other as usize].name));
        }
    }

    /// The absent user that has been gone longest.
    pub(crate) fn longest_gone(&self) -> Option<u32> {
        (self.longest_gone != NONE).then_some(self.longest_gone)
    }

    pub(crate) fn absent_count(&self) -> u32 {
        self.absent
    }

    pub(crate) fn present_count(&self) -> u32 {
        self.entries.len() as u32 - self.absent
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &User)> {
        self.entries
            .iter()
            .map(|(user, entry)| (user as u32, entry))
    }

    fn append_absent(&mut self, user: u32) {
        let last = std::mem::replace(&mut self.last_gone, user);
        match last {
            NONE => self.longest_gone = user,
            _ => self.entries[last as usize].shorter = user,
        }
        let entry = &mut self.entries[user as usize];
        (entry.longer, entry.shorter) = (last, NONE);
        self.absent += 1;
    }

    fn remove_absent(&mut self, user: u32) {
        let entry = &mut self.entries[user as usize];
        let (longer, shorter) = (entry.longer, entry.shorter);
        (entry.longer, entry.shorter) = (NONE, NONE);
        match longer {
            NONE => self.longest_gone = shorter,
            _ => self.entries[longer as usize].shorter = shorter,
        }
        match shorter {
            NONE => self.last_gone = longer,
            _ => self.entries[shorter as usize].longer = longer,
        }
        self.absent -= 1;
    }

    /// Full sweep: table, entries and the list of the absent agree.
    pub(crate) fn check(&self) {
        assert_eq!(self.names.len(), self.entries.len(), "one name an entry");
        let mut absent = 0;
        for (user, entry) in &self.entries {
            assert_eq!(
                self.find(&entry.name),
                Some(user as u32),
                "found under its name"
            );
            absent += u32::from(entry.conns.as_slice().is_empty());
        }
        assert_eq!(absent, self.absent, "the absent are counted");
        let (mut user, mut longer, mut listed) = (self.longest_gone, NONE, 0);
        while user != NONE {
            let entry = &self.entries[user as usize];
            assert_eq!(
                entry.longer, longer,
                "the list of the absent is linked both ways"
            );
            assert!(
                entry.conns.as_slice().is_empty(),
                "only the absent are listed"
            );
            (longer, user) = (user, entry.shorter);
            listed += 1;
        }
        assert_eq!(
            (listed, longer),
            (absent, self.last_gone),
            "all the absent are listed"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: (u64, u64) = (0x0123_4567_89ab_cdef, 0x0f1e_2d3c_4b5a_6978);

    /// A hash without a key, as some standard libraries had it for texts: `Aa` and `BB` are one.
    fn unkeyed(name: &str) -> u64 {
        let hash = |hash: u64, byte: u8| hash.wrapping_mul(31).wrapping_add(byte.into());
        name.bytes().fold(0, hash)
    }

    /// A name of pairs that are one to it, by the bits of a number.
    fn chosen(number: usize) -> String {
        let pair = |bit: u32| if (number >> bit) & 1 == 0 { "Aa" } else { "BB" };
        (0..17).map(pair).collect()
    }

    /// A name by chance.
    fn any(number: usize) -> String {
        let [one, two] = [number, !number].map(|part| hash((7, 11), &part.to_string()));
        format!("{one:016x}{two:016x}{:02x}", number & 0xff)
    }

    /// How many names a search through such a table compares with that one.
    fn compared(names: &HashTable<u32>, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> u64 {
        let mut compared = 0;
        let found = names.find(hash, |&entry| {
            compared += 1;
            is_it(entry)
        });
        assert!(found.is_some());
        compared
    }

    /// How many names are compared on the way to each of so many users.
    fn to_find(count: usize, name: impl Fn(usize) -> String) -> u64 {
        let mut users = Users::new(KEY, 0);
        for number in 0..count {
            assert_eq!(users.find_or_make(&name(number)) as usize, number);
        }
        let of = |number| {
            let name = name(number);
            compared(&users.names, hash(users.key, &name), |user| {
                users.at(user).name == name
            })
        };
        (0..count).map(of).sum()
    }

    /// The same for a table whose hash has no key.
    fn to_find_unkeyed(count: u32, name: impl Fn(usize) -> String) -> u64 {
        let names: Vec<String> = (0..count).map(|number| name(number as usize)).collect();
        let hash = |number: u32| unkeyed(&names[number as usize]);
        let mut table = HashTable::new();
        for number in 0..count {
            table.insert_unique(hash(number), number, |&other| hash(other));
        }
        let of = |number| compared(&table, hash(number), |other| other == number);
        (0..count).map(of).sum()
    }

    #[test]
    fn names_that_were_chosen_to_collide_cost_no_more_than_any_others() {
        // What such names do to a table without a key: each is compared with half of the others.
        assert!(to_find_unkeyed(2_000, chosen) > 1_000 * 1_000);
        assert!(to_find_unkeyed(2_000, any) < 2_000 * 2);
        let (chosen, any) = (to_find(100_000, chosen), to_find(100_000, any));
        assert!(any < 100_000 * 2, "{any}");
        assert!(chosen <= 2 * any, "{chosen} {any}");
    }

    #[test]
    fn names_that_collide_under_one_key_are_like_any_others_under_another() {
        const NAMES: usize = 1_000;
        // All in one bucket of a table of this size, for whoever knows the key.
        let room = HashTable::<u32>::with_capacity(NAMES).capacity() as u64;
        let buckets = (room + 1).next_power_of_two();
        let meet = |name: &String| hash(KEY, name).is_multiple_of(buckets);
        let names: Vec<String> = (0..).map(any).filter(meet).take(NAMES).collect();
        let all = |key| {
            let mut users = Users::new(key, NAMES);
            for name in &names {
                users.find_or_make(name);
            }
            let of = |name: &String| {
                compared(&users.names, hash(key, name), |user| {
                    users.at(user).name == *name
                })
            };
            names.iter().map(of).sum::<u64>()
        };
        let (known, another) = (all(KEY), all((KEY.0, KEY.1 ^ 1)));
        assert!(another < NAMES as u64 * 3 / 2, "{another}");
        assert!(known > 2 * another, "{known} {another}");
    }
}
