//! One client: a script driven by what happens at its connection and by its own alarm.

use pulsegate::codec::framing::Framing;
use pulsegate::{CloseReason, Dialect, Login, Settings};

use super::ear::{Ear, Fate, News};
use super::house::{ANYBODY, House};
use super::link::Link;
use super::origin::{Fate as Header, Origin};
use super::persona::{Acks, Cut, Ending, Persona, Reading, Speech};
use super::wire::{self, Say};
use crate::world::Path;
use crate::world::agenda::{Deed, Nanos, SECOND};
use crate::world::dice::Dice;
use crate::world::kernel::Kernel;
use crate::world::marks::Mark;
use crate::world::socket::Heard;

/// A client and its script.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) who: u32,
    pub(crate) dice: Dice,
    pub(crate) persona: Persona,
    pub(crate) listener: u16,
    pub(crate) path: Path,
    /// Where it comes from, in worlds where that matters.
    pub(crate) origin: Option<Origin>,
    /// The names it logs in under; most have one.
    pub(crate) names: Vec<String>,
    pub(crate) link: Option<Link>,
    /// It never comes back.
    pub(crate) is_retired: bool,
    /// Left out of its world.
    pub(crate) never_comes: bool,
    /// It had all that it wished for since this was last taken off.
    pub(crate) was_content: bool,
    /// The number of its connection.
    pub(super) life: u32,
    /// The number of its last message.
    pub(super) number: u32,
    pub(super) seq: u64,
    pub(super) times: Times,
    alarm: (u32, Nanos),
}

/// When it does what next; `Nanos::MAX` is never.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) connect: Nanos,
    pub(super) speak: Nanos,
    pub(super) cut: Nanos,
    pub(super) read: Nanos,
    pub(super) end: Nanos,
}

impl Times {
    pub(super) const NEVER: Self = Self {
        connect: Nanos::MAX,
        speak: Nanos::MAX,
        cut: Nanos::MAX,
        read: Nanos::MAX,
        end: Nanos::MAX,
    };

    fn next(&self) -> Nanos {
        self.connect
            .min(self.speak)
            .min(self.cut)
            .min(self.read)
            .min(self.end)
    }
}

/// Whether a time has come; it is then taken off.
fn comes(time: &mut Nanos, now: Nanos) -> bool {
    let is_due = *time <= now;
    if is_due {
        *time = Nanos::MAX;
    }
    is_due
}

impl Client {
    pub(crate) fn new(who: u32, dice: Dice, persona: Persona, listener: u16, path: Path) -> Self {
        Self {
            who,
            dice,
            persona,
            listener,
            path,
            origin: None,
            names: Vec::new(),
            link: None,
            is_retired: false,
            never_comes: false,
            was_content: false,
            life: 0,
            number: 0,
            seq: 0,
            times: Times::NEVER,
            alarm: (0, Nanos::MAX),
        }
    }

    /// Comes to life at `at`.
    pub(crate) fn begin(&mut self, kernel: &mut Kernel, at: Nanos) {
        self.times.connect = at;
        self.set_alarm(kernel);
    }

    pub(crate) fn wake(&mut self, kernel: &mut Kernel, house: &mut House, which: u32) {
        if which != self.alarm.0 {
            return;
        }
        self.alarm.1 = Nanos::MAX;
        let now = kernel.now();
        if comes(&mut self.times.connect, now) && self.link.is_none() {
            self.connect(kernel, house);
        }
        if comes(&mut self.times.end, now) && self.link.is_some() {
            self.end(kernel, house);
        }
        if comes(&mut self.times.read, now) && self.link.is_some() {
            self.read(kernel, house);
        }
        if comes(&mut self.times.speak, now) && self.link.is_some() {
            self.speak(kernel, house);
        }
        if comes(&mut self.times.cut, now) && self.link.is_some() {
            self.flush(kernel);
        }
        self.was_content |= self.is_content(house);
        self.set_alarm(kernel);
    }

    /// Something changed at its connection: bytes, room, an end.
    pub(crate) fn stir(&mut self, kernel: &mut Kernel, house: &mut House) {
        let Some(link) = &self.link else { return };
        let is_reset = kernel
            .get(link.key)
            .is_none_or(|socket| socket.peer.is_reset);
        match self.persona.reading {
            Reading::Eager => self.read(kernel, house),
            Reading::Slow(_, gap) => {
                self.times.read = self.times.read.min(kernel.now() + gap);
            }
            Reading::Never if is_reset => self.read(kernel, house),
            Reading::Never => {}
        }
        self.flush(kernel);
        self.set_alarm(kernel);
    }

