//! Reads the files of black and white lists: beside the loop, and whole or not at all.

use super::reload::read;
use crate::config::ListFiles;
use crate::lists::{Colour, Draft, Lists};

/// Everything that the files say; nothing where there are none.
///
/// # Errors
/// What is wrong with each file: that it can not be read, or its first line that is no entry.
pub(super) fn load(files: &ListFiles, key: (u64, u64)) -> Result<Option<Box<Lists>>, Vec<String>> {
    let black = files.black.iter().map(|path| (path, Colour::Black));
    let white = files.white.iter().map(|path| (path, Colour::White));
    let mut draft = Draft::new(key);
    let mut wrong = Vec::new();
    for (path, colour) in black.chain(white) {
        let added = read(path).and_then(|text| {
            let added = draft.add_text(&text, colour);
            added.map_err(|(line, what)| format!("{}:{line}: {what}", path.display()))
        });
        wrong.extend(added.err());
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let is_used = !files.black.is_empty() || !files.white.is_empty();
    Ok(is_used.then(|| Box::new(draft.finish())))
}
