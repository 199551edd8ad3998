//! What has happened, for people and for programs: a line each, with its time; and the history of
//! the connection.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::clock;
use crate::client::{Body, Event, GaveUp, Lost, Outcome, Refusal};
use crate::commands::show::{Table, harmless, shown, span, time_of_day};
use crate::commands::{Problem, print};

/// Something that has happened.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum News {
    /// To the client.
    Event(Event),
    /// A frame has come, over a connection without a client.
    Heard(Vec<u8>),
    /// Such a connection has come about.
    Opened,
    /// It is gone, and why.
    Closed(String),
}

/// Prints what happens, and remembers what happened to the connection.
pub(super) struct Teller {
    is_json: bool,
    /// Milliseconds since 1970, and what happened then.
    history: Vec<(u64, String)>,
}

impl Teller {
    pub(super) fn new(is_json: bool) -> Self {
        Self {
            is_json,
            history: Vec::new(),
        }
    }

    /// Prints what has happened; returns it as a text without the time. An answer to a ping is a
    /// pong.
    pub(super) fn tell(&mut self, news: &News, is_pong: bool) -> Result<String, Problem> {
        let now = clock::wall_ms();
        let text = match is_pong {
            true => String::from("pong"),
            false => text(news),
        };
        if is_about_the_connection(news) && self.history.len() < HISTORY_MAX {
            self.history.push((now, text.clone()));
        }
        if self.is_json {
            let mut object = object(news);
            if is_pong {
                object.insert("type".into(), "pong".into());
            }
            object.insert("time".into(), now.into());
            print(&(harmless(&Value::Object(object).to_string()) + "\n"))?;
        } else {
            print(&format!("{}  {text}\n", time_of_day(now)))?;
        }
        Ok(text)
    }

    /// Prints what a script says.
    pub(super) fn say(&self, line: &str) -> Result<(), Problem> {
        let now = clock::wall_ms();
        if self.is_json {
            let object = json!({"type": "said", "text": line, "time": now});
            return print(&(harmless(&object.to_string()) + "\n"));
        }
        print(&format!("{}  > {}\n", time_of_day(now), shown(line)))
    }

    /// Prints what happened to the connection, and how long each state lasted.
    pub(super) fn tell_history(&self) -> Result<(), Problem> {
        if self.is_json {
            return Ok(());
        }
        let mut table = Table::new(&["AT", ">FOR", "WHAT HAPPENED TO THE CONNECTION"]);
        let ends = self.history.iter().skip(1).map(|(at, _)| *at);
        let ends = ends.chain([clock::wall_ms()]);
        for ((at, what), end) in self.history.iter().zip(ends) {
            let lasted = span(end.saturating_sub(*at));
            table.row([time_of_day(*at), lasted, what.clone()]);
        }
        print(&format!("\n{}", table.text()))
    }

    /// Whether there was more than one connection.
    pub(super) fn has_come_back(&self) -> bool {
        let connected = self.history.iter().filter(|(_, what)| what == "connected");
        connected.count() > 1
    }
}

fn is_about_the_connection(news: &News) -> bool {
    !matches!(
        news,
        News::Heard(_) | News::Event(Event::Answer { .. } | Event::Message(_))
    )
}

/// As people may see it, without a time.
fn text(news: &News) -> String {
    let text = match news {
        News::Opened => String::from("connected"),
        News::Closed(why) => format!("lost ({why})"),
        News::Heard(body) => match std::str::from_utf8(body) {
            Ok(body) => body.to_owned(),
            Err(_) => format!("\"{}\"", body.escape_ascii()),
        },
        News::Event(Event::GaveUp(GaveUp::Quit)) => String::from("left"),
        News::Event(Event::Answer { outcome, .. }) => outcome.to_string(),
        News::Event(Event::Retrying { attempt, after }) => {
            format!("retrying ({attempt}, in {})", brief(*after))
        }
        News::Event(Event::Message(letter)) => {
            let from = letter.from.as_deref().unwrap_or("-");
            let topic = letter.topic.as_deref();
            let topic = topic.map_or_else(String::new, |topic| format!(" to {topic}"));
            format!("from {from}{topic}: {}", body(&letter.body))
        }
        News::Event(event) => event.to_string(),
    };
    shown(&text)
}

fn brief(span_of_time: Duration) -> String {
    span(u64::try_from(span_of_time.as_millis()).unwrap_or(u64::MAX))
}

fn body(body: &Body<'_>) -> String {
    match body {
        Body::Text(text) | Body::Json(text) => text.clone().into_owned(),
        Body::Bytes(bytes) => format!("\"{}\"", bytes.escape_ascii()),
    }
}

/// As programs want it, without a time.
fn object(news: &News) -> Map<String, Value> {
    let value = match news {
        News::Opened | News::Event(Event::Connected) => json!({"type": "connected"}),
        News::Closed(why) => json!({"type": "lost", "text": why}),
        News::Heard(body) => match std::str::from_utf8(body) {
            Ok(body) => json!({"type": "heard", "body": body}),
            Err(_) => json!({"type": "heard", "body_hex": hex(body)}),
        },
        News::Event(Event::Lost(lost)) => lost_object("lost", lost),
        News::Event(Event::Retrying { attempt, after }) => {
            let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            json!({"type": "retrying", "attempt": attempt, "after_ms": after})
        }
        News::Event(Event::GaveUp(GaveUp::Told(lost))) => lost_object("gave-up", lost),
        News::Event(Event::GaveUp(GaveUp::Quit)) => json!({"type": "left"}),
        News::Event(Event::GaveUp(why)) => json!({"type": "gave-up", "text": why.to_string()}),
        News::Event(Event::Answer { request, outcome }) => answer(request.0, outcome),
        News::Event(Event::Message(letter)) => {
            let mut object = json!({
                "type": "msg", "id": letter.id, "from": letter.from.as_deref().unwrap_or("-"),
                "ack": letter.ack,
            });
            if let Some(topic) = letter.topic.as_deref() {
                object["topic"] = topic.into();
            }
            match &letter.body {
                Body::Text(text) => object["body"] = text.clone().into(),
                Body::Json(text) => {
                    let read = serde_json::from_str(text);
                    object["body"] = read.unwrap_or_else(|_| text.clone().into());
                }
                Body::Bytes(bytes) => object["body_hex"] = hex(bytes).into(),
            }
            object
        }
        News::Event(Event::NotRejoined { topic, refusal }) => {
            let (code, text) = (&refusal.code, &refusal.text);
            json!({"type": "not-rejoined", "topic": topic, "code": code, "text": text})
        }
    };
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn lost_object(kind: &str, lost: &Lost) -> Value {
    let mut object = json!({"type": kind, "text": lost.to_string()});
    if let Lost::Closed(reason) = lost {
        object["reason"] = reason.word().into();
    }
    object
}

fn answer(request: u64, outcome: &Outcome) -> Value {
    let word = match outcome {
        Outcome::Done(_) => "ok",
        Outcome::Refused(_) => "error",
        Outcome::Unknown => "unknown",
        Outcome::Unsent => "unsent",
    };
    let mut object = json!({});
    match outcome {
        Outcome::Done(grant) => {
            for (key, value) in grant.pairs() {
                object[key] = value.into();
            }
        }
        Outcome::Refused(Refusal { code, text }) => {
            object["code"] = (**code).into();
            object["text"] = (**text).into();
        }
        Outcome::Unknown | Outcome::Unsent => {}
    }
    // No server decides about these.
    object["type"] = word.into();
    object["request"] = request.into();
    object
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Rows of a history.
const HISTORY_MAX: usize = 10_000;
