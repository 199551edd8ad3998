//! The thread behind a pool: heartbeats to the idle, new ones up to the minimum, an end to the old.
//!
//! One connection at a time. Nobody depends on its being quick: what it is late for, the caller
//! who gets that connection checks.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::Pooled;
use super::book::{Chore, Kind};
use super::shared::Shared;

pub(super) fn start<C: Pooled>(shared: Arc<Shared<C>>) -> io::Result<JoinHandle<()>> {
    let keeper = Builder::new().name("pool-keeper".to_owned());
    keeper.spawn(move || keep(&shared))
}

fn keep<C: Pooled>(shared: &Shared<C>) {
    loop {
        let mut desk = shared.lock();
        let chore = desk.book.chore(shared.now());
        let is_closed = desk.book.is_closed();
        if let Some(errands) = desk.book.errands() {
            drop(desk);
            shared.run(errands);
        } else if let Chore::Rest(until) = chore
            && !is_closed
        {
            let rest = until.map_or(FOREVER, |until| until.saturating_sub(shared.now()));
            let woken = shared.keeper.wait_timeout(desk, rest);
            drop(woken.unwrap_or_else(PoisonError::into_inner));
        } else {
            drop(desk);
        }
        if is_closed {
            return;
        }
        // a connection that panics is lost, and the keeper is not
        let done = catch_unwind(AssertUnwindSafe(|| match chore {
            Chore::Check(loan) => shared.beat(loan),
            Chore::Open => drop(shared.open(Kind::Pooled)),
            Chore::Rest(_) => {}
        }));
        drop(done);
    }
}

/// Rest without an end: longer than any wait that a condition variable can count.
const FOREVER: Duration = Duration::from_secs(86_400);
