//! What is done where there is more than the loop or its budgets can bear, step by step: the least
//! harm first, the next one only where that was not enough, and back again the same way.
//!
//! | step | lag over | output over | what is done |
//! |---|---|---|---|
//! | 1 `readers` | 1/2 | 12/16 | who takes a whole share of a turn is not read for 100 ms |
//! | 2 `pushes` | 3/4 | 13/16 | no message without an ack for who has not taken the last one |
//! | 3 `handshakes` | 7/8 | 14/16 | of those in a handshake the newest end |
//! | 4 `accepts` | 1 | 15/16 | newcomers wait in the backlog |
//! | 5 `evictions` | | 1 | the largest outbox ends |
//!
//! Lag as a share of [`Limits::lag`](crate::Limits::lag), output of its budget.
//!
//! - Where the loop lags, step 2 also refuses messages without an ack to many: they are its work.
//! - Input that waits and fills 12/16 of its budget is a reason for step 1 and for no other:
//!   strangers can cause it, and what is worth least of it ends where there is more.
//! - A lag alone ends nobody who is through its handshake: step 5 is for bytes.
//! - A step is taken at once. It is left one at a time, 200 ms after the change before it, where
//!   the lag is below half of what led to it, the output 2/16 below.
//! - Weighed once a turn, by what is counted anyway. At step 0 nothing else asks for it but where
//!   a connection has more than its share of a turn, and a message is delivered.

use std::collections::VecDeque;
use std::time::Duration;

use super::Gate;
use super::conn::{Conns, Flags};
use super::end::{End, EndDetail};
use super::timers::TimerKind;
use crate::id::ConnId;
use crate::reason::CloseReason;
use crate::settings::Login;
use crate::time::{Span, Tick};

/// How far the gate has gone to bear its load.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[repr(u8)]
pub enum Step {
    /// Nothing out of the ordinary.
    #[default]
    None,
    /// Who takes a whole share of a turn rests.
    Readers,
    /// Messages without an ack are dropped where they would wait.
    Pushes,
    /// The newest of those in a handshake end: who have said nothing yet, or not what logs them in
    /// where they must.
    Handshakes,
    /// Newcomers wait in the backlog.
    Accepts,
    /// A budget is used up: who holds most of it ends.
    Evictions,
}

/// What overload has led to, and what is under way for it.
#[derive(Debug, Default)]
pub(crate) struct Overload {
    lag: Ladder,
    bytes: Ladder,
    /// The higher of the two.
    step: Step,
    /// Connections that are not read for a while, and until when (live).
    resting: VecDeque<(ConnId, Tick)>,
    /// The latest newcomers, the newest last.
    newest: VecDeque<ConnId>,
    /// Whether the timer is set that looks after both.
    has_timer: bool,
    /// Whether somebody was ended for the output budget since it was weighed last.
    has_evicted: bool,
}

/// A step, and since when.
#[derive(Clone, Copy, Debug, Default)]
struct Ladder {
    step: Step,
    since: Duration,
}

/// How long a step is kept at least before the one below is taken.
const KEPT: Duration = Duration::from_millis(200);
/// How long who took more than its share is not read, and how often steps are weighed at rest.
const REST: Span = Span(50);
/// Whose handshake takes longer than this is left to its own time limits.
const HANDSHAKE_MAX: Span = Span(2_500);
/// Shares of the output budget, of sixteen, for each step by bytes, and how far below it is left.
const OUTPUT: [usize; 4] = [12, 13, 14, 15];
const OUTPUT_BELOW: usize = 2;

impl Step {
    /// Every step, in their order.
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::Readers,
        Self::Pushes,
        Self::Handshakes,
        Self::Accepts,
        Self::Evictions,
    ];

    /// The word for it in metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Readers => "readers",
            Self::Pushes => "pushes",
            Self::Handshakes => "handshakes",
            Self::Accepts => "accepts",
            Self::Evictions => "evictions",
        }
    }

    fn below(self) -> Self {
        Self::ALL[(self as usize).saturating_sub(1)]
    }
}

impl Ladder {
    /// Up at once to what is `wanted`; down one step where this one is no longer to be kept.
    fn weigh(&mut self, wanted: Step, is_kept: bool, now: Duration) {
        if wanted > self.step {
            (self.step, self.since) = (wanted, now);
        } else if self.step > wanted && !is_kept && now.saturating_sub(self.since) >= KEPT {
            (self.step, self.since) = (self.step.below(), now);
        }
    }
}

/// The lag that leads to a step.
fn lag_for(step: Step, limit: Duration) -> Duration {
    match step {
        Step::None => Duration::ZERO,
        Step::Readers => limit / 2,
        Step::Pushes => limit / 4 * 3,
        Step::Handshakes => limit / 8 * 7,
        Step::Accepts | Step::Evictions => limit,
    }
}

