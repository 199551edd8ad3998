//! The clients of a world: scripted personalities that check what they hear.

mod client;
mod ear;
mod house;
mod letter;
mod link;
mod operator;
mod origin;
mod parting;
pub(crate) mod persona;
mod talk;
pub(crate) mod wire;

pub(crate) use client::Client;
pub(crate) use house::House;
pub(crate) use letter::letter;
use link::Link;
pub(crate) use operator::{Habit, Operator};
pub(crate) use origin::{Fate, NETWORKS, Origin, PROXIES};

use persona::Cut;

use crate::world::Crowd;
use crate::world::agenda::{Deed, SECOND};
use crate::world::dice::Dice;
use crate::world::kernel::Kernel;
use crate::world::marks::Mark;
use crate::world::socket::Socket;

/// Everybody.
#[derive(Debug)]
pub(crate) struct Population {
    pub(crate) clients: Vec<Client>,
    /// Those at the admin interface; their numbers follow those of the clients.
    pub(crate) operators: Vec<Operator>,
    pub(crate) house: House,
    pub(crate) dice: Dice,
    /// Whether crowds leave and come back together.
    pub(crate) has_storms: bool,
    /// Whether crowds come together from the beginning.
    pub(crate) is_hasty: bool,
}

impl Crowd for Population {
    fn stir(&mut self, kernel: &mut Kernel, who: u32) {
        match self.clients.get_mut(who as usize) {
            Some(client) => client.stir(kernel, &mut self.house),
            None => {
                let at = who as usize - self.clients.len();
                self.operators[at].stir(kernel, &mut self.house);
            }
        }
    }

    fn wake(&mut self, kernel: &mut Kernel, who: u32, which: u32) {
        match self.clients.get_mut(who as usize) {
            Some(client) => client.wake(kernel, &mut self.house, which),
            None => {
                let at = who as usize - self.clients.len();
                self.operators[at].wake(kernel, &mut self.house, which);
            }
        }
    }

    /// A storm: many leave in the same instant, and come back as one.
    fn mark(&mut self, kernel: &mut Kernel, which: u32) {
        if !self.has_storms {
            return;
        }
        kernel.marks.reach(Mark::Storm);
        for client in &mut self.clients {
            if client.link.is_some() && !client.persona.is_good && self.dice.one_in(2) {
                client.end(kernel, &mut self.house);
                client.begin(kernel, kernel.now() + SECOND);
            }
        }
        kernel
            .agenda
            .after(self.dice.span(SECOND, 60 * SECOND), Deed::Mark(which));
    }
}

impl Population {
    /// The last act: who misbehaves leaves for ever, who was cut off comes back.
    pub(crate) fn heal(&mut self, kernel: &mut Kernel) {
        self.has_storms = false;
        self.house.is_quiet = true;
        kernel.unclog();
        for operator in &mut self.operators {
            operator.begin_anew(kernel, &mut self.house);
        }
        for client in &mut self.clients {
            client.was_content = false;
            if client.persona.is_good {
                if client.persona.cut == Cut::Glued {
                    // What waits for more words would not be proven in time.
                    client.persona.cut = Cut::Whole;
                }
                if client.is_lost(kernel) {
                    client.abandon(kernel);
                }
            } else {
                client.retire(kernel, &mut self.house);
            }
        }
    }

    /// Whether every good client has had all that it could wish for since the last act began.
    pub(crate) fn is_content(&self) -> bool {
        let mut good = self.clients.iter().filter(|client| client.persona.is_good);
        good.all(|client| client.was_content) && self.house.unheard.is_empty()
    }

    /// Whether every good client holds a connection that the server holds as well.
    pub(crate) fn is_together(&self, kernel: &Kernel) -> bool {
        let holds = |link: &Link| kernel.get(link.key).is_some_and(Socket::is_held);
        let mut good = self.clients.iter().filter(|client| client.persona.is_good);
        good.all(|client| client.link.as_ref().is_some_and(holds))
    }

    /// Whether every clerk was told that its last message has arrived.
    pub(crate) fn is_served(&self) -> bool {
        let mut clerks = self.operators.iter().filter(|one| one.is_clerk());
        self.house.desk.is_here.is_none()
            || clerks.all(|clerk| clerk.proof.is_some_and(|(_, is_acked)| is_acked))
    }

    pub(crate) fn good_count(&self) -> usize {
        self.clients
            .iter()
            .filter(|client| client.persona.is_good)
            .count()
    }

    /// Each good client writes to the next one, and every letter must arrive.
    pub(crate) fn prove(&mut self, kernel: &mut Kernel) {
        self.house.unheard.clear();
        self.house.desk.is_here = self.who_acks();
        for operator in &mut self.operators {
            operator.proof = None;
        }
        let good: Vec<usize> = (0..self.clients.len())
            .filter(|&who| self.clients[who].persona.is_good)
            .collect();
        for (place, &who) in good.iter().enumerate() {
            let next = &self.clients[good[(place + 1) % good.len()]];
            let user = next.link.as_ref().and_then(|link| link.ear.user.clone());
            self.clients[who].was_content = false;
            if let Some(user) = user {
                self.clients[who].prove(kernel, &mut self.house, &user, place % 2 == 0);
            }
        }
    }

    /// Somebody who is sure to be there, and to get whatever is sent.
    fn who_acks(&self) -> Option<String> {
        let mut good = self.clients.iter().filter(|client| client.persona.is_good);
        let user = |client: &Client| client.link.as_ref()?.ear.user.clone();
        good.find(|client| client.takes_everything(&self.house) && user(client).is_some())
            .and_then(user)
    }

    /// A message of the backend to everybody was queued: who must hear it.
    pub(crate) fn expect_broadcast(&mut self, number: u32) {
        for client in self.clients.iter().filter(|client| client.persona.is_good) {
            if client.takes_everything(&self.house) {
                self.house.unheard.insert((u32::MAX, number, client.who));
            }
        }
    }

    /// Everybody leaves for ever.
    pub(crate) fn retire(&mut self, kernel: &mut Kernel) {
        for operator in &mut self.operators {
            operator.retire(kernel, &mut self.house);
        }
        for client in &mut self.clients {
            client.retire(kernel, &mut self.house);
        }
    }
}
