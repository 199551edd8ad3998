//! Every bound of the loop, in one place.
//!
//! Whatever loops, queues, buffers or remembers has its maximum here as a field, so that the
//! simulation can make it tiny and the ledger can add it up.

use std::time::Duration;

use crate::admin::AdminLimits;
use crate::settings::Rate;

/// Bounds on tables, on bytes, and on the work of one turn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Connections at most, all listeners together. One more is told `close overloaded`.
    pub connections: u32,
    /// Further slots in which refused newcomers linger until their goodbye has arrived. Where these
    /// are taken too, who comes next waits in the backlog.
    pub refusals: u32,

    /// Readiness events fetched by one wait; the others wait for the next.
    pub events: u32,
    /// Accepts per listener and turn; who comes next waits for the next turn.
    pub accepts: u32,
    /// Connections read per turn; each is read once, the others wait for the next turn.
    pub reads: u32,
    /// Bytes one read may take; the size of the one read buffer. The others wait for the next turn.
    pub read_bytes: usize,
    /// Frames handled per connection and turn; the others wait for the next turn.
    pub frames: u32,
    /// Connections written per turn; each is written once, the others wait for the next turn.
    pub flushes: u32,
    /// Timers asked per turn; the others wait for the next turn.
    pub expiries: u32,
    /// Deliveries per turn, over all pushes in progress; the others wait for the next turn.
    pub fanout: u32,
    /// Connections let go per turn; the others wait for the next turn.
    pub reaps: u32,
    /// Tasks from other threads run per turn; as many again may wait, and one more is refused.
    pub tasks: u32,
    /// The lag of the loop, a mean over the last second, above which newcomers have to wait until
    /// it is below half of this: established connections come first.
    pub lag: Duration,

    /// Signed tokens judged per turn; who comes next with one waits for the next turn.
    pub signatures: u32,
    /// Logins that a handler has yet to decide ([`Answer::Later`](crate::Answer::Later)), each for
    /// as long as its connection is there, which `login_timeout` ends where one is required. One
    /// more is told `error overloaded`, and may try again.
    pub undecided_logins: u32,
    /// Connections that rest at once because they took more than their share of an overloaded loop;
    /// one more goes on.
    pub resting: u32,
    /// The latest newcomers that are remembered, for ending the newest of them in overload;
    /// one more displaces the oldest.
    pub handshakes: u32,
    /// So many of them, the oldest, may finish their handshake even then; the others are ended.
    pub handshakes_kept: u32,

    /// Bytes of half frames and of frames whose turn has not come, over all connections. Over it
    /// the oldest half frame's connection ends, before it one whose frames wait behind a failed
    /// login, after it one with whole frames.
    pub input_budget: usize,
    /// Bytes of waiting output, over all connections. Over it the largest outbox's connection ends.
    pub output_budget: usize,
    /// Bytes of unacknowledged and parked messages. Over it the oldest parked one is dropped.
    pub offline_budget: usize,
    /// Topics at most; one more is refused.
    pub topics: u32,
    /// Topics one connection may have joined; one more is refused.
    pub topics_per_connection: u32,
    /// Unacknowledged messages per connection; one more is parked or refused.
    pub unacked_per_connection: u32,
    /// Absent users remembered: one who has left more recently displaces the one longest gone.
    pub absent_users: u32,
    /// Pushes whose fan-out is in progress; one more is refused.
    pub pushes: u32,
    /// Deliveries that pushes in progress may still have before them; a push that would add more is
    /// refused.
    pub push_targets: u32,
    /// Timers that a handler has set; one more is refused.
    pub timers: u32,
    /// Empty output buffers kept for the next connection that needs one; one more is given back.
    pub spare_outboxes: u32,

    /// Records kept of how connections ended, the latest ones; one more displaces the oldest.
    pub deaths: u32,

    /// Bytes a closing connection may still send us before we stop listening to it.
    pub linger_bytes: u32,

    /// Acknowledged pushes of backends whose fate can be asked for; one more displaces the oldest.
    pub receipts: u32,
    /// How long it can; then it is forgotten.
    pub receipts_kept: Duration,
    /// Connections of one address at most: an IPv4 address, or 64 bits of an IPv6 address. One
    /// more is told `close overloaded`.
    pub address_connections: Option<u32>,
    /// Newcomers: those above it wait in the backlog.
    pub accept_rate: Option<Rate>,
    /// Newcomers of one address: one more is told `close rate-limited`.
    pub address_accept_rate: Option<Rate>,
    /// Logins tried, good ones included: one more is told `error rate-limited`.
    pub login_rate: Option<Rate>,
    /// The same for one address.
    pub address_login_rate: Option<Rate>,
    /// The same for one user's name.
    pub user_login_rate: Option<Rate>,
    /// Logins of a user that replace a connection of the same user, without a hold. Above it the
    /// next one has to wait, each twice as long as the one before: two devices that oust each other
    /// come to rest.
    pub user_takeover_rate: Option<Rate>,
    /// Addresses without a connection that are remembered for their rates, and as many names of
    /// users: one more displaces the one that was heard of longest ago.
    pub sources: u32,

    /// Bans of users and networks; one more is refused.
    pub bans: u32,
    /// Bounds of the admin interface.
    pub admin: AdminLimits,
}

impl Limits {
    /// Whether nothing is limited by where it comes from.
    pub(crate) fn counts_no_source(&self) -> bool {
        let rates = [
            self.accept_rate,
            self.address_accept_rate,
            self.login_rate,
            self.address_login_rate,
            self.user_login_rate,
        ];
        self.address_connections.is_none() && rates.iter().all(Option::is_none)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            refusals: 64,
            events: 128,
            accepts: 256,
            reads: 1_024,
            read_bytes: 64 * 1_024,
            frames: 256,
            flushes: 1_024,
            expiries: 1_024,
            fanout: 1_024,
            reaps: 1_024,
            tasks: 256,
            lag: Duration::from_millis(100),
            signatures: 16,
            undecided_logins: 4_096,
            resting: 1_024,
            handshakes: 1_024,
            handshakes_kept: 64,
            input_budget: 64 << 20,
            output_budget: 256 << 20,
            offline_budget: 64 << 20,
            topics: 100_000,
            topics_per_connection: 64,
            unacked_per_connection: 256,
            absent_users: 65_536,
            pushes: 1_024,
            push_targets: 1 << 20,
            timers: 4_096,
            spare_outboxes: 1_024,
            deaths: 4_096,
            linger_bytes: 64 * 1_024,
            receipts: 10_000,
            receipts_kept: Duration::from_secs(600),
            address_connections: None,
            accept_rate: None,
            address_accept_rate: None,
            login_rate: None,
            address_login_rate: None,
            user_login_rate: None,
            // Hundreds in a row are somebody who tries it out; a quarrel has them within minutes.
            user_takeover_rate: Some(Rate {
                count: 300,
                per: Duration::from_secs(3_600),
            }),
            sources: 65_536,
            bans: 10_000,
            admin: AdminLimits::default(),
        }
    }
}

#[cfg(test)]
mod tests;
