//! Signed tokens where only the clock and the turn matter.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pulsegate::net::Net as _;
use pulsegate::tokens::Tokens;
use pulsegate::tokens::keys::Keys;
use pulsegate::{CloseReason, Gate, Limits, Login, LoginCheck, Settings};
use ring::hmac;

use super::{Stage, s};
use crate::world::socket::Key;

const SECRET: [u8; 32] = [7; 32];

fn token(user: &str, until: u64) -> String {
    let claims = format!("{{\"sub\":\"{user}\",\"exp\":{until}}}");
    let [header, claims] =
        ["{\"alg\":\"HS256\"}", &claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let signed = format!("{header}.{claims}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &SECRET);
    let signature = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn stage(signatures: u32) -> Stage {
    let settings = Settings {
        login: Login::Required,
        login_check: LoginCheck::Jwt,
        login_timeout: None,
        ..Settings::default()
    };
    let limits = Limits {
        signatures,
        ..Limits::default()
    };
    let mut stage = Stage::limited(settings, limits);
    // The judge knows of no login that fails.
    stage.is_judged = false;
    stage.server.gate_mut().set_tokens(Some(tokens()));
    stage
}

fn tokens() -> Box<Tokens> {
    let key = URL_SAFE_NO_PAD.encode(SECRET);
    let keys = format!("{{\"keys\":[{{\"kty\":\"oct\",\"k\":\"{key}\"}}]}}");
    Box::new(Tokens {
        users: None,
        keys: Some(Keys::read(&keys).expect("a JWK Set")),
    })
}

/// What the wall clock shows in a minute.
fn in_a_minute(stage: &mut Stage) -> u64 {
    stage.net().wall().as_secs() + 60
}

#[test]
fn a_token_is_good_until_its_time_is_over_on_the_wall_clock() {
    let mut stage = stage(16);
    let token = token("ann", in_a_minute(&mut stage));
    let ann = stage.connect();
    assert!(
        stage
            .ask(ann, &format!("login ann {token}\n"))
            .starts_with("ok ")
    );
    for _ in 0..3 {
        stage.pass(s(28));
        stage.ask(ann, "ping\n");
    }
    let late = stage.connect();
    let heard = stage.ask(late, &format!("login ann {token}\n"));
    assert!(heard.starts_with("ok "), "84 s: clocks may differ: {heard}");
    assert_eq!(stage.reason(ann), Some(CloseReason::Replaced));
    stage.pass(s(10));
    let later = stage.connect();
    let heard = stage.ask(later, &format!("login ann {token}\n"));
    assert_eq!(
        heard,
        "error bad-credentials this token does not open this name\n"
    );
    assert_eq!(stage.reason(late), None, "who is here stays");
    // The wall clock is set back: what it shows is what counts.
    stage.net().wall_offset = -3_600;
    assert!(
        stage
            .ask(later, &format!("login ann {token}\n"))
            .starts_with("ok ")
    );
    assert_eq!(stage.server.gate().stats().logins_failed, 1);
}

#[test]
fn signatures_beyond_those_of_a_turn_wait_for_the_next_and_disturb_nobody() {
    // 20, 61
    let mut stage = stage(2);
    let keys: Vec<Key> = (0..21).map(|_| stage.connect()).collect();
    let canary = keys[20];
    let until = in_a_minute(&mut stage);
    let name = token("canary", until);
    assert!(
        stage
            .ask(canary, &format!("login canary {name}\n"))
            .starts_with("ok ")
    );
    for (number, &key) in keys[..20].iter().enumerate() {
        let user = format!("u{number}");
        let owner = if number % 2 == 0 { &user } else { "other" };
        stage.say(
            key,
            &format!("login {user} {}\nping\n", token(owner, until)),
        );
    }
    stage.say(canary, "ping\n");
    let decided = |stage: &Stage| {
        let gate = stage.server.gate();
        u64::from(gate.users()) - 1 + gate.stats().logins_failed
    };
    let conn = stage.conn(canary);
    let sent = |stage: &Stage| stage.server.gate().traffic(conn).map(|(_, sent)| sent);
    let before = sent(&stage);
    while decided(&stage) == 0 {
        stage.turn();
    }
    assert_eq!(decided(&stage), 2);
    assert_ne!(sent(&stage), before, "it is answered in the same turn");
    for turn in 2..=5 {
        stage.turn();
        assert!(
            decided(&stage) <= 2 * turn,
            "{} in turn {turn}",
            decided(&stage)
        );
    }
    stage.settle();
    assert_eq!(decided(&stage), 20);
    for (number, &key) in keys[..20].iter().enumerate() {
        let heard = stage.hear(key);
        let wanted = if number % 2 == 0 {
            "ok "
        } else {
            "error bad-credentials "
        };
        assert!(heard.starts_with(wanted), "{heard}");
        let answers = if number % 2 == 0 {
            "\npong\n"
        } else {
            "name\npong\n"
        };
        assert!(heard.ends_with(answers), "in order: {heard}");
    }
    stage.server.gate().check();
}

#[test]
fn where_there_is_nothing_to_check_by_nobody_logs_in() {
    let mut stage = stage(16);
    stage.server.gate_mut().set_tokens(None);
    let ann = stage.connect();
    let token = token("ann", in_a_minute(&mut stage));
    for _ in 0..3 {
        let heard = stage.ask(ann, &format!("login ann {token}\n"));
        assert!(heard.starts_with("error bad-credentials "), "{heard}");
    }
    assert_eq!(stage.reason(ann), Some(CloseReason::LoginFailed));
}

#[test]
fn the_first_keys_judge_by_what_the_clock_shows_when_they_come() {
    let mut stage = stage(16);
    stage.server.gate_mut().set_tokens(None);
    let token = token("ann", in_a_minute(&mut stage));
    stage.pass(s(3_600));
    let ann = stage.connect();
    // Both are there in the same turn: the keys, and who shows a token that is long over.
    stage.say(ann, &format!("login ann {token}\n"));
    let task = |gate: &mut Gate, _: &mut _| drop(gate.set_tokens(Some(tokens())));
    stage.server.remote().post(task).expect("the loop is there");
    stage.settle();
    let heard = stage.hear(ann);
    assert!(heard.starts_with("error bad-credentials "), "{heard}");
    assert_eq!(stage.server.gate().stats().logins_failed, 1);
}
