//! Named stories on the simulated clock: each is one row of the catalogue of attacks and faults.
//!
//! The number in a test's comment is the row. Peers are driven by hand; after each turn the gate
//! is swept and the judge looks on, as in the seeds.

mod admin;
mod banned;
mod checked;
mod client;
mod deaths;
mod denials;
mod descriptors;
mod devices;
mod drain;
mod duplicates;
mod errors;
mod frames;
mod lag;
mod leavers;
mod letters;
mod many;
mod overload;
mod pauses;
mod proxied;
mod rates;
mod readers;
mod reload;
mod repriced;
mod rivals;
mod sources;
mod strangers;
mod timers;

use std::collections::HashMap;
use std::time::Duration;

use pulsegate::net::Signal;
use pulsegate::{CloseReason, ConnId, Limits, Options, Server, Settings};

use crate::world::agenda::{MILLI, Nanos, nanos};
use crate::world::drain::Drain;
use crate::world::judge::Judge;
use crate::world::quarrels::Quarrels;
use crate::world::socket::{Heard, Key};
use crate::world::watch::{Event, Watch};
use crate::world::{Path, SimNet};

/// A server on the simulated clock, and what became of its connections.
pub(crate) struct Stage {
    pub(crate) server: Server<SimNet<()>, Watch>,
    judge: Judge,
    /// Ends: whose, why, when.
    pub(crate) ends: Vec<(Key, CloseReason, Nanos)>,
    /// Where each of them stands there.
    places: HashMap<Key, usize>,
    pub(crate) events: Vec<Event>,
    drain_over: Duration,
    /// Whether the full sweep is made after each turn; big stories make it now and then.
    pub(crate) checks: bool,
    /// Whether the judge looks on: he knows no rates, no proxies and no bans.
    pub(crate) is_judged: bool,
}

impl Stage {
    pub(crate) fn new(settings: Settings) -> Self {
        Self::with(settings, Options::default())
    }

    /// One listener as it comes, within other limits.
    pub(crate) fn within(limits: Limits) -> Self {
        Self::limited(Settings::default(), limits)
    }

    pub(crate) fn limited(settings: Settings, limits: Limits) -> Self {
        let options = Options {
            limits,
            ..Options::default()
        };
        Self::with(settings, options)
    }

    pub(crate) fn with(settings: Settings, options: Options) -> Self {
        let mut net = SimNet::new(7, ());
        net.capacity = options.limits.events as usize;
        let mut judge = Judge::new(vec![settings.clone()], options.users);
        judge.has_tight_budget = true;
        judge.quarrels = Quarrels::new(options.limits.user_takeover_rate, options.users);
        let drain_over = options.drain_over;
        let mut server = Server::new(net, Watch::default(), options).expect("begins");
        server.listen(settings).expect("listens");
        Self {
            server,
            judge,
            ends: Vec::new(),
            places: HashMap::new(),
            events: Vec::new(),
            drain_over,
            checks: true,
            is_judged: true,
        }
    }

    pub(crate) fn net(&mut self) -> &mut SimNet<()> {
        self.server.net_mut()
    }

    pub(crate) fn now(&self) -> Nanos {
        self.server.net().kernel.now()
    }

    /// One turn, looked at from all sides.
    pub(crate) fn turn(&mut self) {
        self.server.turn().expect("the poll works");
        if self.checks {
            self.server.gate().check();
        }
        let mut events = std::mem::take(&mut self.server.handler_mut().events);
        let mut kernel = std::mem::take(&mut self.server.net_mut().kernel);
        for event in &events {
            if let Event::Closed(conn, reason) = event
                && let Some(key) = kernel.find(*conn)
            {
                self.places.entry(key).or_insert(self.ends.len());
                self.ends.push((key, *reason, kernel.clock.at));
            }
        }
        self.events.extend(events.iter().cloned());
        if self.is_judged {
            self.judge
                .hear(&mut events, &mut kernel, self.server.gate());
        }
        if self.is_judged && self.checks {
            self.judge.sweep(&kernel);
        }
        self.server.net_mut().kernel = kernel;
    }

