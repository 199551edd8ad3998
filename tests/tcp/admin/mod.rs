//! The admin interface, as the contract's section 5 has it.

mod access;
mod deeds;
mod events;
mod heads;
mod lists;
mod monitoring;
mod page;
mod push;
mod readers;
mod reload;
mod told;

use crate::daemon::Daemon;
use crate::http::Http;

/// A daemon with a listener for lines and its admin interface; more may be set.
pub fn daemon(top: &str, listener: &str) -> Daemon {
    let mut config = String::new();
    if !top.contains("[admin]") {
        config.push_str("[admin]\nbind = \"127.0.0.1:0\"\n");
    }
    config.push_str(&format!(
        "{top}\n[[listener]]\nname = \"line\"\nbind = \"127.0.0.1:0\"\n{listener}\n"
    ));
    Daemon::start(&config)
}

impl Daemon {
    /// A connection to its admin interface.
    pub fn http(&self) -> Http {
        Http::connect(self.addr("admin"))
    }
}
