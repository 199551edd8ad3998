//! A plain socket in a pool, and a look at it.

use std::io;
use std::net::{SocketAddr, TcpStream};

use pulsegate::pool::Pooled;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

pub(crate) struct Plain(TcpStream);

impl Pooled for Plain {
    type Settings = SocketAddr;
    type Error = io::Error;

    fn connect(addr: &SocketAddr) -> io::Result<Self> {
        TcpStream::connect(addr).map(Self)
    }

    fn check(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn is_open(&mut self) -> bool {
        let look = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        recv(&self.0, &mut [0; 1][..], look) == Err(Errno::AGAIN)
    }
}
