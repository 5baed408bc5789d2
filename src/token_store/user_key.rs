//! Names of users as keys of their stored tokens.

use std::fmt;

use ring::digest::{SHA256, digest};

use crate::error::{Error, Result};

/// Maximum length of an encoded name. A file name may have 255 bytes, and suffixes are to come.
const MAX_BYTES: usize = 120;

/// Length of the readable beginning of a longer name.
const PREFIX_BYTES: usize = 48;

/// Between the beginning of a long name and its digest; escaped wherever it is part of a name.
const DIGEST: char = '~';

/// Suffixes of the files that a [`FileTokenStore`](super::FileTokenStore) keeps beside that of a
/// token, after a dot.
pub(super) const HELPER_SUFFIXES: [&str; 4] = ["lock", "lease", "new", "clients"];

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Name of a user as the key of their stored token.
///
/// It displays encoded: as a file name, as a part of a Redis key (also within a hash tag `{…}`), as
/// the user of a keyring. Two names never have the same key, also where file names do not tell upper
/// from lower case, nor is one that of another with the suffix of a lock file. The key has at most 120 bytes, all of them `a-z 0-9 - _ . @ + % ~`.
///
/// ```
/// use oauth_twin::UserKey;
///
/// assert_eq!(UserKey::new("alice@example.com")?.to_string(), "alice@example.com");
/// assert_eq!(UserKey::new("../Alice")?.to_string(), "%2e.%2f%41lice");
/// assert_eq!(format!("tokens:{{{}}}", UserKey::new("x}{y")?), "tokens:{x%7d%7by}");
/// assert!(UserKey::new("").is_err());
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// A longer name ends with `~` and its SHA-256, so that it cannot be read back from the key.
///
/// # Security
///
/// Use the key, and not the [`name`](Self::name), wherever a store formats it into a path or into a
/// key. The name may be used where no text is parsed, such as for a bound parameter of SQL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserKey {
    name: Box<str>,
    encoded: Box<str>,
}

impl UserKey {
    /// Encodes the name of a user: whatever identifies one in the calling program.
    ///
    /// # Errors
    ///
    /// If the name is empty.
    pub fn new(name: impl AsRef<str>) -> Result<Self> {
        let name = name.as_ref();
        if name.is_empty() {
            return Err(Error::usage("the name of the user is empty"));
        }
        Ok(Self {
            encoded: encode(name).into(),
            name: name.into(),
        })
    }

    /// The name as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The encoded name, which is also what it displays as.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.encoded
    }

    /// Whether the name can be read back from the key.
    pub(super) fn is_readable(&self) -> bool {
        !self.encoded.contains(DIGEST)
    }
}

impl fmt::Display for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.encoded)
    }
}

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UserKey").field(&self.encoded).finish()
    }
}

fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len() + 8);
    let last = name.len() - 1;
    for (at, byte) in name.bytes().enumerate() {
        let is_plain = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'@' | b'+' => true,
            // A hidden file, an option, a name that Windows cuts.
            b'.' => at != 0 && at != last,
            b'-' => at != 0,
            _ => false,
        };
        match is_plain {
            true => encoded.push(char::from(byte)),
            false => push_escaped(&mut encoded, byte),
        }
    }
    if is_device(&encoded) {
        encoded = with_escaped(&encoded, 0);
    }
    if let Some((name, suffix)) = encoded.rsplit_once('.')
        && HELPER_SUFFIXES.contains(&suffix)
    {
        // As a file name it would be that of a file beside another user's.
        encoded = with_escaped(&encoded, name.len());
    }
    if encoded.len() > MAX_BYTES {
        // Not in the middle of an escape.
        let begins = encoded[PREFIX_BYTES - 2..PREFIX_BYTES].find('%');
        encoded.truncate(PREFIX_BYTES - begins.map_or(0, |at| 2 - at));
        encoded.push(DIGEST);
        for byte in digest(&SHA256, name.as_bytes()).as_ref() {
            push_hex(&mut encoded, *byte);
        }
    }
    encoded
}

/// The encoded name with the byte at `at`, an ASCII character, escaped.
pub(super) fn with_escaped(encoded: &str, at: usize) -> String {
    let mut escaped = encoded[..at].to_owned();
    push_escaped(&mut escaped, encoded.as_bytes()[at]);
    escaped.push_str(&encoded[at + 1..]);
    escaped
}

fn push_escaped(to: &mut String, byte: u8) {
    to.push('%');
    push_hex(to, byte);
}

fn push_hex(to: &mut String, byte: u8) {
    for nibble in [byte >> 4, byte & 15] {
        to.push(char::from(HEX[usize::from(nibble)]));
    }
}

