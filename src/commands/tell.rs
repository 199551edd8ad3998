//! What is only asked for: how the daemon is, who is here, why connections ended.

use clap::{Arg, ArgAction, Command, value_parser};
use serde_json::Value;

use super::show::{Table, bytes, count, number, rows, seconds, shown, span, word};
use super::{Problem, Session, encoded, somebody};

pub(super) fn status_command() -> Command {
    Command::new("status").about("Tell how a running daemon is")
}

pub(super) fn users_command() -> Command {
    Command::new("users")
        .about("List who is online, or one user's connections")
        .arg(somebody("only this one"))
        .arg(limit("users at most"))
        .arg(
            Arg::new("after")
                .long("after")
                .value_name("USER")
                .conflicts_with("user")
                .help("those that come behind this one"),
        )
}

pub(super) fn why_command() -> Command {
    Command::new("why")
        .about("Tell why a user's latest connections ended")
        .arg(somebody("whose connections").required(true))
        .arg(limit("records at most"))
}

fn limit(help: &'static str) -> Arg {
    Arg::new("limit")
        .long("limit")
        .value_name("N")
        .action(ArgAction::Set)
        .value_parser(value_parser!(u32).range(1..=10_000))
        .default_value("100")
        .help(help)
}

impl Session<'_> {
    fn limit(&self) -> u32 {
        self.matches.get_one("limit").copied().unwrap_or(100)
    }

    /// The daemon's clock, in milliseconds since 1970.
    pub(super) fn now(&self) -> Result<u64, Problem> {
        let stats = self.admin.get("/v1/stats")?;
        Ok(number(&stats.json, "now").saturating_mul(1_000))
    }
}

pub(super) fn status(session: &Session<'_>) -> Result<(), Problem> {
    let told = session.admin.get("/v1/stats")?;
    let place = session.admin.place.to_string();
    session.print(&told, || status_text(&told.json, &place))
}

fn status_text(stats: &Value, place: &str) -> String {
    let state = if stats["draining"] == true {
        "draining"
    } else if stats["loop"]["lags"] == true {
        "lagging, newcomers wait"
    } else {
        "serving"
    };
    let uptime = seconds(number(stats, "uptime_s"));
    let version = word(stats, "version");
    let mut text = format!("pulsegate {version} at {place}: {state}, up {uptime}\n\n");
    for (name, line) in status_lines(stats) {
        text += &format!("{name:<12}{line}\n");
    }
    if let Some(hardening) = stats.get("hardening").filter(|told| told.is_object()) {
        text += &format!("{:<12}{}\n", "hardening", hardening_line(hardening));
    }
    let mut table = Table::new(&["LISTENER", ">OPEN", ">LOGGED IN", ">CLOSING"]);
    for listener in rows(stats, "listeners") {
        table.row([
            word(listener, "name"),
            word(listener, "open"),
            word(listener, "logged_in"),
            word(listener, "closing"),
        ]);
    }
    text + "\n" + &table.text()
}

/// What the process can no longer do.
fn hardening_line(told: &Value) -> String {
    let (uid, abi) = (word(told, "uid"), word(told, "landlock_abi"));
    let (landlock, seccomp) = (word(told, "landlock"), word(told, "seccomp"));
    let on = |key: &str| if told[key] == true { "on" } else { "off" };
    let (privs, dumps) = (on("no_new_privs"), on("core_dumps"));
    let capabilities = match told["capabilities"].as_bool() {
        Some(true) => "some",
        Some(false) => "none",
        None => "?",
    };
    format!(
        "uid {uid}, capabilities {capabilities}, no-new-privs {privs}, landlock {landlock} \
         (abi {abi}), seccomp {seccomp}, core dumps {dumps}"
    )
}

