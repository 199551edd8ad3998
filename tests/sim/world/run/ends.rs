//! The last act: everybody leaves, or is told to, and nothing remains.

use pulsegate::CloseReason;
use pulsegate::net::Signal;

use super::{Run, TURNS_MAX};
use crate::world::agenda::{SECOND, nanos};
use crate::world::marks::Mark;
use crate::world::plan::Word;

impl Run {
    /// The shutdown begins while everything goes on that may go wrong: nothing is healed before.
    pub(super) fn leave_early(&mut self, word: Word) {
        let net = self.server.net_mut();
        net.trace
            .say(net.kernel.now(), || format!("--- {word:?}: leave"));
        match word {
            Word::Signal => net.send_signal(Signal::Terminate),
            Word::Http(over) => {
                self.drain_over = nanos(over);
                net.crowd.house.desk.wants_drain = Some(over.as_millis() as u64);
            }
        }
        let begins = self.until(3_600 * SECOND, 50 * TURNS_MAX, |run| {
            run.server.gate().is_draining()
        });
        assert!(begins, "nobody obeys {word:?}");
        let lag = self.server.net().kernel.lag;
        let began = self.server.net().kernel.now();
        let done = self.until(3_600 * SECOND, 50 * TURNS_MAX, |run| run.server.is_done());
        assert!(done, "the shutdown does not end");
        // The goodbyes, then whoever is left, then the slack of the last turns.
        let kernel = &self.server.net().kernel;
        let took = kernel.now() - began - (kernel.lag - lag);
        let most = self.drain_over + 10 * SECOND + SECOND;
        assert!(took <= most, "the shutdown took {took} of {most} ns");
        self.close();
        self.server.net_mut().kernel.marks.reach(Mark::DrainedEarly);
        let (gate, judge) = (self.server.gate(), &self.judge);
        assert_eq!(self.server.net().kernel.held, 0, "descriptors leaked");
        assert_eq!((judge.opened, 0), (judge.closed, judge.open_count()));
        assert_eq!((gate.connections(), gate.topics()), (0, 0), "gauges");
    }

    /// The operators leave, and where the server is done it closes what is left.
    fn close(&mut self) {
        let net = self.server.net_mut();
        net.crowd.house.desk.is_closed = true;
        let (kernel, house) = (&mut net.kernel, &mut net.crowd.house);
        for operator in &mut net.crowd.operators {
            operator.retire(kernel, house);
        }
        if self.server.gate().is_draining() {
            // An operator may have asked for something in the last turn.
            let done = self.until(20 * SECOND, TURNS_MAX, |run| run.server.is_done());
            assert!(done, "the shutdown begins again");
            self.server.run().expect("nothing is left to do");
        }
        let faults = self.server.gate().stats().socket_faults;
        let failed = self.server.net().closes_failed;
        assert_eq!(faults, failed, "a close that fails is counted");
    }

    /// The last act: everybody leaves, or is told to, and nothing remains.
    pub(super) fn teardown(&mut self, by_shutdown: bool) {
        let longest = self.longest();
        let over = if by_shutdown { self.drain_over } else { 0 };
        let net = self.server.net_mut();
        net.trace.say(net.kernel.now(), || "--- the end".into());
        if over == 0 {
            net.crowd.retire(&mut net.kernel);
        }
        if by_shutdown {
            self.server.net_mut().send_signal(Signal::Terminate);
            let span = over + 20 * SECOND;
            let done = self.until(span, 50 * TURNS_MAX, |run| run.server.is_done());
            assert!(done, "the shutdown does not end");
            let told = self.judge.ends[CloseReason::Shutdown as usize];
            let marks = &mut self.server.net_mut().kernel.marks;
            marks.reach_if(over > 0 && told > 2, Mark::Spread);
        } else {
            let empty = self.until(2 * longest + 30 * SECOND, 50 * TURNS_MAX, |run| {
                run.server.gate().sockets() == 0 && !run.server.net().kernel.has_newcomers()
            });
            assert!(empty, "{} sockets are left", self.server.gate().sockets());
        }
        self.turn();
        self.close();
        let (gate, judge) = (self.server.gate(), &self.judge);
        let kernel = &self.server.net().kernel;
        assert_eq!(kernel.held_of_clients(), 0, "descriptors leaked");
        assert!(!by_shutdown || kernel.held == 0, "descriptors leaked");
        assert_eq!(
            (judge.opened, judge.open_count()),
            (judge.closed, 0),
            "every open has its end"
        );
        assert_eq!(
            (gate.connections(), gate.users(), gate.topics()),
            (0, 0, 0),
            "gauges"
        );
        assert_eq!(gate.bytes_held()[..2], [0, 0], "bytes held");
        if !by_shutdown {
            self.forget_everything();
        }
    }

    /// Parked messages and absent users expire; then nothing is left to wait for.
    fn forget_everything(&mut self) {
        let forgotten = self.until(130 * SECOND, 50 * TURNS_MAX, |run| {
            let gate = run.server.gate();
            (gate.parked(), gate.absent_users(), gate.sockets()) == (0, 0, 0)
        });
        let gate = self.server.gate();
        assert!(
            forgotten,
            "{} parked, {} absent",
            gate.parked(),
            gate.absent_users()
        );
        assert_eq!(gate.bytes_held(), [0, 0, 0], "bytes held");
    }
}
