//! A gate that nothing is around: for the unit tests of its parts.

use std::time::Duration;

use super::{Birth, Gate};
use crate::limits::Limits;
use crate::settings::UserPolicy;
use crate::wheel::SLOTS;

impl Gate {
    /// A gate of a second login that replaces the first, at zero of a clock that only tests move.
    pub(crate) fn bare(limits: Limits) -> Self {
        let birth = Birth {
            now: Duration::ZERO,
            wall: Duration::ZERO,
            key: (1, 2),
            wheel_slots: SLOTS,
        };
        Self::new(limits, UserPolicy::Replace, birth)
    }
}
