//! SIGINT and SIGTERM as events of the net, told apart.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use mio::net::TcpStream;
use pulsegate::net::Net;
use pulsegate::net::mio::MioNet;
use pulsegate::{ListenerId, Token};
use signal_hook::consts::{SIGINT, SIGTERM};

/// The ends at which signals come out.
pub(crate) struct Signals {
    ends: Vec<TcpStream>,
}

impl Signals {
    pub(crate) fn new(net: &mut MioNet) -> io::Result<Self> {
        let mut ends = Vec::new();
        for (number, signal) in (0..).zip(SIGNALS) {
            let (ours, handlers) = UnixStream::pair()?;
            signal_hook::low_level::pipe::register(signal, handlers)?;
            let ours = std::net::TcpStream::from(OwnedFd::from(ours));
            ours.set_nonblocking(true)?;
            let mut ours = TcpStream::from_std(ours);
            net.register(&mut ours, Token::Listener(ListenerId(number)))?;
            ends.push(ours);
        }
        Ok(Self { ends })
    }

    /// The signal that an event under this number stands for.
    pub(crate) fn take(&self, number: u16) -> i32 {
        let number = usize::from(number).min(self.ends.len() - 1);
        SIGNALS[number]
    }
}

const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];
