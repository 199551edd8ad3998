//! How many processes a plan takes, and from which addresses its connections come.
//!
//! Knows the limits only as numbers, so that any machine can be asked about.

use std::net::{IpAddr, Ipv4Addr};

use super::Plan;
use crate::error::{Doing, Fatal};

/// What the machine allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Descriptors a process may have.
    pub(crate) files: u64,
    /// Ports the kernel hands out for one source and one target.
    pub(crate) ports: u64,
}

/// How a plan is spread.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fleet {
    pub(crate) workers: u32,
    /// Empty leaves it to the kernel.
    pub(crate) sources: Vec<IpAddr>,
}

impl Limits {
    /// Of this machine; `ip_local_port_range` less what a busy machine has in use.
    pub(crate) fn of_this_machine() -> Result<Self, Fatal> {
        use rustix::process::{Resource, getrlimit};
        let files = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        let path = "/proc/sys/net/ipv4/ip_local_port_range";
        let text = std::fs::read_to_string(path).doing(|| format!("reading {path}"))?;
        let mut ends = text.split_whitespace().filter_map(|end| end.parse().ok());
        let (first, last) = (
            ends.next().unwrap_or(32_768_u64),
            ends.next().unwrap_or(60_999),
        );
        let ports = last.saturating_sub(first) + 1;
        Ok(Self { files, ports })
    }

    /// A tenth of the range is left to others and to ports that are not free yet.
    pub(crate) fn usable_ports(self) -> u64 {
        (self.ports * 9 / 10).max(1)
    }
}

impl Fleet {
    /// The smallest fleet that holds the plan's connections.
    ///
    /// # Errors
    /// Where the ports of the sources do not suffice, with the flag that would help.
    pub(crate) fn of(plan: &Plan, limits: Limits) -> Result<Self, Fatal> {
        let room = limits.files.saturating_sub(RESERVE);
        if room == 0 {
            return Err(Fatal::Environment(format!(
                "{} descriptors a process are too few: raise the limit with `ulimit -n`",
                limits.files
            )));
        }
        let needed = plan.connections().div_ceil(room);
        let needed = u32::try_from(needed).unwrap_or(u32::MAX).max(1);
        if plan.workers != 0 && plan.workers < needed {
            let connections = plan.connections();
            let each = connections.div_ceil(plan.workers.into()) + RESERVE;
            return Err(Fatal::Environment(format!(
                "{connections} connections do not fit into {} worker(s) of {room} descriptors: \
                 --workers {needed}, or, as root, `ulimit -n {each}`; see `{DOCTOR} -c \
                 {connections}`",
                plan.workers
            )));
        }
        Ok(Self {
            workers: plan.workers.max(needed),
            sources: sources(plan, limits)?,
        })
    }
}

/// The plan's own sources, or as many loopback addresses as the connections need.
fn sources(plan: &Plan, limits: Limits) -> Result<Vec<IpAddr>, Fatal> {
    let usable = limits.usable_ports();
    let tuples = usable * plan.targets.len() as u64;
    let is_local = |ip: IpAddr| matches!(ip, IpAddr::V4(ip) if ip.is_loopback());
    if plan.sources.is_empty() && plan.targets.iter().all(|target| is_local(target.ip())) {
        // The kernel hands out every second port, and searches for long once those are used up.
        let count = plan.connections().div_ceil((tuples / 2).max(1));
        return Ok(if count > 1 {
            loopback(u32::try_from(count).unwrap_or(u32::MAX))
        } else {
            Vec::new()
        });
    }
    let needed = plan.connections().div_ceil(tuples).max(1);
    let given = plan.sources.len().max(1) as u64;
    if needed <= given {
        return Ok(plan.sources.clone());
    }
    let connections = plan.connections();
    Err(Fatal::Environment(format!(
        "{connections} connections need {needed} source addresses ({usable} ports each to a \
         target) and there is {given}: give more with --source, or, as root, `sysctl -w \
         net.ipv4.ip_local_port_range=\"1024 65535\"`; see `{DOCTOR} -c {connections}`"
    )))
}

/// So many addresses of this machine's own network.
fn loopback(count: u32) -> Vec<IpAddr> {
    let first = u32::from(Ipv4Addr::new(127, 1, 0, 1));
    let ips = first..first.saturating_add(count);
    ips.map(|ip| IpAddr::V4(ip.into())).collect()
}

const DOCTOR: &str = "pulsegate-load doctor";

/// Descriptors of a worker beside its connections: epoll, timer, channel, standard ones, spares.
pub(crate) const RESERVE: u64 = 32;
