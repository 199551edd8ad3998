//! What must hold between settings, each of which is right by itself.
//!
//! A setting whose value was wrong has been complained about, and is not judged: what its default
//! would conflict with is no mistake.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use super::keys::{Key, SECTIONS};
use super::listener::{IDENTITY, LISTENER};
use super::{AdminBind, Complaint, Config, Origin, Spot};
use crate::codec::framing::Framing;
use crate::settings::{Dialect, Login, LoginCheck, Settings};

/// Listening sockets at most, all listeners together.
const SOCKETS_MAX: usize = 1_024;

/// A judgement in progress.
struct Judge<'a> {
    config: &'a Config,
    path: Option<&'a Path>,
    complaints: Vec<Complaint>,
}

/// Everything that does not fit together.
pub(crate) fn judge(config: &Config, path: Option<&Path>) -> Vec<Complaint> {
    let mut judge = Judge {
        config,
        path,
        complaints: Vec::new(),
    };
    for (number, listener) in config.listeners.iter().enumerate() {
        judge.dialect(number, listener);
        judge.sizes(number, listener);
        judge.times(number, listener);
        judge.check(number, listener);
    }
    judge.names();
    judge.binds();
    judge.budgets();
    judge.admin();
    judge.complaints
}

impl Judge<'_> {
    /// Complains at the first of `spots` that somebody has set.
    fn complain(&mut self, spots: &[Spot], text: &str) {
        let is_wrong = |spot: &Spot| self.config.origin(*spot) == Some(&Origin::Wrong);
        if spots.iter().any(is_wrong) {
            return;
        }
        let origin = |spot: &Spot| Some((*spot, self.config.origin(*spot)?));
        let (line, place) = match spots.iter().find_map(origin) {
            Some((_, Origin::File(line))) => {
                let path = self
                    .path
                    .map_or(String::new(), |path| path.display().to_string());
                (*line, format!("{path}:{line}: "))
            }
            Some((_, Origin::Variable(name))) => (0, format!("variable {name}: ")),
            Some((spot, Origin::Flag(_))) => (0, format!("--{}: ", flag_of(spot))),
            Some((_, Origin::Wrong)) | None => (0, String::new()),
        };
        let text = format!("{place}{text}");
        self.complaints.push(Complaint { line, text });
    }

    /// A listener's setting as it stands, and whether anybody has set it.
    fn tell(&self, number: usize, name: &'static str) -> String {
        let key = LISTENER.iter().find(|key| key.name == name);
        let value = key.map_or_else(String::new, |key| {
            (key.show)(&self.config.listeners[number])
        });
        let is_set = self.config.origin(Spot::Listener(number, name)).is_some();
        let default = if is_set { "" } else { " (the default)" };
        format!("{name} = {value}{default}")
    }

    /// Complains about two settings of a listener.
    fn complain_pair(
        &mut self,
        number: usize,
        one: &'static str,
        is: &str,
        other: &'static str,
        remedy: &str,
    ) {
        let spots = [Spot::Listener(number, one), Spot::Listener(number, other)];
        let (left, right) = (self.tell(number, one), self.tell(number, other));
        self.complain(&spots, &format!("{left} {is} {right}; {remedy}"));
    }

    fn dialect(&mut self, number: usize, listener: &Settings) {
        if listener.framing == Framing::Raw && listener.dialect == Dialect::Gate {
            let remedy = "set dialect = \"echo\" or \"sink\", or framing = \"line\"";
            self.complain_pair(number, "framing", "has no messages for", "dialect", remedy);
        }
        if listener.login == Login::Required && listener.dialect != Dialect::Gate {
            let remedy = "only dialect \"gate\" has logins: leave login out";
            self.complain_pair(number, "login", "does not go with", "dialect", remedy);
        }
        if let Framing::Binary(layout) = listener.framing
            && let Some(strip) = layout.strip
            && usize::from(strip)
                > usize::from(layout.offset) + usize::from(layout.width) + listener.frame_max
        {
            let spots = ["framing", "frame_max"].map(|name| Spot::Listener(number, name));
            self.complain(
                &spots,
                "framing: strip drops more than the largest frame holds",
            );
        }
    }

    fn sizes(&mut self, number: usize, listener: &Settings) {
        let remedy = "lower the first or raise the second";
        if listener.outbox_low > listener.outbox_soft {
            self.complain_pair(number, "outbox_low", "is above", "outbox_soft", remedy);
        }
        if listener.outbox_soft > listener.outbox_max {
            self.complain_pair(number, "outbox_soft", "is above", "outbox_max", remedy);
        }
        let requires = listener.login == Login::Required;
        if requires && listener.login_frame_max > listener.frame_max {
            self.complain_pair(number, "login_frame_max", "is above", "frame_max", remedy);
        }
    }

    fn times(&mut self, number: usize, listener: &Settings) {
        if let (Some(ping), Some(idle)) = (listener.ping_after, listener.idle_timeout)
            && ping >= idle
        {
            let remedy = "a client must have time to answer: shorten ping_after";
            self.complain_pair(
                number,
                "ping_after",
                "is not before",
                "idle_timeout",
                remedy,
            );
        }
        if let (Some(delay), Some(login)) = (listener.login_delay, listener.login_timeout)
            && listener.login == Login::Required
            && delay >= login
        {
            let remedy = "nobody would learn why: shorten login_delay";
            self.complain_pair(
                number,
                "login_delay",
                "is not before",
                "login_timeout",
                remedy,
            );
        }
    }

    /// Who is to be checked needs something to be checked by.
    fn check(&mut self, number: usize, listener: &Settings) {
        let logins = &self.config.logins;
        let (file, is_missing) = match listener.login_check {
            LoginCheck::None => return,
            LoginCheck::Users => ("users_file", logins.users_file.is_none()),
            LoginCheck::Jwt => ("keys_file", logins.keys_file.is_none()),
        };
        if is_missing {
            let check = self.tell(number, "login_check");
            let spots = [
                Spot::Listener(number, "login_check"),
                Spot::Global("logins", file),
            ];
            self.complain(&spots, &format!("{check} needs {file} under [logins]"));
        }
    }

    fn names(&mut self) {
        let mut names = HashMap::new();
        for (number, listener) in self.config.listeners.iter().enumerate() {
            if names.insert(&listener.name, number).is_some() {
                let text = format!(
                    "name: another listener is called {:?} already",
                    listener.name
                );
                self.complain(&[Spot::Listener(number, "name")], &text);
            }
        }
    }

    fn binds(&mut self) {
        let mut taken = Taken::default();
        let mut sockets = 0;
        let name = |number: usize| &self.config.listeners[number].name;
        let mut texts = Vec::new();
        for (number, listener) in self.config.listeners.iter().enumerate() {
            let spot = Spot::Listener(number, "bind");
            if self.config.origin(spot) == Some(&Origin::Wrong) {
                continue;
            }
            sockets += listener.bind.len();
            for bind in &listener.bind {
                if let Some((other, holder)) = taken.holder(*bind) {
                    let holder = name(holder);
                    let text = if other == *bind {
                        format!("bind: {bind} is bound by listener {holder:?} already")
                    } else {
                        format!("bind: {bind} and {other} of listener {holder:?} overlap")
                    };
                    texts.push((vec![spot], text));
                }
                taken.take(*bind, number);
            }
        }
        if let AdminBind::Tcp(addr) = self.config.admin.bind
            && let Some((other, holder)) = taken.holder(addr)
        {
            let spots = vec![
                Spot::Global("admin", "bind"),
                Spot::Listener(holder, "bind"),
            ];
            let holder = name(holder);
            let also = if other == addr {
                String::new()
            } else {
                format!(" on {other}")
            };
            let text = format!(
                "bind: {addr} is for listener {holder:?}{also} and for the admin interface; \
                 give one of them another port"
            );
            texts.push((spots, text));
        }
        if sockets > SOCKETS_MAX {
            let text = format!("bind: {sockets} addresses in all; at most {SOCKETS_MAX}");
            texts.push((vec![Spot::Listener(0, "bind")], text));
        }
        for (spots, text) in texts {
            self.complain(&spots, &text);
        }
    }

    fn budgets(&mut self) {
        let listeners = self.config.listeners.iter().enumerate();
        let Some((number, largest)) = listeners.max_by_key(|(_, listener)| listener.frame_max)
        else {
            return;
        };
        let limits = &self.config.limits;
        let budgets = [
            ("input_budget", limits.input_budget),
            ("output_budget", limits.output_budget),
            ("offline_budget", limits.offline_budget),
        ];
        for (name, bytes) in budgets {
            if bytes < largest.frame_max {
                let spots = [
                    Spot::Global("limits", name),
                    Spot::Listener(number, "frame_max"),
                ];
                let (budget, frame) = (
                    super::value::show_size(bytes),
                    self.tell(number, "frame_max"),
                );
                let text =
                    format!("{name} = {budget} does not hold one frame of {frame}; raise it");
                self.complain(&spots, &text);
            }
        }
    }

    fn admin(&mut self) {
        let AdminBind::Tcp(addr) = self.config.admin.bind else {
            return;
        };
        let admin = &self.config.admin;
        let has_token = admin.token_file.is_some() || admin.token.is_some();
        if !addr.ip().is_loopback() && !has_token {
            let text = format!(
                "bind: {addr} is not loopback and there is no token; \
                 set token_file, or bind 127.0.0.1 or a Unix socket"
            );
            let spots = ["bind", "token_file"].map(|name| Spot::Global("admin", name));
            self.complain(&spots, &text);
        }
    }
}

