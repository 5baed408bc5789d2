//! Client authentication by a signed token: `client_secret_jwt` and `private_key_jwt`.
//!
//! [RFC 7523 section 2.2](https://www.rfc-editor.org/rfc/rfc7523#section-2.2)

use std::time::Duration;

use oauth_twin::{
    ErrorCode, ErrorKind,
    jose::{Algorithm, SigningKey, VerifyingKey},
    oauth2::{Audience, ClientAuth, ClientSecretJwt, Hook, JwtBearer, PrivateKeyJwt},
};
use support::jwt::{Assertion, ids, signing_key};

use super::{test, *};

const SECRET: &str = "a secret of more than sixty-four bytes, so that it is good for HS512 too";
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A provider with all endpoints.
fn server() -> Server {
    let issued = AtomicUsize::new(0);
    Server::start(move |request: &Request| match &*request.path {
        "/token" => {
            let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
            Reply::json(200, tokens(n, 600))
        }
        "/introspect" => Reply::json(200, json!({"active": true})),
        _ => Reply::text(200, ""),
    })
}

fn client(server: &Server, auth: impl ClientAuth + 'static) -> OAuth2ClientBuilder {
    OAuth2Client::builder("id")
        .token_endpoint(server.url("/token"))
        .revocation_endpoint(server.url("/revoke"))
        .introspection_endpoint(server.url("/introspect"))
        .token_endpoint_auth_method(auth)
        .grant(ClientCredentials::new())
}

/// A client of the server of that issuer, if it is known, with assertions for that audience, or else
/// for the default one.
fn for_audience(
    server: &Server,
    key: &SigningKey,
    issuer: Option<&str>,
    audience: Option<Audience>,
) -> OAuth2ClientBuilder {
    let mut auth = PrivateKeyJwt::new(key.clone());
    if let Some(audience) = audience {
        auth = auth.audience(audience);
    }
    let builder = client(server, auth);
    match issuer {
        Some(issuer) => builder.issuer(issuer),
        None => builder,
    }
}

/// Calls every endpoint, the token endpoint twice.
#[maybe_async]
async fn call_all(client: &OAuth2Client) -> oauth_twin::Result<()> {
    client.ensure_active_token().await?;
    client.refresh_token().await?;
    client.introspect_token().await?;
    client.revoke_token().await
}

/// The assertions of all requests, in order, each of which says what it has to beside.
fn assertions(server: &Server, key: &VerifyingKey) -> Vec<Assertion> {
    let requests = ["/token", "/introspect", "/revoke"].map(|path| server.requests(path));
    let requests = requests.concat();
    assert_eq!(requests.len(), 4);
    let assertion = |request: &Request| {
        assert_eq!(request.parameter("client_id").as_deref(), Some("id"));
        assert_eq!(
            request.parameter("client_assertion_type").as_deref(),
            Some(TYPE)
        );
        assert_eq!(request.parameter("client_secret"), None);
        assert_eq!(request.header("authorization"), None);
        Assertion::of(request, "client_assertion", key)
    };
    requests.iter().map(assertion).collect()
}

