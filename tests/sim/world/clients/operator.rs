//! An operator or a backend: speaks HTTP to the admin interface, and believes nothing that it is
//! told.
//!
//! A clerk asks for one thing after the other: pages, pushes with receipts, kicks, bans, taps,
//! reloads. A reader reads events, and some stall for a while. What each was promised is held
//! against what became of it, here and by the judge.

use std::collections::BTreeSet;

use serde_json::Value;

use super::house::House;
use super::letter::letter;
use super::origin::NETWORKS;
use crate::world::Path;
use crate::world::agenda::{Deed, MILLI, Nanos, SECOND};
use crate::world::desk::{Desk, Order};
use crate::world::dice::Dice;
use crate::world::kernel::Kernel;
use crate::world::marks::Mark;
use crate::world::socket::{Heard, Key};

/// What it is there for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Habit {
    /// Asks for one thing after the other, so long apart at most.
    Clerk(Nanos),
    /// Reads events; stalls for so long at most, now and then.
    Reader(Nanos),
}

/// Somebody at the admin interface.
#[derive(Debug)]
pub(crate) struct Operator {
    who: u32,
    dice: Dice,
    habit: Habit,
    path: Path,
    link: Option<Key>,
    input: Vec<u8>,
    asked: Option<Asked>,
    asked_at: Nanos,
    /// The shutdown had begun when it asked.
    asked_late: bool,
    alarm: u32,
    /// It reads nothing until then.
    stalls_until: Nanos,
    /// The number of its connection, of its last message, of the last event it read.
    life: u32,
    number: u32,
    seq: u64,
    /// The head of the stream is there.
    streams: bool,
    /// Connections whose end it has read of since it was connected.
    ended: BTreeSet<u64>,
    /// The last push that wants an ack, and whether it is said to be acked.
    pub(crate) proof: Option<(u64, bool)>,
}

/// What it has asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Asked {
    /// Something whose answer must only be whole.
    Page,
    /// A page of connections by id, of so many rows at most.
    Connections(usize),
    /// To a user who must get it, where it is the proof.
    Push {
        number: u32,
        proves: bool,
    },
    State(u64),
    Kick,
    Ban,
    Reload,
    Drain,
    Events,
}

/// How long a clerk waits for an answer.
const PATIENCE: Nanos = 30 * SECOND;

/// An answer: its status and its body.
type Told = (u16, Vec<u8>);

impl Operator {
    pub(crate) fn new(who: u32, dice: Dice, habit: Habit, path: Path) -> Self {
        Self {
            who,
            dice,
            habit,
            path,
            link: None,
            input: Vec::new(),
            asked: None,
            asked_at: 0,
            asked_late: false,
            alarm: 0,
            stalls_until: 0,
            life: 0,
            number: 0,
            seq: 0,
            streams: false,
            ended: BTreeSet::new(),
            proof: None,
        }
    }

    pub(crate) fn is_clerk(&self) -> bool {
        matches!(self.habit, Habit::Clerk(_))
    }

    /// Does something at `at`.
    pub(crate) fn plan(&mut self, kernel: &mut Kernel, at: Nanos) {
        self.alarm += 1;
        kernel.agenda.at(at, Deed::Wake(self.who, self.alarm));
    }

    pub(crate) fn wake(&mut self, kernel: &mut Kernel, house: &mut House, which: u32) {
        if which != self.alarm || house.desk.is_closed {
            return;
        }
        if self.link.is_none() {
            self.connect(kernel, house);
        }
        if kernel.now() >= self.stalls_until || house.is_quiet || !self.is_clerk() {
            self.read(kernel, house);
        }
        if self.is_clerk() && self.asked.is_some() && kernel.now() > self.asked_at + PATIENCE {
            self.part(kernel, house);
        }
        if self.link.is_some() && self.asked.is_none() {
            self.ask(kernel, house);
        }
        let pause = match self.habit {
            _ if house.is_quiet => SECOND,
            Habit::Clerk(pause) | Habit::Reader(pause) => self.dice.span(MILLI, pause.max(MILLI)),
        };
        if matches!(self.habit, Habit::Reader(_)) && !house.is_quiet && self.dice.one_in(4) {
            self.stalls_until = kernel.now() + pause;
        }
        let at = kernel.now() + pause;
        self.plan(kernel, at);
    }

    /// Something changed at its connection.
    pub(crate) fn stir(&mut self, kernel: &mut Kernel, house: &mut House) {
        if kernel.now() >= self.stalls_until || house.is_quiet {
            self.read(kernel, house);
        }
    }

