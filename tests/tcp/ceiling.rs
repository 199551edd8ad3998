//! The number that the daemon prints at start is the most memory it ever takes.

use std::collections::BTreeMap;

use crate::client::{Client, Framing, eventually};
use crate::daemon::Daemon;
use crate::http::Http;

const MIB: u64 = 1 << 20;
const CROWD: usize = 500;
/// Absent users are remembered up to a fixed number of them; these fill it.
const ABSENT: usize = 65_400;
const TOPICS_EACH: usize = 63;
/// Readers of events, bodies under way and pages in the making, as many as the interface takes.
const READERS: usize = 8;
const BODIES: usize = 4;
const PAGES: usize = 3;

/// Budgets that an attack fills soon, and nobody who is let go for another reason meanwhile.
pub const SMALL: &str = "[limits]\nconnections = 520\ninput_budget = \"8MiB\"\n\
                     output_budget = \"8MiB\"\noffline_budget = \"8MiB\"\n\
                     [defaults]\nidle_timeout = \"5m\"\nframe_timeout = \"5m\"\n\
                     write_timeout = \"5m\"\noutput_age = \"5m\"\noutbox_soft_for = \"5m\"\n\
                     send_buffer = \"4KiB\"\n\
                     [admin]\nbind = \"127.0.0.1:0\"\n\
                     [[listener]]\nname = \"line\"\nbind = \"127.0.0.1:0\"\n";

/// Says many things, some at a time, and hears as many answers.
fn say_all(client: &mut Client, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.collect();
    for some in lines.chunks(200) {
        client.send(some.concat());
        for _ in some {
            client.hear();
        }
    }
}

/// A name of the longest kind.
fn name(kind: char, number: usize) -> String {
    format!("{number:06}{}", kind.to_string().repeat(122))
}

/// One who stays is what everybody who ever logged in was: `ABSENT` users, each with a letter.
fn fill_mailboxes(daemon: &Daemon) -> Client {
    let mut client = daemon.line();
    say_all(
        &mut client,
        (0..ABSENT).map(|n| format!("login {}\n", name('u', n))),
    );
    client.login("boss");
    let letter = |n| format!("asend {} {}\n", name('u', n), "l".repeat(50 + n % 200));
    say_all(&mut client, (0..ABSENT).map(letter));
    client
}

/// A crowd in as many topics as it may: every other one is flooded and reads nothing any more, the
/// rest have begun a frame that they do not finish.
fn crowd(daemon: &Daemon) -> Vec<Client> {
    let mut crowd: Vec<Client> = (0..CROWD)
        .map(|_| Client::narrow(daemon.addr("line"), Framing::Line))
        .collect();
    for (number, client) in crowd.iter_mut().enumerate() {
        let topic = |place| format!("join {}\n", name('t', number * TOPICS_EACH + place));
        let flooded = if number % 2 == 0 { "flood" } else { "calm" };
        let first = [format!("login r{number}\n"), format!("join {flooded}\n")];
        say_all(client, first.into_iter().chain((0..TOPICS_EACH).map(topic)));
    }
    for (number, client) in crowd.iter_mut().enumerate().skip(1).step_by(2) {
        client.send(format!(
            "send boss {}",
            "h".repeat(33_000 + number * 37 % 1_500)
        ));
    }
    crowd
}

/// Publishes to the crowd: what is small is copied to each, what is large is held by all together.
fn flood(boss: &mut Client) {
    boss.asks("join end", "ok");
    for _ in 0..30 {
        let sizes = [450; 16].into_iter().chain([560]);
        say_all(
            boss,
            sizes.map(|size| format!("pub flood {}\n", "f".repeat(size))),
        );
        // It comes behind what is still on its way to the crowd.
        boss.asks("pub end x", "ok queued=1");
        boss.message();
    }
}