    /// Turns for so long.
    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.now() + nanos(span);
        self.net().horizon = end;
        while self.now() < end {
            self.turn();
        }
    }

    /// Other settings for the listener; the judge knows.
    pub(crate) fn retune(&mut self, settings: &Settings) {
        let clock = self.net().kernel.stamp();
        self.judge.retune(vec![settings.clone()], clock);
        assert!(self.server.gate_mut().retune(settings), "it listens");
    }

    /// Asks the server to leave, as its options say.
    pub(crate) fn drain(&mut self) {
        self.expect_drain(self.drain_over);
        self.net().send_signal(Signal::Terminate);
    }

    /// The judge expects goodbyes spread over so long.
    pub(crate) fn expect_drain(&mut self, over: Duration) {
        let began = self.net().kernel.stamp();
        self.judge.drain = Some(Drain {
            since: began,
            began,
            over: nanos(over),
            most: u64::from(self.server.gate().connections()),
            ends: 0,
            turned_away: 0,
            late: 0,
            least: 0,
        });
    }

    /// Turns until nothing more happens at once.
    pub(crate) fn settle(&mut self) {
        self.pass(Duration::from_millis(5));
    }

    /// Connects, and lets the server accept.
    pub(crate) fn connect(&mut self) -> Key {
        self.connect_by(Path::default())
    }

    pub(crate) fn connect_by(&mut self, path: Path) -> Key {
        let key = self.dial(path);
        self.settle();
        key
    }

    pub(crate) fn dial(&mut self, path: Path) -> Key {
        let kernel = &mut self.net().kernel;
        let key = kernel.dial(0, None, path).expect("the backlog has room");
        for reason in [
            CloseReason::Kicked,
            CloseReason::Protocol,
            CloseReason::Quit,
        ] {
            kernel
                .get_mut(key)
                .expect("it is there")
                .facts
                .causes
                .add(reason);
        }
        key
    }

    /// Connects and logs in.
    pub(crate) fn login(&mut self, user: &str) -> Key {
        let key = self.connect();
        self.ask(key, &format!("login {user}\n"));
        key
    }

    pub(crate) fn say(&mut self, key: Key, text: &str) {
        let bytes = text.as_bytes();
        assert_eq!(
            self.net().kernel.say(key, bytes),
            bytes.len(),
            "the window has room"
        );
        self.note_frames(key, text);
    }

    /// The judge is told where frames end.
    fn note_frames(&mut self, key: Key, text: &str) {
        if let Some(socket) = self.net().kernel.get_mut(key) {
            let base = socket.to_server.sent - text.len() as u64;
            let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            for (place, _) in ends {
                socket.facts.mark_frame_end(base + place as u64 + 1);
            }
            socket.facts.is_marked = true;
        }
    }

    /// Says it, lets the server work, and hears what comes back.
    pub(crate) fn ask(&mut self, key: Key, text: &str) -> String {
        self.say(key, text);
        self.settle();
        self.hear(key)
    }

    /// Everything that has arrived at a peer.
    pub(crate) fn hear(&mut self, key: Key) -> String {
        String::from_utf8(self.net().kernel.hear_all(key)).expect("lines are UTF-8")
    }

    /// What a peer finds at its end.
    pub(crate) fn at_peer(&mut self, key: Key) -> Heard {
        self.net().kernel.listen_at_peer(key)
    }

    /// Why and when a connection ended.
    pub(crate) fn end(&self, key: Key) -> Option<(CloseReason, Nanos)> {
        let (_, reason, at) = self.ends[*self.places.get(&key)?];
        Some((reason, at))
    }

    pub(crate) fn reason(&self, key: Key) -> Option<CloseReason> {
        self.end(key).map(|(reason, _)| reason)
    }

    /// The server's id of a connection.
    pub(crate) fn conn(&self, key: Key) -> ConnId {
        let socket = self.server.net().kernel.get(key).expect("it is there");
        match socket.server.token {
            Some(pulsegate::Token::Conn(conn)) => conn,
            other => panic!("not registered: {other:?}"),
        }
    }

    /// The connection ended for this reason between `from` and 10 ms after it.
    pub(crate) fn assert_ended(&self, key: Key, reason: CloseReason, from: Nanos) {
        let (why, at) = self
            .end(key)
            .unwrap_or_else(|| panic!("{key:?} is still open"));
        assert_eq!(why, reason);
        assert!(at >= from, "{reason} at {at}, early: {from}");
        assert!(at <= from + 10 * MILLI, "{reason} at {at}, late: {from}");
    }
}

/// Seconds.
pub(crate) fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Milliseconds.
pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
