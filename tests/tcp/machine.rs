//! The real process on a machine that fails it: errors put into its system calls by strace, and a
//! memory cgroup as large as the number it prints.
//!
//! Both take a tool or a right that a machine may lack: then the tests say so and do nothing.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::ceiling;
use crate::client::{PATIENCE, eventually};
use crate::daemon::Daemon;
use crate::skip::skip;

/// strace on a running daemon, with a fault put into its calls; let go when dropped.
struct Injection(Child);

impl Injection {
    /// `None` where this machine does not let us; the reason is printed.
    fn new(daemon: &Daemon, fault: &str) -> Option<Self> {
        let calls = fault.split(':').next().unwrap();
        let mut strace = Command::new("strace");
        strace.args([
            "-p",
            &daemon.id().to_string(),
            "-e",
            &format!("trace={calls}"),
        ]);
        strace.args(["-e", &format!("inject={fault}"), "-e", "signal=none"]);
        let Ok(mut child) = strace.stderr(Stdio::piped()).spawn() else {
            return skip("strace is not installed");
        };
        let (sender, receiver) = channel();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || {
            while let Some(Ok(line)) = lines.next() {
                let _ = sender.send(line);
            }
        });
        let injection = Self(child);
        loop {
            let line = receiver.recv_timeout(PATIENCE).unwrap();
            if line.contains("not permitted") {
                return skip("this user may not trace processes");
            }
            if line.contains("attached") {
                return Some(injection);
            }
        }
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        // Told so, it lets the daemon go and leaves; killed, it would leave it stopped.
        let pid = Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, Signal::TERM);
        let _ = self.0.wait();
    }
}

/// Three errors that the newcomer caused, and the next one is taken: faults, and pauses.
const FAILED: [u64; 2] = [3, 0];
/// Three that keep everybody out for a while.
const WAITS: [u64; 2] = [0, 3];

#[test]
fn whatever_accept_fails_with_the_newcomer_is_taken_later_and_nobody_else_notices() {
    // 51, 53
    let daemon = crate::admin::daemon("", "");
    // Before anything is put into its accepts: this connection takes one too.
    let mut http = daemon.http();
    let mut canary = daemon.line();
    canary.fence();
    let mut counted = || {
        let counters = http.json("/v1/stats")["counters"].clone();
        ["accept_faults", "accept_pauses"].map(|name| counters[name].as_u64().unwrap())
    };
    let errors = [
        ("EMFILE", WAITS),
        ("ENFILE", WAITS),
        ("ENOMEM", WAITS),
        ("ENOBUFS", WAITS),
        ("EPERM", FAILED),
        ("ECONNABORTED", FAILED),
        ("EPROTO", FAILED),
        ("ENETDOWN", FAILED),
        ("EHOSTUNREACH", FAILED),
        ("EINTR", FAILED),
        ("EIO", WAITS),
    ];
    for (error, [faults, pauses]) in errors {
        let before = counted();
        let fault = format!("accept4:error={error}:when=1..3");
        let Some(_injection) = Injection::new(&daemon, &fault) else {
            return;
        };
        let mut newcomer = daemon.line();
        newcomer.fence();
        canary.fence();
        // Each of the three came through, and was taken for what it is; a loop that lags on a busy
        // machine makes a pause of its own.
        let after = counted();
        assert_eq!(after[0], before[0] + faults, "{error}: faults");
        assert!(after[1] >= before[1] + pauses, "{error}: {after:?} pauses");
    }
    let used = daemon.cpu_ticks();
    canary.quiet(Duration::from_millis(500));
    let used = daemon.cpu_ticks() - used;
    assert!(used <= 5, "the loop spins: {used} ticks in half a second");
}

#[test]
fn a_reload_without_a_thread_changes_nothing_and_works_when_there_is_one() {
    // 57
    let daemon = crate::admin::daemon("", "");
    let mut http = daemon.http();
    assert_eq!(http.get("/healthz").status, 200);
    let mut canary = daemon.line();
    canary.fence();
    let Some(injection) = Injection::new(&daemon, "clone3,clone:error=EAGAIN") else {
        return;
    };
    for _ in 0..2 {
        let told = http.post("/v1/reload", "");
        let text = told.text();
        assert!(text.contains("no thread to read it"), "{text}");
        assert_eq!(told.status, 400);
        canary.fence();
    }
    drop(injection);
    assert_eq!(http.post("/v1/reload", "").status, 200);
    canary.fence();
}

