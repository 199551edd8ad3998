//! Signed tokens: JWT (RFC 7519) in the compact form of JWS (RFC 7515), judged by a JWK Set
//! (RFC 7517) with keys for `HS256`, `RS256` and `EdDSA` (Ed25519).
//!
//! - The key says by which algorithm a signature is judged. A token that names another one finds no
//!   key; there is none for `none`.
//! - One signature is judged a token at most: of several keys of an algorithm each has an id, and
//!   the token must name one of them. What it says besides about keys (`jku`, `jwk`, `x5c`) is not
//!   looked at, and one with `crit` is refused.
//! - Nothing of what a token claims is read before its signature holds.
//!
//! `ring` does the arithmetic: 30 µs for RS256 with 2,048 bits, 95 with 4,096, 60 for EdDSA, 1 for
//! HS256 (`cargo bench --bench tokens`).

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::signature::UnparsedPublicKey;
use ring::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;

use super::{Refusal, sum_of};

/// Keys at most.
pub const KEYS_MAX: usize = 64;

/// By so much the clocks of an issuer and of this machine may differ.
pub const LEEWAY: Duration = Duration::from_secs(30);

/// Bytes of a secret at least: as many as the hash has (RFC 7518, 3.2).
const SECRET_MIN: usize = 32;

/// Keys, and what a token must say beside whose it is.
pub struct Keys {
    keys: Vec<Key>,
    /// What tells the set from others of as many.
    sum: u64,
    issuer: Option<String>,
    audience: Option<String>,
}

struct Key {
    id: Option<String>,
    material: Material,
    /// Whether the private half stands beside it.
    is_private: bool,
}

enum Material {
    Secret(hmac::Key),
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    Ed25519(UnparsedPublicKey<Vec<u8>>),
}

/// A key as it is written.
#[derive(Deserialize)]
struct Jwk<'a> {
    #[serde(borrow)]
    kty: Cow<'a, str>,
    #[serde(borrow)]
    kid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    alg: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "use")]
    purpose: Option<Cow<'a, str>>,
    #[serde(borrow)]
    crv: Option<Cow<'a, str>>,
    #[serde(borrow)]
    k: Option<Cow<'a, str>>,
    #[serde(borrow)]
    n: Option<Cow<'a, str>>,
    #[serde(borrow)]
    e: Option<Cow<'a, str>>,
    #[serde(borrow)]
    x: Option<Cow<'a, str>>,
    d: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct JwkSet<'a> {
    #[serde(borrow)]
    keys: Vec<Jwk<'a>>,
}

/// What a token says of itself before anything of it is known to be true.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    kid: Option<Cow<'a, str>>,
    /// Extensions that must be understood: none is, so nothing may stand there.
    #[serde(default, deserialize_with = "is_there")]
    crit: bool,
}

fn is_there<'de, D: serde::Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(value).map(|_| true)
}

#[derive(Deserialize)]
struct Claims<'a> {
    #[serde(borrow)]
    sub: Option<Cow<'a, str>>,
    exp: Option<f64>,
    nbf: Option<f64>,
    #[serde(borrow)]
    iss: Option<Cow<'a, str>>,
    aud: Option<Audience>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Never shows the keys.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("keys", &self.keys.len())
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish()
    }
}

