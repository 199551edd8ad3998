//! The books in the hands of callers, a keeper and a server that do as they please.
//!
//! The world beside the books knows of each connection when the server last answered on it and
//! whether it is dead; of each caller when it came. What is checked after each step is what the
//! pool promises.

mod acts;
mod world;

use proptest::prelude::*;

use self::acts::{Act, act, options};
use self::world::{At, Keeper, World};
use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_books_keep_every_promise(
        options in options(),
        patience in prop::option::of(8..600_u64),
        is_slow_to_close: bool,
        acts in prop::collection::vec(act(), 1..250),
    ) {
        let mut world = World::new(options, patience);
        world.is_slow_to_close = is_slow_to_close;
        for act in acts {
            world.act(act);
        }
        world.settle();
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn an_idle_hour_against_a_server_that_waits_three_seconds_costs_nobody_a_connection() {
    let options = Options {
        min: 4,
        idle_max: None,
        age_max: None,
        ..Options::default()
    };
    let mut world = World::new(options, Some(3_000));
    world.keep_all();
    world.pass(seconds(3_600));
    assert_eq!(world.book.beat(), Some(Duration::from_millis(2_625)));
    assert_eq!(world.made, 4, "none had to be replaced");
    assert!(world.conns.values().all(|(_, dead)| dead.is_none()));
    // no more beats than the beat asks for
    assert_eq!(world.book.stats().beats, 4 * (3_600_000 / 2_625));
    for caller in 0..4 {
        world.act(Act::Ask { may_wait: false });
        assert!(
            matches!(world.callers[caller].1, At::Holds(..)),
            "unchecked"
        );
    }
}

#[test]
fn without_a_keeper_what_is_overdue_is_checked_by_whoever_gets_it() {
    let mut world = World::new(Options::default(), Some(3_000));
    world.act(Act::Ask { may_wait: true });
    world.act(Act::Finish(0));
    world.act(Act::Return(1, false));
    // the keeper hangs
    world.keeper = Keeper::Rests(None);
    world.now += Duration::from_millis(2_700);
    let ticket = world.book.draw();
    let step = world.book.ask(ticket, true, world.now);
    assert!(matches!(step, Step::Take(loan) if loan.is_doubtful));
}

#[test]
fn the_idle_go_after_their_time_down_to_the_minimum_and_the_old_are_replaced() {
    let options = Options {
        min: 1,
        max: 3,
        idle_max: Some(seconds(60)),
        age_max: Some(seconds(600)),
        ..Options::default()
    };
    let mut world = World::new(options, None);
    world.keep_all();
    for _ in 0..3 {
        world.act(Act::Ask { may_wait: true });
        if let Some(caller) = world.choose(0, |at| matches!(at, At::Opens(_))) {
            world.finish(caller);
        }
    }
    for _ in 0..3 {
        world.act(Act::Return(1, false));
    }
    world.act(Act::Pass(59_000));
    assert_eq!(world.book.stats().idle, 3);
    world.act(Act::Pass(2_000));
    let stats = world.book.stats();
    assert_eq!((stats.idle, stats.closed_idle), (1, 2));
    world.act(Act::Pass(600_000));
    let stats = world.book.stats();
    assert_eq!((stats.idle, stats.closed_aged, world.made), (1, 1, 4));
}

#[test]
fn while_the_server_is_away_one_tries_for_all_ever_less_often() {
    let mut world = World::new(Options::default(), None);
    world.is_up = false;
    for _ in 0..5 {
        world.act(Act::Ask { may_wait: true });
    }
    for _ in 0..1_000 {
        if let Some(caller) = world.choose(0, |at| matches!(at, At::Opens(_))) {
            world.finish(caller);
        }
        world.act(Act::Pass(10));
    }
    // 5 at once, then 20 ms later, 40, 80 … and every second
    let failed = world.book.stats().failed;
    assert!((14..=20).contains(&failed), "{failed} attempts in 10 s");
    world.is_up = true;
    world.act(Act::Pass(1_100));
    let caller = world
        .choose(0, |at| matches!(at, At::Opens(_)))
        .expect("one tries");
    assert_eq!(world.book.stats().waiting, 4);
    world.finish(caller);
    assert_eq!(world.book.stats().waiting, 0, "once it answers, all go on");
}

#[test]
fn who_was_handed_a_broken_one_is_not_overtaken() {
    let options = Options {
        max: 1,
        queue_max: 1,
        ..Options::default()
    };
    let mut book = Book::<u32, u32>::new(options);
    let (first, second) = (book.draw(), book.draw());
    let Step::Open(kind) = book.ask(first, true, seconds(0)) else {
        panic!("there is room for one");
    };
    let loan = book.opened(1, kind, None, seconds(0));
    assert!(matches!(book.ask(second, true, seconds(0)), Step::Wait));
    book.wait(second, seconds(0), 2);
    // It turns out to be broken: whoever had it opens the next one.
    book.doom(loan.kind, Condition::Broken, seconds(1));
    assert!(matches!(book.collect(second), Step::Wait));
    let step = book.trade(first, loan.kind, true, seconds(1));
    assert!(matches!(step, Step::Open(_)), "{step:?}");
    assert!(matches!(book.collect(second), Step::Wait));
    // It can not, and waits in a line that is full for others.
    book.failed(kind, seconds(1));
    assert!(matches!(
        book.ask_again(first, true, seconds(1)),
        Step::Wait
    ));
    let third = book.draw();
    assert!(matches!(
        book.ask(third, true, seconds(1)),
        Step::Refused(Refusal::Full)
    ));
    book.check();
}

#[test]
fn a_server_that_sends_us_away_is_left_alone() {
    let options = Options {
        min: 2,
        max: 4,
        ..Options::default()
    };
    let mut book = Book::<u32, u32>::new(options);
    let mut now = seconds(0);
    let open = |book: &mut Book<u32, u32>, now| {
        let ticket = book.draw();
        match book.ask(ticket, true, now) {
            Step::Open(kind) => Ok(book.opened(1, kind, None, now)),
            Step::Refused(refusal) => Err(refusal),
            other => panic!("{other:?}"),
        }
    };
    let mut rest = seconds(1);
    for _ in 0..5 {
        let loan = open(&mut book, now).unwrap();
        // One waits in vain: there will be none.
        let waits = book.draw();
        book.wait(waits, now, 7);
        book.give_back(loan, Condition::Unwanted, now);
        let told = book.errands().unwrap();
        assert!(told.wake.is_empty(), "it is not closed yet");
        assert_eq!((told.close.len(), told.close[0].conn), (1, 1));
        book.closed(Kind::Pooled, now);
        assert_eq!(book.errands().unwrap().wake, [7]);
        assert!(matches!(
            book.collect(waits),
            Step::Refused(Refusal::Unwanted)
        ));
        // The keeper opens nothing, now or later, though the minimum lacks.
        for later in [now, now + rest, now + seconds(3_600)] {
            assert!(matches!(book.chore(later), Chore::Rest(None)), "{later:?}");
        }
        // Who asks is told, until a rest is over that grows.
        let before = now + rest - Duration::from_nanos(1);
        assert!(matches!(open(&mut book, before), Err(Refusal::Unwanted)));
        now += rest;
        rest *= 2;
        book.check();
    }
    // So is who can not even come in.
    let ticket = book.draw();
    let Step::Open(kind) = book.ask(ticket, true, now) else {
        panic!("the rest is over");
    };
    book.turned_away(kind, now);
    let again = book.ask_again(ticket, true, now);
    assert!(matches!(again, Step::Refused(Refusal::Unwanted)));
    assert!(matches!(book.chore(now), Chore::Rest(None)));
}

#[test]
fn who_waits_for_others_while_the_server_wants_no_more_gets_them_or_a_new_one_later() {
    let options = Options {
        max: 2,
        ..Options::default()
    };
    let mut book = Book::<u32, u32>::new(options);
    let mut loans: Vec<_> = (1..=2)
        .map(|conn| {
            let ticket = book.draw();
            match book.ask(ticket, true, seconds(0)) {
                Step::Open(kind) => book.opened(conn, kind, None, seconds(0)),
                other => panic!("{other:?}"),
            }
        })
        .collect();
    let waits = book.draw();
    book.wait(waits, seconds(0), 7);
    book.give_back(loans.remove(0), Condition::Unwanted, seconds(0));
    book.closed(Kind::Pooled, seconds(0));
    assert!(matches!(book.collect(waits), Step::Wait));
    assert!(matches!(book.chore(seconds(0)), Chore::Rest(Some(at)) if at == seconds(1)));
    book.check();
    assert!(matches!(book.chore(seconds(1)), Chore::Rest(_)));
    assert!(matches!(book.collect(waits), Step::Open(_)));
}

#[test]
fn what_is_being_closed_counts_until_it_is() {
    let options = Options {
        max: 1,
        extra_max: 1,
        exhausted: Exhausted::Extra,
        ..Options::default()
    };
    let mut book = Book::<u32, u32>::new(options);
    let open = |book: &mut Book<u32, u32>, conn| {
        let ticket = book.draw();
        match book.ask(ticket, true, seconds(0)) {
            Step::Open(kind) => book.opened(conn, kind, None, seconds(0)),
            other => panic!("{other:?}"),
        }
    };
    let (pooled, extra) = (open(&mut book, 1), open(&mut book, 2));
    book.give_back(extra, Condition::Used, seconds(0));
    book.give_back(pooled, Condition::Broken, seconds(0));
    assert_eq!((book.stats().pooled, book.stats().extra), (1, 1));
    let waits = book.draw();
    assert!(matches!(book.ask(waits, true, seconds(0)), Step::Wait));
    book.wait(waits, seconds(0), 7);
    book.check();
    let close = book.errands().unwrap().close;
    assert_eq!(close.len(), 2);
    for loan in close {
        book.closed(loan.kind, seconds(0));
        book.check();
    }
    assert!(matches!(book.collect(waits), Step::Open(_)));
    assert_eq!((book.stats().pooled + book.stats().extra), 1);
}

#[test]
fn one_that_is_too_old_leaves_its_place_to_whoever_finds_it() {
    let options = Options {
        max: 1,
        exhausted: Exhausted::Refuse,
        age_max: Some(seconds(60)),
        ..Options::default()
    };
    let mut world = World::new(options, None);
    world.act(Act::Ask { may_wait: false });
    world.act(Act::Finish(0));
    world.act(Act::Return(1, false));
    // the keeper hangs
    world.keeper = Keeper::Rests(None);
    world.now += seconds(60);
    world.act(Act::Ask { may_wait: false });
    assert!(matches!(world.callers[1].1, At::Renews(_)));
    world.act(Act::Finish(0));
    world.act(Act::Finish(0));
    assert!(matches!(world.callers[1].1, At::Holds(..)));
    assert_eq!((world.made, world.conns.len()), (2, 1));
}
