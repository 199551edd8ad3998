//! The table of what must hold and of the tests that show it (`tests/rows.txt`) is whole and true.
//!
//! Reads the sources as text: a test is a function of that name behind `#[test]` in the file that
//! its path names. Whether the test shows what the row asks for is for its reader to judge.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Groups whose rows are told one by one, and their numbers.
const TOLD: &[(char, RangeInclusive<u32>)] = &[
    ('A', 1..=14),
    ('B', 15..=27),
    ('C', 28..=38),
    ('D', 39..=50),
    ('E', 51..=64),
    ('F', 65..=79),
    ('G', 80..=84),
    ('H', 85..=92),
    ('J', 102..=106),
    ('L', 112..=114),
    ('P', 1..=16),
];

/// Every group there is.
const GROUPS: &str = "ABCDEFGHIJKLMP";

/// A group of rows.
struct Group {
    letter: char,
    later: Option<String>,
    rows: Vec<Row>,
}

/// A row of the table.
struct Row {
    id: String,
    title: String,
    tests: Vec<String>,
    later: Option<String>,
    /// What the tests show instead of what the catalogue asks for.
    notes: Vec<String>,
}

#[test]
fn every_row_is_there_once_and_has_tests_or_a_reason() {
    let table = table();
    let letters: String = table.iter().map(|group| group.letter).collect();
    assert_eq!(letters, GROUPS, "each group once and in order");
    for group in &table {
        let letter = group.letter;
        let told = TOLD.iter().find(|(told, _)| *told == letter);
        assert_eq!(told.is_none(), group.later.is_some(), "group {letter}");
        let prefix = if letter == 'P' { "P" } else { "" };
        let wanted = told.into_iter().flat_map(|(_, rows)| rows.clone());
        let wanted: Vec<String> = wanted.map(|row| format!("{prefix}{row}")).collect();
        let ids: Vec<&str> = group.rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, wanted, "the rows of group {letter}");
        for Row {
            id,
            title,
            tests,
            later,
            notes,
        } in &group.rows
        {
            assert!(!title.is_empty(), "row {id} has no title");
            assert!(
                later.is_some() || !tests.is_empty(),
                "row {id}: no test, no reason"
            );
            assert!(
                notes.is_empty() || !tests.is_empty(),
                "row {id}: a note beside no test"
            );
            let mut once = tests.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), tests.len(), "row {id} names a test twice");
        }
    }
}

#[test]
fn every_test_that_a_row_names_exists() {
    let table = table();
    let named = rows(&table).flat_map(|row| row.tests.iter().map(move |test| (&row.id, test)));
    let missing: Vec<String> = named
        .filter(|(_, test)| !exists(test))
        .map(|(id, test)| format!("row {id}: {test}"))
        .collect();
    assert!(missing.is_empty(), "\n{}\n", missing.join("\n"));
    assert!(!exists("tcp::framing::no_such_test"));
    assert!(!exists("tcp::framing::conversation"), "a helper is no test");
    assert!(!exists("load::ports::no_such_test"));
    assert!(!exists("fuzz::corpus::no_such_test"));
    assert!(!exists(
        "tcp::no_such_file::torn_at_any_byte_the_result_is_the_same"
    ));
}

#[test]
fn every_promise_that_is_made_names_a_test_of_its_row() {
    let table = table();
    let promises = table.iter().find(|group| group.letter == 'P');
    let promises = promises.expect("there is a group of promises");
    let manual = read("src/manual/promises.rs").replace("\n//!", "");
    let readme = read("README.md");
    for Row { id, tests, .. } in &promises.rows {
        let made = manual
            .split("- **")
            .find(|text| text.starts_with(&format!("{id}**")));
        assert_eq!(made.is_some(), !tests.is_empty(), "{id} in the manual");
        let told = readme
            .lines()
            .find(|line| line.starts_with(&format!("| {id} |")));
        assert_eq!(told.is_some(), !tests.is_empty(), "{id} in the README");
        for text in made.into_iter().chain(told) {
            let names = |test: &String| text.contains(&format!("`{}`", name(test)));
            assert!(
                tests.iter().any(names),
                "{id} names none of its tests: {text}"
            );
            // A name of four words or more is that of a test.
            let marked = text.split('`').skip(1).step_by(2);
            let strange = marked
                .filter(|word| word.matches('_').count() > 2)
                .find(|word| !tests.iter().any(|test| name(test) == *word));
            assert_eq!(strange, None, "{id} names what is no test of its row");
        }
    }
}

