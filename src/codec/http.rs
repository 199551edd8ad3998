//! HTTP/1.1 as far as the admin interface speaks it: heads of requests, and answers. Pure.
//!
//! Strict where laxness has cost others: a line ends with CR LF, a length is said once and in
//! digits, chunked bodies are refused, a target is a path. A head is looked through once for its
//! end, from where the last look stopped, and parsed once it is whole.

use std::borrow::Cow;

use memchr::memchr_iter;

use crate::secret::Secret;

/// The head of a request, read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// What is to be done.
    pub method: Method,
    /// The path, as it came: percent signs and all.
    pub path: String,
    /// What stands behind the question mark, as it came.
    pub query: String,
    /// Whom the client believes to speak to; none in HTTP/1.0.
    pub host: Option<String>,
    /// The bearer token it shows.
    pub token: Option<Secret<String>>,
    /// Whether the body is said to be JSON.
    pub is_json: bool,
    /// Bytes of the body.
    pub body: usize,
    /// Whether the client waits to be told that the body is welcome.
    pub expects: bool,
    /// Whether the connection may carry another request.
    pub keeps: bool,
    /// Whether an answer may come in chunks: HTTP/1.1.
    pub takes_chunks: bool,
}

/// What a request wants to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// Tell.
    Get,
    /// Tell, without the body.
    Head,
    /// Do.
    Post,
    /// Take away.
    Delete,
    /// Anything else.
    Other,
}

/// What the bytes of a connection begin with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// A head that is not whole; so many bytes hold no end of it.
    More(usize),
    /// A head of so many bytes.
    Head(usize, Box<Head>),
}

/// Why bytes are no request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HeadError {
    /// More bytes or header fields than are taken.
    #[error("the head of the request is too large")]
    TooLarge,
    /// Not HTTP/1.
    #[error("not a request of HTTP/1.1: {0}")]
    Form(httparse::Error),
    /// A line that does not end with CR LF.
    #[error("a line must end with CR LF")]
    LineEnd,
    /// A target that is no path.
    #[error("the target must be a path")]
    Target,
    /// No `Host`, or several.
    #[error("there must be one Host")]
    Host,
    /// Several `Authorization` fields, or one that is not text.
    #[error("there may be one Authorization")]
    Authorization,
    /// A length that is said twice or is no number.
    #[error("Content-Length must be said once, in decimal digits")]
    Length,
    /// A body that does not say its length first.
    #[error("a body must say its Content-Length; chunks are not taken")]
    Chunks,
    /// An expectation that nobody knows.
    #[error("only 100-continue can be expected")]
    Expectation,
}

/// Looks for the head of a request in `input`, of which `scanned` bytes are known to hold no end.
/// A head may have `most` bytes and `fields` header fields.
///
/// # Errors
/// What is wrong with it.
pub fn find(input: &[u8], scanned: usize, most: usize, fields: usize) -> Result<Found, HeadError> {
    // Empty lines before a request are an old client's habit.
    let mut start = 0;
    while input[start..].starts_with(b"\r\n") {
        start += 2;
    }
    let from = scanned.max(start);
    for at in memchr_iter(b'\n', &input[from..]).map(|at| at + from) {
        if at >= most {
            return Err(HeadError::TooLarge);
        }
        if at == 0 || input[at - 1] != b'\r' {
            return Err(HeadError::LineEnd);
        }
        if at >= start + 3 && input[at - 3..at] == *b"\r\n\r" {
            let head = parse(&input[start..=at], fields)?;
            return Ok(Found::Head(at + 1, Box::new(head)));
        }
    }
    if input.len() >= most {
        return Err(HeadError::TooLarge);
    }
    Ok(Found::More(input.len()))
}

fn parse(bytes: &[u8], fields: usize) -> Result<Head, HeadError> {
    let mut headers = vec![httparse::EMPTY_HEADER; fields];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(HeadError::Form(httparse::Error::Token)),
        Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooLarge),
        Err(error) => return Err(HeadError::Form(error)),
    }
    let is_new = request.version == Some(1);
    let target = request.path.unwrap_or_default();
    // The parser lets UTF-8 pass, which no URI holds.
    if !target.starts_with('/') || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(HeadError::Target);
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut head = Head {
        method: method(request.method.unwrap_or_default()),
        path: path.to_owned(),
        query: query.to_owned(),
        host: None,
        token: None,
        is_json: false,
        body: 0,
        expects: false,
        keeps: is_new,
        takes_chunks: is_new,
    };
    let mut seen = Seen::default();
    for header in request.headers.iter() {
        take(&mut head, &mut seen, header)?;
    }
    if head.host.is_none() && is_new {
        return Err(HeadError::Host);
    }
    Ok(head)
}

