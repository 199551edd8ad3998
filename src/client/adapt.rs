//! How long a client may stay silent: the interval of its heartbeats, learned from what lives and
//! what dies.
//!
//! Between a client and its server stand middleboxes (address translation, firewalls, proxies)
//! that forget a flow once it has been idle for a time that nobody tells. Beating more often than
//! needed costs power and traffic, beating less often costs the connection. Knows no sockets and
//! no clock: it is told how long each silence was and what became of it.
//!
//! # How it learns
//! - `safe` is the longest silence after which a heartbeat was answered, `dead` the shortest after
//!   which it was not. The middlebox's time lies between them.
//! - **Grow.** It begins with 20 s, or a third of the server's timeout where that is shorter. As
//!   long as nothing has died, each answered heartbeat makes the next silence half as long again,
//!   up to the ceiling.
//! - **Fall back.** After a silent death the next silence is one that was survived before: whoever
//!   has just come back is not put at risk at once.
//! - **Narrow.** Then it tries a third of the way from `safe` to `dead`, not half: a death costs
//!   much more than a heartbeat. It has settled once the two are within a twelfth of each other.
//! - **Margin.** It never waits longer than 19/20 of `dead`, but to find out whether `dead` still
//!   holds.
//! - **Forget.** After 32 answered heartbeats at the settled interval it doubts `dead` and waits a
//!   twelfth longer than that, once. Is it answered, it grows again; is it not, the next doubt
//!   comes after twice as many, up to 1,024.
//! - **A silence that was survived before and now kills** means another network, or chance. It
//!   halves; a second death in a row has it begin anew from the minimum. One below half of what
//!   would have been waited is chance, the first time: whoever talks all the time dies of others.
//! - **A bad network.** An answer that takes longer than the smoothed round trip and four times its
//!   spread (RFC 6298), and more than twice the usual, or that is missed in its time, halves the
//!   interval, twice at most; four prompt answers in a row take a halving back. While it is bad, a
//!   first death says nothing of middleboxes.
//!
//! # Invariants
//! - The interval is at least the minimum and at most the **ceiling**: the server's timeout less a
//!   twelfth of it, or less the slow end of a round trip where that is more (half of it at most).
//!   Where the two contradict each other, the ceiling wins.
//! - A death never lengthens the interval. Two in a row of silences that had been survived bring
//!   it down to the minimum. What the search asks for next is at most half as long again as what
//!   was survived, or a twelfth longer than what is doubted.
//!
//! # What it is worth
//! In a simulation over middleboxes that forget after 30 s to 15 min, the interval is safe and
//! within a tenth of the best after 20 heartbeats, with at most three deaths on the way (two on
//! the average). On 200 ways that are spread evenly over the orders of magnitude, a day of it
//! beside a fixed third of the server's timeout, the learning included; "lives" are the ways on
//! which the third lives, "dies" those on which each of its silences is too long:
//!
//! | timeout | lives | pings of 100 | deaths a day, a way | dies | deaths of 100 |
//! |---|---|---|---|---|---|
//! | 1 min | 200 | 39 | 1.4 | 0 | |
//! | 3 min | 159 | 47 | 2.4 | 41 | 0.5 |
//! | 20 min | 48 | 74 | 4.0 | 152 | 3.0 |
//!
//! # Where the ideas come from
//! - R. Price, P. Tiňo, "Adapting to NAT timeout values in P2P overlay networks", IPDPS 2010, and
//!   "Using Adaptive Heartbeat Rate on Long-Lived TCP Connections", IEEE/ACM Transactions on
//!   Networking 2018: exponential search followed by a narrowing one takes the fewest trials.
//! - The heartbeat of Tencent's Mars: fall back after a failure, look again from time to time.
//! - TCP itself: the estimate of the round trip and of its spread.
//!
//! Costs: 40 bytes, a few operations a heartbeat.
//!
//! ```
//! use pulsegate::client::adapt::Adaptive;
//! use std::time::Duration;
//!
//! let (minute, rtt) = (Duration::from_secs(60), Duration::from_millis(30));
//! let mut heartbeat = Adaptive::new(Duration::from_secs(5), 10 * minute);
//! assert_eq!(heartbeat.interval(), Duration::from_secs(20));
//! heartbeat.alive(heartbeat.interval(), rtt);
//! assert_eq!(heartbeat.interval(), Duration::from_secs(30));
//! heartbeat.died(heartbeat.interval());
//! assert_eq!(heartbeat.interval(), Duration::from_secs(20));
//! ```

