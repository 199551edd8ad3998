//! Where a frame begins and ends: limits, torn and glued input, options, other people's protocols.

use std::io::Write;
use std::time::Duration;

use socket2::SockRef;

use crate::client::{Client, Framing, framed, readable};
use crate::daemon::Daemon;

const SMALL: &str = "frame_max = \"100B\"";

#[test]
fn exactly_the_maximum_is_taken_and_one_more_is_not() {
    let daemon = Daemon::new(SMALL);
    let fits = "x".repeat(100);
    for mut client in [daemon.line(), daemon.line()] {
        client.fails(&fits, "bad-request");
        client.send(format!("{fits}\r\n"));
        client.hears_some("error bad-request ");
        client.send(format!("{fits}x\n"));
        client.closes("protocol");
    }
    // Without a line end the maximum is enough to judge: one more can only be that.
    let mut client = daemon.line();
    client.send(format!("{fits}xx"));
    client.closes("protocol");
    let mut client = daemon.client(Framing::Lenhdr);
    client.say(format!("{{\"type\":\"ping\"{}}}", " ".repeat(85)));
    client.hears(r#"{"type":"pong"}"#);
    client.send("length:0000000000101");
    client.closes("protocol");
    let mut client = daemon.client(Framing::Binary);
    client.say("x".repeat(100));
    assert!(client.hear().starts_with(b"\x84\0\x0bbad-request"));
    client.send(b"\0\0\0\x65");
    client.closes("protocol");
}

#[test]
fn a_giant_length_is_refused_by_its_header_alone() {
    let daemon = Daemon::new("");
    for header in [
        "length:9999999999999",
        "length:0004294967296",
        "length:0000000065537",
    ] {
        let mut client = daemon.client(Framing::Lenhdr);
        client.send(header);
        client.closes("protocol");
    }
    for header in [
        b"\xff\xff\xff\xff",
        b"\x80\0\0\0",
        b"\x7f\xff\xff\xff",
        b"\0\x01\0\x01",
    ] {
        let mut client = daemon.client(Framing::Binary);
        client.send(header);
        client.closes("protocol");
    }
}

#[test]
fn what_is_no_frame_closes_without_an_error_before() {
    let daemon = Daemon::new("");
    let headers = [
        "Length:0000000000001x",
        "length:000000000000 1",
        "length:-000000000001x",
        "length:+000000000001x",
        "length:0x00000000001x",
        "lenght:0000000000001x",
        "length=0000000000001x",
        "aaaaaaaaaaaaaaaaaaaaaaaa",
        "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n",
    ];
    for header in headers {
        let mut client = daemon.client(Framing::Lenhdr);
        client.send(header);
        client.closes("protocol");
    }
    for body in [
        "",
        "{",
        "ping",
        "{'type':'ping'}",
        "{\"type\":\"ping\"} x",
        "\u{feff}{}",
        "[1,]",
        "01",
    ] {
        let mut client = daemon.client(Framing::Lenhdr);
        client.say(body);
        client.closes("protocol");
    }
    let mut client = daemon.client(Framing::Lenhdr);
    client.say(b"{\"type\":\"data\",\"body\":\"\xff\"}");
    client.closes("protocol");
    for line in [
        &b"\xff"[..],
        b"ping \xc3",
        b"data \xed\xa0\x80",
        b"data \xc0\x80",
    ] {
        let mut client = daemon.line();
        client.say(line);
        client.closes("protocol");
    }
}

#[test]
fn requests_before_a_broken_frame_are_answered() {
    let daemon = Daemon::new("");
    let mut client = daemon.line();
    client.send(b"ping\nping\n\xff\nping\n");
    client.hears("pong");
    client.hears("pong");
    client.closes("protocol");
}

#[test]
fn one_carriage_return_before_the_line_end_is_dropped() {
    let daemon = Daemon::new("");
    let mut client = daemon.user("alice");
    client.send("ping\r\n\r\n\nsend alice x\r\r\nsend alice y\rz\r\n");
    client.hears("pong");
    client.hears("ok queued=1");
    assert_eq!(client.message().body, "x\\r");
    client.hears("ok queued=1");
    assert_eq!(client.message().body, "y\\rz");
}

#[test]
fn nested_json_is_bounded_and_hurts_nobody() {
    let daemon = Daemon::new("");
    let mut other = daemon.line();
    for depth in [100, 1_000, 30_000] {
        let mut client = daemon.client(Framing::Lenhdr);
        client.login("deep");
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        client.say(format!(
            r#"{{"type":"send","to":"nobody","body":{open}{close}}}"#
        ));
        let answer = client.hear_text();
        let fine = ["no-such-user", "bad-request", "close"];
        assert!(fine.iter().any(|word| answer.contains(word)), "{answer}");
        other.fence();
    }
}

/// A conversation of one client with itself, as bytes, and how many frames answer it.
fn conversation(framing: Framing) -> (Vec<u8>, usize) {
    let frames: Vec<Vec<u8>> = match framing {
        Framing::Line => [
            "ping",
            "login torn",
            "",
            "join t",
            "pub t hi",
            "what",
            "ping",
        ]
        .map(|line| framed(framing, line.as_bytes()))
        .to_vec(),
        Framing::Lenhdr => [
            r#"{"type":"ping"}"#,
            r#"{"type":"login","user":"torn"}"#,
            r#"{"type":"join","topic":"t"}"#,
            r#"{"type":"pub","topic":"t","body":"hi"}"#,
            r#"{"type":"what"}"#,
            r#"{"type":"ping"}"#,
        ]
        .map(|body| framed(framing, body.as_bytes()))
        .to_vec(),
        Framing::Binary => [
            &b"\x01"[..],
            b"\x03\0\x04torn\0\0",
            b"\x05\0\x01t",
            b"\x07\0\x01thi",
            b"\xee",
            b"\x01",
        ]
        .map(|body| framed(framing, body))
        .to_vec(),
    };
    (frames.concat(), 7)
}

/// The answers to a conversation with the ids taken out, which differ from run to run.
fn answers(client: &mut Client, count: usize) -> Vec<String> {
    let plain = |frame: Vec<u8>| {
        let shown = readable(&frame);
        let is_message = shown.contains("topic") && !shown.contains("error");
        if is_message {
            String::from("message")
        } else {
            shown
        }
    };
    (0..count).map(|_| plain(client.hear())).collect()
}

#[test]
fn torn_at_any_byte_the_result_is_the_same() {
    for framing in [Framing::Line, Framing::Lenhdr, Framing::Binary] {
        // Everybody is the same user: the one before is replaced when its answers are in.
        let daemon = Daemon::with("[users]\npolicy = { devices = 1000 }", "");
        let (bytes, count) = conversation(framing);
        let mut whole = daemon.client(framing);
        whole.send(&bytes);
        let wanted = answers(&mut whole, count);
        whole.half_close();
        whole.eof();
        for cut in 1..bytes.len() {
            let mut client = daemon.client(framing);
            client.send(&bytes[..cut]);
            // Another connection's answer shows that the first part was read by itself.
            daemon.client(framing).half_close();
            let mut probe = daemon.client(framing);
            probe.send(framed(
                framing,
                match framing {
                    Framing::Line => b"ping",
                    Framing::Lenhdr => br#"{"type":"ping"}"#,
                    Framing::Binary => b"\x01",
                },
            ));
            probe.hear();
            client.send(&bytes[cut..]);
            assert_eq!(
                answers(&mut client, count),
                wanted,
                "{framing:?} cut at {cut}"
            );
            client.half_close();
            client.eof();
        }
    }
}

#[test]
fn byte_by_byte_and_glued_the_result_is_the_same() {
    let daemon = Daemon::with("[users]\npolicy = { devices = 1000 }", "");
    for framing in [Framing::Line, Framing::Lenhdr, Framing::Binary] {
        let (bytes, count) = conversation(framing);
        let mut whole = daemon.client(framing);
        whole.send(&bytes);
        let wanted = answers(&mut whole, count);
        whole.half_close();
        whole.eof();
        let mut torn = daemon.client(framing);
        for byte in &bytes {
            torn.send([*byte]);
        }
        assert_eq!(answers(&mut torn, count), wanted);
    }
}

#[test]
fn other_protocols_are_closed_without_an_answer() {
    let daemon = Daemon::new("");
    let hello = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03random bytes of a client hello";
    let openings: [&[u8]; 9] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: x\r\n\r\nping\n",
        b"HEAD / HTTP/1.0\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PUT /x HTTP/1.1\r\n\r\n",
        hello,
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ];
    for opening in openings {
        for mut client in daemon.each() {
            client.send(opening);
            client.gone();
        }
        for mut client in daemon.each() {
            // Torn into single bytes; the server may have gone after any of them.
            for byte in opening {
                if client.try_send([*byte]).is_err() {
                    break;
                }
            }
            client.gone();
        }
        for mut client in daemon.each() {
            let _ = client.try_send([opening, b"\nping\nping\n"].concat());
            client.gone();
        }
    }
    daemon.line().fence();
}

