//! The machine against a scripted server: every time is handed in, nothing waits.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

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
fn the_time_that_the_server_names_is_kept() {
    let mut rig = Rig::online(Options::default());
    rig.hear("close shutdown 45000\n");
    rig.event();
    let after = rig.retries();
    assert!(after >= 45 * SECOND && after <= 46 * SECOND, "{after:?}");
    rig.pass(45 * SECOND - Duration::from_nanos(1));
    assert!(!rig.machine.wants_dial(rig.now));
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
fn an_idle_client_is_small() {
    let size = size_of::<Machine>();
    assert!(size <= 400, "{size} bytes");
}

/// What a server says in a busy session.
fn session(framing: Framing) -> Vec<u8> {
    use crate::codec::reply::{Delivery, Fields, Reply, encode};
    let mut out = Vec::new();
    let body = Body::Text("hello\u{fc}".into());
    let letter = |id, ack| {
        let (from, topic, body) = (Some("bob"), Some("news"), &body);
        Reply::Message(Delivery {
            id,
            from,
            topic,
            body,
            ack,
        })
    };
    let login = Fields::NONE.with("heartbeat", 20_000).with("proto", 1);
    for reply in [
        Reply::Ok(login),
        letter(1, true),
        Reply::Ping,
        letter(1, true),
        letter(2, false),
        Reply::Ok(Fields::NONE.with("queued", 1)),
        Reply::Error(crate::ErrorCode::NoSuchUser, "nobody"),
        Reply::Close(CloseReason::Shutdown, 1_500),
    ] {
        encode(&reply, None, &framing, &mut out).unwrap();
    }
    out
}

/// Two requests, a session in these pieces, and what was told and said.
fn live_through(framing: Framing, pieces: &[&[u8]]) -> (Vec<Event>, Vec<u8>) {
    let mut rig = Rig::new(Options {
        framing,
        ..Options::default()
    });
    rig.send("one").unwrap();
    rig.send("two").unwrap();
    rig.dial();
    let (mut events, mut said) = (Vec::new(), Vec::new());
    for piece in pieces {
        rig.hear(piece);
        said.extend_from_slice(rig.machine.output());
        let length = rig.machine.output().len();
        rig.machine.wrote(rig.now, length);
    }
    while let Some(event) = rig.event() {
        events.push(event);
    }
    (events, said)
}

#[test]
fn wherever_the_bytes_are_cut_the_same_happens() {
    for framing in [Framing::Line, JSON, BINARY] {
        let whole = session(framing);
        let (events, _) = live_through(framing, &[&whole]);
        assert_eq!(events.len(), 7, "{events:?}");
        let bytes: Vec<_> = whole.chunks(1).collect();
        assert_eq!(live_through(framing, &bytes).0, events);
        for cut in 0..whole.len() {
            let (front, back) = whole.split_at(cut);
            assert_eq!(
                live_through(framing, &[front, back]).0,
                events,
                "cut at {cut}"
            );
        }
    }
}

/// Anything that may happen to a client.
#[derive(Clone, Debug)]
enum Deed {
    Send,
    Join(u8),
    Leave(u8),
    Ping,
    Quit,
    /// The server reads what was written, and answers so many requests.
    Serve(usize),
    Message(u64, bool),
    ServerPing,
    Write(usize),
    Lose,
    Dialed(bool),
    Pass(u64),
    Take,
    Close(usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => Just(Deed::Send),
        1 => (0..4_u8).prop_map(Deed::Join),
        1 => (0..4_u8).prop_map(Deed::Leave),
        1 => Just(Deed::Ping),
        6 => (0..6_usize).prop_map(Deed::Serve),
        2 => ((0..20_u64), any::<bool>()).prop_map(|(id, ack)| Deed::Message(id, ack)),
        1 => Just(Deed::ServerPing),
        4 => (0..60_usize).prop_map(Deed::Write),
        1 => Just(Deed::Lose),
        4 => prop::bool::weighted(0.8).prop_map(Deed::Dialed),
        3 => (0..30_000_u64).prop_map(Deed::Pass),
        3 => Just(Deed::Take),
        1 => (0..4_usize).prop_map(Deed::Close),
        1 => prop::bool::weighted(0.1).prop_map(|quits| if quits { Deed::Quit } else { Deed::Take }),
    ]
}

/// A world of one client, and what must hold in it.
struct World {
    rig: Rig,
    /// What the server has read of this connection, and not answered.
    inbox: String,
    waiting: Vec<String>,
    asked: HashSet<RequestId>,
    answers: HashMap<RequestId, Outcome>,
    said: HashMap<String, u32>,
    letters: HashSet<u64>,
    ends: u32,
    number: u64,
}

impl World {
    fn new() -> Self {
        let retry = Retry {
            attempts: Some(50),
            ..Retry::FOR_EVER
        };
        Self {
            rig: Rig::new(Options {
                retry,
                away: Away::Queue(20),
                ..Options::default()
            }),
            inbox: String::new(),
            waiting: Vec::new(),
            asked: HashSet::new(),
            answers: HashMap::new(),
            said: HashMap::new(),
            letters: HashSet::new(),
            ends: 0,
            number: 0,
        }
    }

    fn ask(&mut self, words: &Request<'_>) {
        if let Ok(request) = self.rig.machine.request(self.rig.now, words) {
            assert!(self.asked.insert(request), "a number is used once");
        }
    }

    fn write(&mut self, most: usize) {
        if !self.rig.machine.has_link() {
            return;
        }
        let output = self.rig.machine.output();
        let length = output.len().min(most);
        self.inbox += std::str::from_utf8(&output[..length]).unwrap();
        self.rig.machine.wrote(self.rig.now, length);
        while let Some((line, rest)) = self.inbox.split_once('\n') {
            *self.said.entry(line.to_owned()).or_default() += 1;
            self.waiting.push(line.to_owned());
            self.inbox = rest.to_owned();
        }
    }

    fn serve(&mut self, most: usize) {
        for line in self
            .waiting
            .drain(..most.min(self.waiting.len()))
            .collect::<Vec<_>>()
        {
            let answer = match line.split(' ').next().unwrap() {
                "ping" => "pong\n",
                "pong" | "ack" => continue,
                "quit" => "close quit\n",
                "login" => "ok heartbeat=20000 proto=1\n",
                "leave" => "error not-joined no\n",
                _ => "ok queued=1\n",
            };
            self.rig.hear(answer);
        }
    }

    fn act(&mut self, deed: &Deed) {
        let topic = |number: &u8| format!("t{number}").into();
        match deed {
            Deed::Send => {
                self.number += 1;
                let body = Body::Text(format!("unique-{}", self.number).into());
                self.ask(&Request::Data { body });
            }
            Deed::Join(number) => self.ask(&Request::Join {
                topic: topic(number),
            }),
            Deed::Leave(number) => self.ask(&Request::Leave {
                topic: topic(number),
            }),
            Deed::Ping => self.ask(&Request::Ping),
            Deed::Quit => self.rig.machine.quit(self.rig.now),
            Deed::Serve(most) => self.serve(*most),
            Deed::Message(id, ack) if self.rig.machine.is_online() => {
                let word = if *ack { "msga" } else { "msg" };
                self.rig.hear(format!("{word} {id} bob hi\n"));
            }
            Deed::Message(..) => {}
            Deed::ServerPing => self.rig.hear("ping\n"),
            Deed::Write(most) => self.write(*most),
            Deed::Lose if self.rig.machine.has_link() => {
                self.rig.machine.lost(self.rig.now, Lost::Reset);
            }
            Deed::Lose => {}
            Deed::Dialed(is_good) => {
                if self.rig.machine.wants_dial(self.rig.now) {
                    (self.inbox, self.waiting) = (String::new(), Vec::new());
                    match is_good {
                        true => self.rig.machine.dialed(self.rig.now),
                        false => self.rig.machine.lost(self.rig.now, Lost::Refused),
                    }
                }
            }
            Deed::Pass(millis) => self.rig.pass(Duration::from_millis(*millis)),
            Deed::Take => self.take(),
            Deed::Close(which) if self.rig.machine.is_online() => {
                let reasons = ["idle-timeout", "overloaded 2000", "lifetime", "replaced"];
                self.rig.hear(format!("close {}\n", reasons[*which]));
            }
            Deed::Close(_) => {}
        }
    }

    fn take(&mut self) {
        while let Some(event) = self.rig.event() {
            assert_eq!(self.ends, 0, "nothing follows the last event: {event}");
            match event {
                Event::Answer { request, outcome } => {
                    assert!(self.asked.contains(&request));
                    let before = self.answers.insert(request, outcome);
                    assert_eq!(before, None, "one answer each");
                }
                Event::Message(letter) => {
                    assert!(self.letters.insert(letter.id), "told once");
                }
                Event::GaveUp(_) => self.ends += 1,
                _ => {}
            }
        }
    }

    /// What holds at any time.
    fn check(&mut self) {
        let (machine, now) = (&mut self.rig.machine, self.rig.now);
        machine.tick(now);
        if let Some(deadline) = machine.deadline() {
            let is_dial = matches!(machine.phase, Phase::Away { .. });
            assert!(
                deadline > now || is_dial,
                "no deadline is past after its tick"
            );
        }
        assert!(machine.has_link() || machine.output().is_empty());
        for (line, times) in &self.said {
            assert!(
                !line.starts_with("data ") || *times == 1,
                "sent {times} times: {line}"
            );
        }
    }

    fn finish(&mut self) {
        self.rig.machine.quit(self.rig.now);
        self.rig.pass(2 * SECOND);
        self.take();
        assert!(self.rig.machine.is_over());
        assert_eq!(self.ends, 1);
        for request in &self.asked {
            let outcome = self.answers.get(request);
            assert!(outcome.is_some(), "every request is answered: {request:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn in_whatever_order_things_happen(deeds in prop::collection::vec(deed(), 0..150)) {
        let mut world = World::new();
        for deed in &deeds {
            world.act(deed);
            world.check();
        }
        world.finish();
        // What was never sent was never seen by the server, and what was done was.
        for (line, _) in world.said.iter().filter(|(line, _)| line.starts_with("data ")) {
            let number: u64 = line.rsplit_once('-').unwrap().1.parse().unwrap();
            prop_assert!(number <= world.number);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..6),
        framing in prop::sample::select(vec![Framing::Line, JSON, BINARY]),
    ) {
        let mut rig = Rig::new(Options { framing, ..Options::default() });
        rig.dial();
        for piece in &pieces {
            rig.hear(piece);
        }
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
