//! Descriptors: raises the limit as far as the system lets us, and says how many connections fit.

use log::warn;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::DaemonError;

/// Descriptors kept back: standard streams, the poll, waker and signals, a reload, the admin
/// interface's own connections. Those inherited from whoever started us come on top.
const RESERVE: u64 = 32;

/// Where `auto` stops: beyond it tables that nobody will fill would be reserved.
const AUTO_MAX: u64 = 1 << 20;

/// How many descriptors there are for connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    limit: u64,
    others: u64,
}

impl Room {
    /// Raises the soft limit to the hard one. `sockets` listen; `refusals` more are held to tell
    /// newcomers that the server is full.
    pub(super) fn make(sockets: usize, refusals: u32) -> Result<Self, DaemonError> {
        let limit = raise();
        let others = RESERVE + inherited() + sockets as u64 + u64::from(refusals);
        if others >= limit {
            return Err(DaemonError::Descriptors {
                limit,
                needed: others,
            });
        }
        Ok(Self { limit, others })
    }

    /// As many connections as were asked for, or as fit; says so where that is fewer.
    pub(super) fn connections(self, wanted: Option<u32>) -> u32 {
        let fit = self.limit - self.others;
        let Some(wanted) = wanted else {
            return u32::try_from(fit.min(AUTO_MAX)).unwrap_or(u32::MAX);
        };
        if u64::from(wanted) <= fit {
            return wanted;
        }
        warn!(
            "connections lowered from {wanted} to {fit}: they need {} descriptors and the limit \
             is {}; raise it (ulimit -n, LimitNOFILE=) to at least {}",
            u64::from(wanted) + self.others,
            self.limit,
            u64::from(wanted) + self.others,
        );
        u32::try_from(fit).unwrap_or(u32::MAX)
    }
}

/// Descriptors beyond the standard streams that are open before we have opened any.
fn inherited() -> u64 {
    // The standard streams, and that of the look itself.
    const OURS: usize = 4;
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    open.saturating_sub(OURS) as u64
}

/// The limit in force after raising it.
fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!("the descriptor limit can not be raised: {error}");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
