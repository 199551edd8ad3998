//! What happens, for whoever reads along: a backend, or an operator who taps a user.
//!
//! Each reader has a buffer of bounded bytes. What does not fit is lost for this reader, who is
//! told how much; nobody waits for a reader. While nobody reads, an event costs one comparison.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use slab::Slab;
use smol_str::SmolStr;

use super::Gate;
use super::conn::NONE;
use super::offline::body_len;
use crate::codec::message::Body;
use crate::codec::message::to_json;
use crate::memory;
use crate::reason::CloseReason;

/// What kind of event it is: a bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Something for the backend.
    Data = 1,
    /// A connection is a user's now.
    Login = 2,
    /// It is no more.
    Logout = 4,
    /// A connection has ended.
    Close = 8,
    /// A frame of a user who is tapped.
    Tap = 16,
}

impl Kind {
    /// What can be asked for by name.
    pub(crate) const NAMED: [(&'static str, Self); 4] = [
        ("data", Self::Data),
        ("login", Self::Login),
        ("logout", Self::Logout),
        ("close", Self::Close),
    ];

    fn word(self) -> &'static str {
        let mut named = Self::NAMED.into_iter();
        let found = named.find(|(_, kind)| *kind == self);
        found.map_or("frame", |(word, _)| word)
    }
}

/// All readers.
#[derive(Debug, Default)]
pub(crate) struct Events {
    readers: Slab<Reader>,
    /// Kinds that somebody reads.
    wanted: u8,
    /// Readers that have something new since they were last looked at.
    news: Vec<u32>,
    /// The wall clock when the loop began.
    began: Duration,
}

#[derive(Debug)]
struct Reader {
    kinds: u8,
    /// Events of this user only.
    user: Option<SmolStr>,
    lines: VecDeque<(u64, Bytes)>,
    bytes: usize,
    /// The number of the latest event that it got or lost.
    seq: u64,
    lost: u64,
    is_told: bool,
}

/// Making a line takes at most so many times the bytes that it tells of: each may be six in JSON,
/// there and in the line, which doubles as it grows.
const COPIES: usize = 24;

/// What an entry of a buffer costs beside its bytes.
const LINE_COST: usize = 64;

/// One event; a line is made of it once for all readers.
#[derive(Serialize)]
struct Event<'a> {
    r#type: &'static str,
    time: u64,
    connection: u64,
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_hex: Option<String>,
}

impl Events {
    pub(crate) fn new(began: Duration) -> Self {
        Self {
            began,
            ..Self::default()
        }
    }

    pub(crate) fn wants(&self, kind: Kind) -> bool {
        self.wanted & kind as u8 != 0
    }

    /// Readers that have something new.
    pub(crate) fn take_news(&mut self) -> Vec<u32> {
        for reader in &self.news {
            if let Some(reader) = self.readers.get_mut(*reader as usize) {
                reader.is_told = false;
            }
        }
        std::mem::take(&mut self.news)
    }

    /// Bytes that wait for readers; a line that several wait for is counted for each.
    pub(crate) fn waiting(&self) -> usize {
        self.readers.iter().map(|(_, reader)| reader.bytes).sum()
    }

    pub(crate) fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    fn count_wanted(&mut self) {
        let kinds = self.readers.iter().map(|(_, reader)| reader.kinds);
        self.wanted = kinds.fold(0, |all, kinds| all | kinds);
    }

    /// Queues a line for all who want it: how many took it, where anybody does. No line is one
    /// that there was no memory for.
    fn tell(
        &mut self,
        kind: Kind,
        user: Option<&str>,
        line: Option<&Bytes>,
        most: usize,
    ) -> Option<u64> {
        let mut queued = None;
        for (number, reader) in &mut self.readers {
            let is_his = reader
                .user
                .as_deref()
                .is_none_or(|wanted| user == Some(wanted));
            if reader.kinds & kind as u8 == 0 || !is_his {
                continue;
            }
            *queued.get_or_insert(0) += u64::from(reader.take(line, most));
            if !std::mem::replace(&mut reader.is_told, true) {
                self.news.push(u32::try_from(number).unwrap_or(NONE));
            }
        }
        queued
    }
}

impl Reader {
    fn take(&mut self, line: Option<&Bytes>, most: usize) -> bool {
        self.seq += 1;
        // Who has lost something reads what is left first, and is told where the gap is.
        let fits = |line: &&Bytes| self.bytes + line.len() + LINE_COST <= most && self.lost == 0;
        let Some(line) = line.filter(fits) else {
            self.lost += 1;
            return false;
        };
        self.bytes += line.len() + LINE_COST;
        self.lines.push_back((self.seq, line.clone()));
        true
    }

    /// Appends what waits, about so many bytes of it.
    fn read(&mut self, room: usize, out: &mut Vec<u8>) {
        while out.len() < room
            && let Some((seq, line)) = self.lines.front()
        {
            out.extend_from_slice(format!("{{\"seq\":{seq},").as_bytes());
            out.extend_from_slice(line);
            self.bytes -= line.len() + LINE_COST;
            self.lines.pop_front();
        }
        if self.lines.is_empty() && self.lost > 0 {
            let lost = std::mem::take(&mut self.lost);
            out.extend_from_slice(format!("{{\"type\":\"lost\",\"count\":{lost}}}\n").as_bytes());
        }
    }
}

