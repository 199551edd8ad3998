//! The full sweep: everything the gate promises itself, recounted.

use std::collections::HashSet;
use std::sync::Arc;

use super::Gate;
use super::conn::{Conn, Flags, NONE, Phase};
use super::deadline::Cause;
use super::rules::Crowd;
use crate::id::ConnId;
use crate::time::Span;

impl Gate {
    /// Sweeps every invariant of the gate. Costs a look at everything there is; for tests.
    ///
    /// # Panics
    /// Where one does not hold.
    pub fn check(&self) {
        self.wheel.check();
        self.offline.check();
        self.users.check();
        self.topics.check(&self.conns);
        self.pushes.check();
        self.check_input();
        self.check_queues();
        let (mut live, mut open, mut output, mut high, mut undecided) = (0, 0, 0, 0, 0);
        for (index, conn) in self.conns.iter() {
            live += 1;
            open += u32::from(conn.is_open());
            output += conn.outbox.as_ref().map_or(0, |outbox| outbox.cost());
            let since = conn.outbox.as_ref().and_then(|outbox| outbox.soft_since);
            high += u32::from(since.is_some());
            let pending = conn.extra.as_ref().and_then(|extra| extra.pending.as_ref());
            undecided += u32::from(pending.is_some_and(|pending| pending.is_login));
            self.check_conn(index, conn);
        }
        assert_eq!(
            (live, open),
            (self.conns.live(), self.conns.open_count()),
            "gauges recounted"
        );
        assert!(
            open <= self.limits.connections,
            "no more connections than the limit"
        );
        assert_eq!(output, self.ledger.output, "the ledger counts the output");
        assert_eq!(high, self.ledger.high, "slow readers recounted");
        assert_eq!(undecided, self.undecided, "undecided logins recounted");
        assert!(
            self.ledger.output() <= self.limits.output_budget,
            "output stays under budget"
        );
        assert_eq!(
            self.wheel.len(),
            live as usize + self.timers.iter().count(),
            "one entry each"
        );
        assert_eq!(self.answering, NONE, "no request is in hand between phases");
        self.check_letters();
        self.check_deaths();
        self.check_sources();
        self.check_rates();
        self.check_rivals();
        self.check_overload();
        self.check_crowds();
    }

    /// Each listener's connections are counted.
    fn check_crowds(&self) {
        for (number, rules) in self.rules.iter().enumerate() {
            let mut crowd = Crowd::default();
            let ours = |conn: &&Conn| usize::from(conn.listener.0) == number;
            for conn in self.conns.iter().map(|(_, conn)| conn).filter(ours) {
                crowd.open += u32::from(conn.is_open());
                crowd.closing += u32::from(!conn.is_open());
                crowd.logged_in += u32::from(conn.is_logged_in());
            }
            assert_eq!(crowd, rules.crowd, "a listener's connections recounted");
        }
    }

    /// Whoever is to have what is parked for its user waits for room, for an ack or for the flush.
    fn check_collects(&self, index: u32, conn: &Conn) {
        let waits =
            conn.outbox.is_some() || !conn.unacked().is_empty() || conn.flags.has(Flags::ON_DIRTY);
        if conn.flags.has(Flags::COLLECTS) && !waits {
            assert_eq!(self.next_parked(index), None, "what is parked is sent");
        }
    }

    fn check_conn(&self, index: u32, conn: &Conn) {
        let is_open = conn.is_open();
        if is_open {
            self.check_meter(index, conn);
        }
        self.check_wheel(index, conn);
        self.check_collects(index, conn);
        assert_eq!(
            conn.reason.is_none(),
            is_open,
            "a reason and an end go together"
        );
        if let Some(outbox) = &conn.outbox {
            outbox.check();
            assert!(!outbox.is_empty(), "an outbox exists only while bytes wait");
            let is_dirty = conn.flags.has(Flags::ON_DIRTY);
            let is_writable = conn.flags.has(Flags::WRITABLE);
            assert!(
                is_dirty || !is_writable,
                "output with room is on the dirty queue"
            );
        }
        if is_open && conn.flags.has(Flags::READABLE) && !conn.is_paused() {
            assert!(
                conn.flags.has(Flags::ON_READY),
                "readable means on the ready queue"
            );
        }
        assert!(
            !conn.flags.has(Flags::PUT_OFF) || conn.flags.has(Flags::BUFFERED),
            "a login that is put off is in the input"
        );
        if is_open && conn.flags.has(Flags::BUFFERED) && !conn.is_paused() {
            assert!(
                conn.flags.has(Flags::ON_READY),
                "buffered means on the ready queue"
            );
        }
        if !is_open {
            let is_bare = conn.user == NONE && conn.extra.is_none() && conn.input.is_none();
            assert!(
                is_bare,
                "an ending connection has no user, topics, letters or input"
            );
        }
        if matches!(conn.phase, Phase::Gone | Phase::Cut) {
            let id = self.conns.id(index);
            assert!(
                self.queues.gone.contains(&id),
                "what is gone waits to be closed"
            );
        }
        if conn.user != NONE {
            assert!(
                self.users.conns(conn.user).contains(&index),
                "the user knows its connection"
            );
        }
        assert_eq!(
            conn.flags.has(Flags::TRACKS),
            !conn.unacked().is_empty(),
            "tracks letters"
        );
        assert!(conn.unacked().len() <= self.limits.unacked_per_connection as usize);
        assert!(conn.topics().len() <= self.limits.topics_per_connection as usize);
        check_pending(conn);
    }

