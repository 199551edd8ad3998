//! Reload: the file is read and judged by a thread of its own, the loop takes over what holds at
//! once. All or nothing: where anything is wrong, nothing has changed.
//!
//! Requests that came before the reading began share one reading, so a storm of signals costs no
//! more than a few.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use log::{error, info, warn};

use super::door::Door;
use super::hardening::Fence;
use super::{lists, tokens};
use crate::config::{Change, Config, Override};
use crate::gate::{Configure, Gate, Ticket};
use crate::lists::{Imprint, Lists};
use crate::remote::Remote;
use crate::server::Options;
use crate::tokens::Tokens;

/// Bytes of a file at most: a device may never end.
const READ_MAX: u64 = 1 << 30;
/// Requests that may wait for the reader.
const WAITING: usize = 16;
/// Bytes of the items in a line of the log, which is cut at [`LINE_MAX`](crate::log::LINE_MAX).
const ITEMS_MAX: usize = 800;

/// Where the configuration comes from, to be read again.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The file, where there is one.
    pub(crate) path: Option<PathBuf>,
    /// What flags and variables said at start: they still win.
    pub(crate) overrides: Vec<Override>,
    /// What can be read since the start, where there is a fence.
    pub(crate) fence: Option<Fence>,
}

impl Source {
    /// The configuration as it stands now.
    ///
    /// # Errors
    /// Everything that is wrong with it, and where.
    pub(crate) fn read(&self) -> Result<Config, Vec<String>> {
        match &self.path {
            None => self.judge(None),
            Some(path) => {
                let text = read(path).map_err(|wrong| vec![wrong])?;
                self.judge(Some((path, &text)))
            }
        }
    }

    fn judge(&self, file: Option<(&Path, &str)>) -> Result<Config, Vec<String>> {
        Config::build(file, &self.overrides)
            .map_err(|complaints| complaints.iter().map(ToString::to_string).collect())
    }

    /// Complaints about lists that can not be reached since the start.
    fn reach(&self, config: &Config) -> Result<(), Vec<String>> {
        let Some(fence) = &self.fence else {
            return Ok(());
        };
        let outside = config
            .files()
            .filter(|file| !fence.covers(file))
            .map(|file| {
                let held: Vec<String> =
                    fence.reads().map(|one| one.display().to_string()).collect();
                let held = match &held[..] {
                    [] => String::from("no folder"),
                    _ => held.join(", "),
                };
                let file = file.display();
                format!("{file}: since its start the daemon reads below {held} alone: restart it")
            });
        let outside: Vec<String> = outside.collect();
        match outside.is_empty() {
            true => Ok(()),
            false => Err(outside),
        }
    }

    /// Complains about pipes, the file itself included: they would keep the thread that reads, and
    /// every reload after this one, until somebody writes.
    fn flow<'a>(&'a self, files: impl Iterator<Item = &'a Path>) -> Result<(), Vec<String>> {
        let pipes = self.path.as_deref().into_iter().chain(files);
        let pipes = pipes.filter(|file| is_pipe(file));
        let pipes =
            pipes.map(|file| format!("{}: a pipe is no file to read again", file.display()));
        let pipes: Vec<String> = pipes.collect();
        match pipes.is_empty() {
            true => Ok(()),
            false => Err(pipes),
        }
    }

    fn name(&self) -> String {
        let path = self.path.as_ref();
        path.map_or_else(
            || String::from("no file"),
            |path| path.display().to_string(),
        )
    }
}

/// Whether a file is a pipe: to open one waits for somebody who writes.
pub(super) fn is_pipe(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|found| found.file_type().is_fifo())
}

/// The text of a file, or which file can not be read and why.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let place = path.display();
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(READ_MAX + 1).read_to_end(&mut bytes));
    let read = read.map_err(|error| format!("{place}: {error}"))?;
    if read as u64 > READ_MAX {
        return Err(format!("{place}: longer than {} MiB", READ_MAX >> 20));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = memchr::memchr_iter(b'\n', good).count() + 1;
        format!("{place}:{line}: not UTF-8")
    })?;
    // Some editors put a byte-order mark before it.
    let marked = text.strip_prefix('\u{feff}').map(str::to_owned);
    Ok(marked.unwrap_or(text))
}

/// The loop's end: what is in force, and what is to be read.
#[derive(Debug)]
pub(crate) struct Desk {
    /// What is in force.
    config: Config,
    source: Source,
    /// The way back for the thread that reads.
    remote: Option<Remote<Door>>,
    waiting: Vec<Job>,
    /// The thread that reads, as long as there is something to read: without a second thread
    /// every system call of the loop is cheaper.
    reader: Option<JoinHandle<()>>,
}

/// A request.
type Job = (Ticket, Configure);

/// What a reload has read.
struct Loaded {
    config: Config,
    lists: Option<Box<Lists>>,
    tokens: Option<Box<Tokens>>,
    /// What an operator should know of the files.
    warnings: Vec<String>,
}

/// A text that was judged: whose request it was, and what it came to.
type Judged = (Ticket, Result<(Config, Held), Vec<String>>);

