//! Logins: requests that are pushed and signed, responses that are signed, rich authorization requests,
//! with bound tokens.

use oauth_twin::{
    ErrorCode,
    jose::{Algorithm, JwkSet},
    oauth2::{
        AuthorizationDetail, AuthorizationRequest, PrivateKeyJwt, Push, ResponseMode, TlsClientAuth,
    },
};
use serde_json::json;

use super::{
    super::{
        keys::key,
        logins::{WEB, log_in},
    },
    test, *,
};
use crate::mode::Login;

/// The metadata of a client that logs users in, and demands what FAPI 2.0 does.
fn metadata() -> Value {
    json!({
        "fapi": true,
        "require_pushed_authorization_requests": true,
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [WEB],
    })
}

/// Registers a client of one test with what is in `changes`, too.
#[maybe_async]
async fn registered(test: &str, changes: Value) -> String {
    let id = format!("{test}-{CLIENT}");
    let mut metadata = metadata();
    metadata["client_id"] = id.as_str().into();
    for (name, value) in changes.as_object().expect("an object") {
        metadata[name] = value.clone();
    }
    Server::Fapi.register(&metadata).await;
    id
}

fn by_certificate() -> Value {
    json!({
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_subject_dn": "CN=client.example,O=Reports",
        "tls_client_certificate_bound_access_tokens": true,
    })
}

/// A client that authenticates by certificate and pushes.
fn with_certificate(id: &str) -> OAuth2ClientBuilder {
    client(id)
        .client_certificate(certificate("client"))
        .token_endpoint_auth_method(TlsClientAuth)
        .redirect_uri(WEB)
        .pushed_authorization_requests(Push::Always)
}

#[maybe_async]
async fn logged_in(
    client: &OAuth2Client,
    request: AuthorizationRequest,
) -> oauth_twin::Result<Login> {
    let begun = client.begin_authorization(request).await?;
    let callback = log_in(Server::Fapi, &begun.url, WEB).await;
    client
        .complete_authorization(begun.pending, &callback)
        .await
}

fn reports() -> AuthorizationRequest {
    AuthorizationRequest::new().scope("openid reports:read")
}

/// Mutual TLS and PAR, from the push to the API and the refresh.
#[maybe_async]
#[test]
async fn mutual_tls_and_a_pushed_request() -> TestResult {
    let id = registered("mtls-par", by_certificate()).await;
    let client = with_certificate(&id).build()?;
    let begun = client.begin_authorization(reports()).await?;
    let names: Vec<_> = begun.url.query_pairs().map(|(name, _)| name).collect();
    assert_eq!(names, ["client_id", "request_uri"]);
    assert!(begun.expires_at().is_some() && !begun.expired());
    let callback = log_in(Server::Fapi, &begun.url, WEB).await;
    let login = client
        .complete_authorization(begun.pending, &callback)
        .await?;
    let id_token = login.id_token.as_ref().expect("an ID token");
    assert_eq!(id_token.claims().subject(), "alice");
    let answer = called(&login.client).await?;
    assert_eq!(answer["sender"], "mtls");
    assert_eq!(answer["sub"], "alice");
    let renewed = login.client.refresh_token().await?;
    let thumbprint = certificate("client").thumbprint();
    assert_eq!(renewed.certificate_thumbprint(), Some(&*thumbprint));
    called(&login.client).await?;
    for request in log(&id).await {
        let path = request["path"].as_str().unwrap_or_default();
        if ["/request", "/token"].contains(&path) {
            assert_eq!(request["alias"], true, "{request}");
            assert_eq!(request["certificate"], thumbprint, "{request}");
        }
    }
    Ok(())
}

/// The token for UserInfo is bound, too.
#[maybe_async]
#[test]
async fn userinfo_with_a_bound_token() -> TestResult {
    let mut changes = by_certificate();
    changes["for_userinfo"] = true.into();
    let id = registered("userinfo", changes).await;
    let client = with_certificate(&id).build()?;
    let login = logged_in(&client, AuthorizationRequest::new().scope("openid email")).await?;
    let claims = login.userinfo().await?;
    assert_eq!(claims.email(), Some("alice@app.example"));
    let requests = log(&id).await;
    let userinfo = requests.iter().find(|request| request["path"] == "/me");
    assert_eq!(userinfo.expect("a request")["alias"], true);
    Ok(())
}

