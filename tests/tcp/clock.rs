//! Clocks that other machines have: how long a machine has been up is nobody's business.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::daemon::Daemon;

/// Three years; and the number of seconds after which a counter of 2 ms in 32 bits is at its end.
const AGES: [u64; 2] = [94_608_000, 8_589_934];

#[test]
fn deadlines_hold_on_a_machine_that_has_been_up_for_years() {
    // 80
    let may = Command::new("unshare").args(["--time", "true"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        assert!(
            std::env::var_os("PULSEGATE_NO_SKIP").is_none(),
            "this machine makes no time namespace"
        );
        eprintln!("skipped: this machine makes no time namespace");
        return;
    }
    for age in AGES {
        let config = "[[listener]]\nname = \"line\"\nbind = \"127.0.0.1:0\"\n\
                      idle_timeout = \"600ms\"\n";
        let daemon = Daemon::start_after(age, config);
        let mut silent = daemon.line();
        silent.fence();
        let said = Instant::now();
        let mut beats = daemon.line();
        for _ in 0..4 {
            beats.fence();
            beats.quiet(Duration::from_millis(100));
        }
        silent.closes("idle-timeout");
        let lasted = said.elapsed();
        assert!(lasted >= Duration::from_millis(590), "{age}: {lasted:?}");
        beats.fence();
    }
}
