//! Opens the admin interface: reads its token, binds it, says where it is.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use log::warn;

use super::door::Door;
use super::{DaemonError, hint};
use crate::admin::AdminAccess;
use crate::config::{Admin, AdminBind};
use crate::net::mio::MioNet;
use crate::server::Server;

/// Bytes of a token at most: it must fit into the head of a request.
const TOKEN_MAX: usize = 1_024;
/// A shorter one can be guessed.
const TOKEN_SHORT: usize = 16;

/// What requests must show.
pub(super) fn access(admin: &Admin) -> Result<AdminAccess, DaemonError> {
    let file = admin.token_file.as_deref();
    let file = file.filter(|_| admin.bind != AdminBind::Off);
    Ok(AdminAccess {
        token: file.map(token).transpose()?,
        hosts: admin.hosts.clone(),
    })
}

/// The token in a file: its text without the line end.
fn token(path: &Path) -> Result<String, DaemonError> {
    let wrong = |wrong: String| DaemonError::Token {
        path: path.display().to_string(),
        wrong,
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let token = text.trim_end_matches(['\n', '\r']);
    let is_plain = token.bytes().all(|byte| byte.is_ascii_graphic());
    if token.is_empty() || token.len() > TOKEN_MAX || !is_plain {
        let text = format!("a token is one line of 1 to {TOKEN_MAX} visible characters of ASCII");
        return Err(wrong(text));
    }
    if token.len() < TOKEN_SHORT {
        warn!("the admin token has fewer than {TOKEN_SHORT} characters: it can be guessed");
    }
    let is_shared = |meta: std::fs::Metadata| meta.permissions().mode() & 0o077 != 0;
    if std::fs::metadata(path).is_ok_and(is_shared) {
        warn!("{} can be read by others: chmod 600", path.display());
    }
    Ok(token.to_owned())
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
