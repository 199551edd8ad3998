//! How clients and their connections part: by the server's will or their own.

use pulsegate::CloseReason;

use super::client::{Client, Times};
use super::house::House;
use super::persona::Ending;
use super::wire::Say;
use crate::world::agenda::{MILLI, Nanos, SECOND};
use crate::world::kernel::Kernel;

impl Client {
    /// The server has closed its side and everything before that was heard.
    pub(super) fn hear_fin(&mut self, kernel: &mut Kernel) {
        let Some(link) = &self.link else { return };
        link.ear.end();
        if let Some(socket) = kernel.get_mut(link.key) {
            socket.facts.fin_heard = true;
            let is_answered = link.ear.owed.is_empty() || link.ear.is_wild || link.ear.may_miss;
            let is_half_closed = socket.facts.verdict == Some(CloseReason::PeerClosed);
            assert!(
                !is_half_closed || is_answered || link.sent < link.out.len(),
                "client {}: half-closed, and {:?} was never answered",
                self.who,
                link.ear.owed.front(),
            );
        }
        self.part(kernel);
    }

    /// Lets go of its connection, and plans the next one.
    pub(super) fn part(&mut self, kernel: &mut Kernel) {
        self.was_content = false;
        if let Some(link) = self.link.take() {
            kernel.leave(link.key);
        }
        let pause = self.dice.span(0, 3 * SECOND);
        self.times = Times {
            connect: kernel.now() + pause,
            ..Times::NEVER
        };
    }

    /// Ends its connection by its own will.
    pub(crate) fn end(&mut self, kernel: &mut Kernel, house: &mut House) {
        let Some(link) = &mut self.link else { return };
        let ending = if link.is_finished {
            Ending::Leave
        } else {
            self.persona.ending
        };
        match ending {
            Ending::Stay | Ending::Leave => self.part(kernel),
            Ending::Reset => {
                kernel.reset(link.key);
                self.part(kernel);
            }
            Ending::Vanish => {
                kernel.vanish(link.key);
                self.part(kernel);
            }
            Ending::HalfClose if link.sent < link.out.len() && !self.is_retired => {
                self.times.end = kernel.now() + 50 * MILLI;
            }
            Ending::HalfClose => {
                kernel.finish(link.key);
                link.is_finished = true;
                self.times.speak = Nanos::MAX;
                self.times.end = kernel.now() + 60 * SECOND;
            }
            Ending::Quit => {
                let is_gate = house.is_gate(self.listener);
                if !is_gate || link.ear.is_wild {
                    return self.part(kernel);
                }
                if let Some(socket) = kernel.get_mut(link.key) {
                    socket.facts.causes.add(CloseReason::Quit);
                }
                self.say(&Say::Quit, kernel, house);
                self.flush(kernel);
                let Some(link) = &mut self.link else { return };
                link.is_finished = true;
                self.times.speak = Nanos::MAX;
                self.times.end = kernel.now() + 60 * SECOND;
            }
        }
    }

    /// Leaves for ever, in the way it is used to.
    pub(crate) fn retire(&mut self, kernel: &mut Kernel, house: &mut House) {
        self.is_retired = true;
        self.end(kernel, house);
        self.times.connect = Nanos::MAX;
        self.times.end = kernel.now() + 5 * SECOND;
        self.set_alarm(kernel);
    }

    /// Whether its cable was cut without its knowing.
    pub(crate) fn is_lost(&self, kernel: &Kernel) -> bool {
        let Some(link) = &self.link else { return false };
        kernel.get(link.key).is_none_or(|socket| {
            socket.to_server.clogged_until == Nanos::MAX
                || socket.to_peer.clogged_until == Nanos::MAX
        })
    }

    /// Gives up a connection without telling anybody, and comes back soon.
    pub(crate) fn abandon(&mut self, kernel: &mut Kernel) {
        if let Some(link) = &self.link {
            kernel.vanish(link.key);
        }
        self.part(kernel);
        self.set_alarm(kernel);
    }
}
