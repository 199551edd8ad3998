//! Group H: devices that oust each other come to rest, and disturb nobody.

use std::time::Duration;

use pulsegate::{CloseReason, Limits, Options, Rate, Settings, UserPolicy};

use super::{Stage, ms, s};
use crate::world::agenda::{MILLI, SECOND, nanos};

fn stage(users: UserPolicy) -> Stage {
    let options = Options {
        limits: Limits {
            user_takeover_rate: Some(Rate {
                count: 5,
                per: Duration::from_secs(100),
            }),
            ..Limits::default()
        },
        users,
        ..Options::default()
    };
    Stage::with(Settings::default(), options)
}

/// When to come back, as a goodbye says.
fn rest(heard: &str, reason: &str) -> u64 {
    let goodbye = format!("close {reason}");
    let said = heard
        .lines()
        .last()
        .and_then(|line| line.strip_prefix(&goodbye));
    let said = said.unwrap_or_else(|| panic!("no {goodbye:?}: {heard:?}"));
    said.trim().parse().unwrap_or(0)
}

#[test]
fn two_devices_that_oust_each_other_rest_longer_and_longer() {
    // 86: both come back 10 ms after they were told to go, whatever they are told.
    let mut stage = stage(UserPolicy::Replace);
    let other = stage.login("other");
    let mut owner = stage.login("bob");
    let (mut taken, mut refused, mut rests) = (Vec::new(), 0u64, Vec::new());
    let end = stage.now() + 120 * SECOND;
    while stage.now() < end {
        let rival = stage.connect();
        let heard = stage.ask(rival, "login bob\n");
        if heard.starts_with("ok ") {
            assert_eq!(stage.reason(owner), Some(CloseReason::Replaced));
            let told = stage.hear(owner);
            rests.push(rest(&told, "replaced"));
            taken.push(stage.now());
            owner = rival;
        } else {
            assert_eq!(stage.reason(rival), Some(CloseReason::RateLimited));
            let wait = rest(&heard, "rate-limited");
            let left = taken.last().expect("one came before") + rests.last().unwrap_or(&0) * MILLI;
            let told = stage.now() + wait * MILLI;
            assert!(told.abs_diff(left) <= 20 * MILLI, "{told} {left}");
            assert_eq!(stage.reason(owner), None, "the owner is left alone");
            refused += 1;
        }
        stage.pass(ms(10));
        if stage.now() % SECOND < 20 * MILLI {
            // Those two stay alive, whatever the third does.
            stage.ask(owner, "ping\n");
            assert_eq!(stage.ask(other, "ping\n"), "pong\n");
        }
    }
    assert_eq!(rests[..9], [0, 0, 0, 0, 0, 1_000, 2_000, 4_000, 8_000]);
    let spaced = taken.windows(2).zip(&rests);
    for (pair, rest) in spaced {
        let waited = pair[1] - pair[0];
        assert!(waited >= rest * MILLI, "{waited} after {rest} ms");
        assert!(
            waited <= rest * MILLI + 40 * MILLI,
            "{waited} after {rest} ms"
        );
    }
    let last_minute = taken.iter().filter(|at| **at > end - 60 * SECOND).count();
    assert!(
        last_minute <= 5,
        "{last_minute} in the last minute: {rests:?}"
    );
    assert!(refused > 1_000, "{refused}");
    let stats = stage.server.gate().stats();
    assert_eq!(stats.logins_refused, refused);
    assert_eq!(stage.reason(other), None);
    stage.server.gate().check();
}