impl Keys {
    /// Reads a JWK Set: an object whose `keys` are the keys. Those that are for something else
    /// (`use` other than `sig`, another algorithm) are stepped over.
    ///
    /// # Errors
    /// What is wrong with it, or with one of its keys; none of it is repeated.
    pub fn read(text: &str) -> Result<Self, String> {
        let set: JwkSet<'_> = serde_json::from_str(text).map_err(|error| {
            // What serde_json says of the cause may repeat a value.
            let (line, column) = (error.line(), error.column());
            format!("line {line}, column {column}: not a JWK Set, {{\"keys\": [{{\"kty\": …}}]}}")
        })?;
        let mut keys = Vec::new();
        for (number, jwk) in set.keys.iter().enumerate() {
            let key = key_of(jwk).map_err(|wrong| format!("key {}: {wrong}", number + 1))?;
            keys.extend(key);
        }
        match keys.len() {
            0 => return Err(String::from("no key for HS256, RS256 or EdDSA")),
            1..=KEYS_MAX => {}
            _ => return Err(format!("more than {KEYS_MAX} keys")),
        }
        for (place, key) in keys.iter().enumerate() {
            let algorithm = key.material.algorithm();
            let mut others = keys.iter().enumerate().filter(|(other, _)| *other != place);
            let is_rival = |other: &Key| {
                let is_same = other.material.algorithm() == algorithm;
                is_same && (key.id.is_none() || key.id == other.id)
            };
            if others.any(|(_, other)| is_rival(other)) {
                return Err(format!(
                    "several keys for {algorithm}: each needs a \"kid\" of its own"
                ));
            }
        }
        Ok(Self {
            keys,
            sum: sum_of(&[text.as_bytes()]),
            issuer: None,
            audience: None,
        })
    }

    /// Demands an issuer and an audience; what is empty is not demanded.
    #[must_use]
    pub fn demanding(mut self, issuer: &str, audience: &str) -> Self {
        let wanted = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        (self.issuer, self.audience) = (wanted(issuer), wanted(audience));
        self
    }

    /// Keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no token is good.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether there is one that makes tokens as well: a secret, or a pair with its private half.
    #[must_use]
    pub fn has_secret(&self) -> bool {
        let is_secret = |key: &Key| key.is_private || matches!(key.material, Material::Secret(_));
        self.keys.iter().any(is_secret)
    }

    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    pub(super) fn bytes(&self) -> usize {
        // The largest is one of 8,192 bits.
        self.keys.len() * (size_of::<Key>() + 1_024)
    }

    /// Whether the token is good `now`, and that of the user.
    ///
    /// # Errors
    /// Why it is not.
    pub fn judge(&self, user: &str, token: &str, now: Duration) -> Result<(), Refusal> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Refusal::Malformed)?;
        let decode = |part: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(part);
            bytes.map_err(|_| Refusal::Malformed)
        };
        let (header, signature) = (decode(header)?, decode(signature)?);
        let key = self.find(&header)?;
        if !key.material.has_made(signed.as_bytes(), &signature) {
            return Err(Refusal::Forged);
        }
        self.judge_claims(user, &decode(claims)?, now)
    }

    fn find(&self, header: &[u8]) -> Result<&Key, Refusal> {
        let header: Header<'_> = object(header)?;
        if header.crit {
            return Err(Refusal::Malformed);
        }
        let is_meant = |key: &&Key| {
            let has_id = match (&key.id, &header.kid) {
                (Some(id), Some(wanted)) => id == wanted,
                (Some(_), None) => self.is_only(key),
                (None, _) => true,
            };
            has_id && key.material.algorithm() == header.alg
        };
        self.keys.iter().find(is_meant).ok_or(Refusal::NoKey)
    }

    /// Whether no other key has its algorithm.
    fn is_only(&self, key: &Key) -> bool {
        let algorithm = key.material.algorithm();
        let same = |other: &&Key| other.material.algorithm() == algorithm;
        self.keys.iter().filter(same).count() == 1
    }

    fn judge_claims(&self, user: &str, claims: &[u8], now: Duration) -> Result<(), Refusal> {
        let claims: Claims<'_> = object(claims)?;
        let (now, leeway) = (now.as_secs_f64(), LEEWAY.as_secs_f64());
        if !claims.exp.is_some_and(|end| now < end + leeway) {
            return Err(Refusal::Expired);
        }
        if claims.nbf.is_some_and(|begin| now + leeway < begin) {
            return Err(Refusal::Early);
        }
        if claims.sub.as_deref() != Some(user) {
            return Err(Refusal::OtherUser);
        }
        if self.issuer.is_some() && claims.iss.as_deref() != self.issuer.as_deref() {
            return Err(Refusal::OtherIssuer);
        }
        // RFC 7519, 4.1.3: a token that names its audience is not for anybody else.
        let is_ours = match (&claims.aud, &self.audience) {
            (None, wanted) => wanted.is_none(),
            (Some(_), None) => false,
            (Some(Audience::One(one)), Some(wanted)) => one == wanted,
            (Some(Audience::Several(all)), Some(wanted)) => all.contains(wanted),
        };
        is_ours.then_some(()).ok_or(Refusal::OtherAudience)
    }
}

