//! Black and white lists, against a walk through all their lines: a text is refused for its first
//! wrong line and for no other; every address and every user gets what the most specific of all
//! entries says, and of two for the same one the black.

use std::net::{IpAddr, Ipv6Addr};

use pulsegate::codec::name::check_user;
use pulsegate::lists::{Colour, Draft, Lists};

/// What a line says.
enum Entry<'a> {
    /// A network: its first address, IPv4 as mapped IPv6, and its bits.
    Network(u128, u8),
    User(&'a str),
    Everybody,
}

pub(super) fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (black, white) = text.split_once("#####").unwrap_or((&text, ""));
    let mut draft = Draft::new((1, 2));
    let mut entries = Vec::new();
    for (text, colour) in [(black, Colour::Black), (white, Colour::White)] {
        let read: Vec<Option<Option<Entry<'_>>>> = text.lines().map(entry).collect();
        let wrong = read.iter().position(Option::is_none);
        let refused = draft.add_text(text, colour);
        let line = refused.as_ref().err().map(|(line, _)| line - 1);
        assert_eq!(line, wrong, "{refused:?}");
        if let Err((_, why)) = refused {
            assert!(!why.contains('\n'), "{why:?} is several lines");
            return;
        }
        let said = read.into_iter().flatten().flatten();
        entries.extend(said.map(|entry| (entry, colour)));
    }
    let lists = draft.finish();
    judge_addresses(&lists, &entries);
    judge_users(&lists, &entries);
}

/// What a line says: nothing where it is a remark, `None` where it is wrong.
fn entry(line: &str) -> Option<Option<Entry<'_>>> {
    let words = line.split_ascii_whitespace();
    let words = words.take_while(|word| !word.starts_with(['#', ';']));
    let words: Vec<&str> = words.collect();
    Some(match words[..] {
        [] => None,
        ["user", "*"] => Some(Entry::Everybody),
        ["user", name] => {
            check_user(name).ok()?;
            Some(Entry::User(name))
        }
        [text] => Some(network(text)?),
        _ => return None,
    })
}

fn network(text: &str) -> Option<Entry<'static>> {
    let (ip, bits) = match text.split_once('/') {
        Some((ip, bits)) => (ip, Some(bits)),
        None => (text, None),
    };
    let ip: IpAddr = ip.parse().ok()?;
    let (most, before) = if ip.is_ipv4() { (32, 96) } else { (128, 0) };
    let bits = match bits {
        Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => bits.parse().ok()?,
        Some(_) => return None,
        None => most,
    };
    let is_mapped = ip.is_ipv6() && number(ip) >> 32 == 0xffff;
    if bits > most || is_mapped && bits < 96 {
        return None;
    }
    let bits = before + bits;
    Some(Entry::Network(number(ip) & !behind(bits), bits))
}

/// The bits of an address behind the first ones.
fn behind(bits: u8) -> u128 {
    u128::MAX.checked_shr(bits.into()).unwrap_or(0)
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().into(),
        IpAddr::V6(ip) => ip.into(),
    }
}

/// What all entries say of an address: the longest of those that hold it.
fn walk(entries: &[(Entry<'_>, Colour)], address: u128) -> Option<(u8, Colour)> {
    let is_four = address >> 32 == 0xffff;
    let mut found: Option<(u8, Colour)> = None;
    for (entry, colour) in entries {
        let Entry::Network(first, bits) = *entry else {
            continue;
        };
        let holds = address & !behind(bits) == first && (bits >= 96 || !is_four);
        let is_first = match found {
            None => true,
            Some((held, _)) if held == bits => *colour == Colour::Black,
            Some((held, _)) => held < bits,
        };
        if holds && is_first {
            found = Some((bits, *colour));
        }
    }
    found
}

fn judge_addresses(lists: &Lists, entries: &[(Entry<'_>, Colour)]) {
    let edges = entries.iter().flat_map(|(entry, _)| match *entry {
        Entry::Network(first, bits) => {
            let last = first | behind(bits);
            let (before, after) = (first.wrapping_sub(1), last.wrapping_add(1));
            vec![before, first, last, after]
        }
        Entry::User(_) | Entry::Everybody => Vec::new(),
    });
    let strangers = [0, u128::MAX, 0xffff << 32, 0xffff_ffff_ffff];
    let mut addresses: Vec<u128> = edges.chain(strangers).collect();
    addresses.sort_unstable();
    addresses.dedup();
    for address in addresses {
        let right = walk(entries, address);
        let six = Ipv6Addr::from(address);
        assert_eq!(lists.find(six.into()), right, "{six}");
        if let Some(four) = six.to_ipv4_mapped() {
            assert_eq!(lists.find(four.into()), right, "{four}");
        }
    }
}

fn judge_users(lists: &Lists, entries: &[(Entry<'_>, Colour)]) {
    let everybody = said(entries, |entry| matches!(entry, Entry::Everybody));
    let names = entries.iter().filter_map(|(entry, _)| match entry {
        Entry::User(name) => Some(*name),
        Entry::Network(..) | Entry::Everybody => None,
    });
    for name in names.chain(["nobody of them"]) {
        let named = said(
            entries,
            |entry| matches!(entry, Entry::User(user) if *user == name),
        );
        assert_eq!(lists.find_user(name), named.or(everybody), "{name:?}");
    }
}

/// What is said of somebody: black goes before white.
fn said(entries: &[(Entry<'_>, Colour)], is_meant: impl Fn(&Entry<'_>) -> bool) -> Option<Colour> {
    let meant = entries.iter().filter(|(entry, _)| is_meant(entry));
    meant.map(|(_, colour)| *colour).min()
}
