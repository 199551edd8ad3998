//! What a client may hear: each answer in its order, messages meant for it, the goodbye last.
//!
//! One ear belongs to one connection. It panics where the server breaks its word.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use pulsegate::codec::framing::Framing;
use pulsegate::{Dialect, Login, Settings};

use super::letter::Letter;
use super::wire::{self, Say, Word};

/// What a connection waits for, and what it may be told.
#[derive(Debug)]
pub(crate) struct Ear {
    framing: Framing,
    dialect: Dialect,
    input: Vec<u8>,
    /// Requests without an answer so far, oldest first.
    pub(crate) owed: VecDeque<Owed>,
    /// Names that this connection has asked for.
    names: BTreeSet<String>,
    /// Topics that it has asked to join.
    topics: BTreeSet<String>,
    /// The last number heard from each sender's connection to each target.
    last: BTreeMap<(u32, u32, String), u32>,
    /// How often each acknowledged message came, and what it said.
    copies: BTreeMap<u64, (u8, String)>,
    /// Ids of the others.
    ids: BTreeSet<u64>,
    pub(crate) user: Option<String>,
    /// The goodbye, once it was heard.
    pub(crate) goodbye: Option<String>,
    /// When to come back, as it says.
    pub(crate) goodbye_ms: u64,
    /// Whether it has sent what is no protocol: then answers are not counted.
    pub(crate) is_wild: bool,
    /// Whether messages and answers may be missing: slow consumers of `drop-newest`.
    pub(crate) may_miss: bool,
    /// Logins have a rate.
    pub(crate) may_hurry: bool,
    ack_attempts: u8,
    who: u32,
}

/// A request that was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Owed {
    /// This body, back again.
    Echo(Vec<u8>),
    /// An answer to this.
    Answer {
        say: Say,
        seq: Option<u64>,
        number: u32,
    },
}

/// What the client must do about what it heard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum News {
    /// The server asks whether it is alive.
    Ping,
    /// A message that wants an ack.
    AckWanted(u64),
    /// A message: sender, number.
    Heard(u32, u32),
    /// It is logged in now.
    LoggedIn,
    /// The answer to a request.
    Answered(Say, u32, Fate),
}

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    Done,
    /// Its message is kept for somebody who is not there.
    Kept,
    Refused,
    /// The rate of logins was passed.
    Hurried,
}

impl Ear {
    pub(crate) fn new(who: u32, settings: &Settings) -> Self {
        Self {
            framing: settings.framing,
            dialect: settings.dialect,
            input: Vec::new(),
            owed: VecDeque::new(),
            names: BTreeSet::new(),
            topics: BTreeSet::new(),
            last: BTreeMap::new(),
            copies: BTreeMap::new(),
            ids: BTreeSet::new(),
            user: None,
            goodbye: None,
            goodbye_ms: 0,
            is_wild: false,
            may_miss: false,
            may_hurry: false,
            ack_attempts: settings.ack_attempts,
            who,
        }
    }

    /// Remembers a request whose answer is owed.
    pub(crate) fn expect(&mut self, say: &Say, seq: Option<u64>, number: u32) {
        match say {
            Say::Login(user) => drop(self.names.insert(user.clone())),
            Say::Join(topic) => drop(self.topics.insert(topic.clone())),
            Say::Pong | Say::Ack(_) | Say::Quit => return,
            _ => {}
        }
        self.owed.push_back(Owed::Answer {
            say: say.clone(),
            seq,
            number,
        });
    }

    /// Takes bytes as they come and returns what they say.
    pub(crate) fn hear(&mut self, bytes: &[u8], news: &mut Vec<News>) {
        match self.dialect {
            Dialect::Sink => assert!(bytes.is_empty(), "a sink is silent"),
            Dialect::Frames => {}
            Dialect::Echo => self.hear_echo(bytes),
            Dialect::Gate => {
                self.input.extend_from_slice(bytes);
                while let Some(body) = wire::unframe(self.framing, &mut self.input) {
                    let (word, seq) = wire::read(self.framing, &body);
                    self.take(word, seq, news);
                }
            }
        }
    }

    /// The server has closed its side: nothing may be left half.
    pub(crate) fn end(&self) {
        if !self.is_wild {
            assert!(
                self.input.is_empty(),
                "the stream ends inside a frame: {:?}",
                self.input
            );
        }
    }

    fn hear_echo(&mut self, bytes: &[u8]) {
        if self.framing == Framing::Raw && !self.is_wild {
            for &byte in bytes {
                let front = self.owed.front_mut().expect("an echo needs a call");
                let Owed::Echo(body) = front else {
                    unreachable!("an echo only echoes")
                };
                assert_eq!(body.remove(0), byte, "the echo is what was said");
                if body.is_empty() {
                    self.owed.pop_front();
                }
            }
            return;
        }
        if self.is_wild {
            return;
        }
        self.input.extend_from_slice(bytes);
        while let Some(body) = wire::unframe(self.framing, &mut self.input) {
            let said = self.owed.pop_front();
            assert_eq!(
                said,
                Some(Owed::Echo(body)),
                "the echo is what was said, in order"
            );
        }
    }

    fn take(&mut self, word: Word, seq: Option<u64>, news: &mut Vec<News>) {
        assert!(self.goodbye.is_none(), "{word:?} came after the goodbye");
        match word {
            Word::Ping => news.push(News::Ping),
            Word::Close {
                reason,
                reconnect_ms,
            } => (self.goodbye, self.goodbye_ms) = (Some(reason), reconnect_ms),
            Word::Message {
                id,
                from,
                topic,
                text,
                ack,
            } => {
                self.take_message(id, &from, topic, text, ack, news);
            }
            Word::Pong | Word::Ok(_) | Word::Error(_) => self.take_answer(&word, seq, news),
        }
    }

