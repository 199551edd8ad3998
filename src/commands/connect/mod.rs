//! `connect`: a client of a gate for people and for scripts.
//!
//! Speaks to the gate itself, not to the admin interface. A person types requests as they stand on
//! a line, whatever the framing; what happens is printed with its time. The client beats, comes
//! back and joins its topics again by itself; with `--raw` there is no client, and nothing is said
//! but what is typed.

mod clock;
mod play;
mod script;
mod talk;
mod tell;
mod wire;

use std::io::Read;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};

use self::play::Play;
use self::talk::Talk;
use self::tell::Teller;
use self::wire::{Input, Wire, follow_stdin};
use super::{Problem, span};
use crate::client::adapt::Adaptive;
use crate::client::{Client, Heartbeat, Login, Options, Retry};
use crate::codec::framing::Framing;
use crate::codec::name::check_user;
use crate::config::keys::Takes;
use crate::config::value::Value;
use crate::secret::Secret;

const AFTER_HELP: &str = "\
A line that is typed is a request: send USER TEXT, asend USER TEXT, join TOPIC, leave TOPIC,
pub TOPIC TEXT, data TEXT, ping, quit. /history tells what happened to the connection.
Messages that want it are acknowledged by themselves. Times are UTC.

A script has a step a line; it ends at the first that fails. TEXT is looked for in what is printed
without --json:
  REQUEST                       say it; it must be done in time
  try REQUEST                   say it, whatever the answer
  sleep DURATION                wait
  expect [within DURATION] TEXT something must come that holds TEXT
  never TEXT                    from here on nothing may come that holds TEXT
  repeat N ... end              what stands between them, N times
  write \"BYTES\"                 with --raw: these bytes at once
                                (\\n, \\r, \\t, \\\", \\\\, \\xHH)

Exit codes: 0 done, 1 no connection came about, or it was lost for good (the message says where
and why), 2 the command line or the script is wrong, 3 a step of the script failed.";

/// The command.
pub(super) fn command() -> Command {
    Command::new("connect")
        .about("Speak to a gate as a client, by hand or by a script")
        .after_help(AFTER_HELP)
        .arg(
            Arg::new("place")
                .value_name("HOST:PORT")
                .required(true)
                .help(format!("where the gate listens [default port: {PORT}]")),
        )
        .arg(option("user", "NAME", "log in under this name"))
        .arg(
            option(
                "token-file",
                "FILE",
                "the file that holds the login's token",
            )
            .requires("user"),
        )
        .arg(
            option(
                "framing",
                "FRAMING",
                "line, lenhdr, binary, or with options as in the configuration",
            )
            .default_value("line"),
        )
        .arg(
            option(
                "heartbeat",
                "WHEN",
                "server (as it asks at login), adaptive (learns how long it may be silent), off, \
                 or a duration",
            )
            .default_value("server"),
        )
        .args(manners())
        .arg(switch(
            "json",
            "print what happens as JSON, an object a line",
        ))
}

/// How long and by whom it is used.
fn manners() -> [Arg; 6] {
    let script = option("script", "FILE", "play this script; - reads it from stdin");
    let speed = option(
        "speed",
        "FACTOR",
        "make the script's sleeps so many times shorter",
    );
    [
        span("timeout")
            .default_value("10s")
            .help("how long a connection, an answer or an expectation may take"),
        switch("once", "do not come back when the connection is lost"),
        script,
        speed.value_parser(read_speed).default_value("1"),
        span("for")
            .conflicts_with("script")
            .help("leave after so long [default: at the end of stdin]"),
        switch("raw", "no client: no login, no heartbeats, no coming back").conflicts_with_all([
            "user",
            "heartbeat",
            "once",
        ]),
    ]
}

/// Runs the command.
pub(super) fn run(matches: &ArgMatches) -> Result<(), Problem> {
    let text = |name| matches.get_one::<String>(name).map(String::as_str);
    let place = read_place(text("place").unwrap_or_default()).map_err(Problem::Usage)?;
    let framing = read_framing(text("framing").unwrap_or("line")).map_err(Problem::Usage)?;
    let patience = duration(matches, "timeout").unwrap_or(PATIENCE);
    let is_raw = matches.get_flag("raw");
    if framing == Framing::Raw && !is_raw {
        let text = "--framing raw has no messages: it goes with --raw\n";
        return Err(Problem::Usage(String::from(text)));
    }
    let steps = text("script")
        .map(|name| read_script(name, is_raw))
        .transpose()?;
    let (sender, inputs) = sync_channel(INPUTS_MAX);
    let wire = match is_raw {
        true => Wire::raw(&place, framing, patience, sender.clone())?,
        false => Wire::of_client(client(matches, &place, framing, patience)?, sender.clone())?,
    };
    let until = duration(matches, "for").and_then(clock::after);
    let teller = Teller::new(matches.get_flag("json"));
    let mut talk = Talk::new(wire, inputs, teller, place, until);
    talk.open()?;
    match (steps, text("script")) {
        (Some(steps), Some(name)) => {
            drop(sender);
            let speed = matches.get_one::<f64>("speed").copied().unwrap_or(1.0);
            Play::new(&mut talk, name, patience, speed).run(&steps)
        }
        _ => with_stdin(&mut talk, sender),
    }
}

fn with_stdin(talk: &mut Talk, sender: SyncSender<Input>) -> Result<(), Problem> {
    follow_stdin(sender)?;
    talk.with_lines()
}

fn client(
    matches: &ArgMatches,
    place: &str,
    framing: Framing,
    patience: Duration,
) -> Result<Client, Problem> {
    let text = |name| matches.get_one::<String>(name).map(String::as_str);
    let login = match text("user") {
        Some(user) => Some(login(user, text("token-file"))?),
        None => None,
    };
    let is_adaptive = text("heartbeat") == Some("adaptive");
    let mut options = Options {
        framing,
        heartbeat: read_heartbeat(text("heartbeat").unwrap_or("server")).map_err(Problem::Usage)?,
        connect_timeout: patience,
        login_timeout: patience,
        read_timeout: patience,
        write_timeout: patience,
        ..Options::default()
    };
    if matches.get_flag("once") {
        options.retry = Retry::NEVER;
    }
    let started = match is_adaptive {
        true => {
            let rhythm = Adaptive::new(BEAT_MIN, options.idle_timeout);
            Client::start_with_rhythm(place, login, options, Box::new(rhythm))
        }
        false => Client::start(place, login, options),
    };
    started.map_err(|error| Problem::Run(error.to_string()))
}

fn login(user: &str, token_file: Option<&str>) -> Result<Login, Problem> {
    check_user(user).map_err(|wrong| Problem::Usage(format!("--user {user:?}: {wrong}\n")))?;
    let mut login = Login::new(user);
    if let Some(path) = token_file {
        let token = std::fs::read_to_string(path);
        let token = token.map_err(|error| Problem::Run(format!("token file {path}: {error}")))?;
        login.token = Secret::new(token.trim_end_matches(['\r', '\n']).into());
    }
    Ok(login)
}

fn read_script(name: &str, is_raw: bool) -> Result<Vec<script::Step>, Problem> {
    let mut text = String::new();
    let read = match name {
        "-" => std::io::stdin().read_to_string(&mut text).map(drop),
        path => std::fs::read_to_string(path).map(|read| text = read),
    };
    read.map_err(|error| Problem::Usage(format!("script {name}: {error}\n")))?;
    script::read(&text, is_raw).map_err(|wrong| Problem::Usage(format!("{name}:{wrong}\n")))
}

/// Reads `HOST:PORT` or `HOST`; a host of IPv6 stands in brackets.
fn read_place(text: &str) -> Result<String, String> {
    let wrong = |why: &str| format!("{text:?} {why}; say HOST:PORT\n");
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]%".contains(&byte);
    if text.is_empty() || !text.bytes().all(is_plain) {
        return Err(wrong("is no address"));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err(wrong("is no address: IPv6 stands in brackets"));
    }
    match port {
        _ if host.is_empty() => Err(wrong("names no host")),
        None => Ok(format!("{host}:{PORT}")),
        Some(port) if port.parse::<u16>().is_ok_and(|port| port > 0) => Ok(text.to_owned()),
        Some(_) => Err(wrong("has no port that is a number")),
    }
}

