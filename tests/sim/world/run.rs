//! One seed from its first turn to its last: safety under faults, liveness, teardown.

mod ends;
mod overload;

use std::borrow::Cow;
use std::time::Duration;

use pulsegate::config::AdminBind;
use pulsegate::net::Signal;
use pulsegate::{AdminAccess, Body, CloseReason, Push, Server, Target};

use super::SimNet;
use super::agenda::{Deed, MILLI, Nanos, SECOND, nanos};
use super::clients::Population;
use super::clients::letter;
use super::cut::Cut;
use super::dice::Dice;
use super::drain::Drain;
use super::faults::Faults;
use super::guard::{Guard, Rule, lists_of};
use super::judge::Judge;
use super::lister::Lister;
use super::marks::{Mark, Marks};
use super::plan::Plan;
use super::quarrels::Quarrels;
use super::watch::{Changing, Event, Watch};

/// What a run was like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Report {
    /// The fingerprint of all calls, and how many there were.
    pub(crate) trace: (u64, u64),
    pub(crate) turns: u64,
    /// Virtual time.
    pub(crate) lasted: Nanos,
    /// What it has been through.
    pub(crate) marks: Marks,
}

type World = Server<SimNet<Population>, Watch>;

/// A run in progress.
struct Run {
    server: World,
    judge: Judge,
    dice: Dice,
    turns: u64,
    /// Frames that the server had handled after the last turn.
    frames: u64,
    /// Newcomers it had taken by then.
    accepted: u64,
    /// Messages that the backend has written.
    written: u32,
    /// A full sweep every so many turns.
    check_every: u64,
    /// The goodbyes of a shutdown are spread over so long.
    drain_over: Nanos,
    /// Who writes lists.
    lister: Option<Lister>,
}

/// Turns that one act may take at most.
const TURNS_MAX: u64 = 5_000;

/// Plays a seed.
pub(crate) fn run(seed: u64, is_verbose: bool) -> Report {
    play(seed, &Cut::default(), is_verbose)
}

/// What a seed is about to do.
fn tell(plan: &Plan) {
    eprintln!(
        "{:#?}\n{:#?}\n{:#?}",
        plan.options, plan.settings, plan.faults
    );
    for client in &plan.population.clients {
        let (names, listener) = (&client.names, client.listener);
        let (who, persona, path) = (client.who, &client.persona, client.path);
        eprintln!("client {who} l{listener} {names:?} {persona:?} {path:?}");
    }
}

/// Plays a seed with something left out of it.
pub(crate) fn play(seed: u64, cut: &Cut, is_verbose: bool) -> Report {
    let mut plan = Plan::draw(seed);
    cut.apply(&mut plan);
    if is_verbose {
        tell(&plan);
    }
    let mut judge = Judge::new(plan.settings.clone(), plan.options.users);
    judge.has_tight_budget = plan.has_tight_budget;
    judge.guard = guard_of(&plan);
    judge.quarrels = Quarrels::new(plan.options.limits.user_takeover_rate, plan.options.users);
    let watch = watch_of(&plan, seed);
    let mut net = SimNet::new(seed, plan.population);
    net.trace.is_verbose = is_verbose;
    net.faults = plan.faults;
    net.capacity = plan.options.limits.events as usize;
    net.toll = plan.toll;
    net.kernel.fd_limit = plan.fd_limit;
    let (drain_over, slots) = (plan.options.drain_over, plan.options.wheel_slots);
    let has_admin = !net.crowd.operators.is_empty();
    let mut server = Server::new(net, watch, plan.options).expect("the world lets it begin");
    for settings in plan.settings {
        server.listen(settings).expect("the world lets it listen");
    }
    if has_admin {
        let bind = AdminBind::Tcp(([127, 0, 0, 1], 7_374).into());
        let access = AdminAccess::default();
        server
            .listen_admin(&bind, access)
            .expect("the world lets it listen");
        let net = server.net_mut();
        net.kernel.admin = Some(net.crowd.house.desk.listener);
    }
    begin(server.net_mut());
    let mut run = Run {
        server,
        judge,
        dice: plan.dice,
        turns: 0,
        frames: 0,
        accepted: 0,
        written: 0,
        check_every: 1,
        drain_over: nanos(drain_over),
        lister: plan.lister,
    };
    run.list();
    run.safety(plan.play, plan.meddling);
    match plan.leaves_early {
        Some(word) => run.leave_early(word),
        None => {
            run.liveness();
            run.teardown(plan.ends_by_shutdown);
        }
    }
    let desk = &run.server.net().crowd.house.desk;
    run.judge.orders.compare(desk);
    let marks = run.marks(slots);
    let net = run.server.net();
    Report {
        trace: net.trace.fingerprint(),
        turns: run.turns,
        lasted: net.kernel.now(),
        marks,
    }
}

