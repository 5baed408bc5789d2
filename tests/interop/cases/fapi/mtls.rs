//! Mutual TLS: the certificate as client authentication, bound tokens, and a certificate that changes.

use std::fs;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use oauth_twin::{
    ErrorCode, Token,
    jose::{Algorithm, JwkSet, SigningKey},
    oauth2::{
        ClientCredentials, PrivateKeyJwt, SelfSignedTlsClientAuth, TlsClientAuth, TokenTypeHint,
    },
};
use serde_json::json;

use super::{super::keys::key, test, *};
use crate::folder::Folder;

/// Registers a client of one test with what is in `metadata`.
#[maybe_async]
async fn registered(test: &str, mut metadata: Value) -> String {
    let id = format!("{test}-{CLIENT}");
    metadata["client_id"] = id.as_str().into();
    metadata["tls_client_certificate_bound_access_tokens"] = true.into();
    Server::Fapi.register(&metadata).await;
    id
}

fn by_subject(subject: &str) -> Value {
    json!({"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": subject})
}

const SUBJECT: &str = "CN=client.example,O=Reports";

/// The JWK Set with a certificate, as it is registered for `self_signed_tls_client_auth`.
fn key_set_of(name: &str) -> Value {
    let pem = fs::read_to_string(file(&format!("{name}.pem"))).expect("a file");
    let body = pem.lines().filter(|line| !line.starts_with('-'));
    let der = body.collect::<String>();
    assert!(STANDARD.decode(&der).is_ok());
    let key = fs::read(file(&format!("{name}.key.pem"))).expect("a file");
    let key = SigningKey::from_pem(Algorithm::ES256, key).expect("a key");
    let mut jwk = serde_json::to_value(key.public_jwk()).expect("JSON");
    jwk["x5c"] = json!([der]);
    json!({"keys": [jwk]})
}

