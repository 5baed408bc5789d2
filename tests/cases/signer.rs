//! External keys: in a KMS, in an HSM.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use oauth_twin::{
    BoxError, Error, ErrorKind,
    jose::{Algorithm, ExternalKey, SigningKey},
    oauth2::{PrivateKeyJwt, PublicClient},
};
use support::jwt::{Assertion, signing_key};

use super::{test, *};

/// Behaviour of a KMS.
enum Kms {
    Signs(SigningKey),
    /// Signatures in DER, as AWS and Google return them.
    SignsInDer(SigningKey),
    Fails,
    Hangs,
    GivesNonsense,
    /// Passes an error of this library on.
    FailsAs(Error),
}

impl Kms {
    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        match self {
            Self::Signs(key) => Ok(key.sign(message)?),
            Self::SignsInDer(key) => Ok(der(&key.sign(message)?)),
            Self::Fails => Err("the key is locked".into()),
            Self::FailsAs(error) => Err(error.clone().into()),
            Self::Hangs | Self::GivesNonsense => Ok(vec![7; 63]),
        }
    }
}

#[maybe_async(AFIT)]
impl ExternalSigner for Kms {
    fn key(&self) -> ExternalKey {
        ExternalKey::new(Algorithm::ES256).with_key_id("kms/1")
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        if matches!(self, Self::Hangs) {
            sleep(Duration::from_secs(60)).await;
        }
        self.signature(message)
    }
}

/// Two numbers of 32 bytes as a sequence of integers.
fn der(signature: &[u8]) -> Vec<u8> {
    let mut numbers = Vec::new();
    for number in signature.chunks(32) {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let mut number = number[zeros..].to_vec();
        if number[0] >= 0x80 {
            number.insert(0, 0);
        }
        numbers.extend([2, u8::try_from(number.len()).unwrap()]);
        numbers.extend(number);
    }
    let mut sequence = vec![0x30, u8::try_from(numbers.len()).unwrap()];
    sequence.extend(numbers);
    sequence
}

fn client(server: &Server, kms: Kms) -> OAuth2ClientBuilder {
    OAuth2Client::builder("id")
        .token_endpoint(server.url("/token"))
        .grant(ClientCredentials::new())
        .signer(kms)
}

fn key() -> SigningKey {
    signing_key(Algorithm::ES256, "p-256")
}

/// An assertion client whose assertions `kms` signs.
fn robot(server: &Server, kms: Kms) -> AssertionClientBuilder {
    AssertionClient::builder(server.url("/token"))
        .issuer("robot")
        .signer(kms)
}

/// The assertion in that parameter of the first token request.
fn first_assertion(server: &Server, parameter: &str) -> Assertion {
    let request = &server.requests("/token")[0];
    Assertion::of(request, parameter, &key().verifying_key())
}

