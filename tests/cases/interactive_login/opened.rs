//! Logins in one call: by a browser, by an address that the user opens, by another device.

use super::{
    super::{
        device::{Polled, pending},
        test,
    },
    *,
};

#[maybe_async]
#[test]
async fn a_browser_logs_the_user_in_and_the_client_keeps_the_token() -> TestResult {
    let server = provider(600);
    let client = command_line(&server).scope("own").build()?;
    let shown = Shown::default();
    let statuses = Arc::new(Mutex::new(Vec::new()));
    let visits = statuses.clone();
    let login = shown
        .login(move |url| visits.lock().unwrap().push(visited(&callback(url, "c"))))
        .scope("a b")
        .param("prompt", "login");
    let login = client.login(login).await?;
    assert_eq!(access_token(&login.token), "t1");
    assert_eq!(client.token(), Some(login.token));
    until(|| !statuses.lock().unwrap().is_empty()).await;
    assert_eq!(*statuses.lock().unwrap(), ["200"]);
    assert_eq!(shown.kinds(), ["opens", "done"]);
    let url = shown.url().unwrap();
    let asked = asked(&url);
    assert_eq!((&*asked["scope"], &*asked["prompt"]), ("a b", "login"));
    assert_eq!(asked["code_challenge_method"], "S256");
    let redirect_uri = &asked["redirect_uri"];
    assert!(
        redirect_uri.starts_with("http://127.0.0.1:"),
        "{redirect_uri}"
    );
    assert!(has_closed(redirect_uri));
    let sent = &server.requests("/token")[0];
    assert_eq!(sent.parameter("redirect_uri").as_ref(), Some(redirect_uri));
    Ok(())
}

#[maybe_async]
#[test]
async fn the_server_s_refusal_is_the_login_s_error() -> TestResult {
    let server = provider(600);
    let client = command_line(&server).build()?;
    let shown = Shown::default();
    let login = shown.login(|url| {
        let mut refused = callback(url, "");
        let state = asked(url)["state"].clone();
        refused.set_query(Some(&format!("error=access_denied&state={state}")));
        visited(&refused);
    });
    let error = client.login(login).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::AccessDenied));
    assert_eq!(client.token(), None);
    assert_eq!(server.count("/token"), 0);
    assert_eq!(shown.kinds(), ["opens"]);
    Ok(())
}

