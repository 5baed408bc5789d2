//! Client authentication by signed tokens against node `oidc-provider`: each algorithm at each
//! endpoint, each audience, and what the server refuses.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, SystemTime},
};

use oauth_twin::{
    BoxError, Clock, Error, ErrorCode, ErrorKind,
    jose::{Algorithm, JwkSet, SigningKey},
    oauth2::{
        Audience, ClientAuth, ClientCredentials, ClientSecretJwt, EndpointRequest, PrivateKeyJwt,
        TokenTypeHint,
    },
};
use serde_json::{Value, json};

use super::{
    TestResult,
    keys::{Kms, another_key, key},
    logins::{Server, WEB, logged_in},
    oidc_provider::{counted, me},
};
use crate::mode::{CLIENT, OAuth2Client, OAuth2ClientBuilder, maybe_async, own_client, test};

/// Of 64 bytes at the least, which HS512 needs, and with what nobody must decode.
const SECRET: &str = "its-secret: %41+%2B !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ and some more bytes";
const ANOTHER_SECRET: &str =
    "another secret of no fewer bytes, of which the server has not been told";

/// One of each kind.
const KINDS: [Algorithm; 5] = [
    Algorithm::HS256,
    Algorithm::RS256,
    Algorithm::PS256,
    Algorithm::ES256,
    Algorithm::EdDSA,
];

/// A client of this test alone, which may authenticate by this algorithm and no other.
#[maybe_async]
async fn registered(test: &str, algorithm: Algorithm) -> String {
    let id = format!("{test}-{algorithm}-{CLIENT}");
    let mut metadata = json!({
        "client_id": id, "token_endpoint_auth_signing_alg": algorithm.as_str(),
        "grant_types": ["client_credentials", "authorization_code", "refresh_token"],
        "redirect_uris": [WEB],
    });
    match algorithm.is_symmetric() {
        true => {
            metadata["token_endpoint_auth_method"] = "client_secret_jwt".into();
            metadata["client_secret"] = SECRET.into();
        }
        false => {
            metadata["token_endpoint_auth_method"] = "private_key_jwt".into();
            metadata["jwks"] = json!(JwkSet::new(key(algorithm).public_jwk()));
        }
    }
    Server::OidcProvider.register(&metadata).await;
    id
}

fn builder(id: &str) -> OAuth2ClientBuilder {
    Server::OidcProvider
        .client(id)
        .grant(ClientCredentials::new())
}

/// The client with all as it should be.
fn by(algorithm: Algorithm, builder: OAuth2ClientBuilder) -> OAuth2ClientBuilder {
    match algorithm.is_symmetric() {
        true => builder
            .client_secret(SECRET)
            .token_endpoint_auth_method(ClientSecretJwt::new().algorithm(algorithm)),
        false => builder.token_endpoint_auth_method(PrivateKeyJwt::new(key(algorithm))),
    }
}

/// Gets a token, uses it, asks about it and revokes it: three assertions, of which the server takes
/// none twice.
#[maybe_async]
async fn uses_every_endpoint(id: &str, client: &OAuth2Client) -> TestResult {
    let token = client.ensure_active_token().await?;
    let answer = me(client).await?;
    assert_eq!(answer["client_id"], id);
    let said = client.introspect_token().await?;
    assert!(said.is_active(), "{id}");
    assert_eq!(said.client_id(), Some(id));
    client.revoke_token().await?;
    let hint = Some(TokenTypeHint::AccessToken);
    let said = client.introspect(token.access_token(), hint).await?;
    assert!(!said.is_active(), "{id}");
    Ok(())
}

