//! The flags that scenarios share.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::error::Fatal;
use crate::plan::{Cohort, Dialing, Part, Phase, Plan, Policy, Until};
use crate::report::Forms;
use crate::speech::{Dialect, Manner, Wire};
use crate::units::read_span;

/// Where to, how many, and how it is spoken.
#[derive(Clone, Debug, Args)]
pub(crate) struct Target {
    /// HOST:PORT of the server; several are taken in turn
    #[arg(required = true, value_name = "HOST:PORT")]
    targets: Vec<String>,
    /// Connections in all
    #[arg(short, long, default_value_t = 100, value_name = "N")]
    pub(crate) connections: u32,
    /// How long to measure, once everybody is connected
    #[arg(short, long, default_value = "10s", value_parser = read_span, value_name = "TIME")]
    pub(crate) duration: Duration,
    /// Spread the connects over so long; the default is as fast as they succeed
    #[arg(long, default_value = "0", value_parser = read_span, value_name = "TIME")]
    pub(crate) ramp: Duration,
    /// What is spoken
    #[arg(
        long,
        visible_alias = "preset",
        value_enum,
        default_value_t,
        hide_possible_values = true
    )]
    dialect: Dialect,
    /// How pulsegate's own dialects are framed
    #[arg(long, value_enum, default_value_t)]
    framing: Wire,
    /// Bytes of a body, for dialects echo and sink
    #[arg(long, value_name = "BYTES")]
    size: Option<u32>,
    /// Log in as PREFIX-0, PREFIX-1 and so on
    #[arg(long, value_name = "PREFIX")]
    user: Option<String>,
    /// Dialect custom: the request's bytes in hex
    #[arg(long, value_name = "HEX")]
    request: Option<String>,
    /// Dialect custom: the answer's bytes in hex
    #[arg(long, value_name = "HEX")]
    answer: Option<String>,
    /// Dialect custom: the bytes that end an answer, in hex
    #[arg(long, value_name = "HEX")]
    answer_end: Option<String>,
}

/// How it is carried out and told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// Come from these addresses: A, A-B or A/BITS, separated by commas
    #[arg(long, value_name = "ADDRESSES", help_heading = "Machinery")]
    source: Option<String>,
    /// Connects under way at once
    #[arg(
        long,
        default_value_t = 256,
        value_name = "N",
        help_heading = "Machinery"
    )]
    in_flight: u32,
    /// Then a connect is given up
    #[arg(
        long, default_value = "10s", value_parser = read_span, value_name = "TIME",
        help_heading = "Machinery"
    )]
    connect_timeout: Duration,
    /// Worker processes; the default is as few as the descriptors allow
    #[arg(
        long,
        default_value_t = 0,
        value_name = "N",
        help_heading = "Machinery"
    )]
    workers: u32,
    /// Every dice follows from it
    #[arg(
        long,
        default_value_t = 1,
        value_name = "N",
        help_heading = "Machinery"
    )]
    seed: u64,
    /// Own sends later than this (99th percentile) make the run invalid
    #[arg(
        long, default_value = "5ms", value_parser = read_span, value_name = "TIME",
        help_heading = "Machinery"
    )]
    late_limit: Duration,
    /// How long answers are waited for at the end
    #[arg(
        long, default_value = "2s", value_parser = read_span, value_name = "TIME",
        help_heading = "Machinery"
    )]
    drain: Duration,
    /// Say what would be done, and do nothing
    #[arg(long = "dry-run", help_heading = "Machinery")]
    pub(crate) is_dry: bool,
    /// What must hold, as in "beat_rtt:p99<5ms"; may be repeated
    #[arg(long, value_name = "EXPR", help_heading = "Results")]
    threshold: Vec<String>,
    /// Watch this process as the server: processor, memory, descriptors
    #[arg(long, value_name = "PID", help_heading = "Results")]
    pub(crate) server_pid: Option<u32>,
    /// Write the whole report as JSON; `-` is standard output
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    json: Option<PathBuf>,
    /// Write the timeline as CSV
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    csv: Option<PathBuf>,
    /// Write the distributions as HdrHistogram text
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    hgrm: Option<PathBuf>,
    /// How often progress is told
    #[arg(
        long, default_value = "1s", value_parser = read_span, value_name = "TIME",
        help_heading = "Results"
    )]
    interval: Duration,
    /// No progress on standard error
    #[arg(short = 'q', long = "quiet", help_heading = "Results")]
    pub(crate) is_quiet: bool,
}

impl Common {
    pub(crate) fn forms(&self) -> Forms {
        Forms {
            json: self.json.clone(),
            csv: self.csv.clone(),
            hgrm: self.hgrm.clone(),
        }
    }
}

impl Target {
    /// A plan of these flags, still without cohorts and phases.
    pub(crate) fn plan(&self, scenario: &str, common: &Common) -> Result<Plan, Fatal> {
        let mut targets = Vec::new();
        for target in &self.targets {
            targets.push(resolve(target)?);
        }
        let sources = common
            .source
            .as_deref()
            .map_or(Ok(Vec::new()), read_sources)?;
        Ok(Plan {
            scenario: scenario.to_owned(),
            targets,
            sources,
            speech: self.manner(),
            seed: common.seed,
            workers: common.workers,
            dial: Dialing {
                in_flight: common.in_flight,
                timeout: common.connect_timeout,
            },
            cohorts: Vec::new(),
            phases: Vec::new(),
            thresholds: common.threshold.clone(),
            late_limit: common.late_limit,
            drain: common.drain,
            interval: common.interval,
        })
    }

