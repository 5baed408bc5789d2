//! A service that acts for its callers: one exchanged token for each of their tokens.
//!
//! [RFC 8693](https://www.rfc-editor.org/rfc/rfc8693)

use oauth_twin::{
    ErrorCode, ErrorKind,
    oauth2::{TokenExchange, TokenTypeIdentifier},
};

use super::{test, token_store::Shelf, *};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A server that exchanges a token `x` for `x+<n>`, which lives for 400 seconds, and refuses `bad…`;
/// its API refuses all `…+1`.
fn exchanging() -> Server {
    let issued = AtomicUsize::new(0);
    Server::start(move |request: &Request| match &*request.path {
        "/token" => {
            let subject = request.parameter("subject_token").unwrap_or_default();
            if subject.is_empty() || subject.starts_with("bad") {
                return Reply::error(400, "invalid_grant");
            }
            let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
            let answer = json!({
                "access_token": format!("{subject}+{n}"), "token_type": "Bearer",
                "issued_token_type": ACCESS_TOKEN, "expires_in": 400,
                "refresh_token": format!("not to be used {n}"),
            });
            Reply::json(200, answer)
        }
        "/revoke" => Reply::text(200, ""),
        "/strict"
            if request
                .header("authorization")
                .is_some_and(|it| it.ends_with("+1")) =>
        {
            Reply::text(401, "").with("www-authenticate", "Bearer error=\"invalid_token\"")
        }
        _ => Reply::authorization_of(request),
    })
}

fn for_orders(subject: &str) -> TokenExchange {
    TokenExchange::of_token(&Token::new(subject)).audience("orders")
}

/// The header that the API gets from `client`.
#[maybe_async]
async fn header(client: &OAuth2Client, server: &Server) -> String {
    let response = client.get(server.url("/api")).send().await;
    let response = response.expect("a response");
    response.text().await.expect("a body")
}

#[maybe_async]
async fn expect(client: &OAuth2Client, server: &Server, expected: &str) {
    let header = header(client, server).await;
    assert_eq!(header, expected);
}

