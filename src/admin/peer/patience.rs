//! How long a connection to the admin interface may take, and how dispensable it is.

use super::{Peer, Stage};
use crate::admin::desk::Facts;
use crate::time::{Span, Tick};

impl Peer {
    /// Whether it rests between two requests, and since when.
    pub(crate) fn rests_since(&self) -> Option<Tick> {
        let rests = matches!(self.stage, Stage::Head) && self.input.is_empty();
        (rests && self.is_known && self.waiting() == 0).then_some(self.since)
    }

    /// Since when something of it is awaited that costs an honest peer a moment: the end of a head,
    /// the end of a goodbye, room for an answer that was open to everybody.
    pub(crate) fn dawdles_since(&self) -> Option<Tick> {
        match &self.stage {
            Stage::Head | Stage::Closing if self.waiting() > 0 => {
                // However steadily it takes a little.
                (!self.is_trusted).then_some(self.behind)
            }
            Stage::Head if self.rests_since().is_none() => Some(self.since),
            Stage::Lingering => Some(self.since),
            _ => None,
        }
    }

    /// When its patience with the peer is over (live clock).
    pub(crate) fn deadline(&self, facts: &Facts) -> Option<Tick> {
        let limits = &facts.limits;
        let span = match &self.stage {
            Stage::Lingering => limits.linger,
            _ if self.waiting() > 0 => {
                return Some(self.took.after(Span::covering(limits.write_timeout)));
            }
            Stage::Head if self.rests_since().is_some() => limits.idle_timeout,
            Stage::Head => limits.head_timeout,
            Stage::Body(_) | Stage::Verdict(_) => limits.body_timeout,
            Stage::Work(_) | Stage::Closing | Stage::Gone => return None,
        };
        Some(self.since.after(Span::covering(span)))
    }
}
