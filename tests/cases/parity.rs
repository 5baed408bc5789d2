//! Statements of `docs/parity.md` that no other scenario shows.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use oauth_twin::{
    BoxError, ErrorKind, Secret,
    oauth2::{
        AuthorizationCode, AuthorizationRequest, AuthorizationUrl, ClientSecretPost,
        EndpointRequest, ExtensionGrant, Hook, Password,
    },
    reqwest::{
        Proxy,
        header::{HeaderMap, HeaderValue},
    },
};

use super::{
    authorization_code::{callback, created},
    test, *,
};

/// A server that issues `t1`, `t2`, … for ten seconds, without refresh tokens.
fn without_refresh_tokens() -> Server {
    let issued = AtomicUsize::new(0);
    Server::start(move |_: &Request| {
        let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
        Reply::json(
            200,
            json!({"access_token": format!("t{n}"), "expires_in": 10}),
        )
    })
}

/// Asks each of the three endpoints once.
#[maybe_async]
async fn ask_all(server: &Server, builder: OAuth2ClientBuilder) -> TestResult {
    let client = builder
        .revocation_endpoint(server.url("/revoke"))
        .introspection_endpoint(server.url("/introspect"))
        .build()?;
    client.fetch_token(ClientCredentials::new()).await?;
    client.revoke("x", None).await?;
    // The answer is none, which does not matter here.
    client.introspect("x", None).await.unwrap_err();
    Ok(())
}

const ENDPOINTS: [&str; 3] = ["/token", "/revoke", "/introspect"];

