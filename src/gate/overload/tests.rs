//! The steps by themselves, and those that a gate takes by its lag and its budgets.

use std::net::SocketAddr;

use super::super::lag::Passed;
use super::*;
use crate::limits::Limits;
use crate::settings::Settings;

const LIMIT: Duration = ms(100);
/// A sixteenth of either budget.
const SHARE: usize = 1_000;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A gate on a clock that only tests move.
fn gate() -> Gate {
    let limits = Limits {
        lag: LIMIT,
        input_budget: 16 * SHARE,
        output_budget: 16 * SHARE,
        ..Limits::default()
    };
    Gate::bare(limits)
}

impl Gate {
    /// Lets so much time pass, and weighs: the step that is taken then.
    fn weigh_after(&mut self, span: Duration) -> Step {
        let now = self.clock.elapsed() + span;
        self.clock.advance(now, None);
        self.weigh();
        self.check_overload();
        self.step()
    }

    /// Turns of so long, until the mean does not move any more.
    fn lag_by(&mut self, busy: Duration) {
        for _ in 0..20_000 {
            let passed = Passed {
                rested: Duration::ZERO,
                busy,
                at: self.clock.elapsed(),
            };
            self.pace.lag.observe(passed, LIMIT);
        }
    }

    /// All the steps that are left, a turn a millisecond, and for how long each was kept.
    fn descent(&mut self) -> Vec<(Step, u64)> {
        let mut kept = vec![(self.step(), 0)];
        while self.step() != Step::None {
            let step = self.weigh_after(ms(1));
            match kept.last_mut() {
                Some((last, millis)) if *last == step => *millis += 1,
                _ => kept.push((step, 1)),
            }
            let millis: u64 = kept.iter().map(|(_, millis)| millis).sum();
            assert!(millis < 10_000, "{kept:?}");
        }
        kept
    }
}

#[test]
fn steps_have_words_of_their_own_in_their_order() {
    let words = Step::ALL.map(Step::word);
    let all = [
        "none",
        "readers",
        "pushes",
        "handshakes",
        "accepts",
        "evictions",
    ];
    assert_eq!(words, all);
    assert!(Step::ALL.is_sorted() && Step::default() == Step::None);
    let numbers = Step::ALL.map(|step| step as usize);
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5], "what /metrics tells");
    let below = Step::ALL.map(Step::below);
    assert_eq!(below[1..], Step::ALL[..5]);
    assert_eq!(below[0], Step::None, "nothing is below none");
}

#[test]
fn a_ladder_goes_up_at_once_and_down_one_by_one() {
    let mut ladder = Ladder::default();
    ladder.weigh(Step::Accepts, true, ms(1_000));
    assert_eq!((ladder.step, ladder.since), (Step::Accepts, ms(1_000)));
    // As long as it is kept nothing leads down, however long that takes.
    ladder.weigh(Step::None, true, ms(9_000));
    assert_eq!((ladder.step, ladder.since), (Step::Accepts, ms(1_000)));
    // What is wanted is what there is: not a change.
    ladder.weigh(Step::Accepts, false, ms(9_000));
    assert_eq!((ladder.step, ladder.since), (Step::Accepts, ms(1_000)));
    let mut ladder = Ladder::default();
    ladder.weigh(Step::Accepts, false, ms(1_000));
    for (at, step) in [
        (1_199, Step::Accepts),
        (1_200, Step::Handshakes),
        (1_399, Step::Handshakes),
        (1_400, Step::Pushes),
        (1_401, Step::Pushes),
    ] {
        ladder.weigh(Step::Readers, false, ms(at));
        assert_eq!(ladder.step, step, "at {at}");
    }
    // Higher again, and the time begins anew.
    ladder.weigh(Step::Handshakes, false, ms(1_500));
    ladder.weigh(Step::Readers, false, ms(1_699));
    assert_eq!(ladder.step, Step::Handshakes);
    ladder.weigh(Step::Readers, false, ms(1_700));
    ladder.weigh(Step::Readers, false, ms(1_900));
    ladder.weigh(Step::Readers, false, ms(9_000));
    assert_eq!(ladder.step, Step::Readers, "no lower than what is wanted");
    // A clock that seems to go back keeps what there is.
    ladder.weigh(Step::None, false, ms(0));
    assert_eq!(ladder.step, Step::Readers);
}

