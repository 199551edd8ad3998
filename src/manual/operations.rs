//! Running it.
//!
//! # Start
//! `pulsegate check FILE` judges a file, with the lists that it names, and binds nothing: exit code
//! 0 or 2, every mistake with its line; with `--against URL` a daemon is asked what would change,
//! and judges the lists where it runs. `pulsegate config` prints what is in force, with where each
//! value came from. At start one line tells where it listens, how many connections it takes and
//! the most memory it can reach ([`Ceiling`](crate::Ceiling)): that figure and a margin are what
//! `MemoryMax=` should allow.
//!
//! | exit code | means |
//! |---|---|
//! | 0 | it was told to leave, and has left |
//! | 1 | it could not run: an address, the descriptor limit, a broken poll |
//! | 2 | the command line or the configuration is wrong; another start does not mend it |
//! | 3 | a step of a script of `connect` failed |
//! | 4 | `push` was answered, and nobody got the message: neither here nor parked |
//! | 101 | a bug was found, and going on with broken books would be worse: restart it |
//!
//! `tools/systemd/` has a service and, for whoever wants it, a socket unit. With the socket unit
//! the manager holds the listening sockets, so that a restart refuses nobody: newcomers wait in
//! the backlog. `FileDescriptorName=` is the name of a listener; its own `bind` is not used then.
//! `Type=notify-reload` needs systemd 253; before that write `Type=notify` and `ExecReload=kill
//! -HUP $MAINPID`.
//!
//! # The token
//! `[admin] token_file` names the file that holds it; a relative path, as any in the file, begins
//! at the folder of the configuration. It must be there and readable at start: `check` says so too,
//! where it runs as the same user. `PULSEGATE_ADMIN_TOKEN_FILE` names another one, and
//! `PULSEGATE_ADMIN_TOKEN` is the token itself, which everybody can read who may read the
//! environment of the process.
//!
//! Under systemd the daemon has a user of its own that owns no file. Let the manager hand the token
//! over, from a file that only root can read:
//! ```text
//! [Service]
//! LoadCredential=admin.token:/etc/pulsegate/admin.token
//! Environment=PULSEGATE_ADMIN_TOKEN_FILE=%d/admin.token
//! ```
//! It is read once, at start. Where it changes, restart the service.
//!
//! # Login checks
//! `login_check` of a listener says whether a login must show a token: `users` for machines and few
//! people, `jwt` where something else knows who they are. `[logins]` names the files; they are read
//! at start and with every reload, beside the loop, all of them or none. `check` judges them.
//!
//! **`users_file`**: a user and the SHA-256 of a token a line. A token must be long and random: a
//! password of a person is guessed from its hash. One more line is one more token, so that the new
//! one can be handed out before the old one goes.
//! ```text
//! token=$(openssl rand -hex 32); echo "$token"
//! printf %s "$token" | sha256sum | sed 's/^/alice /; s/ *-$//' >> users.txt
//! ```
//! **`keys_file`**: a JWK Set, as an identity provider publishes it: fetch it by a timer, put it in
//! its place by a rename, and reload. For a key of your own, `x` is
//! ```text
//! openssl genpkey -algorithm ed25519 -out key.pem
//! openssl pkey -in key.pem -pubout -outform DER | tail -c 32 | basenc --base64url | tr -d =
//! ```
//! in `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"…"}]}`. A secret for HS256
//! (`{"kty":"oct","k":"…"}`) makes tokens as well as it judges them: keep its file to the daemon.
//! Tokens need `sub` (the user) and `exp`; `issuer` and `audience` say what `iss` and `aud` must
//! be. To rotate, add the new key beside the old one, each with a `kid`, and take the old one out
//! when its last token is over.
//!
//! Judging one costs half a microsecond for `users`; for `jwt` 1 µs with HS256, 30 with RS256 of
//! 2,048 bits, 95 with 4,096, 60 with EdDSA, on the loop. A turn judges
//! [`Limits::signatures`](crate::Limits::signatures), 16, and goes on with the others in the next:
//! forged tokens by the thousand make a turn a millisecond longer and let logins wait, nobody else.
//! `login_rate` and its like refuse them before anything is judged. `login_delay` has a login that
//! fails answered late: who guesses gets one guess in that time on a connection, which is not read
//! meanwhile and keeps its `login_timeout`. A login above a rate, or under a name that is taken,
//! has failed as well and waits too; nobody else does. A delay costs up to 200 bytes, and the
//! text of a handler that says why.
//!
//! # What it gives up
//! When everything is bound and the token and the lists are read, and before it says that it
//! listens, the daemon gives up what it has no use for. A program that embeds the library is left
//! as it is.
//!
//! - **Root.** `[process] user`, and `group` where it is not the user's own, name whom it becomes,
//!   by name or number. It has no other groups then and no capabilities, there is no way back, and
//!   where any of it fails nothing runs. Take an account that nobody else has, not `nobody`. Who
//!   stays root is warned, unless `user = "root"` says that it is meant. Under systemd leave it
//!   out: `DynamicUser=` has seen to it.
//! - **Capabilities** that it was lent without being root, as `CAP_NET_BIND_SERVICE` by
//!   `AmbientCapabilities=`, once everything is bound. Who stays root keeps them.
//! - **New privileges**: no program could get any for it (`no_new_privs`), in every mode.
//! - **Files, ports, processes** (Landlock, since Linux 5.13): it reads below the folders that hold
//!   the configuration and the lists, as they were named at start and as they really lie, and its
//!   own program; it removes its Unix socket; nothing else is opened. Since 6.7 it binds and
//!   connects no TCP, since 6.12 it signals nobody and reaches no abstract socket.
//! - **System calls** (seccomp): those of a list are made, any other fails with `ENOSYS`: a library
//!   that is newer than the list does without, and nobody's connection ends for it. The list has no
//!   `socket`, `connect`, `execve`, `fork`, `ptrace`, `mount`, and no executable memory.
//! - **Core dumps**, which would hold tokens and messages: there are none, and only root can trace
//!   it, look at its memory or see its environment.
//!
//! `[process] hardening = "off"` leaves the last three out, for a debugger or a core dump; `"log"`
//! lets every call through and has the kernel's audit tell of those that are not on the list. What
//! is in force stands at the end of the line that tells of the start (`-v` has all of it), in
//! `status`, in `/v1/stats` under `hardening` and in the metric `pulsegate_hardening_info`; not in
//! `/healthz`, which strangers may ask and whose whole body is `ok`, by contract. What the kernel
//! lacks is `missing` there, and warned about; the daemon runs all the same.
//!
//! What it means for later:
//! - a reload reads as the new user: the folder and the files must be readable for it. `check`, run
//!   as root, and the start say where they are not; the reload is refused then and nothing changes;
//! - a list in another folder than those of the start needs a restart, and is told so. So do
//!   listeners, whatever their port: those below 1024 are bound before root is gone;
//! - the Unix socket of the admin interface is given to the user, and stays its owner's and root's.
//!   Where its folder is not the user's it can not be removed at the end: it stays, and the next
//!   start takes its place;
//! - a panic is told with names of functions as long as the program's file is the one it was
//!   started from.
//!
//! # Alive and ready
//! Three different questions:
//! - **Does the loop turn?** Under systemd `WATCHDOG=1` is sent by a timer of the loop itself
//!   every half of `WatchdogSec=`: no thread beside it can say so in its place. The manager counts
//!   without the time that the machine is suspended, the loop with it: after a suspension the sign
//!   comes early, never late.
//!   Without a manager, or to know where it hangs, there is a thread that looks on: with
//!   `[process] hang_warn = "1s"` a turn that takes so long is told of while it does, with what the
//!   loop is at, the state of its thread and the number of its system call; with `hang_abort =
//!   "15s"` that is the end of the process, by SIGABRT, for whoever started it to begin it again.
//!   Both are off by default: beside a second thread every system call of the loop costs more.
//! - **May newcomers be sent here?** Not any more once the shutdown has begun
//!   ([`Gate::is_draining`](crate::Gate::is_draining)): that is the first thing it does, before
//!   anybody is told.
//! - **Does it keep time?** The [`Lag`](crate::Lag) is how long whoever becomes ready waits for the
//!   loop: a mean over the last second. Above [`Limits::lag`](crate::Limits::lag), 100 ms, the
//!   listeners rest and it is not ready: newcomers wait in the kernel's queue, whoever is connected
//!   is served. Below half of that it goes on. A single gap does not count, however long: a stop, a
//!   suspension, one slow call. [`Gate::stalled`](crate::Gate::stalled) grows where the loop came
//!   more than half a second late: a machine that is too busy, or was stopped.
//!
//! # Too much to do
//! Where the loop lags, or output fills its budget, the daemon does something about it, the least
//! harm first. `overload_step` in `/metrics`, `overload` in `/v1/stats` and `status` tell how far
//! it has gone, and how often each was done; the log has a line with each change.
//!
//! | step | lag over | output over | what is done |
//! |---|---|---|---|
//! | 1 `readers` | 50 ms | 12/16 | who takes a whole share of a turn is not read for 100 ms |
//! | 2 `pushes` | 75 ms | 13/16 | no message without an ack for who has not taken the last one |
//! | 3 `handshakes` | 87 ms | 14/16 | beyond 64 in a handshake the newest end |
//! | 4 `accepts` | 100 ms | 15/16 | newcomers wait in the kernel's queue; it is not ready |
//! | 5 `evictions` | | all of it | the largest outbox ends |
//!
//! - In a handshake is who has said nothing yet, or has not logged in where that is `required`.
//! - Where the loop lags, step 2 also answers messages without an ack to a topic or to everybody
//!   with `overloaded`: they are the loop's work. To one user they are delivered.
//! - A step is left where the lag is below half of what led to it, the output 2/16 below, and not
//!   sooner than 200 ms after the last change; one after the other.
//! - A lag alone never ends who is through its handshake. Whose step 3 it is gets `close
//!   overloaded MS`; whose login was read and waits for us to judge it
//!   is spared.
//! - Input that waits and fills its own budget, half frames and whole ones, leads to step 1 and no
//!   further: strangers can cause it, and what is worth least of it ends anyway.
//! - Frames that wait put off `login_timeout` by a second at most, a login that we did not get to
//!   for as long as that takes.
//! - The limit of the lag is [`Limits::lag`](crate::Limits::lag), 100 ms; the others are shares.
//!
//! # Reload
//! SIGHUP, or [`Gate::configure`](crate::Gate::configure) from inside. A thread reads and judges
//! the file, the loop takes over what holds at once. All or nothing: a file with a mistake, one
//! that is half written or gone, changes nothing, and the log has every mistake by line. Flags and
//! variables of the start still win. Requests that come while one is read share the next reading.
//! While it shuts down nothing is reloaded. A pipe in the place of a file is refused: it can be
//! read once, and would keep every later reload waiting.
//!
//! - `[log] level`, `[loop]`, `[users]`, `[drain]`: at once
//! - `[limits]` budgets, topics: at once; below what is in use they come down with the use, and
//!   nobody is ended for it; what comes on top meanwhile is judged as over a budget that is full
//! - `[limits]` by address and by rate, rates of a listener: at once; nobody who is here is ended
//!   for being one of too many. Told is how many there are above `connections_per_address`; where
//!   addresses were not counted before, all
//! - the files of `[logins]` are read again with every reload, for logins from then on; `issuer`,
//!   `audience` and `login_check` as well; where they hold others than before, the change is called
//!   `logins.entries`
//! - the files of `[lists]` are read again with every reload, and hold at once for everybody who
//!   is here; where they hold other entries than before, the change is called `lists.entries`.
//!   `trusted_proxies`: for newcomers
//! - `[limits] connections`: at once up to what was reserved at start; fewer than there are: no
//!   newcomers until so many have left
//! - deadlines, sizes, `login`, `allow`, `slow_consumer` of a listener: at once, for the
//!   connections that are there too
//! - `offline_ttl`: for what is parked and who leaves from then on
//! - `bind`, `framing`, `dialect`, `backlog` and the socket options of a listener: from the next
//!   start on
//! - a listener that comes, goes or has another name: from the next start on
//! - `[log] format`, `[admin]`, `[process]`: from the next start on
//!
//! The log names each setting with its old and its new value, and how many connections come under
//! a tighter one. A shorter deadline ends whoever is beyond it already, a slice a turn, nobody
//! before it: ten thousand connections are through in ten turns. Before you shorten `idle_timeout`
//! think of the clients that were told another heartbeat at login: they beat every third of the old
//! one. Below a third of the old value even the healthy ones end.
//!
//! # Leave
//! SIGTERM or SIGINT, or [`Gate::drain`](crate::Gate::drain):
//! 1. it is not ready any more, and the service manager is told `STOPPING=1` with the time it
//!    needs;
//! 2. whoever has connected by now is taken, then nobody: the listening sockets are closed;
//! 3. goodbyes, `close shutdown MS`, spread over `drain.over` so that as many leave in every second
//!    (who leaves by itself counts); `MS` says when to come back, each a little after the one
//!    before: also where `over` is 0 they arrive elsewhere over the time that `reconnect` names;
//! 4. each is closed once its output has left;
//! 5. `drain.timeout` after the last of them whoever is left is cut.
//!
//! `TimeoutStopSec=` must be longer than both together where the manager does not extend it itself.
//! A second signal ends it at once.
//!
//! # What to watch
//! [`Stats`](crate::Stats) counts since the start; a rate that grows is news, a total is not.
//!
//! The admin interface has a page at `/`: what happens now, and in the last five minutes as long as
//! it is open. It asks once a second, and not while nobody looks at it. For the weeks before, let
//! Prometheus read `/metrics`: `tools/monitoring/` has alerts (`alerts.yml`, whose job is called
//! `pulsegate`) and a dashboard to import into Grafana (`dashboard.json`), for one daemon or many.
//!
//! - `refused`: `limits.connections` is reached. *Do*: more descriptors, another machine
//! - one daemon of several holds far more connections than its neighbours (an alert): what spreads
//!   them is uneven, or one of them takes none. No two share a port, the second is told that the
//!   address is in use: a stalled one never takes newcomers away from one that works. *Do*: look at
//!   the others first, then `drain` the full one
//! - `crowded`, `hurried`: newcomers of an address that has enough connections, or comes too often.
//!   *Do*: one address may be many customers behind one router: raise `connections_per_address`
//! - `strangers`: who connects to a listener of proxies and is none. *Do*: keep the port inside
//! - `logins_refused`: somebody tries passwords, or everybody comes back at once. *Do*: look at
//!   the addresses in `/v1/closes?reason=login-failed`, and ban
//! - `logins_failed`: tokens that do not open a name; above one a second there is an alert. *Do*: a
//!   few are expired ones; at `debug` the log says why each was refused. Very many: somebody
//!   guesses; set `login_rate_per_address`
//! - closes for `rate-limited` with `takeover_rate_per_user`: devices that oust each other. *Do*:
//!   `why USER` tells from where; give each a name of its own, or allow `{ devices = N }`
//! - `throttled`: connections above `message_rate` or `byte_rate`. *Do*: `frames_per_interval` in
//!   `/v1/connections` tells whose
//! - `accept_pauses`, [`Rests`](crate::Rests) by cause: accepting rests, 80 ms at a time. *Do*:
//!   `resources`: raise `LimitNOFILE=`, and see the log for which; `places`: as for `refused`;
//!   `lag`: less load on this loop, or find what takes so long in an application's handler;
//!   `budget`: too much output waits, see above;
//!   `rate`: newcomers come faster than `accept_rate`, as it was meant, or raise it
//! - `overload_step` above 0 for longer than a burst: *Do*: `lag`: as above; output: who does not
//!   read, in `/v1/connections?sort=outbox`; `overload_actions_total` tells what it has cost whom
//! - `accept_faults`: newcomers that were gone before they were taken. *Do*: a scan, or a backlog
//!   that is served too late
//! - closes for `idle-timeout` in a burst: a path in between has died, or everybody was told too
//!   short a time. *Do*: look at the peers' network
//! - closes for `slow-consumer`, `write-timeout`: clients that do not read. *Do*: their radio, or
//!   too much is pushed to them
//! - closes for `overloaded` with connections below the limit: a budget is used up. *Do*:
//!   `input_budget`: half frames; `output_budget`: readers that lag
//! - letters `dropped`: a mailbox or `offline_budget` is full. *Do*: longer absence than planned
//! - `socket_faults`: a read or a write failed in a way that peers and networks do not cause, or a
//!   close did. *Do*: the log tells the error; want of memory, or a rule of the kernel's
//! - `panics`: a bug; one connection each. *Do*: report it with the log line
//! - `stalled` (`stalled_ms`, `event_loop_stalled_seconds_total`): by how much the loop woke up
//!   later than it had asked to, or went on with a turn, where that was more than half a second. It
//!   asks to be woken at the next deadline: a stop (SIGSTOP, a suspension) counts from there on,
//!   and not at all where it ends before. With many connections that have deadlines, or some that
//!   have rates, that is a second at most; a loop with nothing to wait for never stalls. *Do*:
//!   processor time, swapping, a stopped machine
//!
//! # What the log says
//! Lines for single connections are `debug`; from `info` up a line is about the daemon. A call site
//! prints ten lines a second at most, and counts the rest.
//!
//! - `listening on …; at most N connections and M MiB of memory (…); hardened: …`: it is ready
//! - `the loop hangs: at=… turn=… for=…ms connections=… state=… call=…`: `hang_warn`; `at` is what
//!   the loop does (`mark`, `accept`, `serve`, `administer`, `expire`, `flush`, `reap`), `state`
//!   the kernel's letter for its thread, `call` the number of a system call, or `running`. Then
//!   `the loop turns again`, or `the loop is given up`, `the process was: …`: `hang_abort`
//! - `it runs as root: set user in [process] …`: see above
//! - `this kernel has no Landlock …`, `this kernel takes no seccomp filter …`: or a container does
//!   not let it; it runs without
//! - `FILE can not be read: …: reloads will be refused`: not as the user that it has become
//! - `listener … takes logins from anybody under any name`: tokens are not checked: keep
//!   strangers away
//! - `connections lowered from … to …`: the descriptor limit does not allow as many
//! - `accepting rests for 80 ms at a time: …`: out of descriptors or memory; told once in ten
//!   seconds
//! - `accepting rests: the loop lags: lag=…`, `accepting goes on: …`: newcomers waited for it; told
//!   once in ten seconds
//! - `overload: step=N NAME lag=… output=…%`: it does that much because there is too much to do, or
//!   that little again; the last change of a second
//! - `reloaded FILE: changed=N needs-restart=M`: and then each of them
//! - `reload refused, nothing has changed: FILE:LINE: …`: a mistake, and what would be right
//! - `a socket was handed over for …: no listener is called so`: `FileDescriptorName=` and `name`
//!   differ
//! - `NOTIFY_SOCKET …`: the service manager is not there; it runs without
//! - `variable PULSEGATE_… means nothing`: a misspelt variable
//! - `lists are in force, entries=N`: black and white lists were read, at start or again, and hold
//! - `login checks are in force, users=N keys=M`: the files of `[logins]` were read, and hold
//! - `FILE names nobody: no token of a user is good`: a file that is empty, or was read as it was
//!   being written
//! - `login refused user=… token="expired"` (`debug`): why; the client is not told
//! - `shutting down connections=N`: the way out has begun
//! - `done`: the last line
//!
//! # Why connections end
//! `why USER` also finds whoever tried to log in under a banned name.
//!
//! The same word on the wire, in the counters and in the log. Records (`/v1/closes`, `why`, the
//! page) also have `by`, who asked for it: `client`, `operator` (a command, a ban, a signal),
//! `application`, `same user` or `gate`; and `detail` where a word stands for several things: the
//! `user` or the `address` that is banned, the setting that was reached (`connections`,
//! `connections_per_address`, `accept_rate_per_address`, `takeover_rate_per_user`, `rate_strikes`,
//! `trusted_proxies`, `handshakes` (one of the newest, in overload),
//! `input_budget`, `output_budget`, `output_age`, `outbox_soft_for`, `outbox_max`,
//! `bad_requests_max`), `resources`, `no frame`, `another protocol`.
//!
//! | reason | means |
//! |---|---|
//! | `peer-closed`, `quit` | the client left, without or with a word |
//! | `peer-reset` | its end of the connection is gone |
//! | `idle-timeout` | no byte from it for `idle_timeout` |
//! | `login-timeout`, `login-failed` | a login that is required did not come, or failed too often |
//! | `frame-timeout` | a frame, or a proxy's header, was not whole in time |
//! | `lifetime` | its time was over: the mode for short connections |
//! | `write-timeout` | its socket took nothing for `write_timeout`; ended by a reset |
//! | `slow-consumer` | it reads too slowly: `output_age`, `outbox_soft_for` or `outbox_max` |
//! | `protocol` | what it sent is no frame, or too many bad requests; a proxy's header is wrong |
//! | `kicked`, `banned` | an operator or the application ended it |
//! | `replaced` | its user logged in again elsewhere |
//! | `rate-limited` | it sent too much for too long, or came too often |
//! | `overloaded` | no room for it: `limits.connections` or a budget |
//! | `shutdown` | the daemon leaves |
//! | `internal` | a bug: see `panics` |