#[maybe_async]
#[test]
async fn private_key_jwt_serves_every_endpoint_with_a_new_assertion() -> TestResult {
    for (algorithm, name) in [
        (Algorithm::RS256, "rsa-2048"),
        (Algorithm::PS256, "rsa-2048"),
        (Algorithm::ES256, "p-256"),
        (Algorithm::ES384, "p-384"),
        (Algorithm::EdDSA, "ed25519"),
    ] {
        let server = server();
        let key = signing_key(algorithm, name).with_key_id("2026-11");
        let client = client(&server, PrivateKeyJwt::new(key.clone()))
            .issuer("https://id.example")
            .build()?;
        call_all(&client).await?;
        let assertions = assertions(&server, &key.verifying_key());
        for assertion in &assertions {
            assert_eq!(assertion.header.algorithm(), algorithm);
            assert_eq!(assertion.header.key_id(), Some("2026-11"));
            assert_eq!(assertion.header.typ(), Some("JWT"));
            assert_eq!(
                assertion.lasting(),
                json!({"iss": "id", "sub": "id", "aud": "https://id.example"})
            );
            assert_eq!(assertion.lifetime(), Duration::from_secs(60));
        }
        let ids = ids(&assertions);
        assert_eq!(ids.len(), 4, "each is used once");
        assert!(ids.iter().all(|id| id.len() >= 22), "128 bits");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn client_secret_jwt_serves_every_endpoint_with_a_new_assertion() -> TestResult {
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let server = server();
        let auth = match algorithm {
            Algorithm::HS256 => ClientSecretJwt::new(),
            other => ClientSecretJwt::new().algorithm(other),
        };
        let client = client(&server, auth).client_secret(SECRET).build()?;
        call_all(&client).await?;
        let key = VerifyingKey::hmac(algorithm, SECRET)?;
        let assertions = assertions(&server, &key);
        for assertion in &assertions {
            assert_eq!(assertion.header.algorithm(), algorithm);
            assert_eq!(assertion.header.key_id(), None);
            assert_eq!(assertion.lasting()["aud"], server.url("/token"));
        }
        let ids = ids(&assertions);
        assert_eq!(ids.len(), 4, "each is used once");
        for path in ["/token", "/introspect", "/revoke"] {
            for request in server.requests(path) {
                assert!(
                    !request.form().contains("sixty-four"),
                    "the secret is not sent"
                );
            }
        }
    }
    Ok(())
}

/// The client's own settings are not written to, so that no claim of one assertion gets into the
/// next.
#[maybe_async]
#[test]
async fn claims_of_the_caller_s_stand_beside_new_ones() -> TestResult {
    let server = server();
    let key = signing_key(Algorithm::ES256, "p-256");
    let auth = PrivateKeyJwt::new(key.clone())
        .claim("tenant", "a")
        .claim("roles", json!(["x", "y"]))
        .header("x5t", "abc")
        .header("typ", "client-authentication+jwt")
        .lifetime(Duration::from_secs(300))
        .not_before(true);
    let clock = ManualClock::new();
    let client = client(&server, auth).clock(clock.clock()).build()?;
    client.refresh_token().await?;
    clock.advance(Duration::from_secs(7));
    client.refresh_token().await?;
    let requests = server.requests("/token");
    let [first, second] = [0, 1].map(|n| {
        let key = key.verifying_key();
        Assertion::of(&requests[n], "client_assertion", &key)
    });
    for assertion in [&first, &second] {
        assert_eq!(assertion.claims.get("roles"), Some(&json!(["x", "y"])));
        assert_eq!(assertion.claims.get("tenant"), Some(&json!("a")));
        assert_eq!(assertion.header.get("x5t"), Some(&json!("abc")));
        assert_eq!(assertion.header.typ(), Some("client-authentication+jwt"));
        assert_eq!(assertion.lifetime(), Duration::from_secs(300));
        assert_eq!(assertion.claims.not_before(), assertion.claims.issued_at());
    }
    assert_ne!(first.claims.id(), second.claims.id());
    assert_eq!(second.issued_at(), first.issued_at() + 7);
    Ok(())
}

#[maybe_async]
#[test]
async fn the_audience_is_the_issuer_where_known_else_the_token_endpoint() -> TestResult {
    let server = server();
    let token_endpoint = server.url("/token");
    for (issuer, audience, expected) in [
        (Some("https://id.example"), None, "https://id.example"),
        (None, None, &*token_endpoint),
        (
            Some("https://id.example"),
            Some(Audience::Issuer),
            "https://id.example",
        ),
        (
            Some("https://id.example"),
            Some(Audience::TokenEndpoint),
            &*token_endpoint,
        ),
        (
            Some("https://id.example"),
            Some("urn:other".into()),
            "urn:other",
        ),
    ] {
        let key = signing_key(Algorithm::EdDSA, "ed25519");
        let builder = for_audience(&server, &key, issuer, audience);
        let client = builder.build()?;
        let before = server.count("/token");
        client.refresh_token().await?;
        client.introspect("t", None).await?;
        for request in [
            &server.requests("/token")[before],
            server.requests("/introspect").last().unwrap(),
        ] {
            let key = key.verifying_key();
            let assertion = Assertion::of(request, "client_assertion", &key);
            // A string, and not an array of one.
            assert_eq!(assertion.claims.get("aud"), Some(&json!(expected)));
        }
    }
    Ok(())
}

/// With no token endpoint and no issuer there is only the endpoint itself.
#[maybe_async]
#[test]
async fn without_issuer_and_token_endpoint_the_audience_is_the_endpoint_itself() -> TestResult {
    let server = server();
    let key = signing_key(Algorithm::EdDSA, "ed25519");
    let client = OAuth2Client::builder("id")
        .introspection_endpoint(server.url("/introspect"))
        .token_endpoint_auth_method(PrivateKeyJwt::new(key.clone()))
        .build()?;
    client.introspect("t", None).await?;
    let request = &server.requests("/introspect")[0];
    let assertion = Assertion::of(request, "client_assertion", &key.verifying_key());
    assert_eq!(assertion.lasting()["aud"], server.url("/introspect"));
    Ok(())
}

/// A server may have noted the `jti` before it failed.
#[maybe_async]
#[test]
async fn a_repeated_attempt_has_an_assertion_of_its_own() -> TestResult {
    let attempts = AtomicUsize::new(0);
    let server = Server::start(
        move |_: &Request| match attempts.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::json(503, json!({})),
            _ => Reply::json(200, tokens(1, 600)),
        },
    );
    let key = signing_key(Algorithm::ES256, "p-256");
    let client = client(&server, PrivateKeyJwt::new(key.clone())).build()?;
    client.refresh_token().await?;
    let requests = server.requests("/token");
    assert_eq!(requests.len(), 2);
    let read = |request| Assertion::of(request, "client_assertion", &key.verifying_key());
    let assertions: Vec<_> = requests.iter().map(read).collect();
    assert_eq!(ids(&assertions).len(), 2);
    Ok(())
}