#[test]
fn a_lag_leads_to_a_step_above_its_share_and_keeps_it_down_to_half_of_that() {
    let micros = Duration::from_micros;
    for (step, millis) in [
        (Step::Readers, 50),
        (Step::Pushes, 75),
        // 87.5
        (Step::Handshakes, 87),
    ] {
        let at = lag_for(step, LIMIT);
        assert_eq!(at.as_millis(), millis);
        assert_eq!(step_by_lag(at, false, LIMIT), step.below());
        assert_eq!(step_by_lag(at + micros(1), false, LIMIT), step);
        assert!(keeps_lag(step, at / 2, false, LIMIT));
        assert!(!keeps_lag(step, at / 2 - micros(1), false, LIMIT));
    }
    // The last one is the lag's own word, whatever the mean is: it has its own hysteresis.
    assert_eq!(step_by_lag(LIMIT, false, LIMIT), Step::Handshakes);
    assert_eq!(step_by_lag(LIMIT / 2, true, LIMIT), Step::Accepts);
    assert!(keeps_lag(Step::Accepts, Duration::ZERO, true, LIMIT));
    assert!(!keeps_lag(Step::Accepts, LIMIT, false, LIMIT));
    assert_eq!(step_by_lag(Duration::ZERO, false, LIMIT), Step::None);
}

#[test]
fn bytes_are_over_a_share_of_a_budget_only_beyond_it() {
    assert!(!is_over(0, 12, 0) && is_over(1, 12, 0));
    assert!(!is_over(12_000, 12, 16_000) && is_over(12_001, 12, 16_000));
    assert!(!is_over(11, 12, 15) && is_over(12, 12, 15), "not rounded");
    assert!(is_over(usize::MAX, 12, 1 << 30) && !is_over(7, 12, usize::MAX));
}

#[test]
fn a_lag_that_is_over_goes_one_step_at_a_time() {
    let mut gate = gate();
    assert_eq!(gate.weigh_after(ms(1)), Step::None);
    gate.lag_by(ms(60));
    assert_eq!(gate.weigh_after(ms(1)), Step::Readers);
    gate.lag_by(ms(80));
    assert_eq!(gate.weigh_after(ms(1)), Step::Pushes);
    // Less, and not so little that the step is left.
    gate.lag_by(ms(60));
    assert_eq!(gate.weigh_after(ms(500)), Step::Pushes);
    gate.lag_by(ms(200));
    assert_eq!(gate.weigh_after(ms(1)), Step::Accepts);
    assert!(gate.stops_accepts());
    assert_eq!(gate.stats.overload.taken, 3, "upward alone");
    gate.lag_by(ms(1));
    let kept = gate.descent();
    let all = [
        (Step::Accepts, 199),
        (Step::Handshakes, 200),
        (Step::Pushes, 200),
        (Step::Readers, 200),
        (Step::None, 1),
    ];
    assert_eq!(kept, all);
    assert!(!gate.stops_accepts());
    assert_eq!(gate.stats.overload.taken, 3);
}

#[test]
fn output_leads_to_each_step_by_a_sixteenth_more_and_is_left_two_below() {
    for (share, step) in OUTPUT.into_iter().zip(&Step::ALL[1..5]) {
        let mut gate = gate();
        gate.ledger.output = share * SHARE;
        assert_eq!(gate.weigh_after(ms(1)), step.below(), "exactly {share}");
        gate.ledger.output += 1;
        assert_eq!(gate.weigh_after(ms(1)), *step);
        gate.ledger.output = (share - OUTPUT_BELOW) * SHARE + 1;
        assert_eq!(gate.weigh_after(ms(5_000)), *step, "not below it yet");
        gate.ledger.output -= 1;
        assert_eq!(gate.weigh_after(ms(1)), step.below());
        assert!(!gate.refuses_to_many(false), "the loop does not lag");
    }
}

#[test]
fn output_that_goes_at_once_goes_down_one_by_one() {
    let mut gate = gate();
    gate.ledger.output = 16 * SHARE;
    assert_eq!(gate.weigh_after(ms(1)), Step::Accepts);
    assert_eq!(gate.stats.overload.taken, 1, "all four by one change");
    gate.ledger.output = 0;
    let steps: Vec<Step> = gate.descent().iter().map(|(step, _)| *step).collect();
    let all = [
        Step::Accepts,
        Step::Handshakes,
        Step::Pushes,
        Step::Readers,
        Step::None,
    ];
    assert_eq!(steps, all);
}

