//! What the daemon gives up when everything is bound: seen from the kernel's side.
//!
//! Most of it takes root, and some takes strace: without, a test says so and does nothing.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::{Signal, geteuid};

use crate::commands::row;
use crate::daemon::{Daemon, LINE};
use crate::program::{PATIENCE, eventually, folder, outcome, program, run_in, shell};
use crate::skip::skip;

/// Becomes nobody.
const NOBODY: &str = "[process]\nuser = \"nobody\"\n";
/// The number that nobody has, here as everywhere.
const NOBODY_ID: u32 = 65_534;
/// Where its admin interface is, by a flag: the tests' own daemons have none by themselves.
const ADMIN: [&str; 2] = ["--admin-bind", "unix:adm.sock"];

fn is_root() -> bool {
    geteuid().is_root() || skip::<()>("only root can become another user").is_some()
}

/// A line of the kernel's about a daemon.
#[track_caller]
fn status(daemon: &Daemon, name: &str) -> Vec<String> {
    let told = std::fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let line = told.lines().find_map(|line| line.strip_prefix(name));
    let words = line
        .unwrap_or_else(|| panic!("no {name}"))
        .split_whitespace();
    words.map(str::to_owned).collect()
}

/// A command to its admin interface, and what it prints.
#[track_caller]
fn told(daemon: &Daemon, arguments: &[&str]) -> String {
    let socket = format!("unix:{}/adm.sock", daemon.folder().display());
    let mut command = program();
    command.args(arguments).args(["--admin", &socket]);
    let outcome = outcome(command);
    assert_eq!(
        (outcome.code, &outcome.stderr[..]),
        (Some(0), ""),
        "{outcome:?}"
    );
    outcome.stdout
}

#[test]
fn started_as_root_it_becomes_who_is_configured_and_keeps_nothing() {
    if !is_root() {
        return;
    }
    let mut daemon = Daemon::start_with(&format!("{NOBODY}{LINE}"), &ADMIN);
    let id = NOBODY_ID.to_string();
    assert_eq!(status(&daemon, "Uid:"), [&id[..]; 4]);
    let gids = status(&daemon, "Gid:");
    assert!(
        gids[0] != "0" && gids.iter().all(|gid| *gid == gids[0]),
        "{gids:?}"
    );
    assert_eq!(status(&daemon, "Groups:"), [""; 0]);
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(status(&daemon, set), ["0000000000000000"], "{set}");
    }
    assert_eq!(status(&daemon, "NoNewPrivs:"), ["1"]);
    assert_eq!(status(&daemon, "Seccomp:"), ["2"]);
    // What belongs to root here can be dumped and traced by nobody else.
    let memory = format!("/proc/{}/environ", daemon.id());
    assert_eq!(std::fs::metadata(memory).unwrap().uid(), 0);
    daemon.logs("; hardened: uid=65534 capabilities=none landlock=on seccomp=on\n");
    // Clients, operators, reloads and the end are as ever.
    let socket = std::fs::metadata(daemon.folder().join("adm.sock")).unwrap();
    assert_eq!((socket.uid(), socket.mode() & 0o777), (NOBODY_ID, 0o600));
    let mut client = daemon.client();
    client.login("alice");
    let text = told(&daemon, &["status"]);
    assert_eq!(row(&text, "hardening")[1..3], ["uid", "65534,"]);
    assert!(
        text.contains("landlock on (abi ") && text.contains(", core dumps off\n"),
        "{text}"
    );
    assert!(
        !text.contains("memory      0 B"),
        "it still knows its size: {text}"
    );
    daemon.rewrite(&format!("{NOBODY}[limits]\ntopics = 7\n{LINE}"));
    daemon.signal(Signal::HUP);
    daemon.logs("limits.topics: 100000 -> 7");
    client.fence();
    told(&daemon, &["push", "--user", "alice", "\"hello\""]);
    assert!(client.line().contains("hello"));
    told(&daemon, &["drain"]);
    assert!(daemon.exit().success());
}

#[test]
fn a_port_of_root_s_is_bound_before_root_is_gone() {
    if !is_root() {
        return;
    }
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let Some(port) = (600..1_024).find(is_free) else {
        return skip("there is no free port below 1024").unwrap_or_default();
    };
    let bind = format!("[[listener]]\nbind = \"127.0.0.1:{port}\"\n");
    let daemon = Daemon::start(&format!("{NOBODY}{bind}"));
    daemon.client().fence();
    // One that comes later has to wait, and is told so.
    daemon.rewrite(&format!(
        "{NOBODY}{bind}name = \"one\"\n[[listener]]\nname = \"late\"\nbind = \"127.0.0.1:599\"\n"
    ));
    daemon.signal(Signal::HUP);
    daemon.logs("listener.late: none -> \"127.0.0.1:599\" (needs a restart)");
}

