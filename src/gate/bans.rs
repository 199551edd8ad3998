//! Who is not let in: users by name, addresses by network. Bans are what an operator says now, for
//! a while or for ever, in order and of bounded number; the [lists](crate::lists) are what files
//! say, of which there may be a million.
//!
//! An address is looked up once for each length of prefix that is in use, the longest first; of a
//! ban and an entry of a file for the same network the ban decides. A ban whose time is over
//! decides nothing; it is forgotten when the next one is added or all are told.
//!
//! What changes holds at once for those who are here: a walk looks at every connection once, so
//! many a turn.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Bound;
use std::time::Duration;

use smol_str::SmolStr;

use super::Gate;
use super::conn::{Flags, NONE};
use super::end::{End, EndDetail};
use super::timers::TimerKind;
use crate::lists::{Colour, Imprint, Lists, Part};
use crate::network::{MAPPED, Network, number};
use crate::reason::{CloseReason, ErrorCode};
use crate::time::{SPAN_MAX, Span};

/// Who is banned.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Banned {
    /// Addresses that begin like this one.
    Network(Network),
    /// A user.
    User(SmolStr),
}

/// What is said of somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Ban {
    colour: Colour,
    /// Until when, since the loop began; `None` is for ever.
    until: Option<Duration>,
}

/// All bans.
#[derive(Debug)]
pub(crate) struct Bans {
    entries: BTreeMap<Banned, Ban>,
    /// Networks by the length of their prefix.
    lengths: [u32; 129],
    /// Entries that let somebody in, but not for ever: when the first is over, others are kept out.
    timer: u32,
    lists: Option<Box<Lists>>,
    /// Connections that were ended by a walk.
    ended: u64,
}

/// Memory of one ban.
pub(crate) const BAN_COST: usize = 2 * (size_of::<Banned>() + size_of::<Ban>()) + 128;

impl Default for Bans {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            lengths: [0; 129],
            timer: NONE,
            lists: None,
            ended: 0,
        }
    }
}

impl Ban {
    fn holds(self, now: Duration) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl Bans {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody is named.
    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.lists.is_none()
    }

    /// Forgets those whose time is over by `now`.
    fn purge(&mut self, now: Duration) {
        let lengths = &mut self.lengths;
        self.entries.retain(|banned, ban| {
            let holds = ban.holds(now);
            if !holds && let Banned::Network(network) = banned {
                lengths[usize::from(network.bits)] -= 1;
            }
            holds
        });
    }

    /// Memory of the lists.
    pub(crate) fn list_bytes(&self) -> usize {
        self.lists.as_ref().map_or(0, |lists| lists.bytes())
    }

