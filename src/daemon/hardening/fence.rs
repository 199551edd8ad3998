//! Landlock: which files the process can still open, and that it opens no connection.
//!
//! It reads below the folders of what it reads again at a reload, and removes its Unix socket when
//! it leaves. Everything else, ports, processes and abstract sockets included, is out of reach,
//! as far as the kernel knows how.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use crate::config::{AdminBind, Config};

/// The newest that is known here; an older kernel keeps to what it has.
const KNOWN: ABI = ABI::V6;

/// What may be reached.
#[derive(Clone, Default, Debug)]
pub(crate) struct Fence {
    /// Folders below which files are read.
    reads: Vec<PathBuf>,
    /// A file that is read: the program's own, for the frames of a panic.
    program: Option<PathBuf>,
    /// The folder that a socket is removed from.
    removes: Option<PathBuf>,
}

/// How far a fence came up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Raised {
    /// As this version of the kernel's Landlock has it.
    At(u32),
    /// The kernel has none, or has it off.
    Missing,
}

impl Fence {
    /// What this configuration, read from `file`, has to reach.
    pub(super) fn of(config: &Config, file: Option<&Path>, program: Option<PathBuf>) -> Self {
        let files = config.files().chain(file);
        let mut reads: Vec<PathBuf> = files.flat_map(folders).collect();
        reads.sort();
        reads.dedup();
        let removes = match &config.admin.bind {
            AdminBind::Unix(path) => path.parent().map(of_here),
            AdminBind::Off | AdminBind::Tcp(_) => None,
        };
        Self {
            reads,
            program,
            removes,
        }
    }

    /// The folders below which files can be read.
    pub(crate) fn reads(&self) -> impl Iterator<Item = &Path> {
        self.reads.iter().map(PathBuf::as_path)
    }

    /// Whether a file that may not be there yet lies within.
    pub(crate) fn covers(&self, file: &Path) -> bool {
        let is_within = |folder: PathBuf| {
            let mut held = self.reads.iter();
            held.any(|read| folder.starts_with(read))
        };
        folders(file).all(is_within)
    }

    /// Puts it around this thread and those that it starts.
    pub(super) fn raise(&self) -> Result<Raised, RulesetError> {
        let ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(KNOWN))?
            .handle_access(AccessNet::from_all(KNOWN))?
            .scope(Scope::from_all(KNOWN))?
            .create()?;
        let mut ruleset = ruleset;
        for folder in &self.reads {
            ruleset = open(ruleset, folder, AccessFs::ReadFile)?;
        }
        if let Some(program) = &self.program {
            ruleset = open(ruleset, program, AccessFs::ReadFile)?;
        }
        if let Some(folder) = &self.removes {
            ruleset = open(ruleset, folder, AccessFs::RemoveFile)?;
        }
        let status = ruleset.restrict_self()?;
        Ok(match (status.ruleset, status.landlock) {
            (RulesetStatus::NotEnforced, _) => Raised::Missing,
            (_, LandlockStatus::Available { effective_abi, .. }) => {
                Raised::At(effective_abi as u32)
            }
            _ => Raised::Missing,
        })
    }
}

/// Lets something through. What is not there, or can not be reached, needs no gate.
fn open(
    ruleset: RulesetCreated,
    path: &Path,
    access: AccessFs,
) -> Result<RulesetCreated, RulesetError> {
    match PathFd::new(path) {
        Ok(place) => ruleset.add_rule(PathBeneath::new(place, access)),
        Err(_) => Ok(ruleset),
    }
}

/// The folder in which a file is named, and that in which it really is: either may be where a new
/// one is put.
fn folders(file: &Path) -> impl Iterator<Item = PathBuf> {
    let real = std::fs::canonicalize(file).ok();
    let real = real.and_then(|real| real.parent().map(Path::to_owned));
    let named = file.parent().map(of_here).map(|named| {
        let real = std::fs::canonicalize(&named);
        real.unwrap_or(named)
    });
    named.into_iter().chain(real)
}

/// The folder of a bare name is the one we are in.
fn of_here(folder: &Path) -> PathBuf {
    match folder.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => folder.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn only_what_a_reload_reads_is_in_reach() {
        let (inside, outside) = (tempfile::tempdir(), tempfile::tempdir());
        let (inside, outside) = (inside.expect("a folder"), outside.expect("a folder"));
        for folder in [&inside, &outside] {
            std::fs::write(folder.path().join("c.toml"), "text").expect("a file");
        }
        let mut config = Config::default();
        config.admin.bind = AdminBind::Unix(outside.path().join("adm.sock"));
        let file = inside.path().join("c.toml");
        let fence = Fence::of(&config, Some(&file), None);
        assert!(fence.covers(&file) && fence.covers(&inside.path().join("other")));
        assert!(!fence.covers(&outside.path().join("c.toml")));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let addr = listener.local_addr().expect("an address");
        let other = outside.path().join("c.toml");
        // A fence is of its thread, and of those that it starts.
        let confined = std::thread::spawn(move || {
            let raised = fence.raise().expect("it is raised or missing");
            let Raised::At(abi) = raised else { return };
            let denied = |error: std::io::Error| error.kind() == ErrorKind::PermissionDenied;
            assert_eq!(std::fs::read(&file).expect("inside"), b"text");
            assert!(std::fs::write(&file, "other").is_err_and(denied));
            assert!(std::fs::remove_file(&file).is_err_and(denied));
            assert!(std::fs::read(&other).is_err_and(denied));
            std::fs::remove_file(&other).expect("where the socket is");
            assert!(std::fs::read("/etc/passwd").is_err_and(denied));
            if abi >= 4 {
                assert!(TcpListener::bind("127.0.0.1:0").is_err_and(denied));
                assert!(TcpStream::connect(addr).is_err_and(denied));
            }
        });
        confined.join().expect("no panic");
        assert!(TcpStream::connect(addr).is_ok(), "others are as they were");
    }
}
