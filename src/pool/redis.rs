//! A connection to Redis, small and strict, to be pooled: `Pool<Redis>`.
//!
//! One command at a time, one answer each, all within a deadline. An answer that does not come
//! whole spoils the connection: there is no way to tell which answer the next one would be.
//!
//! A password, a user or a database that the server refuses is not tried again and again: the pool
//! rests as for a server that [does not want it](Pooled::is_final), and who asks is told why.
//!
//! ```no_run
//! use pulsegate::pool::{Options, Pool, redis::{Redis, Settings}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::<Redis>::new(Settings::new("127.0.0.1:6379"), Options::default())?;
//! let mut redis = pool.checkout()?;
//! redis.call::<()>(&["SET", "greeting", "hello"])?;
//! let greeting: Option<String> = redis.call(&["GET", "greeting"])?;
//! assert_eq!(greeting.as_deref(), Some("hello"));
//! # Ok(())
//! # }
//! ```

mod resp;
mod wire;

use std::fmt;
use std::io::{self, BufReader, ErrorKind, Write};
use std::time::Duration;

use thiserror::Error;

pub use self::resp::{FromValue, Value};
use self::wire::Wire;
use super::Pooled;

/// Where the server is, and what it has to know of us.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// Host and port; the host is looked up for each connection.
    pub addr: String,
    /// How long a connection may take to open, and each answer to come.
    pub deadline: Duration,
    /// Who logs in, where there is a password; `None` is the default user.
    pub user: Option<String>,
    /// The password, where there is one.
    pub password: Option<String>,
    /// The number of the database.
    pub database: u32,
    /// Bytes of memory that an answer may take.
    pub answer_max: usize,
}

/// One connection.
#[derive(Debug)]
pub struct Redis {
    wire: BufReader<Wire>,
    /// The command that is being sent: kept, so that most commands allocate nothing.
    command: Vec<u8>,
    answer_max: usize,
    /// From the first byte of a command to the last one of its answer, and for ever where that does
    /// not come.
    has_failed: bool,
}

/// What can go wrong.
#[derive(Debug, Error)]
pub enum RedisError {
    /// There is no connection.
    #[error("{addr}: {error}")]
    Connect {
        /// Where to.
        addr: String,
        /// Why not.
        error: io::Error,
    },
    /// There is one, and who answers is no Redis that is ready for us.
    #[error("{addr}: {error}")]
    Greeting {
        /// Where.
        addr: String,
        /// What went wrong.
        error: Box<Self>,
    },
    /// The connection has failed.
    #[error(transparent)]
    Io(io::Error),
    /// The server has closed the connection in the middle.
    #[error("the server has closed the connection")]
    Closed,
    /// The answer did not come within the deadline.
    #[error("no answer within the deadline")]
    Late,
    /// The answer is none.
    #[error("the answer is not one of Redis")]
    Garbled,
    /// The answer is longer than it may be.
    #[error("the answer is longer than allowed")]
    TooLong,
    /// The server does not want to. The connection goes on.
    #[error("refused: {0}")]
    Refused(String),
    /// The answer is of another type than was asked for. The connection goes on.
    #[error("the answer is of another type")]
    Type,
    /// An earlier answer has failed, or there was one too many: the connection can not be used any
    /// more.
    #[error("an earlier answer is missing, or too many")]
    Spoiled,
}

