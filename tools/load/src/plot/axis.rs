//! An axis: which values it spans, where each has its place, which of them are written.

use crate::units::{grouped, show_bytes, show_nanos};

/// What an axis is about.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    pub(crate) label: String,
    scale: Scale,
    unit: Unit,
}

/// How values are laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scale {
    /// From zero to a round number above the highest.
    Linear,
    /// From zero to the highest.
    Exact,
    /// By the logarithm.
    Log,
    /// Shares below one; each step halves what is left: 0, 90 %, 99 %, 99.9 %.
    Tail,
}

/// What values are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    Count,
    Seconds,
    Nanos,
    Bytes,
    /// A share of one.
    Percent,
}

/// An axis with its span and its ticks.
#[derive(Debug)]
pub(super) struct Ruler {
    scale: Scale,
    unit: Unit,
    low: f64,
    high: f64,
    pub(super) ticks: Vec<Tick>,
}

/// A value that is written at the axis.
#[derive(Debug)]
pub(super) struct Tick {
    pub(super) value: f64,
    pub(super) label: String,
}

impl Axis {
    pub(crate) fn new(label: &str, scale: Scale, unit: Unit) -> Self {
        Self {
            label: label.to_owned(),
            scale,
            unit,
        }
    }
}

impl Axis {
    pub(super) fn is_logarithmic(&self) -> bool {
        self.scale == Scale::Log
    }
}

impl Ruler {
    /// Spans all `values`, over so much of the paper.
    pub(super) fn new(axis: &Axis, values: impl Iterator<Item = f64>, length: f64) -> Self {
        let Axis { scale, unit, .. } = *axis;
        let values = values.filter(|value| value.is_finite());
        let bounds = values.map(|value| (value, value));
        let bounds = bounds.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
        let (least, most) = bounds.unwrap_or((0.0, 1.0));
        let (low, high, marks) = match scale {
            Scale::Linear | Scale::Exact => linear(unit, scale, most, length),
            Scale::Log => logarithmic(least, most),
            Scale::Tail => tail(most),
        };
        let mut ruler = Self {
            scale,
            unit,
            low,
            high,
            ticks: Vec::new(),
        };
        let ticks = marks.into_iter().map(|value| Tick {
            value,
            label: ruler.show(value),
        });
        ruler.ticks = ticks.collect();
        if matches!(scale, Scale::Tail | Scale::Exact) {
            ruler.drop_crowded(length);
        }
        ruler
    }

    /// Where a value lies, from 0 to 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        let level = |value: f64| match self.scale {
            Scale::Linear | Scale::Exact => value,
            Scale::Log => value.max(self.low).log10(),
            Scale::Tail => -(1.0 - value).max(1.0 - self.high).log10(),
        };
        let (low, high) = (level(self.low), level(self.high));
        let place = (level(value) - low) / (high - low);
        if place.is_finite() {
            place.clamp(0.0, 1.0)
        } else {
            0.0
        }
    }

    /// A value as it is written.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts, bytes and times, not negative"
    )]
    pub(super) fn show(&self, value: f64) -> String {
        match self.unit {
            Unit::Count if value >= 1e4 => shortened(value),
            Unit::Count if value.fract() == 0.0 => grouped(value as u64),
            Unit::Count => plain(value),
            Unit::Seconds => show_seconds(value),
            Unit::Nanos => trim(&show_nanos(value.round() as u64)),
            Unit::Bytes => trim(&show_bytes(value.round() as u64)),
            Unit::Percent => format!("{} %", plain(value * 100.0)),
        }
    }

    /// Leaves out whatever would be written over its neighbour.
    fn drop_crowded(&mut self, length: f64) {
        let mut free = f64::NEG_INFINITY;
        let ticks = std::mem::take(&mut self.ticks);
        for tick in ticks {
            let half = super::width_of(&tick.label) / 2.0;
            // The last one is moved to the left where it would leave the paper.
            let middle = (self.place(tick.value) * length).min(length + super::RIGHT - half);
            if middle - half >= free {
                free = middle + half + 6.0;
                self.ticks.push(tick);
            }
        }
    }
}

/// From zero, in steps that people count in.
fn linear(unit: Unit, scale: Scale, most: f64, length: f64) -> (f64, f64, Vec<f64>) {
    let most = if most > 0.0 { most } else { 1.0 };
    let wanted = (length / if scale == Scale::Exact { 65.0 } else { 40.0 }).max(2.0);
    let step = step(unit, most / wanted);
    let high = match scale {
        Scale::Exact => most,
        _ => (most / step).ceil() * step,
    };
    let ticks = (0..=20).map(|number| f64::from(number) * step);
    let ticks = ticks.take_while(|tick| *tick <= high * 1.000_001);
    (0.0, high, ticks.collect())
}

