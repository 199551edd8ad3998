//! `top`: the connections that are largest in something, again and again.

use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, Command};
use serde_json::Value;

use super::http::Told;
use super::show::number;
use super::tell::{connections, status_lines};
use super::terminal::{Input, Terminal};
use super::{Problem, Session, span};

/// What connections are ordered by, with the key that chooses it.
const SORTS: [(&str, u8); 10] = [
    ("frames_per_second", b'f'),
    ("bytes_in", b'i'),
    ("bytes_out", b'o'),
    ("outbox", b'u'),
    ("frames_in", b'r'),
    ("frames_out", b's'),
    ("last_in", b'l'),
    ("last_out", b'w'),
    ("opened", b'a'),
    ("id", b'n'),
];
const EVERY: Duration = Duration::from_secs(2);
/// More often is of no use to eyes, and work for the daemon.
const EVERY_MIN: Duration = Duration::from_millis(100);
/// Rows where there is no terminal to fill.
const ROWS: usize = 20;
/// Lines above the rows.
const LINES_ABOVE: usize = 6;
const CTRL_C: u8 = 3;

pub(super) fn command() -> Command {
    Command::new("top")
        .about("Watch the busiest connections; one page where stdout is no terminal")
        .arg(
            Arg::new("sort")
                .long("sort")
                .value_name("KEY")
                .value_parser(PossibleValuesParser::new(SORTS.map(|(name, _)| name)))
                .default_value(SORTS[0].0)
                .help("what comes first: the largest of these, or the longest ago"),
        )
        .arg(span("every").help("asks so often [default: 2s]"))
}

pub(super) fn run(session: &Session<'_>) -> Result<(), Problem> {
    let wanted = session.text("sort").unwrap_or_default();
    let mut sort = SORTS.iter().position(|(name, _)| *name == wanted);
    let sort = sort.get_or_insert(0);
    if session.is_json {
        let told = conns(session, *sort, ROWS)?;
        return session.print(&told, String::new);
    }
    // Who is not reached is told on the screen as it was.
    let mut page = page(session, *sort, ROWS)?;
    let Some(mut terminal) = Terminal::open().map_err(Problem::Output)? else {
        return super::print(&page);
    };
    let every = session.matches.get_one::<Duration>("every");
    let every = every.copied().unwrap_or(EVERY).max(EVERY_MIN);
    loop {
        terminal.draw(&page).map_err(Problem::Output)?;
        match terminal.wait(every).map_err(Problem::Output)? {
            Input::Key(b'q' | CTRL_C) | Input::End => return Ok(()),
            Input::Key(key) => *sort = chosen(key, *sort),
            Input::Nothing => {}
        }
        let rows = terminal.size().1.saturating_sub(LINES_ABOVE).max(1);
        page = self::page(session, *sort, rows)?;
    }
}

/// What it is ordered by after this key.
fn chosen(key: u8, sort: usize) -> usize {
    let count = SORTS.len();
    match key {
        b'>' => (sort + 1) % count,
        b'<' => (sort + count - 1) % count,
        _ => SORTS
            .iter()
            .position(|(_, letter)| *letter == key)
            .unwrap_or(sort),
    }
}

fn conns(session: &Session<'_>, sort: usize, rows: usize) -> Result<Told, Problem> {
    let name = SORTS[sort].0;
    let target = format!("/v1/connections?sort={name}&limit={rows}");
    session.admin.get(&target)
}

fn page(session: &Session<'_>, sort: usize, rows: usize) -> Result<String, Problem> {
    let stats = session.admin.get("/v1/stats")?.json;
    let told = conns(session, sort, rows)?.json;
    Ok(text(&stats, &told, sort))
}

fn text(stats: &Value, told: &Value, sort: usize) -> String {
    let mut text = String::new();
    for (name, line) in status_lines(stats) {
        if matches!(name, "connections" | "loop" | "memory") {
            text += &format!("{name:<12}{line}\n");
        }
    }
    let keys = SORTS.iter().enumerate().map(|(number, (name, key))| {
        let key = char::from(*key);
        if number == sort {
            format!("[{key} {name}]")
        } else {
            key.to_string()
        }
    });
    let keys: Vec<String> = keys.collect();
    text += &format!("sort: {}  < > q\n\n", keys.join(" "));
    let now = number(stats, "now").saturating_mul(1_000);
    text + &connections(super::show::rows(told, "connections"), now).text()
}
