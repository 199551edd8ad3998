//! The contract of `Net` against the real kernel: what the loop believes about edges, errors and
//! socket options is true here.

mod edges;
mod process;
mod sockets;

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use pulsegate::net::mio::MioNet;
use pulsegate::net::{Net, Ready, SocketOptions};
use pulsegate::{ConnId, ListenerId, Token};

const LISTENER: Token = Token::Listener(ListenerId(0));
const CONN: Token = Token::Conn(ConnId {
    index: 5,
    serial: 9,
});
/// How long the kernel may take for what it does at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing must happen where nothing may.
const QUIET: Duration = Duration::from_millis(30);

type Listener = <MioNet as Net>::Listener;
type Stream = <MioNet as Net>::Stream;

/// A net with one listener.
struct World {
    net: MioNet,
    listener: Listener,
    addr: SocketAddr,
}

impl World {
    fn new() -> Self {
        Self::with(&SocketOptions::default())
    }

    fn with(options: &SocketOptions) -> Self {
        let mut net = MioNet::new(64).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (listener, addr) = net.listen(any, options, LISTENER).unwrap();
        Self {
            net,
            listener,
            addr,
        }
    }

    /// A client and the server's end of its connection, not registered.
    fn pair(&mut self) -> (TcpStream, Stream) {
        let client = TcpStream::connect(self.addr).unwrap();
        self.until(LISTENER, |ready| ready.readable);
        let (stream, peer) = self.net.accept(&self.listener).unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        (client, stream)
    }

    /// The same, registered as `CONN`, the first event taken.
    fn registered(&mut self) -> (TcpStream, Stream) {
        let (client, mut stream) = self.pair();
        self.net.register(&mut stream, CONN).unwrap();
        self.until(CONN, |ready| ready.writable);
        (client, stream)
    }

    /// Waits for an event that is as wanted.
    fn until(&mut self, token: Token, wanted: impl Fn(&Ready) -> bool) -> Ready {
        let deadline = Instant::now() + PATIENCE;
        let mut ready = Vec::new();
        while Instant::now() < deadline {
            ready.clear();
            self.net
                .wait(&mut ready, Some(Duration::from_millis(100)))
                .unwrap();
            let found = ready.iter().find(|one| one.token == token && wanted(one));
            if let Some(found) = found {
                return *found;
            }
        }
        panic!("no such event of {token:?}");
    }

    /// Demands that nothing is told for a while.
    fn quiet(&mut self) {
        let mut ready = Vec::new();
        self.net.wait(&mut ready, Some(QUIET)).unwrap();
        assert_eq!(ready, []);
    }
}
