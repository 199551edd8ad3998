//! SIGHUP: the file is read again, and all of it holds or nothing.

use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::fs::inotify;
use rustix::io::Errno;
use rustix::process::Signal;

use crate::client::Client;
use crate::daemon::{Daemon, LINE};
use crate::program::{PATIENCE, eventually};

fn with(settings: &str) -> String {
    format!("{settings}\n{LINE}")
}

/// Rewrites the file, hangs up, and waits until the log says so.
fn reload(daemon: &Daemon, config: &str, says: &str) {
    daemon.rewrite(config);
    daemon.signal(Signal::HUP);
    daemon.logs(says);
}

#[test]
fn it_tells_what_has_changed_and_what_needs_a_restart() {
    let daemon = Daemon::start(LINE);
    let mut client = daemon.client();
    client.fence();
    let config = "[drain]\nover = \"2s\"\n[log]\nformat = \"json\"\n\
                  [limits]\nconnections = 10_000_000\n[defaults]\nidle_timeout = \"30s\"\n\
                  frame_max = \"65KiB\"\n[[listener]]\nbind = \"127.0.0.1:1\"\n\
                  framing = \"lenhdr\"\n\
                  [[listener]]\nname = \"new\"\nbind = \"127.0.0.1:2\"\n";
    reload(
        &daemon,
        config,
        "reloaded c.toml: changed=3 needs-restart=5",
    );
    for said in [
        "drain.over: \"0s\" -> \"2s\"; ",
        "log.format: \"text\" -> \"json\" (needs a restart)",
        "limits.connections: \"auto\" -> 10000000 (needs a restart)",
        "listener.clients.idle_timeout: \"60s\" -> \"30s\" (tighter, connections=1)",
        "listener.clients.frame_max: \"64KiB\" -> \"65KiB\"",
        "listener.clients.bind: \"127.0.0.1:0\" -> \"127.0.0.1:1\" (needs a restart)",
        "listener.clients.framing: \"line\" -> \"lenhdr\" (needs a restart)",
        "listener.new: none -> \"127.0.0.1:2\" (needs a restart)",
    ] {
        daemon.logs(said);
    }
    client.fence();
    daemon.signal(Signal::HUP);
    daemon.logs("changed=0 needs-restart=5");
}

#[test]
fn a_listener_that_is_gone_from_the_file_stays_until_the_next_start() {
    let both = format!("{LINE}[[listener]]\nname = \"old\"\nbind = \"127.0.0.1:0\"\n");
    let daemon = Daemon::start(&both);
    let connect = || Client::connect(daemon.addrs()[1]);
    let mut client = connect();
    client.fence();
    reload(&daemon, LINE, "changed=0 needs-restart=1");
    daemon.logs("listener.old: \"127.0.0.1:0\" -> none (needs a restart)");
    client.fence();
    connect().fence();
    // Back in the file, nothing is different.
    reload(&daemon, &both, "reloaded c.toml: nothing has changed");
}

#[test]
fn a_broken_file_changes_nothing_and_is_told_by_line() {
    let daemon = Daemon::start(&with("[defaults]\nidle_timeout = \"60s\"\n"));
    let mut client = daemon.client();
    client.fence();
    let broken = with("[defaults]\nidle_timeout = \"1s\"\nwrite_timout = \"5s\"\n");
    reload(
        &daemon,
        &broken,
        "reload refused, nothing has changed: c.toml:3: ",
    );
    daemon.logs("did you mean \"write_timeout\"?");
    reload(&daemon, "[defaults\n", "c.toml:1: not TOML");
    daemon.rewrite(LINE);
    daemon.signal(Signal::HUP);
    daemon.logs("reloaded c.toml: nothing has changed");
    client.fence();
}

#[test]
fn shorter_deadlines_reach_live_connections_and_longer_ones_spare_them() {
    let daemon = Daemon::start(&with("[defaults]\nidle_timeout = \"60s\"\n"));
    let mut client = daemon.client();
    client.fence();
    let began = Instant::now();
    let short = with("[defaults]\nidle_timeout = \"300ms\"\n");
    reload(&daemon, &short, "idle_timeout: \"60s\" -> \"300ms\"");
    assert_eq!(client.line(), "close idle-timeout");
    assert!(began.elapsed() >= Duration::from_millis(290));
    let long = with("[defaults]\nidle_timeout = \"60s\"\n");
    reload(&daemon, &long, "idle_timeout: \"300ms\" -> \"60s\"");
    let mut client = daemon.client();
    client.asks("login a", "ok heartbeat=20000 proto=1");
}

#[test]
fn flags_still_win_and_the_level_of_the_log_changes() {
    let daemon = Daemon::start_with(LINE, &["--idle-timeout", "9s"]);
    let config = with("[log]\nlevel = \"debug\"\n[defaults]\nidle_timeout = \"1s\"\n");
    reload(&daemon, &config, "log.level: \"info\" -> \"debug\"");
    let mut client = daemon.client();
    client.asks("login a", "ok heartbeat=3000 proto=1");
    daemon.logs("opened peer=127.0.0.1");
    assert!(
        !daemon.log().contains("idle_timeout"),
        "the flag is what it was"
    );
}

