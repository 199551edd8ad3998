//! The daemon itself as a process: started on ports of its own, stopped by its id.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rustix::process::{Pid, Resource, Rlimit, Signal};
use tempfile::TempDir;

use crate::client::{Client, Framing, PATIENCE, eventually};

/// The name of its configuration file.
const FILE: &str = "pulsegate.toml";

/// A running daemon; killed when dropped.
pub struct Daemon {
    child: Child,
    /// Where its listeners listen, by name; several addresses where several are bound.
    addrs: HashMap<String, Vec<SocketAddr>>,
    log: Log,
    /// Holds the configuration file as long as the daemon may read it again.
    folder: TempDir,
}

/// What the daemon has written to stderr, and whether anybody still reads it.
type Log = Arc<Mutex<Heard>>;

#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    ear: Ear,
}

/// What is done with the daemon's stderr.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Ear {
    /// It is read.
    #[default]
    Open,
    /// It is kept and not read: the pipe fills up.
    Blocked,
    /// It is closed.
    Closed,
}

impl Daemon {
    /// Starts a daemon with a configuration whose listeners all bind port 0. The admin interface is
    /// off where the configuration does not speak of it.
    pub fn start(config: &str) -> Self {
        Self::run(Command::new(binary()), config)
    }

    /// The same with so many descriptors at most.
    pub fn start_limited(config: &str, descriptors: u32) -> Self {
        let mut shell = Command::new("/bin/sh");
        let script = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
        shell.arg("-c").arg(script).arg(binary());
        Self::run(shell, config)
    }

    /// The same with a variable in its environment.
    pub fn start_knowing(variable: (&str, &str), config: &str) -> Self {
        let mut command = Command::new(binary());
        command.env(variable.0, variable.1);
        Self::run(command, config)
    }

    /// The same in a network namespace; who binds other addresses than loopback waits for the log.
    pub fn start_in(namespace: &str, config: &str) -> Self {
        let mut ip = Command::new("ip");
        ip.args(["netns", "exec", namespace]).arg(binary());
        Self::run(ip, config)
    }

    /// The same on a machine that seems to have been up for so many seconds more.
    pub fn start_after(seconds: u64, config: &str) -> Self {
        let mut unshare = Command::new("unshare");
        let seconds = seconds.to_string();
        unshare.args(["--time", "--boottime", &seconds, "--monotonic", &seconds]);
        unshare.arg(binary());
        Self::run(unshare, config)
    }

    /// The same under the eyes of `strace`, which writes each call that reads, writes or waits into
    /// `log`. The daemon is the child, and strace ends with it.
    pub fn start_watched(config: &str, log: &Path) -> Self {
        const CALLS: &str = "trace=read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,\
                             epoll_wait,epoll_pwait";
        let mut strace = Command::new("strace");
        strace.args(["-D", "-e", CALLS, "-o"]);
        strace.arg(log).arg(binary());
        Self::run(strace, config)
    }

    /// Changes its configuration file; it is read again when the daemon is told to.
    pub fn rewrite(&self, config: &str) {
        std::fs::write(self.folder.path().join(FILE), config).unwrap();
    }

