//! Responses of servers and pasted callbacks that deviate from the RFCs, in both protocols.

use oauth_twin::{
    Error, ErrorCode, ErrorKind,
    oauth1::{SignatureMethod, SignatureType, TemporaryCredentials},
    oauth2::{AuthorizationRequest, compliance},
    reqwest::Url,
};

use super::{
    oauth1_login::{oauth1_builder, oauth1_provider},
    support::folder::Folder,
    test, *,
};

const MARK: &str = "\u{feff}";
const CALLBACK: &str = "https://app.example/cb";
/// RFC 8252 section 7.1.
const PRIVATE_USE: &str = "com.example.app:/oauth2redirect/example-provider";

/// A server with this response to every request.
fn answering(status: u16, body: impl Into<Vec<u8>>) -> Server {
    let body = body.into();
    Server::start(move |_: &Request| Reply::text(status, body.clone()))
}

/// The host and path of an endpoint of `server`, as messages name it.
fn place(server: &Server, path: &str) -> String {
    server.url(path).trim_start_matches("http://").to_owned()
}

/// A client of `server` that users log in with, and which knows its issuer.
fn web(server: &Server) -> OAuth2ClientBuilder {
    builder(server)
        .issuer(server.url(""))
        .authorization_endpoint(server.url("/authorize"))
        .redirect_uri(CALLBACK)
}

/// The access token of a login whose callback this is, with the state of the login for `STATE`.
#[maybe_async]
async fn completed(client: &OAuth2Client, callback: &str) -> Result<String, Error> {
    let created = client.create_authorization_url(AuthorizationRequest::new())?;
    let state = created.url.query_pairs().find(|(name, _)| name == "state");
    let callback = callback.replace("STATE", &state.expect("a state").1);
    let login = client
        .complete_authorization(created.pending, &callback)
        .await?;
    Ok(login.token.access_token().expose_secret().to_owned())
}