/// Faults of a setting are reported before the first request.
#[maybe_async]
#[test]
async fn defaults_and_the_grant_are_validated_too() -> TestResult {
    let server = server();
    let plain = || OAuth2Client::builder("id").token_endpoint(server.url("/token"));
    let key = || signing_key(Algorithm::ES256, "p-256");
    for (problem, builder) in [
        (
            "client_secret cannot be used: the client_secret is a key in PEM, which is never sent",
            plain().client_secret("Bag Attributes\n-----BEGIN PRIVATE KEY-----\nMII"),
        ),
        (
            "grant cannot be sent: the private key is external and there is no signer",
            plain().grant(JwtBearer::external("robot")),
        ),
        (
            "grant cannot be sent: the claim exp is set by lifetime",
            plain().grant(JwtBearer::new("robot", key()).claim("exp", 7)),
        ),
        (
            "grant cannot be sent: issuer is empty",
            plain().grant(JwtBearer::new("", key())),
        ),
        (
            "introspection_endpoint_auth_method cannot be used: Audience::TokenEndpoint needs",
            OAuth2Client::builder("id")
                .introspection_endpoint(server.url("/introspect"))
                .introspection_endpoint_auth_method(
                    PrivateKeyJwt::new(key()).audience(Audience::TokenEndpoint),
                ),
        ),
    ] {
        let error = builder.build().expect_err(problem).to_string();
        assert!(
            error.starts_with(&format!("invalid settings: {problem}")),
            "{error}"
        );
        assert!(!error.contains("MII"));
    }
    Ok(())
}

/// In Authlib a private key that is kept as the client's secret becomes the password at the
/// revocation endpoint. Here it has a place of its own, and one setting serves all endpoints.
#[maybe_async]
#[test]
async fn a_private_key_is_never_a_password() -> TestResult {
    let server = server();
    let key = signing_key(Algorithm::RS256, "rsa-2048");
    let client = client(&server, PrivateKeyJwt::new(key.clone()))
        .client_secret("not sent")
        .token(Token::new("t"))
        .build()?;
    client.revoke_token().await?;
    let request = &server.requests("/revoke")[0];
    assert_eq!(request.header("authorization"), None);
    assert!(!request.form().contains("not+sent"));
    Assertion::of(request, "client_assertion", &key.verifying_key());
    Ok(())
}

