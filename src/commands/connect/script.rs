//! What a script says: steps, read from text. Nothing is done here.
//!
//! One step a line; empty lines and those that begin with `#` are passed over.
//!
//! | step | does |
//! |---|---|
//! | a request, as `send ann hello` | says it; it must be done in time |
//! | `try REQUEST` | says it; the answer may be no |
//! | `sleep DURATION` | waits; with `--speed N` an Nth of it |
//! | `expect [within DURATION] TEXT` | something must come, or have come, that holds TEXT |
//! | `never TEXT` | from here on, nothing may come that holds TEXT |
//! | `write "BYTES"` | with `--raw`: hands these bytes to the system at once |
//! | `repeat N`, `end` | what stands between them, N times |

use std::time::Duration;

use crate::codec::message::{Request, parse_line};

/// A step and its line in the script.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Step {
    pub(super) line: usize,
    pub(super) deed: Deed,
}

/// What is to be done.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Deed {
    /// Say this, and have it done.
    Say(String),
    /// Say this, whatever the answer.
    Try(String),
    Sleep(Duration),
    /// Wait for something that holds this text.
    Expect(String, Option<Duration>),
    /// Let nothing come that holds this text.
    Never(String),
    /// Hand these bytes to the system at once.
    Write(Vec<u8>),
    Repeat(u32, Vec<Step>),
}

/// Reads a script; what is wrong begins with the line.
pub(super) fn read(text: &str, is_raw: bool) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    // What stands before the repetitions that are open.
    let mut outer: Vec<(usize, u32, Vec<Step>)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        let wrong = |why: String| format!("{number}: {why}");
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match word {
            "repeat" => {
                let count = rest.trim().parse().ok().filter(|count| *count > 0);
                let count =
                    count.ok_or_else(|| wrong(format!("{rest:?} is no number of times")))?;
                if outer.len() == DEPTH_MAX {
                    return Err(wrong(String::from("repetitions within too many others")));
                }
                outer.push((number, count, std::mem::take(&mut steps)));
            }
            "end" => {
                let open = outer.pop();
                let (line, count, before) =
                    open.ok_or_else(|| wrong(String::from("there is no repeat that ends here")))?;
                let within = std::mem::replace(&mut steps, before);
                let deed = Deed::Repeat(count, within);
                steps.push(Step { line, deed });
            }
            _ => {
                let deed = deed(line, word, rest, is_raw).map_err(wrong)?;
                let line = number;
                steps.push(Step { line, deed });
            }
        }
    }
    match outer.pop() {
        None => Ok(steps),
        Some((line, ..)) => Err(format!("{line}: this repeat has no end")),
    }
}

fn deed(line: &str, word: &str, rest: &str, is_raw: bool) -> Result<Deed, String> {
    match word {
        "sleep" => span(rest).map(Deed::Sleep),
        "expect" => match rest
            .strip_prefix("within ")
            .and_then(|rest| rest.split_once(' '))
        {
            Some((within, text)) => Ok(Deed::Expect(some(text)?, Some(span(within)?))),
            None => Ok(Deed::Expect(some(rest)?, None)),
        },
        "never" => some(rest).map(Deed::Never),
        "write" if is_raw => bytes(rest).map(Deed::Write),
        "write" => Err(String::from(
            "write needs --raw: a client says whole requests",
        )),
        "try" if !is_raw => checked(rest).map(Deed::Try),
        _ if !is_raw => checked(line).map(Deed::Say),
        _ => Ok(Deed::Say(line.to_owned())),
    }
}

/// A request that a client can be asked to say.
fn checked(line: &str) -> Result<String, String> {
    match parse_line(line).map_err(|wrong| wrong.to_string())? {
        Request::Login { .. } | Request::Pong | Request::Ack { .. } => {
            Err(String::from("the client says that by itself"))
        }
        _ => Ok(line.to_owned()),
    }
}

fn some(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err(String::from("a text is missing")),
        text => Ok(text.to_owned()),
    }
}

fn span(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text.trim());
    span.map_err(|error| format!("{text:?} is no duration: {error}"))
}

