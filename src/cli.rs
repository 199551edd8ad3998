//! The command line: flags and variables become overrides of the configuration, a command becomes
//! an exit code. This alone turns errors into text.
//!
//! Exit codes: 0 done, 1 it could not run, 2 the command line or the configuration is wrong.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::styling::Styles;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::keys::{IDENTITY, Key, LISTENER, SECTIONS};
use crate::config::{Complaint, Config, Origin, Override};
use crate::daemon;
use crate::log;

const FAILED: u8 = 1;
const WRONG: u8 = 2;

const AFTER_HELP: &str = "\
Without a configuration there is one listener, line and gate, on 127.0.0.1:7373.
Flags win over PULSEGATE_* variables, which win over the file, which wins over the defaults.

Exit codes: 0 done, 1 it could not run, 2 the command line or the configuration is wrong.";

/// Why a command did not do what it was asked.
enum Failure {
    /// The configuration is wrong; each complaint with its place.
    Config(Vec<Complaint>),
    /// A file can not be read.
    File(PathBuf, io::Error),
    /// It could not run.
    Run(String),
    /// Whoever reads our output has gone.
    Output(io::Error),
}

/// Runs the program with the arguments and variables of the process.
#[must_use]
pub fn main() -> ExitCode {
    let matches = command().get_matches();
    let result = match matches.subcommand() {
        Some(("check", matches)) => check(matches),
        Some(("config", matches)) => config(matches),
        Some((_, matches)) => serve(matches),
        None => serve(&matches),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

impl Failure {
    fn tell(self) -> ExitCode {
        let mut stderr = io::stderr().lock();
        let code = match self {
            Self::Config(complaints) => {
                for complaint in complaints {
                    let _ = writeln!(stderr, "pulsegate: {complaint}");
                }
                WRONG
            }
            Self::File(path, error) => {
                let _ = writeln!(stderr, "pulsegate: {}: {error}", path.display());
                WRONG
            }
            Self::Run(text) => {
                let _ = writeln!(stderr, "pulsegate: {text}");
                FAILED
            }
            // A reader that has seen enough is no failure.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Output(error) => {
                let _ = writeln!(stderr, "pulsegate: output: {error}");
                FAILED
            }
        };
        ExitCode::from(code)
    }
}

fn command() -> Command {
    let serve = Command::new("serve").about("Run the daemon (also without a command)");
    let config = Command::new("config").about("Print what is in force, as a configuration file");
    let check = Command::new("check")
        .about("Judge a configuration file; binds nothing")
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .help("the file to judge"),
        );
    with_settings(Command::new("pulsegate"))
        .version(env!("CARGO_PKG_VERSION"))
        .about("Holds very many long-lived TCP connections on one thread")
        .after_help(AFTER_HELP)
        .styles(Styles::plain())
        .args_conflicts_with_subcommands(true)
        .disable_help_subcommand(true)
        .subcommand(with_settings(serve).after_help(AFTER_HELP))
        .subcommand(check)
        .subcommand(with_settings(config))
}

/// Adds a flag, with its variable, for every setting.
fn with_settings(mut command: Command) -> Command {
    command = command
        .arg(
            Arg::new("config")
                .long("config")
                .short('c')
                .value_name("FILE")
                .env("PULSEGATE_CONFIG")
                .hide_env_values(true)
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
            command = command.arg(flag(key, section.name, &defaults));
        }
    }
    for key in IDENTITY.iter().chain(LISTENER) {
        command = command.arg(flag(key, "listeners", &defaults.listeners[0]));
    }
    command
}

fn flag<T>(key: &Key<T>, heading: &'static str, defaults: &T) -> Arg {
    let name = key.flag();
    let default = (key.show)(defaults);
    let default = default.trim_matches('"');
    let help = if default.is_empty() {
        key.help.to_owned()
    } else {
        format!("{} [default: {default}]", key.help)
    };
    Arg::new(name.clone())
        .long(name)
        .env(key.variable())
        .hide_env_values(true)
        .value_name("VALUE")
        .allow_hyphen_values(true)
        .help_heading(heading)
        .help(help)
}

/// The settings that flags and variables override.
fn overrides(matches: &ArgMatches) -> Vec<Override> {
    let global = SECTIONS.iter().flat_map(|section| section.keys);
    let global = global.map(|key| (key.flag(), key.variable()));
    let listener = IDENTITY
        .iter()
        .chain(LISTENER)
        .map(|key| (key.flag(), key.variable()));
    let mut overrides = Vec::new();
    for (flag, variable) in global.chain(listener) {
        let Some(value) = matches.get_one::<String>(&flag) else {
            continue;
        };
        let origin = match matches.value_source(&flag) {
            Some(ValueSource::EnvVariable) => Origin::Variable(variable),
            _ => Origin::Flag(flag.clone()),
        };
        overrides.push(Override {
            flag,
            value: value.clone(),
            origin,
        });
    }
    overrides.extend(loudness(matches));
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

fn load(matches: &ArgMatches) -> Result<Config, Failure> {
    let path = matches.get_one::<String>("config").map(PathBuf::from);
    let text = path.as_deref().map(read).transpose()?;
    let file = path.as_deref().zip(text.as_deref());
    Config::build(file, &overrides(matches)).map_err(Failure::Config)
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::File(path.to_owned(), error))
}

fn serve(matches: &ArgMatches) -> Result<(), Failure> {
    let config = load(matches)?;
    log::start(config.log);
    daemon::run(config).map_err(|error| Failure::Run(error.to_string()))
}

fn check(matches: &ArgMatches) -> Result<(), Failure> {
    let path = PathBuf::from(matches.get_one::<String>("file").map_or("", String::as_str));
    let config = Config::parse(&path, &read(&path)?).map_err(Failure::Config)?;
    for warning in config.warnings() {
        let _ = writeln!(io::stderr(), "pulsegate: warning: {warning}");
    }
    let binds = config
        .listeners
        .iter()
        .flat_map(|listener| &listener.bind)
        .count();
    let listeners = config.listeners.len();
    print(&format!(
        "{}: good; listeners={listeners} addresses={binds}\n",
        path.display()
    ))
}

fn config(matches: &ArgMatches) -> Result<(), Failure> {
    print(&load(matches)?.show())
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
