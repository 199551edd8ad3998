//! Static tokens: a user and the SHA-256 of a token a line. The tokens themselves are nowhere: who
//! reads the file can not log in with it, as long as they are long and random.
//!
//! A user may have several, so that a new one can be handed out before the old one goes. 56 bytes
//! an entry, found by a binary search.

use std::fmt;

use ring::digest::{SHA256, digest};
use smol_str::SmolStr;
use subtle::{Choice, ConstantTimeEq};

use super::sum_of;
use crate::codec::name::check_user;

/// Entries at most.
pub const ENTRIES_MAX: usize = 1_000_000;

const DIGEST: usize = 32;

/// Users with their tokens' hashes.
#[derive(Default)]
pub struct Users {
    /// In the order of names.
    entries: Box<[Entry]>,
    /// What tells them from others of as many; the order of lines is no difference.
    sum: u64,
}

struct Entry {
    name: SmolStr,
    digest: [u8; DIGEST],
}

/// Never shows the hashes.
impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users")
            .field("entries", &self.entries.len())
            .finish()
    }
}

impl Users {
    /// Reads lines of a name and 64 hexadecimal digits. What follows `#` or `;` behind white space
    /// or at the beginning of a line is a remark: a name that begins so has no token here.
    ///
    /// ```
    /// use pulsegate::tokens::users::Users;
    ///
    /// // printf %s correct-horse | sha256sum
    /// let digest = "9dca666eb54730714630d1519264a7bf1eeaad00b8f2edc90d3ecbfad928d163";
    /// let users = Users::read(&format!("alice {digest} # her phone\n")).unwrap();
    /// assert!(users.admits("alice", "correct-horse"));
    /// assert!(!users.admits("alice", "wrong") && !users.admits("bob", "correct-horse"));
    /// ```
    ///
    /// # Errors
    /// The first line that is none, and what is wrong with it. Nothing of it is repeated: what
    /// stands behind a name may be a token, what stands before it as well, and the file may be
    /// quite another one.
    pub fn read(text: &str) -> Result<Self, (usize, String)> {
        let mut entries = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let entry = read_line(line).map_err(|wrong| (number + 1, wrong))?;
            entries.extend(entry);
            if entries.len() > ENTRIES_MAX {
                return Err((number + 1, format!("more than {ENTRIES_MAX} entries")));
            }
        }
        entries.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let sums = entries.iter();
        let sums = sums.map(|entry: &Entry| sum_of(&[entry.name.as_bytes(), &entry.digest]));
        Ok(Self {
            sum: sums.fold(0, u64::wrapping_add),
            entries: entries.into_boxed_slice(),
        })
    }

    /// Whether the token is one of the user's. Who has none is compared as well: how long it takes
    /// tells neither whether there is such a user nor how much of a token is right.
    #[must_use]
    pub fn admits(&self, user: &str, token: &str) -> bool {
        let shown = digest(&SHA256, token.as_bytes());
        let first = self.entries.partition_point(|entry| *entry.name < *user);
        let own = self.entries[first..].iter();
        let own = own.take_while(|entry| entry.name == user);
        let digests = own.map(|entry| &entry.digest);
        // No token is known that comes to this.
        let nobody = [0; DIGEST];
        let equal = |digest: &[u8; DIGEST]| digest[..].ct_eq(shown.as_ref());
        let found = digests.chain([&nobody]).map(equal);
        found.fold(Choice::from(0), |one, other| one | other).into()
    }

    /// Entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody can log in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    pub(super) fn bytes(&self) -> usize {
        let long = self
            .entries
            .iter()
            .filter(|entry| entry.name.is_heap_allocated());
        let names: usize = long.map(|entry| entry.name.len() + 16).sum();
        self.entries.len() * size_of::<Entry>() + names
    }
}

const _: () = assert!(size_of::<Entry>() == 56);

fn read_line(line: &str) -> Result<Option<Entry>, String> {
    let words = line.split_ascii_whitespace();
    let mut words = words.take_while(|word| !word.starts_with(['#', ';']));
    let Some(name) = words.next() else {
        return Ok(None);
    };
    check_user(name).map_err(|wrong| wrong.to_string())?;
    let shown = words.next().and_then(bytes_of);
    let Some(shown) = shown.filter(|_| words.next().is_none()) else {
        return Err(String::from(
            "behind a name stand the 64 hexadecimal digits of a token's SHA-256",
        ));
    };
    if shown == digest(&SHA256, b"").as_ref() {
        return Err(String::from("this is the SHA-256 of no token at all"));
    }
    Ok(Some(Entry {
        name: SmolStr::new(name),
        digest: shown,
    }))
}

/// The bytes that hexadecimal digits stand for.
fn bytes_of(hex: &str) -> Option<[u8; DIGEST]> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = hex.as_bytes().as_chunks::<2>().0;
    let mut bytes = [0; DIGEST];
    if hex.len() != 2 * DIGEST {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

    use super::*;

    /// SHA-256 of "abc" (FIPS 180-2).
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_user_has_the_tokens_of_his_lines_and_no_others() {
        let other = ABC.replace('b', "c");
        let upper = ABC.to_uppercase();
        let text = format!(
            "# devices\nbob {other}\n\nalice {upper} ; hers\nbob {ABC}\nzoe\t{other}\r\n; end\n"
        );
        let users = Users::read(&text).unwrap();
        assert_eq!(users.len(), 4);
        assert!(users.admits("alice", "abc") && users.admits("bob", "abc"));
        for (user, token) in [
            ("alice", ""),
            ("alice", "abcd"),
            ("alice", "ABC"),
            ("alice", ABC),
            ("zoe", "abc"),
            ("Alice", "abc"),
            ("alic", "abc"),
            ("nobody", "abc"),
            ("", ""),
        ] {
            assert!(!users.admits(user, token), "{user} {token}");
        }
        assert!(!Users::default().admits("alice", "abc"));
        assert!(!format!("{users:?}").contains("ba78"));
    }

    #[test]
    fn a_line_that_is_none_is_told_without_what_may_be_a_token() {
        for (text, line) in [
            ("alice", 1),
            (&format!("alice {ABC}\nbob sesame"), 2),
            (&format!("alice {}", &ABC[1..]), 1),
            (&format!("alice {ABC}0"), 1),
            (&format!("alice +{}", &ABC[1..]), 1),
            (&format!("alice {}g", &ABC[1..]), 1),
            (&format!("alice {ABC} sesame"), 1),
            (&format!("alice {}\u{e9}", &ABC[2..]), 1),
            (&format!("\n\na/b {ABC}"), 3),
            (&format!("alice {EMPTY}"), 1),
            ("alice:sesame", 1),
            ("sesame alice", 1),
            (&format!("{ABC}  alice"), 1),
            ("{\"keys\":[{\"kty\":\"oct\",\"k\":\"sesame/sesame\"}]}", 1),
        ] {
            let (number, wrong) = Users::read(text).unwrap_err();
            assert_eq!(number, line, "{text}");
            let told = wrong.contains("sesame") || wrong.contains(&ABC[2..]);
            assert!(!told && !wrong.contains('\n'), "{wrong}");
        }
    }
}