impl Settings {
    /// A server without a password.
    #[must_use]
    pub fn new(addr: impl Into<String>) -> Self {
        Self {
            addr: addr.into(),
            deadline: Duration::from_secs(1),
            user: None,
            password: None,
            database: 0,
            answer_max: 16 << 20,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // never the password
        f.debug_struct("Settings")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

impl Redis {
    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    /// There was none, it was a refusal, or it is of another type than `T`.
    pub fn call<T: FromValue>(&mut self, words: &[impl AsRef<[u8]>]) -> Result<T, RedisError> {
        if self.has_failed() {
            return Err(RedisError::Spoiled);
        }
        self.has_failed = true;
        self.command.clear();
        self.command.shrink_to(COMMAND_KEPT);
        resp::encode(words, &mut self.command);
        self.wire.get_mut().begin();
        self.wire.get_mut().write_all(&self.command)?;
        let value = resp::read(&mut self.wire, self.answer_max)?;
        self.has_failed = false;
        match value {
            Value::Error(text) => Err(RedisError::Refused(text)),
            value => T::from_value(value),
        }
    }

    /// Says who we are, and demands that the server is ready.
    fn greet(&mut self, settings: &Settings) -> Result<(), RedisError> {
        match (&settings.user, &settings.password) {
            (Some(user), Some(password)) => self.call::<()>(&["AUTH", user, password])?,
            (None, Some(password)) => self.call::<()>(&["AUTH", password])?,
            (_, None) => {}
        }
        if settings.database != 0 {
            self.call::<()>(&["SELECT", &settings.database.to_string()])?;
        }
        // one that still loads its data refuses
        self.check()
    }
}

impl Pooled for Redis {
    type Settings = Settings;
    type Error = RedisError;

    fn connect(settings: &Settings) -> Result<Self, RedisError> {
        let wire = Wire::connect(&settings.addr, settings.deadline);
        let wire = wire.map_err(|error| RedisError::Connect {
            addr: settings.addr.clone(),
            error,
        })?;
        let mut redis = Self {
            wire: BufReader::new(wire),
            command: Vec::new(),
            answer_max: settings.answer_max,
            has_failed: false,
        };
        match redis.greet(settings) {
            Ok(()) => Ok(redis),
            Err(error) => Err(RedisError::Greeting {
                addr: settings.addr.clone(),
                error: Box::new(error),
            }),
        }
    }

    fn check(&mut self) -> Result<(), RedisError> {
        let answer: String = self.call(&["PING"])?;
        if answer == "PONG" {
            Ok(())
        } else {
            Err(RedisError::Garbled)
        }
    }

    fn is_open(&mut self) -> bool {
        !self.has_failed() && self.wire.get_ref().is_silent()
    }

    /// Also by an answer that nobody asked for: the next command would take it for its own.
    fn has_failed(&self) -> bool {
        self.has_failed || !self.wire.buffer().is_empty()
    }

    /// Who we say we are, or the database we want: that is not right later either.
    fn is_final(error: &RedisError) -> bool {
        let refusal = match error {
            RedisError::Greeting { error, .. } => error,
            other => other,
        };
        let RedisError::Refused(text) = refusal else {
            return false;
        };
        FOR_GOOD.iter().any(|begin| text.starts_with(begin))
    }

    /// `CONFIG GET timeout`, which not everybody may ask.
    fn server_timeout(&mut self) -> Result<Option<Duration>, RedisError> {
        let answer = match self.call(&["CONFIG", "GET", "timeout"]) {
            Ok(Value::List(answer)) => answer,
            Ok(_) | Err(RedisError::Refused(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let [_, Value::Bytes(digits)] = &answer[..] else {
            return Ok(None);
        };
        let seconds = str::from_utf8(digits)
            .ok()
            .and_then(|text| text.parse().ok());
        // 0: it never does
        let seconds = seconds.filter(|seconds| *seconds > 0);
        Ok(seconds.map(Duration::from_secs))
    }
}

impl From<io::Error> for RedisError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Late,
            ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

/// How refusals of a greeting begin that are for good, in new and older servers.
const FOR_GOOD: [&str; 8] = [
    "WRONGPASS ",
    "NOAUTH ",
    "NOPERM ",
    "DENIED ",
    "ERR invalid password",
    "ERR AUTH ",
    "ERR Client sent AUTH",
    "ERR DB index",
];

/// Bytes of the command's buffer that are kept for the next one.
const COMMAND_KEPT: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn an_answer_too_many_is_not_taken_for_the_next_one() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let wire = Wire::connect(&addr, Duration::from_secs(20)).unwrap();
        let mut redis = Redis {
            wire: BufReader::new(wire),
            command: Vec::new(),
            answer_max: 4_096,
            has_failed: false,
        };
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"$1\r\na\r\n$1\r\nb\r\n").unwrap();
        let first: String = redis.call(&["GET", "a"]).unwrap();
        assert_eq!(first, "a");
        assert!(redis.has_failed() && !redis.is_open());
        let second = redis.call::<String>(&["GET", "c"]).unwrap_err();
        assert!(matches!(second, RedisError::Spoiled), "{second}");
    }
}
