//! A 401 about the token: one retry with a renewed token, never more.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use oauth_twin::{
    ErrorKind,
    oauth2::{Hook, ProtectedRequest, RefreshPolicy},
};

use super::{test, *};

/// A provider whose API takes the tokens that `accepts` says, and refuses others with `challenge`.
fn picky(accepts: &'static str, challenge: Option<&'static str>) -> Server {
    let issued = AtomicUsize::new(0);
    Server::start(move |request: &Request| match &*request.path {
        "/token" => {
            let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
            Reply::json(200, tokens(n, 600))
        }
        _ if request.header("authorization") == Some(accepts) => {
            Reply::text(200, request.body.clone())
        }
        _ => match challenge {
            Some(challenge) => Reply::text(401, "no").with("www-authenticate", challenge),
            None => Reply::text(401, "no"),
        },
    })
}

fn with_token(server: &Server) -> OAuth2ClientBuilder {
    builder(server).token(Token::new("t0").with_refresh_token("r0"))
}

#[maybe_async]
#[test]
async fn one_retry_with_a_renewed_token_and_the_same_body() -> TestResult {
    for challenge in [
        None,
        Some("Bearer"),
        Some("Bearer realm=\"x\", error=\"invalid_token\", error_description=\"expired\""),
    ] {
        let server = picky("Bearer t1", challenge);
        let client = with_token(&server).build()?;
        let response = client
            .post(server.url("/api"))
            .body("a body")
            .send()
            .await?;
        assert_eq!(response.status(), 200, "{challenge:?}");
        let text = response.text().await?;
        assert_eq!(text, "a body");
        assert_eq!((server.count("/api"), server.count("/token")), (2, 1));
    }
    Ok(())
}

/// A hook sees a request as the caller made it, each time, and what it adds is not added again.
#[maybe_async]
#[test]
async fn a_hook_may_name_the_user_agent_of_both_tries() -> TestResult {
    let server = picky("Bearer t1", None);
    let client = with_token(&server)
        .compliance_hook(Hook::protected_request(|request: &mut ProtectedRequest| {
            let headers = request.headers_mut();
            headers.entry("user-agent").or_insert("own".parse()?);
            Ok(())
        }))
        .build()?;
    for timeout in [None, Some(Duration::from_secs(60))] {
        client.set_token(Token::new("t0").with_refresh_token("r0"))?;
        let request = client.get(server.url("/api"));
        let request = match timeout {
            Some(timeout) => request.timeout(timeout),
            None => request,
        };
        let _refused_or_not = request.send().await?;
    }
    let requests = server.requests("/api");
    assert!(requests.len() >= 3, "{}", requests.len());
    for request in requests {
        let is_agent = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("user-agent");
        let agents: Vec<_> = request.headers.iter().filter(is_agent).collect();
        assert_eq!((agents.len(), &*agents[0].1), (1, "own"));
    }
    Ok(())
}

