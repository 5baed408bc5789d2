//! Authorization requests that are signed.

use std::sync::Mutex;

use oauth_twin::{
    jose::{Algorithm, ExternalKey, SigningKey},
    oauth2::{
        AuthorizationDetail, AuthorizationEndpoint, ClientRegistration, PrivateKeyJwt,
        PublicClient, RequestObject,
    },
};
use support::jwt::{Assertion, signing_key};

use super::{super::test, *};

/// A KMS that signs by a local key, and counts.
pub struct Kms(pub SigningKey, pub Mutex<usize>);

#[maybe_async(AFIT)]
impl ExternalSigner for Kms {
    fn key(&self) -> ExternalKey {
        ExternalKey::new(Algorithm::ES256).with_key_id("kms/1")
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        *self.1.lock().expect("a lock") += 1;
        Ok(self.0.sign(message)?)
    }
}

fn key() -> SigningKey {
    signing_key(Algorithm::ES256, "p-256").with_key_id("1")
}

/// The request object in `url`, verified.
fn in_url(url: &url::Url) -> Assertion {
    let request = url.query_pairs().find(|(name, _)| name == "request");
    Assertion::read(
        &request.expect("a request object").1,
        &key().verifying_key(),
    )
}

#[maybe_async]
#[test]
async fn a_request_object_has_all_parameters_and_the_url_only_the_client() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).request_object(key()).build()?;
    let request = AuthorizationRequest::new()
        .scope("openid")
        .resource("urn:a")
        .resource("urn:b")
        .max_age(Duration::from_secs(60))
        .claims(json!({"userinfo": {"email": null}}))
        .authorization_details([AuthorizationDetail::new("payment")])
        .param("audience", "x");
    let begun = client.create_authorization_url(request)?;
    let names: Vec<_> = begun
        .url
        .query_pairs()
        .map(|(name, _)| name.into_owned())
        .collect();
    assert_eq!(names, ["client_id", "request"]);
    let object = in_url(&begun.url);
    assert_eq!(object.header.typ(), Some("oauth-authz-req+jwt"));
    assert_eq!(object.header.key_id(), Some("1"));
    let issued_at = object.issued_at();
    assert_eq!(object.lifetime(), Duration::from_secs(300));
    let mut claims = object.lasting();
    let nonce = claims["nonce"].take();
    assert_eq!(nonce.as_str().map(str::len), Some(43));
    let challenge = claims["code_challenge"].take();
    assert_eq!(challenge.as_str().map(str::len), Some(43));
    assert_eq!(
        claims,
        json!({
            "iss": "id", "aud": provider.issuer(), "nbf": issued_at, "client_id": "id",
            "response_type": "code", "redirect_uri": CALLBACK, "scope": "openid",
            "state": begun.pending.state(), "nonce": null, "code_challenge": null,
            "code_challenge_method": "S256", "resource": ["urn:a", "urn:b"], "max_age": 60,
            "claims": {"userinfo": {"email": null}},
            "authorization_details": [{"type": "payment"}], "audience": "x",
        })
    );
    let callback = provider.authorize(&begun.url);
    client
        .complete_authorization(begun.pending, &callback)
        .await?;
    Ok(())
}

/// One that is also a client assertion could be used as one.
#[maybe_async]
#[test]
async fn a_request_object_is_no_client_assertion() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).request_object(key()).build()?;
    for name in ["sub", "iss", "aud", "exp", "nbf", "iat", "jti"] {
        let request = AuthorizationRequest::new().param(name, "id");
        let error = client.create_authorization_url(request).expect_err(name);
        assert!(error.to_string().contains(name), "{error}");
    }
    let url = client
        .create_authorization_url(AuthorizationRequest::new())?
        .url;
    assert_eq!(in_url(&url).claims.subject(), None);
    Ok(())
}

/// Its audience is set by itself.
#[maybe_async]
#[test]
async fn a_server_that_wants_another_audience_gets_it_in_request_objects_alone() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider)
        .request_object(RequestObject::new(key()).audience("https://id.example/authorize"))
        .token_endpoint_auth_method(PrivateKeyJwt::new(key()))
        .pushed_authorization_requests(Push::Always)
        .build()?;
    log_in(&provider, &client, AuthorizationRequest::new()).await?;
    let push = &provider.server.requests("/par")[0];
    let object = Assertion::of(push, "request", &key().verifying_key());
    assert!(
        object
            .claims
            .audience()
            .eq(["https://id.example/authorize"])
    );
    let assertion = Assertion::of(push, "client_assertion", &key().verifying_key());
    assert!(assertion.claims.audience().eq([provider.issuer()]));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_request_object_is_pushed_without_the_parameters() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider)
        .request_object(key())
        .pushed_authorization_requests(Push::Always)
        .build()?;
    let request = AuthorizationRequest::new().scope("openid");
    let login = log_in(&provider, &client, request).await?;
    assert!(login.id_token.is_some());
    let push = &provider.server.requests("/par")[0];
    let names: Vec<_> = url::form_urlencoded::parse(&push.body)
        .map(|(name, _)| name.into_owned())
        .collect();
    assert_eq!(names, ["client_id", "request"]);
    Ok(())
}

