//! `/v1/bans`: who is not let in.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::desk::Facts;
use super::page::push;
use super::work::{Left, Work};
use crate::codec::name::check_user;
use crate::gate::{Banned, Gate};
use crate::lists::{Colour, Part};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    cidr: Option<String>,
    user: Option<SmolStr>,
    ttl_ms: Option<u64>,
    /// Lets in whom a wider ban keeps out.
    #[serde(default)]
    allow: bool,
}

#[derive(Serialize)]
struct Added {
    kicked: u64,
}

#[derive(Serialize)]
struct Removed {
    removed: usize,
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cidr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    ttl_ms: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    allow: bool,
}

/// A file of the black or white lists.
#[derive(Serialize)]
struct File<'a> {
    file: &'a str,
    allow: bool,
    entries: usize,
}

/// The bans, being told, and the lists after them.
#[derive(Debug, Default)]
struct List {
    after: Option<Banned>,
    has_begun: bool,
}

/// The walk that ends whom a ban keeps out; it goes on by itself, this only waits for it.
#[derive(Debug)]
struct Walk {
    /// Connections that had been ended so before.
    before: u64,
}

/// A ban for longer than this is one for ever.
const TTL_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// All bans.
pub(crate) fn list(ask: &Ask<'_>) -> Result<Answer, Refusal> {
    ask.only(&[])?;
    Ok(Answer::Work(Box::new(List::default())))
}

/// Bans somebody.
pub(crate) fn add(ask: &Ask<'_>, gate: &mut Gate) -> Result<Answer, Refusal> {
    let wish: Wish = ask.json()?;
    let ttl = wish.ttl_ms.map(Duration::from_millis);
    let colour = if wish.allow {
        Colour::White
    } else {
        Colour::Black
    };
    let banned = whom(wish)?;
    let ttl = ttl.filter(|ttl| *ttl <= TTL_MAX);
    let full = |_| Refusal::overloaded("there are as many bans as may be");
    let before = gate.banished();
    gate.ban(banned, colour, ttl).map_err(full)?;
    Ok(Answer::Work(Box::new(Walk { before })))
}

/// Takes a ban back.
pub(crate) fn remove(ask: &Ask<'_>, gate: &mut Gate) -> Result<Answer, Refusal> {
    let wish: Wish = ask.json()?;
    if wish.ttl_ms.is_some() || wish.allow {
        return Err(Refusal::bad_request("ttl_ms and allow are of no use here"));
    }
    let removed = usize::from(gate.unban(&whom(wish)?));
    Ok(Answer::json(&Removed { removed }))
}

fn whom(wish: Wish) -> Result<Banned, Refusal> {
    match (wish.cidr, wish.user) {
        (Some(cidr), None) => {
            let wrong = |_| Refusal::bad_request("cidr: an address, or a network as 10.0.0.0/8");
            cidr.parse().map(Banned::Network).map_err(wrong)
        }
        (None, Some(user)) => {
            check_user(&user).map_err(|error| Refusal::bad_request(format!("user: {error}")))?;
            Ok(Banned::User(user))
        }
        _ => Err(Refusal::bad_request(
            "say {\"cidr\":NETWORK} or {\"user\":NAME}",
        )),
    }
}

impl Work for Walk {
    fn go_on(
        &mut self,
        gate: &mut Gate,
        _: &Facts,
        budget: &mut u32,
        _: usize,
        out: &mut Vec<u8>,
    ) -> Left {
        if gate.is_retuning() {
            *budget = 0;
            return Left::More;
        }
        let kicked = gate.banished() - self.before;
        out.extend_from_slice(&super::answer::to_json(&Added { kicked }));
        out.push(b'\n');
        Left::Nothing
    }
}

impl Work for List {
    fn go_on(
        &mut self,
        gate: &mut Gate,
        _: &Facts,
        budget: &mut u32,
        room: usize,
        out: &mut Vec<u8>,
    ) -> Left {
        if !std::mem::replace(&mut self.has_begun, true) {
            out.extend_from_slice(b"{\"bans\":[");
        }
        let mut last = self.after.take();
        for (banned, colour, left) in gate.bans_after(last.clone().as_ref()) {
            if *budget == 0 || out.len() >= room {
                self.after = last;
                return Left::More;
            }
            *budget -= 1;
            if last.is_some() {
                out.extend_from_slice(b",\n");
            }
            last = Some(banned.clone());
            push(&row(banned, colour, left), out);
        }
        out.push(b']');
        let parts = gate.list_parts();
        if !parts.is_empty() {
            // There are as many as the configuration names: few.
            let files: Vec<File<'_>> = parts.iter().map(file).collect();
            out.extend_from_slice(b",\"lists\":");
            push(&files, out);
        }
        out.extend_from_slice(b"}\n");
        Left::Nothing
    }
}

fn file(part: &Part) -> File<'_> {
    File {
        file: &part.name,
        allow: part.colour == Colour::White,
        entries: part.entries,
    }
}

fn row(banned: &Banned, colour: Colour, left: Option<Duration>) -> Row<'_> {
    let allow = colour == Colour::White;
    let ttl_ms = left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
    match banned {
        Banned::Network(network) => Row {
            cidr: Some(network.to_string()),
            user: None,
            ttl_ms,
            allow,
        },
        Banned::User(user) => Row {
            cidr: None,
            user: Some(user),
            ttl_ms,
            allow,
        },
    }
}
