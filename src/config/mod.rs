//! The configuration: what a file, variables and flags say, over the defaults.
//!
//! Every complaint names its place and says what would be right; all are told at once. Nothing is
//! bound, read or started here.

mod diff;
mod file;
mod framing;
pub(crate) mod judge;
pub(crate) mod keys;
mod kinds;
pub(crate) mod listener;
mod show;
#[cfg(test)]
mod tests;
pub(crate) mod value;

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::keys::SECTIONS;
use self::listener::{IDENTITY, LISTENER};
use self::value::Value;
use crate::limits::Limits;
use crate::secret::Secret;
use crate::settings::{Settings, UserPolicy};

pub(crate) use self::framing::read as read_framing;

pub use self::diff::Change;

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// What is logged and how.
    pub log: Log,
    /// Connections at most; `None`: what the descriptor limit allows.
    pub connections: Option<u32>,
    /// Bounds; `connections` in it is set when the descriptor limit is known.
    pub limits: Limits,
    /// The latency budget of resting between turns.
    pub coalesce: Option<Duration>,
    /// What a second login does.
    pub users: UserPolicy,
    /// What login tokens are judged by.
    pub logins: Logins,
    /// Files that say who is let in.
    pub lists: ListFiles,
    /// The admin interface.
    pub admin: Admin,
    /// The shutdown.
    pub drain: Drain,
    /// Whom the process runs as, and what it gives up.
    pub process: Process,
    /// The listeners, at least one.
    pub listeners: Vec<Settings>,
    origins: HashMap<Spot, Origin>,
}

/// What is logged and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Log {
    /// The least important level that is logged.
    pub level: log::LevelFilter,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// What login tokens are judged by.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Logins {
    /// Users and the hashes of their tokens, a line each.
    pub users_file: Option<PathBuf>,
    /// The keys of signed tokens.
    pub keys_file: Option<PathBuf>,
    /// Who must have signed them; empty: whoever has such a key.
    pub issuer: String,
    /// For whom they must be; empty: they name nobody.
    pub audience: String,
}

/// Files of networks and users, a line each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListFiles {
    /// Who is kept out.
    pub black: Vec<PathBuf>,
    /// Who is let in whatever a wider entry says.
    pub white: Vec<PathBuf>,
}

/// The admin interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admin {
    /// Where it listens.
    pub bind: AdminBind,
    /// The file that holds its token.
    pub token_file: Option<PathBuf>,
    /// The token itself, which a variable holds.
    pub token: Option<Secret<String>>,
    /// Further names under which it is reached.
    pub hosts: Vec<String>,
}

impl Admin {
    /// Bytes of a token at most: it must fit into the head of a request.
    const TOKEN_MAX: usize = 1_024;

    /// A token: one line of visible characters.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn token_of(text: &str) -> Result<Secret<String>, String> {
        let token = text.trim_end_matches(['\n', '\r']);
        let is_plain = token.bytes().all(|byte| byte.is_ascii_graphic());
        if token.is_empty() || token.len() > Self::TOKEN_MAX || !is_plain {
            let most = Self::TOKEN_MAX;
            return Err(format!(
                "a token is one line of 1 to {most} visible characters of ASCII"
            ));
        }
        Ok(Secret::new(token.to_owned()))
    }
}

/// Where the admin interface listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AdminBind {
    /// Nowhere.
    Off,
    /// On an address.
    Tcp(SocketAddr),
    /// On a Unix socket.
    Unix(PathBuf),
}

/// The shutdown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Drain {
    /// The goodbyes are spread over so long.
    pub over: Duration,
    /// Whoever is left by then is cut.
    pub timeout: Duration,
}

/// What the process is, once everything is bound.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Process {
    /// Whom it runs as from then on, by name or number; `None`: as whom it was started.
    pub user: Option<String>,
    /// The group; `None`: that of the user.
    pub group: Option<String>,
    /// What happens to what it has no use for.
    pub hardening: Hardening,
    /// A turn of the loop that takes so long is told of while it does.
    pub hang_warn: Option<Duration>,
    /// A turn that takes so long is the end of the process, by an abort.
    pub hang_abort: Option<Duration>,
}

/// What happens to a system call or a file that the daemon has no use for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Hardening {
    /// It is refused.
    #[default]
    On,
    /// A call is let through, and told in the log of the kernel's audit; files are not looked at.
    Log,
    /// It is let through.
    Off,
}

/// A setting as it is documented.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// The table of the file that it belongs to; `listener` for what `[defaults]` may hold too.
    pub table: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// Its key.
    pub name: &'static str,
    /// What kind of value it takes, in capitals.
    pub takes: &'static str,
    /// What it means, in one line.
    pub help: &'static str,
    /// What holds where nobody sets it, as one would write it.
    pub default: String,
    /// The flag that sets it, with its dashes.
    pub flag: String,
    /// The variable that sets it.
    pub variable: String,
    /// Whether a change waits for a restart; what is left holds from a reload on.
    pub needs_restart: bool,
}

/// Where a value came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// A line of the file, from 1.
    File(usize),
    /// A variable of the environment.
    Variable(String),
    /// A flag of the command line.
    Flag(String),
    /// It was given, and was not right: its default stands in for it, and judges nothing.
    Wrong,
}

/// What a value is of: a setting of everything, or of one listener.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Spot {
    /// A section and a key.
    Global(&'static str, &'static str),
    /// A listener's number and a key.
    Listener(usize, &'static str),
}

/// Something wrong with the configuration: where, what, and what would be right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Complaint {
    pub(crate) line: usize,
    text: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A setting from the command line or the environment.
#[derive(Clone)]
pub(crate) struct Override {
    /// The flag's name without dashes.
    pub(crate) flag: String,
    pub(crate) value: String,
    pub(crate) origin: Origin,
}

