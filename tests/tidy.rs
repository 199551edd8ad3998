//! The house style as a test: what a reviewer would otherwise say again and again.
//!
//! Reads the sources as text, line by line, and never parses Rust: rustfmt has been there before,
//! so that indentation can be trusted. A message says where, what, and what to do about it.
//!
//! An exception is a line in one of the tables below, with its reason. The words that are looked
//! for everywhere are spelled in two pieces here, so that this file passes its own test.

use std::fmt::Display;
use std::fs;
use std::path::Path;

/// Words that do not belong where they are looked for.
struct Rule {
    words: &'static [&'static str],
    /// Where the rule holds: beginnings of paths.
    within: &'static [&'static str],
    /// Where it does not, and why.
    rooms: &'static [(&'static str, &'static str)],
    advice: &'static str,
}

const EVERYWHERE: &[&str] = &["src/", "tests/", "benches/", "tools/"];

const RULES: &[Rule] = &[
    Rule {
        words: &[
            concat!("dbg", "!("),
            concat!("FIX", "ME"),
            concat!("#[ig", "nore"),
        ],
        within: EVERYWHERE,
        rooms: &[],
        advice: "a leftover: finish it or take it out",
    },
    Rule {
        words: &[concat!("thread::", "sleep")],
        within: EVERYWHERE,
        rooms: &[],
        advice: "wait for the event itself, with a time limit",
    },
    Rule {
        words: &["Instant::now", "SystemTime::now"],
        within: &["src/"],
        rooms: &[
            ("src/net/mio.rs", "the one place where time enters"),
            ("src/client/", "blocks its caller: its own clock"),
            ("src/commands/connect/", "waits for people: its own clock"),
            ("src/log.rs", "the stamp of a line: its own clock"),
        ],
        advice: "take the time from the turn (`Gate`), or from `Net`",
    },
    Rule {
        words: &[
            "thread::spawn",
            "thread::Builder",
            "thread::scope",
            "std::env",
        ],
        within: &["src/"],
        rooms: &[
            ("src/net/mio.rs", "the one place that touches the world"),
            ("src/main.rs", "before there is a loop"),
            ("src/cli.rs", "before there is a loop"),
            ("src/cli/", "before there is a loop"),
            ("src/client/", "blocks its caller and has no loop"),
            ("src/pool/keeper.rs", "a pool has no loop"),
            ("src/commands/connect/", "waits for two sides at once"),
            ("src/log.rs", "standard error's surroundings"),
            ("src/daemon/reload.rs", "reads files, beside the loop"),
            ("src/daemon/watch.rs", "looks whether the loop turns"),
            ("src/daemon/hardening/", "its tests: threads that end"),
        ],
        advice: "the loop is one thread and knows no environment: do it in main, hand it in",
    },
    Rule {
        words: &[
            "getrandom",
            "RandomState",
            "thread_rng",
            "rand::rng()",
            "rand::random",
            "urandom",
        ],
        within: &["src/"],
        rooms: &[
            ("src/net/mio.rs", "the one place where entropy enters"),
            ("src/client/", "jitter of a client that has no `Net`"),
            ("src/daemon/hardening/calls.rs", "the number of the call"),
        ],
        advice: "take entropy from `Net`, or a seed does not replay",
    },
    Rule {
        words: &["RefCell", "Rc<", "Rc::new"],
        within: &["src/"],
        rooms: &[],
        advice: "one owner, `&mut` on the way down; pass an id where a pointer is wanted",
    },
    Rule {
        words: &[concat!("uns", "afe ")],
        within: EVERYWHERE,
        rooms: &[
            ("benches/support/counting.rs", "a counting allocator"),
            ("tests/wire/allocation.rs", "a counting allocator, again"),
            ("tools/fuzz/src/", "counters of memory and of branches"),
            ("tools/allocator/src/", "a call that no crate wraps"),
            ("tools/load/src/sockopt.rs", "an option that no crate wraps"),
        ],
        advice: "find the safe call (rustix, socket2), or make a case for a room of its own",
    },
];

/// Characters in a line.
const LINE_MAX: usize = 100;
/// Lines of a function, from its signature to its closing brace.
const FUNCTION_MAX: usize = 70;
/// Lines of a file, without its unit tests.
const FILE_MAX: usize = 500;

/// Functions that may stay longer than [`FUNCTION_MAX`]: `file:function`, lines. None may grow.
const LONG_FUNCTIONS: &[(&str, usize)] = &[];

/// Files that may stay longer than [`FILE_MAX`]: `file`, lines. None may grow.
const LONG_FILES: &[(&str, usize)] = &[];

#[test]
fn every_line_fits_the_screen() {
    // an address cannot be broken
    let long = |line: &str| line.chars().count() > LINE_MAX && !line.contains("://");
    let advice = format!("over {LINE_MAX} characters: break the line");
    demand_none(
        sources()
            .iter()
            .flat_map(|source| source.find(long, &advice)),
    );
}

#[test]
fn no_word_is_where_it_does_not_belong() {
    let sources = sources();
    let of = |rule| sources.iter().flat_map(move |source| broken(rule, source));
    demand_none(RULES.iter().flat_map(of));
}

