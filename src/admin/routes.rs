//! What can be asked for: one line each.

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::desk::Facts;
use super::{health, metrics, stats};
use crate::codec::http::Method;
use crate::gate::Gate;

/// The page for people. It holds no data, and asks for the token.
const PAGE: &str = include_str!("page.html");

/// Whether a path is answered to whoever can connect.
pub(crate) fn is_open(path: &str) -> bool {
    matches!(path, "/" | "/healthz" | "/readyz")
}

/// Answers a request that may be answered.
pub(crate) fn answer(ask: &Ask<'_>, gate: &mut Gate, facts: &mut Facts) -> Result<Answer, Refusal> {
    let pieces: Vec<&str> = ask.path.iter().map(|piece| &piece[..]).collect();
    match pieces[..] {
        [] => get(ask).map(|()| Answer::of(200, "text/html; charset=utf-8", PAGE.into())),
        ["healthz"] => get(ask).map(|()| health::healthz()),
        ["readyz"] => get(ask).and_then(|()| health::readyz(gate)),
        ["metrics"] => get(ask).map(|()| metrics::metrics(gate, facts)),
        ["v1", "stats"] => get(ask).map(|()| stats::stats(gate, facts)),
        _ => Err(Refusal::not_found("there is nothing of that name")),
    }
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
