//! What is left out of a seed's world, so that a failure can be shown with little around it.
//!
//! Every client has dice of its own, and so have the faults: what is left out changes nothing that
//! another one was going to choose. A cut is text, to be handed to the replay:
//! `21 -u3 -u7 -reset -storms 30s`.

use std::collections::BTreeSet;
use std::time::Duration;

use super::agenda::SECOND;
use super::dice::Rate;
use super::plan::Plan;

/// What does not happen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Cut {
    /// Clients who never come.
    pub(crate) clients: BTreeSet<u32>,
    /// Kinds of faults, one bit each, in the order of `Faults::rates`.
    pub(crate) faults: u32,
    /// Habits of the world, one bit each, in the order of [`HABITS`].
    pub(crate) habits: u8,
    /// The first act ends after so many seconds at the latest.
    pub(crate) seconds: Option<u64>,
}

/// What a world does besides its clients and its faults.
pub(crate) const HABITS: [&str; 7] = [
    "meddling",
    "storms",
    "slowness",
    "shutdown",
    "crowding",
    "quarrels",
    "relisting",
];

impl Cut {
    /// A seed and its cut, in the words of [`show`](Self::show).
    pub(crate) fn read(text: &str) -> Result<(u64, Self), String> {
        let mut words = text.split_whitespace();
        let seed = words.next().and_then(|word| word.parse().ok());
        let seed = seed.ok_or("a plan begins with its seed")?;
        let mut cut = Self::default();
        for word in words {
            cut.add(word).ok_or_else(|| format!("{word:?}?"))?;
        }
        Ok((seed, cut))
    }

    fn add(&mut self, word: &str) -> Option<()> {
        if let Some(seconds) = word.strip_suffix('s').and_then(|text| text.parse().ok()) {
            self.seconds = Some(seconds);
            return Some(());
        }
        let name = word.strip_prefix('-')?;
        if let Some(who) = name.strip_prefix('u').and_then(|who| who.parse().ok()) {
            self.clients.insert(who);
        } else if let Some(place) = HABITS.iter().position(|habit| *habit == name) {
            self.habits |= 1 << place;
        } else {
            let place = fault_names().iter().position(|fault| *fault == name)?;
            self.faults |= 1 << place;
        }
        Some(())
    }

    /// As text.
    pub(crate) fn show(&self, seed: u64) -> String {
        let mut text = seed.to_string();
        for who in &self.clients {
            text += &format!(" -u{who}");
        }
        for (place, name) in fault_names().iter().enumerate() {
            if self.faults >> place & 1 == 1 {
                text += &format!(" -{name}");
            }
        }
        for (place, name) in HABITS.iter().enumerate() {
            if self.habits >> place & 1 == 1 {
                text += &format!(" -{name}");
            }
        }
        if let Some(seconds) = self.seconds {
            text += &format!(" {seconds}s");
        }
        text
    }

    /// Leaves it out of a plan.
    pub(crate) fn apply(&self, plan: &mut Plan) {
        for (place, (_, rate)) in plan.faults.rates().into_iter().enumerate() {
            if self.faults >> place & 1 == 1 {
                *rate = Rate::NEVER;
            }
        }
        for client in &mut plan.population.clients {
            if self.clients.contains(&client.who) {
                client.never_comes = true;
                // Nothing is promised to who is not there.
                client.persona.is_good = false;
            }
        }
        let lacks = |habit: &str| {
            let place = HABITS.iter().position(|one| *one == habit);
            place.is_some_and(|place| self.habits >> place & 1 == 1)
        };
        if lacks("meddling") {
            plan.meddling = Rate::NEVER;
        }
        plan.population.has_storms &= !lacks("storms");
        plan.is_slow &= !lacks("slowness");
        plan.ends_by_shutdown &= !lacks("shutdown");
        if lacks("crowding") {
            plan.fd_limit = usize::MAX;
        }
        if lacks("quarrels") {
            plan.options.limits.user_takeover_rate = None;
        }
        if lacks("relisting")
            && let Some(lister) = &mut plan.lister
        {
            (lister.change, lister.early) = (Rate::NEVER, Rate::NEVER);
        }
        if let Some(seconds) = self.seconds {
            plan.play = plan.play.min(seconds * SECOND);
        }
    }
}

pub(crate) fn fault_names() -> Vec<&'static str> {
    let mut faults = super::faults::Faults::default();
    faults.rates().into_iter().map(|(name, _)| name).collect()
}

/// What a plan consists of: how many clients and kinds of faults, and how long.
pub(crate) fn size(seed: u64, cut: &Cut) -> (usize, usize, Duration) {
    let mut plan = Plan::draw(seed);
    cut.apply(&mut plan);
    let clients = plan.population.clients.iter();
    let faults = plan.faults.rates().into_iter();
    (
        clients.filter(|client| !client.never_comes).count(),
        faults.filter(|(_, rate)| **rate != Rate::NEVER).count(),
        Duration::from_nanos(plan.play),
    )
}