/// Counts how often the configuration of a daemon is read, as the kernel sees it.
struct Readings(OwnedFd);

impl Readings {
    fn of(daemon: &Daemon) -> Self {
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
        // An event like the last one is not told twice: between two ends there is a beginning.
        let flags = inotify::WatchFlags::OPEN | inotify::WatchFlags::CLOSE_NOWRITE;
        inotify::add_watch(&watch, daemon.folder().join("c.toml"), flags).unwrap();
        Self(watch)
    }

    /// Those since it was last asked.
    fn count(&self) -> usize {
        let mut buffer = [MaybeUninit::uninit(); 4_096];
        let mut events = inotify::Reader::new(&self.0, &mut buffer);
        let mut count = 0;
        loop {
            match events.next() {
                Ok(event) => {
                    let flags = event.events();
                    assert!(!flags.contains(inotify::ReadFlags::QUEUE_OVERFLOW));
                    count += usize::from(flags.contains(inotify::ReadFlags::CLOSE_NOWRITE));
                }
                Err(Errno::AGAIN) => return count,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// A list of so many entries: to read it takes a while.
fn list(daemon: &Daemon, entries: u32) -> &'static str {
    let address = |n: u32| format!("10.{}.{}.{}\n", n >> 16, (n >> 8) & 255, n & 255);
    let text: String = (0..entries).map(address).collect();
    std::fs::write(daemon.folder().join("black.txt"), text).unwrap();
    "[lists]\nblack = \"black.txt\"\n"
}

/// Reloads that took place, as the metrics of a daemon tell.
fn reloads(daemon: &Daemon) -> usize {
    let mut http = UnixStream::connect(daemon.folder().join("adm.sock")).unwrap();
    http.set_read_timeout(Some(PATIENCE)).unwrap();
    http.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut text = String::new();
    http.read_to_string(&mut text).unwrap();
    let name = "pulsegate_config_reloads_total{result=\"success\"} ";
    let count = text.lines().find_map(|line| line.strip_prefix(name));
    count.unwrap().parse().unwrap()
}

#[test]
fn hang_ups_that_come_while_the_file_is_read_share_one_reading() {
    // 113: the first is being read when the others come, since its list is long.
    const OTHERS: usize = 12;
    let idle = |span: &str| format!("[defaults]\nidle_timeout = \"{span}\"\n");
    let daemon = Daemon::start_with(LINE, &["--admin-bind", "unix:adm.sock"]);
    let lists = list(&daemon, 300_000);
    let mut client = daemon.client();
    daemon.rewrite(&with(lists));
    let readings = Readings::of(&daemon);
    daemon.signal(Signal::HUP);
    let first = eventually("the file is read", || {
        Some(readings.count()).filter(|count| *count > 0)
    });
    for _ in 0..OTHERS {
        daemon.signal(Signal::HUP);
        client.fence();
    }
    daemon.rewrite(&with(&format!("{lists}{}", idle("90s"))));
    daemon.signal(Signal::HUP);
    eventually("the last one holds", || {
        let mut client = daemon.client();
        client.send("login a\n");
        (client.line() == "ok heartbeat=30000 proto=1").then_some(())
    });
    // Readings are two; more where the machine held us up between two signals for as long as one
    // takes. Of signals the kernel makes one where the last one still waits for a thread to take
    // it, so those are counted that were answered.
    let answered = eventually("most have been answered", || {
        Some(reloads(&daemon)).filter(|answered| *answered > OTHERS / 2)
    });
    let count = first + readings.count();
    assert!(count * 2 <= answered, "{count} readings for {answered}");
}

#[test]
fn a_storm_of_hang_ups_ends_with_the_last_file() {
    // 113: half of two thousand files are broken.
    const SIGNALS: usize = 2_000;
    let daemon = Daemon::start(LINE);
    let lists = list(&daemon, 20_000);
    let readings = Readings::of(&daemon);
    let mut client = daemon.client();
    for number in 1..=SIGNALS {
        let (idle, end) = (
            600 + number / 10 * 3,
            if number % 2 == 0 { "" } else { "]" },
        );
        daemon.rewrite(&with(&format!(
            "{lists}[defaults]\nidle_timeout = \"{idle}s\"{end}\n"
        )));
        daemon.signal(Signal::HUP);
        client.fence();
    }
    // The log tells ten of them a second; a login tells what holds.
    eventually("the last file holds", || {
        let mut client = daemon.client();
        client.send("login a\n");
        (client.line() == "ok heartbeat=400000 proto=1").then_some(())
    });
    let count = readings.count();
    assert!((1..SIGNALS).contains(&count), "{count} readings");
}

#[test]
fn a_file_that_is_gone_changes_nothing() {
    let daemon = Daemon::start(LINE);
    daemon.remove();
    daemon.signal(Signal::HUP);
    daemon.logs("reload refused, nothing has changed: c.toml: No such file");
    daemon.client().fence();
}
