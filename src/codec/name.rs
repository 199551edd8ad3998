//! What a user or a topic may be called.
//!
//! Names are compared byte by byte; nothing here normalises them. What could break a line, forge a
//! log entry or look like another name on a screen is refused.

/// What is wrong with a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameError {
    /// Empty.
    #[error("a name must not be empty")]
    Empty,
    /// More than [`NAME_MAX`] bytes.
    #[error("a name must not be longer than 128 bytes")]
    TooLong,
    /// White space, as Unicode has it.
    #[error("a name must not hold white space")]
    Space,
    /// A control character.
    #[error("a name must not hold control characters")]
    Control,
    /// A mark that turns the direction of writing.
    #[error("a name must not hold bidirectional marks")]
    Bidi,
    /// A user called `-`: that is how the backend signs.
    #[error("a user's name must not be `-`")]
    Dash,
    /// A user's name with a `/`: it separates the topic from the user.
    #[error("a user's name must not hold `/`")]
    Slash,
    /// A user's name that begins like the sender of a publish.
    #[error("a user's name must not begin with `topic:`")]
    Prefix,
}

/// Bytes of a name at most.
pub const NAME_MAX: usize = 128;

/// Judges a topic's name.
///
/// # Errors
/// What is wrong with it: its length, or its first forbidden character.
pub fn check_topic(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > NAME_MAX {
        return Err(NameError::TooLong);
    }
    // Nearly every name is of these bytes alone: no need to decode it.
    if name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    name.chars().try_for_each(check_char)
}

/// Judges a user's name: what holds for a topic's, and that `FROM` can not be misread.
///
/// # Errors
/// What is wrong with it.
pub fn check_user(name: &str) -> Result<(), NameError> {
    check_topic(name)?;
    if name == "-" {
        Err(NameError::Dash)
    } else if name.contains('/') {
        Err(NameError::Slash)
    } else if name.starts_with("topic:") {
        Err(NameError::Prefix)
    } else {
        Ok(())
    }
}

fn check_char(char: char) -> Result<(), NameError> {
    match char {
        // Before control characters: a tab is both, and "white space" says more.
        _ if char.is_whitespace() => Err(NameError::Space),
        _ if char.is_control() => Err(NameError::Control),
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
            Err(NameError::Bidi)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_nearly_anything() {
        let longest = "n".repeat(NAME_MAX);
        let wide = "ü".repeat(NAME_MAX / 2);
        for name in [
            "a",
            "0",
            "alice@example.org",
            "-a",
            "a:b",
            "topic",
            "Jörg",
            "日本",
            "🦀",
        ] {
            assert_eq!(check_user(name), Ok(()), "{name}");
            assert_eq!(check_topic(name), Ok(()), "{name}");
        }
        for name in [&longest, &wide] {
            assert_eq!(check_user(name), Ok(()));
        }
        for name in ["-", "a/b", "/", "topic:a", "topic:"] {
            assert_eq!(check_topic(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn names_are_refused_by_their_length_and_their_characters() {
        let long = "n".repeat(NAME_MAX + 1);
        let half_wide = format!("{}n", "ü".repeat(NAME_MAX / 2));
        for (name, error) in [
            ("", NameError::Empty),
            (&long, NameError::TooLong),
            (&half_wide, NameError::TooLong),
            (&"\0".repeat(65_535), NameError::TooLong),
            ("a b", NameError::Space),
            ("a\t", NameError::Space),
            ("\u{A0}", NameError::Space),
            ("a\u{2028}b", NameError::Space),
            ("a\u{3000}b", NameError::Space),
            ("a\nb", NameError::Space),
            ("a\u{85}b", NameError::Space),
            ("a\0b", NameError::Control),
            ("a\u{1B}[2J", NameError::Control),
            ("a\u{7F}", NameError::Control),
            ("a\u{9B}", NameError::Control),
        ] {
            assert_eq!(check_topic(name), Err(error), "{name:?}");
            assert_eq!(check_user(name), Err(error), "{name:?}");
        }
        let marks = "\u{61C}\u{200E}\u{200F}".chars();
        let embeddings = '\u{202A}'..='\u{202E}';
        let isolates = '\u{2066}'..='\u{2069}';
        for mark in marks.chain(embeddings).chain(isolates) {
            let name = format!("a{mark}b");
            assert_eq!(check_user(&name), Err(NameError::Bidi), "{mark:?}");
        }
    }

    #[test]
    fn a_users_name_can_not_be_misread_as_a_sender() {
        assert_eq!(check_user("-"), Err(NameError::Dash));
        assert_eq!(check_user("a/b"), Err(NameError::Slash));
        assert_eq!(check_user("topic:a"), Err(NameError::Prefix));
    }
}
