//! The number that the daemon prints at start is the most memory it ever takes.

use crate::client::{Client, Framing, eventually};
use crate::daemon::Daemon;

const MIB: u64 = 1 << 20;
const CROWD: usize = 500;
/// Absent users are remembered up to a fixed number of them; these fill it.
const ABSENT: usize = 65_400;
const TOPICS_EACH: usize = 63;

/// Budgets that an attack fills soon, and nobody who is let go for another reason meanwhile.
const SMALL: &str = "[limits]\nconnections = 520\ninput_budget = \"8MiB\"\n\
                     output_budget = \"8MiB\"\noffline_budget = \"8MiB\"\n\
                     [defaults]\nidle_timeout = \"5m\"\nframe_timeout = \"5m\"\n\
                     write_timeout = \"5m\"\noutput_age = \"5m\"\noutbox_soft_for = \"5m\"\n\
                     send_buffer = \"4KiB\"\n\
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

/// A crowd that reads nothing any more, in as many topics as it may, each with half a frame.
fn crowd(daemon: &Daemon) -> Vec<Client> {
    let mut crowd: Vec<Client> = (0..CROWD)
        .map(|_| Client::narrow(daemon.addr("line"), Framing::Line))
        .collect();
    for (number, client) in crowd.iter_mut().enumerate() {
        let topic = |place| format!("join {}\n", name('t', number * TOPICS_EACH + place));
        let first = [format!("login r{number}\n"), String::from("join flood\n")];
        say_all(client, first.into_iter().chain((0..TOPICS_EACH).map(topic)));
    }
    for (number, client) in crowd.iter_mut().enumerate() {
        client.send(format!(
            "send boss {}",
            "h".repeat(16_000 + number * 37 % 1_500)
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

/// Everything at once; returns the most memory that was resident so far.
fn attack(daemon: &Daemon) -> u64 {
    let before = daemon.descriptors();
    let mut boss = fill_mailboxes(daemon);
    let crowd = crowd(daemon);
    flood(&mut boss);
    drop(crowd);
    drop(boss);
    eventually("everybody has left", || {
        (daemon.descriptors() == before).then_some(())
    });
    daemon.memory("VmHWM")
}

#[test]
fn all_budgets_attacked_at_once_stay_below_the_ceiling_and_are_used_again() {
    let daemon = Daemon::start(SMALL);
    let log = daemon.log_text();
    let told = log.split(" MiB of memory").next().unwrap();
    let ceiling: u64 = told.rsplit(' ').next().unwrap().parse().unwrap();
    let ceiling = ceiling * MIB;
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
