//! What ends the tool before there is a result, and the exit codes.

use std::io;

/// Every threshold was kept.
pub(crate) const PASSED: u8 = 0;
/// A threshold was not kept.
pub(crate) const FAILED: u8 = 1;
/// The command line or a scenario file is wrong.
pub(crate) const USAGE: u8 = 2;
/// The run says nothing about the server.
pub(crate) const INVALID: u8 = 3;
/// This machine, or the target, does not allow the run.
pub(crate) const ENVIRONMENT: u8 = 4;

/// Why there is no result: one sentence that says what would be right.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fatal {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// What was asked for is not possible here.
    #[error("{0}")]
    Environment(String),
    /// A system call that has to work did not.
    #[error("{doing}: {source}")]
    System {
        /// What was tried.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Fatal {
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Environment(_) | Self::System { .. } => ENVIRONMENT,
        }
    }
}

/// Says what was tried, should it have failed.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Fatal>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Fatal> {
        self.map_err(|source| Fatal::System {
            doing: what(),
            source: source.into(),
        })
    }
}
