//! The bugs that are planted for the simulation (`tests/sim/planted`) fit the sources as they are:
//! a patch that no longer applies would look for nothing.

use std::fs;
use std::path::Path;

/// One place that a patch changes: the lines it expects.
struct Hunk {
    file: String,
    before: String,
}

#[test]
fn every_planted_bug_applies_in_exactly_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("tests/sim/planted");
    let mut patches = 0;
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        let patch = fs::read_to_string(&path).expect("a patch is text");
        let hunks = hunks(&patch);
        assert!(!hunks.is_empty(), "{} changes nothing", path.display());
        for Hunk { file, before } in hunks {
            let source = fs::read_to_string(root.join(&file)).expect("its file is there");
            let places = source.matches(&before).count();
            assert_eq!(places, 1, "places for {} in {file}", path.display());
        }
        patches += 1;
    }
    assert!(patches >= 25, "{patches} planted bugs");
}

fn hunks(patch: &str) -> Vec<Hunk> {
    let (mut hunks, mut file) = (Vec::<Hunk>::new(), "");
    for line in patch.lines() {
        if let Some(name) = line.strip_prefix("+++ b/") {
            file = name;
        } else if line.starts_with("@@ ") {
            hunks.push(Hunk {
                file: file.to_owned(),
                before: "\n".to_owned(),
            });
        } else if let Some(hunk) = hunks.last_mut()
            && let Some(text) = line.strip_prefix([' ', '-'])
            && !line.starts_with("--- ")
        {
            hunk.before.push_str(text);
            hunk.before.push('\n');
        }
    }
    hunks
}

#[test]
fn a_patch_is_read_as_the_lines_it_expects() {
    let patch = "--- a/x\n+++ b/x\n@@ -1,3 +1,2 @@\n one\n-two\n+2\n three\n";
    let hunks = hunks(patch);
    assert_eq!(hunks.len(), 1);
    assert_eq!(hunks[0].before, "\none\ntwo\nthree\n");
    assert_eq!(hunks[0].file, "x");
}