    fn add(&mut self, banned: Banned, ban: Ban) {
        let length = match &banned {
            Banned::Network(network) => Some(usize::from(network.bits)),
            Banned::User(_) => None,
        };
        let is_new = self.entries.insert(banned, ban).is_none();
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

    fn find(&self, banned: &Banned, now: Duration) -> Option<Colour> {
        let ban = self.entries.get(banned).filter(|ban| ban.holds(now))?;
        Some(ban.colour)
    }

    /// The ban of the most specific network that holds an address.
    fn find_network(&self, ip: IpAddr, now: Duration) -> Option<(u8, Colour)> {
        if self.entries.is_empty() {
            return None;
        }
        let ip = ip.to_canonical();
        let least = if ip.is_ipv4() { MAPPED } else { 0 };
        let used = (least..=128).rev();
        let mut used = used.filter(|bits| self.lengths[usize::from(*bits)] > 0);
        used.find_map(|bits| {
            let network = Banned::Network(Network::around(number(ip), bits));
            Some((bits, self.find(&network, now)?))
        })
    }

    /// Whether an address is kept out: the most specific of all that is said decides.
    fn covers(&self, ip: IpAddr, now: Duration) -> bool {
        let listed = self.lists.as_ref().and_then(|lists| lists.find(ip));
        let decides = match (self.find_network(ip, now), listed) {
            (Some(ban), Some(listed)) if listed.0 > ban.0 => Some(listed),
            (ban, listed) => ban.or(listed),
        };
        decides.is_some_and(|(_, colour)| colour == Colour::Black)
    }

    fn covers_user(&self, user: &str, now: Duration) -> bool {
        let ban = match self.entries.is_empty() {
            true => None,
            false => self.find(&Banned::User(SmolStr::new(user)), now),
        };
        let listed = || self.lists.as_ref()?.find_user(user);
        ban.or_else(listed) == Some(Colour::Black)
    }

    /// When the first of those that let somebody in for a while is over.
    fn next_over(&self) -> Option<Duration> {
        let white = self.entries.values();
        let white = white.filter(|ban| ban.colour == Colour::White);
        white.filter_map(|ban| ban.until).min()
    }
}

impl Gate {
    /// Bans somebody, or lets him in whatever wider bans say, for so long. One more than the limit
    /// is refused. Whom it keeps out is ended by the walk that begins with it.
    pub(crate) fn ban(
        &mut self,
        banned: Banned,
        colour: Colour,
        ttl: Option<Duration>,
    ) -> Result<(), ErrorCode> {
        let now = self.clock.elapsed();
        self.bans.purge(now);
        let is_known = self.bans.entries.contains_key(&banned);
        if !is_known && self.bans.entries.len() >= self.limits.bans as usize {
            return Err(ErrorCode::Overloaded);
        }
        if let Banned::User(user) = &banned
            && colour == Colour::Black
        {
            let conns: Vec<u32> = self.connections_of(user).map(|conn| conn.index).collect();
            self.bans.ended += conns.len() as u64;
            let end = End::over(CloseReason::Banned, EndDetail::BannedUser);
            for index in conns {
                self.close_at(index, end);
            }
        }
        let until = ttl.map(|ttl| now + ttl);
        self.bans.add(banned, Ban { colour, until });
        self.see_bans();
        Ok(())
    }

    /// Takes a ban back; whether there was one.
    pub(crate) fn unban(&mut self, banned: &Banned) -> bool {
        self.bans.purge(self.clock.elapsed());
        let was_there = self.bans.remove(banned);
        if was_there {
            self.see_bans();
        }
        was_there
    }

    /// Puts other lists in the place of those there are, whole; returns the old ones, which are
    /// best dropped elsewhere: that takes its time.
    pub fn set_lists(&mut self, lists: Option<Box<Lists>>) -> Option<Box<Lists>> {
        let old = std::mem::replace(&mut self.bans.lists, lists);
        self.walk();
        old
    }

    /// What the lists hold.
    pub(crate) fn list_imprint(&self) -> Imprint {
        let lists = self.bans.lists.as_ref();
        lists.map_or_else(Imprint::default, |lists| lists.imprint())
    }

    /// Bans of the admin interface that hold now. Looks at all there are.
    #[must_use]
    pub fn banned(&self) -> usize {
        let now = self.clock.elapsed();
        let bans = self.bans.entries.values();
        bans.filter(|ban| ban.holds(now)).count()
    }

    /// Entries of the lists.
    #[must_use]
    pub fn listed(&self) -> usize {
        self.list_imprint().entries
    }

    /// The files that the lists were made of.
    pub(crate) fn list_parts(&self) -> &[Part] {
        let lists = self.bans.lists.as_deref();
        lists.map_or(&[], Lists::parts)
    }

    /// A key for the hashes of names in lists.
    #[must_use]
    pub fn list_key(&self) -> (u64, u64) {
        self.users.key()
    }

    /// Connections that were ended because of what was said of them after they came.
    pub(crate) fn banished(&self) -> u64 {
        self.bans.ended
    }

    /// What is said has changed: who is here is looked at again, and once more when the first of
    /// those that let somebody in is over.
    fn see_bans(&mut self) {
        self.walk();
        let timer = std::mem::replace(&mut self.bans.timer, NONE);
        if timer != NONE {
            self.stop_timer(timer);
        }
        if let Some(until) = self.bans.next_over() {
            // Where it is further away than a span can be, it is asked about before.
            let left = until.saturating_sub(self.clock.elapsed()).min(SPAN_MAX);
            let at = self.clock.real().after(Span::covering(left));
            self.bans.timer = self.start_timer(at, TimerKind::Bans);
        }
    }

