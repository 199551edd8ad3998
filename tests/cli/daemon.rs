//! A running daemon: started on ports of its own, killed by its id when dropped.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal};
use tempfile::TempDir;

use crate::client::Client;
use crate::program::{self, PATIENCE, eventually, program};

/// A listener that speaks lines.
pub const LINE: &str = "[[listener]]\nbind = \"127.0.0.1:0\"\n";

/// A running daemon.
pub struct Daemon {
    child: Child,
    /// Where it listens, in the order of the file.
    addrs: Vec<SocketAddr>,
    log: Arc<Mutex<String>>,
    folder: TempDir,
}

impl Daemon {
    /// Starts one with a configuration whose listeners all bind port 0.
    pub fn start(config: &str) -> Self {
        Self::start_with(config, &[])
    }

    /// The same with more arguments.
    pub fn start_with(config: &str, arguments: &[&str]) -> Self {
        Self::launch(program(), config, arguments)
    }

    /// The same with so many descriptors at most.
    pub fn limited(config: &str, descriptors: u32) -> Self {
        let line = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
        Self::launch(program::shell(&line), config, &[])
    }

    /// Starts the program that `command` runs, and waits until it listens.
    pub fn launch(mut command: Command, config: &str, arguments: &[&str]) -> Self {
        command.stdin(Stdio::null());
        Self::launch_over(command, config, arguments)
    }

    /// The same with the stdin that the command has.
    pub fn launch_over(mut command: Command, config: &str, arguments: &[&str]) -> Self {
        command.stderr(Stdio::piped());
        let (mut daemon, lines) = Self::spawn(command, config, arguments);
        loop {
            let Ok(line) = lines.recv_timeout(PATIENCE) else {
                panic!("the daemon does not start: {}", daemon.log());
            };
            if line.contains("listening on ") {
                daemon.addrs = line
                    .split(' ')
                    .filter_map(|word| word.parse().ok())
                    .collect();
                return daemon;
            }
        }
    }

    /// Starts one that does not say where it listens: its log goes elsewhere, or is silent.
    pub fn unheard(mut command: Command, config: &str, arguments: &[&str]) -> Self {
        command.stderr(Stdio::piped());
        Self::redirected(command, config, arguments)
    }

    /// The same with the stderr that the command has.
    pub fn redirected(mut command: Command, config: &str, arguments: &[&str]) -> Self {
        command.stdin(Stdio::null());
        // Into a daemon that is hardened only root can look.
        if !rustix::process::geteuid().is_root() {
            command.env("PULSEGATE_HARDENING", "log");
        }
        let mut daemon = Self::spawn(command, config, arguments).0;
        let pid = daemon.child.id();
        daemon.addrs = eventually("it listens", || {
            let addrs = listens(pid);
            (!addrs.is_empty()).then_some(addrs)
        });
        daemon
    }

    fn spawn(mut command: Command, config: &str, arguments: &[&str]) -> (Self, Receiver<String>) {
        let folder = program::folder(&[("c.toml", config)]);
        command
            .args(["serve", "--config", "c.toml"])
            .args(arguments)
            .env("PULSEGATE_ADMIN_BIND", "off")
            .current_dir(folder.path());
        // Without a word on it, who runs the tests as root would be warned by every start.
        if rustix::process::geteuid().is_root() && !config.contains("[process]") {
            command.env("PULSEGATE_USER", "root");
        }
        command.stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        // It holds the other end of whatever stderr is redirected to.
        drop(command);
        let (sender, lines) = channel();
        let log = Arc::default();
        if let Some(stderr) = child.stderr.take() {
            follow(stderr, Arc::clone(&log), sender);
        }
        let daemon = Self {
            child,
            addrs: Vec::new(),
            log,
            folder,
        };
        (daemon, lines)
    }

    /// A client of the first address.
    pub fn client(&self) -> Client {
        Client::connect(self.addrs[0])
    }

    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Writes the configuration anew.
    pub fn rewrite(&self, config: &str) {
        std::fs::write(self.folder.path().join("c.toml"), config).unwrap();
    }

    /// Takes the configuration away.
    pub fn remove(&self) {
        std::fs::remove_file(self.folder.path().join("c.toml")).unwrap();
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where it runs, and its configuration is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn exit(&mut self) -> ExitStatus {
        program::exit(&mut self.child)
    }

    pub fn ends_within(&self, patience: Duration) -> bool {
        program::ends_within(&self.child, patience)
    }

    /// All it has written to stderr so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until its log holds this.
    #[track_caller]
    pub fn logs(&self, text: &str) {
        eventually(text, || self.log().contains(text).then_some(()));
    }

    /// Changes how many descriptors it may have; returns the limit before.
    pub fn limit_descriptors(&self, current: Option<u64>) -> Option<u64> {
        let pid = Some(Pid::from_child(&self.child));
        let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
        let limit = Rlimit { current, maximum };
        rustix::process::prlimit(pid, Resource::Nofile, limit)
            .unwrap()
            .current
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the daemon's log:\n{}---", self.log());
        }
    }
}

/// Reads a log for as long as it is open, so that it never is full.
fn follow(stderr: ChildStderr, log: Arc<Mutex<String>>, sender: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines() {
            let Ok(line) = line else { return };
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
            let _ = sender.send(line);
        }
    });
}

/// Where a process listens, as the kernel tells it; IPv4 only.
fn listens(pid: u32) -> Vec<SocketAddr> {
    const LISTENS: &str = "0A";
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return Vec::new();
    };
    let links = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let sockets: Vec<String> = links
        .map(|link| link.to_string_lossy().into_owned())
        .collect();
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    let listening = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_ours = sockets.contains(&format!("socket:[{}]", fields.get(9)?));
        let port = fields[1].rsplit_once(':')?.1;
        let port = u16::from_str_radix(port, 16).ok()?;
        (is_ours && fields[3] == LISTENS).then(|| SocketAddr::from(([127, 0, 0, 1], port)))
    };
    table.lines().filter_map(listening).collect()
}
