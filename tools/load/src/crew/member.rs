//! One worker, as its parent sees it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use pulsegate::net::mio::MioNet;
use pulsegate::{ConnId, Token};

use crate::channel::{Channel, Order, Pulse};

/// A child process and the way to it.
pub(crate) struct Member {
    child: Child,
    pub(crate) channel: Channel,
    pub(crate) is_ready: bool,
    pub(crate) is_done: bool,
    /// What it said last.
    pub(crate) pulse: Pulse,
}

impl Member {
    /// Starts worker `index` and gives it its first order.
    pub(crate) fn start(net: &mut MioNet, index: u32, order: &Order) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let child = Command::new(std::env::current_exe()?)
            .arg("worker")
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            // A signal from the terminal is the parent's to obey.
            .process_group(0)
            .spawn()?;
        let token = Token::Conn(ConnId { index, serial: 0 });
        let mut channel = Channel::new(ours.into(), net, token)?;
        channel.send(net, order, &[])?;
        Ok(Self {
            child,
            channel,
            is_ready: false,
            is_done: false,
            pulse: Pulse {
                phase: usize::MAX,
                ..Pulse::default()
            },
        })
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.is_done || self.pulse.is_resting && self.pulse.outstanding == 0
    }

    /// Sees it off.
    pub(crate) fn end(&mut self) {
        if !self.is_done {
            // It may have ended by itself meanwhile.
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
