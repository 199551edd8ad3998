//! What is done: messages, ends, bans, the drain, another configuration.

use std::io::Read;

use clap::{Arg, ArgAction, ArgGroup, Command};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::http::Told;
use super::show::{Table, count, number, rows, shown, span as shown_span, word};
use super::{Problem, Session, somebody, span};

pub(super) fn push_command() -> Command {
    Command::new("push")
        .about("Send a message to a user, a topic or everyone")
        .arg(user("to this user"))
        .arg(option("topic", "TOPIC", "to the members of this topic"))
        .arg(switch("everyone", "to everyone who is here"))
        .group(
            ArgGroup::new("to")
                .args(["user", "topic", "everyone"])
                .required(true),
        )
        .arg(
            Arg::new("body")
                .value_name("BODY")
                .required(true)
                .help("the text; - reads it from stdin"),
        )
        .arg(switch("body-json", "BODY is JSON, not a text"))
        .arg(switch(
            "ack",
            "have it acknowledged, and sent again until it is",
        ))
        .arg(span("ttl").help("it is of use for so long"))
}

pub(super) fn kick_command() -> Command {
    Command::new("kick")
        .about("End the connections of a user")
        .arg(somebody("whose connections").required(true))
}

pub(super) fn ban_command() -> Command {
    Command::new("ban")
        .about("Let a user or a network in no more; list and remove bans")
        .arg(user("this user"))
        .arg(option(
            "cidr",
            "CIDR",
            "this address or network, as 10.0.0.0/8",
        ))
        .arg(switch("list", "list all bans"))
        .group(
            ArgGroup::new("whom")
                .args(["user", "cidr", "list"])
                .required(true),
        )
        .arg(
            span("for")
                .conflicts_with_all(["list", "remove"])
                .help("for so long [default: until it is removed, or the daemon ends]"),
        )
        .arg(
            switch("allow", "let it in, whatever a wider ban or list says")
                .conflicts_with_all(["list", "remove"]),
        )
        .arg(switch("remove", "take the ban back").conflicts_with("list"))
}

pub(super) fn drain_command() -> Command {
    Command::new("drain")
        .about("Shut the daemon down in good order, as SIGTERM does")
        .arg(span("over").help("spread the goodbyes over so long [default: drain.over]"))
}

pub(super) fn reload_command() -> Command {
    Command::new("reload").about("Have the daemon read its configuration again, as SIGHUP does")
}

fn user(help: &'static str) -> Arg {
    option("user", "USER", help)
}

fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

/// What the daemon is asked to send.
#[derive(Serialize)]
struct Wish {
    to: Value,
    body: Box<RawValue>,
    ack: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_ms: Option<u64>,
}

pub(super) fn push(session: &Session<'_>) -> Result<(), Problem> {
    let to = match (session.text("user"), session.text("topic")) {
        (Some(user), _) => json!({ "user": user }),
        (None, Some(topic)) => json!({ "topic": topic }),
        (None, None) => json!({ "everyone": true }),
    };
    let is_acked = session.matches.get_flag("ack");
    let wish = Wish {
        to,
        body: body(session)?,
        ack: is_acked,
        ttl_ms: session.millis("ttl"),
    };
    let wish = serde_json::to_string(&wish).map_err(|error| Problem::Run(error.to_string()))?;
    let told = session.admin.ask("POST", "/v1/push", &wish)?;
    session.print(&told, || {
        let told = &told.json;
        let id = word(told, "id");
        let queued = count(number(told, "queued"), "connection");
        let (offline, dropped) = (number(told, "offline"), number(told, "dropped"));
        let offline = count(offline, "user");
        format!("message {id}: queued for {queued}, parked for {offline}, {dropped} got nothing\n")
    })?;
    match number(&told.json, "queued") + number(&told.json, "offline") {
        0 => Err(Problem::Nobody),
        _ => Ok(()),
    }
}

/// The body: JSON stays as it was written.
fn body(session: &Session<'_>) -> Result<Box<RawValue>, Problem> {
    let mut body = session.text("body").unwrap_or_default().to_owned();
    if body == "-" {
        body.clear();
        let read = std::io::stdin().read_to_string(&mut body);
        read.map_err(|error| Problem::Run(format!("stdin: {error}")))?;
    }
    let is_json = session.matches.get_flag("body-json");
    let body = if is_json {
        body
    } else {
        json!(body).to_string()
    };
    let wrong = |error| Problem::Usage(format!("BODY is not JSON: {error}"));
    serde_json::from_str(body.trim()).map_err(wrong)
}

pub(super) fn kick(session: &Session<'_>) -> Result<(), Problem> {
    let user = session.text("user").unwrap_or_default();
    let told = session.admin.post("/v1/kick", &json!({ "user": user }))?;
    session.print(&told, || match number(&told.json, "kicked") {
        0 => format!("nobody is here as {}\n", shown(user)),
        kicked => format!("ended {} of {}\n", count(kicked, "connection"), shown(user)),
    })
}

