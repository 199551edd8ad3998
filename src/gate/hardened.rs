//! What the process has given up, for those who ask: the daemon does so when everything is bound,
//! the library by itself never.

use super::Gate;

/// What a process can no longer do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Hardened {
    /// The number of the user it runs as.
    pub(crate) uid: u32,
    /// It holds single rights of root's, or could take some up again.
    pub(crate) capabilities: bool,
    /// No program that it could start would have more rights than it has.
    pub(crate) no_new_privs: bool,
    /// Files, ports and processes out of reach.
    pub(crate) landlock: Guard,
    /// The version of it that the kernel and we have in common; 0 for none.
    pub(crate) landlock_abi: u32,
    /// System calls that are not made.
    pub(crate) seccomp: Guard,
    /// A crash would leave the memory behind, and its user may look into it.
    pub(crate) dumps: bool,
}

/// How something is kept from the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Guard {
    /// By the kernel.
    On,
    /// Not at all; the kernel tells of it.
    Log,
    /// Not at all: it was configured so.
    Off,
    /// Not at all: the kernel lacks it, or refuses it.
    Missing,
}

impl Guard {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Log => "log",
            Self::Off => "off",
            Self::Missing => "missing",
        }
    }
}

impl Gate {
    /// What the process has given up; `None` where nobody has had it do so.
    pub(crate) fn hardened(&self) -> Option<&Hardened> {
        self.hardened.as_ref()
    }

    /// Takes note of what it has given up.
    pub(crate) fn set_hardened(&mut self, hardened: Hardened) {
        self.hardened = Some(hardened);
    }
}
