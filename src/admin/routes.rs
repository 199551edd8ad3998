//! What can be asked for: one line each.

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::desk::Facts;
use super::{
    bans, closes, configure, connections, dashboard, drain, events, health, kick, messages,
    metrics, push, stats, topics, users,
};
use crate::codec::http::Method;
use crate::gate::Gate;

/// Whether a path is answered to whoever can connect.
pub(crate) fn is_open(path: &str) -> bool {
    matches!(path, "/" | "/healthz" | "/readyz")
}

/// Answers a request that may be answered.
pub(crate) fn answer(ask: &Ask<'_>, gate: &mut Gate, facts: &Facts) -> Result<Answer, Refusal> {
    let pieces: Vec<&str> = ask.path.iter().map(|piece| &piece[..]).collect();
    match pieces[..] {
        [] => get(ask).map(|()| dashboard::dashboard()),
        ["healthz"] => get(ask).map(|()| health::healthz()),
        ["readyz"] => get(ask).and_then(|()| health::readyz(gate)),
        ["metrics"] => get(ask).map(|()| metrics::metrics(gate, facts)),
        ["v1", what] => resource(what, ask, gate, facts),
        ["v1", what, name] => {
            get(ask)?;
            match what {
                "users" => users::user(name, gate, facts),
                "topics" => topics::topic(name, ask, gate, facts),
                "messages" => messages::message(name, ask, gate),
                "tap" => events::tap(name, ask, gate),
                _ => Err(Refusal::not_found(NOTHING)),
            }
        }
        _ => Err(Refusal::not_found(NOTHING)),
    }
}

fn resource(what: &str, ask: &Ask<'_>, gate: &mut Gate, facts: &Facts) -> Result<Answer, Refusal> {
    match what {
        "stats" | "users" | "topics" | "connections" | "closes" | "events" => {
            get(ask)?;
            match what {
                "stats" => Ok(stats::stats(gate, facts)),
                "users" => users::users(ask, facts),
                "topics" => topics::topics(ask, facts),
                "connections" => connections::connections(ask, facts),
                "closes" => closes::closes(ask, gate, facts),
                _ => events::events(ask, gate),
            }
        }
        "push" => post(ask).and_then(|()| push::push(ask, gate, facts)),
        "kick" => post(ask).and_then(|()| kick::kick(ask, gate)),
        "drain" => post(ask).and_then(|()| drain::drain(ask, gate)),
        "bans" => {
            let methods = [Method::Get, Method::Post, Method::Delete];
            allow(ask, &methods, "GET, HEAD, POST, DELETE")?;
            match ask.method {
                Method::Post => bans::add(ask, gate),
                Method::Delete => bans::remove(ask, gate),
                _ => bans::list(ask),
            }
        }
        "reload" => post(ask).and_then(|()| configure::reload(ask, gate)),
        // It changes nothing, so its body may be of any type.
        "check" if ask.method == Method::Post => configure::check(ask, gate),
        "check" => allow(ask, &[Method::Post], "POST").and(Err(Refusal::not_found(NOTHING))),
        _ => Err(Refusal::not_found(NOTHING)),
    }
}

const NOTHING: &str = "there is nothing of that name";

/// Demands that something is done.
fn post(ask: &Ask<'_>) -> Result<(), Refusal> {
    allow(ask, &[Method::Post], "POST")
}

/// Demands that something is only asked for.
fn get(ask: &Ask<'_>) -> Result<(), Refusal> {
    allow(ask, &[Method::Get], "GET, HEAD")
}

fn allow(ask: &Ask<'_>, methods: &[Method], names: &'static str) -> Result<(), Refusal> {
    let is_get = ask.is_get() && methods.contains(&Method::Get);
    if is_get || methods.contains(&ask.method) {
        // A page of somebody else's may post a form, but not JSON without asking us first.
        if !is_get && !ask.is_json {
            let text = "this wants Content-Type: application/json";
            return Err(Refusal::bad_request(text));
        }
        return Ok(());
    }
    Err(Refusal {
        allow: names,
        ..Refusal::new(405, "method-not-allowed", format!("use {names}"))
    })
}
