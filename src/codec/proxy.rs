//! The header of the PROXY protocol, versions 1 and 2, by which a proxy says for whom it connects.
//!
//! Nothing here trusts anybody: who may send one is the listener's business, and it is asked for
//! where it must come, never taken where it happens to be. What names no address of a TCP client
//! (`UNKNOWN`, `LOCAL`, families and transports that are none of ours) leaves the connection its
//! own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The longest header that is read: addresses, and extensions for a few names and keys.
pub const HEADER_MAX: usize = 4_096;

/// What the first bytes of a connection say about its origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Header {
    /// Not a whole header yet.
    More,
    /// A header.
    Whole {
        /// Its bytes.
        consumed: usize,
        /// The client that is behind the proxy; `None` where the connection is the proxy's own or
        /// the client's address is not told.
        source: Option<SocketAddr>,
    },
}

/// What is wrong with a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HeaderError {
    /// The connection begins with something else.
    #[error("there is none")]
    Missing,
    /// The line of version 1 is not as it must be.
    #[error("the line is not one of version 1")]
    Line,
    /// A version, command, family or transport that there is not.
    #[error("an unknown version, command, family or transport")]
    Unknown,
    /// Shorter than the addresses that it announces.
    #[error("the addresses do not fit in it")]
    Short,
    /// Longer than [`HEADER_MAX`].
    #[error("it is too long")]
    Long,
    /// An extension that reaches beyond the header.
    #[error("an extension reaches beyond it")]
    Extension,
}

const OPENING: &[u8] = b"PROXY ";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, version and command, family and transport, the length of what follows.
const FIXED: usize = 16;
/// The longest line, its end included.
const LINE_MAX: usize = 107;

/// Reads the header that `input` begins with.
///
/// A length is judged before a byte of what it announces is waited for; whatever cuts the bytes
/// into pieces, the result is the same.
///
/// # Errors
/// As soon as the bytes can not become a header any more, whatever follows.
pub fn read(input: &[u8]) -> Result<Header, HeaderError> {
    if begins(input, OPENING) {
        return read_line(input);
    }
    if begins(input, SIGNATURE) {
        return read_block(input);
    }
    Err(HeaderError::Missing)
}

/// Whether the two are the same as far as both go.
fn begins(input: &[u8], opening: &[u8]) -> bool {
    let both = input.len().min(opening.len());
    input[..both] == opening[..both]
}

/// Version 1: a line of text.
fn read_line(input: &[u8]) -> Result<Header, HeaderError> {
    let within = &input[..input.len().min(LINE_MAX)];
    let Some(end) = memchr::memchr(b'\n', within) else {
        return match within.len() {
            LINE_MAX => Err(HeaderError::Long),
            _ => Ok(Header::More),
        };
    };
    let line = within[..end].strip_suffix(b"\r");
    let words = line.and_then(|line| line.get(OPENING.len()..));
    let words = words.and_then(|words| std::str::from_utf8(words).ok());
    let source = words.and_then(read_words).ok_or(HeaderError::Line)?;
    Ok(Header::Whole {
        consumed: end + 1,
        source,
    })
}

/// What the words behind `PROXY` name; nothing where they are wrong.
fn read_words(words: &str) -> Option<Option<SocketAddr>> {
    let mut each = words.split(' ');
    let source = match each.next()? {
        // What follows is of no meaning.
        "UNKNOWN" => return Some(None),
        "TCP4" => read_source::<Ipv4Addr>(&mut each)?,
        "TCP6" => read_source::<Ipv6Addr>(&mut each)?,
        _ => return None,
    };
    each.next().is_none().then_some(Some(source))
}

/// Both addresses and both ports; the source of them.
fn read_source<'a, Ip: FromStr + Into<IpAddr>>(
    words: &mut impl Iterator<Item = &'a str>,
) -> Option<SocketAddr> {
    let source: Ip = words.next()?.parse().ok()?;
    let _: Ip = words.next()?.parse().ok()?;
    let port = read_port(words.next()?)?;
    read_port(words.next()?)?;
    Some(SocketAddr::new(source.into(), port))
}

fn read_port(word: &str) -> Option<u16> {
    let is_plain = word.bytes().all(|byte| byte.is_ascii_digit());
    let is_canonical = is_plain && (word == "0" || !word.starts_with('0'));
    word.parse().ok().filter(|_| is_canonical)
}

/// Version 2: a block of bytes.
fn read_block(input: &[u8]) -> Result<Header, HeaderError> {
    let command = input.get(SIGNATURE.len()).copied();
    if command.is_some_and(|command| !matches!(command, 0x20 | 0x21)) {
        return Err(HeaderError::Unknown);
    }
    // What a proxy says of a connection of its own is ignored, the family of addresses too.
    let is_local = command == Some(0x20);
    let family = input.get(SIGNATURE.len() + 1).copied();
    if !is_local && family.is_some_and(|family| family >> 4 > 3 || family & 0xf > 2) {
        return Err(HeaderError::Unknown);
    }
    let (Some(&[.., family, high, low]), rest) = (
        input.first_chunk::<FIXED>(),
        input.get(FIXED..).unwrap_or_default(),
    ) else {
        return Ok(Header::More);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if FIXED + length > HEADER_MAX {
        return Err(HeaderError::Long);
    }
    let addresses = if is_local { 0 } else { addresses_of(family) };
    if length < addresses {
        return Err(HeaderError::Short);
    }
    let Some(block) = rest.get(..length) else {
        return Ok(Header::More);
    };
    // Where no address is told, what follows is thrown away as it is.
    if addresses > 0 {
        skip_extensions(&block[addresses..])?;
    }
    Ok(Header::Whole {
        consumed: FIXED + length,
        source: (!is_local).then(|| source_of(family, block)).flatten(),
    })
}

/// Bytes that both addresses of a family take, ports included.
fn addresses_of(family: u8) -> usize {
    match family >> 4 {
        1 => 2 * (4 + 2),
        2 => 2 * (16 + 2),
        3 => 2 * 108,
        _ => 0,
    }
}

/// The client's address, where it is one of TCP.
fn source_of(family: u8, block: &[u8]) -> Option<SocketAddr> {
    let (ip, port): (IpAddr, _) = match family {
        0x11 => (Ipv4Addr::from(*block.first_chunk::<4>()?).into(), 8),
        0x21 => (Ipv6Addr::from(*block.first_chunk::<16>()?).into(), 32),
        _ => return None,
    };
    let port = u16::from_be_bytes(*block.get(port..)?.first_chunk()?);
    Some(SocketAddr::new(ip, port))
}

/// Steps over each extension: a type, a length of two bytes, so many bytes.
fn skip_extensions(mut rest: &[u8]) -> Result<(), HeaderError> {
    while !rest.is_empty() {
        let Some((&[_, high, low], behind)) = rest.split_first_chunk::<3>() else {
            return Err(HeaderError::Extension);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        rest = behind.get(length..).ok_or(HeaderError::Extension)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