/// Which fields were there already.
#[derive(Default)]
struct Seen {
    length: bool,
    authorization: bool,
}

fn take(head: &mut Head, seen: &mut Seen, header: &httparse::Header<'_>) -> Result<(), HeadError> {
    let is = |name: &str| header.name.eq_ignore_ascii_case(name);
    let value = std::str::from_utf8(header.value).map(trim);
    if is("host") {
        let host = value.map_err(|_| HeadError::Host)?;
        if head.host.replace(host.to_owned()).is_some() {
            return Err(HeadError::Host);
        }
    } else if is("content-length") {
        let is_second = std::mem::replace(&mut seen.length, true);
        let length = value.ok().filter(|_| !is_second).and_then(digits);
        head.body = length.ok_or(HeadError::Length)?;
    } else if is("transfer-encoding") {
        return Err(HeadError::Chunks);
    } else if is("authorization") {
        let is_second = std::mem::replace(&mut seen.authorization, true);
        let value = value.ok().filter(|_| !is_second);
        let value = value.ok_or(HeadError::Authorization)?;
        head.token = bearer(value).map(|token| Secret::new(token.to_owned()));
    } else if is("content-type") {
        let kind = value.unwrap_or_default();
        let kind = kind.split(';').next().map_or("", trim);
        head.is_json = kind.eq_ignore_ascii_case("application/json");
    } else if is("expect") {
        if !value.is_ok_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            return Err(HeadError::Expectation);
        }
        head.expects = head.takes_chunks;
    } else if is("connection") {
        for option in value.unwrap_or_default().split(',').map(trim) {
            // HTTP/1.0 closes, whatever it says.
            head.keeps &= !option.eq_ignore_ascii_case("close");
        }
    }
    Ok(())
}

/// Without the spaces and tabs around it: other spaces of Unicode are part of a value.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

fn method(word: &str) -> Method {
    match word {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "DELETE" => Method::Delete,
        _ => Method::Other,
    }
}

/// A number of at most 15 digits: no sign, no base, no overflow.
fn digits(text: &str) -> Option<usize> {
    let is_plain = (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| trim(token))
}

/// The text that a piece of a target stands for; `None` where it is not percent-encoded UTF-8.
#[must_use]
pub fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = tail;
            continue;
        }
        let (high, low) = (hex(*tail.first()?)?, hex(*tail.get(1)?)?);
        bytes.push(high << 4 | low);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn hex(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

/// How an answer's body ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    /// After so many bytes.
    Known(usize),
    /// With a last chunk.
    Chunks,
    /// With the connection.
    Close,
}

/// Appends the head of an answer.
pub fn answer(
    out: &mut Vec<u8>,
    status: u16,
    kind: &str,
    length: Length,
    keeps: bool,
    more: &[(&str, &str)],
) {
    let line = format!("HTTP/1.1 {status} {}\r\n", phrase(status));
    out.extend_from_slice(line.as_bytes());
    field(out, "content-type", kind);
    match length {
        Length::Known(bytes) => field(out, "content-length", &bytes.to_string()),
        Length::Chunks => field(out, "transfer-encoding", "chunked"),
        Length::Close => {}
    }
    field(out, "cache-control", "no-store");
    field(out, "x-content-type-options", "nosniff");
    for (name, value) in more {
        field(out, name, value);
    }
    if !keeps {
        field(out, "connection", "close");
    }
    out.extend_from_slice(b"\r\n");
}

/// What is told to a client that waits before it sends a body.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Appends a chunk of a body; nothing where there are no bytes, for that would end it.
pub fn chunk(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    out.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// What ends a body of chunks.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    for piece in [name, ": ", value, "\r\n"] {
        out.extend_from_slice(piece.as_bytes());
    }
}

fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Found, HeadError> {
        find(text.as_bytes(), 0, 8_192, 64)
    }

    fn head(text: &str) -> Head {
        match read(text) {
            Ok(Found::Head(consumed, head)) => {
                assert_eq!(consumed, text.len());
                *head
            }
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn a_head_is_read_wherever_it_is_cut() {
        let text = "POST /v1/push?a=b HTTP/1.1\r\nHost: localhost:7374\r\n\
                    Content-Type: application/JSON; charset=utf-8\r\n\
                    authorization: bearer  secret \r\nContent-Length: 12\r\n\r\n";
        let mut scanned = 0;
        for cut in 0..text.len() {
            let found = find(&text.as_bytes()[..cut], scanned, 8_192, 64);
            assert_eq!(found, Ok(Found::More(cut)));
            scanned = cut;
        }
        let head = head(text);
        assert_eq!(
            (head.method, &head.path[..], &head.query[..], head.body),
            (Method::Post, "/v1/push", "a=b", 12)
        );
        assert_eq!(head.token, Some(Secret::new("secret".into())));
        assert!(!format!("{head:?}").contains("secret"));
        assert_eq!(head.host.as_deref(), Some("localhost:7374"));
        assert!(head.is_json && head.keeps && head.takes_chunks && !head.expects);
    }

    #[test]
    fn the_old_version_closes_and_needs_no_host() {
        let head = head("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert!(!head.keeps && !head.takes_chunks && head.host.is_none());
    }

    #[test]
    fn what_was_looked_through_is_not_looked_at_again() {
        // Whatever length a head has by the time it is whole, each of its bytes is looked at once:
        // a line end that is wrong is not seen where it was passed already.
        let bytes = b"GET / HTTP/1.1\nHost: a\r\nb: ";
        assert_eq!(find(bytes, 0, 8_192, 64), Err(HeadError::LineEnd));
        assert_eq!(
            find(bytes, 15, 8_192, 64),
            Ok(Found::More(bytes.len())),
            "from where the last look stopped"
        );
    }

    #[test]
    fn what_has_fooled_others_is_refused() {
        let cases = [
            (
                "Content-Length: 5\r\nContent-Length: 5\r\n",
                HeadError::Length,
            ),
            ("Content-Length: +5\r\n", HeadError::Length),
            ("Content-Length:\u{85}5\r\n", HeadError::Length),
            ("Content-Length: 0x5\r\n", HeadError::Length),
            ("Content-Length: 5, 5\r\n", HeadError::Length),
            ("Content-Length:\r\n", HeadError::Length),
            (
                "Content-Length: 18446744073709551616\r\n",
                HeadError::Length,
            ),
            (
                "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                HeadError::Chunks,
            ),
            ("Transfer-Encoding: identity\r\n", HeadError::Chunks),
            ("Host: other\r\n", HeadError::Host),
            (
                "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
                HeadError::Authorization,
            ),
            ("Expect: tea\r\n", HeadError::Expectation),
        ];
        for (lines, error) in cases {
            let text = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
            assert_eq!(read(&text), Err(error), "{text:?}");
        }
        let forms = [
            "GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n",
            "GET / HTTP/2\r\nHost: localhost\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "GET /\r\nHost: localhost\r\n\r\n",
            "nonsense\r\n\r\n",
        ];
        for text in forms {
            assert!(matches!(read(text), Err(HeadError::Form(_))), "{text:?}");
        }
        let host = "\r\nHost: localhost\r\n\r\n";
        for target in ["http://localhost/", "*", "/\u{e9}"] {
            let text = format!("GET {target} HTTP/1.1{host}");
            assert_eq!(read(&text), Err(HeadError::Target));
        }
        assert_eq!(read("GET / HTTP/1.1\r\n\r\n"), Err(HeadError::Host));
        assert_eq!(read("GET / HTTP/1.1\nHost: a\n\n"), Err(HeadError::LineEnd));
        assert_eq!(read("\n"), Err(HeadError::LineEnd));
    }

    #[test]
    fn a_head_has_its_limits() {
        let giant = format!("GET /{} HTTP/1.1\r\n", "a".repeat(8_192));
        assert_eq!(read(&giant), Err(HeadError::TooLarge));
        assert_eq!(read(&"\r\n".repeat(5_000)), Err(HeadError::TooLarge));
        let fields = |count: usize| {
            let fields = "a: b\r\n".repeat(count - 1);
            read(&format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"))
        };
        assert!(fields(64).is_ok());
        assert_eq!(fields(65), Err(HeadError::TooLarge));
    }

    #[test]
    fn pieces_of_a_target_are_decoded() {
        assert_eq!(decode("a+b"), Some(Cow::Borrowed("a+b")));
        assert_eq!(decode("%C3%bc%2F"), Some(Cow::Owned("ü/".into())));
        for text in ["%", "%4", "%zz", "%FF", "%+1"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
