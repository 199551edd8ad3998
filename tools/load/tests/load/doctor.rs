//! Every item of the doctor's, with enough and with too little, on a machine made of files.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::tool::{Run, run};

/// A machine on which 50,000 connections fit; the files below its root.
const ROOMY: &[(&str, &str)] = &[
    (
        "self/limits",
        "Max open files            1024    60000    files\n",
    ),
    (
        "77/limits",
        "Max open files            60000   60000    files\n",
    ),
    (
        "meminfo",
        "MemTotal: 9000000 kB\nMemAvailable:    8000000 kB\n",
    ),
    (
        "net/sockstat",
        "sockets: used 9\nTCP: inuse 4 orphan 0 tw 0 alloc 5 mem 1000\n",
    ),
    ("sys/fs/nr_open", "1048576\n"),
    ("sys/fs/file-nr", "2000\t0\t9000000\n"),
    ("sys/fs/file-max", "9000000\n"),
    ("sys/fs/epoll/max_user_watches", "400000\n"),
    ("sys/net/core/somaxconn", "4096\n"),
    ("sys/net/ipv4/ip_local_port_range", "32768\t60999\n"),
    ("sys/net/ipv4/tcp_mem", "90000 120000 180000\n"),
    ("sys/net/netfilter/nf_conntrack_max", "262144\n"),
    ("sys/net/netfilter/nf_conntrack_count", "300\n"),
];

/// The roomy machine, but for one file.
fn machine(path: &str, text: &str) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let changed = ROOMY.iter().filter(|(other, _)| *other != path);
    for (path, text) in changed.chain([&(path, text)]) {
        let file = root.path().join("proc").join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    root
}

fn doctor(root: &Path, args: &[&str]) -> Run {
    let root = root.to_str().unwrap();
    run(&[&["doctor", "--root", root], args].concat())
}

fn diagnosis(root: &Path, args: &[&str]) -> (Option<i32>, Value) {
    let run = doctor(root, &[args, &["--json"]].concat());
    let value = serde_json::from_str(&run.stdout);
    (
        run.code,
        value.unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr)),
    )
}

/// The checks that do not fit, as their names and remedies.
fn short(diagnosis: &Value) -> Vec<(&str, &str)> {
    let checks = diagnosis["checks"].as_array().unwrap().iter();
    let failing = checks.filter(|check| check["fits"] == false);
    failing
        .map(|check| {
            (
                check["name"].as_str().unwrap(),
                check["remedy"].as_str().unwrap(),
            )
        })
        .collect()
}

const MANY: &[&str] = &["-c", "50000", "--server-pid", "77"];

#[test]
fn a_machine_with_room_is_told_to_be_one() {
    let root = machine("none", "");
    let (code, found) = diagnosis(root.path(), MANY);
    assert_eq!(short(&found), []);
    assert_eq!((code, &found["fits"]), (Some(0), &Value::Bool(true)));
    let names = found["checks"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|check| check["name"].as_str().unwrap()).collect();
    let expected = [
        "worker files",
        "server files",
        "nr_open",
        "file-max",
        "ports",
        "backlog",
        "epoll",
        "tcp_mem",
        "memory",
        "conntrack",
    ];
    assert_eq!(names, expected);
    let shown = doctor(root.path(), MANY);
    assert!(
        shown.stdout.contains("50,000 connections fit"),
        "{}",
        shown.stdout
    );
    assert!(!shown.stdout.contains("SHORT"), "{}", shown.stdout);
}

#[test]
fn each_thing_that_is_too_little_is_named_with_its_remedy() {
    for (path, text, name, remedy) in [
        (
            "77/limits",
            "Max open files            1024    4096    files\n",
            "server files",
            "prlimit --pid 77 --nofile=50032:50032",
        ),
        (
            "sys/fs/nr_open",
            "50000\n",
            "nr_open",
            "sysctl -w fs.nr_open=50032",
        ),
        (
            "sys/fs/file-max",
            "100000\n",
            "file-max",
            "sysctl -w fs.file-max=102032",
        ),
        (
            "sys/net/core/somaxconn",
            "128\n",
            "backlog",
            "sysctl -w net.core.somaxconn=256   # or: --in-flight 128",
        ),
        (
            "sys/fs/epoll/max_user_watches",
            "100000\n",
            "epoll",
            "sysctl -w fs.epoll.max_user_watches=100032",
        ),
        (
            "sys/net/ipv4/tcp_mem",
            "9000 12000 18000\n",
            "tcp_mem",
            "sysctl -w net.ipv4.tcp_mem=\"9000 51000 63750\"",
        ),
        (
            "meminfo",
            "MemTotal: 9000000 kB\nMemAvailable:    100000 kB\n",
            "memory",
            "-c 9837",
        ),
        (
            "sys/net/netfilter/nf_conntrack_max",
            "40000\n",
            "conntrack",
            "sysctl -w net.netfilter.nf_conntrack_max=50300",
        ),
    ] {
        let root = machine(path, text);
        let (code, found) = diagnosis(root.path(), MANY);
        assert_eq!(short(&found), [(name, remedy)]);
        assert_eq!((code, &found["fits"]), (Some(4), &Value::Bool(false)));
        let shown = doctor(root.path(), MANY);
        assert_eq!(shown.code, Some(4));
        let line = format!("{name} type: {remedy}");
        assert!(shown.stdout.contains(&line), "{line:?} in {}", shown.stdout);
        assert!(shown.stdout.contains("do not fit"), "{}", shown.stdout);
    }
}

