//! The gate: every fact about every connection, user, topic and deadline. It has no sockets, no
//! generics and no lifetimes, so that a handler can be given all of it.
//!
//! It is changed by the phases of the loop and by what a handler calls; neither ever writes to a
//! socket or closes one from here: they append to outboxes and mark.
//!
//! Invariants, swept by [`Gate::check`]:
//! - the wheel holds exactly the live connections and the timers
//! - a queue's flag is set exactly while the queue holds the connection
//! - an outbox exists only while bytes wait, and its length equals its pieces
//! - users, topics and connections point at each other
//! - the ledger equals a recount and stays under its budgets

mod absent;
mod bans;
#[cfg(test)]
mod bare;
mod beats;
mod bucket;
mod check;
mod clock;
mod close;
mod configure;
pub(crate) mod conn;
pub(crate) mod deadline;
mod deaths;
mod denials;
mod drain;
pub(crate) mod end;
mod events;
mod expiry;
pub(crate) mod fanout;
mod hardened;
mod input;
mod lag;
mod largest;
mod ledger;
mod letters;
mod listing;
mod logins;
pub(crate) mod meter;
mod newcomers;
mod offline;
pub(crate) mod outbox;
mod output;
mod overload;
mod pace;
mod pieces;
mod progress;
mod push;
mod pushes;
mod queue;
mod rates;
mod receipts;
pub(crate) mod requests;
mod rests;
mod rivals;
mod rules;
mod sources;
mod spare;
mod stats;
pub(crate) mod timers;
mod tokens;
mod topics;
pub(crate) mod tune;
mod users;

use std::net::SocketAddr;
use std::time::Duration;

use smol_str::SmolStr;

use self::bans::Bans;
use self::clock::Clock;
use self::configure::Configuring;
use self::conn::{Conns, Held, NONE, Phase};
use self::deaths::Deaths;
use self::events::Events;
use self::input::Inputs;
use self::largest::Largest;
use self::ledger::{Ledger, Tables};
use self::meter::Meter;
use self::offline::Offline;
use self::outbox::Outbox;
use self::overload::Overload;
use self::pushes::Pushes;
use self::queue::Queues;
use self::rates::Rates;
use self::receipts::Receipts;
use self::rivals::Rivals;
use self::rules::{Crowd, Rules, Wires};
use self::sources::Sources;
use self::timers::Timers;
use self::topics::Topics;
use self::tune::{Course, Tuning};
use self::users::Users;
use crate::id::{ConnId, ListenerId};
use crate::limits::Limits;
use crate::settings::{Settings, UserPolicy};
use crate::time::Span;
use crate::tokens::Tokens;
use crate::wheel::Wheel;

pub(crate) use self::bans::Banned;
pub use self::configure::{Configure, Ticket, Verdict};
pub use self::deaths::Death;
pub(crate) use self::end::End;
pub use self::end::{EndDetail, EndedBy};
pub(crate) use self::events::Kind as EventKind;
pub(crate) use self::hardened::{Guard, Hardened};
pub use self::lag::Lag;
pub use self::ledger::Ceiling;
pub(crate) use self::offline::{body_len, own};
pub use self::overload::Step;
pub use self::pace::{Histogram, Pace};
pub use self::push::{Push, Receipt, Target};
pub(crate) use self::receipts::Order;
pub use self::rests::{RestCause, Rests};
pub use self::stats::{Letters, Overloads, Stats};
pub use self::timers::TimerId;

