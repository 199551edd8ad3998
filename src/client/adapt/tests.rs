//! The interval in a world of middleboxes that forget idle flows, and its bounds whatever happens.

use proptest::prelude::*;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use super::*;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 24 * 60 * MINUTE;

/// The way between a client and its server.
struct Way {
    dice: Xoshiro256PlusPlus,
    /// After so long an idle time, in milliseconds, a flow is forgotten.
    forgets: u64,
    /// How long an answer takes.
    rtt: u64,
    /// One in so many heartbeats finds the connection dead whatever the silence was; 0: none.
    accidents: u64,
}

/// What a day on it cost.
#[derive(Clone, Copy, Default, Debug)]
struct Bill {
    pings: u64,
    deaths: u64,
}

impl Way {
    fn new(seed: u64, forgets: u64) -> Self {
        Self {
            dice: Xoshiro256PlusPlus::seed_from_u64(seed),
            forgets,
            rtt: 40,
            accidents: 0,
        }
    }

    /// Whether a heartbeat after this silence is answered, and how late.
    fn answers(&mut self, silence: u64) -> Option<Duration> {
        let chance = self.dice.next_u64();
        let is_accident = self.accidents > 0 && chance.is_multiple_of(self.accidents);
        let jitter = chance >> 32 & 15;
        let is_alive = silence < self.forgets && !is_accident;
        is_alive.then(|| Duration::from_millis(self.rtt + jitter))
    }

    /// One heartbeat of a client that beats as `heartbeat` says; returns the silence before it.
    fn trial(&mut self, heartbeat: &mut Adaptive, bill: &mut Bill) -> u64 {
        let idle = heartbeat.interval();
        let silence = ms(idle);
        bill.pings += 1;
        match self.answers(silence) {
            Some(rtt) => heartbeat.alive(idle, rtt),
            None => {
                heartbeat.died(idle);
                bill.deaths += 1;
            }
        }
        silence
    }

    /// So many heartbeats of it.
    fn trials(&mut self, heartbeat: &mut Adaptive, count: usize) -> Bill {
        let mut bill = Bill::default();
        for _ in 0..count {
            self.trial(heartbeat, &mut bill);
        }
        bill
    }

    /// So long a time with one client that learns, and with one that beats at a fixed interval.
    fn live(&mut self, time: u64, heartbeat: &mut Adaptive) -> Bill {
        let (mut bill, mut passed) = (Bill::default(), 0);
        while passed < time {
            passed += self.trial(heartbeat, &mut bill);
        }
        bill
    }

    fn live_fixed(&mut self, time: u64, interval: u64) -> Bill {
        let pings = time.div_ceil(interval);
        let dead = (0..pings).filter(|_| self.answers(interval).is_none());
        let deaths = dead.count() as u64;
        Bill { pings, deaths }
    }
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap()
}

