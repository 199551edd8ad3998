//! Before and while a login is decided: strangers cost little, and a late answer reaches nobody
//! else.

use std::time::Duration;

use pulsegate::{
    Answer, CloseReason, ConnId, ErrorCode, Gate, Handler, Limits, Login, Message, Settings,
};

use crate::client::{Client, eventually};
use crate::library::House;

/// Asks elsewhere whether a login is good, and is told later.
#[derive(Default)]
struct Checker {
    asked: Vec<(ConnId, String)>,
}

impl Handler for Checker {
    fn on_message(&mut self, gate: &mut Gate, conn: ConnId, message: Message<'_>) -> Answer {
        let Message::Login { user, .. } = message else {
            return gate.obey(conn, message);
        };
        self.asked.push((conn, user.to_owned()));
        Answer::Later
    }
}

fn checked(limits: Limits) -> House<Checker> {
    let settings = Settings {
        login: Login::Required,
        ..Settings::default()
    };
    House::new(Checker::default(), limits, settings)
}

/// The next login that waits for its answer.
fn next(house: &House<Checker>) -> (ConnId, String) {
    eventually("a login is asked about", || {
        house.ask(|_, checker| (!checker.asked.is_empty()).then(|| checker.asked.remove(0)))
    })
}

fn let_in(house: &House<Checker>, conn: ConnId, user: &str) -> bool {
    let user = user.to_owned();
    house.ask(move |gate, _| {
        let answer = gate.login(conn, &user);
        gate.answer(conn, answer)
    })
}

/// Writes down what it is asked about, and refuses all of it.
#[derive(Default)]
struct Doorman {
    asked: Vec<String>,
}

impl Handler for Doorman {
    fn on_message(&mut self, _: &mut Gate, _: ConnId, message: Message<'_>) -> Answer {
        let told = format!("{message:?}");
        let verb = told.split([' ', '(', '{']).next();
        self.asked.push(verb.unwrap_or_default().to_owned());
        Answer::Error(ErrorCode::BadCredentials, "no".into())
    }
}

#[test]
fn before_a_required_login_the_application_is_asked_about_logins_alone() {
    // 16
    let settings = Settings {
        login: Login::Required,
        failed_logins_max: u8::MAX,
        ..Settings::default()
    };
    let house = House::new(Doorman::default(), Limits::default(), settings);
    let mut client = house.line();
    let requests = [
        "send bob x",
        "asend bob x",
        "join t",
        "leave t",
        "pub t x",
        "data x",
        "ack 1",
    ];
    // Before a login was tried, and after each that was refused.
    for _ in 0..2 {
        for request in requests {
            client.fails(request, "login-required");
        }
        client.asks("ping", "pong");
        client.say("pong");
        client.asks("login ann wrong", "error bad-credentials no");
    }
    let asked = house.ask(|_, doorman| std::mem::take(&mut doorman.asked));
    assert_eq!(asked, ["Login", "Login"]);
}

#[test]
fn a_second_login_waits_until_the_first_one_is_decided() {
    // 17
    let house = checked(Limits::default());
    let mut client = house.line();
    client.send("login ann\nlogin bob\nping\n");
    let (conn, user) = next(&house);
    assert_eq!(user, "ann");
    client.quiet(Duration::from_millis(50));
    assert!(house.ask(|_, checker| checker.asked.is_empty()));
    assert!(let_in(&house, conn, "ann"));
    client.hears_some("ok heartbeat=");
    let (again, user) = next(&house);
    assert_eq!((again, &*user), (conn, "bob"));
    let no = Answer::Error(ErrorCode::BadCredentials, "no".into());
    assert!(house.ask(move |gate, _| gate.answer(conn, no)));
    client.hears("error bad-credentials no");
    client.hears("pong");
    let user = house.ask(move |gate, _| gate.user(conn).map(str::to_owned));
    assert_eq!(user.as_deref(), Some("ann"), "what failed changes nothing");
}

