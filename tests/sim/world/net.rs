//! `SimNet`: the simulated world behind the trait that the server sees.
//!
//! The kernel below makes no mistakes and the crowd above acts by its scripts; the faults, the
//! clock that jumps, the fingerprint of the run and the first oracles live here:
//! - a server that asks not to wait, again and again, without anything to do, spins;
//! - a server that sleeps while input it has never been refused lies unread has stalled.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pulsegate::Token;
use pulsegate::net::{Ending, Net, Ready, Signal, SocketOptions, Wake};
use rustix::io::Errno;

use super::agenda::{Deed, MICRO, MILLI, Nanos, SECOND, nanos};
use super::dice::Dice;
use super::faults::Faults;
use super::kernel::Kernel;
use super::marks::Mark;
use super::socket::Key;
use super::trace::{Call, Trace};

/// The clients of a world: told when something changed at their end, and when their time comes.
pub(crate) trait Crowd {
    /// Something changed at this client's connection.
    fn stir(&mut self, kernel: &mut Kernel, who: u32);
    /// A timer of this client is due.
    fn wake(&mut self, kernel: &mut Kernel, who: u32, which: u32);
    /// A turning point of the run.
    fn mark(&mut self, _kernel: &mut Kernel, _which: u32) {}
}

/// Nobody: peers are driven by hand.
impl Crowd for () {
    fn stir(&mut self, _kernel: &mut Kernel, _who: u32) {}
    fn wake(&mut self, _kernel: &mut Kernel, _who: u32, _which: u32) {}
}

/// More turns in a row without an event and without a call are a spin. A walk over everybody in a
/// small world, after a reload, is the longest that there is to do without either: one a turn.
const IDLE_TURNS: u32 = 128;

/// A simulated world.
pub(crate) struct SimNet<C> {
    pub(crate) kernel: Kernel,
    pub(crate) crowd: C,
    pub(crate) faults: Faults,
    pub(crate) dice: Dice,
    pub(crate) trace: Trace,
    /// Events that one wait may report.
    pub(crate) capacity: usize,
    /// What each call costs.
    pub(crate) toll: Nanos,
    /// The next call takes so long.
    pub(crate) slow_once: Option<Nanos>,
    /// The wait comes back at this time at the latest, so that a run can end.
    pub(crate) horizon: Nanos,
    /// Whether the last wait was for ever while nothing in the world would have ended it.
    pub(crate) is_asleep: bool,
    /// What the loop said it would take since it last read the clock: `None` is for ever.
    asked: Option<Duration>,
    /// Turns in a row that asked not to wait and had nothing to do.
    pub(crate) idle_turns: u32,
    /// So many of those are a spin.
    pub(crate) idle_turns_max: u32,
    pub(crate) signals: VecDeque<Signal>,
    pub(crate) wall_offset: i64,
    /// The longest pause that a fault may bring.
    pub(crate) pause_max: Nanos,
    /// Accept fails until then, with this.
    pub(crate) drought: Option<(Nanos, Errno)>,
    pub(super) signal_told: bool,
    /// Tokens of connections that are closed; some come back as ghosts.
    pub(crate) ghosts: VecDeque<Token>,
    /// Closes of which the server was told an error.
    pub(crate) closes_failed: u64,
    pub(super) bell: Arc<Bell>,
}

/// A connection as the server holds it. Dropping it is no close: it must be handed back.
#[derive(Debug)]
pub(crate) struct SimStream(pub(crate) Key);

/// A listening socket as the server holds it.
#[derive(Debug)]
pub(crate) struct SimListener(pub(crate) u16);

/// What another thread rings.
#[derive(Default)]
pub(super) struct Bell(pub(super) AtomicBool);

impl Wake for Bell {
    fn wake(&self) -> io::Result<()> {
        self.0.store(true, Ordering::SeqCst);
        Ok(())
    }
}

