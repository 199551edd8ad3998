//! Login tokens: a file of users is refused for its first wrong line and for no other; whoever gets
//! in by a signed token has one that a second, slower reading takes as well; keys and tokens of any
//! bytes are judged without a panic.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pulsegate::LoginCheck;
use pulsegate::codec::name::check_user;
use pulsegate::tokens::Tokens;
use pulsegate::tokens::keys::{Keys, LEEWAY};
use pulsegate::tokens::users::Users;
use ring::digest::{SHA256, digest};
use ring::hmac;
use serde_json::Value;
use serde_json::value::RawValue;

const NOW: Duration = Duration::from_secs(1_800_000_000);
const SECRET: [u8; 32] = [7; 32];
const USER: &str = "ann";

pub(super) fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.splitn(4, "#####");
    let mut next = || parts.next().unwrap_or("");
    let (users, keys, header, claims) = (next(), next(), next(), next());
    judge_users(users);
    judge_keys(keys, header);
    judge_signed(header, claims);
}

/// The entries of a text, or the first line that is wrong.
fn entries(text: &str) -> Result<Vec<(&str, String)>, usize> {
    let mut entries = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let words = line.split_ascii_whitespace();
        let words: Vec<&str> = words
            .take_while(|word| !word.starts_with(['#', ';']))
            .collect();
        match words[..] {
            [] => {}
            [name, hash] if is_hash(hash) && check_user(name).is_ok() => {
                entries.push((name, hash.to_ascii_lowercase()));
            }
            _ => return Err(number + 1),
        }
    }
    Ok(entries)
}

fn is_hash(text: &str) -> bool {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.len() == 64 && is_hex && !text.eq_ignore_ascii_case(&hash(""))
}

fn hash(token: &str) -> String {
    let digest = digest(&SHA256, token.as_bytes());
    let hex = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    hex.collect()
}

fn judge_users(text: &str) {
    let wanted = entries(text);
    let users = match (Users::read(text), &wanted) {
        (Ok(users), Ok(_)) => users,
        (Err((line, _)), Err(wrong)) => return assert_eq!(line, *wrong, "the first wrong line"),
        (read, _) => panic!("{read:?}, and it should be {wanted:?}"),
    };
    let wanted = wanted.unwrap_or_default();
    assert_eq!(users.len(), wanted.len());
    for token in ["", "abc", text] {
        let names = wanted.iter().map(|(name, _)| *name);
        for user in names.chain(["nobody of them"]) {
            let is_right = |entry: &(&str, String)| entry.0 == user && entry.1 == hash(token);
            let is_his = wanted.iter().any(is_right);
            assert_eq!(users.admits(user, token), is_his, "{user:?} {token:?}");
        }
    }
}

/// Keys of any bytes, and a token of any bytes that nobody has signed.
fn judge_keys(keys: &str, token: &str) {
    if let Ok(keys) = Keys::read(keys) {
        assert!(!keys.is_empty());
        assert!(keys.judge(USER, token, NOW).is_err(), "nobody signed it");
    }
}

fn judge_signed(header: &str, claims: &str) {
    let key = URL_SAFE_NO_PAD.encode(SECRET);
    let keys = format!("{{\"keys\":[{{\"kty\":\"oct\",\"k\":\"{key}\"}}]}}");
    let tokens = Tokens {
        users: None,
        keys: Keys::read(&keys).ok(),
    };
    let parts = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let signed = parts.join(".");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &SECRET);
    let signature = hmac::sign(&key, signed.as_bytes());
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    if tokens.judge(LoginCheck::Jwt, USER, &token, NOW).is_ok() {
        assert!(is_right(header, claims), "{header} {claims}");
    }
    // The same with a bit of the signature turned.
    let mut forged = token.into_bytes();
    let place = forged.len() - 2;
    forged[place] ^= 1;
    let forged = String::from_utf8_lossy(&forged);
    let judged = tokens.judge(LoginCheck::Jwt, USER, &forged, NOW);
    assert!(judged.is_err(), "a forged one opens the name");
}

/// What a JSON object has under names that matter. What it has beside is nobody's business, not
/// even where it is no text that could be read.
fn members(text: &str) -> Value {
    let all: BTreeMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
    let read = |raw: &RawValue| serde_json::from_str(raw.get()).ok();
    let read = all
        .into_iter()
        .filter_map(|(name, raw)| Some((name, read(raw)?)));
    Value::Object(read.collect())
}

fn is_right(header: &str, claims: &str) -> bool {
    let (header, claims) = (members(header), members(claims));
    let now = NOW.as_secs_f64();
    let time = |name: &str| claims[name].as_f64();
    let has_begun = claims["nbf"].is_null()
        || time("nbf").is_some_and(|begin| begin <= now + LEEWAY.as_secs_f64());
    header["alg"] == "HS256"
        && header["crit"].is_null()
        && claims["sub"] == USER
        && time("exp").is_some_and(|end| end > now - LEEWAY.as_secs_f64())
        && has_begun
        && claims["aud"].is_null()
}
