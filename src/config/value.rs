//! Values as they stand in a file, a variable or a flag, and how each kind is read.

use std::collections::BTreeMap;
use std::time::Duration;

use bytesize::ByteSize;
use toml::de::DeValue;

use crate::time::SPAN_MAX;

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
    pub(crate) fn of_text(text: &str) -> Self {
        match DeValue::parse(text) {
            Ok(value) => Self::of(value.get_ref()),
            Err(_) => Self::Text(text.to_owned()),
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

/// A duration, rounded up to 10 ms; `zero`: whether "0s" is one.
pub(crate) fn duration(value: &Value, zero: bool) -> Result<Duration, Wrong> {
    const WHAT: &str = r#"a duration; write "500ms", "60s", "10m""#;
    let Value::Text(text) = value else {
        return Err(expected(value, WHAT));
    };
    let exact = humantime::parse_duration(text).map_err(|_| expected(value, WHAT))?;
    let steps = u64::try_from(exact.as_nanos().div_ceil(10_000_000)).unwrap_or(u64::MAX);
    let rounded = Duration::from_millis(steps.saturating_mul(10));
    if rounded > SPAN_MAX {
        return Err(format!("{text:?} is too long; at most 48 days"));
    }
    if rounded.is_zero() && !zero {
        return Err(format!("{text:?} is no time at all; at least \"10ms\""));
    }
    Ok(rounded)
}

/// A duration, or `"off"`.
pub(crate) fn optional_duration(value: &Value) -> Result<Option<Duration>, Wrong> {
    if *value == Value::Text(String::from("off")) {
        return Ok(None);
    }
    duration(value, false)
        .map(Some)
        .map_err(|wrong| wrong.replace("write ", "write \"off\", "))
}

/// A number of bytes.
pub(crate) fn size(value: &Value) -> Result<usize, Wrong> {
    const WHAT: &str = r#"a size; write "64KiB", "256MiB" or a number of bytes"#;
    let bytes = match value {
        Value::Number(number) => u64::try_from(*number).map_err(|_| expected(value, WHAT))?,
        Value::Text(text) => text
            .parse::<ByteSize>()
            .map_err(|_| expected(value, WHAT))?
            .as_u64(),
        _ => return Err(expected(value, WHAT)),
    };
    usize::try_from(bytes).map_err(|_| expected(value, "a size this machine can hold"))
}

/// A size, or `"auto"`.
pub(crate) fn optional_size(value: &Value) -> Result<Option<usize>, Wrong> {
    match value {
        Value::Text(text) if text == "auto" => Ok(None),
        _ => size(value)
            .map(Some)
            .map_err(|wrong| wrong.replace("write ", "write \"auto\", ")),
    }
}

/// A whole number from `least` to `most`.
pub(crate) fn number(value: &Value, least: i64, most: i64) -> Result<i64, Wrong> {
    let what = format!("a number from {least} to {most}");
    match value {
        Value::Number(number) if (least..=most).contains(number) => Ok(*number),
        _ => Err(expected(value, &what)),
    }
}

/// A text.
pub(crate) fn text(value: &Value) -> Result<&str, Wrong> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(expected(value, "a text; write it in quotes")),
    }
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

/// A duration as one would write it.
pub(crate) fn show_duration(duration: Duration) -> String {
    format!(
        "\"{}\"",
        humantime::format_duration(duration)
            .to_string()
            .replace(' ', "")
    )
}

/// The same, or `"off"`.
pub(crate) fn show_optional(duration: Option<Duration>) -> String {
    duration.map_or_else(|| String::from("\"off\""), show_duration)
}

/// A size as one would write it: in the largest unit that leaves no rest.
pub(crate) fn show_size(bytes: usize) -> String {
    const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
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
        let read = |text| duration(&text_value(text), false);
        assert_eq!(read("1ms"), Ok(Duration::from_millis(10)));
        assert_eq!(read("11ms"), Ok(Duration::from_millis(20)));
        assert_eq!(read("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(read("48days"), Ok(SPAN_MAX));
        for bad in ["", "60", "-1s", "0s", "49days", "one minute"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(duration(&Value::Number(60), false).is_err());
        assert_eq!(duration(&text_value("0s"), true), Ok(Duration::ZERO));
        assert_eq!(optional_duration(&text_value("off")), Ok(None));
    }

    #[test]
    fn sizes_are_read_and_shown_alike() {
        for (text, bytes) in [("64KiB", 65_536), ("256MiB", 256 << 20), ("1GiB", 1 << 30)] {
            assert_eq!(size(&text_value(text)), Ok(bytes));
            assert_eq!(show_size(bytes), format!("{text:?}"));
        }
        assert_eq!(size(&Value::Number(1_000)), Ok(1_000));
        assert_eq!(show_size(1_000), "1000");
        assert!(size(&Value::Number(-1)).is_err() && size(&text_value("many")).is_err());
    }

    #[test]
    fn a_flag_is_toml_where_it_can_be() {
        assert_eq!(Value::of_text("60s"), text_value("60s"));
        assert_eq!(Value::of_text("100"), Value::Number(100));
        assert!(matches!(Value::of_text("{ devices = 3 }"), Value::Table(_)));
        assert_eq!(
            Value::of_text("127.0.0.1:7373"),
            text_value("127.0.0.1:7373")
        );
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