/// Bytes between quotes, with `\n`, `\r`, `\t`, `\"`, `\\` and `\xHH`.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let inside = text
        .trim()
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let mut rest = inside.ok_or("bytes stand between quotes")?.as_bytes();
    let mut bytes = Vec::new();
    while let Some((&byte, after)) = rest.split_first() {
        (rest, bytes) = match (byte, after) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok();
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                bytes.push(byte.ok_or("\\x takes two hexadecimal digits")?);
                (after, bytes)
            }
            (b'\\', [escape, after @ ..]) => {
                bytes.push(match escape {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'"' | b'\\' => *escape,
                    _ => return Err(format!("\\{} means nothing", char::from(*escape))),
                });
                (after, bytes)
            }
            (b'\\', []) | (b'"', _) => return Err(String::from("a quote stands inside of quotes")),
            _ => {
                bytes.push(byte);
                (after, bytes)
            }
        };
    }
    Ok(bytes)
}

/// Repetitions within each other.
const DEPTH_MAX: usize = 16;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
mod tests {
    use super::*;

    fn deeds(text: &str, is_raw: bool) -> Vec<Deed> {
        let steps = read(text, is_raw).unwrap();
        steps.into_iter().map(|step| step.deed).collect()
    }

    #[test]
    fn steps_are_read_line_by_line() {
        let text = "# nothing\n\n  send ann hello there\ntry leave news\nsleep 1m 30s\n\
                    expect from ann: hi\nexpect within 2s lost (idle-timeout)\nnever error\n";
        let minutes = Duration::from_secs(90);
        let expected = [
            Deed::Say("send ann hello there".into()),
            Deed::Try("leave news".into()),
            Deed::Sleep(minutes),
            Deed::Expect("from ann: hi".into(), None),
            Deed::Expect("lost (idle-timeout)".into(), Some(Duration::from_secs(2))),
            Deed::Never("error".into()),
        ];
        assert_eq!(deeds(text, false), expected);
        assert_eq!(read(text, false).unwrap()[0].line, 3);
    }

    #[test]
    fn repetitions_hold_what_stands_between_them() {
        let ping = |line| Step {
            line,
            deed: Deed::Say("ping".into()),
        };
        let inner = Step {
            line: 2,
            deed: Deed::Repeat(3, vec![ping(3)]),
        };
        let outer = Deed::Repeat(2, vec![inner, ping(5)]);
        let text = "repeat 2\nrepeat 3\nping\nend\nping\nend\nping";
        assert_eq!(deeds(text, false), [outer, ping(7).deed]);
    }

    #[test]
    fn bytes_are_written_with_escapes() {
        let write = |text: &str| deeds(&format!("write {text}"), true).pop().unwrap();
        let escaped = r#""a\n\r\t\"\\\x00\xFfz""#;
        assert_eq!(write(escaped), Deed::Write(b"a\n\r\t\"\\\0\xffz".into()));
        assert_eq!(write(r#""""#), Deed::Write(Vec::new()));
        // What is no step is a frame's body.
        assert_eq!(deeds("{\"a\":1}", true), [Deed::Say("{\"a\":1}".into())]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, is_raw, says) in [
            ("\nsnd a b", false, "2: unknown message"),
            ("send ann", false, "1: expected: send USER TEXT"),
            ("login ann", false, "1: the client says that by itself"),
            ("try ack 1", false, "1: the client says that by itself"),
            ("sleep long", false, "1: \"long\" is no duration"),
            ("expect", false, "1: a text is missing"),
            ("expect within soon x", false, "1: \"soon\" is no duration"),
            ("never ", false, "1: a text is missing"),
            ("repeat 0\nend", false, "1: \"0\" is no number of times"),
            ("ping\nrepeat 2\nping", false, "2: this repeat has no end"),
            ("end", false, "1: there is no repeat"),
            ("write \"x\"", false, "1: write needs --raw"),
            ("write x", true, "1: bytes stand between quotes"),
            ("write \"", true, "1: bytes stand between quotes"),
            ("write \"\\q\"", true, "1: \\q means nothing"),
            ("write \"\\x1\"", true, "1: "),
            ("write \"a\"b\"", true, "1: a quote stands inside"),
        ] {
            let wrong = read(text, is_raw).unwrap_err();
            assert!(wrong.starts_with(says), "{text:?}: {wrong}");
        }
    }
}
