//! The client of this library over real sockets: against the real daemon in every framing, and
//! against listeners that are no gate. Nothing sleeps: a test waits for the thing itself.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    dead_code,
    reason = "a test may fail by panic, and shares the daemon with others"
)]

mod bad_input;
#[path = "../tcp/client.rs"]
mod client;
mod crowd;
#[path = "../tcp/daemon.rs"]
mod daemon;
mod messages;
mod reconnect;
mod support;
