//! How one published message spread over its receivers: first, last, and how many.
//!
//! Workers note it by message and hand it on with each report; the parent adds up, and turns what
//! is complete into two times: from the first receiver to the last, and from the moment the
//! message was due to the last.

use std::collections::HashMap;

use crate::plan::{Part, Plan};
use crate::tally::{Tally, Timing};

/// The head of every message we publish: 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    pub(crate) publisher: u32,
    pub(crate) number: u32,
    /// When it was due.
    pub(crate) intended: u64,
}

/// What is known of one message's receivers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spread {
    pub(crate) head: Head,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) count: u32,
}

/// Spreads by message.
#[derive(Debug, Default)]
pub(crate) struct Spreads(HashMap<(u32, u32), Spread>);

impl Head {
    /// Bytes of it.
    pub(crate) const SIZE: usize = 32;

    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let (publisher, number) = (self.publisher, self.number);
        let text = format!("{publisher:08x}{number:08x}{:016x}", self.intended);
        out.extend_from_slice(text.as_bytes());
    }

    /// Reads it from the front of a message; `None` where the message is not ours.
    pub(crate) fn read(message: &[u8]) -> Option<Self> {
        let number = |from: usize, to: usize| {
            let digits = message.get(from..to)?;
            digits.iter().try_fold(0_u64, |number, digit| {
                let value = char::from(*digit).to_digit(16)?;
                Some(number << 4 | u64::from(value))
            })
        };
        Some(Self {
            publisher: u32::try_from(number(0, 8)?).ok()?,
            number: u32::try_from(number(8, 16)?).ok()?,
            intended: number(16, 32)?,
        })
    }
}

impl Spreads {
    /// A receiver has the message.
    pub(crate) fn note(&mut self, head: Head, now: u64) {
        self.add(Spread {
            head,
            first: now,
            last: now,
            count: 1,
        });
    }

    fn add(&mut self, news: Spread) -> &mut Spread {
        let key = (news.head.publisher, news.head.number);
        let entry = self.0.entry(key);
        entry
            .and_modify(|known| {
                known.first = known.first.min(news.first);
                known.last = known.last.max(news.last);
                known.count += news.count;
            })
            .or_insert(news)
    }

    /// Appends everything to `out`, and forgets it.
    pub(crate) fn encode(&mut self, out: &mut Vec<u8>) {
        let count = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        out.extend(count.to_le_bytes());
        for (_, spread) in self.0.drain() {
            out.extend(spread.head.publisher.to_le_bytes());
            out.extend(spread.head.number.to_le_bytes());
            out.extend(spread.count.to_le_bytes());
            for moment in [spread.head.intended, spread.first, spread.last] {
                out.extend(moment.to_le_bytes());
            }
        }
    }

    /// Takes what [`encode`](Self::encode) wrote from the front of `input`, and adds it up; whoever
    /// has reached all of its receivers is timed and forgotten.
    pub(crate) fn decode(
        &mut self,
        input: &mut &[u8],
        plan: &Plan,
        tally: &mut Tally,
    ) -> Option<()> {
        let short = |input: &mut &[u8]| -> Option<u32> {
            Some(u32::from_le_bytes(*input.split_off(..4)?.first_chunk()?))
        };
        let long = |input: &mut &[u8]| -> Option<u64> {
            Some(u64::from_le_bytes(*input.split_off(..8)?.first_chunk()?))
        };
        for _ in 0..short(input)? {
            let (publisher, number, count) = (short(input)?, short(input)?, short(input)?);
            let head = Head {
                publisher,
                number,
                intended: long(input)?,
            };
            let (first, last) = (long(input)?, long(input)?);
            let known = *self.add(Spread {
                head,
                first,
                last,
                count,
            });
            if u64::from(known.count) >= receivers(plan, publisher) {
                known.record(tally);
                self.0.remove(&(publisher, number));
            }
        }
        Some(())
    }

    /// Times what never reached everybody by those it reached.
    pub(crate) fn give_up(&mut self, tally: &mut Tally) {
        for (_, spread) in self.0.drain() {
            spread.record(tally);
        }
    }
}

impl Spread {
    fn record(&self, tally: &mut Tally) {
        tally.record(Timing::Skew, self.last - self.first, 1);
        let to_last = self.last.saturating_sub(self.head.intended);
        tally.record(Timing::ToLast, to_last, 1);
    }
}

/// Who should receive what publisher `publisher` says.
pub(crate) fn receivers(plan: &Plan, publisher: u32) -> u64 {
    let of = |cohort: &crate::plan::Cohort| match cohort.role {
        Part::Receive { topics } => {
            let topics = topics.max(1);
            let topic = publisher % topics;
            let below = cohort.connections.saturating_sub(topic);
            u64::from(below.div_ceil(topics))
        }
        _ => 0,
    };
    plan.cohorts.iter().map(of).sum()
}

/// The name of a topic.
pub(crate) fn topic(number: u32, topics: u32) -> String {
    format!("load-{}", number % topics.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_survives_its_message() {
        let head = Head {
            publisher: 7,
            number: u32::MAX,
            intended: 0x0123_4567_89ab_cdef,
        };
        let mut message = Vec::new();
        head.write(&mut message);
        assert_eq!(message.len(), Head::SIZE);
        message.extend(b"xxx");
        assert_eq!(Head::read(&message), Some(head));
        assert_eq!(Head::read(b"hello"), None);
        assert_eq!(Head::read(&[b'z'; 40]), None);
    }
}
