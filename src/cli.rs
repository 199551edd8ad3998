//! The command line: flags and variables become overrides of the configuration, a command becomes
//! an exit code. This alone turns errors into text.
//!
//! Exit codes: 0 done, 1 it could not run, 2 the command line or the configuration is wrong, 3 a
//! step of a script failed, 4 nobody got the message of a push.

mod surroundings;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::builder::styling::Styles;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use log::warn;

use self::surroundings::surroundings;
use crate::commands::{self, Problem};
use crate::config::keys::{Key, SECTIONS, Takes};
use crate::config::listener::{GROUPS, IDENTITY, LISTENER};
use crate::config::value::nearest;
use crate::config::{Complaint, Config, Origin, Override, Spot};
use crate::daemon::{self, DaemonError, Source, Surroundings, foresee, judge_lists, load_tokens};
use crate::daemon::{read, token_warnings};
use crate::tokens::Tokens;

const FAILED: u8 = 1;
const WRONG: u8 = 2;
const UNMET: u8 = 3;
const NOBODY: u8 = 4;

const AFTER_HELP: &str = "\
Durations are written \"500ms\", \"60s\", \"1m30s\", sizes \"64KiB\" or in bytes.
What a flag sets for listeners holds for all of them, whatever the file says.

Without a configuration there is one listener, line and gate, on 127.0.0.1:7373.
Each flag has a variable: PULSEGATE_IDLE_TIMEOUT for --idle-timeout. An empty one counts as unset.
Flags win over variables, which win over the file, which wins over the defaults.

Exit codes: 0 done, 1 it could not run, 2 the command line or the configuration is wrong.";

/// Why a command did not do what it was asked.
enum Failure {
    /// The command line is wrong, in clap's words; or it asks for help.
    Usage(clap::Error),
    /// The configuration is wrong; each complaint with its place.
    Config(Vec<Complaint>),
    /// A file can not be read; which one and why.
    File(String),
    /// Files that the configuration names are wrong: which, where and why.
    Files(Vec<String>),
    /// It could not run.
    Run(String),
    /// A script's step did not come to what it says.
    Unmet(String),
    /// A message was sent that nobody got.
    Nobody,
    /// Our output is not taken.
    Output(io::Error),
}

/// Runs the program with the arguments and variables of the process. The daemon calls `give_back`
/// after work: it makes the program's allocator give back to the system what is free.
#[must_use]
pub fn main(give_back: fn()) -> ExitCode {
    match run(give_back) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

fn run(give_back: fn()) -> Result<(), Failure> {
    let matches = command().try_get_matches().map_err(Failure::Usage)?;
    match matches.subcommand() {
        Some(("check", check_matches)) => check(&matches, check_matches),
        Some(("config", config_matches)) => {
            let (config, _) = load(&[&matches, config_matches])?;
            print(&config.show())
        }
        Some(("serve", serve_matches)) => serve(&[&matches, serve_matches], give_back),
        Some((name, of_command)) => {
            leave_settings_out(&matches, name, "speaks to a daemon that runs")?;
            let done = commands::run(name, of_command, token());
            done.map_or(Ok(()), |done| done.map_err(Failure::from))
        }
        None => serve(&[&matches], give_back),
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Usage(text) => {
                let kind = clap::error::ErrorKind::InvalidValue;
                Self::Usage(clap::Error::raw(kind, text))
            }
            Problem::Run(text) | Problem::Missing(text) => Self::Run(text),
            Problem::Unmet(text) => Self::Unmet(text),
            Problem::Nobody => Self::Nobody,
            Problem::Output(error) => Self::Output(error),
        }
    }
}

