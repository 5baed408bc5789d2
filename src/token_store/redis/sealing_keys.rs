//! Encryption of stored tokens.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::{
    error::{BoxError, Result},
    random,
};

/// Begin of a sealed text, which no JSON begins with.
const FORMAT: &str = "sealed1";

const BROKEN: &str = "is not whole: it was changed";
const UNOPENED: &str = "cannot be opened: it was changed, moved from another key of Redis, or \
                        sealed with another key of the same id";

/// Keys that seal the tokens of a store, so that who can read the store reads no token: AES-256-GCM,
/// bound to the place and the version of the token.
///
/// Each key has an id, which is stored beside the token. To rotate, begin with the new key and keep
/// the old ones, which only open: each token is sealed with the new key when it is renewed.
///
/// ```
/// use oauth_twin::SealingKeys;
///
/// # let (new, old) = ([1; 32], [2; 32]);
/// // let new: [u8; 32] = from your key management
/// let keys = SealingKeys::new("2026-11", &new).and_open_with("2026-05", &old);
/// assert_eq!(format!("{keys:?}"), r#"SealingKeys(["2026-11", "2026-05"])"#);
/// ```
///
/// # Security
///
/// A key must be 32 random bytes, kept elsewhere than the tokens. Each sealing has a random nonce:
/// rotate before a key has sealed 2³² tokens. A token that is not sealed is refused, so that nobody
/// who can write to the store can plant one. Whoever can write to it can still delete a token, or
/// restore an earlier one together with its version.
///
/// [RFC 5116 section 5.2](https://www.rfc-editor.org/rfc/rfc5116#section-5.2)
#[derive(Clone)]
pub struct SealingKeys(Arc<[SealingKey]>);

#[derive(Clone)]
struct SealingKey {
    id: String,
    key: LessSafeKey,
}

impl SealingKeys {
    /// Creates the key that seals and opens, with its id.
    pub fn new(id: impl Into<String>, key: &[u8; 32]) -> Self {
        Self([SealingKey::new(id.into(), key)].into())
    }

    /// Adds an earlier key, which only opens.
    pub fn and_open_with(self, id: impl Into<String>, key: &[u8; 32]) -> Self {
        let added = SealingKey::new(id.into(), key);
        Self(self.0.iter().cloned().chain([added]).collect())
    }

    /// Seals `plain` for the place that `bound_to` names.
    pub(super) fn seal(&self, plain: &[u8], bound_to: &str) -> Result<String> {
        let SealingKey { id, key } = &self.0[0];
        let mut nonce = [0; NONCE_LEN];
        random::fill(&mut nonce)?;
        let mut sealed = Vec::with_capacity(NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let tag = key.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(bound(id, bound_to)),
            &mut sealed[NONCE_LEN..],
        );
        // It fails only beyond 64 GiB.
        let tag =
            tag.map_err(|_| crate::error::Error::usage("the token is too large to be sealed"))?;
        sealed.extend_from_slice(tag.as_ref());
        let [id, sealed] = [BASE64.encode(id), BASE64.encode(sealed)];
        Ok(format!("{FORMAT}.{id}.{sealed}"))
    }

    /// Opens what was sealed for that place. Errors quote nothing but the id.
    pub(super) fn open(
        &self,
        sealed: &[u8],
        bound_to: &str,
    ) -> Result<Zeroizing<Vec<u8>>, BoxError> {
        let sealed = std::str::from_utf8(sealed).unwrap_or_default();
        if !is_sealed(sealed.as_bytes()) {
            return Err("is not sealed, but its store has sealing keys".into());
        }
        let mut parts = sealed.split('.').skip(1);
        let (Some(id), Some(data), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err(BROKEN.into());
        };
        let id = BASE64
            .decode(id)
            .ok()
            .and_then(|id| String::from_utf8(id).ok());
        let id = id.ok_or(BROKEN)?;
        let mut data = Zeroizing::new(BASE64.decode(data).map_err(|_| BROKEN)?);
        let Some((nonce, content)) = data.split_first_chunk_mut::<NONCE_LEN>() else {
            return Err(BROKEN.into());
        };
        let mut keys = self.0.iter().filter(|key| key.id == id);
        let Some(SealingKey { key, .. }) = keys.next() else {
            return Err(
                format!("is sealed with the key {id:?}, which its store does not have").into(),
            );
        };
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = key.open_in_place(nonce, Aad::from(bound(&id, bound_to)), content);
        let length = opened.map_err(|_| UNOPENED)?.len();
        data.drain(..NONCE_LEN);
        data.truncate(length);
        Ok(data)
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.0.iter().map(|key| &key.id).collect();
        f.debug_tuple("SealingKeys").field(&ids).finish()
    }
}

