//! Messages that were sent, are not acknowledged, and of no use any more. What is parked expires by
//! the timer of its user.

use super::Gate;
use super::conn::{Flags, NONE};
use super::receipts::Turn;

impl Gate {
    /// Gives up what a connection has not acknowledged by the end of its time.
    pub(crate) fn expire_letters(&mut self, index: u32) {
        let real = self.clock.real();
        let unacked = self.conns.at(index).unacked().iter();
        let expired = unacked.filter(|sent| sent.letter.is_expired(real));
        let expired: Vec<u64> = expired.map(|sent| sent.letter.id).collect();
        for id in expired {
            self.expire_letter(index, id);
        }
        if self.conns.at(index).flags.has(Flags::COLLECTS) {
            self.collect(index);
        }
    }

    /// The same for one message, which counts once for all connections of the user.
    pub(crate) fn expire_letter(&mut self, index: u32, id: u64) {
        if self.settle_for_all(index, id) {
            self.count_expired(id, self.conns.at(index).user);
        }
    }

    /// The time of a message was over before the turn of its receiver came: that counts once for
    /// all of the user's connections, with the copy that one of them has.
    pub(crate) fn expire_unsent(&mut self, id: u64, name: Option<&str>) {
        let Some(name) = name else { return };
        let user = self.users.find(name);
        let counts = user
            .is_none_or(|user| !self.pushes.progress.is_settled(user) && !self.has_copy(user, id));
        if counts {
            self.count_expired(id, NONE);
            if let Some(user) = user {
                self.pushes.progress.settle(user);
            }
        }
    }

    /// There is no room for a message to a user.
    pub(crate) fn count_dropped(&mut self, id: u64) {
        self.stats.letters.dropped += 1;
        self.note(id, Turn::Dropped);
    }

    /// A message is of no more use to a user.
    pub(crate) fn count_expired(&mut self, id: u64, user: u32) {
        self.stats.letters.expired += 1;
        self.note(id, Turn::Expired);
        if user != NONE {
            self.pushes.note_settled(id, user);
        }
    }
}
