//! JWT bearer grants at node `oidc-provider`, by the assertion that a platform makes: the provider
//! trusts the platform's keys for one client, and keeps all rules of RFC 7523 section 3.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, SystemTime},
};

use oauth_twin::{
    ErrorCode, Secret,
    jose::{Algorithm, Claims, Header, JwkSet, SigningKey},
    oauth2::{FederatedAssertion, FederatedGrant, JwtBearer},
};
use serde_json::{Value, json};

use super::{
    TestResult,
    keys::{another_key, asymmetric, key},
    logins::Server,
    oidc_provider::me,
};
use crate::{
    folder::Folder,
    mode::{CLIENT, OAuth2Client, OAuth2ClientBuilder, at_once, maybe_async, test},
};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A client of this test alone, and the platform whose assertions the server takes from it.
struct Workload {
    _folder: Folder,
    file: PathBuf,
    key: SigningKey,
    id: String,
    issuer: String,
    written: AtomicUsize,
}

#[maybe_async]
impl Workload {
    /// With a secret of the client, or without one.
    async fn new(test: &str, key: SigningKey, secret: Option<&str>) -> Self {
        let id = format!("jwt-bearer-{test}-{CLIENT}");
        let mut metadata = json!({"client_id": id, "grant_types": [JWT_BEARER]});
        match secret {
            Some(secret) => metadata["client_secret"] = secret.into(),
            None => metadata["token_endpoint_auth_method"] = "none".into(),
        }
        Server::OidcProvider.register(&metadata).await;
        let issuer = format!("https://platform.example/{id}");
        let keys = JwkSet::new(key.public_jwk());
        Server::OidcProvider.trust(&id, &issuer, &json!(keys)).await;
        let folder = Folder::new(&id);
        Self {
            file: folder.file("token"),
            _folder: folder,
            key,
            id,
            issuer,
            written: AtomicUsize::new(0),
        }
    }
}

impl Workload {
    /// The claims of a new assertion about alice.
    fn claims(&self) -> Claims {
        let now = SystemTime::now();
        let n = self.written.fetch_add(1, Ordering::SeqCst);
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH);
        let seconds = seconds.expect("a time").as_nanos();
        Claims::new()
            .with_issuer(&self.issuer)
            .with_subject("alice")
            .with_audience(Server::OidcProvider.issuer())
            .with_id(format!("{seconds}-{n}"))
            .with_issued_at(now)
            .with_expires_at(now + Duration::from_secs(60))
    }

    /// Replaces the file.
    fn write(&self, claims: &Claims, key: &SigningKey) {
        self.write_text(claims.sign(key).expect("an assertion").expose_secret());
    }

    fn write_text(&self, assertion: &str) {
        std::fs::write(&self.file, format!("{assertion}\n")).expect("a file");
    }

    fn client(&self) -> OAuth2ClientBuilder {
        let grant = FederatedGrant::new(FederatedAssertion::file(&self.file));
        let builder = Server::OidcProvider.client(&self.id);
        builder.grant(grant.scope("reports:read"))
    }
}

