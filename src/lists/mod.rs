//! Black and white lists of networks and users: who is let in, whatever their number.
//!
//! A list is read and put in order beside the loop, then handed in whole. Of all networks that hold
//! an address the most specific one decides, black before white where both name the same one. So
//! that a look-up costs the same for one entry as for a million, the networks are laid out as
//! ranges that do not overlap, each with the network that decides in it from there on, as far as
//! that network goes; users are kept as keyed hashes.
//!
//! Memory is what a look-up costs, so that entries are small: networks of IPv6 up to /64 lie in a
//! table of their own and have 16 bytes there, the longer ones 24 in another, which goes first.

mod slots;

use std::hash::Hasher;
use std::net::{IpAddr, Ipv6Addr};

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use self::slots::{Entry, Key, Slots};
use crate::codec::name::check_user;
use crate::network::{MAPPED, Network};

/// Entries of all lists together.
pub const ENTRIES_MAX: usize = 4_000_000;

/// Whether an entry keeps somebody out or lets him in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Colour {
    /// It keeps out.
    Black,
    /// It lets in.
    White,
}

/// How many entries lists have, and what tells them from others of as many.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Imprint {
    /// Entries that were given.
    pub entries: usize,
    /// A sum of hashes: the order of entries is no difference.
    sum: u64,
}

/// A text that lists were made of: for those who ask who keeps whom out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// What it is called: a file.
    pub name: String,
    /// Whether its entries keep out or let in.
    pub colour: Colour,
    /// How many entries it gave.
    pub entries: usize,
}

/// Lists as they are read.
#[derive(Debug, Default)]
pub struct Draft {
    networks: Vec<(Network, Colour)>,
    users: Vec<(u64, Colour)>,
    everybody: Option<Colour>,
    sum: u64,
    key: (u64, u64),
    parts: Vec<Part>,
}

/// Lists that are looked up.
#[derive(Debug)]
pub struct Lists {
    networks: Networks,
    /// Hashes of names, the colour in the last bit.
    users: HashTable<u64>,
    everybody: Option<Colour>,
    key: (u64, u64),
    imprint: Imprint,
    parts: Vec<Part>,
}

/// The networks, by family and length.
#[derive(Debug)]
struct Networks {
    four: Slots<Range<u32>>,
    /// IPv6 in its first [`HALF`] bits.
    six: Slots<Range<u64>>,
    /// Networks of IPv6 that are longer: the more specific.
    deep: Slots<Range<u128>>,
}

/// Bits of an address of IPv6 that name a network; the others name an interface in it (RFC 4291,
/// section 2.5.1).
const HALF: u8 = 64;

/// Addresses from `start` on, as far as a network goes and no other range begins.
#[derive(Clone, Copy, Debug)]
#[repr(C, packed(8))]
struct Range<K> {
    start: K,
    decision: Decision,
}

/// The network that decides in a range: its bits, and what it says.
#[derive(Clone, Copy, Debug)]
struct Decision {
    bits: u8,
    colour: Colour,
}

const _: () = assert!(
    size_of::<Range<u32>>() == 8 && size_of::<Range<u64>>() == 16 && size_of::<Range<u128>>() == 24
);

impl Draft {
    /// No entries yet. Names are hashed under `key`, which nobody outside may know.
    #[must_use]
    pub fn new(key: (u64, u64)) -> Self {
        Self {
            key,
            ..Self::default()
        }
    }