/// A request that was not pushed is refused where the registration demands it.
#[maybe_async]
#[test]
async fn a_request_that_is_not_pushed_is_refused() -> TestResult {
    let id = registered("unpushed", by_certificate()).await;
    let client = with_certificate(&id)
        .pushed_authorization_requests(Push::Never)
        .build()?;
    let begun = client.begin_authorization(reports()).await?;
    let mut browser = super::super::browser::Browser::new();
    let callback = browser.open(begun.url, WEB).await.callback();
    let error = client
        .complete_authorization(begun.pending, &callback)
        .await
        .expect_err("a refusal");
    assert_eq!(error.code(), Some(&ErrorCode::InvalidRequest), "{error}");
    Ok(())
}

/// Request objects, by each algorithm, pushed and in the URL.
#[maybe_async]
#[test]
async fn signed_requests() -> TestResult {
    for algorithm in [Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
        for push in [Push::Always, Push::Never] {
            let id = registered(
                &format!("jar-{algorithm}-{push:?}"),
                json!({
                    "fapi": push == Push::Always,
                    "require_pushed_authorization_requests": push == Push::Always,
                    "require_signed_request_object": true,
                    "request_object_signing_alg": algorithm.as_str(),
                    "token_endpoint_auth_method": "private_key_jwt",
                    "jwks": JwkSet::new(key(algorithm).public_jwk()),
                    "tls_client_certificate_bound_access_tokens": true,
                }),
            )
            .await;
            let client = client(&id)
                .client_certificate(certificate("client"))
                .token_endpoint_auth_method(PrivateKeyJwt::new(key(algorithm)))
                .redirect_uri(WEB)
                .pushed_authorization_requests(push)
                .request_object(key(algorithm))
                .build()?;
            let login = logged_in(&client, reports()).await?;
            let answer = called(&login.client).await?;
            assert_eq!(answer["sub"], "alice", "{id}");
        }
    }
    Ok(())
}

/// Authorization responses that are signed, by the algorithms that the provider has keys for.
#[maybe_async]
#[test]
async fn signed_responses() -> TestResult {
    for algorithm in [Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
        let mut changes = by_certificate();
        changes["authorization_signed_response_alg"] = algorithm.as_str().into();
        let id = registered(&format!("jarm-{algorithm}"), changes).await;
        let client = with_certificate(&id)
            .signed_response(oauth_twin::oauth2::SignedResponseRules::new().algorithms([algorithm]))
            .build()?;
        for mode in [ResponseMode::Jwt, ResponseMode::QueryJwt] {
            let request = reports().response_mode(mode);
            let begun = client.begin_authorization(request).await?;
            let callback = log_in(Server::Fapi, &begun.url, WEB).await;
            assert!(callback.contains("?response="), "{callback}");
            let login = client
                .complete_authorization(begun.pending, &callback)
                .await?;
            called(&login.client).await?;
        }
    }
    Ok(())
}

/// What was granted is in the token, and what the API is told is the same.
#[maybe_async]
#[test]
async fn authorization_details() -> TestResult {
    let mut changes = by_certificate();
    changes["authorization_details_types"] = json!(["payment"]);
    let id = registered("rar", changes).await;
    let client = with_certificate(&id).build()?;
    let payment = AuthorizationDetail::new("payment")
        .actions(["initiate"])
        .with("amount", "123.50");
    let login = logged_in(&client, reports().authorization_details([payment])).await?;
    let details = login.token.authorization_details().expect("the details");
    let detail = details.iter().next().expect("a detail");
    assert_eq!(detail.detail_type(), "payment");
    assert_eq!(detail.get("amount"), Some(&json!("123.50")));
    let answer = called(&login.client).await?;
    assert_eq!(
        answer["authorization_details"],
        serde_json::to_value(&details)?
    );
    Ok(())
}
