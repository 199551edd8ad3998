//! What is counted and timed, for one cohort in one phase; adds up without loss.
//!
//! Counters are plain sums. Times are nanoseconds in HdrHistograms of three digits that count,
//! made when the first one is recorded.

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};

/// Counters and histograms.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    counts: [u64; Count::ALL.len()],
    timings: [Option<Box<Histogram<u64>>>; Timing::ALL.len()],
}

/// Declares an enum of plain words, a list of them, and their names.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum $name { $($(#[$word_doc])* $word,)* }

        impl $name {
            pub(crate) const ALL: &[Self] = &[$(Self::$word,)*];

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$word => $text,)* }
            }

            pub(crate) fn of_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$word),)* _ => None }
            }
        }
    };
}

words! {
    /// What is counted.
    Count {
        /// Connects begun.
        Dials = "dials",
        /// Connections that came about, greeting and all.
        Opened = "opened",
        /// Open connections that ended though we did not want it.
        Lost = "lost",
        /// Requests sent.
        Sent = "sent",
        /// Answers to them.
        Answered = "answered",
        /// Answers that said no.
        Refused = "refused",
        /// Requests that nobody had answered at the end.
        Unanswered = "unanswered",
        /// Heartbeats that were due while the one before was unanswered.
        Overlapped = "overlapped",
        /// Requests that were due and not sent, since too many had no answer yet.
        Skipped = "skipped",
        /// Messages that nobody had asked for.
        Messages = "messages",
        /// Messages published.
        Published = "published",
        /// How many receivers should have got them, in all.
        Expected = "expected",
        /// How many did.
        Delivered = "delivered",
        /// Messages that a receiver got once more.
        Duplicates = "duplicates",
        /// Messages that came after one published later.
        Reordered = "reordered",
        /// The server said that it will close.
        Goodbyes = "goodbyes",
        /// The server asked whether we live.
        Pings = "pings",
        BytesIn = "bytes_in",
        BytesOut = "bytes_out",
        /// Bytes that are none of the protocol's.
        Garbled = "garbled",
        ConnectRefused = "connect_refused",
        ConnectTimeout = "connect_timeout",
        ConnectReset = "connect_reset",
        ConnectUnreachable = "connect_unreachable",
        NoPorts = "no_ports",
        NoFiles = "no_files",
        ConnectOther = "connect_other",
        /// Connections that left in a disturbance, to come back.
        Left = "left",
        /// Connections that died as they were meant to.
        Died = "died",
        /// Connections that the server closed, as it should.
        Closed = "closed",
        /// The same before it should have.
        ClosedEarly = "closed_early",
        /// A death that the kernel did not allow us.
        NotDead = "not_dead",
        /// The connection ended before its greeting was answered.
        GreetingFailed = "greeting_failed",
    }
}

words! {
    /// What is timed.
    Timing {
        /// From the first packet of a connect to an open connection.
        Connect = "connect",
        /// From the intended moment of a connect to the answered greeting.
        Ready = "ready",
        /// From the sending of a heartbeat to its answer.
        BeatRtt = "beat_rtt",
        /// The same from the moment the heartbeat was due.
        BeatResponse = "beat_response",
        /// From the sending of a request to its answer.
        Rtt = "rtt",
        /// The same from the moment the request was due.
        Response = "response",
        /// From the moment something was due to the moment we sent it: our own fault.
        SendLate = "send_late",
        /// How long the loop was busy between two waits: our own, too.
        LoopTurn = "loop_turn",
        /// From the moment a message was due to be published to a receiver.
        Delivery = "delivery",
        /// From the first receiver of a message to the last.
        Skew = "skew",
        /// From the moment a message was due to be published to its last receiver.
        ToLast = "to_last",
        /// From the moment the server should have closed to the end it made.
        CloseLate = "close_late",
        /// From the arrival of such an end to the moment we looked at it: our own fault, and not
        /// part of `close_late`.
        SeenLate = "seen_late",
        /// From the last byte of one who vanished to the beginning of the deaths.
        Silence = "silence",
        /// From the moment we began to misbehave to the end the server made.
        ClosedAfter = "closed_after",
        /// From a disturbance to a connection that is open again.
        Back = "back",
        /// From the intended moment of a connect to the end of what was done with it.
        Life = "life",
    }
}

