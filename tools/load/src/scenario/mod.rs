//! Subcommands: each turns its flags into a plan and does nothing else.

pub(crate) mod beat;
pub(crate) mod churn;
pub(crate) mod die;
pub(crate) mod echo;
pub(crate) mod hold;
pub(crate) mod push;
pub(crate) mod run;
pub(crate) mod slow;
pub(crate) mod storm;
pub(crate) mod torn;

use std::time::Duration;

use crate::error::Fatal;

/// How often each of `connections` must act so that all together act `rate` times a second.
fn period(rate: f64, connections: u32) -> Result<Duration, Fatal> {
    if !(rate.is_finite() && rate > 0.0) {
        return Err(Fatal::Usage(format!("a rate of {rate} a second is none")));
    }
    Duration::try_from_secs_f64(f64::from(connections) / rate)
        .map_err(|_| Fatal::Usage(format!("a rate of {rate} a second is too low")))
}
