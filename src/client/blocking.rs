//! The blocking client: a thread that drives the machine over a `TcpStream`, and a handle that many
//! threads may share.

mod driver;

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;

use super::event::{Event, GaveUp, Lost, Outcome, Refusal, Refused, RequestId};
use super::heart::Rhythm;
use super::machine::Machine;
use super::options::{Login, Options, Retry};
use crate::codec::heard::Grant;
use crate::codec::message::{Body, Request};

/// A client that blocks its caller where it has to wait, and keeps its connection alive by a thread
/// of its own. Methods take `&self`: threads may share it.
///
/// Dropped without [`quit`](Self::quit), it closes the connection without a word; after it, it
/// waits until the system has taken all that was said, [`Options::linger`] at most.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

/// What the handle and the thread have in common.
#[derive(Debug)]
struct Shared {
    place: String,
    /// Where its time begins.
    began: Instant,
    state: Mutex<State>,
    /// Told when events wait, or nothing follows.
    told: Condvar,
    /// Told when the thread has something to do.
    wake: OwnedFd,
}

#[derive(Debug)]
struct State {
    machine: Machine,
    /// The handle is dropped.
    is_left: bool,
    /// The thread is on its way to look at the machine anyway.
    is_woken: bool,
}

/// Why there is no connection: where to, and what is wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{place}: {lost}")]
pub struct Error {
    /// Where it was to go, as it was given.
    pub place: String,
    /// What is wrong.
    pub lost: Lost,
}

/// Why a call has no result.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CallError {
    /// The server said no.
    #[error("{0}")]
    Refused(Refusal),
    /// It was sent, and the connection was lost before the answer.
    #[error("{}", Outcome::Unknown)]
    Unknown,
    /// It was never sent, and will not be.
    #[error("{}", Outcome::Unsent)]
    Unsent,
    /// It is still under way: its answer will be an event.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// So many events wait to be taken that nothing is read.
    #[error("too many events wait to be taken")]
    Deaf,
}

impl Client {
    /// Connects to `HOST:PORT` and waits until the server has answered the login, or a first ping
    /// where nobody logs in. From then on it comes back by itself, as the options say.
    ///
    /// # Errors
    /// Where the first attempt fails: what is wrong, within the options' deadlines.
    pub fn connect(place: &str, login: Option<Login>, options: Options) -> Result<Self, Error> {
        let client = Self::start(place, login, options)?;
        client.await_connected()?;
        Ok(client)
    }

    /// The same at once, without waiting: also the first attempt is repeated, and all that happens
    /// is told by events.
    ///
    /// # Errors
    /// Where the system has no thread or descriptor for it.
    pub fn start(place: &str, login: Option<Login>, options: Options) -> Result<Self, Error> {
        Self::launch(place, login, options, None)
    }

    /// As [`start`](Self::start), with heartbeats as `rhythm` says.
    ///
    /// # Errors
    /// As for `start`.
    pub fn start_with_rhythm(
        place: &str,
        login: Option<Login>,
        options: Options,
        rhythm: Box<dyn Rhythm>,
    ) -> Result<Self, Error> {
        Self::launch(place, login, options, Some(rhythm))
    }

    fn launch(
        place: &str,
        login: Option<Login>,
        options: Options,
        rhythm: Option<Box<dyn Rhythm>>,
    ) -> Result<Self, Error> {
        let shared = Arc::new(Self::prepare(place, login, options, rhythm)?);
        let driven = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("client".into())
            .spawn(move || driver::drive(&driven))
            .map_err(|error| Error::of(place, &error))?;
        Ok(Self { shared })
    }

