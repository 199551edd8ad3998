//! What must hold between settings, each of which is right by itself.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use super::keys::{IDENTITY, LISTENER, SECTIONS};
use super::{AdminBind, Complaint, Config, Origin, Spot};
use crate::codec::framing::Framing;
use crate::settings::{Dialect, Login, Settings};

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
    }
    judge.binds();
    judge.budgets();
    judge.admin();
    judge.complaints
}

impl Judge<'_> {
    /// Complains about the first of `keys` that somebody has set.
    fn complain(&mut self, spots: &[Spot], text: &str) {
        let found = spots
            .iter()
            .find_map(|spot| Some((spot, self.config.origin(*spot)?)));
        let (line, place) = match found {
            Some((_, Origin::File(line))) => {
                let path = self
                    .path
                    .map_or(String::new(), |path| path.display().to_string());
                (*line, format!("{path}:{line}: "))
            }
            Some((_, Origin::Variable(name))) => (0, format!("variable {name}: ")),
            Some((spot, Origin::Flag(_))) => (0, format!("--{}: ", flag_of(*spot))),
            None => (0, String::new()),
        };
        self.complaints.push(Complaint {
            line,
            text: format!("{place}{text}"),
        });
    }

    fn dialect(&mut self, number: usize, listener: &Settings) {
        let spots = [
            Spot::Listener(number, "framing"),
            Spot::Listener(number, "dialect"),
        ];
        if listener.framing == Framing::Raw && listener.dialect == Dialect::Gate {
            self.complain(
                &spots,
                "framing \"raw\" has no messages for dialect \"gate\"; \
                 set dialect = \"echo\" or \"sink\", or framing = \"line\"",
            );
        }
        if let Framing::Binary(layout) = listener.framing
            && let Some(strip) = layout.strip
            && usize::from(strip)
                > usize::from(layout.offset) + usize::from(layout.width) + listener.frame_max
        {
            self.complain(
                &spots,
                "framing: strip drops more than the largest frame holds",
            );
        }
    }

    fn sizes(&mut self, number: usize, listener: &Settings) {
        let ordered = [
            (
                "outbox_low",
                listener.outbox_low,
                "outbox_soft",
                listener.outbox_soft,
            ),
            (
                "outbox_soft",
                listener.outbox_soft,
                "outbox_max",
                listener.outbox_max,
            ),
        ];
        for (small, low, large, high) in ordered {
            if low > high {
                let text = format!("{small} ({low}) is above {large} ({high}); it must not be");
                self.complain(
                    &[Spot::Listener(number, small), Spot::Listener(number, large)],
                    &text,
                );
            }
        }
        let requires = listener.login == Login::Required;
        if requires && listener.login_frame_max > listener.frame_max {
            let (login, all) = (listener.login_frame_max, listener.frame_max);
            let text = format!("login_frame_max ({login}) is above frame_max ({all})");
            let spots = [
                Spot::Listener(number, "login_frame_max"),
                Spot::Listener(number, "frame_max"),
            ];
            self.complain(&spots, &text);
        }
        if listener.frame_max == 0 || listener.login_frame_max == 0 {
            let spots = [
                Spot::Listener(number, "frame_max"),
                Spot::Listener(number, "login_frame_max"),
            ];
            self.complain(&spots, "frame_max: at least 1 byte");
        }
        if listener.frame_max > u32::MAX as usize {
            self.complain(
                &[Spot::Listener(number, "frame_max")],
                "frame_max: at most 4 GiB",
            );
        }
    }

    fn times(&mut self, number: usize, listener: &Settings) {
        if let (Some(ping), Some(idle)) = (listener.ping_after, listener.idle_timeout)
            && ping >= idle
        {
            let spots = [
                Spot::Listener(number, "ping_after"),
                Spot::Listener(number, "idle_timeout"),
            ];
            self.complain(&spots, "ping_after must be shorter than idle_timeout");
        }
        if listener.login == Login::Required && listener.dialect != Dialect::Gate {
            let spots = [
                Spot::Listener(number, "login"),
                Spot::Listener(number, "dialect"),
            ];
            self.complain(
                &spots,
                "login: only dialect \"gate\" has logins; leave it out",
            );
        }
    }

    fn binds(&mut self) {
        let (mut names, mut addrs) = (HashMap::new(), HashMap::new());
        for (number, listener) in self.config.listeners.iter().enumerate() {
            if names.insert(&listener.name, number).is_some() {
                let text = format!("name: there are two listeners named {:?}", listener.name);
                self.complain(&[Spot::Listener(number, "name")], &text);
            }
            for bind in listener.bind.iter().filter(|bind| bind.port() != 0) {
                if addrs.insert(*bind, number).is_some() {
                    let text = format!("bind: {bind} is bound twice");
                    self.complain(&[Spot::Listener(number, "bind")], &text);
                }
            }
        }
    }

    fn budgets(&mut self) {
        let largest = self
            .config
            .listeners
            .iter()
            .map(|listener| listener.frame_max)
            .max();
        let largest = largest.unwrap_or_default();
        let limits = &self.config.limits;
        let budgets = [
            ("input_budget", limits.input_budget),
            ("output_budget", limits.output_budget),
            ("offline_budget", limits.offline_budget),
        ];
        for (name, bytes) in budgets {
            if bytes < largest {
                let text = format!("{name} ({bytes}) does not hold one frame_max ({largest})");
                self.complain(&[Spot::Global("limits", name)], &text);
            }
        }
    }

    fn admin(&mut self) {
        let AdminBind::Tcp(addr) = self.config.admin.bind else {
            return;
        };
        if !addr.ip().is_loopback() && self.config.admin.token_file.is_none() {
            let text = format!(
                "bind: {addr} is not loopback and there is no token; \
                 set token_file, or bind 127.0.0.1 or a Unix socket"
            );
            self.complain(&[Spot::Global("admin", "bind")], &text);
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
            .map_or(String::new(), super::keys::Key::flag),
        Spot::Listener(_, name) => LISTENER
            .iter()
            .chain(IDENTITY)
            .find(|key| key.name == name)
            .map_or(String::new(), super::keys::Key::flag),
    }
}

/// What works and should be read all the same.
pub(crate) fn warnings(config: &Config) -> Vec<String> {
    let is_open = |addr: &&SocketAddr| !addr.ip().is_loopback();
    let takes_logins =
        |listener: &&Settings| listener.dialect == Dialect::Gate && listener.login != Login::None;
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
    open.collect()
}