/// The judge's books about sources, where those matter.
fn guard_of(plan: &Plan) -> Option<Guard> {
    plan.lister.as_ref()?;
    let clients = plan.population.clients.iter();
    let names = clients.map(|client| client.names.clone()).collect();
    Some(Guard::new(plan.options.limits.clone(), names))
}

/// The application, with the habits that the seed has drawn for it.
fn watch_of(plan: &Plan, seed: u64) -> Watch {
    let mut watch = Watch::default();
    watch.dice = plan.is_slow.then(|| Dice::new(seed));
    watch.desk = Some((plan.settings.clone(), Dice::new(!seed)));
    watch.options = plan.lister.is_some().then(|| {
        let rates = plan.settings.iter();
        let rates = rates.filter_map(|one| Some((one.name.clone(), one.message_rate?)));
        Changing {
            options: plan.options.clone(),
            message_rates: rates.collect(),
        }
    });
    watch
}

fn begin(net: &mut SimNet<Population>) {
    let (kernel, crowd) = (&mut net.kernel, &mut net.crowd);
    let is_hasty = crowd.is_hasty;
    for client in crowd.clients.iter_mut().filter(|one| !one.never_comes) {
        let at = match is_hasty {
            true => SECOND * client.dice.below(4),
            false => client.dice.span(0, 5 * SECOND),
        };
        client.begin(kernel, at);
    }
    for operator in &mut crowd.operators {
        operator.plan(kernel, SECOND);
    }
    if crowd.has_storms {
        kernel
            .agenda
            .at(crowd.dice.span(SECOND, 60 * SECOND), Deed::Mark(0));
    }
}

impl Run {
    /// The first act: everything that may go wrong does.
    fn safety(&mut self, play: Nanos, meddling: super::dice::Rate) {
        self.until(play, TURNS_MAX, |run| {
            if run.dice.happens(meddling) {
                run.meddle();
            }
            // A walk takes no time, and many turns: where each began another, the act would end.
            let is_walking = run.server.gate().is_retuning();
            let grows = run.server.net().kernel.has_newcomers() && !is_walking;
            let lister = run.lister.as_mut();
            if lister.is_some_and(|lister| lister.is_due(grows)) {
                run.list();
            }
            false
        });
    }

    /// The second act: the faults are over, and the good must be served.
    fn liveness(&mut self) {
        self.server.handler_mut().desk = None;
        let net = self.server.net_mut();
        net.faults = Faults::default();
        net.drought = None;
        net.kernel.fd_limit = usize::MAX;
        net.crowd.heal(&mut net.kernel);
        let last = self.lister.as_ref().map(Lister::last_rules);
        self.take_lists(last);
        let net = self.server.net_mut();
        net.trace
            .say(net.kernel.now(), || "--- the faults are over".into());
        let longest = self.longest();
        let content = self.until(3 * longest + 60 * SECOND, 50 * TURNS_MAX, |run| {
            let net = run.server.net();
            let good = net.crowd.good_count();
            let held = (
                net.kernel.held_of_clients(),
                run.server.gate().connections() as usize,
            );
            let is_alone = held == (good, good) && !net.kernel.has_newcomers();
            is_alone && net.crowd.is_together(&net.kernel) && net.crowd.is_content()
        });
        assert!(content, "the good are not served: {}", self.complaint());
        // Where connections live for a set time only, or a budget is so small that a few small
        // outboxes fill it, one may end in the middle of a proof.
        let settings = &self.server.net().crowd.house.settings;
        let may_end = settings.iter().any(|one| one.lifetime.is_some());
        let tries = if may_end || self.judge.has_tight_budget {
            5
        } else {
            1
        };
        let proven = (0..tries).any(|_| self.prove(longest));
        assert!(proven, "the proof fails: {}", self.complaint());
    }

    /// Other lists, whatever they say.
    fn list(&mut self) {
        let rules = self.lister.as_mut().map(Lister::rules);
        let net = self.server.net_mut();
        let is_inhabited = rules.is_some() && net.kernel.held_of_clients() > 0;
        net.kernel.marks.reach_if(is_inhabited, Mark::Relisted);
        self.take_lists(rules);
    }

