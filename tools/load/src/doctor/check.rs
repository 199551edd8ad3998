//! The checks: what is needed, what there is, and what to type where that is too little.

use serde::Serialize;

use super::Wish;
use super::machine::Machine;
use crate::error::Fatal;
use crate::plan::{Limits, RESERVE};

/// One thing of which there must be enough.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) fits: bool,
    pub(super) needed: u64,
    pub(super) available: u64,
    /// Where the figures come from.
    pub(super) why: String,
    /// What to type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

/// Everything that applies here; what a machine does not have can not run short.
pub(super) fn all(machine: &Machine, wish: &Wish) -> Result<Vec<Check>, Fatal> {
    let files = machine.files_of("self")?;
    let mut checks = vec![worker_files(wish, files)];
    if let Some(pid) = wish.server {
        checks.push(server_files(machine, wish, pid)?);
    }
    let others = [
        nr_open(machine, wish, files),
        file_max(machine, wish),
        Some(ports(machine, wish)?),
        backlog(machine, wish),
        epoll(machine, wish),
        tcp_pages(machine, wish),
        memory(machine, wish),
        conntrack(machine, wish),
    ];
    checks.extend(others.into_iter().flatten());
    Ok(checks)
}

impl Check {
    fn new(name: &'static str, (needed, available): (u64, u64), why: String) -> Self {
        Self {
            name,
            fits: needed <= available,
            needed,
            available,
            why,
            remedy: None,
        }
    }

    fn or(mut self, remedy: impl FnOnce() -> String) -> Self {
        self.remedy = (!self.fits).then(remedy);
        self
    }
}

/// Descriptors of the fullest worker.
fn per_worker(wish: &Wish, files: u64) -> u64 {
    let workers = match (wish.workers, files.saturating_sub(RESERVE)) {
        (0, 0) => 1,
        (0, room) => wish.connections.div_ceil(room),
        (workers, _) => workers,
    };
    wish.connections.div_ceil(workers) + RESERVE
}

fn worker_files(wish: &Wish, files: u64) -> Check {
    let needed = per_worker(wish, files);
    let why = String::from("descriptors of a worker: ulimit -Hn");
    let room = files.saturating_sub(RESERVE);
    Check::new("worker files", (needed, files), why).or(|| {
        if room == 0 {
            return format!("ulimit -n {needed}");
        }
        let workers = wish.connections.div_ceil(room);
        format!("--workers {workers}   # or, as root: ulimit -n {needed}")
    })
}

fn server_files(machine: &Machine, wish: &Wish, pid: u32) -> Result<Check, Fatal> {
    let needed = wish.connections + RESERVE;
    let files = machine.files_of(&pid.to_string())?;
    let why = format!("descriptors of the server, process {pid}");
    let check = Check::new("server files", (needed, files), why);
    Ok(check.or(|| format!("prlimit --pid {pid} --nofile={needed}:{needed}")))
}

fn nr_open(machine: &Machine, wish: &Wish, files: u64) -> Option<Check> {
    let server = if wish.is_local() {
        wish.connections + RESERVE
    } else {
        0
    };
    let needed = per_worker(wish, files).max(server);
    let available = machine.setting("fs.nr_open")?;
    let why = String::from("the most that any process can be allowed: fs.nr_open");
    let check = Check::new("nr_open", (needed, available), why);
    Some(check.or(|| format!("sysctl -w fs.nr_open={needed}")))
}

fn file_max(machine: &Machine, wish: &Wish) -> Option<Check> {
    let in_use = machine.setting("fs.file-nr")?;
    let needed = in_use + wish.ends() + RESERVE;
    let available = machine.setting("fs.file-max")?;
    let why = format!("descriptors of all processes: {in_use} in use, fs.file-max");
    let check = Check::new("file-max", (needed, available), why);
    Some(check.or(|| format!("sysctl -w fs.file-max={needed}")))
}

