//! Whom the process runs as: finds the account that is named, and becomes it for good.

use std::fmt;
use std::path::Path;

use nix::unistd::{
    Gid, Group, Uid, User, getgroups, getresgid, getresuid, setgroups, setresgid, setresuid,
};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

use crate::config::Process;

/// A user and a group of this machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Account {
    user: String,
    uid: Uid,
    gid: Gid,
}

impl Account {
    /// The account that the configuration names; `None` where it names none.
    ///
    /// # Errors
    /// What this machine does not know of it.
    pub(crate) fn find(process: &Process) -> Result<Option<Self>, String> {
        if process.user.is_none() && process.group.is_none() {
            return Ok(None);
        }
        let user = process.user.as_deref();
        let (uid, primary) = user.map_or_else(|| Ok((Uid::effective(), None)), find_user)?;
        let gid = match (&process.group, primary) {
            (Some(group), _) => find_group(group)?,
            (None, Some(gid)) => gid,
            (None, None) => {
                let user = user.unwrap_or_default();
                return Err(format!(
                    "user {user:?} has no entry on this machine that names a group: set group"
                ));
            }
        };
        let user = user.map_or_else(|| uid.to_string(), str::to_owned);
        Ok(Some(Self { user, uid, gid }))
    }

    /// Becomes it, with all threads, and sees to it that there is no way back. Nothing is done
    /// where the process is it already.
    ///
    /// # Errors
    /// Which step was refused. Some may have been taken by then: the process must end.
    pub(crate) fn put_on(&self) -> Result<(), String> {
        if self.is_on() {
            return Ok(());
        }
        let at = |step: &str, error: nix::Error| {
            let why = error.desc();
            format!("{self}: {step}: {why}; start it as root, or leave user and group out")
        };
        // The user last: who is no longer root can not change groups.
        setgroups(&[]).map_err(|error| at("setgroups", error))?;
        setresgid(self.gid, self.gid, self.gid).map_err(|error| at("setresgid", error))?;
        setresuid(self.uid, self.uid, self.uid).map_err(|error| at("setresuid", error))?;
        let has_groups = getgroups().map_or(true, |groups| !groups.is_empty());
        if !self.is_on() || has_groups || self.has_way_back() {
            return Err(format!("{self}: the system did not keep to it"));
        }
        Ok(())
    }

    /// Gives it a Unix socket that the process has bound, so that whoever could use it were it
    /// started as this user can still.
    ///
    /// # Errors
    /// Where that is no socket, or not ours to give.
    pub(crate) fn give(&self, path: &Path) -> Result<(), String> {
        if self.is_on() {
            return Ok(());
        }
        let give = || {
            // Never by the name: whoever may write to the folder could put another file there.
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let socket = rustix::fs::open(path, flags, Mode::empty())?;
            if FileType::from_raw_mode(rustix::fs::fstat(&socket)?.st_mode) != FileType::Socket {
                return Err(rustix::io::Errno::NOTSOCK);
            }
            let uid = rustix::fs::Uid::from_raw(self.uid.as_raw());
            rustix::fs::chownat(&socket, "", Some(uid), None, AtFlags::EMPTY_PATH)
        };
        give().map_err(|error| format!("{} can not be given to {self}: {error}", path.display()))
    }

    /// Whether the process runs as it: as who it is, acts, and may become.
    fn is_on(&self) -> bool {
        let is_user = |is: nix::unistd::ResUid| {
            [is.real, is.effective, is.saved] == [self.uid, self.uid, self.uid]
        };
        let is_group = |is: nix::unistd::ResGid| {
            [is.real, is.effective, is.saved] == [self.gid, self.gid, self.gid]
        };
        getresuid().is_ok_and(is_user) && getresgid().is_ok_and(is_group)
    }

    /// Whether it could be root again: there are flags with which a change of the user takes no
    /// right away.
    fn has_way_back(&self) -> bool {
        if self.uid.is_root() {
            return false;
        }
        let root = Uid::from_raw(0);
        has_capabilities() || setresuid(root, root, root).is_ok()
    }
}

/// Gives up single rights of root's, as that to bind a port below 1024, which a service manager may
/// have lent: for this thread and those that it starts, in every set. What is ambient goes with
/// what is inheritable.
pub(super) fn drop_capabilities() -> rustix::io::Result<()> {
    let none = CapabilitySet::empty();
    let sets = CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    };
    set_capabilities(None, sets)
}

/// Whether there are any that it uses, could take up, or would hand on.
pub(super) fn has_capabilities() -> bool {
    capabilities(None).map_or(true, |sets| {
        !(sets.effective | sets.permitted | sets.inheritable).is_empty()
    })
}

/// For complaints.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, uid, gid } = self;
        write!(f, "user {user:?} (uid={uid} gid={gid})")
    }
}

/// The number of a user, and the group that its entry names, where it has one.
fn find_user(name: &str) -> Result<(Uid, Option<Gid>), String> {
    let known = User::from_name(name).map_err(|error| format!("user {name:?}: {error}"))?;
    if let Some(user) = known {
        return Ok((user.uid, Some(user.gid)));
    }
    // In a container nobody may have a name.
    let Ok(number) = name.parse() else {
        return Err(format!("there is no user {name:?} on this machine"));
    };
    let uid = Uid::from_raw(number);
    let entry = User::from_uid(uid).ok().flatten();
    Ok((uid, entry.map(|user| user.gid)))
}

fn find_group(name: &str) -> Result<Gid, String> {
    let known = Group::from_name(name).map_err(|error| format!("group {name:?}: {error}"))?;
    if let Some(group) = known {
        return Ok(group.gid);
    }
    let number = name.parse().map(Gid::from_raw);
    number.map_err(|_| format!("there is no group {name:?} on this machine"))
}