/// Whether Windows takes the name, with any extension, for that of a device.
pub(super) fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    match stem.len() {
        3 => ["con", "prn", "aux", "nul"].contains(&stem),
        4 => {
            let (port, number) = stem.split_at(3);
            ["com", "lpt"].contains(&port) && number.bytes().all(|byte| byte.is_ascii_digit())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::percent_decode;

    fn key(name: &str) -> String {
        UserKey::new(name).expect("a name").to_string()
    }

    #[test]
    fn a_key_is_safe_wherever_it_is_formatted() {
        for (name, encoded) in [
            ("alice", "alice"),
            ("alice.b@example.com", "alice.b@example.com"),
            ("a:b", "a%3ab"),
            ("a%3Ab", "a%253%41b"),
            ("a%3ab", "a%253ab"),
            ("x}{y", "x%7d%7by"),
            ("../alice", "%2e.%2falice"),
            ("..", "%2e%2e"),
            (".", "%2e"),
            ("a/b", "a%2fb"),
            ("a\\b", "a%5cb"),
            ("C:x", "%43%3ax"),
            ("name.", "name%2e"),
            ("-rf", "%2drf"),
            (" ", "%20"),
            ("a\0b", "a%00b"),
            ("é", "%c3%a9"),
            ("auth0|5f7", "auth0%7c5f7"),
            ("con", "%63on"),
            ("nul.txt", "%6eul.txt"),
            ("com1", "%63om1"),
            ("comx", "comx"),
            ("console", "console"),
            ("alice.lease", "alice%2elease"),
            ("alice.new.lock", "alice.new%2elock"),
            ("con.clients", "%63on%2eclients"),
            ("Alice.NEW", "%41lice.%4e%45%57"),
            ("alice.lease.", "alice.lease%2e"),
            ("alice.leases", "alice.leases"),
            ("lease", "lease"),
        ] {
            assert_eq!(key(name), encoded, "{name}");
            assert_eq!(percent_decode(encoded.as_bytes()).as_deref(), Some(name));
            assert!(UserKey::new(name).expect("a name").is_readable());
        }
    }

    #[test]
    fn upper_and_lower_case_differ_without_their_case() {
        assert_ne!(key("Alice"), key("alice"));
        assert_eq!(key("Alice"), key("Alice").to_lowercase());
    }

    #[test]
    fn a_name_must_not_be_empty() {
        let error = UserKey::new("").expect_err("no name");
        assert_eq!(error.to_string(), "the name of the user is empty");
    }

    #[test]
    fn a_long_name_has_a_short_key_of_its_own() {
        let [long, longer] = [300, 301].map(|length| "x".repeat(length));
        assert_eq!(key(&long).len(), PREFIX_BYTES + 1 + 64);
        assert_ne!(key(&long), key(&longer));
        assert_eq!(key(&"x".repeat(MAX_BYTES)), "x".repeat(MAX_BYTES));
        assert!(key(&"x".repeat(MAX_BYTES + 1)).contains('~'));
        let is_readable = UserKey::new(&long).expect("a name").is_readable();
        assert!(!is_readable);
        // The name that looks like the key of another has another key.
        assert_ne!(key(&key(&long)), key(&long));
        // An escape is not cut in two.
        for shift in 0..3 {
            let key = key(&format!("{}{}", "x".repeat(shift), "/".repeat(200)));
            let (prefix, _) = key.split_once('~').expect("a digest");
            assert_eq!(prefix.trim_start_matches('x').len() % 3, 0, "{key}");
        }
    }

    #[test]
    fn debug_shows_the_key() {
        let key = UserKey::new("a/b").expect("a name");
        assert_eq!(format!("{key:?}"), "UserKey(\"a%2fb\")");
    }

    proptest! {
        #[test]
        fn keys_are_injective_short_and_plain(one in "\\PC{1,90}(\\.new)?", other in "\\PC{1,90}") {
            let [key, other_key] = [&one, &other].map(|name| key(name));
            prop_assert_eq!(one == other, key == other_key);
            prop_assert!(key.len() <= MAX_BYTES);
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit()
                || b"-_.@+%~".contains(&byte);
            prop_assert!(key.bytes().all(is_plain), "{}", key);
            let suffix = key.rsplit_once('.').map(|(_, suffix)| suffix);
            prop_assert!(suffix.is_none_or(|suffix| !HELPER_SUFFIXES.contains(&suffix)));
            let is_readable = UserKey::new(&one).is_ok_and(|key| key.is_readable());
            prop_assert_eq!(key.contains('~'), !is_readable);
            if is_readable {
                prop_assert_eq!(percent_decode(key.as_bytes()), Some(one));
            }
        }
    }
}
