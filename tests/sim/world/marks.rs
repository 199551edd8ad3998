//! Situations that the population of worlds must go on reaching.
//!
//! A sweep that finds nothing says little where nothing happens any more: each of these is
//! reported by the place that sees it, and the seeds together must have seen all.

use pulsegate::{CloseReason, Stats};

/// A set of situations, and of reasons for which connections ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Marks {
    situations: u128,
    reasons: u32,
}

macro_rules! marks {
    ($($name:ident: $words:literal,)+) => {
        /// A situation that somebody has seen.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Mark {
            $($name,)+
        }

        impl Mark {
            const ALL: &[(Self, &str)] = &[$((Self::$name, $words),)+];
        }
    };
}

marks! {
    Stall: "the loop came more than half a second late",
    Paused: "a connection was not read because its output waited, and then was",
    Waited: "a connection was not read because the application owed it an answer",
    AnswerLost: "an answer came for a connection that was gone",
    Parked: "a message was kept for an absent user",
    ParkedHeard: "a message that was kept was heard later",
    Redelivered: "a message was sent again for want of an ack",
    Expired: "a message that was kept expired",
    LetterDropped: "a message was dropped over the budget or a full mailbox",
    NewestDropped: "a slow consumer missed a message and lived",
    OutboxEvicted: "an outbox was dropped with its connection over the budget of output",
    HalfEvicted: "a half frame cost its connection over the budget of input",
    Refused: "a newcomer was told that the house is full",
    NoDescriptor: "accept failed for want of descriptors",
    NoMemory: "accept failed for want of memory",
    NewcomerFailed: "accept failed for a newcomer's own sake",
    Unregistered: "a newcomer could not be registered",
    CloseFailed: "a close failed",
    Pinged: "the server asked a silent client whether it lives",
    Moved: "a connection logged in under another name",
    Requeued: "a connection had more frames than its share of a turn",
    Sliced: "a message went to more connections than one turn serves",
    Stale: "an event came for a connection that was gone",
    Foreign: "another protocol was recognised",
    BadRequest: "a request was refused as none",
    Rested: "the loop rested for the sake of its neighbours",
    Clogged: "the network held bytes back",
    Swizzled: "a part of the network was cut off, and came back one by one",
    Lost: "a cable was cut and nobody was told",
    Mute: "nothing of a peer arrived any more, and it went on hearing",
    Unheard: "a peer heard nothing any more, and went on speaking",
    Border: "a write ended where one piece of the output does",
    EndedInFanout: "a connection ended while a message to many was on its way",
    Reloaded: "a signal asked for the configuration to be read again",
    Reset: "a connection was reset by the network",
    Failed: "a call failed on a connection that had been well",
    Storm: "a crowd left and came back as one",
    Rounds: "a deadline was longer than the wheel",
    Spread: "the goodbyes of a shutdown were spread",
    Lagged: "a newcomer waited because the loop lagged",
    KeptOut: "a newcomer waited because too much output did",
    Rests: "a connection rested because it took more than its share of an overloaded loop",
    LowDropped: "a message without an ack was dropped in overload",
    HandshakeEnded: "a newcomer was ended before it said anything, in overload",
    Administered: "an operator got what it asked for",
    Receipt: "an operator was told that its message was acknowledged",
    EventsLost: "a reader of events fell behind and was told so",
    Retuned: "the settings were changed while connections lived",
    RetuneRefused: "a reload was refused and changed nothing",
    DrainedEarly: "the shutdown began in the midst of everything",
    Unveiled: "a proxy's header named a client",
    HeaderWrong: "a proxy's header was none",
    HeaderLate: "a proxy's header did not come in time",
    Stranger: "somebody who is no proxy was refused",
    Crowded: "an address had its connections",
    Hurried: "an address came too fast",
    LoginHurried: "a login was tried too soon after others",
    Held: "a login was held, for the connections of its user replaced each other",
    HeldLong: "a name rested for eight seconds and more for that",
    Throttled: "a connection was held back for its rate",
    RateRested: "newcomers waited for their rate",
    Listed: "lists kept somebody out who was known by his address",
    ListedUser: "lists kept somebody out who was known by his name",
    ListedLater: "lists ended somebody who was here before them",
    Relisted: "the lists were changed while connections lived",
    Retargeted: "the limit of connections of an address came or went",
}

/// Reasons that nothing in the simulation gives: a bug of ours is none.
const NEVER: [CloseReason; 1] = [CloseReason::Internal];

impl Marks {
    pub(crate) fn reach(&mut self, mark: Mark) {
        self.situations |= 1 << mark as u32;
    }

    pub(crate) fn has(self, mark: Mark) -> bool {
        self.situations >> mark as u32 & 1 == 1
    }

    pub(crate) fn reach_if(&mut self, is_so: bool, mark: Mark) {
        self.situations |= u128::from(is_so) << mark as u32;
    }

    pub(crate) fn add(&mut self, others: Self) {
        self.situations |= others.situations;
        self.reasons |= others.reasons;
    }

    /// Reasons for which connections ended, in the order of `CloseReason::ALL`.
    pub(crate) fn add_ends(&mut self, ends: &[u64]) {
        for (place, _) in ends.iter().enumerate().filter(|(_, count)| **count > 0) {
            self.reasons |= 1 << place;
        }
    }

    /// What the gate counts itself.
    pub(crate) fn add_stats(&mut self, stats: &Stats) {
        let letters = &stats.letters;
        self.reach_if(letters.parked > 0, Mark::Parked);
        self.reach_if(letters.resent > 0, Mark::Redelivered);
        self.reach_if(letters.expired > 0, Mark::Expired);
        self.reach_if(letters.dropped > 0, Mark::LetterDropped);
        self.reach_if(stats.dropped_newest > 0, Mark::NewestDropped);
        self.reach_if(stats.refused > 0, Mark::Refused);
        self.reach_if(stats.overload.pushes > 0, Mark::LowDropped);
        self.reach_if(stats.overload.handshakes > 0, Mark::HandshakeEnded);
        self.reach_if(stats.requeued > 0, Mark::Requeued);
        self.reach_if(stats.stale_events > 0, Mark::Stale);
        self.reach_if(stats.foreign.iter().any(|&count| count > 0), Mark::Foreign);
        self.reach_if(stats.bad_requests > 0, Mark::BadRequest);
        self.reach_if(stats.strangers > 0, Mark::Stranger);
        self.reach_if(stats.crowded > 0, Mark::Crowded);
        self.reach_if(stats.hurried > 0, Mark::Hurried);
        self.reach_if(stats.throttled > 0, Mark::Throttled);
    }

    /// What nobody has seen, in words.
    pub(crate) fn missing(self) -> Vec<String> {
        let situations = Mark::ALL
            .iter()
            .filter(|(mark, _)| self.situations & 1 << *mark as u32 == 0)
            .map(|(mark, words)| format!("{mark:?}: {words}"));
        let reasons = CloseReason::ALL
            .into_iter()
            .filter(|reason| !NEVER.contains(reason) && self.reasons & 1 << *reason as u32 == 0)
            .map(|reason| format!("{reason}: nobody ended so"));
        situations.chain(reasons).collect()
    }
}
