//! The parent: starts the workers, leads them through the phases, adds up what they report.
//!
//! It opens no connection to the target itself and waits in one place, [`Crew::wait`].

mod member;
mod outcome;
mod signals;
mod watch;

use std::io;
use std::time::Duration;

use pulsegate::net::mio::MioNet;
use pulsegate::net::{Net, Ready};
use pulsegate::{ConnId, ListenerId, Token};

use crate::channel::{Order, Word};
use crate::error::{Doing, Fatal};
use crate::plan::{Fleet, Plan, Until};
use crate::proc::Look;
use crate::tally::Tally;
use crate::units::nanos;
use member::Member;
pub(crate) use outcome::{Latency, Outcome, Sample, Stretch};
use signals::Signals;
use watch::Watch;

/// Who is told how it goes, once in an interval.
pub(crate) trait Observer {
    fn interval(&mut self, sample: &Sample);

    /// A phase begins, by its place in the plan, so many seconds after the run.
    fn phase(&mut self, _index: usize, _at: f64) {}
}

/// A run under way.
pub(crate) struct Crew<'a> {
    plan: &'a Plan,
    net: MioNet,
    signals: Signals,
    members: Vec<Member>,
    outcome: Outcome,
    observer: &'a mut dyn Observer,
    server: Option<u32>,
    watch: Option<Watch>,
    /// When the server is looked at again while connections open; never at other times.
    next_look: u64,
    /// When the run began.
    began: u64,
    /// What was reported since the last sample.
    recent: Tally,
    /// The end of the interval under way, and of the one before.
    interval_ends: u64,
    interval_began: u64,
    phase: usize,
    ready: Vec<Ready>,
}

/// Leads a plan from its beginning to its end.
///
/// # Errors
/// Where no worker can be started.
pub(crate) fn run(
    plan: &Plan,
    fleet: &Fleet,
    server: Option<u32>,
    observer: &mut dyn Observer,
) -> Result<Outcome, Fatal> {
    let mut net = MioNet::new(64).doing(|| String::from("making an epoll"))?;
    let signals = Signals::new(&mut net).doing(|| String::from("catching signals"))?;
    let mut told = plan.clone();
    told.sources.clone_from(&fleet.sources);
    let mut members = Vec::new();
    for index in 0..fleet.workers {
        let order = Order::Plan {
            plan: Box::new(told.clone()),
            worker: index,
            workers: fleet.workers,
        };
        let member = Member::start(&mut net, index, &order);
        members.push(member.doing(|| String::from("starting a worker"))?);
    }
    let began = nanos(net.now());
    let mut crew = Crew {
        outcome: Outcome::new(plan, fleet.workers),
        plan,
        net,
        signals,
        members,
        observer,
        server,
        watch: None,
        next_look: u64::MAX,
        began,
        recent: Tally::new(),
        interval_ends: u64::MAX,
        interval_began: began,
        phase: 0,
        ready: Vec::new(),
    };
    crew.lead()?;
    Ok(crew.outcome)
}

