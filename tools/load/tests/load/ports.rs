//! Ports of a source: a network of one's own in which there are a hundred of them.
//!
//! Making it takes root and the tool `ip`; where one is missing the tests say so and do nothing.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::tool::{count, read};

/// A network namespace; removed with this value.
struct Narrow {
    name: String,
    sinks: Vec<Child>,
}

impl Narrow {
    /// `None` where this machine lets us make none; the reason is told.
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return skip("making a network namespace takes root");
        }
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("pulsegate-load-{}-{number}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &name]).output();
        match made {
            Err(_) => return skip("the tool `ip` is not installed"),
            Ok(made) if !made.status.success() => {
                return skip(&String::from_utf8_lossy(&made.stderr));
            }
            Ok(_) => {}
        }
        let narrow = Self {
            name,
            sinks: Vec::new(),
        };
        let set = "echo 40000 40099 > /proc/sys/net/ipv4/ip_local_port_range && ip link set lo up";
        let done = narrow.command("sh").args(["-c", set]).output().unwrap();
        if !done.status.success() {
            return skip(&String::from_utf8_lossy(&done.stderr));
        }
        Some(narrow)
    }

    /// A program in the namespace.
    fn command(&self, program: &str) -> Command {
        let mut ip = Command::new("ip");
        ip.args(["netns", "exec", &self.name, program]);
        ip
    }

    /// A server in it, and its address.
    fn sink(&mut self) -> String {
        let mut sink = self.command(env!("CARGO_BIN_EXE_pulsegate-load"));
        let sink = sink.args(["sink", "--bind", "127.0.0.1:0"]);
        let mut child = sink.stdout(Stdio::piped()).spawn().unwrap();
        let mut target = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut target).unwrap();
        self.sinks.push(child);
        target.trim_end().to_owned()
    }

    /// Has the kernel give out only so many of the ports; nobody else knows.
    fn leave(&self, ports: u32) {
        let path = "/proc/sys/net/ipv4/ip_local_reserved_ports";
        let set = format!("echo {}-40099 > {path}", 40_000 + ports);
        let done = self.command("sh").args(["-c", &set]).status().unwrap();
        assert!(done.success());
    }

    /// Holds so many connections in it.
    fn hold(&self, targets: &[&str], connections: &str, more: &[&str]) -> crate::tool::Run {
        let mut tool = self.command(env!("CARGO_BIN_EXE_pulsegate-load"));
        tool.arg("hold")
            .args(targets)
            .args(["-c", connections, "-d", "100ms"]);
        tool.args(crate::tool::JSON).args(more);
        tool.stdin(Stdio::null()).stdout(Stdio::piped());
        crate::tool::end(tool.stderr(Stdio::piped()).spawn().unwrap())
    }
}

impl Drop for Narrow {
    fn drop(&mut self) {
        for sink in &mut self.sinks {
            let _ = sink.kill();
            let _ = sink.wait();
        }
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .output();
    }
}

fn skip<T>(why: &str) -> Option<T> {
    crate::tool::skip(why);
    None
}

#[test]
fn connections_beyond_the_ports_of_a_source_come_from_others_and_share_ports_between_targets() {
    let Some(mut narrow) = Narrow::new() else {
        return;
    };
    let targets = [narrow.sink(), narrow.sink()];
    let [one, other] = [targets[0].as_str(), targets[1].as_str()];
    // 150 connections of each source, which has 100 ports: each is used for both targets.
    let sources = ["--source", "127.0.0.5-127.0.0.6"];
    let held = narrow.hold(&[one, other], "300", &sources);
    assert_eq!(held.code, Some(0), "{}{}", held.stdout, held.stderr);
    assert_eq!(count(&read(&held), "opened"), 300);
    // Sources that nobody has named.
    let held = narrow.hold(&[one], "1000", &[]);
    assert_eq!(held.code, Some(0), "{}{}", held.stdout, held.stderr);
    assert_eq!(count(&read(&held), "opened"), 1_000);
    // What can not be is told before it is tried.
    let refused = narrow.hold(&[one], "300", &["--source", "127.0.0.5"]);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("need 4 source addresses"),
        "{}",
        refused.stderr
    );
}

#[test]
fn ports_that_run_out_on_the_way_are_the_tools_own_limit_and_no_failure_of_the_server() {
    let Some(mut narrow) = Narrow::new() else {
        return;
    };
    let target = narrow.sink();
    // By the range there are enough.
    narrow.leave(50);
    let held = narrow.hold(&[&target], "80", &["--source", "127.0.0.5"]);
    assert_eq!(held.code, Some(3), "{}{}", held.stdout, held.stderr);
    let report = read(&held);
    assert_eq!(report["verdict"]["outcome"], "invalid");
    let reasons = report["verdict"]["reasons"].to_string();
    assert!(reasons.contains("no port was free: give more addresses with --source"));
    // The sink's own port may be one of them.
    let opened = count(&report, "opened");
    assert!((49..=50).contains(&opened), "{opened}");
    let tried = count(&report, "no_ports");
    assert!(tried >= 30, "{tried}");
    let refused = [
        "connect_refused",
        "connect_timeout",
        "connect_reset",
        "lost",
    ];
    for what in refused {
        assert_eq!(count(&report, what), 0, "{what}");
    }
    // Where not one is free there is no run at all.
    narrow.leave(0);
    let none = narrow.hold(&[&target], "10", &["--source", "127.0.0.6"]);
    assert_eq!(none.code, Some(4), "{}{}", none.stdout, none.stderr);
    assert!(none.stderr.contains("no port was free"), "{}", none.stderr);
}