#[maybe_async]
#[test]
async fn one_authentication_serves_all_endpoints() -> TestResult {
    let server = provider(600);
    ask_all(&server, builder(&server)).await?;
    let public = OAuth2Client::builder("id").token_endpoint(server.url("/token"));
    ask_all(&server, public).await?;
    let post = builder(&server).token_endpoint_auth_method(ClientSecretPost);
    ask_all(&server, post).await?;
    for path in ENDPOINTS {
        let sent: Vec<_> = server
            .requests(path)
            .iter()
            .map(|sent| {
                let [id, secret] = ["client_id", "client_secret"].map(|name| sent.parameter(name));
                let basic = sent.header("authorization").map(str::to_owned);
                (basic, id, secret)
            })
            .collect();
        let (id, secret) = (Some("id".to_owned()), Some("secret".to_owned()));
        assert_eq!(
            sent,
            [
                (Some("Basic aWQ6c2VjcmV0".to_owned()), None, None),
                (None, id.clone(), None),
                (None, id, secret),
            ],
            "{path}"
        );
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn every_endpoint_is_asked_for_json_with_headers_added_not_replaced() -> TestResult {
    let server = provider(600);
    let add = |request: &mut EndpointRequest| -> Result<(), BoxError> {
        request.headers_mut().insert("x-tenant", "7".parse()?);
        request.form_mut().push("tenant", "7");
        Ok(())
    };
    let hooks = [
        Hook::access_token_request(add),
        Hook::revoke_token_request(add),
        Hook::introspect_token_request(add),
    ];
    let builder = hooks.into_iter().fold(builder(&server), |builder, hook| {
        builder.compliance_hook(hook)
    });
    ask_all(&server, builder).await?;
    for path in ENDPOINTS {
        let sent = &server.requests(path)[0];
        for (name, value) in [
            ("accept", "application/json"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-tenant", "7"),
        ] {
            assert_eq!(sent.header(name), Some(value), "{path}");
        }
        assert_eq!(sent.parameter("tenant").as_deref(), Some("7"), "{path}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn every_endpoint_has_to_be_https_without_a_fragment() {
    type Set = fn(OAuth2ClientBuilder, &str) -> OAuth2ClientBuilder;
    let settings: [(&str, Set); 4] = [
        ("authorization_endpoint", |builder, url| {
            builder.authorization_endpoint(url)
        }),
        ("token_endpoint", |builder, url| builder.token_endpoint(url)),
        ("revocation_endpoint", |builder, url| {
            builder.revocation_endpoint(url)
        }),
        ("introspection_endpoint", |builder, url| {
            builder.introspection_endpoint(url)
        }),
    ];
    for (name, set) in settings {
        for (url, problem) in [
            ("http://id.example/x", "must be https"),
            ("https://id.example/x#y", "must not have a fragment"),
            ("/x", "is not an absolute URL"),
        ] {
            let error = set(OAuth2Client::builder("id"), url).build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            let said = format!("invalid settings: {name} {problem}");
            assert!(error.to_string().starts_with(&said), "{error}");
        }
        let good = set(OAuth2Client::builder("id"), "https://id.example/x");
        assert!(good.build().is_ok());
    }
}

#[maybe_async]
#[test]
async fn an_authorization_request_has_what_the_provider_wants_and_no_scope_if_so_told() -> TestResult
{
    let client = OAuth2Client::builder("id")
        .authorization_endpoint("https://id.example/authorize?tenant=a%20b")
        .scope("own")
        .build()?;
    let request = AuthorizationRequest::new()
        .scope("")
        .param("prompt", "none")
        .param("login_hint", "alice@id.example")
        .param("display", "n 1")
        .param("response_mode", "form_post")
        .param("max_age", "0");
    let AuthorizationUrl { url, .. } = client.create_authorization_url(request)?;
    let query = url.query().unwrap_or_default();
    let start = "tenant=a%20b&response_type=code&client_id=id&state=";
    let end = "&prompt=none&login_hint=alice%40id.example&display=n+1&response_mode=form_post\
               &max_age=0";
    assert!(query.starts_with(start) && query.ends_with(end), "{query}");
    assert!(!query.contains("scope"), "{query}");
    Ok(())
}

#[maybe_async]
#[test]
async fn each_call_asks_with_the_grant_that_it_is_given() -> TestResult {
    let server = without_refresh_tokens();
    let clock = ManualClock::new();
    let client = builder(&server).clock(clock.clock()).build()?;
    client.fetch_token(AuthorizationCode::new("c")).await?;
    client.fetch_token(Password::new("alice", "w")).await?;
    let grant = ClientCredentials::new().param("audience", "them");
    client.fetch_token(grant).await?;
    clock.advance(Duration::from_secs(11));
    client.ensure_active_token().await?;
    let forms = server.forms("/token");
    let last = "grant_type=client_credentials&audience=them";
    assert_eq!(
        forms,
        [
            "grant_type=authorization_code&code=c",
            "grant_type=password&username=alice&password=w",
            last,
            last,
        ],
        "what was sent with success last is renewed with"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn an_extension_grant_is_sent_again_only_if_kept() -> TestResult {
    let server = without_refresh_tokens();
    let clock = ManualClock::new();
    let client = builder(&server).clock(clock.clock()).build()?;
    let grant = || ExtensionGrant::new("urn:example:ticket").param("ticket", "7");
    client.fetch_token(grant()).await?;
    clock.advance(Duration::from_secs(11));
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Token);
    assert_eq!(server.count("/token"), 1);
    client.fetch_token(grant().keep_for_renewal()).await?;
    clock.advance(Duration::from_secs(11));
    client.ensure_active_token().await?;
    let sent = server.requests("/token");
    assert_eq!(sent.len(), 3);
    assert_eq!(sent[2].form(), "grant_type=urn%3Aexample%3Aticket&ticket=7");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_code_goes_with_the_redirect_uri_of_its_request() -> TestResult {
    let server = provider(600);
    let redirecting = || {
        builder(&server)
            .authorization_endpoint(server.url("/authorize"))
            .redirect_uri("https://app.example/callback")
    };
    let client = redirecting().build()?;
    let code = || AuthorizationCode::new("c");
    client.fetch_token(code()).await?;
    let other = code().redirect_uri("https://other.example/");
    client.fetch_token(other).await?;
    client.fetch_token(code().redirect_uri("")).await?;
    let sent: Vec<_> = server
        .requests("/token")
        .iter()
        .map(|sent| sent.parameter("redirect_uri"))
        .collect();
    assert_eq!(
        sent,
        [
            Some("https://app.example/callback".to_owned()),
            Some("https://other.example/".to_owned()),
            None,
        ]
    );

    // A login that was begun without one ends without one.
    let before = builder(&server)
        .authorization_endpoint(server.url("/authorize"))
        .build()?;
    let AuthorizationUrl { url, pending, .. } = created(&before);
    client
        .complete_authorization(pending, &callback(&url, "c"))
        .await?;
    assert_eq!(server.requests("/token")[3].parameter("redirect_uri"), None);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_is_expired_from_its_expiry_less_the_leeway_on() {
    let minute = Duration::from_secs(60);
    let token = |from_now: u64| {
        Token::new("t").with_expires_at(SystemTime::now() + Duration::from_secs(from_now))
    };
    assert!(token(30).is_expired(minute));
    assert!(!token(30).is_expired(Duration::ZERO));
    assert!(!token(90).is_expired(minute));
    assert!(token(0).is_expired(Duration::ZERO));
    assert!(!Token::new("t").is_expired(minute), "never by time");
    let stored = json!({"access_token": "t", "expires_at": 0, "expires_in": 3600});
    let stored: Token = serde_json::from_value(stored).expect("a token");
    assert_eq!(stored.expires_at(), Some(UNIX_EPOCH));
    assert!(stored.is_expired(Duration::ZERO));
}

#[maybe_async]
#[test]
async fn update_token_is_told_of_the_first_token_and_of_what_each_later_one_replaces() -> TestResult
{
    let server = without_refresh_tokens();
    let clock = ManualClock::new();
    let told = Updates::default();
    let client = with_credentials(&server)
        .clock(clock.clock())
        .update_token(recording(&told))
        .build()?;
    client.ensure_active_token().await?;
    clock.advance(Duration::from_secs(11));
    client.ensure_active_token().await?;
    let told: Vec<_> = told
        .lock()
        .unwrap()
        .iter()
        .map(|update| {
            assert_eq!(update.previous_refresh_token, None);
            let new = update.token.access_token().clone();
            (update.previous_access_token.clone(), new)
        })
        .collect();
    let [first, second] = ["t1", "t2"].map(Secret::from);
    assert_eq!(told, [(None, first.clone()), (Some(first), second)]);
    Ok(())
}

#[maybe_async]
#[test]
async fn hooks_leave_a_request_without_a_token_alone() -> TestResult {
    let server = provider(600);
    let client = builder(&server)
        .token(Token::new("t"))
        .compliance_hook(Hook::protected_request(|request| {
            let own = HeaderValue::from_static("7");
            request.headers_mut().insert("x-hook", own);
            Ok(())
        }))
        .build()?;
    let url = server.url("/api");
    client.get(&url).withhold_token().send().await?;
    client.fetch_token(ClientCredentials::new()).await?;
    client.get(&url).send().await?;
    let sent = server.requests("/api");
    let hooked = |sent: &Request| sent.header("x-hook").is_some();
    assert_eq!((hooked(&sent[0]), hooked(&sent[1])), (false, true));
    assert!(!hooked(&server.requests("/token")[0]));
    Ok(())
}

#[maybe_async]
#[test]
async fn configure_http_reaches_endpoints_and_apis() -> TestResult {
    let server = provider(600);
    let client = with_credentials(&server)
        .configure_http(|http| {
            let mut headers = HeaderMap::new();
            headers.insert("x-tenant", HeaderValue::from_static("7"));
            http.default_headers(headers).user_agent("reports/1.0")
        })
        .build()?;
    client.get(server.url("/api")).send().await?;
    for path in ["/token", "/api"] {
        let sent = &server.requests(path)[0];
        assert_eq!(sent.header("x-tenant"), Some("7"), "{path}");
        assert_eq!(sent.header("user-agent"), Some("reports/1.0"), "{path}");
    }
    // And without it both say who they are.
    let client = with_credentials(&server).build()?;
    client.get(server.url("/api")).send().await?;
    for path in ["/token", "/api"] {
        let agent = server.requests(path)[1]
            .header("user-agent")
            .map(str::to_owned);
        assert!(
            agent.unwrap_or_default().starts_with("oauth-twin/"),
            "{path}"
        );
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_proxy_gets_what_goes_to_endpoints_and_to_apis() -> TestResult {
    // There is no listener.
    const TARGET: &str = "http://127.0.0.1:1";
    let proxy = Server::start(|request: &Request| match request.path.ends_with("/token") {
        true => Reply::json(200, tokens(1, 600)),
        false => Reply::authorization_of(request),
    });
    let url = proxy.url("");
    let client = OAuth2Client::builder("id")
        .token_endpoint(format!("{TARGET}/token"))
        .grant(ClientCredentials::new())
        .configure_http(move |http| http.proxy(Proxy::http(&url).expect("a URL")))
        .build()?;
    let response = client.get(format!("{TARGET}/api")).send().await?;
    let text = response.text().await?;
    assert_eq!(text, "Bearer t1");
    for path in ["/token", "/api"] {
        assert_eq!(proxy.count(&format!("{TARGET}{path}")), 1, "{path}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn the_timeout_of_a_request_holds_and_so_does_that_of_all_requests() -> TestResult {
    let short = Duration::from_millis(200);
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |_: &Request| {
        held.wait();
        Reply::text(200, "")
    });
    let holding = || builder(&server).token(Token::new("t"));
    let url = server.url("/api");
    let requests = [
        holding().build()?.get(&url).timeout(short),
        holding()
            .configure_http(move |http| http.timeout(short))
            .build()?
            .get(&url),
    ];
    for request in requests {
        let begun = Instant::now();
        let error = request.send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport);
        assert!(error.is_transient() && error.outcome_unknown(), "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
    gate.open();
    Ok(())
}

#[maybe_async]
#[test]
async fn connections_end_when_the_last_clone_and_child_are_dropped() -> TestResult {
    let server = provider(600);
    let client = with_credentials(&server).update_token(|_| Ok(())).build()?;
    client.get(server.url("/api")).send().await?.text().await?;
    let (clone, child) = (client.clone(), client.for_token(Token::new("child")));
    drop(client);
    drop(clone);
    let text = child.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer child");
    assert!(server.connections() > 0);
    drop(child);
    until(|| server.connections() == 0).await;
    Ok(())
}

#[maybe_async]
#[test]
async fn children_share_the_connections() -> TestResult {
    const USERS: usize = 20;
    let server = provider(600);
    let client = builder(&server).build()?;
    // None is dropped, so connections of their own would stay open.
    let mut children = Vec::new();
    for n in 0..USERS {
        let child = client.for_token(Token::new(format!("t{n}")));
        let text = child.get(server.url("/api")).send().await?.text().await?;
        assert_eq!(text, format!("Bearer t{n}"));
        children.push(child);
    }
    // One, unless one was not back in the pool in time.
    assert!(server.connections() < USERS / 4, "{}", server.connections());
    Ok(())
}