#[test]
fn the_default_holds_nobody_who_tries_it_out_and_breaks_a_quarrel_in_minutes() {
    // 86
    let mut stage = Stage::new(Settings::default());
    stage.login("bob");
    for number in 0..250 {
        let heard = stage.ask_newcomer("bob");
        assert!(heard.starts_with("ok "), "{number}: {heard}");
    }
    // How long devices that come back after so long go on, and how often then in ten minutes.
    for (pause, broken, most) in [(ms(250), s(85), 60), (s(1), s(340), 60), (s(15), s(0), 40)] {
        let mut stage = Stage::new(Settings {
            idle_timeout: None,
            ..Settings::default()
        });
        stage.checks = false;
        stage.login("bob");
        let began = stage.now();
        let mut held = None;
        while stage.now() < began + 20 * 60 * SECOND && held.is_none() {
            stage.pass(pause);
            let heard = stage.ask_newcomer("bob");
            held = heard.starts_with("close ").then(|| stage.now());
        }
        let after = held.map_or(0, |held| held - began);
        assert!(after <= nanos(broken), "{pause:?}: {after} ns");
        assert_eq!(held.is_some(), pause < s(12), "{pause:?}");
        let began = stage.now();
        let mut taken = 0;
        while stage.now() < began + 600 * SECOND {
            stage.pass(pause);
            taken += usize::from(stage.ask_newcomer("bob").starts_with("ok "));
        }
        assert!(taken <= most, "{pause:?}: {taken} in ten minutes");
    }
}

#[test]
fn who_comes_back_now_and_then_is_never_held_and_old_quarrels_are_forgotten() {
    // 86
    let mut stage = stage(UserPolicy::Replace);
    let mut owner = stage.login("bob");
    let take = |stage: &mut Stage, owner: &mut _| {
        let next = stage.connect();
        let heard = stage.ask(next, "login bob\n");
        assert!(heard.starts_with("ok "), "{heard}");
        let told = stage.hear(*owner);
        *owner = next;
        rest(&told, "replaced")
    };
    for _ in 0..20 {
        stage.pass(s(21));
        assert_eq!(take(&mut stage, &mut owner), 0);
    }
    stage.pass(s(21));
    let rests: Vec<u64> = (0..6).map(|_| take(&mut stage, &mut owner)).collect();
    assert!(rests[5] >= 1_000, "{rests:?}");
    for _ in 0..8 {
        stage.pass(s(30));
        stage.ask(owner, "ping\n");
    }
    let rests: Vec<u64> = (0..4).map(|_| take(&mut stage, &mut owner)).collect();
    assert_eq!(rests, [0; 4], "all is forgotten");
    // Where nobody is here, nobody is replaced.
    stage.net().kernel.reset(owner);
    stage.settle();
    for _ in 0..20 {
        let bob = stage.login("bob");
        stage.net().kernel.reset(bob);
        stage.settle();
    }
    assert!(stage.ask_newcomer("bob").starts_with("ok "));
}

#[test]
fn devices_beyond_those_allowed_rest_as_well_and_reject_needs_no_rest() {
    // 86
    let mut stage = stage(UserPolicy::Devices(2));
    let heard: Vec<bool> = (0..12)
        .map(|_| stage.ask_newcomer("bob").starts_with("ok "))
        .collect();
    let good = heard.iter().filter(|is_good| **is_good).count();
    assert_eq!(good, 2 + 6, "two that fit, six that replace: {heard:?}");
    let mut stage = self::stage(UserPolicy::Reject);
    for number in 0..12 {
        let heard = stage.ask_newcomer("bob");
        assert_eq!(heard.starts_with("ok "), number == 0, "{heard}");
        assert!(
            number == 0 || heard.starts_with("error user-taken"),
            "{heard}"
        );
    }
}

#[test]
fn a_connection_that_was_somebody_else_leaves_nothing_behind_where_it_has_to_rest() {
    // 86
    let mut stage = stage(UserPolicy::Replace);
    for _ in 0..7 {
        stage.login("bob");
    }
    let ann = stage.login("ann");
    let heard = stage.ask(ann, "login bob\n");
    assert!(heard.starts_with("close rate-limited "), "{heard}");
    let gate = stage.server.gate();
    assert!(!gate.is_online("ann") && gate.is_online("bob"));
    let deaths = gate.stats().closed(CloseReason::RateLimited);
    assert_eq!(deaths, 1);
    // Others of that name are not held where it is switched off, which the judge is not told.
    stage.is_judged = false;
    let options = Options {
        limits: Limits {
            user_takeover_rate: None,
            ..Limits::default()
        },
        ..Options::default()
    };
    stage.server.gate_mut().tune(&options);
    assert!(stage.ask_newcomer("bob").starts_with("ok "));
}

impl Stage {
    /// Somebody connects and logs in: what he hears.
    fn ask_newcomer(&mut self, user: &str) -> String {
        let key = self.connect();
        self.ask(key, &format!("login {user}\n"))
    }
}
