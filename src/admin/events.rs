//! `GET /v1/events` and `/v1/tap/USER`: streams of what happens, one JSON object a line.

use std::time::Duration;

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::desk::Facts;
use super::work::{Left, Work};
use crate::codec::name::check_user;
use crate::gate::{EventKind, Gate};
use crate::time::{Span, Tick};

/// A stream.
#[derive(Debug)]
struct Stream {
    reader: u32,
    /// When it ends by itself.
    ends: Option<Tick>,
}

const KIND: &str = "application/x-ndjson";
/// How long a tap lasts where nobody says, and at most.
const TAP: Duration = Duration::from_secs(60);
const TAP_MAX: Duration = Duration::from_secs(3_600);

/// The events that are asked for: all kinds where none is named.
pub(crate) fn events(ask: &Ask<'_>, gate: &mut Gate) -> Result<Answer, Refusal> {
    ask.only(&["types", "user"])?;
    let mut kinds = Vec::new();
    let words = ask.parameter("types").unwrap_or("data,login,logout,close");
    for word in words.split(',') {
        let known = EventKind::NAMED
            .into_iter()
            .find(|(known, _)| *known == word);
        let Some((_, kind)) = known else {
            let text = "types: some of data,login,logout,close";
            return Err(Refusal::bad_request(text));
        };
        kinds.push(kind);
    }
    open(gate, &kinds, ask.parameter("user"), None)
}

/// The frames of a user, both ways, for a while.
pub(crate) fn tap(user: &str, ask: &Ask<'_>, gate: &mut Gate) -> Result<Answer, Refusal> {
    ask.only(&["for_ms"])?;
    check_user(user).map_err(|error| Refusal::bad_request(error.to_string()))?;
    let span = ask.number("for_ms")?.map_or(TAP, Duration::from_millis);
    if span > TAP_MAX {
        return Err(Refusal::bad_request("for_ms: at most an hour"));
    }
    let ends = gate.clock.real().after(Span::covering(span));
    open(gate, &[EventKind::Tap], Some(user), Some(ends))
}

fn open(
    gate: &mut Gate,
    kinds: &[EventKind],
    user: Option<&str>,
    ends: Option<Tick>,
) -> Result<Answer, Refusal> {
    let Some(reader) = gate.read_events(kinds, user) else {
        let text = "there are as many readers of events as may be";
        return Err(Refusal::new(429, "rate-limited", text));
    };
    Ok(Answer::Work(Box::new(Stream { reader, ends })))
}

impl Work for Stream {
    fn go_on(
        &mut self,
        gate: &mut Gate,
        _: &Facts,
        _: &mut u32,
        room: usize,
        out: &mut Vec<u8>,
    ) -> Left {
        gate.next_events(self.reader, room, out);
        let is_over = self.ends.is_some_and(|ends| ends.is_due(gate.clock.real()));
        if is_over {
            Left::Nothing
        } else if out.len() >= room {
            Left::More
        } else {
            Left::Waits
        }
    }

    fn kind(&self) -> &'static str {
        KIND
    }

    fn reader(&self) -> Option<u32> {
        Some(self.reader)
    }

    fn ends(&self) -> Option<Tick> {
        self.ends
    }
}