/// All connections, users, topics and deadlines.
#[derive(Debug)]
pub struct Gate {
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) conns: Conns,
    pub(crate) queues: Queues,
    pub(crate) wheel: Wheel,
    pub(crate) stats: Stats,
    pub(crate) timers: Timers,
    pub(crate) pushes: Pushes,
    /// Deliveries that this turn may still make.
    pub(crate) fanout_left: u32,
    /// Logins that the handler has yet to decide.
    pub(crate) undecided: u32,
    /// The connection whose request is in hand: what it causes to itself follows the answer.
    pub(crate) answering: u32,
    /// Whose end the handler is being told, and whose connection it was.
    pub(crate) leaving: Option<(ConnId, Option<SmolStr>)>,
    /// A handler or a task asked for the shutdown.
    pub(crate) is_stop_asked: bool,
    /// Over how long the goodbyes of that shutdown are spread, where it says so.
    pub(crate) drain_over: Option<Duration>,
    /// Who asked for the shutdown.
    pub(crate) stopped_by: EndedBy,
    /// The shutdown has begun.
    pub(crate) is_draining: bool,
    pub(crate) pace: Pace,
    pub(crate) rests: Rests,
    overload: Overload,
    pub(crate) course: Course,
    pub(crate) configuring: Configuring,
    pub(crate) events: Events,
    receipts: Receipts,
    bans: Bans,
    /// Something panicked in this turn and may have left a change half-done.
    pub(crate) is_suspect: bool,
    tuning: Tuning,
    policy: UserPolicy,
    rules: Vec<Rules>,
    wires: Wires,
    users: Users,
    topics: Topics,
    offline: Offline,
    inputs: Inputs,
    held: Vec<Held>,
    #[expect(
        clippy::vec_box,
        reason = "boxes move between here and the connections"
    )]
    outboxes: Vec<Box<Outbox>>,
    largest: Largest,
    deaths: Deaths,
    ledger: Ledger,
    /// Where there are limits by source.
    sources: Option<Box<Sources>>,
    rivals: Rivals,
    /// What the tokens of logins are judged by.
    tokens: Option<Box<Tokens>>,
    /// Signatures that this turn may still judge.
    signatures_left: u32,
    /// The time since 1970, of this turn where signed tokens are judged.
    wall: Duration,
    /// By slot; empty where no listener has a limit for one connection.
    meters: Vec<Meter>,
    rates: Rates,
    /// Connections that may be held at once, those that are refused included.
    slots: u32,
    /// The slot that is looked at next where somebody has to make room.
    room_from: u32,
    next_id: u64,
    hardened: Option<Hardened>,
}

/// What a gate takes from the world when it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Birth {
    /// The net's clock.
    pub(crate) now: Duration,
    /// The wall clock; message ids begin with it.
    pub(crate) wall: Duration,
    /// The key of the hash tables.
    pub(crate) key: (u64, u64),
    /// Slots of the wheel.
    pub(crate) wheel_slots: u32,
}

impl Gate {
    pub(crate) fn new(limits: Limits, policy: UserPolicy, birth: Birth) -> Self {
        let clock = Clock::new(birth.now);
        let slots = (limits.connections + limits.refusals) as usize;
        let mut gate = Self {
            conns: Conns::new(slots),
            queues: Queues::default(),
            wheel: Wheel::with_slots(clock.real(), birth.wheel_slots, slots),
            stats: Stats::default(),
            timers: Timers::default(),
            pushes: Pushes::default(),
            fanout_left: limits.fanout,
            undecided: 0,
            answering: NONE,
            leaving: None,
            is_stop_asked: false,
            drain_over: None,
            stopped_by: EndedBy::Operator,
            is_draining: false,
            pace: Pace::default(),
            rests: Rests::default(),
            overload: Overload::default(),
            course: Course::default(),
            configuring: Configuring::default(),
            events: Events::new(birth.wall),
            receipts: Receipts::default(),
            bans: Bans::default(),
            is_suspect: false,
            tuning: Tuning::new(limits.connections),
            policy,
            rules: Vec::new(),
            wires: Wires::default(),
            users: Users::new(birth.key, limits.connections as usize),
            topics: Topics::new(birth.key),
            offline: Offline::default(),
            inputs: Inputs::default(),
            held: Vec::new(),
            outboxes: Vec::new(),
            largest: Largest::default(),
            deaths: Deaths::default(),
            ledger: Ledger::default(),
            sources: None,
            rivals: Rivals::default(),
            tokens: None,
            signatures_left: limits.signatures.max(1),
            wall: birth.wall,
            meters: Vec::new(),
            rates: Rates::default(),
            slots: limits.connections + limits.refusals,
            room_from: 0,
            next_id: first_id(birth.wall),
            hardened: None,
            clock,
            limits,
        };
        gate.see_sources();
        gate
    }

