//! What all clients of a world share: the rules of the listeners, the names, who owes what.

use std::collections::BTreeSet;

use pulsegate::{Dialect, Settings, UserPolicy};

use crate::world::desk::Desk;

/// No client has this number.
pub(crate) const ANYBODY: u32 = u32::MAX;

/// The rules of a world, as its clients know them.
#[derive(Debug)]
pub(crate) struct House {
    /// The settings of each listener.
    pub(crate) settings: Vec<Settings>,
    pub(crate) policy: UserPolicy,
    /// Names that clients write to.
    pub(crate) users: Vec<String>,
    pub(crate) topics: Vec<String>,
    /// Messages of the last proof that were not heard yet: sender, number, and by whom they must
    /// be heard; `ANYBODY` where one is enough.
    pub(crate) unheard: BTreeSet<(u32, u32, u32)>,
    /// Messages that were kept for later, by sender and number.
    pub(crate) kept: BTreeSet<(u32, u32)>,
    /// Whether the last act has begun: only what proves liveness is said.
    pub(crate) is_quiet: bool,
    /// Whether logins have a rate, and addresses matter.
    pub(crate) limits_logins: bool,
    pub(crate) has_addresses: bool,
    /// What operators order and are told.
    pub(crate) desk: Desk,
}

impl House {
    pub(crate) fn is_gate(&self, listener: u16) -> bool {
        self.settings[usize::from(listener)].dialect == Dialect::Gate
    }
}
