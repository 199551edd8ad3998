//! What becomes of a message, from the push to the last ack.
//!
//! # Words
//! - A **push** is a message and who is to get it: a user, a topic, everyone (`gate/push.rs`).
//! - A **letter** is a message that wants an ack. It is made once, whoever gets it, and lives as
//!   long as a copy of it does (`gate/offline.rs`).
//! - A **copy** is a letter on one connection, from when it is queued until the ack: the connection
//!   *holds* it. What was queued without an ack is forgotten once it is written.
//! - A **mailbox** has the letters that none of a user's connections could be given, by id, oldest
//!   first. It belongs to the user, so it needs no connection.
//! - A **job** is a push under way: one to more receivers than the turn has deliveries left for, or
//!   one that came while another was under way (`gate/fanout.rs`, `gate/pushes.rs`).
//!
//! # To one user
//! 1. `push_to_user`: who is not here gets a letter into his mailbox, or the sender an error.
//! 2. `deliver_to_user` offers it to each of his connections. Each says one of three things:
//!    queued; not now (`Refused`); never (`Unfit`: it is larger than his outbox may be).
//! 3. Taken by none, and by one not now: it goes into the mailbox (`keep_for`). Taken by one: the
//!    others are left alone, for one ack settles it for all.
//!
//! # To many
//! 1. `fan_out` names the receivers. Few are served at once; the names of many are kept with their
//!    serials, and of a letter with their users, since its turn may find the connection gone.
//! 2. `fan` goes on with the first job, so many deliveries a turn. Whatever is pushed meanwhile,
//!    and be it to one user, becomes a job behind it: what one sender says arrives in the order it
//!    was said.
//! 3. A receiver's turn (`deliver_nth`) is one of these:
//!
//! | the connection | the letter's user | what is done |
//! |---|---|---|
//! | is here | waits for it | a copy, or the mailbox where it takes nothing now |
//! | is here | has acked it on another connection | the message, for which no ack is waited |
//! | is here | had it sent here from the mailbox | nothing |
//! | is here, and it fits no outbox of its | | nothing: counted with those that fit nobody |
//! | is here, has left the topic | | nothing |
//! | has left | another connection of his holds it | nothing: that one's end will park it |
//! | has left | has settled it | nothing |
//! | has left | neither | the mailbox, where there is room |
//!
//! 4. A letter whose time is over when the turn comes is not sent; that counts once for a user.
//!
//! What a user has settled, and which connection had it from the mailbox, is a bit for each in
//! `gate/progress.rs`. Only the first job can have such bits: nobody has a copy of those behind it.
//! They are cleared with its last delivery.
//!
//! # The mailbox is emptied
//! A connection whose user has something for it in the mailbox has the flag `COLLECTS`, and takes
//! it oldest first (`collect`) while its outbox is below the low-water mark and it holds fewer than
//! `unacked_per_connection`. It tries
//! - when it has logged in, behind the answer;
//! - when a write made room, and when an ack did;
//! - at the end of the turn in which something was parked for a user who is here, or another
//!   connection's ack made room: no sign of his is waited for.
//!
//! An ack is acted upon at once, the others with the flush: what is older than the ack is then on
//! its way before what the same turn still sends.
//!
//! # How a copy ends
//! | what happens | what becomes of it |
//! |---|---|
//! | the ack | gone, from all of the user's connections and the mailbox (`acknowledge`) |
//! | none within `ack_timeout` of its leaving the outbox | sent again (`resend`) |
//! | none after `ack_attempts` | the mailbox, for a later connection (`give_up`) |
//! | the connection ends, or changes its user | the same, unless another of his holds it |
//! | its time is over | gone, and counted once (`expire_letter`) |
//! | the mailbox is full | gone, and counted as dropped |
//! | `offline_budget` is full | the one parked longest is gone, and counted so |
//!
//! # What is counted
//! `pulsegate_acknowledged_messages_total` counts what was made, parked, acked, resent, expired and
//! dropped. Made counts letters, the others users: a push to ten users that all of them acknowledge
//! is one made and ten acked. What `/v1/messages/ID` tells of one letter (`gate/receipts.rs`)
//! comes of the same calls (`count_dropped`, `count_expired`, `acknowledge`); its receivers are
//! those that were there when it was pushed.
//!
//! # What it costs
//! To many without an ack: the frame is encoded once for each framing and dialect and shared; a
//! delivery is one entry in an outbox, about 100 ns. A letter to many is encoded for each
//! connection that is logged in, and noted there in 24 bytes until the ack.
//!
//! All of it is bounded: jobs by `Limits::pushes` and `push_targets`, their bytes by
//! `output_budget`, letters and their bodies by `offline_budget`, mailboxes by `offline_max`,
//! copies by `unacked_per_connection`, users who are gone by `absent_users`. A push to many that
//! finds no room is refused before anything is done for it.
