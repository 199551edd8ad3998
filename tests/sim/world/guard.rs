//! What the world knows of addresses, rates and lists: whether an end that one of them is said to
//! have caused was deserved, and whether somebody is here who should not be.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use pulsegate::lists::{Colour, Draft, Lists};
use pulsegate::{EndDetail, Limits, Network, Rate, Settings};

use super::agenda::{MILLI, Nanos, SECOND, nanos};
use super::facts::{Facts, Stamp};

/// Sources, and when each of their open connections came in.
pub(crate) type Crowds = BTreeMap<u128, Vec<Stamp>>;

/// An entry of a list.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    Network(&'static str, Colour),
    /// A network of one of those who behave.
    Own(IpAddr, Colour),
    User(String, Colour),
}

/// The judge's books about sources.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) limits: Limits,
    /// The names of each client.
    names: Vec<Vec<String>>,
    /// What the lists say, and what they said when ends came that nobody was told of yet.
    lists: Vec<Rule>,
    before: Vec<Vec<Rule>>,
    /// Networks that operators have banned at any time.
    pub(crate) ordered: Vec<Network>,
    /// Whether an operator has let anybody in.
    pub(crate) is_overruled: bool,
    /// The limit of connections until just now.
    crowd_before: Option<u32>,
    /// Since when that limit is known to everybody.
    strict: Option<Stamp>,
    /// When newcomers of each source came in.
    came: BTreeMap<u128, VecDeque<Stamp>>,
    /// When newcomers were taken, whoever.
    taken: VecDeque<Stamp>,
    /// Who has ended in this turn, by source.
    pub(crate) ended: Vec<u128>,
}

/// What connections are counted by: an address of IPv4, or 64 bits of one of IPv6.
pub(crate) fn source_of(ip: IpAddr) -> u128 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip) >> 64 << 64,
    }
}

impl Rule {
    /// How many bits it has of those of an address that it holds, and what it says.
    fn about(&self, ip: IpAddr) -> Option<(u32, Colour)> {
        let (text, colour) = match self {
            Self::Network(text, colour) => ((*text).to_owned(), *colour),
            Self::Own(own, colour) => (own_network(*own), *colour),
            Self::User(..) => return None,
        };
        let network: Network = text.parse().expect("a network");
        let bits = text.split_once('/').map(|(_, bits)| bits.parse());
        let all = if ip.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(all, |bits| bits.expect("a number"));
        network.holds(ip).then_some((bits, colour))
    }
}

/// The network of one customer.
fn own_network(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => format!("{ip}/32"),
        IpAddr::V6(ip) => format!("{ip}/64"),
    }
}

/// The rules as the server wants them.
pub(crate) fn lists_of(rules: &[Rule], key: (u64, u64)) -> Lists {
    let mut draft = Draft::new(key);
    for rule in rules {
        let (text, colour) = match rule {
            Rule::Network(text, colour) => ((*text).to_owned(), *colour),
            Rule::Own(ip, colour) => (own_network(*ip), *colour),
            Rule::User(name, colour) => (format!("user {name}"), *colour),
        };
        draft.add_text(&text, colour).expect("an entry");
    }
    draft.finish()
}

/// What the most specific of all says, one after the other; black before white.
fn is_black(rules: &[Rule], ip: IpAddr) -> bool {
    let about = rules.iter().filter_map(|rule| rule.about(ip));
    let first = about.max_by_key(|(bits, colour)| (*bits, *colour == Colour::Black));
    first.is_some_and(|(_, colour)| colour == Colour::Black)
}

/// The same for a user: his own name goes before everybody's.
fn is_black_user(rules: &[Rule], user: &str) -> bool {
    let say = |wanted: &str| {
        let users = rules.iter().filter_map(move |rule| match rule {
            Rule::User(name, colour) if name == wanted => Some(*colour),
            _ => None,
        });
        users.min()
    };
    say(user).or_else(|| say("*")) == Some(Colour::Black)
}

