//! Dialect `gate` as lines of text: words separated by exactly one space, free text at the end.

use std::borrow::Cow;

use super::message::{BadRequest, Body, Request, topic, user};
use super::reply::{Delivery, Fields, Reply};
use super::text;
use crate::reason::{CloseReason, ErrorCode};
use crate::secret::Secret;

/// Reads a line. An empty line is not a request: the caller has taken it for a heartbeat.
///
/// # Errors
/// [`BadRequest`] where the line is not exactly of the form of a message.
pub fn parse(line: &str) -> Result<Request<'_>, BadRequest> {
    let (word, rest) = match line.split_once(' ') {
        Some((word, rest)) => (word, Some(rest)),
        None => (line, None),
    };
    match word {
        "ping" => bare(rest, Request::Ping, "ping"),
        "pong" => bare(rest, Request::Pong, "pong"),
        "login" => login(rest),
        "send" => send(rest, false, "send USER TEXT"),
        "asend" => send(rest, true, "asend USER TEXT"),
        "join" => {
            let topic = topic(field(rest, "join TOPIC")?)?;
            Ok(Request::Join { topic })
        }
        "leave" => {
            let topic = topic(field(rest, "leave TOPIC")?)?;
            Ok(Request::Leave { topic })
        }
        "pub" => {
            let (name, text) = two(rest, "pub TOPIC TEXT")?;
            let topic = topic(name)?;
            Ok(Request::Publish {
                topic,
                body: Body::Text(text),
            })
        }
        "data" => Ok(Request::Data {
            body: Body::Text(field(rest, "data TEXT")?),
        }),
        "ack" => ack(rest),
        "quit" => bare(rest, Request::Quit, "quit"),
        "" if rest.is_none() => Err(BadRequest::Empty),
        _ => Err(BadRequest::Unknown),
    }
}

/// A message that is one word.
fn bare<'a>(
    rest: Option<&str>,
    request: Request<'a>,
    form: &'static str,
) -> Result<Request<'a>, BadRequest> {
    match rest {
        None => Ok(request),
        Some(_) => Err(BadRequest::Form(form)),
    }
}

fn login(rest: Option<&str>) -> Result<Request<'_>, BadRequest> {
    let rest = rest.ok_or(BadRequest::Form("login USER [TOKEN]"))?;
    let (name, token) = rest.split_once(' ').unwrap_or((rest, ""));
    Ok(Request::Login {
        user: user(Cow::Borrowed(name))?,
        token: Secret::new(Cow::Borrowed(token)),
    })
}

fn send<'a>(
    rest: Option<&'a str>,
    ack: bool,
    form: &'static str,
) -> Result<Request<'a>, BadRequest> {
    let (name, text) = two(rest, form)?;
    Ok(Request::Send {
        to: user(name)?,
        body: Body::Text(text),
        ack,
    })
}

fn ack(rest: Option<&str>) -> Result<Request<'_>, BadRequest> {
    let digits = field(rest, "ack ID")?;
    // The parser of the standard library would take a sign, too.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BadRequest::Id);
    }
    let id = digits.parse().map_err(|_| BadRequest::Id)?;
    Ok(Request::Ack { id })
}

/// The one field of a message.
fn field<'a>(rest: Option<&'a str>, form: &'static str) -> Result<Cow<'a, str>, BadRequest> {
    rest.map(Cow::Borrowed).ok_or(BadRequest::Form(form))
}

/// A name and the text after it.
fn two<'a>(
    rest: Option<&'a str>,
    form: &'static str,
) -> Result<(Cow<'a, str>, Cow<'a, str>), BadRequest> {
    let (name, text) = rest
        .and_then(|rest| rest.split_once(' '))
        .ok_or(BadRequest::Form(form))?;
    Ok((Cow::Borrowed(name), Cow::Borrowed(text)))
}

