//! The corpora, replayed as plain tests: every input, under the watch of the allocator; and a few
//! thousand mutations of them, the same ones each time.

use pulsegate_fuzz::campaign::{corpus, corpus_folder};
use pulsegate_fuzz::mutate::Mutator;
use pulsegate_fuzz::{TARGETS, Target, run};

/// A corpus is small: files, and bytes of each.
const FILES_MAX: usize = 120;
const BYTES_MAX: usize = 4 << 10;

#[test]
fn every_input_of_the_corpora_passes() {
    let mut failures = Vec::new();
    for target in TARGETS {
        let inputs = corpus(target.name);
        let inputs = inputs.unwrap_or_else(|error| panic!("{}: {error}", target.name));
        assert!(!inputs.is_empty(), "{} has no corpus", target.name);
        assert!(inputs.len() <= FILES_MAX, "{}: too many", target.name);
        for (file, bytes) in inputs {
            assert!(bytes.len() <= BYTES_MAX, "{}/{file} is long", target.name);
            if let Err(why) = run(target, &bytes) {
                failures.push(format!("{}/{file}: {why}", target.name));
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn no_corpus_is_without_its_target() {
    let folder = corpus_folder("");
    for entry in std::fs::read_dir(folder).expect("it is there") {
        let name = entry.expect("it can be listed").file_name();
        let is_target = |target: &Target| name.to_str() == Some(target.name);
        assert!(TARGETS.iter().any(is_target), "{}", name.display());
    }
}

#[test]
fn a_few_mutations_of_each_corpus_pass() {
    let mut failures = Vec::new();
    for target in TARGETS {
        let inputs = corpus(target.name).expect("it is there");
        let inputs: Vec<Vec<u8>> = inputs.into_iter().map(|(_, bytes)| bytes).collect();
        let mut mutator = Mutator::new(1);
        let runs = if target.name == "whole" { 5 } else { 300 };
        for _ in 0..runs {
            let input = mutator.make(&inputs, target.size_max);
            if let Err(why) = run(target, &input) {
                let bytes = input.escape_ascii();
                failures.push(format!("{}: {why}\n    {bytes}", target.name));
                break;
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