impl Guard {
    pub(crate) fn new(limits: Limits, names: Vec<Vec<String>>) -> Self {
        Self {
            crowd_before: limits.address_connections,
            limits,
            names,
            lists: Vec::new(),
            before: Vec::new(),
            ordered: Vec::new(),
            is_overruled: false,
            strict: Some(Stamp::default()),
            came: BTreeMap::new(),
            taken: VecDeque::new(),
            ended: Vec::new(),
        }
    }

    /// Whether a login may come too soon.
    pub(crate) fn limits_logins(&self) -> bool {
        let limits = &self.limits;
        let rates = [
            limits.login_rate,
            limits.address_login_rate,
            limits.user_login_rate,
        ];
        rates.iter().any(Option::is_some)
    }

    /// Other lists hold from now on.
    pub(crate) fn take_lists(&mut self, rules: Vec<Rule>) {
        let old = std::mem::replace(&mut self.lists, rules);
        self.before.push(old);
    }

    /// Another limit of connections holds from now on.
    pub(crate) fn take_limit(&mut self, most: Option<u32>) {
        self.crowd_before = std::mem::replace(&mut self.limits.address_connections, most);
        self.strict = None;
    }

    /// A turn is over; what held before it excuses nothing any more.
    pub(crate) fn end_turn(&mut self, is_behind: bool, is_walking: bool, clock: Stamp) {
        self.ended.clear();
        if !is_behind {
            self.before.clear();
        }
        self.crowd_before = self.limits.address_connections;
        if !is_walking && self.strict.is_none() {
            self.strict = Some(clock);
        }
    }

    /// Somebody came in.
    pub(crate) fn note_entry(&mut self, source: IpAddr, clock: Stamp) {
        let came = self.came.entry(source_of(source)).or_default();
        came.push_back(clock);
        let Some(rate) = self.limits.address_accept_rate else {
            return;
        };
        let count = recent(came, rate, 0, clock);
        // One that is forgotten for want of places owes nothing any more.
        let remembers = self.limits.sources as usize >= 64;
        assert!(
            !remembers || count <= 2 * rate.count as usize + 1,
            "{count} came from {source} in {:?}: {rate:?}",
            rate.per
        );
    }

    /// So many newcomers were taken in this turn.
    pub(crate) fn note_taken(&mut self, count: u64, clock: Stamp) {
        self.taken.extend((0..count).map(|_| clock));
        if let Some(rate) = self.limits.accept_rate {
            let count = recent(&mut self.taken, rate, 0, clock);
            assert!(
                count <= 2 * rate.count as usize + 1,
                "{count} newcomers in {:?}: {rate:?}",
                rate.per
            );
        }
    }

    /// Newcomers wait for their rate: as many came as may.
    pub(crate) fn judge_rest(&mut self, clock: Stamp) {
        let rate = self.limits.accept_rate.expect("nobody waits for no rate");
        let count = recent(&mut self.taken, rate, SECOND + SECOND / 5, clock);
        assert!(
            count >= rate.count as usize,
            "newcomers wait, and {count} came in {:?}: {rate:?}",
            rate.per
        );
    }

    /// Somebody was ended for who he is or where he comes from.
    pub(crate) fn judge_ban(&self, who: Option<u32>, source: IpAddr, detail: Option<EndDetail>) {
        let is_named = |rules: &Vec<Rule>| {
            let names = who.and_then(|who| self.names.get(who as usize));
            names.is_some_and(|names| names.iter().any(|name| is_black_user(rules, name)))
        };
        let mut lists = self.before.iter().chain([&self.lists]);
        let is_out = match detail {
            Some(EndDetail::BannedUser) => lists.any(is_named),
            _ => {
                let is_ordered = self.ordered.iter().any(|network| network.holds(source));
                is_ordered || lists.any(|rules| is_black(rules, source))
            }
        };
        assert!(is_out, "{source} is banned by {detail:?}, and innocent");
    }

