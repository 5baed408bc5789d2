//! TLS: trusted certificates, client certificates, and plain HTTP.

use oauth_twin::{
    BoxError, ErrorKind,
    oauth2::{Discovery, EndpointRequest},
    reqwest,
};

use super::{
    support::tls::{self, Authority, Identity, Shown},
    test, *,
};

/// A provider like the one without TLS.
fn start(identity: &Identity, clients: Option<&Authority>) -> (Server, Shown) {
    let issued = AtomicUsize::new(0);
    let handler = move |request: &Request| match &*request.path {
        "/token" => Reply::json(200, tokens(issued.fetch_add(1, Ordering::SeqCst) + 1, 600)),
        _ => Reply::authorization_of(request),
    };
    tls::start(handler, identity, clients)
}

/// A client whose first call goes to the token endpoint.
fn fetching(server: &Server) -> OAuth2ClientBuilder {
    OAuth2Client::builder("id")
        .client_secret("secret")
        .token_endpoint(server.https("/token"))
        .grant(ClientCredentials::new())
}

/// A client that goes straight to the API.
fn holding() -> OAuth2ClientBuilder {
    OAuth2Client::builder("id").token(Token::new("t0"))
}

/// The same, believing `authority` too.
fn trusting(builder: OAuth2ClientBuilder, authority: &Authority) -> OAuth2ClientBuilder {
    let pem = authority.pem();
    builder.configure_http(move |http| {
        let root = reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate");
        http.tls_certs_merge([root])
    })
}

/// The same, showing `identity` too.
fn showing(
    builder: OAuth2ClientBuilder,
    authority: &Authority,
    identity: &Identity,
) -> OAuth2ClientBuilder {
    let (pem, identity) = (authority.pem(), identity.of_reqwest());
    builder.configure_http(move |http| {
        let root = reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate");
        http.tls_certs_merge([root]).identity(identity.clone())
    })
}

/// The answer of the API to a request.
#[maybe_async]
async fn call(client: &OAuth2Client, server: &Server) -> oauth_twin::Result<String> {
    let response = client.get(server.https("/api")).send().await?;
    Ok(response.text().await?)
}

/// The call fails in the handshake, with nothing told before.
#[maybe_async]
async fn is_refused(builder: OAuth2ClientBuilder, server: &Server) -> TestResult {
    let client = builder.timeout(std::time::Duration::from_secs(5)).build()?;
    let sent = call(&client, server).await;
    let error = sent.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::Transport, "{error:?}");
    assert_eq!((server.count("/token"), server.count("/api")), (0, 0));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_private_authority_counts_for_endpoints_and_for_apis() -> TestResult {
    let authority = Authority::new();
    let (server, shown) = start(&authority.issue("localhost"), None);
    let client = trusting(fetching(&server), &authority).build()?;
    let token = call(&client, &server).await?;
    assert_eq!(token, "Bearer t1");
    client.refresh_token().await?;
    let token = call(&client, &server).await?;
    assert_eq!(token, "Bearer t2");
    assert!(shown.lock().expect("a lock").iter().all(Option::is_none));
    Ok(())
}

#[maybe_async]
#[test]
async fn without_its_root_the_server_is_refused() -> TestResult {
    let authority = Authority::new();
    let (server, _) = start(&authority.issue("localhost"), None);
    is_refused(fetching(&server), &server).await?;
    is_refused(holding(), &server).await?;
    let error = call(&holding().build()?, &server).await.unwrap_err();
    assert!(!error.is_transient(), "it would be refused again");
    let text = error.to_string();
    assert!(text.contains("certificate"), "{text}");
    assert!(text.contains("not trusted"), "{text}");
    // Nor does it count because something else is configured.
    let other = |http: http::ClientBuilder| http.user_agent("other");
    is_refused(fetching(&server).configure_http(other), &server).await?;
    is_refused(holding().configure_http(other), &server).await
}

#[maybe_async]
#[test]
async fn a_certificate_of_another_authority_is_refused() -> TestResult {
    let (authority, other) = (Authority::new(), Authority::new());
    let (server, _) = start(&authority.issue("localhost"), None);
    is_refused(trusting(fetching(&server), &other), &server).await?;
    is_refused(trusting(holding(), &other), &server).await
}

