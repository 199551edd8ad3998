//! Which protocol is spoken and how, as it stands in a plan.

use std::fmt;

use pulsegate::codec::framing::{Endian, Framing, Layout};
use serde::{Deserialize, Serialize};

use super::{Speech, custom, gate, mqtt, nats, redis};

/// The choice of a protocol.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Manner {
    pub(crate) dialect: Dialect,
    /// How pulsegate's own dialects are framed.
    pub(crate) framing: Wire,
    /// Bytes of a body, where the protocol lets us choose.
    pub(crate) size: Option<u32>,
    /// Connections log in under this name and their number.
    pub(crate) user: Option<String>,
    /// Of dialect `custom`: the request's bytes in hex.
    pub(crate) request: Option<String>,
    /// Of dialect `custom`: the answer's bytes in hex.
    pub(crate) answer: Option<String>,
    /// Of dialect `custom`: an answer ends with these bytes, in hex.
    pub(crate) answer_end: Option<String>,
}

/// A protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Dialect {
    /// pulsegate's own messages: ping and pong
    #[default]
    Gate,
    /// Frames that come back as they were sent
    Echo,
    /// Frames that nobody answers
    Sink,
    /// Redis: PING
    Redis,
    /// memcached: version
    Memcached,
    /// MQTT 3.1.1: CONNECT, then PINGREQ
    Mqtt,
    /// NATS: CONNECT, then PING
    Nats,
    /// Bytes given in hex: --request, and --answer or --answer-end
    Custom,
}

/// How pulsegate's own dialects are framed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Wire {
    /// No frames: bytes
    Raw,
    /// A line each
    #[default]
    Line,
    /// `length:` and 13 digits, then JSON
    Lenhdr,
    /// A length of 4 bytes, big-endian
    Binary,
    /// A length of 2 bytes, big-endian
    Binary2,
}

impl Wire {
    pub(crate) fn framing(self) -> Framing {
        let binary = |width| {
            Framing::Binary(Layout {
                width,
                endian: Endian::Big,
                offset: 0,
                adjust: 0,
                strip: None,
            })
        };
        match self {
            Self::Raw => Framing::Raw,
            Self::Line => Framing::Line,
            Self::Lenhdr => Framing::LenHdr { bare_ping: false },
            Self::Binary => binary(4),
            Self::Binary2 => binary(2),
        }
    }
}

impl Manner {
    /// Whether a request is answered at all.
    pub(crate) fn is_answered(&self) -> bool {
        match self.dialect {
            Dialect::Sink => false,
            Dialect::Custom => self.answer.is_some() || self.answer_end.is_some(),
            _ => true,
        }
    }

    /// Whether messages can be published to topics.
    pub(crate) fn knows_topics(&self) -> bool {
        let speech = self.speech();
        speech.is_ok_and(|speech| speech.join("topic", &mut Vec::new()).is_some())
    }

    /// Gives everybody a name, where publishing needs one.
    pub(crate) fn login_by_default(&mut self) {
        if self.dialect == Dialect::Gate {
            self.user.get_or_insert_with(|| String::from("load"));
        }
    }

    /// A frame that announces more than anybody takes or, where nothing is announced, is so long.
    pub(crate) fn giant(&self) -> Vec<u8> {
        let is_framed = matches!(self.dialect, Dialect::Gate | Dialect::Echo | Dialect::Sink);
        match (is_framed, self.framing) {
            (true, Wire::Lenhdr) => b"length:9999999999999".to_vec(),
            (true, Wire::Binary) => vec![0xFF; 4],
            _ => vec![b'x'; GIANT],
        }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        self.speech().map(drop)
    }

    /// Makes it ready to be spoken.
    ///
    /// # Errors
    /// What about the choice makes no sense.
    pub(crate) fn speech(&self) -> Result<Speech, String> {
        let is_framed = matches!(self.dialect, Dialect::Gate | Dialect::Echo | Dialect::Sink);
        if !is_framed && self.framing != Wire::default() {
            return Err(format!("{} has its own framing", word(self.dialect)));
        }
        if self.user.is_some() && self.dialect != Dialect::Gate {
            return Err(format!("{} knows no login here", word(self.dialect)));
        }
        match self.dialect {
            Dialect::Gate => gate::talk(self),
            Dialect::Echo => gate::echo(self, true),
            Dialect::Sink => gate::echo(self, false),
            Dialect::Redis => Ok(redis::speech()),
            Dialect::Memcached => Ok(custom::memcached()),
            Dialect::Mqtt => Ok(mqtt::speech()),
            Dialect::Nats => Ok(nats::speech()),
            Dialect::Custom => custom::speech(self),
        }
    }
}

impl fmt::Display for Manner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&word(self.dialect))?;
        if matches!(self.dialect, Dialect::Gate | Dialect::Echo | Dialect::Sink) {
            write!(f, " on {}", word(self.framing))?;
        }
        if let Some(size) = self.size {
            write!(f, ", {size} bytes")?;
        }
        if let Some(user) = &self.user {
            write!(f, ", users {user}-0 and up")?;
        }
        for (name, hex) in [
            ("request", &self.request),
            ("answer", &self.answer),
            ("answer ends with", &self.answer_end),
        ] {
            if let Some(hex) = hex {
                write!(f, ", {name} {hex}")?;
            }
        }
        Ok(())
    }
}

/// Bytes without an end.
const GIANT: usize = 1 << 20;

/// The word of a choice on the command line.
fn word(choice: impl clap::ValueEnum) -> String {
    choice
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}
