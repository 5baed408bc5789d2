//! Scope of refreshes, and what is repeated within a call.

use std::time::Duration;

use super::{test, *};

/// A server whose refreshes are refused with `error` if they name a scope, or if they do not.
fn scoped(refuses_scope: bool, error: &'static str) -> Server {
    let issued = AtomicUsize::new(0);
    Server::start(move |request: &Request| {
        let is_refresh = request.parameter("grant_type").as_deref() == Some("refresh_token");
        if is_refresh && request.parameter("scope").is_some() == refuses_scope {
            let description = match error {
                "invalid_request" => "the Scope is not right",
                _ => "no",
            };
            return Reply::json(
                400,
                json!({"error": error, "error_description": description}),
            );
        }
        let mut answer = tokens(issued.fetch_add(1, Ordering::SeqCst) + 1, 600);
        answer["scope"] = "granted".into();
        Reply::json(200, answer)
    })
}

#[maybe_async]
#[test]
async fn a_refresh_names_no_scope_unless_the_server_wants_one() -> TestResult {
    for (refuses_scope, error, requests) in [
        (true, "invalid_scope", [1, 1]),
        (false, "invalid_scope", [2, 1]),
        (false, "invalid_request", [2, 1]),
    ] {
        let server = scoped(refuses_scope, error);
        let client = builder(&server).scope("all of it").build()?;
        client.fetch_token(ClientCredentials::new()).await?;
        let mut before = 1;
        for requests in requests {
            client.refresh_token().await?;
            let count = server.count("/token");
            assert_eq!(
                count - before,
                requests,
                "{refuses_scope} {error}: remembered"
            );
            before = count;
        }
        let last = server.requests("/token").pop().expect("a request");
        let expected = (!refuses_scope).then_some("granted");
        assert_eq!(last.parameter("scope").as_deref(), expected);
        assert_eq!(client.token().unwrap().scope(), Some("granted"));
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_refusal_for_another_reason_is_not_tried_the_other_way_round() -> TestResult {
    for (status, error, description) in [
        (400, "invalid_grant", "the scope"),
        (400, "invalid_request", "something else"),
        (400, "unauthorized_client", "the scope"),
        (500, "invalid_scope", "the scope"),
    ] {
        let server = Server::start(move |_: &Request| {
            Reply::json(
                status,
                json!({"error": error, "error_description": description}),
            )
        });
        let token = Token::new("t0").with_refresh_token("r0").with_scope("a");
        let client = builder(&server).token(token).build()?;
        client.refresh_token().await.unwrap_err();
        assert_eq!(server.count("/token"), 1, "{status} {error}");
    }
    Ok(())
}

/// A proxy answers 503 after the server has seen the request.
#[maybe_async]
#[test]
async fn a_503_is_repeated_only_where_nothing_can_be_spent() -> TestResult {
    let unavailable = || Server::start(|_: &Request| Reply::text(503, ""));
    let server = unavailable();
    let error = builder(&server)
        .build()?
        .exchange(ClientCredentials::new())
        .await
        .unwrap_err();
    assert_eq!(server.count("/token"), 3);
    assert!(error.is_transient() && !error.outcome_unknown());

    let server = unavailable();
    let client = builder(&server)
        .token(Token::new("t0").with_refresh_token("r0"))
        .build()?;
    let error = client.refresh_token().await.unwrap_err();
    assert_eq!(server.count("/token"), 1);
    assert!(error.is_transient() && error.outcome_unknown());
    assert!(error.retry_after().is_none(), "the server did not say");
    Ok(())
}

/// RFC 6750 knows one scheme; other challenges are about something else.
#[maybe_async]
#[test]
async fn a_401_of_another_scheme_does_not_renew() -> TestResult {
    for challenge in ["Basic realm=\"proxy\"", "Negotiate", "OAuth realm=\"x\""] {
        let server = Server::start(move |request: &Request| match &*request.path {
            "/token" => Reply::json(200, tokens(1, 600)),
            _ => Reply::text(401, "").with("www-authenticate", challenge),
        });
        let client = builder(&server)
            .token(Token::new("t0").with_refresh_token("r0"))
            .timeout(Duration::from_secs(10))
            .build()?;
        let status = client.get(server.url("/api")).send().await?.status();
        assert_eq!((status.as_u16(), server.count("/token")), (401, 0));
    }
    Ok(())
}
