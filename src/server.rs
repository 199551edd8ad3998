//! The loop: [`Server::turn`] is where everything happens, in seven phases, with a share for
//! operators among them.
//!
//! The server owns the sockets and moves bytes; the [`Gate`] holds the facts and decides; the
//! [`Handler`] is asked. Nothing is written or closed but in [`flush`](Server::flush) and
//! [`reap`](Server::reap), so no event of a turn meets a slot that was reused in it.

mod accept;
mod admin;
mod drain;
mod expire;
mod flush;
mod lag;
pub(crate) mod pulse;
mod serve;

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Weak};
use std::time::Duration;

use log::{info, warn};
use slab::Slab;

use self::accept::Door;
use self::admin::Office;
use self::drain::Drain;
use self::lag::Alarm;
use self::pulse::{At, Pulse};
use crate::gate::conn::Phase;
use crate::gate::tune::Course;
use crate::gate::{Birth, Configure, Gate};
use crate::handler::Handler;
use crate::id::Token;
use crate::limits::Limits;
use crate::net::{Ending, Net, Ready, Signal};
use crate::reason::CloseReason;
use crate::remote::{Remote, Task};
use crate::settings::{Settings, UserPolicy};

/// A loop over a net, with the application's handler behind it.
///
/// ```no_run
/// use pulsegate::net::mio::MioNet;
/// use pulsegate::{Options, Server, Settings};
///
/// # fn main() -> std::io::Result<()> {
/// let options = Options::default();
/// let mut server = Server::new(MioNet::new(options.limits.events)?, (), options)?;
/// server.listen(Settings::default())?;
/// server.run()
/// # }
/// ```
pub struct Server<N: Net, H: Handler> {
    net: N,
    handler: H,
    gate: Gate,
    /// The slab key of a socket is its connection's slot, and the index in its token.
    sockets: Slab<N::Stream>,
    doors: Vec<Door<N::Listener>>,
    /// Who is asked first for newcomers.
    first_door: usize,
    /// One read buffer for all connections.
    scratch: Box<[u8]>,
    ready: Vec<Ready>,
    due: Vec<u32>,
    tasks: Receiver<Task<H>>,
    remote: Remote<H>,
    has_tasks: bool,
    /// When it was last said that accepting rests, in seconds since the loop began.
    rest_warned: Option<u32>,
    /// What is said of the loop's lag.
    alarm: Alarm,
    /// Where the loop is, for whoever looks at it from outside.
    pulse: Arc<Pulse>,
    drain: Drain,
    stopping: Stopping,
    /// The admin interface, where there is one.
    office: Option<Box<Office<N>>>,
}

/// How a server is set up, beyond its listeners.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Bounds on tables, bytes and work.
    pub limits: Limits,
    /// What a second login of a user does.
    pub users: UserPolicy,
    /// A latency budget: with little ready the loop rests so long between turns, so that one
    /// wake-up serves many. `None`: never.
    pub coalesce: Option<Duration>,
    /// The goodbyes of a shutdown are spread evenly over so long.
    pub drain_over: Duration,
    /// How long after the last of them whoever is left is cut.
    pub drain_timeout: Duration,
    /// Slots of the timing wheel, a power of two: a turn takes so many times 2 ms.
    pub wheel_slots: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            users: UserPolicy::Replace,
            coalesce: None,
            drain_over: Duration::ZERO,
            drain_timeout: Duration::from_secs(10),
            wheel_slots: crate::wheel::SLOTS,
        }
    }
}

/// Whether the server is on its way out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stopping {
    No,
    /// Everybody was told; goodbyes are on their way.
    Drains,
    /// At once.
    Now,
}

/// More events than this in a turn are load: the loop does not rest then.
const COALESCE_EVENTS_MAX: usize = 64;