/// Appends a reply to `out`, without the line end.
pub(super) fn write(reply: &Reply<'_>, out: &mut Vec<u8>) {
    match reply {
        Reply::Pong => out.extend_from_slice(b"pong"),
        Reply::Ping => out.extend_from_slice(b"ping"),
        Reply::Ok(fields) => {
            out.extend_from_slice(b"ok");
            if !fields.pairs().is_empty() {
                out.push(b' ');
                write_fields(fields, out);
            }
        }
        Reply::Error(code, text) => write_error(*code, text, out),
        Reply::Message(delivery) => write_message(delivery, out),
        Reply::Close(reason, reconnect_ms) => write_close(*reason, *reconnect_ms, out),
    }
}

/// Appends `KEY=VALUE` pairs, one space between them.
pub(super) fn write_fields(fields: &Fields, out: &mut Vec<u8>) {
    for (at, (key, value)) in fields.pairs().iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(key.as_bytes());
        out.push(b'=');
        text::push_number(*value, out);
    }
}

/// Appends who a message is from, in one word: of a topic the text behind its last `/` is the user.
pub(super) fn write_from(delivery: &Delivery<'_>, out: &mut Vec<u8>) {
    if let Some(topic) = delivery.topic {
        out.extend_from_slice(b"topic:");
        out.extend_from_slice(topic.as_bytes());
        out.push(b'/');
    }
    out.extend_from_slice(delivery.from.unwrap_or("-").as_bytes());
}

fn write_error(code: ErrorCode, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"error ");
    out.extend_from_slice(code.word().as_bytes());
    out.push(b' ');
    text::push_printable(text, out);
}

fn write_message(delivery: &Delivery<'_>, out: &mut Vec<u8>) {
    let word: &[u8] = if delivery.ack { b"msga " } else { b"msg " };
    out.extend_from_slice(word);
    text::push_number(delivery.id, out);
    out.push(b' ');
    write_from(delivery, out);
    out.push(b' ');
    match delivery.body {
        Body::Text(text) => write_in_line(text.as_bytes(), out),
        Body::Json(json) => text::push_compact(json, out),
        Body::Bytes(bytes) => text::each_lossy(bytes, |text| write_in_line(text.as_bytes(), out)),
    }
}

fn write_close(reason: CloseReason, reconnect_ms: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(b"close ");
    out.extend_from_slice(reason.word().as_bytes());
    if reconnect_ms > 0 {
        out.push(b' ');
        text::push_number(u64::from(reconnect_ms), out);
    }
}

