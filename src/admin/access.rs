//! Who may ask: a bearer token, and a `Host` that is really ours.
//!
//! A page in somebody's browser may send requests to loopback, under any name that its DNS server
//! makes up. Such a name is not ours, and is refused whatever is asked.

use std::net::{IpAddr, SocketAddr};

use subtle::ConstantTimeEq;

use crate::secret::Secret;

/// What a request must show.
#[derive(Clone, Default, Debug)]
pub struct AdminAccess {
    /// The token; `None` lets in whoever can connect.
    pub token: Option<Secret<String>>,
    /// Further names under which the interface is reached.
    pub hosts: Vec<String>,
}

impl AdminAccess {
    /// Whether this token opens the door. Takes as long for a wrong one as for a right one of its
    /// length.
    pub(crate) fn admits(&self, shown: Option<&Secret<String>>) -> bool {
        let Some(token) = &self.token else {
            return true;
        };
        let shown = shown.map_or(&[][..], |shown| shown.reveal().as_bytes());
        bool::from(token.reveal().as_bytes().ct_eq(shown))
    }

    /// Whether `host` is a name of ours, the interface being bound to `bound` (`None`: to a Unix
    /// socket). The port does not matter: it may be forwarded.
    pub(crate) fn knows(&self, host: &str, bound: Option<SocketAddr>) -> bool {
        let name = without_port(host);
        if name.eq_ignore_ascii_case("localhost") {
            return true;
        }
        if self
            .hosts
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
        {
            return true;
        }
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let Ok(ip) = name.parse::<IpAddr>() else {
            return false;
        };
        // No name is looked up for an address, so it can not be made up either.
        let is_ours = |bound: SocketAddr| bound.ip() == ip || bound.ip().is_unspecified();
        ip.is_loopback() || bound.is_some_and(is_ours)
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            if name.contains(':') && !name.ends_with(']') {
                host
            } else {
                name
            }
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_ours_are_known() {
        let access = AdminAccess {
            token: None,
            hosts: vec![String::from("gate.example")],
        };
        let loopback = Some(SocketAddr::from(([127, 0, 0, 1], 7_374)));
        let good = [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1:7374",
            "127.9.9.9",
            "[::1]:80",
            "::1",
        ];
        for host in good.into_iter().chain(["gate.example", "Gate.Example:443"]) {
            assert!(access.knows(host, loopback), "{host}");
        }
        let bad = [
            "",
            "evil.example",
            "evil.example:7374",
            "localhost.evil.example",
            "10.0.0.1",
        ];
        for host in bad
            .into_iter()
            .chain(["127.0.0.1.evil.example", "gate.example.", "0"])
        {
            assert!(!access.knows(host, loopback), "{host}");
        }
        let one = Some(SocketAddr::from(([10, 0, 0, 1], 1)));
        assert!(access.knows("10.0.0.1:7374", one) && !access.knows("10.0.0.2", one));
        let all = Some(SocketAddr::from(([0, 0, 0, 0], 1)));
        assert!(access.knows("10.0.0.2:7374", all) && !access.knows("evil.example", all));
        assert!(access.knows("localhost", None) && !access.knows("10.0.0.1", None));
    }

    #[test]
    fn a_token_is_the_whole_token() {
        let token = |text: &str| Secret::new(text.to_owned());
        let access = AdminAccess {
            token: Some(token("secret")),
            hosts: Vec::new(),
        };
        assert!(access.admits(Some(&token("secret"))));
        assert!(!access.admits(None));
        for wrong in ["", "secre", "secret1", "Secret"] {
            assert!(!access.admits(Some(&token(wrong))), "{wrong:?}");
        }
        assert!(AdminAccess::default().admits(None));
    }
}
