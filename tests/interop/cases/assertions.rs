//! The JWT bearer grant against Authlib's server: service accounts from their files, other keys,
//! client authentication beside the assertion, and what the server refuses.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use oauth_twin::{
    Clock, ErrorCode, ErrorKind,
    jose::{Algorithm, JwkSet, SigningKey},
    oauth2::{
        Audience, AuthorizationServer, ClientRegistration, ClientSecretPost, Hook, JwtBearer,
        PublicClient, ServiceAccount, TokenEndpoint,
    },
};
use serde_json::{Value, json};

use super::{
    TestResult, address,
    keys::{Kms, another_key, asymmetric, key},
    logins::Server,
};
use crate::{
    mode::{AssertionClient, AssertionClientBuilder, CLIENT, at_once, maybe_async, sleep, test},
    updates::{Updates, recording},
};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn url(path: &str) -> String {
    format!("{}{path}", address("AUTHLIB_SERVER"))
}

/// Registers the issuer of assertions: a client whose tokens live for `seconds`, with this key, and
/// with `more` of its metadata.
#[maybe_async]
async fn register(id: &str, key: &SigningKey, seconds: u64, more: Value) {
    let mut metadata = json!({
        "client_id": id, "token_endpoint_auth_method": "none", "grant_types": [GRANT_TYPE],
        "access_token_ttl": seconds, "jwks": JwkSet::new(key.public_jwk()),
    });
    let metadata_members = metadata.as_object_mut().expect("an object");
    metadata_members.extend(more.as_object().expect("an object").clone());
    Server::Authlib.register(&metadata).await;
}

/// A service account of this test alone: its name, and the file with its key, as Google hands it
/// out but with the server's token endpoint.
#[maybe_async]
pub async fn account(test: &str, seconds: u64) -> (String, String) {
    let name = format!("{test}-{CLIENT}@oauth-twin.example");
    let file = include_str!("../../vectors/service_account.json");
    let mut file: Value = serde_json::from_str(file).expect("a file");
    file["client_email"] = name.clone().into();
    file["token_uri"] = url("/token").into();
    let file = file.to_string();
    let account = ServiceAccount::from_json(&file).expect("an account");
    register(&name, account.signing_key(), seconds, json!({})).await;
    (name, file)
}

/// Another issuer of this test alone.
#[maybe_async]
async fn issuer(test: &str, algorithm: Algorithm, more: Value) -> String {
    let name = format!("{test}-{algorithm}-{CLIENT}");
    register(&name, &key(algorithm), 600, more).await;
    name
}

fn builder(issuer: &str, algorithm: Algorithm) -> AssertionClientBuilder {
    AssertionClient::builder(url("/token"))
        .issuer(issuer)
        .subject("alice")
        .signing_key(key(algorithm))
        .scope("reports:read")
}

/// The server's own count of successful and refused requests with an assertion.
#[maybe_async]
pub async fn counted(issuer: &str) -> (u64, u64) {
    Server::Authlib.counted(issuer, GRANT_TYPE).await
}

/// Calls the protected resource and gives what the server knows of the token.
#[maybe_async]
async fn me(client: &AssertionClient) -> Result<Value, Box<dyn std::error::Error>> {
    let response = client.get(url("/api/me")).send().await?;
    let answer = response.error_for_status()?.json().await?;
    Ok(answer)
}

#[maybe_async]
#[test]
async fn a_service_account_from_its_file() -> TestResult {
    let (name, file) = account("file", 600).await;
    let client = AssertionClient::from_service_account(&file)?
        .scope(["reports:read", "reports:write"])
        // The scope is in the assertion, and nobody else is named.
        .compliance_hook(Hook::access_token_request(|request| {
            let form = request.form();
            let names: Vec<_> = form.iter().map(|(name, _)| name.to_owned()).collect();
            match names == ["grant_type", "assertion"] {
                true => Ok(()),
                false => Err(format!("the parameters are {names:?}").into()),
            }
        }))
        .build()?;
    assert_eq!(client.token(), None);
    let count = counted(&name).await;
    assert_eq!(count, (0, 0), "nothing is asked for before it is needed");
    for _ in 0..3 {
        let answer = me(&client).await?;
        assert_eq!(answer["client_id"], name);
        assert_eq!(answer["scope"], "reports:read reports:write");
        assert_eq!(answer["sub"], Value::Null, "for itself");
    }
    let count = counted(&name).await;
    assert_eq!(count, (1, 0));
    let token = client.token().expect("a token");
    assert_eq!(token.scope(), Some("reports:read reports:write"));
    assert_eq!(token.refresh_token(), None);
    assert!(token.expires_at().is_some());
    client.close().await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_service_account_that_acts_for_a_user() -> TestResult {
    let (name, file) = account("user", 600).await;
    for subject in ["alice", &name] {
        let client = AssertionClient::from_service_account(&file)?
            .subject(subject)
            .scope("profile")
            .build()?;
        let answer = me(&client).await?;
        assert_eq!(
            (&answer["sub"], &answer["scope"]),
            (&json!(subject), &json!("profile"))
        );
    }
    // A user whom the server does not know.
    let error = AssertionClient::from_service_account(&file)?
        .subject("mallory")
        .build()?
        .ensure_active_token()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant), "{error}");
    Ok(())
}

