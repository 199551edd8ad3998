//! Colours on a terminal, where they are wanted.

use std::fmt::Write;
use std::io::IsTerminal;

/// How a piece of text looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Paint {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Odd,
}

/// Whether lines there can be written again.
pub(super) fn is_screen(to: &impl IsTerminal) -> bool {
    to.is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether colours are wanted there: NO_COLOR says no, whatever it says.
pub(super) fn is_coloured(to: &impl IsTerminal) -> bool {
    is_screen(to) && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty())
}

impl Paint {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Bold => Some("1"),
            Self::Dim => Some("2"),
            Self::Good => Some("1;32"),
            Self::Bad => Some("1;31"),
            Self::Odd => Some("1;33"),
        }
    }

    /// Appends `text` so painted.
    pub(super) fn write(self, text: &str, is_coloured: bool, out: &mut String) {
        // Writing to a string does not fail.
        let _ = match self.code().filter(|_| is_coloured) {
            Some(code) => write!(out, "\x1b[{code}m{text}\x1b[0m"),
            None => out.write_str(text),
        };
    }
}
