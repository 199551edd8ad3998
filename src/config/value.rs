//! Values as they stand in a file, a variable or a flag, and how each kind is read.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use bytesize::ByteSize;
use toml::de::DeValue;

use super::keys::Takes;
use crate::settings::Rate;

/// A value, wherever it came from.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
    Truth(bool),
    List(Vec<Self>),
    Table(BTreeMap<String, Self>),
    /// A kind that no setting takes: a date, a fraction.
    Other(&'static str),
}

/// Durations are multiples of this.
pub(crate) const STEP: Duration = Duration::from_millis(10);
/// Latencies, which are shorter, of this.
pub(crate) const BRIEF_STEP: Duration = Duration::from_millis(1);
/// No duration is as long as this.
pub(crate) const SPAN_END: Duration = Duration::from_secs(49 * 86_400);

/// The most that a rate counts, and the end of how long it may take for that.
const RATE_MAX: u32 = 1_000_000;
const RATE_END: Duration = Duration::from_millis(3_600_010);

/// What is wrong with a value, and what would be right.
pub(crate) type Wrong = String;

impl Value {
    /// A value of the file.
    pub(crate) fn of(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.clone().into_owned()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Self::Other("number that large"), Self::Number),
            DeValue::Boolean(truth) => Self::Truth(*truth),
            DeValue::Array(list) => {
                Self::List(list.iter().map(|item| Self::of(item.get_ref())).collect())
            }
            DeValue::Table(table) => {
                let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<_>)| {
                    let key: &std::borrow::Cow<'_, str> = key.get_ref();
                    (key.clone().into_owned(), Self::of(value.get_ref()))
                };
                Self::Table(table.iter().map(entry).collect())
            }
            DeValue::Float(_) => Self::Other("fraction"),
            DeValue::Datetime(_) => Self::Other("date"),
        }
    }

    /// The text of a flag or a variable: TOML where it is, else a string.
    pub(crate) fn of_text(text: &str, takes: Takes) -> Self {
        match DeValue::parse(text) {
            Ok(value) if takes != Takes::Text => Self::of(value.get_ref()),
            _ => Self::Text(text.to_owned()),
        }
    }

    /// The value as one would write it, for complaints.
    pub(crate) fn show(&self) -> String {
        match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Number(number) => number.to_string(),
            Self::Truth(truth) => truth.to_string(),
            Self::List(_) => String::from("a list"),
            Self::Table(_) => String::from("a table"),
            Self::Other(kind) => format!("a {kind}"),
        }
    }
}

fn expected(value: &Value, what: &str) -> Wrong {
    format!("{} is not {what}", value.show())
}

/// A duration of at least `least` and less than `end`, rounded up to [`STEP`].
pub(crate) fn duration(value: &Value, least: Duration, end: Duration) -> Result<Duration, Wrong> {
    let what = r#"a duration; write "500ms", "60s", "10m""#;
    read_duration(value, what, STEP, least..end)
}

/// The same, or `"off"`.
pub(crate) fn optional_duration(
    value: &Value,
    least: Duration,
    end: Duration,
) -> Result<Option<Duration>, Wrong> {
    let what = r#"a duration; write "off", "500ms", "60s", "10m""#;
    if is_off(value) {
        return Ok(None);
    }
    read_duration(value, what, STEP, least..end).map(Some)
}

/// A latency of at least [`BRIEF_STEP`] and less than `end`, rounded up to it, or `"off"`.
pub(crate) fn latency(value: &Value, end: Duration) -> Result<Option<Duration>, Wrong> {
    let what = r#"a duration; write "off", "2ms", "10ms""#;
    if is_off(value) {
        return Ok(None);
    }
    read_duration(value, what, BRIEF_STEP, BRIEF_STEP..end).map(Some)
}

fn is_off(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text == "off")
}

