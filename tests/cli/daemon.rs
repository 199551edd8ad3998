//! A running daemon: started on ports of its own, killed by its id when dropped.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
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
        if !daemon.hears_where(&lines) {
            panic!("the daemon does not start: {}", daemon.log());
        }
        daemon
    }

    /// Starts one that nobody has told anything: its file is empty, and neither flags nor variables
    /// speak to it. `None` where another process has one of the ports that it takes by itself.
    pub fn untold() -> Option<Self> {
        Self::told_by_flags(&[])
    }

    /// The same with these flags.
    pub fn told_by_flags(flags: &[&str]) -> Option<Self> {
        let folder = program::folder(&[("c.toml", "")]);
        let mut command = program();
        command.args(["serve", "--config", "c.toml"]).args(flags);
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let (mut daemon, lines) = Self::run(command, folder);
        if daemon.hears_where(&lines) {
            return Some(daemon);
        }
        let log = daemon.log();
        assert!(log.contains("Address already in use"), "{log}");
        None
    }

    /// Waits for the line that tells where it listens; whether it comes.
    fn hears_where(&mut self, lines: &Receiver<String>) -> bool {
        while let Ok(line) = lines.recv_timeout(PATIENCE) {
            if line.contains("listening on ") {
                let words = line.split(' ');
                self.addrs = words.filter_map(|word| word.parse().ok()).collect();
                return true;
            }
        }
        false
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
            .env("PULSEGATE_ADMIN_BIND", "off");
        // Without a word on it, who runs the tests as root would be warned by every start.
        if rustix::process::geteuid().is_root() && !config.contains("[process]") {
            command.env("PULSEGATE_USER", "root");
        }
        Self::run(command, folder)
    }

    fn run(mut command: Command, folder: TempDir) -> (Self, Receiver<String>) {
        command.current_dir(folder.path()).stdout(Stdio::null());
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

/// Where a process listens, as the kernel tells it: its own sockets, by their numbers.
pub fn listens(pid: u32) -> Vec<SocketAddr> {
    const LISTENS: &str = "0A";
    let found = sockets(pid, &["tcp", "tcp6"]).into_iter();
    let listening = found.filter(|(_, state)| state == LISTENS);
    listening.map(|(addr, _)| addr).collect()
}

/// The sockets of a process that stand in these tables of the kernel's: each local address and
/// state.
pub fn sockets(pid: u32, tables: &[&str]) -> Vec<(SocketAddr, String)> {
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return Vec::new();
    };
    let links = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let ours: Vec<String> = links
        .map(|link| link.to_string_lossy().into_owned())
        .collect();
    let mut found = Vec::new();
    for table in tables {
        let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if ours.contains(&format!("socket:[{}]", fields[9])) {
                found.push((address(fields[1]), fields[3].to_owned()));
            }
        }
    }
    found
}

/// `0100007F:1CCD`: words of four bytes, each in the machine's order, and a port.
fn address(text: &str) -> SocketAddr {
    let (ip, port) = text.rsplit_once(':').unwrap();
    let words = ip.as_bytes().chunks(8).map(|word| {
        let word = std::str::from_utf8(word).unwrap();
        u32::from_str_radix(word, 16).unwrap().to_ne_bytes()
    });
    let bytes = words.collect::<Vec<_>>().concat();
    let ip: IpAddr = match <[u8; 4]>::try_from(&bytes[..]) {
        Ok(four) => Ipv4Addr::from(four).into(),
        Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(&bytes[..]).unwrap()).into(),
    };
    SocketAddr::new(ip, u16::from_str_radix(port, 16).unwrap())
}
