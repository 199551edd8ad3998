//! Files of configuration: what is read is shown so that it reads the same; a reload changes what
//! holds at once and nothing else; a file that is wrong is told why, in lines.

use std::path::Path;

use pulsegate::config::Config;

pub(super) fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (one, other) = text.split_once("#####").unwrap_or((&text, ""));
    let path = Path::new("pulsegate.toml");
    let read = |text: &str| match Config::parse(path, text) {
        Ok(config) => Some(config),
        Err(complaints) => {
            assert!(!complaints.is_empty(), "refused without a reason");
            for complaint in complaints {
                let said = complaint.to_string();
                assert!(!said.contains('\n'), "{said:?} is several lines");
            }
            None
        }
    };
    let (one, other) = (read(one), read(other));
    for config in [&one, &other].into_iter().flatten() {
        let shown = config.show();
        let again = Config::parse(path, &shown);
        let again = again.unwrap_or_else(|wrong| panic!("{wrong:?} in\n{shown}"));
        let (shown, again_shown) = (values(&shown), values(&again.show()));
        assert_eq!(again_shown, shown, "shown, read and shown again");
        assert!(Config::diff(config, &again).is_empty());
        let _ = config.warnings();
    }
    if let (Some(old), Some(new)) = (one, other) {
        reload(&old, &new);
        reload(&new, &old);
    }
}

fn reload(old: &Config, new: &Config) {
    let merged = old.merge(new);
    let changes = Config::diff(old, new);
    for change in Config::diff(&merged, new) {
        assert!(change.needs_restart, "{} was left out", change.key);
    }
    for change in Config::diff(old, &merged) {
        let told = changes.iter().find(|one| one.key == change.key);
        let told = told.unwrap_or_else(|| panic!("{} was not told", change.key));
        assert!(!told.needs_restart, "{} changed without one", change.key);
        assert_eq!((&told.old, &told.new), (&change.old, &change.new));
    }
    let twice = merged.merge(new);
    assert_eq!(
        values(&twice.show()),
        values(&merged.show()),
        "twice is once"
    );
}

/// What is in force, without where it came from.
fn values(shown: &str) -> Vec<String> {
    let values = |line: &str| {
        line.split(" # line ")
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    shown.lines().map(values).collect()
}
