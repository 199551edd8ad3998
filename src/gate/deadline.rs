//! By when something must happen on a connection. Deadlines are derived from facts each time they
//! are asked for, never stored: a heartbeat stores when it came, and nothing else.
//!
//! The wheel holds one entry per connection that says when to ask. Asking early is harmless; what
//! makes a deadline **earlier** must [`touch`](Gate::touch) the connection: the first byte of a
//! frame, blocked output, the soft limit, a message that wants an ack, a denial that comes late,
//! reading again after a pause, closing. A deadline more than a second away is asked about at the
//! second before it, so that the wheel wakes the loop once a second however many connections it
//! holds.

use super::Gate;
use super::conn::{Conn, Flags, Phase};
use super::end::{End, EndDetail};
use super::rules::Rules;
use crate::reason::CloseReason;
use crate::settings::SlowConsumer;
use crate::time::{SPAN_MAX, Span, TICK_MS, Tick};

/// What a deadline is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    /// Nothing: a connection without a deadline is looked at now and then.
    Nothing,
    /// Ends the connection, where a last look at its socket finds nothing.
    Silent(CloseReason),
    /// The lifetime is over.
    Lifetime,
    /// Output does not leave.
    Stuck(End),
    /// A ping is to be sent.
    Ping,
    /// A message that was sent is of no use any more.
    Expired,
    /// A message is to be sent again.
    Ack,
    /// Who was held back is read again.
    Refill,
    /// A failed login is answered.
    Denial,
    /// The goodbye took too long.
    Goodbye,
    /// The peer had its time to read the goodbye.
    Linger,
}

/// A "second" of the wheel: a power of two, so that it divides the circle of ticks.
const SECOND: u32 = 512;
/// How often a connection without a deadline is looked at.
const NOW_AND_THEN: Span = Span(16_000);
/// Everybody is asked as often as this, so that no stamp comes round the circle unnoticed.
const AGING: Span = Span(8 * 3_600_000 / TICK_MS);
/// For so long frames that wait may put off the end of who has not logged in: a second.
pub(crate) const GRACE: Span = Span(1_000 / TICK_MS);
/// How long a goodbye may take where no `write_timeout` says so.
const GOODBYE_MAX: Span = Span(5_000);

/// The earliest of several deadlines.
struct Earliest {
    at: Option<(Tick, Cause)>,
}

impl Earliest {
    fn consider(&mut self, at: Tick, cause: Cause) {
        if self.at.is_none_or(|(first, _)| at.is_before(first)) {
            self.at = Some((at, cause));
        }
    }

    fn consider_span(&mut self, since: Tick, span: Option<Span>, cause: Cause) {
        if let Some(span) = span {
            self.consider(since.after(span), cause);
        }
    }
}

impl Gate {
    /// The connection's next deadline on the real clock, and what it is about.
    pub(crate) fn deadline(&self, index: u32) -> (Tick, Cause) {
        let conn = self.conns.at(index);
        let rules = &self.rules[usize::from(conn.listener.0)];
        let mut live = Earliest { at: None };
        match conn.phase {
            Phase::Open if conn.flags.has(Flags::VEILED) => {
                let late = Cause::Silent(CloseReason::FrameTimeout);
                live.consider(conn.opened_live.after(rules.proxy), late);
                // A login that is required has its time from the beginning, whatever comes first.
                let login = Cause::Silent(CloseReason::LoginTimeout);
                live.consider_span(conn.opened_live, rules.login, login);
            }
            Phase::Open => {
                consider_open(&mut live, conn, rules);
                if conn.flags.has(Flags::THROTTLED)
                    && let Some(at) = self.refill_at(index)
                {
                    live.consider(at, Cause::Refill);
                }
            }
            Phase::Closing => {
                let slow = conn.reason == Some(CloseReason::SlowConsumer);
                let span = if slow {
                    rules.linger
                } else {
                    rules.write.unwrap_or(GOODBYE_MAX)
                };
                live.consider(conn.since.after(span), Cause::Goodbye);
            }
            Phase::Lingering => live.consider(conn.since.after(rules.linger), Cause::Linger),
            Phase::Free | Phase::Gone | Phase::Cut => {}
        }
        let mut real = Earliest {
            at: live.at.map(|(at, cause)| (self.clock.to_real(at), cause)),
        };
        if conn.is_open() {
            real.consider_span(conn.opened, rules.lifetime, Cause::Lifetime);
            if conn.flags.has(Flags::TRACKS) {
                let unacked = conn.unacked().iter();
                for at in unacked.filter_map(|sent| sent.letter.expires) {
                    real.consider(at, Cause::Expired);
                }
            }
        }
        real.at
            .unwrap_or_else(|| (self.clock.real().after(NOW_AND_THEN), Cause::Nothing))
    }

    /// Tells the wheel when to ask the connection.
    ///
    /// To be called where its deadline may have become earlier, and after it was asked.
    pub(crate) fn touch(&mut self, index: u32) {
        let (at, _) = self.deadline(index);
        let now = self.clock.real();
        self.wheel.set(index, coarse(now, at.min(now.after(AGING))));
    }

