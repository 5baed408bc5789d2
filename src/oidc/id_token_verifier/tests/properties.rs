//! Readers of ID tokens survive any text and any claim.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{asked, good, signed, verified, verified_by, verifier, with};
use crate::secret::Secret;

proptest! {
    #[test]
    fn no_id_token_panics(text: String, parts in proptest::collection::vec(any::<Vec<u8>>(), 3)) {
        let encode = |part: &Vec<u8>| {
            base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, part)
        };
        let parts: Vec<_> = parts.iter().map(encode).collect();
        for text in [text, parts.join(".")] {
            let id_token = Secret::from(text);
            prop_assert!(verified_by(&verifier(), &id_token, &asked()).is_err());
            let identity = verifier().check_identity(&id_token, Some(&signed(&good())));
            prop_assert!(identity.is_ok());
        }
    }

    #[test]
    fn any_claim_of_any_type_is_read_without_a_panic(
        name in "iss|sub|aud|azp|exp|iat|nbf|nonce|acr|amr|auth_time|at_hash|[a-z]{1,9}",
        value in any::<i64>().prop_map(Value::from)
            .boxed()
            .prop_union(any::<f64>().prop_map(Value::from).boxed())
            .or(any::<String>().prop_map(Value::from).boxed())
            .or(proptest::collection::vec(any::<String>(), 0..3).prop_map(Value::from).boxed()),
    ) {
        let claims = with(json!({ name: value }));
        if let Ok(id_token) = verified(&claims) {
            prop_assert_eq!(id_token.claims().subject(), claims["sub"].as_str().unwrap_or("?"));
            let _ = (id_token.amr(), id_token.auth_time(), id_token.claims().updated_at());
        }
    }
}