    fn connect(&mut self, kernel: &mut Kernel, house: &House) {
        if self.is_retired {
            return;
        }
        let now = kernel.now();
        let path = Path {
            from: self.origin.map(|origin| origin.from),
            ..self.path
        };
        let Some(key) = kernel.dial(self.listener, Some(self.who), path) else {
            // As a kernel does: the SYN is sent again after a second.
            self.times.connect = now + SECOND;
            return;
        };
        self.life += 1;
        let settings = &house.settings[usize::from(self.listener)];
        let mut ear = Ear::new(self.who, settings);
        ear.may_miss = settings.slow_consumer == pulsegate::SlowConsumer::DropNewest;
        ear.may_hurry = house.limits_logins;
        ear.is_wild = matches!(self.persona.speech, Speech::Giant | Speech::Foreign(_));
        self.link = Some(Link {
            key,
            ear,
            out: Vec::new(),
            sent: 0,
            base: 0,
            is_finished: false,
            glued: 0,
            said: 0,
            nonsense: 0,
        });
        let header = self.introduce(kernel, settings);
        self.times = Times {
            speak: now,
            ..Times::NEVER
        };
        if self.persona.ending != Ending::Stay || self.persona.reading != Reading::Eager {
            self.times.end = now + self.dice.span(0, 40 * SECOND);
        }
        if header == Some(Header::Late) {
            // It says the front of a header, and nothing behind it, whatever it wants.
            self.times.speak = Nanos::MAX;
            if let Some(link) = &mut self.link {
                link.ear.is_wild = true;
            }
            self.send(kernel);
        }
    }

    /// The world's books get to know where a new connection comes from; a proxy says it first.
    fn introduce(&mut self, kernel: &mut Kernel, settings: &Settings) -> Option<Header> {
        let (origin, link) = (self.origin?, self.link.as_mut()?);
        let header = origin.header();
        let facts = &mut kernel.get_mut(link.key)?.facts;
        facts.source = Some(origin.source());
        facts.is_stranger = origin.is_stranger();
        if let Some((bytes, fate)) = &header {
            facts.header = Some((*fate, bytes.len() as u64));
            if *fate == Header::Bad {
                facts.causes.add(CloseReason::Protocol);
            }
            let end = match fate {
                Header::Good => bytes.len() as u64,
                Header::Bad | Header::Late => u64::MAX,
            };
            if settings.framing != Framing::Raw {
                facts.mark_frame_end(end);
            }
            link.out.extend_from_slice(bytes);
        }
        header.map(|(_, fate)| fate)
    }

    /// Takes what has arrived, and does what it asks for.
    fn read(&mut self, kernel: &mut Kernel, house: &mut House) {
        let mut news = Vec::new();
        let mut buffer = [0; 1_024];
        let (most, again) = match self.persona.reading {
            Reading::Slow(bytes, gap) => (bytes.min(buffer.len()), Some(gap)),
            _ => (buffer.len(), None),
        };
        loop {
            let Some(link) = &mut self.link else { return };
            match kernel.hear(link.key, &mut buffer[..most]) {
                Heard::Bytes(count) => link.ear.hear(&buffer[..count], &mut news),
                Heard::Nothing => break,
                Heard::Fin => {
                    self.note_goodbye(kernel);
                    return self.hear_fin(kernel);
                }
                Heard::Reset => {
                    self.note_goodbye(kernel);
                    return self.part(kernel);
                }
            }
            if let Some(gap) = again {
                self.times.read = kernel.now() + gap;
                break;
            }
        }
        self.note_goodbye(kernel);
        for item in news {
            self.heed(item, kernel, house);
        }
        self.flush(kernel);
        self.was_content |= self.is_content(house);
    }

    fn heed(&mut self, news: News, kernel: &mut Kernel, house: &mut House) {
        let Some(link) = &mut self.link else { return };
        match news {
            News::Ping => {
                kernel.marks.reach(Mark::Pinged);
                self.say(&Say::Pong, kernel, house);
            }
            News::AckWanted(id) => {
                let acks = match self.persona.acks {
                    Acks::Always => true,
                    Acks::Sometimes => self.dice.one_in(2),
                    Acks::Never => false,
                };
                if acks {
                    house.desk.acks.insert(id);
                    self.say(&Say::Ack(id), kernel, house);
                }
            }
            News::Heard(from, number) => {
                house.desk.hear(from, number);
                house.unheard.remove(&(from, number, ANYBODY));
                house.unheard.remove(&(from, number, self.who));
                let was_kept = house.kept.remove(&(from, number));
                kernel.marks.reach_if(was_kept, Mark::ParkedHeard);
            }
            News::LoggedIn => {
                if let Some(socket) = kernel.get_mut(link.key) {
                    socket.facts.is_logged_in = true;
                }
            }
            News::Answered(Say::Login(_), _, Fate::Hurried) => {
                kernel.marks.reach(Mark::LoginHurried);
            }
            News::Answered(Say::Send { .. }, number, fate) if fate != Fate::Done => {
                house.unheard.remove(&(self.who, number, ANYBODY));
                if fate == Fate::Kept {
                    house.kept.insert((self.who, number));
                }
            }
            News::Answered(..) => {}
        }
    }

