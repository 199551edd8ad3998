//! What the process gives up when everything is bound, read and open: the rights of root, and
//! whatever the daemon has no use for. Each step holds for the threads that come later, and none of
//! them has a way back.
//!
//! Without the account that is configured nothing runs. The rest is as good as the kernel has it:
//! what is missing is told, and no reason to stay away.

mod account;
mod calls;
mod fence;

use std::fs::File;
use std::path::{Path, PathBuf};

use log::{debug, warn};
use rustix::process::{DumpableBehavior, dumpable_behavior, geteuid, set_dumpable_behavior};
use seccompiler::SeccompAction;

use self::fence::Raised;
use super::DaemonError;
use super::reload::is_pipe;
use crate::config::{Config, Hardening};
use crate::gate::{Guard, Hardened};

pub(crate) use self::account::Account;
pub(super) use self::fence::Fence;

/// Gives up everything. `file` is what a reload reads, `program` is where this one comes from.
///
/// # Errors
/// Where it does not become who it shall be.
pub(super) fn settle(
    config: &Config,
    account: Option<&Account>,
    file: Option<&Path>,
    program: Option<PathBuf>,
) -> Result<(Hardened, Option<Fence>), DaemonError> {
    match account {
        Some(account) => account.put_on().map_err(DaemonError::Account)?,
        None if geteuid().is_root() => warn!(
            "it runs as root: set user in [process] to whom it shall become once everything is \
             bound"
        ),
        None => {}
    }
    // Who stays root keeps what it asked for.
    if !geteuid().is_root()
        && let Err(error) = account::drop_capabilities()
    {
        warn!("capabilities can not be given up: {error}");
    }
    if let Err(error) = rustix::thread::set_no_new_privs(true) {
        warn!("no-new-privs can not be set: {error}");
    }
    let mode = config.process.hardening;
    if mode == Hardening::On
        && let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable)
    {
        warn!("core dumps can not be switched off: {error}");
    }
    let fence = Fence::of(config, file, program);
    let (landlock, landlock_abi) = match mode {
        Hardening::On => raise(&fence),
        Hardening::Log | Hardening::Off => (Guard::Off, 0),
    };
    let hardened = Hardened {
        uid: geteuid().as_raw(),
        capabilities: account::has_capabilities(),
        no_new_privs: rustix::thread::no_new_privs().unwrap_or(false),
        landlock,
        landlock_abi,
        dumps: dumpable_behavior().is_ok_and(|is| is == DumpableBehavior::Dumpable),
        // The last: it answers for itself alone.
        seccomp: restrict(mode),
    };
    debug!(
        "hardened: {} landlock-abi={landlock_abi} no-new-privs={} core-dumps={}",
        brief(&hardened),
        hardened.no_new_privs,
        hardened.dumps
    );
    for unread in unreadable(config, file) {
        warn!("{unread}: reloads will be refused");
    }
    Ok((hardened, (landlock == Guard::On).then_some(fence)))
}

fn raise(fence: &Fence) -> (Guard, u32) {
    match fence.raise() {
        Ok(Raised::At(abi)) => (Guard::On, abi),
        Ok(Raised::Missing) => {
            warn!(
                "this kernel has no Landlock, or has it off: files are kept by their rights alone"
            );
            (Guard::Missing, 0)
        }
        Err(error) => {
            warn!("Landlock is refused, files are kept by their rights alone: {error}");
            (Guard::Missing, 0)
        }
    }
}

fn restrict(mode: Hardening) -> Guard {
    let (guard, action) = match mode {
        Hardening::On => (Guard::On, SeccompAction::Errno(calls::NO_SUCH_CALL)),
        Hardening::Log => (Guard::Log, SeccompAction::Log),
        Hardening::Off => return Guard::Off,
    };
    match calls::restrict(action) {
        Ok(()) => guard,
        Err(error) => {
            warn!("this kernel takes no seccomp filter, every system call stays open: {error}");
            Guard::Missing
        }
    }
}

/// What holds, for the line that tells of the start.
pub(super) fn brief(hardened: &Hardened) -> String {
    let Hardened { uid, .. } = hardened;
    let capabilities = if hardened.capabilities {
        "some"
    } else {
        "none"
    };
    let (landlock, seccomp) = (hardened.landlock.word(), hardened.seccomp.word());
    format!("uid={uid} capabilities={capabilities} landlock={landlock} seccomp={seccomp}")
}

/// What an operator should know before such a start: an account that is not there, files that it
/// could not read again. Where this process is root it becomes that account, and stays it.
pub(crate) fn foresee(config: &Config, file: &Path) -> Vec<String> {
    let account = match Account::find(&config.process) {
        Ok(None) => return Vec::new(),
        Ok(Some(account)) => account,
        Err(wrong) => return vec![format!("process: {wrong}")],
    };
    // Who is not root can not tell what another may read.
    if account.put_on().is_err() {
        return Vec::new();
    }
    let unread = unreadable(config, Some(file));
    let told = |unread| format!("as {account}, {unread}: reloads would be refused");
    unread.into_iter().map(told).collect()
}

/// The files of a reload that can not be read as things stand, and why.
fn unreadable(config: &Config, file: Option<&Path>) -> Vec<String> {
    let files = config.files().chain(file);
    let unread = |file: &Path| {
        if is_pipe(file) {
            return Some(format!("{} is a pipe", file.display()));
        }
        let error = File::open(file).err()?;
        Some(format!("{} can not be read: {error}", file.display()))
    };
    files.filter_map(unread).collect()
}
