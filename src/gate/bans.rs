//! Who is not let in: users by name, addresses by network. Of bounded number, in order.
//!
//! An address is looked up once for each length of prefix that is in use, whatever their number.
//! A ban whose time is over bans nobody; it is forgotten when the next one is added or all are
//! told.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Bound;
use std::str::FromStr;
use std::time::Duration;

use smol_str::SmolStr;

use super::Gate;
use super::end::{End, EndDetail};
use crate::reason::{CloseReason, ErrorCode};

/// Who is banned.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Banned {
    /// Addresses that begin like this one.
    Network(Network),
    /// A user.
    User(SmolStr),
}

/// Addresses that share so many bits; IPv4 as mapped IPv6.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Network {
    bits: u8,
    first: u128,
}

/// All bans.
#[derive(Debug)]
pub(crate) struct Bans {
    /// Until when, since the loop began; `None` is for ever.
    entries: BTreeMap<Banned, Option<Duration>>,
    /// Networks by the length of their prefix.
    lengths: [u32; 129],
}

/// Memory of one ban.
pub(crate) const BAN_COST: usize = 2 * (size_of::<Banned>() + size_of::<Option<Duration>>()) + 128;

impl Default for Bans {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            lengths: [0; 129],
        }
    }
}

impl Bans {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl Network {
    fn new(ip: IpAddr, bits: u8) -> Option<Self> {
        let (ip, bits) = match ip {
            IpAddr::V4(ip) if bits <= 32 => (ip.to_ipv6_mapped(), bits + 96),
            IpAddr::V6(ip) if bits <= 128 => (ip, bits),
            IpAddr::V4(_) | IpAddr::V6(_) => return None,
        };
        let first = u128::from(ip) & mask(bits);
        Some(Self { bits, first })
    }

    fn holds(self, ip: IpAddr) -> bool {
        number(ip) & mask(self.bits) == self.first
    }
}

fn mask(bits: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().into(),
        IpAddr::V6(ip) => ip.into(),
    }
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (ip, bits) = match text.split_once('/') {
            Some((ip, bits)) => (ip, Some(bits)),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| ())?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().map_err(|_| ())?
            }
            Some(_) => return Err(()),
        };
        Self::new(ip, bits).ok_or(())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = Ipv6Addr::from(self.first);
        match ip.to_ipv4_mapped() {
            Some(ip) if self.bits >= 96 => write!(f, "{ip}/{}", self.bits - 96),
            _ => write!(f, "{ip}/{}", self.bits),
        }
    }
}

impl Bans {
    /// Forgets those whose time is over by `now`.
    fn purge(&mut self, now: Duration) {
        let lengths = &mut self.lengths;
        self.entries.retain(|banned, until| {
            let holds = until.is_none_or(|until| now < until);
            if !holds && let Banned::Network(network) = banned {
                lengths[usize::from(network.bits)] -= 1;
            }
            holds
        });
    }

    fn add(&mut self, banned: Banned, until: Option<Duration>) {
        let length = match &banned {
            Banned::Network(network) => Some(usize::from(network.bits)),
            Banned::User(_) => None,
        };
        let is_new = self.entries.insert(banned, until).is_none();
        if let Some(length) = length.filter(|_| is_new) {
            self.lengths[length] += 1;
        }
    }

    fn remove(&mut self, banned: &Banned) -> bool {
        let was_there = self.entries.remove(banned).is_some();
        if let Banned::Network(network) = banned
            && was_there
        {
            self.lengths[usize::from(network.bits)] -= 1;
        }
        was_there
    }

    fn holds(&self, banned: &Banned, now: Duration) -> bool {
        let until = self.entries.get(banned);
        until.is_some_and(|until| until.is_none_or(|until| now < until))
    }

    fn covers(&self, ip: IpAddr, now: Duration) -> bool {
        if self.entries.is_empty() {
            return false;
        }
        let used = (0u8..).zip(&self.lengths).filter(|(_, count)| **count > 0);
        let mut networks = used.map(|(bits, _)| Network {
            bits,
            first: number(ip) & mask(bits),
        });
        networks.any(|network| self.holds(&Banned::Network(network), now))
    }
}

