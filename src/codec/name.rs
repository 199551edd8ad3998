//! What a user or a topic may be called.

/// What is wrong with a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameError {
    /// Empty.
    #[error("a name must not be empty")]
    Empty,
}

/// Judges a topic's name.
pub fn check_topic(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        Err(NameError::Empty)
    } else {
        Ok(())
    }
}

/// Judges a user's name.
pub fn check_user(name: &str) -> Result<(), NameError> {
    check_topic(name)
}