    /// The time of some that let somebody in is over.
    pub(crate) fn ring_bans(&mut self) {
        self.bans.timer = NONE;
        self.bans.purge(self.clock.elapsed());
        self.see_bans();
    }

    /// Ends a connection that is kept out by now.
    pub(crate) fn judge_again(&mut self, index: u32) {
        let conn = self.conns.at(index);
        if self.bans.is_empty() || !conn.is_open() || conn.flags.has(Flags::VEILED) {
            return;
        }
        let now = self.clock.elapsed();
        let is_named = conn.user != NONE && {
            let name = &self.users.at(conn.user).name;
            self.bans.covers_user(name, now)
        };
        let detail = match is_named {
            true => EndDetail::BannedUser,
            false if self.bans.covers(conn.peer().ip(), now) => EndDetail::BannedAddress,
            false => return,
        };
        self.bans.ended += 1;
        self.close_at(index, End::over(CloseReason::Banned, detail));
    }

    /// The bans behind `after`, in order, with what they say and the time they have left.
    pub(crate) fn bans_after(
        &mut self,
        after: Option<&Banned>,
    ) -> impl Iterator<Item = (&Banned, Colour, Option<Duration>)> {
        let now = self.clock.elapsed();
        self.bans.purge(now);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self
            .bans
            .entries
            .range::<Banned, _>((from, Bound::Unbounded));
        rest.map(move |(banned, ban)| {
            let left = ban.until.map(|until| until.saturating_sub(now));
            (banned, ban.colour, left)
        })
    }

    pub(crate) fn is_banned_ip(&self, ip: IpAddr) -> bool {
        // Nearly always there is none.
        !self.bans.is_empty() && self.bans.covers(ip, self.clock.elapsed())
    }

    pub(crate) fn is_banned_user(&self, user: &str) -> bool {
        !self.bans.is_empty() && self.bans.covers_user(user, self.clock.elapsed())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

    use super::*;

    #[test]
    fn an_address_is_banned_by_any_network_that_holds_it_while_its_time_lasts() {
        let mut bans = Bans::default();
        let second = Duration::from_secs(1);
        let network = |text: &str| Banned::Network(text.parse().unwrap());
        let black = |until| Ban {
            colour: Colour::Black,
            until,
        };
        bans.add(network("10.0.0.0/8"), black(Some(second)));
        bans.add(network("192.0.2.7"), black(None));
        bans.add(network("192.0.2.7"), black(None));
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

    #[test]
    fn of_bans_and_lists_the_most_specific_decides_and_a_ban_before_an_entry() {
        let mut draft = crate::lists::Draft::new((1, 2));
        draft
            .add_text("10.0.0.0/8\nuser mallory\nuser *", Colour::Black)
            .unwrap();
        draft
            .add_text("10.1.0.0/16\nuser alice", Colour::White)
            .unwrap();
        let mut bans = Bans {
            lists: Some(Box::new(draft.finish())),
            ..Bans::default()
        };
        let covers = |bans: &Bans, ip: &str| bans.covers(ip.parse().unwrap(), Duration::ZERO);
        assert!(covers(&bans, "10.2.0.1") && !covers(&bans, "10.1.0.1"));
        let mut say = |text: &str, colour| {
            let banned = match text.parse() {
                Ok(network) => Banned::Network(network),
                Err(_) => Banned::User(text.into()),
            };
            let until = None;
            bans.add(banned, Ban { colour, until });
        };
        say("10.1.2.0/24", Colour::Black);
        say("10.0.0.0/8", Colour::White);
        say("10.3.0.0/16", Colour::Black);
        say("10.3.3.0/24", Colour::White);
        say("alice", Colour::Black);
        say("mallory", Colour::White);
        for (ip, is_out) in [
            ("10.1.2.3", true),
            ("10.1.3.3", false),
            ("10.2.0.1", false),
            ("10.3.0.1", true),
            ("10.3.3.1", false),
            ("::ffff:10.3.0.1", true),
            ("11.0.0.1", false),
        ] {
            assert_eq!(covers(&bans, ip), is_out, "{ip}");
        }
        for (user, is_out) in [("alice", true), ("mallory", false), ("bob", true)] {
            assert_eq!(bans.covers_user(user, Duration::ZERO), is_out, "{user}");
        }
    }
}
