//! The admin interface as a whole: any bytes on its connection, beside two clients who log in.
//! Nothing panics, every answer begins as one of HTTP, and the clients are not the ones to pay.

use std::net::SocketAddr;
use std::time::Duration;

use pulsegate::config::AdminBind;
use pulsegate::{AdminAccess, Options, Settings};

use super::stage::Stage;
use crate::take::Take;
use crate::world::Path;
use crate::world::socket::Key;

const STATUS: [&str; 10] = [
    "200", "400", "401", "403", "404", "405", "409", "413", "429", "503",
];

/// What most requests begin with: one byte says it.
const SAID: [&str; 12] = [
    "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /v1/connections?limit=",
    "GET /v1/users?",
    "GET /v1/topics?",
    "GET /v1/stats HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "POST /v1/push HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n",
    "POST /v1/kick HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n",
    "POST /v1/bans HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n",
    " HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "Content-Length: ",
];

pub(super) fn run(bytes: &[u8]) {
    let mut take = Take::new(bytes);
    let mut options = Options {
        wheel_slots: 64,
        ..Options::default()
    };
    options.limits.connections = 16;
    options.limits.read_bytes = 512;
    let mut stage = Stage::new(options, vec![Settings::default()]);
    let bind = AdminBind::Tcp(SocketAddr::from(([127, 0, 0, 1], 7_374)));
    let opened = stage.server.listen_admin(&bind, AdminAccess::default());
    opened.expect("the world lets it listen");
    let clients = [b"login ann\n", b"login bob\n"].map(|login| {
        let key = stage.dial(0, Path::default()).expect("there is room");
        stage.net().kernel.say(key, login);
        key
    });
    stage.pass(Duration::from_millis(5));
    let mut asker = None;
    while !take.is_empty() && !stage.server.is_done() {
        act(&mut stage, &mut take, &mut asker);
        stage.turn();
    }
    stage.pass(Duration::from_millis(50));
    for key in asker.into_iter().chain(clients) {
        stage.net().kernel.leave(key);
    }
    stage.end();
}

fn act(stage: &mut Stage, take: &mut Take<'_>, asker: &mut Option<Key>) {
    let deed = take.byte();
    let Some(key) = *asker else {
        *asker = stage.net().kernel.dial(1, None, Path::default());
        return;
    };
    let kernel = &mut stage.net().kernel;
    match deed % 8 {
        0..=2 => {
            let said = SAID[usize::from(deed >> 3) % SAID.len()];
            kernel.say(key, said.as_bytes());
        }
        3..=5 => {
            let len = usize::from(deed >> 2);
            kernel.say(key, take.slice(len));
        }
        6 => stage.pass(Duration::from_millis(u64::from(take.word() % 8_000))),
        _ => {
            judge(&kernel.hear_all(key));
            kernel.leave(key);
            *asker = None;
        }
    }
}

/// The first answer begins with a head of HTTP, and its lines end as they should.
fn judge(said: &[u8]) {
    if said.is_empty() {
        return;
    }
    let text = String::from_utf8_lossy(said);
    let status = text
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    let is_known = status.is_some_and(|status| status == "100" || STATUS.contains(&status));
    assert!(is_known, "{text:?}");
    if let Some((head, _)) = text.split_once("\r\n\r\n") {
        let lines: Vec<&str> = head.split("\r\n").collect();
        assert!(
            lines[1..].iter().all(|line| line.contains(": ")),
            "{head:?}"
        );
        assert!(
            !lines.iter().any(|line| line.contains(['\r', '\n'])),
            "{head:?}"
        );
    }
}