/// Gets a token, uses it, asks about it and revokes it, each at the alias and with the certificate.
#[maybe_async]
async fn uses_every_endpoint(id: &str, client: &OAuth2Client, name: &str) -> TestResult {
    let certificate = certificate(name);
    let token = client.ensure_active_token().await?;
    let thumbprint = certificate.thumbprint();
    assert_eq!(token.certificate_thumbprint(), Some(&*thumbprint));
    let answer = called(client).await?;
    assert_eq!(answer["sender"], "mtls", "{id}");
    assert_eq!(answer["certificate"], thumbprint);
    assert_eq!(answer["client_id"], id);

    // The claims of the token say the same, to one who may read it.
    let access_token = token.access_token().expose_secret();
    let claims = client.verify_signature(access_token, &[Algorithm::ES256]);
    let claims = claims.await?;
    assert!(certificate.is_confirmed_by(claims.get("cnf")));

    let hint = Some(TokenTypeHint::AccessToken);
    let revoked = client.revoke(token.access_token(), hint.clone()).await;
    // The provider introspects and revokes no structured tokens, and says so.
    let code = revoked.expect_err("a JWT").code().cloned();
    assert_eq!(code, Some(ErrorCode::UnsupportedTokenType));
    let introspected = client.introspect(token.access_token(), hint).await;
    let code = introspected.expect_err("a JWT").code().cloned();
    assert_eq!(code, Some(ErrorCode::UnsupportedTokenType));

    let requests = log(id).await;
    let paths = ["/token", "/token/revocation", "/token/introspection"];
    for path in paths {
        let at_path = |request: &&Value| request["path"] == path;
        assert_eq!(requests.iter().filter(at_path).count(), 1, "{requests:?}");
    }
    for request in requests {
        assert_eq!(request["alias"], true, "{request}");
        assert_eq!(request["certificate"], thumbprint, "{request}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn tls_client_auth_at_every_endpoint() -> TestResult {
    let id = registered("tls", by_subject(SUBJECT)).await;
    let client = client(&id)
        .client_certificate(certificate("client"))
        .token_endpoint_auth_method(TlsClientAuth)
        .grant(ClientCredentials::new())
        .build()?;
    uses_every_endpoint(&id, &client, "client").await
}

#[maybe_async]
#[test]
async fn self_signed_tls_client_auth_at_every_endpoint() -> TestResult {
    let metadata = json!({
        "token_endpoint_auth_method": "self_signed_tls_client_auth",
        "jwks": key_set_of("self-signed"),
    });
    let id = registered("self-signed", metadata).await;
    let client = client(&id)
        .client_certificate(certificate("self-signed"))
        .token_endpoint_auth_method(SelfSignedTlsClientAuth)
        .grant(ClientCredentials::new())
        .build()?;
    uses_every_endpoint(&id, &client, "self-signed").await
}

/// The certificate binds the token alone, and any will do.
#[maybe_async]
#[test]
async fn bound_tokens_beside_private_key_jwt() -> TestResult {
    for algorithm in [Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
        let metadata = json!({
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": JwkSet::new(key(algorithm).public_jwk()),
        });
        let id = registered(&format!("jwt-{algorithm}"), metadata).await;
        let client = client(&id)
            .client_certificate(certificate("self-signed"))
            .token_endpoint_auth_method(PrivateKeyJwt::new(key(algorithm)))
            .grant(ClientCredentials::new())
            .build()?;
        uses_every_endpoint(&id, &client, "self-signed").await?;
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_certificate_that_is_not_the_registered_one_is_refused() -> TestResult {
    let id = registered("strangers", by_subject(SUBJECT)).await;
    let by = |name| {
        client(&id)
            .client_certificate(certificate(name))
            .token_endpoint_auth_method(TlsClientAuth)
            .grant(ClientCredentials::new())
            .build()
    };
    // Another subject, and an authority that the server does not trust.
    for name in ["other", "self-signed"] {
        let error = by(name)?
            .ensure_active_token()
            .await
            .expect_err("a stranger");
        assert_eq!(error.code(), Some(&ErrorCode::InvalidClient), "{error}");
        assert!(format!("{error:?}").contains("certificate"), "{error:?}");
    }
    by("renewed")?.ensure_active_token().await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn the_api_refuses_a_bound_token_of_another_certificate() -> TestResult {
    let id = registered("stolen", by_subject(SUBJECT)).await;
    let owner = client(&id)
        .client_certificate(certificate("client"))
        .token_endpoint_auth_method(TlsClientAuth)
        .grant(ClientCredentials::new())
        .build()?;
    let token = owner.ensure_active_token().await?;
    // Without what the client knows of it, so that it is sent.
    let stolen = Token::new(token.access_token().clone());
    let thieves = [
        client(&id),
        client(&id).client_certificate(certificate("renewed")),
        client(&id).client_certificate(certificate("self-signed")),
    ];
    let url = api().await;
    for thief in thieves {
        let thief = thief.token(stolen.clone()).build()?;
        let response = thief.get(&url).send().await?;
        assert_eq!(response.status(), 401);
    }
    called(&owner).await?;
    Ok(())
}

/// A certificate is replaced while the client runs: the old token is of no use any more, and the
/// client knows that.
#[maybe_async]
#[test]
async fn a_certificate_is_replaced() -> TestResult {
    let id = registered("rotated", by_subject(SUBJECT)).await;
    let folder = Folder::new(&id);
    let replace = |name: &str| {
        for end in ["pem", "key.pem"] {
            let from = file(&format!("{name}.{end}"));
            fs::copy(from, folder.file(end)).expect("a copy");
        }
    };
    replace("client");
    let files = ClientCertificate::from_files(folder.file("pem"), folder.file("key.pem"))?;
    let client = client(&id)
        .client_certificate(files)
        .token_endpoint_auth_method(TlsClientAuth)
        .grant(ClientCredentials::new())
        .build()?;
    let before = called(&client).await?;
    replace("renewed");
    crate::mode::sleep(std::time::Duration::from_millis(1100)).await;
    let after = called(&client).await?;
    assert_eq!(before["certificate"], certificate("client").thumbprint());
    assert_eq!(after["certificate"], certificate("renewed").thumbprint());
    let requests = log(&id).await;
    let tokens: Vec<_> = requests.iter().map(|it| &it["certificate"]).collect();
    assert_eq!(tokens, [&before["certificate"], &after["certificate"]]);
    Ok(())
}
