//! Budgets over all connections, and what is done where they are used up.

use std::time::Duration;

use pulsegate::{Gate, Limits, Push, Settings, Target};
use rustix::time::{ClockId, clock_gettime};

use crate::client::Client;
use crate::library::House;

/// How long this thread has worked: what others do on its core does not count.
fn worked() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

#[test]
fn a_publish_that_is_refused_costs_the_same_for_many_members_as_for_one() {
    let limits = Limits {
        fanout: 1,
        push_targets: 1,
        ..Limits::default()
    };
    let house = House::new((), limits, Settings::default());
    let members: Vec<Client> = (0..400)
        .map(|_| {
            let mut member = house.line();
            member.asks("join many", "ok");
            member
        })
        .collect();
    let mut single = house.line();
    single.asks("join one", "ok");
    let (many, one) = house.ask(move |gate, ()| {
        // In progress for many turns: whatever follows is refused.
        gate.push(Target::Topic("many"), &Push::text("x")).unwrap();
        let mut best = |topic| {
            let rounds = (0..20).map(|_| {
                let began = worked();
                for _ in 0..100 {
                    assert!(gate.push(Target::Topic(topic), &Push::text("x")).is_err());
                }
                worked() - began
            });
            rounds.min().unwrap()
        };
        (best("many"), best("one"))
    });
    assert!(many < 3 * one, "{many:?} for many, {one:?} for one");
    drop(members);
}

#[test]
fn parking_costs_the_same_in_a_long_mailbox_as_in_a_short_one() {
    const COUNT: usize = 1_000;
    let settings = Settings {
        offline_max: 1_000_000,
        outbox_low: 1 << 20,
        outbox_soft: 1 << 20,
        outbox_max: 1 << 20,
        ..Settings::default()
    };
    let house = House::new((), Limits::default(), settings);
    let park = |count: usize| {
        house.ask(move |gate, ()| {
            let push = Push {
                ack: true,
                ..Push::text("x")
            };
            let began = worked();
            for _ in 0..count {
                let receipt = gate.push(Target::User("bob"), &push).unwrap();
                assert_eq!(receipt.offline, 1);
            }
            worked() - began
        })
    };
    let short = park(COUNT).min(park(COUNT));
    park(30 * COUNT);
    let long = park(COUNT).min(park(COUNT));
    assert!(
        long < 5 * short,
        "{long:?} in a long one, {short:?} in a short one"
    );
}

#[test]
fn taking_a_timer_back_costs_the_same_among_many_as_among_few() {
    const COUNT: usize = 1_000;
    let limits = Limits {
        timers: 40 * 1_000,
        ..Limits::default()
    };
    let house = House::new((), limits, Settings::default());
    let (few, many) = house.ask(|gate, ()| {
        let hour = Duration::from_secs(3_600);
        let set = |gate: &mut Gate, count| -> Vec<_> {
            (0..count).map(|_| gate.set_timer(hour).unwrap()).collect()
        };
        let cancel = |gate: &mut Gate| {
            let timers = set(gate, COUNT);
            let began = worked();
            assert!(timers.iter().all(|timer| gate.cancel_timer(*timer)));
            let took = worked() - began;
            assert!(!timers.iter().any(|timer| gate.cancel_timer(*timer)));
            took
        };
        let few = cancel(gate).min(cancel(gate));
        set(gate, 30 * COUNT);
        (few, cancel(gate).min(cancel(gate)))
    });
    assert!(many < 5 * few, "{many:?} among many, {few:?} among few");
}
