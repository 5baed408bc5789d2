//! Revocation and introspection.

use std::time::UNIX_EPOCH;

use oauth_twin::{
    ErrorCode, ErrorKind,
    oauth2::{ClientSecretPost, TokenTypeHint},
};

use super::{test, *};

fn with_endpoints(server: &Server) -> OAuth2ClientBuilder {
    builder(server)
        .revocation_endpoint(server.url("/revoke"))
        .introspection_endpoint(server.url("/introspect"))
        .token(Token::new("t0").with_refresh_token("r0"))
}

#[maybe_async]
#[test]
async fn the_client_s_own_token_is_revoked_and_forgotten() -> TestResult {
    let server = provider(600);
    for (token, form) in [
        (
            Token::new("t0").with_refresh_token("r0"),
            "token=r0&token_type_hint=refresh_token",
        ),
        (Token::new("t0"), "token=t0&token_type_hint=access_token"),
    ] {
        let client = with_endpoints(&server).token(token).build()?;
        client.revoke_token().await?;
        let sent = server.requests("/revoke").pop().unwrap();
        assert_eq!(sent.form(), form);
        assert_eq!(sent.header("authorization"), Some("Basic aWQ6c2VjcmV0"));
        assert_eq!(client.token(), None);
        let error = client.revoke_token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Token);
        let error = client.introspect_token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Token);
    }
    assert_eq!(server.count("/revoke"), 2);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_refused_revocation_keeps_the_token() -> TestResult {
    for (status, body, code) in [
        (
            400,
            json!({"error": "unsupported_token_type"}),
            Some(ErrorCode::UnsupportedTokenType),
        ),
        (
            401,
            json!({"error": "invalid_client"}),
            Some(ErrorCode::InvalidClient),
        ),
        (
            200,
            json!({"error": "invalid_client"}),
            Some(ErrorCode::InvalidClient),
        ),
        (500, json!("down"), None),
    ] {
        let server = Server::start(move |_: &Request| Reply::json(status, body.clone()));
        let client = with_endpoints(&server).build()?;
        let error = client.revoke_token().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::Server, code.as_ref())
        );
        assert!(client.token().is_some());
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn any_token_is_revoked_with_any_hint() -> TestResult {
    let server = provider(600);
    let client = with_endpoints(&server).build()?;
    client.revoke("some & token", None).await?;
    client
        .revoke("x", Some(TokenTypeHint::Other("device_secret".into())))
        .await?;
    let forms = server.forms("/revoke");
    assert_eq!(
        forms,
        [
            "token=some+%26+token",
            "token=x&token_type_hint=device_secret"
        ]
    );
    assert!(client.token().is_some(), "it was another's");
    Ok(())
}

