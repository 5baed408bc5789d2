//! Logins whose code is bound to a key.

use oauth_twin::oauth2::{
    AuthorizationRequest, AuthorizationServer, AuthorizationUrl, PendingAuthorization,
};

use super::{
    super::{
        device::{Polled, begun},
        test,
    },
    *,
};

fn with_login(server: &DpopServer, key: &DpopKey) -> OAuth2ClientBuilder {
    let metadata = AuthorizationServer::default()
        .with_authorization_endpoint(server.server.url("/authorize"))
        .with_token_endpoint(server.server.url("/token"));
    OAuth2Client::builder("id")
        .server(metadata)
        .redirect_uri("https://app.example/callback")
        .dpop(key.clone())
}

/// The callback of a login whose code the server binds to the key that the URL names.
fn consent(server: &DpopServer, created: &AuthorizationUrl) -> String {
    let mut asked = created.url.query_pairs();
    let jkt = asked
        .find(|(name, _)| name == "dpop_jkt")
        .expect("dpop_jkt");
    let mut state = server.state();
    state.codes.insert("c1".to_owned(), jkt.1.into_owned());
    format!(
        "https://app.example/callback?code=c1&state={}",
        created.pending.state()
    )
}

/// The pending login as another process reads it.
fn stored(pending: &PendingAuthorization) -> PendingAuthorization {
    let text = serde_json::to_string(pending).expect("JSON");
    serde_json::from_str(&text).expect("a pending login")
}

