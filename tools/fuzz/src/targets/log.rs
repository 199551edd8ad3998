//! What strangers say, in the log: one line, as short as promised, and nothing that a terminal
//! would obey.

use pulsegate::config::LogFormat;
use pulsegate::log::{LINE_MAX, escaped_line};

pub(super) fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for format in [LogFormat::Text, LogFormat::Json] {
        let line = escaped_line(&text, format);
        assert!(line.len() <= LINE_MAX, "{} bytes", line.len());
        let bad = |char: char| {
            // C0, C1, the marks and overrides of direction, and the two line ends of Unicode.
            let is_mark = matches!(char,
                '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}'
                | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
            char.is_control() || is_mark
        };
        assert!(!line.contains(bad), "{line:?}");
        if format == LogFormat::Json {
            let json = format!("\"{line}\"");
            let read: Result<String, _> = serde_json::from_str(&json);
            let said = read.unwrap_or_else(|error| panic!("{error}: {json}"));
            let is_whole = said == text;
            let front = said.trim_end_matches(['.', '…']);
            assert!(is_whole || text.starts_with(front), "{said:?}");
        }
    }
}