#[test]
fn every_promise_is_made_but_those_of_what_is_not_built() {
    let table = table();
    let promises = table.iter().find(|group| group.letter == 'P');
    let promises = &promises.expect("there is a group of promises").rows;
    let later = promises.iter().filter(|row| row.later.is_some());
    let later: Vec<&str> = later.map(|row| row.id.as_str()).collect();
    assert_eq!(later, ["P7", "P8"]);
}

/// Whether the table's source has this test.
fn exists(test: &str) -> bool {
    let (path, name) = test.rsplit_once("::").unwrap_or(("", test));
    let head = format!("fn {name}(");
    places(path).iter().any(|place| {
        let text = fs::read_to_string(place).unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        let is_test = |at: usize| {
            let before = lines[..at].iter().rev();
            let mut marks = before.take_while(|line| line.starts_with(['#', '/']));
            marks.any(|line| *line == "#[test]")
        };
        let mut found = (0..lines.len()).filter(|&at| lines[at].starts_with(&head));
        found.any(is_test)
    })
}

/// The files in which a module may stand.
fn places(module: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = module.replace("::", "/");
    let path = match module.split("::").next() {
        Some("src") => root.join(path),
        Some("load") => root.join("tools/load/tests").join(path),
        Some("fuzz") => root.join("tools").join(path.replacen('/', "/tests/", 1)),
        _ => root.join("tests").join(path),
    };
    // Unit tests stand at the end of the file they are about, or beside it.
    let about = path.ends_with("tests").then(|| path.with_file_name(""));
    let stems = about.into_iter().chain([path]);
    stems
        .flat_map(|stem| {
            let beside = stem.components().as_path().with_extension("rs");
            [beside, stem.join("mod.rs"), stem.join("main.rs")]
        })
        .collect()
}

/// The name of a test without its path.
fn name(test: &str) -> &str {
    test.rsplit("::").next().unwrap_or(test)
}

fn rows(table: &[Group]) -> impl Iterator<Item = &Row> {
    table.iter().flat_map(|group| &group.rows)
}

fn table() -> Vec<Group> {
    let mut table: Vec<Group> = Vec::new();
    let text = read("tests/rows.txt");
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        if let Some(letter) = line.strip_prefix('[').and_then(|rest| rest.chars().next()) {
            table.push(Group {
                letter,
                later: None,
                rows: Vec::new(),
            });
            continue;
        }
        let group = table.last_mut().expect("rows stand in a group");
        let reason = line.trim_start().strip_prefix("later: ").map(str::to_owned);
        match (line.starts_with(' '), reason, group.rows.last_mut()) {
            (false, Some(reason), _) => group.later = Some(reason),
            (false, None, _) => {
                let (id, title) = line.split_once(" = ").expect(line);
                group.rows.push(Row {
                    id: id.to_owned(),
                    title: title.to_owned(),
                    tests: Vec::new(),
                    later: None,
                    notes: Vec::new(),
                });
            }
            (true, Some(reason), Some(row)) => row.later = Some(reason),
            (true, None, Some(row)) => match line.trim().strip_prefix("note: ") {
                Some(note) => row.notes.push(note.to_owned()),
                None => row.tests.push(line.trim().to_owned()),
            },
            (true, _, None) => panic!("no row before {line:?}"),
        }
    }
    table
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