#[maybe_async]
#[test]
async fn the_signer_returns_der_or_jws_signatures() -> TestResult {
    for kms in [Kms::Signs(key()), Kms::SignsInDer(key())] {
        let server = provider(600);
        let client = client(&server, kms).build()?;
        // ECDSA signatures differ, and with them the length of their numbers.
        for _ in 0..20 {
            client.refresh_token().await?;
        }
        let mut ids = std::collections::HashSet::new();
        for request in server.requests("/token") {
            let assertion = Assertion::of(&request, "client_assertion", &key().verifying_key());
            assert_eq!(assertion.header.key_id(), Some("kms/1"));
            assert_eq!(assertion.claims.subject(), Some("id"));
            ids.insert(assertion.claims.id().unwrap().to_owned());
        }
        assert_eq!(ids.len(), 20);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn the_signer_signs_the_assertions_of_an_assertion_client() -> TestResult {
    let server = provider(600);
    let client = robot(&server, Kms::SignsInDer(key())).build()?;
    client.get(server.url("/api")).send().await?;
    let assertion = first_assertion(&server, "assertion");
    assert_eq!(assertion.header.key_id(), Some("kms/1"));
    assert_eq!(assertion.claims.issuer(), Some("robot"));
    Ok(())
}

/// The signer is not asked if there is a secret, or another method is named.
#[maybe_async]
#[test]
async fn the_signer_is_not_called_for_other_client_authentication() -> TestResult {
    let server = provider(600);
    for builder in [
        client(&server, Kms::Fails).client_secret("secret"),
        client(&server, Kms::Fails).token_endpoint_auth_method(PublicClient),
    ] {
        builder.build()?.refresh_token().await?;
    }
    let requests = server.requests("/token");
    assert_eq!(
        requests[0].header("authorization"),
        Some("Basic aWQ6c2VjcmV0")
    );
    assert_eq!(requests[1].parameter("client_assertion"), None);
    // Nor where an assertion client only gives its identifier.
    let robot = robot(&server, Kms::Signs(key())).client_id("id");
    robot.build()?.refresh_token().await?;
    assert_eq!(
        server.requests("/token")[2].parameter("client_assertion"),
        None
    );
    Ok(())
}

/// The audience and the like of assertions that it signs.
#[maybe_async]
#[test]
async fn the_signer_signs_with_the_settings_of_private_key_jwt() -> TestResult {
    let server = provider(600);
    let auth = PrivateKeyJwt::external()
        .audience("urn:other")
        .claim("a", 1);
    let client = client(&server, Kms::Signs(key())).token_endpoint_auth_method(auth);
    client.build()?.refresh_token().await?;
    let assertion = first_assertion(&server, "client_assertion");
    assert_eq!(
        assertion.lasting(),
        json!({"iss": "id", "sub": "id", "aud": "urn:other", "a": 1})
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn the_builder_may_name_its_key() -> TestResult {
    let server = provider(600);
    let client = robot(&server, Kms::Signs(key())).key_id("2026-11");
    client.build()?.refresh_token().await?;
    let assertion = first_assertion(&server, "assertion");
    assert_eq!(assertion.header.key_id(), Some("2026-11"));
    // A client with a key of its own has no use for it.
    let builder = || {
        robot(&server, Kms::Signs(key()))
            .client_id("id")
            .signing_key(key())
    };
    let error = builder().build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid settings: signer cannot be used together with signing_key; remove one of them"
    );
    let both = builder().token_endpoint_auth_method(PrivateKeyJwt::external());
    assert!(both.build().is_ok());
    Ok(())
}

/// It may sign for the assertion and for the client at once.
#[maybe_async]
#[test]
async fn the_signer_signs_both_assertions_of_one_request() -> TestResult {
    let server = provider(600);
    let client = robot(&server, Kms::Signs(key()))
        .client_id("id")
        .token_endpoint_auth_method(PrivateKeyJwt::external())
        .build()?;
    client.refresh_token().await?;
    let request = &server.requests("/token")[0];
    for (name, issuer) in [("assertion", "robot"), ("client_assertion", "id")] {
        let assertion = Assertion::of(request, name, &key().verifying_key());
        assert_eq!(assertion.claims.issuer(), Some(issuer));
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn nothing_is_sent_if_the_signer_fails() -> TestResult {
    for (kms, text) in [
        (Kms::Fails, "the signer could not complete the request"),
        (
            Kms::GivesNonsense,
            "the signer returned 63 bytes, which are not a signature by ES256; check the \
             algorithm of its key",
        ),
    ] {
        let server = provider(600);
        let client = client(&server, kms).build()?;
        let error = client.refresh_token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert_eq!(error.to_string(), text);
        assert!(!error.outcome_unknown());
        assert_eq!(server.requests_in_all(), 0);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn the_error_of_the_signer_is_the_source() -> TestResult {
    let server = provider(600);
    let error = client(&server, Kms::Fails).build()?.refresh_token().await;
    let error = error.unwrap_err();
    assert_eq!(cause(&error), "the key is locked");
    // Even one of this library is about something else: the refresh token of another client.
    let refusing = Server::start(|_: &Request| Reply::error(400, "invalid_grant"));
    let other = builder(&refusing)
        .token(Token::new("t").with_refresh_token("r"))
        .build()?;
    let refused = other.refresh_token().await.unwrap_err();
    assert!(refused.needs_login());
    let error = client(&server, Kms::FailsAs(refused))
        .build()?
        .refresh_token()
        .await;
    let error = error.unwrap_err();
    assert_eq!(
        (error.kind(), error.code(), error.needs_login()),
        (ErrorKind::Usage, None, false)
    );
    assert_eq!(
        cause(&error),
        format!(
            "the token endpoint {} refused the refresh token: 400 invalid_grant",
            refusing.url("/token").trim_start_matches("http://")
        )
    );
    assert_eq!(server.requests_in_all(), 0);
    Ok(())
}

/// Callers wait for a KMS no longer than for a server that hangs.
#[maybe_async]
#[test]
async fn the_signer_is_waited_for_no_longer_than_the_timeout() -> TestResult {
    let server = provider(600);
    let client = client(&server, Kms::Hangs)
        .timeout(Duration::from_millis(100))
        .build()?;
    let error = client.refresh_token().await.unwrap_err();
    assert_eq!(cause(&error), "it timed out");
    assert_eq!(server.requests_in_all(), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_that_is_still_good_survives_its_failure() -> TestResult {
    let server = provider(600);
    let clock = ManualClock::new();
    let client = client(&server, Kms::Fails)
        .token(first_token(&clock, 600))
        .clock(clock.clock())
        .build()?;
    clock.advance(Duration::from_secs(570));
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer t0");
    Ok(())
}

/// A signer that calls the client that it signs for.
struct Calls(Arc<Mutex<Option<OAuth2Client>>>, Arc<Mutex<Vec<ErrorKind>>>);

#[maybe_async(AFIT)]
impl ExternalSigner for Calls {
    fn key(&self) -> ExternalKey {
        ExternalKey::new(Algorithm::ES256)
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        let client = self.0.lock().unwrap().clone().expect("a client");
        let errors = [
            client.ensure_active_token().await.map(|_| ()),
            client.refresh_token().await.map(|_| ()),
            client.introspect("t", None).await.map(|_| ()),
            client.revoke("t", None).await,
            client.exchange(ClientCredentials::new()).await.map(|_| ()),
            client
                .fetch_token(ClientCredentials::new())
                .await
                .map(|_| ()),
            client.set_token(Token::new("t")),
            client.close().await,
        ];
        let kinds = errors.into_iter().map(|error| error.unwrap_err().kind());
        self.1.lock().unwrap().extend(kinds);
        Ok(key().sign(message)?)
    }
}

/// A call that would wait for its own signature is an error at once.
#[maybe_async]
#[test]
async fn calls_of_the_client_within_its_signer_are_errors() -> TestResult {
    let server = provider(600);
    let (held, kinds) = (Arc::default(), Arc::default());
    let client = OAuth2Client::builder("id")
        .token_endpoint(server.url("/token"))
        .introspection_endpoint(server.url("/introspect"))
        .revocation_endpoint(server.url("/revoke"))
        .grant(ClientCredentials::new())
        .signer(Calls(Arc::clone(&held), Arc::clone(&kinds)))
        .build()?;
    *held.lock().unwrap() = Some(client.clone());
    client.ensure_active_token().await?;
    assert_eq!(*kinds.lock().unwrap(), [ErrorKind::Reentrant; 8]);
    assert_eq!(server.requests_in_all(), 1);
    held.lock().unwrap().take();
    Ok(())
}

/// A signer that counts its calls.
struct Counts(SigningKey, Arc<Mutex<usize>>);
#[maybe_async(AFIT)]
impl ExternalSigner for Counts {
    fn key(&self) -> ExternalKey {
        ExternalKey::new(Algorithm::ES256)
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        *self.1.lock().unwrap() += 1;
        Ok(self.0.sign(message)?)
    }
}

/// One signature for a crowd, as there is one request.
#[maybe_async]
#[test]
async fn many_callers_cause_one_signature() -> TestResult {
    let server = provider(600);
    let count = Arc::default();
    let client = OAuth2Client::builder("id")
        .token_endpoint(server.url("/token"))
        .token_endpoint_auth_method(PrivateKeyJwt::external())
        .grant(ClientCredentials::new())
        .signer(Counts(key(), Arc::clone(&count)))
        .build()?;
    let tokens = tokens_at_once(vec![client; CROWD]).await;
    for token in tokens {
        token?;
    }
    assert_eq!(*count.lock().unwrap(), 1);
    Ok(())
}
