//! Commands that speak to a running daemon: over its admin interface they ask, do and watch;
//! `connect` is a client of the gate itself.
//!
//! People get aligned columns, in which no string can do anything to their terminal; programs get
//! the daemon's own JSON with `--json`. Nothing here is part of the daemon's loop.

mod act;
mod connect;
mod http;
mod place;
mod show;
mod tap;
mod tell;
mod terminal;
mod top;

use std::io::{self, Write};
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use self::http::{Admin, Told};
use self::place::Place;
use self::show::{harmless, shown};

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The command line is wrong.
    Usage(String),
    /// It could not be done: where, and why.
    Run(String),
    /// The same, since there is nothing of that name.
    Missing(String),
    /// A step of a script did not come to what it says: which one, and why.
    Unmet(String),
    /// It was done, and nobody got what was sent.
    Nobody,
    /// Our output is not taken.
    Output(io::Error),
}

/// A command and what does it.
struct Known {
    command: fn() -> Command,
    run: fn(&Session<'_>) -> Result<(), Problem>,
}

/// All commands, in the order of the help.
const COMMANDS: &[Known] = &[
    Known {
        command: tell::status_command,
        run: tell::status,
    },
    Known {
        command: tell::users_command,
        run: tell::users,
    },
    Known {
        command: tell::why_command,
        run: tell::why,
    },
    Known {
        command: act::push_command,
        run: act::push,
    },
    Known {
        command: act::kick_command,
        run: act::kick,
    },
    Known {
        command: act::ban_command,
        run: act::ban,
    },
    Known {
        command: act::drain_command,
        run: act::drain,
    },
    Known {
        command: act::reload_command,
        run: act::reload,
    },
    Known {
        command: tap::command,
        run: tap::run,
    },
    Known {
        command: top::command,
        run: top::run,
    },
];

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 it could not be done (no daemon there, or it refused: the message says
where and why), 2 the command line is wrong, 4 nobody got the message of a push.";

/// What a command works with.
struct Session<'a> {
    admin: Admin,
    matches: &'a ArgMatches,
    is_json: bool,
}

/// Every command here.
pub(crate) fn all() -> impl Iterator<Item = Command> {
    let connected = |known: &Known| {
        let command = (known.command)().after_help(AFTER_HELP);
        command
            .arg(
                Arg::new("admin")
                    .long("admin")
                    .value_name("URL")
                    .env("PULSEGATE_ADMIN")
                    .hide_env(true)
                    .help(format!(
                        "the daemon's admin interface, http://HOST:PORT or unix:/PATH; also \
                         PULSEGATE_ADMIN [default: {}]",
                        place::DEFAULT
                    )),
            )
            .args(access())
    };
    COMMANDS.iter().map(connected).chain([connect::command()])
}

/// The flags that every command has which asks a daemon.
pub(crate) fn access() -> [Arg; 2] {
    [
        Arg::new("token-file")
            .long("token-file")
            .value_name("FILE")
            .env("PULSEGATE_ADMIN_TOKEN_FILE")
            .hide_env(true)
            .help(
                "the file that holds the token; also PULSEGATE_ADMIN_TOKEN_FILE, or the token \
                 itself in PULSEGATE_ADMIN_TOKEN",
            ),
        Arg::new("json")
            .long("json")
            .action(ArgAction::SetTrue)
            .help("print what the daemon answers, as JSON"),
    ]
}

/// Runs the command of this name; `None` where it is none of these. `token` is what the
/// environment holds.
pub(crate) fn run(
    name: &str,
    matches: &ArgMatches,
    token: Option<String>,
) -> Option<Result<(), Problem>> {
    if name == "connect" {
        return Some(connect::run(matches));
    }
    let known = COMMANDS
        .iter()
        .find(|known| (known.command)().get_name() == name)?;
    let session = Session::open("admin", matches, token);
    Some(session.and_then(|session| (known.run)(&session)))
}

/// Tells what a running daemon would change if it were given this configuration.
pub(crate) fn check_against(
    matches: &ArgMatches,
    token: Option<String>,
    configuration: &str,
) -> Result<(), Problem> {
    let session = Session::open("against", matches, token)?;
    act::check(&session, configuration)
}

impl<'a> Session<'a> {
    fn open(
        flag: &str,
        matches: &'a ArgMatches,
        variable: Option<String>,
    ) -> Result<Self, Problem> {
        let set = |name| {
            let value = matches.get_one::<String>(name);
            value.filter(|value| !value.is_empty())
        };
        let url = set(flag).map_or(place::DEFAULT, |url| url);
        let place =
            Place::read(url).map_err(|wrong| Problem::Usage(format!("--{flag} {wrong}")))?;
        let by_flag =
            matches.value_source("token-file") == Some(clap::parser::ValueSource::CommandLine);
        let file = set("token-file").filter(|_| by_flag || variable.is_none());
        let token = match file {
            Some(path) => {
                let text = std::fs::read_to_string(path);
                let wrong = |error| Problem::Run(format!("token file {path}: {error}"));
                Some(text.map_err(wrong)?)
            }
            None => variable,
        };
        let token = token.map(|token| token.trim_end_matches(['\r', '\n']).to_owned());
        if let Some(token) = &token
            && !token.bytes().all(|byte| byte.is_ascii_graphic())
        {
            let text = "the token is not one line of visible characters of ASCII";
            return Err(Problem::Run(String::from(text)));
        }
        Ok(Self {
            admin: Admin { place, token },
            matches,
            is_json: matches.get_flag("json"),
        })
    }

    /// An argument that is a text.
    fn text(&self, name: &str) -> Option<&'a str> {
        self.matches.get_one::<String>(name).map(String::as_str)
    }

    /// An argument that is a span of time, in milliseconds.
    fn millis(&self, name: &str) -> Option<u64> {
        let span = self.matches.get_one::<Duration>(name)?;
        u64::try_from(span.as_millis()).ok()
    }

    /// Prints an answer: as it is, or as people want it.
    fn print(&self, told: &Told, table: impl FnOnce() -> String) -> Result<(), Problem> {
        if self.is_json {
            print(&harmless(&told.text))
        } else {
            print(&table())
        }
    }
}

/// Somebody's name in its place: a variable of a shell that is not set names nobody.
fn somebody(help: &'static str) -> Arg {
    Arg::new("user")
        .value_name("USER")
        .value_parser(NonEmptyStringValueParser::new())
        .help(help)
}

/// An argument that is a span of time.
fn span(name: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("DURATION")
        .value_parser(|text: &str| humantime::parse_duration(text))
}

/// A name as it stands in a path or a query.
fn encoded(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text += &format!("%{byte:02X}");
        }
    }
    text
}

/// Something that is worth to be said, and is no part of the answer.
fn note(text: &str) {
    // Who closed stderr does not want to know.
    let _ = writeln!(io::stderr(), "pulsegate: {text}");
}

fn print(text: &str) -> Result<(), Problem> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    written
        .and_then(|()| stdout.flush())
        .map_err(Problem::Output)
}