use std::time::Duration;

use super::heart::Rhythm;

#[cfg(test)]
mod journey;
#[cfg(test)]
mod tests;

/// Learns how long a connection may stay silent. Outlives connections: keep it across reconnects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Adaptive {
    min: Millis,
    /// After so long a silence the server closes.
    timeout: Millis,
    /// Where the search begins while nothing is known to be safe.
    start: Millis,
    /// The longest silence that was survived; 0 where none is known.
    safe: Millis,
    /// The shortest silence that was not; [`NEVER`] where none is known.
    dead: Millis,
    rtt: Rtt,
    /// Deaths since the last answer.
    deaths: u8,
    /// The next silence is one that was survived before.
    is_careful: bool,
    /// How often the interval is halved, since the network is bad.
    halvings: u8,
    /// Prompt answers in a row while it is halved.
    prompt: u8,
    /// Answers at the settled interval.
    settled: u16,
    /// So many of them before `dead` is doubted.
    trust: u16,
}

impl Adaptive {
    /// One that knows nothing yet. `timeout` is the silence after which the server closes: three
    /// times the `heartbeat` of its answer to a login.
    #[must_use]
    pub fn new(min: Duration, timeout: Duration) -> Self {
        let timeout = millis(timeout);
        Self {
            min: millis(min),
            timeout,
            start: START.min(timeout / 3),
            safe: 0,
            dead: NEVER,
            rtt: Rtt::default(),
            deaths: 0,
            is_careful: false,
            halvings: 0,
            prompt: 0,
            settled: 0,
            trust: TRUST_MIN,
        }
    }

    /// How long to stay silent before the next heartbeat.
    #[must_use]
    pub fn interval(&self) -> Duration {
        let wanted = self.wanted() >> self.halvings;
        let millis = wanted.max(self.min).min(self.ceiling());
        Duration::from_millis(millis.into())
    }

    /// A heartbeat was answered: the connection had been idle, both ways, for `idle` before it, and
    /// the answer took `rtt`.
    pub fn alive(&mut self, idle: Duration, rtt: Duration) {
        let idle = millis(idle);
        self.deaths = 0;
        self.is_careful = false;
        if idle >= self.dead {
            self.dead = NEVER;
            (self.settled, self.trust) = (0, TRUST_MIN);
        } else if self.has_settled() && idle >= self.wanted() / 4 * 3 {
            self.settled = self.settled.saturating_add(1);
        }
        self.safe = self.safe.max(idle);
        match self.rtt.is_late(rtt) {
            true => self.late(),
            false => self.in_time(),
        }
        self.rtt.measure(rtt);
    }

    /// The connection died silently: it had been idle for `idle` when the heartbeat was sent that
    /// nobody answered, or that was answered by a reset.
    pub fn died(&mut self, idle: Duration) {
        let idle = millis(idle);
        let wanted = self.wanted();
        self.deaths = self.deaths.saturating_add(1);
        self.is_careful = true;
        self.settled = 0;
        if idle >= self.dead {
            // The doubt was wrong.
            self.trust = (self.trust * 2).min(TRUST_MAX);
        } else if self.safe > 0 && idle > self.safe {
            self.dead = idle;
        } else if self.deaths > 1 {
            self.begin_again(idle, self.min);
        } else if self.halvings > 0 {
            self.late();
        } else if idle >= wanted / 2 {
            self.begin_again(idle, wanted.min(idle / 2));
        }
    }

    /// What was survived is survived no more: looks for what is, from `start` on.
    fn begin_again(&mut self, died: Millis, start: Millis) {
        (self.safe, self.start) = (0, start);
        self.dead = died.max(self.min);
        // It may have been chance.
        self.trust = TRUST_MIN;
    }

    /// A heartbeat's answer was missed in its time, and the connection is given more time, or is
    /// known to live by other traffic.
    pub fn late(&mut self) {
        self.halvings = (self.halvings + 1).min(HALVINGS_MAX);
        self.prompt = 0;
    }

