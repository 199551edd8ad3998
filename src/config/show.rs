//! What is in force, written as a file that can be read again.

use std::fmt::Write;

use super::diff::needs_restart;
use super::keys::{Key, SECTIONS};
use super::listener::{GROUPS, IDENTITY, LISTENER};
use super::{Config, Origin, Setting, Spot};

/// The column of the comments that tell where a value came from.
const COMMENT: usize = 40;

pub(crate) fn show(config: &Config) -> String {
    let mut text = String::new();
    for section in SECTIONS {
        let _ = writeln!(text, "[{}]", section.name);
        for key in section.keys {
            let spot = Spot::Global(section.name, key.name);
            line(
                &mut text,
                key.name,
                &(key.show)(config),
                config.origin(spot),
            );
        }
        text.push('\n');
    }
    for (number, listener) in config.listeners.iter().enumerate() {
        let _ = writeln!(text, "[[listener]]");
        for key in IDENTITY.iter().chain(LISTENER) {
            let spot = Spot::Listener(number, key.name);
            line(
                &mut text,
                key.name,
                &(key.show)(listener),
                config.origin(spot),
            );
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

pub(crate) fn settings() -> Vec<Setting> {
    let defaults = Config::default();
    let mut settings = Vec::new();
    for section in SECTIONS {
        let keys = section.keys.iter();
        settings.extend(keys.map(|key| setting(section.name, section.title, key, &defaults)));
    }
    let mut title = "";
    for key in IDENTITY.iter().chain(LISTENER) {
        let group = GROUPS.iter().find(|(_, first)| *first == key.name);
        title = group.map_or(title, |(title, _)| title);
        settings.push(setting("listener", title, key, &defaults.listeners[0]));
    }
    settings
}

fn setting<T>(
    table: &'static str,
    title: &'static str,
    key: &'static Key<T>,
    defaults: &T,
) -> Setting {
    Setting {
        table,
        title,
        name: key.name,
        takes: key.takes.placeholder(),
        help: key.help,
        default: (key.show)(defaults),
        flag: format!("--{}", key.flag()),
        variable: key.variable(),
        needs_restart: needs_restart(table, key.name),
    }
}

fn line(text: &mut String, name: &str, value: &str, origin: Option<&Origin>) {
    let pair = format!("{name} = {value}");
    let _ = match origin {
        None | Some(Origin::Wrong) => writeln!(text, "{pair}"),
        Some(Origin::File(line)) => writeln!(text, "{pair:COMMENT$} # line {line}"),
        Some(Origin::Variable(name)) => writeln!(text, "{pair:COMMENT$} # {name}"),
        Some(Origin::Flag(name)) => writeln!(text, "{pair:COMMENT$} # --{name}"),
    };
}
