//! The two nets, with the peers at their other ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use pulsegate::net::Net;
use pulsegate::net::mio::MioNet;
use socket2::SockRef;

use crate::world::agenda::MILLI;
use crate::world::socket::{Heard, Key};
use crate::world::{Path, SimNet};

/// A net with the peers at its other end.
pub(super) trait Rig {
    type Net: Net;
    fn net(&mut self) -> &mut Self::Net;
    /// Where it listens.
    fn place(&mut self) -> SocketAddr;
    fn dial(&mut self, addr: SocketAddr) -> bool;
    fn say(&mut self, peer: usize, text: &str);
    fn fin(&mut self, peer: usize);
    fn reset(&mut self, peer: usize);
    fn leave(&mut self, peer: usize);
    /// What has come, and whether the stream ended: "eof", "reset" or "".
    fn hear(&mut self, peer: usize) -> (Vec<u8>, &'static str);
}

/// Sockets over loopback.
pub(super) struct Real {
    net: MioNet,
    peers: Vec<Option<TcpStream>>,
}

impl Real {
    pub(super) fn new() -> Self {
        let net = MioNet::new(64).expect("it polls");
        Self {
            net,
            peers: Vec::new(),
        }
    }

    fn peer(&mut self, peer: usize) -> &mut TcpStream {
        self.peers[peer].as_mut().expect("it is there")
    }
}

impl Rig for Real {
    type Net = MioNet;

    fn net(&mut self) -> &mut MioNet {
        &mut self.net
    }

    fn place(&mut self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    fn dial(&mut self, addr: SocketAddr) -> bool {
        let peer = TcpStream::connect(addr).ok();
        let is_there = peer.is_some();
        self.peers.push(peer);
        is_there
    }

    fn say(&mut self, peer: usize, text: &str) {
        // To somebody who has reset the connection nothing is said.
        let _ = self.peer(peer).write_all(text.as_bytes());
    }

    fn fin(&mut self, peer: usize) {
        self.peer(peer)
            .shutdown(Shutdown::Write)
            .expect("it is open");
    }

    fn reset(&mut self, peer: usize) {
        let peer = self.peers[peer].take().expect("it is there");
        let at_once = SockRef::from(&peer).set_linger(Some(Duration::ZERO));
        at_once.expect("it is a socket");
    }

    fn leave(&mut self, peer: usize) {
        self.peers[peer] = None;
    }

    fn hear(&mut self, peer: usize) -> (Vec<u8>, &'static str) {
        let peer = self.peer(peer);
        let patience = Some(Duration::from_millis(50));
        peer.set_read_timeout(patience).expect("it is a socket");
        let (mut bytes, mut buffer) = (Vec::new(), [0; 1 << 16]);
        loop {
            match peer.read(&mut buffer) {
                Ok(0) => return (bytes, "eof"),
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return (bytes, "reset");
                }
                Err(_) => return (bytes, ""),
            }
        }
    }
}

/// Sockets of the simulation.
pub(super) struct Simulated {
    pub(super) net: SimNet<()>,
    peers: Vec<Option<Key>>,
}

impl Simulated {
    pub(super) fn new() -> Self {
        Self {
            net: SimNet::new(1, ()),
            peers: Vec::new(),
        }
    }

    fn key(&self, peer: usize) -> Key {
        self.peers[peer].expect("it is there")
    }
}

impl Rig for Simulated {
    type Net = SimNet<()>;

    fn net(&mut self) -> &mut SimNet<()> {
        &mut self.net
    }

    fn place(&mut self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 7_373))
    }

    fn dial(&mut self, _addr: SocketAddr) -> bool {
        // What has arrived survives a reset, as it does over loopback.
        let path = Path {
            loses_on_reset: false,
            ..Path::default()
        };
        let peer = self.net.kernel.dial(0, None, path);
        self.peers.push(peer);
        peer.is_some()
    }

    fn say(&mut self, peer: usize, text: &str) {
        let key = self.key(peer);
        self.net.kernel.say(key, text.as_bytes());
    }

    fn fin(&mut self, peer: usize) {
        let key = self.key(peer);
        self.net.kernel.finish(key);
    }

    fn reset(&mut self, peer: usize) {
        let key = self.key(peer);
        self.net.kernel.reset(key);
    }

    fn leave(&mut self, peer: usize) {
        let key = self.key(peer);
        self.net.kernel.leave(key);
    }

    fn hear(&mut self, peer: usize) -> (Vec<u8>, &'static str) {
        let key = self.key(peer);
        self.net.pass(MILLI);
        let bytes = self.net.kernel.hear_all(key);
        let end = match self.net.kernel.listen_at_peer(key) {
            Heard::Fin => "eof",
            Heard::Reset => "reset",
            _ => "",
        };
        (bytes, end)
    }
}
