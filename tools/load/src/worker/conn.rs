//! One connection: at most 168 bytes, and buffers only while something waits in them.

use std::collections::VecDeque;

use mio::net::TcpStream;

/// A connection's facts.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) stream: Option<TcpStream>,
    /// Grows with each socket, so that no late event reaches the next one.
    pub(crate) serial: u32,
    /// Which of its cohort's connections it is, over all workers.
    pub(crate) number: u32,
    pub(crate) cohort: u16,
    pub(crate) state: State,
    /// Failed attempts in a row.
    pub(crate) attempts: u8,
    /// Answers that the greeting still waits for.
    pub(crate) greeting: u32,
    /// Bytes are left unread.
    pub(crate) is_deaf: bool,
    /// When it left or was lost, until it is back; [`NEVER`] otherwise.
    pub(crate) left: u64,
    /// When the agenda is to ask; [`NEVER`] otherwise.
    pub(crate) due: u64,
    /// The moment that the next step was meant for.
    pub(crate) intended: u64,
    /// When the present step really began.
    pub(crate) began: u64,
    /// Requests without an answer, oldest first.
    pub(crate) flight: VecDeque<Sent>,
    /// The front of something that is not whole yet.
    pub(crate) held: Vec<u8>,
    /// What the socket has not taken yet.
    pub(crate) unsent: Vec<u8>,
}

/// Requests that left together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) intended: u64,
    pub(crate) sent: u64,
    pub(crate) count: u32,
}

/// Where a connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Its cohort has not begun.
    Off,
    /// For the moment of its next attempt.
    Waiting,
    /// Its moment has come; others are under way.
    Queued,
    /// Connecting.
    Dialing,
    /// Open, and waiting for the answers to its greeting.
    Greeting,
    /// Ready for what it is there for.
    Open,
    /// For good.
    Gone,
}

impl State {
    pub(crate) const COUNT: usize = 7;

    /// Whether it may still become open by itself.
    pub(crate) fn is_under_way(self) -> bool {
        matches!(
            self,
            Self::Waiting | Self::Queued | Self::Dialing | Self::Greeting
        )
    }
}

impl Conn {
    pub(crate) fn new(cohort: u16, number: u32) -> Self {
        Self {
            stream: None,
            serial: 0,
            number,
            cohort,
            state: State::Off,
            attempts: 0,
            greeting: 0,
            is_deaf: false,
            left: NEVER,
            due: NEVER,
            intended: 0,
            began: 0,
            flight: VecDeque::new(),
            held: Vec::new(),
            unsent: Vec::new(),
        }
    }

    /// Requests without an answer.
    pub(crate) fn outstanding(&self) -> u64 {
        self.flight.iter().map(|sent| u64::from(sent.count)).sum()
    }
}

/// No moment at all.
pub(crate) const NEVER: u64 = u64::MAX;

// In debug builds mio's stream is larger.
#[cfg(not(debug_assertions))]
const _: () = assert!(size_of::<Conn>() <= 168, "a connection's share of memory");
