//! Ticks and spans: the only units of time above the sockets.
//!
//! Knows no clock. A [`Tick`] is a point on a wrapping counter of 2 ms steps, a [`Span`] a distance
//! on it. The counter is 32 bits wide and wraps after 99 days, so ticks are compared by distance:
//! two ticks that meet are never more than half the circle (49 days) apart, and no configurable
//! span reaches that far.
//!
//! - Stamps round **down**, spans round **up** and add one tick: a deadline is never early.
//! - The loop starts its counter shortly before the wrap ([`Tick::START`]), so that every run of
//!   the daemon and every simulated run crosses it.

use std::time::Duration;

/// Milliseconds in a tick.
pub const TICK_MS: u32 = 2;

/// The longest span that may be configured: less than half the circle.
pub const SPAN_MAX: Duration = Duration::from_secs(49 * 24 * 3600);

/// A point in time, in ticks of 2 ms on a circle of 2^32.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Tick(pub u32);

/// A distance in time, in ticks of 2 ms.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Span(pub u32);

impl Tick {
    /// Where a loop starts counting: half a minute before the wrap.
    pub const START: Self = Self(u32::MAX - 15_000);

    /// The tick that `elapsed` after the start of the loop falls into; rounds down.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the circle wraps, and is meant to"
    )]
    pub fn at(elapsed: Duration) -> Self {
        Self(
            Self::START
                .0
                .wrapping_add((elapsed.as_millis() / u128::from(TICK_MS)) as u32),
        )
    }

    /// The tick `span` later.
    #[must_use]
    pub fn after(self, span: Span) -> Self {
        Self(self.0.wrapping_add(span.0))
    }

    /// The tick `span` earlier.
    #[must_use]
    pub fn before(self, span: Span) -> Self {
        Self(self.0.wrapping_sub(span.0))
    }

    /// How far this tick lies behind `earlier`; zero where it does not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Span {
        let distance = self.0.wrapping_sub(earlier.0);
        Span(if distance > u32::MAX / 2 { 0 } else { distance })
    }

    /// Whether this tick comes strictly before `other`.
    #[must_use]
    pub fn is_before(self, other: Self) -> bool {
        other.0.wrapping_sub(self.0).wrapping_sub(1) < u32::MAX / 2
    }

    /// Whether a deadline at this tick is reached at `now`.
    #[must_use]
    pub fn is_due(self, now: Self) -> bool {
        !now.is_before(self)
    }

    /// The earlier of two ticks.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        if other.is_before(self) { other } else { self }
    }
}

impl Span {
    /// No distance at all.
    pub const ZERO: Self = Self(0);

    /// The span that surely covers `duration`, counted from a stamp that was rounded down: the
    /// duration rounded up, plus one tick.
    ///
    /// Durations beyond [`SPAN_MAX`] are cut to it.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "cut to SPAN_MAX, which fits"
    )]
    pub fn covering(duration: Duration) -> Self {
        let nanos = duration.min(SPAN_MAX).as_nanos();
        Self(nanos.div_ceil(u128::from(TICK_MS) * 1_000_000) as u32 + 1)
    }

    /// This span as a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_millis(u64::from(self.0) * u64::from(TICK_MS))
    }

    /// This span in milliseconds.
    #[must_use]
    pub fn millis(self) -> u64 {
        u64::from(self.0) * u64::from(TICK_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_never_shorter_than_its_duration_from_any_stamp() {
        for nanos in [
            0,
            1,
            999_999,
            1_000_000,
            1_999_999,
            2_000_000,
            2_000_001,
            60_000_000_000,
        ] {
            for offset in [0, 1, 1_999_999] {
                let began = Duration::from_nanos(10_000_000 + offset);
                let due = Tick::at(began).after(Span::covering(Duration::from_nanos(nanos)));
                let just_before = began + Duration::from_nanos(nanos) - Duration::from_nanos(1);
                assert!(
                    !due.is_due(Tick::at(just_before)),
                    "{nanos} ns from {offset}"
                );
                let at_most = began + Duration::from_nanos(nanos) + Duration::from_millis(4);
                assert!(due.is_due(Tick::at(at_most)), "{nanos} ns from {offset}");
            }
        }
    }

    #[test]
    fn comparison_survives_the_wrap() {
        let late = Tick(u32::MAX - 1);
        let wrapped = late.after(Span(5));
        assert_eq!(wrapped, Tick(3));
        assert!(late.is_before(wrapped) && !wrapped.is_before(late));
        assert_eq!(wrapped.since(late), Span(5));
        assert_eq!(late.since(wrapped), Span::ZERO);
        assert!(!late.is_before(late) && late.is_due(late));
        assert_eq!(late.min(wrapped), late);
    }
}
