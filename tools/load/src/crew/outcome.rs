//! What a run came to, before anybody has judged it.

use serde::{Deserialize, Serialize};

use crate::channel::Pulse;
use crate::error::Fatal;
use crate::plan::{Part, Plan};
use crate::proc::Look;
use crate::spread::Spreads;
use crate::tally::{Count, Tally, Timing};

/// All that was seen.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) phases: Vec<Stretch>,
    pub(crate) timeline: Vec<Sample>,
    /// Looks at the server, with their seconds since the beginning.
    pub(crate) looks: Vec<(f64, Look)>,
    pub(crate) generator: Generator,
    /// Messages on their way to their receivers.
    spreads: Spreads,
    /// Open connections when the first judged phase began.
    pub(crate) ready_at_start: Option<u64>,
    /// The fewest that were open at any sample of a judged phase.
    pub(crate) trough: Option<u64>,
    /// The signal that ended it.
    pub(crate) interrupted: Option<i32>,
    /// A worker has ended on its own.
    pub(crate) is_broken: bool,
    /// A worker did not come to its end in time.
    pub(crate) is_cut: bool,
    pub(crate) seconds: f64,
}

/// A phase as it was.
#[derive(Debug)]
pub(crate) struct Stretch {
    /// Seconds since the beginning.
    pub(crate) began: f64,
    pub(crate) ended: f64,
    /// By cohort.
    pub(crate) tallies: Vec<Tally>,
    /// Of the workers' loops.
    pub(crate) own: Tally,
    /// What each worker had used of a processor, at the phase's beginning and end; the same where
    /// it has not told.
    cpu: Vec<(u64, u64)>,
}

/// What the tool itself took.
#[derive(Debug, Default)]
pub(crate) struct Generator {
    pub(crate) workers: u32,
    /// Resident bytes of all workers before the first connection, and the most there were.
    pub(crate) base_bytes: u64,
    pub(crate) peak_bytes: u64,
    /// Connections open at that peak.
    pub(crate) peak_open: u64,
    /// Each worker's last word on its memory and its connections.
    last: Vec<(u64, u64)>,
    cpu: Vec<u64>,
}

/// One interval; what is counted in it is what was reported in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Its end, in seconds since the beginning.
    pub(crate) at: f64,
    /// Seconds that it lasted; the last one may be short.
    #[serde(default)]
    pub(crate) span: f64,
    pub(crate) phase: String,
    pub(crate) open: u64,
    pub(crate) under_way: u64,
    pub(crate) opened: u64,
    pub(crate) lost: u64,
    pub(crate) errors: u64,
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    pub(crate) messages: u64,
    /// Nanoseconds of what was timed in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency: Option<Latency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<Look>,
}

/// What answers took in an interval.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
}

impl Outcome {
    pub(crate) fn new(plan: &Plan, workers: u32) -> Self {
        let stretch = |_| Stretch {
            began: 0.0,
            ended: 0.0,
            tallies: vec![Tally::new(); plan.cohorts.len()],
            own: Tally::new(),
            cpu: vec![(0, 0); workers as usize],
        };
        Self {
            phases: plan.phases.iter().map(stretch).collect(),
            timeline: Vec::new(),
            looks: Vec::new(),
            generator: Generator {
                workers,
                last: vec![(0, 0); workers as usize],
                cpu: vec![0; workers as usize],
                ..Generator::default()
            },
            spreads: Spreads::default(),
            ready_at_start: None,
            trough: None,
            interrupted: None,
            is_broken: false,
            is_cut: false,
            seconds: 0.0,
        }
    }

    /// Adds a worker's report.
    pub(crate) fn add(
        &mut self,
        plan: &Plan,
        (worker, pulse): (usize, &Pulse),
        bytes: &[u8],
        recent: &mut Tally,
    ) {
        let mut input = bytes;
        let stretch = &mut self.phases[pulse.phase];
        if !pulse.is_resting {
            let (begin, end) = &mut stretch.cpu[worker];
            if *end == 0 {
                // A phase begins with a last report on the one before.
                *begin = self.generator.cpu[worker];
            }
            *end = pulse.cpu;
        }
        if let Some(own) = Tally::decode(&mut input) {
            stretch.own.merge(&own);
        }
        for tally in &mut stretch.tallies {
            if let Some(news) = Tally::decode(&mut input) {
                tally.merge(&news);
                recent.merge(&news);
            }
        }
        for (cohort, tally) in plan.cohorts.iter().zip(&mut stretch.tallies) {
            if matches!(cohort.role, Part::Receive { .. }) {
                // What is cut off is missing, and counted so.
                let _ = self.spreads.decode(&mut input, plan, tally);
            }
        }
        self.generator
            .note(worker, pulse.resident, pulse.open.iter().sum(), pulse.cpu);
    }

    /// Messages that receivers should have got and have not.
    pub(crate) fn missing(&self) -> u64 {
        let tallies = || self.phases.iter().flat_map(|stretch| &stretch.tallies);
        let of = |what| -> u64 { tallies().map(|tally| tally.count(what)).sum() };
        of(Count::Expected).saturating_sub(of(Count::Delivered))
    }

