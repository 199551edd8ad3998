//! `GET /v1/users` and `/v1/users/USER`: who is here.

use serde::Serialize;
use serde_json::Value;
use smol_str::SmolStr;

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::connections::{Row, row};
use super::desk::Facts;
use super::page::{Page, Table, push, rows_of};
use crate::gate::Gate;

/// Users who are here, by name.
#[derive(Debug)]
struct Users;

#[derive(Serialize)]
struct Brief<'a> {
    user: &'a str,
    connections: usize,
}

#[derive(Serialize)]
struct Told<'a> {
    user: &'a str,
    parked: usize,
    connections: Vec<Row<'a>>,
}

/// A page of users.
pub(crate) fn users(ask: &Ask<'_>, facts: &Facts) -> Result<Answer, Refusal> {
    ask.only(&["limit", "after"])?;
    let after = ask.parameter("after").map(SmolStr::new);
    let page = Page::new(Users, after, rows_of(ask, facts)?);
    Ok(Answer::Work(Box::new(page)))
}

/// One user with his connections.
pub(crate) fn user(name: &str, gate: &Gate, facts: &Facts) -> Result<Answer, Refusal> {
    let conns: Vec<_> = gate.connections_of(name).collect();
    if conns.is_empty() {
        return Err(Refusal::new(
            404,
            "no-such-user",
            "nobody of that name is here",
        ));
    }
    Ok(Answer::json(&Told {
        user: name,
        parked: gate.parked_for(name),
        connections: conns
            .iter()
            .map(|conn| row(gate, facts, conn.index))
            .collect(),
    }))
}

impl Table for Users {
    type Key = SmolStr;

    const ROWS: &'static str = "users";

    fn slots(&self, gate: &Gate) -> u32 {
        gate.user_slots()
    }

    fn key(&self, gate: &Gate, slot: u32) -> Option<SmolStr> {
        let (name, conns) = gate.user_in(slot)?;
        (conns > 0).then(|| name.clone())
    }

    fn tell(&self, gate: &Gate, _: &Facts, key: &SmolStr, out: &mut Vec<u8>) -> bool {
        let connections = gate.connections_of(key).count();
        let brief = Brief {
            user: key,
            connections,
        };
        connections > 0 && push(&brief, out)
    }

    fn cursor(&self, key: &SmolStr) -> Value {
        Value::from(key.as_str())
    }

    fn total(&self, gate: &Gate) -> usize {
        gate.users() as usize
    }
}
