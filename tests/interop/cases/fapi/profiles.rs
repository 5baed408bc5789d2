//! The profiles of FAPI 2.0, which set by themselves what the provider's own demands.

use oauth_twin::{
    ErrorKind,
    jose::{Algorithm, JwkSet},
    oauth2::{AuthorizationRequest, DpopKey, PrivateKeyJwt, Profile, ResponseMode, TlsClientAuth},
};
use serde_json::json;

use super::{
    super::{
        keys::key,
        logins::{WEB, log_in},
    },
    test, *,
};

/// How a client authenticates, and what its tokens are bound to.
#[derive(Clone, Copy, Debug)]
enum By {
    Key,
    Certificate,
}

/// Registers a client of one test, which has to keep to the profile.
#[maybe_async]
async fn registered(test: &str, auth: By, tokens: By, changes: Value) -> String {
    let id = format!("{test}-{auth:?}-{tokens:?}-{CLIENT}");
    let mut metadata = json!({
        "client_id": id,
        "fapi": true,
        "require_pushed_authorization_requests": true,
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [WEB],
    });
    match auth {
        By::Key => {
            metadata["token_endpoint_auth_method"] = "private_key_jwt".into();
            metadata["jwks"] = json!(JwkSet::new(key(Algorithm::PS256).public_jwk()));
        }
        By::Certificate => {
            metadata["token_endpoint_auth_method"] = "tls_client_auth".into();
            metadata["tls_client_auth_subject_dn"] = "CN=client.example,O=Reports".into();
            metadata["jwks"] = json!(JwkSet::new(key(Algorithm::PS256).public_jwk()));
        }
    }
    let flag = match tokens {
        By::Key => "dpop_bound_access_tokens",
        By::Certificate => "tls_client_certificate_bound_access_tokens",
    };
    metadata[flag] = true.into();
    for (name, value) in changes.as_object().expect("an object") {
        metadata[name] = value.clone();
    }
    Server::Fapi.register(&metadata).await;
    id
}

fn builder(id: &str, auth: By, tokens: By) -> OAuth2ClientBuilder {
    let mut builder = client(id).redirect_uri(WEB);
    builder = match auth {
        By::Key => builder.token_endpoint_auth_method(PrivateKeyJwt::new(key(Algorithm::PS256))),
        By::Certificate => builder.token_endpoint_auth_method(TlsClientAuth),
    };
    if let By::Key = tokens {
        builder = builder.dpop(DpopKey::generate(Algorithm::ES256).expect("a key"));
    }
    if let (By::Certificate, _) | (_, By::Certificate) = (auth, tokens) {
        builder = builder.client_certificate(certificate("client"));
    }
    builder
}

/// Logs in, calls the API, renews the token, and calls it again.
#[maybe_async]
async fn is_used(client: &OAuth2Client, request: AuthorizationRequest, sender: &str) -> TestResult {
    let begun = client.begin_authorization(request).await?;
    let callback = log_in(Server::Fapi, &begun.url, WEB).await;
    let login = client
        .complete_authorization(begun.pending, &callback)
        .await?;
    assert!(login.id_token.is_some());
    for _ in 0..2 {
        let answer = called(&login.client).await?;
        assert_eq!(answer["sender"], sender);
        assert_eq!(answer["sub"], "alice");
        login.client.refresh_token().await?;
    }
    Ok(())
}

fn reports() -> AuthorizationRequest {
    AuthorizationRequest::new().scope("openid reports:read")
}

/// The four plans of the certification: keys and certificates, for authentication and for tokens.
#[maybe_async]
#[test]
async fn the_security_profile() -> TestResult {
    for auth in [By::Key, By::Certificate] {
        for (tokens, sender) in [(By::Key, "dpop"), (By::Certificate, "mtls")] {
            let id = registered("profile", auth, tokens, json!({})).await;
            let client = builder(&id, auth, tokens).profile(Profile::Fapi2);
            is_used(&client.build()?, reports(), sender).await?;
        }
    }
    Ok(())
}

/// With requests and responses that are signed.
#[maybe_async]
#[test]
async fn message_signing() -> TestResult {
    for auth in [By::Key, By::Certificate] {
        for (tokens, sender) in [(By::Key, "dpop"), (By::Certificate, "mtls")] {
            let changes = json!({
                "require_signed_request_object": true,
                "request_object_signing_alg": "PS256",
                "authorization_signed_response_alg": "PS256",
            });
            let id = registered("signing", auth, tokens, changes).await;
            let client = builder(&id, auth, tokens)
                .request_object(key(Algorithm::PS256))
                .profile(Profile::Fapi2MessageSigning);
            let request = reports().response_mode(ResponseMode::Jwt);
            is_used(&client.build()?, request, sender).await?;
        }
    }
    Ok(())
}

/// What the profile demands is missing.
#[maybe_async]
#[test]
async fn a_client_that_does_not_keep_to_the_profile_is_not_built() -> TestResult {
    let built = client("unbound")
        .token_endpoint_auth_method(PrivateKeyJwt::new(key(Algorithm::PS256)))
        .redirect_uri(WEB)
        .profile(Profile::Fapi2)
        .build();
    let error = built.expect_err("no key for tokens");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("dpop"), "{error}");
    Ok(())
}