impl Failure {
    fn tell(self) -> ExitCode {
        let (code, text) = match self {
            Self::Usage(error) if !error.use_stderr() => {
                return print(&error.render().to_string())
                    .map_or_else(Self::tell, |()| ExitCode::SUCCESS);
            }
            Self::Usage(error) => {
                let text = error.render().to_string();
                let text = text.strip_prefix("error: ").unwrap_or(&text);
                (WRONG, text.trim_end().to_owned())
            }
            Self::Config(complaints) => {
                let texts: Vec<String> = complaints.iter().map(ToString::to_string).collect();
                (WRONG, texts.join("\npulsegate: "))
            }
            Self::File(text) => (WRONG, text),
            Self::Files(wrong) => (WRONG, wrong.join("\npulsegate: ")),
            Self::Run(text) => (FAILED, text),
            Self::Unmet(text) => (UNMET, text),
            Self::Nobody => (NOBODY, String::from("nobody got it")),
            // A reader that has seen enough is no failure.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return ExitCode::SUCCESS;
            }
            Self::Output(error) => (FAILED, format!("output: {error}")),
        };
        // Who closed stderr has only the exit code.
        let _ = writeln!(io::stderr(), "pulsegate: {text}");
        ExitCode::from(code)
    }
}

/// The command line, for whoever makes pages and completions of it.
#[must_use]
pub fn command() -> Command {
    let serve = Command::new("serve").about("Run the daemon (also without a command)");
    let config = Command::new("config").about("Print what is in force, as a configuration file");
    let check = Command::new("check")
        .about("Judge a configuration file and the files it names; binds nothing")
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .help("the file to judge"),
        )
        .arg(
            Arg::new("against")
                .long("against")
                .value_name("URL")
                .help("ask the daemon whose admin interface is there what it would change"),
        )
        .args(commands::access().map(|arg| match arg.get_id().as_str() {
            // The variable of the other one is the daemon's own as well, and may be set.
            "json" => arg.requires("against"),
            _ => arg,
        }));
    with_settings(Command::new("pulsegate"))
        .version(env!("CARGO_PKG_VERSION"))
        .about("Holds very many long-lived TCP connections on one thread")
        .styles(Styles::plain())
        .disable_help_subcommand(true)
        .subcommand(with_settings(serve))
        .subcommand(check)
        .subcommand(with_settings(config))
        .subcommands(commands::all())
}

/// Adds a flag, with its variable, for every setting.
fn with_settings(mut command: Command) -> Command {
    command = command
        .after_help(AFTER_HELP)
        .arg(
            Arg::new("config")
                .long("config")
                .short('c')
                .value_name("FILE")
                .env("PULSEGATE_CONFIG")
                .hide_env(true)
                .help("the configuration file"),
        )
        .arg(
            Arg::new("verbose")
                .short('v')
                .long("verbose")
                .action(ArgAction::Count)
                .help("log more: -v debug, -vv trace"),
        )
        .arg(
            Arg::new("quiet")
                .short('q')
                .long("quiet")
                .action(ArgAction::Count)
                .conflicts_with("verbose")
                .help("log less: -q warnings, -qq errors"),
        );
    let defaults = Config::default();
    for section in SECTIONS {
        for key in section.keys {
            command = command.arg(flag(key, section.title, &defaults));
        }
    }
    let mut title = "";
    for key in IDENTITY.iter().chain(LISTENER) {
        let group = GROUPS.iter().find(|(_, first)| *first == key.name);
        title = group.map_or(title, |(title, _)| title);
        command = command.arg(flag(key, title, &defaults.listeners[0]));
    }
    command
}

fn flag<T>(key: &Key<T>, heading: &'static str, defaults: &T) -> Arg {
    let name = key.flag();
    let default = match &(key.show)(defaults)[..] {
        "[]" => String::from("none"),
        shown => shown.replace(['"', '[', ']'], ""),
    };
    let help = if default.is_empty() {
        key.help.to_owned()
    } else {
        format!("{} [default: {default}]", key.help)
    };
    Arg::new(name.clone())
        .long(name)
        .env(key.variable())
        .hide_env(true)
        .value_name(key.takes.placeholder())
        .action(match key.takes {
            Takes::List => ArgAction::Append,
            _ => ArgAction::Set,
        })
        .allow_hyphen_values(true)
        .hide_short_help(!COMMON.contains(&key.name))
        .help_heading(heading)
        .help(help)
}

/// What `-h` tells of: enough to try it. The rest is told by `--help`.
const COMMON: &[&str] = &[
    "level",
    "connections",
    "bind",
    "framing",
    "dialect",
    "login",
    "idle_timeout",
    "lifetime",
];

/// Each setting's flag and variable.
fn settings() -> impl Iterator<Item = (String, String)> {
    let global = SECTIONS.iter().flat_map(|section| section.keys);
    let global = global.map(|key| (key.flag(), key.variable()));
    let listener = IDENTITY.iter().chain(LISTENER);
    global.chain(listener.map(|key| (key.flag(), key.variable())))
}

