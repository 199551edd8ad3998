//! Where a daemon's admin interface is: a URL, read.

use std::fmt;
use std::path::PathBuf;

/// A place to speak to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// A host with its port, as written.
    Http(String),
    /// A Unix socket.
    Unix(PathBuf),
}

/// Where a daemon listens that was told nothing else.
pub(crate) const DEFAULT: &str = "http://127.0.0.1:7374";
const PORT: &str = "7374";

impl Place {
    /// Reads `http://HOST:PORT`, `HOST:PORT` or `unix:/PATH`.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{text:?} {why}; say http://HOST:PORT or unix:/PATH");
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() {
                Err(wrong("names no socket"))
            } else {
                Ok(Self::Unix(PathBuf::from(path)))
            };
        }
        let rest = match text.split_once("://") {
            None => text,
            Some(("http", rest)) => rest,
            Some((scheme, _)) => return Err(wrong(&format!("is {scheme}, not http"))),
        };
        let host = rest.strip_suffix('/').unwrap_or(rest);
        let is_plain = host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
        if host.is_empty() || !is_plain {
            return Err(wrong("is no address"));
        }
        let port = host.rsplit_once(':').map(|(_, port)| port);
        match port.filter(|port| !port.ends_with(']')) {
            None => Ok(Self::Http(format!("{host}:{PORT}"))),
            Some(port) if port.parse::<u16>().is_ok() => Ok(Self::Http(host.to_owned())),
            Some(_) => Err(wrong("has no port that is a number")),
        }
    }

    /// The name by which it is spoken to.
    pub(super) fn host(&self) -> &str {
        match self {
            Self::Http(host) => host,
            Self::Unix(_) => "localhost",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(host) => write!(f, "http://{host}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_shown() {
        for (text, shown) in [
            (DEFAULT, DEFAULT),
            ("http://localhost:1/", "http://localhost:1"),
            ("gate", "http://gate:7374"),
            ("127.0.0.1:9", "http://127.0.0.1:9"),
            ("[::1]", "http://[::1]:7374"),
            ("http://[::1]:80", "http://[::1]:80"),
            ("unix:/run/gate", "unix:/run/gate"),
            ("unix:///run/gate", "unix:/run/gate"),
            ("unix:gate", "unix:gate"),
        ] {
            let place = Place::read(text).map(|place| place.to_string());
            assert_eq!(place, Ok(shown.to_owned()), "{text}");
        }
        for text in [
            "",
            "http://",
            "https://localhost",
            "unix:",
            "http://host/path",
            "host:port",
            "host:99999",
            "a b",
            "host\r\nX: y",
        ] {
            let place = Place::read(text);
            assert!(place.is_err(), "{text:?}: {place:?}");
        }
    }
}
