//! The settings of a listener, made ready for the loop: durations as spans, the framing as the
//! number of its wire format.

use super::beats::Beats;
use super::meter::Allowance;
use crate::codec::framing::Framing;
use crate::settings::{Dialect, Login, Settings};
use crate::time::Span;

/// What holds for the connections of one listener.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) settings: Settings,
    pub(crate) wire: WireId,
    /// Out of its place only while heartbeats are answered.
    pub(crate) beats: Option<Box<Beats>>,
    pub(crate) idle: Option<Span>,
    pub(crate) login: Option<Span>,
    pub(crate) frame: Option<Span>,
    pub(crate) lifetime: Option<Span>,
    pub(crate) write: Option<Span>,
    pub(crate) age: Option<Span>,
    pub(crate) soft: Span,
    pub(crate) ping: Option<Span>,
    pub(crate) denial: Option<Span>,
    pub(crate) ack: Span,
    pub(crate) linger: Span,
    pub(crate) offline: Span,
    pub(crate) proxy: Span,
    /// What each connection may send in an interval, where there is a limit.
    pub(crate) allowance: Option<Allowance>,
    /// Whether that has just changed, and not all of them have been looked at since.
    pub(crate) is_repriced: bool,
    pub(crate) crowd: Crowd,
}

/// How many connections of a listener there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Crowd {
    pub(crate) open: u32,
    /// Those of the open ones that are somebody's.
    pub(crate) logged_in: u32,
    /// Those whose goodbye is on its way.
    pub(crate) closing: u32,
}

/// The number of a wire format: listeners of the same framing share one, so that a message is
/// encoded once for all their connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct WireId(pub(crate) u16);

impl Rules {
    pub(crate) fn new(settings: Settings, wire: WireId) -> Self {
        let is_gate = settings.dialect == Dialect::Gate;
        let wants_login = is_gate && settings.login == Login::Required;
        Self {
            wire,
            beats: Beats::of(&settings).map(Box::new),
            idle: settings.idle_timeout.map(Span::covering),
            login: settings
                .login_timeout
                .filter(|_| wants_login)
                .map(Span::covering),
            frame: settings.frame_timeout.map(Span::covering),
            lifetime: settings.lifetime.map(Span::covering),
            write: settings.write_timeout.map(Span::covering),
            age: settings.output_age.map(Span::covering),
            soft: Span::covering(settings.outbox_soft_for),
            ping: settings.ping_after.filter(|_| is_gate).map(Span::covering),
            denial: settings.login_delay.map(Span::covering),
            ack: Span::covering(settings.ack_timeout),
            linger: Span::covering(settings.linger),
            offline: Span::covering(settings.offline_ttl),
            proxy: Span::covering(settings.proxy_timeout),
            allowance: Allowance::of(&settings),
            is_repriced: false,
            crowd: Crowd::default(),
            settings,
        }
    }

    /// Other settings, for the same connections.
    pub(crate) fn change(&mut self, settings: Settings) {
        let new = Self::new(settings, self.wire);
        *self = Self {
            crowd: self.crowd,
            is_repriced: self.is_repriced || new.allowance != self.allowance,
            ..new
        };
    }

    /// Whether heartbeats are answered the short way.
    pub(crate) fn see_beats(&mut self, is_short: bool) {
        self.beats = Beats::of(&self.settings).filter(|_| is_short).map(Box::new);
    }

    /// The interval at which a client should beat: a third of the idle timeout, in milliseconds;
    /// 0 where silence is allowed.
    pub(crate) fn heartbeat_ms(&self) -> u64 {
        let idle = self.settings.idle_timeout.unwrap_or_default();
        u64::try_from(idle.as_millis() / 3).unwrap_or(u64::MAX)
    }

    /// Whether connections are those of proxies, who say by a header for whom they connect.
    pub(crate) fn is_proxied(&self) -> bool {
        !self.settings.trusted_proxies.is_empty()
    }

    pub(crate) fn is_gate(&self) -> bool {
        self.settings.dialect == Dialect::Gate
    }
}

/// The wire formats in use.
#[derive(Debug, Default)]
pub(crate) struct Wires(Vec<Framing>);

impl Wires {
    /// The number of `framing`, given now where it has none yet.
    pub(crate) fn number(&mut self, framing: Framing) -> WireId {
        let known = self.0.iter().position(|wire| *wire == framing);
        let number = known.unwrap_or_else(|| {
            self.0.push(framing);
            self.0.len() - 1
        });
        WireId(u16::try_from(number).expect("fewer listeners than 65,536"))
    }

    pub(crate) fn get(&self, wire: WireId) -> &Framing {
        &self.0[usize::from(wire.0)]
    }
}
