//! The shape of the code.
//!
//! # In one paragraph
//! [`Server`](crate::Server) owns everything and runs one loop on one thread. Its
//! [`turn`](crate::Server::turn) has seven phases: wait, mark, accept, serve, expire, flush, reap.
//! The sockets lie in a slab of the server; the slab key is the index in the mio token. The
//! [`Gate`](crate::Gate) holds every fact about every connection, user, topic and deadline under
//! the same key and has no sockets, no generics and no lifetimes: that is why a handler can be
//! given `&mut Gate`, and why there is not one cell in the house. [`Net`](crate::net::Net) is the
//! only code that touches sockets, clocks and entropy; the tests put a simulated world behind it.
//!
//! # The way of one byte
//! 1. `net/mio.rs`: epoll says that a socket is readable; `Net::wait` turns it into a `Ready`.
//! 2. `server/serve.rs`, `mark_conn`: the serial in the token is compared, the flag `READABLE` is
//!    set. Where somebody waits from an earlier turn, the connection joins the ready queue.
//! 3. One read into the one scratch buffer; `Gate::received` stamps the time. Where all that came
//!    is heartbeats, and nothing else is under way, it is answered here (`gate/beats.rs`).
//! 4. `session/`: the framing finds a frame, the dialect reads it; both are pure (`codec/`).
//! 5. `gate/requests.rs`: a ping is answered at once; what needs a decision goes to the
//!    [`Handler`](crate::Handler), whose default is [`Gate::obey`](crate::Gate::obey).
//! 6. `gate/output.rs`: the answer is appended to the outbox, the connection joins the dirty queue.
//! 7. `server/flush.rs`: one write. An outbox that is empty goes back to the pool.
//!
//! # The admin interface
//! HTTP connections are no connections of clients: they lie in a slab of their own
//! (`server/admin.rs`), with slots, bytes and a share of each turn of their own, between serve and
//! expire, and use the same wheel. What they say and are told is pure (`admin/`, `codec/http.rs`).
//! The gate knows nothing of HTTP: it has readers of events, bans, and the fates of pushes.
//!
//! # The pool
//! [`pool`](crate::pool) is for the other end and shares nothing with the loop: it blocks its
//! callers. `pool/book.rs` is all that is decided, without a clock, a lock or a socket;
//! `pool/shared.rs` has the lock, and does outside it what the books say; `pool/keeper.rs` is its
//! one thread.
//!
//! # The command `connect`
//! It stands on the blocking [`Client`](crate::client::Client) and puts what that tells, what is
//! typed and, with `--raw`, what is read into one queue (`commands/connect/wire.rs`). A script is
//! read as a whole before anything is tried (`script.rs`), then played over the same conversation
//! that a person has (`talk.rs`, `play.rs`).
//!
//! # Where the next feature goes
//! - a step of a script: `commands/connect/script.rs`, one arm in `play.rs`
//! - who may come in: `gate/bans.rs` and `lists/` (by name), `gate/sources.rs` (by number),
//!   `gate/tokens.rs` and `tokens/` (by what he shows)
//! - something to ask for over HTTP: a file in `admin/`, a line in `admin/routes.rs`
//! - a framing: a variant in `codec/framing.rs`
//! - a protocol of its own (WebSocket, MQTT): a file in `codec/`, a variant in `session/` with a
//!   box for its state
//! - TLS: a boxed field beside the socket in the slab, used after read and before write
//! - a message of dialect `gate`: `codec/message.rs`, one arm in `gate/requests.rs`
//! - a deadline: one arm in `gate/deadline.rs`, and a `touch` where it becomes earlier
//! - a counter: a field of [`Stats`](crate::Stats)
//!
//! # What differs from the first drawing, and why
//! - **No state in `Session`.** No framing or dialect so far needs more between two frames than the
//!   connection's flags. A session is therefore a view made for each frame (two words), not an
//!   enum in every connection. The enum comes back with the first protocol that has a state.
//! - **The last look.** Instead of skipping `expire` in a turn whose wait filled the event array,
//!   the socket of a connection that is about to end for its silence is read once more. It is
//!   exact where skipping is a guess: skipping could starve deadlines under load, and it did not
//!   cover a heartbeat that arrived during a long turn. It costs one read per death.
//! - **Fan-out queues.** A push to more receivers than a turn's budget is done in slices. While one
//!   is under way, whatever is sent later queues behind it, so that one sender's messages arrive
//!   in the order they were said. A push that finds the queue full is refused (`overloaded`).
//! - **Held answers.** `ok` must come before any message the request causes to its own sender.
//!   While a request is in hand, deliveries to its own connection are held back and follow the
//!   answer.
//! - **Positions.** "Has this message left the outbox?" is answered by comparing positions in the
//!   byte stream, so that an acknowledged message is never sent again while a copy still waits.
//! - **Charges.** Frames and messages that many hold together are counted once, by a charge that is
//!   dropped with its last holder; the ledger's sums are therefore exact without a registry.
//! - **Memory is asked for, then used.** What a peer or an operator can make grow grows through
//!   `memory.rs`, which says no where the system does; `codec/room.rs` tells how much room a reply
//!   takes before it is written. What follows is told in the chapter `memory`.
//! - **No line where nobody waits.** Events of connections are looked at when they are served, not
//!   marked and queued before: where the ready queue is empty, which it nearly always is, that
//!   saves 50 of 480 instructions a heartbeat. Listeners, signals and other threads are marked
//!   first.
//! - **No spare descriptor.** The contract says that nothing is accepted while descriptors are out,
//!   so there is nothing to spend a spare one on: the listener rests for 80 ms and tries again.
