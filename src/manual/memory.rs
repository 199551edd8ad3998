//! Memory.
//!
//! # An idle connection
//! | bytes | what |
//! |---|---|
//! | 128 | its facts (`gate/conn.rs`), listed below |
//! | 16 | the socket's entry in the slab: a descriptor and the slab's own mark |
//! | 8 + 5 | its deadline in the timing wheel, and its place in a slot |
//! | **157** | **without a user** |
//! | 72 + 8 | the user's entry: a name of up to 23 bytes in place, connections, absence, mailbox |
//! | 5 to 10 | the user's place in the hash table |
//! | **about 240** | **with a user** |
//!
//! | bytes of the facts | what |
//! |---|---|
//! | 32 | bytes and frames, in and out |
//! | 24 | half frame, outbox, extras (topics, unacknowledged messages, a pending answer): empty |
//! | 20 | opened (three ways), last in, last out |
//! | 18 | the peer's address and port |
//! | 12 | when the frame began, since when it is paused or closing, bytes lingered |
//! | 8 | serial, user |
//! | 11 | flags, listener, phase, reason, bad requests, failed logins, strikes |
//! | 3 | padding to two cache lines |
//!
//! A daemon has the wheel's slots beside it, 131 KB whatever it holds, and a place in a slot takes
//! up to 64 bytes where few connections share one: with 15,000 connections that is 10 to 20 bytes
//! each of resident memory, with a million less than one.
//!
//! The sizes are asserted where the types are defined, the sums in `benches/idle.rs`. The tables
//! for `limits.connections` are reserved at start: pages that are not touched cost address space
//! only, and no table ever moves in the middle of a turn. The kernel's memory for a socket comes
//! on top and is not ours to choose (`send_buffer`, `receive_buffer`).
//!
//! Buffers exist while bytes wait and are given back: half frames to the allocator, outboxes to a
//! pool of [`Limits::spare_outboxes`](crate::Limits::spare_outboxes).
//!
//! # What rates and limits take
//! Eight bytes a connection for its rate, where there is an admin interface that shows it. For
//! limits nothing where none is set. Else, reserved at once and touched as it is used: 16 bytes a
//! connection on a listener with a rate; 32 bytes an address that is counted, and up to 12 of its
//! index; the same for a name that somebody tries to log in with. Black and white lists of a
//! million single addresses take 9 MB of IPv4 and 33 MB of IPv6, of users 9 MB.
//!
//! # Budgets and the ceiling
//! Half frames, waiting output and unacknowledged messages have budgets over all connections
//! ([`Limits`](crate::Limits)). The [`Ceiling`](crate::Ceiling) adds them to what tables can reach
//! at their limits; the daemon prints it at start. A test attacks all budgets of a daemon at once.
//!
//! After a burst the bytes in use fall back at once, the resident memory does not: the C library's
//! allocator keeps what was freed below the last piece in use, and the next burst is served from
//! it. `malloc_trim` would hand it back; it can not be called without unsafe code.