pub(super) fn status_lines(stats: &Value) -> Vec<(&'static str, String)> {
    let (conns, users) = (&stats["connections"], &stats["users"]);
    let (counters, pace) = (&stats["counters"], &stats["loop"]);
    let word = |of: &Value, key: &str| word(of, key);
    let size = |of: &Value, key: &str| bytes(number(of, key));
    let share = |of: &Value| format!("{} of {}", size(of, "now"), size(of, "limit"));
    let memory = &stats["memory"];
    let micros = |key: &str| match number(pace, key) {
        us @ 0..=9_999 => format!("{us}us"),
        us => span(us / 1_000),
    };
    let (open, closing) = (word(conns, "open"), word(conns, "closing"));
    let most = word(conns, "limit");
    let (accepted, refused) = (word(counters, "accepted"), word(counters, "refused"));
    let (online, absent) = (word(users, "online"), word(users, "absent"));
    let (p50, p99, longest) = (micros("p50_us"), micros("p99_us"), micros("longest_us"));
    let lag = micros("lag_us");
    let frames_in = word(counters, "frames_in");
    let frames_out = word(counters, "frames_out");
    let (bytes_in, bytes_out) = (size(counters, "bytes_in"), size(counters, "bytes_out"));
    let (input, output) = (share(&memory["input"]), share(&memory["output"]));
    let offline = share(&memory["offline"]);
    let (resident, ceiling) = (size(memory, "resident"), size(memory, "ceiling"));
    vec![
        (
            "connections",
            format!("{open} open, {closing} closing, {most} at most"),
        ),
        ("ever", format!("{accepted} accepted, {refused} refused")),
        ("turned away", turned_away(counters)),
        ("held back", held_back(counters)),
        ("rested", rested(&stats["accept_paused_ms"])),
        (
            "kept out",
            format!(
                "{} in lists, {} in bans",
                count_of(number(stats, "list_entries")),
                count_of(number(stats, "bans"))
            ),
        ),
        ("users", format!("{online} online, {absent} absent")),
        (
            "topics",
            format!(
                "{} of {}",
                word(&stats["topics"], "now"),
                word(&stats["topics"], "limit")
            ),
        ),
        ("in", format!("{frames_in} frames, {bytes_in}")),
        ("out", format!("{frames_out} frames, {bytes_out}")),
        ("closed", reasons_of(&stats["closed"], "none")),
        (
            "loop",
            format!("{p50} a turn at p50, {p99} at p99, {longest} at most, lag {lag}"),
        ),
        ("overload", overload(&stats["overload"])),
        ("memory", format!("{resident} resident, {ceiling} at most")),
        (
            "",
            format!("input {input}, output {output}, offline {offline}"),
        ),
    ]
}

/// `1 entry`, `2 entries`.
fn count_of(entries: u64) -> String {
    let noun = if entries == 1 { "entry" } else { "entries" };
    format!("{entries} {noun}")
}

/// Newcomers that were not let in, by what the metric calls the reason.
fn turned_away(counters: &Value) -> String {
    let reasons = [
        ("full", "refused"),
        ("address", "crowded"),
        ("rate", "hurried"),
        ("stranger", "strangers"),
        ("fault", "accept_faults"),
    ];
    let counts = reasons.map(|(reason, key)| (reason.to_owned(), counters[key].clone()));
    reasons_of(&Value::Object(counts.into_iter().collect()), "nobody")
}

/// How long accepting rested, by what for.
fn rested(paused: &Value) -> String {
    let causes = paused.as_object().into_iter().flatten();
    let found = causes.filter_map(|(cause, ms)| Some((cause, ms.as_u64().filter(|ms| *ms > 0)?)));
    let told: Vec<String> = found
        .map(|(cause, ms)| format!("{} for {}", span(ms), shown(cause)))
        .collect();
    if told.is_empty() {
        return String::from("never");
    }
    told.join(", ")
}

fn held_back(counters: &Value) -> String {
    let logins = count(number(counters, "logins_refused"), "login");
    let throttled = count(number(counters, "throttled"), "interval");
    format!("{logins} refused for a rate, {throttled} of connections over theirs")
}

/// The step that overload has led to, and what was done for it since the start.
fn overload(told: &Value) -> String {
    let acts = [
        ("readers", "rests"),
        ("pushes", "messages dropped"),
        ("handshakes", "newcomers ended"),
        ("evictions", "evictions"),
    ];
    let acts = acts.map(|(key, words)| format!("{} {words}", word(told, key)));
    let (step, name) = (word(told, "step"), word(told, "name"));
    format!("step {step} ({name}); {}", acts.join(", "))
}

/// Reasons that there were, the most frequent first.
fn reasons_of(counts: &Value, none: &str) -> String {
    let reasons = counts.as_object().into_iter().flatten();
    let mut found: Vec<(u64, &str)> = reasons
        .filter_map(|(reason, count)| Some((count.as_u64()?, &reason[..])))
        .filter(|(count, _)| *count > 0)
        .collect();
    found.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let told = found
        .iter()
        .map(|(count, reason)| format!("{} {count}", shown(reason)));
    let told: Vec<String> = told.collect();
    if told.is_empty() {
        return none.to_owned();
    }
    told.join(", ")
}

