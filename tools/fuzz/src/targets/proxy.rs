//! PROXY headers, against a second reading of their specification: what the bytes begin with is a
//! header by both or by none, as long by both, and names the same client. Cut anywhere, the outcome
//! is the same; nothing is allocated, nor waited for beyond the longest header.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use pulsegate::codec::proxy::{HEADER_MAX, Header, HeaderError, read};

use crate::heap;
use crate::take::Take;

type Read = Result<Header, HeaderError>;

pub(super) fn run(bytes: &[u8]) {
    let mut take = Take::new(bytes);
    let step = usize::from(take.byte()) % 32 + 1;
    let input = take.rest();
    let (whole, used) = heap::watch(|| read(input));
    assert_eq!(used.count, 0, "a header was allocated for");
    assert_eq!(piecemeal(input, step), whole, "torn by {step}");
    assert_eq!(piecemeal(input, 1), whole, "byte by byte");
    let is_waited_for = whole == Ok(Header::More);
    assert!(!is_waited_for || input.len() < HEADER_MAX, "waits for more");
    let taken = match whole {
        Ok(Header::Whole { consumed, source }) => Some((consumed, source)),
        Ok(Header::More) | Err(_) => None,
    };
    let header = &input[..end(input).unwrap_or(0)];
    let right = strict(header).map(|source| (header.len(), source));
    assert_eq!(taken, right.ok(), "{whole:?}, {right:?}");
}

/// As a connection asks: whenever more has come.
fn piecemeal(input: &[u8], step: usize) -> Read {
    let pieces = input.len().div_ceil(step);
    let mut each = (0..=pieces).map(|piece| read(&input[..(piece * step).min(input.len())]));
    let outcome = each.find(|outcome| *outcome != Ok(Header::More));
    outcome.unwrap_or(Ok(Header::More))
}

/// Where a header of either version has its end, if it is there.
fn end(input: &[u8]) -> Option<usize> {
    if input.starts_with(b"PROXY ") {
        return Some(input.iter().position(|byte| *byte == b'\n')? + 1);
    }
    let length = u16::from_be_bytes([*input.get(14)?, *input.get(15)?]);
    let end = 16 + usize::from(length);
    (end <= input.len()).then_some(end)
}

/// The client that a header names, by section 2 of the specification.
fn strict(header: &[u8]) -> Result<Option<SocketAddr>, &'static str> {
    match header.strip_prefix(b"PROXY ") {
        Some(line) => strict_line(line),
        None => strict_block(header),
    }
}

fn strict_line(line: &[u8]) -> Result<Option<SocketAddr>, &'static str> {
    if b"PROXY ".len() + line.len() > 107 {
        return Err("a line is at most 107 bytes");
    }
    let text = line.strip_suffix(b"\r\n").ok_or("no end")?;
    let text = std::str::from_utf8(text).map_err(|_| "no text")?;
    let words: Vec<&str> = text.split(' ').collect();
    let (from, _to, ports): (IpAddr, IpAddr, _) = match words[..] {
        ["UNKNOWN", ..] => return Ok(None),
        ["TCP4", from, to, ref ports @ ..] => (four(from)?.into(), four(to)?.into(), ports),
        ["TCP6", from, to, ref ports @ ..] => (six(from)?.into(), six(to)?.into(), ports),
        _ => return Err("neither TCP4, TCP6 nor UNKNOWN"),
    };
    let [port, to_port] = ports else {
        return Err("two ports, and nothing behind them");
    };
    number::<u16>(to_port)?;
    Ok(Some(SocketAddr::new(from, number(port)?)))
}

/// A number without a sign or a zero before it.
fn number<N: std::str::FromStr + ToString>(text: &str) -> Result<N, &'static str> {
    let number: N = text.parse().map_err(|_| "no number")?;
    match number.to_string() == text {
        true => Ok(number),
        false => Err("a number that is written otherwise"),
    }
}

fn four(text: &str) -> Result<Ipv4Addr, &'static str> {
    let parts: Vec<&str> = text.split('.').collect();
    let [a, b, c, d] = parts[..] else {
        return Err("four numbers make an address");
    };
    Ok(Ipv4Addr::new(
        number(a)?,
        number(b)?,
        number(c)?,
        number(d)?,
    ))
}

fn six(text: &str) -> Result<Ipv6Addr, &'static str> {
    let (front, back) = match text.split_once("::") {
        Some((front, back)) => (groups(front, false)?, groups(back, true)?),
        None => (groups(text, true)?, Vec::new()),
    };
    let known = front.len() + back.len();
    let has_gap = text.contains("::");
    if (has_gap && known > 7) || (!has_gap && known != 8) {
        return Err("eight groups make an address");
    }
    let mut all = [0; 8];
    all[..front.len()].copy_from_slice(&front);
    all[8 - back.len()..].copy_from_slice(&back);
    Ok(Ipv6Addr::from(all))
}

/// Groups between colons, the last of which may be an address of IPv4.
fn groups(text: &str, may_end_in_four: bool) -> Result<Vec<u16>, &'static str> {
    let mut all = Vec::new();
    let mut parts = text.split(':').peekable();
    if text.is_empty() {
        return Ok(all);
    }
    while let Some(part) = parts.next() {
        if part.contains('.') && may_end_in_four && parts.peek().is_none() {
            let [a, b, c, d] = four(part)?.octets();
            all.extend([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]);
            continue;
        }
        let is_hex = part.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex || !(1..=4).contains(&part.len()) {
            return Err("up to four digits make a group");
        }
        all.push(u16::from_str_radix(part, 16).map_err(|_| "no group")?);
    }
    Ok(all)
}

fn strict_block(header: &[u8]) -> Result<Option<SocketAddr>, &'static str> {
    let rest = header.strip_prefix(b"\r\n\r\n\0\r\nQUIT\n");
    let Some([command, family, _, _, body @ ..]) = rest else {
        return Err("no signature");
    };
    if header.len() > HEADER_MAX {
        return Err("longer than we read");
    }
    match command {
        // Of a connection of the proxy's own nothing else is read.
        0x20 => return Ok(None),
        0x21 => {}
        _ => return Err("no such version or command"),
    }
    let addresses = match family >> 4 {
        0 => 0,
        1 => 12,
        2 => 36,
        3 => 216,
        _ => return Err("no such family"),
    };
    if family & 15 > 2 {
        return Err("no such transport");
    }
    let (ends, mut extensions) = body.split_at_checked(addresses).ok_or("too short")?;
    while addresses > 0 && !extensions.is_empty() {
        let [_, high, low, value @ ..] = extensions else {
            return Err("an extension without its length");
        };
        let length = usize::from(*high) << 8 | usize::from(*low);
        extensions = value.get(length..).ok_or("an extension without its end")?;
    }
    Ok(match (family, ends) {
        (0x11, [a, b, c, d, _, _, _, _, high, low, ..]) => {
            let port = u16::from_be_bytes([*high, *low]);
            Some((Ipv4Addr::new(*a, *b, *c, *d), port).into())
        }
        (0x21, _) => {
            let ip: [u8; 16] = ends[..16].try_into().map_err(|_| "too short")?;
            let port = u16::from_be_bytes([ends[32], ends[33]]);
            Some((ip, port).into())
        }
        _ => None,
    })
}
