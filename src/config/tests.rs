//! What is said about configurations that are wrong, to the letter.

use std::path::Path;

use super::{Config, Origin, Override};

/// A file, and everything that is said about it.
const FILES: &[(&str, &[&str])] = &[
    // names
    (
        "[limts]\ntopics = 5",
        &["1: there is no table \"limts\"; did you mean \"limits\"?"],
    ),
    (
        "[limits]\nconections = 5",
        &["2: [limits] has no key \"conections\"; did you mean \"connections\"?"],
    ),
    (
        "[drain]\nslowly = true",
        &["2: [drain] has no key \"slowly\"; there are over, timeout"],
    ),
    (
        "idle_timeout = \"60s\"\ntopics = 5",
        &[
            "1: there is no table \"idle_timeout\"; put it under [defaults] or [[listener]]",
            "2: there is no table \"topics\"; put it under [limits]",
        ],
    ),
    (
        "[defaults]\nname = \"all\"\ncoalesce = \"10ms\"",
        &[
            "2: [defaults] has no key \"name\"; put it under [[listener]]",
            "3: [defaults] has no key \"coalesce\"; put it under [loop]",
        ],
    ),
    ("limits = 5", &["1: limits is a table; write [limits]"]),
    (
        "[listener]\nname = \"x\"",
        &["1: listener is a list; write [[listener]]"],
    ),
    (
        "listener = []",
        &["1: listener is empty; write [[listener]], or leave it out for the default"],
    ),
    (
        "[[defaults]]",
        &["1: write [defaults] on a line of its own"],
    ),
    // TOML
    (
        "[limits]\ntopics = 1\ntopics = 2",
        &["3: not TOML: duplicate key"],
    ),
    (
        "topics = = 1\n[limits",
        &[
            "1: not TOML: extra `=`, expected nothing",
            "1: not TOML: unexpected key or value, expected newline, `#`",
            "2: not TOML: unclosed table, expected `]`",
        ],
    ),
    // durations
    (
        "[defaults]\nidle_timeout = 60",
        &["2: idle_timeout: 60 has no unit; write \"60s\""],
    ),
    (
        "[defaults]\nidle_timeout = \"60\"",
        &["2: idle_timeout: \"60\" is not a duration; write \"off\", \"500ms\", \"60s\", \"10m\""],
    ),
    (
        "[defaults]\nack_timeout = \"off\"",
        &["2: ack_timeout: \"off\" is not a duration; write \"500ms\", \"60s\", \"10m\""],
    ),
    (
        "[defaults]\nlifetime = \"0s\"",
        &["2: lifetime: \"0s\" is too short; at least \"10ms\""],
    ),
    (
        "[defaults]\nlifetime = \"49d\"",
        &["2: lifetime: \"49d\" is too long; at most \"48d23h59m59s990ms\""],
    ),
    (
        "[defaults]\nkeepalive = \"100ms\"",
        &["2: keepalive: \"100ms\" is too short; at least \"1s\""],
    ),
    (
        "[loop]\ncoalesce = \"1h\"",
        &["2: coalesce: \"1h\" is too long; at most \"1s\""],
    ),
    // sizes and numbers
    (
        "[defaults]\nframe_max = \"64 potatoes\"",
        &[
            "2: frame_max: \"64 potatoes\" is not a size; write \"64KiB\", \"256MiB\" or a number \
             of bytes",
        ],
    ),
    (
        "[defaults]\nframe_max = 0",
        &["2: frame_max: 0 is too little; at least 1"],
    ),
    (
        "[defaults]\nreceive_buffer = \"1TiB\"",
        &["2: receive_buffer: \"1TiB\" is too much; at most \"512MiB\""],
    ),
    (
        "[limits]\ntopics = 0\nconnections = \"many\"",
        &[
            "2: topics: 0 is not a number from 1 to 100000000",
            "3: connections: \"many\" is not a number from 1 to 100000000, or \"auto\"",
        ],
    ),
    (
        "[defaults]\nack_attempts = 0\nbad_requests_max = 256\nfailed_logins_max = 1.5",
        &[
            "2: ack_attempts: 0 is not a number from 1 to 255",
            "3: bad_requests_max: 256 is not a number from 1 to 255",
            "4: failed_logins_max: a fraction is not a number from 1 to 255",
        ],
    ),
    // words
    (
        "[log]\nlevel = \"loud\"\nformat = \"xml\"",
        &[
            "2: level: \"loud\" is not one of \"error\", \"warn\", \"info\", \"debug\", \"trace\"",
            "3: format: \"xml\" is not one of \"text\", \"json\"",
        ],
    ),
    (
        "[defaults]\ndialect = \"gates\"\nlogin = true\nslow_consumer = \"drop\"",
        &[
            "2: dialect: \"gates\" is not one of \"gate\", \"echo\", \"sink\"",
            "3: login: true is not one of \"none\", \"optional\", \"required\"",
            "4: slow_consumer: \"drop\" is not one of \"close\", \"drop-newest\"",
        ],
    ),
    (
        "[defaults]\nallow = [\"send\", \"publish\"]",
        &[
            "2: allow: \"publish\" is nothing to allow; there are \"send\", \"pub\", \"join\", \
             \"data\"",
        ],
    ),
    (
        "[users]\npolicy = { devices = 0 }",
        &["2: policy: devices: 0 is not a number from 1 to 65535"],
    ),
    (
        "[users]\npolicy = \"keep\"",
        &["2: policy: \"keep\" is not \"replace\", \"reject\" or { devices = 3 }"],
    ),
    // framing
    (
        "[defaults]\nframing = \"json\"",
        &[
            "2: framing: \"json\" is not \"raw\", \"line\", \"lenhdr\", \"binary\", { binary = { \
             width = 2 } } or { lenhdr = { bare_ping = true } }",
        ],
    ),
    (
        "[defaults]\nframing = { binary = { width = 3 } }",
        &["2: framing: binary width: 3 is not 1, 2, 4 or 8"],
    ),
    (
        "[defaults]\nframing = { binary = { widht = 2 } }",
        &["2: framing: binary has no option \"widht\"; did you mean \"width\"?"],
    ),
    // addresses
    (
        "[[listener]]\nbind = [\"localhost:80\", \":5\"]",
        &[
            "2: bind: \"localhost:80\", \":5\" are not addresses; write \"127.0.0.1:7373\" or \
             \"[::1]:7373\"",
        ],
    ),
    (
        "[[listener]]\nbind = []",
        &["2: bind: no address; write \"127.0.0.1:7373\" or \"[::1]:7373\""],
    ),
    (
        "[[listener]]\nname = \"a b\"",
        &["2: name: \"a b\" is not a name; 1 to 64 of a-z, A-Z, 0-9, \"-\", \"_\", \".\""],
    ),
    (
        "[[listener]]\nname = \"a\"\n[[listener]]\nname = \"a\"\nbind = \"127.0.0.1:1\"",
        &[
            "1: this listener has no bind; write bind = \"127.0.0.1:7375\"",
            "4: name: another listener is called \"a\" already",
        ],
    ),
    (
        "[[listener]]\nname = \"a\"\nbind = \"127.0.0.1:1\"\n[[listener]]\nbind = \"127.0.0.1:1\"",
        &["5: bind: 127.0.0.1:1 is bound by listener \"a\" already"],
    ),
    (
        "[[listener]]\nname = \"a\"\nbind = [\"127.0.0.1:1\", \"[::]:1\", \"0.0.0.0:2\"]\n\
         [[listener]]\nbind = \"0.0.0.0:1\"\n\
         [[listener]]\nname = \"c\"\nbind = [\"127.0.0.1:2\", \"[::1]:2\"]",
        &[
            "5: bind: 0.0.0.0:1 and 127.0.0.1:1 of listener \"a\" overlap",
            "8: bind: 127.0.0.1:2 and 0.0.0.0:2 of listener \"a\" overlap",
        ],
    ),
    (
        "[[listener]]\nbind = \"0.0.0.0:7374\"\nlogin = \"none\"",
        &[
            "2: bind: 127.0.0.1:7374 is for listener \"clients\" on 0.0.0.0:7374 and for the admin \
             interface; give one of them another port",
        ],
    ),
    (
        "[[listener]]\nbind = \"127.0.0.1:7374\"",
        &[
            "2: bind: 127.0.0.1:7374 is for listener \"clients\" and for the admin interface; \
             give one of them another port",
        ],
    ),
    (
        "[admin]\nbind = \"0.0.0.0:7374\"",
        &[
            "2: bind: 0.0.0.0:7374 is not loopback and there is no token; set token_file, or \
             bind 127.0.0.1 or a Unix socket",
        ],
    ),
    (
        "[admin]\nbind = \"unix:\"",
        &["2: bind: \"unix:\" has no path; write \"unix:/run/pulsegate.sock\""],
    ),
    // what does not go together
    (
        "[[listener]]\nframing = \"raw\"",
        &[
            "2: framing = \"raw\" has no messages for dialect = \"gate\" (the default); set \
             dialect = \"echo\" or \"sink\", or framing = \"line\"",
        ],
    ),
    (
        "[[listener]]\ndialect = \"echo\"\nlogin = \"required\"",
        &[
            "3: login = \"required\" does not go with dialect = \"echo\"; only dialect \"gate\" \
             has logins: leave login out",
        ],
    ),
    (
        "[defaults]\noutbox_max = \"10KiB\"",
        &[
            "2: outbox_soft = \"64KiB\" (the default) is above outbox_max = \"10KiB\"; lower the \
             first or raise the second",
        ],
    ),
    (
        "[defaults]\noutbox_low = \"100KiB\"",
        &[
            "2: outbox_low = \"100KiB\" is above outbox_soft = \"64KiB\" (the default); lower the \
             first or raise the second",
        ],
    ),
    (
        "[defaults]\nlogin = \"required\"\nlogin_frame_max = \"65KiB\"",
        &[
            "3: login_frame_max = \"65KiB\" is above frame_max = \"64KiB\" (the default); lower \
             the first or raise the second",
        ],
    ),
    (
        "[defaults]\nping_after = \"60s\"",
        &[
            "2: ping_after = \"60s\" is not before idle_timeout = \"60s\" (the default); a client \
             must have time to answer: shorten ping_after",
        ],
    ),
    (
        "[limits]\ninput_budget = \"1KiB\"",
        &[
            "2: input_budget = \"1KiB\" does not hold one frame of frame_max = \"64KiB\" (the \
             default); raise it",
        ],
    ),
];

