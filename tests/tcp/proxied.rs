//! Listeners behind a proxy: the header is demanded, and its address is the client's everywhere.

use serde_json::json;

use crate::admin::daemon;
use crate::client::{Client, Framing};
use crate::daemon::Daemon;

const TRUST: &str = "trusted_proxies = [\"127.0.0.1\"]";

/// 192.0.2.7:40000 to 192.0.2.1:7373, with an extension that is of no meaning here.
const BLOCK: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x12\
    \xc0\x00\x02\x07\xc0\x00\x02\x01\x9c\x40\x1c\xcd\xee\x00\x03abc";

#[test]
fn the_client_of_the_header_is_whom_listings_logs_and_bans_know() {
    // 27
    let daemon = daemon("[log]\nlevel = \"debug\"", TRUST);
    let mut http = daemon.http();
    let mut alice = daemon.line();
    alice.send(BLOCK);
    alice.login("alice");
    let told = http.json("/v1/users/alice")["connections"][0].clone();
    assert_eq!(told["address"], "192.0.2.7:40000");
    daemon.logs("opened peer=192.0.2.7:40000");
    let told = http.post("/v1/bans", r#"{"cidr":"127.0.0.0/8"}"#);
    assert_eq!(told.json(), json!({"kicked": 0}), "the proxy is not meant");
    let told = http.post("/v1/bans", r#"{"cidr":"192.0.2.0/24","ttl_ms":60000}"#);
    assert_eq!(told.json(), json!({"kicked": 1}));
    alice.closes("banned");
    let mut again = daemon.line();
    again.send("PROXY TCP4 192.0.2.9 192.0.2.1 1 7373\r\n");
    again.closes("banned");
    let mut mapped = daemon.line();
    mapped.send("PROXY TCP6 ::ffff:192.0.2.9 ::1 1 7373\r\n");
    mapped.closes("banned");
    let mut other = daemon.line();
    other.send("PROXY TCP4 198.51.100.1 192.0.2.1 1 7373\r\nping\n");
    other.hears("pong");
    let closes = http.json("/v1/closes?reason=banned")["closes"].clone();
    assert_eq!(closes[0]["address"], "192.0.2.9:1");
}

#[test]
fn the_header_is_demanded_of_proxies_and_of_nobody_else() {
    // 27
    let daemon = Daemon::single(&format!("{TRUST}\nproxy_timeout = \"300ms\""));
    let mut missing = daemon.main(Framing::Line);
    missing.send("login alice\n");
    missing.closes("protocol");
    let mut silent = daemon.main(Framing::Line);
    silent.closes("frame-timeout");
    let mut gone = daemon.main(Framing::Line);
    gone.send(&BLOCK[..20]);
    gone.half_close();
    gone.gone();
    let mut check = daemon.main(Framing::Line);
    check.send(b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00ping\n");
    check.hears("pong");
    // Whatever family it says.
    let mut odd = daemon.main(Framing::Line);
    odd.send(b"\r\n\r\n\0\r\nQUIT\n\x20\xf3\x00\x03abcping\n");
    odd.hears("pong");
    let strict = Daemon::single("trusted_proxies = [\"192.0.2.0/24\", \"::1\"]");
    let mut stranger = strict.main(Framing::Line);
    stranger.closes("protocol");
    let plain = Daemon::single("");
    let mut liar: Client = plain.main(Framing::Line);
    liar.fails("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r", "bad-request");
}

#[test]
fn torn_at_any_byte_every_framing_goes_on_behind_the_header() {
    // 27
    let daemon = Daemon::new(TRUST);
    for cut in (1..BLOCK.len()).step_by(5) {
        for mut client in daemon.each() {
            client.send(&BLOCK[..cut]);
            client.send(&BLOCK[cut..]);
            client.login(&format!("user{cut}"));
        }
    }
}