    fn connect(&mut self, kernel: &mut Kernel, house: &House) {
        self.link = kernel.dial(house.desk.listener, Some(self.who), self.path);
        self.life += 1;
    }

    /// Gives its connection up, with whatever it has asked for there.
    fn part(&mut self, kernel: &mut Kernel, house: &mut House) {
        if let Some(key) = self.link.take() {
            kernel.leave(key);
        }
        if self.asked.take() == Some(Asked::Kick) {
            house.desk.unsure = true;
        }
        self.input.clear();
        self.ended.clear();
        self.streams = false;
        self.seq = 0;
    }

    /// The faults are over: it comes back, as whoever sees that nothing moves would.
    pub(crate) fn begin_anew(&mut self, kernel: &mut Kernel, house: &mut House) {
        self.part(kernel, house);
        let at = kernel.now() + SECOND;
        self.plan(kernel, at);
    }

    /// Leaves for ever.
    pub(crate) fn retire(&mut self, kernel: &mut Kernel, house: &mut House) {
        self.part(kernel, house);
        self.alarm += 1;
    }

    fn read(&mut self, kernel: &mut Kernel, house: &mut House) {
        let Some(key) = self.link else { return };
        let mut buffer = [0; 4_096];
        let is_over = loop {
            match kernel.hear(key, &mut buffer) {
                Heard::Bytes(count) => self.input.extend_from_slice(&buffer[..count]),
                Heard::Nothing => break false,
                Heard::Fin | Heard::Reset => break true,
            }
        };
        if self.asked == Some(Asked::Events) {
            self.read_events(kernel, house);
        } else if let Some(asked) = self.asked.clone()
            && let Some((status, body)) = whole(&mut self.input)
        {
            self.asked = None;
            self.heed(&asked, (status, body), kernel, house);
        }
        if is_over {
            self.part(kernel, house);
        }
    }

    fn ask(&mut self, kernel: &mut Kernel, house: &mut House) {
        self.asked_late = house.desk.is_draining;
        if matches!(self.habit, Habit::Reader(_)) {
            return self.say(Asked::Events, "GET", "/v1/events", "", kernel);
        }
        if let Some(over) = house.desk.wants_drain {
            let body = format!("{{\"over_ms\":{over}}}");
            return self.say(Asked::Drain, "POST", "/v1/drain", &body, kernel);
        }
        if house.is_quiet {
            return self.ask_for_proof(kernel, house);
        }
        match self.dice.below(16) {
            0..=3 => self.ask_for_page(kernel),
            4..=8 => self.push(kernel, house),
            9 | 10 => match house.desk.last_push {
                Some(id) => self.ask_for_state(id, kernel),
                None => self.ask_for_page(kernel),
            },
            11 => {
                let user = self.dice.pick(&house.users).clone();
                let body = format!("{{\"user\":\"{user}\"}}");
                house.desk.orders.push(Order::Kick(user));
                self.say(Asked::Kick, "POST", "/v1/kick", &body, kernel);
            }
            12 => self.ban(kernel, house),
            13 => {
                let user = self.dice.pick(&house.users).clone();
                let target = format!("/v1/tap/{user}?for_ms={}", self.dice.below(2_000));
                if self.dice.one_in(2) {
                    // What it is shown has to wait, also when its time is over.
                    self.stalls_until = kernel.now() + self.dice.span(SECOND, 10 * SECOND);
                }
                self.say(Asked::Page, "GET", &target, "", kernel);
            }
            _ => self.say(Asked::Reload, "POST", "/v1/reload", "", kernel),
        }
    }

    fn ask_for_page(&mut self, kernel: &mut Kernel) {
        let rows = self.dice.size(1, 20);
        if self.dice.one_in(3) {
            let target = format!("/v1/connections?limit={rows}&sort=id");
            return self.say(Asked::Connections(rows), "GET", &target, "", kernel);
        }
        let target = *self.dice.pick(&[
            "/v1/users",
            "/v1/topics",
            "/v1/closes",
            "/v1/stats",
            "/metrics",
            "/healthz",
            "/v1/bans",
            "/v1/connections?sort=outbox",
        ]);
        self.say(Asked::Page, "GET", target, "", kernel);
    }

    fn push(&mut self, kernel: &mut Kernel, house: &House) {
        let user = self.dice.pick(&house.users).clone();
        let topic = self.dice.pick(&house.topics).clone();
        let (to, target) = match self.dice.below(4) {
            0 => (String::from("*"), String::from("{\"everyone\":true}")),
            1 => (format!("t:{topic}"), format!("{{\"topic\":\"{topic}\"}}")),
            _ => (format!("u:{user}"), format!("{{\"user\":\"{user}\"}}")),
        };
        let ack = self.dice.one_in(2);
        self.push_to(&to, &target, ack, false, kernel);
    }

