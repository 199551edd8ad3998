//! Logins that fail may be answered late, so that each guess takes its time; see
//! [`Settings::login_delay`](crate::Settings::login_delay).
//!
//! Nobody waits in a queue for it: what is to be said is kept with the connection, which is not
//! read meanwhile, and its place in the wheel says when. Who leaves before takes it along.

use std::borrow::Cow;

use super::Gate;
use super::conn::{Flags, Pending};
use crate::codec::message::Seq;
use crate::codec::reply::Reply;
use crate::reason::{CloseReason, ErrorCode};
use crate::time::Tick;

/// What a login that failed is told, and since when that waits (live clock).
#[derive(Debug)]
pub(crate) struct Denial {
    pub(crate) since: Tick,
    code: ErrorCode,
    text: Cow<'static, str>,
}

impl Gate {
    /// A login has failed: says so, now or when its listener has it said, and counts it.
    pub(super) fn deny(
        &mut self,
        index: u32,
        seq: Option<&Seq<'_>>,
        code: ErrorCode,
        text: Cow<'static, str>,
    ) {
        if self.rules_of(index).denial.is_none() {
            self.reply(index, &Reply::Error(code, &text), seq);
            self.release_held(index);
            return self.failed_login(index);
        }
        let since = self.clock.live();
        self.conns.at_mut(index).extra().pending = Some(Box::new(Pending {
            seq: seq.map(Seq::kept),
            is_login: false,
            denial: Some(Denial { since, code, text }),
        }));
        self.pause(index, Flags::DENIED);
        self.rank_input(index);
        self.touch(index);
        self.release_held(index);
    }

    /// Its time has come.
    pub(crate) fn tell_denial(&mut self, index: u32) {
        let conn = self.conns.at_mut(index);
        let pending = conn.extra.as_mut().and_then(|extra| extra.pending.take());
        conn.trim_extra();
        let Some(Pending { seq, denial, .. }) = pending.map(|pending| *pending) else {
            return;
        };
        if let Some(Denial { code, text, .. }) = denial {
            self.reply(index, &Reply::Error(code, &text), seq.as_ref());
            self.failed_login(index);
            self.resume(index, Flags::DENIED);
        }
    }

    fn failed_login(&mut self, index: u32) {
        let max = self.rules_of(index).settings.failed_logins_max;
        let conn = self.conns.at_mut(index);
        conn.failed_logins = conn.failed_logins.saturating_add(1);
        if conn.failed_logins >= max {
            self.close_at(index, CloseReason::LoginFailed);
        }
    }
}