    /// The wheel asks in time.
    fn check_wheel(&self, index: u32, conn: &Conn) {
        let Some(asked) = self.wheel.get(index) else {
            panic!("the wheel holds every live connection");
        };
        let (at, cause) = self.deadline(index);
        // Rounded between the two clocks.
        let in_time = !at.after(Span(1)).is_before(asked);
        // Who is about to be written to is seen to after that.
        let is_soon = conn.flags.has(Flags::ON_DIRTY) || self.is_retuning();
        assert!(
            in_time || is_soon || cause == Cause::Nothing,
            "the wheel asks in time: {cause:?} at {at:?}, asked at {asked:?}"
        );
    }

    fn check_queues(&self) {
        for (queue, flag) in [
            (&self.queues.ready, Flags::ON_READY),
            (&self.queues.dirty, Flags::ON_DIRTY),
        ] {
            let mut seen = HashSet::new();
            let live = queue
                .iter()
                .filter_map(|conn: ConnId| self.conns.find(conn));
            for index in live {
                assert!(seen.insert(index), "a connection is queued once");
                assert!(
                    self.conns.at(index).flags.has(flag),
                    "who is queued has the flag"
                );
            }
            let flagged = self
                .conns
                .iter()
                .filter(|(_, conn)| conn.flags.has(flag))
                .count();
            assert_eq!(flagged, seen.len(), "who has the flag is queued");
        }
    }

    fn check_letters(&self) {
        let mut mailed = 0;
        for (user, entry) in self.users.iter() {
            let mailbox = self.users.mailbox(user);
            let ids: Vec<u64> = mailbox
                .iter()
                .map(|&key| self.offline.at(key).letter.id)
                .collect();
            assert!(ids.is_sorted(), "a mailbox is in the order of ids");
            assert!(
                mailbox.iter().all(|&key| self.offline.at(key).user == user),
                "its own mail"
            );
            mailed += mailbox.len();
            let conns = self.users.conns(user);
            for &conn in conns {
                assert_eq!(
                    self.conns.at(conn).user,
                    user,
                    "a user's connections point back"
                );
            }
            let needs_timer = conns.is_empty() || !mailbox.is_empty();
            assert_eq!(
                needs_timer,
                entry.timer != NONE,
                "the absent and their mail have a timer"
            );
        }
        assert_eq!(
            mailed,
            self.offline.len(),
            "all that is parked is in a mailbox"
        );
        let parked = self.offline.iter().map(|(_, parked)| &parked.letter);
        let sent = self.conns.iter().flat_map(|(_, conn)| conn.unacked());
        let letters: HashSet<_> = parked
            .chain(sent.map(|sent| &sent.letter))
            .map(Arc::as_ptr)
            .collect();
        assert!(
            letters.is_empty() || self.ledger.offline() > 0,
            "letters are charged"
        );
        assert!(
            self.ledger.offline() <= self.limits.offline_budget,
            "letters stay under budget"
        );
    }
}

/// Whether an answer is owed, and by whom, is told by the flags.
fn check_pending(conn: &Conn) {
    let Some(extra) = &conn.extra else { return };
    let pending = extra.pending.as_ref();
    let is_denied = pending.is_some_and(|pending| pending.denial.is_some());
    let flags = (pending.is_some() && !is_denied, is_denied);
    let has = |flag| conn.flags.has(flag);
    assert_eq!(
        flags,
        (has(Flags::AWAITING), has(Flags::DENIED)),
        "an answer is owed"
    );
}