#[test]
fn only_the_first_frame_is_taken_for_another_protocol() {
    let daemon = Daemon::new("");
    let mut client = daemon.line();
    client.fence();
    client.fails("GET / HTTP/1.1", "bad-request");
    client.fails("SSH-2.0-x", "bad-request");
    client.fence();
    let mut client = daemon.line();
    client.fails("GETTING closer", "bad-request");
    client.fence();
}

#[test]
fn an_out_of_band_byte_changes_nothing() {
    let daemon = Daemon::new("");
    let mut client = daemon.line();
    for _ in 0..3 {
        client.send("pi");
        SockRef::from(client.socket())
            .send_out_of_band(b"!")
            .unwrap();
        client.send("ng\n");
        client.hears("pong");
    }
    SockRef::from(client.socket())
        .send_out_of_band(b"!")
        .unwrap();
    let before = daemon.cpu_ticks();
    client.quiet(Duration::from_millis(500));
    let spent = daemon.cpu_ticks() - before;
    assert!(
        spent <= 5,
        "the loop spins: {spent} ticks of 10 ms in half a second"
    );
    client.fence();
}

#[test]
fn a_bare_ping_is_a_heartbeat_where_it_is_asked_for() {
    let settings = "framing = { lenhdr = { bare_ping = true } }\nidle_timeout = \"300ms\"";
    let daemon = Daemon::single(settings);
    let mut client = daemon.main(Framing::Lenhdr);
    for _ in 0..6 {
        client.send("ping\n");
        client.quiet(Duration::from_millis(100));
    }
    client.send("pi");
    client.send("ng\nping\nlength:0000000000015{\"type\":\"ping\"}ping\n");
    client.hears(r#"{"type":"pong"}"#);
    client.closes("idle-timeout");
    let plain = Daemon::single("framing = \"lenhdr\"");
    let mut client = plain.main(Framing::Lenhdr);
    client.send("ping\nping\nping\nping\n");
    client.closes("protocol");
}

#[test]
fn echo_frames_again_what_it_got() {
    // Options of the binary framing, what is sent, what comes back.
    let table: [(&str, &[u8], &[u8]); 9] = [
        ("\"line\"", b"one\r\n\ntwo\n", b"one\ntwo\n"),
        ("\"raw\"", b"any\0thing", b"any\0thing"),
        (
            "\"lenhdr\"",
            b"length:0000000000002[]",
            b"length:0000000000002[]",
        ),
        (
            "\"binary\"",
            b"\0\0\0\x02hi\0\0\0\0\0\0\0\x01!",
            b"\0\0\0\x02hi\0\0\0\0\0\0\0\x01!",
        ),
        ("{ binary = { width = 1 } }", b"\x02hi\x01!", b"\x02hi\x01!"),
        (
            "{ binary = { width = 2, endian = \"little\" } }",
            b"\x02\0hi",
            b"\x02\0hi",
        ),
        (
            "{ binary = { width = 8 } }",
            b"\0\0\0\0\0\0\0\x02hi",
            b"\0\0\0\0\0\0\0\x02hi",
        ),
        (
            "{ binary = { width = 2, offset = 2 } }",
            b"ab\0\x02hi",
            b"\0\0\0\x02hi",
        ),
        (
            "{ binary = { width = 1, adjust = -1 } }",
            b"\x03hi\x02!",
            b"\x03hi\x02!",
        ),
    ];
    for (framing, sent, wanted) in table {
        let daemon = Daemon::single(&format!("framing = {framing}\ndialect = \"echo\""));
        let mut client = daemon.main(Framing::Binary);
        client.send(sent);
        let got = client.exactly(wanted.len());
        assert_eq!(readable(&got), readable(wanted), "{framing}");
        client.half_close();
        client.eof();
    }
}

#[test]
fn a_length_below_zero_after_adjusting_closes_and_echo_just_closes() {
    let settings = "framing = { binary = { width = 1, adjust = -3 } }\ndialect = \"echo\"";
    let daemon = Daemon::single(settings);
    let mut client = daemon.main(Framing::Binary);
    client.send(b"\x03\x04!");
    assert_eq!(client.exactly(3), b"\x03\x04!");
    client.send(b"\x02");
    client.eof();
}

#[test]
fn stripping_less_than_the_header_hands_it_on() {
    let settings = "framing = { binary = { width = 1, strip = 0 } }\ndialect = \"echo\"";
    let daemon = Daemon::single(settings);
    let mut client = daemon.main(Framing::Binary);
    client.send(b"\x02hi");
    assert_eq!(client.exactly(4), b"\x03\x02hi");
}

#[test]
fn a_message_that_does_not_fit_the_length_field_is_dropped_alone() {
    let narrow = "[[listener]]\nname = \"main\"\nbind = \"127.0.0.1:0\"\n\
                  framing = { binary = { width = 1 } }\n";
    let wide = "[[listener]]\nname = \"line\"\nbind = \"127.0.0.1:0\"\n";
    let daemon = Daemon::start(&format!("{narrow}{wide}"));
    let mut small = daemon.main(Framing::Binary);
    small.send(b"\x0a\x03\0\x05small\0\0");
    assert_eq!(small.exactly(25), b"\x18\x83heartbeat=20000 proto=1");
    let mut alice = daemon.user("alice");
    alice.say(format!("send small {}", "x".repeat(300)));
    alice.hear();
    alice.asks("send small fits", "ok queued=1");
    let told = small.exactly(1 + 1 + 8 + 7 + 4);
    assert_eq!(told[..2], [20, 0x85]);
    assert!(told.ends_with(b"\0\x05alicefits"));
}

#[test]
fn a_sink_answers_nothing_and_counts_every_frame_as_a_heartbeat() {
    let settings = "framing = \"raw\"\ndialect = \"sink\"\nidle_timeout = \"300ms\"";
    let daemon = Daemon::single(settings);
    let mut client = daemon.main(Framing::Line);
    for _ in 0..6 {
        client.send("beat");
        client.quiet(Duration::from_millis(100));
    }
    client.eof();
}

#[test]
fn a_stream_cut_into_odd_pieces_is_put_together() {
    let daemon = Daemon::new("");
    let mut alice = daemon.user("alice");
    let body: String = (0..60_000)
        .map(|at| char::from(b'a' + (at % 26) as u8))
        .collect();
    let frame = format!("send alice {body}\n");
    let mut writer = alice.socket().try_clone().unwrap();
    for piece in frame.as_bytes().chunks(997) {
        writer.write_all(piece).unwrap();
        std::thread::yield_now();
    }
    alice.hears("ok queued=1");
    assert_eq!(alice.message().body, body);
}
