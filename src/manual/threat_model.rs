//! Who may do what to it: the ways in, what is defended, what is not, and what is worse than what.
//!
//! Read it as what a report of a weakness is judged by. What is promised of each point stands in
//! [`promises`](super::promises), with the test that shows it.
//!
//! # Who there is
//! - **Strangers**: anybody who reaches a listener. Before a login that is required they have a
//!   place, `login_frame_max` and one read of input (`read_bytes`), 4 KiB of output that waits, or
//!   `outbox_low` where that is less, and `login_timeout`.
//! - **Users**: who has logged in. They may say whatever their listener's `allow` lets them, to
//!   anybody; they are as hostile as strangers and have more to spend.
//! - **Operators**: who reaches the admin interface and, where a `token_file` is set, knows the
//!   token. They may see every name and address, end every connection and stop the daemon.
//! - **The host**: its kernel, its files, the configuration, the environment. All of it is trusted.
//! - **The application**: a [`Handler`](crate::Handler) runs in the loop and may do anything; that
//!   it panics costs a connection, that it is slow costs everybody.
//!
//! # Ways in
//! | | who comes in | what reads first |
//! |---|---|---|
//! | listeners | strangers | `codec/framing.rs`, `codec/foreign.rs`, then `codec/message.rs` |
//! | listeners of proxies | who has a trusted address | `codec/proxy.rs`, then the same |
//! | admin interface | operators, every program and page here | `codec/http.rs`, `admin/` |
//! | configuration, token file, lists, users | operators | `config/`, `lists/`, `tokens/` |
//! | keys of signed tokens | operators, or who publishes them | `tokens/keys.rs` |
//! | signals | the host | `net/mio.rs` |
//! | [`Remote`](crate::Remote) | the application | `remote.rs` |
//!
//! Everything in the first three rows is fuzzed (`tools/fuzz`), and the whole daemon behind them is
//! simulated with peers that lie, hang, flood and vanish (`tests/sim`).
//!
//! # In scope
//! Worst first. What a stranger can do is worse by one than what only a user can.
//! 1. **Foreign code or foreign memory**: none is expected, the crate has no unsafe code, and the
//!    daemon one call beside it (`tools/allocator`) that takes no pointer and returns none.
//! 2. **Another's name or mail**: a message that reaches who it was not meant for, a login that
//!    becomes another connection's, an admin request that is obeyed without the token or from a
//!    page of another origin.
//! 3. **The end of the process**, or a loop that neither ends nor moves on: a panic outside of a
//!    request, memory beyond the printed ceiling, a kill for it, a spin, a listener that goes deaf.
//! 4. **Others disturbed**: somebody else's connection ended without a cause, or delayed by more
//!    than a turn's budgets explain.
//! 5. **A bound that does not hold**: a table, a queue, a line of the log, a series of metrics that
//!    grows with what strangers say.
//! 6. **Deception of who looks on**: a line of the log that is two, a control character or a mark
//!    of direction on an operator's terminal or page, a wrong reason for an end.
//!
//! # Out of scope
//! - **Floods** that fill the line or the kernel's tables before anything is accepted.
//! - **Eavesdropping and forgery on the way**: there is no TLS yet. Listeners for strangers stand
//!   behind something that ends it, the admin interface stays on loopback or a Unix socket.
//! - **Who says who he is** where `login_check` is `none`: a login is believed, or judged by the
//!   application. Names are not secret. What an issuer signs is true, and a token that somebody has
//!   got hold of is his until it is over: tokens go over the wire as they are.
//! - **What a trusted peer does**: the host, the application, whoever holds the operators' token, a
//!   proxy of `trusted_proxies`: it says whose address a connection has.
//! - **Timing** beyond the comparison of tokens, those of operators and of users: who is here can
//!   be learnt by writing to him, and how busy it is by waiting for a pong.
//! - **Messages over a restart**: they are kept in memory.
//! - **Settings that a warning is printed for**, such as a listener for the world without a login,
//!   or root that is kept.
//! - **What `hardening = "off"` or an old kernel leaves open**, which is told at start.
//!
//! # What stands against it
//! - Lengths are judged when their field is there, before anything is allocated; nothing recurses.
//! - Every budget is counted in bytes and has a victim: the oldest half frame, the largest outbox.
//!   What waits behind a failed login that is answered late gives way to half frames.
//! - Too much to do is answered in steps, the least harm first; half frames of strangers lead no
//!   further than the first of them.
//! - Every table keyed by what strangers choose is keyed by a hash with a random key.
//! - Ids carry a serial: who asks by an old one reaches nobody.
//! - Where an operator sets them, connections of an address, newcomers, logins, frames and bytes
//!   have limits. None is set by default: one address may be a whole company.
//! - A decoder or handler that panics costs its connection, is counted (`panics_total`), and is a
//!   bug.
//! - The admin interface knows its own names (`Host`), wants JSON where something is done, refuses
//!   chunks and double lengths, and has slots, bytes and time of its own.
//! - Where logins are checked, a token is judged before anything else hears of it: by the algorithm
//!   of the key, never of the token, one signature at most, so many a turn. Neither tokens nor
//!   their hashes nor keys are shown by the log, a tap, `/v1` or `config`, and a refusal never says
//!   which part was wrong.
//! - Lines of the log are escaped, cut and limited by the second.
//! - Should foreign code run in it all the same, the daemon has little left to use: it is not root
//!   where `user` is set, opens no file but its configuration and lists, makes no connection,
//!   starts no program and makes no memory executable, as far as the kernel can keep it from that.
//!   What it holds, connections, names, messages and the operators' token, is in its reach.
//! - The token is in no log, metric, answer or complaint, and there is no core dump to hold it.