pub(super) fn ban(session: &Session<'_>) -> Result<(), Problem> {
    let (mut wish, whom) = match (session.text("user"), session.text("cidr")) {
        (Some(user), _) => (json!({ "user": user }), user),
        (None, Some(cidr)) => (json!({ "cidr": cidr }), cidr),
        (None, None) => return bans(session),
    };
    let whom = shown(whom);
    if session.matches.get_flag("remove") {
        let told = session.admin.ask("DELETE", "/v1/bans", &wish.to_string())?;
        return session.print(&told, || match number(&told.json, "removed") {
            0 => format!("{whom} was not banned\n"),
            _ => format!("{whom} is banned no more\n"),
        });
    }
    let ttl = session.millis("for");
    if let Some(ttl) = ttl {
        wish["ttl_ms"] = ttl.into();
    }
    let is_allowed = session.matches.get_flag("allow");
    if is_allowed {
        wish["allow"] = true.into();
    }
    let told = session.admin.post("/v1/bans", &wish)?;
    session.print(&told, || {
        let ended = count(number(&told.json, "kicked"), "connection");
        let long = ttl.map_or(String::new(), |ttl| format!(" for {}", shown_span(ttl)));
        match is_allowed {
            true => format!("{whom} is let in{long}\n"),
            false => format!("{whom} is banned{long}; ended {ended}\n"),
        }
    })
}

fn bans(session: &Session<'_>) -> Result<(), Problem> {
    let told = session.admin.get("/v1/bans")?;
    session.print(&told, || {
        let (bans, lists) = (rows(&told.json, "bans"), rows(&told.json, "lists"));
        let mut text = match bans {
            [] => String::from("nobody is banned\n"),
            bans => ban_table(bans),
        };
        if !lists.is_empty() {
            text += "\nthe files of [lists] decide besides:\n\n";
            text += &list_table(lists);
        }
        text
    })
}

fn ban_table(bans: &[Value]) -> String {
    let mut table = Table::new(&["KIND", "WHOM", ">LEFT"]);
    for ban in bans {
        let kind = if ban["user"].is_null() {
            "cidr"
        } else {
            "user"
        };
        let left = ban["ttl_ms"].as_u64();
        let left = left.map_or_else(|| String::from("for ever"), shown_span);
        table.row([
            kind.to_owned(),
            word(ban, kind),
            match ban["allow"].as_bool() {
                Some(true) => format!("{left}, let in"),
                _ => left,
            },
        ]);
    }
    table.text()
}

/// The files that keep somebody out or let him in, and how much each holds.
fn list_table(lists: &[Value]) -> String {
    let mut table = Table::new(&["LIST", "FILE", ">ENTRIES"]);
    for list in lists {
        let is_white = list["allow"] == true;
        table.row([
            if is_white { "white" } else { "black" }.to_owned(),
            word(list, "file"),
            word(list, "entries"),
        ]);
    }
    table.text()
}

pub(super) fn drain(session: &Session<'_>) -> Result<(), Problem> {
    let over = session.millis("over");
    let wish = over.map_or_else(|| json!({}), |over| json!({ "over_ms": over }));
    let told = session.admin.post("/v1/drain", &wish)?;
    session.print(&told, || {
        let many = count(number(&told.json, "draining"), "connection");
        let long = over.map_or(String::new(), |over| format!(" over {}", shown_span(over)));
        format!("the shutdown has begun: {many} to say goodbye to{long}\n")
    })
}

pub(super) fn reload(session: &Session<'_>) -> Result<(), Problem> {
    let told = session.admin.post("/v1/reload", &json!({}));
    let told = told.map_err(|problem| unable(problem, "reload over the interface; use SIGHUP"))?;
    session.print(&told, || changes(&told, "reloaded", "changed"))
}

/// What the daemon would change if it were given this configuration.
pub(super) fn check(session: &Session<'_>, configuration: &str) -> Result<(), Problem> {
    let told = session.admin.ask("POST", "/v1/check", configuration);
    let told = told.map_err(|problem| unable(problem, "check a configuration"))?;
    session.print(&told, || changes(&told, "good", "would change"))
}

/// A daemon of a version that has no such route.
fn unable(problem: Problem, what: &str) -> Problem {
    match problem {
        Problem::Missing(text) => {
            Problem::Run(format!("{text}; the daemon that runs there can not {what}"))
        }
        problem => problem,
    }
}

/// Settings that differ, as a table.
fn changes(told: &Told, done: &str, verb: &str) -> String {
    let changes = rows(&told.json, "changes");
    if changes.is_empty() {
        return format!("{done}; nothing {verb}\n")
            .replace("nothing changed", "nothing has changed");
    }
    let mut table = Table::new(&["SETTING", "OLD", "NEW", "HOLDS", ">TOUCHES"]);
    for change in changes {
        let Value::String(text) = change else {
            let holds = if change["needs_restart"] == true {
                "after a restart"
            } else {
                "at once"
            };
            let cell = |key| word(change, key);
            table.row([
                cell("key"),
                cell("old"),
                cell("new"),
                holds.into(),
                cell("touches"),
            ]);
            continue;
        };
        table.row([
            shown(text),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
        ]);
    }
    // As the log counts them.
    let restart = changes.iter().filter(|one| one["needs_restart"] == true);
    let restart = restart.count();
    let many = count((changes.len() - restart) as u64, "setting");
    let later = match restart {
        0 => String::new(),
        1 => String::from(", 1 needs a restart"),
        more => format!(", {more} need a restart"),
    };
    format!("{done}; {many} {verb}{later}\n\n{}", table.text())
}