/// Whether it is copied whole or by its parts.
#[maybe_async]
#[test]
async fn the_second_try_is_the_same_request_but_for_its_token() -> TestResult {
    let server = Server::start(|request: &Request| match &*request.path {
        "/token" => Reply::json(200, tokens(1, 600)),
        _ if request.header("authorization") == Some("Bearer t1") => Reply::text(200, ""),
        _ => Reply::text(401, ""),
    });
    let url = server.url("/api?q=%20a&q=b");
    for (n, timeout) in [None, Some(Duration::from_secs(60))]
        .into_iter()
        .enumerate()
    {
        let client = builder(&server)
            .token(Token::new("t0").with_refresh_token("r0"))
            .build()?;
        let request = client
            .delete(&url)
            .header("x-own", "1")
            .header("x-own", "2");
        let request = match timeout {
            Some(timeout) => request.timeout(timeout),
            None => request,
        };
        let response = request.send().await?;
        assert_eq!(response.status(), 200);
        let [first, second] = [2 * n, 2 * n + 1].map(|n| {
            let mut sent = server.requests("/api").swap_remove(n);
            sent.headers.retain(|(name, _)| name != "authorization");
            sent
        });
        assert_eq!(first.header("x-own"), Some("1"));
        assert_eq!(
            (first.method, first.query, first.headers),
            (second.method, second.query, second.headers)
        );
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn client_credentials_are_renewed_too() -> TestResult {
    let server = picky("Bearer t2", None);
    let client = with_credentials(&server).build()?;
    let status = client.get(server.url("/api")).send().await?.status();
    assert_eq!((status.as_u16(), server.count("/token")), (200, 2));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_401_about_something_else_is_returned() -> TestResult {
    for challenge in [
        "Bearer error=\"insufficient_scope\"",
        "Bearer error=\"invalid_request\"",
    ] {
        let server = picky("Bearer t1", Some(challenge));
        let client = with_token(&server).build()?;
        let status = client.get(server.url("/api")).send().await?.status();
        assert_eq!(status, 401);
        assert_eq!((server.count("/api"), server.count("/token")), (1, 0));
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn other_statuses_are_returned() -> TestResult {
    for status in [400, 403, 404, 407, 500] {
        let server = Server::start(move |_: &Request| {
            Reply::text(status, "no").with("www-authenticate", "Bearer error=\"invalid_token\"")
        });
        let client = with_token(&server).build()?;
        let response = client.get(server.url("/api")).send().await?;
        assert_eq!(response.status(), status);
        assert_eq!((server.count("/api"), server.count("/token")), (1, 0));
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn where_nothing_can_be_renewed_the_401_is_returned() -> TestResult {
    let server = picky("Bearer t1", None);
    let clients = [
        builder(&server).token(Token::new("t0")).build()?,
        OAuth2Client::builder("id")
            .token(Token::new("t0").with_refresh_token("r0"))
            .build()?,
        with_token(&server)
            .refresh_policy(RefreshPolicy::Expiry)
            .build()?,
        with_token(&server)
            .refresh_policy(RefreshPolicy::Never)
            .build()?,
    ];
    for (n, client) in clients.iter().enumerate() {
        let response = client.get(server.url("/api")).send().await?;
        assert_eq!(response.status(), 401);
        let text = response.text().await?;
        assert_eq!(text, "no", "the answer can be read");
        assert_eq!((server.count("/api"), server.count("/token")), (n + 1, 0));
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_new_token_that_does_not_help_is_not_renewed_for_each_401() -> TestResult {
    let server = picky("never", None);
    let clock = ManualClock::new();
    let client = with_token(&server).clock(clock.clock()).build()?;
    let mut requests = 0;
    let first = [(0, 2, 1), (0, 1, 1), (999, 1, 1), (300, 2, 2)];
    // The next wait is twice as long, whatever the token endpoint says of its tokens.
    let second = [(0, 1, 2), (1999, 1, 2), (600, 2, 3), (3999, 1, 3)];
    for (passed, api, token) in [first, second].concat() {
        clock.advance(Duration::from_millis(passed));
        let status = client.get(server.url("/api")).send().await?.status();
        assert_eq!(status, 401);
        requests += api;
        assert_eq!(
            (server.count("/api"), server.count("/token")),
            (requests, token)
        );
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_body_that_cannot_be_sent_again_is_not() -> TestResult {
    let server = picky("Bearer t1", None);
    let client = with_token(&server).build()?;
    let response = client
        .post(server.url("/api"))
        .body(streaming_body(10))
        .send()
        .await?;
    assert_eq!(response.status(), 401);
    assert_eq!((server.count("/api"), server.count("/token")), (1, 0));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_renewal_that_fails_leaves_the_401() -> TestResult {
    let server = Server::start(|request: &Request| match &*request.path {
        "/token" => Reply::error(400, "invalid_grant"),
        _ => Reply::text(401, "no"),
    });
    let client = with_token(&server).build()?;
    let response = client.get(server.url("/api")).send().await?;
    assert_eq!(response.status(), 401);
    let text = response.text().await?;
    assert_eq!(text, "no");
    assert_eq!((server.count("/api"), server.count("/token")), (1, 1));
    assert_eq!(client.token().unwrap().access_token().expose_secret(), "t0");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_failing_hook_after_a_401_fails_no_request() -> TestResult {
    let server = picky("Bearer t1", None);
    let client = with_token(&server)
        .update_token(|_| Err("disk full".into()))
        .build()?;
    let status = client.get(server.url("/api")).send().await?.status();
    assert_eq!(status, 200);
    let error = client.refresh_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    Ok(())
}

#[maybe_async]
#[test]
async fn many_401s_make_one_renewal() -> TestResult {
    // All requests with the old token are there before any of them is answered.
    let (count, seen, gate) = (20, Arc::new(Mutex::new(0)), Gate::new());
    let arrivals = seen.clone();
    let server = Server::start(move |request: &Request| match &*request.path {
        "/token" => Reply::json(200, tokens(1, 600)),
        _ if request.header("authorization") == Some("Bearer t1") => Reply::text(200, ""),
        _ => {
            let mut arrived = arrivals.lock().unwrap();
            *arrived += 1;
            if *arrived == count {
                gate.open();
            }
            drop(arrived);
            gate.wait();
            Reply::text(401, "")
        }
    });
    let client = with_token(&server).build()?;
    let url = server.url("/api");
    let statuses = at_once(count, |_| {
        let (client, url) = (client.clone(), url.clone());
        async move {
            client
                .get(url)
                .send()
                .await
                .expect("an answer")
                .status()
                .as_u16()
        }
    })
    .await;
    assert_eq!(statuses, vec![200; count]);
    assert_eq!(server.count("/token"), 1);
    Ok(())
}