#[maybe_async]
#[test]
async fn a_byte_order_mark_before_a_token_is_passed_over() -> TestResult {
    let body = format!(r#"{MARK}{{"access_token":"t","refresh_token":"r"}}"#);
    let server = answering(200, body);
    let client = builder(&server).build()?;
    let token = client.fetch_token(ClientCredentials::new()).await?;
    assert_eq!(token.refresh_token(), Some(&"r".into()));
    let refreshed = client.refresh_token().await?;
    assert_eq!(refreshed.access_token().expose_secret(), "t");

    let server = answering(200, format!("{MARK}access_token=t&x=a%2Cb"));
    let client = builder(&server)
        .compliance_fix(compliance::github())
        .build()?;
    let token = client.fetch_token(ClientCredentials::new()).await?;
    assert_eq!(token.get("x"), Some(&json!("a,b")));

    let server = answering(400, format!(r#"{MARK}{{"error":"invalid_scope"}}"#));
    let client = builder(&server).build()?;
    let error = client
        .fetch_token(ClientCredentials::new())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::InvalidScope));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_byte_order_mark_before_any_other_answer_is_passed_over() -> TestResult {
    let body = format!(r#"{MARK}{{"active":true,"username":"jdoe"}}"#);
    let server = answering(200, body);
    let client = builder(&server)
        .introspection_endpoint(server.url("/introspect"))
        .build()?;
    let introspection = client.introspect("t", None).await?;
    assert_eq!(introspection.username(), Some("jdoe"));
    let body = format!(r#"{MARK}{{"error":"unsupported_token_type"}}"#);
    let server = answering(400, body);
    let client = builder(&server)
        .revocation_endpoint(server.url("/revoke"))
        .build()?;
    let error = client.revoke("t", None).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::UnsupportedTokenType));

    for body in [
        "oauth_token=p1&oauth_token_secret=s&oauth_callback_confirmed=true",
        r#"{"oauth_token":"p1","oauth_token_secret":"s","oauth_callback_confirmed":true}"#,
    ] {
        let server = answering(200, format!("{MARK}{body}"));
        let client = oauth1_builder(&server).build()?;
        let temporary = client.request_temporary_credentials().await?;
        assert_eq!(temporary.token().expose_secret(), "p1");
    }
    let server = answering(401, format!("{MARK}oauth_problem=nonce_used"));
    let client = oauth1_builder(&server).build()?;
    let error = client.fetch_request_token().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the request token endpoint {} refused the request for credentials: 401 nonce_used",
            place(&server, "/request_token")
        )
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_byte_order_mark_before_a_stored_token_is_passed_over() -> TestResult {
    let folder = Folder::new("byte-order-mark");
    let file = folder.file("token.json");
    std::fs::write(&file, format!(r#"{MARK}{{"access_token":"stored"}}"#))?;
    let server = provider(600);
    let client = builder(&server)
        .token_store(FileTokenStore::new(&file))
        .build()?;
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer stored");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_pasted_callback_completes_a_login() -> TestResult {
    for (before, after) in [
        ("", "\n"),
        ("  ", "\r\n"),
        ("\"", "\""),
        (" '", "' \t"),
        (MARK, "\n"),
        ("\u{feff}\" ", " \""),
    ] {
        for start in [CALLBACK, PRIVATE_USE, ""] {
            let server = provider(600);
            let client = web(&server).build()?;
            // White space within a value is kept.
            let callback = format!("{before}{start}?state=STATE&code=c%0A%20{after}");
            let access_token = completed(&client, &callback).await?;
            assert_eq!(access_token, "t1", "{callback:?}");
            let code = server.requests("/token")[0].parameter("code");
            assert_eq!(code.as_deref(), Some("c\n "));

            let server = oauth1_provider();
            let client = oauth1_builder(&server).build()?;
            client.fetch_request_token().await?;
            let callback = format!("{before}{start}?oauth_token=p1&oauth_verifier=v1{after}");
            client.parse_authorization_response(&callback)?;
            let token = client.fetch_access_token().await?;
            assert_eq!(token.token().expose_secret(), "t1", "{callback:?}");
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_callback_that_repeats_a_parameter_names_it_and_sends_nothing() -> TestResult {
    let server = provider(600);
    let client = web(&server).build()?;
    let callback = format!("{PRIVATE_USE}?code=c&state=STATE&code=d");
    let error = completed(&client, &callback).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the callback repeats the parameter `code`"
    );
    assert_eq!(server.requests_in_all(), 0);

    let server = oauth1_provider();
    let client = oauth1_builder(&server).build()?;
    client.fetch_request_token().await?;
    let callback = format!("{PRIVATE_USE}?oauth_token=p1&oauth_verifier=v1&oauth_verifier=v2");
    let error = client.parse_authorization_response(&callback).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the callback repeats the parameter `oauth_verifier`"
    );
    // The login is still pending.
    client.parse_authorization_response("?oauth_token=p1&oauth_verifier=v1")?;
    client.fetch_access_token().await?;
    Ok(())
}

/// Any website can cause such a callback: only a registered error code is shown, marked as not verified.
#[maybe_async]
#[test]
async fn an_error_callback_without_a_state_shows_a_registered_code_alone() -> TestResult {
    let server = provider(600);
    let client = web(&server).build()?;
    let verified = format!("error=invalid_request&iss={}", server.url(""));
    let details = "error_description=call+0900+123&error_uri=https://evil.example";
    for (claimed, shown) in [
        ("error=invalid_request", true),
        (&verified, true),
        ("error=invalid_request&iss=https://evil.example", false),
        ("error=call_0900_123", false),
        ("error=invalid_request%E2%80%AE", false),
    ] {
        let callback = format!("{CALLBACK}?{claimed}&{details}");
        let error = completed(&client, &callback).await.unwrap_err();
        let expected = match shown {
            true => {
                "the callback has no `state`; it claims the error `invalid_request`, which is \
                 not verified"
            }
            false => "the callback has no `state`",
        };
        assert_eq!(error.to_string(), expected);
        assert!(!format!("{error:?}").contains("0900"), "{error:?}");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Answer, None));
    }
    assert_eq!(server.requests_in_all(), 0);

    let server = oauth1_provider();
    let client = oauth1_builder(&server).build()?;
    client.fetch_request_token().await?;
    for (claimed, expected) in [
        (
            "user_refused",
            "the callback has no `oauth_token`; it claims the error `user_refused`, which is not \
             verified",
        ),
        ("call_0900_123", "the callback has no `oauth_token`"),
    ] {
        let callback = format!("?oauth_problem={claimed}&oauth_problem_advice=call+0900");
        let error = client.parse_authorization_response(&callback).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    // The login is still pending.
    client.parse_authorization_response("?oauth_token=p1&oauth_verifier=v1")?;
    Ok(())
}

#[maybe_async]
#[test]
async fn credentials_that_cannot_be_decoded_are_an_error() -> TestResult {
    for bad in ["%ZZ", "%FF", "a%", "%C3%28"] {
        for (name, body) in [
            (
                "oauth_token",
                format!("oauth_token={bad}&oauth_token_secret=s"),
            ),
            (
                "oauth_token_secret",
                format!("oauth_token=p&oauth_token_secret={bad}"),
            ),
        ] {
            let server = answering(200, format!("oauth_callback_confirmed=true&{body}"));
            let client = oauth1_builder(&server).build()?;
            let error = client.fetch_request_token().await.unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "the request token endpoint {}: the {name} of the response is not \
                     percent-encoded UTF-8 (status 200 OK)",
                    place(&server, "/request_token")
                )
            );
        }
        let server = answering(200, format!("x=a&access_token={bad}"));
        let client = builder(&server)
            .compliance_fix(compliance::facebook())
            .build()?;
        let error = client
            .fetch_token(ClientCredentials::new())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Answer, "{error}");

        let server = provider(600);
        let client = web(&server).build()?;
        let callback = format!("{CALLBACK}?state=STATE&code={bad}");
        let error = completed(&client, &callback).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the parameter `code` of the callback is not percent-encoded UTF-8"
        );
        assert_eq!(server.requests_in_all(), 0);
    }
    Ok(())
}

