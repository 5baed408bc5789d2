//! Deviations of providers from the RFCs: errors and token types under other names,
//! tokens within other members, requests in JSON; accepted by default, or by a named setting.

use oauth_twin::{
    Error, ErrorCode, ErrorKind, Token,
    jose::Algorithm,
    oauth1::CredentialsHook,
    oauth2::{ClientSecretPost, Hook, PrivateKeyJwt, RefreshToken, compliance},
};

use super::{
    oauth1_login::oauth1_builder,
    support::jwt::{Assertion, signing_key},
    test, *,
};

fn answering(status: u16, body: impl Into<Vec<u8>>) -> Server {
    let body = body.into();
    Server::start(move |_: &Request| Reply::text(status, body.clone()))
}

/// The error of a refresh at `server`.
#[maybe_async]
async fn refused(builder: OAuth2ClientBuilder) -> Result<Error, Error> {
    let client = builder
        .token(Token::new("t").with_refresh_token("r"))
        .build()?;
    Ok(client.refresh_token().await.expect_err("no token"))
}

#[maybe_async]
#[test]
async fn a_dead_refresh_token_needs_a_login_under_any_name() -> TestResult {
    for (status, body) in [
        (200, r#"{"error":"bad_refresh_token"}"#),
        (
            401,
            r#"{"error":{"code":"refresh_token_reused","type":"invalid_request_error"}}"#,
        ),
        (400, r#"{"status":"BAD_REFRESH_TOKEN","message":"m"}"#),
    ] {
        let server = answering(status, body);
        let error = refused(builder(&server)).await?;
        assert!(error.needs_login(), "{error}");
        assert!(!error.is_transient(), "{error}");
        assert_eq!(server.count("/token"), 1);
    }
    let own = r#"{"error":"session_gone"}"#;
    let server = answering(400, own);
    let error = refused(builder(&server)).await?;
    assert!(!error.needs_login());
    let fix = compliance::refused_refresh_token_codes(["session_gone"]);
    let error = refused(builder(&server).compliance_fix(fix)).await?;
    assert!(error.needs_login());
    assert_eq!(error.code(), Some(&ErrorCode::from("session_gone")));
    let hook = Hook::refresh_token_response(|response| {
        response.refuse_refresh_token();
        Ok(())
    });
    let error = refused(builder(&server).compliance_hook(hook)).await?;
    assert!(error.needs_login());
    Ok(())
}

/// A server that fails refuses nothing, whatever it says.
#[maybe_async]
#[test]
async fn a_failing_server_never_needs_a_login() -> TestResult {
    for body in [
        r#"{"error":"invalid_grant"}"#,
        r#"{"error":"bad_refresh_token"}"#,
    ] {
        let error = refused(builder(&answering(500, body))).await?;
        assert!(error.is_transient() && !error.needs_login(), "{error}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_type_means_bearer_only_by_a_named_setting() -> TestResult {
    let server = Server::start(|request: &Request| match &*request.path {
        "/token" => Reply::json(
            200,
            json!({"access_token": "t", "token_type": "User Access Token"}),
        ),
        _ => Reply::authorization_of(request),
    });
    let client = builder(&server).grant(ClientCredentials::new()).build()?;
    let error = client.get(server.url("/api")).send().await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("\"User Access Token\"") && text.contains("compliance::bearer_token_types"),
        "{text}"
    );
    assert_eq!(server.count("/api"), 0);
    for fix in [
        compliance::ebay(),
        compliance::bearer_token_types(["user access token"]),
    ] {
        let client = builder(&server)
            .grant(ClientCredentials::new())
            .compliance_fix(fix)
            .build()?;
        let response = client.get(server.url("/api")).send().await?;
        let sent = response.text().await?;
        assert_eq!(sent, "Bearer t");
    }
    let other = compliance::bearer_token_types(["Other"]);
    let client = builder(&server).compliance_fix(other).build()?;
    let fetched = client.fetch_token(ClientCredentials::new()).await;
    assert!(fetched.is_err());
    Ok(())
}

#[maybe_async]
#[test]
async fn errors_and_tokens_are_read_from_other_members() -> TestResult {
    let server = answering(
        400,
        r#"{"errorCode":"invalid_client","errorSummary":"no such client"}"#,
    );
    let error = refused(builder(&server)).await?;
    assert_eq!(error.code(), Some(&ErrorCode::InvalidClient));
    let response = error.response().expect("a response");
    assert_eq!(response.description(), Some("no such client"));

    let server = answering(400, r#"{"odd":"hunter2","error":null}"#);
    let error = refused(builder(&server)).await?;
    assert!(
        error
            .to_string()
            .ends_with("400 Bad Request, with the members error, odd"),
        "{error}"
    );
    let response = error.response().expect("a response");
    assert_eq!(response.members()["odd"], "hunter2");
    assert!(!format!("{error:?} {response:?}").contains("hunter2"));

    let server = answering(200, r#"{"data":{"access_token":"t"},"message":"success"}"#);
    let error = refused(builder(&server)).await?;
    assert_eq!(error.kind(), ErrorKind::Answer);
    for fix in [compliance::tiktok(), compliance::nested_in("data")] {
        let client = builder(&server).compliance_fix(fix).build()?;
        let token = client.fetch_token(ClientCredentials::new()).await?;
        assert_eq!(access_token(&token), "t");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_refresh_keeps_what_can_be_read() -> TestResult {
    for side in [
        json!({"scope": 7}),
        json!({"id_token": {"a": 1}}),
        json!({"scope": ["a", 7]}),
    ] {
        let mut answer = side.clone();
        answer["access_token"] = "t2".into();
        answer["refresh_token"] = "r2".into();
        let server = answering(200, answer.to_string());
        let client = builder(&server)
            .token(Token::new("t").with_refresh_token("r").with_scope("all"))
            .build()?;
        let token = client.refresh_token().await?;
        assert_eq!(access_token(&token), "t2", "{side}");
        assert_eq!(token.refresh_token(), Some(&"r2".into()));
        assert_eq!(token.scope(), Some("all"));
    }
    let server = answering(200, r#"{"access_token":"t2","refresh_token":[7]}"#);
    let client = builder(&server)
        .token(Token::new("t").with_refresh_token("r"))
        .build()?;
    let token = client.refresh_token().await?;
    assert_eq!(token.refresh_token(), Some(&"r".into()));
    Ok(())
}

#[maybe_async]
#[test]
async fn requests_are_json_by_a_named_setting() -> TestResult {
    let server = provider(600);
    let client = builder(&server)
        .token_endpoint_auth_method(ClientSecretPost)
        .compliance_fix(compliance::json_requests())
        .resource("https://a.example")
        .resource("https://b.example")
        .build()?;
    client.fetch_token(ClientCredentials::new()).await?;
    let request = &server.requests("/token")[0];
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&request.body)?,
        json!({
            "grant_type": "client_credentials",
            "resource": ["https://a.example", "https://b.example"],
            "client_id": "id",
            "client_secret": "secret",
        })
    );
    // The type of a hook is kept, and the body is of that type.
    for (given, is_json) in [
        ("application/json; charset=utf-8", true),
        ("application/x-www-form-urlencoded; charset=utf-8", false),
    ] {
        let server = provider(600);
        let client = builder(&server)
            .compliance_hook(Hook::refresh_token_request(move |request| {
                let value = given.parse()?;
                request.headers_mut().insert("content-type", value);
                Ok(())
            }))
            .build()?;
        client.fetch_token(RefreshToken::new("r\"\\")).await?;
        let request = &server.requests("/token")[0];
        assert_eq!(request.header("content-type"), Some(given));
        let body = String::from_utf8(request.body.clone())?;
        let expected = match is_json {
            true => r#"{"grant_type":"refresh_token","refresh_token":"r\"\\"}"#,
            false => "grant_type=refresh_token&refresh_token=r%22%5C",
        };
        assert_eq!(body, expected);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_revocation_does_not_depend_on_the_body() -> TestResult {
    let large = "x".repeat(2 * 1024 * 1024);
    let broken = || {
        Server::start(|_: &Request| Reply::text(200, "no gzip").with("content-encoding", "gzip"))
    };
    for server in [answering(200, large), answering(200, "<html>"), broken()] {
        let client = builder(&server)
            .revocation_endpoint(server.url("/revoke"))
            .build()?;
        client.revoke("t", None).await?;
        // A token is another matter.
        let fetched = client.fetch_token(ClientCredentials::new()).await;
        assert!(fetched.is_err());
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn ed25519_goes_by_its_new_name() -> TestResult {
    let server = provider(600);
    let key = signing_key(Algorithm::EdDSA, "ed25519");
    let auth = |name: &str| PrivateKeyJwt::new(key.clone()).header("alg", name);
    let client = OAuth2Client::builder("id")
        .token_endpoint(server.url("/token"))
        .token_endpoint_auth_method(auth("Ed25519"))
        .build()?;
    client.fetch_token(ClientCredentials::new()).await?;
    let request = &server.requests("/token")[0];
    let assertion = request.parameter("client_assertion").expect("an assertion");
    let header = oauth_twin::jose::Jws::parse(&assertion)?;
    assert_eq!(
        assertion.split('.').next(),
        Some("eyJhbGciOiJFZDI1NTE5IiwidHlwIjoiSldUIn0")
    );
    assert!(header.verify(&key.verifying_key()).is_ok());
    Assertion::of(request, "client_assertion", &key.verifying_key());
    for (name, key) in [
        ("none", key.clone()),
        ("ES256", key),
        ("Ed25519", signing_key(Algorithm::ES256, "p-256")),
    ] {
        let client = OAuth2Client::builder("id")
            .token_endpoint(server.url("/token"))
            .token_endpoint_auth_method(PrivateKeyJwt::new(key).header("alg", name))
            .build();
        let error = match client {
            Err(error) => error,
            Ok(client) => client
                .fetch_token(ClientCredentials::new())
                .await
                .expect_err(name),
        };
        assert_eq!(error.kind(), ErrorKind::Usage, "{name}");
    }
    assert_eq!(server.count("/token"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn problems_of_oauth_1_are_read_wherever_they_stand() -> TestResult {
    for (body, said) in [
        (
            "<html><p>oauth_problem=signature_invalid</p></html>",
            "401 signature_invalid",
        ),
        (
            "Invalid timestamp\nat line 7",
            "401 Unauthorized: Invalid timestamp",
        ),
    ] {
        let server = answering(401, body);
        let client = oauth1_builder(&server).build()?;
        let error = client.fetch_request_token().await.unwrap_err();
        assert!(error.to_string().ends_with(said), "{error}");
        assert!(error.to_string().starts_with("the request token endpoint"));
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn responses_of_oauth_1_can_be_changed_by_hooks() -> TestResult {
    let wrapped = r#"{"credentials":{"oauth_token":"p","oauth_token_secret":"s",
        "oauth_callback_confirmed":"true"}}"#;
    let server = answering(200, wrapped);
    let unwrap = |response: &mut oauth_twin::oauth2::EndpointResponse| {
        let members = response.json().unwrap_or_default();
        let inner = members.get("credentials").and_then(|it| it.as_object());
        response.set_json(inner.ok_or("no credentials")?);
        Ok(())
    };
    let client = oauth1_builder(&server).build()?;
    let temporary = client.request_temporary_credentials().await;
    assert!(temporary.is_err());
    // Each hook is for one endpoint.
    let other = CredentialsHook::token_credentials_response(unwrap);
    let client = oauth1_builder(&server).compliance_hook(other).build()?;
    let temporary = client.request_temporary_credentials().await;
    assert!(temporary.is_err());
    let client = oauth1_builder(&server)
        .compliance_hook(CredentialsHook::temporary_credentials_response(unwrap))
        .compliance_hook(CredentialsHook::token_credentials_response(unwrap))
        .build()?;
    let temporary = client.request_temporary_credentials().await?;
    assert_eq!(temporary.token().expose_secret(), "p");
    client.fetch_request_token().await?;
    client.set_verifier("v")?;
    let token = client.fetch_access_token().await?;
    assert_eq!(token.token().expose_secret(), "p");
    let failing = CredentialsHook::temporary_credentials_response(|_| Err("it failed".into()));
    let client = oauth1_builder(&server).compliance_hook(failing).build()?;
    let error = client.request_temporary_credentials().await.unwrap_err();
    assert_eq!(cause(&error), "it failed");
    Ok(())
}

#[maybe_async]
#[test]
async fn an_unconfirmed_callback_is_accepted_by_a_named_setting() -> TestResult {
    let server = answering(200, "oauth_token=p&oauth_token_secret=s");
    let client = oauth1_builder(&server).build()?;
    let error = client.request_temporary_credentials().await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("dangerous_allow_unconfirmed_callback"),
        "{error}"
    );
    let client = oauth1_builder(&server)
        .dangerous_allow_unconfirmed_callback()
        .build()?;
    // Such a server has no verifier either; a callback of another login is still refused.
    client.fetch_request_token().await?;
    assert!(
        client
            .parse_authorization_response("?oauth_token=x")
            .is_err()
    );
    client.parse_authorization_response("?oauth_token=p")?;
    client.fetch_access_token().await?;
    let request = &server.requests("/access_token")[0];
    let header = request.header("authorization").expect("a signature");
    assert!(header.contains("oauth_token=\"p\""), "{header}");
    assert!(!header.contains("oauth_verifier"), "{header}");
    // One that confirms has to send one.
    let confirming = answering(
        200,
        "oauth_token=p&oauth_token_secret=s&oauth_callback_confirmed=true",
    );
    let client = oauth1_builder(&confirming)
        .dangerous_allow_unconfirmed_callback()
        .build()?;
    client.fetch_request_token().await?;
    let error = client
        .parse_authorization_response("?oauth_token=p")
        .unwrap_err();
    assert_eq!(error.to_string(), "the callback has no `oauth_verifier`");
    Ok(())
}