    fn run(mut command: Command, config: &str) -> Self {
        let mut config = config.to_owned();
        if !config.contains("[admin]") {
            config.push_str("\n[admin]\nbind = \"off\"\n");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        std::fs::write(&file, &config).unwrap();
        command.arg("serve").arg("--config").arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (log, lines) = follow(child.stderr.take().unwrap());
        let mut daemon = Self {
            child,
            addrs: HashMap::new(),
            log,
            folder,
        };
        let count = |bind: &str| config.matches(bind).count();
        daemon.learn(&lines, count("127.0.0.1:0\"") + count("[::1]:0\""));
        daemon
    }

    /// One listener for each framing, dialect `gate`, with these defaults for all and this before.
    pub fn with(top: &str, defaults: &str) -> Self {
        let mut config = format!("{top}\n[defaults]\n{defaults}\n");
        for name in ["line", "lenhdr", "binary"] {
            let _ = write!(
                config,
                "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\nframing = \"{name}\"\n"
            );
        }
        Self::start(&config)
    }

    /// The same with these defaults alone.
    pub fn new(defaults: &str) -> Self {
        Self::with("", defaults)
    }

    /// One listener called `main` with these settings.
    pub fn single(settings: &str) -> Self {
        Self::start(&format!(
            "[[listener]]\nname = \"main\"\nbind = \"127.0.0.1:0\"\n{settings}\n"
        ))
    }

    /// A client of the listener for lines.
    pub fn line(&self) -> Client {
        self.client(Framing::Line)
    }

    /// A client of the listener for that framing.
    pub fn client(&self, framing: Framing) -> Client {
        let name = match framing {
            Framing::Line => "line",
            Framing::Lenhdr => "lenhdr",
            Framing::Binary => "binary",
        };
        Client::connect(self.addr(name), framing)
    }

    /// A client of each framing.
    pub fn each(&self) -> [Client; 3] {
        [Framing::Line, Framing::Lenhdr, Framing::Binary].map(|framing| self.client(framing))
    }

    /// A client of the one listener, that frames like this.
    pub fn main(&self, framing: Framing) -> Client {
        Client::connect(self.addr("main"), framing)
    }

    /// A client of the listener for lines that has logged in.
    pub fn user(&self, name: &str) -> Client {
        let mut client = self.line();
        client.login(name);
        client
    }

    /// The first address of a listener.
    pub fn addr(&self, name: &str) -> SocketAddr {
        self.addrs(name)[0]
    }

    /// All addresses of a listener.
    pub fn addrs(&self, name: &str) -> &[SocketAddr] {
        &self.addrs[name]
    }

    /// Sends a signal to it.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for its end.
    pub fn exit(&mut self) -> ExitStatus {
        eventually("the daemon exits", || self.child.try_wait().unwrap())
    }

    /// Waits for a line of its log that contains this.
    #[track_caller]
    pub fn logs(&self, text: &str) {
        eventually(text, || self.log_text().contains(text).then_some(()));
    }

    /// All it has written to stderr.
    pub fn log_text(&self) -> String {
        let heard = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        heard.lines.join("\n")
    }

    /// From the next line on, does this with its stderr.
    pub fn listen_to_log(&self, ear: Ear) {
        let mut heard = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        heard.ear = ear;
    }

    /// Changes how many descriptors it may have; returns the limit before.
    pub fn limit_descriptors(&self, current: Option<u64>) -> Option<u64> {
        let pid = Some(self.pid());
        let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
        let limit = Rlimit { current, maximum };
        let before = rustix::process::prlimit(pid, Resource::Nofile, limit).unwrap();
        before.current
    }

    /// Processor time it has used, in ticks of 10 ms.
    pub fn cpu_ticks(&self) -> u64 {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(path).unwrap();
        // The name in brackets may hold spaces; user and system time are fields 14 and 15.
        let rest = stat.rsplit_once(')').unwrap().1;
        let fields: Vec<_> = rest.split_whitespace().collect();
        [11, 12]
            .map(|at: usize| fields[at].parse::<u64>().unwrap())
            .iter()
            .sum()
    }

    /// Bytes of memory by the kernel's name for them: `VmRSS` now, `VmHWM` at most so far.
    pub fn memory(&self, what: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib << 10
    }

    /// How many descriptors it holds.
    pub fn descriptors(&self) -> usize {
        let path = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(path).unwrap().count()
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Reads the real ports off the start lines.
    fn learn(&mut self, lines: &Receiver<String>, sockets: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.addrs.values().map(Vec::len).sum::<usize>() < sockets {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = lines.recv_timeout(left) else {
                panic!("the daemon does not start: {}", self.log_text());
            };
            for (name, addr) in announced(&line) {
                self.addrs.entry(name).or_default().push(addr);
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the daemon's log:\n{}\n---", self.log_text());
        }
    }
}

/// The daemon of this build, or another one to be put to the same tests.
pub fn binary() -> OsString {
    std::env::var_os("PULSEGATE_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_pulsegate").into())
}

/// Reads stderr for as long as it is open: a full pipe must not disturb what is tested, unless it
/// is what is tested.
fn follow(stderr: ChildStderr) -> (Log, Receiver<String>) {
    let log = Log::default();
    let (sender, receiver) = channel();
    let kept = Arc::clone(&log);
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stderr).lines();
        while let Some(Ok(line)) = lines.next() {
            let mut heard = kept.lock().unwrap_or_else(PoisonError::into_inner);
            heard.lines.push(line.clone());
            let _ = sender.send(line);
            match heard.ear {
                Ear::Open => {}
                Ear::Blocked => return std::mem::forget(lines),
                Ear::Closed => return,
            }
        }
    });
    (log, receiver)
}

/// The addresses before every `(NAME: ` in the start line: `ADDR and ADDR (NAME: …), ADDR (…)`.
fn announced(line: &str) -> Vec<(String, SocketAddr)> {
    let mut found = Vec::new();
    let mut addrs: Vec<SocketAddr> = Vec::new();
    for word in line.split(' ') {
        addrs.extend(word.parse::<SocketAddr>());
        let name = word
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(':'));
        if let Some(name) = name {
            found.extend(addrs.drain(..).map(|addr| (name.to_owned(), addr)));
        }
    }
    found
}