/// Some change the order in which the text around them is shown, others end a line.
#[maybe_async]
#[test]
async fn messages_have_no_characters_that_change_how_they_are_read() -> TestResult {
    let odd = "a\u{202e}b\u{2066}c\u{2069}\u{200f}\u{feff}d\u{2028}e\u{2029}f\u{85}g\nh\u{1b}i";
    let plain = "abcd e f g h i";
    let body = json!({"error": odd, "error_description": odd, "error_uri": odd});
    let server = answering(400, body.to_string());
    let client = builder(&server).build()?;
    let error = client
        .fetch_token(ClientCredentials::new())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the token endpoint {} refused the client credentials: 400 {plain}: {plain}",
            place(&server, "/token")
        )
    );
    let response = error.response().expect("a response");
    assert_eq!(response.description(), Some(plain));
    assert_eq!(response.uri(), Some(plain));

    let url = Url::parse_with_params("http://a", [("x", odd)])?;
    let odd = url.query().expect("a query").trim_start_matches("x=");
    let server = provider(600);
    let client = web(&server).build()?;
    let callback = format!("?state=STATE&error={odd}&error_description={odd}");
    let error = completed(&client, &callback).await.unwrap_err();
    let refused = format!("the server refused the login: {plain}: {plain}");
    assert_eq!(error.to_string(), refused);

    let body = format!("oauth_problem={odd}&oauth_problem_advice={odd}");
    let server = answering(401, body);
    let client = oauth1_builder(&server).build()?;
    let error = client.fetch_request_token().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the request token endpoint {} refused the request for credentials: 401 {plain}: \
             {plain}",
            place(&server, "/request_token")
        )
    );
    let temporary = TemporaryCredentials::new("p1", "ps1");
    let callback = format!("?oauth_token=p1&oauth_problem={odd}&oauth_problem_advice={odd}");
    let error = temporary.authorization_response(&callback).unwrap_err();
    assert_eq!(error.to_string(), refused);
    Ok(())
}

/// For a URL parser a backslash is a slash, so that it ends the host.
#[maybe_async]
#[test]
async fn hosts_that_only_look_like_loopback_are_not() -> TestResult {
    const URL: &str = r"http://evil.example\@localhost/";
    let server = provider(600);
    let client = builder(&server)
        .token(first_token(&ManualClock::new(), 600))
        .build()?;
    let error = client.get(URL).send().await.unwrap_err();
    assert!(error.to_string().contains("only over https"), "{error}");
    for placement in [
        SignatureType::Header,
        SignatureType::Query,
        SignatureType::Body,
    ] {
        for method in [SignatureMethod::HmacSha1, SignatureMethod::Plaintext] {
            let client = oauth1_builder(&server)
                .signature_method(method)
                .signature_type(placement)
                .build()?;
            let error = client.post(URL).send().await.unwrap_err();
            assert!(error.to_string().contains("only over https"), "{error}");
        }
    }
    for error in [
        builder(&server).token_endpoint(URL).build().unwrap_err(),
        oauth1_builder(&server)
            .authorization_endpoint(URL)
            .build()
            .unwrap_err(),
    ] {
        assert!(error.to_string().contains("must be https"), "{error}");
    }
    assert_eq!(server.requests_in_all(), 0);
    Ok(())
}
