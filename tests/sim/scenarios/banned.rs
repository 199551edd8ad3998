//! Who may come in changes while connections live: for everybody, and never for all in one turn.

use pulsegate::lists::{Colour, Draft};
use pulsegate::{CloseReason, Limits};

use super::{Stage, ms};
use crate::world::Path;
use crate::world::socket::Key;

const MANY: usize = 3_000;
const SLICE: u32 = 100;

fn crowd(limits: Limits) -> (Stage, Vec<Key>) {
    let mut stage = Stage::within(limits);
    stage.is_judged = false;
    stage.checks = false;
    let keys = (0..MANY).map(|_| stage.dial(Path::default())).collect();
    stage.pass(ms(200));
    (stage, keys)
}

#[test]
fn lists_apply_to_everybody_who_is_here_a_slice_a_turn() {
    // 26
    let (mut stage, keys) = crowd(Limits {
        expiries: SLICE,
        ..Limits::default()
    });
    let mut draft = Draft::new(stage.server.gate().list_key());
    let black = "10.0.0.0/8\n";
    draft.add_text(black, Colour::Black).expect("a network");
    // Every peer has an address of its own: this is that of the twelfth.
    draft
        .add_text("10.0.0.11", Colour::White)
        .expect("an address");
    let old = stage
        .server
        .gate_mut()
        .set_lists(Some(Box::new(draft.finish())));
    assert!(old.is_none());
    let mut turns = 0;
    while stage.server.gate().is_retuning() {
        let before = stage.ends.len();
        stage.turn();
        assert!(
            stage.ends.len() - before <= SLICE as usize,
            "never all in one turn"
        );
        turns += 1;
    }
    assert!(turns >= MANY / SLICE as usize);
    assert_eq!(stage.ends.len(), MANY - 1);
    for (place, &key) in keys.iter().enumerate() {
        let wanted = (place != 11).then_some(CloseReason::Banned);
        assert_eq!(stage.reason(key), wanted, "{place}");
    }
    stage.server.gate().check();
    assert_eq!(stage.server.gate().listed(), 2);
    let old = stage.server.gate_mut().set_lists(None);
    assert_eq!(old.map(|lists| lists.entries()), Some(2));
    let back = stage.connect();
    assert_eq!(stage.ask(back, "ping\n"), "pong\n");
}

#[test]
fn nobody_is_passed_over_where_the_table_grows_in_the_midst_of_the_walk() {
    // 26
    let limits = Limits {
        expiries: 1,
        ..Limits::default()
    };
    let mut stage = Stage::within(limits);
    stage.is_judged = false;
    let mut keys: Vec<Key> = (0..10).map(|_| stage.connect()).collect();
    // The first walk ends behind the tenth, where the next one begins.
    keep_out(&mut stage, "192.0.2.1");
    while stage.server.gate().is_retuning() {
        stage.turn();
    }
    keys.extend((0..40).map(|_| stage.connect()));
    keep_out(&mut stage, "10.0.0.0/8");
    while stage.server.gate().is_retuning() {
        stage.dial(Path::default());
        stage.turn();
    }
    for (place, &key) in keys.iter().enumerate() {
        assert_eq!(stage.reason(key), Some(CloseReason::Banned), "{place}");
    }
}

fn keep_out(stage: &mut Stage, network: &str) {
    let mut draft = Draft::new(stage.server.gate().list_key());
    draft.add_text(network, Colour::Black).expect("a network");
    let gate = stage.server.gate_mut();
    gate.set_lists(Some(Box::new(draft.finish())));
}