/// The settings that variables and flags override, in this order: the last one wins. Flags may
/// stand before the command and behind it.
fn overrides(levels: &[&ArgMatches]) -> Vec<Override> {
    let mut overrides: Vec<Override> = Vec::new();
    for (flag, variable) in settings() {
        let said = |source| {
            let by = |matches: &&&ArgMatches| matches.value_source(&flag) == Some(source);
            let matches = levels.iter().rfind(by)?;
            let values: Vec<&str> = matches
                .get_many::<String>(&flag)?
                .map(|value| &value[..])
                .collect();
            Some(values.join(","))
        };
        let by_variable = || said(ValueSource::EnvVariable).filter(|value| !value.is_empty());
        let (value, origin) = match said(ValueSource::CommandLine) {
            Some(value) => (value, Origin::Flag(flag.clone())),
            None => match by_variable() {
                Some(value) => (value, Origin::Variable(variable)),
                None => continue,
            },
        };
        overrides.push(Override {
            flag,
            value,
            origin,
        });
    }
    let by_flag =
        |item: &Override| matches!(&item.origin, Origin::Flag(flag) if flag == "admin-token-file");
    if let Some(value) = token()
        && !overrides.iter().any(by_flag)
    {
        overrides.push(Override {
            flag: Override::TOKEN.to_owned(),
            value,
            origin: Origin::Variable(String::from("PULSEGATE_ADMIN_TOKEN")),
        });
    }
    overrides.extend(levels.iter().filter_map(|matches| loudness(matches)));
    overrides
}

/// What `-v` and `-q` say of the log level.
fn loudness(matches: &ArgMatches) -> Option<Override> {
    let (flag, level) = match (matches.get_count("verbose"), matches.get_count("quiet")) {
        (0, 0) => return None,
        (1, _) => ("verbose", "debug"),
        (2.., _) => ("verbose", "trace"),
        (0, 1) => ("quiet", "warn"),
        (0, 2..) => ("quiet", "error"),
    };
    let origin = Origin::Flag(flag.to_owned());
    Some(Override {
        flag: "log-level".to_owned(),
        value: level.to_owned(),
        origin,
    })
}

fn load(levels: &[&ArgMatches]) -> Result<(Config, Source), Failure> {
    let named = |source| {
        let by = |matches: &&&ArgMatches| matches.value_source("config") == Some(source);
        levels.iter().rfind(by)?.get_one::<String>("config")
    };
    let flag = named(ValueSource::CommandLine);
    let namer = if flag.is_some() {
        ""
    } else {
        "variable PULSEGATE_CONFIG: "
    };
    let path = flag.or_else(|| named(ValueSource::EnvVariable));
    let path = path.filter(|path| !path.is_empty()).map(Path::new);
    let text = path.map(read).transpose();
    let text = text.map_err(|wrong| Failure::File(format!("{namer}{wrong}")))?;
    let overrides = overrides(levels);
    let file = path.zip(text.as_deref());
    let config = Config::build(file, &overrides).map_err(Failure::Config)?;
    let path = path.map(Path::to_owned);
    let source = Source {
        path,
        overrides,
        fence: None,
    };
    Ok((config, source))
}

fn serve(levels: &[&ArgMatches], give_back: fn()) -> Result<(), Failure> {
    let (config, source) = load(levels)?;
    crate::log::start(config.log);
    for (variable, meant) in strays() {
        warn!("variable {variable} means nothing; did you mean {meant}?");
    }
    let surroundings = Surroundings {
        give_back: Some(give_back),
        ..surroundings()
    };
    daemon::run(config, source, surroundings).map_err(|error| match error {
        // Another start does not mend what a file says.
        DaemonError::Lists(wrong) | DaemonError::Tokens(wrong) => Failure::Files(wrong),
        DaemonError::Token { .. } => Failure::File(error.to_string()),
        _ => Failure::Run(error.to_string()),
    })
}

