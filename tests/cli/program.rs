//! The program run to its end, with a folder of its own and no variables of ours.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tempfile::TempDir;

/// How long anything may take that should come at once: generous, the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a run came to.
#[derive(PartialEq, Eq, Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// The program, free of variables of ours that the tests' own environment may hold.
pub fn program() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_pulsegate")))
}

/// A line of a shell that runs the program as `"$0" "$@"`: to redirect and to limit it.
pub fn shell(line: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell
        .arg("-c")
        .arg(line)
        .arg(env!("CARGO_BIN_EXE_pulsegate"));
    clean(shell)
}

fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PULSEGATE_") || name == "JOURNAL_STREAM" {
            command.env_remove(name);
        }
    }
    // A panic would be told with its frames.
    command.env_remove("RUST_BACKTRACE");
    command
}

/// A folder that holds these files.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Runs the program with these arguments where `c.toml` holds this configuration.
pub fn run(arguments: &[&str], config: &str) -> Outcome {
    let folder = folder(&[("c.toml", config)]);
    run_in(folder.path(), arguments, &[])
}

/// Runs the program in a folder with these arguments and variables.
pub fn run_in(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let mut command = program();
    command
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(folder);
    outcome(command)
}

/// Runs a command to its end.
pub fn outcome(mut command: Command) -> Outcome {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let stdout = hear(child.stdout.take().unwrap());
    let stderr = hear(child.stderr.take().unwrap());
    let status = exit(&mut child);
    let text = |heard: &Receiver<Vec<u8>>| {
        String::from_utf8(heard.recv_timeout(PATIENCE).unwrap()).unwrap()
    };
    Outcome {
        code: status.code(),
        stdout: text(&stdout),
        stderr: text(&stderr),
    }
}

fn hear(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut heard = Vec::new();
        let _ = pipe.read_to_end(&mut heard);
        let _ = sender.send(heard);
    });
    receiver
}

/// Waits for the end of a process; kills it and fails where it does not come.
#[track_caller]
pub fn exit(child: &mut Child) -> ExitStatus {
    if !ends_within(child, PATIENCE) {
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("the program does not end");
    }
    child.wait().unwrap()
}

/// Whether a process ends in this time.
pub fn ends_within(child: &Child, patience: Duration) -> bool {
    let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).unwrap();
    let timeout = Timespec::try_from(patience).unwrap();
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    poll(&mut fds, Some(&timeout)).unwrap() == 1
}

/// Asks until there is an answer: for what tells nobody when it happens.
#[track_caller]
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    let (_never, pause) = channel::<()>();
    while Instant::now() < deadline {
        if let Some(answer) = ask() {
            return answer;
        }
        let _ = pause.recv_timeout(Duration::from_millis(5));
    }
    panic!("it does not come to pass: {what}");
}
