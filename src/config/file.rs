//! The file: TOML, walked with the place of every value.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{IDENTITY, Key, LISTENER, SECTIONS};
use super::value::{Value, nearest};
use super::{Complaint, Config, Origin, Spot};
use crate::settings::Settings;

/// A file being read.
struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    config: &'a mut Config,
    complaints: Vec<Complaint>,
}

/// Puts what the file says into `config`; everything that is wrong with it.
pub(crate) fn read(config: &mut Config, path: &Path, text: &str) -> Vec<Complaint> {
    let mut reader = Reader {
        path,
        text,
        config,
        complaints: Vec::new(),
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        let message = error.message().replace('\n', ", ");
        reader.complain(at, &format!("not TOML: {message}"));
    }
    if reader.complaints.is_empty() {
        reader.walk(table.get_ref());
    }
    reader.complaints
}

impl Reader<'_> {
    fn complain(&mut self, at: usize, what: &str) {
        let line = self.line(at);
        let text = format!("{}:{line}: {what}", self.path.display());
        self.complaints.push(Complaint { line, text });
    }

    fn line(&self, at: usize) -> usize {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        memchr::memchr_iter(b'\n', before).count() + 1
    }

    fn walk(&mut self, table: &DeTable<'_>) {
        let mut defaults = Vec::new();
        let mut listeners: Option<&Spanned<DeValue<'_>>> = None;
        for (key, value) in table {
            match &key.get_ref()[..] {
                "defaults" => defaults.push(value),
                "listener" => listeners = Some(value),
                name => self.section(name, key.span().start, value),
            }
        }
        let mut common = Settings::default();
        let mut origins = Vec::new();
        for value in defaults {
            origins = self.settings("[defaults]", value, &mut common, LISTENER);
        }
        match listeners {
            Some(list) => self.listeners(list, &common, &origins),
            None => {
                self.config.listeners = vec![common];
                self.note_all(0, &origins);
            }
        }
    }

    fn section(&mut self, name: &str, at: usize, value: &Spanned<DeValue<'_>>) {
        let Some(section) = SECTIONS.iter().find(|section| section.name == name) else {
            let known = SECTIONS.iter().map(|section| section.name);
            let known = known.chain(["defaults", "listener"]);
            return self.unknown("there is no table", name, at, known);
        };
        let Some(table) = value.get_ref().as_table() else {
            return self.complain(at, &format!("{name} is a table; write [{name}]"));
        };
        for (key, value) in table {
            let (name, at) = (&key.get_ref()[..], key.span().start);
            let Some(known) = section.keys.iter().find(|known| known.name == name) else {
                let names = section.keys.iter().map(|key| key.name);
                let what = format!("[{}] has no key", section.name);
                self.unknown(&what, name, at, names);
                continue;
            };
            let line = self.line(value.span().start);
            match (known.set)(self.config, &Value::of(value.get_ref())) {
                Ok(()) => {
                    let spot = Spot::Global(section.name, known.name);
                    self.config.note(spot, Origin::File(line));
                }
                Err(wrong) => self.complain(value.span().start, &format!("{name}: {wrong}")),
            }
        }
    }

    fn unknown<'k>(
        &mut self,
        what: &str,
        name: &str,
        at: usize,
        known: impl Iterator<Item = &'k str> + Clone,
    ) {
        let hint = match nearest(name, known.clone()) {
            Some(guess) => format!("did you mean {guess:?}?"),
            None => format!("there are {}", known.collect::<Vec<_>>().join(", ")),
        };
        self.complain(at, &format!("{what} {name:?}; {hint}"));
    }

    fn listeners(
        &mut self,
        list: &Spanned<DeValue<'_>>,
        common: &Settings,
        origins: &[(&'static str, usize)],
    ) {
        let Some(list_items) = list.get_ref().as_array() else {
            return self.complain(list.span().start, "listener is a list; write [[listener]]");
        };
        self.config.listeners.clear();
        for (number, item) in list_items.iter().enumerate() {
            let mut settings = common.clone();
            if number > 0 {
                settings.name = format!("listener-{}", number + 1);
            }
            let keys: Vec<&Key<Settings>> = LISTENER.iter().chain(IDENTITY).collect();
            let set = self.settings_of("[[listener]]", item, &mut settings, &keys);
            self.config.listeners.push(settings);
            self.note_all(number, origins);
            self.note_all(number, &set);
            if list_items.len() > 1 && !set.iter().any(|(name, _)| *name == "bind") {
                let text = "this listener has no bind; write bind = \"127.0.0.1:7375\"";
                self.complain(item.span().start, text);
            }
        }
    }

    fn note_all(&mut self, number: usize, set: &[(&'static str, usize)]) {
        for (name, line) in set {
            self.config
                .note(Spot::Listener(number, name), Origin::File(*line));
        }
    }

    fn settings(
        &mut self,
        what: &str,
        value: &Spanned<DeValue<'_>>,
        settings: &mut Settings,
        keys: &'static [Key<Settings>],
    ) -> Vec<(&'static str, usize)> {
        let keys: Vec<&Key<Settings>> = keys.iter().collect();
        self.settings_of(what, value, settings, &keys)
    }

    /// Puts a table's values into `settings`; which ones, and on which lines.
    fn settings_of(
        &mut self,
        what: &str,
        value: &Spanned<DeValue<'_>>,
        settings: &mut Settings,
        keys: &[&Key<Settings>],
    ) -> Vec<(&'static str, usize)> {
        let mut set = Vec::new();
        let Some(table) = value.get_ref().as_table() else {
            self.complain(
                value.span().start,
                &format!("write {what} on a line of its own"),
            );
            return set;
        };
        for (key, value) in table {
            let (name, at) = (&key.get_ref()[..], key.span().start);
            let Some(known) = keys.iter().find(|known| known.name == name) else {
                let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
                self.unknown(&format!("{what} has no key"), name, at, names.into_iter());
                continue;
            };
            match (known.set)(settings, &Value::of(value.get_ref())) {
                Ok(()) => set.push((known.name, self.line(value.span().start))),
                Err(wrong) => self.complain(value.span().start, &format!("{name}: {wrong}")),
            }
        }
        set
    }
}
