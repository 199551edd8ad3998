//! What a service manager has put into the environment.

use std::time::Duration;

use listenfd::ListenFd;
use log::warn;

use crate::daemon::Surroundings;

/// Reads it once: what is handed over is taken, and its variables are gone.
pub(super) fn surroundings() -> Surroundings {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let is_ours = |name| variable(name).is_none_or(|pid| pid == std::process::id().to_string());
    let usec = variable("WATCHDOG_USEC").and_then(|usec| usec.parse().ok());
    let usec = usec.filter(|usec| *usec > 0 && is_ours("WATCHDOG_PID"));
    // Taking the sockets takes their variables away: they are read before.
    let names = variable("LISTEN_FDNAMES").unwrap_or_default();
    let names: Vec<&str> = names.split(':').collect();
    let (mut inherited, has_some) = (Vec::new(), variable("LISTEN_FDS").is_some());
    let mut sockets = ListenFd::from_env();
    if has_some && sockets.len() == 0 {
        warn!("LISTEN_FDS is set, but hands nothing over to this process");
    }
    for number in 0..sockets.len() {
        let name = names.get(number).map_or("", |name| name).to_owned();
        match sockets.take_tcp_listener(number) {
            Ok(Some(socket)) => inherited.push((name, socket)),
            Ok(None) => {}
            Err(error) => {
                warn!("what was handed over for {name:?} is no TCP listener: {error}");
            }
        }
    }
    Surroundings {
        notify: variable("NOTIFY_SOCKET"),
        watchdog: usec.map(Duration::from_micros),
        inherited,
        program: std::env::current_exe().ok(),
        give_back: None,
    }
}
