//! Hashes in an ID token of the values that were issued with it.
//!
//! [OpenID Connect Core section 3.1.3.6](https://openid.net/specs/openid-connect-core-1_0.html#CodeIDToken),
//! [section 3.3.2.11](https://openid.net/specs/openid-connect-core-1_0.html#HybridIDToken)

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::digest;
use serde_json::Value;

use crate::{
    error::{Error, Result},
    jose::{Algorithm, Claims},
    secret::Secret,
};

/// Checks a hash claim against the value that it is of.
///
/// "Its value is the base64url encoding of the left-most half of the hash of the octets of the
/// ASCII representation of the access_token value, where the hash algorithm used is the hash
/// algorithm used in the alg Header Parameter of the ID Token's JOSE Header."
pub(super) fn check_hash(
    claims: &Claims,
    name: &str,
    algorithm: Algorithm,
    value: Option<&Secret>,
    is_required: bool,
) -> Result<()> {
    match (claims.get(name), value) {
        (None, Some(_)) if is_required => Err(Error::untrusted(format!(
            "the ID token has no {name}, which this flow requires"
        ))),
        (Some(Value::String(hash)), Some(value)) if *hash == left_half(algorithm, value) => Ok(()),
        (None, _) | (Some(_), None) => Ok(()),
        (Some(_), Some(_)) => Err(Error::untrusted(format!(
            "the {name} of the ID token is not the hash of the value that came with it"
        ))),
    }
}

fn left_half(algorithm: Algorithm, value: &Secret) -> String {
    let hash = digest(algorithm.digest(), value.expose_secret().as_bytes());
    let hash = hash.as_ref();
    URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hash: Option<Value>, value: Option<&str>, is_required: bool) -> Result<()> {
        let claims = match hash {
            Some(hash) => Claims::new().with("at_hash", hash),
            None => Claims::new(),
        };
        let value = value.map(Secret::from);
        check_hash(
            &claims,
            "at_hash",
            Algorithm::RS256,
            value.as_ref(),
            is_required,
        )
    }

    #[test]
    fn the_examples_of_the_specification() {
        // Core appendix A.3 and A.4.
        let token = Secret::from("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y");
        assert_eq!(
            left_half(Algorithm::RS256, &token),
            "77QmUPtjPfzWtF2AnpK9RQ"
        );
        let code = Secret::from("Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk");
        assert_eq!(left_half(Algorithm::RS256, &code), "LDktKdoQak3Pk0cnXxCltA");
    }

    #[test]
    fn the_hash_is_that_of_the_algorithm_and_of_ed25519_sha_512() {
        for (algorithm, length) in [
            (Algorithm::ES256, 22),
            (Algorithm::PS384, 32),
            (Algorithm::RS512, 43),
            (Algorithm::EdDSA, 43),
        ] {
            assert_eq!(left_half(algorithm, &Secret::from("a")).len(), length);
        }
    }

    #[test]
    fn another_hash_and_a_missing_one_are_refused() {
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        let hash = Value::from("77QmUPtjPfzWtF2AnpK9RQ");
        assert!(check(Some(hash.clone()), Some(token), true).is_ok());
        assert!(check(None, Some(token), false).is_ok());
        assert!(check(Some("x".into()), None, true).is_ok());
        for (hash, token) in [
            (None, token),
            (Some(hash), "other"),
            (Some("77QmUPtjPfzWtF2AnpK9RQ==".into()), token),
            (Some("".into()), token),
            (Some(7.into()), token),
            (Some(Value::Null), token),
        ] {
            let error = check(hash.clone(), Some(token), true);
            assert!(error.is_err(), "{hash:?}");
        }
    }
}
