//! Whose connection it is: binding connections to users, and what a second login does.

use smol_str::SmolStr;

use super::Gate;
use super::conn::{Flags, NONE};
use super::end::{End, EndDetail};
use super::events::Kind;
use crate::codec::reply::Fields;
use crate::handler::Answer;
use crate::id::ConnId;
use crate::reason::{CloseReason, ErrorCode};
use crate::settings::UserPolicy;

/// The version of the protocol, told at login.
const PROTOCOL: u64 = 1;

impl Gate {
    /// Logs the connection in as `user`, whose name must be valid, under the gate's policy for a
    /// user who is here already. Returns the answer to give: `ok` with the heartbeat interval, or
    /// `user-taken`.
    ///
    /// Where its connections have replaced each other too often, the newcomer is told when to come
    /// back, and closed.
    ///
    /// A connection that had another name moves: its topics stay, its unacknowledged messages go
    /// back to the old name.
    pub fn login(&mut self, conn: ConnId, user: &str) -> Answer {
        let Some(index) = self.conns.find_open(conn) else {
            return Answer::None;
        };
        if self.is_banned_user(user) {
            let end = End::over(CloseReason::Banned, EndDetail::BannedUser);
            self.close_at(index, end);
            self.name_death(index, user);
            return Answer::None;
        }
        let is_same = self.user(conn) == Some(user);
        if !is_same {
            if self.policy == UserPolicy::Reject && self.is_online(user) {
                let text = "somebody is logged in under that name";
                return Answer::Error(ErrorCode::UserTaken, text.into());
            }
            if let Some(rest) = self.takeover_rest(user) {
                self.stats.logins_refused += 1;
                let end = End::over(CloseReason::RateLimited, EndDetail::TakeoverRate);
                self.close_until(index, end, rest.duration());
                return Answer::None;
            }
            self.unbind(index, false);
            self.replace_others(user);
            // Their goodbyes may have cost this very connection, over the output budget.
            if self.conns.at(index).is_open() {
                let user = self.users.find_or_make(user);
                self.bind(index, user);
            }
        }
        let rules = self.rules_of(index);
        let fields = Fields::NONE
            .with("heartbeat", rules.heartbeat_ms())
            .with("proto", PROTOCOL);
        Answer::Ok(fields)
    }

    /// Makes room for one more connection of `user`, as the policy says.
    fn replace_others(&mut self, user: &str) {
        let shared_by = self.shared_by();
        let mut rest = None;
        // Found anew each time: the goodbyes may cost others their connections, over the output
        // budget, and those who are gone then may be too many to be remembered.
        while let Some(user) = self.users.find(user)
            && self.users.conns(user).len() >= shared_by
        {
            let oldest = self.users.conns(user)[0];
            let rest = *rest.get_or_insert_with(|| self.note_takeover(user));
            self.close_until(oldest, CloseReason::Replaced.into(), rest);
        }
    }

    fn bind(&mut self, index: u32, user: u32) {
        self.users.bind(user, index);
        let conn = self.conns.at_mut(index);
        conn.user = user;
        self.crowd_of(index).logged_in += 1;
        let conn = self.conns.at_mut(index);
        if !self.users.mailbox(user).is_empty() {
            conn.flags.set(Flags::COLLECTS);
            self.queues.push_dirty(&mut self.conns, index);
        }
        let conn = self.conns.at(index);
        let listener = conn.listener;
        self.users.at_mut(user).listener = listener;
        self.wake_user(user);
        self.tell_login(index, user, Kind::Login);
    }

    /// Ends the connection's login. Its unacknowledged messages stay the user's.
    pub(crate) fn unbind(&mut self, index: u32, moves: bool) -> Option<SmolStr> {
        let conn = self.conns.at_mut(index);
        let user = std::mem::replace(&mut conn.user, NONE);
        conn.flags.clear(Flags::COLLECTS);
        let listener = conn.listener;
        if user == NONE {
            self.return_letters(index, NONE, false);
            return None;
        }
        self.crowd_of(index).logged_in -= 1;
        self.tell_login(index, user, Kind::Logout);
        let name = self.users.at(user).name.clone();
        self.users.unbind(user, index, self.clock.real(), listener);
        self.return_letters(index, user, moves);
        self.wake_user(user);
        if !moves {
            self.trim_absent();
        }
        Some(name)
    }

    /// Whether a user of that name has a connection.
    #[must_use]
    pub fn is_online(&self, user: &str) -> bool {
        self.users
            .find(user)
            .is_some_and(|user| self.users.is_present(user))
    }

    /// The connections of a user, oldest login first.
    pub fn connections_of(&self, user: &str) -> impl Iterator<Item = ConnId> {
        let conns = self
            .users
            .find(user)
            .map_or(&[][..], |user| self.users.conns(user));
        conns.iter().map(|&index| self.conns.id(index))
    }

    /// Whose connection it is, or was until the end that the handler is being told.
    #[must_use]
    pub fn user(&self, conn: ConnId) -> Option<&str> {
        if let Some((leaving, user)) = &self.leaving
            && *leaving == conn
        {
            return user.as_deref();
        }
        let index = self.conns.find(conn)?;
        let user = self.conns.at(index).user;
        (user != NONE).then(|| &self.users.at(user).name[..])
    }
}
