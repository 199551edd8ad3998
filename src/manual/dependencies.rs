//! Each crate of the daemon's tree that is asked for directly, and why.
//!
//! | crate | for |
//! |---|---|
//! | mio | the one poll loop; edge-triggered, nothing hidden |
//! | slab | sockets, users, topics, timers: keys that are indexes |
//! | bytes | frames that many outboxes share |
//! | hashbrown | tables of users and topics that hold an index, not the name twice |
//! | log, simple_logger | the log facade, and the printer behind our own front that never blocks |
//! | memchr | line ends |
//! | httparse | heads of requests to the admin interface |
//! | siphasher | keyed hashing of names chosen by strangers; the key comes from the net |
//! | smol_str | names of at most 23 bytes without an allocation, cloned for nothing |
//! | serde, serde_json | JSON bodies, kept as they were written (`raw_value`) |
//! | toml | the configuration, with the place of every value |
//! | humantime, bytesize | durations and sizes as people write them |
//! | clap | flags, variables, help |
//! | listenfd | sockets that a service manager hands over: it has the `unsafe` for that |
//! | socket2 | socket options before mio gets the socket |
//! | rustix | clocks, limits, entropy, polling stderr: system calls without `unsafe` of ours |
//! | signal-hook, signal-hook-mio | signals as one more source of the poll |
//! | strsim | what a misspelt key most likely was; clap has it already |
//! | subtle | comparing the admin token in constant time |
//! | thiserror | one small error enum per module |
//!
//! # The load tool
//! `pulsegate-load` has crates of its own, none of which is in the daemon's tree:
//!
//! | crate | for |
//! |---|---|
//! | hdrhistogram | distributions that add up without loss, over workers and over runs |
//! | base64 | the same in a JSON report |
//! | comfy-table | the report on a terminal |
//! | libc | the numbers of socket options that no crate wraps |
//! | rand_xoshiro | dice that fall the same way in every release |
//!
//! It shares clap (here with `derive`), humantime, mio, rustix, serde, serde_json, signal-hook,
//! socket2, thiserror and toml with the daemon; signal-hook alone because SIGINT and SIGTERM end a
//! run with different codes.
//!
//! # Fuzzing
//! `pulsegate-fuzz` has none of its own: bytes, rand_xoshiro, rustix and serde_json are in one of
//! the trees above. It needs no nightly and no other engine: the counters of `--guided` are a part
//! of the stable compiler.
//!
//! # Pages and completions
//! `pulsegate-manpages` has clap_mangen and clap_complete, from those who make clap.
