//! What a pool has and what it has done.

use crate::Histogram;

/// What a pool has at the moment, and what happened since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Pooled connections: lent, idle, being opened, checked or closed.
    pub pooled: u32,
    /// Of those and the extra ones, the idle.
    pub idle: u32,
    /// Short-lived connections beside the pool.
    pub extra: u32,
    /// Connections that are being opened.
    pub opening: u32,
    /// Callers that wait.
    pub waiting: u32,
    /// Connections handed out, to be checked by their caller first or not.
    pub lent: u64,
    /// Connections opened.
    pub opened: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Connections found broken, by a caller or by a heartbeat.
    pub broken: u64,
    /// Closed after `idle_max`.
    pub closed_idle: u64,
    /// Closed after `age_max`.
    pub closed_aged: u64,
    /// Short-lived ones closed on their return.
    pub closed_extra: u64,
    /// Heartbeats begun to idle connections.
    pub beats: u64,
    /// Callers that were refused: exhausted, or the queue was full.
    pub refused: u64,
    /// Callers that waited in vain.
    pub timed_out: u64,
    /// How long those waited who got what they waited for.
    pub waited: Histogram,
}
