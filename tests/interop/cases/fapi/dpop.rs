//! Tokens that are bound to a key by DPoP, with nonces at both servers.

use oauth_twin::{
    ErrorCode, ErrorKind, Token,
    jose::{Algorithm, JwkSet},
    oauth2::{AuthorizationRequest, ClientCredentials, DpopKey, PrivateKeyJwt, Push},
    reqwest::header::WWW_AUTHENTICATE,
};
use serde_json::json;

use super::{
    super::{
        keys::key,
        logins::{WEB, log_in},
    },
    test, *,
};
use crate::mode::streaming_body;

/// Registers a client of one test that signs its assertions by `algorithm`.
#[maybe_async]
async fn registered(test: &str, algorithm: Algorithm, changes: Value) -> String {
    let id = format!("{test}-{CLIENT}");
    let mut metadata = json!({
        "client_id": id,
        "fapi": true,
        "require_pushed_authorization_requests": true,
        "dpop_bound_access_tokens": true,
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": algorithm.as_str(),
        "jwks": JwkSet::new(key(algorithm).public_jwk()),
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "redirect_uris": [WEB],
    });
    for (name, value) in changes.as_object().expect("an object") {
        metadata[name] = value.clone();
    }
    Server::Fapi.register(&metadata).await;
    id
}

fn with_key(id: &str, algorithm: Algorithm, tokens: &DpopKey) -> OAuth2ClientBuilder {
    client(id)
        .token_endpoint_auth_method(PrivateKeyJwt::new(key(algorithm)))
        .redirect_uri(WEB)
        .pushed_authorization_requests(Push::Always)
        .dpop(tokens.clone())
}

fn new_key() -> DpopKey {
    DpopKey::generate(Algorithm::ES256).expect("a key")
}

fn reports() -> AuthorizationRequest {
    AuthorizationRequest::new().scope("openid reports:read")
}

/// From the push to the API and the refresh: each request is proved, and each server demands nonces of
/// its own.
#[maybe_async]
#[test]
async fn dpop_and_a_pushed_request_and_private_key_jwt() -> TestResult {
    for algorithm in [Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
        let id = registered(&format!("dpop-{algorithm}"), algorithm, json!({})).await;
        let tokens = match algorithm {
            Algorithm::PS256 => DpopKey::new(key(Algorithm::PS256))?,
            Algorithm::EdDSA => DpopKey::generate(Algorithm::EdDSA)?,
            _ => new_key(),
        };
        let client = with_key(&id, algorithm, &tokens).build()?;
        let begun = client.begin_authorization(reports()).await?;
        let callback = log_in(Server::Fapi, &begun.url, WEB).await;
        let login = client
            .complete_authorization(begun.pending, &callback)
            .await?;
        assert_eq!(login.token.dpop_thumbprint(), Some(tokens.thumbprint()));
        // The nonce of the API changes with each third request.
        for _ in 0..7 {
            let answer = called(&login.client).await?;
            assert_eq!(answer["sender"], "dpop", "{id}");
            assert_eq!(answer["sub"], "alice");
        }
        let renewed = login.client.refresh_token().await?;
        assert_eq!(renewed.dpop_thumbprint(), Some(tokens.thumbprint()));
        called(&login.client).await?;

        let proved = |request: &&Value| {
            let path = request["path"].as_str().unwrap_or_default();
            ["/request", "/token"].contains(&path)
        };
        let requests = log(&id).await;
        assert!(requests.iter().filter(proved).all(|it| it["dpop"] == true));
        // One was refused for the sake of the nonce, which all others had.
        let statuses = |path: &str| -> Vec<u64> {
            let at_path = requests.iter().filter(|it| it["path"] == path);
            at_path.filter_map(|it| it["status"].as_u64()).collect()
        };
        assert_eq!(statuses("/request"), [400, 201], "{id}");
        assert_eq!(statuses("/token"), [200, 200], "{id}");
    }
    Ok(())
}

/// A body in memory is sent again for the nonce. A stream is not: that is an error, after which the
/// nonce is known.
#[maybe_async]
#[test]
async fn every_kind_of_body() -> TestResult {
    let id = registered("dpop-bodies", Algorithm::ES256, json!({})).await;
    let client = || {
        with_key(&id, Algorithm::ES256, &new_key())
            .grant(ClientCredentials::new())
            .build()
    };
    let url = api().await;
    let response = client()?.post(&url).body("a body").send().await?;
    let answer: Value = response.json().await?;
    assert_eq!(answer["method"], "POST");
    assert_eq!(answer["body_length"], 6);
    assert_eq!(answer["client_id"], id);

    let client = client()?;
    let sent = client.post(&url).body(streaming_body(10)).send().await;
    assert_eq!(sent.expect_err("a stream").kind(), ErrorKind::Usage);
    let response = client.post(&url).body(streaming_body(10)).send().await?;
    let answer: Value = response.json().await?;
    assert_eq!(answer["body_length"], 10);
    Ok(())
}