    /// Takes the settings of one more listener.
    pub(crate) fn add_rules(&mut self, settings: Settings) -> ListenerId {
        let wire = self.wires.number(settings.framing);
        self.rules.push(Rules::new(settings, wire));
        self.reserve_meters();
        ListenerId(u16::try_from(self.rules.len() - 1).expect("fewer listeners than 65,536"))
    }

    pub(crate) fn rules_of(&self, index: u32) -> &Rules {
        &self.rules[usize::from(self.conns.at(index).listener.0)]
    }

    /// The counts of the listener that accepted a connection.
    pub(crate) fn crowd_of(&mut self, index: u32) -> &mut Crowd {
        &mut self.rules[usize::from(self.conns.at(index).listener.0)].crowd
    }

    /// The name of a listener.
    pub(crate) fn listener_name(&self, listener: ListenerId) -> &str {
        let rules = self.rules.get(usize::from(listener.0));
        rules.map_or("", |rules| &rules.settings.name)
    }

    /// The largest frame that any listener takes.
    pub(crate) fn frame_max(&self) -> usize {
        let sizes = self.rules.iter().map(|rules| rules.settings.frame_max);
        sizes.max().unwrap_or(0)
    }

    /// Each listener's settings, and how many connections it has.
    pub(crate) fn listeners(&self) -> impl Iterator<Item = (&Settings, &Crowd)> {
        self.rules
            .iter()
            .map(|rules| (&rules.settings, &rules.crowd))
    }

    /// Sends `body` as one frame of the connection's framing, under the slow-consumer policy of its
    /// listener: for applications that speak a language of their own
    /// ([`Dialect::Frames`](crate::Dialect::Frames)). Whether it was queued.
    pub fn send(&mut self, conn: ConnId, body: &[u8]) -> bool {
        let found = self.conns.find_open(conn);
        found.is_some_and(|index| self.send_frame(index, body))
    }

    /// The peer's address.
    #[must_use]
    pub fn peer(&self, conn: ConnId) -> Option<SocketAddr> {
        self.conns
            .find(conn)
            .map(|index| self.conns.at(index).peer())
    }

    /// The settings of the listener that accepted a connection.
    #[must_use]
    pub fn settings(&self, conn: ConnId) -> Option<&Settings> {
        self.conns
            .find(conn)
            .map(|index| &self.rules_of(index).settings)
    }

    /// How long ago a connection was accepted, in whole seconds.
    #[must_use]
    pub fn age(&self, conn: ConnId) -> Option<Duration> {
        let seconds = self.conns.at(self.conns.find(conn)?).opened_seconds;
        Some(Duration::from_secs(u64::from(
            self.clock.seconds() - seconds,
        )))
    }

    /// Bytes received from and sent to a connection.
    #[must_use]
    pub fn traffic(&self, conn: ConnId) -> Option<(u64, u64)> {
        let conn = self.conns.at(self.conns.find(conn)?);
        Some((conn.bytes_in, conn.bytes_out))
    }

    /// Counters since the loop began.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The bounds this gate works under.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Connections that are open.
    #[must_use]
    pub fn connections(&self) -> u32 {
        self.conns.open_count()
    }

    /// Sockets held: open connections and those whose goodbye is on its way.
    #[must_use]
    pub fn sockets(&self) -> u32 {
        self.conns.live()
    }

    /// Users with at least one connection.
    #[must_use]
    pub fn users(&self) -> u32 {
        self.users.present_count()
    }

    /// Users remembered although they are not here.
    #[must_use]
    pub fn absent_users(&self) -> u32 {
        self.users.absent_count()
    }

    /// Topics with at least one member.
    #[must_use]
    pub fn topics(&self) -> usize {
        self.topics.len()
    }

    /// Members of a topic.
    #[must_use]
    pub fn members(&self, topic: &str) -> usize {
        self.topics
            .find(topic)
            .map_or(0, |topic| self.topics.members(topic).len())
    }

    /// Messages parked for absent users.
    #[must_use]
    pub fn parked(&self) -> usize {
        self.offline.len()
    }