    fn take_answer(&mut self, word: &Word, seq: Option<u64>, news: &mut Vec<News>) {
        if self.is_wild {
            return;
        }
        let owed = self.owed.pop_front();
        let Some(Owed::Answer {
            say,
            seq: wanted,
            number,
        }) = owed
        else {
            panic!("client {}: {word:?} answers no request", self.who);
        };
        assert_eq!(seq, wanted, "client {}: {word:?} to {say:?}: seq", self.who);
        match (word, &say) {
            (Word::Pong, Say::Ping) => {}
            (_, Say::Ping) | (Word::Pong, _) => panic!("{word:?} does not answer {say:?}"),
            (Word::Ok(fields), _) => {
                check_fields(fields, &say);
                if let Say::Login(user) = &say {
                    if self.user.as_ref() != Some(user) {
                        // Back under an old name, its messages begin anew.
                        self.copies.clear();
                    }
                    self.user = Some(user.clone());
                    news.push(News::LoggedIn);
                }
            }
            (Word::Error(code), _) => self.check_refusal(code, &say),
            _ => unreachable!("answers only"),
        }
        if say != Say::Ping {
            let fate = match word {
                Word::Ok(fields) if fields.iter().any(|(key, _)| key == "offline") => Fate::Kept,
                Word::Ok(_) => Fate::Done,
                Word::Error(code) if code == "rate-limited" => Fate::Hurried,
                _ => Fate::Refused,
            };
            news.push(News::Answered(say, number, fate));
        }
    }

    fn check_refusal(&self, code: &str, say: &Say) {
        let common = ["overloaded", "forbidden", "login-required"];
        let special: &[&str] = match say {
            Say::Login(_) if self.may_hurry => &["user-taken", "rate-limited"],
            Say::Login(_) => &["user-taken"],
            Say::Send { .. } => &["no-such-user"],
            Say::Leave(_) => &["not-joined"],
            Say::Data(_) => &["no-backend"],
            Say::Nonsense => &["bad-request"],
            _ => &[],
        };
        let is_allowed = common.contains(&code) || special.contains(&code);
        assert!(
            is_allowed,
            "client {}: {say:?} was refused with {code}",
            self.who
        );
    }

    fn take_message(
        &mut self,
        id: u64,
        from: &str,
        topic: Option<String>,
        text: String,
        ack: bool,
        news: &mut Vec<News>,
    ) {
        let letter = Letter::read(&text);
        let who = self.who;
        assert!(
            letter.names.contains(&from),
            "client {who}: {text:?} is not from {from}"
        );
        self.check_meant(&letter, topic.as_deref(), ack);
        let (sender, number) = (letter.from, letter.number);
        assert!(
            sender != who || !self.owes_answer_to(number),
            "client {who} got its own message {number} before the ok",
        );
        if ack {
            let copy = self.copies.entry(id).or_insert_with(|| (0, text.clone()));
            copy.0 += 1;
            assert_eq!(copy.1, text, "client {who}: two messages of one id");
            let most = self.ack_attempts;
            assert!(copy.0 <= most, "client {who}: copy {} of {id}", copy.0);
            news.push(News::AckWanted(id));
        } else {
            let last = self
                .last
                .insert((sender, letter.life, letter.to.to_owned()), number);
            assert!(
                last.is_none_or(|last| last < number),
                "client {who}: number {number} of {sender} came after {last:?}",
            );
            assert!(self.ids.insert(id), "client {who}: id {id} came twice");
        }
        news.push(News::Heard(sender, number));
    }

    /// No cross-talk: it is for a name or a topic that this connection has asked for.
    fn check_meant(&self, letter: &Letter<'_>, topic: Option<&str>, ack: bool) {
        let who = self.who;
        if let Some(topic) = topic {
            assert_eq!(letter.to, format!("t:{topic}"), "client {who}: the topic");
            // What was parked for a user follows him to connections that have not joined.
            let has_joined = ack || self.topics.contains(topic);
            assert!(has_joined, "client {who} never joined {topic}");
        } else if let Some(to) = letter.to.strip_prefix("u:") {
            assert!(
                self.names.contains(to),
                "client {who} got what is meant for {to}"
            );
        } else {
            assert_eq!(letter.to, "*", "client {who}: a message to nobody");
        }
    }

    fn owes_answer_to(&self, wanted: u32) -> bool {
        self.owed.iter().any(|owed| match owed {
            Owed::Answer {
                say: Say::Send { .. } | Say::Publish { .. },
                number,
                ..
            } => *number == wanted,
            _ => false,
        })
    }

    /// Whether this connection may send and publish.
    pub(crate) fn may_send(&self, settings: &Settings) -> bool {
        settings.login != Login::None && self.user.is_some()
    }
}

fn check_fields(fields: &[(String, u64)], say: &Say) {
    let get = |key: &str| {
        fields
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| *value)
    };
    match say {
        Say::Login(_) => {
            assert_eq!(get("proto"), Some(1), "ok to a login tells the version");
            assert!(
                get("heartbeat").is_some(),
                "ok to a login tells the heartbeat"
            );
        }
        Say::Send { .. } | Say::Publish { .. } | Say::Data(_) => {
            assert!(
                get("queued").is_some(),
                "ok to {say:?} tells how many: {fields:?}"
            );
        }
        _ => {}
    }
    if get("offline").is_some() {
        assert!(
            matches!(say, Say::Send { ack: true, .. }),
            "only what wants an ack is kept"
        );
    }
}
