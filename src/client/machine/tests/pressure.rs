//! More than somebody takes: events, bytes, messages.

use super::*;

#[test]
fn too_much_output_is_refused() {
    let output_max = 20;
    let mut rig = Rig::online(Options {
        output_max,
        ..Options::default()
    });
    rig.send("0123456789").unwrap();
    assert_eq!(rig.send("x"), Err(Refused::Full));
    rig.said();
    rig.send("x").unwrap();
}

#[test]
fn a_full_inbox_is_acked_to_the_last_and_none_is_told_twice() {
    let mut rig = Rig::online(Options::default());
    let all: String = (1..=6_000)
        .map(|id| format!("msga {id} bob hi\nmsg {} bob hi\n", 10_000 + id))
        .collect();
    rig.hear(&all);
    let mut told = 0;
    let mut acks = String::new();
    while let Some(Event::Message(_)) = rig.event() {
        told += 1;
        acks += &rig.said();
    }
    assert_eq!((told, acks.matches("ack").count()), (12_000, 6_000));
    // One ping on the way, which the acks were worth.
    assert_eq!(acks.matches("ping").count(), 1);
    let again: String = (1..=6_000)
        .map(|id| format!("msga {id} bob hi\n"))
        .collect();
    rig.hear(&again);
    assert_eq!(rig.event(), None);
    assert_eq!(rig.said().matches("ack").count(), 6_000);
    // Its answer settles what was acked before it.
    rig.hear("pong\n");
    rig.hear("msga 20000 bob hi\n");
    rig.event().unwrap();
    rig.says("ack 20000\nping\n");
}

#[test]
fn events_that_nobody_takes_stop_the_reading_and_not_the_beating() {
    let inbox_max = 2;
    let mut rig = Rig::online(Options {
        inbox_max,
        ..Options::default()
    });
    rig.hear("msg 1 bob a\nmsg 2 bob b\n");
    assert!(!rig.machine.wants_input());
    for _ in 0..4 {
        assert_eq!(rig.pass_to_deadline(), 20 * SECOND);
        rig.says("ping\n");
    }
    rig.event();
    assert!(rig.machine.wants_input() && rig.machine.is_online());
}

#[test]
fn who_is_deaf_and_blocked_does_not_beat_again_and_again() {
    let (inbox_max, heartbeat) = (2, Heartbeat::Every(SECOND));
    let mut rig = Rig::online(Options {
        inbox_max,
        heartbeat,
        ..Options::default()
    });
    rig.hear("msg 1 bob a\nmsg 2 bob b\n");
    assert_eq!(rig.pass_to_deadline(), SECOND);
    // The socket takes nothing: there is nothing to do before that is too much.
    assert_eq!(rig.machine.output(), b"ping\n");
    assert_eq!(rig.pass_to_deadline(), 10 * SECOND);
    assert!(!rig.machine.has_link());
}

#[test]
fn a_server_is_not_silent_while_nobody_listens() {
    let inbox_max = 2;
    let options = Options {
        inbox_max,
        ..Options::default()
    };
    let mut rig = Rig::online(options.clone());
    let request = rig.send("x").unwrap();
    rig.said();
    rig.hear("msg 1 bob a\nmsg 2 bob b\n");
    rig.pass(60 * SECOND);
    rig.event().unwrap();
    // It may be read again, and what the server said meanwhile is still to be read.
    rig.pass(9 * SECOND);
    assert!(rig.machine.is_online());
    rig.hear("ok queued=1\n");
    rig.event().unwrap();
    assert!(matches!(rig.event(), Some(Event::Answer { request: asked, .. }) if asked == request));

    // From then on it has its time, and no more.
    let mut rig = Rig::online(options);
    rig.hear("msg 1 bob a\nmsg 2 bob b\n");
    rig.pass_to_deadline();
    rig.says("ping\n");
    rig.pass(15 * SECOND);
    rig.event().unwrap();
    assert_eq!(rig.pass_to_deadline(), 10 * SECOND);
    rig.event().unwrap();
    assert_eq!(rig.event(), Some(Event::Lost(Lost::Silent(10 * SECOND))));
}

#[test]
fn a_server_that_takes_nothing_is_lost() {
    let mut rig = Rig::online(Options::default());
    rig.send("hi").unwrap();
    rig.pass(5 * SECOND);
    rig.hear("msg 1 bob x\n");
    rig.machine.wrote(rig.now, 1);
    rig.pass(9 * SECOND);
    rig.hear("msg 2 bob y\n");
    assert_eq!(rig.pass_to_deadline(), SECOND);
    let letters = [rig.event(), rig.event()];
    assert!(
        letters
            .iter()
            .all(|event| matches!(event, Some(Event::Message(_))))
    );
    rig.answers(RequestId(1), Outcome::Unknown);
    assert_eq!(rig.event(), Some(Event::Lost(Lost::Stuck(10 * SECOND))));
}