fn read_duration(
    value: &Value,
    what: &str,
    step: Duration,
    bounds: Range<Duration>,
) -> Result<Duration, Wrong> {
    let text = match value {
        Value::Text(text) => text,
        Value::Number(number) => return Err(format!("{number} has no unit; write \"{number}s\"")),
        _ => return Err(expected(value, what)),
    };
    let exact = humantime::parse_duration(text).map_err(|_| expected(value, what))?;
    let steps = exact.as_nanos().div_ceil(step.as_nanos());
    let millis = u64::try_from(steps * step.as_millis()).unwrap_or(u64::MAX);
    let rounded = Duration::from_millis(millis);
    if rounded < bounds.start {
        let least = show_duration(bounds.start);
        return Err(format!("{text:?} is too short; at least {least}"));
    }
    if rounded >= bounds.end {
        let most = show_duration(bounds.end - step);
        return Err(format!("{text:?} is too long; at most {most}"));
    }
    Ok(rounded)
}

/// A number of bytes from `least` to `most`.
pub(crate) fn size(value: &Value, least: usize, most: usize) -> Result<usize, Wrong> {
    read_size(
        value,
        r#"a size; write "64KiB", "256MiB" or a number of bytes"#,
        least,
        most,
    )
}

/// The same, or `"auto"`.
pub(crate) fn optional_size(
    value: &Value,
    least: usize,
    most: usize,
) -> Result<Option<usize>, Wrong> {
    const WHAT: &str = r#"a size; write "auto", "64KiB" or a number of bytes"#;
    if matches!(value, Value::Text(text) if text == "auto") {
        return Ok(None);
    }
    read_size(value, WHAT, least, most).map(Some)
}

fn read_size(value: &Value, what: &str, least: usize, most: usize) -> Result<usize, Wrong> {
    let bytes = match value {
        Value::Number(number) => u64::try_from(*number).map_err(|_| expected(value, what))?,
        Value::Text(text) => text
            .parse::<ByteSize>()
            .map_err(|_| expected(value, what))?
            .as_u64(),
        _ => return Err(expected(value, what)),
    };
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    if bytes < least {
        return Err(format!(
            "{} is too little; at least {}",
            value.show(),
            show_size(least)
        ));
    }
    if bytes > most {
        return Err(format!(
            "{} is too much; at most {}",
            value.show(),
            show_size(most)
        ));
    }
    Ok(bytes)
}

/// A whole number from `least` to `most`.
pub(crate) fn number(value: &Value, least: i64, most: i64) -> Result<i64, Wrong> {
    let what = format!("a number from {least} to {most}");
    match value {
        Value::Number(number) if (least..=most).contains(number) => Ok(*number),
        _ => Err(expected(value, &what)),
    }
}

/// A whole number from `least` to `most`, or `"off"`.
pub(crate) fn optional_number(value: &Value, least: i64, most: i64) -> Result<Option<u32>, Wrong> {
    if is_off(value) {
        return Ok(None);
    }
    let number = number(value, least, most).map_err(|wrong| format!("{wrong}, or \"off\""))?;
    Ok(u32::try_from(number).ok())
}

/// The same, as one would write it.
pub(crate) fn show_optional_number(number: &Option<u32>) -> String {
    number.map_or_else(|| String::from("\"off\""), |number| number.to_string())
}

/// So many in so long, or `"off"`.
pub(crate) fn rate(value: &Value) -> Result<Option<Rate>, Wrong> {
    if is_off(value) {
        return Ok(None);
    }
    let what = r#"a rate; write "off", "100/1s", "10/1m""#;
    let Value::Text(text) = value else {
        return Err(expected(value, what));
    };
    let (count, per) = text.split_once('/').ok_or_else(|| expected(value, what))?;
    let is_plain = count.bytes().all(|byte| byte.is_ascii_digit());
    let found = count.parse::<u32>().ok().filter(|_| is_plain);
    let count = found.ok_or_else(|| expected(value, what))?;
    if !(1..=RATE_MAX).contains(&count) {
        return Err(format!(
            "{text:?}: {count} is not a number from 1 to {RATE_MAX}"
        ));
    }
    // Everybody writes "10/s" now and then.
    let per = match per.starts_with(|first: char| first.is_ascii_digit()) {
        true => per.to_owned(),
        false => format!("1{per}"),
    };
    let per = read_duration(&Value::Text(per), what, STEP, STEP..RATE_END)?;
    Ok(Some(Rate { count, per }))
}

/// The same, as one would write it.
pub(crate) fn show_rate(rate: &Option<Rate>) -> String {
    match rate {
        None => String::from("\"off\""),
        Some(Rate { count, per }) => {
            let per = show_duration(*per);
            format!("\"{count}/{}\"", per.trim_matches('"'))
        }
    }
}