    /// The server's timeout is this from now on.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = millis(timeout);
        if self.safe == 0 && self.dead == NEVER {
            self.start = START.min(self.timeout / 3);
        }
    }

    /// The longest interval that the server's timeout allows.
    #[must_use]
    pub fn longest(&self) -> Duration {
        Duration::from_millis(self.ceiling().into())
    }

    fn ceiling(&self) -> Millis {
        let slack = (self.timeout / NARROW).max(self.rtt.slow_millis());
        (self.timeout - slack.min(self.timeout / 2)).max(1)
    }

    /// What the search asks for, whatever the bounds and the network say.
    fn wanted(&self) -> Millis {
        let margin = self.dead - self.dead / MARGIN;
        if self.safe == 0 {
            return self.start.min(margin);
        }
        let longer = self.safe.saturating_add(self.safe / 2);
        let next = match self.dead {
            _ if self.is_careful => self.safe,
            NEVER => longer,
            dead if !self.has_settled() => longer.min(self.safe + (dead - self.safe) / 3),
            dead if self.settled >= self.trust => return dead.saturating_add(dead / NARROW),
            _ => self.safe,
        };
        match self.dead {
            NEVER => next,
            _ => next.min(margin),
        }
    }

    /// Whether there is nothing more to find between what was survived and what was not.
    fn has_settled(&self) -> bool {
        self.safe > 0 && self.dead != NEVER && self.dead - self.safe <= self.safe / NARROW
    }

    fn in_time(&mut self) {
        if self.halvings == 0 {
            return;
        }
        self.prompt += 1;
        if self.prompt == PROMPT {
            self.halvings -= 1;
            self.prompt = 0;
        }
    }
}

impl Rhythm for Adaptive {
    fn interval(&self) -> Duration {
        self.interval()
    }

    fn set_timeout(&mut self, timeout: Duration) {
        self.set_timeout(timeout);
    }

    fn alive(&mut self, idle: Duration, rtt: Duration) {
        self.alive(idle, rtt);
    }

    fn died(&mut self, idle: Duration) {
        self.died(idle);
    }
}

/// The round trip, smoothed, as TCP keeps it (RFC 6298); microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Rtt {
    smooth: u32,
    spread: u32,
    is_known: bool,
}

impl Rtt {
    fn measure(&mut self, rtt: Duration) {
        let rtt = micros(rtt);
        if self.is_known {
            let off = self.smooth.abs_diff(rtt);
            self.spread = self.spread - self.spread / 4 + off / 4;
            self.smooth = self.smooth - self.smooth / 8 + rtt / 8;
        } else {
            (self.smooth, self.spread, self.is_known) = (rtt, rtt / 2, true);
        }
    }

    /// How long a slow one takes, in microseconds.
    fn slow(self) -> u32 {
        self.smooth.saturating_add(self.spread.saturating_mul(4))
    }

    fn slow_millis(self) -> Millis {
        self.slow().div_ceil(1_000)
    }

    /// Whether a bad network is the likely cause of so long a one.
    fn is_late(self, rtt: Duration) -> bool {
        let usual = self.slow().max(self.smooth.saturating_mul(2)).max(LATE_MIN);
        self.is_known && micros(rtt) > usual
    }
}

type Millis = u32;

/// No silence has died.
const NEVER: Millis = Millis::MAX;
/// The first silence: a third of the server's default timeout.
const START: Millis = 20_000;
/// Where what was survived and what was not are within this part of each other, it has settled.
/// Also the part of the server's timeout that is left unused.
const NARROW: Millis = 12;
/// The part of what has died that is left unused.
const MARGIN: Millis = 20;
/// Answers at the settled interval until it is doubted, at first and at most.
const TRUST_MIN: u16 = 32;
const TRUST_MAX: u16 = 1_024;
/// How often a bad network halves the interval at most.
const HALVINGS_MAX: u8 = 2;
/// Prompt answers in a row that take a halving back.
const PROMPT: u8 = 4;
/// Microseconds that never count as late: below them a scheduler explains more than a network.
const LATE_MIN: u32 = 100_000;

/// Whole milliseconds; at least one, and never so many that they mean never.
fn millis(span: Duration) -> Millis {
    let millis = u32::try_from(span.as_millis()).unwrap_or(NEVER);
    millis.clamp(1, NEVER / 2)
}

fn micros(span: Duration) -> u32 {
    u32::try_from(span.as_micros()).unwrap_or(u32::MAX)
}