/// Which addresses are bound, by which listener.
#[derive(Default)]
struct Taken {
    addrs: HashMap<SocketAddr, usize>,
    /// By family and port: some address of those, and that of all of them.
    some: HashMap<(bool, u16), (SocketAddr, usize)>,
    all: HashMap<(bool, u16), (SocketAddr, usize)>,
}

impl Taken {
    /// The address that keeps `bind` from being bound, and whose it is. Each port 0 is another one.
    fn holder(&self, bind: SocketAddr) -> Option<(SocketAddr, usize)> {
        if bind.port() == 0 {
            return None;
        }
        let key = (bind.is_ipv6(), bind.port());
        let same = self.addrs.get(&bind).map(|number| (bind, *number));
        let others = if bind.ip().is_unspecified() {
            &self.some
        } else {
            &self.all
        };
        same.or_else(|| others.get(&key).copied())
    }

    fn take(&mut self, bind: SocketAddr, number: usize) {
        let key = (bind.is_ipv6(), bind.port());
        self.addrs.insert(bind, number);
        self.some.entry(key).or_insert((bind, number));
        if bind.ip().is_unspecified() {
            self.all.entry(key).or_insert((bind, number));
        }
    }
}

fn flag_of(spot: Spot) -> String {
    match spot {
        Spot::Global(section, name) => SECTIONS
            .iter()
            .filter(|known| known.name == section)
            .flat_map(|known| known.keys)
            .find(|key| key.name == name)
            .map_or_else(String::new, Key::flag),
        Spot::Listener(_, name) => IDENTITY
            .iter()
            .chain(LISTENER)
            .find(|key| key.name == name)
            .map_or_else(String::new, Key::flag),
    }
}

/// What works and should be read all the same.
pub(crate) fn warnings(config: &Config) -> Vec<String> {
    let is_open = |addr: &&SocketAddr| !addr.ip().is_loopback();
    let takes_logins = |listener: &&Settings| {
        let is_checked = listener.login_check != LoginCheck::None;
        listener.dialect == Dialect::Gate && listener.login != Login::None && !is_checked
    };
    let open = config
        .listeners
        .iter()
        .filter(takes_logins)
        .filter_map(|listener| {
            let addr = listener.bind.iter().find(is_open)?;
            Some(format!(
                "listener {:?} on {addr} takes logins from anybody under any name: \
                 tokens are not checked",
                listener.name
            ))
        });
    let trusts_all = |listener: &&Settings| {
        listener
            .trusted_proxies
            .iter()
            .any(|one| one.is_everybody())
    };
    let trusting = config.listeners.iter().filter(trusts_all).map(|listener| {
        format!(
            "listener {:?} trusts everybody as a proxy: anybody may come under any address",
            listener.name
        )
    });
    open.chain(trusting).collect()
}
