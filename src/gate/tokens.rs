//! Logins that are checked: a token is judged before the handler hears of the login.
//!
//! A signature takes its time, so a turn judges so many
//! ([`Limits::signatures`](crate::Limits::signatures)); who comes next with one stays on the ready
//! queue, his frame unread. Sixteen are about a millisecond.

use std::time::Duration;

use log::debug;

use super::Gate;
use crate::codec::message::{Parsed, Request};
use crate::settings::LoginCheck;
use crate::tokens::{Refusal, Tokens};

impl Gate {
    /// Puts other tokens in the place of those there are, whole; returns the old ones, which are
    /// best dropped elsewhere. Whoever has logged in stays so.
    pub fn set_tokens(&mut self, tokens: Option<Box<Tokens>>) -> Option<Box<Tokens>> {
        std::mem::replace(&mut self.tokens, tokens)
    }

    /// What tokens are judged by.
    #[must_use]
    pub fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_deref()
    }

    pub(super) fn token_bytes(&self) -> u64 {
        self.tokens().map_or(0, |tokens| tokens.bytes() as u64)
    }

    /// Whether it has to know the time since 1970.
    pub(crate) fn reads_wall(&self) -> bool {
        self.tokens().is_some_and(|tokens| tokens.keys.is_some())
    }

    /// A turn begins, at this time.
    pub(crate) fn begin_signatures(&mut self, wall: Option<Duration>) {
        self.signatures_left = self.limits.signatures.max(1);
        self.wall = wall.unwrap_or(self.wall);
    }

    /// Whether a request has to wait for the next turn.
    #[inline]
    pub(crate) fn must_wait(&self, index: u32, parsed: &Parsed<'_>) -> bool {
        // Nearly always there are some left.
        self.signatures_left == 0
            && matches!(parsed.request, Ok(Request::Login { .. }))
            && self.rules_of(index).settings.login_check == LoginCheck::Jwt
    }

    /// Whether the token opens the name, as far as the listener has it checked.
    pub(crate) fn is_genuine(&mut self, index: u32, user: &str, token: &str) -> bool {
        let check = self.rules_of(index).settings.login_check;
        if check == LoginCheck::None {
            return true;
        }
        if check == LoginCheck::Jwt {
            self.signatures_left = self.signatures_left.saturating_sub(1);
        }
        let judged = match &self.tokens {
            Some(tokens) => tokens.judge(check, user, token, self.wall),
            None => Err(Refusal::Unchecked),
        };
        let Err(refusal) = judged else {
            return true;
        };
        self.stats.logins_failed += 1;
        let conn = self.conns.id(index);
        debug!("{conn} login refused user={user} token=\"{refusal}\"");
        false
    }
}