fn span(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn adaptive(timeout: u64) -> Adaptive {
    Adaptive::new(span(10 * SECOND), span(timeout))
}

#[test]
fn after_20_trials_it_is_safe_and_within_a_tenth_of_the_best() {
    for (timeout, deaths_max) in [(1, 200), (5, 2_000), (20, 7_500), (60, 7_500)] {
        let timeout = timeout * MINUTE;
        let (mut deaths, mut ways) = (0, 0);
        for forgets in (30 * SECOND..=15 * MINUTE).step_by(250) {
            let mut way = Way::new(forgets, forgets);
            let mut heartbeat = adaptive(timeout);
            let bill = way.trials(&mut heartbeat, 20);
            let interval = ms(heartbeat.interval());
            // The longest silence that neither the middlebox nor the server ends.
            let best = forgets.min(timeout);
            let says = format!("{interval} of {best}: {heartbeat:?}");
            assert!(interval < best && interval * 10 >= best * 9, "{says}");
            assert!(bill.deaths <= 3, "{bill:?}: {says}");
            deaths += bill.deaths;
            ways += 1;
        }
        assert_eq!(ways, 3_481);
        assert!(deaths <= deaths_max, "{deaths} deaths with {timeout}");
    }
}

/// Middleboxes whose time is spread evenly over the orders of magnitude from 30 s to 15 min.
fn ways() -> impl Iterator<Item = Way> {
    (0..200_u32).map(|number| {
        let forgets = 30.0 * 30f64.powf(f64::from(number) / 199.0);
        let forgets = Duration::from_secs_f64(forgets);
        Way::new(number.into(), ms(forgets))
    })
}

/// What a day costs whoever learns, and whoever beats at a third of the server's timeout: on the
/// ways where the latter lives, and on those where each of its silences is too long. And how many
/// ways are of the first kind.
fn bills(timeout: u64) -> ([Bill; 2], [Bill; 2], usize) {
    let (mut lives, mut dies, mut living) = ([Bill::default(); 2], [Bill::default(); 2], 0);
    for mut way in ways() {
        let learned = way.live(DAY, &mut adaptive(timeout));
        let fixed = way.live_fixed(DAY, timeout / 3);
        living += usize::from(fixed.deaths == 0);
        let sums = if fixed.deaths == 0 {
            &mut lives
        } else {
            &mut dies
        };
        for (sum, bill) in sums.iter_mut().zip([learned, fixed]) {
            sum.pings += bill.pings;
            sum.deaths += bill.deaths;
        }
    }
    (lives, dies, living)
}

#[test]
fn it_saves_pings_where_a_fixed_third_lives_and_deaths_where_it_does_not() {
    // Timeout in minutes, ways where the third lives, at most so many pings of a hundred, and so
    // many deaths a day on one way.
    for (timeout, ways, percent, deaths) in [(1, 200, 40, 2), (3, 159, 48, 3), (20, 48, 75, 5)] {
        let (lives, dies, living) = bills(timeout * MINUTE);
        let says = format!("{timeout} min: {lives:?}, {dies:?}, {living}");
        assert_eq!(living, ways, "{says}");
        let [learned, fixed] = lives;
        assert!(learned.pings * 100 <= fixed.pings * percent, "{says}");
        assert!(learned.deaths <= living as u64 * deaths, "{says}");
        let [learned, fixed] = dies;
        assert_eq!(fixed.pings, fixed.deaths, "{says}");
        assert!(learned.deaths * 10 <= fixed.deaths, "{says}");
    }
}

#[test]
fn a_day_costs_hardly_more_than_the_best_interval_would() {
    for mut way in ways() {
        let bill = way.live(30 * DAY, &mut adaptive(20 * MINUTE));
        let best = 30 * DAY / way.forgets;
        let says = format!("{} ms: {bill:?} of {best}", way.forgets);
        assert!(bill.pings * 100 <= best * 112, "{says}");
        assert!(bill.deaths * 200 <= bill.pings, "{says}");
    }
}

#[test]
fn accidents_do_not_keep_it_from_learning() {
    for mut way in ways() {
        way.accidents = 500;
        let bill = way.live(30 * DAY, &mut adaptive(20 * MINUTE));
        let best = 30 * DAY / way.forgets;
        assert!(bill.pings <= best * 3 / 2, "{} ms: {bill:?}", way.forgets);
    }
}

#[test]
fn a_network_that_has_changed_is_found_again() {
    let mut heartbeat = adaptive(20 * MINUTE);
    let trials = |heartbeat: &mut Adaptive, forgets, count| {
        let bill = Way::new(7, forgets).trials(heartbeat, count);
        (ms(heartbeat.interval()), bill.deaths)
    };
    let (interval, _) = trials(&mut heartbeat, 15 * MINUTE, 40);
    assert!(interval >= 13 * MINUTE + 30 * SECOND, "{interval}");
    // Another network that forgets soon: found at once, by a few deaths.
    let (interval, deaths) = trials(&mut heartbeat, 40 * SECOND, 20);
    assert!((36 * SECOND..40 * SECOND).contains(&interval), "{interval}");
    assert!(deaths <= 5, "{deaths}");
    // And back: found without a death, once what has died is doubted.
    let (interval, deaths) = trials(&mut heartbeat, 15 * MINUTE, 32 + 25);
    assert!(interval >= 13 * MINUTE + 30 * SECOND, "{interval}");
    assert!(deaths <= 3, "{deaths}");
}

#[test]
fn what_still_dies_is_doubted_less_and_less() {
    let mut heartbeat = adaptive(20 * MINUTE);
    let mut way = Way::new(3, 5 * MINUTE);
    let mut bills = [(); 3].map(|()| way.live(50 * DAY, &mut heartbeat).deaths);
    assert!(bills[0] <= 20 && bills[2] <= 16, "{bills:?}");
    bills.sort_unstable();
    assert_eq!(heartbeat.trust, TRUST_MAX);
}

#[test]
fn a_bad_network_shortens_it_and_a_good_one_gives_it_back() {
    let mut heartbeat = adaptive(20 * MINUTE);
    let mut way = Way::new(1, 15 * MINUTE);
    way.live(DAY, &mut heartbeat);
    let good = ms(heartbeat.interval());
    let answer = |heartbeat: &mut Adaptive, rtt| {
        heartbeat.alive(heartbeat.interval(), span(rtt));
        ms(heartbeat.interval())
    };
    // A grown round trip, an answer that is missed; not more than a quarter.
    assert_eq!(answer(&mut heartbeat, 2_000), good / 2);
    heartbeat.late();
    assert_eq!(ms(heartbeat.interval()), good / 4);
    heartbeat.late();
    assert_eq!(ms(heartbeat.interval()), good / 4);
    // A death on it is not the middlebox's doing; two in a row may be.
    let knows = (heartbeat.safe, heartbeat.dead);
    heartbeat.died(span(good / 4));
    assert_eq!((heartbeat.safe, heartbeat.dead), knows);
    let intervals = [(); 8].map(|()| answer(&mut heartbeat, 45));
    let expected = [4, 4, 4, 2, 2, 2, 2, 1].map(|part| good / part);
    assert_eq!(intervals, expected);
    heartbeat.late();
    heartbeat.died(span(good / 2));
    heartbeat.died(span(good / 2));
    assert_eq!(heartbeat.interval(), span(10 * SECOND));
}

#[test]
fn a_slow_but_steady_network_is_no_bad_one() {
    let mut heartbeat = adaptive(MINUTE);
    for _ in 0..40 {
        heartbeat.alive(heartbeat.interval(), span(3_000));
    }
    assert_eq!(heartbeat.interval(), span(55 * SECOND));
    // Where the slow end of a round trip takes more than a twelfth, that much is left.
    for _ in 0..40 {
        heartbeat.alive(heartbeat.interval(), span(8_000));
    }
    let left = MINUTE - ms(heartbeat.interval());
    assert!((8 * SECOND..12 * SECOND).contains(&left), "{left}");
}

#[test]
fn jitter_of_a_near_server_is_no_bad_network() {
    let mut heartbeat = adaptive(MINUTE);
    for rtt in [0, 0, 0, 0, 0, 0, 90, 0, 95] {
        heartbeat.alive(heartbeat.interval(), span(rtt));
        assert_eq!(heartbeat.halvings, 0);
    }
}

#[test]
fn whoever_dies_while_talking_learns_nothing_of_silence_the_first_time() {
    let mut heartbeat = adaptive(20 * MINUTE);
    Way::new(1, 15 * MINUTE).live(DAY, &mut heartbeat);
    let before = heartbeat.interval();
    heartbeat.died(span(50));
    assert_eq!(heartbeat.interval(), before);
    heartbeat.died(span(50));
    assert_eq!(heartbeat.interval(), span(10 * SECOND));
    // Nobody believes in a middlebox that forgets after 50 ms for long.
    (0..20).for_each(|_| heartbeat.alive(heartbeat.interval(), span(40)));
    assert!(heartbeat.interval() > span(10 * MINUTE));
}

#[test]
fn the_ceiling_wins_and_nothing_is_ever_zero() {
    let zero = Duration::ZERO;
    for (min, timeout, interval) in [
        (span(90 * SECOND), span(MINUTE), span(55 * SECOND)),
        (zero, zero, span(1)),
        (zero, Duration::MAX, span(20 * SECOND)),
        (zero, span(3 * SECOND), span(SECOND)),
    ] {
        assert_eq!(
            Adaptive::new(min, timeout).interval(),
            interval,
            "{timeout:?}"
        );
    }
    let mut heartbeat = adaptive(MINUTE);
    heartbeat.set_timeout(span(20 * SECOND));
    assert_eq!(heartbeat.interval(), span(10 * SECOND));
    assert!(heartbeat.longest() < span(20 * SECOND));
}

/// Something that happens to a connection.
#[derive(Clone, Debug)]
enum Fate {
    /// Silences in thousandths of the interval.
    Alive(u64, u64),
    Died(u64),
    Late,
    Timeout(u64),
}

fn any_fate() -> impl Strategy<Value = Fate> {
    let part = prop_oneof![2 => Just(1_000), 1 => 0..3_000_u64];
    let rtt = prop_oneof![3 => 0..200_u64, 1 => any::<u64>()];
    prop_oneof![
        6 => (part.clone(), rtt).prop_map(|(part, rtt)| Fate::Alive(part, rtt)),
        3 => part.prop_map(Fate::Died),
        1 => Just(Fate::Late),
        1 => prop_oneof![0..3_600_000_u64, any::<u64>()].prop_map(Fate::Timeout),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_it_keeps_its_bounds(
        min in 0..120_000_u64,
        timeout in prop_oneof![0..3_600_000_u64, any::<u64>()],
        fates in prop::collection::vec(any_fate(), 0..200),
    ) {
        let mut timeout = span(timeout);
        let mut heartbeat = Adaptive::new(span(min), timeout);
        for fate in fates {
            let before = heartbeat.interval();
            let part = |part| before.mul_f64(part as f64 / 1_000.0);
            let idle = match fate {
                Fate::Alive(silence, rtt) => {
                    heartbeat.alive(part(silence), span(rtt));
                    part(silence)
                }
                Fate::Died(silence) => {
                    heartbeat.died(part(silence));
                    prop_assert!(heartbeat.interval() <= before, "{:?}", heartbeat);
                    before
                }
                Fate::Late => {
                    heartbeat.late();
                    prop_assert!(heartbeat.interval() <= before, "{:?}", heartbeat);
                    before
                }
                Fate::Timeout(ms) => {
                    timeout = span(ms);
                    heartbeat.set_timeout(timeout);
                    before
                }
            };
            let (interval, longest) = (heartbeat.interval(), heartbeat.longest());
            prop_assert!(interval >= span(1) && interval <= longest, "{:?}", heartbeat);
            prop_assert!(interval >= span(min).min(longest), "{:?}", heartbeat);
            prop_assert!(longest <= timeout.max(span(1)), "{:?}", heartbeat);
            prop_assert!(heartbeat.halvings <= HALVINGS_MAX && heartbeat.trust <= TRUST_MAX);
            if let Fate::Alive(..) = fate {
                // Half as long again; a halving that ends, a ceiling that rises, or a doubt.
                let most = before.max(idle).max(span(min)) * 4;
                prop_assert!(interval <= most, "{:?} -> {:?}", before, interval);
            }
        }
    }

    #[test]
    fn a_way_that_never_forgets_is_used_to_the_full(timeout in 1_000..3_600_000_u64) {
        let mut heartbeat = Adaptive::new(span(1), span(timeout));
        let mut way = Way::new(timeout, u64::MAX);
        way.trials(&mut heartbeat, 20);
        prop_assert_eq!(heartbeat.interval(), heartbeat.longest());
    }

    #[test]
    fn two_deaths_in_a_row_of_what_had_lived_bring_it_to_the_minimum(
        forgets in 30_000..900_000_u64,
        trials in 20..60_usize,
    ) {
        let mut heartbeat = adaptive(20 * MINUTE);
        let mut way = Way::new(forgets, forgets);
        way.trials(&mut heartbeat, trials);
        heartbeat.died(heartbeat.interval());
        heartbeat.died(heartbeat.interval());
        prop_assert_eq!(heartbeat.interval(), span(10 * SECOND));
    }
}
