//! From a configuration to a running loop: descriptors, listeners, the line that says it listens.

mod admin;
mod descriptors;
mod door;
mod hardening;
mod lists;
mod reload;
mod service;
mod sweep;
mod tokens;
mod watch;

use std::io;
use std::net::SocketAddr;

use log::{info, warn};

use self::descriptors::Room;
use self::door::Door;
use self::hardening::Account;
use self::reload::{Desk, options};
use self::service::Service;
use self::sweep::Sweep;
use self::watch::Watch;
use crate::codec::framing::Framing;
use crate::config::{AdminBind, Config};
use crate::net::mio::MioNet;
use crate::server::Server;
use crate::settings::{Dialect, Settings};

pub(crate) use self::admin::token as admin_token;
pub(crate) use self::hardening::foresee;
pub(crate) use self::lists::judge as judge_lists;
pub use self::reload::Source;
pub(crate) use self::reload::read;
pub use self::service::Surroundings;
pub(crate) use self::tokens::{load as load_tokens, warnings as token_warnings};

/// Why the daemon could not run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// An address can not be bound.
    #[error("listener {name:?}: {addr} can not be bound: {error}{hint}")]
    Bind {
        /// The listener's name.
        name: String,
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        error: io::Error,
        /// What to do about it.
        hint: &'static str,
    },
    /// The descriptor limit is too low for a single connection.
    #[error(
        "the descriptor limit of {limit} leaves no room for connections: {needed} are needed \
         for everything else; raise it (ulimit -n, LimitNOFILE=)"
    )]
    Descriptors {
        /// The limit that is in force.
        limit: u64,
        /// What is needed beside connections.
        needed: u64,
    },
    /// It can not become who it shall be.
    #[error("process: {0}")]
    Account(String),
    /// A black or white list can not be read.
    #[error("{}", .0.join("; "))]
    Lists(Vec<String>),
    /// What login tokens are judged by can not be read.
    #[error("{}", .0.join("; "))]
    Tokens(Vec<String>),
    /// The admin interface can not listen.
    #[error("admin interface: {place} can not be bound: {error}{hint}")]
    Admin {
        /// Where it should listen.
        place: String,
        /// What the system says.
        error: io::Error,
        /// What to do about it.
        hint: &'static str,
    },
    /// The admin interface has no token, although a file is named for it.
    #[error("admin interface: token_file {path}: {wrong}")]
    Token {
        /// The file.
        path: String,
        /// What is wrong with it.
        wrong: String,
    },
    /// The loop can not begin or go on.
    #[error("the loop failed: {0}")]
    Loop(#[from] io::Error),
}

/// Runs the daemon until it is told to leave. `source` is read again where a reload is asked for.
///
/// # Errors
/// Where an address can not be bound or the loop breaks; nothing is left half-started.
pub fn run(
    mut config: Config,
    source: Source,
    surroundings: Surroundings,
) -> Result<(), DaemonError> {
    for warning in config.warnings() {
        warn!("{warning}");
    }
    let account = Account::find(&config.process).map_err(DaemonError::Account)?;
    config.limits.connections = room(&config)?.connections(config.connections);
    let access = admin::access(&config.admin)?;
    // What is reserved is what is in force: a file that asks for more needs a restart.
    config.connections = config.connections.map(|_| config.limits.connections);
    let options = options(&config);
    let path = source.path.clone();
    let desk = Desk::new(config.clone(), source);
    let service = Service::new(surroundings.notify.as_deref(), surroundings.watchdog);
    let adopted = service::adopt(&mut config.listeners, surroundings.inherited);
    let net = MioNet::new(options.limits.events)?;
    let net = net.with_signals()?.with_status().with_listeners(adopted);
    let door = Door {
        desk,
        service,
        sweep: Sweep::new(surroundings.give_back),
    };
    let mut server = Server::new(net, door, options)?;
    let remote = server.remote();
    server.handler_mut().desk.connect(remote);
    let lists = lists::load(&config.lists, server.gate().list_key());
    server
        .gate_mut()
        .set_lists(lists.map_err(DaemonError::Lists)?);
    if server.gate().listed() > 0 {
        info!("lists are in force, entries={}", server.gate().listed());
    }
    let tokens = tokens::load(&config.logins).map_err(DaemonError::Tokens)?;
    for warning in tokens::warnings(&config.logins, tokens.as_deref()) {
        warn!("{warning}");
    }
    server.gate_mut().set_tokens(tokens);
    let mut places = Vec::new();
    for settings in std::mem::take(&mut config.listeners) {
        places.push(listen(&mut server, settings)?);
    }
    places.extend(admin::listen(&mut server, &config.admin.bind, access)?);
    if let (AdminBind::Unix(socket), Some(account)) = (&config.admin.bind, &account) {
        account.give(socket).map_err(DaemonError::Account)?;
    }
    let watch = Watch::new(&config.process);
    let program = surroundings.program;
    let (hardened, fence) = hardening::settle(&config, account.as_ref(), path.as_deref(), program)?;
    server.gate_mut().set_hardened(hardened);
    server.handler_mut().desk.fence(fence);
    announce(&places, &server);
    if let Some(watch) = watch {
        watch.begin(server.pulse());
    }
    let (gate, door) = server.both_mut();
    door.service.ready(gate);
    door.sweep.begin(gate);
    server.run()?;
    info!("done");
    Ok(())
}

