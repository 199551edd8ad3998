//! `tap`: a user's frames as they come and go, for a while.

use clap::Command;
use serde_json::Value;

use super::show::{harmless, number, seconds, shown, time_of_day, word};
use super::{Problem, Session, encoded, note, print, somebody, span};

/// How much longer than the tap itself it is waited for its end.
const GRACE: std::time::Duration = std::time::Duration::from_secs(10);
const DEFAULT_MS: u64 = 30_000;

pub(super) fn command() -> Command {
    Command::new("tap")
        .about("Show a user's frames, both ways, for a while")
        .arg(somebody("whose frames").required(true))
        .arg(span("for").help("for so long, at most an hour [default: 30s]"))
}

pub(super) fn run(session: &Session<'_>) -> Result<(), Problem> {
    let user = session.text("user").unwrap_or_default();
    let for_ms = session.millis("for").unwrap_or(DEFAULT_MS);
    let name = encoded(user);
    // A tap of a name that is not here is not refused: he may come.
    match session.admin.get(&format!("/v1/users/{name}")) {
        Ok(_) => {}
        Err(Problem::Missing(_)) => {
            let (user, left) = (shown(user), seconds(for_ms / 1_000));
            note(&format!("{user} is not here, may come within {left}"));
        }
        Err(problem) => return Err(problem),
    }
    let patience = GRACE.saturating_add(std::time::Duration::from_millis(for_ms));
    let target = format!("/v1/tap/{name}?for_ms={for_ms}");
    let mut stream = session.admin.stream(&target, patience)?;
    let mut line = String::new();
    loop {
        let read = stream.line(&mut line);
        read.map_err(|error| session.admin.broke(&error))?;
        if line.is_empty() {
            return Ok(());
        }
        if session.is_json {
            print(&harmless(&line))?;
        } else {
            print(&shown_event(&line))?;
        }
    }
}

fn shown_event(line: &str) -> String {
    let event: Value = serde_json::from_str(line).unwrap_or_default();
    if event["type"] == "lost" {
        return format!(
            "(lost {} frames: they came too fast)\n",
            word(&event, "count")
        );
    }
    let time = time_of_day(number(&event, "time"));
    let (conn, way) = (word(&event, "connection"), word(&event, "direction"));
    let body = match event.get("body_hex") {
        Some(_) => format!("hex {}", word(&event, "body_hex")),
        None => word(&event, "body"),
    };
    format!("{time}  {conn}  {way:<3}  {body}\n")
}