#[maybe_async]
#[test]
async fn a_certificate_for_another_name_is_refused() -> TestResult {
    let authority = Authority::new();
    let (server, _) = start(&authority.issue("localhost.example"), None);
    is_refused(trusting(fetching(&server), &authority), &server).await?;
    is_refused(trusting(holding(), &authority), &server).await
}

#[maybe_async]
#[test]
async fn a_client_certificate_is_shown_to_endpoints_and_to_apis() -> TestResult {
    let (authority, clients) = (Authority::new(), Authority::new());
    let (server, shown) = start(&authority.issue("localhost"), Some(&clients));
    let identity = clients.issue("client.example");
    let client = showing(fetching(&server), &authority, &identity).build()?;
    let token = call(&client, &server).await?;
    assert_eq!(token, "Bearer t1");
    assert_eq!((server.count("/token"), server.count("/api")), (1, 1));
    let shown = shown.lock().expect("a lock");
    assert!(shown.len() >= 2, "a connection of each half");
    for certificate in &*shown {
        assert_eq!(certificate.as_ref(), Some(&identity.certificate));
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn without_a_client_certificate_a_server_that_wants_one_refuses() -> TestResult {
    let (authority, clients) = (Authority::new(), Authority::new());
    let (server, shown) = start(&authority.issue("localhost"), Some(&clients));
    is_refused(trusting(fetching(&server), &authority), &server).await?;
    is_refused(trusting(holding(), &authority), &server).await?;
    // A certificate by another authority is refused, too.
    let stranger = authority.issue("client.example");
    is_refused(showing(fetching(&server), &authority, &stranger), &server).await?;
    is_refused(showing(holding(), &authority, &stranger), &server).await?;
    assert!(shown.lock().expect("a lock").is_empty());
    Ok(())
}

/// An HTTP client of the caller's own has working TLS, and trusts no unknown authority.
#[maybe_async]
#[test]
async fn a_separate_http_client_has_tls() -> TestResult {
    let authority = Authority::new();
    let (server, _) = start(&authority.issue("localhost"), None);
    let plain = provider(600);
    let http = own_client();
    let response = http.get(plain.url("/api")).send().await?;
    assert_eq!(response.status(), 200);
    let sent = http.get(server.https("/api")).send().await;
    let error = sent.expect_err("a stranger");
    assert!(error.is_connect(), "{error:?}");
    assert_eq!(server.count("/api"), 0);
    Ok(())
}

/// A server that would be reached as `plain.example`, if anything were sent.
fn plain() -> (
    Server,
    impl Fn(http::ClientBuilder) -> http::ClientBuilder + Clone,
) {
    let server = provider(600);
    let address = server.address();
    (server, move |http: http::ClientBuilder| {
        http.resolve("plain.example", address)
    })
}

fn at(server: &Server, path: &str) -> String {
    format!("http://plain.example:{}{path}", server.address().port())
}

#[maybe_async]
#[test]
async fn an_endpoint_without_tls_is_a_bad_setting() -> TestResult {
    let (server, resolve) = plain();
    let token_endpoint = at(&server, "/token");
    let builder = || {
        OAuth2Client::builder("id")
            .token_endpoint(&token_endpoint)
            .grant(ClientCredentials::new())
            .configure_http(resolve.clone())
    };
    let error = builder().build().expect_err("plain http");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(
        error.to_string().contains("token_endpoint must be https"),
        "{error}"
    );
    assert_eq!(server.connections(), 0);
    // Unless permitted by `dangerous_allow_http`.
    let client = builder().dangerous_allow_http().build()?;
    client.ensure_active_token().await?;
    assert_eq!(server.count("/token"), 1);
    Ok(())
}

/// The checks of `build` are repeated when the client sends.
#[maybe_async]
#[test]
async fn client_authentication_cannot_lead_away_from_tls() -> TestResult {
    let (server, resolve) = plain();
    let elsewhere: reqwest::Url = at(&server, "/token").parse()?;
    let client = OAuth2Client::builder("id")
        .token_endpoint("https://id.example/token")
        .token_endpoint_auth_method(
            move |request: &mut EndpointRequest| -> Result<(), BoxError> {
                *request.url_mut() = elsewhere.clone();
                Ok(())
            },
        )
        .grant(ClientCredentials::new())
        .configure_http(resolve)
        .build()?;
    let fetched = client.ensure_active_token().await;
    assert_eq!(fetched.expect_err("plain http").kind(), ErrorKind::Usage);
    assert_eq!((server.connections(), server.count("/token")), (0, 0));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_is_not_sent_without_tls() -> TestResult {
    let (server, resolve) = plain();
    let builder = || holding().configure_http(resolve.clone());
    let client = builder().build()?;
    let sent = client.get(at(&server, "/api")).send().await;
    assert_eq!(sent.expect_err("plain http").kind(), ErrorKind::Usage);
    let mut request = own_client().get(at(&server, "/api")).build()?;
    let authorized = client.authorize(&mut request).await;
    assert_eq!(authorized.expect_err("plain http").kind(), ErrorKind::Usage);
    assert!(request.headers().is_empty());
    assert_eq!((server.connections(), server.count("/api")), (0, 0));
    // Without the token it may go there, or if told so.
    let response = client
        .get(at(&server, "/api"))
        .withhold_token()
        .send()
        .await?;
    let token = response.text().await?;
    assert_eq!(token, "");
    let client = builder().dangerous_allow_http().build()?;
    let response = client.get(at(&server, "/api")).send().await?;
    let token = response.text().await?;
    assert_eq!(token, "Bearer t0");
    Ok(())
}

/// A server with a public name that a stranger names, whose metadata have this token endpoint. The test
/// has resolved the name to loopback itself.
#[maybe_async]
async fn of_stranger(token_endpoint: &str) -> oauth_twin::Result<()> {
    let authority = Authority::new();
    let endpoint = token_endpoint.to_owned();
    let handler = move |request: &Request| match &*request.path {
        "/token" => Reply::json(200, tokens(1, 600)),
        _ => {
            let issuer = format!("https://{}", request.header("host").expect("a host"));
            let endpoint = endpoint.replace("https://own", &issuer);
            Reply::json(200, json!({"issuer": issuer, "token_endpoint": endpoint}))
        }
    };
    let (server, _) = tls::start(handler, &authority.issue("id.example"), None);
    let (pem, address) = (authority.pem(), server.address());
    let issuer = format!("https://id.example:{}", address.port());
    let client = OAuth2Client::builder("id")
        .client_secret("secret")
        .configure_http(move |http| {
            let root = reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate");
            let http = http.no_proxy().resolve("id.example", address);
            http.tls_certs_merge([root])
        })
        .dangerous_allow_http()
        .discover(Discovery::at(issuer).public_only())
        .await?
        .build()?;
    client.fetch_token(ClientCredentials::new()).await.map(drop)
}

#[maybe_async]
#[test]
async fn a_stranger_s_server_names_public_endpoints_with_https_alone() {
    of_stranger("https://own/token").await.expect("a server");
    for url in [
        "http://id.example/token",
        "http://127.0.0.1:9/token",
        "https://127.0.0.1:9/token",
        "https://localhost:9/token",
        "https://10.0.0.1/token",
        "https://[::1]:9/token",
    ] {
        let error = of_stranger(url).await.expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Answer, "{url}: {error}");
        assert!(error.to_string().contains("token_endpoint"), "{error}");
    }
}

#[maybe_async]
#[test]
async fn a_stranger_s_server_on_this_machine_is_never_asked() -> TestResult {
    let authority = Authority::new();
    let (server, _) = start(&authority.issue("localhost"), None);
    for issuer in [
        server.https(""),
        format!("https://127.0.0.1:{}", server.address().port()),
        format!("https://[::1]:{}", server.address().port()),
    ] {
        let discovery = Discovery::at(&issuer).public_only();
        let builder = || trusting(OAuth2Client::builder("id"), &authority);
        let discovered = builder().discover(discovery.clone()).await;
        let error = discovered.expect_err("a private address");
        assert_eq!(error.kind(), ErrorKind::Answer, "{error}");
        assert!(error.to_string().contains("private address"), "{error}");
        let client = builder().discover_later(discovery).build()?;
        let error = client.fetch_server().await.expect_err("a private address");
        assert!(error.to_string().contains("private address"), "{error}");
        // The one that the calling code names is asked.
        drop(builder().discover(Discovery::at(&issuer)).await);
    }
    assert!(server.requests_in_all() > 0);
    let asked = server.all();
    assert!(
        asked
            .iter()
            .all(|request| request.path.contains("well-known"))
    );
    Ok(())
}