#[maybe_async]
#[test]
async fn each_caller_has_one_token_for_any_number_of_requests() -> TestResult {
    let server = exchanging();
    let client = builder(&server).build()?;
    for _ in 0..3 {
        for (subject, expected) in [
            ("a", "Bearer a+1"),
            ("b", "Bearer b+2"),
            ("c", "Bearer c+3"),
        ] {
            let child = client.for_exchange(for_orders(subject));
            expect(&child, &server, expected).await;
        }
    }
    assert_eq!(server.count("/token"), 3);
    let request = &server.requests("/token")[0];
    for (name, value) in [("subject_token_type", ACCESS_TOKEN), ("audience", "orders")] {
        assert_eq!(request.parameter(name).as_deref(), Some(value));
    }
    assert_eq!(client.token(), None, "the service itself has none");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_crowd_of_requests_makes_one_exchange_for_each_caller() -> TestResult {
    let server = Arc::new(exchanging());
    let client = builder(&server).build()?;
    let headers = at_once(32, |n| {
        let (client, server) = (client.clone(), server.clone());
        async move {
            let child = client.for_exchange(for_orders(["a", "b"][n % 2]));
            let header = header(&child, &server).await;
            (n % 2, header)
        }
    })
    .await;
    assert_eq!(server.count("/token"), 2);
    for (n, header) in headers {
        let expected = ["Bearer a+", "Bearer b+"][n];
        assert!(header.starts_with(expected), "{header}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn another_exchange_follows_when_it_expires_and_none_outlives_its_subject() -> TestResult {
    let (server, clock) = (exchanging(), ManualClock::new());
    let client = builder(&server).clock(clock.clock()).build()?;
    let subject = Token::new("a").with_expires_at(clock.now() + seconds(1000));
    let child = client.for_exchange(TokenExchange::of_token(&subject));
    expect(&child, &server, "Bearer a+1").await;
    clock.advance(seconds(401));
    expect(&child, &server, "Bearer a+2").await;
    clock.advance(seconds(401));
    expect(&child, &server, "Bearer a+3").await;
    let token = child.token().ok_or("no token")?;
    assert_eq!(token.expires_at(), subject.expires_at());
    let grants: Vec<_> = server.requests("/token");
    let grants = grants.iter().filter_map(|it| it.parameter("refresh_token"));
    assert_eq!(grants.count(), 0);
    // By hand as well.
    child.refresh_token().await?;
    expect(&child, &server, "Bearer a+4").await;
    Ok(())
}

#[maybe_async]
#[test]
async fn what_is_asked_for_tells_tokens_apart() -> TestResult {
    let server = exchanging();
    let client = builder(&server).build()?;
    let exchanges = || {
        let own = || TokenExchange::new("a", TokenTypeIdentifier::AccessToken);
        [
            own(),
            own().audience("x"),
            own().audience("y"),
            own().audience("x").audience("y"),
            own().resource("x"),
            own().scope("x"),
            own().param("more", "x"),
            own().actor("x", TokenTypeIdentifier::AccessToken),
            own().actor("y", TokenTypeIdentifier::AccessToken),
            own().actor("x", TokenTypeIdentifier::Jwt),
            own().requested_token_type(TokenTypeIdentifier::AccessToken),
            TokenExchange::new("a", TokenTypeIdentifier::Jwt),
            TokenExchange::new("a&audience=x", TokenTypeIdentifier::AccessToken),
        ]
    };
    let count = exchanges().len();
    for _ in 0..2 {
        for exchange in exchanges() {
            header(&client.for_exchange(exchange), &server).await;
        }
    }
    assert_eq!(server.count("/token"), count);
    Ok(())
}

#[maybe_async]
#[test]
async fn tokens_of_callers_who_are_gone_leave() -> TestResult {
    let (server, clock) = (exchanging(), ManualClock::new());
    let client = builder(&server)
        .clock(clock.clock())
        .user_idle_timeout(seconds(60))
        .max_idle_users(20)
        .build()?;
    let call = |subject: &str| client.for_exchange(for_orders(subject));
    header(&call("a"), &server).await;
    clock.advance(seconds(50));
    header(&call("a"), &server).await;
    clock.advance(seconds(50));
    header(&call("a"), &server).await;
    assert_eq!(server.count("/token"), 1, "it was in use");
    clock.advance(seconds(61));
    header(&call("a"), &server).await;
    assert_eq!(server.count("/token"), 2);
    // One that is held stays, and of many others only some.
    let held = call("a");
    for n in 0..200 {
        header(&call(&format!("s{n}")), &server).await;
    }
    let before = server.count("/token");
    for n in 0..200 {
        header(&call(&format!("s{n}")), &server).await;
    }
    let again = server.count("/token") - before;
    assert!(again >= 150, "{again}");
    expect(&held, &server, "Bearer a+2").await;
    Ok(())
}

#[maybe_async]
#[test]
async fn an_api_that_refuses_the_token_gets_another() -> TestResult {
    let server = exchanging();
    let client = builder(&server).build()?;
    let child = client.for_exchange(for_orders("a"));
    let response = child.get(server.url("/strict")).send().await?;
    let sent = response.text().await?;
    assert_eq!(sent, "Bearer a+2");
    assert_eq!(server.count("/token"), 2);
    let sent = server.requests("/token");
    assert!(
        sent.iter()
            .all(|it| it.parameter("subject_token").as_deref() == Some("a"))
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_caller_whose_token_is_not_taken_is_no_matter_of_the_others() -> TestResult {
    let server = exchanging();
    let client = builder(&server).token(Token::new("own")).build()?;
    let good = client.for_exchange(for_orders("a"));
    let bad = client.for_exchange(for_orders("bad"));
    header(&good, &server).await;
    for _ in 0..3 {
        let error = bad
            .get(server.url("/api"))
            .send()
            .await
            .expect_err("refused");
        assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
        assert!(error.needs_login());
        assert!(!format!("{error:?}").contains("bad"), "{error:?}");
    }
    assert_eq!(server.count("/token"), 2, "not for each request");
    assert_eq!(
        server.count("/api"),
        1,
        "never with another's token, or without one"
    );
    expect(&good, &server, "Bearer a+1").await;
    expect(&client, &server, "Bearer own").await;
    Ok(())
}

/// They can be had again.
#[maybe_async]
#[test]
async fn no_hook_and_no_store_gets_exchanged_tokens() -> TestResult {
    let (server, clock) = (exchanging(), ManualClock::new());
    let (updates, shelf) = (Updates::default(), Shelf::default());
    let client = builder(&server)
        .clock(clock.clock())
        .update_token(recording(&updates))
        .token_store(shelf.clone())
        .build()?;
    let child = client.for_exchange(for_orders("a"));
    for _ in 0..2 {
        header(&child, &server).await;
        clock.advance(seconds(401));
    }
    client.close().await?;
    assert_eq!(server.count("/token"), 2);
    assert!(updates.lock().expect("a lock").is_empty());
    assert_eq!(shelf.held(), "nothing");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_that_is_revoked_is_gone_for_all_who_share_it() -> TestResult {
    let server = exchanging();
    let client = builder(&server)
        .revocation_endpoint(server.url("/revoke"))
        .build()?;
    let [one, other] = [(), ()].map(|()| client.for_exchange(for_orders("a")));
    for child in [&one, &other] {
        expect(child, &server, "Bearer a+1").await;
    }
    one.revoke_token().await?;
    assert_eq!(server.count("/revoke"), 1);
    assert_eq!((one.token(), other.token()), (None, None));
    for child in [&other, &one, &client.for_exchange(for_orders("a"))] {
        expect(child, &server, "Bearer a+2").await;
    }
    // Closing one leaves the others.
    one.close().await?;
    expect(&other, &server, "Bearer a+2").await;
    Ok(())
}

#[maybe_async]
#[test]
async fn an_exchange_without_a_subject_of_its_own_is_an_error() -> TestResult {
    let server = exchanging();
    let client = builder(&server).build()?;
    let resource = OAuth2Client::for_resource(server.url("/mcp")).build()?;
    for (child, word) in [
        (client.for_exchange(TokenExchange::of_client()), "of_token"),
        (
            client.for_exchange(TokenExchange::of_id_token()),
            "of_token",
        ),
        (resource.for_exchange(for_orders("a")), "for a resource"),
    ] {
        let error = child.get(server.url("/api")).send().await.expect_err(word);
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains(word), "{error}");
    }
    let empty = client.for_exchange(TokenExchange::new("", TokenTypeIdentifier::Jwt));
    let obtained = empty.ensure_active_token().await;
    assert!(obtained.is_err());
    client.close().await?;
    let late = client.for_exchange(for_orders("a"));
    let error = late.ensure_active_token().await.expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert_eq!(server.requests_in_all(), 0);
    Ok(())
}

/// Whatever users are called.
#[maybe_async]
#[test]
async fn users_and_callers_do_not_meet() -> TestResult {
    let server = exchanging();
    let shelf = Shelf::default();
    let stores = shelf.clone();
    let client = builder(&server)
        .user_store(move |_: &oauth_twin::UserKey| stores.clone())
        .build()?;
    let child = client.for_exchange(for_orders("a"));
    header(&child, &server).await;
    for user in ["a", "subject_token=a", "orders"] {
        let error = client.for_user(user).ensure_active_token().await;
        let error = error.expect_err("not logged in");
        assert!(error.needs_login(), "{error}");
    }
    assert_eq!(server.count("/token"), 1);
    Ok(())
}
