//! The tool against servers of others, each started here and ended here.
//!
//! A server that is not installed is skipped, and the test says so; where `PULSEGATE_NO_SKIP` is
//! set, as it is in CI, that is a failure.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::tool::{count, report, skip, timing};

/// A server's process; it ends with this value.
struct Foreign {
    child: Child,
    addr: SocketAddr,
    /// Its working directory.
    folder: TempDir,
}

impl Foreign {
    /// Starts `program` with what `args` makes of its address and its folder, and waits until it
    /// listens; `None` where it is not installed.
    fn start(program: &str, args: impl Fn(SocketAddr, &Path) -> Vec<String>) -> Option<Self> {
        let Some(path) = find(program) else {
            skip(&format!("{program} is not installed"));
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let addr = free_address();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(path)
            .args(args(addr, folder.path()))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Self {
            child,
            addr,
            folder,
        };
        server.wait(program);
        Some(server)
    }

    fn wait(&mut self, program: &str) {
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(self.addr).is_err() {
            let log = || std::fs::read_to_string(self.folder.path().join("log"));
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{program} has ended ({status}): {}", log().unwrap());
            }
            assert!(Instant::now() < end, "{program} does not listen");
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program on the search path, or where servers are kept.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// An address that is this process's own, so that its port stays free until it is listened on.
fn free_address() -> SocketAddr {
    let pid = std::process::id();
    let [_, high, middle, low] = (pid % 0x3F_FFFF).to_be_bytes();
    let own = Ipv4Addr::new(127, 64 + high, middle, low.max(1));
    let listener = TcpListener::bind((own, 0)).unwrap();
    listener.local_addr().unwrap()
}

/// Holds, beats and asks; every connection must open, every request be answered.
fn is_measured(target: &str, speech: &[&str]) {
    let common = ["-c", "40", "-d", "300ms"];
    for scenario in [
        &["hold", target][..],
        &["beat", target, "--every", "50ms"],
        &["echo", target, "-D", "4"],
        &["echo", target, "-r", "1000"],
    ] {
        let (run, report) = report(&[scenario, &common, speech].concat());
        assert_eq!(run.code, Some(0), "{scenario:?} {speech:?}: {}", run.stdout);
        assert_eq!(count(&report, "opened"), 40, "{scenario:?} {speech:?}");
        assert_eq!(report["verdict"]["outcome"], "passed");
        let (sent, answered) = (count(&report, "sent"), count(&report, "answered"));
        if scenario[0] == "hold" {
            assert_eq!(sent, 0, "{speech:?}");
            continue;
        }
        assert!(answered > 40, "{scenario:?} {speech:?}: {answered}");
        assert!(sent - answered <= 40 * 4, "{scenario:?} {speech:?}");
        let (cohort, name) = match scenario[0] {
            "beat" => ("beating", "beat_rtt"),
            _ => ("asking", "rtt"),
        };
        let times = timing(&report, "measure", cohort, name);
        assert!(times["p50"].as_u64().unwrap() > 0, "{times}");
    }
}

/// Publishes to many receivers; every message must reach all of them, once and in order.
fn is_complete(target: &str, dialect: &str) {
    let args = ["push", target, "-c", "20", "--publishers", "2"];
    let more = ["-r", "100", "-d", "300ms", "--dialect", dialect];
    let (run, report) = report(&[&args[..], &more].concat());
    assert_eq!(run.code, Some(0), "{dialect}: {}", run.stdout);
    let (published, delivered) = (count(&report, "published"), count(&report, "delivered"));
    assert!(published > 10, "{dialect}: {published}");
    assert_eq!(delivered, published * 20, "{dialect}");
}

fn redis() -> Option<Foreign> {
    Foreign::start("redis-server", |addr, folder| {
        let (ip, port) = (addr.ip().to_string(), addr.port().to_string());
        let folder = folder.to_str().unwrap();
        let args = [
            "--bind", &ip, "--port", &port, "--save", "", "--dir", folder,
        ];
        args.map(String::from).to_vec()
    })
}

#[test]
fn redis_server_is_measured() {
    let Some(server) = redis() else { return };
    let target = server.addr.to_string();
    is_measured(&target, &["--preset", "redis"]);
    is_complete(&target, "redis");
}

#[test]
fn a_protocol_of_given_bytes_is_measured() {
    let Some(server) = redis() else { return };
    let target = server.addr.to_string();
    let hex = |text: &str| -> String { text.bytes().map(|byte| format!("{byte:02x}")).collect() };
    let (ping, pong, end) = (hex("PING\r\n"), hex("+PONG\r\n"), hex("\r\n"));
    let custom = ["--dialect", "custom", "--request", &ping];
    is_measured(&target, &[&custom[..], &["--answer", &pong]].concat());
    is_measured(&target, &[&custom[..], &["--answer-end", &end]].concat());
    // An answer that is another one is not taken for the right one.
    let other = hex("+PANG\r\n");
    let args = ["echo", &target, "-c", "3", "-d", "100ms"];
    let wrong = [&args[..], &custom, &["--answer", &other]].concat();
    let (run, report) = report(&wrong);
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    assert_eq!(count(&report, "garbled"), 3);
}

#[test]
fn memcached_is_measured() {
    let server = Foreign::start("memcached", |addr, _| {
        let (ip, port) = (addr.ip().to_string(), addr.port().to_string());
        let mut args = vec!["-l", &ip, "-p", &port, "-U", "0", "-t", "1"];
        if rustix::process::geteuid().is_root() {
            args.extend(["-u", "root"]);
        }
        args.into_iter().map(String::from).collect()
    });
    let Some(server) = server else { return };
    is_measured(&server.addr.to_string(), &["--preset", "memcached"]);
}

#[test]
fn mosquitto_is_measured() {
    let server = Foreign::start("mosquitto", |addr, folder| {
        let file = folder.join("mosquitto.conf");
        let listener = format!("listener {} {}", addr.port(), addr.ip());
        let text = format!("{listener}\nallow_anonymous true\nmax_queued_messages 0\n");
        std::fs::write(&file, text).unwrap();
        vec![String::from("-c"), file.to_str().unwrap().to_owned()]
    });
    let Some(server) = server else { return };
    let target = server.addr.to_string();
    is_measured(&target, &["--preset", "mqtt"]);
    is_complete(&target, "mqtt");
}

#[test]
fn nats_server_is_measured() {
    let server = Foreign::start("nats-server", |addr, _| {
        let (ip, port) = (addr.ip().to_string(), addr.port().to_string());
        ["-a", &ip, "-p", &port].map(String::from).to_vec()
    });
    let Some(server) = server else { return };
    let target = server.addr.to_string();
    is_measured(&target, &["--preset", "nats"]);
    is_complete(&target, "nats");
}

/// Sends back what it reads, on a thread for each connection.
struct Mirror {
    addr: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Mirror {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::spawn(move || reflect(stream));
            }
        });
        Self {
            addr,
            is_over,
            thread: Some(thread),
        }
    }
}

fn reflect(mut stream: TcpStream) {
    let mut buffer = [0; 4_096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // One more comes, so that the accept returns.
        let _ = TcpStream::connect(self.addr);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn an_echo_of_bytes_is_measured() {
    let mirror = Mirror::new();
    let target = mirror.addr.to_string();
    is_measured(&target, &["--dialect", "echo", "--framing", "raw"]);
    is_measured(&target, &["--dialect", "echo", "--size", "100"]);
}
