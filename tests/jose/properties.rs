//! Properties: no input panics, and a signed token can be read.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth_twin::jose::{Algorithm, Claims, Header, Jwk, JwkSet, Jws, SigningKey, VerifyingKey};
use proptest::{collection::vec, prelude::*};
use serde_json::Value;

use super::{jwk, key, verified};

fn pair() -> SigningKey {
    SigningKey::from_jwk(Algorithm::EdDSA, &jwk(&key("ed25519")["private_jwk"])).unwrap()
}

/// The members of a JWK, with its numbers as bytes without the zeros before them.
fn without_leading_zeros(json: Value) -> Vec<(String, Vec<u8>)> {
    let Value::Object(members) = json else {
        return Vec::new();
    };
    let one = |(name, value): (String, Value)| {
        let text = value.as_str().unwrap_or_default();
        let number = ["n", "e", "x", "y"]
            .contains(&&*name)
            .then(|| URL_SAFE_NO_PAD.decode(text));
        let bytes = match number {
            Some(Ok(bytes)) => bytes.into_iter().skip_while(|byte| *byte == 0).collect(),
            _ => value.to_string().into_bytes(),
        };
        (name, bytes)
    };
    members.into_iter().map(one).collect()
}

proptest! {
    #[test]
    fn no_token_panics(token: String, parts in vec("[A-Za-z0-9_.=-]{0,40}", 0..6)) {
        let _ = Jws::parse(&token);
        let _ = Jws::parse(&parts.join("."));
    }

    #[test]
    fn no_header_or_payload_panics(header: Vec<u8>, payload: Vec<u8>, signature: Vec<u8>) {
        let token = [header, payload.clone(), signature].map(|part| URL_SAFE_NO_PAD.encode(part));
        if let Ok(jws) = Jws::parse(&token.join(".")) {
            prop_assert!(jws.verify(&pair().verifying_key()).is_err());
        }
        let _ = Claims::from_slice(&payload);
    }

    #[test]
    fn no_jwk_panics(members in vec((
        "kty|crv|n|e|d|p|q|dp|dq|qi|x|y|k|alg|use|kid|key_ops",
        "RSA|EC|OKP|oct|P-256|P-384|Ed25519|AQAB|[A-Za-z0-9_-]{0,90}|",
    ), 0..12)) {
        let members: serde_json::Map<_, _> =
            members.into_iter().map(|(name, value)| (name, value.into())).collect();
        let json = serde_json::Value::Object(members);
        if let Ok(jwk) = serde_json::from_value::<Jwk>(json.clone()) {
            let _ = jwk.thumbprint();
            for algorithm in Algorithm::ALL {
                let _ = SigningKey::from_jwk(algorithm, &jwk);
                let _ = VerifyingKey::from_jwk(algorithm, &jwk);
            }
            // Zeros before a number are as RFC 7518 has them, and all else is as it was.
            let written = serde_json::to_value(&jwk).unwrap();
            let again = serde_json::from_value::<Jwk>(written.clone()).unwrap();
            prop_assert_eq!(&again, &jwk);
            prop_assert_eq!(without_leading_zeros(written), without_leading_zeros(json));
        }
    }

    #[test]
    fn any_claims_read_back(
        subject: String,
        audience in vec(any::<String>(), 0..4),
        name in "[^\u{0}]{1,20}",
        value: String,
        key_id: String,
    ) {
        prop_assume!(!["iss", "sub", "aud", "exp", "nbf", "iat", "jti"].contains(&&*name));
        let key = pair().with_key_id(&key_id);
        let claims = Claims::new()
            .with_subject(&subject)
            .with("aud", audience.clone())
            .with(&name, value.clone());
        let token = claims.sign(&key).unwrap();
        let payload = verified(token.expose_secret(), &key.verifying_key()).unwrap();
        let read = Claims::from_slice(&payload).unwrap();
        prop_assert_eq!(read.subject(), Some(&*subject));
        prop_assert!(read.audience().eq(audience.iter().map(|one| &**one)));
        prop_assert_eq!(read.get(&name), Some(&serde_json::Value::from(value)));
        prop_assert_eq!(&read, &claims);
        let jws = Jws::parse(token.expose_secret()).unwrap();
        prop_assert_eq!(jws.header().key_id(), Some(&*key_id));
    }

    /// A token with any byte changed is another token.
    #[test]
    fn no_changed_token_verifies(at in any::<prop::sample::Index>(), byte in "[A-Za-z0-9_-]") {
        let key = pair();
        let token = Claims::new().with_subject("me").sign(&key).unwrap();
        let mut changed = token.expose_secret().to_owned().into_bytes();
        let at = at.index(changed.len());
        prop_assume!(changed[at] != byte.as_bytes()[0]);
        changed[at] = byte.as_bytes()[0];
        let changed = String::from_utf8(changed).unwrap();
        prop_assert!(verified(&changed, &key.verifying_key()).is_err());
    }

    #[test]
    fn any_header_reads_back(typ: String, name in "[a-z]{4,8}", value: String) {
        prop_assume!(name != "crit");
        let header = Header::new(Algorithm::EdDSA).with_typ(typ).with(name, value);
        let token = header.signing_input(b"{}").unwrap().sign(&pair()).unwrap();
        let jws = Jws::parse(token.expose_secret()).unwrap();
        prop_assert_eq!(jws.header(), &header);
    }

    #[test]
    fn no_set_panics(text: String) {
        let _ = serde_json::from_str::<JwkSet>(&text);
        let _ = serde_json::from_str::<JwkSet>(&format!(r#"{{"keys":[{text}]}}"#));
    }
}
