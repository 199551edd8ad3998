//! The judge: whether the server may end a connection when and why it does.
//!
//! It keeps a model of who is here under which name, fed by the handler's diary, and compares it
//! with the gate and with the kernel after each turn.

mod contests;
mod deadlines;
mod newcomers;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pulsegate::{CloseReason, ConnId, EndDetail, Gate, Settings, Step, UserPolicy};

use super::agenda::{MILLI, Nanos, SECOND};
use super::desk::Orders;
use super::drain::Drain;
use super::facts::{Facts, Stamp};
use super::guard::{Guard, judge_strikes};
use super::kernel::Kernel;
use super::marks::Mark;
use super::quarrels::Quarrels;
use super::watch::Event;

/// What the judge holds against the server.
#[derive(Debug)]
pub(crate) struct Judge {
    settings: Vec<Settings>,
    policy: UserPolicy,
    /// Whether a byte budget is so small that it may cost a connection.
    pub(crate) has_tight_budget: bool,
    /// When the newest who have said nothing could be ended last.
    trimmed: Option<Stamp>,
    /// The shutdown, once it has begun.
    pub(crate) drain: Option<Drain>,
    /// What is known of addresses, in worlds where they matter.
    pub(crate) guard: Option<Guard>,
    /// Ends that the gate has written down and the handler was not told of yet.
    deaths: BTreeMap<ConnId, (CloseReason, Option<EndDetail>)>,
    /// How many it had written down, and how many of them in this turn.
    buried: u64,
    died: usize,
    /// When the settings were changed last: what was due by then may end then.
    retuned: Option<Stamp>,
    /// What they were before.
    before: Vec<Settings>,
    /// What operators have ordered.
    pub(crate) orders: Orders,
    /// How late a deadline may be decided, on the loop's clock.
    pub(crate) slack: Nanos,
    /// Whose connections they are, by address, and when they came.
    sources: BTreeMap<ConnId, (u128, Stamp)>,
    /// Who is open, and under which name.
    open: BTreeMap<ConnId, Option<String>>,
    /// Who replaces whom too often.
    pub(crate) quarrels: Quarrels,
    /// The connections of each name, oldest login first.
    owners: BTreeMap<String, Vec<ConnId>>,
    /// Who has seen a newer login under its own name, even if that one has moved on since.
    outdone: BTreeSet<ConnId>,
    /// Since when there are ends that the handler was not told of yet.
    behind: Option<Stamp>,
    /// When there was no room for a newcomer last.
    full: Stamp,
    pub(crate) opened: u64,
    pub(crate) closed: u64,
    /// Ends by reason, in the order of `CloseReason::ALL`.
    pub(crate) ends: [u64; CloseReason::ALL.len()],
}

impl Judge {
    pub(crate) fn new(settings: Vec<Settings>, policy: UserPolicy) -> Self {
        Self {
            settings,
            policy,
            has_tight_budget: false,
            trimmed: None,
            drain: None,
            guard: None,
            deaths: BTreeMap::new(),
            buried: 0,
            died: 0,
            retuned: None,
            before: Vec::new(),
            orders: Orders::default(),
            slack: 10 * MILLI,
            sources: BTreeMap::new(),
            open: BTreeMap::new(),
            quarrels: Quarrels::new(None, policy),
            owners: BTreeMap::new(),
            outdone: BTreeSet::new(),
            behind: None,
            full: Stamp::default(),
            opened: 0,
            closed: 0,
            ends: [0; CloseReason::ALL.len()],
        }
    }

    /// The listeners have other settings from now on.
    pub(crate) fn retune(&mut self, settings: Vec<Settings>, clock: Stamp) {
        self.before = std::mem::replace(&mut self.settings, settings);
        self.retuned = Some(clock);
    }

    /// How far overload has led the gate in this turn.
    pub(crate) fn note_step(&mut self, step: Step, clock: Stamp) {
        if step >= Step::Handshakes {
            self.trimmed = Some(clock);
        }
    }