    fn push_to(&mut self, to: &str, target: &str, ack: bool, proves: bool, kernel: &mut Kernel) {
        self.number += 1;
        let number = self.number;
        let text = letter((self.who, self.life), number, to, &["-".into()], 0);
        let body = format!("{{\"to\":{target},\"body\":\"{text}\",\"ack\":{ack}}}");
        let asked = Asked::Push { number, proves };
        self.say(asked, "POST", "/v1/push", &body, kernel);
    }

    fn ask_for_state(&mut self, id: u64, kernel: &mut Kernel) {
        let target = format!("/v1/messages/{id}");
        self.say(Asked::State(id), "GET", &target, "", kernel);
    }

    fn ban(&mut self, kernel: &mut Kernel, house: &mut House) {
        let ttl = self.dice.below(5_000);
        if house.has_addresses && self.dice.one_in(2) {
            return self.ban_network(ttl, kernel, house);
        }
        let user = self.dice.pick(&house.users).clone();
        let body = format!("{{\"user\":\"{user}\",\"ttl_ms\":{ttl}}}");
        house.desk.orders.push(Order::Ban(user));
        self.say(Asked::Ban, "POST", "/v1/bans", &body, kernel);
    }

    /// Bans a network, or lets it in; now and then takes that back.
    fn ban_network(&mut self, ttl: u64, kernel: &mut Kernel, house: &mut House) {
        let cidr = *self.dice.pick(&NETWORKS);
        if self.dice.one_in(4) {
            let body = format!("{{\"cidr\":\"{cidr}\"}}");
            return self.say(Asked::Page, "DELETE", "/v1/bans", &body, kernel);
        }
        let allow = self.dice.one_in(3);
        let body = format!("{{\"cidr\":\"{cidr}\",\"ttl_ms\":{ttl},\"allow\":{allow}}}");
        house.desk.orders.push(match allow {
            true => Order::LetIn,
            false => Order::BanNetwork(cidr.parse().expect("a network")),
        });
        self.say(Asked::Ban, "POST", "/v1/bans", &body, kernel);
    }

    /// Pushes to somebody who is there and acknowledges, and asks until that is told.
    fn ask_for_proof(&mut self, kernel: &mut Kernel, house: &House) {
        match (self.proof, &house.desk.is_here) {
            (Some((_, true)), _) | (None, None) => {}
            (Some((id, false)), _) => self.ask_for_state(id, kernel),
            (None, Some(user)) => {
                let (to, target) = (format!("u:{user}"), format!("{{\"user\":\"{user}\"}}"));
                self.push_to(&to, &target, true, true, kernel);
            }
        }
    }

    fn say(&mut self, asked: Asked, method: &str, target: &str, body: &str, kernel: &mut Kernel) {
        let Some(key) = self.link else { return };
        let text = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        // The windows of operators are wide: what does not fit tells of a connection that is gone.
        if kernel.say(key, text.as_bytes()) == text.len() {
            self.asked = Some(asked);
            self.asked_at = kernel.now();
        }
    }

    fn heed(&mut self, asked: &Asked, told: Told, kernel: &mut Kernel, house: &mut House) {
        let (status, body) = told;
        let text = String::from_utf8_lossy(&body).into_owned();
        let json: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        // Several may ask for it in one turn, before it has begun.
        let may_drain = house.desk.is_draining || house.desk.wants_drain.is_some();
        let known: &[u16] = match asked {
            Asked::State(_) => &[200, 404],
            // During the shutdown both come too late, and never before.
            Asked::Reload | Asked::Drain if self.asked_late => &[409],
            Asked::Reload if may_drain => &[200, 400, 409, 503],
            Asked::Reload => &[200, 400, 503],
            Asked::Drain if may_drain => &[200, 409],
            Asked::Drain => &[200],
            Asked::Page => &[200, 429],
            Asked::Push { .. } | Asked::Ban => &[200, 503],
            _ => &[200],
        };
        assert!(
            known.contains(&status),
            "{asked:?} is answered {status}: {text}"
        );
        if status != 200 {
            return;
        }
        kernel.marks.reach(Mark::Administered);
        match *asked {
            Asked::Connections(rows) => check_page(&json, rows),
            Asked::Push { number, proves } => self.heed_push(number, proves, &json, house),
            Asked::State(id) => self.heed_state(id, &json, kernel, house),
            Asked::Kick => house.desk.kicked += count(&json, "kicked"),
            _ => {}
        }
    }

