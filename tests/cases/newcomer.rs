//! The usual mistakes of a newcomer, with the `Display` text and the `Debug` text
//! that `main` prints.

use oauth_twin::{
    jose::{Algorithm, SigningKey},
    oauth2::{AuthorizationCode, AuthorizationRequest, RefreshToken},
};

use super::{test, *};

/// The error of asking `server` for a token with client credentials.
#[maybe_async]
async fn refusal(server: &Server) -> Error {
    let client = builder(server).build().expect("a client");
    client
        .fetch_token(ClientCredentials::new())
        .await
        .expect_err("no token")
}

/// Checks both texts, in which `HOST` is the server.
#[track_caller]
fn assert_says(error: &Error, server: &str, message: &str, debug: &str) {
    let host = server
        .trim_start_matches("https://")
        .trim_start_matches("http://");
    assert_eq!(error.to_string(), message.replace("HOST", host));
    assert_eq!(format!("{error:?}"), debug.replace("HOST", host));
}

fn answering(status: u16, body: &'static str) -> Server {
    Server::start(move |_: &Request| Reply::text(status, body))
}

#[maybe_async]
#[test]
async fn a_refused_connection_names_the_endpoint() -> TestResult {
    let closed = ClosedPort::new();
    let url = format!("http://{}", closed.address());
    let client = OAuth2Client::builder("id")
        .token_endpoint(format!("{url}/token?key=hunter2"))
        .build()?;
    let error = client
        .fetch_token(ClientCredentials::new())
        .await
        .unwrap_err();
    assert_says(
        &error,
        &url,
        "could not connect to the token endpoint at HOST",
        "Error { kind: Transport, message: could not connect to the token endpoint at HOST, \
         source: error sending request: client error (Connect): tcp connect error: \
         Connection refused (os error 111) }",
    );
    let client = OAuth2Client::builder("id").token(Token::new("t")).build()?;
    let error = client
        .get(format!("{url}/me?key=hunter2"))
        .send()
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("could not connect to the server at {}", closed.address())
    );
    Ok(())
}

