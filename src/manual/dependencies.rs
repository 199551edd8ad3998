//! Each crate of the daemon's tree that is asked for directly, and why.
//!
//! | crate | for |
//! |---|---|
//! | base64 | the parts of signed tokens and of their keys |
//! | mio | the one poll loop; edge-triggered, nothing hidden |
//! | slab | sockets, users, topics, timers: keys that are indexes |
//! | bytes | frames that many outboxes share |
//! | hashbrown | tables of users and topics that hold an index, not the name twice |
//! | log, simple_logger | the log facade, and the printer behind our own front that never blocks |
//! | memchr | line ends |
//! | pulsegate-allocator | mimalloc for the program; in `tools/`, with an `unsafe` for one call |
//! | httparse | heads of requests to the admin interface |
//! | siphasher | keyed hashing of names chosen by strangers; the key comes from the net |
//! | smol_str | names of at most 23 bytes without an allocation, cloned for nothing |
//! | serde, serde_json | JSON bodies, kept as they were written (`raw_value`) |
//! | toml | the configuration, with the place of every value |
//! | humantime, bytesize | durations and sizes as people write them |
//! | clap | flags, variables, help |
//! | landlock | what files the process can still open; it has the `unsafe` for that |
//! | seccompiler, libc | what system calls it can still make, and their numbers |
//! | nix | becoming another user with all threads, found as the system finds it |
//! | listenfd | sockets that a service manager hands over: it has the `unsafe` for that |
//! | ring | SHA-256 of tokens, signatures by HMAC, RSA and Ed25519; it has C to build |
//! | socket2 | socket options before mio gets the socket |
//! | rustix | clocks, limits, entropy, polling stderr: system calls without `unsafe` of ours |
//! | signal-hook, signal-hook-mio | signals as one more source of the poll |
//! | strsim | what a misspelt key most likely was; clap has it already |
//! | subtle | comparing the admin token, and hashes of login tokens, in constant time |
//! | thiserror | one small error enum per module |
//!
//! Signed tokens are read by our own hundred lines over ring (`tokens/keys.rs`). `jsonwebtoken`
//! reads the clock itself and takes its arithmetic from some forty crates (`rust_crypto`), from a
//! library in C that takes minutes to build (`aws_lc_rs`), or from what is installed for the whole
//! process; what is left of it is to split a text at two dots.
//!
//! # The load tool
//! `pulsegate-load` has crates of its own, none of which is in the daemon's tree:
//!
//! | crate | for |
//! |---|---|
//! | hdrhistogram | distributions that add up without loss, over workers and over runs |
//! | comfy-table | the report on a terminal |
//! | libc | the numbers of socket options that no crate wraps |
//! | rand_xoshiro | dice that fall the same way in every release |
//!
//! It shares base64, clap (here with `derive`), humantime, mio, rustix, serde, serde_json,
//! signal-hook, socket2, thiserror and toml with the daemon; signal-hook alone because SIGINT and
//! SIGTERM end a run with different codes.
//!
//! # Fuzzing
//! `pulsegate-fuzz` has none of its own: base64, bytes, rand_xoshiro, ring, rustix and serde_json
//! are in one of the trees above. Its tests use proptest, as the daemon's do: a target that
//! compiles a file of the library once more has its tests as well. It needs no nightly and no other
//! engine: the counters of `--guided` are a part of the stable compiler.
//!
//! # Pages and completions
//! `pulsegate-manpages` has clap_mangen and clap_complete, from those who make clap.