    /// Takes what the handler was told in one turn.
    pub(crate) fn hear(&mut self, events: &mut Vec<Event>, kernel: &mut Kernel, gate: &Gate) {
        let is_eventful = !events.is_empty();
        self.read_deaths(gate, kernel.clock);
        for event in events.drain(..) {
            match event {
                Event::Opened(conn) => self.on_open(conn, kernel, gate),
                Event::Contested(contest) => self.on_contest(&contest, kernel),
                Event::LoggedIn(conn, user) => self.on_login(conn, user, kernel),
                Event::Closed(conn, reason) => self.on_close(conn, reason, kernel),
                Event::Waits(conn) => {
                    let clock = kernel.clock;
                    facts_of(kernel, conn).on_wait(clock);
                    kernel.marks.reach(Mark::Waited);
                }
                Event::AnswerLost => kernel.marks.reach(Mark::AnswerLost),
                Event::Answered(conn) => {
                    let clock = kernel.clock;
                    facts_of(kernel, conn).on_answer(clock);
                }
                Event::Retuned(settings) => {
                    kernel.marks.reach(Mark::Retuned);
                    self.retune(settings, kernel.clock);
                }
                Event::RetuneRefused => kernel.marks.reach(Mark::RetuneRefused),
                Event::Relimited(most) => {
                    kernel.marks.reach(Mark::Retargeted);
                    let guard = self.guard.as_mut();
                    guard
                        .expect("limits change where they matter")
                        .take_limit(most);
                }
            }
        }
        self.judge_untold(kernel);
        let veiled = self.veiled(kernel);
        self.behind = match self.open.len() + veiled > gate.connections() as usize {
            true => self.behind.or(Some(kernel.clock)),
            false => None,
        };
        if is_eventful {
            self.compare(gate, kernel);
        }
    }

    fn on_open(&mut self, conn: ConnId, kernel: &mut Kernel, gate: &Gate) {
        self.opened += 1;
        assert!(
            self.open.insert(conn, None).is_none(),
            "{conn} was opened twice"
        );
        let key = kernel.find(conn).expect("who is opened has a socket");
        self.judge_entry(conn, key, kernel, gate);
    }

    fn on_login(&mut self, conn: ConnId, user: String, kernel: &mut Kernel) {
        let name = self.open.get_mut(&conn).expect("who logs in is open");
        if name.as_ref() == Some(&user) {
            return;
        }
        if let Some(old) = name.replace(user.clone()) {
            kernel.marks.reach(Mark::Moved);
            self.owners
                .entry(old)
                .or_default()
                .retain(|&other| other != conn);
        }
        let owners = self.owners.entry(user).or_default();
        self.outdone.extend(owners.iter());
        owners.push(conn);
        self.outdone.remove(&conn);
    }

    fn on_close(&mut self, conn: ConnId, reason: CloseReason, kernel: &mut Kernel) {
        self.closed += 1;
        if let Some(drain) = &mut self.drain {
            drain.ends += 1;
        }
        self.ends[reason as usize] += 1;
        let name = self
            .open
            .remove(&conn)
            .unwrap_or_else(|| panic!("{conn} closed, never opened"));
        if let Some(user) = &name {
            assert!(
                reason != CloseReason::Replaced || self.outdone.contains(&conn),
                "{conn} was replaced, and nobody newer was {user}",
            );
            let owners = self.owners.entry(user.clone()).or_default();
            owners.retain(|&other| other != conn);
        }
        self.outdone.remove(&conn);
        if let (Some((source, _)), Some(guard)) = (self.sources.remove(&conn), &mut self.guard) {
            guard.ended.push(source);
        }
        let (_, detail) = self.deaths.remove(&conn).unwrap_or((reason, None));
        let clock = kernel.clock;
        let Some(key) = kernel.find(conn) else {
            panic!("{conn} has no socket when its end is told");
        };
        let is_logged_in = name.is_some();
        let socket = kernel.get_mut(key).expect("it is there");
        assert!(socket.facts.verdict.is_none(), "{conn} ended twice");
        socket.facts.verdict = Some(reason);
        self.orders.note_end(conn, reason);
        let is_order = matches!(reason, CloseReason::Kicked | CloseReason::Banned);
        if reason == CloseReason::Banned && self.judge_ban(key, detail, kernel) {
            return;
        }
        let socket = kernel.get_mut(key).expect("it is there");
        if is_order && self.orders.excuse(reason, name.as_deref()) {
            return;
        }
        if self.quarrels.end(conn) {
            assert_eq!(reason, CloseReason::RateLimited, "{conn} was sent away");
            return;
        }
        let settings = &self.rules_of(socket.listener, clock);
        let has_fin = socket.to_server.fin_arrived;
        self.judge(
            conn,
            reason,
            &socket.facts,
            settings,
            clock,
            (is_logged_in, has_fin),
        );
    }

