//! A gate that accepts only so many newcomers a second, and loses its clients when it is told to.

use std::collections::HashSet;
use std::io::{self, IoSlice, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pulsegate::net::mio::MioNet;
use pulsegate::net::{Ending, Net, Ready, Signal, SocketOptions, Wake};
use pulsegate::{
    Answer, CloseReason, ConnId, Gate, Handler, Limits, Message, Options, Server, Settings, Token,
};
use rustix::io::Errno;

/// Serves on a port of its own, which it prints, and obeys lines of its input.
pub(crate) fn run() {
    let rate = Arc::new(AtomicU32::new(0));
    let net = Slow {
        net: MioNet::new(1_024).expect("a poll"),
        rate: Arc::clone(&rate),
        granted: 0.0,
        last: Duration::ZERO,
    };
    let limits = Limits {
        connections: 16_384,
        ..Limits::default()
    };
    let options = Options {
        limits,
        ..Options::default()
    };
    let mut server = Server::new(net, Storm::default(), options).expect("a server");
    let bind = vec![([127, 0, 0, 1], 0).into()];
    // Heartbeats every two seconds: the storm lasts several.
    let idle_timeout = Some(Duration::from_secs(6));
    let settings = Settings {
        bind,
        idle_timeout,
        ..Settings::default()
    };
    let addr = server.listen(settings).expect("a port")[0];
    let remote = server.remote();
    std::thread::spawn(move || server.run().expect("the loop runs"));
    say(&addr.to_string());
    for line in io::stdin().lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("rate", number)) => {
                rate.store(number.parse().expect("a number"), Ordering::Relaxed);
                say("done");
            }
            _ if line == "drop" => {
                remote
                    .post(|gate, storm| {
                        for conn in std::mem::take(&mut storm.conns) {
                            gate.close(conn, CloseReason::Internal);
                        }
                    })
                    .expect("the loop runs");
                say("done");
            }
            _ => remote
                .post(|gate, _| {
                    let stats = gate.stats();
                    let idle = stats.closed(CloseReason::IdleTimeout);
                    let (accepted, beats) = (stats.accepted, stats.beats);
                    say(&format!(
                        "accepted={accepted} beats={beats} idle-timeout={idle}"
                    ));
                })
                .expect("the loop runs"),
        }
    }
}

fn say(line: &str) {
    let mut out = io::stdout().lock();
    let said = writeln!(out, "{line}").and_then(|()| out.flush());
    said.expect("somebody reads");
}

/// Knows who is to be lost.
#[derive(Default)]
struct Storm {
    conns: HashSet<ConnId>,
}

impl Handler for Storm {
    fn on_message(&mut self, gate: &mut Gate, conn: ConnId, message: Message<'_>) -> Answer {
        if let Message::Login { user, .. } = message
            && user.starts_with("storm")
        {
            self.conns.insert(conn);
        }
        gate.obey(conn, message)
    }

    fn on_close(&mut self, _: &mut Gate, conn: ConnId, _: CloseReason) {
        self.conns.remove(&conn);
    }
}

/// A net that accepts so many a second.
struct Slow {
    net: MioNet,
    /// Accepts a second; zero: any.
    rate: Arc<AtomicU32>,
    /// Accepts that are allowed now.
    granted: f64,
    last: Duration,
}

impl Slow {
    fn may_accept(&mut self) -> bool {
        let rate = f64::from(self.rate.load(Ordering::Relaxed));
        if rate == 0.0 {
            return true;
        }
        let now = self.net.now();
        // A fifth of a second's worth at most: what was not used is not kept.
        let more = (now - self.last).as_secs_f64() * rate;
        self.granted = (self.granted + more).min(rate / 5.0);
        self.last = now;
        self.granted >= 1.0
    }
}

impl Net for Slow {
    type Listener = <MioNet as Net>::Listener;
    type Stream = <MioNet as Net>::Stream;

    fn wait(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()> {
        self.net.wait(ready, timeout)
    }

    fn rest(&mut self, span: Duration) {
        self.net.rest(span);
    }

    fn now(&mut self) -> Duration {
        self.net.now()
    }

    fn wall(&mut self) -> Duration {
        self.net.wall()
    }

    fn entropy(&mut self) -> u64 {
        self.net.entropy()
    }

    fn signal(&mut self) -> Option<Signal> {
        self.net.signal()
    }

    fn waker(&mut self) -> io::Result<Arc<dyn Wake>> {
        self.net.waker()
    }

    fn listen(
        &mut self,
        addr: SocketAddr,
        options: &SocketOptions,
        token: Token,
    ) -> io::Result<(Self::Listener, SocketAddr)> {
        self.net.listen(addr, options, token)
    }

    fn accept(&mut self, listener: &Self::Listener) -> io::Result<(Self::Stream, SocketAddr)> {
        if !self.may_accept() {
            // As if there were no descriptors: the listener rests for 80 ms.
            return Err(Errno::MFILE.into());
        }
        let accepted = self.net.accept(listener)?;
        self.granted -= 1.0;
        Ok(accepted)
    }

    fn register(&mut self, stream: &mut Self::Stream, token: Token) -> io::Result<()> {
        self.net.register(stream, token)
    }

    fn read(&mut self, stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<usize> {
        self.net.read(stream, buffer)
    }

    fn peek(&mut self, stream: &mut Self::Stream) -> io::Result<bool> {
        self.net.peek(stream)
    }

    fn write(&mut self, stream: &mut Self::Stream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.net.write(stream, slices)
    }

    fn finish(&mut self, stream: &mut Self::Stream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.net.finish(stream, slices)
    }

    fn shutdown_write(&mut self, stream: &mut Self::Stream) -> io::Result<()> {
        self.net.shutdown_write(stream)
    }

    fn close(&mut self, stream: Self::Stream, how: Ending) -> io::Result<()> {
        self.net.close(stream, how)
    }

    fn unlisten(&mut self, listener: Self::Listener) {
        self.net.unlisten(listener);
    }
}