#[maybe_async]
#[test]
async fn the_code_is_bound_to_the_key_of_the_client() -> TestResult {
    let (server, key) = (DpopServer::start(), dpop_key());
    let client = with_login(&server, &key).build()?;
    let created = client
        .begin_authorization(AuthorizationRequest::new())
        .await?;
    let callback = consent(&server, &created);
    assert_eq!(server.state().codes["c1"], key.thumbprint());
    let login = client
        .complete_authorization(stored(&created.pending), &callback)
        .await?;
    assert_eq!(login.token.dpop_thumbprint(), Some(key.thumbprint()));
    let response = login.client.get(server.server.url("/api")).send().await?;
    assert_eq!(response.status(), 200);
    let kept = login.keep().await?;
    assert_eq!(client.token(), Some(kept));
    server.assert_sound();
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_may_have_a_key_of_its_own() -> TestResult {
    let (server, own, of_login) = (DpopServer::start(), dpop_key(), dpop_key());
    let client = with_login(&server, &own).build()?;
    let request = AuthorizationRequest::new().dpop(&of_login);
    let error = client
        .create_authorization_url(request.clone())
        .expect_err("an unknown key");
    assert!(error.to_string().contains("add_dpop_key"), "{error}");
    client.add_dpop_key(of_login.clone())?;
    let created = client.create_authorization_url(request)?;
    let callback = consent(&server, &created);
    let login = client
        .complete_authorization(created.pending, &callback)
        .await?;
    assert_eq!(login.token.dpop_thumbprint(), Some(of_login.thumbprint()));
    let response = login.client.get(server.server.url("/api")).send().await?;
    assert_eq!(response.status(), 200);
    let renewed = login.client.refresh_token().await?;
    assert_eq!(renewed.dpop_thumbprint(), Some(of_login.thumbprint()));
    server.assert_sound();
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_is_not_completed_without_its_key() -> TestResult {
    let (server, key) = (DpopServer::start(), dpop_key());
    let client = with_login(&server, &key).build()?;
    let created = client.create_authorization_url(AuthorizationRequest::new())?;
    let callback = consent(&server, &created);
    let without = OAuth2Client::builder("id")
        .token_endpoint(server.server.url("/token"))
        .build()?;
    for other in [with_login(&server, &dpop_key()).build()?, without] {
        let pending = stored(&created.pending);
        let error = other.complete_authorization(pending, &callback).await;
        let error = error.expect_err("another key");
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("dpop_jkt"), "{error}");
    }
    assert_eq!(server.server.requests_in_all(), 0, "the code is still good");
    client
        .complete_authorization(created.pending, &callback)
        .await?;
    server.assert_sound();
    Ok(())
}

#[maybe_async]
#[test]
async fn the_parameter_has_a_method_of_its_own() -> TestResult {
    let (server, key) = (DpopServer::start(), dpop_key());
    let client = with_login(&server, &key).build()?;
    let request = AuthorizationRequest::new().param("dpop_jkt", "x");
    let error = client
        .create_authorization_url(request)
        .expect_err("a reserved name");
    assert!(error.to_string().contains("dpop_jkt"), "{error}");
    let bearer = OAuth2Client::builder("id")
        .authorization_endpoint(server.server.url("/authorize"))
        .build()?;
    let error = bearer.create_authorization_url(AuthorizationRequest::new().dpop(&key));
    error.expect_err("a client without dpop");
    let created = bearer.create_authorization_url(AuthorizationRequest::new())?;
    assert!(!created.url.as_str().contains("dpop_jkt"));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_that_brings_a_bearer_token_has_failed() -> TestResult {
    let (server, key) = (DpopServer::without_nonces(), dpop_key());
    server.state().token_type = "Bearer";
    let client = with_login(&server, &key).build()?;
    let created = client.create_authorization_url(AuthorizationRequest::new())?;
    let callback = consent(&server, &created);
    let error = client
        .complete_authorization(created.pending, &callback)
        .await;
    let error = error.expect_err("a bearer token");
    assert_eq!(error.kind(), ErrorKind::Answer);
    assert!(error.to_string().contains("DPoP key"), "{error}");
    Ok(())
}

/// A token response that says `DPoP`.
fn bound_answer() -> Reply {
    let mut answer = tokens(1, 600);
    answer["token_type"] = "DPoP".into();
    Reply::json(200, answer)
}

#[maybe_async]
#[test]
async fn a_poll_is_sent_again_for_the_nonce_of_any_demand() -> TestResult {
    let body = || Reply::error(400, "use_dpop_nonce");
    let demands: [fn() -> Reply; 2] = [body, || Reply::text(401, "")];
    for demand in demands {
        let polled = Polled::new(600, move |n| match n {
            1 => demand().with("dpop-nonce", "n1"),
            _ => bound_answer(),
        });
        let client = polled.builder().dpop(dpop_key()).build()?;
        let device = begun(&client).await;
        let login = client.complete_device_authorization(device).await?;
        assert_eq!(login.token.token_type(), "DPoP");
        let polls = polled.server.requests("/token");
        assert_eq!(polls.len(), 2);
        let claims = claims_of(polls[1].header("dpop").expect("a proof"));
        assert_eq!(claims["nonce"], "n1");
    }
    // Once for each poll, and with another nonce only.
    let polled = Polled::new(600, |_| Reply::text(401, "").with("dpop-nonce", "n1"));
    let client = polled.builder().dpop(dpop_key()).build()?;
    let device = begun(&client).await;
    let outcome = client.complete_device_authorization(device).await;
    let status = outcome.expect_err("refused").status();
    assert_eq!(status.map(|status| status.as_u16()), Some(401));
    assert_eq!(polled.polls(), 2);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_poll_is_sent_again_by_the_time_of_the_server() -> TestResult {
    // An hour later than the clock of the client.
    let at_server = 1_700_003_600;
    for corrects in [true, false] {
        let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(at_server));
        let polled = Polled::new(600, move |n| match n {
            1 => Reply::error(400, "invalid_dpop_proof").with("date", &date),
            _ => bound_answer(),
        });
        let client = polled.builder().dpop(dpop_key()).correct_clock(corrects);
        let client = client.build()?;
        let device = begun(&client).await;
        let outcome = client.complete_device_authorization(device).await;
        if corrects {
            assert_eq!(outcome?.token.token_type(), "DPoP");
            let polls = polled.server.requests("/token");
            assert_eq!(polls.len(), 2);
            let claims = claims_of(polls[1].header("dpop").expect("a proof"));
            assert!(claims["iat"].as_u64() >= Some(at_server), "{claims}");
        } else {
            outcome.expect_err("refused");
            assert_eq!(polled.polls(), 1);
        }
    }
    Ok(())
}
