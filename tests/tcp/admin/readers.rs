//! The readers of events in `tools/backend`, each in its own language, against a real daemon: what
//! the manual's guide shows is what runs here.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use super::access::guarded;
use super::daemon;
use crate::client::PATIENCE;
use crate::daemon::Daemon;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/backend/");

/// What each is run by.
const READERS: [(&str, &str); 2] = [("python3", "events.py"), ("node", "events.mjs")];

/// A reader of events as a process; killed when dropped.
struct Reader {
    child: Child,
    events: Receiver<Value>,
}

impl Reader {
    /// Nothing where its language is not installed.
    fn start(language: &str, script: &str, admin: SocketAddr, token: &str) -> Option<Self> {
        let child = Command::new(language)
            .arg(format!("{FOLDER}{script}"))
            .arg(admin.to_string())
            .env("PULSEGATE_ADMIN_TOKEN", token)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            let may_skip = std::env::var_os("PULSEGATE_NO_SKIP").is_none();
            assert!(may_skip, "{language} is not installed");
            eprintln!("skipped: {language} is not installed, so {script} is not run");
            return None;
        };
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, events) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or_else(|_| json!(line));
                let _ = sender.send(event);
            }
        });
        Some(Self { child, events })
    }

    /// The next thing that it tells.
    #[track_caller]
    fn tells(&self) -> Value {
        let told = self.events.recv_timeout(PATIENCE);
        told.expect("the reader tells something")
    }

    /// The next thing that it tells and that is no vain attempt to reach anybody.
    #[track_caller]
    fn tells_more(&self) -> Value {
        loop {
            let told = self.tells();
            if told["type"] != "gone" {
                return told;
            }
        }
    }

    /// Demands that it is let in.
    #[track_caller]
    fn is_let_in(&self) {
        assert_eq!(self.tells_more(), json!({"type": "answer", "status": 200}));
    }

    fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a reader of one language with that token.
type Start<'a> = &'a dyn Fn(SocketAddr, &str) -> Option<Reader>;

