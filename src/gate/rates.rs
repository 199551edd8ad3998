//! How fast each connection sends, lately: how many frames it had sent at two moments before now.
//!
//! A round goes over all connections, a slice a turn, and each again when four seconds have passed.
//! It asks for no timer: where the loop has nothing to do, nobody sends. A frame pays nothing for
//! it, a turn one comparison, a connection 8 bytes; and only where somebody can ask, that is where
//! there is an admin interface.

use std::time::Duration;

use super::Gate;

/// Connections that are looked at in one turn.
const SLICE: usize = 1_024;
/// From one look at a connection to the next.
const EVERY: Duration = Duration::from_secs(4);
/// A rate is that of so long at least, where the connection is as old.
const LEAST: Duration = Duration::from_secs(2);

/// What the rounds have seen.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    /// Frames received by the last look but one and by the last, on a circle of 2^32; by slot.
    seen: Vec<[u32; 2]>,
    /// When those looks were, since the loop began; by slice.
    looks: Vec<[Duration; 2]>,
    /// The slice that is next, and when.
    next: usize,
    due: Duration,
}

impl Rates {
    pub(crate) fn bytes(&self) -> usize {
        self.seen.capacity() * size_of::<[u32; 2]>()
    }

    /// A slot has a new connection, which has sent nothing.
    pub(crate) fn forget(&mut self, index: u32) {
        if let Some(seen) = self.seen.get_mut(index as usize) {
            *seen = [0; 2];
        }
    }

    /// The look that a rate is counted from: when it was, and the frames it has seen.
    fn base(&self, index: u32, now: Duration) -> (Duration, u32) {
        let index = index as usize;
        let (Some(seen), Some(looks)) = (self.seen.get(index), self.looks.get(index / SLICE))
        else {
            return (Duration::ZERO, 0);
        };
        let is_old = now.saturating_sub(looks[1]) >= LEAST;
        (looks[usize::from(is_old)], seen[usize::from(is_old)])
    }
}

impl Gate {
    /// Has rates counted from now on: address space for all connections, so that no growing table
    /// moves in one turn.
    pub(crate) fn count_rates(&mut self) {
        let slots = self.slots as usize;
        let more = slots.saturating_sub(self.rates.seen.len());
        self.rates.seen.reserve_exact(more);
    }

    /// The round's share of a turn.
    #[inline]
    pub(crate) fn go_round(&mut self) {
        if self.clock.elapsed() >= self.rates.due {
            self.look_at_slice();
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "frames are compared on a circle of 2^32"
    )]
    fn look_at_slice(&mut self) {
        let now = self.clock.elapsed();
        let rates = &mut self.rates;
        let (from, len) = (rates.next * SLICE, self.conns.len() as usize);
        let to = len.min(from + SLICE);
        if rates.seen.len() < to {
            rates.seen.resize(to, [0; 2]);
        }
        if rates.looks.len() <= rates.next {
            rates.looks.push([Duration::ZERO; 2]);
        }
        rates.looks[rates.next] = [rates.looks[rates.next][1], now];
        for (seen, slot) in rates.seen[from..to].iter_mut().zip(from..) {
            *seen = [seen[1], self.conns.at(slot as u32).frames_in as u32];
        }
        rates.next = if to < len { rates.next + 1 } else { 0 };
        let last = rates.looks.get(rates.next);
        rates.due = last.map_or(now, |looks| looks[1] + EVERY);
    }