#[test]
fn workers_are_reckoned_with_and_their_number_is_a_remedy() {
    let root = machine("self/limits", "Max open files      1024   20000  files\n");
    let of = |args: &[&str]| diagnosis(root.path(), &[&["-c", "50000"], args].concat());
    assert_eq!(of(&[]).0, Some(0), "as many as it takes");
    assert_eq!(of(&["--workers", "3"]).0, Some(0));
    let (code, found) = of(&["--workers", "2"]);
    let remedy = "--workers 3   # or, as root: ulimit -n 25032";
    assert_eq!(
        (code, short(&found)),
        (Some(4), vec![("worker files", remedy)])
    );
    let root = machine("self/limits", "Max open files      16   16  files\n");
    let (_, found) = diagnosis(root.path(), &["-c", "100"]);
    assert_eq!(short(&found), [("worker files", "ulimit -n 132")]);
}

#[test]
fn ports_are_counted_for_each_source_and_target() {
    let root = machine("none", "");
    let ports = |args: &[&str]| {
        let (code, found) = diagnosis(root.path(), &[args, &["-c", "50000"]].concat());
        let remedy = short(&found).first().map(|(name, remedy)| {
            assert_eq!(*name, "ports");
            (*remedy).to_owned()
        });
        assert_eq!(code, Some(if remedy.is_none() { 0 } else { 4 }));
        remedy
    };
    // 28,232 ports, of which nine tenths are counted on.
    assert_eq!(
        ports(&["127.0.0.1:1"]),
        None,
        "the loopback network has addresses enough"
    );
    let one = ports(&["127.0.0.1:1", "--source", "127.0.0.1"]).unwrap();
    assert_eq!(one, "--source 127.1.0.0/30");
    assert_eq!(
        ports(&["127.0.0.1:1", "--source", "127.1.0.0/30"]),
        None,
        "as it says"
    );
    assert_eq!(
        ports(&["127.0.0.1:1", "127.0.0.1:2", "--source", "127.0.0.1"]),
        None
    );
    let far = ports(&["192.0.2.1:1"]).unwrap();
    assert_eq!(far, "sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"");
    let root = machine("sys/net/ipv4/ip_local_port_range", "1024 65535\n");
    let (code, found) = diagnosis(root.path(), &["192.0.2.1:1", "-c", "200000"]);
    let (_, remedy) = *short(&found)
        .iter()
        .find(|(name, _)| *name == "ports")
        .unwrap();
    assert_eq!(code, Some(4));
    assert!(remedy.contains("--source with 4 addresses"), "{remedy}");
}

#[test]
fn what_a_machine_does_not_have_does_not_run_short() {
    let root = machine("none", "");
    let folder = root.path().join("proc/sys/net/netfilter");
    std::fs::remove_dir_all(folder).unwrap();
    // What only the server's machine knows is not asked of this one.
    let (code, found) = diagnosis(root.path(), &["192.0.2.1:1"]);
    assert_eq!(code, Some(0), "{found}");
    let text = found.to_string();
    assert!(
        !text.contains("conntrack") && !text.contains("backlog"),
        "{text}"
    );
    std::fs::remove_file(root.path().join("proc/self/limits")).unwrap();
    let blind = doctor(root.path(), &[]);
    assert_eq!(blind.code, Some(4));
    assert!(
        blind.stderr.contains("proc/self/limits"),
        "{}",
        blind.stderr
    );
    let nobody = doctor(root.path(), &["-c", "0"]);
    assert_eq!(nobody.code, Some(2), "{}", nobody.stderr);
}

#[test]
fn this_machine_has_room_for_a_few() {
    let run = run(&["doctor", "-c", "10"]);
    assert_eq!(run.code, Some(0), "{}", run.stdout);
}
