use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    clock::Clock,
    jose::{Algorithm, Header, SigningKey},
    oauth2::{client::ClientRegistration, server::AuthorizationServer},
};

const NOW: u64 = 1_700_000_000;
const PEM: &str = include_str!("../../../tests/vectors/p-256.pkcs8.pem");

fn key() -> SigningKey {
    SigningKey::from_pem(Algorithm::ES256, PEM).expect("a key")
}

fn verifier() -> IdTokenVerifier {
    let server = AuthorizationServer::new("https://id.example")
        .with_id_token_signing_alg_values_supported(["ES256"]);
    let verifier = IdTokenVerifier::new(&server, &ClientRegistration::new("me"));
    let now = Clock::from_fn(|| UNIX_EPOCH + Duration::from_secs(NOW));
    verifier.expect("an issuer").clock(now)
}

fn read_with(header: &Header, changes: Value) -> Result<LogoutToken> {
    let mut claims = json!({
        "iss": "https://id.example", "aud": "me", "iat": NOW, "exp": NOW + 100, "jti": "1",
        "sub": "alice", "sid": "s", "events": {EVENT: {}},
    });
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => drop(claims.as_object_mut().expect("an object").remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    let input = header.signing_input(claims.to_string().as_bytes())?;
    let token = input.sign(&key())?;
    let keys = JwkSet::new([key().public_jwk().expect("a public key")]);
    verifier().verify_logout_token(token.expose_secret(), &keys)
}

fn read(changes: Value) -> Result<LogoutToken> {
    read_with(&key().header(), changes)
}

#[test]
fn a_good_logout_token_names_whose_sessions_have_ended() {
    let ended = read(json!({})).expect("good");
    assert_eq!(ended.subject.as_deref(), Some("alice"));
    assert_eq!(ended.session_id.as_deref(), Some("s"));
    assert_eq!((&*ended.issuer, &*ended.id), ("https://id.example", "1"));
    let expires_at = UNIX_EPOCH + Duration::from_secs(NOW + 130);
    assert_eq!(ended.expires_at, expires_at);
    assert!(!format!("{ended:?}").contains("alice"));
    for changes in [
        json!({"sub": null}),
        json!({"sid": null}),
        json!({"aud": ["other", "me"]}),
        json!({"exp": null, "iat": NOW - 149}),
        json!({"exp": NOW - 29}),
        json!({"events": {EVENT: {"more": 1}, "urn:other": null}}),
    ] {
        read(changes.clone()).unwrap_or_else(|error| panic!("{changes}: {error}"));
    }
    for typ in ["JWT", "logout+jwt", "Logout+JWT"] {
        read_with(&key().header().with_typ(typ), json!({})).expect(typ);
    }
}

#[test]
fn a_bad_logout_token_is_refused() {
    for (changes, word) in [
        (json!({"iss": "https://evil.example"}), "(iss)"),
        (json!({"iss": null}), "(iss)"),
        (json!({"aud": "other"}), "(aud)"),
        (json!({"aud": null}), "(aud)"),
        (json!({"iat": null}), "(iat)"),
        (json!({"iat": NOW + 31}), "future"),
        (json!({"exp": NOW - 30}), "expired"),
        (json!({"exp": null, "iat": NOW - 150}), "expired"),
        (json!({"exp": (NOW + 100).to_string()}), "exp"),
        (json!({"events": null}), "event"),
        (json!({"events": {}}), "event"),
        (
            json!({"events": {"http://schemas.openid.net/event/other": {}}}),
            "event",
        ),
        (json!({"events": {EVENT: null}}), "event"),
        (json!({"events": {EVENT: "x"}}), "event"),
        (json!({"events": {EVENT: []}}), "event"),
        (json!({"events": [EVENT]}), "event"),
        (json!({"events": EVENT}), "event"),
        (json!({"nonce": "n"}), "nonce"),
        (json!({"nonce": 7}), "nonce"),
        (json!({"sub": null, "sid": null}), "(sub, sid)"),
        (json!({"sub": ""}), "sub"),
        (json!({"sid": 7}), "sid"),
        (json!({"jti": null}), "(jti)"),
        (json!({"jti": ""}), "jti"),
    ] {
        let error = read(changes.clone()).expect_err(word);
        assert!(error.to_string().contains(word), "{changes}: {error}");
    }
    for typ in ["at+jwt", "secevent+jwt", ""] {
        let error = read_with(&key().header().with_typ(typ), json!({})).expect_err(typ);
        assert!(error.to_string().contains("typ"), "{error}");
    }
    let other = SigningKey::hmac(Algorithm::HS256, [7; 32]).expect("a secret");
    let hmac = Claims::new()
        .with("jti", "1")
        .sign(&other)
        .expect("a token");
    let keys = JwkSet::default();
    assert!(
        verifier()
            .verify_logout_token(hmac.expose_secret(), &keys)
            .is_err()
    );
}

#[test]
fn an_identifier_is_used_once_per_issuer_and_memory_is_bounded() {
    let mut used = UsedLogoutTokens::default();
    let now = Duration::from_secs(NOW);
    let token = |issuer: &str, id: usize| LogoutToken {
        issuer: issuer.to_owned(),
        id: id.to_string(),
        ..read(json!({})).expect("good")
    };
    assert!(used.is_new(&token("a", 1), now));
    assert!(!used.is_new(&token("a", 1), now));
    assert!(used.is_new(&token("b", 1), now));
    let template = token("a", 0);
    for id in 2..IDS_LIMIT * 2 {
        let id = id.to_string();
        used.is_new(
            &LogoutToken {
                id,
                ..template.clone()
            },
            now,
        );
        if used.0.len() == IDS_LIMIT {
            break;
        }
    }
    assert!(
        !used.is_new(&token("c", 1), now),
        "it could be replayed unnoticed"
    );
    let later = now + Duration::from_secs(130);
    assert!(used.is_new(&token("c", 1), later));
    assert_eq!(used.0.len(), 1);
}

proptest! {
    #[test]
    fn no_logout_token_panics(text: String, parts in proptest::collection::vec(any::<Vec<u8>>(), 3)) {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        let parts: Vec<_> = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
        for text in [text, parts.join(".")] {
            prop_assert!(verifier().verify_logout_token(&text, &JwkSet::default()).is_err());
        }
    }

    #[test]
    fn any_claim_of_a_logout_token_is_read_without_a_panic(
        name in "iss|sub|aud|sid|exp|iat|jti|events|nonce|[a-z]{1,9}",
        number: i64,
        text: String,
    ) {
        for value in [json!(number), json!(text), json!([text]), json!({text: number})] {
            let _ = read(json!({&name: value}));
        }
    }
}

#[test]
fn an_endless_leeway_is_an_error() {
    let endless = crate::oidc::IdTokenRules::new().leeway(Duration::MAX);
    let claims = json!({
        "iss": "https://id.example", "aud": "me", "iat": NOW, "jti": "1", "sub": "alice",
        "events": {EVENT: {}},
    });
    let claims = Claims::from_slice(claims.to_string().as_bytes()).expect("claims");
    let error = verifier().rules(endless).check_logout_token(&claims);
    assert!(error.expect_err("no time").to_string().contains("leeway"));
}
