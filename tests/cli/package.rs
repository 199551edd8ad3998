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
    let files = files.filter(|path| path.extension().is_some_and(|kind| kind == "toml"));
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
        "logins.toml",
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
        // Nothing is left out but a word that this systemd does not know.
        eprintln!("systemd {version} does not know notify-reload: verified as notify");
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
        let may_skip = std::env::var_os("PULSEGATE_NO_SKIP").is_none();
        assert!(may_skip, "systemd-analyze is not installed");
        return eprintln!("skipped: systemd-analyze is not installed: nobody judges the units");
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

/// The instructions of a file for an image, each in words.
fn instructions(file: &str) -> Vec<Vec<&str>> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    words.filter(|words| !words.is_empty()).collect()
}

#[test]
fn what_the_image_is_made_of_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = read("docker/Dockerfile");
    let ignored = read("docker/Dockerfile.dockerignore");
    let (mut stages, mut copies) = (Vec::new(), 0);
    for words in instructions(&file) {
        match words[..] {
            ["FROM", _, "AS", stage] => stages.push(stage),
            ["FROM", _] => {}
            ["COPY", from, source, _] if from.starts_with("--from=") => {
                let stage = from.trim_start_matches("--from=");
                assert!(stages.contains(&stage), "{words:?}: no such stage");
                // What a stage before has built: the program, where its working directory is.
                assert!(file.contains("\nWORKDIR /src\n"), "{words:?}");
                let built = format!("/src/target/release/{}", env!("CARGO_PKG_NAME"));
                assert_eq!(source, built, "{words:?}");
                copies += 1;
            }
            ["COPY", source, _] => {
                assert!(root.join(source).exists(), "{words:?}: no such file");
                let is_ignored = |line: &str| source.starts_with(line.trim_end_matches('/'));
                assert!(!ignored.lines().any(is_ignored), "{words:?}: is ignored");
                copies += 1;
            }
            [
                "RUN",
                "cargo",
                "build",
                "--release",
                "--locked",
                "--bin",
                program,
            ] => {
                assert_eq!(program, env!("CARGO_PKG_NAME"));
            }
            [
                "WORKDIR" | "ENV" | "USER" | "EXPOSE" | "STOPSIGNAL" | "ENTRYPOINT" | "CMD",
                ..,
            ] => {}
            _ => panic!("{words:?}: say here what this needs"),
        }
    }
    assert_eq!((stages.len(), copies), (1, 3));
    // The program is built from all that the workspace names.
    for held in [
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "tools",
        "benches",
        "tests",
    ] {
        assert!(
            !ignored.lines().any(|line| line == held),
            "{held} is ignored"
        );
    }
    // What it is started with is what was copied to there, and the port is the one it listens on.
    let held = file.contains("tools/docker/pulsegate.toml /etc/pulsegate/pulsegate.toml\n");
    assert!(held && file.contains("\"--config\", \"/etc/pulsegate/pulsegate.toml\"]"));
    assert!(file.contains("\nEXPOSE 7373\n") && read("docker/pulsegate.toml").contains(":7373\""));
}

/// The table of a manifest for `cargo deb`.
fn deb() -> toml::Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let manifest: toml::Table = toml::from_str(&manifest).unwrap();
    manifest["package"]["metadata"]["deb"].clone()
}

/// The files under a folder of the tree, with their paths in it.
fn files(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    let names = entries
        .expect(folder)
        .map(|entry| entry.unwrap().file_name());
    let paths = names.map(|name| format!("{folder}/{}", name.to_string_lossy()));
    paths.collect()
}

#[test]
fn what_the_package_is_made_of_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let deb = deb();
    let assets = deb["assets"].as_array().unwrap();
    let mut sources = Vec::new();
    for asset in assets {
        let source = asset[0].as_str().unwrap();
        match source.split_once('*') {
            _ if source.starts_with("target/") => {
                assert_eq!(source, format!("target/release/{}", env!("CARGO_PKG_NAME")));
            }
            Some((before, after)) => {
                let folder = before.trim_end_matches('/');
                let found = files(folder)
                    .into_iter()
                    .filter(|path| path.ends_with(after));
                let before = sources.len();
                sources.extend(found);
                assert!(sources.len() > before, "{source} is nothing");
            }
            None => {
                assert!(root.join(source).is_file(), "{source} is not there");
                sources.push(source.to_owned());
            }
        }
    }
    // Whatever there is to be packaged is.
    for folder in ["package/man", "package/completions", "systemd", "examples"] {
        for path in files(&format!("tools/{folder}")) {
            assert!(sources.contains(&path), "{path} is not in the package");
        }
    }
    for (table, key) in [
        (&deb, "maintainer-scripts"),
        (&deb["systemd-units"], "unit-scripts"),
    ] {
        let folder = table[key].as_str().unwrap();
        assert!(root.join(folder).is_dir(), "{folder} is not there");
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
