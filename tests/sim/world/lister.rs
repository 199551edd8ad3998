//! Who writes black and white lists in a world, and what they say.

use std::net::IpAddr;

use pulsegate::lists::Colour;

use super::clients::NETWORKS;
use super::dice::{Dice, Rate};
use super::guard::Rule;

/// Who writes lists, and how often other ones.
#[derive(Clone, Debug)]
pub(crate) struct Lister {
    pub(crate) dice: Dice,
    pub(crate) change: Rate,
    /// The same while newcomers wait: the table of connections is about to grow then.
    pub(crate) early: Rate,
    /// Names that nobody who behaves has.
    pub(crate) names: Vec<String>,
    /// Where those who behave come from, and their names.
    pub(crate) good: Vec<(IpAddr, String)>,
}

impl Lister {
    /// Whether other lists are due in this turn; `grows` where newcomers wait.
    pub(crate) fn is_due(&mut self, grows: bool) -> bool {
        let is_hasty = grows && self.dice.happens(self.early);
        is_hasty || self.dice.happens(self.change)
    }

    /// Anything may be said of anybody.
    pub(crate) fn rules(&mut self) -> Vec<Rule> {
        let dice = &mut self.dice;
        let colour = |dice: &mut Dice| *dice.pick(&[Colour::Black, Colour::White]);
        let count = dice.size(0, 6);
        let mut rules: Vec<Rule> = (0..count)
            .map(|_| Rule::Network(dice.pick::<&'static str>(&NETWORKS), colour(dice)))
            .collect();
        if !self.names.is_empty() && dice.one_in(2) {
            let name = dice.pick(&self.names).clone();
            rules.push(Rule::User(name, colour(dice)));
        }
        rules
    }

    /// Nobody but those who behave may come.
    pub(crate) fn last_rules(&self) -> Vec<Rule> {
        let everybody = ["0.0.0.0/0", "::/0"].map(|all| Rule::Network(all, Colour::Black));
        let nobody = Rule::User(String::from("*"), Colour::Black);
        let own = self.good.iter().flat_map(|(ip, name)| {
            let user = Rule::User(name.clone(), Colour::White);
            [Rule::Own(*ip, Colour::White), user]
        });
        everybody.into_iter().chain([nobody]).chain(own).collect()
    }
}