impl Count {
    /// Ways in which an attempt or an exchange went wrong.
    pub(crate) const ERRORS: &[Self] = &[
        Self::Refused,
        Self::Garbled,
        Self::ConnectRefused,
        Self::ConnectTimeout,
        Self::ConnectReset,
        Self::ConnectUnreachable,
        Self::NoPorts,
        Self::NoFiles,
        Self::ConnectOther,
        Self::GreetingFailed,
        Self::ClosedEarly,
        Self::NotDead,
    ];
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            counts: [0; Count::ALL.len()],
            timings: [const { None }; Timing::ALL.len()],
        }
    }

    pub(crate) fn add(&mut self, what: Count, count: u64) {
        self.counts[what as usize] += count;
    }

    pub(crate) fn count(&self, what: Count) -> u64 {
        self.counts[what as usize]
    }

    /// Everything that went wrong, lost connections apart.
    pub(crate) fn errors(&self) -> u64 {
        Count::ERRORS.iter().map(|what| self.count(*what)).sum()
    }

    pub(crate) fn record(&mut self, what: Timing, nanos: u64, times: u64) {
        let timing = self.timings[what as usize].get_or_insert_with(|| Box::new(empty()));
        // It grows with its values, to the last of 64 bits.
        let _ = timing.record_n(nanos, times);
    }

    /// `None` where nothing was recorded.
    pub(crate) fn timing(&self, what: Timing) -> Option<&Histogram<u64>> {
        let timing = self.timings[what as usize].as_deref();
        timing.filter(|timing| !timing.is_empty())
    }

    /// Adds all that `other` holds.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        for what in Timing::ALL {
            if let Some(theirs) = other.timing(*what) {
                let mine = self.timings[*what as usize].get_or_insert_with(|| Box::new(empty()));
                // A histogram that grows by itself takes every value.
                let _ = mine.add(theirs);
            }
        }
    }

    /// Forgets everything, and keeps the memory.
    pub(crate) fn reset(&mut self) {
        self.counts.fill(0);
        for timing in self.timings.iter_mut().flatten() {
            timing.reset();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        let untimed = |what: &Timing| self.timing(*what).is_none();
        self.counts.iter().all(|count| *count == 0) && Timing::ALL.iter().all(untimed)
    }

    /// Appends itself to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for count in self.counts {
            out.extend(count.to_le_bytes());
        }
        let mut serializer = V2Serializer::new();
        for what in Timing::ALL {
            let mut bytes = Vec::new();
            if let Some(timing) = self.timing(*what) {
                // Writing to a vector does not fail, and 64 bits count what 64 bits counted.
                let _ = serializer.serialize(timing, &mut bytes);
            }
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            out.extend(length.to_le_bytes());
            out.extend(bytes);
        }
    }

    /// Takes what [`encode`](Self::encode) wrote from the front of `input`.
    pub(crate) fn decode(input: &mut &[u8]) -> Option<Self> {
        let mut tally = Self::new();
        for count in &mut tally.counts {
            *count = u64::from_le_bytes(*input.split_off(..8)?.first_chunk()?);
        }
        for timing in &mut tally.timings {
            let length = u32::from_le_bytes(*input.split_off(..4)?.first_chunk()?);
            let mut bytes = input.split_off(..length as usize)?;
            if length > 0 {
                let read: Histogram<u64> = Deserializer::new().deserialize(&mut bytes).ok()?;
                let mut own = empty();
                own.add(read).ok()?;
                *timing = Some(Box::new(own));
            }
        }
        Some(tally)
    }
}

/// A histogram that grows with its values.
pub(crate) fn empty() -> Histogram<u64> {
    // Three digits are between the zero and five that are allowed.
    Histogram::new(3).unwrap_or_else(|_| unreachable!("three digits are allowed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_survives_its_encoding_and_adds_up() {
        let mut one = Tally::new();
        one.add(Count::Sent, 7);
        one.record(Timing::Rtt, 12_345, 3);
        one.record(Timing::Rtt, 9_876_543_210, 1);
        let mut bytes = Vec::new();
        one.encode(&mut bytes);
        one.encode(&mut bytes);
        let mut input = bytes.as_slice();
        let mut sum = Tally::decode(&mut input).unwrap();
        sum.merge(&Tally::decode(&mut input).unwrap());
        assert_eq!((input.len(), sum.count(Count::Sent)), (0, 14));
        let rtt = sum.timing(Timing::Rtt).unwrap();
        assert_eq!(rtt.len(), 8);
        assert!(rtt.equivalent(rtt.value_at_quantile(0.5), 12_345));
        assert!(rtt.equivalent(rtt.max(), 9_876_543_210));
        assert!(sum.timing(Timing::BeatRtt).is_none());
        sum.reset();
        assert!(sum.is_empty());
    }

    #[test]
    fn names_lead_back() {
        for what in Count::ALL {
            assert_eq!(Count::of_name(what.name()), Some(*what));
        }
        for what in Timing::ALL {
            assert_eq!(Timing::of_name(what.name()), Some(*what));
            assert_eq!(Count::of_name(what.name()), None, "a name means one thing");
        }
    }
}
