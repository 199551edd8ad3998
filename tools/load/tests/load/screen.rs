//! The view of a run on a terminal: a real one, at the other end of which the test sits.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use pulsegate::Settings;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::house::House;

/// Runs the tool with a terminal as standard error; returns all that came to it, and the code.
fn on_screen(args: &[&str], vars: &[(&str, &str)], meanwhile: impl FnOnce(u32)) -> (String, i32) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let size = Winsize {
        ws_row: 24,
        ws_col: 60,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&ours, size).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = File::options()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pulsegate-load"));
    command
        .args(args)
        .env("TERM", "xterm")
        .env_remove("NO_COLOR");
    command.envs(vars.iter().copied());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(theirs);
    let mut child = command.spawn().unwrap();
    // The command keeps our copy of their end, and the terminal ends with its last one.
    drop(command);
    let reader = std::thread::spawn(move || {
        let (mut seen, mut ours) = (Vec::new(), File::from(ours));
        // The end of a terminal is an error.
        let _ = ours.read_to_end(&mut seen);
        String::from_utf8(seen).unwrap()
    });
    meanwhile(child.id());
    let code = child.wait().unwrap().code().unwrap();
    (reader.join().unwrap(), code)
}

/// What a terminal shows in the end: knows lines, and the two sequences that the view uses.
fn shown(text: &str) -> Vec<String> {
    let (mut lines, mut row) = (vec![String::new()], 0);
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        rest = &rest[letter.len_utf8()..];
        match letter {
            '\n' => {
                row += 1;
                lines.resize(lines.len().max(row + 1), String::new());
            }
            '\r' => {}
            '\x1b' => {
                let end = rest
                    .find(|letter: char| letter.is_ascii_alphabetic())
                    .unwrap();
                let (number, verb) = (&rest[1..end], &rest[end..=end]);
                match verb {
                    "A" => row -= number.parse::<usize>().unwrap(),
                    "J" => {
                        lines.truncate(row);
                        lines.push(String::new());
                    }
                    "m" => {}
                    other => panic!("unknown sequence {number}{other}"),
                }
                rest = &rest[end + 1..];
            }
            letter => lines[row].push(letter),
        }
    }
    lines
}

#[test]
fn the_view_is_written_in_place_and_leaves_nothing_behind() {
    let house = House::new(Settings::default());
    let target = house.target();
    let args = ["beat", &target, "-c", "5", "--every", "20ms", "-d", "600ms"];
    let pid = std::process::id().to_string();
    let more = [
        "--interval",
        "100ms",
        "--late-limit",
        "10s",
        "--server-pid",
        &pid,
    ];
    let (text, code) = on_screen(&[&args[..], &more].concat(), &[], |_| {});
    assert_eq!(code, 0, "{text}");
    for part in [
        "5 connections",
        "measure",
        "answers/s",
        "p99",
        "resident",
        "lost 0",
    ] {
        assert!(text.contains(part), "{part} in {text:?}");
    }
    assert!(text.contains("\x1b[1mbeat\x1b[0m"), "{text:?}");
    assert_eq!(shown(&text), [""], "{text:?}");
    let before_the_end = &text[..text.rfind("\x1b[J").unwrap()];
    let lines = shown(before_the_end.rsplit_once('\r').unwrap().0);
    assert_eq!(lines.len(), 7, "{lines:?}");
    assert!(
        lines.iter().all(|line| line.chars().count() < 60),
        "{lines:?}"
    );
}

#[test]
fn an_interrupt_leaves_the_terminal_clean() {
    let house = House::new(Settings::default());
    let target = house.target();
    let args = [
        "hold",
        &target,
        "-c",
        "10",
        "-d",
        "60s",
        "--interval",
        "50ms",
    ];
    let (text, code) = on_screen(&args, &[], |pid| {
        house.wait_for(10);
        let pid = Pid::from_raw(pid.cast_signed()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
    });
    assert_eq!(code, 130, "{text}");
    assert!(text.contains("10 connections"), "{text:?}");
    assert_eq!(shown(&text), [""], "{text:?}");
    assert!(
        !text.contains("\x1b[?25l"),
        "the cursor was hidden: {text:?}"
    );
}

#[test]
fn no_color_means_none_and_a_dumb_terminal_gets_lines() {
    let house = House::new(Settings::default());
    let target = house.target();
    let args = [
        "hold",
        &target,
        "-c",
        "5",
        "-d",
        "300ms",
        "--interval",
        "100ms",
    ];
    let (plain, _) = on_screen(&args, &[("NO_COLOR", "1")], |_| {});
    assert!(plain.contains("5 connections"), "{plain:?}");
    assert!(!plain.contains("\x1b[1m"), "{plain:?}");
    assert!(!plain.contains("\x1b[2m"), "{plain:?}");
    let (dumb, _) = on_screen(&args, &[("TERM", "dumb")], |_| {});
    assert!(dumb.lines().count() >= 3, "{dumb:?}");
    assert!(!dumb.contains('\x1b'), "{dumb:?}");
    let quiet = [&args[..], &["--quiet"]].concat();
    let (quiet, code) = on_screen(&quiet, &[], |_| {});
    assert_eq!((quiet.as_str(), code), ("", 0));
}
