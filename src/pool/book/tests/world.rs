//! Callers, a keeper and a server beside the books, and what must hold whatever they do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::acts::Act;
use crate::pool::book::{Book, Chore, Condition, Kind, Loan, Refusal, Step, Ticket};
use crate::pool::options::Options;

/// A connection is its number; the ledger of the world has the rest.
type Conn = u32;

/// Who waits, by arrival.
type Caller = usize;

#[derive(Debug)]
pub(super) struct World {
    pub(super) book: Book<Conn, Caller>,
    pub(super) now: Duration,
    /// What the server says about its patience.
    pub(super) patience: Option<Duration>,
    pub(super) is_up: bool,
    /// What lies there to be closed, where that takes its time.
    pub(super) closing: Vec<Loan<Conn>>,
    pub(super) is_slow_to_close: bool,
    /// By connection that is open: when the server last answered, and since when it is dead.
    pub(super) conns: BTreeMap<Conn, (Duration, Option<Duration>)>,
    pub(super) made: Conn,
    /// By arrival: what the callers are at.
    pub(super) callers: Vec<(Ticket, At)>,
    /// Those that wait, in the order of arrival.
    pub(super) waiting: BTreeSet<Caller>,
    pub(super) keeper: Keeper,
    /// When one was last found broken.
    pub(super) doubt: Duration,
}

#[derive(Debug)]
pub(super) enum At {
    Gone,
    Waits,
    Opens(Kind),
    Checks(Loan<Conn>),
    /// Closes one that is broken, or too old and to be replaced.
    Buries(Loan<Conn>),
    Renews(Loan<Conn>),
    Holds(Loan<Conn>, Condition),
}

#[derive(Debug)]
pub(super) enum Keeper {
    Rests(Option<Duration>),
    Checks(Loan<Conn>),
    Opens,
}

impl At {
    fn is_busy(&self) -> bool {
        matches!(
            self,
            Self::Opens(_) | Self::Checks(_) | Self::Buries(_) | Self::Renews(_)
        )
    }
}

impl World {
    pub(super) fn new(options: Options, patience: Option<u64>) -> Self {
        Self {
            book: Book::new(options),
            now: Duration::ZERO,
            patience: patience.map(Duration::from_millis),
            is_up: true,
            closing: Vec::new(),
            is_slow_to_close: false,
            conns: BTreeMap::new(),
            made: 0,
            callers: Vec::new(),
            waiting: BTreeSet::new(),
            keeper: Keeper::Rests(Some(Duration::ZERO)),
            doubt: Duration::ZERO,
        }
    }

    pub(super) fn act(&mut self, act: Act) {
        match act {
            Act::Ask { may_wait } => {
                let ticket = self.book.draw();
                self.callers.push((ticket, At::Gone));
                self.ask(self.callers.len() - 1, may_wait);
            }
            Act::Finish(n) => {
                if let Some(caller) = self.choose(n, At::is_busy) {
                    self.finish(caller);
                }
            }
            Act::Close(n) => {
                if let Some(place) = n.checked_rem(self.closing.len()) {
                    self.close(place);
                }
            }
            Act::Use(n) => {
                if let Some(caller) = self.choose(n, |at| matches!(at, At::Holds(..))) {
                    self.make_use(caller);
                }
            }
            Act::Return(n, panics) => {
                if let Some(caller) = self.choose(n, |at| matches!(at, At::Holds(..))) {
                    self.give_back(caller, panics);
                }
            }
            Act::Leave(n) => {
                if let Some(caller) = self.choose(n, |at| matches!(at, At::Waits)) {
                    self.leave(caller);
                }
            }
            Act::Die(n) => {
                let alive = self.conns.values_mut().filter(|(_, dead)| dead.is_none());
                if let Some((_, dead)) = alive.into_iter().nth(n % 8) {
                    *dead = Some(self.now);
                }
            }
            Act::Server { is_up } => self.is_up = is_up,
            Act::Keeper => self.keep(),
            Act::Pass(millis) => self.pass(Duration::from_millis(millis)),
        }
        self.check();
    }

