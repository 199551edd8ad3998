//! A campaign: so many seconds of mutations against each target, two targets at a time, each in a
//! process of its own, so that even an abort or a hang is a finding with its input kept.
//!
//! Seconds are those of a processor: a busy machine makes a campaign longer and not smaller.

#![allow(clippy::print_stdout, reason = "a tool prints what it found")]

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::coverage::{self, Seen};
use crate::mutate::Mutator;
use crate::{TARGETS, Target, run};

/// How a campaign is set up.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// For each target, of a processor's time.
    pub span: Duration,
    /// What the mutations follow from.
    pub seed: u64,
    /// Whether inputs that reach new code are written beside the findings, and those that an
    /// earlier campaign wrote are taken up: hours then add up.
    pub keeps: bool,
}

/// Where an input is from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Corpus,
    Kept,
    Made,
}

/// One input may take so much of a processor.
const HANG: Duration = Duration::from_secs(20);

/// Where the inputs of a target's corpus lie.
#[must_use]
pub fn corpus_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    folder.join(name)
}

/// The corpus of a target, by file name.
///
/// # Errors
/// Where it cannot be read.
pub fn corpus(name: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    read(&corpus_folder(name), "")
}

/// The files of a folder whose names begin so, by name.
fn read(folder: &Path, start: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        if file.starts_with(start) {
            all.push((file.into_owned(), fs::read(&path)?));
        }
    }
    all.sort();
    Ok(all)
}

/// Runs the targets of these names, all where there are none; whether all held.
///
/// # Errors
/// Where a process cannot be started.
pub fn conduct(campaign: &Campaign, names: &[String], at_once: usize) -> io::Result<bool> {
    let is_wanted = |target: &&Target| names.is_empty() || names.iter().any(|n| n == target.name);
    let waiting = Mutex::new(TARGETS.iter().filter(is_wanted));
    let next = || waiting.lock().ok().and_then(|mut waiting| waiting.next());
    // Whoever is done takes the next one: a finding leaves no processor idle.
    let work = || {
        let mut held = true;
        while let Some(target) = next() {
            held &= run_to_end(campaign, target)?;
        }
        Ok(held)
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        let outcomes = workers.into_iter().map(|worker| worker.join());
        let outcomes = outcomes.map(|outcome| outcome.unwrap_or(Ok(false)));
        let all: io::Result<Vec<bool>> = outcomes.collect();
        Ok(all?.into_iter().all(|held| held))
    })
}

/// One target in a process of its own; whether it held.
fn run_to_end(campaign: &Campaign, target: &Target) -> io::Result<bool> {
    let mut child = start(campaign, target)?;
    let status = child.wait()?;
    if !status.success() {
        let kept = findings().join(format!("{}.input", target.name));
        let input = current(target, child.id());
        fs::copy(&input, &kept)?;
        fs::remove_file(input)?;
        let place = kept.display();
        eprintln!("{}: FAILED ({status}); the input is {place}", target.name);
    }
    Ok(status.success())
}

fn start(campaign: &Campaign, target: &Target) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--only", target.name]);
    command.arg(campaign.span.as_secs().to_string());
    command.args(["--seed", &campaign.seed.to_string()]);
    if campaign.keeps {
        command.arg("--keep");
    }
    command.spawn()
}

/// Runs one target in this process; whether it held.
///
/// # Errors
/// Where the corpus cannot be read, or a finding not be written.
pub fn one(campaign: &Campaign, target: &'static Target) -> io::Result<bool> {
    fs::create_dir_all(findings())?;
    // An input that never ends is ended by the kernel, and found by that. The kernel counts by its
    // ticks, which were more than a hundredth beside the clock of the processor's time in an hour.
    let most = (campaign.span + campaign.span / 10 + 2 * HANG).as_secs();
    let bound = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    setrlimit(Resource::Cpu, bound)?;
    std::panic::set_hook(Box::new(|_| {}));
    let mut inputs: Vec<Vec<u8>> = corpus(target.name)?.into_iter().map(|one| one.1).collect();
    inputs.push(Vec::new());
    let mut mutator = Mutator::new(campaign.seed);
    let mut seen = Seen::default();
    let mut runs = 0_u64;
    let place = current(target, std::process::id());
    let file = File::create(&place)?;
    let mut queue: VecDeque<_> = inputs.iter().map(|i| (i.clone(), Origin::Corpus)).collect();
    if campaign.keeps {
        let kept = read(&findings(), &format!("{}-", target.name))?;
        queue.extend(kept.into_iter().map(|one| (one.1, Origin::Kept)));
    }
    while used() < campaign.span {
        let (input, origin) = match queue.pop_front() {
            Some(known) => known,
            None => (mutator.make(&inputs, target.size_max), Origin::Made),
        };
        coverage::clear();
        if let Err(why) = attempt(target, &input, &file)? {
            fs::write(&place, report(target, input, &why))?;
            return Ok(false);
        }
        runs += 1;
        if seen.learn() && origin != Origin::Corpus {
            if campaign.keeps && origin == Origin::Made {
                let name = format!("{}-{}-{runs}", target.name, campaign.seed);
                fs::write(findings().join(name), &input)?;
            }
            inputs.push(input);
        }
    }
    fs::remove_file(place)?;
    let (reached, of) = seen.share();
    let guided = match coverage::is_there() {
        true => format!(", {reached} of {of} edges, {} inputs", inputs.len()),
        false => String::new(),
    };
    let (seconds, name) = (used().as_secs(), target.name);
    let rate = runs / seconds.max(1);
    println!("{name:<9} {runs} runs in {seconds} s, {rate}/s{guided}");
    Ok(true)
}

/// How much of a processor this process has had.
fn used() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// One run; its input lies where it is found if the process ends with it.
fn attempt(target: &'static Target, input: &[u8], file: &File) -> io::Result<Result<(), String>> {
    file.set_len(input.len() as u64)?;
    file.write_all_at(input, 0)?;
    let before = used();
    let outcome = run(target, input);
    let took = used().saturating_sub(before);
    Ok(match outcome {
        Ok(()) if took > HANG => Err(format!("it took {took:?}")),
        outcome => outcome,
    })
}

/// Makes a finding smaller, and says what it is.
fn report(target: &'static Target, input: Vec<u8>, why: &str) -> Vec<u8> {
    let small = shrink(input, |input| run(target, input).is_err());
    let again = run(target, &small).err();
    println!("{}: {}", target.name, again.as_deref().unwrap_or(why));
    println!("    {} bytes: {}", small.len(), small.escape_ascii());
    small
}

/// Takes pieces out of an input for as long as it fails without them.
pub fn shrink(mut input: Vec<u8>, fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut len = input.len().next_power_of_two() / 2;
    let mut tries = 2_000;
    while len > 0 {
        let mut at = 0;
        while at < input.len() && tries > 0 {
            tries -= 1;
            let mut shorter = input.clone();
            shorter.drain(at..(at + len).min(input.len()));
            if fails(&shorter) {
                input = shorter;
            } else {
                at += len;
            }
        }
        len /= 2;
    }
    input
}

/// Where inputs are kept: not in the tree.
fn findings() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join("target/fuzz")
}

/// The input that a process has in hand: in memory, where there is a place for it.
fn current(target: &Target, process: u32) -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { findings() };
    folder.join(format!("pulsegate-fuzz-{}-{process}", target.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_made_small() {
        let long: Vec<u8> = (0..=255).collect();
        let fails = |input: &[u8]| input.contains(&7) && input.contains(&200);
        assert_eq!(shrink(long, fails), [7, 200]);
    }
}
