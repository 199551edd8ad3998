//! How it is tested.
//!
//! - **In the files**: pure modules, against slow and obvious oracles.
//! - **`tests/wire/`**: golden transcripts of every message, replayed whole, byte by byte, and cut
//!   anywhere.
//! - **`tests/sim/`**: the whole server over a simulated net: scripted clients, faults whose rates
//!   are drawn from the seed, limits drawn tiny. Three phases: safety under faults, liveness after
//!   healing, teardown. `SIM_SEED=n cargo test --release --test sim` replays one seed with a
//!   readable log, `SIM_SEEDS=from..to` sweeps a range.
//!   The judge proves of every end that it had a cause; of every deadline that it was neither early
//!   nor late, stops of the loop and pauses of the application counted as the contract says; that
//!   nobody is ended as silent while its input waits; that nobody overdue stays; that newcomers
//!   are taken within a second of there being room; that each goodbye has its share of a drain.
//!   The clients prove order, single answers, no strangers' mail, no copy too many; the gate
//!   recounts its books each turn. In half of the worlds operators ask for pages, push, kick, ban,
//!   tap, reload and read events, some of them stalling: what each was told is held against what
//!   has happened, and in some the shutdown begins while everything else goes wrong. In half of
//!   them it matters where clients come from: through proxies whose headers are right, wrong, torn
//!   or missing, from a few shared addresses of both families or one of their own, under limits and
//!   rates that some pass, while lists and limits change. Who is told `banned`, `overloaded` or
//!   `rate-limited` must have deserved it by the judge's own count, and nobody may be here whom the
//!   lists name, or one more than an address may have; in the end lists let in only those who
//!   behave, and they are served. The usual
//!   seeds fail by name where they no longer reach one of the situations in `world/marks.rs`. The
//!   first seed that fails is made smaller: clients, kinds of faults, habits and time are left out
//!   while it fails in the same way, and what is left is printed as `SIM_PLAN='…'`, to be replayed
//!   like a seed.
//! - **`tests/sim/conformance/`**: the same scripts over simulated and over real sockets tell the
//!   same.
//! - **`tests/sim/planted/`**: one-line bugs, as patches. `tools/planted` applies each to a copy
//!   and expects the sweep to fail: a test of the tests.
//! - **`tests/tcp/`, `tests/cli/`**: real sockets on port 0, the real daemon; clients in Python and
//!   for Node that share nothing with it, and the transcripts of [`backends`](super::backends); in
//!   network namespaces with a cable to cut, in a memory cgroup of the printed ceiling, with errors
//!   that strace puts into its system calls. What a machine cannot do is skipped with a word, and
//!   fails where `PULSEGATE_NO_SKIP` is set.
//!   What is packaged is not run as a whole there: `systemd-analyze verify` and `security` judge
//!   the units, a socket that stands for the service manager hears readiness, reload, signs of
//!   life and the end, a test hands sockets over as it would, and every path that the Dockerfile
//!   and the Debian package name is looked for. No test starts a live systemd, builds an image or
//!   runs `cargo deb`.
//! - **`tools/fuzz/`**: bytes of any kind for everything that reads some. The corpora are replayed
//!   by the usual tests, `tools/fuzz/run SECONDS` mutates them, `--guided` with an eye on which
//!   code they reach; memory is part of what is judged.
//! - **`tools/soak`**: everything at once to a real daemon, ten minutes long, after which nothing
//!   may remain.
//! - **`tools/hostile`**: what it costs those who behave: without descriptors, in a storm of
//!   newcomers, beside readers that are stuck; and the memory at most and afterwards.
//! - **`tests/tidy.rs`**: the house style.
//! - **`tests/rows.rs`**: `tests/rows.txt`, which names the tests of every promise and of every row
//!   of the catalogue of attacks and faults, is whole and true.
//!
//! # Benches
//! One file per question, run by `cargo bench --bench NAME`: `wheel` (set, re-arm and expiry at a
//! million keys, beside other timers), `codec` (nanoseconds per frame), `fanout` (one publish to
//! 10,000 members without system calls), `pool` (checkout and return, and a million turns of 16
//! threads), `idle` (bytes and processor time of idle connections; it asserts its bounds), `lists`
//! (look-ups among a million entries; it asserts its bounds), `tokens` (judging the token of a
//! login), `sim` (simulated connection-hours per second), `admin` (what scrapes and listings cost
//! 15,000 clients, how evenly 10,000 leave; it asserts its bounds).
