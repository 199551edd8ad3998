//! Tuning the machine.
//!
//! What the daemon itself takes stands in [`memory`](super::memory); here is what the kernel around
//! it must allow. Each entry tells what it changes and how to see that it bites, so that nothing is
//! turned on suspicion. `sysctl NAME` shows a value, `sysctl -w NAME=VALUE` sets it until the next
//! start of the machine, a file in `/etc/sysctl.d/` for good.
//!
//! # Descriptors
//! A connection is a descriptor. The daemon raises its soft limit to the hard one and says so where
//! fewer connections fit than were asked for.
//!
//! - `LimitNOFILE=`, `ulimit -n`: descriptors of the process. *It bites when*: `connections
//!   lowered from …`, or `accepting rests …: Too many open files`; `Max open files` in
//!   `/proc/PID/limits`
//! - `fs.nr_open`: the most that a limit can be set to. *It bites when*: the service does not
//!   start: `Failed to adjust resource limit`
//! - `fs.file-max`: descriptors of the machine. *It bites when*: `accepting rests …: Too many
//!   open files in system`; the kernel logs `file-max limit … reached`; first figure of
//!   `/proc/sys/fs/file-nr`
//!
//! # Newcomers
//! After an outage everybody comes back at once. Newcomers wait in two queues: those whose
//! handshake is under way, and those who wait to be accepted (`backlog` of the listener).
//!
//! - `net.core.somaxconn`: the most that `backlog` can be. *It bites when*:
//!   `TcpExtListenOverflows` and `TcpExtListenDrops` in `nstat -az` grow; `ss -ltn`: Recv-Q
//!   stands at Send-Q
//! - `net.ipv4.tcp_max_syn_backlog`: handshakes under way. *It bites when*: the kernel logs
//!   `possible SYN flooding on port …`; `TcpExtTCPReqQFullDoCookies`
//! - `net.ipv4.tcp_syncookies` (1): newcomers beyond that are still taken: leave it on.
//!   `TcpExtSyncookiesSent` counts them
//! - `net.ipv4.tcp_abort_on_overflow` (0): a full queue answers with a reset. Leave it
//!   off: who is not answered tries again by itself
//! - `net.core.netdev_max_backlog`: packets between the card and the stack, a processor. *It
//!   bites when*: second column of `/proc/net/softnet_stat` grows
//!
//! # Memory of the kernel
//! An idle connection costs the kernel some 3.7 KiB in slabs, and nothing for buffers that hold
//! nothing. By `/proc/slabinfo` of Linux 6.18: `TCP` 2,368 bytes (`TCPv6` 2,496),
//! `sock_inode_cache` 832, `filp` and `dentry` 192 each, epoll's entry 128 and 64 more for its
//! place in the socket's queue. Bytes that wait cost pages, at least one of 4 KiB for each piece,
//! not the bytes they are: a hundred thousand readers who lag by one frame each take 400 MB there.
//! Divide the growth of `Slab` in `/proc/meminfo` by the connections to have the figure of your
//! kernel; `sockets: used`, `mem` (pages) in `/proc/net/sockstat` are the buffers alone.
//!
//! - `net.ipv4.tcp_mem`: pages all TCP buffers may have: low, pressure, most. *It bites when*:
//!   `TcpExtTCPMemoryPressures` grows; the kernel logs `TCP: out of memory`; `mem` in
//!   `/proc/net/sockstat` near the second figure
//! - `net.ipv4.tcp_rmem`, `tcp_wmem`: least, default and most of a socket's buffers; the first is
//!   kept under pressure, the second decides what a burst to everybody may take. *It bites when*:
//!   `TcpExtTCPRcvQDrop`, `TcpExtPruneCalled` grow
//! - `send_buffer`, `receive_buffer` of a listener: the same for its connections alone, and
//!   fixed: the kernel doubles what is set and stops tuning it. *It bites when*: `slow-consumer`
//!   and `write-timeout` where the path is long and fast
//! - `unsent_max` of a listener (128 KiB): of what was not sent yet the kernel takes no more, be
//!   the buffer as large as it may, so that what a slow reader leaves waits in its outbox, where
//!   it has a budget. One packet of up to 64 KiB may go beyond. *It bites when*: a single
//!   connection with much to say over a long path is slower than with `"auto"`; `notsent` in
//!   `ss -ti`
//! - `net.core.rmem_max`, `wmem_max`: the most that the two above can be. *It bites when*: what
//!   is set is cut silently; `ss -tm`: `rb`, `tb`
//! - `vm.overcommit_memory` (0 or 1): tables are reserved as address space. *It bites when*: with
//!   2 the daemon may not start
//!
//! # Memory of the process
//! The program brings its own allocator, mimalloc, which reads `MIMALLOC_…` from the environment.
//! It needs no such variable: every five seconds in which there was work the daemon asks it to give
//! back what is free, see [`memory`](super::memory).
//!
//! - `MIMALLOC_PURGE_DELAY` (10): milliseconds that freed pages are kept in a load that comes and
//!   goes. *It bites when*: `perf top` shows `madvise` and page faults: more; 0 gives back at once
//! - `/sys/kernel/mm/transparent_hugepage/enabled`: leave it at `madvise`. *It bites when*:
//!   `always`: `AnonHugePages` in `/proc/PID/smaps_rollup`, and more resident than reckoned
//!
//! # The dead
//! - `net.ipv4.tcp_max_orphans`: closed sockets that still have bytes to deliver. *It bites
//!   when*: the kernel logs `too many orphaned sockets`; goodbyes end in resets; `orphan` in
//!   `/proc/net/sockstat`. Who leaves by itself, was silent, or is ended for our reasons, at
//!   a shutdown say, can leave one; who is told a goodbye for what it did is reset after `linger`
//! - `net.ipv4.tcp_keepalive_time`, `_intvl`, `_probes`: only sockets with `keepalive` set; the
//!   listener's own value is the first of the three. *It bites when*: the daemon's own
//!   `idle_timeout` is the one that is kept to the tick; keepalive holds paths open below it
//! - `net.ipv4.tcp_retries2`: how long the kernel tries to deliver before it gives up (15: a
//!   quarter of an hour). *It bites when*: `write_timeout` and `user_timeout` come first
//! - `net.ipv4.tcp_fin_timeout`: how long a closed side waits for the other's FIN. *It bites
//!   when*: many in `FIN-WAIT-2` in `ss -s`
//! - `net.ipv4.tcp_max_tw_buckets`: how many connections whose close we began are remembered for
//!   a minute. *It bites when*: `TcpExtTCPTimeWaitOverflow`; harmless here: the memory of ours is
//!   small
//!
//! # Tables in the way
//! Connection tracking has an entry of some 300 bytes for every connection, also the idle ones.
//!
//! - `net.netfilter.nf_conntrack_max`: connections that are tracked. *It bites when*: the kernel
//!   logs `nf_conntrack: table full, dropping packet`; newcomers time out while the daemon is
//!   idle
//! - `net.netfilter.nf_conntrack_tcp_timeout_established`: how long a silent connection is
//!   tracked (five days). *It bites when*: set shorter than `idle_timeout`: answers to living
//!   clients are dropped
//! - a rule `notrack` for the port, in `raw`: neither of the two matters. *It bites when*:
//!   nothing: the best choice for a port that needs no translation
//!
//! # On the side of those who connect
//! One address can reach one listening address with as many connections as it has ports: the load
//! tool and a proxy in front meet that, the daemon does not.
//!
//! - `net.ipv4.ip_local_port_range`: ports for outgoing connections: 28,000 by default. *It bites
//!   when*: `connect` fails with `Cannot assign requested address`; take more addresses on either
//!   side
//! - `net.ipv4.tcp_tw_reuse`: ports in `TIME-WAIT` are used again after a second. *It bites
//!   when*: the same, while few connections live
//!
//! # Processor
//! The loop is one thread; the kernel's work for the network is not in it. Keep the two apart:
//! interrupts of the card on other processors than the one the daemon runs on
//! (`/proc/interrupts`, `taskset`), one daemon for each address rather than more threads.
//! `[loop] coalesce` trades a few milliseconds for fewer wake-ups where very many connections beat;
//! `perf stat -e context-switches -p PID` shows what it saves.