#[test]
fn what_is_left_to_do_names_its_issue() {
    let (word, with_issue) = (concat!("TO", "DO"), concat!("TO", "DO(#"));
    let open = |line: &str| line.contains(word) && !line.contains(with_issue);
    let advice = format!("do it, or open an issue and write {with_issue}number)");
    demand_none(
        sources()
            .iter()
            .flat_map(|source| source.find(open, &advice)),
    );
}

#[test]
fn every_file_says_first_what_it_is() {
    let silent = |source: &&Source| !source.text.starts_with("//!");
    let advice = "no module doc: begin with `//!`, what this is and what it never does";
    let sources = sources();
    demand_none(
        sources
            .iter()
            .filter(silent)
            .map(|source| source.at(1, advice)),
    );
}

#[test]
fn every_function_fits_the_screen() {
    let mut lengths = Vec::new();
    for source in sources() {
        for function in functions(&source.text) {
            let name = format!("{}:{}", source.path, function.name);
            lengths.push((
                name,
                source.at(function.line, function.name),
                function.lines,
            ));
        }
    }
    demand_none(over(
        FUNCTION_MAX,
        &lengths,
        LONG_FUNCTIONS,
        "which step has a name?",
    ));
}

#[test]
fn every_file_reads_in_one_sitting() {
    let length = |source: Source| {
        let lines = lines_without_tests(&source.text);
        (
            source.path.clone(),
            source.at(lines, "the file without its tests"),
            lines,
        )
    };
    let lengths: Vec<_> = sources().into_iter().map(length).collect();
    demand_none(over(
        FILE_MAX,
        &lengths,
        LONG_FILES,
        "which noun is missing?",
    ));
}

#[test]
fn what_is_long_may_stay_but_not_grow_and_not_keep_its_entry_once_shorter() {
    let over =
        |lines, listed| over(70, &[("a:f".into(), "a:1: f".into(), lines)], listed, "?").len();
    assert_eq!((over(70, &[]), over(71, &[])), (0, 1));
    let listed: &'static [(&str, usize)] = &[("a:f", 80)];
    assert_eq!((over(80, listed), over(81, listed)), (0, 1));
    assert_eq!((over(79, listed), over(7, listed)), (1, 1));
    assert_eq!(over(7, &[("a:gone", 80)]), 1);
}

#[test]
fn no_text_names_a_place_on_somebodys_machine() {
    let advice = "a path of one machine: make it relative, or say where it comes from";
    // a crate right below the root has no place that could be told from a route
    let here = Some(env!("CARGO_MANIFEST_DIR")).filter(|path| path.matches('/').count() > 1);
    let named = |line: &str| {
        HOMES.iter().any(|home| names(line, &format!("/{home}/")))
            || here.is_some_and(|path| names(line, path))
    };
    demand_none(texts("").iter().flat_map(|text| text.find(named, advice)));
}

#[test]
fn the_rules_find_what_they_look_for() {
    for rule in RULES {
        for word in rule.words {
            let place = |path: &str, line: String| Source {
                path: path.to_owned(),
                text: format!("//! A file.\n{line}\n"),
            };
            let found = |source: &Source| broken(rule, source).len();
            let inside = format!("{}any.rs", rule.within[0]);
            assert_eq!(found(&place(&inside, format!("    {word}"))), 1, "{word}");
            assert_eq!(
                found(&place(&inside, format!("    x(); // {word}"))),
                0,
                "{word}"
            );
            assert_eq!(found(&place("any.rs", format!("    {word}"))), 0, "{word}");
            for (room, _) in rule.rooms {
                assert_eq!(found(&place(room, format!("    {word}"))), 0, "{word}");
            }
        }
    }
    for line in ["/mine/x", "see \"/mine/x\"", "at=/mine/"] {
        assert!(names(line, "/mine/"), "{line}");
    }
    for line in [
        "tests/mine/x",
        "../mine/x",
        "/mineral/x",
        "https://host/mine/",
    ] {
        assert!(!names(line, "/mine/"), "{line}");
    }
}

#[test]
fn the_length_of_a_function_is_counted_from_signature_to_brace() {
    let text = "\
fn one() {}

impl Some {
    pub(crate) const fn three(&self) -> bool {
        true
    }

    fn declared(
        a: u32,
    ) -> u32;

    fn six<T>(
        a: T,
    ) -> u32
    where
        T: Copy,
    {
    }
}
";
    let counted: Vec<_> = functions(text)
        .map(|function| (function.line, function.name, function.lines))
        .collect();
    let expected = [(1, "one", 1), (4, "three", 3), (12, "six", 7)];
    assert_eq!(
        counted,
        expected.map(|(line, name, lines)| (line, name.to_owned(), lines))
    );
    assert_eq!(
        lines_without_tests("a\nb\n#[cfg(test)]\nmod tests {\n}\n"),
        2
    );
    assert_eq!(lines_without_tests("#[cfg(test)]\nfn helper() {}\n"), 2);
}