/// The step that such a lag calls for.
fn step_by_lag(mean: Duration, is_over: bool, limit: Duration) -> Step {
    if is_over {
        return Step::Accepts;
    }
    let steps = [Step::Handshakes, Step::Pushes, Step::Readers];
    let mut reached = steps
        .into_iter()
        .filter(|step| mean > lag_for(*step, limit));
    reached.next().unwrap_or_default()
}

/// Whether what led to a step by lag has not receded far enough.
fn keeps_lag(step: Step, mean: Duration, is_over: bool, limit: Duration) -> bool {
    match step {
        Step::Accepts => is_over,
        step => mean >= lag_for(step, limit) / 2,
    }
}

impl Gate {
    /// How far the gate has gone to bear its load.
    #[must_use]
    pub fn step(&self) -> Step {
        self.overload.step
    }

    /// Connections that are not read for a while because the gate has too much to do.
    pub fn resting(&self) -> impl Iterator<Item = ConnId> {
        let rests = |conn: &ConnId| {
            let found = self.conns.find_open(*conn);
            found.is_some_and(|index| self.conns.at(index).flags.has(Flags::RESTING))
        };
        let listed = self.overload.resting.iter().map(|(conn, _)| *conn);
        listed.filter(rests)
    }

    /// Once a turn: which step is called for by how late the loop is and by the bytes that wait.
    #[inline]
    pub(crate) fn weigh(&mut self) {
        let mean = self.pace.lag.mean();
        let is_calm = mean <= self.limits.lag / 2
            && !self.fills(self.ledger.output(), OUTPUT[0])
            && !self.fills_input(OUTPUT[0])
            && !self.overload.has_evicted;
        if !is_calm || self.overload.step != Step::None {
            self.weigh_load(mean);
        }
    }

    #[cold]
    fn weigh_load(&mut self, mean: Duration) {
        let now = self.clock.elapsed();
        let (is_over, limit) = (self.pace.lag.is_over(), self.limits.lag);
        let wanted = step_by_lag(mean, is_over, limit);
        let is_kept = keeps_lag(self.overload.lag.step, mean, is_over, limit);
        self.overload.lag.weigh(wanted, is_kept, now);
        let is_kept = self.keeps_bytes(self.overload.bytes.step);
        let wanted = self.step_by_bytes();
        self.overload.bytes.weigh(wanted, is_kept, now);
        let step = self.overload.lag.step.max(self.overload.bytes.step);
        self.stats.overload.taken += u64::from(step > self.overload.step);
        self.overload.step = step;
        self.watch_load();
    }

    fn step_by_bytes(&mut self) -> Step {
        if std::mem::take(&mut self.overload.has_evicted) {
            return Step::Evictions;
        }
        let reached = |share: &usize| self.fills(self.ledger.output(), *share);
        let steps = OUTPUT.iter().filter(|share| reached(share)).count();
        match Step::ALL[steps] {
            Step::None if self.fills_input(OUTPUT[0]) => Step::Readers,
            step => step,
        }
    }

    /// Whether what led to a step by bytes has not receded far enough.
    fn keeps_bytes(&self, step: Step) -> bool {
        let Some(share) = OUTPUT.get((step as usize).wrapping_sub(1)) else {
            // Nobody was evicted meanwhile.
            return false;
        };
        let share = share - OUTPUT_BELOW;
        let by_input = step == Step::Readers && self.fills_input(share);
        by_input || self.fills(self.ledger.output(), share)
    }

    fn fills(&self, output: usize, share: usize) -> bool {
        is_over(output, share, self.limits.output_budget)
    }

    fn fills_input(&self, share: usize) -> bool {
        is_over(self.ledger.input, share, self.limits.input_budget)
    }

    /// Steps are left, and who rests is read again, also where nothing else happens.
    fn watch_load(&mut self) {
        let is_wanted = self.overload.step != Step::None || !self.overload.resting.is_empty();
        if !is_wanted || std::mem::replace(&mut self.overload.has_timer, true) {
            return;
        }
        let over = self.overload.resting.front();
        let left = over.map_or(REST, |(_, over)| over.since(self.clock.live()).min(REST));
        self.start_timer(self.clock.real().after(left), TimerKind::Overload);
    }

    /// The rest of some is over.
    pub(crate) fn ring_overload(&mut self) {
        self.overload.has_timer = false;
        let now = self.clock.live();
        for _ in 0..self.limits.reads {
            let Some((conn, _)) = self
                .overload
                .resting
                .pop_front_if(|(_, over)| over.is_due(now))
            else {
                break;
            };
            if let Some(index) = self.conns.find_open(conn) {
                self.resume(index, Flags::RESTING);
            }
        }
        self.watch_load();
    }

    /// Step 1: whoever has more than its share of a turn is not read for a while: whether it is so.
    #[inline]
    pub(crate) fn rest_talker(&mut self, index: u32) -> bool {
        self.overload.step >= Step::Readers && self.rest(index)
    }