/// Reads a JSON object; `serde` would take an array of the values as well.
fn object<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, Refusal> {
    match text.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice(text).map_err(|_| Refusal::Malformed),
        _ => Err(Refusal::Malformed),
    }
}

impl Material {
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Secret(_) => "HS256",
            Self::Rsa(_) => "RS256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn has_made(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            // In constant time.
            Self::Secret(key) => hmac::verify(key, signed, signature).is_ok(),
            Self::Rsa(key) => key
                .verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
                .is_ok(),
            Self::Ed25519(key) => key.verify(signed, signature).is_ok(),
        }
    }
}

/// A key of ours; nothing where it is for something else.
fn key_of(jwk: &Jwk<'_>) -> Result<Option<Key>, String> {
    let part = |name: &str, value: &Option<Cow<'_, str>>| {
        let value = value
            .as_ref()
            .ok_or_else(|| format!("it has no {name:?}"))?;
        let bytes = URL_SAFE_NO_PAD.decode(value.as_bytes());
        bytes.map_err(|_| format!("{name:?} is not base64url without \"=\""))
    };
    let is_for = |algorithm: &str| jwk.alg.as_ref().is_none_or(|alg| alg == algorithm);
    let signs = jwk.purpose.as_ref().is_none_or(|purpose| purpose == "sig");
    let material = match &jwk.kty[..] {
        _ if !signs => return Ok(None),
        "oct" if is_for("HS256") => {
            let secret = part("k", &jwk.k)?;
            if secret.len() < SECRET_MIN {
                return Err(format!("\"k\" has fewer than {SECRET_MIN} bytes"));
            }
            Material::Secret(hmac::Key::new(hmac::HMAC_SHA256, &secret))
        }
        "RSA" if is_for("RS256") => {
            let (n, e) = (modulus(part("n", &jwk.n)?)?, exponent(part("e", &jwk.e)?)?);
            Material::Rsa(RsaPublicKeyComponents { n, e })
        }
        "OKP" if jwk.crv.as_deref() == Some("Ed25519") && is_for("EdDSA") => {
            let x = part("x", &jwk.x)?;
            if x.len() != 32 {
                return Err(String::from("\"x\" of Ed25519 has 32 bytes"));
            }
            Material::Ed25519(UnparsedPublicKey::new(&ED25519, x))
        }
        _ => return Ok(None),
    };
    let id = jwk.kid.as_ref().map(|id| id.clone().into_owned());
    let is_private = jwk.d.is_some();
    Ok(Some(Key {
        id,
        material,
        is_private,
    }))
}

/// A modulus that the arithmetic takes: odd, of 2,048 to 8,192 bits.
fn modulus(mut n: Vec<u8>) -> Result<Vec<u8>, String> {
    strip(&mut n);
    let top = n.first().map_or(0, |first| first.leading_zeros() as usize);
    let bits = 8 * n.len() - top;
    let is_odd = n.last().is_some_and(|last| last & 1 == 1);
    match (2_048..=8_192).contains(&bits) && is_odd {
        true => Ok(n),
        false => Err(String::from("\"n\" is no modulus of 2,048 to 8,192 bits")),
    }
}

/// An exponent that it takes: odd, from 3 to 2^33 - 1.
fn exponent(mut e: Vec<u8>) -> Result<Vec<u8>, String> {
    strip(&mut e);
    let value = e
        .iter()
        .take(8)
        .fold(0, |value, byte| value << 8 | u64::from(*byte));
    match e.len() <= 5 && (3..1 << 33).contains(&value) && value & 1 == 1 {
        true => Ok(e),
        false => Err(String::from("\"e\" is no exponent: odd, 3 or more")),
    }
}

/// Some write leading zeros.
fn strip(number: &mut Vec<u8>) {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.drain(..zeros);
}

#[cfg(test)]
mod tests;
