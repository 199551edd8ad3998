//! Reads the files that login tokens are judged by: beside the loop, and whole or not at all.

use std::path::Path;

use super::admin::is_shared;
use super::reload::read;
use crate::config::Logins;
pub(super) use crate::tokens::Imprint;
use crate::tokens::Tokens;
use crate::tokens::keys::Keys;
use crate::tokens::users::Users;

/// Everything that the files say; nothing where there are none.
///
/// # Errors
/// What is wrong with each file.
pub(crate) fn load(logins: &Logins) -> Result<Option<Box<Tokens>>, Vec<String>> {
    let users = logins.users_file.as_deref().map(users);
    let keys = logins.keys_file.as_deref().map(keys);
    let (users, keys) = match (users.transpose(), keys.transpose()) {
        (Ok(users), Ok(keys)) => (users, keys),
        (users, keys) => {
            return Err(users.err().into_iter().chain(keys.err()).collect());
        }
    };
    let keys = keys.map(|keys| keys.demanding(&logins.issuer, &logins.audience));
    let is_used = users.is_some() || keys.is_some();
    Ok(is_used.then(|| Box::new(Tokens { users, keys })))
}

/// What they hold.
pub(super) fn imprint(tokens: Option<&Tokens>) -> Imprint {
    tokens.map_or_else(Imprint::default, Tokens::imprint)
}

/// What an operator should know of the files.
pub(crate) fn warnings(logins: &Logins, tokens: Option<&Tokens>) -> Vec<String> {
    let users = tokens.and_then(|tokens| tokens.users.as_ref());
    let keys = tokens.and_then(|tokens| tokens.keys.as_ref());
    let empty = logins.users_file.as_deref().zip(users);
    let empty = empty
        .filter(|(_, users)| users.is_empty())
        .map(|(path, _)| {
            let path = path.display();
            format!("{path} names nobody: no token of a user is good")
        });
    let shared = logins.keys_file.as_deref().zip(keys);
    let is_open = |(path, keys): &(&Path, &Keys)| keys.has_secret() && is_shared(path);
    let shared = shared.filter(is_open).map(|(path, _)| {
        let path = path.display();
        format!("{path} holds a secret and can be read by others: chmod 600")
    });
    empty.into_iter().chain(shared).collect()
}

fn users(path: &Path) -> Result<Users, String> {
    let users = Users::read(&read(path)?);
    users.map_err(|(line, wrong)| format!("{}:{line}: {wrong}", path.display()))
}

fn keys(path: &Path) -> Result<Keys, String> {
    Keys::read(&read(path)?).map_err(|wrong| format!("{}: {wrong}", path.display()))
}