#[test]
fn an_error_of_a_read_or_a_write_ends_that_connection_and_no_other() {
    // 70
    let daemon = crate::admin::daemon("", "");
    let mut canary = daemon.line();
    canary.fence();
    let calls = ["recvfrom", "sendto,sendmsg,writev"];
    let errors = [
        "ECONNRESET",
        "EPIPE",
        "ETIMEDOUT",
        "EHOSTUNREACH",
        "ENOBUFS",
        "ENOMEM",
        "EIO",
    ];
    for (call, error) in calls
        .iter()
        .flat_map(|call| errors.map(|error| (call, error)))
    {
        let mut victim = daemon.line();
        victim.fence();
        let held = daemon.descriptors();
        let fault = format!("{call}:error={error}:when=1");
        let Some(injection) = Injection::new(&daemon, &fault) else {
            return;
        };
        victim.say("ping");
        eventually("its descriptor is free", || {
            (daemon.descriptors() == held - 1).then_some(())
        });
        drop(injection);
        victim.gone();
        canary.fence();
    }
    // An interruption is none.
    for call in calls {
        let mut client = daemon.line();
        client.fence();
        let fault = format!("{call}:error=EINTR:when=1");
        let Some(_injection) = Injection::new(&daemon, &fault) else {
            return;
        };
        client.fence();
    }
    canary.fence();
    // 73: nor is a close that fails the loop's end.
    let mut victim = daemon.line();
    victim.fence();
    let Some(injection) = Injection::new(&daemon, "close:error=EIO:when=1") else {
        return;
    };
    victim.say("quit");
    victim.hears("close quit");
    daemon.logs("closed with an error");
    drop(injection);
    canary.fence();
    // What peers do not cause is counted, and told by its number.
    for number in ["(os error 12)", "(os error 5)"] {
        daemon.logs(number);
    }
    let counters = daemon.http().json("/v1/stats")["counters"].clone();
    assert_eq!(counters["socket_faults"], 5, "{counters}");
    let metrics = daemon.http().get("/metrics").text();
    assert!(metrics.contains("\npulsegate_socket_faults_total 5\n"));
}

#[test]
fn a_newcomer_that_can_not_be_registered_and_a_wait_that_is_cut_short_cost_nobody() {
    let daemon = Daemon::new("");
    let mut canary = daemon.line();
    canary.fence();
    let held = daemon.descriptors();
    for error in ["ENOMEM", "ENOSPC"] {
        let fault = format!("epoll_ctl:error={error}:when=1");
        let Some(injection) = Injection::new(&daemon, &fault) else {
            return;
        };
        daemon.line().gone();
        drop(injection);
        eventually("its descriptor is free", || {
            (daemon.descriptors() == held).then_some(())
        });
    }
    let Some(_injection) = Injection::new(&daemon, "epoll_wait:error=EINTR:when=1..20") else {
        return;
    };
    for _ in 0..30 {
        canary.fence();
    }
    daemon.line().fence();
}

#[test]
fn a_call_that_holds_the_loop_up_is_nobodys_silence_and_is_told() {
    // 84
    let daemon = crate::admin::daemon("", "idle_timeout = \"1s\"");
    let mut canary = daemon.line();
    canary.fence();
    let mut victim = daemon.line();
    victim.fence();
    let fault = "sendto,sendmsg,writev:delay_enter=1500000:when=1";
    let Some(injection) = Injection::new(&daemon, fault) else {
        return;
    };
    victim.say("ping");
    // In the kernel while the loop hangs in the answer to the other.
    canary.say("ping");
    victim.hears("pong");
    canary.hears("pong");
    drop(injection);
    let stats = daemon.http().json("/v1/stats");
    let pace = &stats["loop"];
    let longest = pace["longest_us"].as_u64().unwrap();
    assert!(longest >= 1_500_000, "{pace}");
    assert!(pace["stalled_ms"].as_u64().unwrap() >= 1_000, "{pace}");
    assert_eq!(stats["closed"]["idle-timeout"], 0, "{stats}");
    // A gap of one call is no load.
    assert_eq!(stats["overload"]["step"], 0, "{stats}");
    let began = std::time::Instant::now();
    canary.closes("idle-timeout");
    assert!(began.elapsed() >= Duration::from_millis(500));
}

/// A daemon with these settings of its process, under hardening.
fn watched(process: &str) -> Daemon {
    Daemon::start(&format!(
        "[process]\n{process}\n[[listener]]\nname = \"line\"\nbind = \"127.0.0.1:0\"\n"
    ))
}

