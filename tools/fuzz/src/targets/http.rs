//! Heads of requests of the admin interface, against a second reading of RFC 9112 that shares no
//! line with the first: what we take, it takes, and with the same meaning. Cut anywhere, the
//! outcome is the same.

use pulsegate::codec::http::{Found, Head, HeadError, Method, decode, find};

use crate::take::Take;

/// Bytes and fields that a head may have.
const MOST: usize = 512;
const FIELDS: usize = 8;

pub(super) fn run(bytes: &[u8]) {
    let mut take = Take::new(bytes);
    let step = usize::from(take.byte()) % 16 + 1;
    let input = take.rest();
    let whole = find(input, 0, MOST, FIELDS);
    assert_eq!(piecemeal(input, step), whole, "torn by {step}");
    if let Ok(Found::Head(end, head)) = &whole {
        assert!(*end <= MOST && *end <= input.len(), "{end} bytes of a head");
        let read = strict(&input[..*end]);
        let fields = read.unwrap_or_else(|why| panic!("taken, and is none: {why}: {head:?}"));
        same(head, &fields);
        for text in [&head.path, &head.query] {
            let _ = decode(text);
        }
    }
}

/// As a connection asks: whenever more has come.
fn piecemeal(input: &[u8], step: usize) -> Result<Found, HeadError> {
    let mut scanned = 0;
    for piece in 1..=input.len().div_ceil(step) {
        match find(
            &input[..(piece * step).min(input.len())],
            scanned,
            MOST,
            FIELDS,
        )? {
            Found::More(known) => scanned = known,
            head => return Ok(head),
        }
    }
    Ok(Found::More(input.len()))
}

/// A head as the grammar has it: method, target, minor version, and the fields.
struct Strict<'a> {
    method: &'a [u8],
    target: &'a [u8],
    minor: u8,
    fields: Vec<(Vec<u8>, &'a [u8])>,
}

/// Reads a head by the grammar of RFC 9112, sections 2.1, 3 and 5, without its latitude.
fn strict(bytes: &[u8]) -> Result<Strict<'_>, &'static str> {
    let mut text = bytes;
    while let Some(rest) = text.strip_prefix(b"\r\n") {
        text = rest;
    }
    let text = text.strip_suffix(b"\r\n\r\n").ok_or("no end")?;
    let mut lines = Vec::new();
    let mut rest = text;
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n");
        let line = &rest[..end.unwrap_or(rest.len())];
        if line.contains(&b'\r') || line.contains(&b'\n') {
            return Err("a bare CR or LF");
        }
        lines.push(line);
        match end {
            Some(end) => rest = &rest[end + 2..],
            None => break,
        }
    }
    let mut words = lines[0].split(|byte| *byte == b' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let (Some(method), Some(target), Some(version), None) = (method, target, version, words.next())
    else {
        return Err("three words and two spaces make a request line");
    };
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
        return Err("the method is no token");
    }
    if !target.starts_with(b"/") || !target.iter().all(u8::is_ascii_graphic) {
        return Err("the target is no path");
    }
    let minor = match version {
        b"HTTP/1.1" => 1,
        b"HTTP/1.0" => 0,
        _ => return Err("the version"),
    };
    let fields = lines[1..].iter().map(|line| field(line));
    Ok(Strict {
        method,
        target,
        minor,
        fields: fields.collect::<Result<_, _>>()?,
    })
}

fn field(line: &[u8]) -> Result<(Vec<u8>, &[u8]), &'static str> {
    let colon = line.iter().position(|byte| *byte == b':');
    let (name, value) = line.split_at(colon.ok_or("a field without a colon")?);
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Err("a field's name is no token");
    }
    let value = value[1..].trim_ascii();
    let is_text = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
    if !value.iter().all(is_text) {
        return Err("a control character in a value");
    }
    Ok((name.to_ascii_lowercase(), value))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Both readings say the same, and none of what makes two of a chain read two requests.
fn same(head: &Head, strict: &Strict<'_>) {
    let method = match strict.method {
        b"GET" => Method::Get,
        b"HEAD" => Method::Head,
        b"POST" => Method::Post,
        b"DELETE" => Method::Delete,
        _ => Method::Other,
    };
    assert_eq!(head.method, method);
    let question = if strict.target.contains(&b'?') {
        "?"
    } else {
        ""
    };
    let target = format!("{}{question}{}", head.path, head.query);
    assert_eq!(target.as_bytes(), strict.target);
    let all = |name: &str| -> Vec<&[u8]> {
        let of = |field: &&(Vec<u8>, &[u8])| field.0 == name.as_bytes();
        let fields = strict.fields.iter().filter(of);
        fields.map(|(_, value)| *value).collect()
    };
    assert!(all("transfer-encoding").is_empty(), "chunks were taken");
    let lengths = all("content-length");
    assert!(lengths.len() <= 1, "two lengths were taken");
    let length = lengths.first().map_or(0, |digits| {
        assert!(!digits.is_empty() && digits.iter().all(u8::is_ascii_digit));
        let text = String::from_utf8_lossy(digits);
        text.parse::<usize>().expect("a length that fits")
    });
    assert_eq!(head.body, length);
    let hosts = all("host");
    assert!(hosts.len() <= 1, "two hosts were taken");
    assert!(strict.minor == 0 || hosts.len() == 1, "no host was taken");
    assert_eq!(
        head.host.as_ref().map(String::as_bytes),
        hosts.first().copied()
    );
    assert!(all("authorization").len() <= 1, "two tokens were taken");
}