    /// Whether somebody who is here must have been ended.
    pub(crate) fn is_out(&self, user: Option<&String>, source: IpAddr) -> bool {
        let is_out = is_black(&self.lists, source);
        is_out && !self.is_overruled || user.is_some_and(|user| is_black_user(&self.lists, user))
    }

    /// Somebody was told that too many of his address are here: `others` are, or were just now.
    pub(crate) fn judge_crowd(&self, source: IpAddr, others: usize) {
        let limits = [self.limits.address_connections, self.crowd_before];
        let least = limits.into_iter().flatten().min();
        let least = least.expect("nobody is too many where there is no limit");
        assert!(
            others >= least as usize,
            "{source} is one too many of {others}, {least} may be"
        );
    }

    /// Somebody was told that too many came from his address just now.
    pub(crate) fn judge_hurry(&mut self, source: IpAddr, clock: Stamp) {
        let rate = self.limits.address_accept_rate;
        let rate = rate.expect("nobody hurries where there is no rate");
        let came = self.came.entry(source_of(source)).or_default();
        let count = recent(came, rate, 20 * MILLI, clock);
        assert!(
            count >= rate.count as usize,
            "{source} hurries: {count} came in {:?}, {rate:?}",
            rate.per
        );
    }

    /// All who are open, by source, with when each came in: never one more than may be.
    pub(crate) fn judge_crowds(&self, open: &Crowds) {
        let (Some(most), Some(strict)) = (self.limits.address_connections, self.strict) else {
            return;
        };
        for (source, came) in open.iter().filter(|(_, came)| came.len() > most as usize) {
            assert!(
                came.iter().all(|stamp| stamp.at <= strict.at),
                "{} of {source:x} are here, {most} may be",
                came.len()
            );
        }
    }
}

/// How many of those stamps are not older than the time of a rate and a bit; the others are
/// dropped. What the loop slept through is no part of it.
fn recent(stamps: &mut VecDeque<Stamp>, rate: Rate, more: Nanos, clock: Stamp) -> usize {
    let is_old = |stamp: &Stamp, more| {
        let passed =
            (clock.at - stamp.at).saturating_sub(if more > 0 { clock.lag - stamp.lag } else { 0 });
        passed > nanos(rate.per) + more
    };
    while stamps
        .front()
        .is_some_and(|stamp| is_old(stamp, 2 * SECOND))
    {
        stamps.pop_front();
    }
    stamps.iter().filter(|stamp| !is_old(stamp, more)).count()
}

/// Whether a connection may have been held back for its rate: it has sent as much as an interval
/// allows, at any time.
pub(crate) fn may_be_held_back(facts: &Facts, settings: &Settings) -> bool {
    let frames = settings.message_rate.is_some_and(|most| {
        facts.is_wild || !facts.is_marked || facts.frames_read >= u64::from(most)
    });
    // Nobody here knows whose logins have failed.
    frames
        || settings.login_delay.is_some()
        || settings
            .byte_rate
            .is_some_and(|most| facts.taken >= most as u64)
}

/// A connection was ended for its rate: it has sent enough for so many intervals, and lived long
/// enough for them.
pub(crate) fn judge_strikes(facts: &Facts, settings: &Settings, clock: Stamp) {
    let strikes = u64::from(settings.rate_strikes);
    let frames = settings.message_rate.map_or(0, |most| {
        let is_unknown = facts.is_wild || !facts.is_marked;
        if is_unknown {
            strikes
        } else {
            facts.frames_read / u64::from(most)
        }
    });
    let bytes = settings
        .byte_rate
        .map_or(0, |most| facts.taken / most as u64);
    assert!(
        frames + bytes >= strikes,
        "rate-limited after {} frames and {} bytes",
        facts.frames_read,
        facts.taken
    );
    let least = (strikes - 1) * nanos(settings.rate_interval).saturating_sub(10 * MILLI);
    let lived = clock.at - facts.accepted.at;
    assert!(lived >= least, "rate-limited after {lived} of {least} ns");
}