impl<N: Net, H: Handler + 'static> Server<N, H> {
    /// A loop without listeners.
    ///
    /// # Errors
    /// Where the net has no descriptor left for the waker.
    pub fn new(mut net: N, handler: H, options: Options) -> io::Result<Self> {
        let birth = Birth {
            now: net.now(),
            wall: net.wall(),
            key: (net.entropy(), net.entropy()),
            wheel_slots: options.wheel_slots,
        };
        let (remote, tasks) = Remote::new(options.limits.tasks as usize, net.waker()?);
        let course = Course::of(&options);
        let limits = options.limits;
        let mut gate = Gate::new(limits.clone(), options.users, birth);
        gate.course = course;
        Ok(Self {
            handler,
            sockets: Slab::with_capacity((limits.connections + limits.refusals) as usize),
            doors: Vec::new(),
            first_door: 0,
            scratch: vec![0; limits.read_bytes].into_boxed_slice(),
            ready: Vec::with_capacity(limits.events as usize),
            due: Vec::with_capacity(limits.expiries as usize),
            gate,
            tasks,
            remote,
            has_tasks: false,
            rest_warned: None,
            alarm: Alarm::default(),
            pulse: Arc::default(),
            drain: Drain::default(),
            stopping: Stopping::No,
            office: None,
            net,
        })
    }

    /// Binds every address of a listener. Returns the addresses it really has.
    ///
    /// # Errors
    /// As the system says; addresses bound before the one that failed stay bound.
    pub fn listen(&mut self, settings: Settings) -> io::Result<Vec<SocketAddr>> {
        self.listen_at_each(settings).map_err(|(_, error)| error)
    }

    /// The same; an error comes with the address that it is about.
    pub(crate) fn listen_at_each(
        &mut self,
        settings: Settings,
    ) -> Result<Vec<SocketAddr>, (SocketAddr, io::Error)> {
        let (binds, socket) = (settings.bind.clone(), settings.socket.clone());
        let rules = self.gate.add_rules(settings);
        binds
            .into_iter()
            .map(|bind| {
                let opened = self.open_door(bind, &socket, rules);
                opened.map_err(|error| (bind, error))
            })
            .collect()
    }

    /// Turns until a shutdown is finished.
    ///
    /// # Errors
    /// Where the poll itself is broken; nothing can be done then.
    pub fn run(&mut self) -> io::Result<()> {
        while !self.is_done() {
            self.turn()?;
        }
        self.close_office();
        Ok(())
    }

    /// One turn of the loop.
    ///
    /// # Errors
    /// Where the poll itself is broken.
    pub fn turn(&mut self) -> io::Result<()> {
        self.wait()?; //  sleeps until something is ready or due; time enters here
        self.mark(); //   listeners, other threads, signals; what they ask for
        self.accept(); // newcomers, so many a listener
        self.serve(); //  each ready connection: one read, its frames, the handler
        self.administer(); // requests of operators, so many rows
        self.expire(); // the wheel asks "is it time?": re-arm, or end
        self.flush(); //  each connection with output: one write
        self.reap(); //   the handler is told of ends, sockets are closed, slots are free
        Ok(())
    }

    /// Begins the shutdown: from now on the server is not ready, there are no more accepts,
    /// everybody is told `close shutdown` in turn, output is flushed. A second call ends at once.
    pub fn stop(&mut self) {
        if self.stopping != Stopping::No {
            self.stopping = Stopping::Now;
            return;
        }
        info!("shutting down connections={}", self.gate.connections());
        self.stopping = Stopping::Drains;
        self.gate.is_draining = true;
        self.handler.on_drain(&mut self.gate);
        self.accept_last();
        self.close_doors();
        self.begin_drain();
    }

    /// Whether a shutdown is finished.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match self.stopping {
            Stopping::No => false,
            Stopping::Drains => {
                self.sockets.is_empty() && self.gate.queues.are_empty() && self.has_told_admin()
            }
            Stopping::Now => true,
        }
    }

    fn wait(&mut self) -> io::Result<()> {
        self.refresh();
        self.pulse.rest(self.gate.connections());
        let mut timeout = self.gate.sleep_max();
        self.gate.pace_turn();
        let is_asked = self.gate.is_stop_asked || self.gate.is_configure_asked();
        let has_work = self.has_tasks || is_asked || self.admin_has_work();
        if has_work || self.doors.iter().any(Door::is_ready) {
            timeout = Some(Duration::ZERO);
        }
        if let Some(budget) = self.gate.course.coalesce
            && (1..=COALESCE_EVENTS_MAX).contains(&self.ready.len())
        {
            timeout = self.rest(budget, timeout);
        }
        self.ready.clear();
        let asleep = self.gate.clock.elapsed();
        self.net.wait(&mut self.ready, timeout)?;
        self.gate.clock.advance(self.net.now(), timeout);
        self.gate.pace_wake(asleep, timeout);
        self.gate.stats.events += self.ready.len() as u64;
        self.gate.fanout_left = self.gate.limits.fanout;
        self.gate.stats.turns += 1;
        Ok(())
    }

    /// Rests so that one wake-up serves many; never past the next deadline.
    fn rest(&mut self, budget: Duration, timeout: Option<Duration>) -> Option<Duration> {
        let span = timeout.map_or(budget, |timeout| timeout.min(budget));
        if span.is_zero() {
            return timeout;
        }
        self.net.rest(span);
        self.gate.clock.advance(self.net.now(), Some(span));
        self.gate.sleep_max()
    }

    /// Reads the clock in the course of a turn.
    fn refresh(&mut self) {
        self.gate
            .clock
            .advance(self.net.now(), Some(Duration::ZERO));
    }

    fn mark(&mut self) {
        self.pulse.enter(At::Mark);
        for at in 0..self.ready.len() {
            let ready = self.ready[at];
            match ready.token {
                // Their turn comes when they are served.
                Token::Conn(_) => {}
                Token::Listener(listener) => {
                    if let Some(door) = self.doors.get_mut(usize::from(listener.0)) {
                        door.mark();
                    }
                }
                Token::Admin { slot, serial } => self.mark_admin(slot, serial, ready),
                Token::AdminDoor => self.knock_admin(),
                Token::Waker => self.has_tasks = true,
                Token::Signal => self.obey_signals(),
            }
        }
        if self.has_tasks {
            self.run_tasks();
        }
        while let Some((ticket, what)) = self.gate.next_configure() {
            self.handler.on_configure(&mut self.gate, ticket, what);
        }
        if std::mem::take(&mut self.gate.is_stop_asked) {
            self.stop();
        }
        self.gate.lower_bounds();
        // Behind the tasks: one of them may have brought the first keys.
        let wall = self.gate.reads_wall().then(|| self.net.wall());
        self.gate.begin_signatures(wall);
    }

    fn obey_signals(&mut self) {
        while let Some(signal) = self.net.signal() {
            match signal {
                Signal::Terminate => self.stop(),
                Signal::Reload => {
                    if self.gate.configure(Configure::Reload).is_none() {
                        warn!("reload refused: too many are asked for already");
                    }
                }
            }
        }
    }

    fn run_tasks(&mut self) {
        for _ in 0..self.gate.limits.tasks {
            let Ok(task) = self.tasks.try_recv() else {
                self.has_tasks = false;
                return;
            };
            self.gate.stats.tasks += 1;
            task(&mut self.gate, &mut self.handler);
        }
    }

    fn reap(&mut self) {
        self.pulse.enter(At::Reap);
        let budget = self.gate.limits.reaps;
        for _ in 0..budget {
            let Some(farewell) = self.gate.queues.farewells.pop_front() else {
                break;
            };
            let Some(index) = self.gate.conns.find(farewell.conn) else {
                continue;
            };
            let reason = self
                .gate
                .conns
                .at(index)
                .reason
                .unwrap_or(CloseReason::Internal);
            self.gate.leaving = Some((farewell.conn, farewell.user));
            self.handler.on_close(&mut self.gate, farewell.conn, reason);
            self.gate.leaving = None;
        }
        for _ in 0..budget {
            // Nobody is forgotten before the handler was told.
            if !self.gate.queues.farewells.is_empty() {
                break;
            }
            let Some(conn) = self.gate.queues.gone.pop_front() else {
                break;
            };
            let Some(index) = self.gate.conns.find(conn) else {
                continue;
            };
            let was_cut = self.gate.conns.at(index).phase == Phase::Cut;
            let ending = if was_cut {
                Ending::Abort
            } else {
                Ending::Graceful
            };
            let closed = self.net.close(self.sockets.remove(index as usize), ending);
            self.gate.note_close(closed);
            self.gate.forget(index);
        }
        if std::mem::take(&mut self.gate.is_suspect) {
            // Going on with a torn gate would be worse than a restart: this panic is the end.
            self.gate.check();
        }
    }

    /// The gate, to look at or to change between turns.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The gate, to change between turns.
    pub fn gate_mut(&mut self) -> &mut Gate {
        &mut self.gate
    }

    /// The net.
    pub fn net(&self) -> &N {
        &self.net
    }

    /// The net, to change between turns.
    pub fn net_mut(&mut self) -> &mut N {
        &mut self.net
    }

    /// The handler.
    pub fn handler(&self) -> &H {
        &self.handler
    }

    /// The handler, to change between turns.
    pub fn handler_mut(&mut self) -> &mut H {
        &mut self.handler
    }

    /// The gate and the handler, to change both between turns.
    pub fn both_mut(&mut self) -> (&mut Gate, &mut H) {
        (&mut self.gate, &mut self.handler)
    }

    /// Where the loop is, for a thread that looks; nothing once the server is gone.
    pub(crate) fn pulse(&self) -> Weak<Pulse> {
        Arc::downgrade(&self.pulse)
    }

    /// A way into the loop for other threads.
    pub fn remote(&self) -> Remote<H> {
        self.remote.clone()
    }
}

impl<N: Net, H: Handler> std::fmt::Debug for Server<N, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}
