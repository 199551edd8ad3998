//! Losing a connection, coming back, and not coming back.

use super::*;

#[test]
fn what_was_sent_is_unknown_and_what_was_not_waits() {
    let mut rig = Rig::online(Options::default());
    let whole = rig.send("whole").unwrap();
    let half = rig.send("half").unwrap();
    let none = rig.send("none").unwrap();
    let first = "send bob whole\nsend b".len();
    rig.machine.wrote(rig.now, first);
    rig.machine.lost(rig.now, Lost::Reset);
    rig.answers(whole, Outcome::Unknown);
    rig.answers(half, Outcome::Unknown);
    assert_eq!(rig.event(), Some(Event::Lost(Lost::Reset)));
    rig.retries();
    let later = rig.send("later").unwrap();
    rig.come_back();
    rig.says("send bob none\nsend bob later\n");
    rig.hear("ok\nerror no-such-user nobody\n");
    rig.answers(none, done());
    let (code, text) = ("no-such-user".into(), "nobody".into());
    rig.answers(later, Outcome::Refused(Refusal { code, text }));
}

#[test]
fn who_refuses_while_away_says_so() {
    let away = Away::Refuse;
    let mut rig = Rig::online(Options {
        away,
        ..Options::default()
    });
    let unsent = rig.send("x").unwrap();
    rig.machine.lost(rig.now, Lost::Reset);
    rig.answers(unsent, Outcome::Unsent);
    assert_eq!(rig.send("y"), Err(Refused::Away));

    let away = Away::Queue(2);
    let mut rig = Rig::new(Options {
        away,
        ..Options::default()
    });
    rig.send("x").unwrap();
    rig.join("news");
    assert_eq!(rig.send("z"), Err(Refused::Full));
}

#[test]
fn no_more_waits_after_a_loss_than_may_wait() {
    for most in [0, 2] {
        let away = Away::Queue(most);
        let mut rig = Rig::online(Options {
            away,
            ..Options::default()
        });
        let unsent: Vec<_> = (0..4).map(|_| rig.send("x").unwrap()).collect();
        rig.machine.lost(rig.now, Lost::Reset);
        // The first ones wait, and the others are told.
        for request in &unsent[most..] {
            rig.answers(*request, Outcome::Unsent);
        }
        assert_eq!(rig.event(), Some(Event::Lost(Lost::Reset)));
        rig.come_back_after_retry();
        assert_eq!(rig.said().lines().count(), most);
    }
}

#[test]
fn it_joins_its_topics_again() {
    let mut rig = Rig::online(Options::default());
    for topic in ["news", "old", "gone"] {
        let request = rig.join(topic);
        rig.hear("ok\n");
        rig.answers(request, done());
    }
    let topic = "old".into();
    let request = rig
        .machine
        .request(rig.now, &Request::Leave { topic })
        .unwrap();
    rig.said();
    rig.hear("ok\n");
    rig.answers(request, done());
    rig.lose();
    rig.retries();
    let more = rig.join("more");
    rig.come_back();
    rig.says("join news\njoin gone\njoin more\n");
    rig.hear("ok\nerror forbidden no\nok\n");
    let told = rig.event();
    assert!(matches!(&told, Some(Event::NotRejoined { topic, .. }) if &**topic == "gone"));
    rig.answers(more, done());
    rig.lose();
    rig.come_back_after_retry();
    rig.says("join news\njoin more\n");
}

#[test]
fn an_early_refusal_does_not_forget_a_topic_that_is_asked_for_again() {
    let mut rig = Rig::online(Options::default());
    let (first, second) = (rig.join("news"), rig.join("news"));
    rig.said();
    rig.hear("error rate-limited no\nok\n");
    assert!(matches!(
        rig.event(),
        Some(Event::Answer { request, outcome: Outcome::Refused(_) }) if request == first
    ));
    rig.answers(second, done());
    rig.lose();
    rig.come_back_after_retry();
    rig.says("join news\n");
}

#[test]
fn nobody_comes_back_who_was_sent_away() {
    for reason in CloseReason::ALL {
        let mut rig = Rig::online(Options::default());
        rig.hear(format!("close {reason}\n"));
        let lost = Lost::Closed(reason);
        assert_eq!(rig.event(), Some(Event::Lost(lost.clone())));
        let is_final = ["replaced", "kicked", "banned", "login-failed", "quit"];
        if is_final.contains(&reason.word()) {
            assert_eq!(rig.event(), Some(Event::GaveUp(GaveUp::Told(lost))));
            assert!(rig.machine.is_over() && rig.machine.deadline().is_none());
            assert_eq!(rig.send("x"), Err(Refused::Over));
        } else {
            rig.come_back_after_retry();
        }
    }
    for (code, is_final) in [
        ("bad-credentials", true),
        ("forbidden", true),
        ("user-taken", false),
        ("overloaded", false),
    ] {
        let mut rig = Rig::new(Options::default());
        rig.dial();
        rig.hear(format!("error {code} no\n"));
        assert!(matches!(
            rig.event(),
            Some(Event::Lost(Lost::LoginRefused(_)))
        ));
        assert_eq!(rig.machine.is_over(), is_final, "{code}");
    }
}