/// The same for a size.
pub(crate) fn show_off_size(bytes: &Option<usize>) -> String {
    bytes.map_or_else(|| String::from("\"off\""), show_size)
}

/// A number of bytes from `least` to `most`, or `"off"`.
pub(crate) fn off_size(value: &Value, least: usize, most: usize) -> Result<Option<usize>, Wrong> {
    const WHAT: &str = r#"a size; write "off", "64KiB" or a number of bytes"#;
    if is_off(value) {
        return Ok(None);
    }
    read_size(value, WHAT, least, most).map(Some)
}

/// A text.
pub(crate) fn text(value: &Value) -> Result<&str, Wrong> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(expected(value, "a text; write it in quotes")),
    }
}

/// The same, to be kept.
pub(crate) fn owned_text(value: &Value) -> Result<String, Wrong> {
    text(value).map(str::to_owned)
}

/// A list of texts; one text alone may hold several, apart by commas.
pub(crate) fn texts(value: &Value) -> Result<Vec<&str>, Wrong> {
    match value {
        Value::Text(text) if text.is_empty() => Ok(Vec::new()),
        Value::Text(text) => Ok(text.split(',').map(str::trim).collect()),
        Value::List(list) => list.iter().map(text).collect(),
        _ => Err(expected(value, "a text or a list of texts")),
    }
}

/// One of several words.
pub(crate) fn choice<T: Copy>(value: &Value, words: &[(&str, T)]) -> Result<T, Wrong> {
    let found = match value {
        Value::Text(text) => words.iter().find(|(word, _)| word == text),
        _ => None,
    };
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let all: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        expected(value, &format!("one of {}", all.join(", ")))
    })
}

/// The word that means so, as one would write it.
pub(crate) fn show_word<T: PartialEq>(words: &[(&str, T)], meaning: &T) -> String {
    let found = words.iter().find(|(_, held)| held == meaning);
    found.map_or_else(String::new, |(word, _)| format!("\"{word}\""))
}

/// A text as one would write it: a TOML string.
pub(crate) fn show_text(text: &str) -> String {
    let mut shown = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => shown.extend(['\\', char]),
            _ if char.is_control() => shown += &format!("\\u{:04X}", u32::from(char)),
            _ => shown.push(char),
        }
    }
    shown + "\""
}

/// The same for one that is kept.
#[expect(clippy::ptr_arg, reason = "the tables of keys show by reference")]
pub(crate) fn show_owned(text: &String) -> String {
    show_text(text)
}

/// A duration as one would write it, down to the millisecond.
pub(crate) fn show_duration(duration: Duration) -> String {
    const UNITS: [(&str, u128); 5] = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    let mut left = duration.as_millis();
    // Nobody writes a minute and a half as "1m30s".
    if left < 120_000 && left.is_multiple_of(1_000) {
        return format!("\"{}s\"", left / 1_000);
    }
    let mut shown = String::new();
    for (unit, millis) in UNITS {
        if left >= millis {
            shown += &format!("{}{unit}", left / millis);
            left %= millis;
        }
    }
    format!("\"{shown}\"")
}

/// The same, or `"off"`.
pub(crate) fn show_optional(duration: Option<Duration>) -> String {
    duration.map_or_else(|| String::from("\"off\""), show_duration)
}

/// A size as one would write it: in the largest unit that leaves no rest.
pub(crate) fn show_size(bytes: usize) -> String {
    const UNITS: [(&str, u32); 5] = [
        ("PiB", 50),
        ("TiB", 40),
        ("GiB", 30),
        ("MiB", 20),
        ("KiB", 10),
    ];
    let unit = UNITS
        .iter()
        .find(|(_, bits)| bytes > 0 && bytes.is_multiple_of(1 << bits));
    unit.map_or_else(
        || bytes.to_string(),
        |(name, bits)| format!("\"{}{name}\"", bytes >> bits),
    )
}

