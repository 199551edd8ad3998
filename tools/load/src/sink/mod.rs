//! `sink`: the tool's own server, with faults that are switched on by flags.
//!
//! What it does wrong is known to the moment, and so the tool can be held against it: see
//! [`selftest`](crate::selftest). It speaks dialect `gate` on lines as far as the scenarios need
//! it: `ping`, `login`, `join` and `pub`; any other line comes back as it was.

mod faulty;

use std::time::Duration;

use pulsegate::net::mio::MioNet;
use pulsegate::{Dialect, Options, Server, Settings};

use crate::cli::resolve;
use crate::error::{Doing, Fatal};
use crate::report::to_stdout;
use crate::units::read_span;
use crate::worker::raise_files;
use faulty::Faulty;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Where it listens; port 0 takes a free one. The address is the first line on standard output
    #[arg(long, default_value = "127.0.0.1:7377", value_name = "HOST:PORT")]
    bind: String,
    #[command(flatten)]
    faults: Faults,
    /// Close whoever says nothing for so long; the default is never
    #[arg(long, value_parser = read_span, value_name = "TIME")]
    idle: Option<Duration>,
    /// End with the process that started it
    #[arg(long, hide = true)]
    with_parent: bool,
}

/// What it does wrong.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Faults {
    /// Do nothing at all for so long, and say on standard output how long that really was
    #[arg(long, value_parser = read_span, value_name = "TIME")]
    stall: Option<Duration>,
    /// From the first connection to the first stall, and from the end of each to the next
    #[arg(long, default_value = "10s", value_parser = read_span, value_name = "TIME")]
    every: Duration,
    /// Say everything so much later
    #[arg(long, default_value = "0", value_parser = read_span, value_name = "TIME")]
    delay: Duration,
    /// Lose each N-th of the messages that go to the members of topics; 0 loses none
    #[arg(long, default_value_t = 0, value_name = "N")]
    drop: u64,
    /// Say each N-th of them twice; 0 says all once
    #[arg(long, default_value_t = 0, value_name = "N")]
    twice: u64,
    /// Say each N-th of them after the next one to the same member; 0 keeps the order
    #[arg(long, default_value_t = 0, value_name = "N")]
    swap: u64,
    /// Leave each N-th `ping` without an answer; 0 answers all
    #[arg(long, default_value_t = 0, value_name = "N")]
    mute: u64,
}

/// Serves until the process is ended.
pub(crate) fn main(args: &Args) -> Result<u8, Fatal> {
    use rustix::process::{Signal, set_parent_process_death_signal};
    let what = || String::from("starting the sink");
    if args.with_parent {
        set_parent_process_death_signal(Some(Signal::KILL)).doing(what)?;
    }
    raise_files();
    let net = MioNet::new(1_024).doing(what)?;
    let faulty = Faulty::new(args.faults);
    let mut server = Server::new(net, faulty, Options::default()).doing(what)?;
    let settings = Settings {
        bind: vec![resolve(&args.bind)?],
        dialect: Dialect::Frames,
        idle_timeout: args.idle,
        ..Settings::default()
    };
    let addrs = server
        .listen(settings)
        .doing(|| format!("listening on {}", args.bind))?;
    for addr in addrs {
        to_stdout(format!("{addr}\n").as_bytes()).doing(what)?;
    }
    server
        .run()
        .doing(|| String::from("serving"))
        .map(|()| crate::error::PASSED)
}