    /// The settings of a listener; where they were changed just now, the shorter deadline of old
    /// and new: the end may have been decided before.
    fn rules_of(&self, listener: u16, clock: Stamp) -> Settings {
        let mut settings = self.settings[usize::from(listener)].clone();
        let is_new = |retuned: Stamp| clock.at <= retuned.at + clock.lag - retuned.lag + self.slack;
        if let Some(before) = self.before.get(usize::from(listener))
            && self.retuned.is_some_and(is_new)
        {
            let shorter = |one: Option<Duration>, other: Option<Duration>| one.min(other);
            settings.idle_timeout = shorter(settings.idle_timeout, before.idle_timeout);
            settings.login_timeout = shorter(settings.login_timeout, before.login_timeout);
            settings.frame_timeout = shorter(settings.frame_timeout, before.frame_timeout);
            settings.write_timeout = shorter(settings.write_timeout, before.write_timeout);
        }
        settings
    }

    fn judge(
        &self,
        conn: ConnId,
        reason: CloseReason,
        facts: &Facts,
        settings: &Settings,
        clock: Stamp,
        (is_logged_in, has_fin): (bool, bool),
    ) {
        match reason {
            CloseReason::LoginTimeout => {
                assert!(!is_logged_in, "{conn}: login-timeout after a login");
                self.judge_deadline(conn, reason, facts, settings, clock);
            }
            CloseReason::IdleTimeout
            | CloseReason::FrameTimeout
            | CloseReason::Lifetime
            | CloseReason::WriteTimeout => {
                self.judge_deadline(conn, reason, facts, settings, clock);
            }
            CloseReason::PeerClosed => assert!(has_fin, "{conn}: no FIN came"),
            _ => self.judge_cause(conn, reason, facts, settings, clock),
        }
    }

    /// Another reason: it has a cause.
    fn judge_cause(
        &self,
        conn: ConnId,
        reason: CloseReason,
        facts: &Facts,
        settings: &Settings,
        clock: Stamp,
    ) {
        match reason {
            CloseReason::PeerReset
            | CloseReason::Protocol
            | CloseReason::Kicked
            | CloseReason::Quit => {
                assert!(facts.causes.has(reason), "{conn}: {reason} without cause");
            }
            CloseReason::Replaced => {
                assert_ne!(
                    self.policy,
                    UserPolicy::Reject,
                    "{conn}: replaced under reject"
                );
            }
            CloseReason::LoginFailed => {
                let guard = self.guard.as_ref();
                let has_rate = guard.is_some_and(Guard::limits_logins);
                let is_reject = self.policy == UserPolicy::Reject;
                assert!(is_reject || has_rate, "{conn}: no login can fail");
            }
            CloseReason::Overloaded => {
                // Told as the turn's budgets allow.
                let is_trimmed = self.trimmed.is_some_and(|last| {
                    self.behind.is_some() || clock.at <= last.at + SECOND + clock.lag - last.lag
                });
                assert!(
                    self.has_tight_budget || is_trimmed && !facts.is_logged_in,
                    "{conn}: overloaded with ample budgets"
                );
            }
            CloseReason::RateLimited => judge_strikes(facts, settings, clock),
            CloseReason::Shutdown => match &self.drain {
                Some(drain) => drain.judge_goodbye(conn, clock, self.slack),
                None => panic!("{conn}: no shutdown"),
            },
            CloseReason::SlowConsumer => {
                let may_overflow = settings.outbox_max < 64 << 10;
                assert!(
                    facts.was_blocked || may_overflow,
                    "{conn}: slow, never blocked"
                );
            }
            _ => {
                panic!("{conn}: {reason} without cause");
            }
        }
    }