    /// Bytes held now: half frames, waiting output, unacknowledged and parked messages.
    #[must_use]
    pub fn bytes_held(&self) -> [usize; 3] {
        [
            self.ledger.input,
            self.ledger.output(),
            self.ledger.offline(),
        ]
    }

    /// Connections whose output is above their soft limit: readers that lag.
    #[must_use]
    pub fn slow_readers(&self) -> u32 {
        self.ledger.high
    }

    /// Deliveries to come of messages that are on their way to many.
    #[must_use]
    pub fn deliveries_left(&self) -> usize {
        self.pushes.targets()
    }

    /// The most memory this process can reach under its limits, in bytes.
    #[must_use]
    pub fn ceiling(&self) -> Ceiling {
        let mut ceiling = Ceiling::of(&self.limits);
        // Other lists and tokens are there before those in force are dropped.
        ceiling.fixed += 2 * self.bans.list_bytes() as u64 + 2 * self.token_bytes();
        ceiling.connections += self.counting();
        ceiling
    }

    /// Memory of what is counted beside the connections, by slot.
    fn counting(&self) -> u64 {
        (self.meters.capacity() * size_of::<Meter>() + self.rates.bytes()) as u64
    }

    /// How much of that is in use, `admin` bytes of it by the admin interface: budgets as they are
    /// counted, tables by their entries, each at its dearest.
    pub(crate) fn memory(&self, admin: usize) -> Ceiling {
        let [input, output, offline] = self.bytes_held().map(|bytes| bytes as u64);
        let connections = u64::from(self.sockets());
        let tables = Tables {
            spare_outboxes: self.outboxes.len() as u64,
            deaths: self.deaths().len() as u64,
            topics: self.topics.len() as u64,
            push_targets: self.pushes.targets() as u64,
            timers: self.timers.len() as u64,
            receipts: self.receipts.len() as u64,
            bans: self.bans.len() as u64,
            sources: self.sources() as u64,
            absent_users: u64::from(self.absent_users()),
            read_bytes: self.limits.read_bytes as u64,
        };
        Ceiling {
            fixed: Ceiling::fixed(&tables) + self.bans.list_bytes() as u64 + self.token_bytes(),
            connections: Ceiling::connections(connections, self.topics.joined()) + self.counting(),
            input,
            output,
            offline,
            admin: (admin + self.events.waiting()) as u64,
        }
    }

    /// Now, on the clock of deadlines: since the loop began, without the times it was stopped.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.clock.lived()
    }

    /// How long the loop was stopped in all: time that no peer's silence was counted for.
    #[must_use]
    pub fn stalled(&self) -> Duration {
        self.clock.stalled()
    }

    /// How long the loop may sleep; `None`: until something happens.
    pub(crate) fn sleep_max(&self) -> Option<Duration> {
        if !self.queues.are_empty() || !self.pushes.is_empty() || self.is_retuning() {
            return Some(Duration::ZERO);
        }
        let until = self.wheel.next().map(|next| self.clock.until(next));
        if self.meters.is_empty() {
            return until;
        }
        Some(until.map_or(LOOK_UP, |until| until.min(LOOK_UP)))
    }

    /// Whether a connection takes part in nothing any more but its goodbye.
    pub(crate) fn is_lingering(&self, index: u32) -> bool {
        self.conns.at(index).phase == Phase::Lingering
    }

    /// A span as the limits of time count it; for tests of deadlines.
    #[must_use]
    pub fn ticks(duration: Duration) -> u32 {
        Span::covering(duration).0
    }
}

/// The longest sleep where connections have rates: a stop of the loop is noticed by how much later
/// than meant it wakes, and what piled up meanwhile is to be made up for.
const LOOK_UP: Duration = Duration::from_secs(1);

/// The first message id of a run: the Unix time in seconds, times 2^20. Its fraction counts, so
/// that two runs within a second share no id.
fn first_id(wall: Duration) -> u64 {
    let fraction = (u64::from(wall.subsec_nanos()) << 20) / 1_000_000_000;
    (wall.as_secs() << 20) + fraction
}
