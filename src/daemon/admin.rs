//! Opens the admin interface: reads its token, binds it, says where it is.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use log::warn;

use super::door::Door;
use super::{DaemonError, hint};
use crate::admin::AdminAccess;
use crate::config::{Admin, AdminBind, Secret};
use crate::net::mio::MioNet;
use crate::server::Server;

/// A shorter one can be guessed.
const TOKEN_SHORT: usize = 16;

/// What requests must show.
pub(super) fn access(admin: &Admin) -> Result<AdminAccess, DaemonError> {
    let token = match (&admin.token, admin.token_file.as_deref()) {
        _ if admin.bind == AdminBind::Off => None,
        (Some(token), _) => Some(token.clone()),
        (None, Some(file)) => Some(token_in(file)?),
        (None, None) => None,
    };
    let is_short = |token: &Secret| token.reveal().len() < TOKEN_SHORT;
    if token.as_ref().is_some_and(is_short) {
        warn!("the admin token has fewer than {TOKEN_SHORT} characters: it can be guessed");
    }
    Ok(AdminAccess {
        token: token.map(|token| token.reveal().to_owned()),
        hosts: admin.hosts.clone(),
    })
}

/// The token in a file: its text without the line end.
fn token_in(path: &Path) -> Result<Secret, DaemonError> {
    let wrong = |wrong: String| DaemonError::Token {
        path: path.display().to_string(),
        wrong,
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let token = Secret::token(&text).map_err(wrong)?;
    let is_shared = |meta: std::fs::Metadata| meta.permissions().mode() & 0o077 != 0;
    if std::fs::metadata(path).is_ok_and(is_shared) {
        warn!("{} can be read by others: chmod 600", path.display());
    }
    Ok(token)
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