/// The program as nobody who has this right of root's, as a service manager would start it; from a
/// copy, since nobody may not reach the folder that it was built in.
fn lent(right: &str, place: &Path) -> Option<Command> {
    let copy = place.join("copy");
    std::fs::set_permissions(place, Permissions::from_mode(0o755)).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_pulsegate"), &copy).unwrap();
    let rights = [
        format!("--inh-caps=-all,+{right}"),
        format!("--ambient-caps=-all,+{right}"),
    ];
    let setpriv = |program: &Path| {
        let mut command = Command::new("setpriv");
        let id = NOBODY_ID.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
        command.args(&rights).arg(program);
        command
    };
    let output = setpriv(Path::new("/bin/true")).output();
    match output {
        Ok(output) if output.status.success() => Some(setpriv(&copy)),
        Ok(_) => skip("setpriv can not lend capabilities here"),
        Err(_) => skip("setpriv is not installed"),
    }
}

#[test]
fn rights_that_were_lent_for_a_port_are_gone_once_it_is_bound() {
    if !is_root() {
        return;
    }
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let Some(port) = (600..1_024).rev().find(is_free) else {
        return skip("there is no free port below 1024").unwrap_or_default();
    };
    let place = tempfile::tempdir().unwrap();
    let Some(command) = lent("net_bind_service", place.path()) else {
        return;
    };
    let config = format!("[process]\n[[listener]]\nbind = \"127.0.0.1:{port}\"\n");
    let daemon = Daemon::launch(command, &config, &[]);
    let threads = format!("/proc/{}/task", daemon.id());
    for thread in std::fs::read_dir(threads).unwrap() {
        let told = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        let sets = told.lines().filter(|line| line.starts_with("Cap"));
        // The fifth set is a bound of what it could get, and new rights are out of its reach.
        let held: Vec<&str> = sets.filter(|line| !line.starts_with("CapBnd")).collect();
        assert_eq!(held.len(), 4, "{told}");
        assert!(
            held.iter().all(|line| line.ends_with("\t0000000000000000")),
            "{held:?}"
        );
    }
    assert_eq!(status(&daemon, "NoNewPrivs:"), ["1"]);
    daemon.logs("; hardened: uid=65534 capabilities=none landlock=");
    assert!(!daemon.log().contains("WARN"), "{}", daemon.log());
    daemon.client().fence();
}

#[test]
fn what_is_in_force_is_told_by_status_as_by_the_log_and_health_says_ok_alone() {
    let daemon = Daemon::start_with(LINE, &ADMIN);
    let log = daemon.log();
    let (_, brief) = log.split_once("; hardened: ").unwrap();
    let stats: serde_json::Value =
        serde_json::from_str(&told(&daemon, &["status", "--json"])).unwrap();
    let stands = &stats["hardening"];
    for word in brief.lines().next().unwrap().split(' ') {
        let (key, value) = word.split_once('=').unwrap();
        let stands = match &stands[key] {
            serde_json::Value::Bool(true) => "some".to_owned(),
            serde_json::Value::Bool(false) => "none".to_owned(),
            serde_json::Value::String(text) => text.clone(),
            stands => stands.to_string(),
        };
        assert_eq!(stands, value, "{key}");
    }
    assert_eq!(stands["no_new_privs"], true);
    // The contract has its body, whatever holds.
    let mut http = UnixStream::connect(daemon.folder().join("adm.sock")).unwrap();
    http.set_read_timeout(Some(PATIENCE)).unwrap();
    http.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    http.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\nok\n"), "{answer}");
}

