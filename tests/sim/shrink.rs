//! Makes a run that fails smaller: clients, kinds of faults, habits of the world and time are left
//! out for as long as it fails in the same way.
//!
//! `SIM_PLAN='21 -u3 -reset 30s' cargo test --release --test sim replay -- --nocapture` plays what
//! is left with a readable log. A sweep shrinks its first failure; not where `SIM_FIRST` is set,
//! which asks for haste.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::world::cut::{Cut, HABITS, fault_names, size};
use crate::world::marks::Mark;
use crate::world::plan::Plan;
use crate::world::run::{Report, play};

/// Runs that a shrinking may take.
const RUNS_MAX: usize = 300;

/// What a run with something left out complains of; nothing where it passes.
pub(crate) fn complaint(seed: u64, cut: &Cut) -> Option<String> {
    outcome(seed, cut).err()
}

fn outcome(seed: u64, cut: &Cut) -> Result<Report, String> {
    let report = catch_unwind(AssertUnwindSafe(|| play(seed, cut, false)));
    report.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
        text.unwrap_or_default()
    })
}

/// Leaves out of a seed's world whatever the same failure does not need.
pub(crate) fn shrink(seed: u64, fails: impl Fn(&Cut) -> Option<String>) -> Cut {
    let mut cut = Cut::default();
    let Some(first) = fails(&cut) else {
        return cut;
    };
    let kind = kind(&first);
    let mut runs = 0;
    let mut holds = |cut: &Cut| {
        runs += 1;
        runs <= RUNS_MAX && fails(cut).is_some_and(|why| self::kind(&why) == kind)
    };
    // What could not be left out before may be dispensable once something else is gone.
    loop {
        let before = cut.clone();
        // The time last: in a short act more kinds of faults must meet than in a long one.
        cut = fewer_faults(cut, &mut holds);
        cut = fewer_clients(cut, seed, &mut holds);
        shorten(&mut cut, seed, &mut holds);
        for habit in 0..HABITS.len() {
            let mut less = cut.clone();
            less.habits |= 1 << habit;
            if less != cut && holds(&less) {
                cut = less;
            }
        }
        if cut == before {
            return cut;
        }
    }
}

/// Halves the first act.
fn shorten(cut: &mut Cut, seed: u64, holds: &mut impl FnMut(&Cut) -> bool) {
    loop {
        let seconds = size(seed, cut).2.as_secs() / 2;
        let less = Cut {
            seconds: Some(seconds),
            ..cut.clone()
        };
        if seconds == 0 || !holds(&less) {
            return;
        }
        *cut = less;
    }
}

/// Leaves clients out, by halves, by quarters, one by one.
fn fewer_clients(mut cut: Cut, seed: u64, holds: &mut impl FnMut(&Cut) -> bool) -> Cut {
    let clients = clients_of(seed);
    let mut chunk = clients.next_power_of_two();
    while chunk > 0 {
        let here: Vec<u32> = (0..clients)
            .filter(|who| !cut.clients.contains(who))
            .collect();
        for some in here.chunks(chunk as usize) {
            let mut less = cut.clone();
            less.clients.extend(some);
            if holds(&less) {
                cut = less;
            }
        }
        chunk /= 2;
    }
    cut
}

/// Leaves kinds of faults out: all, halves, single ones.
fn fewer_faults(mut cut: Cut, holds: &mut impl FnMut(&Cut) -> bool) -> Cut {
    let kinds = fault_names().len();
    for chunk in [32, 16, 8, 4, 2, 1] {
        for from in (0..kinds).step_by(chunk) {
            let some = from..kinds.min(from + chunk);
            let mut less = cut.clone();
            less.faults |= some.map(|place| 1 << place).sum::<u32>();
            if less != cut && holds(&less) {
                cut = less;
            }
        }
    }
    cut
}

fn clients_of(seed: u64) -> u32 {
    let clients = Plan::draw(seed).population.clients.len();
    u32::try_from(clients).expect("a small world")
}

/// What a failure is: its words without the numbers in them, up to where they tell who it met.
fn kind(complaint: &str) -> String {
    let words = complaint.split([':', '[', '{', '"']).next();
    let words = words.unwrap_or_default().chars();
    words
        .filter(|char| !char.is_ascii_digit())
        .take(60)
        .collect()
}

/// A failure with what is left of its world, and how to see it.
pub(crate) fn told(seed: u64) -> String {
    let cut = shrink(seed, |cut| complaint(seed, cut));
    let (clients, faults, lasts) = size(seed, &cut);
    format!(
        "seed {seed} is as bad with {clients} clients, {faults} kinds of faults and a first act of \
         {lasts:?}:\n    SIM_PLAN='{}' cargo test --release --test sim replay -- --nocapture",
        cut.show(seed)
    )
}

#[test]
fn a_failing_run_shrinks_to_a_small_plan_that_fails_in_the_same_way() {
    // The planted rule: nobody's message is ever sent again for want of an ack. A large world, in
    // which most have nothing to do with it.
    let fails = |seed: u64, cut: &Cut| match outcome(seed, cut) {
        Ok(report) if report.marks.has(Mark::Redelivered) => Some("sent again: 1".to_owned()),
        Ok(_) => None,
        Err(why) => Some(why),
    };
    let seed = (0..200)
        .find(|&seed| fails(seed, &Cut::default()).is_some() && size(seed, &Cut::default()).0 > 18)
        .expect("some seed breaks it");
    let cut = shrink(seed, |cut| fails(seed, cut));
    let (before, after) = (size(seed, &Cut::default()), size(seed, &cut));
    assert_eq!(fails(seed, &cut).as_deref(), Some("sent again: 1"));
    assert!(after.0 * 3 <= before.0, "{before:?}, {after:?}");
    assert!(after.1 <= 2, "{before:?}, {after:?}");
    // What is told can be played, and is the same.
    let text = cut.show(seed);
    assert_eq!(Cut::read(&text), Ok((seed, cut.clone())), "{text}");
    let again = || outcome(seed, &cut);
    assert_eq!(again(), again());
}

#[test]
fn what_is_left_out_changes_nothing_else() {
    let all = outcome(3, &Cut::default());
    assert_eq!(
        all,
        outcome(
            3,
            &Cut {
                seconds: Some(100_000),
                ..Cut::default()
            }
        )
    );
    // Of a client that is left out nothing is heard, and the world goes on without it.
    let clients = 0..clients_of(3);
    let nobody = Cut {
        clients: BTreeSet::from_iter(clients),
        ..Cut::default()
    };
    let report = outcome(3, &nobody).expect("an empty house holds no surprise");
    assert!(report.turns < all.expect("it passes").turns);
}

#[test]
fn a_plan_is_read_as_it_is_shown_and_nothing_else_is() {
    let text = "21 -u3 -u17 -spurious -reset -meddling -crowding 30s";
    let (seed, cut) = Cut::read(text).expect("a plan");
    assert_eq!((cut.show(seed), cut.clients.len()), (text.to_owned(), 2));
    for wrong in ["", "x", "21 -nothing", "21 reset", "21 -30s"] {
        assert!(Cut::read(wrong).is_err(), "{wrong}");
    }
}
