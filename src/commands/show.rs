//! How things are shown to people: aligned columns, spans, sizes, and strings that can do nothing
//! to a terminal.

use std::fmt::Write;

use serde_json::Value;

/// A table, to be shown in aligned columns.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    /// Which columns stand at the right.
    numbers: Vec<bool>,
}

impl Table {
    /// One with these titles; those of numbers begin with `>`.
    pub(crate) fn new(titles: &[&str]) -> Self {
        let bare = |title: &&str| title.trim_start_matches('>').to_owned();
        Self {
            rows: vec![titles.iter().map(bare).collect()],
            numbers: titles.iter().map(|title| title.starts_with('>')).collect(),
        }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Lines, each with its end.
    pub(crate) fn text(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.numbers.len()).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, width), is_number) in row.iter().zip(&widths).zip(&self.numbers) {
                // Writing into a string can not fail.
                let _ = if *is_number {
                    write!(line, "{cell:>width$}  ")
                } else {
                    write!(line, "{cell:<width$}  ")
                };
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// A string as people may see it: nothing in it moves a cursor, rings or turns the text round.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ if is_tricky(char) => shown.extend(char.escape_unicode()),
            _ => shown.push(char),
        }
    }
    shown
}

/// JSON that is the same to a program and does nothing to a terminal. Below U+0020 JSON escapes by
/// itself; what is left of control characters can only stand in strings.
pub(crate) fn harmless(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for char in json.chars() {
        if is_tricky(char) && !matches!(char, '\n' | '\r' | '\t') {
            let _ = write!(text, "\\u{:04x}", u32::from(char));
        } else {
            text.push(char);
        }
    }
    text
}

/// Whether it does something else than to be seen. All of them are below U+10000.
fn is_tricky(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(char, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}')
}

/// A string of an object, as people may see it; `-` where there is none.
pub(crate) fn word(object: &Value, key: &str) -> String {
    match &object[key] {
        Value::Null => String::from("-"),
        Value::String(text) => shown(text),
        other => shown(&other.to_string()),
    }
}

/// A number of an object; 0 where there is none.
pub(crate) fn number(object: &Value, key: &str) -> u64 {
    object[key].as_u64().unwrap_or(0)
}

/// The rows of an answer.
pub(crate) fn rows<'a>(object: &'a Value, key: &str) -> &'a [Value] {
    object[key].as_array().map_or(&[], Vec::as_slice)
}

/// `1 connection`, `2 connections`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{end}")
}

/// Milliseconds, in the two units that matter.
pub(crate) fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0 => format!("{ms}ms"),
        1..=9 => format!("{seconds}.{}s", ms / 100 % 10),
        10..=59 => format!("{seconds}s"),
        60..=3_599 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..=86_399 => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// Whole seconds, in the two units that matter.
pub(crate) fn seconds(seconds: u64) -> String {
    match seconds {
        0..=9 => format!("{seconds}s"),
        _ => span(seconds.saturating_mul(1_000)),
    }
}

/// Bytes, in the unit that matters; rounded up, as the log and the page do it.
pub(crate) fn bytes(bytes: u64) -> String {
    let mut unit = 1_u64;
    for name in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if bytes / unit < 1_024 || name == "TiB" {
            let tenths = u128::from(bytes) * 10;
            return match tenths.div_ceil(unit.into()) {
                tenths @ 0..=99 if unit > 1 => format!("{}.{} {name}", tenths / 10, tenths % 10),
                _ => format!("{} {name}", bytes.div_ceil(unit)),
            };
        }
        unit *= 1_024;
    }
    String::new()
}

/// The time of day of a point in milliseconds since 1970, in UTC.
pub(crate) fn time_of_day(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (hour, minute) = (seconds / 3_600 % 24, seconds / 60 % 60);
    format!(
        "{hour:02}:{minute:02}:{:02}.{:03}",
        seconds % 60,
        ms % 1_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_with_text() {
        let mut table = Table::new(&["NAME", ">SIZE", "MORE"]);
        table.row(["a".into(), "1".into(), String::new()]);
        table.row(["länger".into(), "12345".into(), "x".into()]);
        let text = "NAME     SIZE  MORE\na           1\nlänger  12345  x\n";
        assert_eq!(table.text(), text);
    }

    #[test]
    fn nothing_shown_can_move_a_cursor() {
        assert_eq!(shown("a\u{1b}[2J\n\u{9b}b"), "a\\u{1b}[2J\\n\\u{9b}b");
        assert_eq!(shown("\u{202e}x\u{7f}ü"), "\\u{202e}x\\u{7f}ü");
        let json = "{\"a\":\"\u{9b}2J\u{7f}\u{202e}ü\"}\n";
        let same = harmless(json);
        assert_eq!(same, "{\"a\":\"\\u009b2J\\u007f\\u202eü\"}\n");
        let read = |text: &str| serde_json::from_str::<Value>(text).ok();
        assert_eq!(read(&same), read(json));
    }

    #[test]
    fn spans_and_sizes_are_short() {
        let spans = [0, 999, 1_500, 59_000, 61_000, 3_661_000, 90_000_000].map(span);
        let short = ["0ms", "999ms", "1.5s", "59s", "1m01s", "1h01m", "1d01h"];
        assert_eq!(spans, short);
        assert_eq!([0, 9, 75].map(seconds), ["0s", "9s", "1m15s"]);
        let sizes = [0, 1_023, 1_024, 1_537, 20 << 10, (3 << 20) + 1, u64::MAX].map(bytes);
        let short = [
            "0 B",
            "1023 B",
            "1.0 KiB",
            "1.6 KiB",
            "20 KiB",
            "3.1 MiB",
            "16777216 TiB",
        ];
        assert_eq!(sizes, short);
        assert_eq!(time_of_day(86_400_000 + 3_723_004), "01:02:03.004");
    }
}