    /// What the handle and the thread will have in common.
    fn prepare(
        place: &str,
        login: Option<Login>,
        options: Options,
        rhythm: Option<Box<dyn Rhythm>>,
    ) -> Result<Shared, Error> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let wake = wake.map_err(|error| Error::of(place, &error.into()))?;
        let options = Arc::new(options);
        let seed = driver::entropy();
        let mut machine = Machine::new(options, login, seed, Duration::ZERO);
        if let Some(rhythm) = rhythm {
            machine = machine.with_rhythm(rhythm);
        }
        Ok(Shared {
            place: place.to_owned(),
            began: Instant::now(),
            state: Mutex::new(State {
                machine,
                is_left: false,
                is_woken: false,
            }),
            told: Condvar::new(),
            wake,
        })
    }

    /// Waits for the first attempt's outcome; its events stay to be taken where it was good.
    fn await_connected(&self) -> Result<(), Error> {
        let shared = &self.shared;
        let is_undecided = |state: &mut State| !state.machine.has_events();
        let state = shared.lock();
        let mut state = shared
            .told
            .wait_while(state, is_undecided)
            .unwrap_or_else(PoisonError::into_inner);
        let now = shared.now();
        if state.machine.is_online() {
            return Ok(());
        }
        while let Some(event) = state.machine.event(now) {
            let (Event::Lost(lost) | Event::GaveUp(GaveUp::Told(lost))) = event else {
                continue;
            };
            let place = shared.place.clone();
            return Err(Error { place, lost });
        }
        Ok(())
    }

    /// The next thing that happens; `None` when nothing follows any more.
    #[must_use]
    pub fn recv(&self) -> Option<Event> {
        self.next(None)
    }

    /// The next thing that happens within `patience`; see [`is_over`](Self::is_over) for why there
    /// was none.
    #[must_use]
    pub fn recv_timeout(&self, patience: Duration) -> Option<Event> {
        self.next(after(patience))
    }

    fn next(&self, until: Option<Instant>) -> Option<Event> {
        let mut state = self.shared.lock();
        loop {
            let had_room = state.machine.wants_input();
            if let Some(event) = state.machine.event(self.shared.now()) {
                // An ack may have been said, and there may be room for more input.
                if !state.machine.output().is_empty() || !had_room {
                    self.shared.wake(&mut state);
                }
                return Some(event);
            }
            if state.machine.is_over() {
                return None;
            }
            state = self.shared.wait(state, until)?;
        }
    }

    /// Whether nothing happens any more, and every event is taken.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let state = self.shared.lock();
        state.machine.is_over() && !state.machine.has_events()
    }

    /// Takes any request of the dialect; what becomes of it comes as an event.
    ///
    /// # Errors
    /// Where it is not taken.
    pub fn request(&self, words: &Request<'_>) -> Result<RequestId, Refused> {
        let mut state = self.shared.lock();
        let request = state.machine.request(self.shared.now(), words)?;
        self.shared.wake(&mut state);
        // A request may be answered at once: leaving a topic while away.
        self.shared.told.notify_all();
        Ok(request)
    }

    /// Sends a message to a user; it is lost where the user is not there.
    ///
    /// # Errors
    /// Where it is not taken.
    pub fn send(&self, to: &str, text: &str) -> Result<RequestId, Refused> {
        self.post(to, text, false)
    }

    /// Sends a message to a user that is kept until the receiver has acknowledged it.
    ///
    /// # Errors
    /// Where it is not taken.
    pub fn send_acked(&self, to: &str, text: &str) -> Result<RequestId, Refused> {
        self.post(to, text, true)
    }

    fn post(&self, to: &str, text: &str, ack: bool) -> Result<RequestId, Refused> {
        let (to, body) = (to.into(), Body::Text(text.into()));
        self.request(&Request::Send { to, body, ack })
    }

    /// Joins a topic, now and after each reconnect.
    ///
    /// # Errors
    /// Where it is not taken.
    pub fn join(&self, topic: &str) -> Result<RequestId, Refused> {
        let topic = topic.into();
        self.request(&Request::Join { topic })
    }

    /// Leaves a topic.
    ///
    /// # Errors
    /// Where it is not taken.
    pub fn leave(&self, topic: &str) -> Result<RequestId, Refused> {
        let topic = topic.into();
        self.request(&Request::Leave { topic })
    }

    /// Sends a message to the members of a topic.
    ///
    /// # Errors
    /// Where it is not taken.
    pub fn publish(&self, topic: &str, text: &str) -> Result<RequestId, Refused> {
        let (topic, body) = (topic.into(), Body::Text(text.into()));
        self.request(&Request::Publish { topic, body })
    }

    /// Sends something to the backend.
    ///
    /// # Errors
    /// Where it is not taken.
    pub fn data(&self, text: &str) -> Result<RequestId, Refused> {
        let body = Body::Text(text.into());
        self.request(&Request::Data { body })
    }

    /// Asks whether the server lives; heartbeats go by themselves.
    ///
    /// # Errors
    /// Where it is not taken.
    pub fn ping(&self) -> Result<RequestId, Refused> {
        self.request(&Request::Ping)
    }

    /// Acknowledges a message, where the application does that ([`Acks`](super::Acks)).
    pub fn ack(&self, id: u64) {
        let mut state = self.shared.lock();
        state.machine.ack(self.shared.now(), id);
        self.shared.wake(&mut state);
    }

    /// Waits for what becomes of a request; other events stay to be taken.
    ///
    /// # Errors
    /// Where it was not done, or nobody knows within `patience`.
    pub fn wait(&self, request: RequestId, patience: Duration) -> Result<Grant, CallError> {
        let until = after(patience);
        let mut state = self.shared.lock();
        loop {
            match state.machine.outcome(self.shared.now(), request) {
                Some(Outcome::Done(grant)) => return Ok(grant),
                Some(Outcome::Refused(refusal)) => return Err(CallError::Refused(refusal)),
                Some(Outcome::Unknown) => return Err(CallError::Unknown),
                Some(Outcome::Unsent) => return Err(CallError::Unsent),
                None if state.machine.is_over() => return Err(CallError::Unsent),
                None if state.machine.has_link() && !state.machine.wants_input() => {
                    return Err(CallError::Deaf);
                }
                None => {}
            }
            let waited = self.shared.wait(state, until);
            state = waited.ok_or(CallError::Timeout(patience))?;
        }
    }

    /// Says goodbye; the last event follows when the server has heard it.
    pub fn quit(&self) {
        let mut state = self.shared.lock();
        state.machine.quit(self.shared.now());
        self.shared.wake(&mut state);
        self.shared.told.notify_all();
    }

    /// Whether the server knows us right now.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.shared.lock().machine.is_online()
    }

    /// Whether the server has sent it away for good.
    pub(super) fn is_sent_away(&self) -> bool {
        self.shared.lock().machine.is_sent_away()
    }

    /// After so long a silence of ours the server closes, as far as it is known.
    pub(super) fn idle_timeout(&self) -> Duration {
        self.shared.lock().machine.idle_timeout()
    }

    /// How long an answer may take.
    pub(super) fn patience(&self) -> Duration {
        self.shared.lock().machine.options().read_timeout
    }

    /// Where it goes, as it was given.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.shared.place
    }
}

