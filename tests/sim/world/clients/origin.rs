//! Where a client comes from: its own address, or a proxy that says for whom it connects.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::world::dice::Dice;

/// The proxies that a listener trusts, where it trusts any.
pub(crate) const PROXIES: &str = "10.9.0.0/16";

/// How long the addresses are that all misbehaving clients together have.
const SHARED: u64 = 4;

/// Where a client comes from, and how its proxy says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// Who connects.
    pub(crate) from: IpAddr,
    /// For whom, where the header says so.
    client: IpAddr,
    manner: Option<Manner>,
}

/// What a proxy says first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Manner {
    /// Version 1, with addresses.
    Line,
    /// Version 1, without.
    Unknown,
    /// Version 2, with addresses and extensions of so many bytes.
    Block(u16),
    /// Version 2, for itself.
    Local,
    /// Version 2, for a client without an address of TCP.
    Other(u8),
    /// Nothing: what follows is the client's.
    Missing,
    /// What is no header.
    Wrong(u8),
    /// Its front, and then no more.
    Torn,
}

/// What becomes of a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// It lets the client in.
    Good,
    /// It ends the connection.
    Bad,
    /// It never comes to its end.
    Late,
}

impl Origin {
    /// An address of its own for who behaves; the others share a few.
    pub(crate) fn draw(dice: &mut Dice, who: u32, is_good: bool, is_proxied: bool) -> Self {
        let client = match is_good {
            true => own_address(dice, who),
            false => shared_address(dice),
        };
        let [.., high, low] = who.to_be_bytes();
        let is_stranger = is_proxied && !is_good && dice.one_in(8);
        let from = match (is_proxied, is_stranger) {
            (false, _) => client,
            (true, false) => IpAddr::from([10, 9, high, low]),
            (true, true) => IpAddr::from([203, 0, 113, low]),
        };
        Self {
            from,
            client,
            manner: is_proxied.then(|| manner(dice, is_good)),
        }
    }

    /// Whether the listener takes it for no proxy.
    pub(crate) fn is_stranger(&self) -> bool {
        let proxies: pulsegate::Network = PROXIES.parse().expect("a network");
        self.manner.is_some() && !proxies.holds(self.from)
    }

    /// The address that counts.
    pub(crate) fn source(&self) -> IpAddr {
        match self.manner {
            None | Some(Manner::Line | Manner::Block(_)) => self.client.to_canonical(),
            Some(_) => self.from.to_canonical(),
        }
    }

    /// What comes first on its connection, and what becomes of that; nothing without a proxy.
    pub(crate) fn header(&self) -> Option<(Vec<u8>, Fate)> {
        let manner = self.manner?;
        let fate = match manner {
            Manner::Missing | Manner::Wrong(_) => Fate::Bad,
            Manner::Torn => Fate::Late,
            _ => Fate::Good,
        };
        Some((self.bytes(manner), fate))
    }

    fn bytes(&self, manner: Manner) -> Vec<u8> {
        match manner {
            Manner::Line => match self.client {
                IpAddr::V4(ip) => format!("PROXY TCP4 {ip} 10.9.0.1 4711 7373\r\n").into(),
                IpAddr::V6(ip) => format!("PROXY TCP6 {ip} ::1 4711 7373\r\n").into(),
            },
            Manner::Unknown => b"PROXY UNKNOWN whatever\r\n".to_vec(),
            Manner::Block(extra) => {
                let mut addresses = match self.client {
                    IpAddr::V4(ip) => [ip.octets(), [10, 9, 0, 1]].concat(),
                    IpAddr::V6(ip) => [ip.octets(), Ipv6Addr::LOCALHOST.octets()].concat(),
                };
                addresses.extend([0x12, 0x34, 0x56, 0x78]);
                addresses.push(0xEE);
                addresses.extend(extra.to_be_bytes());
                addresses.extend(vec![b'e'; usize::from(extra)]);
                let family = if self.client.is_ipv4() { 0x11 } else { 0x21 };
                block(0x21, family, &addresses)
            }
            Manner::Local => block(0x20, 0, b"thrown away"),
            Manner::Other(0) => block(0x21, 0, b""),
            Manner::Other(_) => block(0x21, 0x31, &[b'/'; 216]),
            Manner::Missing => Vec::new(),
            Manner::Wrong(0) => b"PROXY TCP4 1.2.3.4 5.6.7.8 1 70000\r\n".to_vec(),
            Manner::Wrong(1) => block(0x21, 0x11, &[1; 11]),
            Manner::Wrong(2) => b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff".to_vec(),
            Manner::Wrong(_) => b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n".to_vec(),
            Manner::Torn => {
                let mut front = self.bytes(Manner::Block(9));
                front.pop();
                front
            }
        }
    }
}

fn manner(dice: &mut Dice, is_good: bool) -> Manner {
    match dice.below(if is_good { 8 } else { 12 }) {
        0..=2 => Manner::Line,
        3 | 4 => Manner::Block(dice.below(600) as u16),
        5 => Manner::Unknown,
        6 => Manner::Local,
        7 => Manner::Other(dice.below(2) as u8),
        8 => Manner::Missing,
        9 | 10 => Manner::Wrong(dice.below(4) as u8),
        _ => Manner::Torn,
    }
}

fn block(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([command, family]);
    bytes.extend((rest.len() as u16).to_be_bytes());
    bytes.extend(rest);
    bytes
}

fn own_address(dice: &mut Dice, who: u32) -> IpAddr {
    let ip = Ipv4Addr::from(0xC000_0200 + who);
    match dice.below(4) {
        0 => ip.to_ipv6_mapped().into(),
        1 => wide(0, who, dice),
        _ => ip.into(),
    }
}

fn shared_address(dice: &mut Dice) -> IpAddr {
    let which = dice.below(SHARED) as u32;
    let ip = Ipv4Addr::from(0xC633_6400 + which);
    match dice.below(4) {
        0 => ip.to_ipv6_mapped().into(),
        1 => wide(1, which, dice),
        _ => ip.into(),
    }
}

/// One of the very many addresses of a customer of IPv6.
fn wide(group: u16, which: u32, dice: &mut Dice) -> IpAddr {
    let [a, b, c, d] = [1, 2, 3, 4].map(|_| dice.next() as u16);
    Ipv6Addr::new(0x2001, 0xdb8, group, which as u16, a, b, c, d).into()
}

/// What may be said of addresses: each of these networks holds some client.
pub(crate) const NETWORKS: [&str; 11] = [
    "0.0.0.0/0",
    "::/0",
    "198.51.100.0/24",
    "198.51.100.0/30",
    "198.51.100.1",
    "198.51.100.2/31",
    "2001:db8:1::/48",
    "2001:db8:1::/63",
    "2001:db8:1:2::/64",
    "192.0.2.0/26",
    "10.9.0.0/17",
];
