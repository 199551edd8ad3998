//! Opens the admin interface: reads its token, binds it, says where it is.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use log::warn;

use super::door::Door;
use super::{DaemonError, hint};
use crate::admin::AdminAccess;
use crate::config::{Admin, AdminBind};
use crate::net::mio::MioNet;
use crate::secret::Secret;
use crate::server::Server;

/// A shorter one can be guessed.
const TOKEN_SHORT: usize = 16;

/// What requests must show.
pub(super) fn access(admin: &Admin) -> Result<AdminAccess, DaemonError> {
    let (token, warnings) = token(admin)?;
    for warning in warnings {
        warn!("{warning}");
    }
    Ok(AdminAccess {
        token,
        hosts: admin.hosts.clone(),
    })
}

/// The token that is in force, and what an operator should know of it.
///
/// # Errors
/// Where its file can not be read, or holds none.
pub(crate) fn token(admin: &Admin) -> Result<(Option<Secret<String>>, Vec<String>), DaemonError> {
    let mut warnings = Vec::new();
    let token = match (&admin.token, admin.token_file.as_deref()) {
        _ if admin.bind == AdminBind::Off => None,
        (Some(token), _) => Some(token.clone()),
        (None, Some(file)) => Some(token_in(file, &mut warnings)?),
        (None, None) => None,
    };
    let is_short = |token: &Secret<String>| token.reveal().len() < TOKEN_SHORT;
    if token.as_ref().is_some_and(is_short) {
        warnings.push(format!(
            "the admin token has fewer than {TOKEN_SHORT} characters: it can be guessed"
        ));
    }
    Ok((token, warnings))
}

/// The token in a file: its text without the line end.
fn token_in(path: &Path, warnings: &mut Vec<String>) -> Result<Secret<String>, DaemonError> {
    let wrong = |wrong: String| DaemonError::Token {
        path: path.display().to_string(),
        wrong,
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let token = Admin::token_of(&text).map_err(wrong)?;
    if is_shared(path) {
        warnings.push(format!(
            "{} can be read by others: chmod 600",
            path.display()
        ));
    }
    Ok(token)
}

/// Whether others may read a file.
pub(super) fn is_shared(path: &Path) -> bool {
    // What is not ours is read by a group or a list of access: it is its owner's to judge.
    let own = rustix::process::geteuid().as_raw();
    let is_shared = |meta: Metadata| {
        let mask = if meta.uid() == own { 0o077 } else { 0o007 };
        meta.mode() & mask != 0
    };
    std::fs::metadata(path).is_ok_and(is_shared)
}

/// Binds the interface; where it listens, for the line that says so.
pub(super) fn listen(
    server: &mut Server<MioNet, Door>,
    bind: &AdminBind,
    access: AdminAccess,
) -> Result<Option<String>, DaemonError> {
    if *bind == AdminBind::Off {
        return Ok(None);
    }
    let bound = server
        .listen_admin(bind, access)
        .map_err(|error| DaemonError::Admin {
            place: bind.to_string(),
            hint: hint(&error),
            error,
        })?;
    let place = bound.map_or_else(|| bind.to_string(), |addr| addr.to_string());
    Ok(Some(format!("{place} (admin: http)")))
}
