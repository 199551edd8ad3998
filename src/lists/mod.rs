//! Black and white lists of networks and users: who is let in, whatever their number.
//!
//! A list is read and put in order beside the loop, then handed in whole. Of all networks that hold
//! an address the most specific one decides, black before white where both name the same one. So
//! that a look-up costs the same for one entry as for a million, the networks are laid out as
//! ranges that do not overlap, each with the network that decides in it; users are kept as keyed
//! hashes.

mod ladder;

use std::hash::Hasher;
use std::net::{IpAddr, Ipv6Addr};

use siphasher::sip::SipHasher13;

use self::ladder::{Key, Ladder};
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

/// Lists as they are read.
#[derive(Debug, Default)]
pub struct Draft {
    networks: Vec<(Network, Colour)>,
    users: Vec<(u64, Colour)>,
    everybody: Option<Colour>,
    key: (u64, u64),
}

/// Lists that are looked up.
#[derive(Debug)]
pub struct Lists {
    four: Ranges<u32>,
    six: Ranges<u128>,
    /// Hashes of names, the colour in the last bit.
    users: Ladder<u64>,
    everybody: Option<Colour>,
    key: (u64, u64),
    entries: usize,
}

/// Where each range begins, and what decides in it.
#[derive(Debug)]
struct Ranges<K> {
    starts: Ladder<K>,
    decisions: Vec<Decision>,
}

/// The network that decides in a range, packed: its bits and its colour, or nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Decision(u16);

impl Decision {
    const NONE: Self = Self(0);

    fn new(bits: u8, colour: Colour) -> Self {
        Self(2 + 2 * u16::from(bits) + u16::from(colour == Colour::White))
    }

    #[expect(clippy::cast_possible_truncation, reason = "made of an u8")]
    fn get(self) -> Option<(u8, Colour)> {
        let colour = match self.0 & 1 {
            1 => Colour::White,
            _ => Colour::Black,
        };
        (self != Self::NONE).then(|| ((self.0 / 2 - 1) as u8, colour))
    }
}

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
    /// The first line that is none of those, and what is wrong with it.
    pub fn add_text(&mut self, text: &str, colour: Colour) -> Result<(), (usize, String)> {
        for (number, line) in text.lines().enumerate() {
            let added = self.add_line(line, colour);
            added.map_err(|wrong| (number + 1, wrong))?;
        }
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
                let network = network.map_err(|wrong| format!("{text:?} is {wrong}"))?;
                self.add_network(network, colour);
            }
            (Some("user"), Some("*"), None) => {
                // Black goes before white.
                let held = self.everybody.unwrap_or(colour);
                self.everybody = Some(held.min(colour));
            }
            (Some("user"), Some(name), None) => {
                check_user(name).map_err(|wrong| format!("{name:?}: {wrong}"))?;
                self.add_user(name, colour);
            }
            _ => return Err(format!("{line:?} is neither a network nor \"user NAME\"")),
        }
        if self.entries() > ENTRIES_MAX {
            return Err(format!("more than {ENTRIES_MAX} entries"));
        }
        Ok(())
    }

    /// Puts everything in order.
    #[must_use]
    pub fn finish(mut self) -> Lists {
        let entries = self.entries();
        self.networks
            .sort_unstable_by_key(|(network, colour)| (network.first, network.bits, *colour));
        // Of the same network in both colours black is first.
        self.networks.dedup_by_key(|(network, _)| *network);
        let (four, six) = lay_out(self.networks);
        self.users.sort_unstable();
        self.users.dedup_by_key(|(name, _)| *name >> 1);
        let marked = |(name, colour): &(u64, Colour)| mark(*name, *colour);
        Lists {
            four,
            six,
            users: Ladder::new(self.users.iter().map(marked).collect()),
            everybody: self.everybody,
            key: self.key,
            entries,
        }
    }
}

fn mark(name: u64, colour: Colour) -> u64 {
    name & !1 | u64::from(colour == Colour::White)
}

fn hash(key: (u64, u64), user: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(key.0, key.1);
    hasher.write(user.as_bytes());
    hasher.finish()
}