#[maybe_async]
#[test]
async fn where_no_browser_can_be_opened_the_user_opens_one() -> TestResult {
    let server = provider(600);
    let client = command_line(&server)
        .redirect_uri("http://127.0.0.1/own")
        .build()?;
    let shown = Shown::default();
    let failing = shown.prompted().open_with(|_| Err("no browser".into()));
    let user = shown.clone();
    std::thread::spawn(move || {
        while user.kinds().len() < 2 {
            std::thread::sleep(Duration::from_millis(5));
        }
        visited(&callback(&user.url().unwrap(), "c"))
    });
    client.login(failing).await?;
    assert_eq!(shown.kinds(), ["opens", "open it", "done"]);
    // The client's own redirection URI.
    assert_eq!(
        Url::parse(&asked(&shown.url().unwrap())["redirect_uri"])?.path(),
        "/own"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn without_a_browser_another_device_is_used_if_the_server_supports_it() -> TestResult {
    let polled = Polled::new(600, |n| match n {
        1 => pending(),
        _ => Reply::json(200, tokens(1, 600)),
    });
    let endpoint = polled.server.url("/authorize");
    let client = polled.builder().authorization_endpoint(endpoint).build()?;
    let shown = Shown::default();
    let failing = shown
        .prompted()
        .scope("a")
        .open_with(|_| Err("no browser".into()));
    let login = client.login(failing).await?;
    assert_eq!(client.token(), Some(login.token));
    assert_eq!(shown.kinds(), ["opens", "device", "done"]);
    let asked = &polled.server.requests("/device")[0];
    assert_eq!(asked.parameter("scope").as_deref(), Some("a"));
    assert!(has_closed(
        &super::asked(&shown.url().unwrap())["redirect_uri"]
    ));
    Ok(())
}

#[maybe_async]
#[test]
async fn another_device_is_used_where_the_program_asks_for_it() -> TestResult {
    let polled = Polled::new(600, |_| Reply::json(200, tokens(1, 600)));
    let client = polled.builder().build()?;
    let shown = Shown::default();
    let token = client.ensure_login(shown.prompted().device()).await?;
    assert_eq!(access_token(&token), "t1");
    assert_eq!(shown.kinds(), ["device", "done"]);
    // By then it needs none.
    client.ensure_login(shown.prompted().device()).await?;
    assert_eq!(polled.server.count("/device"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_times_out_and_frees_its_port() -> TestResult {
    let server = provider(600);
    let client = command_line(&server).build()?;
    let shown = Shown::default();
    let login = shown.login(|_| {}).timeout(Duration::from_millis(200));
    let error = client.login(login).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Login);
    assert!(error.needs_login());
    assert!(has_closed(&asked(&shown.url().unwrap())["redirect_uri"]));
    let polled = Polled::new(600, |_| pending());
    let client = polled.builder().build()?;
    let login = shown
        .prompted()
        .device()
        .timeout(Duration::from_millis(200));
    let error = client.login(login).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Login);
    assert!(error.to_string().contains("timed out"), "{error}");
    Ok(())
}

#[maybe_async]
#[test]
async fn closing_the_client_ends_its_login() -> TestResult {
    let server = provider(600);
    let client = command_line(&server).build()?;
    let shown = Shown::default();
    let (user, login) = (client.clone(), shown.login(|_| {}));
    let login = spawn(move || async move { user.login(login).await });
    until(|| shown.url().is_some()).await;
    client.close().await?;
    let error = login.join().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(has_closed(&asked(&shown.url().unwrap())["redirect_uri"]));
    Ok(())
}

#[maybe_async]
#[test]
async fn invalid_settings_are_named_before_a_browser_is_opened() -> TestResult {
    let server = provider(600);
    let shown = Shown::default();
    let opened = Arc::new(AtomicUsize::new(0));
    let count = opened.clone();
    let login = shown.login(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let client = OAuth2Client::builder("id").build()?;
    let error = client.login(login.clone()).await.unwrap_err();
    assert!(
        error.to_string().contains("authorization_endpoint"),
        "{error}"
    );
    let client = command_line(&server).build()?;
    for (uri, word) in [
        ("https://app.example/cb", "no terminal to paste into"),
        ("http://localhost/#x", "fragment"),
    ] {
        let error = client
            .login(login.clone().redirect_uri(uri))
            .await
            .unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
    assert_eq!(opened.load(Ordering::SeqCst), 0);
    Ok(())
}

/// A provider that says itself where its endpoints are.
fn discovered() -> Server {
    Server::start(|request: &Request| match &*request.path {
        "/.well-known/openid-configuration" => {
            let issuer = format!("http://{}", request.header("host").unwrap());
            Reply::json(
                200,
                json!({
                    "issuer": issuer,
                    "authorization_endpoint": format!("{issuer}/authorize"),
                    "token_endpoint": format!("{issuer}/token"),
                    "device_authorization_endpoint": format!("{issuer}/device"),
                }),
            )
        }
        "/device" => Reply::json(
            200,
            json!({
                "device_code": "d", "user_code": "U", "expires_in": 600, "interval": 1,
                "verification_uri": "https://id.example/device",
            }),
        ),
        "/token" => Reply::json(200, tokens(1, 600)),
        _ => Reply::authorization_of(request),
    })
}

#[maybe_async]
#[test]
async fn a_server_is_discovered_when_a_login_needs_it() -> TestResult {
    let server = discovered();
    let client = || {
        OAuth2Client::builder("id")
            .discover_later(&*server.url(""))
            .build()
    };
    // Not for a token that is there.
    let logged_in = client()?;
    logged_in.set_token(Token::new("t0"))?;
    let shown = Shown::default();
    let token = logged_in.ensure_login(shown.prompted()).await?;
    assert_eq!((access_token(&token), server.requests_in_all()), ("t0", 0));
    let browsing = shown.login(|url| drop(visited(&callback(url, "c"))));
    let token = client()?.ensure_login(browsing).await?;
    assert_eq!(access_token(&token), "t1");
    assert_eq!(shown.kinds(), ["opens", "done"]);
    // Neither is the device flow known before.
    let shown = Shown::default();
    let failing = shown.prompted().open_with(|_| Err("no browser".into()));
    client()?.ensure_login(failing).await?;
    assert_eq!(shown.kinds(), ["opens", "device", "done"]);
    client()?.ensure_login(shown.prompted().device()).await?;
    assert_eq!(server.count("/device"), 2);
    Ok(())
}