    /// What a connection did before any deadline of today could count from it counts as just that
    /// old: where a reload sets one at last, it does not look on the circle of ticks as if it were
    /// still to come.
    pub(crate) fn clamp_stamps(&mut self, index: u32) {
        let (real, live) = (self.clock.real(), self.clock.live());
        let conn = self.conns.at_mut(index);
        let age = |stamp: &mut Tick, now: Tick| {
            let oldest = now.before(Span::covering(SPAN_MAX));
            if stamp.is_before(oldest) {
                *stamp = oldest;
            }
        };
        age(&mut conn.opened, real);
        age(&mut conn.opened_live, live);
        age(&mut conn.last_in, live);
        age(&mut conn.last_out, live);
        age(&mut conn.frame_began, live);
        age(&mut conn.since, live);
        if let Some(outbox) = &mut conn.outbox {
            outbox.age(live.before(Span::covering(SPAN_MAX)));
        }
    }

    /// Starts not reading a connection: its silence does not count while we do not listen.
    pub(crate) fn pause(&mut self, index: u32, flag: u32) {
        let now = self.clock.live();
        let conn = self.conns.at_mut(index);
        if !conn.is_paused() {
            conn.since = now;
        }
        conn.flags.set(flag);
    }

    /// Reads it again; what counts its silence is moved by the pause.
    pub(crate) fn resume(&mut self, index: u32, flag: u32) {
        let now = self.clock.live();
        let conn = self.conns.at_mut(index);
        if !conn.flags.lower(flag) || !conn.is_open() {
            return;
        }
        self.rank_input(index);
        let conn = self.conns.at_mut(index);
        if conn.is_paused() {
            // What holds for one pause need not hold for another.
            return self.touch(index);
        }
        let since = conn.since;
        let is_metered = conn.flags.has(Flags::METERED);
        // What came in the midst of the pause is moved by the rest of it.
        let moved = |stamp: Tick| {
            let from = if since.is_before(stamp) { stamp } else { since };
            stamp.after(now.since(from))
        };
        conn.last_in = moved(conn.last_in);
        conn.frame_began = moved(conn.frame_began);
        // Who does not take its answers is not read for its own fault.
        if is_metered && flag != Flags::CHOKED {
            self.make_up(index, now.since(since));
        }
        self.touch(index);
        self.queues.push_ready(&mut self.conns, index);
    }
}

fn consider_open(live: &mut Earliest, conn: &Conn, rules: &Rules) {
    if !conn.is_paused() {
        let idle = Cause::Silent(CloseReason::IdleTimeout);
        live.consider_span(conn.last_in, rules.idle, idle);
        if conn.flags.has(Flags::HALF_FRAME) {
            let frame = Cause::Silent(CloseReason::FrameTimeout);
            live.consider_span(conn.frame_began, rules.frame, frame);
        }
        if !conn.flags.has(Flags::PINGED) {
            live.consider_span(conn.last_in, rules.ping, Cause::Ping);
        }
    }
    if !conn.is_logged_in() {
        // Its login may be here: who rests has some of it judged first.
        let more = match conn.flags.has(Flags::RESTING) {
            true => GRACE,
            false => Span::ZERO,
        };
        let span = rules.login.map(|span| Span(span.0 + more.0));
        let login = Cause::Silent(CloseReason::LoginTimeout);
        live.consider_span(conn.opened_live, span, login);
    }
    if let Some(denial) = conn.denial() {
        let delay = rules.denial.unwrap_or(Span::ZERO);
        live.consider(denial.since.after(delay), Cause::Denial);
    }
    if let Some(outbox) = &conn.outbox
        && conn.flags.has(Flags::BLOCKED)
    {
        let write = Cause::Stuck(CloseReason::WriteTimeout.into());
        live.consider_span(outbox.stuck_since, rules.write, write);
        let slow = |detail| Cause::Stuck(End::over(CloseReason::SlowConsumer, detail));
        if let Some(oldest) = outbox.oldest() {
            live.consider_span(oldest, rules.age, slow(EndDetail::OutputAge));
        }
        if let Some(since) = outbox.soft_since
            && rules.settings.slow_consumer == SlowConsumer::Close
        {
            live.consider(since.after(rules.soft), slow(EndDetail::OutboxSoft));
        }
    }
    if conn.flags.has(Flags::TRACKS) {
        let left = conn
            .unacked()
            .iter()
            .filter(|sent| sent.end <= conn.bytes_out);
        for sent in left {
            live.consider(sent.sent.after(rules.ack), Cause::Ack);
        }
    }
}

/// When to ask about a deadline: at the whole second before it while that is still to come.
fn coarse(now: Tick, at: Tick) -> Tick {
    let second = Tick(at.0 & !(SECOND - 1));
    if now.is_before(second) { second } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_deadline_is_asked_about_at_the_second_before_it() {
        let at = Tick(10 * SECOND + 7);
        assert_eq!(coarse(Tick(0), at), Tick(10 * SECOND));
        assert_eq!(coarse(Tick(10 * SECOND), at), at);
        assert_eq!(coarse(Tick(10 * SECOND - 1), at), Tick(10 * SECOND));
        let wrapped = Tick(5);
        assert_eq!(coarse(Tick(u32::MAX - 700), wrapped), Tick(0));
    }
}
