//! What is shown to nobody.

use std::fmt;

/// A value that `{:?}` hides, also where it is part of something else: a token in a request, in a
/// login, in a configuration.
///
/// Only [`reveal`](Self::reveal) shows it. Two are compared as their values are, in a time that may
/// tell where they differ: not the way to check what a stranger has sent.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Hides a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value.
    pub const fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::AdminAccess;
    use crate::client::{self, Machine};
    use crate::codec::message::Request;
    use crate::handler::Message;

    #[test]
    fn no_token_is_shown_by_what_carries_it() {
        let user = "ann";
        let message = Message::Login {
            user,
            token: "s3cret".into(),
        };
        let request = Request::Login {
            user: user.into(),
            token: Secret::new("s3cret".into()),
        };
        let login = client::Login {
            user: user.into(),
            token: Secret::new("s3cret".into()),
        };
        let access = AdminAccess {
            token: Some(Secret::new("s3cret".into())),
            hosts: vec![user.into()],
        };
        let options = Arc::default();
        let mut machine = Machine::new(options, Some(login.clone()), 1, Duration::ZERO);
        assert!(machine.wants_dial(Duration::ZERO));
        machine.dialed(Duration::ZERO);
        let bytes = format!("{:?}", b"s3cret");
        let bytes = bytes.trim_matches(['[', ']']);
        assert!(format!("{:?}", machine.output()).contains(bytes));
        let shown = [
            format!("{message:?}"),
            format!("{request:?}"),
            format!("{login:?}"),
            format!("{access:?}"),
            format!("{machine:?}"),
        ];
        for shown in shown {
            assert!(
                !shown.contains("s3cret") && !shown.contains(bytes),
                "{shown}"
            );
            assert!(shown.contains("Secret") && shown.contains(user), "{shown}");
        }
    }
}
