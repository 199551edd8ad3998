//! Reads the files that login tokens are judged by: beside the loop, and whole or not at all.

use std::path::Path;

use super::admin::is_shared;
use super::reload::read;
use crate::config::Logins;
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

/// What an operator should know of the files.
pub(crate) fn warnings(logins: &Logins, tokens: Option<&Tokens>) -> Option<String> {
    let keys = tokens?.keys.as_ref()?;
    let path = logins.keys_file.as_deref()?;
    let warns = keys.has_secret() && is_shared(path);
    warns.then(|| {
        let path = path.display();
        format!("{path} holds a secret and can be read by others: chmod 600")
    })
}

fn users(path: &Path) -> Result<Users, String> {
    let users = Users::read(&read(path)?);
    users.map_err(|(line, wrong)| format!("{}:{line}: {wrong}", path.display()))
}

fn keys(path: &Path) -> Result<Keys, String> {
    Keys::read(&read(path)?).map_err(|wrong| format!("{}: {wrong}", path.display()))
}
