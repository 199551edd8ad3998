//! `pulsegate-load` puts long connections on a server and tells what became of each: how long a
//! heartbeat took, who was lost, how late the dead were noticed.
//!
//! The rest of the house, in the order of a run:
//!
//! - [`cli`]: the command line; [`scenario`] turns a subcommand into a [`plan`]
//! - [`plan`]: cohorts and phases, checked before anything is opened
//! - [`crew`]: the parent; starts workers, leads them through the phases, adds up their tallies
//! - [`worker`]: one process, one loop; [`dial`] opens connections, a [`role`] decides what each
//!   one does, a [`speech`] knows how the protocol is spoken
//! - [`spread`]: what became of one published message at all of its receivers
//! - [`tally`]: counters and histograms, [`channel`]: how they reach the parent
//! - [`proc`]: what the kernel says of the server and of us; [`growth`]: what a connection takes
//! - [`verdict`], [`report`]: what it all means, and how it is told; [`plot`] draws, [`compare`]
//!   holds runs against each other
//! - [`doctor`]: whether the machine allows a run; [`sink`], [`selftest`]: whether the tool tells
//!   the truth

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")
)]

mod channel;
mod cli;
mod compare;
mod crew;
mod dial;
mod doctor;
mod error;
mod growth;
mod plan;
mod plot;
mod proc;
mod report;
mod role;
mod scenario;
mod selftest;
mod sink;
mod sockopt;
mod speech;
mod spread;
mod tally;
mod units;
mod verdict;
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
