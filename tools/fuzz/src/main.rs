//! `pulsegate-fuzz SECONDS [TARGET...]`: mutations of the corpora against each target for so long.
//! `pulsegate-fuzz --replay TARGET FILE`: one input, with its panic.
#![allow(clippy::print_stdout, reason = "a tool prints what it found")]

use std::process::ExitCode;
use std::time::Duration;

use pulsegate_fuzz::TARGETS;
use pulsegate_fuzz::campaign::{Campaign, conduct, one};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match act(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::from(2)
        }
    }
}

fn act(args: &[String]) -> Result<bool, String> {
    if let [flag, name, file] = args
        && flag == "--replay"
    {
        let bytes = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
        let outcome = pulsegate_fuzz::run(target(name)?, &bytes);
        println!("{outcome:?}");
        return Ok(outcome.is_ok());
    }
    let mut campaign = Campaign {
        span: Duration::ZERO,
        seed: 1,
        keeps: false,
    };
    let (mut only, mut names) = (None, Vec::new());
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|text| text.parse().ok());
        match word.as_str() {
            "--seed" => campaign.seed = number().ok_or("--seed NUMBER")?,
            "--keep" => campaign.keeps = true,
            "--only" => only = Some(target(words.next().ok_or("--only TARGET")?)?),
            _ => match word.parse() {
                Ok(seconds) => campaign.span = Duration::from_secs(seconds),
                Err(_) => names.push(target(word)?.name.to_owned()),
            },
        }
    }
    if campaign.span.is_zero() {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        return Err(format!("SECONDS [--seed N] [--keep] [{}]", names.join("|")));
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let held = match only {
        Some(target) => one(&campaign, target),
        None => conduct(&campaign, &names, cores),
    };
    held.map_err(|error| error.to_string())
}

fn target(name: &str) -> Result<&'static pulsegate_fuzz::Target, String> {
    let found = TARGETS.iter().find(|target| target.name == name);
    found.ok_or_else(|| format!("no target {name}"))
}
