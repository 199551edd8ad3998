//! The messages under way, first come, first served.

use std::collections::VecDeque;

use super::fanout::Job;
use super::progress::Progress;
use crate::limits::Limits;

/// The deliveries in progress, oldest message first.
#[derive(Debug, Default)]
pub(crate) struct Pushes {
    jobs: VecDeque<Job>,
    /// Deliveries they still have before them.
    targets: usize,
    /// The first, where it is for many: also while it is taken out to go on with it.
    first: Option<u64>,
    /// Who needs nothing more of the first.
    pub(super) progress: Progress,
}

impl Pushes {
    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Deliveries to come.
    pub(crate) fn targets(&self) -> usize {
        self.targets
    }

    pub(super) fn admits(&self, targets: usize, limits: &Limits) -> bool {
        self.jobs.is_empty()
            || self.jobs.len() < limits.pushes as usize
                && self.targets + targets <= limits.push_targets as usize
    }

    pub(super) fn push(&mut self, job: Job) {
        self.targets += job.left();
        if self.jobs.is_empty() {
            self.first = job.id_to_many();
        }
        self.jobs.push_back(job);
    }

    pub(super) fn pop(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        self.targets -= job.left();
        Some(job)
    }

    /// The first, which was taken out, is done.
    pub(super) fn finish(&mut self) {
        self.first = self.jobs.front().and_then(Job::id_to_many);
        self.progress.clear();
    }

    pub(super) fn put_back(&mut self, job: Job) {
        self.targets += job.left();
        self.jobs.push_front(job);
    }

    /// Full sweep: the deliveries to come are counted.
    pub(crate) fn check(&self) {
        let left = self.jobs.iter().map(Job::left).sum::<usize>();
        assert_eq!(left, self.targets, "deliveries to come are counted");
        let first = self.jobs.front().and_then(Job::id_to_many);
        assert_eq!(first, self.first, "the first is known");
    }

    /// Message `id` is settled for a user. Without memory to note it, a later copy is waited for.
    pub(crate) fn note_settled(&mut self, id: u64, user: u32) {
        if self.first == Some(id) {
            self.progress.settle(user);
        }
    }

    /// A connection has had message `id` from its user's mailbox.
    pub(crate) fn note_served(&mut self, id: u64, index: u32) {
        if self.first == Some(id) {
            self.progress.serve(index);
        }
    }
}