    pub(super) fn choose(&self, n: usize, is_at: impl Fn(&At) -> bool) -> Option<Caller> {
        let fits = self.callers.iter().enumerate().rev();
        let fits: Vec<Caller> = fits
            .filter(|(_, (_, at))| is_at(at))
            .map(|(n, _)| n)
            .collect();
        (!fits.is_empty()).then(|| fits[n % fits.len()])
    }

    fn ask(&mut self, caller: Caller, may_wait: bool) {
        let step = self.book.ask(self.callers[caller].0, may_wait, self.now);
        self.stepped(caller, step);
    }

    fn stepped(&mut self, caller: Caller, step: Step<Conn>) {
        let is_first = self.waiting.first().is_none_or(|first| caller < *first);
        let got = matches!(step, Step::Take(_) | Step::Open(_));
        assert!(is_first || !got, "nobody is overtaken");
        self.step(caller, step);
        self.run_errands();
    }

    fn step(&mut self, caller: Caller, step: Step<Conn>) {
        let ticket = self.callers[caller].0;
        self.callers[caller].1 = match step {
            Step::Take(loan) if loan.is_doubtful => At::Checks(loan),
            Step::Take(loan) => {
                self.is_alive_as_far_as_known(&loan);
                At::Holds(loan, Condition::Unused)
            }
            Step::Open(kind) => At::Opens(kind),
            Step::Renew(loan) => At::Renews(loan),
            Step::Wait => {
                self.book.wait(ticket, self.now, caller);
                self.waiting.insert(caller);
                At::Waits
            }
            Step::Refused(_) => At::Gone,
        };
    }

    /// What is lent unchecked was not dead for longer than a beat, nor when another one was found
    /// dead that died later.
    fn is_alive_as_far_as_known(&self, loan: &Loan<Conn>) {
        let (answered, dead) = self.conns[&loan.conn];
        assert!(answered >= self.doubt, "lent unchecked, and in doubt");
        if let (Some(dead), Some(beat)) = (dead, self.book.beat()) {
            assert!(self.now - dead < beat, "lent dead, and it could be known");
        }
    }

    pub(super) fn finish(&mut self, caller: Caller) {
        match std::mem::replace(&mut self.callers[caller].1, At::Gone) {
            At::Opens(kind) => match self.open(kind) {
                Some(loan) => self.callers[caller].1 = At::Holds(loan, Condition::Unused),
                None => {
                    let ticket = self.callers[caller].0;
                    let step = self.book.ask_again(ticket, true, self.now);
                    self.stepped(caller, step);
                }
            },
            At::Checks(mut loan) => {
                if self.answers(loan.conn) {
                    loan.prove(self.now);
                    self.callers[caller].1 = At::Holds(loan, Condition::Unused);
                } else {
                    self.book.doom(loan.kind, Condition::Broken, self.now);
                    self.doubt = self.now;
                    self.callers[caller].1 = At::Buries(loan);
                    self.run_errands();
                }
            }
            At::Buries(loan) => self.trade(caller, &loan),
            At::Renews(loan) => {
                self.conns.remove(&loan.conn).expect("closed once");
                self.callers[caller].1 = At::Opens(loan.kind);
            }
            idle @ (At::Gone | At::Waits | At::Holds(..)) => {
                panic!("{caller} has nothing to finish: {idle:?}")
            }
        }
    }

    /// One whose connection was broken: those who came later do not come first.
    fn trade(&mut self, caller: Caller, loan: &Loan<Conn>) {
        self.conns.remove(&loan.conn).expect("closed once");
        let ticket = self.callers[caller].0;
        let step = self.book.trade(ticket, loan.kind, true, self.now);
        assert!(!matches!(step, Step::Refused(Refusal::Full)));
        self.stepped(caller, step);
    }

    /// One of those that came back has been closed.
    fn close(&mut self, place: usize) {
        let loan = self.closing.swap_remove(place);
        self.conns.remove(&loan.conn).expect("closed once");
        self.book.closed(loan.kind, self.now);
        self.run_errands();
    }

