//! The machine against a scripted server: every time is handed in, nothing waits.

mod any_order;
mod coming_back;
mod pressure;

use super::*;
use crate::client::event::{Nonsense, Outcome, Refusal, Refused};
use crate::client::options::{Away, Heartbeat, Retry};
use crate::codec::framing::{Endian, Framing, Layout};
use crate::codec::heard::Grant;
use crate::codec::message::Body;
use crate::reason::CloseReason;

const SECOND: Duration = Duration::from_secs(1);

const JSON: Framing = Framing::LenHdr { bare_ping: false };
const BINARY: Framing = Framing::Binary(Layout {
    width: 4,
    endian: Endian::Big,
    offset: 0,
    adjust: 0,
    strip: None,
});

/// A machine and the hands around it, on lines.
struct Rig {
    machine: Machine,
    now: Duration,
}

impl Rig {
    fn new(options: Options) -> Self {
        Self::of(options, Some(Login::new("ann")))
    }

    fn of(options: Options, login: Option<Login>) -> Self {
        let now = 100 * SECOND;
        let machine = Machine::new(Arc::new(options), login, 7, now);
        Self { machine, now }
    }

    /// One that is logged in, its first event taken.
    fn online(options: Options) -> Self {
        let mut rig = Self::new(options);
        rig.connect();
        rig
    }

    fn connect(&mut self) {
        self.dial();
        self.says("login ann\n");
        self.hear("ok heartbeat=20000 proto=1\n");
        assert_eq!(self.event(), Some(Event::Connected));
    }

    fn dial(&mut self) {
        assert!(self.machine.wants_dial(self.now), "it wants to connect");
        assert!(!self.machine.wants_dial(self.now), "once");
        self.machine.dialed(self.now);
    }

    /// Waits for the time of the next attempt and dials.
    fn come_back(&mut self) {
        self.pass_to_deadline();
        self.connect();
    }

    fn hear(&mut self, bytes: impl AsRef<[u8]>) {
        self.machine.received(self.now, bytes.as_ref());
    }

    fn event(&mut self) -> Option<Event> {
        self.machine.event(self.now)
    }

    /// All that it says now; the socket takes it.
    fn said(&mut self) -> String {
        let said = String::from_utf8_lossy(self.machine.output()).into_owned();
        self.machine.wrote(self.now, said.len());
        said
    }

    #[track_caller]
    fn says(&mut self, wanted: &str) {
        assert_eq!(self.said(), wanted);
    }

    fn pass(&mut self, span: Duration) {
        self.now += span;
        self.machine.tick(self.now);
    }

    /// Goes to the next deadline; returns how long that was.
    fn pass_to_deadline(&mut self) -> Duration {
        let deadline = self.machine.deadline().unwrap();
        let span = deadline.saturating_sub(self.now);
        if span > Duration::ZERO {
            // Never a moment before.
            self.pass(span - Duration::from_nanos(1));
            assert_eq!(self.machine.deadline(), Some(deadline));
            self.pass(Duration::from_nanos(1));
        } else {
            self.pass(span);
        }
        span
    }

    fn send(&mut self, text: &str) -> Result<RequestId, Refused> {
        let (to, body, ack) = ("bob".into(), Body::Text(text.into()), false);
        let words = Request::Send { to, body, ack };
        self.machine.request(self.now, &words)
    }

    fn join(&mut self, topic: &str) -> RequestId {
        let topic = topic.into();
        let words = Request::Join { topic };
        self.machine.request(self.now, &words).unwrap()
    }

    fn lose(&mut self) {
        self.machine.lost(self.now, Lost::Reset);
        assert_eq!(self.event(), Some(Event::Lost(Lost::Reset)));
    }

    #[track_caller]
    fn answers(&mut self, request: RequestId, outcome: Outcome) {
        assert_eq!(self.event(), Some(Event::Answer { request, outcome }));
    }

    #[track_caller]
    fn retries(&mut self) -> Duration {
        match self.event() {
            Some(Event::Retrying { after, .. }) => after,
            other => panic!("{other:?}"),
        }
    }
}

fn done() -> Outcome {
    Outcome::Done(Grant::default())
}

#[test]
fn it_beats_at_the_interval_that_the_server_names() {
    let mut rig = Rig::online(Options::default());
    for _ in 0..3 {
        assert_eq!(rig.pass_to_deadline(), 20 * SECOND);
        rig.says("ping\n");
        rig.hear("pong\n");
    }
    // Whoever speaks lives.
    rig.pass(15 * SECOND);
    let request = rig.send("hi").unwrap();
    rig.says("send bob hi\n");
    rig.hear("ok queued=1\n");
    assert!(matches!(rig.event(), Some(Event::Answer { request: asked, .. }) if asked == request));
    assert_eq!(rig.pass_to_deadline(), 20 * SECOND);
    rig.says("ping\n");
}

