//! Joins a topic and checks what comes: all of it, once, in order.

use super::{Role, Talk};
use crate::speech::{Heard, Speech};
use crate::spread::{Head, Spreads, topic};
use crate::tally::{Count, Timing};
use crate::worker::conn::Conn;

/// Members of topics.
pub(crate) struct Receive {
    topics: u32,
    publishers: usize,
    /// By index of a connection: what it has of each publisher; made with its first message.
    windows: Vec<Box<[Window]>>,
    spreads: Spreads,
}

/// What has come of one publisher's numbered messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Window {
    /// The number after the largest that came.
    next: u32,
    /// Which of the 64 before it came; the lowest bit is the last one.
    came: u64,
}

/// What a message is to those before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    InOrder,
    /// One of those that were skipped.
    Late,
    Again,
}

impl Receive {
    pub(crate) fn new(topics: u32, publishers: u32) -> Self {
        Self {
            topics,
            publishers: publishers as usize,
            windows: Vec::new(),
            spreads: Spreads::default(),
        }
    }

    fn window(&mut self, index: u32, publisher: u32) -> Option<&mut Window> {
        let index = index as usize;
        if index >= self.windows.len() {
            self.windows.resize_with(index + 1, Box::default);
        }
        let windows = &mut self.windows[index];
        if windows.is_empty() {
            *windows = vec![Window::default(); self.publishers].into();
        }
        windows.get_mut(publisher as usize)
    }
}

impl Role for Receive {
    fn greet(&self, conn: &Conn, speech: &Speech, out: &mut Vec<u8>) -> u32 {
        let topic = topic(conn.number, self.topics);
        speech.join(&topic, out).unwrap_or(0)
    }

    fn heard(&mut self, talk: &mut Talk<'_>, heard: &Heard, input: &[u8]) {
        let now = talk.now();
        for message in &heard.messages {
            let Some(head) = Head::read(&input[message.clone()]) else {
                continue;
            };
            let Some(window) = self.window(talk.index, head.publisher) else {
                continue;
            };
            let place = window.take(head.number);
            if place == Place::Again {
                talk.tally().add(Count::Duplicates, 1);
                continue;
            }
            talk.tally().add(Count::Delivered, 1);
            talk.tally()
                .add(Count::Reordered, (place == Place::Late).into());
            let took = now.saturating_sub(head.intended);
            talk.tally().record(Timing::Delivery, took, 1);
            self.spreads.note(head, now);
        }
    }

    fn spreads(&mut self) -> Option<&mut Spreads> {
        Some(&mut self.spreads)
    }
}

impl Window {
    fn take(&mut self, number: u32) -> Place {
        if number >= self.next {
            let step = number - self.next + 1;
            self.came = self.came.checked_shl(step).unwrap_or(0) | 1;
            self.next = number + 1;
            return Place::InOrder;
        }
        let bit = 1_u64.checked_shl(self.next - 1 - number).unwrap_or(0);
        // One so far behind can only be told from a second copy where the window reaches.
        if bit == 0 || self.came & bit != 0 {
            return Place::Again;
        }
        self.came |= bit;
        Place::Late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_tells_order_delay_and_repetition() {
        let mut window = Window::default();
        let places = [0, 1, 4, 2, 2, 5, 3, 0, 200, 199, 5].map(|number| window.take(number));
        let expected = [
            Place::InOrder,
            Place::InOrder,
            Place::InOrder,
            Place::Late,
            Place::Again,
            Place::InOrder,
            Place::Late,
            Place::Again,
            Place::InOrder,
            Place::Late,
            Place::Again,
        ];
        assert_eq!(places, expected);
    }
}
