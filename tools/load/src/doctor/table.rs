//! The diagnosis for people.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use super::Diagnosis;
use crate::units::grouped;

pub(super) fn of(diagnosis: &Diagnosis) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["", "", "needed", "available", ""]);
    for check in &diagnosis.checks {
        let word = if check.fits { "fits" } else { "SHORT" };
        let (needed, available) = (grouped(check.needed), grouped(check.available));
        table.add_row([word, check.name, &needed, &available, &check.why]);
    }
    for column in table.column_iter_mut().skip(2).take(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = table.trim_fmt() + "\n";
    for check in &diagnosis.checks {
        if let Some(remedy) = &check.remedy {
            text += &format!("{} type: {remedy}\n", check.name);
        }
    }
    let connections = grouped(diagnosis.connections);
    text += &if diagnosis.fits {
        format!("{connections} connections fit\n")
    } else {
        format!("{connections} connections do not fit\n")
    };
    text
}