fn ports(machine: &Machine, wish: &Wish) -> Result<Check, Fatal> {
    const NAME: &str = "net.ipv4.ip_local_port_range";
    const WIDEST: Limits = Limits {
        files: 0,
        ports: 64_512,
    };
    let range = machine.numbers("proc/sys/net/ipv4/ip_local_port_range");
    let Some([first, last]) = range.as_deref() else {
        let text = format!("{NAME} can not be read");
        return Err(Fatal::Environment(text));
    };
    let ports = last.saturating_sub(*first) + 1;
    let targets = wish.targets.len() as u64;
    let per_source = |limits: Limits| limits.usable_ports() * targets;
    let own = per_source(Limits { files: 0, ports });
    let sources = |of_one: u64| wish.connections.div_ceil(of_one);
    let given = match wish.sources.len() as u64 {
        // The tool takes as many addresses of the loopback network as it needs.
        0 if wish.is_local() && wish.targets[0].is_ipv4() => sources((own / 2).max(1)),
        0 => 1,
        given => given,
    };
    let why = format!(
        "{given} source(s) to {targets} target(s), nine tenths of {ports} ports each: {NAME}"
    );
    let check = Check::new("ports", (wish.connections, given * own), why);
    Ok(check.or(|| {
        let (needed, wide) = (sources(own), per_source(WIDEST));
        if wish.is_local() && wish.targets[0].is_ipv4() {
            return format!("--source 127.1.0.0/{}", bits_for(needed));
        }
        let widen = format!("sysctl -w {NAME}=\"1024 65535\"");
        match sources(wide) {
            enough if enough <= given => widen,
            enough => format!("{widen}   # and --source with {enough} addresses of this machine"),
        }
    }))
}

/// The network that has so many addresses for hosts.
fn bits_for(addresses: u64) -> u32 {
    let size = (addresses + 2).next_power_of_two();
    32_u32.saturating_sub(size.trailing_zeros())
}

fn backlog(machine: &Machine, wish: &Wish) -> Option<Check> {
    if !wish.is_local() {
        return None;
    }
    let needed = wish.in_flight.min(wish.connections);
    let available = machine.setting("net.core.somaxconn")?;
    let why = String::from("connects under way that one listener can hold: net.core.somaxconn");
    let check = Check::new("backlog", (needed, available), why);
    Some(
        check.or(|| {
            format!("sysctl -w net.core.somaxconn={needed}   # or: --in-flight {available}")
        }),
    )
}

fn epoll(machine: &Machine, wish: &Wish) -> Option<Check> {
    let needed = wish.ends() + RESERVE;
    let available = machine.setting("fs.epoll.max_user_watches")?;
    let why = String::from("sockets that one user can wait for: fs.epoll.max_user_watches");
    let check = Check::new("epoll", (needed, available), why);
    Some(check.or(|| format!("sysctl -w fs.epoll.max_user_watches={needed}")))
}

fn tcp_pages(machine: &Machine, wish: &Wish) -> Option<Check> {
    let settings = machine.numbers("proc/sys/net/ipv4/tcp_mem")?;
    let [low, pressure, max] = settings[..] else {
        return None;
    };
    let in_use = machine.tcp_pages();
    let needed = in_use + wish.connections;
    let why = format!("a page for each connection at once, {in_use} in use: net.ipv4.tcp_mem");
    let check = Check::new("tcp_mem", (needed, max), why);
    Some(check.or(|| {
        let pressure = pressure.max(needed);
        let max = needed + needed / 4;
        format!("sysctl -w net.ipv4.tcp_mem=\"{low} {pressure} {max}\"")
    }))
}

fn memory(machine: &Machine, wish: &Wish) -> Option<Check> {
    let available = machine.memory()?;
    let needed = wish.ends() * SOCKET_BYTES + wish.connections * OWN_BYTES + BASE_BYTES;
    let why = format!("bytes: {SOCKET_BYTES} a socket, {OWN_BYTES} a connection of the tool");
    let check = Check::new("memory", (needed, available), why);
    Some(check.or(|| {
        let each = SOCKET_BYTES * wish.ends() / wish.connections + OWN_BYTES;
        format!("-c {}", available.saturating_sub(BASE_BYTES) / each)
    }))
}

fn conntrack(machine: &Machine, wish: &Wish) -> Option<Check> {
    const NAME: &str = "net.netfilter.nf_conntrack_max";
    let available = machine.setting(NAME)?;
    let in_use = machine
        .setting("net.netfilter.nf_conntrack_count")
        .unwrap_or(0);
    let needed = in_use + wish.connections;
    let why = format!("connections that the firewall follows, {in_use} in use: {NAME}");
    let check = Check::new("conntrack", (needed, available), why);
    Some(check.or(|| format!("sysctl -w {NAME}={needed}")))
}

/// What the kernel takes for an idle socket, its file included.
const SOCKET_BYTES: u64 = 4_096;
/// What the tool itself takes at most.
const OWN_BYTES: u64 = 512;
/// What it takes before the first connection.
const BASE_BYTES: u64 = 16 << 20;