#[test]
fn nothing_runs_where_it_can_not_become_who_is_configured() {
    for (key, says) in [
        (
            "user = \"no-such-user\"",
            "there is no user \"no-such-user\" on this machine",
        ),
        (
            "group = \"no-such-group\"",
            "there is no group \"no-such-group\" on this machine",
        ),
    ] {
        let folder = folder(&[("c.toml", &format!("[process]\n{key}\n{LINE}"))]);
        let outcome = run_in(folder.path(), &["serve", "-q", "-c", "c.toml"], &[]);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert_eq!(outcome.stderr, format!("pulsegate: process: {says}\n"));
        let outcome = run_in(folder.path(), &["check", "c.toml"], &[]);
        assert_eq!(outcome.code, Some(0));
        assert_eq!(
            outcome.stderr,
            format!("pulsegate: warning: process: {says}\n")
        );
    }
    if !is_root() {
        return;
    }
    let folder = folder(&[("c.toml", &format!("[process]\nuser = \"root\"\n{LINE}"))]);
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_pulsegate"), folder.path().join("copy")).unwrap();
    let mut command = Command::new(folder.path().join("copy"));
    command
        .uid(NOBODY_ID)
        .gid(NOBODY_ID)
        .current_dir(folder.path());
    command.args(["serve", "-q", "--admin-bind", "off", "-c", "c.toml"]);
    let outcome = outcome(command);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let says = "user \"root\" (uid=0 gid=0): setgroups: ";
    assert!(outcome.stderr.contains(says), "{}", outcome.stderr);
}

#[test]
fn who_stays_root_is_warned() {
    if !is_root() {
        return;
    }
    let text = "it runs as root: set user in [process]";
    assert!(
        Daemon::start(&format!("[process]\n{LINE}"))
            .log()
            .contains(text)
    );
    let chosen = Daemon::start(&format!("[process]\nuser = \"root\"\n{LINE}"));
    assert!(!chosen.log().contains("WARN"), "{}", chosen.log());
}