    /// Entries so far.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.networks.len() + self.users.len() + usize::from(self.everybody.is_some())
    }

    /// What it holds so far.
    #[must_use]
    pub fn imprint(&self) -> Imprint {
        let (entries, sum) = (self.entries(), self.sum);
        Imprint { entries, sum }
    }

    /// Takes an entry into the imprint: a network, or a name.
    fn note(&mut self, entry: &str, is_name: bool, colour: Colour) {
        let added = hash((colour as u64, u64::from(is_name)), entry);
        self.sum = self.sum.wrapping_add(added);
    }

    /// Adds a network.
    pub fn add_network(&mut self, network: Network, colour: Colour) {
        self.networks.push((network, colour));
    }

    /// Adds a user.
    pub fn add_user(&mut self, user: &str, colour: Colour) {
        self.users.push((hash(self.key, user), colour));
    }

    /// Adds the lines of a text: each a network, or `user` and a name, or `user *` for all who are
    /// not named. What follows `#` or `;` behind white space is a remark.
    ///
    /// # Errors
    /// The first line that is none of those, and what is wrong with it; nothing of it is repeated:
    /// the file may be quite another one, with secrets in it.
    pub fn add_text(&mut self, text: &str, colour: Colour) -> Result<(), (usize, String)> {
        for (number, line) in text.lines().enumerate() {
            let added = self.add_line(line, colour);
            added.map_err(|wrong| (number + 1, wrong))?;
        }
        Ok(())
    }

    /// The same of a text that has a name, which is remembered.
    ///
    /// # Errors
    /// The same.
    pub fn add_part(
        &mut self,
        name: &str,
        text: &str,
        colour: Colour,
    ) -> Result<(), (usize, String)> {
        let before = self.entries();
        self.add_text(text, colour)?;
        self.parts.push(Part {
            name: name.to_owned(),
            colour,
            entries: self.entries() - before,
        });
        Ok(())
    }

    fn add_line(&mut self, line: &str, colour: Colour) -> Result<(), String> {
        let mut words = line.split_ascii_whitespace();
        let is_remark = |word: &&str| !word.starts_with(['#', ';']);
        let first = words.next().filter(is_remark);
        let second = first.and_then(|_| words.next().filter(is_remark));
        let third = second.and_then(|_| words.next().filter(is_remark));
        match (first, second, third) {
            (None, ..) => return Ok(()),
            (Some(text), None, _) => {
                let network = text.parse::<Network>();
                let network = network.map_err(|wrong| format!("this is {wrong}"))?;
                self.note(text, false, colour);
                self.add_network(network, colour);
            }
            (Some("user"), Some("*"), None) => {
                // Black goes before white.
                let held = self.everybody.unwrap_or(colour);
                self.everybody = Some(held.min(colour));
                self.note("*", true, colour);
            }
            (Some("user"), Some(name), None) => {
                check_user(name).map_err(|wrong| format!("user: {wrong}"))?;
                self.note(name, true, colour);
                self.add_user(name, colour);
            }
            _ => return Err(String::from("this is neither a network nor \"user NAME\"")),
        }
        if self.entries() > ENTRIES_MAX {
            return Err(format!("more than {ENTRIES_MAX} entries"));
        }
        Ok(())
    }

    /// Puts everything in order.
    #[must_use]
    pub fn finish(mut self) -> Lists {
        let imprint = self.imprint();
        self.networks
            .sort_unstable_by_key(|(network, colour)| (network.first, network.bits, *colour));
        // Of the same network in both colours black is first.
        self.networks.dedup_by_key(|(network, _)| *network);
        let networks = Networks::lay_out(self.networks);
        self.users.sort_unstable();
        self.users.dedup_by_key(|(name, _)| *name >> 1);
        let mut users = HashTable::with_capacity(self.users.len());
        for (name, colour) in self.users {
            users.insert_unique(spread(name), mark(name, colour), |other| spread(*other));
        }
        Lists {
            networks,
            users,
            everybody: self.everybody,
            key: self.key,
            imprint,
            parts: self.parts,
        }
    }
}

fn mark(name: u64, colour: Colour) -> u64 {
    name & !1 | u64::from(colour == Colour::White)
}

/// Where a name is looked for, whatever its colour: the bit of that lies where a table looks last.
fn spread(name: u64) -> u64 {
    (name & !1).rotate_left(32)
}

fn hash(key: (u64, u64), user: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(key.0, key.1);
    hasher.write(user.as_bytes());
    hasher.finish()
}

impl Networks {
    /// Lays out networks that come in order, the wider before those in it.
    fn lay_out(networks: Vec<(Network, Colour)>) -> Self {
        let (mut four, mut six, mut deep) =
            (Layout::default(), Layout::default(), Layout::default());
        for (network, colour) in networks {
            let bits = network.bits;
            let decision = Decision { bits, colour };
            match four_of(network) {
                Some((first, last)) => four.add(first, last, decision),
                None if bits <= HALF => {
                    six.add(half(network.first), half(network.last()), decision);
                }
                None => deep.add(network.first, network.last(), decision),
            }
        }
        Self {
            four: four.finish(),
            six: six.finish(),
            deep: deep.finish(),
        }
    }

