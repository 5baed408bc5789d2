use std::{borrow::Cow, fmt};

use zeroize::Zeroize as _;

/// A confidential string: a token, an authorization code, a client secret, a password.
///
/// It prints as `[redacted]`, is overwritten with zeros when dropped, and gives its text only by
/// [`expose_secret`](Self::expose_secret). The time of a comparison does not depend on where two
/// secrets differ.
///
/// ```
/// use oauth_twin::Secret;
///
/// let secret = Secret::from("s3cret");
/// assert_eq!(format!("{secret:?}"), "[redacted]");
/// assert_eq!(secret.expose_secret(), "s3cret");
/// ```
///
/// # Security
///
/// Copies of the text are outside this type's control: buffers of the HTTP library and of the
/// operating system are not zeroed.
#[derive(Clone, Default)]
pub struct Secret {
    text: Cow<'static, str>,
    /// The secret begins here.
    from: usize,
}

impl Secret {
    /// Wraps `secret`.
    pub fn new(secret: impl Into<String>) -> Self {
        Self {
            text: Cow::Owned(secret.into()),
            from: 0,
        }
    }

    /// A publicly known text where a secret is expected. It is not copied.
    pub(crate) const fn known(text: &'static str) -> Self {
        Self {
            text: Cow::Borrowed(text),
            from: 0,
        }
    }

    /// The same secret in a text with `prefix` before it.
    pub(crate) fn behind(&self, prefix: &str) -> Self {
        let secret = self.expose_secret();
        // Of this size from the start, so that no part of it is left where it was moved from.
        let mut text = String::with_capacity(prefix.len() + secret.len());
        text.push_str(prefix);
        text.push_str(secret);
        Self {
            text: Cow::Owned(text),
            from: prefix.len(),
        }
    }

    /// The secret with the prefix that it was put behind.
    pub(crate) fn with_what_precedes(&self) -> &str {
        &self.text
    }

    /// The text itself. This is the only accessor: search for its name to find every use.
    pub fn expose_secret(&self) -> &str {
        &self.text[self.from..]
    }

    /// The text itself, for an HTTP library, whose buffers are not zeroed.
    #[allow(dead_code, reason = "only the clients send requests")]
    pub(crate) fn expose_secret_owned(mut self) -> String {
        match self.from {
            0 => std::mem::take(&mut self.text).into_owned(),
            _ => self.expose_secret().to_owned(),
        }
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.expose_secret().is_empty()
    }

    /// The SHA-256 of the text, which identifies a secret without revealing it.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let digest = ring::digest::digest(&ring::digest::SHA256, self.expose_secret().as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        bytes
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        if let Cow::Owned(text) = &mut self.text {
            // `zeroize` overwrites spare capacity in one go, and text byte by byte. Clearing makes
            // all of it spare capacity.
            text.clear();
            text.zeroize();
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Compares digests: where two digests differ reveals nothing about where the secrets differ.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.digest() == other.digest()
    }
}

impl Eq for Secret {}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self::new(secret)
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Self::new(secret)
    }
}

impl From<&Self> for Secret {
    fn from(secret: &Self) -> Self {
        secret.clone()
    }
}

/// Serialisation of a secret as plain text, for values that are stored.
pub(crate) mod exposed {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Secret;

    pub(crate) fn serialize<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(secret.expose_secret())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(Secret::new)
    }
}

/// Serialisation of an optional secret as plain text.
pub(crate) mod exposed_option {
    use serde::{Deserialize, Deserializer, Serialize as _, Serializer};

    use super::Secret;

    pub(crate) fn serialize<S: Serializer>(
        secret: &Option<Secret>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(Secret::expose_secret).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Secret>, D::Error> {
        Option::<String>::deserialize(from).map(|secret| secret.map(Secret::new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_nothing() {
        let secret = Secret::from("hunter2");
        assert_eq!(format!("{secret:?} {secret:#?}"), "[redacted] [redacted]");
    }

    #[test]
    fn compares_by_content() {
        assert_eq!(Secret::from("a"), Secret::from("a".to_owned()));
        assert_eq!(Secret::from("a"), Secret::known("a"));
        assert_ne!(Secret::from("a"), Secret::from("A"));
        assert_ne!(Secret::from(""), Secret::from("a"));
    }

    #[test]
    fn what_precedes_a_secret_is_no_part_of_it() {
        let secret = Secret::from("a").behind("Bearer ");
        assert_eq!(secret.expose_secret(), "a");
        assert_eq!(secret.with_what_precedes(), "Bearer a");
        assert_eq!((&secret, &secret.clone()), (&"a".into(), &"a".into()));
        assert!(Secret::from("").behind("Bearer ").is_empty());
    }
}
