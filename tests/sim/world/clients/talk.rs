//! What clients say, and when they say the next thing.

use pulsegate::codec::framing::Framing;
use pulsegate::{CloseReason, Dialect, Login, Settings};

use super::client::Client;
use super::house::{ANYBODY, House};
use super::letter::letter;
use super::persona::{Cut, Speech};
use super::wire::Say;
use crate::world::agenda::{MILLI, Nanos, SECOND, nanos};
use crate::world::kernel::Kernel;

impl Client {
    /// Says the next thing, and plans the one after it.
    pub(super) fn speak(&mut self, kernel: &mut Kernel, house: &mut House) {
        let settings = house.settings[usize::from(self.listener)].clone();
        let Some(link) = &mut self.link else { return };
        if link.is_finished {
            return;
        }
        // Who is not known yet, and who must prove something, does not dawdle.
        let is_urgent = link.ear.user.is_none() || house.is_quiet;
        link.glued += if is_urgent { 3 } else { 1 };
        let wait = match self.persona.speech {
            Speech::Silent => Nanos::MAX,
            Speech::Endless | Speech::Giant if settings.framing == Framing::Raw => {
                self.talk_plain(kernel, house, &settings)
            }
            Speech::Endless => self.begin_endless(kernel, &settings),
            Speech::Giant => self.claim_too_much(kernel, &settings),
            Speech::Foreign(kind) => self.talk_foreign(kernel, kind),
            _ if settings.dialect != Dialect::Gate => self.talk_plain(kernel, house, &settings),
            Speech::Fading if link.said > 0 => Nanos::MAX,
            Speech::Nonsense => self.talk_nonsense(kernel, house, &settings),
            Speech::Flood if link.said < 2_000 => {
                for _ in 0..20 {
                    self.talk(kernel, house, &settings);
                }
                self.dice.span(0, 20 * MILLI)
            }
            _ => {
                self.talk(kernel, house, &settings);
                self.beat(house, &settings)
            }
        };
        self.times.speak = kernel.now().saturating_add(wait);
        self.flush(kernel);
    }

    /// How long a client may be silent that wants to live.
    fn beat(&mut self, house: &House, settings: &Settings) -> Nanos {
        let idle = settings.idle_timeout.map_or(20 * SECOND, nanos);
        if house.is_quiet {
            // Seldom enough that every answer is there before the next question.
            return idle / 2;
        }
        match self.persona.cut {
            // Glued words leave at the third round.
            Cut::Glued => self.dice.span(idle / 32, idle / 8),
            _ => self.dice.span(idle / 16, idle / 2),
        }
    }

    /// One message of the protocol, whichever.
    fn talk(&mut self, kernel: &mut Kernel, house: &House, settings: &Settings) {
        let Some(link) = &self.link else { return };
        let is_flooded = link.waiting() > 4_096;
        if is_flooded {
            return;
        }
        let wants_login = settings.login != Login::None && link.ear.user.is_none();
        let has_asked = link.ear.owed.iter().any(|owed| {
            matches!(
                owed,
                super::ear::Owed::Answer {
                    say: Say::Login(_),
                    ..
                }
            )
        });
        if wants_login && !has_asked {
            let name = self.names[0].clone();
            return self.say(&Say::Login(name), kernel, house);
        }
        if house.is_quiet && link.ear.owed.len() > 1 {
            // In the end few questions at a time, so that all are answered at times.
            return;
        }
        if house.is_quiet || link.ear.user.is_none() {
            return self.say(&Say::Ping, kernel, house);
        }
        let say = self.choose(house, settings);
        self.say(&say, kernel, house);
    }

    fn choose(&mut self, house: &House, settings: &Settings) -> Say {
        let topic = self.dice.pick(&house.topics).clone();
        match self.dice.below(16) {
            0..=4 => Say::Ping,
            5..=7 => self.letter_to_user(house, settings, false),
            8..=9 => self.letter_to_user(house, settings, true),
            10 => Say::Join(topic),
            11 => Say::Leave(topic),
            12..=13 => {
                let text = self.letter(settings, &format!("t:{topic}"));
                Say::Publish { topic, text }
            }
            14 => Say::Data("for whom it may concern".into()),
            _ if self.names.len() > 1 => Say::Login(self.dice.pick(&self.names).clone()),
            _ => Say::Ack(self.dice.below(1 << 30)),
        }
    }

    fn letter_to_user(&mut self, house: &House, settings: &Settings, ack: bool) -> Say {
        let to = self.dice.pick(&house.users).clone();
        let text = self.letter(settings, &format!("u:{to}"));
        Say::Send { to, text, ack }
    }

    /// A text of any size that a frame of this listener holds.
    fn letter(&mut self, settings: &Settings, to: &str) -> String {
        self.number += 1;
        let most = settings.frame_max.saturating_sub(200).min(2_000);
        let fill = if self.dice.one_in(4) {
            self.dice.size(0, most)
        } else {
            0
        };
        letter((self.who, self.life), self.number, to, &self.names, fill)
    }

