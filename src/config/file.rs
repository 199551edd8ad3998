//! The file: TOML, walked with the place of every value.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{Key, SECTIONS, Section};
use super::listener::{IDENTITY, LISTENER};
use super::value::{Value, Wrong, nearest};
use super::{AdminBind, Complaint, Config, Origin, Spot};
use crate::settings::Settings;

/// A file being read.
struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    config: &'a mut Config,
    complaints: Vec<Complaint>,
}

/// Puts what the file says into `config`; everything that is wrong with its values.
///
/// # Errors
/// Where it is not TOML: then nothing can be said about what it means.
pub(crate) fn read(
    config: &mut Config,
    path: &Path,
    text: &str,
) -> Result<Vec<Complaint>, Vec<Complaint>> {
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
    if !reader.complaints.is_empty() {
        return Err(reader.complaints);
    }
    reader.walk(table.get_ref());
    let complaints = reader.complaints;
    // Up to here all that is set was set by the file.
    if let Some(folder) = path.parent() {
        anchor(config, folder);
    }
    Ok(complaints)
}

/// Relative paths in a file begin at its folder, wherever the daemon is started.
fn anchor(config: &mut Config, folder: &Path) {
    if folder.as_os_str().is_empty() {
        return;
    }
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let Config {
        admin,
        lists,
        logins,
        ..
    } = config;
    let bound = match &mut admin.bind {
        AdminBind::Unix(path) => Some(path),
        AdminBind::Off | AdminBind::Tcp(_) => None,
    };
    let of_logins = logins.users_file.iter_mut().chain(&mut logins.keys_file);
    let of_lists = lists.black.iter_mut().chain(&mut lists.white);
    let named = admin.token_file.iter_mut().chain(of_logins);
    for path in named.chain(of_lists).chain(bound) {
        // One that is absolute stays as it is.
        *path = folder.join(&*path);
    }
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
        let (mut defaults, mut listeners) = (None, None);
        for (key, value) in table {
            match &key.get_ref()[..] {
                "defaults" => defaults = Some(value),
                "listener" => listeners = Some(value),
                name => self.section(name, key.span().start, value),
            }
        }
        let mut common = Settings::default();
        let known: Vec<&Key<Settings>> = LISTENER.iter().collect();
        let set = defaults.map(|value| self.settings("[defaults]", value, &mut common, &known));
        let set = set.unwrap_or_default();
        match listeners {
            Some(list) => self.listeners(list, &common, &set),
            None => {
                self.config.listeners = vec![common];
                self.note_all(0, &set);
            }
        }
    }

    fn section(&mut self, name: &str, at: usize, value: &Spanned<DeValue<'_>>) {
        let Some(section) = SECTIONS.iter().find(|section| section.name == name) else {
            let known = SECTIONS.iter().map(|section| section.name);
            let known = known.chain(["defaults", "listener"]);
            self.unknown("there is no table", name, at, known);
            return;
        };
        let Some(table) = value.get_ref().as_table() else {
            return self.complain(at, &format!("{name} is a table; write [{name}]"));
        };
        for (key, value) in table {
            let (name, at) = (&key.get_ref()[..], key.span().start);
            let spot = |name| Spot::Global(section.name, name);
            let Some(known) = section.keys.iter().find(|known| known.name == name) else {
                let names = section.keys.iter().map(|key| key.name);
                let what = format!("[{}] has no key", section.name);
                if let Some(meant) = self.unknown(&what, name, at, names) {
                    self.config.note(spot(meant), Origin::Wrong);
                }
                continue;
            };
            let set = (known.set)(self.config, &Value::of(value.get_ref()));
            let origin = self.origin(name, value, set);
            self.config.note(spot(known.name), origin);
        }
    }

    /// Where a value came from, once it was put into its place; complains where it was not.
    fn origin(
        &mut self,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        set: Result<(), Wrong>,
    ) -> Origin {
        let at = value.span().start;
        match set {
            Ok(()) => Origin::File(self.line(at)),
            Err(wrong) => {
                self.complain(at, &format!("{name}: {wrong}"));
                Origin::Wrong
            }
        }
    }

    /// Complains about an unknown name; returns what it most likely was.
    fn unknown<'k>(
        &mut self,
        what: &str,
        name: &str,
        at: usize,
        known: impl Iterator<Item = &'k str> + Clone,
    ) -> Option<&'k str> {
        if let Some(home) = home_of(name) {
            self.complain(at, &format!("{what} {name:?}; put it under {home}"));
            return None;
        }
        let meant = nearest(name, known.clone());
        let hint = match meant {
            Some(guess) => format!("did you mean {guess:?}?"),
            None => format!("there are {}", known.collect::<Vec<_>>().join(", ")),
        };
        self.complain(at, &format!("{what} {name:?}; {hint}"));
        meant
    }

    fn listeners(&mut self, list: &Spanned<DeValue<'_>>, common: &Settings, defaults: &Set) {
        let Some(items) = list.get_ref().as_array() else {
            return self.complain(list.span().start, "listener is a list; write [[listener]]");
        };
        let known: Vec<&Key<Settings>> = IDENTITY.iter().chain(LISTENER).collect();
        self.config.listeners.clear();
        for (number, item) in items.iter().enumerate() {
            let mut settings = common.clone();
            if number > 0 {
                settings.name = format!("listener-{}", number + 1);
            }
            let set = self.settings("[[listener]]", item, &mut settings, &known);
            if items.len() > 1 && !set.iter().any(|(name, _)| *name == "bind") {
                let text = "this listener has no bind; write bind = \"127.0.0.1:7375\"";
                self.complain(item.span().start, text);
                self.config
                    .note(Spot::Listener(number, "bind"), Origin::Wrong);
            }
            self.config.listeners.push(settings);
            self.note_all(number, defaults);
            self.note_all(number, &set);
        }
        if items.is_empty() {
            let text = "listener is empty; write [[listener]], or leave it out for the default";
            self.complain(list.span().start, text);
        }
    }

    fn note_all(&mut self, number: usize, set: &Set) {
        for (name, origin) in set {
            self.config
                .note(Spot::Listener(number, name), origin.clone());
        }
    }

    /// Puts a table's values into `settings`; which ones, and from where.
    fn settings(
        &mut self,
        what: &str,
        value: &Spanned<DeValue<'_>>,
        settings: &mut Settings,
        keys: &[&'static Key<Settings>],
    ) -> Set {
        let mut set = Set::new();
        let Some(table) = value.get_ref().as_table() else {
            self.complain(
                value.span().start,
                &format!("write {what} on a line of its own"),
            );
            return set;
        };
        for (key, value) in table {
            let (name, at) = (&key.get_ref()[..], key.span().start);
            if let Some(known) = keys.iter().find(|known| known.name == name) {
                let done = (known.set)(settings, &Value::of(value.get_ref()));
                set.push((known.name, self.origin(name, value, done)));
            } else {
                let names = keys.iter().map(|key| key.name);
                let meant = self.unknown(&format!("{what} has no key"), name, at, names);
                set.extend(meant.map(|meant| (meant, Origin::Wrong)));
            }
        }
        set
    }
}

/// Which keys a table has set, and where.
type Set = Vec<(&'static str, Origin)>;

/// The table that a key belongs to. Some names are keys of two tables: there it stays open.
fn home_of(name: &str) -> Option<String> {
    let is_in = |keys: &[Key<Settings>]| keys.iter().any(|key| key.name == name);
    if is_in(LISTENER) {
        return Some(String::from("[defaults] or [[listener]]"));
    }
    if is_in(IDENTITY) {
        return Some(String::from("[[listener]]"));
    }
    let holds = |section: &&Section| section.keys.iter().any(|key| key.name == name);
    let section = SECTIONS.iter().find(holds)?;
    Some(format!("[{}]", section.name))
}