impl Override {
    /// Stands for the token itself: no flag has it, which everybody on the machine could read.
    pub(crate) const TOKEN: &str = "admin-token";
}

/// Shows the token of nobody.
impl fmt::Debug for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_secret = self.flag == Self::TOKEN;
        f.debug_struct("Override")
            .field("flag", &self.flag)
            .field("value", if is_secret { &"Secret" } else { &self.value })
            .field("origin", &self.origin)
            .finish()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            log: Log {
                level: log::LevelFilter::Info,
                format: LogFormat::Text,
            },
            connections: None,
            limits: Limits::default(),
            coalesce: None,
            users: UserPolicy::Replace,
            logins: Logins::default(),
            lists: ListFiles::default(),
            admin: Admin {
                bind: AdminBind::Tcp(SocketAddr::from(([127, 0, 0, 1], 7374))),
                token_file: None,
                token: None,
                hosts: Vec::new(),
            },
            drain: Drain {
                over: Duration::ZERO,
                timeout: Duration::from_secs(10),
            },
            process: Process::default(),
            listeners: vec![Settings::default()],
            origins: HashMap::new(),
        }
    }
}

impl fmt::Display for AdminBind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Tcp(addr) => addr.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Config {
    /// The files that it names and every reload reads again.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        let logins = &self.logins;
        let of_logins = logins.users_file.iter().chain(&logins.keys_file);
        let of_lists = self.lists.black.iter().chain(&self.lists.white);
        of_lists.chain(of_logins).map(PathBuf::as_path)
    }

    /// Reads a file's text. Complaints name `path`, and relative paths in the text begin at its
    /// folder; it is not looked at.
    ///
    /// # Errors
    /// Everything that is wrong with it, by line.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Vec<Complaint>> {
        Self::build(Some((path, text)), &[])
    }

    /// The file, where there is one, with the overrides over it, judged as a whole.
    pub(crate) fn build(
        file: Option<(&Path, &str)>,
        overrides: &[Override],
    ) -> Result<Self, Vec<Complaint>> {
        let mut config = Self::default();
        let mut complaints = Vec::new();
        if let Some((path, text)) = file {
            complaints = file::read(&mut config, path, text)?;
        }
        for item in overrides {
            if let Err(text) = config.put_override(item) {
                complaints.push(Complaint { line: 0, text });
            }
        }
        complaints.extend(judge::judge(&config, file.map(|(path, _)| path)));
        complaints.sort_by(|one, other| (one.line, &one.text).cmp(&(other.line, &other.text)));
        // What is wrong in [defaults] is wrong once for each listener.
        complaints.dedup();
        if complaints.is_empty() {
            Ok(config)
        } else {
            Err(complaints)
        }
    }

    fn put_override(&mut self, item: &Override) -> Result<(), String> {
        let at = |wrong: String| match &item.origin {
            Origin::Variable(name) => format!("variable {name}: {wrong}"),
            _ => format!("--{}: {wrong}", item.flag),
        };
        if item.flag == Override::TOKEN {
            self.admin.token = Some(Admin::token_of(&item.value).map_err(at)?);
            return Ok(());
        }
        for section in SECTIONS {
            if let Some(key) = section.keys.iter().find(|key| key.flag() == item.flag) {
                let value = Value::of_text(&item.value, key.takes);
                let spot = Spot::Global(section.name, key.name);
                self.note(spot, Origin::Wrong);
                (key.set)(self, &value).map_err(at)?;
                self.note(spot, item.origin.clone());
                return Ok(());
            }
        }
        let mut keys = IDENTITY.iter().chain(LISTENER);
        let Some(key) = keys.find(|key| key.flag() == item.flag) else {
            return Ok(());
        };
        if self.listeners.len() > 1 && IDENTITY.iter().any(|one| one.name == key.name) {
            return Err(at(format!(
                "the file has {} listeners; set their {}s there",
                self.listeners.len(),
                key.name
            )));
        }
        let value = Value::of_text(&item.value, key.takes);
        for number in 0..self.listeners.len() {
            let spot = Spot::Listener(number, key.name);
            self.note(spot, Origin::Wrong);
            (key.set)(&mut self.listeners[number], &value).map_err(at)?;
            self.note(spot, item.origin.clone());
        }
        Ok(())
    }

    pub(crate) fn note(&mut self, spot: Spot, origin: Origin) {
        self.origins.insert(spot, origin);
    }

    pub(crate) fn origin(&self, spot: Spot) -> Option<&Origin> {
        self.origins.get(&spot)
    }

    /// What differs in `new`: which key, its old and its new value, and whether it holds at once.
    ///
    /// Pure: looks at no file and at no connection. Listeners are compared by their names.
    #[must_use]
    pub fn diff(old: &Self, new: &Self) -> Vec<Change> {
        diff::diff(old, new)
    }

    /// This configuration with everything of `new` that holds at once, and nothing that needs a
    /// restart: what is in force after a reload.
    #[must_use]
    pub fn merge(&self, new: &Self) -> Self {
        diff::merge(self, new)
    }

    /// Takes over where a value came from.
    pub(crate) fn carry(&mut self, to: Spot, other: &Self, from: Spot) {
        match other.origin(from) {
            Some(origin) => self.note(to, origin.clone()),
            None => {
                self.origins.remove(&to);
            }
        }
    }

    /// Every setting there is, in the order of a file.
    #[must_use]
    pub fn settings() -> Vec<Setting> {
        show::settings()
    }

    /// The warnings an operator should read before strangers connect.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        judge::warnings(self)
    }

    /// What is in force, as a file that can be read again.
    #[must_use]
    pub fn show(&self) -> String {
        show::show(self)
    }
}
