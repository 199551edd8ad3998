//! Addresses as people write them: where connections go to and come from.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use crate::error::Fatal;

/// The first address of a name.
pub(crate) fn resolve(target: &str) -> Result<SocketAddr, Fatal> {
    let wrong = |why: String| Fatal::Usage(format!("target {target:?}: {why}"));
    if !target.contains(':') {
        return Err(wrong(String::from("write HOST:PORT, as in 127.0.0.1:7373")));
    }
    let mut addrs = target
        .to_socket_addrs()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidInput => {
                wrong(String::from("write HOST:PORT, as in 127.0.0.1:7373"))
            }
            _ => Fatal::Environment(format!(
                "target {target:?} is not found: is the name right? ({error})"
            )),
        })?;
    addrs
        .next()
        .ok_or_else(|| Fatal::Environment(format!("target {target:?} has no address")))
}

/// `127.0.0.1`, `127.0.0.1-127.0.0.9`, `127.1.0.0/28`, and lists of them.
pub(crate) fn read_sources(text: &str) -> Result<Vec<IpAddr>, Fatal> {
    let mut sources = Vec::new();
    for part in text.split(',') {
        let wrong = || {
            Fatal::Usage(format!(
                "source {part:?}: write 127.0.0.2, 127.0.0.2-127.0.0.9 or 127.1.0.0/28"
            ))
        };
        let read =
            |text: &str| -> Result<IpAddr, Fatal> { text.trim().parse().map_err(|_| wrong()) };
        let range = if let Some((first, last)) = part.split_once('-') {
            (to_number(read(first)?), to_number(read(last)?))
        } else if let Some((net, bits)) = part.split_once('/') {
            let net = read(net)?;
            let width = if net.is_ipv4() { 32 } else { 128 };
            let bits: u32 = bits.trim().parse().map_err(|_| wrong())?;
            let host = width_of(width, bits).ok_or_else(wrong)?;
            let first = to_number(net) & !host;
            // The first and the last of an IPv4 network are no addresses of a host.
            let edge = u128::from(net.is_ipv4() && width - bits > 1);
            (first + edge, first + host - edge)
        } else {
            (to_number(read(part)?), to_number(read(part)?))
        };
        let (first, last) = range;
        if first > last || last - first >= SOURCES_MAX {
            return Err(wrong());
        }
        let is_v4 = part.contains('.');
        sources.extend((first..=last).map(|number| to_ip(number, is_v4)));
    }
    Ok(sources)
}

/// The bits of the host part, all set.
fn width_of(width: u32, bits: u32) -> Option<u128> {
    let host = width.checked_sub(bits)?;
    Some(1_u128.checked_shl(host).map_or(u128::MAX, |size| size - 1))
}

fn to_number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u32::from(ip).into(),
        IpAddr::V6(ip) => ip.into(),
    }
}

fn to_ip(number: u128, is_v4: bool) -> IpAddr {
    match u32::try_from(number) {
        Ok(number) if is_v4 => IpAddr::V4(number.into()),
        _ => IpAddr::V6(number.into()),
    }
}

/// Source addresses at most.
const SOURCES_MAX: u128 = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read() {
        let read = |text: &str| -> Vec<String> {
            let sources = read_sources(text).unwrap();
            sources.iter().map(ToString::to_string).collect()
        };
        assert_eq!(read("127.0.0.5"), ["127.0.0.5"]);
        assert_eq!(read("127.0.0.5-127.0.0.6,127.0.1.1").len(), 3);
        assert_eq!(read("127.1.0.0/30"), ["127.1.0.1", "127.1.0.2"]);
        assert_eq!(read("127.1.0.7/32"), ["127.1.0.7"]);
        assert_eq!(read("::1"), ["::1"]);
        for wrong in [
            "",
            "here",
            "127.0.0.2-127.0.0.1",
            "127.0.0.0/33",
            "10.0.0.0/8",
        ] {
            assert!(read_sources(wrong).is_err(), "{wrong}");
        }
    }
}
