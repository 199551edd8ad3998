//! Requests as JSON: what is read, and what is refused.

use proptest::prelude::*;

use super::*;
use crate::codec::name::NameError;

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
        token: Secret::new(Cow::Borrowed(token)),
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
        token: Secret::new("🦀\n".into()),
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