impl Error {
    /// What the system says.
    fn of(place: &str, error: &std::io::Error) -> Self {
        let (place, lost) = (place.to_owned(), Lost::Io(error.to_string().into()));
        Self { place, lost }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_left = true;
        self.shared.wake(&mut state);
        // What was said before a `quit` is in the kernel's hands, even where the process ends now.
        let until = after(state.machine.options().linger);
        while state.machine.is_leaving() && !state.machine.output().is_empty() {
            let Some(waited) = self.shared.wait(state, until) else {
                return;
            };
            state = waited;
        }
    }
}

impl Shared {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the thread look at the machine.
    fn wake(&self, state: &mut State) {
        if !state.is_woken {
            state.is_woken = true;
            // It fails only where it has been told very often, and then it has been told.
            let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
        }
    }

    /// Waits until something is told; `None` where that was too long.
    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        until: Option<Instant>,
    ) -> Option<MutexGuard<'a, State>> {
        let Some(until) = until else {
            let state = self.told.wait(state);
            return Some(state.unwrap_or_else(PoisonError::into_inner));
        };
        let left = until.checked_duration_since(Instant::now())?;
        let waited = self.told.wait_timeout(state, left);
        Some(waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shared.place)
    }
}

impl Retry {
    /// Whether it comes back at all.
    #[must_use]
    pub fn is_never(&self) -> bool {
        self.attempts == Some(0)
    }
}

/// So long from now; a point that nobody lives to see is none.
fn after(span: Duration) -> Option<Instant> {
    Instant::now().checked_add(span)
}
