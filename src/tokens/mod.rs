//! Whether a login's token opens the name that it asks for: static tokens, one or more a user, and
//! signed ones. Reads no file and no clock, and never shows what it holds.
//!
//! - A token is judged whole, and only up to [`TOKEN_MAX`] bytes.
//! - Which check holds is the listener's to say ([`LoginCheck`]), never the token's; by which
//!   algorithm a signature is judged is the key's to say.
//! - What is compared is compared in constant time, also where nobody has the name.
//!
//! Costs half a microsecond for a static token, 1 to 95 for a signed one ([`keys`]).

pub mod keys;
pub mod users;

use std::fmt;
use std::hash::Hasher as _;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use self::keys::Keys;
use self::users::Users;
use crate::settings::LoginCheck;

/// Bytes of a token at most.
pub const TOKEN_MAX: usize = 8 << 10;

/// What tokens are judged by.
#[derive(Debug, Default)]
pub struct Tokens {
    /// Static tokens.
    pub users: Option<Users>,
    /// Keys of signed ones.
    pub keys: Option<Keys>,
}

/// How much there is, and what tells it from others of as many.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Imprint {
    users: usize,
    keys: usize,
    sum: u64,
}

/// Why a token does not open a name. For operators: a client is told only that it does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// There is nothing to judge it by.
    Unchecked,
    /// It is too long, or is no token of this kind.
    Malformed,
    /// It is not that of the user, or nobody has that name.
    Wrong,
    /// No key has its algorithm and id.
    NoKey,
    /// The signature is not that of the key.
    Forged,
    /// Its time is over, or it does not say when that is.
    Expired,
    /// Its time has not come.
    Early,
    /// It is for another user.
    OtherUser,
    /// Another issuer made it.
    OtherIssuer,
    /// It is for another audience.
    OtherAudience,
}

impl Refusal {
    /// The word in the log.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unchecked => "nothing to check it by",
            Self::Malformed => "malformed",
            Self::Wrong => "wrong",
            Self::NoKey => "no such key",
            Self::Forged => "forged",
            Self::Expired => "expired",
            Self::Early => "too early",
            Self::OtherUser => "of another user",
            Self::OtherIssuer => "of another issuer",
            Self::OtherAudience => "for another audience",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How much there is: `users=N keys=M`.
impl fmt::Display for Imprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "users={} keys={}", self.users, self.keys)
    }
}

/// The same.
impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.imprint().fmt(f)
    }
}

/// Tells contents apart: compared, and never shown.
fn sum_of(parts: &[&[u8]]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    for part in parts {
        hasher.write_usize(part.len());
        hasher.write(part);
    }
    hasher.finish()
}

impl Tokens {
    /// Whether `token` opens the name `user`, `now` being the time since 1970.
    ///
    /// # Errors
    /// Why it does not.
    pub fn judge(
        &self,
        check: LoginCheck,
        user: &str,
        token: &str,
        now: Duration,
    ) -> Result<(), Refusal> {
        if token.len() > TOKEN_MAX {
            return Err(Refusal::Malformed);
        }
        match check {
            LoginCheck::None => Ok(()),
            LoginCheck::Users => {
                let users = self.users.as_ref().ok_or(Refusal::Unchecked)?;
                let is_right = users.admits(user, token);
                is_right.then_some(()).ok_or(Refusal::Wrong)
            }
            LoginCheck::Jwt => {
                let keys = self.keys.as_ref().ok_or(Refusal::Unchecked)?;
                keys.judge(user, token, now)
            }
        }
    }

    /// What it holds.
    #[must_use]
    pub fn imprint(&self) -> Imprint {
        let (users, keys) = (self.users.as_ref(), self.keys.as_ref());
        let of_users = users.map_or(0, Users::sum);
        Imprint {
            users: users.map_or(0, Users::len),
            keys: keys.map_or(0, Keys::len),
            sum: of_users.wrapping_add(keys.map_or(0, Keys::sum)),
        }
    }

    /// Memory in use.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let users = self.users.as_ref().map_or(0, Users::bytes);
        users + self.keys.as_ref().map_or(0, Keys::bytes)
    }
}
