//! The real daemon as a child process, and what /proc says of it.
#![allow(dead_code, reason = "each bench uses a part of it")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The daemon's binary.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_pulsegate");

/// A daemon that listens. It ends with this value.
pub(crate) struct Daemon {
    child: Child,
    addr: SocketAddr,
    admin: Option<SocketAddr>,
}

impl Daemon {
    /// Starts one with further options of `serve`, and waits until it says where it listens.
    pub(crate) fn start(options: &[&str]) -> Self {
        let mut child = Command::new(BINARY)
            .args(["serve", "--bind", "127.0.0.1:0"])
            .args(options)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the daemon starts");
        let stderr = child.stderr.take().expect("it is piped");
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let (addr, admin) = lines
            .find_map(|line| {
                let (_, places) = line.split_once("listening on ")?;
                let addr = places.split([' ', ',']).next()?.parse().ok()?;
                let admin = places.split_once(" (admin: ").map(|(before, _)| before);
                let admin = admin.and_then(|before| before.rsplit(' ').next()?.parse().ok());
                Some((addr, admin))
            })
            .expect("the daemon says where it listens");
        // The pipe must stay open as long as the daemon logs.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, addr, admin }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where its admin interface listens.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin.expect("it has one")
    }

    /// Whether it ends by itself in good order, within so long.
    pub(crate) fn ended(&mut self, patience: Duration) -> bool {
        let until = std::time::Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is a child") {
                return status.success();
            }
            if std::time::Instant::now() > until {
                return false;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its time on a processor so far.
    pub(crate) fn on_cpu(&self) -> Duration {
        let path = format!("/proc/{}/schedstat", self.pid());
        let stat = std::fs::read_to_string(path).expect("it runs");
        let nanos = stat
            .split_whitespace()
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a number");
        Duration::from_nanos(nanos)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nobody to end, and somebody to wait for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