#[test]
fn a_loop_that_hangs_is_told_of_while_it_hangs_and_when_it_turns_again() {
    // 84
    let daemon = watched("hang_warn = \"200ms\"\nhang_abort = \"1m\"");
    let mut canary = daemon.line();
    canary.fence();
    // A loop that has nothing to do does not hang, and nor does a process that is stopped.
    canary.quiet(Duration::from_millis(500));
    daemon.signal(Signal::STOP);
    canary.quiet(Duration::from_millis(500));
    daemon.signal(Signal::CONT);
    canary.fence();
    assert!(!daemon.log_text().contains("hangs"));
    let fault = "sendto,sendmsg,writev:delay_enter=2000000:when=1";
    let Some(injection) = Injection::new(&daemon, fault) else {
        return;
    };
    canary.say("ping");
    daemon.logs("the loop hangs: at=serve turn=");
    let text = daemon.log_text();
    assert!(!text.contains("turns again"), "it is told in time: {text}");
    assert!(text.contains(" connections=1 state="), "{text}");
    canary.hears("pong");
    daemon.logs("the loop turns again: it hung for ");
    drop(injection);
    canary.fence();
    assert_eq!(daemon.log_text().matches("the loop hangs").count(), 1);
}

#[test]
fn a_loop_that_hangs_for_too_long_is_given_up_with_what_is_known_of_it() {
    // 84
    let mut daemon = watched("hang_abort = \"500ms\"");
    let mut canary = daemon.line();
    canary.fence();
    let fault = "sendto,sendmsg,writev:delay_enter=60000000:when=1";
    let Some(injection) = Injection::new(&daemon, fault) else {
        return;
    };
    canary.say("ping");
    daemon.logs("the loop is given up: at=serve turn=");
    daemon.logs("the process was: ");
    // As long as somebody traces it, nobody else is told of its end.
    drop(injection);
    let status = daemon.exit();
    assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()), "{status}");
    let text = daemon.log_text();
    assert!(!text.contains("the loop hangs"), "nobody asked: {text}");
    assert!(text.contains("VmRSS:"), "{text}");
    canary.rest();
}

/// A memory cgroup; removed when dropped.
struct Cgroup {
    folder: PathBuf,
    is_old: bool,
}

impl Cgroup {
    /// `None` where this machine lets us make none; the reason is printed.
    fn new(bytes: u64) -> Option<Self> {
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        let path = |name: &str| {
            let line = own
                .lines()
                .find(|line| line.split(':').nth(1) == Some(name));
            line.and_then(|line| line.splitn(3, ':').nth(2))
                .map(|path| path.trim_start_matches('/').to_owned())
        };
        let base = Path::new("/sys/fs/cgroup");
        let name = format!("pulsegate-test-{}", std::process::id());
        let (folder, is_old) = match path("memory") {
            Some(place) => (base.join("memory").join(place).join(name), true),
            None => (base.join(path("").unwrap_or_default()).join(name), false),
        };
        if std::fs::create_dir(&folder).is_err() {
            return skip("this user may not make memory cgroups");
        }
        let group = Self { folder, is_old };
        let file = if is_old {
            "memory.limit_in_bytes"
        } else {
            "memory.max"
        };
        if std::fs::write(group.folder.join(file), bytes.to_string()).is_err() {
            return skip("cgroups here do not limit memory");
        }
        Some(group)
    }

    fn take(&self, daemon: &Daemon) {
        let procs = self.folder.join("cgroup.procs");
        std::fs::write(procs, daemon.id().to_string()).unwrap();
    }

    /// How often the kernel killed for it.
    fn kills(&self) -> u64 {
        let file = if self.is_old {
            "memory.oom_control"
        } else {
            "memory.events"
        };
        let text = std::fs::read_to_string(self.folder.join(file)).unwrap();
        let kills = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.map_or(0, |count| count.trim().parse().unwrap())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let gone = || std::fs::remove_dir(&self.folder).is_ok().then_some(());
        if !std::thread::panicking() {
            eventually("the cgroup is empty", gone);
        } else {
            let _ = gone();
        }
    }
}

#[test]
fn a_memory_cgroup_of_the_printed_ceiling_kills_nobody_under_all_attacks_at_once() {
    // 58
    let daemon = Daemon::start(ceiling::SMALL);
    let ceiling = ceiling::printed(&daemon);
    let Some(group) = Cgroup::new(ceiling + ceiling / 10) else {
        return;
    };
    group.take(&daemon);
    let most = ceiling::attack(&daemon);
    assert!(most < ceiling, "{most} of {ceiling}");
    assert_eq!(group.kills(), 0);
    daemon.line().fence();
    drop(daemon);
    drop(group);
}
