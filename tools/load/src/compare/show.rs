//! A comparison for people: a table on standard output.

use std::fmt::Write;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use super::figure::Wish;
use super::{Comparison, Row, Spread};
use crate::verdict::Means;

impl Comparison {
    pub(crate) fn show(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "A       {}", self.a.join(", "))?;
        writeln!(text, "B       {}", self.b.join(", "))?;
        for difference in &self.differences {
            let (setting, a, b) = (&difference.setting, &difference.a, &difference.b);
            writeln!(text, "differs {setting}: A {a}, B {b}")?;
        }
        writeln!(text, "\n{}\n", self.table())?;
        for note in &self.notes {
            writeln!(text, "note    {note}")?;
        }
        for held in &self.limits {
            let mark = if held.is_kept { "kept  " } else { "BROKEN" };
            writeln!(text, "{mark}  {} (seen: {})", held.limit, held.shown)?;
        }
        let word = match self.outcome {
            Means::Passed if self.limits.is_empty() => return Ok(()),
            Means::Passed => "passed",
            Means::Failed => "FAILED",
            Means::Invalid => "INVALID",
        };
        writeln!(text, "{word}")
    }

    fn table(&self) -> String {
        let is_alone = self.rows.iter().all(|row| row.a.runs < 2 && row.b.runs < 2);
        let mut table = Table::new();
        table.load_style(NOTHING);
        if is_alone {
            table.set_header(["", "A", "B", "B/A"]);
        } else {
            table.set_header(["", "A", "min..max", "B", "min..max", "B/A", ""]);
        }
        for row in &self.rows {
            let mut cells = vec![row.figure.clone()];
            for spread in [row.a, row.b] {
                cells.push(row.what.show(spread.median));
                cells.extend((!is_alone).then(|| row.range(spread)));
            }
            cells.push(ratio(row.ratio));
            cells.extend((!is_alone).then(|| row.word().to_owned()));
            table.add_row(cells);
        }
        let last = if is_alone { 3 } else { 5 };
        for column in table.column_iter_mut().skip(1).take(last) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.trim_fmt()
    }
}

impl Row {
    fn range(&self, spread: Spread) -> String {
        if spread.runs < 2 {
            return String::from("one run");
        }
        let [min, max] = [spread.min, spread.max].map(|value| self.what.show(value));
        format!("{min}..{max}")
    }

    /// What the difference means.
    fn word(&self) -> &'static str {
        let is_same = self.a == self.b;
        match (self.lies_apart, self.what.wish()) {
            _ if is_same => "the same",
            (None, _) => "?",
            (Some(false), _) => "within the spread",
            (Some(true), Wish::None) => "differs",
            (Some(true), wish) => {
                let is_more = self.b.median > self.a.median;
                if is_more == (wish == Wish::More) {
                    "better"
                } else {
                    "worse"
                }
            }
        }
    }
}

/// `1.05x`.
pub(super) fn ratio(ratio: Option<f64>) -> String {
    match ratio {
        None => String::from("from nothing"),
        Some(ratio) if ratio < 0.1 => format!("{ratio:.4}x"),
        Some(ratio) if ratio < 10.0 => format!("{ratio:.3}x"),
        Some(ratio) => format!("{ratio:.1}x"),
    }
}
