//! One process, one loop: its share of the connections, led by the parent's orders.
//!
//! No threads and nothing that waits but the one wait of the loop: see [`Worker::turn`].

mod agenda;
pub(crate) mod conn;
pub(crate) mod desk;
mod obey;
mod opening;
mod serve;

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;

use pulsegate::net::mio::MioNet;
use pulsegate::net::{Net, Ready};
use pulsegate::{ListenerId, Token};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use crate::channel::{Channel, Order, Word};
use crate::dial::Routes;
use crate::error::{Doing, Fatal};
use crate::plan::Plan;
use crate::proc;
use crate::role::{self, Role, Talk, Wish};
use crate::speech::Heard;
use crate::tally::Timing;
use crate::units::nanos;
use agenda::Agenda;
use conn::{Conn, NEVER};
use desk::Desk;
use obey::Busy;

/// A worker between its plan and its end.
pub(crate) struct Worker {
    desk: Desk,
    channel: Channel,
    routes: Routes,
    conns: Vec<Conn>,
    roles: Vec<Box<dyn Role>>,
    /// Connections whose moment to connect has come.
    queue: VecDeque<u32>,
    /// Connects that may be under way at once.
    dial_max: u32,
    /// The phase that is counted for.
    phase: usize,
    next_report: u64,
    /// What was left to do when that was last looked at.
    busy: Busy,
    is_over: bool,
    /// The one buffer that is read into.
    inbox: Box<[u8]>,
    heard: Heard,
    ready: Vec<Ready>,
    due: Vec<u32>,
}

/// Runs a worker; its standard input is the channel to the parent.
pub(crate) fn main() -> Result<(), Fatal> {
    let what = || String::from("starting a worker");
    let resident = proc::resident_of_self();
    raise_files();
    let mut net = MioNet::new(EVENTS).doing(what)?;
    let end = io::stdin().as_fd().try_clone_to_owned().doing(what)?;
    let mut channel = Channel::new(end, &mut net, CHANNEL).doing(what)?;
    let (plan, worker, workers) = loop {
        let filled = channel.fill(&mut net);
        match channel.take().doing(what)? {
            Some((
                Order::Plan {
                    plan,
                    worker,
                    workers,
                },
                _,
            )) => break (*plan, worker, workers),
            Some(_) => {}
            None => {
                filled.doing(what)?;
                net.wait(&mut Vec::new(), None).doing(what)?;
            }
        }
    };
    let mut worker = Worker::new(net, channel, plan, worker, workers)?;
    let hello = Word::Hello { resident };
    // Where the parent is gone there is nobody left to tell.
    let Ok(()) = worker.channel.send(&mut worker.desk.net, &hello, &[]) else {
        return Ok(());
    };
    while !worker.is_over {
        if worker.turn().is_err() {
            break;
        }
    }
    Ok(())
}

impl Worker {
    fn new(
        mut net: MioNet,
        channel: Channel,
        plan: Plan,
        worker: u32,
        workers: u32,
    ) -> Result<Self, Fatal> {
        let speech = plan.speech.speech().map_err(Fatal::Usage)?;
        let now = nanos(net.now());
        let mine = usize::try_from(plan.connections()).unwrap_or(usize::MAX) / workers as usize + 1;
        let agenda =
            Agenda::new(&mut net, ALARM, mine, now).doing(|| String::from("making a timer"))?;
        let dice = Xoshiro256PlusPlus::seed_from_u64(plan.seed ^ u64::from(worker).rotate_left(32));
        let roles = plan.cohorts.iter().map(|cohort| role::of(&plan, cohort));
        let roles = roles.collect();
        let mut desk = Desk::new(net, agenda, speech, dice, plan);
        let mut conns = Vec::with_capacity(mine);
        for (cohort, number) in (0..).zip(&desk.plan.cohorts).flat_map(|(cohort, spec)| {
            let numbers = (worker..spec.connections).step_by(workers as usize);
            numbers.map(move |number| (cohort, number))
        }) {
            conns.push(Conn::new(cohort, number));
        }
        conns.iter().for_each(|conn| desk.welcome(conn));
        Ok(Self {
            routes: Routes::new(desk.plan.targets.clone(), desk.plan.sources.clone()),
            dial_max: (desk.plan.dial.in_flight / workers).max(1),
            desk,
            channel,
            conns,
            roles,
            queue: VecDeque::new(),
            phase: 0,
            next_report: NEVER,
            busy: Busy::ALL,
            is_over: false,
            inbox: vec![0; INBOX].into(),
            heard: Heard::default(),
            ready: Vec::new(),
            due: Vec::new(),
        })
    }

    /// One turn of the loop: wait, obey and serve, expire, dial, report.
    fn turn(&mut self) -> io::Result<()> {
        self.wait()?;
        let began = self.desk.look_at_clock();
        self.serve()?;
        self.expire();
        self.dial();
        self.bury();
        self.report_if_due()?;
        let end = self.desk.look_at_clock();
        self.desk.own.record(Timing::LoopTurn, end - began, 1);
        Ok(())
    }

    fn wait(&mut self) -> io::Result<()> {
        let now = self.desk.now;
        let can_dial = !self.queue.is_empty() && self.desk.in_flight < self.dial_max;
        let until = if can_dial { now } else { self.next_report };
        let timeout = self.desk.agenda.arm(now, until);
        self.ready.clear();
        self.desk.net.wait(&mut self.ready, timeout)
    }

    fn serve(&mut self) -> io::Result<()> {
        for at in 0..self.ready.len() {
            let ready = self.ready[at];
            match ready.token {
                Token::Conn(id) => self.serve_conn(id, ready),
                CHANNEL => self.obey()?,
                _ => self.desk.agenda.rang(),
            }
        }
        Ok(())
    }

    /// Asks those whose moment has come.
    fn expire(&mut self) {
        let now = self.desk.look_at_clock();
        let mut due = std::mem::take(&mut self.due);
        self.desk.agenda.take(now, &mut due);
        for index in due.drain(..) {
            self.expire_one(index);
        }
        self.due = due;
    }

    /// Lets the role of an open connection do something with it.
    fn with_role(&mut self, index: u32, act: impl FnOnce(&mut dyn Role, &mut Talk<'_>)) {
        let conn = &mut self.conns[index as usize];
        let role = &mut self.roles[usize::from(conn.cohort)];
        let mut talk = Talk {
            desk: &mut self.desk,
            conn,
            index,
            wish: None,
        };
        act(role.as_mut(), &mut talk);
        match talk.wish {
            None => {}
            Some(Wish::Leave(ending)) => self.leave(index, ending),
            Some(Wish::Return(ending, at)) => {
                self.leave(index, ending);
                self.wait_until(index, at);
            }
        }
    }
}

/// As many descriptors as we are allowed.
pub(crate) fn raise_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // With fewer the plan has reckoned already, or the dialing will tell.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// What the net calls the channel and the alarm: neither is a connection.
const CHANNEL: Token = Token::Listener(ListenerId(0));
const ALARM: Token = Token::Listener(ListenerId(1));
/// Events fetched by one wait: who is due must not wait for more.
const EVENTS: u32 = 128;
/// Bytes taken by one read.
const INBOX: usize = 256 * 1_024;