    fn manner(&self) -> Manner {
        Manner {
            dialect: self.dialect,
            framing: self.framing,
            size: self.size,
            user: self.user.clone(),
            request: self.request.clone(),
            answer: self.answer.clone(),
            answer_end: self.answer_end.clone(),
        }
    }

    /// Everybody of this command, in one role.
    pub(crate) fn cohort(&self, name: &str, role: Part) -> Cohort {
        Cohort {
            name: name.to_owned(),
            connections: self.connections,
            role,
            ramp: self.ramp,
            from: 0,
            reconnect: Policy::Never,
        }
    }

    /// The phase in which everybody connects.
    pub(crate) fn ramp_phase(&self, common: &Common) -> Phase {
        let within = self.ramp + common.connect_timeout * 3;
        Phase {
            name: String::from("ramp"),
            until: Until::Settled { within },
            disturb: false,
            judged: false,
        }
    }

    /// The phase that is measured.
    pub(crate) fn measure_phase(&self) -> Phase {
        Phase {
            name: String::from("measure"),
            until: Until::Elapsed {
                span: self.duration,
            },
            disturb: false,
            judged: true,
        }
    }
}

/// The first address of a name.
fn resolve(target: &str) -> Result<SocketAddr, Fatal> {
    let wrong = |why: String| Fatal::Usage(format!("target {target:?}: {why}"));
    if !target.contains(':') {
        return Err(wrong(String::from("write HOST:PORT, as in 127.0.0.1:7373")));
    }
    let mut addrs = target
        .to_socket_addrs()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidInput => {
                wrong(String::from("write HOST:PORT, as in 127.0.0.1:7373"))
            }
            _ => Fatal::Environment(format!("target {target:?}: {error}")),
        })?;
    addrs
        .next()
        .ok_or_else(|| Fatal::Environment(format!("target {target:?} has no address")))
}

/// `127.0.0.1`, `127.0.0.1-127.0.0.9`, `127.1.0.0/28`, and lists of them.
fn read_sources(text: &str) -> Result<Vec<IpAddr>, Fatal> {
    let mut sources = Vec::new();
    for part in text.split(',') {
        let wrong = || {
            Fatal::Usage(format!(
                "source {part:?}: write 127.0.0.2, 127.0.0.2-127.0.0.9 or 127.1.0.0/28"
            ))
        };
        let read =
            |text: &str| -> Result<IpAddr, Fatal> { text.trim().parse().map_err(|_| wrong()) };
        let range = if let Some((first, last)) = part.split_once('-') {
            (to_number(read(first)?), to_number(read(last)?))
        } else if let Some((net, bits)) = part.split_once('/') {
            let net = read(net)?;
            let width = if net.is_ipv4() { 32 } else { 128 };
            let bits: u32 = bits.trim().parse().map_err(|_| wrong())?;
            let host = width_of(width, bits).ok_or_else(wrong)?;
            let first = to_number(net) & !host;
            // The first and the last of an IPv4 network are no addresses of a host.
            let edge = u128::from(net.is_ipv4() && width - bits > 1);
            (first + edge, first + host - edge)
        } else {
            (to_number(read(part)?), to_number(read(part)?))
        };
        let (first, last) = range;
        if first > last || last - first >= SOURCES_MAX {
            return Err(wrong());
        }
        let is_v4 = part.contains('.');
        sources.extend((first..=last).map(|number| to_ip(number, is_v4)));
    }
    Ok(sources)
}

/// The bits of the host part, all set.
fn width_of(width: u32, bits: u32) -> Option<u128> {
    let host = width.checked_sub(bits)?;
    Some(1_u128.checked_shl(host).map_or(u128::MAX, |size| size - 1))
}

fn to_number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u32::from(ip).into(),
        IpAddr::V6(ip) => ip.into(),
    }
}

fn to_ip(number: u128, is_v4: bool) -> IpAddr {
    match u32::try_from(number) {
        Ok(number) if is_v4 => IpAddr::V4(number.into()),
        _ => IpAddr::V6(number.into()),
    }
}

/// Source addresses at most.
const SOURCES_MAX: u128 = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read() {
        let read = |text: &str| -> Vec<String> {
            let sources = read_sources(text).unwrap();
            sources.iter().map(ToString::to_string).collect()
        };
        assert_eq!(read("127.0.0.5"), ["127.0.0.5"]);
        assert_eq!(read("127.0.0.5-127.0.0.6,127.0.1.1").len(), 3);
        assert_eq!(read("127.1.0.0/30"), ["127.1.0.1", "127.1.0.2"]);
        assert_eq!(read("127.1.0.7/32"), ["127.1.0.7"]);
        assert_eq!(read("::1"), ["::1"]);
        for wrong in [
            "",
            "here",
            "127.0.0.2-127.0.0.1",
            "127.0.0.0/33",
            "10.0.0.0/8",
        ] {
            assert!(read_sources(wrong).is_err(), "{wrong}");
        }
    }
}
