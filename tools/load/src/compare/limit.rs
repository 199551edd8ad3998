//! What must hold of a ratio: `beat_rtt:p99<1.1x`, `rps>=-5%`.

use std::str::FromStr;

use super::figure::Figure;
use super::{Held, Row};
use crate::verdict::Comparison;

/// `FIGURE COMPARISON FACTOR`, where a factor is `1.1x` or `+10%`.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Limit {
    text: String,
    pub(super) figure: Figure,
    comparison: Comparison,
    factor: f64,
}

impl Limit {
    /// Holds it against a row; where there is none, it is broken.
    pub(super) fn hold(&self, row: Option<&Row>, is_lenient: bool) -> Held {
        let limit = self.text.clone();
        let Some(row) = row else {
            return Held {
                limit,
                ratio: None,
                is_kept: false,
                shown: String::from("nothing of the kind on one side"),
            };
        };
        let holds = match row.ratio {
            Some(ratio) => self.comparison.holds(ratio, self.factor),
            // Something where nothing was is more than any number of times as much.
            None => self.comparison.holds(f64::INFINITY, self.factor),
        };
        let is_excused = is_lenient && row.lies_apart == Some(false);
        let ratio = super::show::ratio(row.ratio);
        let shown = match row.lies_apart {
            Some(false) => format!("{ratio}, within the spread"),
            Some(true) => format!("{ratio}, beyond the spread"),
            None => ratio,
        };
        Held {
            limit,
            ratio: row.ratio,
            is_kept: holds || is_excused,
            shown,
        }
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: String| format!("threshold {text:?}: {why}");
        let (left, comparison, right) = Comparison::split(text).ok_or_else(|| {
            let hint = "write METRIC:STATISTIC<FACTOR, as in \"beat_rtt:p99<1.1x\" or \"rps>=-5%\"";
            wrong(hint.to_owned())
        })?;
        Ok(Self {
            text: text.to_owned(),
            figure: Figure::read(left).map_err(wrong)?,
            comparison,
            factor: factor(right.trim()).map_err(wrong)?,
        })
    }
}

/// `1.1x`, `+10%`, `-5%`.
fn factor(text: &str) -> Result<f64, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|it| it.is_finite());
    let times = text.strip_suffix('x').and_then(number);
    let percent = text
        .strip_suffix('%')
        .filter(|text| text.starts_with(['+', '-']));
    let percent = percent
        .and_then(number)
        .map(|percent| 1.0 + percent / 100.0);
    times
        .or(percent)
        .filter(|factor| *factor >= 0.0)
        .ok_or_else(|| format!("{text:?} is no ratio of B to A: write 1.1x, +10% or -5%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_read() {
        for (text, expected) in [("1.1x", 1.1), ("+10%", 1.1), ("-5 %", 0.95), ("2x", 2.0)] {
            assert!((factor(text).unwrap() - expected).abs() < 1e-9, "{text}");
        }
        for wrong in ["1.1", "5ms", "10%", "x", "-200%", "infx"] {
            assert!(factor(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_limit_is_told_what_would_be_right() {
        for (wrong, hint) in [
            ("errors", "write METRIC"),
            ("beat_rtt<1.1x", "beat_rtt:p99"),
            ("beat_rtt:p99<5ms", "no ratio"),
            ("server.speed<2x", "cpu_share"),
            ("nonsense<2x", "there is no metric"),
        ] {
            let told = wrong.parse::<Limit>().unwrap_err();
            assert!(told.contains(hint), "{wrong}: {told}");
        }
    }

    #[test]
    fn a_limit_says_where_and_of_whom() {
        let limit: Limit = "measure/healthy.beat_rtt:p99.9 <= +10%".parse().unwrap();
        assert_eq!(limit.figure.to_string(), "measure/healthy.beat_rtt:p99.9");
        let limit: Limit = "server.cpu_share<2x".parse().unwrap();
        assert_eq!(limit.figure.to_string(), "server.cpu_share");
    }
}