    fn open(&mut self, kind: Kind) -> Option<Loan<Conn>> {
        if !self.is_up {
            self.book.failed(kind, self.now);
            self.run_errands();
            return None;
        }
        let conn = self.made;
        self.made += 1;
        self.conns.insert(conn, (self.now, None));
        let loan = self.book.opened(conn, kind, self.patience, self.now);
        self.run_errands();
        Some(loan)
    }

    fn answers(&mut self, conn: Conn) -> bool {
        let (answered, dead) = self.conns.get_mut(&conn).expect("it is open");
        let is_alive = self.is_up && dead.is_none();
        if is_alive {
            *answered = self.now;
        }
        is_alive
    }

    fn find_broken(&mut self, loan: Loan<Conn>) {
        self.book.give_back(loan, Condition::Broken, self.now);
        self.doubt = self.now;
        self.run_errands();
    }

    fn make_use(&mut self, caller: Caller) {
        let At::Holds(loan, _) = &self.callers[caller].1 else {
            panic!("{caller} has nothing to use");
        };
        let conn = loan.conn;
        let used = match self.answers(conn) {
            true => Condition::Used,
            false => Condition::Broken,
        };
        if let At::Holds(_, condition @ (Condition::Unused | Condition::Used)) =
            &mut self.callers[caller].1
        {
            *condition = used;
        }
    }

    fn give_back(&mut self, caller: Caller, panics: bool) {
        match std::mem::replace(&mut self.callers[caller].1, At::Gone) {
            At::Holds(loan, Condition::Broken) => self.find_broken(loan),
            At::Holds(loan, condition) => {
                let condition = if panics {
                    Condition::Doubtful
                } else {
                    condition
                };
                self.book.give_back(loan, condition, self.now);
                self.run_errands();
            }
            other => panic!("{caller} has nothing to give back: {other:?}"),
        }
    }

    fn leave(&mut self, caller: Caller) {
        // what was laid down in the last moment is taken
        if self.waiting.remove(&caller) {
            self.book.leave(self.callers[caller].0);
            self.callers[caller].1 = At::Gone;
        }
    }

    fn run_errands(&mut self) {
        let Some(errands) = self.book.errands() else {
            return;
        };
        for caller in errands.wake {
            assert_eq!(
                self.waiting.pop_first(),
                Some(caller),
                "first come, first served"
            );
            match self.book.collect(self.callers[caller].0) {
                Step::Wait => panic!("{caller} was woken for nothing"),
                step => self.step(caller, step),
            }
        }
        if errands.wake_keeper && matches!(self.keeper, Keeper::Rests(_)) {
            self.keeper = Keeper::Rests(Some(self.now));
        }
        self.closing.extend(errands.close);
        if !self.is_slow_to_close && !self.closing.is_empty() {
            self.close(0);
        }
    }

    /// The keeper ends what it is at, or begins what is next where it is awake.
    fn keep(&mut self) {
        match std::mem::replace(&mut self.keeper, Keeper::Rests(Some(self.now))) {
            Keeper::Checks(loan) if self.answers(loan.conn) => {
                self.book.checked(loan, self.now);
                self.run_errands();
            }
            Keeper::Checks(loan) => self.find_broken(loan),
            Keeper::Opens => {
                if let Some(loan) = self.open(Kind::Pooled) {
                    self.book.give_back(loan, Condition::Unused, self.now);
                    self.run_errands();
                }
            }
            Keeper::Rests(until) if until.is_none_or(|until| until > self.now) => {
                self.keeper = Keeper::Rests(until);
            }
            Keeper::Rests(_) => {
                self.keeper = match self.book.chore(self.now) {
                    Chore::Check(loan) => Keeper::Checks(loan),
                    Chore::Open => Keeper::Opens,
                    Chore::Rest(until) => Keeper::Rests(until),
                };
                self.run_errands();
            }
        }
    }