fn room(config: &Config) -> Result<Room, DaemonError> {
    let binds = config
        .listeners
        .iter()
        .map(|listener| listener.bind.len())
        .sum::<usize>();
    let admin = usize::from(config.admin.bind != AdminBind::Off);
    Room::make(binds + admin, config.limits.refusals)
}

fn listen(server: &mut Server<MioNet, Door>, settings: Settings) -> Result<String, DaemonError> {
    let name = settings.name.clone();
    let dialect = match settings.dialect {
        Dialect::Gate => "gate",
        Dialect::Echo => "echo",
        Dialect::Sink => "sink",
        Dialect::Frames => "frames",
    };
    let framing = match settings.framing {
        Framing::Raw => "raw",
        Framing::Line => "line",
        Framing::LenHdr { .. } => "lenhdr",
        Framing::Binary(_) => "binary",
    };
    let bound = server
        .listen_at_each(settings)
        .map_err(|(addr, error)| DaemonError::Bind {
            addr,
            hint: hint(&error),
            name: name.clone(),
            error,
        })?;
    Ok(format!("{} ({name}: {framing}, {dialect})", show(&bound)))
}

fn show(addrs: &[SocketAddr]) -> String {
    let addrs: Vec<String> = addrs.iter().map(ToString::to_string).collect();
    addrs.join(" and ")
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; another process listens there: stop it or set another bind",
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address: set another bind",
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need root or CAP_NET_BIND_SERVICE: set another bind"
        }
        _ => "",
    }
}

/// Says where it listens and what it can reach: in one line, unless that would be cut.
fn announce(places: &[String], server: &Server<MioNet, Door>) {
    let mut line = String::new();
    for place in places {
        if !line.is_empty() && line.len() + place.len() > PLACES_MAX {
            info!("listening on {line}");
            line.clear();
        }
        let comma = if line.is_empty() { "" } else { ", " };
        line = format!("{line}{comma}{place}");
    }
    let ceiling = server.gate().ceiling();
    let parts = ceiling
        .parts()
        .map(|(part, bytes)| format!("{part}={bytes}"));
    let parts = parts.join(" ");
    let ceiling = ceiling.total().div_ceil(1 << 20);
    let connections = server.gate().limits().connections;
    info!(
        "listening on {line}; at most {connections} connections and {ceiling} MiB of memory \
         ({parts}); hardened: {}",
        server
            .gate()
            .hardened()
            .map_or_else(String::new, hardening::brief)
    );
}

/// Bytes of places in a line of the log, which is cut at
/// [`LINE_MAX`](crate::log::LINE_MAX).
const PLACES_MAX: usize = 640;
