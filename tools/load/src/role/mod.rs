//! What a connection does once it is open: one file for each role.
//!
//! A role is one for all connections of a cohort in a worker; what differs between them lies in
//! [`Conn`]. It is told what happens and acts through a [`Talk`].

mod churn;
mod die;
mod echo;
mod hold;
mod paced;
mod publish;
mod receive;
mod slow;
mod talk;
mod torn;

pub(crate) use talk::{Talk, Wish, send};

use crate::plan::{Cohort, Part, Plan};
use crate::speech::{Heard, Speech};
use crate::spread::Spreads;
use crate::worker::conn::Conn;

/// What the connections of a cohort do.
pub(crate) trait Role {
    /// Appends what the role needs said before the connection counts as open, behind the speech's
    /// own greeting; returns how many answers that takes.
    fn greet(&self, conn: &Conn, speech: &Speech, out: &mut Vec<u8>) -> u32 {
        let _ = (conn, speech, out);
        0
    }

    /// How messages spread, where the role receives any.
    fn spreads(&mut self) -> Option<&mut Spreads> {
        None
    }

    /// The connection has opened, and its greeting is done.
    fn ready(&mut self, talk: &mut Talk<'_>) {
        let _ = talk;
    }

    /// A phase begins that is more than the opening of connections; told for every open connection.
    fn begin(&mut self, talk: &mut Talk<'_>) {
        let _ = talk;
    }

    /// The moment has come for which the role asked to be woken.
    fn due(&mut self, talk: &mut Talk<'_>) {
        let _ = talk;
    }

    /// Something was heard; messages lie in `input`.
    fn heard(&mut self, talk: &mut Talk<'_>, heard: &Heard, input: &[u8]) {
        let _ = (talk, heard, input);
    }

    /// The peer has ended the connection. Whether that is what should have happened: then it is no
    /// loss.
    fn ended(&mut self, talk: &mut Talk<'_>) -> bool {
        let _ = talk;
        false
    }

    /// A disturbed phase begins; told for every open connection.
    fn disturb(&mut self, talk: &mut Talk<'_>) {
        let _ = talk;
    }

    /// Nothing new is to be said from here on; told for every open connection.
    fn rest(&mut self, talk: &mut Talk<'_>) {
        let _ = talk;
    }

    /// The run is over, and what has no answer yet will have none.
    fn give_up(&mut self, talk: &mut Talk<'_>) {
        let _ = talk;
    }

    /// The moment for which the first connect of connection `number` is meant, where the role
    /// itself decides that; its phase began at `began`.
    fn first_dial(&self, number: u32, began: u64) -> Option<u64> {
        let _ = (number, began);
        None
    }

    /// The moment for which the connect is meant that follows a failed one, where the role itself
    /// decides that; the failed one was meant for `intended`.
    fn next_dial(&self, intended: u64) -> Option<u64> {
        let _ = intended;
        None
    }
}

/// The role of a cohort.
pub(crate) fn of(plan: &Plan, cohort: &Cohort) -> Box<dyn Role> {
    let is_answered = plan.speech.is_answered();
    match cohort.role {
        Part::Hold => Box::new(hold::Hold),
        Part::Beat { every, jitter } => {
            Box::new(paced::Paced::beat(cohort, every, jitter, is_answered))
        }
        Part::Rated { every } => Box::new(paced::Paced::request(cohort, every).patient()),
        Part::Echo { depth } => Box::new(echo::Echo { depth }),
        Part::Die {
            how,
            every,
            expect,
            together,
        } => Box::new(die::Die::new(cohort, (how, together), (every, expect))),
        Part::Slow { bytes_per_second } => Box::new(slow::Slow::new(bytes_per_second)),
        Part::Torn { trick } => Box::new(torn::Torn::new(trick, plan)),
        Part::Receive { topics } => Box::new(receive::Receive::new(topics, plan.publishers())),
        Part::Publish {
            every,
            size,
            topics,
        } => Box::new(publish::Publish::new(plan, cohort, every, size, topics)),
        Part::Churn {
            every,
            requests,
            reset,
        } => Box::new(churn::Churn::new(cohort, every, requests, reset)),
    }
}