    /// Works until the keeper rests.
    pub(super) fn keep_all(&mut self) {
        let mut rounds = 0;
        loop {
            if let Keeper::Rests(until) = self.keeper
                && until.is_none_or(|until| until > self.now)
            {
                return;
            }
            self.keep();
            rounds += 1;
            assert!(rounds < 200, "the keeper finds no rest: {self:#?}");
        }
    }

    /// Time passes; the keeper does what is due meanwhile, unless it hangs in something.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Keeper::Rests(Some(until)) = self.keeper
            && until <= end
        {
            self.let_die(until);
            self.now = self.now.max(until);
            self.keep_all();
        }
        self.let_die(end);
        self.now = self.now.max(end);
    }

    /// The server gives up those that have been silent for too long.
    fn let_die(&mut self, now: Duration) {
        let Some(patience) = self.patience else {
            return;
        };
        for (answered, dead) in self.conns.values_mut() {
            if dead.is_none() && *answered + patience <= now {
                *dead = Some(*answered + patience);
            }
        }
    }

    fn check(&self) {
        self.book.check();
        let loans = |at: &At| match at {
            At::Opens(kind) => Some(*kind),
            At::Checks(loan) | At::Buries(loan) | At::Renews(loan) | At::Holds(loan, _) => {
                Some(loan.kind)
            }
            At::Gone | At::Waits => None,
        };
        let mut kinds: Vec<Kind> = self
            .callers
            .iter()
            .filter_map(|(_, at)| loans(at))
            .collect();
        let waits_here = self.book.shelf.iter().chain(&self.closing);
        kinds.extend(waits_here.map(|loan| loan.kind));
        if !matches!(self.keeper, Keeper::Rests(_)) {
            kinds.push(Kind::Pooled);
        }
        let count = |kind| kinds.iter().filter(|other| **other == kind).count();
        let stats = self.book.stats();
        assert_eq!(stats.pooled as usize, count(Kind::Pooled), "pooled ones");
        assert_eq!(stats.extra as usize, count(Kind::Extra), "extra ones");
        let open = (stats.pooled + stats.extra - stats.opening) as usize;
        let is_old = |(_, at): &&(Ticket, At)| matches!(at, At::Renews(_));
        let old = self.callers.iter().filter(is_old).count();
        assert_eq!(self.conns.len(), open + old, "each is somewhere, once");
        assert_eq!(stats.waiting as usize, self.waiting.len());
        let Keeper::Rests(until) = self.keeper else {
            return;
        };
        if until.is_none_or(|until| until > self.now) {
            self.nothing_is_due();
        }
    }

    /// A keeper that rests has missed nothing.
    fn nothing_is_due(&self) {
        for loan in self.book.shelf.iter() {
            assert!(self.book.due(loan) > self.now, "the keeper was not woken");
        }
        let failing = self.book.failing.filter(|_| self.book.opening == 0);
        let wanted = !self.waiting.is_empty() || self.book.lacks();
        let missed = failing.is_some_and(|failing| failing.retry_at <= self.now);
        assert!(!(missed && wanted), "nobody tries again");
        let lacks = self.book.lacks() && self.book.failing.is_none();
        assert!(!lacks, "below the minimum");
    }

    /// Everybody comes to an end; whoever waits gets a connection, and the pool comes to rest.
    pub(super) fn settle(&mut self) {
        self.is_up = true;
        for _ in 0..1_000 {
            self.act(Act::Pass(70));
            self.keep_all();
            while let Some(caller) = self.choose(0, At::is_busy) {
                self.finish(caller);
                self.check();
            }
            while !self.closing.is_empty() {
                self.close(0);
                self.check();
            }
            while let Some(caller) = self.choose(0, |at| matches!(at, At::Holds(..))) {
                self.give_back(caller, false);
                self.check();
            }
            let is_over = |(_, at): &(Ticket, At)| matches!(at, At::Gone);
            if self.callers.iter().all(is_over) && self.book.failing.is_none() {
                return;
            }
            if self.waiting.is_empty() && !self.book.lacks() {
                // the last attempt failed, and nobody wants another one
                return;
            }
        }
        panic!("it never comes to rest: {self:#?}");
    }
}
