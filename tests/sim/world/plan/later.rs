//! What came to be drawn later than the rest of a seed.

use std::time::Duration;

use pulsegate::{AdminLimits, Dialect, Login, Settings};

use super::{Plan, Word};
use crate::world::Path;
use crate::world::agenda::{MILLI, SECOND};
use crate::world::clients::{Client, Habit, Operator, Origin, PROXIES};
use crate::world::dice::{Dice, Rate};
use crate::world::lister::Lister;

impl Plan {
    /// What came to be drawn later: last, so that the rest of a seed is what it was before.
    pub(super) fn add(&mut self, dice: &mut Dice) {
        let mut own = dice.fork(7);
        if own.one_in(2) {
            self.employ(&mut own);
        }
        let mut own = dice.fork(9);
        if own.one_in(2) {
            self.guard(&mut own);
        }
        let mut own = dice.fork(11);
        if own.one_in(2) {
            self.quarrel(&mut own);
        }
        let mut own = dice.fork(13);
        if own.one_in(4) {
            self.delay(&mut own);
        }
        let mut own = dice.fork(15);
        if own.one_in(2) {
            self.hasten(&mut own);
        }
    }

    /// Many come at once and are let in one by one; meanwhile lists change, and it takes turns
    /// until all have been looked at.
    fn hasten(&mut self, dice: &mut Dice) {
        let Some(lister) = &mut self.lister else {
            return;
        };
        lister.early = Rate::per_mille(dice.between(50, 500) as u32);
        self.population.is_hasty = true;
        self.options.limits.accepts = dice.between(1, 2) as u32;
        self.options.limits.expiries = dice.between(1, 3) as u32;
    }

    /// Logins that fail are answered late.
    fn delay(&mut self, dice: &mut Dice) {
        for one in &mut self.settings {
            let delay = Duration::from_millis(dice.between(1, 3_000));
            one.login_delay = dice.one_in(2).then_some(delay);
        }
        self.population.house.settings.clone_from(&self.settings);
    }

    /// Connections of one user may not replace each other for ever, and some want the same name.
    fn quarrel(&mut self, dice: &mut Dice) {
        let (count, per) = (dice.between(1, 5) as u32, dice.between(5, 60));
        let per = Duration::from_secs(per);
        self.options.limits.user_takeover_rate = Some(pulsegate::Rate { count, per });
        let settings = &self.settings;
        let can_log_in = |client: &&Client| {
            let settings = &settings[usize::from(client.listener)];
            settings.dialect == Dialect::Gate && settings.login != Login::None
        };
        let clients = &mut self.population.clients;
        let Some(wanted) = clients.iter().find(can_log_in) else {
            return;
        };
        let name = wanted.names[0].clone();
        for client in clients {
            if !client.persona.is_good && dice.one_in(2) {
                client.names[0].clone_from(&name);
            }
        }
    }