/// What the files hold that a configuration names.
#[derive(Clone, Copy)]
struct Held {
    lists: Imprint,
    logins: tokens::Imprint,
}

impl Desk {
    /// A desk for what is in force at start.
    pub(crate) fn new(config: Config, source: Source) -> Self {
        Self {
            config,
            source,
            remote: None,
            waiting: Vec::new(),
            reader: None,
        }
    }

    /// Tells it the way into the loop; before, nothing is read.
    pub(crate) fn connect(&mut self, remote: Remote<Door>) {
        self.remote = Some(remote);
    }

    /// Tells it how far it reaches from now on.
    pub(crate) fn fence(&mut self, fence: Option<Fence>) {
        self.source.fence = fence;
    }

    /// Has a request seen to, where not too many wait: whether it is. An error where nobody reads
    /// it or those before it; whoever asked has been told.
    pub(crate) fn ask(
        &mut self,
        gate: &mut Gate,
        ticket: Ticket,
        what: Configure,
    ) -> Result<bool, String> {
        if self.waiting.len() >= WAITING {
            refuse(gate, ticket, "too many requests wait to be read");
            return Ok(false);
        }
        self.waiting.push((ticket, what));
        // A reader whose result did not get through is no longer there.
        let is_idle = self.reader.as_ref().is_none_or(JoinHandle::is_finished);
        if is_idle {
            self.read(gate)?;
        }
        Ok(true)
    }

    /// Has all that waits read by a thread, which ends with it. Where there is none, those who
    /// asked are told why.
    fn read(&mut self, gate: &mut Gate) -> Result<(), String> {
        self.reader = None;
        let Some(remote) = self.remote.clone() else {
            return Ok(());
        };
        let jobs = std::mem::take(&mut self.waiting);
        if jobs.is_empty() {
            return Ok(());
        }
        let tickets: Vec<Ticket> = jobs.iter().map(|(ticket, _)| *ticket).collect();
        let source = self.source.clone();
        let thread = std::thread::Builder::new().name(String::from("reader"));
        let key = gate.list_key();
        match thread.spawn(move || source.work(jobs, key, &remote)) {
            Ok(reader) => {
                self.reader = Some(reader);
                Ok(())
            }
            Err(error) => {
                let text = format!("no thread to read it: {error}");
                for ticket in tickets {
                    refuse(gate, ticket, &text);
                }
                Err(text)
            }
        }
    }

    /// Takes over what holds at once. What has changed, and what would with a restart.
    fn take(&mut self, gate: &mut Gate, new: Result<Loaded, Vec<String>>) -> Verdict {
        if gate.is_draining() {
            return Err(vec![String::from("the server is shutting down")]);
        }
        let new = new?;
        let held = Held {
            lists: new
                .lists
                .as_ref()
                .map_or_else(Imprint::default, |lists| lists.imprint()),
            logins: tokens::imprint(new.tokens.as_deref()),
        };
        let changes = self.compare(gate, &new.config, held);
        self.config = self.config.merge(&new.config);
        for listener in &self.config.listeners {
            gate.retune(listener);
        }
        gate.tune(&options(&self.config));
        self.change_lists(gate, new.lists);
        self.change_tokens(gate, new.tokens);
        log::set_max_level(self.config.log.level);
        for warning in self.config.warnings().iter().chain(&new.warnings) {
            warn!("{warning}");
        }
        Ok(changes)
    }

    /// Puts other lists in their place; the old ones are dropped by a thread of their own, since
    /// that takes a while where there are a million entries.
    fn change_lists(&self, gate: &mut Gate, lists: Option<Box<Lists>>) {
        if gate.list_parts().is_empty() && lists.is_none() {
            return;
        }
        let old = gate.set_lists(lists);
        info!("lists are in force, entries={}", gate.listed());
        sweep(old);
    }

    /// The same for what login tokens are judged by.
    fn change_tokens(&self, gate: &mut Gate, tokens: Option<Box<Tokens>>) {
        if gate.tokens().is_none() && tokens.is_none() {
            return;
        }
        let old = gate.set_tokens(tokens);
        let told = gate.tokens().map(Tokens::to_string).unwrap_or_default();
        info!("login checks are in force, {told}");
        sweep(old);
    }

    /// What a reload would change, with the connections that come under tighter limits.
    fn compare(&self, gate: &Gate, new: &Config, held: Held) -> Vec<Change> {
        let mut changes = Config::diff(&self.config, new);
        let (old_lists, old_logins) = (gate.list_imprint(), tokens::imprint(gate.tokens()));
        if held.lists != old_lists {
            changes.push(others(
                "lists.entries",
                old_lists.entries,
                held.lists.entries,
            ));
        }
        if held.logins != old_logins {
            changes.push(others("logins.entries", old_logins, held.logins));
        }
        for change in changes.iter_mut().filter(|change| change.is_tighter) {
            change.touches = match &change.listener {
                Some(name) => gate.connections_at(name),
                None if change.key == "limits.connections" => {
                    let limit = new.connections.unwrap_or(u32::MAX);
                    gate.connections().saturating_sub(limit)
                }
                None if change.key == "limits.connections_per_address" => {
                    gate.beyond_at_addresses(new.limits.address_connections)
                }
                None => 0,
            };
        }
        changes
    }

