//! The real daemon under 15,000 real connections that say nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::daemon::{BINARY, Daemon};

const CROWD: usize = 15_000;
const WATCH: Duration = Duration::from_secs(20);

/// Measures and asserts; see the bench's page.
pub(crate) fn report() {
    let began = Instant::now();
    let daemon = Daemon::start(&["--idle-timeout", "10m"]);
    let started = began.elapsed();
    let size = stripped_size();
    println!(
        "idle daemon start to listening={started:?} stripped={:.2} MB",
        size as f64 / 1e6
    );
    assert!(
        started < Duration::from_millis(50),
        "it listens within 50 ms"
    );
    assert!(size < 4_000_000, "the stripped binary stays below 4 MB");
    let pid = daemon.pid();
    let base = resident(pid);
    let mut crowd = connect(daemon.addr());
    let idle = resident(pid);
    for (number, client) in crowd.iter_mut().enumerate() {
        client
            .write_all(format!("login user-{number:08}\n").as_bytes())
            .expect("the daemon reads");
        client
            .read_exact(&mut [0; 27])
            .expect("the daemon answers a login");
    }
    let with_users = resident(pid);
    let cpu = cpu_over(&daemon, WATCH);
    // Every connection holds half a frame at once, then none does.
    for part in ["data 0123456789", "0123456789\nping\n"] {
        for client in &mut crowd {
            client.write_all(part.as_bytes()).expect("the daemon reads");
        }
    }
    for client in &mut crowd {
        let answers = "error no-backend no backend takes data\npong\n";
        client
            .read_exact(&mut vec![0; answers.len()])
            .expect("the daemon answers");
    }
    let after = resident(pid);
    let per = |bytes: u64| (bytes as f64 - base as f64) / CROWD as f64;
    println!(
        "idle daemon RSS base={:.2} MB bytes/connection without user={:.0} with user={:.0}",
        base as f64 / 1e6,
        per(idle),
        per(with_users)
    );
    println!("idle daemon CPU with {CROWD} silent connections={cpu:?} in {WATCH:?}");
    let growth = after.saturating_sub(with_users) as f64 / 1e6;
    println!("idle daemon RSS growth after torn frames on all connections={growth:.2} MB");
    drop(daemon);
    assert!(
        base < 6_000_000,
        "resident memory without clients stays below 6 MB"
    );
    assert!(
        per(idle) <= 200.0,
        "at most 200 bytes of memory an idle connection"
    );
    assert!(per(with_users) <= 256.0, "at most 256 bytes with a user");
    assert!(growth <= 8.0, "buffers are given back after traffic");
    assert!(cpu <= Duration::from_millis(10), "at most 10 ms in 20 s");
}

/// The size of the daemon's binary without symbols; with them where there is no `strip`.
fn stripped_size() -> u64 {
    let stripped = tempfile::NamedTempFile::new().expect("there is room for a copy");
    let done = Command::new("strip")
        .arg("-o")
        .arg(stripped.path())
        .arg(BINARY)
        .status();
    let measured = if done.is_ok_and(|status| status.success()) {
        stripped.path().to_owned()
    } else {
        BINARY.into()
    };
    std::fs::metadata(measured)
        .expect("the binary is there")
        .len()
}

fn connect(addr: SocketAddr) -> Vec<TcpStream> {
    let mut crowd = Vec::with_capacity(CROWD);
    for _ in 0..CROWD {
        let mut client = TcpStream::connect(addr).expect("the daemon accepts");
        if crowd.len() % 500 == 499 {
            client.write_all(b"ping\n").expect("the daemon reads");
            client.read_exact(&mut [0; 5]).expect("the daemon answers");
        }
        crowd.push(client);
    }
    crowd
}

/// Resident memory in bytes, from /proc.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("the kernel says");
    let kib: u64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("a number");
    kib * 1_024
}

/// Time on a processor during `span`.
fn cpu_over(daemon: &Daemon, span: Duration) -> Duration {
    let before = daemon.on_cpu();
    let began = Instant::now();
    while began.elapsed() < span {
        std::thread::park_timeout(span - began.elapsed());
    }
    daemon.on_cpu() - before
}