#[maybe_async]
#[test]
async fn an_external_key_signs_requests_by_value_and_pushed() -> TestResult {
    for push in [Push::Never, Push::Always] {
        let provider = Provider::start();
        let client = client_of(&provider)
            .signer(Kms(key(), Mutex::new(0)))
            .token_endpoint_auth_method(PublicClient)
            .request_object(RequestObject::external())
            .pushed_authorization_requests(push)
            .build()?;
        let error = client.create_authorization_url(AuthorizationRequest::new());
        let error = error.expect_err("nothing signs without I/O").to_string();
        assert!(error.contains("begin_authorization"), "{error}");
        let begun = client
            .begin_authorization(AuthorizationRequest::new())
            .await?;
        let object = match push {
            Push::Always => {
                let push = &provider.server.requests("/par")[0];
                Assertion::of(push, "request", &key().verifying_key())
            }
            _ => in_url(&begun.url),
        };
        assert_eq!(object.header.key_id(), Some("kms/1"));
        assert_eq!(object.header.typ(), Some("oauth-authz-req+jwt"));
        let callback = provider.authorize(&begun.url);
        client
            .complete_authorization(begun.pending, &callback)
            .await?;
    }
    Ok(())
}

/// A KMS that is down.
struct Broken;

#[maybe_async(AFIT)]
impl ExternalSigner for Broken {
    fn key(&self) -> ExternalKey {
        ExternalKey::new(Algorithm::ES256)
    }

    async fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, BoxError> {
        Err("the key is locked".into())
    }
}

#[maybe_async]
#[test]
async fn a_signer_that_fails_pushes_nothing() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider)
        .signer(Broken)
        .request_object(RequestObject::external())
        .pushed_authorization_requests(Push::Always)
        .build()?;
    let begun = client
        .begin_authorization(AuthorizationRequest::new())
        .await;
    let error = begun.expect_err("no signature");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(
        format!("{error:?}").contains("the key is locked"),
        "{error:?}"
    );
    assert_eq!(provider.server.count("/par"), 0);
    Ok(())
}

/// The request object is published by the client; the server fetches it.
#[maybe_async]
#[test]
async fn oidcc_client_test_request_uri_signed_rs256() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    let key = signing_key(Algorithm::RS256, "rsa-2048");
    let registration = ClientRegistration::new("id").with_redirect_uris([CALLBACK]);
    let endpoint = AuthorizationEndpoint::new(&provider.metadata(), &registration)?
        .clock(provider.clock.clock())
        .request_object(key.clone());
    let prepared = endpoint.prepare(AuthorizationRequest::new().scope("openid"))?;
    let object = prepared.request_object()?.expect("it is signed").clone();
    let request_uri = "https://app.example/request.jwt";
    let object = object.expose_secret();
    assert_eq!(
        Assertion::read(object, &key.verifying_key())
            .claims
            .issuer(),
        Some("id")
    );
    provider.publish(request_uri, object);
    let begun = prepared.published_at(request_uri)?;
    assert!(
        begun
            .url
            .as_str()
            .ends_with("?client_id=id&request_uri=https%3A%2F%2Fapp.example%2Frequest.jwt"),
        "{}",
        begun.url
    );
    assert!(begun.expires_at().is_some());
    let callback = provider.authorize(&begun.url);
    let login = client
        .complete_authorization(begun.pending, &callback)
        .await?;
    assert!(login.id_token.is_some());
    for bad in ["http://app.example/r", "/request.jwt", ""] {
        let prepared = endpoint.prepare(AuthorizationRequest::new())?;
        assert_eq!(
            prepared.published_at(bad).expect_err(bad).kind(),
            ErrorKind::Usage
        );
    }
    let plain = AuthorizationEndpoint::new(&provider.metadata(), &registration)?;
    let plain = plain
        .prepare(AuthorizationRequest::new())?
        .published_at(request_uri);
    assert!(
        plain
            .expect_err("it is not signed")
            .to_string()
            .contains("request_object")
    );
    Ok(())
}

/// The suite lets a client send one that is not signed; there is no such algorithm here.
#[maybe_async]
#[test]
async fn oidcc_client_test_request_uri_signed_none() {
    assert!("none".parse::<Algorithm>().is_err());
    let provider = Provider::start();
    let only_none = json!({"request_object_signing_alg_values_supported": ["none"]});
    provider.lie(|lies| lies.metadata = only_none);
    let client = client_of(&provider).request_object(key()).build();
    let error = client.expect_err("ES256 is not offered").to_string();
    assert!(
        error.contains("request_object") && error.contains("ES256"),
        "{error}"
    );
}

#[maybe_async]
#[test]
async fn settings_that_cannot_work_are_refused_when_the_client_is_built() {
    let provider = Provider::start();
    let with = |settings: RequestObject| client_of(&provider).request_object(settings).build();
    for (settings, word) in [
        (RequestObject::external(), "signer"),
        (
            RequestObject::new(key()).lifetime(Duration::from_secs(3601)),
            "at most an hour",
        ),
        (
            RequestObject::new(key()).lifetime(Duration::ZERO),
            "at least a second",
        ),
    ] {
        let error = with(settings).expect_err(word).to_string();
        assert!(
            error.contains("request_object") && error.contains(word),
            "{error}"
        );
    }
    let hour = RequestObject::new(key()).lifetime(Duration::from_secs(3600));
    assert!(with(hour).is_ok());
    let without_issuer = OAuth2Client::builder("id")
        .authorization_endpoint("https://id.example/authorize")
        .request_object(key())
        .build();
    let error = without_issuer.expect_err("no audience").to_string();
    assert!(error.contains("issuer"), "{error}");
    let other = json!({"request_object_signing_alg_values_supported": ["PS256", "RS256"]});
    provider.lie(|lies| lies.metadata = other);
    assert!(client_of(&provider).request_object(key()).build().is_err());
}

#[maybe_async]
#[test]
async fn a_request_object_cannot_be_set_by_param() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    for name in ["request", "request_uri", "authorization_details"] {
        let request = AuthorizationRequest::new().param(name, "x");
        let error = client.create_authorization_url(request).expect_err(name);
        assert!(error.to_string().contains(name), "{error}");
    }
    Ok(())
}
