//! How to measure: `pulsegate-load`, what its words mean, and how not to be fooled.
//!
//! # In one paragraph
//! Put the server on one core and the tool on another; ask the doctor whether the machine has
//! room; let the ramp be over before anything is measured; say beforehand what must hold; read the
//! verdict before the figures.
//!
//! ```text
//! cargo build --release --workspace
//! taskset -c 0 target/release/pulsegate serve &
//! target/release/pulsegate-load doctor 127.0.0.1:7373 -c 10000 --server-pid $!
//! taskset -c 1 target/release/pulsegate-load beat 127.0.0.1:7373 -c 10000 --every 5s -d 30s \
//!     --server-pid $! --threshold "beat_response:p99<5ms" --json beat.json
//! ```
//!
//! On one core together, server and tool take each other's time, and every figure is about both.
//! With `--server-pid` the report tells what the server took: processor, memory, descriptors.
//! `tools/bench` does all this in rounds, beside the servers of others that are installed.
//!
//! # Scenarios
//! | word | what happens | what to read |
//! |---|---|---|
//! | `hold` | connections are open and silent | `lost`, the server's bytes a connection |
//! | `beat` | a heartbeat each by the clock | `beat_response`, `overlapped` |
//! | `echo` | as fast as answers come, or with `-r` at a rate | answers a second; `response` |
//! | `churn` | connect, exchange, close, at a rate | `life`, `ready` |
//! | `push` | numbered messages through topics | `missing`, `duplicates`, `to_last`, `skew` |
//! | `die` | they die: `silent`, `fin`, `rst`, `vanish` | `close_late`, `closed_early` |
//! | `storm` | all leave at once and come back | the times to 50, 95, 99 and 100 % |
//! | `slow` | some do not read | `beat_response` of the healthy, before and beside |
//! | `torn` | half, giant and senseless frames | `closed`, and that the decent are answered |
//! | `run` | a plan of your own from a file | |
//!
//! `--dry-run` tells the whole plan and opens nothing. Every dice follows from `--seed`.
//!
//! How late the silent are closed counts to the moment at which the kernel took the server's FIN
//! in, known to one of its ticks (4 ms, mostly) and never taken for earlier than it was: what lies
//! between that and our look is the tool's own fault, told as `seen_late`, and no part of
//! `close_late`. `--every 10s` has them fall silent over 10 s, `--together` in one instant.
//!
//! Those who die by `rst` or `vanish` leave no socket on which the server's end could be seen.
//! With `--server-pid` the server's descriptors are counted instead, every 2 ms, and the first to
//! be let go is taken for the first that was due. `vanish` needs no privilege: the socket
//! asks for packets with more hops left than any has (`IP_MINTTL`), and so neither the tool nor its
//! kernel answers any more.
//!
//! # Other servers
//! `--preset` (or `--dialect`) chooses what is spoken: `gate`, `echo` and `sink` for pulsegate's
//! own, on any `--framing`; `redis` (PING), `memcached` (version), `mqtt` (CONNECT, PINGREQ) and
//! `nats` (PING) for others. `custom` takes any bytes, in hex:
//!
//! ```text
//! pulsegate-load echo 127.0.0.1:6379 --dialect custom \
//!     --request 50494e470d0a --answer 2b504f4e470d0a      # PING, +PONG
//! ```
//!
//! `--answer-end` names the bytes that end an answer where it is not always the same.
//!
//! # What the server takes
//! With `--server-pid` the report has the server's processor time, by answer too (what is
//! microseconds an answer is milliseconds for 1,000 heartbeats), its memory, and its memory by
//! connection: how much it grew from the first tenth of them on until all were there. What was
//! needed once stands beside it: code that runs for the first time, tables for the first of their
//! kind. What closing them takes is no part of either: counted in, it makes 220 bytes of the 160
//! of an idle connection. Where fewer than 1,000 connections came between two looks at the server,
//! the two can not be told apart, and are not. The kernel's memory by connection is that of its
//! own objects and of the socket buffers on the whole machine: of both ends where both are on it,
//! and of whatever else happens there.
//!
//! # Verdicts
//! | verdict | exit code | what it means |
//! |---|---|---|
//! | passed | 0 | every threshold was kept |
//! | failed | 1 | one was not: it is named, with what was seen |
//! | invalid | 3 | the run says nothing about the server, and why it does not |
//!
//! 2 is a wrong command line, 4 a machine or a target that does not allow the run (with what to
//! type), 130 and 143 an interrupted run, whose report is written all the same. Unless something
//! else is said of them, `errors==0`, `lost==0` and `unanswered==0` must hold.
//!
//! A run is invalid where the tool itself was the bottleneck: it knows when it should have sent
//! and when it did, and where its own 99th percentile is later than `--late-limit`, what looks
//! like a slow server is a slow tool. Use more `--workers`, more cores, or a lower rate. It is
//! invalid, too, where not all connections were open when the measuring began.
//!
//! # Coordinated omission
//! A tool that waits for an answer before it asks again stops asking while the server stands
//! still, and so it sees one slow answer for each connection, however long that was. Here whatever
//! goes by the clock has its moment first: it is sent at that moment whatever became of the last
//! one, and it is timed from that moment. That is `response` (`beat_response`); `rtt` counts from
//! the moment it was really sent. `echo` without `-r` is such a tool that waits: right for how
//! much a server can do, wrong for how late its answers are.
//!
//! # Is the tool right?
//! `pulsegate-load selftest` holds it against a server that does wrong on purpose, its own `sink`:
//! a stall of two seconds must show as high and as often as it was, a killed server as dead, a
//! delay as a shift of the median, each message that is lost, comes twice or out of order as just
//! that, and a rate beyond the tool's own power as invalid. `sink` can be had alone, too:
//! `pulsegate-load sink --stall 2s --every 10s`.
//!
//! # How many connections fit
//! `pulsegate-load doctor -c N` reckons descriptors (of a worker, of the server, of all), ports
//! for each source and target, the listener's backlog, epoll, TCP's memory, the machine's memory
//! and the firewall's table, and says for each that is too small what to type. Its exit code is 0
//! or 4.
//!
//! - One source has some 28,000 ports to one target. On the loopback network the tool takes as many
//!   sources as it needs and uses half of the ports of each: once every second one is taken, the
//!   kernel searches for long. Elsewhere `--source` names them.
//! - A worker is a process with its own descriptors; the tool starts as few as it can.
//! - An idle connection takes at most 512 bytes of the tool, which a test asserts.
