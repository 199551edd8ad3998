//! What is packaged beside the program: examples that it takes, units that the service manager
//! takes.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{outcome, program};

fn tools(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tools")
        .join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(tools(path)).unwrap()
}

#[test]
fn every_example_is_good() {
    let mut names = Vec::new();
    let examples = std::fs::read_dir(tools("examples")).unwrap();
    let files = examples.map(|entry| entry.unwrap().path());
    for file in files.chain([tools("docker/pulsegate.toml")]) {
        let mut command = program();
        command.arg("check").arg(&file);
        let outcome = outcome(command);
        assert_eq!(outcome.code, Some(0), "{outcome:#?}");
        assert!(outcome.stdout.contains(": good; "), "{outcome:#?}");
        names.push(file.file_name().unwrap().to_string_lossy().into_owned());
    }
    names.sort();
    let all = [
        "devices.toml",
        "full.toml",
        "minimal.toml",
        "proxy.toml",
        "pulsegate.toml",
    ];
    assert_eq!(names, all);
}

#[test]
fn the_full_example_says_what_holds_without_it() {
    let run = |arguments: &[&str]| {
        let mut command = program();
        command.args(arguments);
        outcome(command).stdout
    };
    let full = tools("examples/full.toml");
    let told = run(&["config", "--config", full.to_str().unwrap()]);
    let values = |text: &str| {
        let value = |line: &str| line.split(" # line").next().unwrap_or("").trim().to_owned();
        text.lines().map(value).collect::<Vec<_>>()
    };
    assert_eq!(values(&told), values(&run(&["config"])));
}

/// The number of the service manager's version; `None` where there is none.
fn version() -> Option<u32> {
    let output = Command::new("systemd-analyze").arg("--version").output();
    let said = String::from_utf8(output.ok()?.stdout).ok()?;
    said.split_whitespace().nth(1)?.parse().ok()
}

/// The unit with the program of this test in the place of the installed one.
fn unit(folder: &Path, version: u32) -> PathBuf {
    let mut unit = read("systemd/pulsegate.service");
    if version < 253 {
        eprintln!("skipped: systemd {version} does not know notify-reload; the rest is verified");
        unit = unit.replace("Type=notify-reload", "Type=notify");
    }
    let program = env!("CARGO_BIN_EXE_pulsegate");
    let path = folder.join("pulsegate.service");
    std::fs::write(&path, unit.replace("/usr/bin/pulsegate", program)).unwrap();
    path
}

#[test]
fn the_units_are_taken_and_hardened() {
    let folder = tempfile::tempdir().unwrap();
    let Some(version) = version() else {
        return eprintln!("skipped: there is no systemd-analyze");
    };
    let service = unit(folder.path(), version);
    let socket = folder.path().join("pulsegate.socket");
    std::fs::write(&socket, read("systemd/pulsegate.socket")).unwrap();
    let mut verify = Command::new("systemd-analyze");
    verify
        .arg("verify")
        .arg("--man=no")
        .args([&service, &socket]);
    let output = verify.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let ours: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("pulsegate"))
        .collect();
    assert!(output.status.success() && ours.is_empty(), "{said}");

    let mut security = Command::new("systemd-analyze");
    security
        .args(["security", "--offline=true", "--threshold=20"])
        .arg(&service);
    let output = security.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "exposed above 2.0:\n{said}");
}

#[test]
fn the_unit_leaves_time_for_the_drain_and_restarts_no_mistake() {
    let unit = read("systemd/pulsegate.service");
    for line in [
        "Type=notify-reload",
        "NotifyAccess=main",
        "WatchdogSec=15s",
        "LimitNOFILE=1048576",
        "KillSignal=SIGTERM",
        "TimeoutStopSec=90s",
        "RestartPreventExitStatus=2",
    ] {
        assert!(unit.lines().any(|held| held == line), "{line}");
    }
}

#[test]
fn the_image_runs_as_nobody_in_particular_and_gets_its_signals() {
    let file = read("docker/Dockerfile");
    assert!(file.contains("\nUSER 65532:65532\n"));
    assert!(file.contains("\nENTRYPOINT [\"/usr/bin/pulsegate\"]\n"));
    assert!(file.contains("\nSTOPSIGNAL SIGTERM\n"));
}

#[test]
fn what_the_package_is_made_of_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let manifest: toml::Table = toml::from_str(&manifest).unwrap();
    let deb = &manifest["package"]["metadata"]["deb"];
    let assets = deb["assets"].as_array().unwrap();
    for asset in assets {
        let source = asset[0].as_str().unwrap();
        let is_built = source.starts_with("target/") || source.contains('*');
        assert!(is_built || root.join(source).is_file(), "{source}");
    }
    let conf = deb["conf-files"][0]
        .as_str()
        .unwrap()
        .trim_start_matches('/');
    assert!(
        assets.iter().any(|asset| asset[1].as_str() == Some(conf)),
        "{conf}"
    );
}
