//! What lies in the repository is what the tables say.

use std::fs;
use std::path::Path;
use std::process::Command;

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_file_that_is_made_is_current() {
    for (path, text) in pulsegate_manpages::all() {
        let held = fs::read_to_string(root().join(path)).unwrap_or_default();
        assert!(
            held == text,
            "{path} is old: run `cargo run -p pulsegate-manpages`"
        );
    }
}

#[test]
fn the_pages_hold_every_flag_and_every_key() {
    let made = pulsegate_manpages::all();
    let page = |name: &str| {
        let found = made.iter().find(|(path, _)| path.ends_with(name));
        found.expect("it is made").1.replace("\\-", "-")
    };
    let (daemon, file) = (page("pulsegate.8"), page("pulsegate.toml.5"));
    for setting in pulsegate::config::Config::settings() {
        assert!(
            daemon.contains(&setting.flag),
            "{} in pulsegate.8",
            setting.flag
        );
        assert!(
            file.contains(&format!("\\fB{}\\fR", setting.name)),
            "{}",
            setting.name
        );
    }
    assert!(daemon.contains("EXIT STATUS"));
}

/// Says what the shell says to its own script, where there is such a shell.
fn parses(shell: &str, arguments: &[&str], path: &str) {
    let file = root().join(path);
    match Command::new(shell).args(arguments).arg(file).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && said.is_empty(), "{path}: {said}");
        }
        Err(error) => eprintln!("skipped: {shell} for {path}: {error}"),
    }
}

#[test]
fn completions_and_pages_are_taken_by_those_who_read_them() {
    parses("bash", &["-n"], "tools/package/completions/pulsegate.bash");
    parses("zsh", &["-n"], "tools/package/completions/_pulsegate");
    parses(
        "fish",
        &["--no-execute"],
        "tools/package/completions/pulsegate.fish",
    );
    for page in ["pulsegate.8", "pulsegate.toml.5"] {
        let path = format!("tools/package/man/{page}");
        parses("man", &["--warnings", "-l", "-Tutf8", "-Z"], &path);
    }
}
