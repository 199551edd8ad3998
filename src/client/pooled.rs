//! Clients in a [pool](crate::pool): connections to a gate that a backend's threads share.

use std::time::Duration;

use super::{Away, CallError, Client, Error, Heartbeat, Login, Options, Refused, Retry};
use crate::pool::Pooled;

/// Where the connections of a pool go, and who they are.
///
/// All of them log in as the same user: the gate's policy must allow that (`{ devices = n }`).
/// Where it does not, or somebody sends them away, the pool does not come back by itself: who asks
/// is told why, and tries again after a rest.
#[derive(Clone, PartialEq, Debug)]
pub struct Destination {
    /// `HOST:PORT`.
    pub place: String,
    /// Who logs in; `None` where nobody does.
    pub login: Option<Login>,
    /// As for a single client, but that the pool does what these say of heartbeats, of coming back
    /// and of what is said while away: it beats, replaces, and lets who asks wait.
    pub options: Options,
}

/// What is wrong with a pooled client.
#[derive(Debug, thiserror::Error)]
pub enum PooledError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] Error),
    /// A ping was not taken.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A ping was not answered.
    #[error(transparent)]
    Unanswered(#[from] CallError),
}

impl Pooled for Client {
    type Settings = Destination;
    type Error = PooledError;

    fn connect(to: &Destination) -> Result<Self, PooledError> {
        let options = Options {
            heartbeat: Heartbeat::Off,
            retry: Retry::NEVER,
            away: Away::Refuse,
            ..to.options.clone()
        };
        Ok(Self::connect(&to.place, to.login.clone(), options)?)
    }

    fn check(&mut self) -> Result<(), PooledError> {
        let ping = self.ping()?;
        self.wait(ping, self.patience())?;
        Ok(())
    }

    /// Says `quit`; its thread waits for the answer.
    fn close(self) {
        self.quit();
    }

    fn is_open(&mut self) -> bool {
        self.is_online()
    }

    fn has_failed(&self) -> bool {
        !self.is_online()
    }

    /// It was replaced, kicked or banned.
    fn is_unwanted(&self) -> bool {
        self.is_sent_away()
    }

    /// The login is refused for good. So it is where the name is taken: who has it may well be
    /// another one of the pool, which would try for ever.
    fn is_final(error: &PooledError) -> bool {
        let PooledError::Connect(error) = error else {
            return false;
        };
        error.lost.is_final() || error.lost.is_taken()
    }

    /// What the answer to the login has named, else what the options say of the server.
    fn server_timeout(&mut self) -> Result<Option<Duration>, PooledError> {
        Ok(Some(self.idle_timeout()))
    }
}