impl<C: Crowd> SimNet<C> {
    pub(crate) fn new(seed: u64, crowd: C) -> Self {
        Self {
            kernel: Kernel::new(),
            crowd,
            faults: Faults::default(),
            dice: Dice::new(seed),
            trace: Trace::new(false),
            capacity: 64,
            toll: MICRO,
            slow_once: None,
            horizon: Nanos::MAX,
            is_asleep: false,
            asked: Some(Duration::ZERO),
            idle_turns: 0,
            idle_turns_max: IDLE_TURNS,
            signals: VecDeque::new(),
            wall_offset: 0,
            pause_max: 300 * SECOND,
            drought: None,
            signal_told: false,
            ghosts: VecDeque::new(),
            closes_failed: 0,
            bell: Arc::default(),
        }
    }

    /// Lets the server find a signal.
    pub(crate) fn send_signal(&mut self, signal: Signal) {
        self.signals.push_back(signal);
        self.signal_told = false;
    }

    /// Lets time pass in the middle of something; the world goes on meanwhile.
    pub(crate) fn pass(&mut self, span: Nanos) {
        let end = self.kernel.agenda.now + span;
        while self.kernel.agenda.next_at().is_some_and(|at| at <= end) {
            let at = self.kernel.agenda.next_at().expect("it is there");
            self.kernel.agenda.now = self.kernel.agenda.now.max(at);
            self.run_due();
        }
        self.kernel.agenda.now = end;
    }

    /// Time that the server can not help: a pause, a slow call.
    pub(crate) fn lose(&mut self, span: Nanos) {
        self.trace.say(self.kernel.now(), || {
            format!("      {} ms are lost", span / MILLI)
        });
        self.pass(span);
        self.kernel.lag += span;
    }

    /// Does everything that is due by now.
    pub(crate) fn run_due(&mut self) {
        while let Some(deed) = self.kernel.agenda.take_due() {
            match deed {
                Deed::Wake(who, which) => self.crowd.wake(&mut self.kernel, who, which),
                Deed::Mark(which) => self.crowd.mark(&mut self.kernel, which),
                network => {
                    if let Some(who) = self.kernel.perform(network) {
                        self.crowd.stir(&mut self.kernel, who);
                    }
                }
            }
        }
    }

    /// A server may ask not to wait while it has work left; it must then do some.
    fn guard_against_spin(&mut self, timeout: Option<Duration>) {
        if timeout != Some(Duration::ZERO) {
            self.idle_turns = 0;
            return;
        }
        self.idle_turns += 1;
        assert!(
            self.idle_turns <= self.idle_turns_max,
            "spin: {} turns in a row asked not to wait, had no event and did nothing",
            self.idle_turns,
        );
    }

    /// A loop that comes more than half a second later than it asked to has stalled; what it asked
    /// for is over with this reading of the clock.
    fn note_stall(&mut self) {
        let passed = self.kernel.now() - self.kernel.clock.at;
        let asked = self.asked.replace(Duration::ZERO);
        let late = asked.map_or(0, |asked| passed.saturating_sub(nanos(asked)));
        if late > SECOND / 2 {
            self.kernel.stall += late;
            self.kernel.marks.reach(Mark::Stall);
        }
    }

    /// What each call costs, and now and then much more.
    #[inline]
    fn charge(&mut self) {
        if let Some(span) = self.slow_once.take() {
            self.lose(span);
        }
        if self.dice.happens(self.faults.slow_call) {
            let span = self.dice.span(MILLI, 3 * SECOND);
            self.lose(span);
        }
        self.kernel.agenda.now += self.toll;
    }
}

impl<C: Crowd> Net for SimNet<C> {
    type Listener = SimListener;
    type Stream = SimStream;

