//! Clients that were written with nothing of ours, in other languages, against the real daemon.

use std::process::Command;

use crate::daemon::Daemon;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tcp/foreign/");

/// Lets a client play its story in each framing.
fn play(language: &str, script: &str) {
    for framing in ["line", "lenhdr", "binary"] {
        let daemon = Daemon::new("ping_after = \"200ms\"");
        let outcome = Command::new(language)
            .arg(format!("{FOLDER}{script}"))
            .args([framing, &daemon.addr(framing).to_string()])
            .output();
        let Ok(outcome) = outcome else {
            let may_skip = std::env::var_os("PULSEGATE_NO_SKIP").is_none();
            assert!(may_skip, "{language} is not installed");
            eprintln!("skipped: {language} is not installed, so {script} is not run");
            return;
        };
        let said = String::from_utf8_lossy(&outcome.stderr);
        assert!(outcome.status.success(), "{script} with {framing}:\n{said}");
    }
}

#[test]
fn a_client_of_pythons_standard_library_is_served() {
    play("python3", "client.py");
}

#[test]
fn a_client_of_nodes_own_modules_is_served() {
    play("node", "client.mjs");
}
