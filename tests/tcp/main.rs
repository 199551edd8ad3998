//! Real loopback sockets, end to end. Every socket is bound to port 0 and nothing sleeps: a test
//! waits for the thing itself, with a deadline; only where silence is what is promised it listens
//! to silence.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may fail by panic, and its modules are its own"
)]

mod acked;
mod admin;
mod budgets;
mod bursts;
mod calls;
mod ceiling;
mod checked;
mod child;
mod client;
mod clock;
mod closes;
mod command;
mod daemon;
mod exhaustion;
mod fairness;
mod foreign;
mod framing;
mod held;
mod http;
mod kernel;
mod library;
mod linger;
mod listed;
mod logins;
mod machine;
mod malformed;
mod messages;
mod network;
mod order;
mod pool;
mod proxied;
mod remote;
mod rules;
mod shutdown;
mod silence;
mod skip;
mod slow;
mod sources;
mod topics;
mod transcripts;
mod users;