impl Crew<'_> {
    fn lead(&mut self) -> Result<(), Fatal> {
        self.wait_for(Duration::from_secs(30), |crew| {
            crew.members.iter().all(|member| member.is_ready)
        })?;
        self.look_at_server();
        self.began = nanos(self.net.now());
        self.interval_began = self.began;
        self.interval_ends = self.began + nanos(self.plan.interval);
        for phase in 0..self.plan.phases.len() {
            self.lead_phase(phase)?;
            if self.is_cut_short() {
                break;
            }
        }
        self.tell(&Order::Drain);
        let (drain, interrupted) = (self.plan.drain, self.outcome.interrupted.is_some());
        let drain = if interrupted { Duration::ZERO } else { drain };
        self.wait_for(drain, |crew| {
            crew.members.iter().all(Member::is_drained) && crew.outcome.missing() == 0
        })?;
        let now = nanos(self.net.now());
        self.sample(now, false);
        // That was the last one.
        self.interval_ends = u64::MAX;
        self.tell(&Order::Stop);
        self.wait_for(Duration::from_secs(10), |crew| {
            crew.members.iter().all(|member| member.is_done)
        })?;
        self.outcome.is_cut = self.members.iter().any(|member| !member.is_done);
        self.look_at_server();
        if let Some(watch) = self.watch.take() {
            watch.judge(&mut self.outcome.phases[watch.phase].tallies[watch.cohort]);
        }
        self.outcome.give_up(self.plan);
        self.outcome.seconds = self.seconds();
        self.members.iter_mut().for_each(Member::end);
        Ok(())
    }

    fn lead_phase(&mut self, phase: usize) -> Result<(), Fatal> {
        let at = nanos(self.net.now());
        self.phase = phase;
        if let Some(watch) = Watch::of(self.plan, phase, self.server, at) {
            self.watch = Some(watch);
        }
        self.tell(&Order::Phase { index: phase, at });
        let began = self.seconds();
        self.outcome.phases[phase].began = began;
        self.observer.phase(phase, began);
        if self.plan.phases[phase].judged {
            let open = self.open();
            self.outcome.ready_at_start.get_or_insert(open);
        }
        self.look_at_server();
        let until = self.plan.phases[phase].until;
        let is_opening = matches!(until, Until::Settled { .. });
        let is_looking = is_opening && self.server.is_some();
        self.next_look = if is_looking { at } else { u64::MAX };
        self.wait_for(until.longest(), |crew| {
            let is_settled = crew.is_settled(phase);
            match until {
                Until::Settled { .. } => is_settled,
                Until::Deserted { .. } | Until::Elapsed { .. } => is_settled && crew.open() == 0,
                Until::Watched { .. } => false,
            }
        })?;
        self.look_at_server();
        self.outcome.phases[phase].ended = self.seconds();
        Ok(())
    }

    /// Nobody is on the way to an open connection, as far as the workers have told.
    fn is_settled(&self, phase: usize) -> bool {
        self.members.iter().all(|member| {
            member.is_done || member.pulse.phase == phase && member.pulse.under_way == 0
        })
    }

    /// There is no point in going on.
    fn is_cut_short(&self) -> bool {
        let nobody = self.outcome.opened() == 0 && self.phase == 0;
        self.outcome.interrupted.is_some() || self.outcome.is_broken || nobody && self.is_settled(0)
    }

    pub(crate) fn open(&self) -> u64 {
        let open = self.members.iter().flat_map(|member| &member.pulse.open);
        open.sum()
    }

    /// Time since the run began.
    fn seconds(&mut self) -> f64 {
        let now = nanos(self.net.now());
        now.saturating_sub(self.began) as f64 / 1e9
    }

    fn tell(&mut self, order: &Order) {
        for member in &mut self.members {
            // Whoever is gone is found out by reading.
            let _ = member.channel.send(&mut self.net, order, &[]);
        }
    }

    /// Waits until something holds, or a time is over, or somebody wants the end.
    fn wait_for(&mut self, at_most: Duration, holds: impl Fn(&Self) -> bool) -> Result<(), Fatal> {
        let end = nanos(self.net.now()).saturating_add(nanos(at_most));
        let known = self.outcome.interrupted;
        loop {
            let now = nanos(self.net.now());
            if holds(self) || now >= end || self.outcome.interrupted != known {
                return Ok(());
            }
            if self.outcome.is_broken && self.members.iter().all(|member| member.is_done) {
                return Ok(());
            }
            let watched = self.watch.as_ref().map_or(u64::MAX, |watch| watch.next);
            let until = end.min(self.sample_due()).min(watched).min(self.next_look);
            self.wait(until.saturating_sub(now))?;
            self.sample_if_due();
            self.count_if_due();
            self.look_if_due();
        }
    }

    fn wait(&mut self, nanos: u64) -> Result<(), Fatal> {
        let what = || String::from("waiting for the workers");
        self.ready.clear();
        let timeout = Some(Duration::from_nanos(nanos));
        self.net.wait(&mut self.ready, timeout).doing(what)?;
        for at in 0..self.ready.len() {
            let ready = self.ready[at];
            match ready.token {
                Token::Conn(ConnId { index, .. }) => self.listen(index as usize).doing(what)?,
                Token::Listener(ListenerId(number)) if ready.readable => {
                    self.outcome.interrupted = Some(self.signals.take(number));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes what a worker says.
    fn listen(&mut self, index: usize) -> io::Result<()> {
        let member = &mut self.members[index];
        let flushed = member.channel.flush(&mut self.net);
        let filled = member.channel.fill(&mut self.net);
        while let Some((word, bytes)) = member.channel.take()? {
            match word {
                Word::Hello { resident } => {
                    member.is_ready = true;
                    self.outcome.generator.base_bytes += resident;
                }
                Word::Done => member.is_done = true,
                Word::Report(pulse) => {
                    let news = (index, &pulse);
                    self.outcome.add(self.plan, news, &bytes, &mut self.recent);
                    member.pulse = pulse;
                }
            }
        }
        if (flushed.is_err() || filled.is_err()) && !member.is_done {
            member.is_done = true;
            member.is_ready = true;
            self.outcome.is_broken = true;
        }
        Ok(())
    }

    /// The workers report when an interval ends: what they say is on its way for a moment.
    fn sample_due(&self) -> u64 {
        let interval = nanos(self.plan.interval);
        self.interval_ends.saturating_add(SLACK.min(interval / 4))
    }

    fn sample_if_due(&mut self) {
        let now = nanos(self.net.now());
        if now < self.sample_due() {
            return;
        }
        self.sample(self.interval_ends, self.plan.phases[self.phase].judged);
        // After a pause of our own there is one long interval, not many empty ones.
        while self.sample_due() <= now {
            self.interval_ends += nanos(self.plan.interval);
        }
    }

    /// Ends an interval that lasted until `end`.
    fn sample(&mut self, end: u64, is_judged: bool) {
        self.look_at_server();
        let at = end.saturating_sub(self.began) as f64 / 1e9;
        let span = end.saturating_sub(self.interval_began) as f64 / 1e9;
        self.interval_began = end;
        let under_way = self.members.iter().map(|member| member.pulse.under_way);
        let sample = Sample::of(
            (at, span),
            &self.plan.phases[self.phase].name,
            (self.open(), under_way.sum()),
            &self.recent,
            self.outcome.looks.last().map(|(_, look)| *look),
        );
        self.recent.reset();
        self.observer.interval(&sample);
        self.outcome.note(sample, is_judged);
    }

    fn look_at_server(&mut self) {
        let Some(look) = self.server.and_then(Look::at) else {
            return;
        };
        let at = self.seconds();
        self.outcome.looks.push((at, look));
    }

    /// Looks at the server while connections open: how it grows with them is to be seen.
    fn look_if_due(&mut self) {
        let now = nanos(self.net.now());
        if self.next_look <= now {
            self.look_at_server();
            self.next_look = now + BETWEEN_LOOKS;
        }
    }

    /// Counts the server's descriptors while connections die.
    fn count_if_due(&mut self) {
        let now = nanos(self.net.now());
        if let Some(watch) = self.watch.as_mut().filter(|watch| watch.next <= now) {
            watch.look(now);
        }
    }
}

/// Between two looks at a server that takes in connections: 25 ms.
const BETWEEN_LOOKS: u64 = 25_000_000;
/// How long reports may be on their way: 50 ms.
const SLACK: u64 = 50_000_000;
