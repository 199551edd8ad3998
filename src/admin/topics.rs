//! `GET /v1/topics` and `/v1/topics/TOPIC`: topics and their members.

use serde::Serialize;
use serde_json::Value;
use smol_str::SmolStr;

use super::answer::{Answer, Refusal, to_json};
use super::ask::Ask;
use super::desk::Facts;
use super::page::{Page, Table, push, rows_of};
use crate::gate::Gate;
use crate::id::ConnId;

/// Topics, by name.
#[derive(Debug)]
struct Topics;

/// The members of a topic, by id.
#[derive(Debug)]
struct Members {
    topic: SmolStr,
}

#[derive(Serialize)]
struct Brief<'a> {
    topic: &'a str,
    members: usize,
}

#[derive(Serialize)]
struct Member<'a> {
    connection: u64,
    user: Option<&'a str>,
}

/// A page of topics.
pub(crate) fn topics(ask: &Ask<'_>, facts: &Facts) -> Result<Answer, Refusal> {
    ask.only(&["limit", "after"])?;
    let after = ask.parameter("after").map(SmolStr::new);
    let page = Page::new(Topics, after, rows_of(ask, facts)?);
    Ok(Answer::Work(Box::new(page)))
}

/// A page of a topic's members.
pub(crate) fn topic(
    name: &str,
    ask: &Ask<'_>,
    gate: &Gate,
    facts: &Facts,
) -> Result<Answer, Refusal> {
    ask.only(&["limit", "after"])?;
    if gate.members(name) == 0 {
        return Err(Refusal::not_found("there is no such topic"));
    }
    let after = ask.number("after")?;
    let topic = SmolStr::new(name);
    let page = Page::new(Members { topic }, after, rows_of(ask, facts)?);
    Ok(Answer::Work(Box::new(page)))
}

impl Table for Topics {
    type Key = SmolStr;

    const ROWS: &'static str = "topics";

    fn slots(&self, gate: &Gate) -> u32 {
        gate.topic_slots()
    }

    fn key(&self, gate: &Gate, slot: u32) -> Option<SmolStr> {
        gate.topic_in(slot).cloned()
    }

    fn tell(&self, gate: &Gate, _: &Facts, key: &SmolStr, out: &mut Vec<u8>) -> bool {
        let members = gate.members(key);
        let brief = Brief {
            topic: key,
            members,
        };
        members > 0 && push(&brief, out)
    }

    fn cursor(&self, key: &SmolStr) -> Value {
        Value::from(key.as_str())
    }

    fn total(&self, gate: &Gate) -> usize {
        gate.topics()
    }
}

impl Table for Members {
    type Key = u64;

    const ROWS: &'static str = "members";

    fn slots(&self, gate: &Gate) -> u32 {
        gate.conns.len()
    }

    fn key(&self, gate: &Gate, slot: u32) -> Option<u64> {
        let is_member = gate.is_member_of(slot, &self.topic);
        is_member.then(|| gate.conns.id(slot).to_u64())
    }

    fn tell(&self, gate: &Gate, _: &Facts, key: &u64, out: &mut Vec<u8>) -> bool {
        let found = ConnId::from_u64(*key).filter(|conn| gate.conns.find_open(*conn).is_some());
        found.is_some_and(|conn| {
            let member = Member {
                connection: *key,
                user: gate.user(conn),
            };
            push(&member, out)
        })
    }

    fn cursor(&self, key: &u64) -> Value {
        Value::from(*key)
    }

    fn total(&self, gate: &Gate) -> usize {
        gate.members(&self.topic)
    }

    fn preface(&self) -> Vec<u8> {
        let mut fields = b"\"topic\":".to_vec();
        fields.extend_from_slice(&to_json(&self.topic.as_str()));
        fields.push(b',');
        fields
    }
}