    /// It matters where clients come from: some come through proxies, addresses and rates are
    /// limited, and there are lists.
    fn guard(&mut self, dice: &mut Dice) {
        let limits = &mut self.options.limits;
        limits.deaths = 1_024;
        limits.sources = *dice.pick(&[1, 3, 64]);
        let mut some = |count: (u64, u64), seconds: (u64, u64)| {
            let (count, per) = (
                dice.between(count.0, count.1),
                dice.between(seconds.0, seconds.1),
            );
            let per = Duration::from_secs(per);
            let count = count as u32;
            dice.one_in(2).then_some(pulsegate::Rate { count, per })
        };
        limits.address_accept_rate = some((2, 12), (1, 10));
        limits.accept_rate = some((5, 40), (1, 4));
        limits.login_rate = some((10, 40), (1, 4));
        limits.address_login_rate = some((2, 12), (1, 10));
        limits.user_login_rate = some((2, 12), (1, 10));
        limits.address_connections = match dice.one_in(3) {
            true => None,
            false => Some(dice.between(1, 3) as u32),
        };
        let crowd = &mut self.population;
        crowd.house.limits_logins = limits.login_rate.is_some()
            || limits.address_login_rate.is_some()
            || limits.user_login_rate.is_some();
        crowd.house.has_addresses = true;
        for one in &mut self.settings {
            rate(one, dice);
            if dice.one_in(2) {
                one.trusted_proxies = vec![PROXIES.parse().expect("a network")];
                one.proxy_timeout = Duration::from_millis(dice.between(100, 1_000) * 10);
            }
        }
        crowd.house.settings.clone_from(&self.settings);
        let mut lister = Lister {
            dice: dice.fork(10),
            change: *dice.pick(&[Rate::NEVER, Rate::per_mille(3), Rate::per_mille(20)]),
            early: Rate::NEVER,
            names: Vec::new(),
            good: Vec::new(),
        };
        for client in &mut crowd.clients {
            let is_good = client.persona.is_good;
            let settings = &self.settings[usize::from(client.listener)];
            let is_proxied = !settings.trusted_proxies.is_empty();
            let mut own = dice.fork(u64::from(client.who) + 2_000);
            let origin = Origin::draw(&mut own, client.who, is_good, is_proxied);
            client.origin = Some(origin);
            let name = format!("u{}", client.who);
            match is_good {
                true => lister.good.push((origin.source(), name)),
                false => lister.names.push(name),
            }
        }
        self.lister = Some(lister);
    }

    /// Operators and backends, and an admin interface for them.
    fn employ(&mut self, dice: &mut Dice) {
        let limits = &mut self.options.limits;
        limits.admin = AdminLimits {
            slots: dice.between(6, 16) as u32,
            slice_bytes: *dice.pick(&[256, 4_096, 65_536]),
            rows: dice.between(8, 512) as u32,
            requests: dice.between(1, 16) as u32,
            readers: dice.between(1, 8) as u32,
            event_bytes: *dice.pick(&[1_000, 10_000, 1 << 20]),
            ..AdminLimits::default()
        };
        limits.receipts = dice.between(16, 200) as u32;
        limits.receipts_kept = Duration::from_secs(600);
        limits.bans = dice.between(1, 4) as u32;
        let crowd = &mut self.population;
        for _ in 0..dice.size(1, 4) {
            let mut own = dice.fork(8);
            let pause = *own.pick(&[100 * MILLI, SECOND, 20 * SECOND]);
            let habit = match own.one_in(2) {
                true => Habit::Clerk(pause),
                false => Habit::Reader(pause),
            };
            let path = Path {
                down_window: *own.pick(&[512, 4_096, 64 << 10]),
                delay: own.span(0, 50 * MILLI),
                ..Path::default()
            };
            let who = (crowd.clients.len() + crowd.operators.len()) as u32;
            crowd.operators.push(Operator::new(who, own, habit, path));
        }
        crowd.house.desk.listener = self.settings.iter().map(|one| one.bind.len() as u16).sum();
        if self.fd_limit != usize::MAX {
            self.fd_limit += 2;
        }
        let has_clerk = crowd.operators.iter().any(Operator::is_clerk);
        if dice.one_in(6) {
            self.leaves_early = Some(match has_clerk && dice.one_in(2) {
                true => Word::Http(Duration::from_millis(dice.between(0, 5_000))),
                false => Word::Signal,
            });
        }
    }
}

/// Frames and bytes have a rate that nobody passes who behaves.
fn rate(settings: &mut Settings, dice: &mut Dice) {
    if dice.one_in(2) {
        return;
    }
    settings.message_rate = dice.one_in(2).then(|| dice.between(50, 200) as u32);
    settings.byte_rate = dice.one_in(2).then(|| dice.size(64 << 10, 128 << 10));
    settings.rate_interval = Duration::from_millis(dice.between(50, 100) * 10);
    settings.rate_strikes = dice.between(1, 3) as u8;
}
