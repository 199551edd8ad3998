//! Dialect `gate` as JSON, outgoing: one object, its keys in the order of the protocol's table.

use super::message::{Body, Seq};
use super::reply::{Delivery, Reply};
use super::text;

/// Appends a reply's object to `out`.
pub(super) fn write(reply: &Reply<'_>, seq: Option<&Seq<'_>>, out: &mut Vec<u8>) {
    let word = match reply {
        Reply::Pong => "pong",
        Reply::Ping => "ping",
        Reply::Ok(_) => "ok",
        Reply::Error(..) => "error",
        Reply::Message(_) => "msg",
        Reply::Close(..) => "close",
    };
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(word.as_bytes());
    out.push(b'"');
    if let Some(seq) = seq {
        write_seq(seq, out);
    }
    match reply {
        Reply::Pong | Reply::Ping => {}
        Reply::Ok(fields) => {
            for (name, value) in fields.pairs() {
                key(name, out);
                text::push_number(*value, out);
            }
        }
        Reply::Error(code, text) => {
            key("code", out);
            string(code.word(), out);
            key("text", out);
            quoted(out, |out| {
                text::each_printable(text, |part| escaped(part.as_bytes(), out));
            });
        }
        Reply::Message(delivery) => write_message(delivery, out),
        Reply::Close(reason, reconnect_ms) => {
            key("reason", out);
            string(reason.word(), out);
            if *reconnect_ms > 0 {
                key("reconnect_ms", out);
                text::push_number(u64::from(*reconnect_ms), out);
            }
        }
    }
    out.push(b'}');
}

fn write_seq(seq: &Seq<'_>, out: &mut Vec<u8>) {
    key("seq", out);
    match seq {
        Seq::Text(text) => string(text, out),
        Seq::Number(number) => {
            if *number < 0 {
                out.push(b'-');
            }
            text::push_number(number.unsigned_abs(), out);
        }
    }
}

fn write_message(delivery: &Delivery<'_>, out: &mut Vec<u8>) {
    key("id", out);
    text::push_number(delivery.id, out);
    key("from", out);
    string(delivery.from.unwrap_or("-"), out);
    if let Some(topic) = delivery.topic {
        key("topic", out);
        string(topic, out);
    }
    if delivery.ack {
        key("ack", out);
        out.extend_from_slice(b"true");
    }
    key("body", out);
    match delivery.body {
        Body::Text(text) => string(text, out),
        Body::Json(json) => out.extend_from_slice(json.as_bytes()),
        Body::Bytes(bytes) => quoted(out, |out| {
            text::each_lossy(bytes, |part| escaped(part.as_bytes(), out));
        }),
    }
}

/// Appends the next key of an object that holds one already.
pub(super) fn key(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends a JSON string.
pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    quoted(out, |out| escaped(text.as_bytes(), out));
}

/// Appends a JSON string whose inside `fill` appends.
pub(super) fn quoted(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    fill(out);
    out.push(b'"');
}

/// Appends the inside of a JSON string: only what must be escaped is.
fn escaped(text: &[u8], out: &mut Vec<u8>) {
    let mut start = 0;
    for (at, &byte) in text.iter().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text[start..at]);
        start = at + 1;
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            _ => {
                let hex = b"0123456789abcdef";
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex[high], hex[low]]);
            }
        }
    }
    out.extend_from_slice(&text[start..]);
}

/// A body as JSON on one line; `None` where it is bytes that are not UTF-8.
#[must_use]
pub fn to_json(body: &Body<'_>) -> Option<String> {
    let mut out = Vec::new();
    match body {
        Body::Text(text) => string(text, &mut out),
        Body::Json(json) => text::push_compact(json, &mut out),
        Body::Bytes(_) => return None,
    }
    String::from_utf8(out).ok()
}
