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
//! on top; what it may hold of output is bounded by `unsent_max`, and by `send_buffer`.
//!
//! Buffers exist while bytes wait and are given back: half frames to the allocator, outboxes to a
//! pool of [`Limits::spare_outboxes`](crate::Limits::spare_outboxes).
//!
//! # What rates and limits take
//! Eight bytes a connection for its rate, where there is an admin interface that shows it. For
//! limits nothing where none is set. Else, reserved at once and touched as it is used: 16 bytes a
//! slot, up to the highest of a connection on a listener with a rate; 32 bytes an address that is
//! counted, and up to 12 of its index; the same for a name that somebody tries to log in with.
//! Black and white lists of a million entries take 9 MB of IPv4, 17 MB of IPv6 up to /64, 25 MB of
//! longer ones, and 19 MB of users.
//!
//! # Budgets and the ceiling
//! Half frames, waiting output and unacknowledged messages have budgets over all connections
//! ([`Limits`](crate::Limits)). The [`Ceiling`](crate::Ceiling) adds them to what tables can reach
//! at their limits; the daemon prints it at start. A test attacks all budgets of a daemon at once.
//!
//! The part `fixed` is the largest where connections are few: what a hundred thousand topics, as
//! many users who have left as are remembered and a million deliveries under way would take, about
//! 90 MB, is counted although few ever see it.
//!
//! # Where the system has none
//! Memory for what a message takes is asked for before anything is written, and may be refused.
//! That costs whoever it was for: a connection whose half frame, whose JSON or whose output finds
//! none ends as `overloaded` (`resources`); a message that can not be kept or queued is refused to
//! its sender, one that can not be encoded for some of many counts as dropped; an event counts as
//! lost; an admin request gets 503. What takes a page, and tables that grow with the number of
//! letters, members or events, are not asked for: where even that is missing the process ends.
//!
//! # Afterwards
//! After a burst the bytes in use fall back at once, and the resident memory within seconds, to
//! what it was and a tenth and 8 MB at most. The program has an allocator of its own, mimalloc,
//! which gives pages back wherever they lie: by itself some while it is busy, and the rest when it
//! is asked. A timer of the daemon asks every five seconds if the loop has turned since, after it
//! has given up spare buffers ([`Gate::trim`](crate::Gate::trim)); with 15,000 connections that
//! takes less than 130 us. glibc's allocator gives back only what lies behind the last block in
//! use, and a few names and letters that stay are spread over all of it; no threshold of it helps.
//! Budgets of 16 MiB filled twice (`tools/hostile memory`), in MB:
//!
//! | allocator | before | at most | after the first time | after the second |
//! |---|---|---|---|---|
//! | glibc 2.36 | 4.5 | 41.7 | 38.1 | 41.7 |
//! | the same, `trim_threshold`, `mmap_threshold` 128 KiB | 4.5 | 48.9 | 45.2 | 48.9 |
//! | the same, `mmap_threshold` 16 KiB | 4.6 | 46.8 | 24.1 | 41.5 |
//! | jemalloc 5.3 with its thread | 6.8 | 50.1 | 9.3 | 10.0 |
//! | mimalloc 3, huge pages | 16.3 | 62.0 | 47.0 | 37.6 |
//! | mimalloc 3 | 5.1 | 47.3 | 14.1 | 16.4 |
//! | mimalloc 2 | 5.0 | 45.8 | 21.0 | 10.9 |
//! | mimalloc 2, `MIMALLOC_PURGE_DELAY=0` | 4.7 | 32.4 | 8.3 | 8.3 |
//! | mimalloc 2, asked (what is used) | 5.5 | 45.8 | 7.6 | 7.8 |
//!
//! By now the tool fills the input and the offline budget to 99 %, and that for output to where
//! messages are dropped: 5.2 before, 60.6 at most, 7.0 and 7.7 after.
//!
//! After half a minute of everything at once (`tools/soak --for 30s`) 9.3 MB lay in pages of the
//! allocator with `MIMALLOC_PURGE_DELAY=0` and nobody asking, of which 0.9 had been there before:
//! 2.9 held up by spare outboxes, 1.9 the last page of each size of block, which is kept for good,
//! 0.8 records of deaths. Asked, it is 5.1. What is left are pages in which one block of the start
//! lies beside many that were freed, and tables that have grown. Above that stand 4.6 MB of the
//! program's own file and libraries, which the kernel drops when it needs them.
//!
//! It costs 0.1 MB at rest and 0.14 MB of the program, and nothing a connection: 15,000 silent ones
//! take 227 bytes each beside 228 with glibc. The library leaves the allocator to its application.
