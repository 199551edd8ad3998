//! A terminal that is drawn on as a whole, and left as it was found.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::stdio::{stdin, stdout};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The other screen, without a cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// A terminal in hand. Dropped, it is as it was.
pub(super) struct Terminal {
    before: Termios,
    is_over: Arc<AtomicBool>,
    /// Keys that were read and not yet told.
    keys: VecDeque<u8>,
}

/// What there is to react to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Input {
    Key(u8),
    /// The time is up.
    Nothing,
    /// The terminal is gone, or we are told to go.
    End,
}

impl Terminal {
    /// Takes the terminal over; `None` where there is none to read keys from and to draw on.
    pub(super) fn open() -> io::Result<Option<Self>> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(stdin())?;
        let is_over = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGHUP, SIGINT] {
            signal_hook::flag::register(signal, Arc::clone(&is_over))?;
        }
        let mut mode = before.clone();
        mode.local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN);
        mode.special_codes[SpecialCodeIndex::VMIN] = 1;
        mode.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(stdin(), OptionalActions::Now, &mode)?;
        let terminal = Self {
            before,
            is_over,
            keys: VecDeque::new(),
        };
        terminal.write(ENTER)?;
        Ok(Some(terminal))
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> (usize, usize) {
        match tcgetwinsize(stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                (usize::from(size.ws_col), usize::from(size.ws_row))
            }
            _ => (80, 24),
        }
    }

    /// Draws a page in the place of the one before; what does not fit is left out.
    pub(super) fn draw(&self, page: &str) -> io::Result<()> {
        let (columns, rows) = self.size();
        let lines = page.lines().take(rows).map(|line| {
            let cut: String = line.chars().take(columns).collect();
            cut + "\x1b[K"
        });
        let lines: Vec<String> = lines.collect();
        self.write(&format!("\x1b[H{}\x1b[J", lines.join("\r\n")))
    }

    /// Waits for a key for so long.
    pub(super) fn wait(&mut self, patience: Duration) -> io::Result<Input> {
        if let Some(key) = self.keys.pop_front() {
            return Ok(Input::Key(key));
        }
        let timeout = Timespec::try_from(patience).map_err(|_| io::ErrorKind::InvalidInput)?;
        let stdin = stdin();
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        let ready = match poll(&mut fds, Some(&timeout)) {
            Err(Errno::INTR) => 0,
            ready => ready?,
        };
        if self.is_over.load(Ordering::Relaxed) {
            return Ok(Input::End);
        }
        if ready == 0 {
            return Ok(Input::Nothing);
        }
        let mut bytes = [0; 64];
        match rustix::io::read(stdin, &mut bytes) {
            Err(Errno::INTR) => {}
            Ok(0) | Err(Errno::IO) => return Ok(Input::End),
            Ok(count) => self.keys.extend(keys(&bytes[..count])),
            Err(error) => return Err(error.into()),
        }
        Ok(self.keys.pop_front().map_or(Input::Nothing, Input::Key))
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }
}

/// The keys behind these bytes; an arrow is told as what it looks like.
fn keys(mut bytes: &[u8]) -> Vec<u8> {
    let mut keys = Vec::new();
    while let Some((&byte, rest)) = bytes.split_first() {
        bytes = match (byte, rest) {
            (0x1b, [b'[' | b'O', b'C', rest @ ..]) => {
                keys.push(b'>');
                rest
            }
            (0x1b, [b'[' | b'O', b'D', rest @ ..]) => {
                keys.push(b'<');
                rest
            }
            // Some other key that sends several bytes: the last of them is a letter or `~`.
            (0x1b, [b'[' | b'O', rest @ ..]) => {
                let is_last = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'~';
                let last = rest.iter().position(is_last);
                last.map_or(&[], |last| &rest[last + 1..])
            }
            _ => {
                keys.push(byte);
                rest
            }
        };
    }
    keys
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that is gone needs no tidying.
        let _ = self.write(LEAVE);
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart() {
        assert_eq!(keys(b"a\x1b[C\x1bOD\x1b[5~\x1b[1;5Aq"), b"a><q");
        assert_eq!(keys(b"\x1b[1"), b"");
        assert_eq!(keys(b"\x1b\x03"), b"\x1b\x03");
    }
}
