//! The lists against one that is walked from its first entry to its last.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

const KEY: (u64, u64) = (7, 11);

fn lists(black: &str, white: &str) -> Lists {
    let mut draft = Draft::new(KEY);
    draft.add_text(white, Colour::White).unwrap();
    draft.add_text(black, Colour::Black).unwrap();
    draft.finish()
}

fn says(lists: &Lists, ip: &str) -> Option<Colour> {
    lists.find(ip.parse().unwrap()).map(|(_, colour)| colour)
}

#[test]
fn the_most_specific_network_decides_and_a_mapped_address_is_one_of_ipv4() {
    let lists = lists(
        "10.0.0.0/8 # all of it\n\n; but\n10.1.2.3\n2001:db8::/32\n0.0.0.0/0\n",
        "10.1.0.0/16\n  10.1.2.0/24\t; office\n10.1.2.3/32\n2001:db8:1::/48\n127.0.0.1",
    );
    for (ip, colour) in [
        ("10.2.0.1", Colour::Black),
        ("10.1.0.0", Colour::White),
        ("10.1.255.255", Colour::White),
        ("10.1.2.2", Colour::White),
        ("10.1.2.3", Colour::Black),
        ("10.1.2.4", Colour::White),
        ("10.255.255.255", Colour::Black),
        ("11.0.0.0", Colour::Black),
        ("255.255.255.255", Colour::Black),
        ("0.0.0.0", Colour::Black),
        ("127.0.0.1", Colour::White),
        ("127.0.0.2", Colour::Black),
        ("2001:db8::1", Colour::Black),
        ("2001:db8:1::", Colour::White),
        ("2001:db8:1:ffff:ffff:ffff:ffff:ffff", Colour::White),
        ("2001:db8:2::", Colour::Black),
        ("::ffff:10.1.2.3", Colour::Black),
        ("::ffff:10.1.2.4", Colour::White),
    ] {
        assert_eq!(says(&lists, ip), Some(colour), "{ip}");
    }
    for ip in ["2001:db7:ffff::", "2001:db9::", "::", "::1", "ffff::"] {
        assert_eq!(says(&lists, ip), None, "{ip}");
    }
}

#[test]
fn a_network_of_all_ipv6_holds_nobody_of_ipv4() {
    let lists = lists("::/0", "");
    assert_eq!(says(&lists, "::1"), Some(Colour::Black));
    assert_eq!(says(&lists, "::ffff:1.2.3.4"), None);
    assert_eq!(says(&lists, "1.2.3.4"), None);
}

#[test]
fn users_are_named_one_by_one_or_all_together() {
    let open = lists("user mallory\nuser both\n", "user alice\nuser both");
    assert_eq!(open.find_user("mallory"), Some(Colour::Black));
    assert_eq!(open.find_user("alice"), Some(Colour::White));
    assert_eq!(open.find_user("both"), Some(Colour::Black));
    assert_eq!(open.find_user("nobody"), None);
    let closed = lists("user *", "user alice");
    assert_eq!(closed.find_user("alice"), Some(Colour::White));
    assert_eq!(closed.find_user("bob"), Some(Colour::Black));
    assert_eq!(closed.entries(), 2);
}

#[test]
fn what_is_no_entry_is_told_with_its_line() {
    for (text, line) in [
        ("10.0.0.0/33", 1),
        ("10.0.0.1\n\n# x\nnowhere", 4),
        ("user", 1),
        ("user a b", 1),
        ("10.0.0.1 10.0.0.2", 1),
        ("user a/b", 1),
        ("usr bob", 1),
    ] {
        let (at, wrong) = Draft::new(KEY).add_text(text, Colour::Black).unwrap_err();
        assert_eq!(at, line, "{text}: {wrong}");
        let words = text.split([' ', '\n']).filter(|word| word.len() > 4);
        let told = words.filter(|word| wrong.contains(word)).count();
        assert_eq!(told, 0, "{text}: {wrong}");
    }
    let empty = lists("", "\n  # nothing\n");
    assert_eq!((empty.entries(), says(&empty, "1.2.3.4")), (0, None));
}

/// Networks that often lie in each other.
fn network() -> impl Strategy<Value = Network> {
    let four = (0u32..64, 0u8..=32).prop_map(|(low, bits)| {
        let ip = Ipv4Addr::from(0x0a00_0000 | low << 24 | low << 3 | low);
        Network::new(ip.into(), bits).unwrap()
    });
    let six = (0u128..64, 0u8..=128).prop_map(|(low, bits)| {
        let ip = Ipv6Addr::from(low << 122 | low << 96 | low << 30 | low);
        Network::new(ip.into(), bits).unwrap()
    });
    prop_oneof![four, six]
}

proptest! {
    #[test]
    fn every_address_gets_what_a_walk_through_all_entries_gives(
        entries in proptest::collection::vec((network(), any::<bool>()), 0..120),
        strangers in proptest::collection::vec(any::<u128>(), 20),
    ) {
        let colour = |is_white| if is_white { Colour::White } else { Colour::Black };
        let mut draft = Draft::new(KEY);
        for (network, is_white) in &entries {
            draft.add_network(*network, colour(*is_white));
        }
        let lists = draft.finish();
        let edges = entries.iter().flat_map(|(network, _)| {
            let (first, last) = (network.first, network.last());
            [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
        });
        for address in edges.chain(strangers) {
            let ip = IpAddr::from(Ipv6Addr::from(address));
            let held = entries.iter().filter(|(network, _)| network.holds(ip));
            let walked = held
                .map(|(network, is_white)| (network.bits, std::cmp::Reverse(*is_white)))
                .max();
            let walked = walked.map(|(bits, is_white)| (bits, colour(is_white.0)));
            prop_assert_eq!(lists.find(ip), walked, "{}", ip);
        }
    }

    #[test]
    fn an_index_finds_what_a_search_finds(
        mut keys in proptest::collection::vec(key(), 0..700),
        wanted in proptest::collection::vec(key(), 50),
    ) {
        keys.sort_unstable();
        let decision = Decision { bits: 64, colour: Colour::Black };
        let range = |start: &u64| Range { start: *start, decision };
        let slots = Slots::new(keys.iter().map(range).collect());
        let edges = keys.iter().flat_map(|key| [key.wrapping_sub(1), *key, key.wrapping_add(1)]);
        for key in edges.chain(wanted) {
            let place = keys.partition_point(|held| *held <= key).checked_sub(1);
            let found = slots.last_up_to(key).map(Range::key);
            prop_assert_eq!(found, place.map(|place| keys[place]));
        }
    }
}

/// Keys that are anywhere, or close together.
fn key() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0u64..2_000,
        (0u64..2_000).prop_map(|low| u64::MAX - low)
    ]
}

#[test]
fn a_million_entries_take_less_than_64_megabytes() {
    for bits in [Some(32), Some(64), Some(128), None] {
        let mut draft = Draft::new(KEY);
        let mut dice = 1u64;
        for number in 0..1_000_000 {
            // The simplest generator there is: the high bits are random enough to lie apart.
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let ip = match bits {
                Some(32) => Ipv4Addr::from((dice >> 32) as u32).into(),
                Some(_) => Ipv6Addr::from(u128::from(dice) << 64 | 1).into(),
                None => {
                    draft.add_user(&format!("user{number}"), Colour::Black);
                    continue;
                }
            };
            let network = Network::new(ip, bits.unwrap()).unwrap();
            draft.add_network(network, Colour::Black);
        }
        let lists = draft.finish();
        assert_eq!(lists.entries(), 1_000_000);
        assert!(lists.bytes() < 64_000_000, "{} bytes", lists.bytes());
    }
}
