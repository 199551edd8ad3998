//! Publishes numbered messages by the clock.

use std::time::Duration;

use super::paced::Paced;
use super::{Role, Talk};
use crate::plan::{Cohort, Plan};
use crate::speech::Heard;
use crate::spread::{Head, receivers, topic};
use crate::tally::{Count, Timing};

/// Publishers.
pub(crate) struct Publish {
    pace: Paced,
    topics: u32,
    size: usize,
    plan: Plan,
    /// By connection number: the number of its next message.
    next: Vec<u32>,
    body: Vec<u8>,
    frame: Vec<u8>,
}

impl Publish {
    pub(crate) fn new(
        plan: &Plan,
        cohort: &Cohort,
        every: Duration,
        size: u32,
        topics: u32,
    ) -> Self {
        Self {
            pace: Paced::request(cohort, every),
            topics,
            size: size as usize,
            plan: plan.clone(),
            next: vec![0; cohort.connections as usize],
            body: Vec::new(),
            frame: Vec::new(),
        }
    }

    fn publish(&mut self, talk: &mut Talk<'_>, intended: u64) {
        let publisher = talk.conn.number;
        let number = &mut self.next[publisher as usize];
        let head = Head {
            publisher,
            number: *number,
            intended,
        };
        *number += 1;
        self.body.clear();
        head.write(&mut self.body);
        self.body.resize(self.size.max(Head::SIZE), b'x');
        let topic = topic(publisher, self.topics);
        let answers = talk
            .desk
            .speech
            .publish(&topic, &self.body, &mut self.frame);
        if answers.unwrap_or(0) > 0 {
            talk.note(intended, 1);
        }
        talk.tally().add(Count::Published, 1);
        let expected = receivers(&self.plan, publisher);
        talk.tally().add(Count::Expected, expected);
    }
}

impl Role for Publish {
    fn ready(&mut self, talk: &mut Talk<'_>) {
        self.pace.ready(talk);
    }

    fn due(&mut self, talk: &mut Talk<'_>) {
        let now = talk.now();
        self.frame.clear();
        while talk.conn.intended <= now {
            let intended = talk.conn.intended;
            talk.tally().record(Timing::SendLate, now - intended, 1);
            self.publish(talk, intended);
            self.pace.set_next(talk, intended);
        }
        talk.wake_at(talk.conn.intended);
        talk.say(&self.frame);
    }

    fn heard(&mut self, talk: &mut Talk<'_>, heard: &Heard, input: &[u8]) {
        self.pace.heard(talk, heard, input);
    }

    fn rest(&mut self, talk: &mut Talk<'_>) {
        self.pace.rest(talk);
    }

    fn give_up(&mut self, talk: &mut Talk<'_>) {
        self.pace.give_up(talk);
    }
}