    #[inline]
    fn find(&self, ip: IpAddr) -> Option<(u8, Colour)> {
        match ip.to_canonical() {
            // The bits before an address of IPv4 are those of all of them.
            IpAddr::V4(ip) => self.four.find(ip.into(), MAPPED),
            IpAddr::V6(ip) => {
                let six = || self.six.find(half(ip.into()), 0);
                self.deep.find(ip.into(), 0).or_else(six)
            }
        }
    }

    fn bytes(&self) -> usize {
        self.four.bytes() + self.six.bytes() + self.deep.bytes()
    }
}

/// The first [`HALF`] bits.
fn half(address: u128) -> u64 {
    (address >> HALF) as u64
}

/// The first and the last address of a network of IPv4.
fn four_of(network: Network) -> Option<(u32, u32)> {
    let four = |address| Ipv6Addr::from(address).to_ipv4_mapped().map(u32::from);
    let ends = four(network.first).zip(four(network.last()));
    ends.filter(|_| network.bits >= MAPPED)
}

/// Ranges in the making.
#[derive(Debug)]
struct Layout<K: Copy> {
    ranges: Vec<Range<K>>,
    /// The networks that what comes next may lie in, the widest first: where each ends.
    around: Vec<(K, Decision)>,
}

impl<K: Copy> Default for Layout<K> {
    fn default() -> Self {
        Self {
            ranges: Vec::new(),
            around: Vec::new(),
        }
    }
}

impl<K: Key> Layout<K> {
    fn add(&mut self, first: K, last: K, decision: Decision) {
        self.leave(|end| end < first);
        self.begin(first, decision);
        self.around.push((last, decision));
    }

    /// Ends the networks that end so early: the one around each decides from there on.
    fn leave(&mut self, is_over: impl Fn(K) -> bool) {
        while let Some(&(end, _)) = self.around.last()
            && is_over(end)
        {
            self.around.pop();
            if let Some(&(outer_end, outer)) = self.around.last()
                && let Some(next) = end.next()
                && next <= outer_end
            {
                self.begin(next, outer);
            }
        }
    }

    fn begin(&mut self, start: K, decision: Decision) {
        self.ranges.pop_if(|last| last.key() == start);
        self.ranges.push(Range { start, decision });
    }

    fn finish(mut self) -> Slots<Range<K>> {
        self.leave(|_| true);
        self.ranges.shrink_to_fit();
        Slots::new(self.ranges)
    }
}

impl<K: Key> Entry for Range<K> {
    type Key = K;

    #[inline]
    fn key(self) -> K {
        self.start
    }
}

impl<K: Key> Slots<Range<K>> {
    #[inline]
    fn find(&self, address: K, before: u8) -> Option<(u8, Colour)> {
        let Range { start, decision } = self.last_up_to(address)?;
        let Decision { bits, colour } = decision;
        // Behind the end of its network nobody decides: else another range would begin there.
        address
            .shares(start, bits - before)
            .then_some((bits, colour))
    }
}

impl Lists {
    /// The most specific network that holds an address: how many bits it has (of IPv4 with the 96
    /// before them), and what it says.
    #[inline]
    #[must_use]
    pub fn find(&self, ip: IpAddr) -> Option<(u8, Colour)> {
        self.networks.find(ip)
    }

    /// What is said of a user: of him, or else of everybody.
    #[must_use]
    pub fn find_user(&self, user: &str) -> Option<Colour> {
        self.find_named(user).or(self.everybody)
    }

    fn find_named(&self, user: &str) -> Option<Colour> {
        let name = hash(self.key, user);
        let is_it = |other: &u64| *other >> 1 == name >> 1;
        let found = self.users.find(spread(name), is_it)?;
        Some(if found & 1 == 1 {
            Colour::White
        } else {
            Colour::Black
        })
    }

    /// Entries that were given.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.imprint.entries
    }

    /// What they hold.
    #[must_use]
    pub fn imprint(&self) -> Imprint {
        self.imprint
    }

    /// The named texts that they were made of, in their order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Memory in use.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.networks.bytes() + self.users.allocation_size()
    }
}

#[cfg(test)]
mod tests;