    /// A message whose arrival proves that the house works.
    pub(crate) fn prove(&mut self, kernel: &mut Kernel, house: &mut House, to: &str, ack: bool) {
        let settings = house.settings[usize::from(self.listener)].clone();
        if settings.dialect != Dialect::Gate {
            self.talk_plain(kernel, house, &settings);
            return self.send_at_once(kernel);
        }
        self.number += 1;
        let target = format!("u:{to}");
        let text = letter((self.who, self.life), self.number, &target, &self.names, 0);
        let may_send = self
            .link
            .as_ref()
            .is_some_and(|link| link.ear.may_send(&settings));
        if may_send && settings.allow.send {
            house.unheard.insert((self.who, self.number, ANYBODY));
            self.say(
                &Say::Send {
                    to: to.to_owned(),
                    text,
                    ack,
                },
                kernel,
                house,
            );
        } else {
            self.say(&Say::Ping, kernel, house);
        }
        self.send_at_once(kernel);
    }

    fn send_at_once(&mut self, kernel: &mut Kernel) {
        if let Some(link) = &mut self.link {
            link.glued = 3;
        }
        self.flush(kernel);
        self.set_alarm(kernel);
    }

    /// Frames of the dialects without messages.
    fn talk_plain(&mut self, kernel: &mut Kernel, house: &House, settings: &Settings) -> Nanos {
        let Some(link) = &mut self.link else {
            return Nanos::MAX;
        };
        if house.is_quiet && (link.waiting() > 0 || link.ear.owed.len() > 1) {
            return self.beat(house, settings);
        }
        let most = if house.is_quiet {
            4
        } else {
            settings.frame_max.min(300) - 2
        };
        let is_flood = self.persona.speech == Speech::Flood && link.said < 500;
        for _ in 0..if is_flood { 20 } else { 1 } {
            let size = self.dice.size(1, most);
            let body = match settings.framing {
                Framing::LenHdr { .. } => format!("\"{}\"", "y".repeat(size - 1)).into_bytes(),
                _ => (0..size)
                    .map(|_| b'a' + self.dice.below(26) as u8)
                    .collect(),
            };
            let Some(link) = &mut self.link else {
                return Nanos::MAX;
            };
            if link.waiting() > 4_096 {
                break;
            }
            if settings.dialect == Dialect::Echo {
                link.expect_echo(&body);
            }
            link.put_frame(&body, settings, kernel);
        }
        if is_flood {
            self.dice.span(0, 20 * MILLI)
        } else {
            self.beat(house, settings)
        }
    }

    /// The front of a frame that never becomes whole, a byte at a time.
    fn begin_endless(&mut self, kernel: &mut Kernel, settings: &Settings) -> Nanos {
        let login_max = settings.login_frame_max.min(settings.frame_max);
        let Some(link) = &mut self.link else {
            return Nanos::MAX;
        };
        if link.said == 0 {
            let mut whole = Vec::new();
            super::wire::frame(settings.framing, &vec![b'z'; login_max], &mut whole);
            whole.truncate(whole.len() - login_max / 2 - 1);
            link.put_raw(&whole[..whole.len().min(30)], kernel);
            link.said = 1;
        } else if (link.said as usize) < login_max / 4 {
            link.put_raw(b"z", kernel);
            link.said += 1;
        }
        self.dice.span(MILLI, 5 * SECOND)
    }

    /// A frame longer than the rules allow.
    fn claim_too_much(&mut self, kernel: &mut Kernel, settings: &Settings) -> Nanos {
        self.go_wild(kernel);
        let Some(link) = &mut self.link else {
            return Nanos::MAX;
        };
        let size = settings.frame_max + 1;
        let bytes = match settings.framing {
            Framing::Line | Framing::Raw => vec![b'q'; size + 1],
            Framing::LenHdr { .. } => format!("length:{size:013}").into_bytes(),
            Framing::Binary(layout) => {
                let front = usize::from(layout.offset) + usize::from(layout.width);
                let mut bytes = vec![0xFF; front];
                bytes[..usize::from(layout.offset)].fill(0);
                bytes
            }
        };
        link.put_raw(&bytes, kernel);
        Nanos::MAX
    }

    /// Another protocol, or none.
    fn talk_foreign(&mut self, kernel: &mut Kernel, kind: u8) -> Nanos {
        self.go_wild(kernel);
        let noise: Vec<u8> = (0..self.dice.size(1, 200))
            .map(|_| self.dice.next() as u8)
            .collect();
        let Some(link) = &mut self.link else {
            return Nanos::MAX;
        };
        let bytes: &[u8] = match kind {
            0 => b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            1 => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            2 => b"SSH-2.0-OpenSSH_9.7\r\n",
            _ => &noise,
        };
        link.put_raw(bytes, kernel);
        self.dice.span(MILLI, 10 * SECOND)
    }

    fn talk_nonsense(&mut self, kernel: &mut Kernel, house: &House, settings: &Settings) -> Nanos {
        let Some(link) = &mut self.link else {
            return Nanos::MAX;
        };
        link.nonsense += 1;
        if link.nonsense >= u32::from(settings.bad_requests_max) {
            self.sin(kernel);
        }
        self.say(&Say::Nonsense, kernel, house);
        self.beat(house, settings) / 4
    }

    /// From now on its bytes are no frames.
    fn go_wild(&mut self, kernel: &mut Kernel) {
        self.sin(kernel);
        let Some(link) = &mut self.link else { return };
        if let Some(socket) = kernel.get_mut(link.key) {
            socket.facts.is_wild = true;
        }
    }

    /// What it does now deserves `close protocol`.
    fn sin(&mut self, kernel: &mut Kernel) {
        let Some(link) = &mut self.link else { return };
        if let Some(socket) = kernel.get_mut(link.key) {
            socket.facts.causes.add(CloseReason::Protocol);
        }
    }
}
