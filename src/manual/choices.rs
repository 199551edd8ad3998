//! What we do where the contract on the wire is silent.
//!
//! # Framings
//! - An empty frame in `binary` is a bad request in dialect `gate`: it has no opcode.
//! - `strip` larger than offset + width drops the front of the body as well; those bytes do not
//!   count against `frame_max`. `strip` smaller keeps header bytes in the body.
//! - A whole frame is taken even where its first bytes could still become those of another
//!   protocol; what is no frame waits until that is decided, and gets no answer if it is.
//!
//! # Messages of `line`
//! - The last field's separating space must be there, even where the field is empty: `send bob` is
//!   a bad request, `send bob ` sends an empty text. Free text may begin with a space.
//! - `ack` takes decimal digits only.
//!
//! # Messages of JSON
//! - A `pong` repeats `seq` as an answer does. An invalid `seq` is a bad request without one; a
//!   bad request repeats a valid one.
//! - `"token": null` is no token. `"ack"` must be true or false.
//! - Lone surrogates are a bad request: no receiver gets a body its parser rejects.
//!
//! # Logins
//! - A refused login counts as failed whatever refused it (`bad-credentials`, `user-taken`); the
//!   third is answered and then followed by `close login-failed`. One that is told `overloaded`,
//!   since too many wait for an application to decide, is no failure. What the application does
//!   not decide within `login_timeout` of the accept, where a login is required, ends as any login
//!   that does not come: so a backend that answers nobody holds no places. Where `login_delay` is
//!   set, the answer to one that has failed waits so long, and the connection is not read
//!   meanwhile.
//! - The last bad request allowed is answered, then `close protocol` follows.
//! - Logging in again under the same name is `ok` and changes nothing.
//!
//! - Where a user's connections replace each other beyond `takeover_rate_per_user` the name rests
//!   after each replacement: a second, then twice as long each time, up to a minute, until the rate
//!   is kept to again. Who was replaced is told `close replaced MS`; who comes before that is over
//!   is told `close rate-limited MS`, in the place of an answer, and the owner is left alone. A
//!   connection that had another name is closed as well. Under `{ devices = N }` the same holds for
//!   those beyond N. The default, `300/1h`, is wide for a reason: a login under `replace` is
//!   answered `ok`, and who tries that fifty or two hundred times in a row must not be told
//!   otherwise, nor somebody whose network drops him every quarter of a minute. Two devices that
//!   oust each other four times a second are held for the first time after 77 s, those that do it
//!   once a second after five and a half minutes; in the long run one in 12 s is let through.
//!
//! # Login checks
//! - `login_check` of a listener is `none`, `users` or `jwt`; it goes with any `login` but `none`,
//!   where nobody logs in. A token is judged before an application hears of the login, and whatever
//!   is wrong with it the answer is the same `error bad-credentials`, which counts as failed. Who
//!   has logged in shows a token again for another name, or for his own.
//! - Tokens have 8,192 bytes at most, and the frame must fit `login_frame_max`.
//! - `users`: the SHA-256 of the token is one of the user's lines. An empty token is none, and a
//!   line that begins with `#` or `;` is a remark, also where a name would.
//! - `jwt`: the compact form, with `alg` HS256, RS256 or EdDSA (Ed25519). The keys are a JWK Set;
//!   the key says which algorithm it is for. Of several keys for one each has a `kid`, and the
//!   token names it; keys for anything else are stepped over. `crit` is refused.
//! - `sub` is the user, `exp` must be there, `nbf` holds where it is; both with 30 s for clocks
//!   that differ. A token with an `aud` is refused where `audience` names none (RFC 7519, 4.1.3).
//! - A token that expires, a user or a key that is taken out of its file end nobody who is here:
//!   `kick` or a ban does, and `lifetime` bounds it for all.
//!
//! # Where connections come from
//! - An address is one of IPv4, or the first 64 bits of one of IPv6; a mapped address is one of
//!   IPv4, and a network of IPv6 holds none of those however wide it is. One connection too many
//!   of an address is told `close overloaded MS`, one too soon `close rate-limited MS`. Newcomers
//!   above `accept_rate` are not accepted yet: they wait in the backlog.
//! - Where places run out and connections that have ended take some of them, those whose goodbye
//!   is behind them linger no longer: who is turned away in crowds keeps nobody else out.
//! - A rate `N/TIME` is N at once and N more in each TIME, one after the other. A login above one
//!   is answered `error rate-limited` and counts as failed. Good logins count as well: whether a
//!   token is right is not known before it is tried. Tables of addresses and of names remember
//!   `Limits::sources` of those that are not here; the one heard of longest ago makes room.
//! - How many connections a user has is `policy`: one, or `{ devices = N }`.
//! - `message_rate` and `byte_rate` count by the interval, from the connection's own beginning,
//!   heartbeats included. Who is above is not read until the interval is over (its silence does
//!   not count meanwhile), at the `rate_strikes`-th such interval in a row it is told
//!   `close rate-limited MS`. Above is who has used up its frames and has said another whole one,
//!   or has used up its bytes and has more to say: events may be out of date, so the socket is
//!   looked into (`MSG_PEEK`) before it is held back. What one read took beyond `byte_rate` is
//!   owed to the next intervals; those that only pay for it are none of them, unless there is
//!   more to read already. One frame above `byte_rate` times `rate_strikes` can be too much. Where
//!   a reload changes a rate, everybody's interval begins anew, without debts and strikes.
//! - What piled up while the loop stood still for more than half a second, was late by whole
//!   intervals, or owed the connection an answer of the application, may be said behind that: as
//!   much as was allowed in that time, until what has arrived of it is handled. The last four
//!   stops since a connection was heard are made up for. Who sends close to its rate all the time
//!   is above it after each shorter delay, of the loop or of the network: allow more than is meant
//!   to be sent, and in intervals that are longer than a busy turn.
//! - `frames_per_interval` of `/v1/connections` is the last whole interval, `bytes_in_interval`
//!   this one so far, both less what was made up for; null where neither rate is set.
//!
//! # Proxies
//! - On a listener with `trusted_proxies` every connection must come from one of them and begin
//!   with a PROXY header, version 1 or 2; anything else ends with `protocol`, a header that is not
//!   whole within `proxy_timeout` with `frame-timeout`. Elsewhere a header is a frame like any
//!   other. Until the header is whole nothing is sent, no limit by address counts, and the
//!   application is told of nobody. `login_timeout` runs from accept, the header's time included.
//! - The address of the header limits, is listed, banned and logged; that of the proxy is told
//!   nowhere. `UNKNOWN`, `LOCAL`, Unix sockets, datagrams and what is not specified leave the
//!   connection the proxy's own address: it is a check of the proxy's. Of `LOCAL` nothing else is
//!   read, whatever family it says.
//! - A header of version 2 is at most 4,096 bytes; its extensions are stepped over, and one that
//!   reaches beyond the header ends the connection.
//!
//! # Black and white lists
//! - Files of `[lists]` hold a network, `user NAME` or `user *` a line, and remarks behind `#` or
//!   `;`. Of all networks that hold an address the most specific decides, whatever file it stands
//!   in; black goes before white for the same one, and a ban of the admin interface before both.
//!   Whom nothing names is let in: `0.0.0.0/0`, `::/0` and `user *` in a black file turn a white
//!   one into the list of all who may come.
//! - `POST /v1/bans` takes `"allow":true`, which lets in whom something wider keeps out. When its
//!   time is over, whoever is here by it alone has to go. The answer comes when all connections
//!   were looked at, a slice a turn; `kicked` counts whom any ban has ended meanwhile.
//! - `GET /v1/bans` has `lists` after the bans where files are in force: each `file`, whether it
//!   lets in (`allow`), and its `entries`.
//! - A list that can not be read, or has one wrong line, changes nothing: neither the lists nor
//!   the rest of the configuration. The line is told by its number and never repeated: it may be
//!   that of another file, with secrets in it.
//! - A mapped address with a prefix that leaves the mapped ones, `::ffff:10.0.0.0/8`, is refused:
//!   it would hold nothing of what it seems to.
//!
//! # Acknowledged messages
//! - Messages that move to a newer connection of the user go through the mailbox; its limit does
//!   not count for them. They are sent right after the `ok` of the login, from the first attempt.
//! - A message that was sent `ack_attempts` times on a connection is parked once no other of the
//!   user's connections waits for its ack, and follows at the next login, not on those that are
//!   here by then. So does what a connection leaves that ends: the others were offered it too.
//! - A message to many is sent in slices. A user who acknowledges it on one connection before
//!   the turn of another has come gets it there all the same, unless that one had it from the
//!   mailbox already: the copy is not waited for, nor parked where there is no room for it. What
//!   is of no more use when its turn comes is not sent.
//! - Where the receiver's policy is `drop-newest`, an acknowledged message that does not fit is
//!   parked like one for an absent user.
//! - Unacknowledged messages in flight count against `offline_budget` as parked ones do. Over it
//!   the message parked longest is dropped; where none is parked, the new one is refused.
//! - An absent user is remembered for `offline_ttl`, at most `Limits::absent_users` of them.
//!
//! # Slow consumers
//! What one turn queues is offered to the socket before `outbox_max` is judged: a burst from many
//! senders does not make a slow consumer of one who reads. Once its socket is full the maximum
//! holds for each message.
//!
//! # Messages that fit nobody
//! A message whose frame alone is above the receiver's `outbox_max` is dropped for that receiver
//! and counted with those that do not fit the width of a length field: who reads is no slow
//! consumer, and a body may grow to six times its bytes in another encoding. Neither is parked,
//! wanted ack or not, and neither keeps what is parked behind it waiting.
//!
//! # Everyone
//! A push to everyone goes to every connection of dialect `gate` that is logged in, or need not be.
//!
//! # Reload and leaving
//! - A bound that shrinks below what is in use ends nobody: it comes down with the use. Deadlines
//!   and sizes of frames hold for everybody at once, also for a frame that is half here.
//! - `close shutdown MS`: the one that is told as the k-th of n should arrive elsewhere at
//!   `reconnect` + k/n of the time of the goodbyes, or of `reconnect` where that is longer.
//! - `drain.timeout` counts from the last goodbye, not from the signal.
//!
//! # Admin interface
//! - A `Host` is ours where it is `localhost`, a loopback address, or the address that is bound;
//!   any address where all are bound. Its port may be any. Another one is refused with 403.
//! - `/healthz` says `ok` and a line end, whatever holds: it is open to everybody and has no room
//!   for more. What the process has given up is told by `/v1/stats`, under `hardening`.
//! - Chunked bodies, an absolute target and two lengths are refused with 400, and the connection
//!   ends. Every POST and DELETE must say `Content-Type: application/json`.
//! - Of 16 connections one makes room for a newcomer: the one whose head has been awaited for
//!   longest, from 250 ms on, else the one that has rested longest. A goodbye that is not taken,
//!   and an answer that is open to everybody, count as such a head. A head may take 5 s, a body
//!   10 s, a rest between requests 60 s.
//! - Pages are in order: users and topics by name, connections by `sort` (`id`, `opened`,
//!   `last_in`, `last_out`, `bytes_in`, `bytes_out`, `frames_in`, `frames_out`,
//!   `frames_per_second`, `outbox`; the largest, or longest ago, first) and then by id. `next` is
//!   what the next page takes as `after`. Points in time are milliseconds since 1970. Frames per
//!   second are those received in the last two to six seconds, or since the loop had something to
//!   do before that; of a younger connection, in its whole life.
//! - A push to a user who can not get it is answered with `dropped`. Where a push to a topic or to
//!   everyone finds no room, 503; inside an array an error stands in its place.
//! - A message to one user has a `state`, others have counts per user. `attempts` counts copies.
//! - `data` that no reader has room for is refused with `overloaded`. Bytes that are not UTF-8 come
//!   as `body_hex`. `seq` counts what a reader got or lost.
//! - A tap shows frames as text (`body`), `in` and `out`, for a minute where nobody says.
//! - A drain does what SIGTERM does; a second one is refused with 409, and so is a reload.
//! - `/v1/check` takes the text of a configuration, of any content type, or a JSON string of it. It
//!   changes nothing, also where it is asked during a drain. It is judged with the flags and
//!   variables of the daemon over it, and answered as a reload: what would differ from what is in
//!   force, or 400 with every mistake, one a line. Where a `token_file` is there, nobody looks.
//! - Who logs in under a banned name is told `close banned`.
//!
//! # Ends
//! - Over `input_budget` and `output_budget` the reason is `overloaded`. The first is told so; the
//!   second is reset, since what it does not read can not tell it.
//! - `write-timeout` resets: a socket that takes nothing takes no goodbye. `slow-consumer` has one
//!   second for what waits and the goodbye.
//! - Who does not close its side within the linger is reset where its end is its own fault:
//!   `login-timeout`, `frame-timeout`, `slow-consumer`, `protocol`, `login-failed`, `rate-limited`,
//!   `banned`. So nobody who reads nothing leaves a socket behind that the kernel keeps for
//!   minutes. Whoever is ended for our reasons gets what the kernel holds, however long that takes;
//!   so does who was silent, since it may only be asleep.
//! - `echo` and `sink` linger only where output was still to be written.
//! - Beyond `limits.connections`, 64 more sockets are held to tell newcomers that the server is
//!   full; the next ones wait in the backlog.
//!
//! # How long a client stays silent
//! The contract names a heartbeat: a third of the idle timeout, so that two may be lost.
//! [`Adaptive`](crate::client::adapt::Adaptive) may be put in its place, where power or traffic is
//! dear. It goes up to eleven twelfths of the timeout and relies on TCP to repeat what is lost; the
//! network is watched, and the interval halved, when answers are late.
//! - It begins short and grows, in the place of beginning at the third: behind a box that forgets
//!   sooner than that, the third dies each time and never finds out why.
//! - It narrows by thirds, not by halves: a heartbeat too many costs a packet, a death costs the
//!   connection and what was under way.
//! - It forgets by counting answers, not by a clock: who beats seldom doubts seldom.
//!
//! # A client whose name is taken
//! `user-taken` may be said because of the client's own old connection, which the server has not
//! missed yet: it is tried again, as after any loss. The server misses it within its idle timeout;
//! where it is still said after twice that, counted from the last loss or the beginning, somebody
//! else has the name, and the client gives up as after `replaced`.
//!
//! # The pool
//! - First come, first served, without exception: what comes back goes to who waits longest, from
//!   hand to hand. A newcomer never gets it first, though that would save a change of threads.
//! - Of the idle the one that came back last is lent first, so that those too many reach
//!   `idle_max`.
//! - A connection counts as alive since the moment it was lent, where its holder borrowed it
//!   mutably and it does not say that it has failed. Being lent and not used proves nothing, nor
//!   does being held for long.
//! - Heartbeats are due after seven eighths of what the server says. What is overdue, because the
//!   keeper hangs in another one, is checked by the caller who gets it: nobody relies on the
//!   keeper.
//! - The keeper asks one after the other. Against a server so far away that a round of all the idle
//!   takes longer than an eighth of its patience, some come too late, and are replaced when they
//!   are asked for.
//! - What has answered lately is only looked at before it is lent (one system call, no round trip):
//!   an end that has arrived is seen, so a restart costs the calls in flight and no other.
//! - Where one is found broken, every other one that has not answered since is checked.
//! - While the server can not be reached, one attempt at a time is made for all, after a rest that
//!   doubles; callers wait as they would for a connection, and are told the cause at the end.
//!   `Exhausted::Refuse` does not wait for that either.
//! - Where there are already `extra_max` short-lived ones, a caller waits. One that comes back is
//!   passed on while somebody waits, and closed otherwise; it never joins the pool.
//! - What is being closed counts until it is: a close that takes its time holds a place. Who finds
//!   an idle one too old, or is handed a broken one, closes it and has its place.
//! - A login that the server refuses for good (a wrong password of Redis, `bad-credentials`, also
//!   `user-taken`: all of a pool share the name) is no outage. Nothing is opened by itself any
//!   more; who asks is told the cause at once, and tries again after a rest that doubles, from
//!   `retry_max` to 64 times that.
//! - The clock is that of the machine since its start, sleep included: after a suspension
//!   everything is checked.
//! - The client for Redis is our own: RESP2 without pipelines is smaller than what a library for
//!   all of Redis would bring into the tree, and its answers are bounded in bytes and in time. It
//!   is one way to use the pool; a library's connection in a `Pooled` of its own is as good.