    fn heed_push(&mut self, number: u32, proves: bool, json: &Value, house: &mut House) {
        let counts = ["queued", "offline", "dropped"].map(|key| count(json, key));
        let id = count(json, "id");
        if counts[..2] == [0, 0] {
            // Nobody gets it: whoever does tells of a lie.
            house.desk.nobodys.insert((self.who, number));
            assert!(!house.desk.heard.contains(&(self.who, number)), "{json}");
        }
        house.desk.last_push = Some(id);
        if proves && counts[..2] != [0, 0] {
            self.proof = Some((id, false));
        }
    }

    fn heed_state(&mut self, id: u64, json: &Value, kernel: &mut Kernel, house: &House) {
        let acked = json["state"] == "acked" || json["acked"].as_u64() > Some(0);
        let has_acked = house.desk.acks.contains(&id);
        assert!(!acked || has_acked, "nobody has acked {id}: {json}");
        kernel.marks.reach_if(acked, Mark::Receipt);
        match &mut self.proof {
            Some((proof, is_acked)) if *proof == id && acked => *is_acked = true,
            // What was in the way is gone: again.
            Some((proof, _)) if *proof == id && json["state"] != "pending" => self.proof = None,
            _ => {}
        }
    }

    fn read_events(&mut self, kernel: &mut Kernel, house: &mut House) {
        if !self.streams {
            let Some(end) = self.input.windows(4).position(|four| four == b"\r\n\r\n") else {
                return;
            };
            let head = String::from_utf8(self.input.drain(..end + 4).collect()).expect("a head");
            if head.starts_with("HTTP/1.1 429 ") {
                return self.part(kernel, house);
            }
            assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
            self.streams = true;
        }
        while let Some(chunk) = chunk(&mut self.input) {
            for line in String::from_utf8(chunk).expect("text").lines() {
                let event: Value = serde_json::from_str(line).expect("an event is JSON");
                self.take_event(&event, kernel, &mut house.desk);
            }
        }
    }

    fn take_event(&mut self, event: &Value, kernel: &mut Kernel, desk: &mut Desk) {
        if event["type"] == "lost" {
            self.seq += count(event, "count");
            return kernel.marks.reach(Mark::EventsLost);
        }
        self.seq += 1;
        assert_eq!(event["seq"], self.seq, "operator {}: {event}", self.who);
        let conn = count(event, "connection");
        assert!(!self.ended.contains(&conn), "after its end: {event}");
        if event["type"] == "close" {
            self.ended.insert(conn);
            let reason = event["reason"].as_str().expect("a reason");
            desk.told_ends.push((conn, reason.to_owned()));
        }
    }
}

#[track_caller]
fn count(json: &Value, key: &str) -> u64 {
    json[key]
        .as_u64()
        .unwrap_or_else(|| panic!("no {key} in {json}"))
}

/// A page of connections by id: no more than were asked for, each once, in order.
fn check_page(json: &Value, rows: usize) {
    let page = json["connections"].as_array().expect("rows");
    assert!(page.len() <= rows, "{} rows of {rows}", page.len());
    let ids: Vec<u64> = page.iter().map(|row| count(row, "id")).collect();
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
}

/// Takes an answer off the input, once it is whole.
fn whole(input: &mut Vec<u8>) -> Option<Told> {
    let end = input.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&input[..end]).expect("a head is text");
    let status = head.get(9..12)?.parse().expect("a status");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    if let Some(length) = length {
        let length: usize = length.parse().expect("a length");
        if input.len() < end + length {
            return None;
        }
        let body = input[end..end + length].to_vec();
        input.drain(..end + length);
        return Some((status, body));
    }
    let (mut rest, mut body) = (input[end..].to_vec(), Vec::new());
    while let Some(piece) = chunk(&mut rest) {
        if piece.is_empty() {
            *input = rest;
            return Some((status, body));
        }
        body.extend(piece);
    }
    None
}

/// Takes a chunk off the input, once it is whole; the last one is empty.
fn chunk(input: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = input.windows(2).position(|two| two == b"\r\n")?;
    let size = std::str::from_utf8(&input[..end]).expect("a length is text");
    let size = usize::from_str_radix(size, 16).expect("a length");
    let (from, to) = (end + 2, end + 2 + size);
    if input.len() < to + 2 {
        return None;
    }
    let piece = input[from..to].to_vec();
    input.drain(..to + 2);
    Some(piece)
}
