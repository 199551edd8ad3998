//! What goes wrong, and how often: one rate for each kind of fault.
//!
//! A seed draws each rate anew and leaves half of the kinds out altogether: spurious wake-ups heal
//! lost ones, so a world that always has both would hide a server that loses some.
//!
//! Every kind is one that Linux can show. A read that is refused although bytes wait, or that is
//! cut short, stands for bytes that arrived a moment later: an edge follows. A write that is
//! refused or cut stands for a kernel short of memory: an edge follows as well.
//!
//! Some kinds are elsewhere. A corrupted byte is one that a wild client says. What is sent behind
//! a FIN is lost where a client leaves with a close: a reset answers it. Signals come with the
//! backend's meddling. Memory that the system refuses is refused by the allocator of
//! `tests/wire/starved.rs`, over real sockets. A crash needs no world: nothing is on a disk, and
//! who comes back finds a server that begins. What other simulators do by hooks in the code under
//! test, shorter budgets and earlier flushes, is done by its settings: each of them is drawn small.

use rustix::io::Errno;

use super::agenda::{MILLI, Nanos};
use super::dice::{Dice, Rate};

/// The rates of one world.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    // the wait
    pub(crate) shuffled: Rate,
    pub(crate) spurious: Rate,
    pub(crate) doubled: Rate,
    pub(crate) split: Rate,
    pub(crate) stale: Rate,
    pub(crate) hint_false: Rate,
    pub(crate) hint_late: Rate,
    pub(crate) interrupted: Rate,
    pub(crate) late: Rate,
    /// By how much a late wait is late at most.
    pub(crate) late_most: Nanos,
    pub(crate) paused: Rate,
    // the calls
    pub(crate) read_cut: Rate,
    pub(crate) read_refused: Rate,
    pub(crate) read_failed: Rate,
    pub(crate) write_cut: Rate,
    pub(crate) write_refused: Rate,
    pub(crate) write_failed: Rate,
    pub(crate) interrupted_call: Rate,
    pub(crate) slow_call: Rate,
    pub(crate) newcomer_failed: Rate,
    pub(crate) drought: Rate,
    pub(crate) register_failed: Rate,
    pub(crate) close_failed: Rate,
    // the network
    pub(crate) reset: Rate,
    pub(crate) clogged: Rate,
    pub(crate) lost: Rate,
    pub(crate) swizzled: Rate,
    // the clock on the wall
    pub(crate) wall_jump: Rate,
}

impl Faults {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let mut often = |most: u32| match dice.one_in(2) {
            true => Rate::per_mille(dice.between(1, u64::from(most)) as u32),
            false => Rate::NEVER,
        };
        let mut faults = Self {
            shuffled: often(500),
            spurious: often(200),
            doubled: often(100),
            split: often(300),
            stale: often(200),
            hint_false: often(200),
            hint_late: often(500),
            interrupted: often(50),
            late: often(300),
            read_cut: often(300),
            read_refused: often(100),
            write_cut: often(500),
            write_refused: often(200),
            newcomer_failed: often(100),
            ..Self::default()
        };
        // Below half a second the loop counts its own delays as everybody's silence.
        faults.late_most = *dice.pick(&[3, 3, 100, 450]) * MILLI;
        let mut seldom = |most: u32| match dice.one_in(2) {
            true => Rate::per_million(dice.between(1, u64::from(most)) as u32),
            false => Rate::NEVER,
        };
        faults.paused = seldom(300);
        faults.read_failed = seldom(2_000);
        faults.write_failed = seldom(2_000);
        faults.interrupted_call = seldom(1_000);
        faults.slow_call = seldom(1_000);
        faults.drought = seldom(20_000);
        faults.register_failed = seldom(5_000);
        faults.reset = seldom(1_000);
        faults.clogged = seldom(3_000);
        faults.lost = seldom(500);
        faults.wall_jump = seldom(1_000);
        faults.close_failed = seldom(50_000);
        faults.swizzled = seldom(500);
        faults
    }

    /// Every kind by its name.
    pub(crate) fn rates(&mut self) -> [(&'static str, &mut Rate); 27] {
        [
            ("shuffled", &mut self.shuffled),
            ("spurious", &mut self.spurious),
            ("doubled", &mut self.doubled),
            ("split", &mut self.split),
            ("stale", &mut self.stale),
            ("hint_false", &mut self.hint_false),
            ("hint_late", &mut self.hint_late),
            ("interrupted", &mut self.interrupted),
            ("late", &mut self.late),
            ("paused", &mut self.paused),
            ("read_cut", &mut self.read_cut),
            ("read_refused", &mut self.read_refused),
            ("read_failed", &mut self.read_failed),
            ("write_cut", &mut self.write_cut),
            ("write_refused", &mut self.write_refused),
            ("write_failed", &mut self.write_failed),
            ("interrupted_call", &mut self.interrupted_call),
            ("slow_call", &mut self.slow_call),
            ("newcomer_failed", &mut self.newcomer_failed),
            ("drought", &mut self.drought),
            ("register_failed", &mut self.register_failed),
            ("close_failed", &mut self.close_failed),
            ("reset", &mut self.reset),
            ("clogged", &mut self.clogged),
            ("lost", &mut self.lost),
            ("wall_jump", &mut self.wall_jump),
            ("swizzled", &mut self.swizzled),
        ]
    }
}

/// Errors that end a connection at its next call.
pub(crate) const FATAL: [Errno; 7] = [
    Errno::CONNRESET,
    Errno::PIPE,
    Errno::TIMEDOUT,
    Errno::HOSTUNREACH,
    Errno::NETUNREACH,
    Errno::NOBUFS,
    Errno::NOTCONN,
];

/// Errors of accept that tell of a newcomer who failed; the newcomer is gone.
pub(crate) const NEWCOMER: [Errno; 9] = [
    Errno::CONNABORTED,
    Errno::PROTO,
    Errno::PERM,
    Errno::NETDOWN,
    Errno::NOPROTOOPT,
    Errno::HOSTDOWN,
    Errno::HOSTUNREACH,
    Errno::OPNOTSUPP,
    Errno::NETUNREACH,
];

/// Errors of accept that last for a while and take nobody out of the backlog.
pub(crate) const DROUGHT: [Errno; 4] = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS];