/// The server does not know of the new token when it revokes the old one.
#[maybe_async]
#[test]
async fn a_renewal_that_begins_during_the_revocation_is_revoked_too() -> TestResult {
    let [revoking, renewing] = [(); 2].map(|()| Gate::new());
    let [revocations, renewals] = [&revoking, &renewing].map(Gate::clone);
    let server = Server::start(move |request: &Request| match &*request.path {
        "/token" => {
            renewals.wait();
            Reply::json(200, tokens(1, 600))
        }
        _ => {
            revocations.wait();
            Reply::text(200, "")
        }
    });
    let client = with_endpoints(&server).build()?;
    let revoked = client.clone();
    let revocation = spawn(move || async move { revoked.revoke_token().await });
    run_blocking(server.arrivals("/revoke", 1)).await;
    let renewal = spawn_refresh_token(&client);
    run_blocking(server.arrivals("/token", 1)).await;
    revoking.open();
    sleep(Duration::from_millis(100)).await;
    renewing.open();
    revocation.join().await?;
    let _ = renewal.join().await;
    let requests = server.requests("/revoke");
    let sent: Vec<_> = requests
        .iter()
        .filter_map(|request| request.parameter("token"))
        .collect();
    assert_eq!(sent, ["r0", "r1"]);
    assert_eq!(client.token(), None);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_child_that_is_revoked_is_not_found_again() -> TestResult {
    let server = provider(600);
    let client = with_endpoints(&server).build()?;
    let row = || Token::new("a").with_refresh_token("r-a");
    let child = client.for_token(row());
    child.revoke_token().await?;
    assert_eq!(child.token(), None);
    let again = client.for_token(row());
    assert!(
        again.token().is_some(),
        "a new login may have the same refresh token"
    );
    assert_eq!(child.token(), None);
    Ok(())
}

#[maybe_async]
#[test]
async fn introspection_is_typed_and_open() -> TestResult {
    let server = Server::start(|request: &Request| {
        let active = request.parameter("token").as_deref() == Some("t0");
        match active {
            true => Reply::json(
                200,
                json!({"active": true, "scope": "a b", "client_id": "id", "username": "alice",
                    "exp": 7, "iat": 5, "sub": "1", "aud": ["x", "y"], "iss": "https://id",
                    "tenant": {"id": 9}}),
            ),
            false => Reply::json(200, json!({"active": false})),
        }
    });
    let client = with_endpoints(&server).build()?;
    let own = client.introspect_token().await?;
    assert!(own.is_active());
    assert_eq!(
        (own.scope(), own.username(), own.subject()),
        (Some("a b"), Some("alice"), Some("1"))
    );
    assert_eq!(own.audience(), ["x", "y"]);
    assert_eq!(
        own.expires_at(),
        Some(UNIX_EPOCH + std::time::Duration::from_secs(7))
    );
    assert_eq!(own.get("tenant"), Some(&json!({"id": 9})));
    assert_eq!(
        server.requests("/introspect")[0].form(),
        "token=t0&token_type_hint=access_token"
    );
    let other = client
        .introspect("other", Some(TokenTypeHint::RefreshToken))
        .await?;
    assert!(!other.is_active());
    Ok(())
}

#[maybe_async]
#[test]
async fn an_invalid_introspection_response_is_an_error() -> TestResult {
    for (status, body, kind) in [
        (200, "{}", ErrorKind::Answer),
        (200, "{\"active\":\"yes\"}", ErrorKind::Answer),
        (200, "[]", ErrorKind::Answer),
        (200, "", ErrorKind::Answer),
        (200, "<html>", ErrorKind::Answer),
        (302, "", ErrorKind::Answer),
        (200, "{\"error\":\"invalid_client\"}", ErrorKind::Server),
        (401, "{\"active\":true}", ErrorKind::Server),
        (403, "no", ErrorKind::Server),
    ] {
        let server = Server::start(move |_: &Request| Reply::text(status, body));
        let client = with_endpoints(&server).build()?;
        let error = client.introspect_token().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn each_endpoint_may_have_its_own_client_authentication() -> TestResult {
    let server = provider(600);
    let client = with_endpoints(&server)
        .revocation_endpoint_auth_method(ClientSecretPost)
        .introspection_endpoint_auth_method(|request: &mut oauth_twin::oauth2::EndpointRequest| {
            request.headers_mut().insert("x-key", "7".parse()?);
            Ok(())
        })
        .build()?;
    client.revoke("x", None).await?;
    client.introspect("x", None).await.unwrap_err();
    let sent = &server.requests("/revoke")[0];
    assert_eq!(sent.form(), "token=x&client_id=id&client_secret=secret");
    assert_eq!(sent.header("authorization"), None);
    let sent = &server.requests("/introspect")[0];
    assert_eq!(
        (&*sent.form(), sent.header("x-key")),
        ("token=x", Some("7"))
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn what_is_missing_is_named() -> TestResult {
    let server = provider(600);
    let client = builder(&server).token(Token::new("t0")).build()?;
    for (error, name) in [
        (
            client.revoke_token().await.unwrap_err(),
            "revocation_endpoint",
        ),
        (
            client.revoke("x", None).await.unwrap_err(),
            "revocation_endpoint",
        ),
        (
            client.introspect_token().await.unwrap_err(),
            "introspection_endpoint",
        ),
        (
            client.introspect("x", None).await.unwrap_err(),
            "introspection_endpoint",
        ),
    ] {
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains(name), "{error}");
    }
    Ok(())
}

/// "The content of the response body is ignored by the client as all necessary information is
/// conveyed in the response code."
#[maybe_async]
#[test]
async fn a_revocation_is_done_by_its_status_though_its_body_never_comes() -> TestResult {
    const LIMIT: Duration = Duration::from_secs(1);
    let answer = |status: &'static str| {
        move |_: &Request| {
            Reply::raw(move |stream| {
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: 7\r\n\r\n");
                std::io::Write::write_all(stream, head.as_bytes())?;
                std::thread::sleep(LIMIT * 4);
                Ok(())
            })
        }
    };
    let revoke = |server: &Server| {
        let client = builder(server).timeout(LIMIT);
        client.revocation_endpoint(server.url("/revoke")).build()
    };
    let server = Server::start(answer("200 OK"));
    revoke(&server)?.revoke("t", None).await?;
    let server = Server::start(answer("400 Bad Request"));
    let error = revoke(&server)?.revoke("t", None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    let place = server.url("");
    let place = place.trim_start_matches("http://");
    assert_eq!(
        error.to_string(),
        format!("the request to the revocation endpoint at {place} timed out")
    );
    Ok(())
}