    /// Frames received in a thousand seconds, as it was lately: in the last two to six seconds, or
    /// since the loop last had something to do before; of a younger connection, in all its life.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "frames are compared on a circle of 2^32"
    )]
    pub(crate) fn frame_rate(&self, index: u32) -> u64 {
        let conn = self.conns.at(index);
        let now = self.clock.elapsed();
        let opened = Duration::from_secs(conn.opened_seconds.into());
        let (look, seen) = self.rates.base(index, now);
        let passed = now.saturating_sub(look.max(opened)).as_millis() as u64;
        let frames = (conn.frames_in as u32).wrapping_sub(seen);
        u64::from(frames) * 1_000_000 / passed.max(1_000)
    }

    /// Full sweep: nothing was seen that has not been.
    pub(crate) fn check_rates(&self) {
        let rates = &self.rates;
        assert!(
            rates.looks.len() * SLICE >= rates.seen.len(),
            "every slice has its looks"
        );
        for (index, conn) in self.conns.iter() {
            let Some(seen) = rates.seen.get(index as usize) else {
                break;
            };
            let in_order = u64::from(seen[0]) <= u64::from(seen[1]);
            let is_past = u64::from(seen[1]) <= conn.frames_in;
            assert!(
                in_order && is_past || conn.frames_in > u64::from(u32::MAX),
                "what a look has seen came before it"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::id::ListenerId;
    use crate::limits::Limits;
    use crate::reason::CloseReason;
    use crate::settings::Settings;

    /// A gate with so many connections at the second 1, and its listener.
    fn gate(connections: u32) -> (Gate, ListenerId) {
        let mut gate = Gate::bare(Limits::default());
        let listener = gate.add_rules(Settings::default());
        gate.count_rates();
        turn(&mut gate, 1_000);
        for index in 0..connections {
            open(&mut gate, index, listener);
        }
        (gate, listener)
    }

    fn open(gate: &mut Gate, index: u32, listener: ListenerId) {
        gate.open(index, listener, SocketAddr::from(([127, 0, 0, 1], 1)));
    }

    /// A turn, so long after the gate has begun.
    fn turn(gate: &mut Gate, millis: u64) {
        gate.clock.advance(Duration::from_millis(millis), None);
        gate.go_round();
        gate.check_rates();
    }

    /// Turns in each of which a connection sends so many frames.
    fn send(gate: &mut Gate, index: u32, millis: std::ops::Range<u64>, step: u64, frames: u64) {
        for at in millis.step_by(usize::try_from(step).expect("a step is small")) {
            gate.conns.at_mut(index).frames_in += frames;
            turn(gate, at);
        }
    }

    #[test]
    fn a_rate_is_that_of_the_last_seconds_whatever_came_before() {
        let (mut gate, _) = gate(3);
        // Much at first, then nothing; and the other way round after a long silence.
        send(&mut gate, 0, 1_000..20_000, 20, 1);
        assert!(gate.frame_rate(0).abs_diff(50_000) < 1_000);
        for at in 10..50 {
            turn(&mut gate, at * 2_000);
        }
        assert_eq!(gate.frame_rate(0), 0);
        send(&mut gate, 1, 600_000..603_000, 20, 1);
        let rate = gate.frame_rate(1);
        assert!(rate.abs_diff(50_000) < 2_000, "{rate}");
        assert_eq!(gate.frame_rate(2), 0);
    }

    #[test]
    fn a_young_connection_is_told_by_its_own_life_and_not_by_who_had_its_slot() {
        let (mut gate, listener) = gate(1);
        send(&mut gate, 0, 1_000..13_000, 10, 7);
        gate.cut_at(0, CloseReason::Kicked);
        gate.conns.release(0);
        open(&mut gate, 0, listener);
        assert_eq!(gate.frame_rate(0), 0);
        gate.conns.at_mut(0).frames_in += 6;
        turn(&mut gate, 15_000);
        let rate = gate.frame_rate(0);
        assert!((2_000..=6_000).contains(&rate), "{rate}");
    }

    #[test]
    fn a_round_goes_over_everybody_a_slice_a_turn() {
        let many = 3 * u32::try_from(SLICE).expect("a slice is small") + 5;
        let (mut gate, _) = gate(many);
        for at in 0..1_000 {
            for index in 0..many {
                gate.conns.at_mut(index).frames_in += 1;
            }
            turn(&mut gate, 1_000 + at * 20);
        }
        for index in 0..many {
            let rate = gate.frame_rate(index);
            assert!(rate.abs_diff(50_000) < 1_000, "{index}: {rate}");
        }
        assert_eq!(gate.rates.looks.len(), 4);
    }
}
