//! ID tokens that come by the browser.

use serde_json::{Value, json};

use super::{ISSUER, asked, keys, signed, verifier, with};
use crate::{
    oidc::{IdTokenRules, id_token_verifier::IssuedIdToken},
    secret::Secret,
};

#[test]
fn the_front_channel_has_a_hash_of_the_code() {
    let code = Secret::from("the-code");
    let check = |changes: Value| {
        let id_token = signed(&with(changes));
        let issued = IssuedIdToken {
            code: Some(&code),
            ..IssuedIdToken::alone(&id_token)
        };
        let verifier = verifier();
        let jws = verifier.parse(&id_token)?;
        let claims = verifier.signed_claims(&jws, &keys())?;
        verifier.check(&jws, claims, issued, &asked())
    };
    let hash = ring::digest::digest(&ring::digest::SHA256, b"the-code");
    let hash = base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        &hash.as_ref()[..16],
    );
    check(json!({"c_hash": hash})).expect("the hash of the code");
    for changes in [json!({}), json!({"c_hash": "AAAAAAAAAAAAAAAAAAAAAA"})] {
        let error = check(changes).expect_err("no such hash");
        assert!(error.to_string().contains("c_hash"), "{error}");
    }
    // The exception for an issuer without a nonce is for the code flow.
    let id_token = signed(&with(json!({"nonce": null})));
    let verifier = verifier().rules(IdTokenRules::new().dangerous_without_nonce(ISSUER));
    let jws = verifier.parse(&id_token).expect("an ID token");
    let claims = verifier.signed_claims(&jws, &keys()).expect("a signature");
    let checked = verifier.check(&jws, claims, IssuedIdToken::alone(&id_token), &asked());
    checked.expect_err("a front channel without a nonce");
}

#[test]
fn the_hash_of_the_state_can_be_required_of_the_front_channel() {
    let check = |changes: Value, front_channel: bool| {
        let id_token = signed(&with(changes));
        let issued = IssuedIdToken {
            front_channel,
            ..IssuedIdToken::alone(&id_token)
        };
        let verifier = verifier().rules(IdTokenRules::new().require_s_hash());
        let jws = verifier.parse(&id_token)?;
        let claims = verifier.signed_claims(&jws, &keys())?;
        verifier.check(&jws, claims, issued, &asked())
    };
    let hash = ring::digest::digest(&ring::digest::SHA256, b"the-state");
    let hash = base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        &hash.as_ref()[..16],
    );
    check(json!({"s_hash": hash}), true).expect("the hash of the state");
    check(json!({}), false).expect("an ID token of the token endpoint");
    for (changes, front_channel) in [
        (json!({}), true),
        (json!({"s_hash": "AAAAAAAAAAAAAAAAAAAAAA"}), true),
        (json!({"s_hash": "AAAAAAAAAAAAAAAAAAAAAA"}), false),
        (json!({"s_hash": [hash]}), true),
    ] {
        let error = check(changes, front_channel).expect_err("no such hash");
        assert!(error.to_string().contains("s_hash"), "{error}");
    }
}
