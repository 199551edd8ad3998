//! The handler of a simulated server: obeys like the default one, and keeps a diary.

use pulsegate::{Answer, CloseReason, ConnId, Gate, Handler, Message, TimerId};

/// Something the server told its handler.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    Opened(ConnId),
    LoggedIn(ConnId, String),
    Closed(ConnId, CloseReason),
    Rang(TimerId),
}

/// A handler that writes everything down.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) events: Vec<Event>,
}

impl Handler for Watch {
    fn on_open(&mut self, _gate: &mut Gate, conn: ConnId) {
        self.events.push(Event::Opened(conn));
    }

    fn on_message(&mut self, gate: &mut Gate, conn: ConnId, message: Message<'_>) -> Answer {
        let answer = gate.obey(conn, message);
        if let (Message::Login { user, .. }, Answer::Ok(_)) = (message, &answer) {
            self.events.push(Event::LoggedIn(conn, user.to_owned()));
        }
        answer
    }

    fn on_close(&mut self, _gate: &mut Gate, conn: ConnId, reason: CloseReason) {
        self.events.push(Event::Closed(conn, reason));
    }

    fn on_timer(&mut self, _gate: &mut Gate, timer: TimerId) {
        self.events.push(Event::Rang(timer));
    }
}