#[maybe_async]
#[test]
async fn a_platform_s_token_is_a_grant_by_every_algorithm() -> TestResult {
    for algorithm in asymmetric() {
        // A client with a secret authenticates beside its assertion.
        let secret = Some("workload-secret").filter(|_| algorithm == Algorithm::ES256);
        let name = algorithm.as_str().to_lowercase();
        let workload = Workload::new(&name, key(algorithm), secret).await;
        let mut builder = workload.client();
        if let Some(secret) = secret {
            builder = builder.client_secret(secret);
        }
        let client = builder.build()?;
        workload.write(&workload.claims(), &workload.key);
        let answer = me(&client).await?;
        assert_eq!(answer["client_id"], workload.id);
        assert_eq!(
            (&answer["sub"], &answer["scope"]),
            (&json!("alice"), &json!("reports:read"))
        );
        let token = client.token().ok_or("no token")?;
        assert_eq!(token.refresh_token(), None);
        let counted = Server::OidcProvider.counted(&workload.id, JWT_BEARER).await;
        assert_eq!(counted, (1, 0), "{name}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn the_file_is_read_anew_for_each_token_and_a_crowd_sends_one() -> TestResult {
    let workload = Workload::new("file", key(Algorithm::ES256), None).await;
    let client = workload.client().build()?;
    workload.write(&workload.claims(), &workload.key);
    let tokens = at_once(16, |_| {
        let client = client.clone();
        async move { client.ensure_active_token().await.expect("a token") }
    })
    .await;
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    workload.write(&workload.claims(), &workload.key);
    let next = client.refresh_token().await?;
    assert_ne!(next.access_token(), tokens[0].access_token());
    let counted = Server::OidcProvider.counted(&workload.id, JWT_BEARER).await;
    assert_eq!(counted, (2, 0));
    // The platform has not replaced it: its `jti` is used up.
    let error = client.refresh_token().await.expect_err("used up");
    assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
    let counted = Server::OidcProvider.counted(&workload.id, JWT_BEARER).await;
    assert_eq!(counted, (2, 1), "sent once");
    let reasons = Server::OidcProvider.reasons(&workload.id).await;
    assert_eq!(reasons, ["the assertion was used already"]);
    Ok(())
}

/// The same assertion, by a key in this process.
#[maybe_async]
#[test]
async fn a_client_may_be_the_platform_itself() -> TestResult {
    let workload = Workload::new("own", key(Algorithm::EdDSA), None).await;
    let grant = JwtBearer::new(&workload.issuer, workload.key.clone());
    let client = Server::OidcProvider
        .client(&workload.id)
        .grant(grant.subject("bob"))
        .build()?;
    let answer = me(&client).await?;
    assert_eq!(answer["sub"], "bob");
    client.refresh_token().await?;
    let counted = Server::OidcProvider.counted(&workload.id, JWT_BEARER).await;
    assert_eq!(counted, (2, 0), "each request has an assertion of its own");
    Ok(())
}

#[maybe_async]
#[test]
async fn what_breaks_a_rule_of_the_server_is_refused_and_sent_once() -> TestResult {
    let workload = Workload::new("refused", key(Algorithm::ES256), None).await;
    let (now, seconds) = (SystemTime::now(), Duration::from_secs);
    let without = |name: &str| {
        let claims: Value = serde_json::from_str(&workload.claims().to_json()).expect("JSON");
        let mut claims = claims.as_object().expect("an object").clone();
        claims.remove(name);
        Claims::from_slice(Value::from(claims).to_string().as_bytes()).expect("claims")
    };
    let signed = |claims: Claims| claims.sign(&workload.key).expect("an assertion");
    let claims = || workload.claims();
    let secret = SigningKey::hmac(Algorithm::HS256, "a secret of at least thirty-two bytes");
    let unsigned = {
        let signed = signed(claims());
        let signed = signed.expose_secret().split('.').collect::<Vec<_>>();
        // {"alg":"none"}
        Secret::from(format!("eyJhbGciOiJub25lIn0.{}.", signed[1]))
    };
    let refused = [
        (
            "another key",
            claims().sign(&another_key(Algorithm::ES256))?,
        ),
        ("a shared secret", claims().sign(&secret?)?),
        ("no signature", unsigned),
        (
            "an unknown key",
            claims().sign_with_header(
                &Header::new(Algorithm::ES256).with_key_id("second"),
                &workload.key,
            )?,
        ),
        (
            "another issuer",
            signed(claims().with_issuer("https://other.example")),
        ),
        (
            "another audience",
            signed(claims().with_audience("https://other.example")),
        ),
        (
            "an expired one",
            signed(claims().with_expires_at(now - seconds(5))),
        ),
        (
            "one of next year",
            signed(claims().with_expires_at(now + seconds(30_000_000))),
        ),
        (
            "one of later",
            signed(claims().with_not_before(now + seconds(120))),
        ),
        ("no issuer", signed(without("iss"))),
        ("no subject", signed(without("sub"))),
        ("no audience", signed(without("aud"))),
        ("no expiry", signed(without("exp"))),
        ("no JWT", Secret::from("x")),
    ];
    let client = workload.client().build()?;
    let count = refused.len();
    for (what, assertion) in refused {
        workload.write_text(assertion.expose_secret());
        let error = client.refresh_token().await.expect_err(what);
        assert_eq!(
            error.code(),
            Some(&ErrorCode::InvalidGrant),
            "{what}: {error}"
        );
        assert!(!error.is_transient(), "{what}");
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains(assertion.expose_secret()) || what == "no JWT",
            "{what}"
        );
    }
    let counted = Server::OidcProvider.counted(&workload.id, JWT_BEARER).await;
    assert_eq!(counted, (0, u64::try_from(count)?), "each was sent once");
    // It says that it has expired.
    workload.write(&claims().with_expires_at(now - seconds(5)), &workload.key);
    let error = client
        .refresh_token()
        .await
        .expect_err("expired")
        .to_string();
    assert!(error.contains("expired"), "{error}");
    // After all of that, a right one is taken; without a `jti` more than once.
    workload.write(&without("jti"), &workload.key);
    for _ in 0..2 {
        client.refresh_token().await?;
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn another_client_s_platform_and_grant_are_refused() -> TestResult {
    let one = Workload::new("one", key(Algorithm::ES256), None).await;
    let two = Workload::new("two", key(Algorithm::ES256), None).await;
    // The platform of the one signs for the other.
    two.write(&one.claims(), &one.key);
    let error = two.client().build()?.ensure_active_token().await;
    let error = error.expect_err("refused");
    assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
    let reasons = Server::OidcProvider.reasons(&two.id).await;
    assert_eq!(reasons, ["the issuer is not trusted"]);
    // A client that is not registered for the grant, and one that is not registered.
    let grant = || FederatedGrant::new(FederatedAssertion::file(&one.file));
    one.write(&one.claims(), &one.key);
    for (id, code) in [
        // Its word for a grant that the client is not registered for.
        ("public", ErrorCode::InvalidRequest),
        ("no such client", ErrorCode::InvalidClient),
    ] {
        let client = Server::OidcProvider.client(id).grant(grant()).build()?;
        let error = client.ensure_active_token().await.expect_err("refused");
        assert_eq!(error.code(), Some(&code), "{error}");
    }
    let nobody = OAuth2Client::unregistered()
        .token_endpoint(format!("{}/token", Server::OidcProvider.issuer()))
        .grant(grant())
        .build()?;
    // Unlike Authlib, this server takes no assertion from a client that it does not know.
    let error = nobody.ensure_active_token().await.expect_err("refused");
    assert!(error.code().is_some(), "{error}");
    Ok(())
}
