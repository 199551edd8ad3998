//! The handler of a simulated server: obeys like the default one, and keeps a diary.
//!
//! In some worlds it takes its time for logins and data: the answer comes later, by a timer, when
//! the connection may be gone and its slot another's.

use std::collections::BTreeMap;
use std::time::Duration;

use pulsegate::{
    Answer, CloseReason, Configure, ConnId, Fields, Gate, Handler, Message, Options, Settings,
    Ticket, TimerId,
};

use super::dice::Dice;

/// Something the server told its handler.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Event {
    Opened(ConnId),
    LoggedIn(ConnId, String),
    /// It has got somebody's name, or left one, or was sent away for a while.
    Contested(Contest),
    /// Its answer comes later.
    Waits(ConnId),
    /// The answer that it waited for was given.
    Answered(ConnId),
    /// The same, but too late.
    AnswerLost,
    Closed(ConnId, CloseReason),
    /// Other settings hold from now on.
    Retuned(Vec<Settings>),
    /// So many connections of an address may be here from now on.
    Relimited(Option<u32>),
    /// They do not, and nothing has changed.
    RetuneRefused,
}

/// A login under a name that may be somebody's.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Contest {
    pub(crate) conn: ConnId,
    pub(crate) user: String,
    /// Who it was before.
    pub(crate) was: Option<String>,
    /// Who had the name until then, oldest login first.
    pub(crate) owners: Vec<ConnId>,
    /// Whether it was sent away.
    pub(crate) is_held: bool,
    /// When, since the loop began, stops included.
    pub(crate) at: Duration,
}

/// A handler that writes everything down.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) events: Vec<Event>,
    /// Where it is slow, by chance.
    pub(crate) dice: Option<Dice>,
    /// Whether it never decides a login by itself.
    pub(crate) is_undecided: bool,
    owed: Vec<Owed>,
    /// Where the configuration may be read again: what is in force, and chance.
    pub(crate) desk: Option<(Vec<Settings>, Dice)>,
    /// What else changes then, where addresses matter.
    pub(crate) options: Option<Changing>,
    reloads: Vec<(TimerId, Ticket)>,
}

/// What a reload changes where addresses matter.
#[derive(Debug)]
pub(crate) struct Changing {
    pub(crate) options: Options,
    /// The rates of listeners that have one now and then.
    pub(crate) message_rates: BTreeMap<String, u32>,
}

/// An answer that comes later; to a login where there is a user.
#[derive(Debug)]
struct Owed {
    timer: TimerId,
    conn: ConnId,
    user: Option<String>,
}

impl Watch {
    fn puts_off(&mut self, gate: &mut Gate, conn: ConnId, message: Message<'_>) -> bool {
        let user = match message {
            Message::Login { user, .. } => Some(user.to_owned()),
            Message::Data { .. } => None,
            _ => return false,
        };
        if self.is_undecided && user.is_some() {
            return true;
        }
        let Some(dice) = &mut self.dice else {
            return false;
        };
        if dice.one_in(2) {
            return false;
        }
        let after = Duration::from_millis(dice.between(0, 3_000));
        let Some(timer) = gate.set_timer(after) else {
            return false;
        };
        self.owed.push(Owed { timer, conn, user });
        self.events.push(Event::Waits(conn));
        true
    }

    /// The file was read: another one each time, good or not. Time passes between two of them.
    fn reload(&mut self, gate: &mut Gate, ticket: Ticket) {
        let Some((settings, dice)) = self.desk.as_mut().filter(|_| !gate.is_draining()) else {
            return gate.configured(ticket, Err(vec!["not now".into()]));
        };
        if dice.one_in(3) {
            self.events.push(Event::RetuneRefused);
            return gate.configured(ticket, Err(vec!["a mistake in line 7".into()]));
        }
        for one in settings.iter_mut() {
            let spans = [
                &mut one.idle_timeout,
                &mut one.login_timeout,
                &mut one.frame_timeout,
                &mut one.write_timeout,
            ];
            for span in spans.into_iter().flatten() {
                *span = Duration::from_millis(dice.between(100, 2_000) * 10);
            }
            if let Some(options) = &self.options {
                let rate = options.message_rates.get(&one.name).copied();
                one.message_rate = rate.filter(|_| dice.one_in(2));
            }
            assert!(gate.retune(one), "it listens");
        }
        if let Some(change) = &mut self.options {
            let most = (!dice.one_in(2)).then(|| dice.between(1, 4) as u32);
            change.options.limits.address_connections = most;
            gate.tune(&change.options);
            self.events.push(Event::Relimited(most));
        }
        self.events.push(Event::Retuned(settings.clone()));
        gate.configured(ticket, Ok(Vec::new()));
    }

    fn login(&mut self, gate: &mut Gate, conn: ConnId, user: &str) -> Answer {
        let was = gate.user(conn).map(str::to_owned);
        let owners: Vec<ConnId> = gate.connections_of(user).collect();
        let refused = gate.stats().logins_refused;
        let answer = gate.login(conn, user);
        let is_held = gate.stats().logins_refused > refused;
        let is_done = matches!(answer, Answer::Ok(_));
        let is_same = was.as_deref() == Some(user);
        let is_contest = !owners.is_empty() || was.is_some();
        if (is_done || is_held) && is_contest && !is_same {
            self.events.push(Event::Contested(Contest {
                conn,
                user: user.to_owned(),
                was,
                owners,
                is_held,
                at: gate.now() + gate.stalled(),
            }));
        }
        if is_done {
            self.events.push(Event::LoggedIn(conn, user.to_owned()));
        }
        answer
    }
}

impl Handler for Watch {
    fn on_open(&mut self, _gate: &mut Gate, conn: ConnId) {
        self.events.push(Event::Opened(conn));
    }

    fn on_message(&mut self, gate: &mut Gate, conn: ConnId, message: Message<'_>) -> Answer {
        if self.puts_off(gate, conn, message) {
            return Answer::Later;
        }
        match message {
            Message::Login { user, .. } => self.login(gate, conn, user),
            message => gate.obey(conn, message),
        }
    }

    fn on_close(&mut self, _gate: &mut Gate, conn: ConnId, reason: CloseReason) {
        self.events.push(Event::Closed(conn, reason));
    }

    fn on_configure(&mut self, gate: &mut Gate, ticket: Ticket, _: Configure) {
        let after = Duration::from_millis(500);
        let is_free = self.reloads.is_empty();
        match is_free.then(|| gate.set_timer(after)).flatten() {
            Some(timer) => self.reloads.push((timer, ticket)),
            None => gate.configured(ticket, Err(vec!["too many at once".into()])),
        }
    }

    fn on_timer(&mut self, gate: &mut Gate, timer: TimerId) {
        if let Some((_, ticket)) = self.reloads.pop_if(|(other, _)| *other == timer) {
            return self.reload(gate, ticket);
        }
        let place = self.owed.iter().position(|owed| owed.timer == timer);
        let owed = self
            .owed
            .swap_remove(place.expect("no timer that was not set"));
        let answer = match &owed.user {
            None => Answer::Ok(Fields::NONE.with("queued", 1)),
            Some(user) => self.login(gate, owed.conn, user),
        };
        let is_told = gate.answer(owed.conn, answer);
        self.events.push(match is_told {
            true => Event::Answered(owed.conn),
            false => Event::AnswerLost,
        });
    }
}