/// A file's text and its path from the root of the crate.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn at(&self, line: usize, says: impl Display) -> String {
        format!("{}:{line}: {says}", self.path)
    }

    /// A complaint for each line that is `wrong`.
    fn find(&self, wrong: impl Fn(&str) -> bool, says: &str) -> Vec<String> {
        let lines = self.text.lines().zip(1..);
        lines
            .filter(|(line, _)| wrong(line))
            .map(|(_, number)| self.at(number, says))
            .collect()
    }
}

fn demand_none(complaints: impl IntoIterator<Item = String>) {
    let complaints: Vec<String> = complaints.into_iter().collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// A ratchet: complains of each length over `max` but for those `listed`, which may not grow, and
/// of each entry that has become too generous. A length has a name, a place and a number.
fn over(
    max: usize,
    lengths: &[(String, String, usize)],
    listed: &[(&str, usize)],
    advice: &str,
) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, place, lines) in lengths {
        let entry = listed.iter().find(|(listed, _)| listed == name);
        let max = entry.map_or(max, |(_, lines)| *lines);
        if *lines > max {
            complaints.push(format!("{place}: {lines} lines of at most {max}: {advice}"));
        }
    }
    for (entry, max) in listed {
        if !lengths
            .iter()
            .any(|(name, _, lines)| name == entry && lines >= max)
        {
            complaints.push(format!(
                "{entry}: shorter than {max} lines: lower its entry or drop it"
            ));
        }
    }
    complaints
}

/// Where `source` breaks `rule`.
fn broken(rule: &Rule, source: &Source) -> Vec<String> {
    let lies_in = |folder: &str| source.path.starts_with(folder);
    let holds = rule.within.iter().any(|folder| lies_in(folder));
    if !holds || rule.rooms.iter().any(|(room, _)| lies_in(room)) {
        return Vec::new();
    }
    let of_word = |word: &&str| {
        let says = format!("`{}`: {}", word.trim(), rule.advice);
        source.find(|line| code(line).contains(word), &says)
    };
    rule.words.iter().flat_map(of_word).collect()
}

/// The line without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or(line)
}

/// Lines before the unit tests, which are the last part of a file.
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let begins = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ");
    lines.windows(2).position(begins).unwrap_or(lines.len())
}

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// The functions of a formatted file that have a body.
fn functions(text: &str) -> impl Iterator<Item = Function> {
    let lines: Vec<&str> = text.lines().collect();
    (0..lines.len()).filter_map(move |first| {
        let name = function_name(lines[first])?;
        let lines = function_lines(&lines[first..])?;
        Some(Function {
            name,
            line: first + 1,
            lines,
        })
    })
}

/// The name of the function that a line declares.
fn function_name(line: &str) -> Option<String> {
    let (before, after) = code(line).split_once("fn ")?;
    let qualifies = |word: &str| {
        word.starts_with("pub") || ["const", "async", "extern", "default"].contains(&word)
    };
    if !before.split_whitespace().all(qualifies) {
        return None;
    }
    let end = after.find(['(', '<'])?;
    Some(after[..end].to_owned())
}

/// Lines up to the brace that stands as far left as the signature began; none for a declaration.
fn function_lines(lines: &[&str]) -> Option<usize> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    if lines[0].ends_with('}') {
        return Some(1);
    }
    if lines[0].ends_with(';') {
        return None;
    }
    let level = |line: &&str| !line.is_empty() && depth(line) == depth(lines[0]);
    for (line, count) in lines
        .iter()
        .zip(1..)
        .skip(1)
        .filter(|(line, _)| level(line))
    {
        if line.trim_start().starts_with('}') {
            return Some(count);
        }
        if line.ends_with(';') {
            return None;
        }
    }
    None
}

/// Where people and builds live on their machines.
const HOMES: &[&str] = &[
    "home",
    "root",
    "Users",
    "work",
    "build",
    "workspace",
    "builds",
];

/// Whether a line has an absolute path that begins so.
fn names(line: &str, path: &str) -> bool {
    let begins = |before: &str| {
        let last = before.chars().last();
        last.is_none_or(|last| !last.is_alphanumeric() && !"._-/*}>".contains(last))
    };
    let mut found = line.match_indices(path);
    found.any(|(start, _)| begins(&line[..start]))
}

/// The Rust sources that the style is about.
fn sources() -> Vec<Source> {
    let mut sources: Vec<Source> = EVERYWHERE.iter().flat_map(|folder| texts(folder)).collect();
    sources.retain(|source| source.path.ends_with(".rs"));
    assert!(sources.len() > 5, "the sources were not found");
    sources
}

/// All text files under a folder of the crate, but for what is built or hidden.
fn texts(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut folders) = (Vec::new(), vec![root.join(folder)]);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.map(|entry| entry.expect("the folder can be read").path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let hidden = name.starts_with('.') && !name.starts_with(".ci");
            if hidden || ["target", "corpus", "artifacts"].contains(&name.as_ref()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path.strip_prefix(root).unwrap_or(&path);
                let path = path.to_string_lossy().replace('\\', "/");
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}
