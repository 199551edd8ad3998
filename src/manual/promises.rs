//! What is promised, and what is not.
//!
//! - **P1** A silent peer is closed no earlier than its deadline and at most two ticks (4 ms) after
//!   it on the loop's own clock.
//! - **P2** A peer that keeps its heartbeat is never timed out: not in a reconnect storm, not in a
//!   broadcast, not after the machine was paused.
//! - **P3** The number printed at start is the most memory the process reaches, whatever clients
//!   send.
//! - **P4** Every queue, table and buffer has a bound: a field of [`Limits`](crate::Limits) or of
//!   [`Settings`](crate::Settings).
//! - **P5** Running out of descriptors neither spins nor goes deaf nor touches established
//!   connections.
//! - **P9** Messages to a user go to that user's live connections and nobody else's.
//! - **P10** A client that does not read is closed after the stated bytes or seconds and delays
//!   nobody.
//! - **P11** No sequence of bytes from a client stops the process or disturbs another connection.
//! - **P12** An idle daemon sleeps; no input is left unread and no output unsent while progress is
//!   possible.
//! - **P16** A failing simulation prints one seed and the command that repeats it.
//!
//! Not promised: protection from volumetric floods (the kernel's and the network's work),
//! exactly-once delivery, order across reconnects, survival of unacknowledged messages over a
//! restart (they are kept in memory), and anything about messages that did not ask for an ack.
