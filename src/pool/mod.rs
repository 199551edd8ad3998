//! A pool of connections to a server, whose idle ones stay alive.
//!
//! Generic over what it pools: whatever can be opened, asked for a sign of life, and closed
//! ([`Pooled`]). Safe from many threads, and fair: who came first is served first. It has one
//! thread of its own, the keeper, and no loop.
//!
//! - Idle ones are checked slightly more often than the server gives them up. Where the server can
//!   be asked how long it waits ([`Pooled::server_timeout`]), the pool asks.
//! - A connection that has not answered for so long is never lent unchecked; a newer one is looked
//!   at ([`Pooled::is_open`]). One that is broken is replaced before its caller sees it. When one
//!   was found broken, all others are checked before they are lent.
//! - While the server does not answer, callers wait and one of them tries for all, at growing
//!   intervals: a restart of the server is a wait, not an error.
//! - A server that sends the pool away for good is left alone ([`Pooled::is_unwanted`]).
//! - When all are lent, a caller waits, or gets a short-lived one, or is refused: [`Exhausted`].
//!
//! A checkout and the return of an idle one take less than 300 ns, two looks at the clock included;
//! a look at its socket is a system call on top.
//!
//! ```
//! use pulsegate::pool::{Options, Pool, Pooled};
//! use std::net::{SocketAddr, TcpListener, TcpStream};
//!
//! struct Plain(TcpStream);
//!
//! impl Pooled for Plain {
//!     type Settings = SocketAddr;
//!     type Error = std::io::Error;
//!     fn connect(addr: &SocketAddr) -> std::io::Result<Self> {
//!         TcpStream::connect(addr).map(Self)
//!     }
//!     fn check(&mut self) -> std::io::Result<()> {
//!         Ok(()) // a ping, and its answer within a deadline
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let listener = TcpListener::bind("127.0.0.1:0")?;
//! # let addr = listener.local_addr()?;
//! let pool = Pool::<Plain>::new(addr, Options { max: 4, ..Options::default() })?;
//! let one = pool.checkout()?;
//! println!("{} <- {}", one.0.peer_addr()?, one.0.local_addr()?);
//! drop(one);
//! assert_eq!(pool.stats().idle, 1);
//! # Ok(())
//! # }
//! ```

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")
)]

mod book;
mod clock;
mod keeper;
mod lent;
mod line;
mod options;
pub mod redis;
mod shared;
mod shelf;
mod stats;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use thiserror::Error;

pub use self::lent::Lent;
pub use self::options::{Exhausted, Options, SetupError};
use self::shared::Shared;
pub use self::stats::PoolStats;

/// What can be pooled.
///
/// All that talks to the server must end by itself within a time that is known: a caller or the
/// keeper is blocked meanwhile.
pub trait Pooled: Sized + Send + 'static {
    /// Where and how: what [`connect`](Self::connect) needs to know.
    type Settings: Send + Sync + 'static;

    /// What can go wrong.
    type Error: Error + Send + Sync + 'static;

    /// Opens one.
    ///
    /// # Errors
    /// Why there is none. The pool tries again as long as somebody waits.
    fn connect(settings: &Self::Settings) -> Result<Self, Self::Error>;

    /// Asks the server for a sign of life, and waits for it.
    ///
    /// # Errors
    /// Any error means that the connection is of no more use.
    fn check(&mut self) -> Result<(), Self::Error>;

    /// Ends it, in good manners where there are any. A panic here, or in the drop, ends with it.
    fn close(self) {}

    /// Whether it still seems to be open: a look that never waits, before it is lent. A peer that
    /// has closed it, or that said something nobody asked for, shows here.
    fn is_open(&mut self) -> bool {
        true
    }

    /// Whether it knows, without a look, that it is of no more use; asked as it comes back.
    fn has_failed(&self) -> bool {
        false
    }

    /// Whether it knows that the server has sent it away for good, and wants no other one in its
    /// place: the pool then opens none by itself any more, and one for those who ask only after a
    /// rest, which grows with each time. Asked with [`has_failed`](Self::has_failed).
    fn is_unwanted(&self) -> bool {
        false
    }

    /// Whether an attempt that failed like this is of no use again: the pool then rests in the same
    /// way, and who waits is told at once.
    fn is_final(error: &Self::Error) -> bool {
        let _ = error;
        false
    }

    /// After how long the server ends an idle connection, where it can be asked and says so. Asked
    /// once, when it has been opened.
    ///
    /// # Errors
    /// Any error means that the connection is of no use; a server that refuses to tell is none.
    fn server_timeout(&mut self) -> Result<Option<Duration>, Self::Error> {
        Ok(None)
    }
}

/// A pool of connections.
///
/// Dropping it closes what is idle and ends its keeper, once that has finished what it is at.
pub struct Pool<C: Pooled> {
    shared: Arc<Shared<C>>,
    keeper: Option<JoinHandle<()>>,
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum PoolError<E: Error> {
    /// All are lent, and the caller does not want to wait.
    #[error("all connections of the pool are lent")]
    Exhausted,
    /// All are lent, and as many wait as may.
    #[error("too many wait for a connection of the pool")]
    Full,
    /// None came back within that time.
    #[error("no connection of the pool came back within {0:?}")]
    TimedOut(Duration),
    /// The server can not be reached.
    #[error("no connection could be opened: {0}")]
    Connect(Arc<E>),
    /// The server has sent the pool's connections away, and it is too early to try again.
    #[error("the server has sent the pool away")]
    Unwanted,
    /// The pool has been closed.
    #[error("the pool has been closed")]
    Closed,
}

impl<C: Pooled> Pool<C> {
    /// Starts a pool. It opens nothing but [`Options::min`] connections, and does not wait for
    /// them.
    ///
    /// # Errors
    /// The options contradict each other, or there is no thread to be had.
    pub fn new(settings: C::Settings, options: Options) -> Result<Self, SetupError> {
        options.check()?;
        let shared = Arc::new(Shared::new(settings, options));
        let keeper = keeper::start(Arc::clone(&shared))?;
        Ok(Self {
            shared,
            keeper: Some(keeper),
        })
    }

    /// One that is idle, or a new one; waits for at most [`Options::wait_max`], and for what it
    /// takes to end a check or an opening that it has begun by then.
    ///
    /// # Errors
    /// There is none, and why.
    pub fn checkout(&self) -> Result<Lent<'_, C>, PoolError<C::Error>> {
        self.shared.checkout(self.shared.wait_max())
    }

    /// Like [`checkout`](Self::checkout), with a limit of its own on the wait; with none at all it
    /// does not wait its turn.
    ///
    /// # Errors
    /// There is none, and why.
    pub fn checkout_within(&self, wait: Duration) -> Result<Lent<'_, C>, PoolError<C::Error>> {
        self.shared.checkout(wait)
    }

    /// What it has at the moment, and what it has done.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.shared.lock().book.stats()
    }

    /// How often an idle connection is checked, as far as it is known by now.
    #[must_use]
    pub fn beat(&self) -> Option<Duration> {
        self.shared.lock().book.beat()
    }

    /// Ends it for all: who waits is told so, the idle are closed, and the lent as they come back.
    pub fn close(&self) {
        self.shared.close();
    }
}

impl<C: Pooled> fmt::Debug for Pool<C> {
    /// What it has; where it leads to may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl<C: Pooled> Drop for Pool<C> {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}
