//! The thread of a blocking client: waits for the socket, for the handle and for the next deadline,
//! and tells the machine.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Shared, State};
use crate::client::dial;
use crate::client::event::Lost;
use crate::client::machine::Machine;

/// The thread's own things.
struct Driver<'a> {
    shared: &'a Shared,
    stream: Option<TcpStream>,
    /// Whether the stream is still to come about.
    is_dialing: bool,
    /// Further addresses of the same attempt.
    others: Vec<SocketAddr>,
    /// When the attempt ends, and when the next of its addresses is tried.
    until: Duration,
    next_at: Option<Duration>,
    buffer: Box<[u8]>,
}

/// Drives the machine until nothing follows, or nobody is interested any more.
pub(super) fn drive(shared: &Shared) {
    let mut driver = Driver::new(shared);
    while driver.turn() {}
    shared.told.notify_all();
}

/// A seed that no other client has.
pub(super) fn entropy() -> u64 {
    use rustix::rand::{GetRandomFlags, getrandom};
    let mut bytes = [0; 8];
    // Where it is interrupted or not there yet, what is there must do: it only spreads waits.
    let _ = getrandom(&mut bytes, GetRandomFlags::NONBLOCK);
    u64::from_ne_bytes(bytes) ^ u64::from(std::process::id())
}