#[test]
fn without_a_named_interval_it_beats_at_a_third_of_the_timeout() {
    let idle_timeout = 30 * SECOND;
    let options = Options {
        idle_timeout,
        ..Options::default()
    };
    let mut rig = Rig::of(options.clone(), None);
    rig.dial();
    rig.says("ping\n");
    rig.hear("pong\n");
    assert_eq!(rig.event(), Some(Event::Connected));
    assert_eq!(rig.pass_to_deadline(), 10 * SECOND);
    rig.says("ping\n");

    let mut rig = Rig::new(options);
    rig.dial();
    rig.said();
    rig.hear("ok\n");
    assert_eq!(rig.pass_to_deadline(), 10 * SECOND);

    let heartbeat = Heartbeat::Every(3 * SECOND);
    let mut rig = Rig::online(Options {
        heartbeat,
        ..Options::default()
    });
    assert_eq!(rig.pass_to_deadline(), 3 * SECOND);
    let heartbeat = Heartbeat::Every(Duration::ZERO);
    let mut rig = Rig::online(Options {
        heartbeat,
        ..Options::default()
    });
    assert!(
        rig.pass_to_deadline() > Duration::ZERO,
        "not without a pause"
    );
    let heartbeat = Heartbeat::Off;
    let rig = Rig::online(Options {
        heartbeat,
        ..Options::default()
    });
    assert_eq!(rig.machine.deadline(), None);
}

#[test]
fn a_servers_ping_is_answered_at_once() {
    let mut rig = Rig::online(Options::default());
    rig.hear("ping\n");
    rig.says("pong\n");
    assert_eq!(rig.event(), None);
}

#[test]
fn a_silent_server_is_lost_and_any_byte_counts() {
    let mut rig = Rig::online(Options::default());
    rig.pass_to_deadline();
    rig.says("ping\n");
    rig.pass(9 * SECOND);
    rig.hear("p");
    rig.pass(9 * SECOND);
    assert!(rig.machine.is_online());
    assert_eq!(rig.pass_to_deadline(), SECOND);
    assert!(!rig.machine.has_link());
    assert_eq!(rig.event(), Some(Event::Lost(Lost::Silent(10 * SECOND))));
}

impl Rig {
    fn come_back_after_retry(&mut self) {
        self.retries();
        self.come_back();
    }
}

#[test]
fn a_message_is_told_once_and_acked_when_it_is_taken() {
    let mut rig = Rig::online(Options::default());
    rig.hear("msga 7 bob hi\nmsg 8 - yo\nmsga 7 bob hi\n");
    rig.says("");
    assert!(matches!(rig.event(), Some(Event::Message(letter)) if letter.id == 7));
    rig.says("ack 7\n");
    assert!(matches!(rig.event(), Some(Event::Message(letter)) if letter.id == 8));
    rig.says("");
    // The ack was lost with the connection: it is said again, the message is not told again.
    rig.lose();
    rig.come_back_after_retry();
    rig.hear("msga 7 bob hi\nmsg 8 - yo\n");
    rig.says("ack 7\n");
    assert_eq!(rig.event(), None);
}

#[test]
fn a_message_that_the_application_acks_is_not_acked_before() {
    let acks = Acks::Application;
    let mut rig = Rig::online(Options {
        acks,
        ..Options::default()
    });
    rig.hear("msga 7 bob hi\n");
    rig.event().unwrap();
    rig.lose();
    rig.come_back_after_retry();
    rig.hear("msga 7 bob hi\n");
    assert_eq!(rig.event(), None);
    rig.says("");
    rig.machine.ack(rig.now, 7);
    rig.says("ack 7\n");
}

#[test]
fn quit_is_said_and_ends_it() {
    let mut rig = Rig::online(Options::default());
    let request = rig.send("x").unwrap();
    rig.machine.quit(rig.now);
    rig.says("send bob x\nquit\n");
    rig.hear("ok queued=1\nclose quit\n");
    assert!(matches!(rig.event(), Some(Event::Answer { request: asked, .. }) if asked == request));
    assert_eq!(rig.event(), Some(Event::GaveUp(GaveUp::Quit)));
    assert!(rig.machine.is_over());

    // A server that does not answer does not hold us.
    let mut rig = Rig::online(Options::default());
    rig.machine.quit(rig.now);
    assert_eq!(rig.pass_to_deadline(), SECOND);
    assert_eq!(rig.event(), Some(Event::GaveUp(GaveUp::Quit)));
    // Who is away has nobody to say it to.
    let mut rig = Rig::new(Options::default());
    let request = rig.send("x").unwrap();
    rig.machine.quit(rig.now);
    rig.answers(request, Outcome::Unsent);
    assert_eq!(rig.event(), Some(Event::GaveUp(GaveUp::Quit)));
}

