//! `top`: a page where there is no terminal, a screen where there is one.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};
use serde_json::Value;

use crate::commands::{admin, daemon};
use crate::daemon::{Daemon, LINE};
use crate::program::{eventually, exit, outcome, program};

const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l";
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";

/// `top` on a terminal of its own.
struct Screen {
    child: Child,
    keys: File,
    terminal: OwnedFd,
    before: Termios,
    drawn: Arc<Mutex<String>>,
}

impl Screen {
    fn open(daemon: &Daemon, arguments: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = rustix::fs::open(name, flags, Mode::empty()).unwrap();
        let size = Winsize {
            ws_row: 12,
            ws_col: 60,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&terminal, size).unwrap();
        let before = tcgetattr(&terminal).unwrap();
        let mut command = program();
        command
            .args(["top", "--every", "100ms", "--admin", &admin(daemon)])
            .args(arguments)
            .stdin(terminal.try_clone().unwrap())
            .stdout(terminal.try_clone().unwrap())
            .stderr(Stdio::null());
        let child = command.spawn().unwrap();
        drop(command);
        let keys = File::from(master);
        let mut reader = keys.try_clone().unwrap();
        let drawn: Arc<Mutex<String>> = Arc::default();
        let heard = Arc::clone(&drawn);
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            // It ends with an error when nobody holds the terminal any more.
            while let Ok(count) = reader.read(&mut bytes) {
                let text = std::str::from_utf8(&bytes[..count]).unwrap();
                heard.lock().unwrap().push_str(text);
            }
        });
        Self {
            child,
            keys,
            terminal,
            before,
            drawn,
        }
    }

    fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
    }

    #[track_caller]
    fn shows(&self, text: &str) {
        eventually(text, || {
            self.drawn.lock().unwrap().contains(text).then_some(())
        });
    }

    /// Waits for its end, and demands that the terminal is as it was.
    #[track_caller]
    fn ends_clean(mut self) -> ExitStatus {
        let status = exit(&mut self.child);
        self.shows(LEAVE);
        let drawn = self.drawn.lock().unwrap().clone();
        assert!(
            drawn.starts_with(ENTER) && drawn.ends_with(LEAVE),
            "{drawn:?}"
        );
        let after = tcgetattr(&self.terminal).unwrap();
        let modes = |mode: &Termios| {
            let (input, output) = (mode.input_modes, mode.output_modes);
            (
                input,
                output,
                mode.local_modes,
                format!("{:?}", mode.special_codes),
            )
        };
        assert_eq!(modes(&after), modes(&self.before));
        status
    }
}

#[test]
fn q_ctrl_c_and_signals_leave_the_terminal_as_it_was() {
    let daemon = daemon(LINE);
    let mut alice = daemon.client();
    alice.login("alice");
    for key in [b'q', 3] {
        let mut screen = Screen::open(&daemon, &[]);
        screen.shows("alice");
        let while_on = tcgetattr(&screen.terminal).unwrap();
        assert_ne!(while_on.local_modes, screen.before.local_modes);
        screen.press(&[key]);
        assert!(screen.ends_clean().success());
    }
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let screen = Screen::open(&daemon, &[]);
        screen.shows("alice");
        rustix::process::kill_process(Pid::from_child(&screen.child), signal).unwrap();
        assert!(screen.ends_clean().success());
    }
}

#[test]
fn keys_choose_the_order_and_the_page_is_drawn_again() {
    let daemon = daemon(LINE);
    let (mut alice, mut bob) = (daemon.client(), daemon.client());
    alice.login("alice");
    let mut screen = Screen::open(&daemon, &["--sort", "bytes_in"]);
    screen.shows("[i bytes_in]");
    bob.login("bob");
    screen.shows("bob");
    screen.press(b">");
    screen.shows("[o bytes_out]");
    screen.press(b"\x1b[D\x1b[D");
    screen.press(b"a");
    screen.shows("[a opened]");
    screen.press(b"q");
    assert!(screen.ends_clean().success());
}

#[test]
fn a_daemon_that_goes_is_told_after_the_terminal_is_left() {
    let daemon = daemon(LINE);
    let screen = Screen::open(&daemon, &[]);
    screen.shows("connections");
    drop(daemon);
    assert_eq!(screen.ends_clean().code(), Some(1));
}

#[test]
fn without_a_terminal_there_is_one_page() {
    let daemon = daemon(LINE);
    let (mut alice, mut bob) = (daemon.client(), daemon.client());
    alice.login("alice");
    bob.login("bob");
    for _ in 0..9 {
        bob.fence();
    }
    let run = |flags: &[&str]| {
        let mut command = program();
        let place = admin(&daemon);
        command.args(["top", "--sort", "frames_in", "--admin", &place]);
        command.args(flags);
        let outcome = outcome(command);
        assert_eq!((outcome.code, &outcome.stderr[..]), (Some(0), ""));
        outcome.stdout
    };
    let page = run(&[]);
    assert!(
        !page.contains('\u{1b}') && page.contains("[r frames_in]"),
        "{page}"
    );
    let at = |name: &str| page.find(&format!("\n{name} ")).unwrap();
    assert!(at("bob") < at("alice"), "{page}");
    let told: Value = serde_json::from_str(&run(&["--json"])).unwrap();
    assert_eq!(told["connections"][0]["user"], "bob");
}
