//! Dialect `gate` as JSON, incoming: one object with `type`.
//!
//! The object is read in two steps: first which keys it has, each value still as it was written,
//! then the fields that its `type` asks for. So a syntax error anywhere is told from a wrong field,
//! a body keeps its spelling, and nothing recurses, however deep a value is nested.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::framing::FrameError;
use super::message::{BadRequest, Body, Parsed, Request, Seq, topic, user};

/// Judges whether `body` is JSON, without looking at what it says.
///
/// # Errors
/// [`FrameError::Json`] where it is not.
pub fn check(body: &[u8]) -> Result<(), FrameError> {
    let text = std::str::from_utf8(body).map_err(|_| FrameError::Json)?;
    check_text(text)
}

/// Reads a JSON body.
///
/// # Errors
/// [`FrameError::Json`] where it is not JSON at all: the connection ends. What is JSON but no
/// message is told in [`Parsed::request`], beside the `seq` that its answer must repeat.
pub fn parse(body: &[u8]) -> Result<Parsed<'_>, FrameError> {
    let text = std::str::from_utf8(body).map_err(|_| FrameError::Json)?;
    let Ok(object) = serde_json::from_str::<Object<'_>>(text) else {
        // It stopped at the first thing that is no object; a syntax error may follow.
        check_text(text)?;
        return Ok(Parsed {
            request: Err(BadRequest::NotObject),
            seq: None,
        });
    };
    Ok(match object.seq() {
        Ok(seq) => Parsed {
            request: object.request(),
            seq,
        },
        Err(bad) => Parsed {
            request: Err(bad),
            seq: None,
        },
    })
}

pub(super) fn check_text(text: &str) -> Result<(), FrameError> {
    serde_json::from_str::<IgnoredAny>(text)
        .map(|_| ())
        .map_err(|_| FrameError::Json)
}

/// Reads a body that is written as this JSON value, known to be well-formed.
///
/// # Errors
/// [`BadRequest::Surrogate`] where a string in it is no text.
pub fn body(written: &str) -> Result<Body<'_>, BadRequest> {
    if written.starts_with('"') {
        return Ok(Body::Text(unquote(written)?));
    }
    // It is passed on as it is: what breaks a receiver's parser must not reach it.
    if has_lone_surrogate(written) {
        return Err(BadRequest::Surrogate);
    }
    Ok(Body::Json(Cow::Borrowed(written)))
}

/// The keys of a message and their values as they were written.
#[derive(Default)]
struct Object<'a> {
    known: [Option<&'a str>; Key::ALL.len()],
    /// The other keys, only to find one that stands twice.
    unknown: Vec<Cow<'a, str>>,
    /// What is wrong with the keys themselves.
    bad: Option<BadRequest>,
    /// Whether it is `seq` that stands twice: which of the two should be repeated?
    is_seq_unclear: bool,
}

/// A key that some message knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Type,
    Seq,
    User,
    Token,
    To,
    Topic,
    Body,
    Id,
    Ack,
}

impl Key {
    const ALL: [Self; 9] = [
        Self::Type,
        Self::Seq,
        Self::User,
        Self::Token,
        Self::To,
        Self::Topic,
        Self::Body,
        Self::Id,
        Self::Ack,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Seq => "seq",
            Self::User => "user",
            Self::Token => "token",
            Self::To => "to",
            Self::Topic => "topic",
            Self::Body => "body",
            Self::Id => "id",
            Self::Ack => "ack",
        }
    }
}