#[test]
fn what_a_reload_could_not_read_is_told_before() {
    if !is_root() {
        return;
    }
    let config = format!("{NOBODY}[lists]\nblack = \"black.txt\"\n{LINE}");
    let folder = folder(&[("c.toml", &config), ("black.txt", "10.0.0.1\n")]);
    let check = || run_in(folder.path(), &["check", "c.toml"], &[]);
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    let stderr = check().stderr;
    assert_eq!(
        stderr.matches("as user \"nobody\" (uid=65534 gid=").count(),
        2,
        "{stderr}"
    );
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let list = folder.path().join("black.txt");
    std::fs::set_permissions(&list, Permissions::from_mode(0o600)).unwrap();
    let outcome = check();
    assert_eq!(outcome.code, Some(0));
    let says = "black.txt can not be read: Permission denied (os error 13): reloads would be \
                refused\n";
    assert!(outcome.stderr.ends_with(says), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    // The start says it too, of what is not readable from then on.
    let line = "chmod 600 c.toml; exec \"$0\" \"$@\"";
    let daemon = Daemon::launch(shell(line), &format!("{NOBODY}{LINE}"), &[]);
    daemon.logs("c.toml can not be read: Permission denied (os error 13): reloads will be refused");
    daemon.signal(Signal::HUP);
    daemon.logs("reload refused, nothing has changed: c.toml: Permission denied");
    daemon.client().fence();
}

#[test]
fn files_elsewhere_are_out_of_reach_for_root_too() {
    let daemon = Daemon::start(LINE);
    if !daemon.log().contains("landlock=on") {
        return skip("this kernel has no Landlock").unwrap_or_default();
    }
    let elsewhere = folder(&[("c.toml", LINE), ("black.txt", "10.0.0.1\n")]);
    let list = elsewhere.path().join("black.txt");
    daemon.rewrite(&format!("[lists]\nblack = {list:?}\n{LINE}"));
    daemon.signal(Signal::HUP);
    daemon.logs("black.txt: since its start the daemon reads below /");
    // By whatever name.
    daemon.remove();
    symlink(
        elsewhere.path().join("c.toml"),
        daemon.folder().join("c.toml"),
    )
    .unwrap();
    daemon.signal(Signal::HUP);
    daemon.logs("reload refused, nothing has changed: c.toml: Permission denied (os error 13)");
    // What is put in its place within the folder is read.
    daemon.remove();
    daemon.rewrite(&format!("[limits]\ntopics = 7\n{LINE}"));
    daemon.signal(Signal::HUP);
    daemon.logs("limits.topics: 100000 -> 7");
    daemon.client().fence();
}

#[test]
fn hardening_may_be_told_only_or_off() {
    for (word, seccomp, filter) in [("log", "log", "2"), ("off", "off", "0")] {
        let user = if geteuid().is_root() {
            "user = \"root\"\n"
        } else {
            ""
        };
        let config = format!("[process]\n{user}hardening = \"{word}\"\n{LINE}");
        let daemon = Daemon::start(&config);
        daemon.logs(&format!(" landlock=off seccomp={seccomp}\n"));
        assert_eq!(status(&daemon, "Seccomp:"), [filter], "{word}");
        assert_eq!(status(&daemon, "NoNewPrivs:"), ["1"], "{word}");
        daemon.client().fence();
    }
}

/// The program under strace, which writes into `log` what it is asked for.
fn traced(log: &Path, arguments: &[&str]) -> Option<Command> {
    if Command::new("strace").arg("-V").output().is_err() {
        return skip("strace is not installed");
    }
    let mut strace = Command::new("strace");
    strace.args(["-D", "-f", "-o"]).arg(log).args(arguments);
    let program = program();
    strace.arg(program.get_program());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    Some(strace)
}

#[test]
fn a_kernel_without_is_told_and_keeps_nobody_away() {
    for (landlock, seccomp) in [("ENOSYS", "ENOSYS"), ("EOPNOTSUPP", "EINVAL")] {
        let trace = tempfile::tempdir().unwrap();
        let inject = [
            "-e",
            "trace=landlock_create_ruleset,seccomp",
            "-e",
            &format!("inject=landlock_create_ruleset:error={landlock}"),
            "-e",
            &format!("inject=seccomp:error={seccomp}"),
        ];
        let Some(command) = traced(&trace.path().join("log"), &inject) else {
            return;
        };
        let daemon = Daemon::launch(command, LINE, &ADMIN);
        daemon.logs(" landlock=missing seccomp=missing\n");
        let log = daemon.log();
        assert_eq!(log.matches("WARN").count(), 2, "{log}");
        assert!(
            log.contains("this kernel has no Landlock, or has it off: "),
            "{log}"
        );
        assert!(
            log.contains("this kernel takes no seccomp filter, "),
            "{log}"
        );
        daemon.client().fence();
        let text = told(&daemon, &["status"]);
        assert!(
            text.contains("landlock missing (abi 0), seccomp missing"),
            "{text}"
        );
        daemon.rewrite(&format!("[limits]\ntopics = 7\n{LINE}"));
        told(&daemon, &["reload"]);
        daemon.logs("limits.topics: 100000 -> 7");
    }
}

#[test]
fn no_call_that_it_makes_is_refused() {
    let trace = tempfile::tempdir().unwrap();
    let trace = trace.path().join("log");
    let Some(command) = traced(&trace, &["-e", "signal=none"]) else {
        return;
    };
    let lists = "[lists]\nblack = \"black.txt\"\n";
    let mut daemon = Daemon::launch(command, LINE, &["-vv", ADMIN[0], ADMIN[1]]);
    let mut clients: Vec<_> = (0..50).map(|_| daemon.client()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.login(&format!("user-{number}"));
        client.fence();
    }
    clients.truncate(25);
    let entries: String = (0..200_000)
        .map(|n| format!("10.{}.{}.{}\n", n >> 16, (n >> 8) & 255, n & 255))
        .collect();
    std::fs::write(daemon.folder().join("black.txt"), entries).unwrap();
    for config in [
        format!("{lists}{LINE}"),
        String::from("nonsense"),
        LINE.to_owned(),
    ] {
        daemon.rewrite(&config);
        daemon.signal(Signal::HUP);
        daemon.logs(match &config[..] {
            "nonsense" => "reload refused, nothing has changed: c.toml:1: not TOML",
            config if config.contains("[lists]") => "entries=200000",
            _ => "entries=0",
        });
    }
    for command in [
        &["status"][..],
        &["users"],
        &["push", "--user", "user-1", "hi"],
        &["kick", "user-2"],
    ] {
        told(&daemon, command);
    }
    clients[3].send("quit\n");
    daemon.signal(Signal::TERM);
    assert!(daemon.exit().success());
    let main = daemon.id().to_string();
    let is_end = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words == [&main[..], "+++", "exited", "with", "0", "+++"]
    };
    let log = eventually("the trace is whole", || {
        let log = std::fs::read_to_string(&trace).unwrap();
        log.lines().any(is_end).then_some(log)
    });
    let after = log.split_once("SECCOMP_SET_MODE_FILTER").unwrap().1;
    let refused = |line: &&str| line.contains(" ENOSYS ") || line.contains(" EACCES ");
    // Its flags can not be looked at; the library takes the older call then.
    let is_known = |line: &&str| line.contains(" clone3");
    let refused: Vec<&str> = after
        .lines()
        .filter(refused)
        .filter(|line| !is_known(line))
        .collect();
    assert_eq!(refused, [""; 0]);
}
