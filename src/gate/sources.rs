//! Where connections and logins come from: how many of one address there are, and how fast more
//! come. An address is one of IPv4, or the first 64 bits of one of IPv6, which is what one customer
//! has at least. Under a proxy it is the client's, never the proxy's.
//!
//! Exists only while a limit is set. Tables are of bounded number, reserved at once, 48 bytes an
//! address: an address that has connections is always in its table, the others stand in a list and
//! the one that was heard of longest ago makes room. A name that somebody tries is kept as a hash,
//! so that trying names fills nothing.

mod table;

use self::table::Table;
use super::Gate;
use super::bucket::{Bucket, Price};
use super::conn::{Conn, Flags};
use super::end::{End, EndDetail};
use super::users::hash;
use crate::limits::Limits;
use crate::network::MAPPED;
use crate::reason::CloseReason;
use crate::settings::Rate;
use crate::time::{Span, Tick};

/// What is allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Allowed {
    conns: Option<u32>,
    accepts: Option<Price>,
    address_accepts: Option<Price>,
    logins: Option<Price>,
    address_logins: Option<Price>,
    user_logins: Option<Price>,
}

/// Everything that is counted by its source.
#[derive(Debug)]
pub(crate) struct Sources {
    allowed: Allowed,
    addresses: Option<Table>,
    users: Option<Table>,
    accepts: Bucket,
    logins: Bucket,
}

impl Sources {
    /// What is owed at the prices of before is owed at others.
    fn reprice(&mut self, allowed: Allowed, now: Tick) {
        let before = std::mem::replace(&mut self.allowed, allowed);
        let prices = |of: fn(&Allowed) -> Option<Price>| [of(&before), of(&allowed)];
        let have_changed = |[before, after]: [Option<Price>; 2]| before != after;
        let (accepts, logins) = (prices(|all| all.accepts), prices(|all| all.logins));
        if have_changed(accepts) {
            self.accepts.reprice(accepts, now);
        }
        if have_changed(logins) {
            self.logins.reprice(logins, now);
        }
        let accepts = prices(|all| all.address_accepts);
        let logins = prices(|all| all.address_logins);
        let is_other = have_changed(accepts) || have_changed(logins);
        if let Some(table) = self.addresses.as_mut().filter(|_| is_other) {
            table.reprice(accepts, logins, now);
        }
        let users = prices(|all| all.user_logins);
        if let Some(table) = self.users.as_mut().filter(|_| have_changed(users)) {
            table.reprice([None; 2], users, now);
        }
    }
}

impl Allowed {
    fn of(limits: &Limits) -> Self {
        let price = |rate: Option<Rate>| rate.map(Price::of);
        Self {
            conns: limits.address_connections,
            accepts: price(limits.accept_rate),
            address_accepts: price(limits.address_accept_rate),
            logins: price(limits.login_rate),
            address_logins: price(limits.address_login_rate),
            user_logins: price(limits.user_login_rate),
        }
    }

    fn counts_addresses(&self) -> bool {
        self.conns.is_some() || self.address_accepts.is_some() || self.address_logins.is_some()
    }
}

/// What identifies the address of a connection.
#[expect(
    clippy::cast_possible_truncation,
    reason = "one half, and then the other"
)]
fn id_of(conn: &Conn) -> u64 {
    let address = conn.address();
    // The mapped addresses share their first half, in which no other one is.
    if address >> (128 - MAPPED) == 0xffff {
        address as u64
    } else {
        (address >> 64) as u64
    }
}

impl Gate {
    /// Takes other limits of sources; what was counted stays. Where a rate of addresses changes,
    /// each that is known is looked at: some 5 ns.
    pub(crate) fn see_sources(&mut self) {
        let allowed = Allowed::of(&self.limits);
        let has_counted = self.has_counted();
        if allowed == Allowed::default() && !has_counted {
            self.sources = None;
            return;
        }
        let now = self.clock.real();
        let sources = self.sources.get_or_insert_with(|| {
            Box::new(Sources {
                allowed,
                addresses: None,
                users: None,
                accepts: Bucket::new(now),
                logins: Bucket::new(now),
            })
        });
        sources.reprice(allowed, now);
        let (key, idle) = (self.users.key(), self.limits.sources);
        if allowed.counts_addresses() {
            let live = self.slots as usize;
            let table = || Table::new(key, live, idle);
            sources.addresses.get_or_insert_with(table);
        } else if !has_counted {
            sources.addresses = None;
        }
        if allowed.user_logins.is_some() {
            let table = || Table::new(key, 0, idle);
            sources.users.get_or_insert_with(table);
        } else {
            sources.users = None;
        }
    }

    /// Whether any connection is counted by its address.
    fn has_counted(&self) -> bool {
        let sources = self.sources.as_ref();
        let addresses = sources.and_then(|sources| sources.addresses.as_ref());
        addresses.is_some_and(|table| table.len() > table.idle as usize)
    }

    /// Counts an open connection at its address; the reason where it is one too many.
    #[inline]
    pub(crate) fn enter_source(&mut self, index: u32) -> Option<End> {
        // Nearly always nothing is counted.
        self.sources.as_ref()?;
        self.count_source(index, true)
    }