impl<'a> Object<'a> {
    fn request(&self) -> Result<Request<'a>, BadRequest> {
        if let Some(bad) = self.bad {
            return Err(bad);
        }
        match &*self.text(Key::Type)? {
            "ping" => Ok(Request::Ping),
            "pong" => Ok(Request::Pong),
            "login" => Ok(Request::Login {
                user: user(self.text(Key::User)?)?,
                token: self.token()?,
            }),
            "send" => Ok(Request::Send {
                to: user(self.text(Key::To)?)?,
                body: self.body()?,
                ack: self.ack()?,
            }),
            "join" => Ok(Request::Join {
                topic: topic(self.text(Key::Topic)?)?,
            }),
            "leave" => Ok(Request::Leave {
                topic: topic(self.text(Key::Topic)?)?,
            }),
            "pub" => Ok(Request::Publish {
                topic: topic(self.text(Key::Topic)?)?,
                body: self.body()?,
            }),
            "data" => Ok(Request::Data { body: self.body()? }),
            "ack" => {
                // JSON's own grammar leaves only digits where this succeeds.
                let id = self.value(Key::Id)?.parse().map_err(|_| BadRequest::Id)?;
                Ok(Request::Ack { id })
            }
            "quit" => Ok(Request::Quit),
            _ => Err(BadRequest::Unknown),
        }
    }

    /// What the answer must repeat, where there is anything.
    fn seq(&self) -> Result<Option<Seq<'a>>, BadRequest> {
        const LIMIT: u64 = 1 << 53; // beyond it a client that counts in doubles loses count
        let Some(written) = self.known[Key::Seq as usize] else {
            return Ok(None);
        };
        if self.is_seq_unclear {
            return Err(BadRequest::DuplicateKey);
        }
        if written.starts_with('"') {
            let text = unquote(written)?;
            return match text.len() {
                0..=64 => Ok(Some(Seq::Text(text))),
                _ => Err(BadRequest::Seq),
            };
        }
        match written.parse::<i64>() {
            Ok(number) if number.unsigned_abs() <= LIMIT => Ok(Some(Seq::Number(number))),
            _ => Err(BadRequest::Seq),
        }
    }

    fn value(&self, key: Key) -> Result<&'a str, BadRequest> {
        self.known[key as usize].ok_or_else(|| BadRequest::Missing(key.word()))
    }

    fn text(&self, key: Key) -> Result<Cow<'a, str>, BadRequest> {
        let written = self.value(key)?;
        if !written.starts_with('"') {
            return Err(BadRequest::NotText(key.word()));
        }
        unquote(written)
    }

    fn token(&self) -> Result<Cow<'a, str>, BadRequest> {
        match self.known[Key::Token as usize] {
            None | Some("null") => Ok(Cow::Borrowed("")),
            Some(_) => self.text(Key::Token),
        }
    }

    fn ack(&self) -> Result<bool, BadRequest> {
        match self.known[Key::Ack as usize] {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(BadRequest::NotBool(Key::Ack.word())),
        }
    }

    fn body(&self) -> Result<Body<'a>, BadRequest> {
        body(self.value(Key::Body)?)
    }

    fn insert(&mut self, key: &'a str, value: &'a str) {
        let key = match unquote(key) {
            Ok(key) => key,
            Err(bad) => {
                self.bad.get_or_insert(bad);
                return;
            }
        };
        let Some(known) = Key::ALL.into_iter().find(|known| known.word() == key) else {
            self.unknown.push(key);
            return;
        };
        if self.known[known as usize].replace(value).is_some() {
            self.bad = Some(BadRequest::DuplicateKey);
            self.is_seq_unclear |= known == Key::Seq;
        }
    }

    /// Looks for an unknown key that stands twice. Sorting keeps hostile keys from being compared
    /// each with each, and needs no hash that could be guessed.
    fn finish(&mut self) {
        self.unknown.sort_unstable();
        if self.unknown.windows(2).any(|pair| pair[0] == pair[1]) {
            self.bad = Some(BadRequest::DuplicateKey);
        }
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// Collects an object's keys; the values are skipped over, not read.
struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut object = Object::default();
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            object.insert(key.get(), value.get());
        }
        object.finish();
        Ok(object)
    }
}

/// The text that a JSON string stands for; the string is known to be well-formed.
pub(super) fn unquote(written: &str) -> Result<Cow<'_, str>, BadRequest> {
    let inside = &written[1..written.len() - 1];
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(inside));
    }
    // Only a surrogate without its other half is well-formed and still no text.
    serde_json::from_str(written)
        .map(Cow::Owned)
        .map_err(|_| BadRequest::Surrogate)
}

/// Whether some string in a well-formed JSON value holds half a surrogate pair.
fn has_lone_surrogate(json: &str) -> bool {
    let mut rest = json.as_bytes();
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let length = match (unit(&rest[at..]), rest.get(at + 6..).and_then(unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => return true,
            (Some(_), _) => 6,
            (None, _) => 2,
        };
        rest = rest.get(at + length..).unwrap_or_default();
    }
    false
}

