//! What every connection of a worker shares: net, agenda, speech, dice, tallies.

use pulsegate::net::Net;
use pulsegate::net::mio::MioNet;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::agenda::Agenda;
use super::conn::{Conn, NEVER, State};
use crate::plan::Plan;
use crate::speech::Speech;
use crate::tally::Tally;
use crate::units::nanos;

/// A worker's common things, apart from its connections and roles.
pub(crate) struct Desk {
    pub(crate) net: MioNet,
    pub(crate) agenda: Agenda,
    pub(crate) speech: Speech,
    pub(crate) dice: Xoshiro256PlusPlus,
    pub(crate) plan: Plan,
    /// The clock, as of the event in hand.
    pub(crate) now: u64,
    /// When the present phase began.
    pub(crate) phase_began: u64,
    /// The present phase is there for opening connections and is not judged.
    pub(crate) is_opening: bool,
    /// Nothing new is to be said.
    pub(crate) is_resting: bool,
    /// Of the loop itself.
    pub(crate) own: Tally,
    /// Of each cohort.
    pub(crate) tallies: Vec<Tally>,
    /// How many connections of each cohort are in each state.
    states: Vec<[u64; State::COUNT]>,
    /// Requests without an answer, over all connections.
    pub(crate) outstanding: u64,
    /// Connects whose end, or whose greeting's answer, is still to come: a server that is slow to
    /// accept is not asked for more at once than its queue may hold.
    pub(crate) in_flight: u32,
    /// Connections whose socket turned out to be dead while it was written to.
    pub(crate) fallen: Vec<u32>,
}

impl Desk {
    pub(crate) fn new(
        mut net: MioNet,
        agenda: Agenda,
        speech: Speech,
        dice: Xoshiro256PlusPlus,
        plan: Plan,
    ) -> Self {
        let cohorts = plan.cohorts.len();
        Self {
            now: nanos(net.now()),
            net,
            agenda,
            speech,
            dice,
            plan,
            phase_began: 0,
            is_opening: true,
            is_resting: false,
            own: Tally::new(),
            tallies: vec![Tally::new(); cohorts],
            states: vec![[0; State::COUNT]; cohorts],
            outstanding: 0,
            in_flight: 0,
            fallen: Vec::new(),
        }
    }

    /// Reads the clock.
    pub(crate) fn look_at_clock(&mut self) -> u64 {
        self.now = nanos(self.net.now());
        self.now
    }

    /// Has the connection asked at `at`.
    pub(crate) fn wake(&mut self, index: u32, conn: &mut Conn, at: u64) {
        conn.due = at;
        if at == NEVER {
            self.agenda.remove(index);
        } else {
            self.agenda.set(index, at);
        }
    }

    /// A connection's number over all cohorts.
    pub(crate) fn id_of(&self, conn: &Conn) -> u32 {
        let before = self.plan.cohorts.iter().take(conn.cohort.into());
        let before: u32 = before.map(|cohort| cohort.connections).sum();
        before + conn.number
    }

    /// Counts a new connection, which is off.
    pub(crate) fn welcome(&mut self, conn: &Conn) {
        self.states[usize::from(conn.cohort)][conn.state as usize] += 1;
    }

    /// Moves a connection to another state.
    pub(crate) fn shift(&mut self, conn: &mut Conn, state: State) {
        let counts = &mut self.states[usize::from(conn.cohort)];
        counts[conn.state as usize] -= 1;
        counts[state as usize] += 1;
        conn.state = state;
    }

    /// Connections that may still become open by themselves.
    pub(crate) fn under_way(&self) -> u64 {
        const ALL: [State; 4] = [
            State::Waiting,
            State::Queued,
            State::Dialing,
            State::Greeting,
        ];
        let of = |counts: &[u64; State::COUNT]| -> u64 {
            ALL.iter().map(|state| counts[*state as usize]).sum()
        };
        self.states.iter().map(of).sum()
    }

    /// Open connections of each cohort.
    pub(crate) fn open(&self) -> Vec<u64> {
        let of = |counts: &[u64; State::COUNT]| counts[State::Open as usize];
        self.states.iter().map(of).collect()
    }

    pub(crate) fn tally(&mut self, conn: &Conn) -> &mut Tally {
        &mut self.tallies[usize::from(conn.cohort)]
    }
}