#[test]
fn half_frames_lead_to_the_first_step_and_to_no_other() {
    let mut gate = gate();
    gate.ledger.input = 12 * SHARE;
    assert_eq!(gate.weigh_after(ms(1)), Step::None);
    gate.ledger.input += 1;
    assert_eq!(gate.weigh_after(ms(1)), Step::Readers);
    gate.ledger.input = 100 * SHARE;
    assert_eq!(gate.weigh_after(ms(1)), Step::Readers, "strangers cause it");
    gate.ledger.input = 10 * SHARE + 1;
    assert_eq!(gate.weigh_after(ms(1_000)), Step::Readers);
    gate.ledger.input -= 1;
    assert_eq!(gate.weigh_after(ms(1)), Step::None);
}

#[test]
fn an_eviction_is_the_last_step_for_as_long_as_any() {
    let mut gate = gate();
    gate.note_eviction();
    assert_eq!(gate.weigh_after(ms(1)), Step::Evictions);
    gate.ledger.output = 14 * SHARE;
    assert_eq!(gate.weigh_after(ms(199)), Step::Evictions);
    assert_eq!(gate.weigh_after(ms(1)), Step::Accepts, "nobody since");
    gate.note_eviction();
    assert_eq!(gate.weigh_after(ms(1)), Step::Evictions);
    assert_eq!(gate.stats.overload.evicted, 2);
}

#[test]
fn the_higher_of_both_ladders_holds_and_only_a_lag_refuses_what_is_for_many() {
    let mut gate = gate();
    gate.ledger.output = 15 * SHARE;
    gate.lag_by(ms(80));
    assert_eq!(gate.weigh_after(ms(1)), Step::Handshakes, "by bytes");
    assert!(gate.refuses_to_many(false) && !gate.refuses_to_many(true));
    assert_eq!(gate.stats.overload.pushes, 1);
    gate.ledger.output = 0;
    assert_eq!(gate.weigh_after(ms(200)), Step::Pushes, "by lag");
    assert_eq!(gate.weigh_after(ms(900)), Step::Pushes);
    gate.lag_by(ms(1));
    let steps: Vec<Step> = gate.descent().iter().map(|(step, _)| *step).collect();
    assert_eq!(steps, [Step::Pushes, Step::Readers, Step::None]);
    assert!(!gate.refuses_to_many(false));
}

#[test]
fn of_those_in_a_handshake_the_newest_end_but_for_those_whose_login_waits_for_us() {
    let mut gate = gate();
    gate.limits.handshakes_kept = 1;
    let listener = gate.add_rules(Settings {
        login: Login::Required,
        ..Settings::default()
    });
    let flags = [
        0,
        Flags::AWAITING,
        Flags::GREETED | Flags::BUFFERED,
        Flags::PUT_OFF | Flags::BUFFERED,
        Flags::DENIED,
    ];
    for (index, flags) in (0..).zip(flags) {
        gate.open(index, listener, SocketAddr::from(([127, 0, 0, 1], 1)));
        gate.conns.at_mut(index).flags.set(flags);
    }
    let open = |gate: &Gate| -> Vec<bool> {
        let conns = 0..u32::try_from(flags.len()).expect("few");
        conns.map(|index| gate.conns.at(index).is_open()).collect()
    };
    gate.trim_handshakes();
    assert_eq!(open(&gate), [true; 5], "there is room for all");
    gate.lag_by(ms(90));
    assert_eq!(gate.weigh_after(ms(1)), Step::Handshakes);
    gate.trim_handshakes();
    assert_eq!(open(&gate), [true, true, false, true, false]);
    gate.trim_handshakes();
    assert_eq!(gate.stats.overload.handshakes, 2);
    // Who was judged meanwhile, and has not come in, is one of the others.
    gate.conns
        .at_mut(3)
        .flags
        .clear(Flags::OWED | Flags::PUT_OFF);
    gate.trim_handshakes();
    assert_eq!(open(&gate), [true, true, false, false, false]);
}