    /// The same; a connection that was there before any limit is no newcomer.
    pub(crate) fn count_source(&mut self, index: u32, is_new: bool) -> Option<End> {
        let now = self.clock.real();
        let sources = self.sources.as_mut()?;
        let Allowed {
            conns,
            address_accepts: accepts,
            address_logins: logins,
            ..
        } = sources.allowed;
        let table = sources.addresses.as_mut()?;
        if !sources.allowed.counts_addresses() {
            return None;
        }
        let conn = self.conns.at_mut(index);
        if !conn.flags.raise(Flags::COUNTED) {
            return None;
        }
        table.trim(accepts, logins, now);
        let place = table.find_or_make(id_of(conn), now);
        table.settle(place, accepts, logins, now);
        let count = table.enter(place);
        if !is_new {
            return None;
        }
        if conns.is_some_and(|most| count > most) {
            self.stats.crowded += 1;
            let detail = EndDetail::AddressConnections;
            return Some(End::over(CloseReason::Overloaded, detail));
        }
        let source = &mut table.entries[place as usize];
        match accepts.map(|price| price.take(source.accepts)) {
            Some(None) => {
                self.stats.hurried += 1;
                let detail = EndDetail::AddressAcceptRate;
                return Some(End::over(CloseReason::RateLimited, detail));
            }
            Some(Some(debt)) => source.accepts = debt,
            None => {}
        }
        None
    }

    /// A connection is open no more.
    #[inline]
    pub(crate) fn leave_source(&mut self, index: u32) {
        let conn = self.conns.at_mut(index);
        if !conn.flags.lower(Flags::COUNTED) {
            return;
        }
        let id = id_of(conn);
        let sources = self.sources.as_mut().expect("who is counted has a source");
        let is_wanted = sources.allowed.counts_addresses();
        let table = sources.addresses.as_mut();
        table.expect("who is counted has a table").leave(id);
        if !is_wanted {
            // The last of them leaves no table behind.
            self.see_sources();
        }
    }

    /// How long no newcomer is to be taken; nothing where one may be.
    pub(crate) fn accept_wait(&mut self) -> Option<Span> {
        let now = self.clock.real();
        let sources = self.sources.as_mut()?;
        let price = sources.allowed.accepts?;
        sources.accepts.wait(price, now)
    }

    /// A newcomer was taken.
    pub(crate) fn pay_accept(&mut self) {
        let now = self.clock.real();
        if let Some(sources) = &mut self.sources
            && let Some(price) = sources.allowed.accepts
        {
            sources.accepts.take(price, now);
        }
    }

    /// Whether a login may be tried: by its address, by its user, and of all.
    pub(crate) fn may_log_in(&mut self, index: u32, user: &str) -> bool {
        let now = self.clock.real();
        let key = self.users.key();
        let conn = self.conns.at(index);
        let Some(sources) = &mut self.sources else {
            return true;
        };
        let allowed = sources.allowed;
        if let Some(price) = allowed.address_logins
            && conn.flags.has(Flags::COUNTED)
            && let Some(table) = &mut sources.addresses
            && !table.log_in(id_of(conn), allowed.address_accepts, price, now)
        {
            return false;
        }
        if let Some(price) = allowed.user_logins
            && let Some(table) = &mut sources.users
        {
            table.trim(None, Some(price), now);
            if !table.log_in(hash(key, user), None, price, now) {
                return false;
            }
        }
        let price = allowed.logins;
        price.is_none_or(|price| sources.logins.take(price, now))
    }

    /// Connections that are more than an address may have. Where addresses are not counted yet,
    /// all connections: any may be one of them.
    pub(crate) fn beyond_at_addresses(&self, limit: Option<u32>) -> u32 {
        let Some(limit) = limit else { return 0 };
        let table = self.sources.as_ref();
        let Some(table) = table.and_then(|sources| sources.addresses.as_ref()) else {
            return self.connections();
        };
        let beyond = table.entries.iter();
        beyond.map(|one| one.conns.saturating_sub(limit)).sum()
    }

    /// Addresses and names that are counted now.
    #[must_use]
    pub fn sources(&self) -> usize {
        let sources = self.sources.as_ref();
        sources.map_or(0, |sources| {
            let tables = [&sources.addresses, &sources.users];
            tables.into_iter().flatten().map(Table::len).sum()
        })
    }

    /// Full sweep: what is counted is a recount.
    pub(crate) fn check_sources(&self) {
        let counted = self
            .conns
            .iter()
            .filter(|(_, conn)| conn.flags.has(Flags::COUNTED));
        let counted: Vec<_> = counted
            .map(|(_, conn)| (conn.is_open(), id_of(conn)))
            .collect();
        let Some(sources) = &self.sources else {
            return assert!(counted.is_empty(), "nobody is counted where nothing is");
        };
        let mut conns = 0;
        if let Some(table) = &sources.addresses {
            conns = table.check();
            for (is_open, id) in &counted {
                let place = table.find(*id).expect("who is counted is in the table");
                let same = counted.iter().filter(|(_, other)| other == id).count();
                let source = &table.entries[place as usize];
                assert_eq!((true, source.conns as usize), (*is_open, same), "recounted");
            }
        }
        assert_eq!(conns, counted.len() as u64, "all are counted");
        if let Some(table) = &sources.users {
            assert_eq!(table.check(), 0, "names have no connections");
        }
    }
}