#[test]
fn a_late_answer_never_logs_in_who_has_the_place_now() {
    // 18
    let house = checked(Limits {
        connections: 1,
        ..Limits::default()
    });
    let mut early = house.line();
    early.say("login ann");
    let (stale, _) = next(&house);
    early.reset();
    eventually("the place is free", || {
        (house.ask(|gate, _| gate.sockets()) == 0).then_some(())
    });
    let mut stranger = house.line();
    stranger.say("login eve");
    let (fresh, _) = next(&house);
    assert_eq!(stale.index, fresh.index, "the place is used again");
    assert!(
        !let_in(&house, stale, "ann"),
        "nobody waits for it any more"
    );
    assert!(!house.ask(|gate, _| gate.is_online("ann")));
    let no = Answer::Error(ErrorCode::BadCredentials, "no".into());
    assert!(house.ask(move |gate, _| gate.answer(fresh, no)));
    stranger.hears("error bad-credentials no");
    stranger.fails("data x", "login-required");
}

#[test]
fn logins_that_are_never_decided_end_with_their_connections_and_keep_nobody_out() {
    // 19
    let house = checked(Limits::default());
    let mut waiting: Vec<_> = (0..64).map(|_| house.line()).collect();
    for client in &mut waiting {
        client.say("login ann");
    }
    eventually("all are asked about", || {
        (house.ask(|_, checker| checker.asked.len()) == 64).then_some(())
    });
    let mut other = house.line();
    other.fence();
    waiting.into_iter().for_each(Client::reset);
    eventually("who left is forgotten", || {
        (house.ask(|gate, _| gate.connections()) == 1).then_some(())
    });
    let stale = house.ask(|_, checker| std::mem::take(&mut checker.asked));
    for (conn, user) in stale {
        assert!(!let_in(&house, conn, &user));
    }
    other.fence();
    house.ask(|gate, _| gate.check());
    assert_eq!(house.ask(|gate, _| gate.users()), 0);
}

#[test]
fn a_stranger_who_reads_nothing_makes_little_wait_and_is_ended_by_the_login_timeout() {
    // 22
    let settings = Settings {
        login: Login::Required,
        login_timeout: Some(Duration::from_secs(2)),
        outbox_low: 256 << 10,
        outbox_soft: 256 << 10,
        ..Settings::default()
    };
    let house = House::new((), Limits::default(), settings);
    let mut stranger = house.line();
    let pings = "ping\n".repeat(2_000);
    // As many as the connection takes: what is not read stays with the kernel.
    stranger.socket().set_nonblocking(true).unwrap();
    let most = eventually("it is ended", || {
        while stranger.try_send(&pings).is_ok() {}
        let [_, output, _] = house.ask(|gate, _| gate.bytes_held());
        let is_over = house.ask(|gate, _| gate.stats().closed(CloseReason::LoginTimeout)) == 1;
        assert!(output <= 16 << 10, "{output} bytes wait for a stranger");
        is_over.then_some(output)
    });
    assert!(most <= 16 << 10);
}

#[test]
fn names_that_nobody_may_use_leave_nothing_behind() {
    // 25
    struct Refuses;
    impl Handler for Refuses {
        fn on_message(&mut self, gate: &mut Gate, conn: ConnId, message: Message<'_>) -> Answer {
            match message {
                Message::Login { .. } => Answer::Error(ErrorCode::BadCredentials, "no".into()),
                _ => gate.obey(conn, message),
            }
        }
    }
    let settings = Settings {
        failed_logins_max: u8::MAX,
        ..Settings::default()
    };
    let house = House::new(Refuses, Limits::default(), settings);
    for hundred in 0..1_000 {
        let mut client = house.line();
        let say = |one| {
            let name = format!("{hundred}-{one}");
            format!("login user-{name}\nsend nobody-{name} x\n")
        };
        client.send((0..100).map(say).collect::<String>());
        for _ in 0..100 {
            client.hears("error bad-credentials no");
            client.hears_some("error login-required");
        }
    }
    eventually("all have left", || {
        (house.ask(|gate, _| gate.stats().closed(CloseReason::PeerClosed)) == 1_000).then_some(())
    });
    let (users, absent, topics, held) = house.ask(|gate, _| {
        gate.check();
        let counts = (gate.users(), gate.absent_users(), gate.topics());
        (counts.0, counts.1, counts.2, gate.bytes_held())
    });
    assert_eq!((users, absent, topics, held), (0, 0, 0, [0, 0, 0]));
}
