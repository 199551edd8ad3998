//! A seed becomes a world: tiny limits, settings, faults, who lives there and how.

mod later;

use std::time::Duration;

use pulsegate::codec::framing::{Endian, Framing, Layout};
use pulsegate::net::SocketOptions;
use pulsegate::{
    AdminLimits, Allow, Dialect, Limits, Login, Options, Settings, SlowConsumer, UserPolicy,
};

use super::Path;
use super::agenda::{MICRO, MILLI, Nanos, SECOND};
use super::clients::persona::{Ending, Mask, Persona};
use super::clients::{Client, House, Population};
use super::desk::Desk;
use super::dice::{Dice, Rate};
use super::faults::Faults;
use super::lister::Lister;

/// Everything a seed decides before the first turn.
pub(crate) struct Plan {
    pub(crate) options: Options,
    pub(crate) settings: Vec<Settings>,
    pub(crate) faults: Faults,
    pub(crate) population: Population,
    pub(crate) mask: Mask,
    pub(crate) fd_limit: usize,
    pub(crate) toll: Nanos,
    /// How long the first act lasts.
    pub(crate) play: Nanos,
    /// Whether the world ends with a shutdown rather than with everybody leaving.
    pub(crate) ends_by_shutdown: bool,
    pub(crate) has_tight_budget: bool,
    /// Whether the application takes its time.
    pub(crate) is_slow: bool,
    /// How often the backend pushes or kicks.
    pub(crate) meddling: Rate,
    pub(crate) dice: Dice,
    /// Whether it matters where clients come from, and who writes the lists then.
    pub(crate) lister: Option<Lister>,
    /// Whether the shutdown begins in the midst of everything, and by whose word.
    pub(crate) leaves_early: Option<Word>,
}

/// How the server is told to leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    Signal,
    /// By the admin interface, with the spread that is wished for.
    Http(Duration),
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mask = Mask::draw(&mut dice.fork(1));
        let mut faults = Faults::draw(&mut dice.fork(2));
        let has_tight_budget = dice.one_in(4);
        let limits = limits(&mut dice.fork(3), has_tight_budget);
        let settings = settings(&mut dice.fork(4));
        let policy = *dice.pick(&[
            UserPolicy::Replace,
            UserPolicy::Replace,
            UserPolicy::Reject,
            UserPolicy::Devices(2),
        ]);
        // Who never falls silent for the server never leaves it either.
        if settings.iter().any(|one| one.idle_timeout.is_none()) {
            faults.lost = Rate::NEVER;
        }
        let is_crowded = dice.one_in(8);
        let fd_limit = if is_crowded {
            limits.connections as usize + settings.len()
        } else {
            usize::MAX
        };
        let population = population(&mut dice, &limits, &settings, policy, mask);
        let mut plan = Self {
            options: Options {
                limits,
                users: policy,
                coalesce: dice
                    .one_in(4)
                    .then(|| Duration::from_millis(dice.between(1, 5))),
                drain_over: match dice.one_in(2) {
                    true => Duration::from_millis(dice.between(1, 5_000)),
                    false => Duration::ZERO,
                },
                drain_timeout: Duration::from_secs(10),
                wheel_slots: *dice.pick(&[64, 64, 256, 1_024, 16_384]),
            },
            settings,
            faults,
            population,
            mask,
            fd_limit,
            toll: dice.span(0, 20 * MICRO),
            play: dice.span(30 * SECOND, 300 * SECOND),
            ends_by_shutdown: dice.one_in(2),
            has_tight_budget,
            is_slow: dice.one_in(2),
            meddling: if mask.kicks {
                Rate::per_mille(20)
            } else {
                Rate::NEVER
            },
            dice: dice.fork(6),
            leaves_early: None,
            lister: None,
        };
        plan.add(&mut dice);
        plan
    }
}