#[maybe_async]
#[test]
async fn every_algorithm_at_every_endpoint() -> TestResult {
    for algorithm in Algorithm::ALL {
        let id = registered("every-endpoint", algorithm).await;
        let client = by(algorithm, builder(&id)).build()?;
        uses_every_endpoint(&id, &client).await?;
        let count = counted(&id).await;
        assert_eq!(count, (1, 0), "{algorithm}");
        client.close().await?;
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_and_its_refreshes() -> TestResult {
    for algorithm in KINDS {
        let id = registered("login", algorithm).await;
        let client = by(algorithm, builder(&id)).redirect_uri(WEB).build()?;
        let token = logged_in(Server::OidcProvider, &client, WEB).await;
        let child = client.for_token(token.clone());
        for _ in 0..2 {
            let renewed = child.refresh_token().await?;
            assert_ne!(renewed.access_token(), token.access_token());
        }
        let said = child.introspect_token().await?;
        assert!(said.is_active(), "{algorithm}");
        child.revoke_token().await?;
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn every_audience_that_the_server_may_want() -> TestResult {
    let without_issuer = |id: &str| {
        let issuer = Server::OidcProvider.issuer();
        OAuth2Client::builder(id)
            .token_endpoint(format!("{issuer}/token"))
            .revocation_endpoint(format!("{issuer}/token/revocation"))
            .introspection_endpoint(format!("{issuer}/token/introspection"))
            .grant(ClientCredentials::new())
    };
    let id = registered("audience", Algorithm::HS256).await;
    let secret = ClientSecretJwt::new;
    let issuer = || Audience::from(Server::OidcProvider.issuer());
    for client in [
        builder(&id).token_endpoint_auth_method(secret().audience(Audience::Issuer)),
        builder(&id).token_endpoint_auth_method(secret().audience(Audience::TokenEndpoint)),
        without_issuer(&id).token_endpoint_auth_method(secret()),
        without_issuer(&id).token_endpoint_auth_method(secret().audience(issuer())),
    ] {
        let client = client.client_secret(SECRET).build()?;
        uses_every_endpoint(&id, &client).await?;
    }
    let id = registered("audience", Algorithm::ES256).await;
    let private = || PrivateKeyJwt::new(key(Algorithm::ES256));
    for client in [
        builder(&id).token_endpoint_auth_method(private().audience(Audience::Issuer)),
        builder(&id).token_endpoint_auth_method(private().audience(Audience::TokenEndpoint)),
        without_issuer(&id).token_endpoint_auth_method(private()),
        without_issuer(&id).token_endpoint_auth_method(private().audience(issuer())),
    ] {
        uses_every_endpoint(&id, &client.build()?).await?;
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn what_else_an_assertion_may_say() -> TestResult {
    let algorithm = Algorithm::PS256;
    let id = registered("claims", algorithm).await;
    let auth = PrivateKeyJwt::new(key(algorithm))
        .lifetime(Duration::from_secs(300))
        .not_before(true)
        .header("typ", "client-authentication+jwt")
        .claim("tenant", json!({"name": "Z\u{fc}rich"}));
    let client = builder(&id).token_endpoint_auth_method(auth).build()?;
    uses_every_endpoint(&id, &client).await
}

#[maybe_async]
#[test]
async fn a_key_that_is_elsewhere() -> TestResult {
    let id = registered("elsewhere", Algorithm::ES256).await;
    let client = builder(&id)
        .token_endpoint_auth_method(PrivateKeyJwt::external())
        .signer(Kms::new())
        .build()?;
    uses_every_endpoint(&id, &client).await
}

/// Fault of an assertion.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    Audience,
    Expired,
    Key,
    KeyId,
    Algorithm,
}

impl Wrong {
    /// The server's reason.
    fn reason(self) -> &'static str {
        match self {
            Self::Audience => {
                "audience (aud) must equal the endpoint url, issuer identifier or token endpoint url"
            }
            Self::Expired => "jwt expired",
            Self::Key => "signature verification failed",
            Self::KeyId => "no applicable key found in the JSON Web Key Set",
            Self::Algorithm => "alg mismatch",
        }
    }

    fn algorithm(self, right: Algorithm) -> Algorithm {
        match (self, right) {
            (Self::Algorithm, Algorithm::HS256) => Algorithm::HS384,
            (Self::Algorithm, Algorithm::RS256) => Algorithm::PS256,
            (Self::Algorithm, Algorithm::PS256) => Algorithm::RS256,
            (Self::Algorithm, Algorithm::ES256) => Algorithm::ES384,
            (Self::Algorithm, Algorithm::EdDSA) => Algorithm::ES256,
            _ => right,
        }
    }

    fn key(self, right: Algorithm) -> SigningKey {
        match self {
            Self::Key => another_key(right),
            Self::KeyId => key(right).with_key_id("unknown"),
            _ => key(self.algorithm(right)),
        }
    }

    /// A client that does all else right.
    fn client(self, id: &str, right: Algorithm) -> OAuth2ClientBuilder {
        let audience = match self {
            Self::Audience => "https://elsewhere.example".into(),
            _ => Audience::Issuer,
        };
        let late = match self {
            // No assertion lives longer than a minute by default.
            Self::Expired => Duration::from_secs(61),
            _ => Duration::ZERO,
        };
        let builder = builder(id).clock(Clock::from_fn(move || SystemTime::now() - late));
        match right.is_symmetric() {
            true => builder
                .client_secret(match self {
                    Self::Key => ANOTHER_SECRET,
                    _ => SECRET,
                })
                .token_endpoint_auth_method(
                    ClientSecretJwt::new()
                        .algorithm(self.algorithm(right))
                        .audience(audience),
                ),
            false => builder
                .token_endpoint_auth_method(PrivateKeyJwt::new(self.key(right)).audience(audience)),
        }
    }
}

/// Hint that the library adds to the error of the server.
const NOT_FOR_THE_ISSUER: &str = "(the audience of the client assertion was not the issuer, which \
    most servers require; set issuer or Audience::Issuer)";
const FOR_THE_ISSUER: &str = "(the audience of the client assertion was the issuer; some servers \
    require Audience::TokenEndpoint)";

/// The server's word, which is the same whatever is wrong.
fn is_refused(error: &Error) -> bool {
    let response = error.response().expect("the server's answer");
    assert_eq!(error.kind(), ErrorKind::Server);
    assert_eq!(error.status().map(|status| status.as_u16()), Some(401));
    assert_eq!(response.description(), Some("client authentication failed"));
    assert!(!error.is_transient() && !error.outcome_unknown());
    error.code() == Some(&ErrorCode::InvalidClient)
}

#[maybe_async]
#[test]
async fn what_is_wrong_with_an_assertion_is_the_server_s_error() -> TestResult {
    for algorithm in KINDS {
        let id = registered("refused", algorithm).await;
        let mut expected = Vec::new();
        for wrong in [
            Wrong::Audience,
            Wrong::Expired,
            Wrong::Key,
            Wrong::KeyId,
            Wrong::Algorithm,
        ] {
            // A secret has no name.
            if algorithm.is_symmetric() && wrong == Wrong::KeyId {
                continue;
            }
            let client = wrong.client(&id, algorithm).build()?;
            let errors = [
                client.ensure_active_token().await.unwrap_err(),
                client.introspect("x", None).await.unwrap_err(),
                client.revoke("x", None).await.unwrap_err(),
            ];
            for error in errors {
                assert!(is_refused(&error), "{algorithm} {wrong:?}: {error}");
                let hint = match wrong {
                    Wrong::Audience => NOT_FOR_THE_ISSUER,
                    _ => FOR_THE_ISSUER,
                };
                assert!(error.to_string().ends_with(hint), "{error}");
            }
            expected.push(wrong.reason());
        }
        let reasons = Server::OidcProvider.reasons(&id).await;
        assert_eq!(reasons, expected, "{algorithm}");

        // The same client with nothing wrong.
        by(algorithm, builder(&id))
            .build()?
            .ensure_active_token()
            .await?;
    }
    Ok(())
}

/// Authenticates by its first assertion over and over.
fn replaying(auth: impl ClientAuth + 'static) -> impl ClientAuth + 'static {
    let first = OnceLock::new();
    move |request: &mut EndpointRequest| -> Result<(), BoxError> {
        auth.authenticate(request)?;
        let new = request.form().value("client_assertion").cloned();
        let first = first.get_or_init(|| new.expect("an assertion")).clone();
        request.form_mut().set("client_assertion", first);
        Ok(())
    }
}

#[maybe_async]
#[test]
async fn an_assertion_that_is_sent_again_is_refused() -> TestResult {
    for algorithm in KINDS {
        let id = registered("replayed", algorithm).await;
        let client = match algorithm.is_symmetric() {
            true => builder(&id)
                .client_secret(SECRET)
                .token_endpoint_auth_method(replaying(ClientSecretJwt::new())),
            false => builder(&id)
                .token_endpoint_auth_method(replaying(PrivateKeyJwt::new(key(algorithm)))),
        };
        let client = client.build()?;
        let token = client.ensure_active_token().await?;
        let error = client.refresh_token().await.unwrap_err();
        assert!(is_refused(&error), "{algorithm}: {error}");
        let error = client.introspect_token().await.unwrap_err();
        assert!(is_refused(&error), "{algorithm}: {error}");
        let reasons = Server::OidcProvider.reasons(&id).await;
        assert_eq!(reasons, ["client assertion tokens must only be used once"]);
        assert_eq!(client.token(), Some(token), "the old token is kept");
        let answer: Value = me(&client).await?;
        assert_eq!(answer["client_id"], id);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_request_that_is_repeated_has_an_assertion_of_its_own() -> TestResult {
    let algorithm = Algorithm::ES256;
    let id = registered("repeated", algorithm).await;
    let url = format!("{}/_test/fail", Server::OidcProvider.issuer());
    let fail = own_client()
        .post(url)
        .query(&[("client", &*id), ("next", "2"), ("status", "503")]);
    let failing = fail.send().await?;
    assert!(failing.status().is_success());

    let sent = Arc::new(Mutex::new(Vec::new()));
    let told = sent.clone();
    let auth = PrivateKeyJwt::new(key(algorithm));
    let client = builder(&id)
        .token_endpoint_auth_method(move |request: &mut EndpointRequest| {
            auth.authenticate(request)?;
            let assertion = request.form().value("client_assertion").cloned();
            told.lock().unwrap().push(assertion.expect("an assertion"));
            Ok(())
        })
        .build()?;
    client.ensure_active_token().await?;
    let count = counted(&id).await;
    assert_eq!(count, (1, 2));
    let sent = sent.lock().unwrap().clone();
    assert_eq!(sent.len(), 3);
    assert!(sent[0] != sent[1] && sent[1] != sent[2] && sent[2] != sent[0]);
    Ok(())
}