/// Variables that look like misspelt ones of ours, with what they may have meant. Others that begin
/// alike are left alone: some systems set variables for every service by its name.
fn strays() -> Vec<(String, String)> {
    const PREFIX: &str = "PULSEGATE_";
    let known: Vec<String> = settings().map(|(_, variable)| variable).collect();
    let names = known.iter().filter_map(|name| name.strip_prefix(PREFIX));
    let names: Vec<&str> = names.chain(["CONFIG", "ADMIN", "ADMIN_TOKEN"]).collect();
    let set = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let stray = |variable: String| {
        let name = variable
            .strip_prefix(PREFIX)
            .filter(|name| !names.contains(name))?;
        let meant = format!("{PREFIX}{}", nearest(name, names.iter().copied())?);
        Some((variable, meant))
    };
    set.filter_map(stray).collect()
}

/// The token of an admin interface, where the environment holds it.
fn token() -> Option<String> {
    let token = std::env::var("PULSEGATE_ADMIN_TOKEN").ok();
    token.filter(|token| !token.is_empty())
}

/// Demands that no setting is given to a command that has no use for it.
fn leave_settings_out(matches: &ArgMatches, command: &str, why: &str) -> Result<(), Failure> {
    let by_flag = |flag: &str| matches.value_source(flag) == Some(ValueSource::CommandLine);
    let ours = ["config", "verbose", "quiet"].map(str::to_owned);
    let mut flags = ours.into_iter().chain(settings().map(|(flag, _)| flag));
    let Some(flag) = flags.find(|flag| by_flag(flag)) else {
        return Ok(());
    };
    let text = format!("{command} {why}: leave --{flag} out\n");
    let kind = clap::error::ErrorKind::ArgumentConflict;
    Err(Failure::Usage(clap::Error::raw(kind, text)))
}

fn check(matches: &ArgMatches, check_matches: &ArgMatches) -> Result<(), Failure> {
    leave_settings_out(matches, "check", "judges a file by itself")?;
    let file = check_matches.get_one::<String>("file");
    let path = Path::new(file.map_or("", String::as_str));
    let text = read(path).map_err(Failure::File)?;
    let config = Config::parse(path, &text).map_err(Failure::Config)?;
    if check_matches.contains_id("against") {
        return commands::check_against(check_matches, token(), &text).map_err(Failure::from);
    }
    // What serve would say of the token, and of the lists that it would read itself.
    let token = daemon::admin_token(&config.admin);
    let (_, of_token) = token.map_err(|error| Failure::File(at_token(path, &config, &error)))?;
    let imprint = judge_lists(&config.lists).map_err(Failure::Files)?;
    let tokens = load_tokens(&config.logins).map_err(Failure::Files)?;
    let of_keys = token_warnings(&config.logins, tokens.as_deref());
    let of_account = foresee(&config, path);
    let warnings = config.warnings();
    let more = of_token.iter().chain(&of_keys).chain(&of_account);
    for warning in warnings.iter().chain(more) {
        let _ = writeln!(io::stderr(), "pulsegate: warning: {warning}");
    }
    let good = summary(&config, imprint.entries, tokens.as_deref());
    print(&format!("{}: good; {good}\n", path.display()))
}

fn at_token(path: &Path, config: &Config, error: &DaemonError) -> String {
    let path = path.display();
    match config.origin(Spot::Global("admin", "token_file")) {
        Some(Origin::File(line)) => format!("{path}:{line}: {error}"),
        _ => format!("{path}: {error}"),
    }
}

/// Where it would listen, how long its lists are and what it checks logins by, in a line.
fn summary(config: &Config, entries: usize, tokens: Option<&Tokens>) -> String {
    let places = config.listeners.iter().map(|listener| {
        let binds: Vec<String> = listener.bind.iter().map(ToString::to_string).collect();
        format!("{} on {}", listener.name, binds.join(" and "))
    });
    let places: Vec<String> = places.collect();
    let count = match places.len() {
        1 => String::from("1 listener"),
        count => format!("{count} listeners"),
    };
    let listed = match entries {
        0 => String::new(),
        1 => String::from("; 1 entry in lists"),
        entries => format!("; {entries} entries in lists"),
    };
    let checked = tokens.map_or_else(String::new, |tokens| format!("; login checks {tokens}"));
    format!("{count}: {}{listed}{checked}", places.join(", "))
}

fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(Failure::Output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }
}