    fn take_lists(&mut self, rules: Option<Vec<Rule>>) {
        let (Some(rules), Some(guard)) = (rules, &mut self.judge.guard) else {
            return;
        };
        let net = self.server.net_mut();
        net.trace
            .say(net.kernel.now(), || format!("lists: {rules:?}"));
        // Everybody is looked at again, so many a turn: that is work.
        net.idle_turns = 0;
        let gate = self.server.gate_mut();
        let lists = lists_of(&rules, gate.list_key());
        gate.set_lists((!rules.is_empty()).then(|| Box::new(lists)));
        guard.take_lists(rules);
    }

    /// Everybody writes to somebody: whether all letters arrive.
    fn prove(&mut self, longest: Nanos) -> bool {
        self.written += 1;
        let number = self.written;
        let text = letter((u32::MAX, 0), number, "*", &["-".into()], 0);
        // Where a budget is tight, everybody's share of it may be too much for it.
        let is_queued = !self.judge.has_tight_budget
            && self
                .server
                .gate_mut()
                .push(Target::Everyone, &Push::text(&text))
                .is_ok();
        let net = self.server.net_mut();
        net.crowd.prove(&mut net.kernel);
        if is_queued {
            net.crowd.expect_broadcast(number);
        }
        net.trace.say(net.kernel.now(), || "--- the proof".into());
        self.until(longest + 30 * SECOND, 50 * TURNS_MAX, |run| {
            let crowd = &run.server.net().crowd;
            crowd.is_content() && crowd.is_served()
        })
    }

    /// What the run has been through, with what the books tell in the end.
    fn marks(&self, wheel_slots: u32) -> Marks {
        let mut marks = self.server.net().kernel.marks;
        marks.add_stats(self.server.gate().stats());
        marks.add_ends(&self.judge.ends);
        let turn = u64::from(wheel_slots) * 2 * MILLI;
        let settings = &self.server.net().crowd.house.settings;
        let is_longer = |span: Option<Duration>| span.is_some_and(|span| nanos(span) > turn);
        let ended = self.judge.ends[CloseReason::IdleTimeout as usize] > 0;
        let is_round = settings.iter().all(|one| is_longer(one.idle_timeout));
        marks.reach_if(ended && is_round, Mark::Rounds);
        marks
    }

    /// Turns until `done`, for so long at most; whether it was done.
    fn until(&mut self, span: Nanos, turns: u64, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.server.net().kernel.now() + span;
        self.server.net_mut().horizon = end;
        let last = self.turns + turns;
        while self.server.net().kernel.now() < end && self.turns < last {
            self.turn();
            if done(self) {
                return true;
            }
        }
        false
    }

    fn turn(&mut self) {
        let before = self.server.net().kernel.clock;
        let deliveries = self.server.gate().deliveries_left();
        self.server.turn().expect("the poll works");
        self.turns += 1;
        // Frames that are handled one a turn, and answered into the outbox, are work, and so are
        // deliveries.
        let frames = self.server.gate().stats().frames_in;
        let has_delivered = self.server.gate().deliveries_left() != deliveries;
        if std::mem::replace(&mut self.frames, frames) != frames || has_delivered {
            self.server.net_mut().idle_turns = 0;
        }
        if self.turns.is_multiple_of(self.check_every) {
            self.server.gate().check();
        }
        let (stalled, stall) = (self.server.gate().stalled(), self.server.net().kernel.stall);
        assert_eq!(nanos(stalled), stall, "how long the loop has stalled");
        let mut events = std::mem::take(&mut self.server.handler_mut().events);
        self.say_ends(&events);
        let has_end = events.iter().any(|one| matches!(one, Event::Closed(..)));
        let marks = &mut self.server.net_mut().kernel.marks;
        marks.reach_if(deliveries > 0 && has_end, Mark::EndedInFanout);
        let lags = self.judge_lag();
        self.note_orders(&events);
        let limits = self.server.gate().limits();
        let has_room = self.server.gate().sockets() < limits.connections + limits.refusals;
        let has_drought = self.server.net().drought.is_some();
        let mut kernel = std::mem::take(&mut self.server.net_mut().kernel);
        let begins = self.server.gate().is_draining() && self.judge.drain.is_none();
        if begins {
            self.judge.drain = Some(Drain {
                since: before,
                began: kernel.stamp(),
                over: self.drain_over,
                most: u64::from(self.server.gate().limits().connections),
                ends: 0,
                turned_away: 0,
                late: 0,
                least: 0,
            });
        }
        self.judge
            .listen(&kernel, has_room && !has_drought && !lags);
        self.judge
            .hear(&mut events, &mut kernel, self.server.gate());
        if begins {
            self.judge
                .count_those_who_leave(self.server.gate(), &kernel);
        }
        if let Some(drain) = &self.judge.drain {
            drain.judge_pace(kernel.clock, self.judge.slack);
        }
        self.judge.bury(&mut kernel);
        let is_sweep = self.turns.is_multiple_of(16);
        self.judge
            .guard_house(&kernel, self.server.gate(), is_sweep);
        if is_sweep {
            self.judge.sweep(&kernel);
        }
        self.server.net_mut().kernel = kernel;
        self.server.handler_mut().events = events;
    }