/// Plays a story with each reader that can be run, side by side.
fn with_each(story: impl Fn(Start<'_>) + Sync) {
    thread::scope(|scope| {
        for (language, script) in READERS {
            let story = &story;
            scope.spawn(move || {
                story(&|admin, token| Reader::start(language, script, admin, token));
            });
        }
    });
}

#[test]
fn the_readers_tell_what_happens() {
    with_each(|start| {
        let (daemon, _file) = guarded();
        let admin = daemon.addr("admin");
        let Some(stranger) = start(admin, "wrong") else {
            return;
        };
        assert_eq!(stranger.tells(), json!({"type": "answer", "status": 401}));
        let reader = start(admin, super::access::TOKEN).unwrap();
        reader.is_let_in();
        let mut alice = daemon.user("alice");
        let login = reader.tells();
        alice.asks("data {\"ü\": \"a\\nb\"}", "ok queued=1");
        alice.asks("quit", "close quit");
        let told = [login, reader.tells(), reader.tells(), reader.tells()];
        for (event, kind) in told.iter().zip(["login", "data", "logout", "close"]) {
            assert_eq!(event["type"], kind, "{told:?}");
            assert_eq!(event["user"], "alice", "{told:?}");
        }
        assert_eq!(told[1]["body"], "{\"ü\": \"a\\nb\"}");
        assert_eq!(told[3]["reason"], "quit");
    });
}

#[test]
fn a_reader_that_stalls_is_told_what_it_lost_and_holds_nobody_up() {
    with_each(|start| {
        let daemon = daemon("", "");
        let admin = daemon.addr("admin");
        let (Some(stalled), Some(eager)) = (start(admin, ""), start(admin, "")) else {
            return;
        };
        stalled.is_let_in();
        eager.is_let_in();
        stalled.signal(Signal::STOP);
        let mut alice = daemon.user("alice");
        let (body, mut sent, mut missed) = ("x".repeat(60_000), 0_u64, 0_u64);
        assert_eq!(eager.tells()["type"], "login");
        while missed < 3 {
            alice.say(format!("data {body}"));
            let answer = alice.hear_text();
            // It was queued for one of two: the other has no room.
            missed += u64::from(answer == "ok queued=1");
            sent += 1;
            assert_eq!(eager.tells()["seq"], sent + 1, "{answer}");
            assert!(sent < 2_000, "a reader that does not read has a bound");
        }
        // A login and so many messages that it took, then the gap, and what comes after it.
        stalled.signal(Signal::CONT);
        for seq in 1..=1 + sent - missed {
            assert_eq!(stalled.tells()["seq"], seq);
        }
        let lost = json!({"type": "lost", "count": missed});
        assert_eq!(stalled.tells(), lost);
        alice.asks("data again", "ok queued=2");
        let told = stalled.tells();
        assert_eq!(
            (&told["seq"], &told["body"]),
            (&json!(sent + 2), &json!("again"))
        );
    });
}

#[test]
fn the_readers_come_back_to_a_daemon_that_was_gone() {
    with_each(|start| {
        let first = daemon("", "");
        let admin = first.addr("admin");
        let Some(reader) = start(admin, "") else {
            return;
        };
        reader.is_let_in();
        let _alice = first.user("alice");
        assert_eq!(reader.tells()["user"], "alice");
        drop(first);
        let config = format!(
            "[admin]\nbind = \"{admin}\"\n[[listener]]\nname = \"line\"\nbind = \"127.0.0.1:0\"\n"
        );
        let second = Daemon::start(&config);
        reader.is_let_in();
        let _bob = second.user("bob");
        let told = reader.tells();
        assert_eq!((&told["seq"], &told["user"]), (&json!(1), &json!("bob")));
    });
}

/// Takes the next reader, hears its request out, and answers.
fn serve(listener: &TcpListener, answer: &str) -> TcpStream {
    let (mut stream, _) = listener.accept().unwrap();
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        asked.push(byte[0]);
    }
    let asked = String::from_utf8(asked).unwrap();
    assert!(asked.starts_with("GET /v1/events HTTP/1.1\r\n"), "{asked}");
    stream.write_all(answer.as_bytes()).unwrap();
    stream
}

#[test]
fn the_readers_tell_no_half_event_and_take_no_gap() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    with_each(|start| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let Some(reader) = start(listener.local_addr().unwrap(), "") else {
            return;
        };
        // Cut behind half an event, and in the middle of a chunk; an event in two chunks, and two
        // in one; one is missing; no chunk at all.
        let answers = [
            "16\r\n{\"seq\":1,\"type\":\"data\"\r\n",
            "1F\r\n{\"seq\":1,\"type\":\"data\",\"b",
            "9\r\n{\"seq\":1,\r\n8\r\n\"a\":\"ü\"\r\n12\r\n}\n{\"seq\":2,\"a\":1}\n\r\n",
            "D\r\n{\"seq\":1}\n{\"s\r\n7\r\neq\":3}\n\r\n",
            "what is this",
            "13\r\n{\"seq\":1,\"last\":1}\n\r\n",
        ];
        for answer in answers {
            drop(serve(&listener, &format!("{head}{answer}")));
        }
        let mut told = Vec::new();
        while told.last().is_none_or(|event: &Value| event["last"] != 1) {
            let event = reader.tells();
            if event["type"] != "gone" && event["type"] != "answer" {
                told.push(event);
            }
        }
        let wanted = [
            json!({"seq": 1, "a": "ü"}),
            json!({"seq": 2, "a": 1}),
            json!({"seq": 1}),
            json!({"seq": 1, "last": 1}),
        ];
        assert_eq!(told, wanted);
    });
}

#[test]
fn the_readers_are_as_short_as_they_are_said_to_be() {
    for (_, script) in READERS {
        let text = std::fs::read_to_string(format!("{FOLDER}{script}")).unwrap();
        assert!(text.lines().count() <= 20, "{script}");
        assert!(
            text.lines().all(|line| line.chars().count() <= 100),
            "{script}"
        );
    }
}