/// What a misspelt word most likely was.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.map(|candidate| (strsim::jaro_winkler(word, candidate), candidate));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 > 0.8).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_value(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn durations_are_rounded_up_to_ten_milliseconds() {
        let read = |text| duration(&text_value(text), STEP, SPAN_END);
        assert_eq!(read("1ms"), Ok(Duration::from_millis(10)));
        assert_eq!(read("11ms"), Ok(Duration::from_millis(20)));
        assert_eq!(read("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(read("48days 23h 59m 59s 990ms"), Ok(SPAN_END - STEP));
        for bad in [
            "",
            "60",
            "-1s",
            "0s",
            "49days",
            "48days 23h 59m 59s 991ms",
            "one minute",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let brief = |text| latency(&text_value(text), Duration::from_millis(1_001));
        assert_eq!(brief("4100us"), Ok(Some(Duration::from_millis(5))));
        assert_eq!(brief("1s"), Ok(Some(Duration::from_secs(1))));
        assert_eq!(brief("off"), Ok(None));
        assert!(brief("0ms").is_err() && brief("1001ms").is_err());
        let wrong = duration(&Value::Number(60), STEP, SPAN_END);
        assert_eq!(wrong, Err("60 has no unit; write \"60s\"".to_owned()));
        assert_eq!(show_duration(Duration::ZERO), "\"0s\"");
        let zero = duration(&text_value("0s"), Duration::ZERO, SPAN_END);
        assert_eq!(zero, Ok(Duration::ZERO));
        assert_eq!(
            optional_duration(&text_value("off"), STEP, SPAN_END),
            Ok(None)
        );
    }

    #[test]
    fn a_duration_is_shown_as_it_is_read() {
        for (millis, expected) in [
            (10, "10ms"),
            (1_010, "1s10ms"),
            (60_000, "60s"),
            (90_010, "1m30s10ms"),
            (120_000, "2m"),
            (86_400_000, "1d"),
            (49 * 86_400_000 - 10, "48d23h59m59s990ms"),
        ] {
            let span = Duration::from_millis(millis);
            let shown = show_duration(span);
            assert_eq!(shown, format!("{expected:?}"));
            let again = duration(&text_value(shown.trim_matches('"')), STEP, SPAN_END);
            assert_eq!(again, Ok(span), "{shown}");
        }
    }

    #[test]
    fn sizes_are_read_and_shown_alike() {
        let read = |value: &Value| size(value, 1, 1 << 40);
        for (text, bytes) in [("64KiB", 65_536), ("256MiB", 256 << 20), ("1GiB", 1 << 30)] {
            assert_eq!(read(&text_value(text)), Ok(bytes));
            assert_eq!(show_size(bytes), format!("{text:?}"));
        }
        assert_eq!(read(&Value::Number(1_000)), Ok(1_000));
        assert_eq!(show_size(1_000), "1000");
        for bad in [
            Value::Number(-1),
            Value::Number(0),
            text_value("many"),
            text_value("1EiB"),
        ] {
            assert!(read(&bad).is_err(), "{bad:?}");
        }
        assert_eq!(optional_size(&text_value("auto"), 1, 2), Ok(None));
    }

    #[test]
    fn a_text_is_shown_as_toml_that_means_the_same() {
        for text in [
            "plain",
            "with \"quotes\" and \\",
            "a\nb\u{1b}\u{7f}",
            "ünïcode \u{202e}",
        ] {
            let shown = show_text(text);
            let value = DeValue::parse(&shown).expect("TOML");
            assert_eq!(value.get_ref().as_str(), Some(text), "{shown}");
        }
    }

    #[test]
    fn a_flag_is_toml_where_it_can_be() {
        let read = |text| Value::of_text(text, Takes::Word);
        assert_eq!(read("60s"), text_value("60s"));
        assert_eq!(read("100"), Value::Number(100));
        assert!(matches!(read("{ devices = 3 }"), Value::Table(_)));
        assert_eq!(read("127.0.0.1:7373"), text_value("127.0.0.1:7373"));
        assert_eq!(Value::of_text("100", Takes::Text), text_value("100"));
    }

    #[test]
    fn a_misspelt_key_is_guessed() {
        let known = ["idle_timeout", "login_timeout", "name"];
        assert_eq!(
            nearest("idle_timout", known.into_iter()),
            Some("idle_timeout")
        );
        assert_eq!(nearest("zzz", known.into_iter()), None);
    }
}
