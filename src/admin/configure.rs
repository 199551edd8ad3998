//! `POST /v1/reload` and `POST /v1/check`: another configuration, or what it would change. Both are
//! read and judged beside the loop, so the answer comes some turns later.

use serde::Serialize;

use super::answer::{Answer, Refusal, Whole};
use super::ask::Ask;
use crate::config::Change;
use crate::gate::{Configure, Gate, Verdict};

#[derive(Serialize)]
struct Told<'a> {
    changes: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    key: &'a str,
    old: &'a str,
    new: &'a str,
    /// It holds from the next start on.
    needs_restart: bool,
    tighter: bool,
    /// Live connections that come under it.
    touches: u32,
}

impl<'a> Row<'a> {
    fn of(change: &'a Change) -> Self {
        Self {
            key: &change.key,
            old: &change.old,
            new: &change.new,
            needs_restart: change.needs_restart,
            tighter: change.is_tighter,
            touches: change.touches,
        }
    }
}

/// Reads the file again. The body is empty, or an empty object.
pub(crate) fn reload(ask: &Ask<'_>, gate: &mut Gate) -> Result<Answer, Refusal> {
    if !ask.body.is_empty() {
        let wish: serde_json::Map<String, serde_json::Value> = ask.json()?;
        if !wish.is_empty() {
            return Err(Refusal::bad_request("a reload takes no wishes"));
        }
    }
    // Nothing holds any more that could be changed.
    if gate.is_draining || gate.is_stop_asked {
        return Err(Refusal::new(409, "draining", "the shutdown has begun"));
    }
    begin(gate, Configure::Reload)
}

/// Judges the configuration that is the body: its text, or a JSON string of it.
pub(crate) fn check(ask: &Ask<'_>, gate: &mut Gate) -> Result<Answer, Refusal> {
    let text = match serde_json::from_slice::<String>(ask.body) {
        Ok(text) if ask.is_json => text,
        _ => std::str::from_utf8(ask.body)
            .map_err(|_| Refusal::bad_request("the configuration is not UTF-8"))?
            .to_owned(),
    };
    begin(gate, Configure::Check(text))
}

fn begin(gate: &mut Gate, what: Configure) -> Result<Answer, Refusal> {
    match gate.configure(what) {
        Some(ticket) => Ok(Answer::Verdict(ticket)),
        None => Err(Refusal::overloaded("too many reloads are asked for")),
    }
}

/// What came of it.
pub(crate) fn tell(verdict: &Verdict) -> Whole {
    match verdict {
        Ok(changes) => {
            let changes = changes.iter().map(Row::of).collect();
            Whole::json(&Told { changes })
        }
        Err(complaints) => Refusal::bad_request(complaints.join("\n")).tell(),
    }
}