/// The first round step that is not below `least`.
fn step(unit: Unit, least: f64) -> f64 {
    let round = |least: f64| {
        let decade = 10_f64.powf(least.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
        *steps
            .iter()
            .find(|step| **step >= least * 0.999_999)
            .unwrap_or(&least)
    };
    match unit {
        Unit::Count => round(least).max(1.0),
        Unit::Seconds if least > 5.0 => {
            let steps = [
                10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 3_600.0,
            ];
            let found = steps.into_iter().find(|step| *step >= least);
            found.unwrap_or_else(|| round(least / 3_600.0) * 3_600.0)
        }
        Unit::Bytes => 2_f64.powf(least.log2().ceil()).max(1.0),
        Unit::Nanos | Unit::Percent | Unit::Seconds => round(least),
    }
}

/// From a 1, 2 or 5 below the least to one above the most.
fn logarithmic(least: f64, most: f64) -> (f64, f64, Vec<f64>) {
    let (least, most) = (least.max(1.0), most.max(1.0));
    let mut levels = Vec::new();
    for decade in 0..19 {
        levels.extend([1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(decade)));
    }
    let low = levels
        .iter()
        .rposition(|level| *level <= least)
        .unwrap_or(0);
    let high = levels.iter().position(|level| *level > most);
    let high = high.unwrap_or(levels.len() - 1).max(low + 1);
    let spanned = &levels[low.min(high - 1)..=high];
    let is_wide = spanned.len() > 8;
    let is_shown = |level: &f64| !is_wide || level.log10().fract().abs() < 1e-9;
    let ticks = spanned.iter().copied().filter(is_shown).collect();
    (spanned[0], levels[high], ticks)
}

/// From nothing to the last share that was reached.
fn tail(most: f64) -> (f64, f64, Vec<f64>) {
    let nines = (-(1.0 - most).max(1e-9).log10()).clamp(1.0, 9.0);
    let mut ticks = vec![0.0, 0.5];
    let mut left = 0.1;
    while -f64::log10(left) <= nines + 1e-9 {
        ticks.push(1.0 - left);
        left /= 10.0;
    }
    (0.0, 1.0 - 10_f64.powf(-nines), ticks)
}

/// `12k`, `3.5M`.
fn shortened(value: f64) -> String {
    let (size, letter) = if value >= 1e9 {
        (1e9, "G")
    } else if value >= 1e6 {
        (1e6, "M")
    } else {
        (1e3, "k")
    };
    format!("{}{letter}", plain(value / size))
}

fn show_seconds(seconds: f64) -> String {
    if seconds < 120.0 {
        return format!("{} s", plain(seconds));
    }
    if seconds < 7_200.0 {
        return format!("{} min", plain(seconds / 60.0));
    }
    format!("{} h", plain(seconds / 3_600.0))
}

/// At most five decimals, and no zeros after the last that counts.
fn plain(value: f64) -> String {
    let text = format!("{value:.5}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `1.00 ms` as `1 ms`.
fn trim(text: &str) -> String {
    match text.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            let number = number.trim_end_matches('0').trim_end_matches('.');
            format!("{number} {unit}")
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, unit: Unit, values: &[f64]) -> Vec<String> {
        let axis = Axis::new("", scale, unit);
        let ruler = Ruler::new(&axis, values.iter().copied(), 200.0);
        ruler.ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn steps_are_those_that_people_count_in() {
        let of = |unit, most| labels(Scale::Linear, unit, &[0.0, most]);
        assert_eq!(
            of(Unit::Count, 930.0),
            ["0", "200", "400", "600", "800", "1,000"]
        );
        assert_eq!(of(Unit::Count, 2.0), ["0", "1", "2"]);
        assert_eq!(of(Unit::Count, 60_000.0), ["0", "20k", "40k", "60k"]);
        assert_eq!(of(Unit::Percent, 0.12), ["0 %", "5 %", "10 %", "15 %"]);
        let mebi = 1_048_576.0;
        assert_eq!(
            of(Unit::Bytes, 3.5 * mebi),
            ["0 B", "1 MiB", "2 MiB", "3 MiB", "4 MiB"]
        );
        let of = |most| labels(Scale::Exact, Unit::Seconds, &[0.0, most]);
        assert_eq!(of(10.2), ["0 s", "5 s", "10 s"]);
        assert_eq!(of(600.0), ["0 s", "5 min", "10 min"]);
        assert_eq!(of(86_400.0), ["0 s", "10 h", "20 h"]);
    }

    #[test]
    fn times_are_laid_out_by_their_logarithm() {
        let of = |values: &[f64]| labels(Scale::Log, Unit::Nanos, values);
        assert_eq!(
            of(&[120e3, 1.1e6]),
            ["100 us", "200 us", "500 us", "1 ms", "2 ms"]
        );
        assert_eq!(of(&[40.0, 3e9]).last().unwrap(), "1 s");
        assert_eq!(of(&[0.0, 0.0]), ["1 ns", "2 ns"]);
        assert!(!of(&[1.0, 1e19]).is_empty());
    }

    #[test]
    fn a_tail_gives_each_nine_the_same_room() {
        let axis = Axis::new("", Scale::Tail, Unit::Percent);
        let ruler = Ruler::new(&axis, [0.0, 0.9999].into_iter(), 400.0);
        let labels: Vec<&str> = ruler.ticks.iter().map(|tick| &*tick.label).collect();
        // Half would be written over nothing.
        assert_eq!(labels, ["0 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
        for (value, place) in [
            (0.0, 0.0),
            (0.9, 0.25),
            (0.99, 0.5),
            (0.9999, 1.0),
            (1.0, 1.0),
        ] {
            assert!((ruler.place(value) - place).abs() < 1e-6, "{value}");
        }
    }
}
