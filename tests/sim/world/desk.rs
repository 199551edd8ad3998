//! What operators have ordered and what they were told: to be held against what happens.

use std::collections::{BTreeMap, BTreeSet};

use pulsegate::{CloseReason, ConnId, Network};

/// An order that excuses the end of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    Kick(String),
    Ban(String),
    BanNetwork(Network),
    /// Somebody may come in whatever lists say.
    LetIn,
}

/// The operators' books.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    /// The number of the admin interface's listener.
    pub(crate) listener: u16,
    /// Orders that the judge has not been told of.
    pub(crate) orders: Vec<Order>,
    /// How many were kicked, as the answers say.
    pub(crate) kicked: u64,
    /// An answer to an order was lost: nobody knows whether it was obeyed.
    pub(crate) unsure: bool,
    /// Messages that somebody has acknowledged.
    pub(crate) acks: BTreeSet<u64>,
    /// Messages of operators that were heard, by sender and number.
    pub(crate) heard: BTreeSet<(u32, u32)>,
    /// Messages that were told to reach nobody.
    pub(crate) nobodys: BTreeSet<(u32, u32)>,
    pub(crate) last_push: Option<u64>,
    /// Ends as readers of events were told.
    pub(crate) told_ends: Vec<(u64, String)>,
    /// The goodbyes of a drain shall take so many milliseconds.
    pub(crate) wants_drain: Option<u64>,
    /// The shutdown has begun.
    pub(crate) is_draining: bool,
    /// A user who is there in the end, and acknowledges.
    pub(crate) is_here: Option<String>,
    /// Nobody asks for anything any more.
    pub(crate) is_closed: bool,
}

impl Desk {
    /// Somebody has heard that message.
    pub(crate) fn hear(&mut self, from: u32, number: u32) {
        let is_nobodys = self.nobodys.contains(&(from, number));
        assert!(!is_nobodys, "{number} of {from} was told to reach nobody");
        self.heard.insert((from, number));
    }
}

/// What may excuse an end, and how all of them ended.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    kicked: BTreeSet<String>,
    banned: BTreeSet<String>,
    /// Networks that were banned at any time, and whether any was let in.
    pub(crate) networks: Vec<Network>,
    pub(crate) lets_in: bool,
    /// Kicks by the application itself.
    pub(crate) kicks: u64,
    ends: BTreeMap<u64, CloseReason>,
}

impl Orders {
    pub(crate) fn take(&mut self, orders: &mut Vec<Order>) {
        for order in orders.drain(..) {
            match order {
                Order::Kick(user) => drop(self.kicked.insert(user)),
                Order::Ban(user) => drop(self.banned.insert(user)),
                Order::BanNetwork(network) => self.networks.push(network),
                Order::LetIn => self.lets_in = true,
            }
        }
    }

    /// Whether a connection of that user, where it had one, may have been ended so.
    pub(crate) fn excuse(&self, reason: CloseReason, user: Option<&str>) -> bool {
        let named = match reason {
            CloseReason::Kicked => &self.kicked,
            _ => &self.banned,
        };
        match user {
            Some(user) if reason == CloseReason::Kicked => named.contains(user),
            // Who logs in under a banned name is not known by it yet.
            _ => !named.is_empty(),
        }
    }

    pub(crate) fn note_end(&mut self, conn: ConnId, reason: CloseReason) {
        self.ends.insert(conn.to_u64(), reason);
    }

    /// What operators were told is what has happened.
    pub(crate) fn compare(&self, desk: &Desk) {
        let kicked = self
            .ends
            .values()
            .filter(|&&reason| reason == CloseReason::Kicked);
        let (kicked, told) = (kicked.count() as u64, self.kicks + desk.kicked);
        let is_so = kicked == told || (desk.unsure && kicked > told);
        assert!(is_so, "{kicked} were kicked, and {told} told of");
        for (conn, reason) in &desk.told_ends {
            // Of a newcomer that found no room the handler knows nothing.
            let truth = self.ends.get(conn).unwrap_or(&CloseReason::Overloaded);
            assert_eq!(truth.word(), reason, "the end of {conn} as it was told");
        }
    }
}