#[maybe_async]
#[test]
async fn an_endpoint_may_have_another_method() -> TestResult {
    let server = server();
    let key = signing_key(Algorithm::ES256, "p-256");
    let client = client(&server, PrivateKeyJwt::new(key.clone()))
        .client_secret(SECRET)
        .revocation_endpoint_auth_method(ClientSecretJwt::new())
        .token(Token::new("t"))
        .build()?;
    client.introspect_token().await?;
    client.revoke_token().await?;
    let request = &server.requests("/introspect")[0];
    Assertion::of(request, "client_assertion", &key.verifying_key());
    let request = &server.requests("/revoke")[0];
    let shared = VerifyingKey::hmac(Algorithm::HS256, SECRET)?;
    Assertion::of(request, "client_assertion", &shared);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_refusal_hints_at_the_audience_and_repeats_no_assertion() -> TestResult {
    let server = Server::start(|request: &Request| {
        let assertion = request.parameter("client_assertion").unwrap_or_default();
        let description = format!("no {assertion}");
        let answer = json!({"error": "invalid_client", "error_description": description});
        Reply::json(401, answer)
    });
    let key = signing_key(Algorithm::ES256, "p-256");
    let at_issuer = "some servers require Audience::TokenEndpoint";
    let elsewhere = "which most servers require; set issuer or Audience::Issuer";
    for (issuer, audience, hint) in [
        (Some("https://id.example"), None, at_issuer),
        (
            Some("https://id.example"),
            Some(Audience::from("https://id.example")),
            at_issuer,
        ),
        (
            Some("https://id.example"),
            Some(Audience::TokenEndpoint),
            elsewhere,
        ),
        (
            Some("https://id.example"),
            Some("https://id.example/".into()),
            elsewhere,
        ),
        (None, None, elsewhere),
    ] {
        let builder = for_audience(&server, &key, issuer, audience);
        let error = builder.build()?.refresh_token().await.unwrap_err();
        assert_eq!(error.code(), Some(&ErrorCode::InvalidClient));
        let response = error.response().unwrap();
        assert!(response.hint().unwrap().ends_with(hint), "{error}");
        assert_eq!(response.description(), Some("no [redacted]"));
        let text = error.to_string();
        let said = format!(
            "the token endpoint {} refused the client credentials: 401 invalid_client: no [redacted] \
             (the audience of the client assertion",
            server.url("/token").trim_start_matches("http://")
        );
        assert!(text.starts_with(&said), "{text}");
        assert!(!format!("{error:?}").contains("eyJ"), "{error:?}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn other_errors_hint_at_nothing() -> TestResult {
    let server = Server::start(|_: &Request| Reply::error(400, "invalid_scope"));
    let key = signing_key(Algorithm::ES256, "p-256");
    let client = client(&server, PrivateKeyJwt::new(key)).build()?;
    let error = client.refresh_token().await.unwrap_err();
    assert_eq!(error.response().unwrap().hint(), None);
    Ok(())
}

/// A hook sees the request before it is authenticated, and so cannot spoil the assertion.
#[maybe_async]
#[test]
async fn hooks_run_before_the_assertion_is_made() -> TestResult {
    let server = server();
    let key = signing_key(Algorithm::ES256, "p-256");
    let client = client(&server, PrivateKeyJwt::new(key.clone()))
        .compliance_hook(Hook::access_token_request(|request| {
            assert!(request.form().value("client_assertion").is_none());
            request.form_mut().push("extra", "1");
            Ok(())
        }))
        .build()?;
    client.refresh_token().await?;
    let request = &server.requests("/token")[0];
    assert_eq!(request.parameter("extra").as_deref(), Some("1"));
    Assertion::of(request, "client_assertion", &key.verifying_key());
    Ok(())
}

#[maybe_async]
#[test]
async fn what_cannot_be_used_is_named_when_the_client_is_built() {
    let pair = || signing_key(Algorithm::ES256, "p-256");
    let shared = SigningKey::hmac(Algorithm::HS256, SECRET).unwrap();
    let server = server();
    let secret = |secret: &str, auth: ClientSecretJwt| client(&server, auth).client_secret(secret);
    let mut cases = vec![
        (
            "needs a client_secret",
            client(&server, ClientSecretJwt::new()),
        ),
        (
            "has 6 bytes; HS256 needs at least 32",
            secret("secret", ClientSecretJwt::new()),
        ),
        (
            "has 40 bytes; HS384 needs at least 48",
            secret(
                &SECRET[..40],
                ClientSecretJwt::new().algorithm(Algorithm::HS384),
            ),
        ),
        (
            "RS256 does not sign with a shared secret",
            secret(SECRET, ClientSecretJwt::new().algorithm(Algorithm::RS256)),
        ),
        (
            "the client_secret is a key in PEM, which is never sent",
            secret(
                "-----BEGIN RSA PRIVATE KEY-----\nand so on, and so on",
                ClientSecretJwt::new().dangerous_allow_short_secret(),
            ),
        ),
        (
            "private_key_jwt needs a private key",
            client(&server, PrivateKeyJwt::new(shared)),
        ),
        (
            "there is no signer",
            client(&server, PrivateKeyJwt::external()),
        ),
        (
            "lifetime is shorter than a second, the minimum",
            client(&server, PrivateKeyJwt::new(pair()).lifetime(Duration::ZERO)),
        ),
        (
            "Audience::Issuer needs the issuer identifier",
            client(
                &server,
                PrivateKeyJwt::new(pair()).audience(Audience::Issuer),
            ),
        ),
        (
            "the member alg of the header",
            client(&server, PrivateKeyJwt::new(pair()).header("alg", "none")),
        ),
        (
            "the member crit of the header",
            client(
                &server,
                PrivateKeyJwt::new(pair()).header("crit", json!(["b64"])),
            ),
        ),
    ];
    for name in ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"] {
        let auth = PrivateKeyJwt::new(pair()).claim(name, "x");
        cases.push(("the claim", client(&server, auth)));
    }
    for (problem, builder) in cases {
        let error = builder.build().expect_err(problem);
        assert_eq!(error.kind(), ErrorKind::Usage);
        let text = error.to_string();
        assert!(
            text.starts_with("invalid settings: token_endpoint_auth_method cannot be used: "),
            "{text}"
        );
        assert!(text.contains(problem), "{problem}: {text}");
        assert!(!text.contains("sixty-four"));
    }
}

#[maybe_async]
#[test]
async fn a_short_secret_needs_the_dangerous_method() -> TestResult {
    let server = server();
    let auth = ClientSecretJwt::new().dangerous_allow_short_secret();
    let client = client(&server, auth).client_secret("secret").build()?;
    client.refresh_token().await?;
    let request = &server.requests("/token")[0];
    let token = request.parameter("client_assertion").unwrap();
    assert_eq!(token.split('.').count(), 3);
    assert!(!format!("{client:?}").contains("\"secret\""));
    Ok(())
}

#[maybe_async]
#[test]
async fn by_get_the_assertion_stands_in_the_query() -> TestResult {
    let server = server();
    let key = signing_key(Algorithm::ES256, "p-256");
    let client = client(&server, PrivateKeyJwt::new(key.clone()))
        .token_endpoint_method(oauth_twin::reqwest::Method::GET)
        .build()?;
    client.refresh_token().await?;
    let request = &server.requests("/token")[0];
    assert_eq!((&*request.method, request.body.len()), ("GET", 0));
    let mut pairs = url::form_urlencoded::parse(request.query.as_bytes());
    let token = pairs
        .find(|(name, _)| name == "client_assertion")
        .unwrap()
        .1;
    Assertion::read(&token, &key.verifying_key());
    Ok(())
}