    /// Times the messages that never reached everybody.
    pub(crate) fn give_up(&mut self, plan: &Plan) {
        let receiving = |cohort: &crate::plan::Cohort| matches!(cohort.role, Part::Receive { .. });
        let Some(cohort) = plan.cohorts.iter().position(receiving) else {
            return;
        };
        if let Some(last) = self.phases.last_mut() {
            self.spreads.give_up(&mut last.tallies[cohort]);
        }
    }

    pub(crate) fn note(&mut self, sample: Sample, is_judged: bool) {
        if is_judged {
            let trough = self.trough.unwrap_or(u64::MAX);
            self.trough = Some(trough.min(sample.open));
        }
        self.timeline.push(sample);
    }

    /// Everything of all cohorts, in the phases that are asked for.
    pub(crate) fn sum(&self, is_asked: impl Fn(usize) -> bool) -> Tally {
        let mut sum = Tally::new();
        for (_, stretch) in self
            .phases
            .iter()
            .enumerate()
            .filter(|(at, _)| is_asked(*at))
        {
            stretch.tallies.iter().for_each(|tally| sum.merge(tally));
        }
        sum
    }

    /// Whether anybody could connect at all.
    ///
    /// # Errors
    /// Where nobody could, with the most frequent reason.
    pub(crate) fn check_target(&self, plan: &Plan) -> Result<(), Fatal> {
        let sum = self.sum(|_| true);
        let errors = sum.errors();
        if sum.count(Count::Opened) > 0 || errors == 0 {
            return Ok(());
        }
        let most = Count::ERRORS.iter().max_by_key(|what| sum.count(**what));
        let (target, dials) = (plan.targets[0], sum.count(Count::Dials));
        let why = match most {
            Some(Count::ConnectRefused) => "nobody listens there: start the server first",
            Some(Count::NoPorts) => "no port was free: give more addresses with --source",
            Some(Count::NoFiles) => "descriptors ran out: raise the limit with `ulimit -n`",
            Some(Count::ConnectTimeout) => "no answer came: is the address right?",
            Some(Count::GreetingFailed) => {
                "the greeting was not answered as it should be: is the dialect right?"
            }
            _ => "the connects failed: is the address right?",
        };
        Err(Fatal::Environment(format!(
            "none of {dials} connects to {target} succeeded; {why}"
        )))
    }

    pub(crate) fn opened(&self) -> u64 {
        let tallies = self.phases.iter().flat_map(|stretch| &stretch.tallies);
        tallies.map(|tally| tally.count(Count::Opened)).sum()
    }
}

impl Generator {
    fn note(&mut self, worker: usize, resident: u64, open: u64, cpu: u64) {
        self.last[worker] = (resident, open);
        self.cpu[worker] = cpu;
        let open = self.last.iter().map(|(_, open)| open).sum();
        if open >= self.peak_open {
            self.peak_open = open;
            self.peak_bytes = self.last.iter().map(|(resident, _)| resident).sum();
        }
    }

    /// Nanoseconds of processors that all workers took.
    pub(crate) fn cpu(&self) -> u64 {
        self.cpu.iter().sum()
    }

    /// Bytes of our memory for each connection, at the peak; what is needed once is shared among
    /// them, since what a connection needs is there before it opens.
    pub(crate) fn bytes_per_connection(&self) -> Option<f64> {
        let grown = self.peak_bytes.saturating_sub(self.base_bytes);
        // What does not grow with connections would be shared among too few of them.
        (self.peak_open >= 1_000).then(|| grown as f64 / self.peak_open as f64)
    }
}

impl Sample {
    pub(crate) fn of(
        (at, span): (f64, f64),
        phase: &str,
        (open, under_way): (u64, u64),
        recent: &Tally,
        server: Option<Look>,
    ) -> Self {
        let timed = [
            Timing::Delivery,
            Timing::BeatResponse,
            Timing::Response,
            Timing::Rtt,
            Timing::Life,
        ];
        let timing = timed.iter().find_map(|what| recent.timing(*what));
        Self {
            at,
            span,
            phase: phase.to_owned(),
            open,
            under_way,
            opened: recent.count(Count::Opened),
            lost: recent.count(Count::Lost),
            errors: recent.errors(),
            sent: recent.count(Count::Sent),
            answered: recent.count(Count::Answered),
            messages: recent.count(Count::Messages),
            latency: timing.map(|timing| Latency {
                p50: timing.value_at_quantile(0.5),
                p99: timing.value_at_quantile(0.99),
                max: timing.max(),
            }),
            server,
        }
    }
}

impl Stretch {
    pub(crate) fn seconds(&self) -> f64 {
        (self.ended - self.began).max(0.0)
    }

    /// The share of a processor that the busiest worker took.
    pub(crate) fn busiest(&self) -> Option<f64> {
        let used = self.cpu.iter().map(|(begin, end)| end - begin);
        let most = used.max().filter(|most| *most > 0)?;
        Some(most as f64 / 1e9 / self.seconds().max(1e-9))
    }
}
