//! The keys that tokens are bound to: after a restart, a rotation, a loss, and in a KMS.

use std::sync::Mutex;

use oauth_twin::jose::ExternalKey;

use super::{super::test, *};

#[maybe_async]
#[test]
async fn a_stored_token_finds_its_key_among_several() -> TestResult {
    let (server, old, present) = (DpopServer::start(), dpop_key(), dpop_key());
    let stored = serde_json::to_string(&bound_token(&server, &old))?;
    let client = public(&server, &present)
        .earlier_dpop_key(dpop_key())
        .earlier_dpop_key(old.clone())
        .token(serde_json::from_str(&stored)?)
        .build()?;
    let response = client.get(server.server.url("/api")).send().await?;
    assert_eq!(response.status(), 200);
    // The refresh token of a public client is bound to its key, too.
    let renewed = client.refresh_token().await?;
    assert_eq!(renewed.dpop_thumbprint(), Some(old.thumbprint()));
    let response = client.get(server.server.url("/api")).send().await?;
    assert_eq!(response.status(), 200);
    server.assert_sound();
    Ok(())
}

#[maybe_async]
#[test]
async fn a_client_that_authenticates_leaves_an_earlier_key_by_a_refresh() -> TestResult {
    for is_added in [false, true] {
        let (server, old, present) = (DpopServer::start(), dpop_key(), dpop_key());
        let client = confidential(&server, &present)
            .earlier_dpop_key(old.clone())
            .token(bound_token(&server, &old))
            .build()?;
        if is_added {
            client.add_dpop_key(old.clone())?;
        }
        // Until then its token is used with its own key.
        let response = client.get(server.server.url("/api")).send().await?;
        assert_eq!(response.status(), 200);
        assert_eq!(server.server.count("/token"), 0);
        let renewed = client.refresh_token().await?;
        // The key of one login stays.
        let expected = if is_added { &old } else { &present };
        assert_eq!(renewed.dpop_thumbprint(), Some(expected.thumbprint()));
        let response = client.get(server.server.url("/api")).send().await?;
        assert_eq!(response.status(), 200);
        server.assert_sound();
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_public_client_that_has_lost_the_key_needs_a_login() -> TestResult {
    let (server, lost, present) = (DpopServer::start(), dpop_key(), dpop_key());
    let client = public(&server, &present)
        .token(bound_token(&server, &lost))
        .build()?;
    for error in [
        client
            .get(server.server.url("/api"))
            .send()
            .await
            .expect_err("no key"),
        client.refresh_token().await.expect_err("no key"),
    ] {
        assert!(error.needs_login(), "{error}");
        assert!(error.to_string().contains("DPoP key"), "{error}");
    }
    assert_eq!(server.server.requests_in_all(), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_confidential_client_that_has_lost_the_key_refreshes_with_its_present_one() -> TestResult
{
    let (server, lost, present) = (DpopServer::start(), dpop_key(), dpop_key());
    let client = confidential(&server, &present)
        .token(bound_token(&server, &lost))
        .build()?;
    let response = client.get(server.server.url("/api")).send().await?;
    assert_eq!(response.status(), 200);
    server.assert_sound();
    let token = client.token().expect("a token");
    assert_eq!(token.dpop_thumbprint(), Some(present.thumbprint()));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_bearer_token_of_an_earlier_release_is_never_sent_and_renewed_if_possible() -> TestResult
{
    let (server, key) = (DpopServer::start(), dpop_key());
    let old = Token::new("old").with_refresh_token("r-old");
    let client = public(&server, &key).token(old.clone()).build()?;
    let response = client.get(server.server.url("/api")).send().await?;
    assert_eq!(response.status(), 200);
    server.assert_sound();
    let lonely = public(&server, &key).token(Token::new("old")).build()?;
    let error = lonely.get(server.server.url("/api")).send().await;
    let error = error.expect_err("no DPoP token");
    assert!(
        error.needs_login() && error.to_string().contains("bearer"),
        "{error}"
    );
    server.assert_sound();
    Ok(())
}

#[maybe_async]
#[test]
async fn a_dpop_token_without_a_key_in_the_builder_is_an_error_that_names_it() -> TestResult {
    let server = DpopServer::start();
    let token = bound_token(&server, &dpop_key());
    let client = OAuth2Client::builder("id").token(token).build()?;
    let error = client
        .get(server.server.url("/api"))
        .send()
        .await
        .expect_err("no key");
    assert!(error.to_string().contains("by dpop"), "{error}");
    assert_eq!(server.server.requests_in_all(), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn children_use_the_key_of_their_token() -> TestResult {
    let (server, own, of_user) = (DpopServer::start(), dpop_key(), dpop_key());
    let client = public(&server, &own).build()?;
    let token = bound_token(&server, &of_user);
    let early = client.for_token(token.clone());
    let error = early.get(server.server.url("/api")).send().await;
    assert!(error.expect_err("an unknown key").needs_login());
    client.add_dpop_key(of_user.clone())?;
    let child = client.for_token(token.with_refresh_token("r-other"));
    let response = child.get(server.server.url("/api")).send().await?;
    assert_eq!(response.status(), 200);
    server.assert_sound();
    client.remove_dpop_key(of_user.thumbprint())?;
    let late = client.for_token(Token::new("t9").with_dpop_key(&of_user));
    late.get(server.server.url("/api"))
        .send()
        .await
        .expect_err("a forgotten key");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_key_is_added_to_clients_with_a_key_of_their_own_only() -> TestResult {
    let client = OAuth2Client::builder("id").build()?;
    let error = client.add_dpop_key(dpop_key()).expect_err("no dpop");
    assert!(error.to_string().contains("dpop"), "{error}");
    client.remove_dpop_key("x").expect_err("no dpop");
    let public = new_key("1").public_jwk().expect("a JWK");
    let client = OAuth2Client::builder("id").dpop(dpop_key()).build()?;
    let external = DpopKey::external(Algorithm::ES256, &public)?;
    client.add_dpop_key(external).expect_err("an external key");
    client.close().await?;
    let error = client.add_dpop_key(dpop_key()).expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::Closed);
    Ok(())
}

/// A key management service, which may call the client that it serves.
struct Kms {
    key: SigningKey,
    fails: bool,
    client: Arc<Mutex<Option<OAuth2Client>>>,
}

#[maybe_async(AFIT)]
impl ExternalSigner for Kms {
    fn key(&self) -> ExternalKey {
        ExternalKey::new(Algorithm::ES256).with_key_id("kms/1")
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        let client = self.client.lock().expect("a lock").clone();
        if let Some(client) = client {
            client.get("http://127.0.0.1:1/").send().await?;
        }
        match self.fails {
            true => Err("the key is locked".into()),
            false => Ok(self.key.sign(message)?),
        }
    }
}

fn kms(fails: bool) -> (Kms, Jwk) {
    let key = new_key("1");
    let public = key.public_jwk().expect("a JWK");
    let client = Arc::default();
    (Kms { key, fails, client }, public)
}

#[maybe_async]
#[test]
async fn a_kms_signs_the_proofs_at_both_servers() -> TestResult {
    let (server, (kms, public)) = (DpopServer::start(), kms(false));
    let thumbprint = public.thumbprint()?;
    let client = builder(&server.server)
        .dpop_signer(kms, &public)
        .grant(ClientCredentials::new())
        .build()?;
    let url = server.server.url("/api");
    let response = client.post(&url).body("b").send().await?;
    let status = response.status().as_u16();
    let text = response.text().await?;
    assert_eq!((status, &*text), (200, "b"));
    let response = client.get(&url).send().await?;
    assert_eq!(response.status(), 200);
    let mut request = own_client().get(&url).build()?;
    client.authorize(&mut request).await?;
    let response = own_client().execute(request).await?;
    assert_eq!(response.status(), 200);
    server.assert_sound();
    let token = client.token().expect("a token");
    assert_eq!(token.dpop_thumbprint(), Some(&*thumbprint));
    assert_eq!(
        (server.server.count("/token"), server.server.count("/api")),
        (2, 4)
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_kms_that_fails_or_waits_for_itself_sends_nothing() -> TestResult {
    let (server, (failing, public)) = (DpopServer::start(), kms(true));
    let client = builder(&server.server)
        .dpop_signer(failing, &public)
        .grant(ClientCredentials::new())
        .build()?;
    let error = client
        .ensure_active_token()
        .await
        .expect_err("a locked key");
    assert_eq!(cause(&error), "the key is locked");

    let (circular, public) = kms(false);
    let (shared, key) = (circular.client.clone(), public.thumbprint()?);
    let token = Token::new("t0").with_dpop_key(&DpopKey::external(Algorithm::ES256, &public)?);
    assert_eq!(token.dpop_thumbprint(), Some(&*key));
    let client = builder(&server.server)
        .dpop_signer(circular, &public)
        .token(token)
        .build()?;
    *shared.lock().expect("a lock") = Some(client.clone());
    let error = client
        .get(server.server.url("/api"))
        .send()
        .await
        .expect_err("itself");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(cause(&error).contains("callback"), "{error:?}");
    *shared.lock().expect("a lock") = None;
    assert_eq!(server.server.requests_in_all(), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_kms_that_belongs_to_another_key_is_a_bad_setting() -> TestResult {
    let (kms, _) = kms(false);
    let rsa = support::jwt::signing_key(Algorithm::PS256, "rsa-2048");
    let public = rsa.public_jwk().expect("a JWK");
    let client = OAuth2Client::builder("id").dpop_signer(kms, &public);
    assert!(bad_settings(client.build()).starts_with("dpop cannot be used"));
    Ok(())
}
