//! The shutdown: who asks for it, and over how long its goodbyes are spread.

use std::time::Duration;

use super::Gate;
use super::end::EndedBy;

impl Gate {
    /// Asks the loop to shut down in good order, as SIGTERM does.
    pub fn shut_down(&mut self) {
        self.stop_by(EndedBy::Application);
    }

    /// The same, whoever asks for it: the first one counts.
    pub(crate) fn stop_by(&mut self, by: EndedBy) {
        if !self.is_draining && !self.is_stop_asked {
            self.stopped_by = by;
        }
        self.is_stop_asked = true;
    }

    /// Asks the same with the goodbyes spread over `over`, and does nothing to a shutdown that has
    /// begun; whether this one has its way.
    pub fn drain(&mut self, over: Duration) -> bool {
        let is_first = !self.is_draining && !self.is_stop_asked;
        if is_first {
            self.drain_over = Some(over);
            self.stop_by(EndedBy::Application);
        }
        is_first
    }

    /// How long a shutdown takes at most, as things stand: until whoever is left is cut.
    #[must_use]
    pub fn drain_time(&self) -> Duration {
        self.drain_over.unwrap_or(self.course.drain_over) + self.course.drain_timeout
    }

    /// Whether the shutdown has begun: from then on the server is not ready for anybody new.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.is_draining
    }
}
