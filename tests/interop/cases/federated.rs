//! Assertions of a platform against both servers: the platform signs by a key of its own and replaces
//! the file while the client lives.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use oauth_twin::{
    ErrorCode,
    jose::{Algorithm, Claims, JwkSet, SigningKey},
    oauth2::{ClientCredentials, FederatedAssertion, FederatedGrant},
};
use serde_json::json;

use super::{
    TestResult,
    keys::{another_key, key},
    logins::{Server, WEB, logged_in},
};
use crate::{
    folder::Folder,
    mode::{CLIENT, OAuth2Client, maybe_async, test},
};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The platform of one job: it knows the file, and writes each token once.
struct Platform {
    _folder: Folder,
    file: PathBuf,
    key: SigningKey,
    written: AtomicUsize,
}

impl Platform {
    fn new(test: &str) -> Self {
        let folder = Folder::new(&format!("federated-{test}-{CLIENT}"));
        Self {
            file: folder.file("token"),
            _folder: folder,
            key: key(Algorithm::ES256),
            written: AtomicUsize::new(0),
        }
    }

    /// Replaces the file by a token of `issuer` about `subject` for `audience`, by this key.
    fn write(&self, issuer: &str, subject: &str, audience: &str, key: &SigningKey) {
        let now = SystemTime::now();
        let n = self.written.fetch_add(1, Ordering::SeqCst);
        let started = now.duration_since(UNIX_EPOCH).expect("a time").as_nanos();
        let claims = Claims::new()
            .with_issuer(issuer)
            .with_subject(subject)
            .with_audience(audience)
            .with_id(format!("{issuer}-{started}-{n}"))
            .with_issued_at(now)
            .with_expires_at(now + Duration::from_secs(60));
        let token = claims.sign(key).expect("a token");
        std::fs::write(&self.file, format!("{}\n", token.expose_secret())).expect("a file");
    }
}

#[maybe_async]
#[test]
async fn oidc_provider_takes_each_token_of_a_file_once_and_at_every_endpoint() -> TestResult {
    let platform = Platform::new("endpoints");
    let id = format!("federated-{CLIENT}");
    let metadata = json!({
        "client_id": id, "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": ["client_credentials", "authorization_code", "refresh_token"],
        "redirect_uris": [WEB], "jwks": JwkSet::new(platform.key.public_jwk()),
    });
    Server::OidcProvider.register(&metadata).await;
    let issuer = Server::OidcProvider.issuer();
    let replace = || platform.write(&id, &id, &issuer, &platform.key);
    let client = Server::OidcProvider
        .client(&id)
        .token_endpoint_auth_method(FederatedAssertion::file(&platform.file))
        .redirect_uri(WEB)
        .grant(ClientCredentials::new())
        .build()?;
    replace();
    let token = client.ensure_active_token().await?;
    // Its `jti` is used up, so that a copy in memory would be refused.
    replace();
    let introspection = client.introspect_token().await?;
    assert!(introspection.is_active());
    replace();
    client.revoke_token().await?;
    replace();
    let another = client.ensure_active_token().await?;
    assert_ne!(another.access_token(), token.access_token());
    replace();
    let login = logged_in(Server::OidcProvider, &client, WEB).await;
    let user = client.for_token(login);
    for _ in 0..2 {
        replace();
        user.refresh_token().await?;
    }
    // A key that the server does not know.
    platform.write(&id, &id, &issuer, &another_key(Algorithm::ES256));
    let error = user.refresh_token().await.expect_err("refused");
    assert_eq!(error.code(), Some(&ErrorCode::InvalidClient));
    assert!(!error.needs_login());
    Ok(())
}

#[maybe_async]
#[test]
async fn authlib_takes_a_platform_s_token_as_a_grant() -> TestResult {
    let platform = Platform::new("grant");
    let issuer = format!("platform-{CLIENT}");
    let metadata = json!({
        "client_id": issuer, "token_endpoint_auth_method": "none", "grant_types": [JWT_BEARER],
        "access_token_ttl": 600, "jwks": JwkSet::new(platform.key.public_jwk()),
    });
    Server::Authlib.register(&metadata).await;
    let server = Server::Authlib.issuer();
    let grant = FederatedGrant::new(FederatedAssertion::file(&platform.file));
    let client = OAuth2Client::unregistered()
        .issuer(&server)
        .token_endpoint(format!("{server}/token"))
        .grant(grant.scope("reports:read"))
        .build()?;
    for _ in 0..2 {
        platform.write(&issuer, "alice", &server, &platform.key);
        client.refresh_token().await?;
    }
    let answer = client.get(format!("{server}/api/me")).send().await?;
    let answer: serde_json::Value = answer.error_for_status()?.json().await?;
    assert_eq!(answer["sub"], "alice");
    let counted = Server::Authlib.counted(&issuer, JWT_BEARER).await;
    assert_eq!(counted, (2, 0));
    // The same token once more is a refusal, and is not sent a third time.
    let error = client.refresh_token().await.expect_err("used up");
    assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
    let counted = Server::Authlib.counted(&issuer, JWT_BEARER).await;
    assert_eq!(counted, (2, 1));
    Ok(())
}