#[test]
fn the_time_that_the_server_names_is_kept() {
    let mut rig = Rig::online(Options::default());
    rig.hear("close shutdown 45000\n");
    rig.event();
    let after = rig.retries();
    assert!(after >= 45 * SECOND && after <= 46 * SECOND, "{after:?}");
    rig.pass(45 * SECOND - Duration::from_nanos(1));
    assert!(!rig.machine.wants_dial(rig.now));

    // Days are as good, up to what the contract can say.
    for (named, millis) in [
        ("172800000", 172_800_000),
        ("99999999999999", u32::MAX.into()),
    ] {
        let mut rig = Rig::online(Options::default());
        rig.hear(format!("close shutdown {named}\n"));
        rig.event();
        assert!(rig.retries() >= Duration::from_millis(millis));
    }
}

#[test]
fn it_tells_each_attempt_and_gives_up_in_the_end() {
    let attempts = Some(3);
    let retry = Retry {
        attempts,
        ..Retry::FOR_EVER
    };
    let mut rig = Rig::online(Options {
        retry,
        ..Options::default()
    });
    let request = rig.send("x").unwrap();
    rig.lose();
    for attempt in 1..=3 {
        match rig.event() {
            Some(Event::Retrying { attempt: told, .. }) => assert_eq!(told, attempt),
            other => panic!("{other:?}"),
        }
        rig.pass_to_deadline();
        assert!(rig.machine.wants_dial(rig.now));
        rig.machine.lost(rig.now, Lost::Refused);
        assert_eq!(rig.event(), Some(Event::Lost(Lost::Refused)));
    }
    rig.answers(request, Outcome::Unsent);
    assert_eq!(rig.event(), Some(Event::GaveUp(GaveUp::Attempts(3))));
}

#[test]
fn a_connection_that_does_not_come_about_is_told_in_time() {
    let mut rig = Rig::new(Options::default());
    assert!(rig.machine.wants_dial(rig.now));
    assert_eq!(rig.pass_to_deadline(), 10 * SECOND);
    assert_eq!(
        rig.event(),
        Some(Event::Lost(Lost::ConnectTimeout(10 * SECOND)))
    );
}

#[test]
fn a_message_whose_ack_was_lost_is_not_told_again_after_a_heartbeat_elsewhere() {
    let mut rig = Rig::online(Options::default());
    for id in 1..=12 {
        rig.hear(format!("msga {id} bob hi\n"));
        assert!(matches!(rig.event(), Some(Event::Message(_))));
    }
    // Nobody hears these acks.
    rig.said();
    rig.lose();
    rig.retries();
    rig.come_back();
    // The first come again at once, the others only once a heartbeat was answered.
    rig.hear("msga 1 bob hi\n");
    rig.says("ack 1\n");
    rig.pass_to_deadline();
    rig.says("ping\n");
    rig.hear("pong\n");
    for id in 2..=12 {
        rig.hear(format!("msga {id} bob hi\n"));
        assert_eq!(rig.event(), None, "{id}");
        rig.says(&format!("ack {id}\n"));
    }
}

/// Two clients of one user against a server that replaces the older one, for an hour.
#[test]
fn two_of_one_user_do_not_oust_each_other_for_ever() {
    let mut rigs = [Rig::new(Options::default()), Rig::new(Options::default())];
    let mut logins = 0;
    let mut owner: Option<usize> = None;
    for _ in 0..36_000 {
        for at in 0..2 {
            rigs[at].pass(SECOND / 10);
            if rigs[at].machine.wants_dial(rigs[at].now) {
                let now = rigs[at].now;
                rigs[at].machine.dialed(now);
            }
            for line in rigs[at].said().lines() {
                if line.starts_with("login") {
                    if let Some(old) = owner.replace(at).filter(|old| *old != at) {
                        rigs[old].hear("close replaced\n");
                    }
                    logins += 1;
                    rigs[at].hear("ok heartbeat=20000 proto=1\n");
                } else {
                    rigs[at].hear("pong\n");
                }
            }
        }
    }
    assert_eq!(logins, 2);
    assert!(rigs[0].machine.is_over() && rigs[1].machine.is_online());
}

#[test]
fn a_name_that_stays_taken_is_given_up_once_no_old_connection_of_ours_can_hold_it() {
    let idle_timeout = 60 * SECOND;
    let mut rig = Rig::online(Options::default());
    for lasts in [false, true] {
        rig.lose();
        rig.retries();
        let begun = rig.now;
        loop {
            rig.pass_to_deadline();
            rig.dial();
            if !lasts && rig.now > begun + idle_timeout {
                // The server has missed the old one.
                rig.says("login ann\n");
                rig.hear("ok heartbeat=20000 proto=1\n");
                assert_eq!(rig.event(), Some(Event::Connected));
                break;
            }
            rig.hear("error user-taken no\n");
            let told = rig.event();
            assert!(matches!(told, Some(Event::Lost(Lost::LoginRefused(_)))));
            let is_late = rig.now >= begun + 2 * idle_timeout;
            match rig.event() {
                Some(Event::Retrying { .. }) => assert!(!is_late),
                Some(Event::GaveUp(GaveUp::Told(_))) => {
                    assert!(is_late && lasts && rig.machine.is_sent_away());
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(rig.machine.is_over());
}
