//! What a service manager is told, and what it hands over: `sd_notify(3)`, `sd_listen_fds(3)`.
//!
//! A notification is one datagram that is sent or lost, never waited for. `WATCHDOG=1` is sent by a
//! timer of the loop, every half interval: a loop that does not turn does not send it. The timer
//! goes by the clock that goes on while the machine sleeps, the manager counts without that time:
//! after a suspension it is sent early rather than late.

use std::net::{SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram};
use std::path::PathBuf;
use std::time::Duration;

use log::{debug, warn};

use crate::gate::{Gate, TimerId, Verdict};
use crate::settings::Settings;

/// What the environment says of the service manager, and what the program brings along.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// `NOTIFY_SOCKET`: a path, or an abstract name behind `@`.
    pub(crate) notify: Option<String>,
    /// `WATCHDOG_USEC`, where it is meant for this process.
    pub(crate) watchdog: Option<Duration>,
    /// Listening sockets that were open already, with their `LISTEN_FDNAMES`.
    pub(crate) inherited: Vec<(String, TcpListener)>,
    /// The file that this program is run from.
    pub(crate) program: Option<PathBuf>,
    /// Makes the program's allocator give back what is free.
    pub(crate) give_back: Option<fn()>,
}

/// The service manager, where there is one.
#[derive(Debug, Default)]
pub(crate) struct Service {
    socket: Option<UnixDatagram>,
    /// Half of what the manager waits for a sign of life.
    half: Option<Duration>,
    timer: Option<TimerId>,
    /// It was told of a reload that is not over.
    is_reloading: bool,
}

impl Service {
    /// Connects to the socket that is named; says so where nobody is there.
    pub(crate) fn new(notify: Option<&str>, watchdog: Option<Duration>) -> Self {
        let connect = |name: &str| {
            let socket = UnixDatagram::unbound()?;
            match name.strip_prefix('@') {
                Some(name) => socket.connect_addr(&UnixAddr::from_abstract_name(name)?)?,
                None => socket.connect(name)?,
            }
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let socket = notify.and_then(|name| {
            let connected: std::io::Result<UnixDatagram> = connect(name);
            connected
                .inspect_err(|error| warn!("NOTIFY_SOCKET {name:?}: {error}"))
                .ok()
        });
        Self {
            half: watchdog.filter(|_| socket.is_some()).map(|span| span / 2),
            socket,
            timer: None,
            is_reloading: false,
        }
    }

    fn say(&self, text: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(text.as_bytes())
        {
            debug!("the service manager was not told {text:?}: {error}");
        }
    }

    /// The loop is about to turn: everything is bound.
    pub(crate) fn ready(&mut self, gate: &mut Gate) {
        self.say(&format!("READY=1\n{}", status(gate)));
        self.watch(gate);
    }

    fn watch(&mut self, gate: &mut Gate) {
        self.timer = self.half.and_then(|half| gate.set_timer(half));
    }

    /// A timer has come; whether it was this one.
    pub(crate) fn on_timer(&mut self, gate: &mut Gate, timer: TimerId) -> bool {
        let is_ours = self.timer == Some(timer);
        if is_ours {
            self.say(&format!("WATCHDOG=1\n{}", status(gate)));
            self.watch(gate);
        }
        is_ours
    }

    /// The configuration is about to be read again.
    pub(crate) fn reloading(&mut self) {
        self.is_reloading = true;
        // The manager compares it with when it sent the signal.
        let monotonic = crate::net::mio::monotonic().as_micros();
        self.say(&format!(
            "RELOADING=1\nMONOTONIC_USEC={monotonic}\nSTATUS=reading the configuration"
        ));
    }

    /// It was read, and taken or refused.
    pub(crate) fn reloaded(&mut self, verdict: &Verdict) {
        if !std::mem::take(&mut self.is_reloading) {
            return;
        }
        let status = match verdict {
            Ok(changes) => format!("reloaded, {} settings differ", changes.len()),
            Err(complaints) => {
                let first = complaints.first().map_or("", String::as_str);
                format!("reload refused: {}", first.replace('\n', " "))
            }
        };
        self.say(&format!("READY=1\nSTATUS={status}"));
    }

    /// The shutdown begins; it takes so long at most.
    pub(crate) fn stopping(&self, gate: &Gate, most: Duration) {
        let connections = gate.connections();
        let most = most.as_micros();
        self.say(&format!(
            "STOPPING=1\nEXTEND_TIMEOUT_USEC={most}\nSTATUS=saying goodbye to {connections}"
        ));
    }
}

fn status(gate: &Gate) -> String {
    format!("STATUS={} connections", gate.connections())
}

/// Gives each listener the sockets that were handed over under its name, in the place of those it
/// would bind; the sockets by the addresses they really have. One that no listener is called is
/// closed.
pub(super) fn adopt(
    listeners: &mut [Settings],
    inherited: Vec<(String, TcpListener)>,
) -> Vec<(SocketAddr, TcpListener)> {
    let mut adopted = Vec::new();
    let mut binds = vec![Vec::new(); listeners.len()];
    for (name, socket) in inherited {
        let place = listeners.iter().position(|one| one.name == name);
        match (place, socket.local_addr()) {
            (Some(place), Ok(addr)) => {
                binds[place].push(addr);
                adopted.push((addr, socket));
            }
            (None, _) => warn!("a socket was handed over for {name:?}: no listener is called so"),
            (_, Err(error)) => warn!("the socket handed over for {name:?} has no address: {error}"),
        }
    }
    for (listener, binds) in listeners.iter_mut().zip(binds) {
        if !binds.is_empty() {
            listener.bind = binds;
        }
    }
    adopted
}
