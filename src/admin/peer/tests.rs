//! What a connection to the admin interface holds.

use super::Peer;
use crate::time::Tick;

#[test]
fn a_stream_that_is_never_written_to_its_end_holds_what_waits_and_no_more() {
    let mut peer = Peer::new(1, Tick::default());
    let (mut made, mut told) = (0_u8, 0_u8);
    for _ in 0..1_000 {
        while peer.waiting() < 64 * 1_024 {
            peer.out.push(made);
            made = made.wrapping_add(1);
        }
        // The socket takes a part of it, as that of a slow reader far away does.
        let part = peer.output()[..20_000].to_vec();
        for byte in part {
            assert_eq!(byte, told);
            told = told.wrapping_add(1);
        }
        peer.wrote(20_000, Tick::default());
        assert!(peer.held() <= 256 * 1_024, "{}", peer.held());
    }
    let rest = peer.waiting();
    peer.wrote(rest, Tick::default());
    assert_eq!(peer.waiting(), 0);
    assert!(peer.held() <= 16 * 1_024, "{}", peer.held());
}