#[maybe_async]
#[test]
async fn userinfo_is_proved() -> TestResult {
    let changes = json!({"for_userinfo": true});
    let id = registered("dpop-userinfo", Algorithm::ES256, changes).await;
    let client = with_key(&id, Algorithm::ES256, &new_key()).build()?;
    let request = AuthorizationRequest::new().scope("openid email");
    let begun = client.begin_authorization(request).await?;
    let callback = log_in(Server::Fapi, &begun.url, WEB).await;
    let login = client
        .complete_authorization(begun.pending, &callback)
        .await?;
    let claims = login.userinfo().await?;
    assert_eq!(claims.email(), Some("alice@app.example"));
    Ok(())
}

/// A key of the login alone, which its token keeps.
#[maybe_async]
#[test]
async fn a_login_with_a_key_of_its_own() -> TestResult {
    let id = registered("dpop-jkt", Algorithm::ES256, json!({})).await;
    let (of_client, of_login) = (new_key(), new_key());
    let client = with_key(&id, Algorithm::ES256, &of_client).build()?;
    client.add_dpop_key(of_login.clone())?;
    let begun = client
        .begin_authorization(reports().dpop(&of_login))
        .await?;
    let callback = log_in(Server::Fapi, &begun.url, WEB).await;
    let login = client
        .complete_authorization(begun.pending, &callback)
        .await?;
    assert_eq!(login.token.dpop_thumbprint(), Some(of_login.thumbprint()));
    called(&login.client).await?;
    // After a restart: the token finds its key by the thumbprint.
    let stored = serde_json::to_string(&login.token)?;
    let restarted = with_key(&id, Algorithm::ES256, &of_client)
        .earlier_dpop_key(of_login.clone())
        .build()?;
    let child = restarted.for_token(serde_json::from_str(&stored)?);
    called(&child).await?;
    let renewed = child.refresh_token().await?;
    assert!(renewed.dpop_thumbprint().is_some());
    called(&child).await?;
    Ok(())
}

/// The token alone is of no use, nor is a proof by another key.
#[maybe_async]
#[test]
async fn the_api_refuses_a_stolen_token() -> TestResult {
    let id = registered("dpop-stolen", Algorithm::ES256, json!({})).await;
    let client = with_key(&id, Algorithm::ES256, &new_key())
        .grant(ClientCredentials::new())
        .build()?;
    called(&client).await?;
    let token = client.token().expect("a token");
    let url = api().await;
    let bearer = own_client()
        .get(&url)
        .bearer_auth(token.access_token().expose_secret());
    let response = bearer.send().await?;
    assert_eq!(response.status(), 401);
    let challenge = response.headers()[WWW_AUTHENTICATE].to_str()?.to_owned();
    assert!(challenge.starts_with("DPoP "), "{challenge}");

    // Our own client does not send it as a bearer token, nor with another key.
    let plain = super::client(&id).token(Token::clone(&token)).build()?;
    let refused = plain.get(&url).send().await;
    assert!(refused.is_err());
    let thief = with_key(&id, Algorithm::ES256, &new_key()).build()?;
    let stolen = thief.for_token(Token::new(token.access_token().clone()).with_token_type("DPoP"));
    let answer = stolen.get(&url).send().await;
    assert!(answer.is_err() || answer.is_ok_and(|it| it.status() == 401));
    Ok(())
}

/// The server refuses the code of a login that is bound to another key.
#[maybe_async]
#[test]
async fn a_code_is_bound_to_the_key_of_its_push() -> TestResult {
    let id = registered("dpop-code", Algorithm::ES256, json!({})).await;
    let client = with_key(&id, Algorithm::ES256, &new_key()).build()?;
    let begun = client.begin_authorization(reports()).await?;
    let callback = log_in(Server::Fapi, &begun.url, WEB).await;
    let other = with_key(&id, Algorithm::ES256, &new_key()).build()?;
    let completed = other.complete_authorization(begun.pending, &callback).await;
    let error = completed.expect_err("another key");
    // Before the code is sent, or by the server.
    let code = error.code();
    assert!(
        code.is_none() || code == Some(&ErrorCode::InvalidGrant),
        "{error}"
    );
    Ok(())
}