#[test]
fn what_is_no_gate_is_told() {
    let frame = |bytes: &[u8]| {
        let mut rig = Rig::new(Options::default());
        rig.dial();
        rig.hear(bytes);
        match rig.event() {
            Some(Event::Lost(lost)) => lost,
            None => {
                rig.machine.lost(rig.now, Lost::PeerClosed);
                match rig.event() {
                    Some(Event::Lost(lost)) => lost,
                    other => panic!("{other:?}"),
                }
            }
            other => panic!("{other:?}"),
        }
    };
    let tls = b"\x15\x03\x01\0\x02\x02\x46";
    assert_eq!(frame(tls), Lost::Nonsense(Nonsense::Tls));
    let http = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    assert_eq!(frame(http), Lost::Nonsense(Nonsense::Http));
    assert_eq!(
        frame(b"SSH-2.0-OpenSSH_9\r\n"),
        Lost::Nonsense(Nonsense::Ssh)
    );
    let smtp = frame(b"220 mail ESMTP\r\n").to_string();
    assert_eq!(smtp, "no message of the gate: \"220 mail ESMTP\"");
    let half = frame(b"hello?").to_string();
    assert_eq!(half, "no message of the gate: \"hello?\"");
    assert_eq!(frame(b""), Lost::Unanswered);
}

#[test]
fn an_answer_that_nobody_asked_for_ends_it() {
    let mut rig = Rig::online(Options::default());
    rig.hear("ok\n");
    let lost = Lost::Nonsense(Nonsense::Unasked("\"ok\"".into()));
    assert_eq!(rig.event(), Some(Event::Lost(lost)));
}

#[test]
fn a_server_that_says_nothing_or_half_a_word_is_told_in_time() {
    for (said, wanted) in [
        ("", "connected, but no answer within 10s: is it a gate?"),
        ("o", "no message of the gate: \"o\""),
    ] {
        let mut rig = Rig::new(Options::default());
        rig.dial();
        rig.said();
        rig.hear(said);
        assert_eq!(rig.pass_to_deadline(), 10 * SECOND);
        match rig.event() {
            Some(Event::Lost(lost)) => assert_eq!(lost.to_string(), wanted),
            other => panic!("{other:?}"),
        }
    }
}

/// Notes what it is told.
#[derive(Debug, Default)]
struct Notes(Arc<std::sync::Mutex<Vec<String>>>);

impl Rhythm for Notes {
    fn interval(&self) -> Duration {
        7 * SECOND
    }
    fn set_timeout(&mut self, timeout: Duration) {
        self.note(format!("timeout {timeout:?}"));
    }
    fn alive(&mut self, idle: Duration, rtt: Duration) {
        self.note(format!("alive {idle:?} {rtt:?}"));
    }
    fn died(&mut self, idle: Duration) {
        self.note(format!("died {idle:?}"));
    }
}

impl Notes {
    fn note(&self, note: String) {
        self.0.lock().unwrap().push(note);
    }
}

#[test]
fn a_rhythm_of_ones_own_is_told_what_lives_and_what_dies() {
    let notes = Notes::default();
    let told = Arc::clone(&notes.0);
    let mut rig = Rig::new(Options::default());
    rig.machine = rig.machine.with_rhythm(Box::new(notes));
    rig.connect();
    assert_eq!(rig.pass_to_deadline(), 7 * SECOND);
    rig.says("ping\n");
    rig.pass(2 * SECOND);
    rig.hear("pong\n");
    assert_eq!(rig.pass_to_deadline(), 7 * SECOND);
    rig.says("ping\n");
    rig.pass_to_deadline();
    assert!(!rig.machine.has_link());
    let wanted = ["timeout 60s", "alive 7s 2s", "died 7s"];
    assert_eq!(*told.lock().unwrap(), wanted);
}

#[test]
fn a_death_that_a_request_finds_is_told_to_the_rhythm() {
    let died = |pause: Duration, answers: bool| {
        let notes = Notes::default();
        let told = Arc::clone(&notes.0);
        let mut rig = Rig::new(Options::default());
        rig.machine = rig.machine.with_rhythm(Box::new(notes));
        rig.connect();
        rig.pass(pause);
        rig.send("x").unwrap();
        rig.said();
        if answers {
            rig.hear("ok queued=1\n");
        }
        rig.pass(SECOND);
        rig.machine.lost(rig.now, Lost::Reset);
        told.lock().unwrap().split_off(1)
    };
    assert_eq!(died(5 * SECOND, false), ["died 5s"]);
    assert!(
        died(5 * SECOND, true).is_empty(),
        "the silence was survived"
    );
    assert!(died(SECOND, false).is_empty(), "it was hardly silent");
}

#[test]
fn an_idle_client_is_small() {
    let size = size_of::<Machine>();
    assert!(size <= 400, "{size} bytes");
}