#[maybe_async]
#[test]
async fn each_renewal_sends_a_new_assertion() -> TestResult {
    let (name, file) = account("renewed", 2).await;
    let updates = Updates::default();
    let client = AssertionClient::from_service_account(&file)?
        .scope("reports:read")
        .leeway(Duration::ZERO)
        .update_token(recording(&updates))
        .build()?;
    // Until the third token, whatever the time that takes: each call is answered.
    let mut calls = 0;
    while updates.lock().unwrap().len() < 3 {
        let answer = me(&client).await?;
        assert_eq!(answer["scope"], "reports:read");
        calls += 1;
        sleep(Duration::from_millis(100)).await;
    }
    client.close().await?;
    let updates = updates.lock().unwrap().clone();
    let (ok, refused) = counted(&name).await;
    assert_eq!((ok, refused), (updates.len() as u64, 0));
    assert!(calls > updates.len(), "not a token for each call");
    for pair in updates.windows(2) {
        let previous = pair[1].previous_access_token.as_ref();
        assert_eq!(previous, Some(pair[0].token.access_token()));
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn fifty_callers_send_one_assertion() -> TestResult {
    let (name, file) = account("crowd", 600).await;
    let client = AssertionClient::from_service_account(&file)?.build()?;
    let call = |_| {
        let client = client.clone();
        async move {
            let response = client.get(url("/api/me")).send().await.expect("an answer");
            response.status().as_u16()
        }
    };
    let statuses = at_once(50, call).await;
    assert_eq!(statuses, vec![200; 50]);
    let count = counted(&name).await;
    assert_eq!(count, (1, 0));

    // All tokens of this account are revoked: the 401s lead to one renewal.
    Server::Authlib.control("revoke_all", &name, &[]).await;
    let statuses = at_once(50, call).await;
    assert_eq!(statuses, vec![200; 50]);
    let count = counted(&name).await;
    assert_eq!(count, (2, 0));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_request_that_is_repeated_has_an_assertion_of_its_own() -> TestResult {
    let (name, file) = account("repeated", 600).await;
    Server::Authlib
        .control("fail", &name, &[("next", "2"), ("status", "503")])
        .await;
    let sent = Arc::new(Mutex::new(Vec::new()));
    let told = sent.clone();
    let client = AssertionClient::from_service_account(&file)?
        .compliance_hook(Hook::access_token_request(move |request| {
            let assertion = request.form().value("assertion").cloned();
            told.lock().unwrap().push(assertion.expect("an assertion"));
            Ok(())
        }))
        .build()?;
    client.ensure_active_token().await?;
    let count = counted(&name).await;
    assert_eq!(count, (1, 2));
    let sent = sent.lock().unwrap().clone();
    assert_eq!(sent.len(), 3);
    assert!(sent[0] != sent[1] && sent[1] != sent[2] && sent[2] != sent[0]);
    Ok(())
}

#[maybe_async]
#[test]
async fn keys_of_every_kind() -> TestResult {
    for algorithm in asymmetric() {
        let name = issuer("kinds", algorithm, json!({})).await;
        for client in [
            builder(&name, algorithm),
            builder(&name, algorithm).scope_as_claim(true),
            builder(&name, algorithm).audience(Server::Authlib.issuer()),
            builder(&name, algorithm)
                .lifetime(Duration::from_secs(300))
                .not_before(true)
                .claim("tenant", json!({"name": "Z\u{fc}rich"})),
        ] {
            let answer = me(&client.build()?).await?;
            assert_eq!(
                (&answer["client_id"], &answer["sub"], &answer["scope"]),
                (&json!(name), &json!("alice"), &json!("reports:read")),
                "{algorithm}"
            );
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_key_that_is_elsewhere() -> TestResult {
    let name = issuer("elsewhere", Algorithm::ES256, json!({})).await;
    let client = AssertionClient::builder(url("/token"))
        .issuer(&name)
        .subject("alice")
        .signer(Kms::new())
        .build()?;
    let answer = me(&client).await?;
    assert_eq!(answer["sub"], "alice");
    client.refresh_token().await?;
    let count = counted(&name).await;
    assert_eq!(count, (2, 0));
    Ok(())
}

#[maybe_async]
#[test]
async fn the_grant_of_a_client_that_has_other_grants_too() -> TestResult {
    let name = issuer("grant", Algorithm::EdDSA, json!({})).await;
    let grant = JwtBearer::new(&name, key(Algorithm::EdDSA)).subject("alice");
    let client = Server::Authlib.client(&name).grant(grant).build()?;
    let response = client.get(url("/api/me")).send().await?;
    let answer: Value = response.error_for_status()?.json().await?;
    assert_eq!(
        (&answer["sub"], &answer["scope"]),
        (&json!("alice"), &json!("reports:read"))
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn client_authentication_beside_the_assertion() -> TestResult {
    for method in ["client_secret_basic", "client_secret_post"] {
        let more = json!({"client_secret": "its-secret", "token_endpoint_auth_method": method});
        let name = issuer(method, Algorithm::RS256, more).await;
        let with = |secret: &str| {
            let client = builder(&name, Algorithm::RS256)
                .client_id(&name)
                .client_secret(secret);
            match method {
                "client_secret_post" => client.token_endpoint_auth_method(ClientSecretPost),
                _ => client,
            }
        };
        let answer = me(&with("its-secret").build()?).await?;
        assert_eq!(answer["client_id"], name);
        let error = me(&with("wrong").build()?).await.unwrap_err();
        let error = error.downcast_ref::<oauth_twin::Error>().expect("ours");
        assert_eq!(error.kind(), ErrorKind::Server);
        assert_eq!(error.code(), Some(&ErrorCode::InvalidClient), "{error}");
        let count = counted(&name).await;
        assert_eq!(count, (1, 1));

        // "Authentication of the client is optional": the assertion says who it is.
        for client in [
            builder(&name, Algorithm::RS256),
            builder(&name, Algorithm::RS256)
                .client_id(&name)
                .token_endpoint_auth_method(PublicClient),
        ] {
            let answer = me(&client.build()?).await?;
            assert_eq!(answer["client_id"], name);
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn what_is_wrong_with_an_assertion_is_the_server_s_error() -> TestResult {
    for algorithm in [
        Algorithm::RS256,
        Algorithm::PS256,
        Algorithm::ES256,
        Algorithm::EdDSA,
    ] {
        let name = issuer("refused", algorithm, json!({})).await;
        let right = || builder(&name, algorithm);
        let ago =
            |seconds| Clock::from_fn(move || SystemTime::now() - Duration::from_secs(seconds));
        let refused = [
            (
                right().audience("https://elsewhere.example"),
                Some("Invalid claim: 'aud'"),
            ),
            // The server allows for a minute, and the assertion is good for one.
            (right().clock(ago(122)), Some("The token is expired")),
            (right().signing_key(another_key(algorithm)), None),
            (right().key_id("unknown"), Some("No key for kid: 'unknown'")),
            (
                right().issuer("nobody"),
                Some("The client does not exist on this server."),
            ),
        ];
        for (client, description) in refused {
            let error = client.build()?.ensure_active_token().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Server);
            assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant), "{error}");
            assert_eq!(error.status().map(|status| status.as_u16()), Some(400));
            let said = error.response().unwrap().description();
            assert_eq!(said, description, "{algorithm}");
            assert!(!error.is_transient() && !error.outcome_unknown());
        }
        // The same client with nothing wrong, or almost.
        for client in [right(), right().clock(ago(100))] {
            client.build()?.ensure_active_token().await?;
        }
        let count = counted(&name).await;
        assert_eq!(count, (2, 4), "{algorithm}, without those of nobody");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn an_assertion_that_is_sent_again_is_refused() -> TestResult {
    let (name, file) = account("replayed", 600).await;
    let account = ServiceAccount::from_json(&file)?;
    let server = AuthorizationServer::default().with_token_endpoint(account.token_uri());
    let endpoint = TokenEndpoint::new(&server, &ClientRegistration::default())?;
    let request = endpoint.request(&account.grant().audience(Audience::TokenEndpoint))?;
    let assertion = request.form().value("assertion").cloned();
    let assertion = assertion.expect("an assertion");

    let client = AssertionClient::builder(account.token_uri())
        .assertion(move || Ok(assertion.clone()))
        .build()?;
    let token = client.ensure_active_token().await?;
    let error = client.refresh_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant), "{error}");
    assert_eq!(
        error.response().unwrap().description(),
        Some("The assertion has been used before: 'jti'")
    );
    assert_eq!(client.token(), Some(token), "the old token is kept");
    let answer = me(&client).await?;
    assert_eq!(answer["client_id"], name);
    let count = counted(&name).await;
    assert_eq!(count, (1, 1));
    Ok(())
}
