//! Tokens of the RFCs, of another implementation, and of our own making with every claim wrong.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use serde_json::{Value, json};

use super::*;

/// Made by another implementation, valid until 2100 but where they are wrong on purpose.
const KEYS: &str = include_str!("../../../tests/tcp/signed/keys.json");
const TOKENS: &str = include_str!("../../../tests/tcp/signed/tokens.txt");

const NOW: Duration = Duration::from_secs(1_800_000_000);
const SECRET: &[u8; 32] = b"thirty-two bytes of a secret key";

fn token(name: &str) -> &'static str {
    let mut lines = TOKENS.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(of, _)| *of == name).unwrap().1
}

fn secret() -> Value {
    json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET)})
}

fn keys_of(keys: &Value) -> Result<Keys, String> {
    Keys::read(&json!({ "keys": keys }).to_string())
}

/// A token that our secret has signed.
fn sign(header: &str, claims: &str) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let signed = format!("{header}.{claims}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let signature = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn judge(keys: &Keys, claims: &Value) -> Result<(), Refusal> {
    let token = sign(r#"{"alg":"HS256"}"#, &claims.to_string());
    keys.judge("alice", &token, NOW)
}

#[test]
fn tokens_of_another_implementation_are_good_for_their_user_alone() {
    let keys = Keys::read(KEYS).unwrap();
    assert_eq!(keys.len(), 4, "two are for something else");
    for name in ["RS256", "RS256-4096", "EdDSA", "HS256"] {
        assert_eq!(keys.judge("alice", token(name), NOW), Ok(()), "{name}");
        let other = keys.judge("bob", token(name), NOW);
        assert_eq!(other, Err(Refusal::OtherUser), "{name}");
    }
    for (name, refusal) in [
        ("expired", Refusal::Expired),
        ("bob", Refusal::OtherUser),
        // The public key as a secret, another key's signature, no signature.
        ("confused", Refusal::NoKey),
        ("confused-n", Refusal::NoKey),
        ("none", Refusal::NoKey),
        ("mixed", Refusal::Forged),
    ] {
        assert_eq!(
            keys.judge("alice", token(name), NOW),
            Err(refusal),
            "{name}"
        );
    }
}

#[test]
fn tokens_of_the_rfcs_have_the_right_signature() {
    // RFC 7515, A.1, and RFC 8037, A.4: their claims name no user, or are none.
    let k =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let keys = json!([
        {"kty": "oct", "k": k},
        {"kty": "OKP", "crv": "Ed25519", "x": x},
    ]);
    let keys = keys_of(&keys).unwrap();
    let hs256 = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                 eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9p\
                 c19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let eddsa = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
                 hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvp\
                 Ar_MuM0KAg";
    let then = Duration::from_secs(1_300_819_380);
    assert_eq!(keys.judge("joe", hs256, then), Err(Refusal::OtherUser));
    assert_eq!(keys.judge("joe", eddsa, then), Err(Refusal::Malformed));
    for token in [hs256, eddsa] {
        // One bit of each part.
        for place in [30, 60, token.len() - 10] {
            let mut other = token.to_owned().into_bytes();
            other[place] = if other[place] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            let refused = keys.judge("joe", &other, then).unwrap_err();
            let is_other = matches!(
                refused,
                Refusal::Forged | Refusal::Malformed | Refusal::NoKey
            );
            assert!(is_other, "{refused:?}");
        }
    }
}

#[test]
fn every_claim_that_is_asked_for_must_be_right() {
    let keys = || keys_of(&json!([secret()])).unwrap();
    let now = NOW.as_secs();
    let with = |name: &str, value: Value| {
        let mut claims = json!({"sub": "alice", "exp": now + 60, "iss": "id", "extra": [1]});
        claims[name] = value;
        claims
    };
    let plain = keys();
    for (name, value, wanted) in [
        ("exp", json!(now + 60), Ok(())),
        ("exp", json!(now as f64 + 0.5), Ok(())),
        ("exp", json!(now - 29), Ok(())),
        ("exp", json!(now - 30), Err(Refusal::Expired)),
        ("exp", json!(-1), Err(Refusal::Expired)),
        ("exp", Value::Null, Err(Refusal::Expired)),
        ("exp", json!("4102444800"), Err(Refusal::Malformed)),
        ("exp", json!([now + 60]), Err(Refusal::Malformed)),
        ("nbf", json!(now + 30), Ok(())),
        ("nbf", json!(now + 31), Err(Refusal::Early)),
        ("nbf", json!("0"), Err(Refusal::Malformed)),
        ("sub", json!("Alice"), Err(Refusal::OtherUser)),
        ("sub", Value::Null, Err(Refusal::OtherUser)),
        ("sub", json!(["alice"]), Err(Refusal::Malformed)),
        ("aud", json!("chat"), Err(Refusal::OtherAudience)),
        ("aud", json!([]), Err(Refusal::OtherAudience)),
    ] {
        let claims = with(name, value);
        assert_eq!(judge(&plain, &claims), wanted, "{claims}");
    }
    let demanding = keys().demanding("id", "chat");
    for (name, value, wanted) in [
        ("aud", json!("chat"), Ok(())),
        ("aud", json!(["mail", "chat"]), Ok(())),
        ("aud", json!(["mail"]), Err(Refusal::OtherAudience)),
        ("aud", json!("chats"), Err(Refusal::OtherAudience)),
        ("aud", Value::Null, Err(Refusal::OtherAudience)),
        ("aud", json!(7), Err(Refusal::Malformed)),
    ] {
        let claims = with(name, value);
        assert_eq!(judge(&demanding, &claims), wanted, "{claims}");
    }
    for iss in [json!("other"), Value::Null] {
        let mut claims = with("aud", json!("chat"));
        claims["iss"] = iss;
        assert_eq!(judge(&demanding, &claims), Err(Refusal::OtherIssuer));
    }
    // Twice the same, or something behind it: no two readers agree on what that says.
    for claims in [
        format!(r#"{{"sub":"bob","sub":"alice","exp":{}}}"#, now + 60),
        format!(r#"{{"sub":"alice","exp":{}}} {{}}"#, now + 60),
        format!(r#"["alice",{},null,null,null]"#, now + 60),
        String::from("null"),
        String::new(),
    ] {
        let token = sign(r#"{"alg":"HS256"}"#, &claims);
        let refused = plain.judge("alice", &token, NOW);
        assert_eq!(refused, Err(Refusal::Malformed), "{claims}");
    }
}

#[test]
fn a_header_chooses_among_our_keys_and_nothing_else() {
    let keys = keys_of(&json!([secret()])).unwrap();
    let claims = json!({"sub": "alice", "exp": NOW.as_secs() + 60}).to_string();
    for (header, wanted) in [
        (r#"{"alg":"HS256"}"#, Ok(())),
        (
            r#"{"alg":"HS256","kid":"any","jku":"https://evil.example"}"#,
            Ok(()),
        ),
        (r#"{"alg":"hs256"}"#, Err(Refusal::NoKey)),
        (r#"{"alg":"HS384"}"#, Err(Refusal::NoKey)),
        (r#"{"alg":"none"}"#, Err(Refusal::NoKey)),
        (r#"{"alg":""}"#, Err(Refusal::NoKey)),
        (r#"{"alg":"RS256"}"#, Err(Refusal::NoKey)),
        (r#"{"alg":"none","alg":"HS256"}"#, Err(Refusal::Malformed)),
        (r#"{"alg":["HS256"]}"#, Err(Refusal::Malformed)),
        (r#"["HS256",null,null]"#, Err(Refusal::Malformed)),
        (
            r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
            Err(Refusal::Malformed),
        ),
        (r#"{"alg":"HS256","crit":null}"#, Err(Refusal::Malformed)),
        (r#"{"typ":"JWT"}"#, Err(Refusal::Malformed)),
        ("", Err(Refusal::Malformed)),
    ] {
        let token = sign(header, &claims);
        assert_eq!(keys.judge("alice", &token, NOW), wanted, "{header}");
    }
    let good = sign(r#"{"alg":"HS256"}"#, &claims);
    let (front, _) = good.rsplit_once('.').unwrap();
    for (token, wanted) in [
        (String::new(), Refusal::Malformed),
        (String::from(".."), Refusal::Malformed),
        (front.to_owned(), Refusal::Malformed),
        (format!("{front}."), Refusal::Forged),
        (format!("{good}="), Refusal::Malformed),
        (format!("{good}.{good}"), Refusal::Forged),
        (format!(" {good}"), Refusal::Malformed),
        (good.replacen('.', "..", 1), Refusal::Forged),
    ] {
        assert_eq!(keys.judge("alice", &token, NOW), Err(wanted), "{token}");
    }
}

#[test]
fn of_several_keys_a_token_names_its_own() {
    let mut old = secret();
    old["kid"] = json!("old");
    let mut new = secret();
    new["kid"] = json!("new");
    new["k"] = json!(URL_SAFE_NO_PAD.encode([7; 32]));
    let keys = keys_of(&json!([old, new])).unwrap();
    let claims = json!({"sub": "alice", "exp": NOW.as_secs() + 60}).to_string();
    for (header, wanted) in [
        (r#"{"alg":"HS256","kid":"old"}"#, Ok(())),
        (r#"{"alg":"HS256","kid":"new"}"#, Err(Refusal::Forged)),
        (r#"{"alg":"HS256","kid":"gone"}"#, Err(Refusal::NoKey)),
        (r#"{"alg":"HS256"}"#, Err(Refusal::NoKey)),
    ] {
        let token = sign(header, &claims);
        assert_eq!(keys.judge("alice", &token, NOW), wanted, "{header}");
    }
    let mut twin = new.clone();
    twin["kid"] = json!("old");
    assert!(keys_of(&json!([old, twin])).unwrap_err().contains("kid"));
    assert!(keys_of(&json!([old, secret()])).is_err());
    let debug = format!("{keys:?}");
    assert!(
        !debug.contains("AgICA") && !debug.contains("BwcHB"),
        "{debug}"
    );
}

#[test]
fn a_key_that_is_none_is_told_and_not_repeated() {
    let even = URL_SAFE_NO_PAD.encode([0xfe; 256]);
    let (odd, short) = ([0xff; 256], [0xff; 255]);
    let [odd, short] = [&odd[..], &short].map(|n| URL_SAFE_NO_PAD.encode(n));
    for (key, says) in [
        (
            json!({"kty": "oct", "k": "c2VzYW1l"}),
            "key 1: \"k\" has fewer than 32 bytes",
        ),
        (json!({"kty": "oct"}), "key 1: it has no \"k\""),
        (
            json!({"kty": "oct", "k": "sesame!"}),
            "key 1: \"k\" is not base64url",
        ),
        (
            json!({"kty": "RSA", "n": even, "e": "AQAB"}),
            "key 1: \"n\" is no modulus",
        ),
        (
            json!({"kty": "RSA", "n": short, "e": "AQAB"}),
            "key 1: \"n\" is no modulus",
        ),
        (
            json!({"kty": "RSA", "n": "", "e": "AQAB"}),
            "key 1: \"n\" is no modulus",
        ),
        (
            json!({"kty": "RSA", "n": odd, "e": "AQ"}),
            "key 1: \"e\" is no exponent",
        ),
        (
            json!({"kty": "RSA", "n": odd, "e": "____________"}),
            "key 1: \"e\" is no exponent",
        ),
        (json!({"kty": "RSA", "n": odd}), "key 1: it has no \"e\""),
        (
            json!({"kty": "OKP", "crv": "Ed25519", "x": "AQAB"}),
            "key 1: \"x\" of Ed25519",
        ),
        (
            json!({"kty": "oct", "alg": "HS512", "k": "c2VzYW1l"}),
            "no key for HS256",
        ),
        (json!({"kty": 7, "k": "c2VzYW1l"}), "line 1, column "),
    ] {
        let wrong = keys_of(&json!([key])).unwrap_err();
        assert!(wrong.starts_with(says), "{wrong}");
        assert!(
            !wrong.contains("c2Vz") && !wrong.contains("sesame"),
            "{wrong}"
        );
    }
    for text in [
        "",
        "{}",
        "[]",
        "{\"keys\": 1}",
        "-----BEGIN PUBLIC KEY-----",
    ] {
        assert!(Keys::read(text).unwrap_err().contains("JWK Set"), "{text}");
    }
    assert!(keys_of(&json!([])).unwrap_err().starts_with("no key"));
}

#[test]
fn a_file_with_the_private_half_of_a_pair_holds_a_secret() {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let mut pair = json!([{"kty": "OKP", "crv": "Ed25519", "x": x}]);
    assert!(!keys_of(&pair).unwrap().has_secret());
    pair[0]["d"] = json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    assert!(keys_of(&pair).unwrap().has_secret());
    assert!(keys_of(&json!([secret()])).unwrap().has_secret());
}
