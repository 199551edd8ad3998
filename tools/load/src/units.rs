//! Durations and counts as people write and read them.

use std::time::Duration;

/// Nanoseconds of a duration; one too long for 64 bits (584 years) is cut.
pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// The place of one of many that are spread evenly over a span.
pub(crate) fn share(span: u64, number: u32, of: u32) -> u64 {
    let place = u128::from(span) * u128::from(number) / u128::from(of.max(1));
    u64::try_from(place).unwrap_or(u64::MAX)
}

/// `1.23 ms`, with three digits that count.
pub(crate) fn show_nanos(nanos: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (60_000_000_000, "min"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
    ];
    for (size, unit) in UNITS {
        if nanos >= size {
            return format!("{} {unit}", three_digits(nanos as f64 / size as f64));
        }
    }
    format!("{nanos} ns")
}

/// `1.23 MiB`, with three digits that count.
pub(crate) fn show_bytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    for (size, unit) in UNITS {
        if bytes >= size {
            return format!("{} {unit}", three_digits(bytes as f64 / size as f64));
        }
    }
    format!("{bytes} B")
}

/// A number with three digits that count, and none before them cut off.
pub(crate) fn three_digits(value: f64) -> String {
    match value.abs() {
        big if big >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// `1,234,567`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Reads `500ms`, `10s`, `1m30s`, `2h`.
pub(crate) fn read_span(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text)
        .map_err(|_| format!("{text:?} is no duration: write 500ms, 10s or 1m30s"))
}

/// Durations in plans and reports: written as text.
pub(crate) mod span {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_duration(*span))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        super::read_span(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_count() {
        let shown = [0, 999, 1_000, 12_345, 1_234_567, 99_999_999, 61_000_000_000].map(show_nanos);
        let expected = [
            "0 ns", "999 ns", "1.00 us", "12.3 us", "1.23 ms", "100.0 ms", "1.02 min",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn bytes_are_shown_in_powers_of_two() {
        let shown = [0, 1_023, 1_024, 3 << 20, 5 << 30].map(show_bytes);
        assert_eq!(shown, ["0 B", "1023 B", "1.00 KiB", "3.00 MiB", "5.00 GiB"]);
    }

    #[test]
    fn thousands_are_set_apart() {
        let shown = [0, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }
}
