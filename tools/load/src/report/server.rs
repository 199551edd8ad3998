//! What the server took, from the looks at it.

use super::ServerReport;
use crate::crew::Outcome;
use crate::growth::Growth;
use crate::plan::Plan;
use crate::proc::Look;
use crate::tally::Count;

pub(super) fn of(pid: u32, plan: &Plan, outcome: &Outcome) -> Option<ServerReport> {
    let looks: Vec<Look> = outcome.looks.iter().map(|(_, look)| *look).collect();
    let (before, after) = (*looks.first()?, *looks.last()?);
    let (cpu, seconds) = judged_cpu(plan, outcome);
    let judged = outcome.sum(|at| plan.phases[at].judged);
    // What nobody answers is a heartbeat all the same.
    let done = if plan.speech.is_answered() {
        judged.count(Count::Answered)
    } else {
        judged.count(Count::Sent)
    };
    let growth = |of: fn(&Look) -> u64| {
        let seen: Vec<_> = looks.iter().map(|look| (look.files, of(look))).collect();
        Growth::of(&seen).filter(|_| outcome.opened() > 0)
    };
    let resident = growth(|look| look.resident);
    let kernel = growth(|look| look.slab_bytes + look.socket_bytes);
    Some(ServerReport {
        pid,
        before,
        after,
        resident_peak: looks.iter().map(|look| look.resident).max()?,
        cpu_seconds: cpu as f64 / 1e9,
        cpu_share: cpu as f64 / 1e9 / seconds.max(1e-9),
        cpu_per_answer: (done > 0).then(|| cpu as f64 / done as f64),
        bytes_per_connection: resident.map(|growth| growth.each),
        bytes_once: resident.map(|growth| growth.once),
        listen_drops: after.listen_drops.saturating_sub(before.listen_drops),
        kernel_bytes_per_connection: kernel.map(|growth| growth.each),
    })
}

/// Nanoseconds of a processor in the judged phases, and the seconds between the looks that tell.
fn judged_cpu(plan: &Plan, outcome: &Outcome) -> (u64, f64) {
    let (mut cpu, mut seconds) = (0, 0.0);
    for (phase, stretch) in plan.phases.iter().zip(&outcome.phases) {
        let within = |at: &f64| (stretch.began..=stretch.ended + 0.05).contains(at);
        let mut looks = outcome.looks.iter().filter(|(at, _)| within(at));
        if let (true, Some(first), Some(last)) = (phase.judged, looks.next(), looks.next_back()) {
            cpu += last.1.cpu.saturating_sub(first.1.cpu);
            seconds += last.0 - first.0;
        }
    }
    (cpu, seconds)
}