/// Everything that is said about a file.
fn told(file: &str) -> Vec<String> {
    let complaints = Config::parse(Path::new("c.toml"), file).err();
    let complaints = complaints.unwrap_or_default();
    complaints.iter().map(ToString::to_string).collect()
}

#[test]
fn each_mistake_is_told_with_its_line_and_what_would_be_right() {
    for (file, expected) in FILES {
        let expected: Vec<String> = expected
            .iter()
            .map(|text| format!("c.toml:{text}"))
            .collect();
        assert_eq!(told(file), expected, "{file}");
    }
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once_and_by_line() {
    let file = "[users]\npolicy = 5\n[defaults]\noutbox_max = \"nothing\"\nidle_timout = \"1s\"\n\
                ping_after = \"2s\"\nlinger = \"-1s\"\n[log]\nlevel = \"x\"\n\
                [[listener]]\nbind = \"here\"\n[[listener]]\nbind = \"127.0.0.1:1\"\n\
                framing = \"raw\"\n";
    let told = told(file);
    let lines: Vec<_> = told
        .iter()
        .filter_map(|text| text.split(':').nth(1))
        .collect();
    assert_eq!(lines, ["2", "4", "5", "7", "9", "11", "14"], "{told:#?}");
}

#[test]
fn a_wrong_value_is_not_judged_a_second_time_by_its_default() {
    let file = "[defaults]\noutbox_max = \"1MB!\"\noutbox_soft = \"512KiB\"\n\
                idle_timout = \"10m\"\nping_after = \"5m\"\n";
    assert_eq!(told(file).len(), 2, "{:#?}", told(file));
}

#[test]
fn a_mistake_in_the_defaults_is_told_once_for_all_listeners() {
    let file = "[defaults]\noutbox_max = \"1KiB\"\n[[listener]]\nbind = \"127.0.0.1:1\"\n\
                [[listener]]\nbind = \"127.0.0.1:2\"\n";
    assert_eq!(told(file).len(), 1, "{:#?}", told(file));
}

#[test]
fn lines_are_counted_whatever_ends_them() {
    let told = told("[limits]\r\n\r\ntopics = \"x\"\r\n");
    assert!(told[0].starts_with("c.toml:3: topics: "), "{told:?}");
}

#[test]
fn a_token_in_a_variable_is_as_good_as_one_in_a_file() {
    let wide = (Path::new("c.toml"), "[admin]\nbind = \"0.0.0.0:7374\"");
    assert!(Config::build(Some(wide), &[]).is_err());
    let token = |value: &str| Override {
        flag: Override::TOKEN.to_owned(),
        value: value.to_owned(),
        origin: Origin::Variable(String::from("PULSEGATE_ADMIN_TOKEN")),
    };
    let config = Config::build(Some(wide), &[token("a-token-nobody-guesses")]);
    let shown = format!("{:?}", config.expect("it has a token").admin);
    assert!(!shown.contains("nobody"), "{shown}");
    let wrong = Config::build(Some(wide), &[token("two words")]).expect_err("no token");
    let wrong = wrong[0].to_string();
    assert!(
        wrong.contains("variable PULSEGATE_ADMIN_TOKEN: a token is one line"),
        "{wrong}"
    );
}

#[test]
fn no_secret_is_shown_for_debugging() {
    let token = "a-token-that-nobody-shall-see";
    let overrides = [Override {
        flag: Override::TOKEN.to_owned(),
        value: token.to_owned(),
        origin: Origin::Variable(String::from("PULSEGATE_ADMIN_TOKEN")),
    }];
    let config = Config::build(None, &overrides).expect("a good token");
    assert!(config.admin.token.is_some());
    for shown in [
        format!("{config:?}"),
        format!("{overrides:?}"),
        config.show(),
    ] {
        assert!(!shown.contains(token), "{shown}");
    }
}