fn limits(dice: &mut Dice, has_tight_budget: bool) -> Limits {
    let mut small = |high: u64| if dice.one_in(2) { dice.between(1, 4) } else { high } as u32;
    let (events, accepts, reads) = (small(64), small(64), small(64));
    let (frames, flushes, expiries) = (small(64), small(64), small(64));
    let (fanout, reaps, tasks) = (small(64), small(64), small(64));
    let budget = |dice: &mut Dice, low, high| {
        if has_tight_budget {
            dice.size(low, high)
        } else {
            64 << 20
        }
    };
    Limits {
        connections: dice.between(4, 32) as u32,
        refusals: dice.between(1, 4) as u32,
        events,
        accepts,
        reads,
        read_bytes: *dice.pick(&[16, 64, 512, 65_536]),
        frames,
        flushes,
        expiries,
        fanout,
        reaps,
        tasks,
        lag: Duration::from_millis(*dice.pick(&[20, 100, 100])),
        resting: expiries,
        handshakes: reads.min(16),
        handshakes_kept: reads.min(4) - 1,
        input_budget: budget(dice, 8 << 10, 64 << 10),
        output_budget: budget(dice, 8 << 10, 32 << 10),
        offline_budget: budget(dice, 8 << 10, 64 << 10),
        topics: dice.between(1, 8) as u32,
        topics_per_connection: dice.between(1, 4) as u32,
        unacked_per_connection: dice.between(2, 64) as u32,
        absent_users: dice.between(0, 63) as u32,
        pushes: dice.between(1, 64) as u32,
        push_targets: dice.between(8, 1_000) as u32,
        timers: 16,
        deaths: 5,
        spare_outboxes: dice.between(0, 4) as u32,
        linger_bytes: dice.between(1_000, 64 << 10) as u32,
        receipts: 3,
        receipts_kept: Duration::from_secs(1),
        bans: 2,
        // Every client has an address of its own: each is counted, and none is refused for it.
        address_connections: (events < 32).then_some(1_000),
        address_accept_rate: (reads < 32).then_some(pulsegate::Rate {
            count: 1_000,
            per: Duration::from_secs(3_600),
        }),
        sources: 3,
        user_takeover_rate: None,
        admin: AdminLimits::default(),
        ..Limits::default()
    }
}

fn settings(dice: &mut Dice) -> Vec<Settings> {
    let count = dice.size(1, 3);
    (0..count)
        .map(|number| one_listener(dice, number))
        .collect()
}

fn one_listener(dice: &mut Dice, number: usize) -> Settings {
    let dialect = match dice.below(8) {
        0 => Dialect::Echo,
        1 => Dialect::Sink,
        _ => Dialect::Gate,
    };
    let framing = framing(dice, dialect);
    let frame_max = match framing {
        Framing::Binary(Layout { width: 1, .. }) => 240,
        _ => *dice.pick(&[300, 1_000, 4_096, 65_536]),
    };
    let seconds = |dice: &mut Dice, low: u64, high: u64| {
        Duration::from_millis(dice.between(low * 100, high * 100) * 10)
    };
    let maybe = |dice: &mut Dice, low, high| (!dice.one_in(4)).then(|| seconds(dice, low, high));
    let outbox_low = *dice.pick(&[64, 512, 4_096, 16 << 10]);
    let outbox_soft = outbox_low * dice.size(1, 4);
    let output_age = maybe(dice, 2, 30);
    // Who takes nothing must be cut off by one of the two, or stays for ever.
    let write_timeout = maybe(dice, 1, 15).or_else(|| match output_age {
        None => Some(seconds(dice, 1, 15)),
        Some(_) => None,
    });
    Settings {
        name: format!("l{number}"),
        bind: vec![address(number)],
        framing,
        dialect,
        login: *dice.pick(&[
            Login::None,
            Login::Optional,
            Login::Optional,
            Login::Required,
        ]),
        allow: Allow {
            send: !dice.one_in(8),
            publish: true,
            join: !dice.one_in(8),
            data: true,
        },
        slow_consumer: *dice.pick(&[SlowConsumer::Close, SlowConsumer::DropNewest]),
        idle_timeout: (!dice.one_in(8)).then(|| seconds(dice, 1, 60)),
        login_timeout: maybe(dice, 1, 10),
        frame_timeout: maybe(dice, 1, 15),
        lifetime: dice.one_in(8).then(|| seconds(dice, 20, 100)),
        write_timeout,
        output_age,
        ping_after: dice.one_in(3).then(|| seconds(dice, 1, 20)),
        ack_timeout: seconds(dice, 1, 10),
        ack_attempts: dice.between(1, 5) as u8,
        offline_ttl: seconds(dice, 1, 60),
        offline_max: dice.between(1, 32) as u32,
        frame_max,
        login_frame_max: frame_max.min(300),
        outbox_low,
        outbox_soft,
        outbox_soft_for: seconds(dice, 0, 10),
        outbox_max: (outbox_soft * dice.size(1, 4)).max(4_096),
        bad_requests_max: dice.between(1, 16) as u8,
        failed_logins_max: dice.between(1, 3) as u8,
        linger: seconds(dice, 1, 2),
        reconnect: Duration::from_secs(1),
        socket: SocketOptions {
            backlog: dice.between(1, 64) as u32,
            ..SocketOptions::default()
        },
        ..Settings::default()
    }
}

