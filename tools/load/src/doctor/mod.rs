//! `doctor`: whether this machine allows so many connections, and what to type where it does not.
//!
//! Opens nothing. Everything it knows it reads below one root, `/` unless a test gives another.

mod check;
mod machine;
mod table;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::Serialize;

use crate::cli::{read_sources, resolve};
use crate::error::{Doing, ENVIRONMENT, Fatal, PASSED};
use crate::report::to_stdout;
use check::Check;
use machine::Machine;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// HOST:PORT of the server; several are taken in turn
    #[arg(default_value = "127.0.0.1:7373", value_name = "HOST:PORT")]
    targets: Vec<String>,
    /// Connections in all
    #[arg(short, long, default_value_t = 100, value_name = "N")]
    connections: u32,
    /// Come from these addresses: A, A-B or A/BITS, separated by commas
    #[arg(long, value_name = "ADDRESSES")]
    source: Option<String>,
    /// Worker processes; the default is as few as the descriptors allow
    #[arg(long, default_value_t = 0, value_name = "N")]
    workers: u32,
    /// Connects under way at once
    #[arg(long, default_value_t = 256, value_name = "N")]
    in_flight: u32,
    /// The server, where it runs on this machine
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Tell it as JSON
    #[arg(long)]
    json: bool,
    /// Where `proc` lies
    #[arg(long, default_value = "/", value_name = "FOLDER", hide = true)]
    root: PathBuf,
}

/// What is to fit.
struct Wish {
    connections: u64,
    targets: Vec<SocketAddr>,
    sources: Vec<IpAddr>,
    workers: u64,
    in_flight: u64,
    server: Option<u32>,
}

/// All that was found.
#[derive(Serialize)]
struct Diagnosis {
    connections: u64,
    targets: Vec<SocketAddr>,
    fits: bool,
    checks: Vec<Check>,
}

/// Looks at everything; returns the exit code.
pub(crate) fn main(args: &Args) -> Result<u8, Fatal> {
    if args.connections == 0 || args.in_flight == 0 {
        let text = "at least one connection is needed, and one connect under way";
        return Err(Fatal::Usage(String::from(text)));
    }
    let targets = args.targets.iter().map(|target| resolve(target));
    let sources = args.source.as_deref().map(read_sources);
    let wish = Wish {
        connections: args.connections.into(),
        targets: targets.collect::<Result<_, _>>()?,
        sources: sources.transpose()?.unwrap_or_default(),
        workers: args.workers.into(),
        in_flight: args.in_flight.into(),
        server: args.server_pid,
    };
    let machine = Machine::new(args.root.clone());
    let checks = check::all(&machine, &wish)?;
    let diagnosis = Diagnosis {
        connections: wish.connections,
        fits: checks.iter().all(|check| check.fits),
        targets: wish.targets,
        checks,
    };
    let what = || String::from("writing the diagnosis");
    let text = if args.json {
        serde_json::to_string_pretty(&diagnosis).doing(what)? + "\n"
    } else {
        table::of(&diagnosis)
    };
    to_stdout(text.as_bytes()).doing(what)?;
    Ok(if diagnosis.fits { PASSED } else { ENVIRONMENT })
}

impl Wish {
    /// Both ends of every connection are on this machine.
    fn is_local(&self) -> bool {
        self.targets.iter().all(|target| target.ip().is_loopback())
    }

    /// Sockets on this machine.
    fn ends(&self) -> u64 {
        self.connections * if self.is_local() { 2 } else { 1 }
    }
}
