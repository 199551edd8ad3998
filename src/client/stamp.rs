//! A point in time in eight bytes: a client among ten thousand keeps several.

use std::num::NonZeroU64;
use std::time::Duration;

/// A time since the fixed point that the driver counts from, in nanoseconds and one; 584 years.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stamp(NonZeroU64);

impl Stamp {
    pub(super) const ZERO: Self = Self(NonZeroU64::MIN);

    pub(super) fn of(time: Duration) -> Self {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX - 1);
        Self(NonZeroU64::MIN.saturating_add(nanos))
    }

    pub(super) fn time(self) -> Duration {
        Duration::from_nanos(self.0.get() - 1)
    }

    /// The time so much later.
    pub(super) fn after(self, span: Duration) -> Duration {
        self.time().saturating_add(span)
    }
}

impl Default for Stamp {
    fn default() -> Self {
        Self::ZERO
    }
}