    fn tell(&self, verdict: &Verdict) {
        let file = self.source.name();
        match verdict {
            Ok(changes) if changes.is_empty() => info!("reloaded {file}: nothing has changed"),
            Ok(changes) => {
                let restart = changes.iter().filter(|one| one.needs_restart).count();
                let now = changes.len() - restart;
                info!("reloaded {file}: changed={now} needs-restart={restart}");
                for line in lines(changes) {
                    info!("reloaded {line}");
                }
            }
            Err(complaints) => {
                for line in lines(complaints) {
                    error!("reload refused, nothing has changed: {line}");
                }
            }
        }
    }
}

type Verdict = crate::gate::Verdict;

/// Has something large dropped elsewhere.
fn sweep<T: Send + 'static>(old: T) {
    let thread = std::thread::Builder::new().name(String::from("sweeper"));
    // Where there is no thread, it is done here.
    drop(thread.spawn(move || drop(old)));
}

/// What the loop is set up with.
pub(crate) fn options(config: &Config) -> Options {
    let mut limits = config.limits.clone();
    limits.connections = config.connections.unwrap_or(limits.connections);
    Options {
        limits,
        users: config.users,
        coalesce: config.coalesce,
        drain_over: config.drain.over,
        drain_timeout: config.drain.timeout,
        ..Options::default()
    }
}

/// Entries that change: the names of files may stay as they are.
fn others(key: &str, old: impl ToString, new: impl ToString) -> Change {
    let (old, new) = (old.to_string(), new.to_string());
    let others = if new == old { "others: " } else { "" };
    Change {
        key: key.to_owned(),
        new: format!("{others}{new}"),
        old,
        needs_restart: false,
        is_tighter: false,
        touches: 0,
        listener: None,
    }
}

/// As few lines as the items fit in.
fn lines(items: &[impl ToString]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in items.iter().map(ToString::to_string) {
        match lines.last_mut() {
            Some(line) if line.len() + item.len() <= ITEMS_MAX => {
                line.push_str("; ");
                line.push_str(&item);
            }
            _ => lines.push(item),
        }
    }
    lines
}

fn refuse(gate: &mut Gate, ticket: Ticket, text: &str) {
    warn!("reload refused: {text}");
    gate.configured(ticket, Err(vec![text.to_owned()]));
}

impl Source {
    /// Reads and judges what is asked for, and hands it in. Reloads share one reading.
    fn work(self, jobs: Vec<Job>, key: (u64, u64), remote: &Remote<Door>) {
        let (mut reloads, mut checks) = (Vec::new(), Vec::new());
        for (ticket, what) in jobs {
            match what {
                Configure::Reload => reloads.push(ticket),
                Configure::Check(text) => {
                    let path = self.path.as_deref();
                    let path = path.unwrap_or_else(|| Path::new("text"));
                    let config = self.judge(Some((path, &text))).and_then(|config| {
                        self.reach(&config)?;
                        self.flow(config.files())?;
                        let lists = lists::judge(&config.lists)?;
                        let logins = tokens::load(&config.logins)?;
                        let logins = tokens::imprint(logins.as_deref());
                        Ok((config, Held { lists, logins }))
                    });
                    checks.push((ticket, config));
                }
            }
        }
        let new = (!reloads.is_empty()).then(|| {
            self.flow(std::iter::empty())?;
            let config = self.read()?;
            self.reach(&config)?;
            self.flow(config.files())?;
            let lists = lists::load(&config.lists, key)?;
            let tokens = tokens::load(&config.logins)?;
            let warnings = tokens::warnings(&config.logins, tokens.as_deref());
            Ok(Loaded {
                config,
                lists,
                tokens,
                warnings,
            })
        });
        let posted = remote.post(move |gate, door| {
            door.judged(gate, checks);
            if let Some(new) = new {
                door.reload(gate, new, &reloads);
            }
            door.go_on(gate);
        });
        if let Err(error) = posted {
            error!("a configuration was read in vain: {error}");
        }
    }
}

impl Door {
    /// What was asked about is in hand.
    fn judged(&self, gate: &mut Gate, checks: Vec<Judged>) {
        for (ticket, judged) in checks {
            let verdict = judged.map(|(new, held)| self.desk.compare(gate, &new, held));
            gate.configured(ticket, verdict);
        }
    }

    /// Has read what was asked for meanwhile.
    fn go_on(&mut self, gate: &mut Gate) {
        if let Err(text) = self.desk.read(gate) {
            self.service.reloaded(&Err(vec![text]));
        }
    }

    /// What was read is in hand.
    fn reload(&mut self, gate: &mut Gate, new: Result<Loaded, Vec<String>>, tickets: &[Ticket]) {
        let verdict = self.desk.take(gate, new);
        self.desk.tell(&verdict);
        for ticket in tickets {
            gate.configured(*ticket, verdict.clone());
            self.service.reloaded(&verdict);
        }
    }
}