/// The UTF-16 unit of a `\u` escape at the front of `text`.
fn unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::name::NameError;
    use super::*;

    fn text(text: &str) -> Body<'_> {
        Body::Text(Cow::Borrowed(text))
    }

    fn json(json: &str) -> Body<'_> {
        Body::Json(Cow::Borrowed(json))
    }

    fn request(body: &str) -> Result<Request<'_>, BadRequest> {
        parse(body.as_bytes()).unwrap().request
    }

    fn body(of: &str) -> Result<Body<'_>, BadRequest> {
        match request(of)? {
            Request::Data { body } => Ok(body),
            other => panic!("{other:?}"),
        }
    }

    fn seq(body: &str) -> Option<Seq<'_>> {
        parse(body.as_bytes()).unwrap().seq
    }

    #[test]
    fn every_message_has_its_object() {
        let login = |token| Request::Login {
            user: "alice".into(),
            token: Cow::Borrowed(token),
        };
        let send = |ack| Request::Send {
            to: "bob".into(),
            body: text("hello"),
            ack,
        };
        let topic = || Cow::Borrowed("news");
        let publish = Request::Publish {
            topic: topic(),
            body: json("[1]"),
        };
        for (body, expected) in [
            (r#"{"type":"ping"}"#, Request::Ping),
            (r#" { "type" : "pong" } "#, Request::Pong),
            (
                r#"{"type":"login","user":"alice","token":"a b"}"#,
                login("a b"),
            ),
            (r#"{"type":"login","user":"alice","token":""}"#, login("")),
            (r#"{"type":"login","user":"alice","token":null}"#, login("")),
            (r#"{"user":"alice","type":"login"}"#, login("")),
            (r#"{"type":"send","to":"bob","body":"hello"}"#, send(false)),
            (
                r#"{"type":"send","to":"bob","body":"hello","ack":false}"#,
                send(false),
            ),
            (
                r#"{"type":"send","to":"bob","body":"hello","ack":true}"#,
                send(true),
            ),
            (
                r#"{"type":"join","topic":"news"}"#,
                Request::Join { topic: topic() },
            ),
            (
                r#"{"type":"leave","topic":"news"}"#,
                Request::Leave { topic: topic() },
            ),
            (r#"{"type":"pub","topic":"news","body":[1]}"#, publish),
            (
                r#"{"type":"data","body":""}"#,
                Request::Data { body: text("") },
            ),
            (
                r#"{"type":"ack","id":18446744073709551615}"#,
                Request::Ack { id: u64::MAX },
            ),
            (r#"{"type":"quit"}"#, Request::Quit),
        ] {
            assert_eq!(request(body), Ok(expected), "{body}");
        }
    }

    #[test]
    fn escapes_are_read_in_keys_and_values() {
        let login = Request::Login {
            user: "älice".into(),
            token: "🦀\n".into(),
        };
        let written = r#"{"\u0074ype":"l\u006fgin","user":"\u00e4lice","token":"\ud83e\udd80\n"}"#;
        assert_eq!(request(written), Ok(login));
    }

    #[test]
    fn unknown_fields_are_ignored_whatever_they_hold() {
        for field in [
            r#""x":1"#,
            r#""x":{"type":"quit","type":1}"#,
            r#""user":5,"id":"no","body":null,"ack":7"#,
            r#""x":"\ud800""#,
            r#""Type":"quit","":[]"#,
        ] {
            let body = format!(r#"{{{field},"type":"ping"}}"#);
            assert_eq!(request(&body), Ok(Request::Ping), "{body}");
        }
    }

    #[test]
    fn a_body_is_kept_as_it_was_written() {
        for written in [
            "null",
            "true",
            "0",
            "-0.0",
            "1e999",
            "9007199254740993",
            "123456789012345678901234567890.10",
            r#"{ "b" : 1, "a":  [ ], "b":2 }"#,
            r#"["\ud83e\udd80","\\ud800","\\\\","\/"]"#,
        ] {
            let frame = format!(r#"{{"type":"data","body": {written} ,"x":0}}"#);
            assert_eq!(body(&frame), Ok(json(written)));
        }
        let frame = r#"{"type":"data","body":"a\u0000\"\\\r\n"}"#;
        assert_eq!(body(frame), Ok(text("a\0\"\\\r\n")));
    }

    #[test]
    fn half_a_surrogate_pair_is_a_bad_request() {
        for written in [
            r#""\ud800""#,
            r#""\udc00""#,
            r#""\ud800x""#,
            r#""\ud800\ud800""#,
            r#""\udc00\ud800""#,
            r#"["a","\uD800"]"#,
            r#"{"\udfff":1}"#,
            r#"["\ud83e\udd80\udd80"]"#,
            r#"["\\\ud800"]"#,
            r#"["\ud800\n"]"#,
        ] {
            let frame = format!(r#"{{"type":"data","body":{written}}}"#);
            assert_eq!(body(&frame), Err(BadRequest::Surrogate), "{written}");
        }
        for frame in [
            r#"{"type":"login","user":"\ud800"}"#,
            r#"{"type":"login","user":"a","token":"\ud800"}"#,
            r#"{"type":"\ud800"}"#,
            r#"{"type":"ping","\ud800":1}"#,
            r#"{"type":"ping","seq":"\ud800"}"#,
        ] {
            assert_eq!(request(frame), Err(BadRequest::Surrogate), "{frame}");
        }
    }

    #[test]
    fn wrong_fields_are_named() {
        for (body, bad) in [
            ("[]", BadRequest::NotObject),
            ("null", BadRequest::NotObject),
            ("1e999", BadRequest::NotObject),
            (r#""ping""#, BadRequest::NotObject),
            ("{}", BadRequest::Missing("type")),
            (r#"{"type":null}"#, BadRequest::NotText("type")),
            (r#"{"type":["ping"]}"#, BadRequest::NotText("type")),
            (r#"{"type":"PING"}"#, BadRequest::Unknown),
            (
                r#"{"type":"asend","to":"bob","body":1}"#,
                BadRequest::Unknown,
            ),
            (r#"{"type":"login"}"#, BadRequest::Missing("user")),
            (r#"{"type":"login","user":1}"#, BadRequest::NotText("user")),
            (
                r#"{"type":"login","user":"a","token":1}"#,
                BadRequest::NotText("token"),
            ),
            (
                r#"{"type":"login","user":"a b"}"#,
                BadRequest::User(NameError::Space),
            ),
            (r#"{"type":"send","body":1}"#, BadRequest::Missing("to")),
            (r#"{"type":"send","to":"a"}"#, BadRequest::Missing("body")),
            (
                r#"{"type":"send","to":"a","body":1,"ack":1}"#,
                BadRequest::NotBool("ack"),
            ),
            (
                r#"{"type":"send","to":"a","body":1,"ack":null}"#,
                BadRequest::NotBool("ack"),
            ),
            (r#"{"type":"join"}"#, BadRequest::Missing("topic")),
            (
                r#"{"type":"join","topic":""}"#,
                BadRequest::Topic(NameError::Empty),
            ),
            (
                r#"{"type":"leave","topic":{}}"#,
                BadRequest::NotText("topic"),
            ),
            (r#"{"type":"pub","topic":"a"}"#, BadRequest::Missing("body")),
            (r#"{"type":"data"}"#, BadRequest::Missing("body")),
            (r#"{"type":"ack"}"#, BadRequest::Missing("id")),
            (r#"{"type":"ack","id":"1"}"#, BadRequest::Id),
            (r#"{"type":"ack","id":-1}"#, BadRequest::Id),
            (r#"{"type":"ack","id":-0}"#, BadRequest::Id),
            (r#"{"type":"ack","id":1.0}"#, BadRequest::Id),
            (r#"{"type":"ack","id":1e3}"#, BadRequest::Id),
            (
                r#"{"type":"ack","id":18446744073709551616}"#,
                BadRequest::Id,
            ),
            (r#"{"type":"ack","id":null}"#, BadRequest::Id),
        ] {
            assert_eq!(request(body), Err(bad), "{body}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_a_bad_request() {
        for body in [
            r#"{"type":"ping","type":"ping"}"#,
            r#"{"type":"ping","type":"quit","seq":1}"#,
            r#"{"type":"ping","\u0074ype":"ping"}"#,
            r#"{"x":1,"type":"ping","x":1}"#,
            r#"{"x":1,"type":"ping","\u0078":{}}"#,
            r#"{"x":1,"y":1,"type":"ping","x":1}"#,
            r#"{"":1,"type":"ping","":1}"#,
            r#"{"type":"ping","body":1,"body":1}"#,
            r#"{"type":"ping","seq":1,"seq":1}"#,
        ] {
            assert_eq!(request(body), Err(BadRequest::DuplicateKey), "{body}");
        }
        assert_eq!(
            seq(r#"{"type":"ping","type":1,"seq":1}"#),
            Some(Seq::Number(1))
        );
        assert_eq!(seq(r#"{"type":"ping","seq":1,"seq":1}"#), None);
    }

    #[test]
    fn seq_is_told_even_where_the_request_is_bad() {
        let limit = 1 << 53;
        let long = "x".repeat(64);
        for (written, expected) in [
            ("0", Seq::Number(0)),
            ("-0", Seq::Number(0)),
            ("-7", Seq::Number(-7)),
            ("9007199254740992", Seq::Number(limit)),
            ("-9007199254740992", Seq::Number(-limit)),
            (r#""""#, Seq::Text("".into())),
            (r#""a\n\u00e4""#, Seq::Text("a\nä".into())),
            (&format!("\"{long}\""), Seq::Text((&long).into())),
        ] {
            for rest in [
                r#""type":"ping""#,
                r#""type":7"#,
                r#""x":1,"x":2"#,
                r#""type":"login""#,
            ] {
                let body = format!(r#"{{"seq":{written},{rest}}}"#);
                assert_eq!(seq(&body), Some(expected.clone()), "{body}");
            }
        }
    }

    #[test]
    fn a_seq_that_can_not_be_repeated_is_a_bad_request_without_one() {
        let long = format!("\"{}\"", "x".repeat(65));
        let wide = format!("\"{}x\"", "ü".repeat(32));
        for written in [
            "9007199254740993",
            "-9007199254740993",
            "18446744073709551616",
            "1.0",
            "1e3",
            "null",
            "true",
            "[1]",
            "{}",
            &long,
            &wide,
        ] {
            let body = format!(r#"{{"type":"ping","seq":{written}}}"#);
            let parsed = parse(body.as_bytes()).unwrap();
            let request = Err(BadRequest::Seq);
            assert_eq!(parsed, Parsed { request, seq: None }, "{body}");
        }
    }

    #[test]
    fn what_is_not_json_ends_the_connection() {
        for body in [
            &b""[..],
            b" ",
            b"{",
            b"{}x",
            b"{} {}",
            b"{'type':'ping'}",
            b"{\"type\":ping}",
            b"{\"type\":\"ping\",}",
            b"{\"type\":\"pi\nng\"}",
            b"{\"x\":\"\xFF\",\"type\":\"ping\"}",
            b"{\"x\":\"\xED\xA0\x80\"}",
            b"\xEF\xBB\xBF{}",
            b"[1,2",
            b"[1,]",
            b"nul",
            b"{\"type\":1,\"x\":01}",
            b"{\"type\":1,\"x\":\"\\x\"}",
            b"{\"type\":1,\"x\":\"\\u12\"}",
            b"{\"type\":\"login\",\"user\":1,\"x\":[}",
            b"{\"x\":NaN}",
            b"{\"x\":.5}",
            b"{1:2}",
            b"\xFF",
        ] {
            assert_eq!(parse(body), Err(FrameError::Json), "{body:?}");
            assert_eq!(check(body), Err(FrameError::Json), "{body:?}");
        }
        for body in [
            &b"{}"[..],
            b" [1e999] ",
            b"\"\\ud800\"",
            b"0",
            b"{\"a\":1,\"a\":2}",
        ] {
            assert_eq!(check(body), Ok(()));
        }
    }

    /// Text that is mostly JSON, with some tokens out of place.
    fn nearly_json() -> impl Strategy<Value = String> {
        let token = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            " ",
            "\"type\"",
            "\"seq\"",
            "\"body\"",
            "\"ping\"",
            "1",
            "-",
            "1e9",
            "null",
            "true",
            "\"\\ud800\"",
            "\"\\",
            "{}",
            "\"x\":1,",
            "\"type\":\"data\",",
        ]);
        prop::collection::vec(token, 0..14).prop_map(|tokens| tokens.concat())
    }

    const UNITS: &[&str] = &[
        "\\ud800", "\\uDBFF", "\\udc00", "\\uDFFF", "\\u0041", "\\\\", "a", "\\n",
    ];

    proptest! {
        #[test]
        fn it_is_json_exactly_where_it_is_json_to_others(
            text in nearly_json(),
            wraps in any::<bool>(),
        ) {
            let text = if wraps { format!("{{{text}}}") } else { text };
            let is_json = serde_json::from_str::<&RawValue>(&text).is_ok();
            prop_assert_eq!(parse(text.as_bytes()).is_ok(), is_json);
            prop_assert_eq!(check(text.as_bytes()).is_ok(), is_json);
        }

        #[test]
        fn a_string_and_its_spelling_are_the_same_body(said in any::<String>()) {
            let frame = serde_json::json!({ "type": "data", "body": said, "seq": 1 }).to_string();
            prop_assert_eq!(body(&frame), Ok(text(&said)));
        }

        #[test]
        fn surrogates_are_judged_as_a_decoder_judges_them(
            units in prop::collection::vec(prop::sample::select(UNITS), 0..8),
        ) {
            let string = format!("\"{}\"", units.concat());
            let is_text = serde_json::from_str::<String>(&string).is_ok();
            prop_assert_eq!(has_lone_surrogate(&string), !is_text);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(parse(&bytes).is_ok(), check(&bytes).is_ok());
        }
    }
}
