//! Content of a row: the token as JSON, or sealed.

use zeroize::Zeroizing;

use super::sealing_keys::{SealingKeys, is_sealed};
use crate::{error::BoxError, oauth2::token::Token, token_store::StoredToken};

/// The content for `next`, sealed for its place if there are keys. A revoked token is none.
pub(super) fn content(
    next: &StoredToken,
    key: &str,
    sealing: Option<&SealingKeys>,
) -> Result<Zeroizing<Vec<u8>>, BoxError> {
    let Some(token) = &next.token else {
        return Ok(Zeroizing::default());
    };
    let json = Zeroizing::new(serde_json::to_vec(token)?);
    sealed(json, &place(key, next.version), sealing)
}

/// What is stored of `json`: sealed for its place, if there are keys.
pub(super) fn sealed(
    json: Zeroizing<Vec<u8>>,
    place: &str,
    sealing: Option<&SealingKeys>,
) -> Result<Zeroizing<Vec<u8>>, BoxError> {
    match sealing {
        Some(keys) => Ok(Zeroizing::new(keys.seal(&json, place)?.into_bytes())),
        None => Ok(json),
    }
}

/// The token in the content of a row. Errors do not quote it.
pub(super) fn token(
    content: &[u8],
    version: u64,
    key: &str,
    sealing: Option<&SealingKeys>,
) -> Result<Option<Token>, BoxError> {
    if content.is_empty() {
        return Ok(None);
    }
    let json = opened(content, &place(key, version), sealing)?;
    serde_json::from_slice(&json).map_err(|_| "is no token".into())
}

/// The JSON that is stored for this place.
pub(super) fn opened(
    content: &[u8],
    place: &str,
    sealing: Option<&SealingKeys>,
) -> Result<Zeroizing<Vec<u8>>, BoxError> {
    match sealing {
        Some(keys) => keys.open(content, place),
        None if is_sealed(content) => Err("is sealed; give its store the sealing keys".into()),
        None => Ok(Zeroizing::new(content.to_vec())),
    }
}

/// What a sealed token is bound to.
fn place(key: &str, version: u64) -> String {
    format!("{version} {key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(version: u64) -> StoredToken {
        StoredToken::new(Some(Token::new("hunter2")), version)
    }

    #[test]
    fn a_row_without_keys_is_json() {
        let row = content(&stored(3), "k", None).expect("content");
        let json: serde_json::Value = serde_json::from_slice(&row).expect("JSON");
        assert_eq!(json["access_token"], "hunter2");
        let token = token(&row, 3, "k", None).expect("a token");
        assert_eq!(token, stored(3).token);
    }

    #[test]
    fn a_sealed_row_belongs_to_its_key_and_version() {
        let keys = SealingKeys::new("1", &[1; 32]);
        let row = content(&stored(3), "k", Some(&keys)).expect("content");
        let read = |version, key, keys| token(&row, version, key, keys);
        assert_eq!(read(3, "k", Some(&keys)).expect("a token"), stored(3).token);
        for (version, key, keys) in [(4, "k", Some(&keys)), (3, "l", Some(&keys)), (3, "k", None)] {
            let error = read(version, key, keys)
                .expect_err("another place")
                .to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_revoked_token_is_an_empty_row() {
        let keys = SealingKeys::new("1", &[1; 32]);
        for keys in [None, Some(&keys)] {
            let row = content(&StoredToken::new(None, 4), "k", keys).expect("content");
            assert!(row.is_empty());
            assert_eq!(token(&row, 4, "k", keys).expect("none"), None);
        }
    }

    #[test]
    fn errors_quote_no_content() {
        for content in [
            &b"hunter2"[..],
            b"{\"access_token\": hunter2}",
            b"[]",
            b"\xff",
        ] {
            let error = token(content, 1, "k", None).expect_err("no token");
            assert_eq!(error.to_string(), "is no token");
        }
    }
}
