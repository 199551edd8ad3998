//! Writes the text format of Prometheus: a help and a type for each family, then its samples.

use std::fmt::{Display, Write};
use std::time::Duration;

use crate::gate::Histogram;

/// A page of metrics.
#[derive(Debug)]
pub(crate) struct Exposition {
    text: String,
    prefix: &'static str,
}

/// What kind of number a family has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A family whose samples are being written.
pub(crate) struct Family<'a> {
    page: &'a mut Exposition,
    name: String,
}

impl Default for Exposition {
    fn default() -> Self {
        Self {
            text: String::with_capacity(16 * 1_024),
            prefix: "pulsegate_",
        }
    }
}

impl Exposition {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    /// What follows has the names that every process uses, without ours before them.
    pub(crate) fn bare(&mut self) {
        self.prefix = "";
    }

    /// Begins a family.
    pub(crate) fn family(&mut self, name: &str, kind: Kind, help: &str) -> Family<'_> {
        let name = format!("{}{name}", self.prefix);
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
        Family { page: self, name }
    }

    /// A family of one counter.
    pub(crate) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, Kind::Counter, help).labels(&[], value);
    }

    /// A family of one gauge.
    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, Kind::Gauge, help).labels(&[], value);
    }

    /// A family of one duration.
    pub(crate) fn seconds(&mut self, name: &str, kind: Kind, help: &str, value: Duration) {
        let family = self.family(name, kind, help);
        let name = family.name;
        self.line(format_args!("{name} {}", value.as_secs_f64()));
    }

    /// A family of one histogram.
    pub(crate) fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        let name = self.family(name, Kind::Histogram, help).name;
        for (end, count) in histogram.cumulated() {
            let end = end.as_secs_f64();
            self.line(format_args!("{name}_bucket{{le=\"{end}\"}} {count}"));
        }
        let (count, sum) = (histogram.count(), histogram.sum().as_secs_f64());
        self.line(format_args!("{name}_bucket{{le=\"+Inf\"}} {count}"));
        self.line(format_args!("{name}_sum {sum}\n{name}_count {count}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string can not fail.
        let _ = self.text.write_fmt(line);
        self.text.push('\n');
    }
}

impl Family<'_> {
    /// A sample for each value of a label.
    pub(crate) fn each<'v>(
        &mut self,
        label: &str,
        values: impl IntoIterator<Item = (&'v str, u64)>,
    ) {
        for (value, number) in values {
            self.label(label, value, number);
        }
    }

    /// A sample with one label.
    pub(crate) fn label(&mut self, label: &str, value: &str, number: u64) {
        self.labels(&[(label, value)], number);
    }

    /// A duration with one label.
    pub(crate) fn seconds(&mut self, label: &str, value: &str, span: Duration) {
        self.sample(&[(label, value)], span.as_secs_f64());
    }

    /// A number.
    pub(crate) fn labels(&mut self, labels: &[(&str, &str)], number: u64) {
        self.sample(labels, number);
    }

    fn sample(&mut self, labels: &[(&str, &str)], number: impl Display) {
        let text = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{}\"", escape(value)))
            .collect::<Vec<_>>()
            .join(",");
        let text = if text.is_empty() {
            text
        } else {
            format!("{{{text}}}")
        };
        let name = &self.name;
        self.page.line(format_args!("{name}{text} {number}"));
    }
}

/// A label's value as the format wants it. Ours are words; an application names its listeners.
fn escape(value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    value.replace('\n', "\\n")
}