#[cfg(feature = "rustls")]
#[maybe_async]
#[test]
async fn an_untrusted_certificate_is_told_from_a_refused_port() -> TestResult {
    use support::tls::{Authority, start};
    let (server, _) = start(
        |_: &Request| Reply::text(200, ""),
        &Authority::new().issue("localhost"),
        None,
    );
    let url = server.https("/token");
    let client = OAuth2Client::builder("id").token_endpoint(&url).build()?;
    let error = client
        .fetch_token(ClientCredentials::new())
        .await
        .unwrap_err();
    assert_says(
        &error,
        &server.https(""),
        "the TLS certificate of the token endpoint at HOST is not trusted; add a private root \
         certificate by configure_http",
        "Error { kind: Transport, message: the TLS certificate of the token endpoint at HOST is \
         not trusted; add a private root certificate by configure_http, source: error sending \
         request: client error (Connect): invalid peer certificate: UnknownIssuer }",
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn broken_http_is_told_from_a_refused_port() -> TestResult {
    let server = Server::start(|_: &Request| {
        Reply::raw(|stream| std::io::Write::write_all(stream, b"220 smtp.example ESMTP\r\n\r\n"))
    });
    assert_says(
        &refusal(&server).await,
        &server.url(""),
        "the response of the token endpoint at HOST is not HTTP; is the URL right?",
        "Error { kind: Transport, message: the response of the token endpoint at HOST is not \
         HTTP; is the URL right?, source: error sending request: client error (SendRequest): \
         invalid HTTP version parsed }",
    );
    let server = Server::start(|_: &Request| Reply::raw(|_| Ok(())));
    assert_says(
        &refusal(&server).await,
        &server.url(""),
        "the connection to the token endpoint at HOST was lost",
        "Error { kind: Transport, message: the connection to the token endpoint at HOST was \
         lost, source: error sending request: client error (SendRequest): connection closed \
         before message completed }",
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_wrong_secret_gets_advice() -> TestResult {
    let server = Server::start(|_: &Request| Reply::error(401, "invalid_client"));
    assert_says(
        &refusal(&server).await,
        &server.url(""),
        "the token endpoint HOST/token refused the client credentials: 401 invalid_client (check \
         client_id and client_secret; some servers read them only from the body: ClientSecretPost)",
        "Error { kind: Server, message: the token endpoint HOST/token refused the client \
         credentials: 401 invalid_client (check client_id and client_secret; some servers read \
         them only from the body: ClientSecretPost) }",
    );
    // This one is encoded in the header.
    let client = builder(&server).client_secret("se+cr/et=").build()?;
    let error = client
        .fetch_token(ClientCredentials::new())
        .await
        .unwrap_err();
    let hint = error.response().and_then(|response| response.hint());
    let hint = hint.expect("a hint");
    assert!(
        hint.contains("try ClientSecretBasicRaw or ClientSecretPost"),
        "{hint}"
    );
    assert!(!format!("{error} {error:?}").contains("se+cr"), "{error:?}");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_wrong_url_gets_advice() -> TestResult {
    let server = answering(404, "");
    assert_says(
        &refusal(&server).await,
        &server.url(""),
        "the token endpoint HOST/token refused the client credentials: 404 Not Found (check the \
         URL of the endpoint)",
        "Error { kind: Server, message: the token endpoint HOST/token refused the client \
         credentials: 404 Not Found (check the URL of the endpoint) }",
    );
    let page = "<!DOCTYPE html><title>Log in</title>";
    let server = answering(403, page);
    assert_says(
        &refusal(&server).await,
        &server.url(""),
        "the token endpoint HOST/token refused the client credentials: 403 Forbidden (the body \
         is an HTML page; check that the URL is that of the endpoint, and not that of a login \
         page)",
        "Error { kind: Server, message: the token endpoint HOST/token refused the client \
         credentials: 403 Forbidden (the body is an HTML page; check that the URL is that of the \
         endpoint, and not that of a login page) }",
    );
    let server = answering(200, page);
    assert_says(
        &refusal(&server).await,
        &server.url(""),
        "the response of the token endpoint HOST/token is not JSON, at line 1, column 1 (no \
         content type, 36 bytes) (status 200 OK); this is an HTML page; check that the URL is \
         that of the endpoint",
        "Error { kind: Answer, message: the response of the token endpoint HOST/token is not \
         JSON, at line 1, column 1 (no content type, 36 bytes) (status 200 OK); this is an HTML \
         page; check that the URL is that of the endpoint }",
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_redirect_names_its_target() -> TestResult {
    let server = Server::start(|_: &Request| {
        Reply::text(301, "").with("location", "https://id.example/hunter2?key=hunter2")
    });
    assert_says(
        &refusal(&server).await,
        &server.url(""),
        "the token endpoint HOST/token redirects to https://id.example, and redirects of \
         endpoints are not followed; set the URL that it redirects to (status 301 Moved \
         Permanently)",
        "Error { kind: Answer, message: the token endpoint HOST/token redirects to \
         https://id.example, and redirects of endpoints are not followed; set the URL that it \
         redirects to (status 301 Moved Permanently) }",
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_form_instead_of_json_gets_advice() -> TestResult {
    let server = answering(200, "access_token=hunter2&token_type=bearer");
    assert_says(
        &refusal(&server).await,
        &server.url(""),
        "the response of the token endpoint HOST/token is not JSON, at line 1, column 1 (no \
         content type, 38 bytes) (status 200 OK); this is a form; convert it by \
         EndpointResponse::form_to_json in a hook, as compliance::github does",
        "Error { kind: Answer, message: the response of the token endpoint HOST/token is not \
         JSON, at line 1, column 1 (no content type, 38 bytes) (status 200 OK); this is a form; \
         convert it by EndpointResponse::form_to_json in a hook, as compliance::github does }",
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_second_use_of_a_code_or_a_refresh_token_gets_advice() -> TestResult {
    let server = Server::start(|_: &Request| {
        Reply::json(
            400,
            json!({"error": "invalid_grant", "error_description": "already used"}),
        )
    });
    let client = builder(&server).build()?;
    let code = AuthorizationCode::new("hunter2");
    let error = client.fetch_token(code).await.unwrap_err();
    assert_says(
        &error,
        &server.url(""),
        "the token endpoint HOST/token refused the authorization code: 400 invalid_grant: \
         already used (a code is valid once and for a short time, and only with the redirect_uri \
         of its authorization request)",
        "Error { kind: Server, message: the token endpoint HOST/token refused the authorization \
         code: 400 invalid_grant: already used (a code is valid once and for a short time, and \
         only with the redirect_uri of its authorization request) }",
    );
    let refresh = RefreshToken::new("hunter2");
    let error = client.fetch_token(refresh).await.unwrap_err();
    assert_says(
        &error,
        &server.url(""),
        "the token endpoint HOST/token refused the refresh token: 400 invalid_grant: already used",
        "Error { kind: Server, message: the token endpoint HOST/token refused the refresh token: \
         400 invalid_grant: already used }",
    );
    assert!(error.needs_login());
    Ok(())
}

#[maybe_async]
#[test]
async fn a_missing_login_is_named() -> TestResult {
    let server = provider(600);
    let client = builder(&server).build()?;
    let error = client.get(server.url("/me")).send().await.unwrap_err();
    assert_says(
        &error,
        "",
        "there is no token; set one, call fetch_token, or give the builder a grant",
        "Error { kind: Token, message: there is no token; set one, call fetch_token, or \
         give the builder a grant }",
    );
    assert!(error.needs_login());
    assert_eq!(server.requests_in_all(), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn invalid_settings_are_all_named() -> TestResult {
    let client = OAuth2Client::builder("")
        .token_endpoint("http://id.example.com/token")
        .build();
    assert_says(
        &client.unwrap_err(),
        "",
        "invalid settings: client_id is empty; token_endpoint must be https or on loopback \
         (dangerous_allow_http permits plain http)",
        "Error { kind: Usage, message: invalid settings: client_id is empty; token_endpoint \
         must be https or on loopback (dangerous_allow_http permits plain http) }",
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_text_that_is_not_a_key_is_described() -> TestResult {
    let read = |pem: &str| SigningKey::from_pem(Algorithm::ES256, pem).expect_err(pem);
    assert_says(
        &read("keys/private.pem"),
        "",
        "the text is the name of a file instead of a private key; pass the file's content",
        "Error { kind: Usage, message: the text is the name of a file instead of a private key; \
         pass the file's content }",
    );
    assert_says(
        &read("-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n"),
        "",
        "the PEM contains a certificate instead of a private key; pass the key that belongs to it",
        "Error { kind: Usage, message: the PEM contains a certificate instead of a private key; \
         pass the key that belongs to it }",
    );
    // A key is never sent, though it is where a secret should be.
    let pem = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n";
    let client = OAuth2Client::builder("id")
        .client_secret(pem)
        .token_endpoint("https://id.example/token")
        .build();
    let error = client.unwrap_err();
    assert!(error.to_string().contains("pass it to PrivateKeyJwt"));
    assert!(!format!("{error:?}").contains("hunter2"));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_callback_of_another_login_gets_advice() -> TestResult {
    let server = provider(600);
    let client = builder(&server)
        .authorization_endpoint(server.url("/authorize"))
        .build()?;
    let created = client.create_authorization_url(AuthorizationRequest::new())?;
    let callback = "https://app.example/cb?code=hunter2&state=hunter2";
    let login = client.complete_authorization(created.pending, callback);
    assert_says(
        &login.await.unwrap_err(),
        "",
        "the `state` of the callback does not match this login; the user may have opened an old \
         page",
        "Error { kind: Answer, message: the `state` of the callback does not match this login; \
         the user may have opened an old page }",
    );
    assert_eq!(server.requests_in_all(), 0);
    Ok(())
}