pub(super) fn users(session: &Session<'_>) -> Result<(), Problem> {
    let Some(user) = session.text("user") else {
        return list(session);
    };
    let told = session.admin.get(&format!("/v1/users/{}", encoded(user)))?;
    if session.is_json {
        return session.print(&told, String::new);
    }
    let now = session.now()?;
    session.print(&told, || {
        let conns = rows(&told.json, "connections");
        let (name, parked) = (word(&told.json, "user"), number(&told.json, "parked"));
        let (many, waiting) = (
            count(conns.len() as u64, "connection"),
            count(parked, "message"),
        );
        let table = connections(conns, now);
        format!("{name}: {many}, {waiting} parked\n\n{}", table.text())
    })
}

/// Connections, with ages as of `now`.
pub(super) fn connections(conns: &[Value], now: u64) -> Table {
    let mut table = Table::new(&[
        "USER",
        "ADDRESS",
        "LISTENER",
        ">AGE",
        ">LAST IN",
        ">LAST OUT",
        ">IN",
        ">OUT",
        ">FRAMES/S",
        ">QUEUE",
        ">ID",
    ]);
    for conn in conns {
        let ago = |key| seconds(now.saturating_sub(number(conn, key)) / 1_000);
        table.row([
            word(conn, "user"),
            word(conn, "address"),
            word(conn, "listener"),
            ago("opened"),
            ago("last_in"),
            ago("last_out"),
            bytes(number(conn, "bytes_in")),
            bytes(number(conn, "bytes_out")),
            format!("{:.1}", conn["frames_per_second"].as_f64().unwrap_or(0.0)),
            bytes(number(conn, "outbox")),
            word(conn, "id"),
        ]);
    }
    table
}

fn list(session: &Session<'_>) -> Result<(), Problem> {
    let mut target = format!("/v1/users?limit={}", session.limit());
    if let Some(after) = session.text("after") {
        target += &format!("&after={}", encoded(after));
    }
    let told = session.admin.get(&target)?;
    session.print(&told, || {
        let mut table = Table::new(&["USER", ">CONNECTIONS"]);
        let users = rows(&told.json, "users");
        for user in users {
            table.row([word(user, "user"), word(user, "connections")]);
        }
        let mut text = table.text();
        let (here, all) = (users.len(), count(number(&told.json, "total"), "user"));
        text += &format!("\n{here} of {all}");
        if let Some(next) = told.json["next"].as_str() {
            text += &format!("; more: --after {}", shown(next));
        }
        text + "\n"
    })
}

pub(super) fn why(session: &Session<'_>) -> Result<(), Problem> {
    let user = session.text("user").unwrap_or_default();
    let (name, limit) = (encoded(user), session.limit());
    let told = session
        .admin
        .get(&format!("/v1/closes?user={name}&limit={limit}"))?;
    if session.is_json {
        return session.print(&told, String::new);
    }
    let now = session.now()?;
    session.print(&told, || closes(&told.json, user, now))
}

fn closes(told: &Value, user: &str, now: u64) -> String {
    let closes = rows(told, "closes");
    if closes.is_empty() {
        let user = shown(user);
        return format!("no connection of {user} has ended, as far as the records go back\n");
    }
    let mut table = Table::new(&[
        "ENDED",
        "CAUSE",
        "BY",
        ">AGE",
        ">LAST IN",
        ">LAST OUT",
        ">IN",
        ">OUT",
        ">QUEUE",
        "ADDRESS",
    ]);
    for close in closes {
        let ended = now.saturating_sub(number(close, "at")) / 1_000;
        let cause = match close["detail"].as_str() {
            Some(detail) => format!("{} ({})", word(close, "reason"), shown(detail)),
            None => word(close, "reason"),
        };
        table.row([
            format!("{} ago", seconds(ended)),
            cause,
            word(close, "by"),
            seconds(number(close, "age_s")),
            span(number(close, "silent_ms")),
            span(number(close, "unsent_ms")),
            bytes(number(close, "bytes_in")),
            bytes(number(close, "bytes_out")),
            bytes(number(close, "outbox")),
            word(close, "address"),
        ]);
    }
    table.text() + "\nLAST IN and LAST OUT: so long before the end.\n"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_loop_that_lags_is_told_first_and_how_long_accepting_rested() {
        let paused = json!({"lag": 1_520, "places": 0, "rate": 80, "resources": 0});
        let stats = json!({
            "version": "1", "uptime_s": 5, "loop": {"lags": true}, "accept_paused_ms": paused,
        });
        let text = status_text(&stats, "here");
        let first = "pulsegate 1 at here: lagging, newcomers wait, up 5s\n";
        assert!(text.starts_with(first), "{text}");
        assert!(
            text.contains("rested      1.5s for lag, 80ms for rate\n"),
            "{text}"
        );
    }
}