/// The ranges of either family. Networks come in order, the wider before those in it.
fn lay_out(networks: Vec<(Network, Colour)>) -> (Ranges<u32>, Ranges<u128>) {
    let (mut four, mut six) = (Layout::default(), Layout::default());
    for (network, colour) in networks {
        match four_of(network) {
            Some((first, last)) => four.add(first, last, network.bits, colour),
            None => six.add(network.first, network.last(), network.bits, colour),
        }
    }
    (four.finish(), six.finish())
}

/// The first and the last address of a network of IPv4.
fn four_of(network: Network) -> Option<(u32, u32)> {
    let four = |address| Ipv6Addr::from(address).to_ipv4_mapped().map(u32::from);
    let ends = four(network.first).zip(four(network.last()));
    ends.filter(|_| network.bits >= MAPPED)
}

/// Ranges in the making.
#[derive(Debug)]
struct Layout<K> {
    starts: Vec<K>,
    decisions: Vec<Decision>,
    /// The networks that what comes next may lie in, the widest first: where each ends.
    around: Vec<(K, Decision)>,
}

impl<K> Default for Layout<K> {
    fn default() -> Self {
        Self {
            starts: Vec::new(),
            decisions: Vec::new(),
            around: Vec::new(),
        }
    }
}

impl<K: Key> Layout<K> {
    fn add(&mut self, first: K, last: K, bits: u8, colour: Colour) {
        self.leave(|end| end < first);
        let decision = Decision::new(bits, colour);
        self.begin(first, decision);
        self.around.push((last, decision));
    }

    /// Ends the networks that end so early.
    fn leave(&mut self, is_over: impl Fn(K) -> bool) {
        while let Some(&(end, _)) = self.around.last()
            && is_over(end)
        {
            self.around.pop();
            let outer = self
                .around
                .last()
                .map_or(Decision::NONE, |(_, outer)| *outer);
            if let Some(next) = end.next() {
                self.begin(next, outer);
            }
        }
    }

    fn begin(&mut self, start: K, decision: Decision) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.decisions.pop();
        }
        if self.decisions.last().copied().unwrap_or(Decision::NONE) != decision {
            self.starts.push(start);
            self.decisions.push(decision);
        }
    }

    fn finish(mut self) -> Ranges<K> {
        self.leave(|_| true);
        self.starts.shrink_to_fit();
        self.decisions.shrink_to_fit();
        Ranges {
            starts: Ladder::new(self.starts),
            decisions: self.decisions,
        }
    }
}

impl<K: Key> Ranges<K> {
    #[inline]
    fn find(&self, address: K) -> Option<(u8, Colour)> {
        let place = self.starts.last_up_to(address)?;
        self.decisions[place].get()
    }

    fn bytes(&self) -> usize {
        self.starts.bytes() + size_of_val(&self.decisions[..])
    }
}

impl Lists {
    /// The most specific network that holds an address: how many bits it has (of IPv4 with the 96
    /// before them), and what it says.
    #[inline]
    #[must_use]
    pub fn find(&self, ip: IpAddr) -> Option<(u8, Colour)> {
        match ip.to_canonical() {
            IpAddr::V4(ip) => self.four.find(ip.into()),
            IpAddr::V6(ip) => self.six.find(ip.into()),
        }
    }

    /// What is said of a user: of him, or else of everybody.
    #[must_use]
    pub fn find_user(&self, user: &str) -> Option<Colour> {
        self.find_named(user).or(self.everybody)
    }

    fn find_named(&self, user: &str) -> Option<Colour> {
        let name = hash(self.key, user);
        let place = self.users.last_up_to(mark(name, Colour::White))?;
        let found = self.users.get(place);
        let colour = if found & 1 == 1 {
            Colour::White
        } else {
            Colour::Black
        };
        (found >> 1 == name >> 1).then_some(colour)
    }

    /// Entries that were given.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Memory in use.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.four.bytes() + self.six.bytes() + self.users.bytes()
    }
}

#[cfg(test)]
mod tests;