/// Operators who read nothing of what they ask for, and do not finish what they say.
fn operators(daemon: &Daemon, boss: &mut Client) -> Vec<Http> {
    let mut all = Vec::new();
    for _ in 0..READERS {
        let mut reader = daemon.http();
        reader.send("GET /v1/events?types=data HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(reader.head().status, 200);
        all.push(reader);
    }
    let fill = format!("data {}", "e".repeat(15_000));
    for round in 0.. {
        assert!(round < 10_000, "their buffers never fill up");
        boss.say(&fill);
        let answer = boss.hear_text();
        if answer.starts_with("error overloaded ") {
            break;
        }
        assert!(answer.starts_with("ok queued="), "{answer}");
    }
    for _ in 0..BODIES {
        let mut writer = daemon.http();
        writer.send(format!(
            "POST /v1/push HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {MIB}\r\n\r\n"
        ));
        writer.send(vec![b' '; (1 << 20) - 1]);
        all.push(writer);
    }
    for _ in 0..PAGES {
        let mut reader = daemon.http();
        let target = "/v1/connections?limit=10000&sort=outbox";
        reader.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").repeat(20));
        all.push(reader);
    }
    all
}

/// What the daemon's log says of its memory: the ceiling, and its parts.
fn announced(daemon: &Daemon) -> (u64, BTreeMap<String, u64>) {
    let log = daemon.log_text();
    let (before, rest) = log.split_once(" MiB of memory (").unwrap();
    let ceiling: u64 = before.rsplit(' ').next().unwrap().parse().unwrap();
    let parts = rest.split_once(')').unwrap().0.split(' ');
    let parts = parts.map(|part| {
        let (name, bytes) = part.split_once('=').unwrap();
        (name.to_owned(), bytes.parse().unwrap())
    });
    (ceiling * MIB, parts.collect())
}

/// The ledger is told in three places; all say the same of the limits, and nothing is above its
/// limit. Returns what is in use.
fn ledger(daemon: &Daemon) -> BTreeMap<String, u64> {
    let (ceiling, parts) = announced(daemon);
    let sum: u64 = parts.values().sum();
    assert_eq!(sum.div_ceil(MIB), ceiling / MIB);
    let mut http = daemon.http();
    let stats = http.json("/v1/stats");
    let memory = &stats["memory"];
    assert_eq!(memory["ceiling"], sum);
    let metrics = http.get("/metrics").text();
    let metric = |name: &str| -> u64 {
        let mut lines = metrics.lines().filter_map(|line| line.strip_prefix(name));
        let number = lines.find_map(|rest| rest.strip_prefix(' '));
        number
            .unwrap_or_else(|| panic!("no {name}"))
            .parse()
            .unwrap()
    };
    assert_eq!(metric("pulsegate_memory_ceiling_bytes"), sum);
    let mut used = BTreeMap::new();
    for (part, limit) in parts {
        assert_eq!(memory[&part]["limit"], limit, "{part}");
        let name = format!("pulsegate_memory_limit_bytes{{part=\"{part}\"}}");
        assert_eq!(metric(&name), limit, "{part}");
        let now = memory[&part]["now"].as_u64().unwrap();
        assert!(now <= limit, "{part}: {now} of {limit}");
        used.insert(part, now);
    }
    let resident = memory["resident"].as_u64().unwrap();
    assert!(resident <= sum, "{resident} of {sum}");
    used
}

/// Everything at once; returns the most memory that was resident so far.
pub fn attack(daemon: &Daemon) -> u64 {
    let before = daemon.descriptors();
    let mut boss = fill_mailboxes(daemon);
    let crowd = crowd(daemon);
    flood(&mut boss);
    let operators = operators(daemon, &mut boss);
    let used = ledger(daemon);
    for (part, least) in [
        ("input", 7),
        ("output", 6),
        ("offline", 7),
        ("admin", READERS as u64 + 1),
    ] {
        let used = used[part];
        assert!(used > least * MIB, "{part} is not used up: {used}");
    }
    drop(operators);
    drop(crowd);
    drop(boss);
    eventually("everybody has left", || {
        (daemon.descriptors() == before).then_some(())
    });
    daemon.memory("VmHWM")
}

/// Names that come and go, each with a letter that nobody fetches.
fn passers_by(boss: &mut Client) {
    let pass = |n: usize| {
        let (here, gone) = (name('p', n), name('p', n - 1));
        let login = format!("login {here}\n");
        [login, format!("asend {gone} {}\n", "l".repeat(n % 200))]
    };
    say_all(boss, (1..20_000).flat_map(pass));
    boss.login("boss");
}

/// The ceiling that its log names, in bytes.
pub fn printed(daemon: &Daemon) -> u64 {
    announced(daemon).0
}

#[test]
fn all_budgets_attacked_at_once_stay_below_the_ceiling_and_are_used_again() {
    let daemon = Daemon::start(SMALL);
    let ceiling = printed(&daemon);
    let base = daemon.memory("VmRSS");
    assert!(base < 8 * MIB, "{base}");
    let first = attack(&daemon);
    assert!(first > base + 40 * MIB, "that was no attack: {first}");
    assert!(first < ceiling, "{first} of {ceiling}");
    // What was freed serves the next one: the allocator keeps it, and nothing of it is lost.
    let second = attack(&daemon);
    assert!(second < ceiling, "{second} of {ceiling}");
    assert!(
        second < first + first / 10 + 8 * MIB,
        "{first}, then {second}"
    );
    daemon.line().fence();
}

#[test]
fn what_an_attack_has_taken_is_given_back_by_the_program_itself() {
    let config = SMALL.replace("[defaults]\n", "[defaults]\noffline_ttl = \"1s\"\n");
    let daemon = Daemon::start(&config);
    let (base, before) = (daemon.memory("VmRSS"), daemon.descriptors());
    let mut boss = daemon.user("boss");
    let crowd = crowd(&daemon);
    passers_by(&mut boss);
    flood(&mut boss);
    let operators = operators(&daemon, &mut boss);
    drop((operators, crowd, boss));
    eventually("everybody has left", || {
        (daemon.descriptors() == before).then_some(())
    });
    let most = daemon.memory("VmHWM");
    assert!(most > base + 20 * MIB, "that was no attack: {most}");
    // What is still in use: records of deaths, tables for a crowd, what lies about in pages.
    let allowed = base + base / 10 + 8 * MIB;
    eventually("its memory is given back", || {
        (daemon.memory("VmRSS") <= allowed).then_some(())
    });
}
