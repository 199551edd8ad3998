//! Reads the files of black and white lists: beside the loop, and whole or not at all.

use super::reload::read;
use crate::config::ListFiles;
use crate::lists::{Colour, Draft, Imprint, Lists};

/// Everything that the files say; nothing where there are none.
///
/// # Errors
/// What is wrong with each file: that it can not be read, or its first line that is no entry.
pub(super) fn load(files: &ListFiles, key: (u64, u64)) -> Result<Option<Box<Lists>>, Vec<String>> {
    let draft = draft(files, key)?;
    let is_used = !files.black.is_empty() || !files.white.is_empty();
    Ok(is_used.then(|| Box::new(draft.finish())))
}

/// Judges the files: what they hold.
///
/// # Errors
/// The same.
pub(crate) fn judge(files: &ListFiles) -> Result<Imprint, Vec<String>> {
    // Nobody is looked up in what is read: no key has to be kept from anybody.
    Ok(draft(files, (0, 0))?.imprint())
}

fn draft(files: &ListFiles, key: (u64, u64)) -> Result<Draft, Vec<String>> {
    let black = files.black.iter().map(|path| (path, Colour::Black));
    let white = files.white.iter().map(|path| (path, Colour::White));
    let mut draft = Draft::new(key);
    let mut wrong = Vec::new();
    for (path, colour) in black.chain(white) {
        let added = read(path).and_then(|text| {
            let added = draft.add_part(&path.to_string_lossy(), &text, colour);
            added.map_err(|(line, what)| format!("{}:{line}: {what}", path.display()))
        });
        wrong.extend(added.err());
    }
    match wrong.is_empty() {
        true => Ok(draft),
        false => Err(wrong),
    }
}