fn address(number: usize) -> std::net::SocketAddr {
    ([127, 0, 0, 1], 7_000 + number as u16).into()
}

fn framing(dice: &mut Dice, dialect: Dialect) -> Framing {
    match dice.below(if dialect == Dialect::Gate { 3 } else { 4 }) {
        0 => Framing::Line,
        1 => Framing::LenHdr {
            bare_ping: dice.one_in(2),
        },
        2 => {
            let width = *dice.pick(&[1, 2, 4, 4, 8]);
            Framing::Binary(Layout {
                width,
                endian: *dice.pick(&[Endian::Big, Endian::Little]),
                offset: *dice.pick(&[0, 0, 1, 6]),
                adjust: *dice.pick(&[0, 0, -i32::from(width)]),
                strip: None,
            })
        }
        _ => Framing::Raw,
    }
}

fn population(
    dice: &mut Dice,
    limits: &Limits,
    settings: &[Settings],
    policy: UserPolicy,
    mask: Mask,
) -> Population {
    let good = dice.size(1, (limits.connections as usize / 2).max(1));
    let others = dice.size(0, limits.connections as usize);
    let mut clients = Vec::new();
    for who in 0..(good + others) as u32 {
        let mut own = dice.fork(u64::from(who) + 1_000);
        let mut persona = match (who as usize) < good {
            true => Persona::good(&mut own, mask),
            false => Persona::any(&mut own, mask),
        };
        let listener = own.below(settings.len() as u64) as u16;
        if settings[usize::from(listener)].idle_timeout.is_none()
            && persona.ending == Ending::Vanish
        {
            persona.ending = Ending::Reset;
        }
        // Far away and through a straw, nobody could be served in time, however good.
        let is_near = own.one_in(2);
        let is_narrow =
            own.one_in(if persona.is_good { 3 } else { 2 }) && (is_near || !persona.is_good);
        let path = Path {
            up_window: own.size(32, 64 << 10),
            down_window: if is_narrow {
                own.size(32, 512)
            } else {
                64 << 10
            },
            delay: if is_near { 0 } else { own.span(0, 200 * MILLI) },
            loses_on_reset: own.one_in(2),
            from: None,
        };
        let mut client = Client::new(who, own, persona, listener, path);
        client.names = names(who, good as u32, mask, &mut client.dice);
        clients.push(client);
    }
    let users = (0..good + others).map(|who| format!("u{who}")).collect();
    Population {
        clients,
        operators: Vec::new(),
        house: House {
            settings: settings.to_vec(),
            policy,
            users,
            topics: (0..4).map(|topic| format!("t{topic}")).collect(),
            unheard: std::collections::BTreeSet::new(),
            kept: std::collections::BTreeSet::new(),
            is_quiet: false,
            limits_logins: false,
            has_addresses: false,
            desk: Desk::default(),
        },
        dice: dice.fork(5),
        has_storms: mask.storms,
        is_hasty: false,
    }
}

/// Most have a name of their own; namesakes take one of the good, movers have two.
fn names(who: u32, good: u32, mask: Mask, dice: &mut Dice) -> Vec<String> {
    let is_good = who < good;
    let mut names = vec![format!("u{who}")];
    if !is_good && mask.namesakes && dice.one_in(2) {
        names = vec![format!("u{}", dice.below(u64::from(good)))];
    }
    if !is_good && mask.movers && dice.one_in(2) {
        names.push(format!("v{who}"));
    }
    names
}
