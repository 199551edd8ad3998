//! The way into the loop from another thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use crate::gate::Gate;
use crate::net::Wake;

/// Hands tasks from any thread to the loop, which runs them between two turns' events.
///
/// Costs one allocation and one write to an eventfd a task. A task must not block: the loop waits
/// for it. Cloned freely.
pub struct Remote<H> {
    tasks: SyncSender<Task<H>>,
    wake: Arc<dyn Wake>,
}

/// A piece of work for the loop's thread.
pub(crate) type Task<H> = Box<dyn FnOnce(&mut Gate, &mut H) + Send>;

/// Why a task was not run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RemoteError {
    /// [`Limits::tasks`](crate::Limits::tasks) wait already.
    #[error("too many tasks wait for the loop")]
    Full,
    /// The loop has ended.
    #[error("the loop has ended")]
    Gone,
}

impl<H> Clone for Remote<H> {
    fn clone(&self) -> Self {
        Self {
            tasks: self.tasks.clone(),
            wake: Arc::clone(&self.wake),
        }
    }
}

impl<H> std::fmt::Debug for Remote<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").finish_non_exhaustive()
    }
}

impl<H: 'static> Remote<H> {
    pub(crate) fn new(tasks_max: usize, wake: Arc<dyn Wake>) -> (Self, Receiver<Task<H>>) {
        let (sender, receiver) = sync_channel(tasks_max);
        (
            Self {
                tasks: sender,
                wake,
            },
            receiver,
        )
    }

    /// Hands a task in and does not wait for it.
    ///
    /// # Errors
    /// Where too many tasks wait, or the loop has ended; the task is dropped then.
    pub fn post(
        &self,
        task: impl FnOnce(&mut Gate, &mut H) + Send + 'static,
    ) -> Result<(), RemoteError> {
        self.tasks
            .try_send(Box::new(task))
            .map_err(|error| match error {
                TrySendError::Full(_) => RemoteError::Full,
                TrySendError::Disconnected(_) => RemoteError::Gone,
            })?;
        self.wake.wake().map_err(|_| RemoteError::Gone)
    }

    /// Hands a task in, waits until the loop has run it, and returns its result.
    ///
    /// # Errors
    /// Where too many tasks wait, or the loop ends before it has run this one.
    pub fn call<R: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Gate, &mut H) -> R + Send + 'static,
    ) -> Result<R, RemoteError> {
        let (sender, receiver) = sync_channel(1);
        self.post(move |gate, handler| {
            // A caller that went away does not want the result any more.
            let _ = sender.try_send(task(gate, handler));
        })?;
        receiver.recv().map_err(|_| RemoteError::Gone)
    }
}