impl Gate {
    /// Bans somebody, for so long, and ends the connections this is about: how many. One more than
    /// the limit is refused.
    pub(crate) fn ban(
        &mut self,
        banned: Banned,
        ttl: Option<Duration>,
    ) -> Result<usize, ErrorCode> {
        let now = self.clock.elapsed();
        self.bans.purge(now);
        let is_known = self.bans.entries.contains_key(&banned);
        if !is_known && self.bans.entries.len() >= self.limits.bans as usize {
            return Err(ErrorCode::Overloaded);
        }
        let ended = self.banish(&banned);
        self.bans.add(banned, ttl.map(|ttl| now + ttl));
        Ok(ended)
    }

    fn banish(&mut self, banned: &Banned) -> usize {
        let found: Vec<u32> = match banned {
            Banned::User(user) => {
                let conns = self.connections_of(user);
                conns.map(|conn| conn.index).collect()
            }
            Banned::Network(network) => {
                let open = self.conns.iter().filter(|(_, conn)| conn.is_open());
                open.filter(|(_, conn)| network.holds(conn.peer().ip()))
                    .map(|(index, _)| index)
                    .collect()
            }
        };
        let detail = match banned {
            Banned::User(_) => EndDetail::BannedUser,
            Banned::Network(_) => EndDetail::BannedAddress,
        };
        for index in &found {
            self.close_at(*index, End::over(CloseReason::Banned, detail));
        }
        found.len()
    }

    /// Takes a ban back; whether there was one.
    pub(crate) fn unban(&mut self, banned: &Banned) -> bool {
        self.bans.purge(self.clock.elapsed());
        self.bans.remove(banned)
    }

    /// The bans behind `after`, in order, with the time they have left.
    pub(crate) fn bans_after(
        &mut self,
        after: Option<&Banned>,
    ) -> impl Iterator<Item = (&Banned, Option<Duration>)> {
        let now = self.clock.elapsed();
        self.bans.purge(now);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self
            .bans
            .entries
            .range::<Banned, _>((from, Bound::Unbounded));
        rest.map(move |(banned, until)| (banned, until.map(|until| until.saturating_sub(now))))
    }

    pub(crate) fn is_banned_ip(&self, ip: IpAddr) -> bool {
        self.bans.covers(ip, self.clock.elapsed())
    }

    pub(crate) fn is_banned_user(&self, user: &str) -> bool {
        // Nearly always there is none.
        !self.bans.entries.is_empty() && {
            let banned = Banned::User(SmolStr::new(user));
            self.bans.holds(&banned, self.clock.elapsed())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

    use super::*;

    #[test]
    fn a_network_is_its_first_bits() {
        for (text, shown) in [
            ("10.1.2.3", "10.1.2.3/32"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), shown);
        }
        for text in [
            "",
            "10",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "a/8",
            "1/2/3",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_is_banned_by_any_network_that_holds_it_while_its_time_lasts() {
        let mut bans = Bans::default();
        let second = Duration::from_secs(1);
        let network = |text: &str| Banned::Network(text.parse().unwrap());
        bans.add(network("10.0.0.0/8"), Some(second));
        bans.add(network("192.0.2.7"), None);
        bans.add(network("192.0.2.7"), None);
        let covers = |bans: &Bans, ip: &str, now| bans.covers(ip.parse().unwrap(), now);
        assert!(covers(&bans, "10.9.9.9", Duration::ZERO));
        assert!(covers(&bans, "::ffff:10.9.9.9", Duration::ZERO));
        assert!(!covers(&bans, "10.9.9.9", second));
        assert!(covers(&bans, "192.0.2.7", second) && !covers(&bans, "192.0.2.8", second));
        assert!(!covers(&bans, "::1", Duration::ZERO));
        bans.purge(second);
        assert_eq!(bans.lengths.iter().sum::<u32>(), 1);
        assert!(bans.remove(&network("192.0.2.7")) && !bans.remove(&network("192.0.2.7")));
        assert_eq!(bans.lengths, [0; 129]);
    }
}
