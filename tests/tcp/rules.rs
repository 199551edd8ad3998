//! Who may do what: logins, permissions, and how many bad requests are suffered.

use crate::client::{Client, Framing, string};
use crate::daemon::Daemon;

#[test]
fn bad_requests_are_answered_until_there_are_too_many() {
    let daemon = Daemon::new("");
    let mut client = daemon.line();
    for _ in 0..15 {
        client.fails("nonsense", "bad-request");
        client.fence();
    }
    client.fails("nonsense", "bad-request");
    client.closes("protocol");
}

#[test]
fn the_number_of_bad_requests_is_a_setting_in_every_encoding() {
    let daemon = Daemon::new("bad_requests_max = 2");
    let [mut line, mut json, mut binary] = daemon.each();
    line.send("x\ny\n");
    json.say("1");
    json.say("2");
    binary.say("x");
    binary.say("y");
    for client in [&mut line, &mut json, &mut binary] {
        for _ in 0..2 {
            let answer = client.hear();
            let text = String::from_utf8_lossy(&answer);
            assert!(text.contains("bad-request"), "{text}");
        }
        client.closes("protocol");
    }
}

#[test]
fn other_errors_are_not_bad_requests() {
    let daemon = Daemon::new("bad_requests_max = 2");
    let mut client = daemon.user("alice");
    for _ in 0..50 {
        client.fails("send nobody x", "no-such-user");
        client.fails("leave nothing", "not-joined");
    }
    client.fence();
}

/// Requests that the login rules are asked about.
const REQUESTS: [&str; 8] = [
    "ping",
    "login alice",
    "send bob x",
    "asend bob x",
    "pub t x",
    "data x",
    "join t",
    "leave t",
];

/// A login rule, whether the client has logged in, and the first word each request gets; `-` where
/// it is not asked.
const LOGIN_RULES: [(&str, bool, [&str; 8]); 5] = [
    (
        "none",
        false,
        [
            "pong",
            "forbidden",
            "forbidden",
            "forbidden",
            "forbidden",
            "no-backend",
            "ok",
            "ok",
        ],
    ),
    (
        "optional",
        false,
        [
            "pong",
            "-",
            "login-required",
            "login-required",
            "login-required",
            "login-required",
            "ok",
            "ok",
        ],
    ),
    (
        "required",
        false,
        [
            "pong",
            "-",
            "login-required",
            "login-required",
            "login-required",
            "login-required",
            "login-required",
            "login-required",
        ],
    ),
    (
        "optional",
        true,
        ["pong", "ok", "ok", "ok", "ok", "no-backend", "ok", "ok"],
    ),
    (
        "required",
        true,
        ["pong", "ok", "ok", "ok", "ok", "no-backend", "ok", "ok"],
    ),
];

/// What each request gets, by the login rule and whether the client has logged in.
#[test]
fn the_login_rule_decides_what_goes_before_a_login() {
    for (rule, logged_in, answers) in LOGIN_RULES {
        // The receiver lives on a listener that lets it in, whatever the tested rule is.
        let daemon = Daemon::start(&format!(
            "[[listener]]\nname = \"main\"\nbind = \"127.0.0.1:0\"\nlogin = \"{rule}\"\n\
             [[listener]]\nname = \"line\"\nbind = \"127.0.0.1:0\"\n"
        ));
        let _bob = daemon.user("bob");
        let mut client = daemon.main(Framing::Line);
        if logged_in {
            client.login("alice");
        }
        for (request, wanted) in REQUESTS.iter().zip(answers) {
            if wanted == "-" {
                continue;
            }
            client.say(request);
            let answer = client.hear_text();
            let mut words = answer.split(' ');
            let word = match words.next() {
                Some("error") => words.next(),
                other => other,
            };
            let case = format!("login = {rule}, logged in: {logged_in}, {request}: {answer}");
            assert_eq!(word, Some(wanted), "{case}");
        }
    }
}

#[test]
fn quit_and_pong_need_no_login() {
    let daemon = Daemon::single("login = \"required\"");
    let mut client = daemon.main(Framing::Line);
    client.send("pong\nack 1\nquit\n");
    // An ack is no more allowed than anything else, but it never gets an answer.
    let (rest, _) = client.rest();
    let text = String::from_utf8(rest).unwrap();
    assert!(
        text == "close quit\n" || {
            let (first, last) = text.split_once('\n').unwrap();
            first.starts_with("error login-required ") && last == "close quit\n"
        },
        "{text}"
    );
}

#[test]
fn allow_says_who_may_do_what() {
    let requests = [
        ("send", "send bob x"),
        ("send", "asend bob x"),
        ("pub", "pub t x"),
        ("join", "join t"),
        ("data", "data x"),
    ];
    for allowed in ["", "send", "pub", "join", "data"] {
        let list = if allowed.is_empty() {
            String::new()
        } else {
            format!("{allowed:?}")
        };
        let daemon = Daemon::new(&format!("allow = [{list}]"));
        let _bob = daemon.user("bob");
        let mut client = daemon.user("alice");
        for (right, request) in requests {
            client.say(request);
            let answer = client.hear_text();
            let is_forbidden = answer.starts_with("error forbidden ");
            assert_eq!(
                is_forbidden,
                right != allowed,
                "allow = [{list}], {request}: {answer}"
            );
        }
        client.fence();
    }
}

#[test]
fn permissions_speak_every_encoding() {
    let daemon = Daemon::new("allow = []");
    let [_, mut json, mut binary] = daemon.each();
    json.login("alice");
    binary.login("bob");
    json.say(r#"{"type":"send","to":"bob","body":"x","seq":"s"}"#);
    json.hears_some(r#"{"type":"error","seq":"s","code":"forbidden","text":"#);
    binary.say([b"\x04", &string("alice")[..], b"x"].concat());
    let answer = binary.hear();
    assert!(answer.starts_with(&[b"\x84", &string("forbidden")[..]].concat()));
}

#[test]
fn before_a_required_login_frames_are_smaller() {
    let settings = "login = \"required\"\nlogin_frame_max = \"64B\"\nframe_max = \"128B\"";
    let daemon = Daemon::single(settings);
    let mut client = daemon.main(Framing::Line);
    client.fails(&format!("send bob {}", "x".repeat(55)), "login-required");
    client.login("alice");
    client.fails(&format!("send bob {}", "x".repeat(119)), "no-such-user");
    client.say(format!("send bob {}", "x".repeat(120)));
    client.closes("protocol");
    let mut client = daemon.main(Framing::Line);
    client.say("x".repeat(65));
    client.closes("protocol");
}

#[test]
fn the_longest_body_is_sent_and_arrives() {
    let daemon = Daemon::new("");
    let mut alice = daemon.user("alice");
    let mut bob: Client = daemon.user("bob");
    let body = "x".repeat(65_536 - "send bob ".len());
    alice.asks(&format!("send bob {body}"), "ok queued=1");
    assert_eq!(bob.message().body, body);
}