impl SealingKey {
    fn new(id: String, key: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key);
        // The length is that of the algorithm.
        let key = LessSafeKey::new(key.expect("a key of 32 bytes"));
        Self { id, key }
    }
}

/// Whether a stored text is sealed by any key.
pub(super) fn is_sealed(text: &[u8]) -> bool {
    text.starts_with(FORMAT.as_bytes()) && text.get(FORMAT.len()) == Some(&b'.')
}

/// Associated data. The length of the id keeps id and place apart.
fn bound(id: &str, bound_to: &str) -> String {
    format!("oauth-twin {FORMAT} {} {id} {bound_to}", id.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[u8] = br#"{"access_token":"hunter2"}"#;

    fn keys() -> SealingKeys {
        SealingKeys::new("new", &[7; 32])
    }

    #[track_caller]
    fn refused(keys: &SealingKeys, sealed: &str, bound_to: &str, what: &str) {
        let error = keys
            .open(sealed.as_bytes(), bound_to)
            .expect_err(what)
            .to_string();
        assert!(error.contains(what), "{error}");
        assert!(!error.contains("hunter2"));
    }

    #[test]
    fn what_was_sealed_opens_in_its_place_only() {
        let sealed = keys().seal(PLAIN, "tokens:{alice} 3").expect("sealed");
        assert!(is_sealed(sealed.as_bytes()) && !sealed.contains("hunter2"));
        let opened = keys()
            .open(sealed.as_bytes(), "tokens:{alice} 3")
            .expect("opened");
        assert_eq!(&opened[..], PLAIN);
        for elsewhere in ["tokens:{bob} 3", "tokens:{alice} 4", ""] {
            refused(&keys(), &sealed, elsewhere, "cannot be opened");
        }
    }

    #[test]
    fn the_same_token_is_sealed_differently_each_time() {
        let [one, other] = [(); 2].map(|()| keys().seal(PLAIN, "x").expect("sealed"));
        assert_ne!(one, other);
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let sealed = keys().seal(PLAIN, "x").expect("sealed");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            // Of the last bits of base64 too: they are not padding here.
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let error = keys().open(&changed, "x").expect_err("changed").to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        for short in 0..sealed.len() {
            assert!(keys().open(&sealed.as_bytes()[..short], "x").is_err());
        }
        refused(&keys(), &format!("{sealed}."), "x", "not whole");
        assert!(keys().open(b"\xff", "x").is_err());
    }

    #[test]
    fn earlier_keys_open_and_the_first_one_seals() {
        let old = SealingKeys::new("old", &[8; 32]);
        let sealed = old.seal(PLAIN, "x").expect("sealed");
        refused(&keys(), &sealed, "x", r#"the key "old""#);
        let rotated = keys().and_open_with("old", &[8; 32]);
        assert!(rotated.open(sealed.as_bytes(), "x").is_ok());
        let again = rotated.seal(PLAIN, "x").expect("sealed");
        refused(&old, &again, "x", r#"the key "new""#);
        assert!(keys().open(again.as_bytes(), "x").is_ok());
        let other = SealingKeys::new("new", &[9; 32]);
        refused(&other, &again, "x", "cannot be opened");
    }

    #[test]
    fn what_is_not_sealed_is_refused() {
        refused(
            &keys(),
            r#"{"access_token":"planted"}"#,
            "x",
            "is not sealed",
        );
        refused(&keys(), "", "x", "is not sealed");
        refused(&keys(), "sealed12.a.b", "x", "is not sealed");
    }

    #[test]
    fn debug_tells_no_key() {
        let shown = format!("{:?}", keys().and_open_with("old", &[8; 32]));
        assert_eq!(shown, r#"SealingKeys(["new", "old"])"#);
    }
}
