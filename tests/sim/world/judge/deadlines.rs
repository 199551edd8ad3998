//! Deadlines: whether who ends for one was neither early nor late.

use pulsegate::{CloseReason, ConnId, Settings};

use super::Judge;
use crate::world::deadline::Deadline;
use crate::world::facts::{Facts, Stamp};
use crate::world::guard::may_be_held_back;

impl Judge {
    /// A deadline: neither early nor late.
    pub(super) fn judge_deadline(
        &self,
        conn: ConnId,
        reason: CloseReason,
        facts: &Facts,
        settings: &Settings,
        clock: Stamp,
    ) {
        let deadline = self.deadline(conn, reason, facts, clock);
        let window = |span, since, exact| deadline.judge(span, since, exact);
        let is_plain = !facts.was_blocked && !may_be_held_back(facts, settings);
        match reason {
            CloseReason::IdleTimeout => {
                // Also while we do not listen: silence does not count then, and after it the
                // input is read before time goes on.
                let decided = self.behind.unwrap_or(clock);
                let waiting = facts.waiting.filter(|stamp| stamp.at < decided.at);
                assert!(
                    waiting.is_none(),
                    "{conn}: idle, and input waits since {waiting:?}"
                );
                window(settings.idle_timeout, facts.heard, is_plain);
            }
            CloseReason::LoginTimeout => {
                window(settings.login_timeout, facts.accepted, is_plain);
            }
            CloseReason::FrameTimeout if facts.is_wild => {
                window(settings.frame_timeout, facts.accepted, false);
            }
            CloseReason::FrameTimeout => {
                let began = facts
                    .frame_began
                    .unwrap_or_else(|| panic!("{conn}: no half frame"));
                let is_next = facts.is_frame_next();
                window(settings.frame_timeout, began, is_plain && is_next);
            }
            CloseReason::Lifetime => window(settings.lifetime, facts.accepted, true),
            // The system's own verdict that the peer takes nothing.
            CloseReason::WriteTimeout if facts.causes.has(reason) => {}
            CloseReason::WriteTimeout => {
                assert!(facts.was_blocked, "{conn}: write-timeout, never blocked");
                window(settings.write_timeout, facts.gave, false);
                window(
                    settings.write_timeout,
                    facts.blocked.unwrap_or(facts.gave),
                    true,
                );
            }
            _ => panic!("{conn}: {reason} is no deadline"),
        }
    }

    pub(super) fn deadline(
        &self,
        conn: ConnId,
        reason: CloseReason,
        facts: &Facts,
        clock: Stamp,
    ) -> Deadline {
        Deadline {
            conn,
            reason,
            clock,
            waited: facts.waited,
            retuned: self.retuned,
            slack: self.slack,
        }
    }
}