    #[cold]
    fn rest(&mut self, index: u32) -> bool {
        let conn = self.conns.at(index);
        // Who waits for us to judge its first login is no talker.
        let is_put_off = conn.flags.has(Flags::PUT_OFF) && !conn.is_logged_in();
        let goes_on = Flags::CLOSED_HINT | Flags::EOF | Flags::VEILED;
        if conn.flags.has(goes_on)
            || is_put_off
            || self.overload.resting.len() >= self.limits.resting as usize
        {
            return false;
        }
        self.stats.overload.rested += 1;
        self.pause(index, Flags::RESTING);
        let over = self.clock.live().after(REST);
        self.overload
            .resting
            .push_back((self.conns.id(index), over));
        self.watch_load();
        true
    }

    /// Step 2: whether a message without an ack is dropped for this receiver.
    #[inline]
    pub(crate) fn spares(&mut self, index: u32) -> bool {
        self.overload.step >= Step::Pushes && self.spares_blocked(index)
    }

    #[cold]
    fn spares_blocked(&mut self, index: u32) -> bool {
        let is_spared = self.conns.at(index).flags.has(Flags::BLOCKED);
        self.stats.overload.pushes += u64::from(is_spared);
        is_spared
    }

    /// Step 2 where the loop lags: whether a message without an ack to many is refused.
    pub(crate) fn refuses_to_many(&mut self, ack: bool) -> bool {
        let is_refused = self.overload.lag.step >= Step::Pushes && !ack;
        self.stats.overload.pushes += u64::from(is_refused);
        is_refused
    }

    /// A newcomer was let in.
    pub(crate) fn note_newcomer(&mut self, conn: ConnId) {
        let newest = &mut self.overload.newest;
        if newest.len() >= self.limits.handshakes as usize {
            newest.pop_front();
        }
        newest.push_back(conn);
    }

    /// Step 3: of those in a handshake only the oldest may stay.
    pub(crate) fn trim_handshakes(&mut self) {
        if self.overload.step < Step::Handshakes {
            return;
        }
        let mut newest = std::mem::take(&mut self.overload.newest);
        newest.retain(|conn| self.is_in_handshake(*conn));
        let mut most = newest
            .iter()
            .filter(|conn| !self.waits_for_us(**conn))
            .count();
        for conn in newest.iter().rev() {
            if most <= self.limits.handshakes_kept as usize {
                break;
            }
            if self.waits_for_us(*conn) {
                continue;
            }
            most -= 1;
            let end = End::over(CloseReason::Overloaded, EndDetail::Handshakes);
            self.stats.overload.handshakes += u64::from(self.close_by(*conn, end));
        }
        self.overload.newest = newest;
    }

    /// Whether its login is here, and was not judged yet.
    fn waits_for_us(&self, conn: ConnId) -> bool {
        let flags = self.conns.at(conn.index).flags;
        flags.has(Flags::AWAITING | Flags::PUT_OFF)
    }

    fn is_in_handshake(&self, conn: ConnId) -> bool {
        let Some(index) = self.conns.find_open(conn) else {
            return false;
        };
        let conn = self.conns.at(index);
        let must_log_in = self.rules_of(index).settings.login == Login::Required;
        let is_through = match must_log_in {
            true => conn.is_logged_in(),
            false => conn.flags.has(Flags::GREETED),
        };
        let late = conn.opened_live.after(HANDSHAKE_MAX);
        !is_through && !late.is_due(self.clock.live())
    }

    /// Step 5: the connection with the largest outbox is about to end.
    pub(crate) fn note_eviction(&mut self) {
        self.stats.overload.evicted += 1;
        self.overload.has_evicted = true;
    }

    /// Step 4: whether newcomers have to wait.
    pub(crate) fn stops_accepts(&self) -> bool {
        self.overload.step >= Step::Accepts
    }

    /// Full sweep: who rests is listed once, and will be read again.
    pub(crate) fn check_overload(&self) {
        let listed: Vec<ConnId> = self.resting().collect();
        let rests = |conns: &Conns| {
            let open = conns.iter().filter(|(_, conn)| conn.is_open());
            open.filter(|(_, conn)| conn.flags.has(Flags::RESTING))
                .count()
        };
        assert_eq!(listed.len(), rests(&self.conns), "who rests is listed");
        let has_work = !listed.is_empty() || self.overload.step != Step::None;
        assert!(
            !has_work || self.overload.has_timer,
            "what was begun for overload is looked after"
        );
        assert!(self.overload.resting.len() <= self.limits.resting as usize);
        assert!(self.overload.newest.len() <= self.limits.handshakes as usize);
    }
}

/// Whether that is more than so many sixteenths of a budget.
fn is_over(bytes: usize, share: usize, budget: usize) -> bool {
    bytes.saturating_mul(16) > budget.saturating_mul(share)
}

#[cfg(test)]
mod tests;