    /// The shutdown has begun: whoever is open now will leave by it. Who had ended before, and is
    /// told of now or later, will not.
    pub(crate) fn count_those_who_leave(&mut self, gate: &Gate, kernel: &Kernel) {
        let told = self.open.len() + self.veiled(kernel);
        let untold = told.saturating_sub(gate.connections() as usize);
        if let Some(drain) = &mut self.drain {
            drain.late = drain.ends + untold as u64;
            drain.least = self.open.len() as u64;
        }
    }

    /// The model, the gate and the kernel agree.
    fn compare(&self, gate: &Gate, kernel: &Kernel) {
        let held = kernel.held_of_clients();
        assert_eq!(held, gate.sockets() as usize, "sockets held");
        assert!(
            self.open.len() + self.veiled(kernel) >= gate.connections() as usize,
            "connections opened"
        );
        let most = match self.policy {
            UserPolicy::Replace | UserPolicy::Reject => 1,
            UserPolicy::Devices(most) => usize::from(most.max(1)),
        };
        for (user, owners) in &self.owners {
            let live: Vec<ConnId> = gate.connections_of(user).collect();
            assert!(live.len() <= most, "{user} has {live:?}");
            // The handler hears of an end at the end of the turn, the gate knows it at once.
            let mut owners = owners.iter();
            let is_part = live.iter().all(|conn| owners.any(|owner| owner == conn));
            assert!(is_part, "{user} is {live:?} for the gate");
        }
    }

    /// Sockets whose story is over: what the peer was told is what the handler was told.
    pub(crate) fn bury(&self, kernel: &mut Kernel) {
        for at in 0..kernel.dead.len() {
            let Some(socket) = kernel.get(kernel.dead[at]) else {
                continue;
            };
            let facts = &socket.facts;
            let verdict = match facts.was_opened || self.guard.is_some() {
                true => facts.verdict,
                false => Some(CloseReason::Overloaded),
            };
            assert!(
                facts.told.is_none() || facts.told == verdict,
                "the peer was told {:?}, the handler {verdict:?}",
                facts.told,
            );
            contests::judge_rest(facts);
            let Some(settings) = self.settings.get(usize::from(socket.listener)) else {
                continue;
            };
            let is_gate = settings.dialect == pulsegate::Dialect::Gate;
            let says = is_gate && !facts.is_wild && verdict != Some(CloseReason::PeerClosed);
            if facts.fin_heard && says && facts.accepted != Stamp::default() {
                assert_eq!(facts.told, verdict, "a FIN came without its goodbye");
            }
            if facts.was_opened && verdict == Some(CloseReason::Overloaded) {
                let mark = match facts.was_cut {
                    true => Mark::OutboxEvicted,
                    false => Mark::HalfEvicted,
                };
                kernel.marks.reach(mark);
            }
        }
        kernel.bury();
    }

    /// Newcomers wait no longer than a second while there is room for them.
    pub(crate) fn listen(&mut self, kernel: &Kernel, has_room: bool) {
        let now = kernel.stamp();
        if !has_room || !kernel.has_descriptor() {
            self.full = now;
        }
        for (listener, queued) in kernel.oldest_newcomers() {
            let since = if queued.at < self.full.at {
                self.full
            } else {
                queued
            };
            let age = (now.at - since.at).saturating_sub(now.lag - since.lag);
            assert!(
                age < SECOND,
                "deaf: a newcomer of l{listener} waits for {age} ns"
            );
        }
    }

    /// Who is open by the books.
    pub(crate) fn open_count(&self) -> usize {
        self.open.len()
    }
}

fn facts_of(kernel: &mut Kernel, conn: ConnId) -> &mut Facts {
    let socket = kernel.find(conn).and_then(|key| kernel.get_mut(key));
    &mut socket.expect("it is there").facts
}
