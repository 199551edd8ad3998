//! A pulsegate on a thread.

use std::net::SocketAddr;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use pulsegate::net::mio::MioNet;
use pulsegate::{Handler, Limits, Options, Remote, Server, Settings};

/// Does what the gate does by itself.
pub(crate) struct Plain;

impl Handler for Plain {}

/// A server; it ends with this value.
pub(crate) struct House {
    pub(crate) addr: SocketAddr,
    remote: Remote<Plain>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl House {
    pub(crate) fn new(settings: Settings) -> Self {
        Self::limited(settings, Limits::default())
    }

    /// The same with other limits.
    pub(crate) fn limited(settings: Settings, limits: Limits) -> Self {
        let net = MioNet::new(1_024).unwrap();
        let options = Options {
            limits,
            drain_timeout: Duration::from_millis(100),
            ..Options::default()
        };
        let mut server = Server::new(net, Plain, options).unwrap();
        let bind = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        let addr = server.listen(Settings { bind, ..settings }).unwrap()[0];
        let remote = server.remote();
        let thread = std::thread::spawn(move || server.run());
        Self {
            addr,
            remote,
            thread: Some(thread),
        }
    }

    /// The address as an argument.
    pub(crate) fn target(&self) -> String {
        self.addr.to_string()
    }

    /// Waits until so many connections are open.
    pub(crate) fn wait_for(&self, connections: u32) {
        self.wait_until("connections did not come", |open| open >= connections);
    }

    /// Waits until fewer are open.
    pub(crate) fn wait_for_fewer(&self, connections: u32) {
        self.wait_until("connections did not go", |open| open < connections);
    }

    /// Waits until nobody is connected.
    pub(crate) fn wait_for_none(&self) {
        self.wait_for_fewer(1);
    }

    fn wait_until(&self, otherwise: &str, holds: impl Fn(u32) -> bool) {
        for _ in 0..10_000 {
            if holds(self.remote.call(|gate, _| gate.sockets()).unwrap()) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        panic!("{otherwise}");
    }

    /// Stops serving until the sender is dropped.
    pub(crate) fn stall(&self) -> Sender<()> {
        let (sender, receiver) = channel::<()>();
        let stalled = self.remote.post(move |_, _| {
            let _ = receiver.recv_timeout(Duration::from_secs(10));
        });
        stalled.unwrap();
        sender
    }

    /// Ends the server in the middle of everything.
    pub(crate) fn shut_down(&mut self) {
        self.remote.post(|gate, _| gate.shut_down()).unwrap();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.shut_down();
        }
    }
}
