//! Tests that change their process (limits, signals) run in one of their own.

use std::process::Command;

const MARK: &str = "PULSEGATE_TEST_CHILD";

/// Whether this process was started by [`run`].
pub fn is_one() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Runs the named test again in a process of its own and demands that it passes. Does nothing in
/// that process.
pub fn run(test: &str) {
    if is_one() {
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}\n{errors}"
    );
}
