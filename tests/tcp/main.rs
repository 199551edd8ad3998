//! Real loopback sockets, end to end. Every socket is bound to port 0 and nothing sleeps: a test
//! waits for the thing itself, with a deadline.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may fail by panic, and its modules are its own"
)]

mod child;
mod kernel;
