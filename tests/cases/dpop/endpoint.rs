//! Token requests with a proof each, and the nonces of the authorization server.

use super::{super::test, *};

#[maybe_async]
#[test]
async fn a_nonce_is_answered_with_a_new_proof_and_a_new_client_assertion() -> TestResult {
    let (server, key) = (DpopServer::start(), dpop_key());
    let client = confidential(&server, &key)
        .grant(ClientCredentials::new())
        .build()?;
    let token = client.ensure_active_token().await?;
    server.assert_sound();
    assert_eq!(token.dpop_thumbprint(), Some(key.thumbprint()));
    assert_eq!(
        nonces(&server.state(), "/token"),
        [None, Some("as-0".to_owned())]
    );
    let sent = server.server.requests("/token");
    assert_ne!(
        sent[0].parameter("client_assertion"),
        sent[1].parameter("client_assertion")
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn the_nonce_of_the_server_outlives_the_process() -> TestResult {
    let (server, key) = (DpopServer::start(), dpop_key());
    let client = public(&server, &key)
        .token(bound_token(&server, &key))
        .build()?;
    let stored = serde_json::to_string(&client.refresh_token().await?)?;
    assert!(stored.contains("\"dpop_nonce\":\"as-0\""), "{stored}");
    // From now on a demand for a nonce costs the session.
    server.state().spends = true;
    let restarted = public(&server, &key)
        .token(serde_json::from_str(&stored)?)
        .build()?;
    restarted.refresh_token().await?;
    server.assert_sound();
    let nonce = || Some("as-0".to_owned());
    assert_eq!(nonces(&server.state(), "/token"), [None, nonce(), nonce()]);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_refresh_token_that_a_demand_for_a_nonce_has_spent_is_sent_twice_and_no_more()
-> TestResult {
    let (server, key) = (DpopServer::start(), dpop_key());
    server.state().spends = true;
    let client = public(&server, &key)
        .token(bound_token(&server, &key))
        .build()?;
    for _ in 0..3 {
        let error = client
            .refresh_token()
            .await
            .expect_err("the session is lost");
        assert!(error.needs_login(), "{error}");
    }
    assert_eq!(server.server.count("/token"), 2);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_demand_without_a_nonce_is_an_error_that_says_so() -> TestResult {
    let (server, key) = (DpopServer::start(), dpop_key());
    server.state().without_header = true;
    let client = confidential(&server, &key)
        .grant(ClientCredentials::new())
        .build()?;
    let error = client.ensure_active_token().await.expect_err("no nonce");
    assert_eq!(error.code(), Some(&oauth_twin::ErrorCode::UseDpopNonce));
    assert!(error.to_string().contains("DPoP-Nonce"), "{error}");
    assert!(!error.needs_login());
    assert_eq!(server.server.count("/token"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_server_that_demands_a_new_nonce_each_time_gets_two_requests() -> TestResult {
    let count = AtomicUsize::new(0);
    let server = Server::start(move |_: &Request| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        Reply::error(400, "use_dpop_nonce").with("DPoP-Nonce", &format!("n{n}"))
    });
    let client = with_credentials(&server).dpop(dpop_key()).build()?;
    let error = client
        .ensure_active_token()
        .await
        .expect_err("a nonce again");
    assert_eq!(error.code(), Some(&oauth_twin::ErrorCode::UseDpopNonce));
    assert_eq!(server.count("/token"), 2);
    Ok(())
}

/// Servers send a nonce with whatever they answer; only a demand for it is answered.
#[maybe_async]
#[test]
async fn another_refusal_is_not_answered_for_its_nonce() -> TestResult {
    for (status, code) in [
        (400, "invalid_grant"),
        (401, "invalid_client"),
        (400, "invalid_dpop_proof"),
    ] {
        let server =
            Server::start(move |_: &Request| Reply::error(status, code).with("DPoP-Nonce", "n1"));
        let key = dpop_key();
        let token = Token::new("t").with_refresh_token("r").with_dpop_key(&key);
        let client = builder(&server).dpop(key).token(token).build()?;
        client.refresh_token().await.expect_err(code);
        assert_eq!(server.count("/token"), 1, "{code}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_bearer_token_in_the_answer_is_an_error_and_never_sent() -> TestResult {
    for token_type in ["Bearer", "bearer", "N_A"] {
        let (server, key) = (DpopServer::without_nonces(), dpop_key());
        server.state().token_type = token_type;
        let client = confidential(&server, &key)
            .grant(ClientCredentials::new())
            .build()?;
        let error = client.ensure_active_token().await.expect_err(token_type);
        assert!(error.to_string().contains("DPoP"), "{error}");
        let error = client.get(server.server.url("/api")).send().await;
        error.expect_err("no usable token");
        assert!(client.token().is_none());
        let error = client.exchange(ClientCredentials::new()).await;
        assert_eq!(error.expect_err("no DPoP token").kind(), ErrorKind::Answer);
        let error = client.fetch_token(ClientCredentials::new()).await;
        assert_eq!(error.expect_err("no DPoP token").kind(), ErrorKind::Answer);
        assert_eq!(server.server.count("/api"), 0);
    }
    Ok(())
}

/// The refresh token that came with it is kept: the old one is spent.
#[maybe_async]
#[test]
async fn the_refresh_token_beside_a_bearer_token_is_not_lost() -> TestResult {
    let (server, key) = (DpopServer::without_nonces(), dpop_key());
    let client = public(&server, &key)
        .token(bound_token(&server, &key))
        .build()?;
    server.state().token_type = "Bearer";
    client.refresh_token().await.expect_err("a bearer token");
    let kept = client.token().expect("the old token");
    assert_eq!(access_token(&kept), "t0");
    assert_eq!(
        kept.refresh_token().map(|it| it.expose_secret()),
        Some("r1")
    );
    server.state().token_type = "DPoP";
    let renewed = client.refresh_token().await?;
    assert_eq!(access_token(&renewed), "t2");
    server.assert_sound();
    Ok(())
}

#[maybe_async]
#[test]
async fn revocation_has_no_proof_and_its_nonce_is_kept() -> TestResult {
    let server = Server::start(|request: &Request| match &*request.path {
        "/token" => {
            let mut answer = tokens(1, 600);
            answer["token_type"] = "DPoP".into();
            Reply::json(200, answer)
        }
        _ => Reply::text(200, "").with("DPoP-Nonce", "n1"),
    });
    let client = with_credentials(&server).dpop(dpop_key());
    let client = client.revocation_endpoint(server.url("/revoke")).build()?;
    client.revoke("some", None).await?;
    client.ensure_active_token().await?;
    assert!(server.requests("/revoke")[0].header("dpop").is_none());
    let proof = server.requests("/token")[0]
        .header("dpop")
        .map(str::to_owned);
    let proof = proof.expect("a proof");
    let claims = proof.split('.').nth(1).expect("claims");
    let claims = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims)?;
    assert!(String::from_utf8(claims)?.contains("\"nonce\":\"n1\""));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_server_that_does_not_list_the_algorithm_gets_nothing() -> TestResult {
    let server = DpopServer::start();
    let metadata = oauth_twin::oauth2::AuthorizationServer::default()
        .with_token_endpoint(server.server.url("/token"))
        .with_dpop_signing_alg_values_supported(["PS256", "EdDSA"]);
    let client = OAuth2Client::builder("id")
        .client_secret("secret")
        .server(metadata)
        .dpop(dpop_key())
        .grant(ClientCredentials::new())
        .build()?;
    let error = client
        .ensure_active_token()
        .await
        .expect_err("ES256 is not listed");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(
        error
            .to_string()
            .contains("dpop_signing_alg_values_supported"),
        "{error}"
    );
    assert_eq!(server.server.count("/token"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn what_does_not_go_with_dpop_is_a_bad_setting() -> TestResult {
    let placed = OAuth2Client::builder("id")
        .dpop(dpop_key())
        .token_placement(oauth_twin::oauth2::TokenPlacement::Query);
    assert!(bad_settings(placed.build()).starts_with("token_placement"));
    let lonely = OAuth2Client::builder("id").earlier_dpop_key(dpop_key());
    assert!(bad_settings(lonely.build()).starts_with("dpop is missing"));
    let public = new_key("1").public_jwk().expect("a JWK");
    let unsigned = OAuth2Client::builder("id").dpop(DpopKey::external(Algorithm::ES256, &public)?);
    assert!(bad_settings(unsigned.build()).contains("dpop_signer"));
    Ok(())
}
