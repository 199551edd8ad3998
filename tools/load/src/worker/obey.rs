//! The parent's orders, and the reports to it.

use std::io;

use pulsegate::net::{Ending, Net};
use rustix::time::{ClockId, clock_gettime};

use super::Worker;
use super::conn::{NEVER, State};
use crate::channel::{Order, Pulse, Word};
use crate::plan::Until;
use crate::proc;
use crate::role::{Role, Talk};
use crate::units::{nanos, share};

impl Worker {
    /// Takes in the parent's orders; fails where there is no parent any more.
    pub(super) fn obey(&mut self) -> io::Result<()> {
        self.channel.flush(&mut self.desk.net)?;
        let filled = self.channel.fill(&mut self.desk.net);
        while let Some((order, _)) = self.channel.take()? {
            match order {
                Order::Phase { index, at } => self.begin(index, at)?,
                Order::Drain => self.rest()?,
                Order::Stop => return self.stop(),
                Order::Plan { .. } => {}
            }
        }
        filled
    }

    /// A phase begins.
    fn begin(&mut self, phase: usize, at: u64) -> io::Result<()> {
        if self.next_report == NEVER {
            // All phases keep to the intervals that the first began, as the parent's samples do.
            self.next_report = at + nanos(self.desk.plan.interval);
        } else {
            self.report()?;
        }
        self.phase = phase;
        self.desk.phase_began = at;
        self.busy = Busy::ALL;
        for index in 0..self.conns.len() {
            let conn = &self.conns[index];
            let cohort = &self.desk.plan.cohorts[usize::from(conn.cohort)];
            if conn.state != State::Off || cohort.from != phase {
                continue;
            }
            let role = &self.roles[usize::from(conn.cohort)];
            let ramp = nanos(cohort.ramp);
            let spread = || at + share(ramp, conn.number, cohort.connections);
            let moment = role.first_dial(conn.number, at).unwrap_or_else(spread);
            self.wait_until(to_key(index), moment);
        }
        let phase = &self.desk.plan.phases[phase];
        let (disturb, until) = (phase.disturb, phase.until);
        self.desk.is_opening = matches!(until, Until::Settled { .. }) && !phase.judged;
        if !self.desk.is_opening {
            self.desk.look_at_clock();
            self.each_open(|role, talk| role.begin(talk));
        }
        if disturb {
            self.disturb();
        }
        Ok(())
    }

    fn disturb(&mut self) {
        self.each_open(|role, talk| role.disturb(talk));
        for index in 0..self.conns.len() {
            let conn = &self.conns[index];
            let leaves = self.desk.plan.cohorts[usize::from(conn.cohort)].leaves;
            if leaves && conn.state == State::Open {
                self.storm_out(to_key(index));
            }
        }
    }

    /// Says nothing new from here on.
    fn rest(&mut self) -> io::Result<()> {
        self.report()?;
        self.desk.is_resting = true;
        self.next_report = self.desk.now + RESTING;
        self.busy = Busy::ALL;
        self.each_open(|role, talk| role.rest(talk));
        for index in 0..self.conns.len() {
            if self.conns[index].state.is_under_way() {
                self.leave(to_key(index), Ending::Abort);
            }
        }
        Ok(())
    }

    fn each_open(&mut self, act: impl Fn(&mut dyn Role, &mut Talk<'_>)) {
        for index in 0..self.conns.len() {
            if self.conns[index].state == State::Open {
                self.with_role(to_key(index), &act);
            }
        }
    }

    /// Counts what was never answered, closes everything and says the last words.
    fn stop(&mut self) -> io::Result<()> {
        self.desk.look_at_clock();
        self.each_open(|role, talk| role.give_up(talk));
        for index in 0..self.conns.len() {
            self.leave(to_key(index), Ending::Graceful);
        }
        self.report()?;
        self.channel.send(&mut self.desk.net, &Word::Done, &[])?;
        while !self.channel.is_flushed() {
            self.ready.clear();
            self.desk.net.wait(&mut self.ready, None)?;
            self.channel.flush(&mut self.desk.net)?;
        }
        self.is_over = true;
        Ok(())
    }

    /// Reports at each interval, and when there is nothing left to do.
    pub(super) fn report_if_due(&mut self) -> io::Result<()> {
        // Before the first phase nothing has begun, and so nothing is over.
        if self.next_report == NEVER {
            return Ok(());
        }
        let busy = Busy {
            is_opening: self.desk.under_way() > 0,
            is_open: self.desk.open().iter().any(|open| *open > 0),
            is_asking: !self.desk.is_resting || self.desk.outstanding > 0,
        };
        let is_done = busy.has_less_than(self.busy);
        if self.desk.now < self.next_report && !is_done {
            return Ok(());
        }
        self.busy = busy;
        self.report()
    }

    fn report(&mut self) -> io::Result<()> {
        let mut interval = nanos(self.desk.plan.interval);
        if self.desk.is_resting {
            // The parent waits to hear that nothing is missing any more.
            interval = interval.min(RESTING);
        }
        while self.next_report <= self.desk.now {
            self.next_report += interval;
        }
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let pulse = Pulse {
            phase: self.phase,
            under_way: self.desk.under_way(),
            open: self.desk.open(),
            outstanding: self.desk.outstanding,
            is_resting: self.desk.is_resting,
            cpu: nanos(cpu.try_into().unwrap_or_default()),
            resident: proc::resident_of_self(),
        };
        let mut bytes = Vec::new();
        self.desk.own.encode(&mut bytes);
        self.desk.own.reset();
        for tally in &mut self.desk.tallies {
            tally.encode(&mut bytes);
            tally.reset();
        }
        for role in &mut self.roles {
            if let Some(spreads) = role.spreads() {
                spreads.encode(&mut bytes);
            }
        }
        let word = Word::Report(pulse);
        self.channel.send(&mut self.desk.net, &word, &bytes)
    }
}

/// Between two reports at the end: 50 ms.
const RESTING: u64 = 50_000_000;

/// What a worker still has to do; the end of each is told at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Busy {
    is_opening: bool,
    is_open: bool,
    is_asking: bool,
}

impl Busy {
    /// Whatever it is, its end has not been told.
    pub(super) const ALL: Self = Self {
        is_opening: true,
        is_open: true,
        is_asking: true,
    };

    fn has_less_than(self, before: Self) -> bool {
        before.is_opening && !self.is_opening
            || before.is_open && !self.is_open
            || before.is_asking && !self.is_asking
    }
}

/// The agenda's key of a connection: there are fewer than 2^31.
fn to_key(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