impl<'a> Driver<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            stream: None,
            is_dialing: false,
            others: Vec::new(),
            until: Duration::ZERO,
            next_at: None,
            buffer: vec![0; BUFFER].into(),
        }
    }

    /// One round; whether another one follows.
    fn turn(&mut self) -> bool {
        let shared = self.shared;
        let mut state = shared.lock();
        state.is_woken = false;
        // Whoever has said goodbye is heard out, for as long as that may take.
        if state.is_left && !state.machine.is_leaving() {
            return false;
        }
        // Before time is looked at: after a pause, nobody is stuck or silent who was not asked.
        self.write(&mut state);
        let now = shared.now();
        if state.machine.deadline().is_some_and(|at| at <= now) {
            self.hear(&mut state);
        }
        state.machine.tick(now);
        if state.machine.wants_dial(now) {
            drop(state);
            self.dial();
            state = shared.lock();
        }
        self.write(&mut state);
        let machine = &state.machine;
        if !machine.has_link() && !machine.is_dialing() {
            (self.stream, self.is_dialing) = (None, false);
        }
        if machine.has_events() || (state.is_left && machine.output().is_empty()) {
            shared.told.notify_all();
        }
        if machine.is_over() {
            return false;
        }
        let deadline = machine.deadline();
        let wants = self.wants(machine);
        drop(state);
        let next_at = self.next_at.filter(|_| self.is_dialing);
        let is_ready = self.wait(deadline.into_iter().chain(next_at).min(), wants);
        if is_ready && self.is_dialing {
            self.arrive();
        } else if next_at.is_some_and(|at| at <= shared.now()) {
            // This one says nothing: the next one may.
            self.dial_next(Lost::ConnectTimeout(self.patience()));
        } else if is_ready && wants.contains(PollFlags::IN) {
            self.read();
        }
        true
    }

    /// What the socket is waited for.
    fn wants(&self, machine: &Machine) -> PollFlags {
        let mut wants = PollFlags::empty();
        if self.is_dialing || !machine.output().is_empty() {
            wants |= PollFlags::OUT;
        }
        if !self.is_dialing && machine.wants_input() {
            wants |= PollFlags::IN;
        }
        wants
    }

    /// Waits; whether the socket is ready for something.
    fn wait(&self, deadline: Option<Duration>, wants: PollFlags) -> bool {
        let left = deadline.map(|deadline| deadline.saturating_sub(self.shared.now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let wake = PollFd::new(&self.shared.wake, PollFlags::IN);
        // A socket that nothing is wanted of would tell of its end again and again.
        let stream = self.stream.as_ref().filter(|_| !wants.is_empty());
        let (woken, ready) = match stream {
            Some(stream) => {
                let mut both = [wake, PollFd::from_borrowed_fd(stream.as_fd(), wants)];
                let _ = poll(&mut both, left.as_ref());
                (!both[0].revents().is_empty(), !both[1].revents().is_empty())
            }
            None => {
                let mut one = [wake];
                let _ = poll(&mut one, left.as_ref());
                (!one[0].revents().is_empty(), false)
            }
        };
        if woken {
            let _ = rustix::io::read(&self.shared.wake, &mut [0; 8]);
        }
        ready
    }

    /// Finds the addresses, and begins with the first.
    fn dial(&mut self) {
        let shared = self.shared;
        let patience = self.patience();
        self.until = shared.now() + patience;
        match dial::resolve(&shared.place, patience) {
            Ok(addrs) => {
                self.others = addrs.into_iter().rev().collect();
                self.dial_next(Lost::Refused);
            }
            Err(lost) => shared.lock().machine.lost(shared.now(), lost),
        }
    }

    fn patience(&self) -> Duration {
        self.shared.lock().machine.options().connect_timeout
    }

    /// Begins with the next address; where there is none, the attempt has failed. Each has the same
    /// share of the time that is left, so that one that says nothing does not hide the others.
    fn dial_next(&mut self, mut lost: Lost) {
        let shared = self.shared;
        let keepalive = shared.lock().machine.options().keepalive;
        while let Some(addr) = self.others.pop() {
            match dial::begin(addr, keepalive) {
                Ok(stream) => {
                    (self.stream, self.is_dialing) = (Some(stream), true);
                    let (now, others) = (shared.now(), self.others.len());
                    let share = self.until.saturating_sub(now)
                        / u32::try_from(others + 1).unwrap_or(u32::MAX);
                    self.next_at = (others > 0).then_some(now + share);
                    return;
                }
                Err(why) => lost = why,
            }
        }
        (self.stream, self.is_dialing) = (None, false);
        shared.lock().machine.lost(shared.now(), lost);
    }

    /// The connection has come about, or not.
    fn arrive(&mut self) {
        let Some(stream) = &self.stream else { return };
        self.is_dialing = false;
        match stream.take_error() {
            Ok(None) => self.shared.lock().machine.dialed(self.shared.now()),
            Ok(Some(error)) | Err(error) => self.dial_next(dial::of(&error)),
        }
    }

    fn read(&mut self) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        let read = stream.read(&mut self.buffer);
        let mut state = self.shared.lock();
        self.take(&mut state, read);
    }

    /// Reads what is there already, where anything may be read.
    fn hear(&mut self, state: &mut State) {
        if let Some(stream) = &mut self.stream
            && !self.is_dialing
            && state.machine.wants_input()
        {
            let read = stream.read(&mut self.buffer);
            self.take(state, read);
        }
    }

    fn take(&self, state: &mut State, read: std::io::Result<usize>) {
        let now = self.shared.now();
        match read {
            Ok(0) => state.machine.lost(now, Lost::PeerClosed),
            Ok(length) => state.machine.received(now, &self.buffer[..length]),
            Err(error) if is_patient(&error) => {}
            Err(error) => state.machine.lost(now, dial::of(&error)),
        }
    }

    /// Writes what waits. Where that fails, what can still be read comes first: it may say why.
    fn write(&mut self, state: &mut State) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        if self.is_dialing {
            return;
        }
        while !state.machine.output().is_empty() {
            match stream.write(state.machine.output()) {
                Ok(written) => state.machine.wrote(self.shared.now(), written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_patient(&error) => break,
                Err(error) => {
                    let lost = dial::of(&error);
                    while let Ok(length @ 1..) = stream.read(&mut self.buffer) {
                        let now = self.shared.now();
                        state.machine.received(now, &self.buffer[..length]);
                    }
                    state.machine.lost(self.shared.now(), lost);
                }
            }
        }
    }
}

/// Whether an error only says: not now.
fn is_patient(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Bytes of one read.
const BUFFER: usize = 16 * 1_024;

#[cfg(test)]
mod tests;