fn read_framing(text: &str) -> Result<Framing, String> {
    let read = crate::config::read_framing(&Value::of_text(text, Takes::Word));
    read.map_err(|wrong| format!("--framing: {wrong}\n"))
}

fn read_heartbeat(text: &str) -> Result<Heartbeat, String> {
    match text {
        "server" | "adaptive" => Ok(Heartbeat::Server),
        "off" => Ok(Heartbeat::Off),
        _ => match humantime::parse_duration(text) {
            Ok(every) if every >= SHORTEST => Ok(Heartbeat::Every(every)),
            Ok(_) => Err(format!("--heartbeat {text}: at least 10ms\n")),
            Err(_) => Err(format!(
                "--heartbeat {text:?} is not server, adaptive, off or a duration\n"
            )),
        },
    }
}

fn read_speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok();
    let speed = speed.filter(|speed: &f64| (0.001..=1_000.0).contains(speed));
    speed.ok_or_else(|| String::from("a number from 0.001 to 1000 is wanted"))
}

fn duration(matches: &ArgMatches, name: &str) -> Option<Duration> {
    matches.get_one::<Duration>(name).copied()
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

const PORT: &str = "7373";
const PATIENCE: Duration = Duration::from_secs(10);
/// No heartbeat is more often.
const SHORTEST: Duration = Duration::from_millis(10);
/// The shortest silence of one that learns.
const BEAT_MIN: Duration = Duration::from_secs(1);
/// What may have happened and is not printed yet.
const INPUTS_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        for (text, place) in [
            ("127.0.0.1:9", "127.0.0.1:9"),
            ("gate.example", "gate.example:7373"),
            ("[::1]:80", "[::1]:80"),
            ("[::1]", "[::1]:7373"),
        ] {
            assert_eq!(read_place(text).as_deref(), Ok(place));
        }
        for text in [
            "",
            ":80",
            "host:",
            "host:port",
            "host:0",
            "host:99999",
            "::1",
            "a b",
        ] {
            assert!(read_place(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn heartbeats_are_read() {
        let second = Duration::from_secs(1);
        for (text, heartbeat) in [
            ("server", Heartbeat::Server),
            ("adaptive", Heartbeat::Server),
            ("off", Heartbeat::Off),
            ("1s", Heartbeat::Every(second)),
        ] {
            assert_eq!(read_heartbeat(text), Ok(heartbeat));
        }
        for text in ["", "on", "1", "1ms", "0s"] {
            assert!(read_heartbeat(text).is_err(), "{text:?}");
        }
    }
}