    fn wait(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()> {
        self.guard_against_spin(timeout);
        self.asked = timeout;
        self.kernel.agenda.now += self.toll;
        // Like mio: a timeout is rounded up to whole milliseconds.
        let start = self.kernel.agenda.now;
        let end = timeout.map(|timeout| start + nanos(timeout).div_ceil(MILLI) * MILLI);
        self.is_asleep = false;
        self.trace.say(start, || format!("wait {timeout:?}"));
        if self.disturb_wait() {
            self.trace.note(Call::Wait, 0, self.kernel.now());
            return Ok(());
        }
        self.sleep(end);
        if self.dice.happens(self.faults.late) {
            let span = self.dice.span(MICRO, self.faults.late_most);
            self.lose(span);
        }
        self.harvest(ready);
        self.trace.note(Call::Wait, 1, self.kernel.now());
        Ok(())
    }

    fn rest(&mut self, span: Duration) {
        self.asked = Some(span);
        self.kernel.marks.reach(Mark::Rested);
        self.pass(nanos(span));
        self.trace.note(Call::Rest, 0, nanos(span));
    }

    fn now(&mut self) -> Duration {
        self.note_stall();
        self.kernel.clock = self.kernel.stamp();
        self.trace.note(Call::Now, 0, self.kernel.now());
        Duration::from_nanos(self.kernel.now())
    }

    fn wall(&mut self) -> Duration {
        let seconds = 1_700_000_000_i64 + self.wall_offset;
        let wall =
            Duration::from_secs(seconds.unsigned_abs()) + Duration::from_nanos(self.kernel.now());
        self.trace.note(Call::Wall, 0, nanos(wall));
        wall
    }

    fn entropy(&mut self) -> u64 {
        let number = self.dice.next();
        self.trace.note(Call::Entropy, 0, number);
        number
    }

    fn signal(&mut self) -> Option<Signal> {
        self.signals.pop_front()
    }

    fn waker(&mut self) -> io::Result<Arc<dyn Wake>> {
        Ok(Arc::clone(&self.bell) as Arc<dyn Wake>)
    }

    fn listen(
        &mut self,
        addr: SocketAddr,
        options: &SocketOptions,
        token: Token,
    ) -> io::Result<(SimListener, SocketAddr)> {
        let number = self.kernel.listen(addr, options.backlog as usize, token);
        self.trace
            .note(Call::Listen, token.pack(), u64::from(number));
        Ok((SimListener(number), addr))
    }

    fn accept(&mut self, listener: &SimListener) -> io::Result<(SimStream, SocketAddr)> {
        self.charge();
        let accepted = match self.disturb_accept(listener.0) {
            Some(error) => Err(error),
            None => self.kernel.accept(listener.0),
        };
        let errno = accepted.as_ref().err().and_then(Errno::from_io_error);
        self.kernel
            .marks
            .reach_if(errno == Some(Errno::MFILE), Mark::NoDescriptor);
        self.kernel
            .marks
            .reach_if(errno == Some(Errno::NOMEM), Mark::NoMemory);
        let result = accepted
            .as_ref()
            .map_or_else(code, |key| u64::from(key.slot));
        self.trace.note(Call::Accept, u64::from(listener.0), result);
        self.trace.say(self.kernel.now(), || {
            format!("accept l{} {accepted:?}", listener.0)
        });
        let key = accepted?;
        self.idle_turns = 0;
        let from = self.kernel.get(key).and_then(|socket| socket.peer.from);
        Ok((SimStream(key), peer_address(key, from)))
    }

    fn accept_reserved(&mut self, listener: &SimListener) -> io::Result<(SimStream, SocketAddr)> {
        if self.kernel.has_newcomer(listener.0) {
            self.accept(listener)
        } else {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }

    fn register(&mut self, stream: &mut SimStream, token: Token) -> io::Result<()> {
        if self.dice.happens(self.faults.register_failed) {
            self.kernel.marks.reach(Mark::Unregistered);
            return Err(Errno::NOMEM.into());
        }
        self.kernel.register(stream.0, token);
        self.trace
            .note(Call::Register, u64::from(stream.0.slot), token.pack());
        Ok(())
    }

    fn read(&mut self, stream: &mut SimStream, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(!buffer.is_empty(), "a read needs a buffer");
        self.charge();
        let result = self.read_with_faults(stream.0, buffer);
        let code = result.as_ref().map_or_else(code, |&count| count as u64);
        self.trace.note(Call::Read, u64::from(stream.0.slot), code);
        if let Ok(count) = result {
            self.trace.note_bytes(&buffer[..count]);
            self.idle_turns = 0;
        }
        self.trace.say(self.kernel.now(), || match &result {
            Ok(count) => {
                format!(
                    "read  s{} {}",
                    stream.0.slot,
                    buffer[..*count].escape_ascii()
                )
            }
            Err(error) => format!("read  s{} {:?}", stream.0.slot, error.kind()),
        });
        result
    }

    fn peek(&mut self, stream: &mut SimStream) -> io::Result<bool> {
        self.charge();
        let result = self.peek_with_faults(stream.0);
        let code = result.as_ref().map_or_else(code, |&more| u64::from(more));
        self.trace.note(Call::Peek, u64::from(stream.0.slot), code);
        self.trace.say(self.kernel.now(), || {
            format!("peek  s{} {result:?}", stream.0.slot)
        });
        result
    }

    fn write(&mut self, stream: &mut SimStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.charge();
        let result = self.write_with_faults(stream.0, slices);
        let code = result.as_ref().map_or_else(code, |&count| count as u64);
        self.trace.note(Call::Write, u64::from(stream.0.slot), code);
        if result.is_ok() {
            self.idle_turns = 0;
        }
        self.trace.say(self.kernel.now(), || {
            let bytes: Vec<u8> = slices
                .iter()
                .flat_map(|slice| slice.iter().copied())
                .collect();
            format!(
                "write s{} {result:?} of {}",
                stream.0.slot,
                bytes.escape_ascii()
            )
        });
        result
    }

    fn shutdown_write(&mut self, stream: &mut SimStream) -> io::Result<()> {
        self.charge();
        let result = self.kernel.shutdown_write(stream.0);
        self.trace.note(
            Call::Shutdown,
            u64::from(stream.0.slot),
            u64::from(result.is_ok()),
        );
        self.trace.say(self.kernel.now(), || {
            format!("shut  s{} {result:?}", stream.0.slot)
        });
        self.idle_turns = 0;
        result
    }

    fn close(&mut self, stream: SimStream, how: Ending) -> io::Result<()> {
        self.charge();
        let socket = &self.kernel.sockets[stream.0.slot as usize];
        if let Some(token) = socket.server.token {
            if self.ghosts.len() == 16 {
                self.ghosts.pop_front();
            }
            self.ghosts.push_back(token);
        }
        self.kernel.close(stream.0, how);
        self.trace
            .note(Call::Close, u64::from(stream.0.slot), how as u64);
        self.trace.say(self.kernel.now(), || {
            format!("close s{} {how:?}", stream.0.slot)
        });
        self.idle_turns = 0;
        if self.dice.happens(self.faults.close_failed) {
            // The socket is gone all the same.
            self.kernel.marks.reach(Mark::CloseFailed);
            self.closes_failed += 1;
            return Err(Errno::IO.into());
        }
        Ok(())
    }

    fn unlisten(&mut self, listener: SimListener) {
        self.kernel.unlisten(listener.0);
        self.trace.note(Call::Unlisten, u64::from(listener.0), 0);
    }
}

fn code(error: &io::Error) -> u64 {
    1 << 32
        | error
            .raw_os_error()
            .map_or(0, |number| u64::from(number.unsigned_abs()))
}

/// Every peer comes from an address of its own, unless it is said from which.
fn peer_address(key: Key, from: Option<IpAddr>) -> SocketAddr {
    let [_, a, b, c] = key.slot.to_be_bytes();
    let ip = from.unwrap_or_else(|| IpAddr::from([10, a, b, c]));
    SocketAddr::from((ip, 1_024 + (key.life % 60_000) as u16))
}
