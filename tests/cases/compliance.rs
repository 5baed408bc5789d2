//! Compliance hooks, and the ready-made fixes on what the providers document.

use std::sync::{Arc, Mutex};

use oauth_twin::{
    BoxError, ErrorCode, ErrorKind,
    oauth2::{
        EndpointRequest, EndpointResponse, Hook, ProtectedRequest, RefreshToken, TokenPlacement,
        compliance::{self, ComplianceFix},
    },
};

use super::{test, *};

#[maybe_async]
#[test]
async fn hooks_run_in_order_at_all_seven_places() -> TestResult {
    let server = provider(600);
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let on_request = |name: &'static str| {
        let log = log.clone();
        move |request: &mut EndpointRequest| -> Result<(), BoxError> {
            log.lock().unwrap().push(name.to_owned());
            assert_eq!(request.client_id(), "id");
            assert!(
                !request.headers().contains_key("authorization"),
                "before it is authenticated"
            );
            request.headers_mut().insert("x-hook", name.parse()?);
            request.form_mut().push("hook", name);
            Ok(())
        }
    };
    let on_response = |name: &'static str| {
        let log = log.clone();
        move |response: &mut EndpointResponse| -> Result<(), BoxError> {
            log.lock().unwrap().push(name.to_owned());
            let mut members = response.json().ok_or("no JSON")?;
            members.insert(name.to_owned(), true.into());
            response.set_json(&members);
            Ok(())
        }
    };
    let protected = log.clone();
    let client = builder(&server)
        .revocation_endpoint(server.url("/revoke"))
        .introspection_endpoint(server.url("/introspect"))
        .compliance_hook(Hook::access_token_request(on_request(
            "access_token_request",
        )))
        .compliance_hook(Hook::access_token_request(on_request("the second")))
        .compliance_hook(Hook::access_token_response(on_response(
            "access_token_response",
        )))
        .compliance_hook(Hook::refresh_token_request(on_request(
            "refresh_token_request",
        )))
        .compliance_hook(Hook::refresh_token_response(on_response(
            "refresh_token_response",
        )))
        .compliance_hook(Hook::revoke_token_request(on_request(
            "revoke_token_request",
        )))
        .compliance_hook(Hook::introspect_token_request(on_request(
            "introspect_token_request",
        )))
        .compliance_hook(Hook::protected_request(
            move |request: &mut ProtectedRequest| {
                protected
                    .lock()
                    .unwrap()
                    .push("protected_request".to_owned());
                assert_eq!(request.headers()["authorization"], "Bearer t2");
                assert_eq!(request.method(), "POST");
                request
                    .url_mut()
                    .query_pairs_mut()
                    .append_pair("site", "x y");
                request.headers_mut().insert("x-hook", "protected".parse()?);
                Ok(())
            },
        ))
        .build()?;
    let fetched = client.fetch_token(ClientCredentials::new()).await?;
    assert_eq!(fetched.get("access_token_response"), Some(&json!(true)));
    let refreshed = client.refresh_token().await?;
    assert_eq!(refreshed.get("refresh_token_response"), Some(&json!(true)));
    assert_eq!(
        refreshed.get("access_token_response"),
        Some(&json!(true)),
        "it survives"
    );
    client
        .post(server.url("/api?a=%20"))
        .body("b")
        .send()
        .await?;
    client.revoke("x", None).await?;
    client.introspect("x", None).await.unwrap_err();
    assert_eq!(
        *log.lock().unwrap(),
        [
            "access_token_request",
            "the second",
            "access_token_response",
            "refresh_token_request",
            "refresh_token_response",
            "protected_request",
            "revoke_token_request",
            "introspect_token_request",
        ]
    );
    let sent = &server.requests("/token")[0];
    assert_eq!(
        sent.parameters("hook"),
        ["access_token_request", "the second"]
    );
    assert_eq!(sent.header("x-hook"), Some("the second"));
    let sent = &server.requests("/api")[0];
    assert_eq!((&*sent.query, &*sent.form()), ("a=%20&site=x+y", "b"));
    assert_eq!(sent.header("x-hook"), Some("protected"));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_hook_that_takes_all_of_the_time_leaves_a_request_unsent() -> TestResult {
    let server = provider(600);
    let wait = |_: &mut EndpointRequest| -> Result<(), BoxError> {
        std::thread::sleep(Duration::from_millis(150));
        Ok(())
    };
    let client = builder(&server)
        .timeout(Duration::from_millis(100))
        .compliance_hook(Hook::access_token_request(wait))
        .build()?;
    let error = client
        .fetch_token(ClientCredentials::new())
        .await
        .unwrap_err();
    assert!(error.is_transient() && !error.outcome_unknown(), "{error}");
    assert_eq!(server.requests_in_all(), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_hook_that_fails_sends_nothing() -> TestResult {
    let server = provider(600);
    let fail = |_: &mut EndpointRequest| -> Result<(), BoxError> { Err("no nonce".into()) };
    let client = builder(&server)
        .token(Token::new("t0"))
        .compliance_hook(Hook::access_token_request(fail))
        .compliance_hook(Hook::protected_request(|_| Err("no site".into())))
        .build()?;
    let errors = [
        (
            client
                .fetch_token(ClientCredentials::new())
                .await
                .unwrap_err(),
            "no nonce",
        ),
        (
            client.get(server.url("/api")).send().await.unwrap_err(),
            "no site",
        ),
    ];
    for (error, source) in errors {
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert_eq!(cause(&error), source);
    }
    assert_eq!(server.count("/token") + server.count("/api"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_hook_cannot_lead_a_token_to_an_insecure_place() -> TestResult {
    let server = provider(600);
    let client = builder(&server)
        .token(Token::new("t0"))
        .compliance_hook(Hook::protected_request(|request| {
            *request.url_mut() = "http://api.example/".parse()?;
            Ok(())
        }))
        .build()?;
    let error = client.get(server.url("/api")).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("https"), "{error}");
    Ok(())
}

/// The token in a provider's response, read through its fix.
#[maybe_async]
async fn fixed(
    fix: ComplianceFix,
    status: u16,
    body: &'static str,
) -> Result<Token, oauth_twin::Error> {
    let server = Server::start(move |_: &Request| Reply::text(status, body));
    let client = builder(&server).compliance_fix(fix).build()?;
    client.exchange(ClientCredentials::new()).await
}

fn seconds_left(token: &Token) -> u64 {
    let left = token
        .expires_at()
        .unwrap()
        .duration_since(token.issued_at().unwrap());
    left.unwrap().as_secs()
}

#[maybe_async]
#[test]
async fn github() -> TestResult {
    let form = "access_token=gho_16C7e42F292c6912E7710c838347Ae178B4a&scope=repo%2Cgist\
                &token_type=bearer";
    let token = fixed(compliance::github(), 200, form).await?;
    assert_eq!(
        token.access_token().expose_secret(),
        "gho_16C7e42F292c6912E7710c838347Ae178B4a"
    );
    assert_eq!(token.scope(), Some("repo gist"));
    let json = r#"{"access_token":"gho_1","scope":"repo,gist","token_type":"bearer"}"#;
    let token = fixed(compliance::github(), 200, json).await?;
    assert_eq!(token.scope(), Some("repo gist"));
    for error in [
        "error=bad_verification_code&error_description=The+code+passed+is+incorrect+or+expired.",
        r#"{"error":"bad_verification_code","error_description":"The code passed is incorrect or expired."}"#,
    ] {
        let error = fixed(compliance::github(), 200, error).await.unwrap_err();
        assert_eq!(
            error.code(),
            Some(&ErrorCode::Other("bad_verification_code".into()))
        );
        assert!(
            error.to_string().contains("incorrect or expired"),
            "{error}"
        );
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn slack() -> TestResult {
    let both = r#"{"ok":true,"access_token":"xoxb-17653672481","token_type":"bot",
        "scope":"commands,incoming-webhook","bot_user_id":"U0KRQLJ9H","app_id":"A0KRD7HC3",
        "team":{"name":"Slack Pickleball Team","id":"T9TK3CUKW"},
        "authed_user":{"id":"U1234","scope":"chat:write","access_token":"xoxp-1234",
        "token_type":"user"}}"#;
    let token = fixed(compliance::slack(), 200, both).await?;
    assert_eq!(token.access_token().expose_secret(), "xoxb-17653672481");
    assert_eq!(token.token_type(), "Bearer");
    assert_eq!(token.scope(), Some("commands incoming-webhook"));
    assert_eq!(
        token.get("authed_user").unwrap()["access_token"],
        "xoxp-1234"
    );
    let user = r#"{"ok":true,"app_id":"A0KRD7HC3","authed_user":{"id":"U1234",
        "scope":"chat:write,im:read","access_token":"xoxp-1234","token_type":"user"}}"#;
    let token = fixed(compliance::slack(), 200, user).await?;
    assert_eq!(token.access_token().expose_secret(), "xoxp-1234");
    assert_eq!(token.scope(), Some("chat:write im:read"));
    let error = fixed(
        compliance::slack(),
        200,
        r#"{"ok":false,"error":"invalid_code"}"#,
    )
    .await;
    assert_eq!(
        error.unwrap_err().code(),
        Some(&ErrorCode::Other("invalid_code".into()))
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn facebook() -> TestResult {
    let form = "access_token=EAAC&expires=5183999";
    let token = fixed(compliance::facebook(), 200, form).await?;
    assert_eq!(
        (token.token_type(), seconds_left(&token)),
        ("Bearer", 5_183_999)
    );
    let json = r#"{"access_token":"EAAC","token_type":"bearer","expires_in":5183999}"#;
    let token = fixed(compliance::facebook(), 200, json).await?;
    assert_eq!(seconds_left(&token), 5_183_999);
    let error = r#"{"error":{"message":"This authorization code has been used.",
        "type":"OAuthException","code":100}}"#;
    let error = fixed(compliance::facebook(), 400, error).await.unwrap_err();
    assert_eq!(
        error.code(),
        Some(&ErrorCode::Other("OAuthException".into()))
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn azure() -> TestResult {
    let server = provider(600);
    let client = builder(&server)
        .compliance_fix(compliance::azure("https://graph.windows.net/"))
        .build()?;
    client.fetch_token(ClientCredentials::new()).await?;
    client.refresh_token().await?;
    for sent in server.requests("/token") {
        assert_eq!(
            sent.parameter("resource").unwrap(),
            "https://graph.windows.net/"
        );
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn fitbit() -> TestResult {
    let error = r#"{"errors":[{"errorType":"invalid_grant",
        "message":"Refresh token invalid: 5cd3. Visit https://dev.fitbit.com/docs/oauth2"}],
        "success":false}"#;
    let server = Server::start(move |_: &Request| Reply::text(400, error));
    let client = builder(&server)
        .compliance_fix(compliance::fitbit())
        .build()?;
    let error = client.exchange(RefreshToken::new("r")).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
    assert!(error.needs_login());
    assert!(
        error.to_string().contains("Refresh token invalid"),
        "{error}"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn stack_exchange() -> TestResult {
    let fix = || compliance::stack_exchange("stackoverflow");
    let token = fixed(fix(), 200, "access_token=xyz&expires=86400").await?;
    assert_eq!(seconds_left(&token), 86400);
    let server = provider(600);
    let client = builder(&server)
        .token(token)
        .token_placement(TokenPlacement::Query)
        .compliance_fix(fix())
        .build()?;
    client.get(server.url("/2.3/me?order=desc")).send().await?;
    client
        .get(server.url("/2.3/me?site=superuser"))
        .send()
        .await?;
    let queries: Vec<_> = server
        .requests("/2.3/me")
        .into_iter()
        .map(|r| r.query)
        .collect();
    assert_eq!(
        queries,
        [
            "order=desc&access_token=xyz&site=stackoverflow",
            "site=superuser&access_token=xyz",
        ]
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn linkedin() -> TestResult {
    // No token_type.
    let token = fixed(
        compliance::linkedin(),
        200,
        r#"{"access_token":"AQXNnd2kXITHELmWblJigbHEuoFdfRhOwGA0QNnumBI8X","expires_in":5184000}"#,
    )
    .await?;
    let server = provider(600);
    let client = builder(&server)
        .token(token)
        .compliance_fix(compliance::linkedin())
        .build()?;
    let text = client
        .get(server.url("/v2/me"))
        .send()
        .await?
        .text()
        .await?;
    assert!(text.starts_with("Bearer AQXN"));
    let sent = &server.requests("/v2/me")[0];
    assert_eq!(sent.header("x-restli-protocol-version"), Some("2.0.0"));
    Ok(())
}

#[maybe_async]
#[test]
async fn mailchimp() -> TestResult {
    let json = r#"{"access_token":"5c6ccc561059aa386da9d112215bae55","expires_in":0,"scope":null}"#;
    let token = fixed(compliance::mailchimp(), 200, json).await?;
    assert_eq!((token.expires_at(), token.scope()), (None, None));
    Ok(())
}

#[maybe_async]
#[test]
async fn instagram() -> TestResult {
    let json = r#"{"access_token":"IGQVJ","user_id":17841405793187218}"#;
    let token = fixed(compliance::instagram(), 200, json).await?;
    assert_eq!(
        token.get("user_id"),
        Some(&json!(17_841_405_793_187_218_u64))
    );
    let error = r#"{"error_type":"OAuthException","code":400,
        "error_message":"Matching code was not found or was already used"}"#;
    let error = fixed(compliance::instagram(), 400, error)
        .await
        .unwrap_err();
    assert_eq!(
        error.code(),
        Some(&ErrorCode::Other("OAuthException".into()))
    );
    assert!(error.to_string().contains("already used"), "{error}");
    let server = provider(600);
    let client = builder(&server)
        .token(token)
        .token_placement(TokenPlacement::Query)
        .build()?;
    client.get(server.url("/me?fields=id")).send().await?;
    assert_eq!(
        server.requests("/me")[0].query,
        "fields=id&access_token=IGQVJ"
    );
    Ok(())
}