/// Appends text with its line breaks spelled out: what is one message must stay one line.
fn write_in_line(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        out.extend_from_slice(&rest[..at]);
        let spelled: &[u8] = if rest[at] == b'\r' { b"\\r" } else { b"\\n" };
        out.extend_from_slice(spelled);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::name::NameError;
    use super::*;

    fn text(text: &str) -> Body<'_> {
        Body::Text(Cow::Borrowed(text))
    }

    fn login<'a>(user: &'a str, token: &'a str) -> Result<Request<'a>, BadRequest> {
        Ok(Request::Login {
            user: user.into(),
            token: Secret::new(token.into()),
        })
    }

    fn send<'a>(to: &'a str, body: &'a str, ack: bool) -> Result<Request<'a>, BadRequest> {
        Ok(Request::Send {
            to: to.into(),
            body: text(body),
            ack,
        })
    }

    fn publish<'a>(topic: &'a str, body: &'a str) -> Result<Request<'a>, BadRequest> {
        Ok(Request::Publish {
            topic: topic.into(),
            body: text(body),
        })
    }

    #[test]
    fn every_message_has_its_line() {
        let topic = || Cow::Borrowed("news");
        for (line, request) in [
            ("ping", Ok(Request::Ping)),
            ("pong", Ok(Request::Pong)),
            ("login alice", login("alice", "")),
            ("login alice ", login("alice", "")),
            ("login alice s3cret", login("alice", "s3cret")),
            ("login alice  two words ", login("alice", " two words ")),
            ("send bob hello", send("bob", "hello", false)),
            ("send bob  a  b ", send("bob", " a  b ", false)),
            ("send bob ", send("bob", "", false)),
            ("send bob a\rb\0ü", send("bob", "a\rb\0ü", false)),
            ("asend bob hello", send("bob", "hello", true)),
            ("asend bob ", send("bob", "", true)),
            ("join news", Ok(Request::Join { topic: topic() })),
            ("leave news", Ok(Request::Leave { topic: topic() })),
            ("pub news hello all", publish("news", "hello all")),
            ("pub a/b ", publish("a/b", "")),
            (
                "data {\"x\": 1}",
                Ok(Request::Data {
                    body: text("{\"x\": 1}"),
                }),
            ),
            ("data ", Ok(Request::Data { body: text("") })),
            ("ack 0", Ok(Request::Ack { id: 0 })),
            ("ack 0007", Ok(Request::Ack { id: 7 })),
            (
                "ack 18446744073709551615",
                Ok(Request::Ack { id: u64::MAX }),
            ),
            ("quit", Ok(Request::Quit)),
        ] {
            assert_eq!(parse(line), request, "{line:?}");
        }
    }

    #[test]
    fn words_must_be_known_and_in_lower_case() {
        for line in [
            "PING",
            "Ping",
            " ping",
            "pin",
            "pings",
            "hello",
            " ",
            "ping\t",
            "\u{FEFF}ping",
        ] {
            assert_eq!(parse(line), Err(BadRequest::Unknown), "{line:?}");
        }
        assert_eq!(parse(""), Err(BadRequest::Empty));
    }

    #[test]
    fn a_line_that_is_not_of_the_form_is_told_the_form() {
        for (line, form) in [
            ("ping ", "ping"),
            ("ping x", "ping"),
            ("pong ", "pong"),
            ("quit now", "quit"),
            ("login", "login USER [TOKEN]"),
            ("send", "send USER TEXT"),
            ("send bob", "send USER TEXT"),
            ("asend bob", "asend USER TEXT"),
            ("pub news", "pub TOPIC TEXT"),
            ("join", "join TOPIC"),
            ("leave", "leave TOPIC"),
            ("data", "data TEXT"),
            ("ack", "ack ID"),
        ] {
            assert_eq!(parse(line), Err(BadRequest::Form(form)), "{line:?}");
        }
    }

    #[test]
    fn fields_are_separated_by_exactly_one_space() {
        for (line, bad) in [
            ("login  alice", BadRequest::User(NameError::Empty)),
            ("login ", BadRequest::User(NameError::Empty)),
            ("send  bob x", BadRequest::User(NameError::Empty)),
            ("send bob\tx y", BadRequest::User(NameError::Space)),
            ("asend  ", BadRequest::User(NameError::Empty)),
            ("pub  news x", BadRequest::Topic(NameError::Empty)),
            ("join  news", BadRequest::Topic(NameError::Space)),
            ("join news ", BadRequest::Topic(NameError::Space)),
            ("join a b", BadRequest::Topic(NameError::Space)),
            ("leave ", BadRequest::Topic(NameError::Empty)),
            ("send topic:x hi", BadRequest::User(NameError::Prefix)),
            ("send - hi", BadRequest::User(NameError::Dash)),
            ("login a/b", BadRequest::User(NameError::Slash)),
        ] {
            assert_eq!(parse(line), Err(bad), "{line:?}");
        }
    }

    #[test]
    fn an_id_is_digits_and_nothing_else() {
        for line in [
            "ack ",
            "ack +1",
            "ack -1",
            "ack 1 ",
            "ack  1",
            "ack 1.0",
            "ack 0x1",
            "ack ١",
            "ack 18446744073709551616",
        ] {
            assert_eq!(parse(line), Err(BadRequest::Id), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn what_a_client_writes_is_read_as_it_meant(
            name in "[a-z][!-.0-9;-~]{0,19}",
            body in "[^\r\n]{0,40}",
        ) {
            let data = Request::Data { body: text(&body) };
            for (line, request) in [
                (format!("login {name} {body}"), login(&name, &body)),
                (format!("send {name} {body}"), send(&name, &body, false)),
                (format!("asend {name} {body}"), send(&name, &body, true)),
                (format!("pub {name} {body}"), publish(&name, &body)),
                (format!("data {body}"), Ok(data)),
            ] {
                prop_assert_eq!(parse(&line), request);
            }
        }

        #[test]
        fn no_line_makes_it_panic(word in "[a-z]{0,6}", rest in any::<String>()) {
            let _ = parse(&rest);
            let _ = parse(&format!("{word} {rest}"));
        }
    }
}