impl Gate {
    /// Takes a reader of these kinds, of that user only where one is named. `None` where there are
    /// enough readers.
    pub(crate) fn read_events(&mut self, kinds: &[Kind], user: Option<&str>) -> Option<u32> {
        if self.events.readers.len() >= self.limits.admin.readers as usize {
            return None;
        }
        let reader = Reader {
            kinds: kinds.iter().fold(0, |all, kind| all | *kind as u8),
            user: user.map(SmolStr::new),
            lines: VecDeque::new(),
            bytes: 0,
            seq: 0,
            lost: 0,
            is_told: false,
        };
        let number = self.events.readers.insert(reader);
        self.events.count_wanted();
        self.see_taps();
        u32::try_from(number).ok()
    }

    /// Forgets a reader.
    pub(crate) fn leave_events(&mut self, reader: u32) {
        self.events.readers.try_remove(reader as usize);
        self.events.news.retain(|told| *told != reader);
        self.events.count_wanted();
        self.see_taps();
    }

    /// Appends what waits for a reader, about so many bytes of it.
    pub(crate) fn next_events(&mut self, reader: u32, room: usize, out: &mut Vec<u8>) {
        if let Some(reader) = self.events.readers.get_mut(reader as usize) {
            reader.read(room, out);
        }
    }

    /// While a user is tapped heartbeats take the way of all frames, where they are seen; else they
    /// pay nothing for taps.
    pub(super) fn see_taps(&mut self) {
        let is_tapped = self.events.wants(Kind::Tap);
        for rules in &mut self.rules {
            rules.see_beats(!is_tapped);
        }
    }

    /// A connection has become somebody's, or is nobody's any more.
    pub(crate) fn tell_login(&mut self, index: u32, user: u32, kind: Kind) {
        if self.events.wants(kind) {
            let name = self.users.at(user).name.clone();
            let event = Event {
                address: (kind == Kind::Login).then(|| self.conns.at(index).peer().to_string()),
                ..self.event(kind, index, Some(&name))
            };
            let line = line(&event);
            self.tell(kind, Some(&name), &line);
        }
    }

    /// A connection ends.
    pub(crate) fn tell_close(&mut self, index: u32, reason: CloseReason, user: Option<&str>) {
        if self.events.wants(Kind::Close) {
            let event = Event {
                address: Some(self.conns.at(index).peer().to_string()),
                reason: Some(reason.word()),
                ..self.event(Kind::Close, index, user)
            };
            let line = line(&event);
            self.tell(Kind::Close, user, &line);
        }
    }

    /// Something for the backend: how many readers took it; `None` where there is none.
    pub(crate) fn tell_data(&mut self, index: u32, body: &Body<'_>) -> Option<u64> {
        if !self.events.wants(Kind::Data) {
            return None;
        }
        let user = self.name_of(index);
        if !memory::is_there(COPIES * body_len(body)) {
            return self.tell_nothing(Kind::Data, user.as_deref());
        }
        let json = to_json(body).and_then(|json| RawValue::from_string(json).ok());
        let event = Event {
            body: json.as_deref(),
            body_hex: match (body, &json) {
                (Body::Bytes(bytes), None) => Some(hex(bytes)),
                _ => None,
            },
            ..self.event(Kind::Data, index, user.as_deref())
        };
        let line = line(&event);
        self.tell(Kind::Data, user.as_deref(), &line)
    }

    /// Whether any user is tapped.
    pub(crate) fn is_tapping(&self) -> bool {
        self.events.wants(Kind::Tap)
    }

    /// A frame of a connection, as its bytes are: `direction` is `in` or `out`.
    pub(crate) fn tell_frame(&mut self, index: u32, direction: &'static str, bytes: &[u8]) {
        let Some(user) = self.name_of(index) else {
            return;
        };
        if !memory::is_there(COPIES * bytes.len()) {
            self.tell_nothing(Kind::Tap, Some(&user));
            return;
        }
        let text = std::str::from_utf8(bytes).ok();
        let json = text.map(|text| to_json(&Body::Text(text.into())));
        let json = json
            .flatten()
            .and_then(|json| RawValue::from_string(json).ok());
        let event = Event {
            direction: Some(direction),
            body_hex: json.is_none().then(|| hex(bytes)),
            body: json.as_deref(),
            ..self.event(Kind::Tap, index, Some(&user))
        };
        let line = line(&event);
        self.tell(Kind::Tap, Some(&user), &line);
    }

    fn tell(&mut self, kind: Kind, user: Option<&str>, line: &Bytes) -> Option<u64> {
        let most = self.limits.admin.event_bytes;
        self.events.tell(kind, user, Some(line), most)
    }

    /// There is no memory for a line: its readers are told that one was lost.
    #[cold]
    fn tell_nothing(&mut self, kind: Kind, user: Option<&str>) -> Option<u64> {
        self.events.tell(kind, user, None, 0)
    }

    fn name_of(&self, index: u32) -> Option<SmolStr> {
        let user = self.conns.at(index).user;
        (user != NONE).then(|| self.users.at(user).name.clone())
    }

    fn event<'a>(&self, kind: Kind, index: u32, user: Option<&'a str>) -> Event<'a> {
        let time = self.events.began + self.clock.elapsed();
        Event {
            r#type: kind.word(),
            time: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
            connection: self.conns.id(index).to_u64(),
            user,
            address: None,
            reason: None,
            direction: None,
            body: None,
            body_hex: None,
        }
    }
}

/// The event as a line, from behind its opening brace: each reader's number stands before it.
fn line(event: &Event<'_>) -> Bytes {
    // It has no keys that are no strings, which is all that can go wrong.
    let mut line = serde_json::to_vec(event).unwrap_or_default();
    line.push(b'\n');
    Bytes::from(line).slice(1..)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
