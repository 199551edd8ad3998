//! Users who are gone: what waits for them expires, and they are forgotten after a while.

use super::Gate;
use super::conn::NONE;
use super::timers::TimerKind;
use crate::time::Tick;

impl Gate {
    /// Sets the user's timer to what comes next: a message expires, or the user is forgotten.
    pub(crate) fn wake_user(&mut self, user: u32) {
        let entry = self.users.at(user);
        let mailbox = self.users.mailbox(user).iter();
        let mut next = mailbox
            .map(|&key| self.offline.at(key).expires)
            .reduce(Tick::min);
        if next.is_none() && !self.users.is_present(user) {
            let keep = self
                .rules
                .get(usize::from(entry.listener.0))
                .map(|rules| rules.offline);
            let left = entry.left.zip(keep).map(|(left, keep)| left.after(keep));
            next = Some(left.unwrap_or_else(|| self.clock.real()));
        }
        match (next, entry.timer) {
            (Some(at), NONE) => {
                let timer = self.start_timer(at, TimerKind::User(user));
                self.users.at_mut(user).timer = timer;
            }
            (Some(at), timer) => self.move_timer(timer, at),
            (None, NONE) => {}
            (None, timer) => {
                self.stop_timer(timer);
                self.users.at_mut(user).timer = NONE;
            }
        }
    }

    /// The user's timer rang: drops what expired, forgets who has been gone long enough.
    pub(crate) fn ring_user(&mut self, user: u32) {
        self.users.at_mut(user).timer = NONE;
        let now = self.clock.real();
        let expired = |key: &&u32| self.offline.at(**key).expires.is_due(now);
        let keys = self.users.mailbox(user).iter().filter(expired);
        let keys: Vec<u32> = keys.copied().collect();
        for key in keys {
            let letter = self.take_parked(key).letter;
            // With a copy that a connection of his still has it expires then.
            if !self.has_copy(user, letter.id) {
                self.count_expired(letter.id, user);
            }
        }
        let is_gone = !self.users.is_present(user) && self.users.mailbox(user).is_empty();
        if is_gone && !self.was_here(user) {
            self.forget_user(user);
        } else {
            self.wake_user(user);
        }
    }

    /// Whether an absent user left no longer ago than messages are kept.
    pub(crate) fn was_here(&self, user: u32) -> bool {
        let entry = self.users.at(user);
        let rules = self.rules.get(usize::from(entry.listener.0));
        entry
            .left
            .zip(rules)
            .is_some_and(|(left, rules)| !left.after(rules.offline).is_due(self.clock.real()))
    }

    /// Forgets the users longest gone, with their messages, beyond the limit on the absent.
    pub(crate) fn trim_absent(&mut self) {
        while self.users.absent_count() > self.limits.absent_users {
            let Some(user) = self.users.longest_gone() else {
                return;
            };
            for key in self.users.mailbox(user).to_vec() {
                let letter = self.take_parked(key).letter;
                self.count_dropped(letter.id);
            }
            let timer = std::mem::replace(&mut self.users.at_mut(user).timer, NONE);
            if timer != NONE {
                self.stop_timer(timer);
            }
            self.forget_user(user);
        }
    }

    fn forget_user(&mut self, user: u32) {
        self.users.forget(user);
        self.rivals.forget(user);
        self.pushes.progress.forget(user);
    }
}

#[cfg(test)]
mod tests {
    use crate::gate::Gate;
    use crate::gate::push::{Push, Target};
    use crate::limits::Limits;
    use crate::reason::ErrorCode;
    use crate::settings::Settings;

    #[test]
    fn what_can_be_kept_for_nobody_who_is_gone_is_not_made() {
        let mut gate = Gate::bare(Limits {
            absent_users: 0,
            ..Limits::default()
        });
        gate.add_rules(Settings::default());
        let push = Push {
            ack: true,
            ..Push::text("hello")
        };
        let pushed = gate.push(Target::User("ann"), &push);
        assert_eq!(pushed, Err(ErrorCode::Overloaded));
        let letters = &gate.stats().letters;
        assert_eq!((letters.made, letters.dropped), (0, 0));
        assert_eq!(gate.absent_users(), 0);
    }
}