    /// The world's books get to know what the client was told.
    fn note_goodbye(&mut self, kernel: &mut Kernel) {
        let Some(link) = &self.link else { return };
        let Some(goodbye) = &link.ear.goodbye else {
            return;
        };
        let reason = CloseReason::ALL
            .into_iter()
            .find(|reason| reason.word() == goodbye);
        let reason = reason.unwrap_or_else(|| panic!("no reason of the protocol: {goodbye}"));
        if let Some(socket) = kernel.get_mut(link.key) {
            socket.facts.told = Some(reason);
            socket.facts.told_ms = link.ear.goodbye_ms;
        }
    }

    /// Whether it has all that it could wish for: a connection, a login, every answer.
    fn is_content(&self, house: &House) -> bool {
        let Some(link) = &self.link else { return false };
        let settings = &house.settings[usize::from(self.listener)];
        let wants_login = settings.dialect == Dialect::Gate && settings.login != Login::None;
        let has_login = !wants_login || link.ear.user.is_some();
        has_login && link.ear.owed.is_empty() && link.sent == link.out.len()
    }

    /// Whether what is sent to everyone is sent to it.
    pub(super) fn takes_everything(&self, house: &House) -> bool {
        let Some(link) = &self.link else { return false };
        let settings = &house.settings[usize::from(self.listener)];
        let is_welcome = settings.login != Login::Required || link.ear.user.is_some();
        settings.dialect == Dialect::Gate && is_welcome && !link.ear.may_miss
    }

    /// Appends a message to what it will send.
    pub(super) fn say(&mut self, say: &Say, kernel: &mut Kernel, house: &House) {
        let settings = &house.settings[usize::from(self.listener)];
        let Some(link) = &mut self.link else { return };
        // Whoever is in the middle of a frame that never ends says nothing else.
        let speech = self.persona.speech;
        if matches!(speech, Speech::Endless | Speech::Giant | Speech::Foreign(_)) {
            return;
        }
        if link.is_finished {
            return;
        }
        let seq = matches!(settings.framing, Framing::LenHdr { .. })
            .then(|| {
                self.seq += 1;
                self.seq
            })
            .filter(|seq| seq % 3 > 0);
        let body = wire::body(settings.framing, say, seq);
        link.ear.expect(say, seq, self.number);
        link.put_frame(&body, settings, kernel);
    }

    /// Sends what waits, also where it would be glued.
    fn send(&mut self, kernel: &mut Kernel) {
        if let Some(link) = &mut self.link {
            link.glued = 3;
        }
        self.flush(kernel);
    }

    /// Sends what waits, in the pieces it is used to.
    pub(super) fn flush(&mut self, kernel: &mut Kernel) {
        let Some(link) = &mut self.link else { return };
        let left = link.out.len() - link.sent;
        let is_held_back = link.is_finished && kernel.get(link.key).is_none();
        if left == 0 || is_held_back {
            return;
        }
        let (piece, gap) = match self.persona.cut {
            Cut::Whole => (left, 0),
            Cut::Glued if link.glued < 3 && !link.is_finished => return,
            Cut::Glued => (left, 0),
            Cut::Torn(gap) => (self.dice.size(1, left), gap),
            Cut::Drip(gap) => (1, gap),
        };
        link.glued = 0;
        if self.times.cut != Nanos::MAX && gap > 0 {
            return;
        }
        let said = kernel.say(link.key, &link.out[link.sent..link.sent + piece]);
        link.sent += said;
        if link.sent == link.out.len() {
            link.base += link.sent as u64;
            link.out.clear();
            link.sent = 0;
        } else if said == piece {
            self.times.cut = kernel.now() + gap;
        }
    }

    pub(super) fn set_alarm(&mut self, kernel: &mut Kernel) {
        let next = self.times.next();
        if next < self.alarm.1 {
            self.alarm = (self.alarm.0 + 1, next);
            kernel.agenda.at(next, Deed::Wake(self.who, self.alarm.0));
        }
    }
}
