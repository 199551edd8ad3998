//! Networks of addresses, as an operator writes them: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Addresses that share so many first bits; IPv4 as mapped IPv6, so that both ways to write an
/// IPv4 address mean the same one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Network {
    pub(crate) bits: u8,
    pub(crate) first: u128,
}

/// A text that is no network.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an address, nor a network as 10.0.0.0/8")]
pub struct NetworkError;

/// Bits before those of an IPv4 address.
pub(crate) const MAPPED: u8 = 96;

impl Network {
    /// The network of `ip` with so many bits; `None` where an address has fewer.
    #[must_use]
    pub fn new(ip: IpAddr, bits: u8) -> Option<Self> {
        let (most, before) = if ip.is_ipv4() { (32, MAPPED) } else { (128, 0) };
        (bits <= most).then(|| Self::around(number(ip), bits + before))
    }

    /// The network of so many bits that an address lies in.
    pub(crate) fn around(address: u128, bits: u8) -> Self {
        let first = address & mask(bits);
        Self { bits, first }
    }

    /// Whether an address lies in it.
    #[must_use]
    pub fn holds(self, ip: IpAddr) -> bool {
        let address = number(ip);
        // A network of IPv6 that is so wide that the mapped addresses lie in it does not mean them.
        let is_of_four = address >> 32 == 0xffff;
        (self.bits >= MAPPED || !is_of_four) && address & mask(self.bits) == self.first
    }

    /// Whether every address of its family lies in it.
    pub(crate) fn is_everybody(self) -> bool {
        let is_four = Ipv6Addr::from(self.first).to_ipv4_mapped().is_some();
        self.bits == if is_four { MAPPED } else { 0 }
    }

    /// Its last address.
    pub(crate) fn last(self) -> u128 {
        self.first | !mask(self.bits)
    }
}

fn mask(bits: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)
}

/// An address as a number; IPv4 as mapped IPv6.
pub(crate) fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().into(),
        IpAddr::V6(ip) => ip.into(),
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (ip, bits) = match text.split_once('/') {
            Some((ip, bits)) => (ip, Some(bits)),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| NetworkError)?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().map_err(|_| NetworkError)?
            }
            Some(_) => return Err(NetworkError),
        };
        // Who writes a mapped address means IPv4, of which a wider network would hold nothing.
        let is_mapped = number(ip) >> 32 == 0xffff;
        if is_mapped && ip.is_ipv6() && bits < MAPPED {
            return Err(NetworkError);
        }
        Self::new(ip, bits).ok_or(NetworkError)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = Ipv6Addr::from(self.first);
        match ip.to_ipv4_mapped() {
            Some(ip) if self.bits >= MAPPED => write!(f, "{ip}/{}", self.bits - MAPPED),
            _ => write!(f, "{ip}/{}", self.bits),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

    use super::*;

    #[test]
    fn a_network_is_its_first_bits() {
        for (text, shown) in [
            ("10.1.2.3", "10.1.2.3/32"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), shown);
        }
        for text in [
            "",
            "10",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "a/8",
            "1/2/3",
            "::ffff:10.0.0.0/8",
            "::ffff:0:0/95",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