    /// What operators have ordered excuses what follows, and what they have changed holds.
    fn note_orders(&mut self, events: &[Event]) {
        let is_draining = self.server.gate().is_draining();
        let house = &mut self.server.net_mut().crowd.house;
        house.desk.is_draining = is_draining;
        self.judge.orders.take(&mut house.desk.orders);
        for event in events {
            if let Event::Retuned(settings) = event {
                house.settings.clone_from(settings);
            }
        }
    }

    fn say_ends(&self, events: &[Event]) {
        let net = self.server.net();
        for event in events {
            net.trace.say(net.kernel.now(), || format!("{event:?}"));
        }
    }

    /// The backend kicks somebody, or sends something to somebody or everybody.
    fn meddle(&mut self) {
        let house = &self.server.net().crowd.house;
        let user = self.dice.pick(&house.users).clone();
        let topic = self.dice.pick(&house.topics).clone();
        let kind = self.dice.below(5);
        let (to, target) = match kind {
            0 => return self.kick(&user),
            4 => {
                let net = self.server.net_mut();
                net.kernel.marks.reach(Mark::Reloaded);
                return net.send_signal(Signal::Reload);
            }
            1 => ("*".into(), Target::Everyone),
            2 => (format!("t:{topic}"), Target::Topic(&topic)),
            _ => (format!("u:{user}"), Target::User(&user)),
        };
        let gate = self.server.gate();
        let is_sliced = kind == 1 && gate.connections() > gate.limits().fanout;
        let marks = &mut self.server.net_mut().kernel.marks;
        marks.reach_if(is_sliced, Mark::Sliced);
        // Now and then more at once than an outbox holds.
        let (most, fill) = *self.dice.pick(&[(1, 100), (1, 100), (12, 1_000)]);
        for _ in 0..self.dice.size(1, most) {
            self.written += 1;
            let size = self.dice.size(0, fill);
            let text = letter((u32::MAX, 0), self.written, &to, &["-".into()], size);
            let push = Push {
                from: None,
                body: Body::Text(Cow::Owned(text)),
                ack: self.dice.one_in(2),
                ttl: None,
            };
            let _ = self.server.gate_mut().push(target, &push);
        }
    }

    fn kick(&mut self, user: &str) {
        let conns: Vec<_> = self.server.gate().connections_of(user).collect();
        let kernel = &mut self.server.net_mut().kernel;
        for conn in conns {
            if let Some(key) = kernel.find(conn)
                && let Some(socket) = kernel.get_mut(key)
            {
                socket.facts.causes.add(CloseReason::Kicked);
            }
        }
        self.judge.orders.kicks += self.server.gate_mut().kick(user) as u64;
    }

    /// The longest that a dead connection may hold a place or a name.
    fn longest(&self) -> Nanos {
        let settings = &self.server.net().crowd.house.settings;
        let spans = settings.iter().flat_map(|one| {
            [
                one.idle_timeout,
                one.write_timeout,
                one.output_age,
                Some(one.linger),
            ]
        });
        spans.flatten().map(nanos).sum::<Nanos>()
    }

    fn complaint(&self) -> String {
        let crowd = &self.server.net().crowd;
        let sad = crowd
            .clients
            .iter()
            .filter(|client| client.persona.is_good && !client.was_content);
        let stories: Vec<String> = sad
            .map(|client| match &client.link {
                None => format!("client {} is not connected", client.who),
                Some(link) => format!(
                    "client {} on {:?} as {:?} waits for {:?}",
                    client.who, link.key, link.ear.user, link.ear.owed
                ),
            })
            .collect();
        let kernel = &self.server.net().kernel;
        let held = kernel
            .keys()
            .filter(|&key| kernel.get(key).is_some_and(|one| one.is_held()));
        let held: Vec<_> = held.collect();
        format!(
            "{stories:#?}, unheard {:?}, held {held:?}",
            crowd.house.unheard
        )
    }
}
