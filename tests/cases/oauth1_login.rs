//! OAuth 1.0: the three steps, by a script and by a web back end.

use std::sync::Mutex;

use oauth_twin::{
    ErrorCode, ErrorKind,
    oauth1::{SignatureMethod, TemporaryCredentials, TokenCredentials},
};

use super::{
    oauth1_requests::{PLACEMENTS, found},
    test, *,
};

/// An OAuth 1.0 provider. The n-th temporary credentials are `p<n>` with the secret `ps<n>`, the
/// verifier for them is `v<n>`, and the token credentials that they are exchanged for are `t<n>`
/// with the secret `ts<n>`. Requests with a wrong signature are refused.
pub fn oauth1_provider() -> Server {
    let begun = AtomicUsize::new(0);
    let nonces = Mutex::new(Vec::new());
    Server::start(move |request: &Request| {
        let n = |text: &str| text.trim_start_matches(char::is_alphabetic).to_owned();
        let found = found(request, |token| match token {
            None => String::new(),
            Some(token) if token.starts_with('p') => format!("ps{}", n(token)),
            Some(token) => format!("ts{}", n(token)),
        });
        let Some(found) = found else {
            return Reply::text(401, "oauth_problem=parameter_absent");
        };
        if !found.verified {
            return Reply::text(401, "oauth_problem=signature_invalid");
        }
        let nonce = found.own("oauth_nonce").map(str::to_owned);
        let mut nonces = nonces.lock().unwrap();
        if nonces.contains(&nonce) {
            return Reply::text(401, "oauth_problem=nonce_used");
        }
        nonces.push(nonce);
        match &*request.path {
            "/request_token" => {
                let n = begun.fetch_add(1, Ordering::SeqCst) + 1;
                Reply::text(
                    200,
                    format!(
                        "oauth_token=p{n}&oauth_token_secret=ps{n}&oauth_callback_confirmed=true"
                    ),
                )
            }
            "/access_token" => {
                let token = found.own("oauth_token").unwrap_or_default();
                let n = n(token);
                let renews = found.own("oauth_session_handle") == Some(&format!("h{n}"));
                if found.own("oauth_verifier") != Some(&format!("v{n}")) && !renews {
                    return Reply::text(
                        401,
                        "oauth_problem=verifier_invalid&oauth_problem_advice=Begin+again",
                    );
                }
                let renewed = if renews { "0" } else { "" };
                Reply::json(
                    200,
                    json!({
                        "oauth_token": format!("t{n}{renewed}"),
                        "oauth_token_secret": format!("ts{n}{renewed}"),
                        "oauth_session_handle": format!("h{n}"), "user_id": 7,
                    }),
                )
            }
            _ => Reply::text(200, found.own("oauth_token").unwrap_or("nobody")),
        }
    })
}

/// A client of it.
pub fn oauth1_builder(server: &Server) -> OAuth1ClientBuilder {
    OAuth1Client::builder("key")
        .client_secret("secret")
        .request_token_endpoint(server.url("/request_token"))
        .authorization_endpoint(server.url("/authorize?perms=read"))
        .access_token_endpoint(server.url("/access_token"))
        .redirect_uri("https://photos.example/ready?a=%20b")
}

#[maybe_async]
#[test]
async fn a_script_keeps_the_credentials() -> TestResult {
    let server = oauth1_provider();
    let client = oauth1_builder(&server).build()?;
    assert_eq!(client.token(), None);
    client.fetch_request_token().await?;
    assert_eq!(
        client.create_authorization_url()?.as_str(),
        server.url("/authorize?perms=read&oauth_token=p1")
    );
    client.parse_authorization_response(
        "https://photos.example/ready?a=%20b&oauth_token=p1&oauth_verifier=v1",
    )?;
    let token = client.fetch_access_token().await?;
    assert_eq!(token.token().expose_secret(), "t1");
    assert_eq!(token.get("user_id"), Some(&json!(7)));
    assert_eq!(client.token(), Some(token));
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "t1");

    // Each parameter goes where RFC 5849 section 2 has it, and nowhere else.
    let own = |path: &str, name: &str| {
        let request = &server.requests(path)[0];
        let found = found(request, |_| String::new()).unwrap();
        found.own(name).map(str::to_owned)
    };
    assert_eq!(
        own("/request_token", "oauth_callback").as_deref(),
        Some("https://photos.example/ready?a=%20b")
    );
    assert_eq!(own("/access_token", "oauth_callback"), None);
    assert_eq!(own("/api", "oauth_callback"), None);
    assert_eq!(own("/request_token", "oauth_verifier"), None);
    assert_eq!(
        own("/access_token", "oauth_verifier").as_deref(),
        Some("v1")
    );
    assert_eq!(own("/api", "oauth_verifier"), None);
    assert_eq!(own("/request_token", "oauth_token"), None);
    let requests = server.requests("/request_token");
    assert_eq!(requests[0].method, "POST");
    assert!(requests[0].body.is_empty());
    Ok(())
}

#[maybe_async]
#[test]
async fn a_verifier_is_typed() -> TestResult {
    let server = oauth1_provider();
    // It defaults to `oob`.
    let client = OAuth1Client::builder("key")
        .client_secret("secret")
        .request_token_endpoint(server.url("/request_token"))
        .access_token_endpoint(server.url("/access_token"))
        .build()?;
    client.fetch_request_token().await?;
    let sent = found(&server.requests("/request_token")[0], |_| String::new()).unwrap();
    assert_eq!(sent.own("oauth_callback"), Some("oob"));
    client.set_verifier(" \n").unwrap_err();
    client.set_verifier(" v1\n")?;
    let token = client.fetch_access_token().await?;
    assert_eq!(token.token().expose_secret(), "t1");
    Ok(())
}

#[maybe_async]
#[test]
async fn overlapping_oauth1_logins_on_one_client_are_independent() -> TestResult {
    let server = oauth1_provider();
    for placement in PLACEMENTS {
        let client = oauth1_builder(&server).signature_type(placement).build()?;
        let alice = client.request_temporary_credentials().await?;
        let bob = client.request_temporary_credentials().await?;
        let tokens = [&alice, &bob].map(|user| user.token().expose_secret().to_owned());
        assert_ne!(tokens[0], tokens[1]);
        assert!(
            client
                .authorization_url(&bob)?
                .as_str()
                .ends_with(&format!("&oauth_token={}", tokens[1]))
        );
        // They are kept in the sessions of two users, in another process perhaps.
        let stored = serde_json::to_string(&alice)?;
        let alice: TemporaryCredentials = serde_json::from_str(&stored)?;
        let callback = |token: &str| {
            let n = &token[1..];
            format!("https://photos.example/ready?oauth_token=p{n}&oauth_verifier=v{n}")
        };
        let bob = bob.authorization_response(&callback(&tokens[1]))?;
        let bob = client.exchange(bob).await?;
        let alice = alice.authorization_response(&callback(&tokens[0]))?;
        let alice = client.exchange(alice).await?;
        assert_eq!(client.token(), None, "the client keeps nothing");
        for (credentials, token) in [(alice, &tokens[0]), (bob, &tokens[1])] {
            let child = client.for_token(credentials);
            let text = child.post(server.url("/api")).send().await?.text().await?;
            assert_eq!(text[1..], token[1..]);
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn the_callback_of_another_login_changes_nothing() -> TestResult {
    let server = oauth1_provider();
    let client = oauth1_builder(&server).build()?;
    client.fetch_request_token().await?;
    for callback in [
        "https://photos.example/ready?oauth_token=p2&oauth_verifier=v2",
        "https://photos.example/ready?oauth_verifier=v1",
        "https://photos.example/ready?oauth_token=p1",
        "oauth_token=p1&oauth_token=p1&oauth_verifier=v1",
        "",
    ] {
        let error = client.parse_authorization_response(callback).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Answer, "{callback}");
        let error = client.fetch_access_token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
    assert_eq!(server.count("/access_token"), 0, "nothing is sent");
    client.parse_authorization_response("oauth_token=p1&oauth_verifier=v1")?;
    client.fetch_access_token().await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_user_who_refuses_is_the_server_s_error() -> TestResult {
    let server = oauth1_provider();
    let client = oauth1_builder(&server).build()?;
    for (n, callback) in [
        (1, "denied=p1"),
        (2, "oauth_token=p2&oauth_problem=user_refused"),
    ] {
        client.fetch_request_token().await?;
        assert_eq!(server.count("/request_token"), n);
        let error = client.parse_authorization_response(callback).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        let error = client.set_verifier("v").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "the login has ended");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn steps_that_are_missing_are_named() -> TestResult {
    let server = oauth1_provider();
    let client = oauth1_builder(&server).build()?;
    let say = |error: oauth_twin::Error| {
        assert_eq!(error.kind(), ErrorKind::Usage);
        error.to_string()
    };
    assert!(say(client.create_authorization_url().unwrap_err()).contains("fetch_request_token"));
    assert!(say(client.set_verifier("v").unwrap_err()).contains("fetch_request_token"));
    let error = client.fetch_access_token().await.unwrap_err();
    assert!(say(error).contains("set_verifier"));
    let error = client.refresh_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Token);

    let bare = OAuth1Client::builder("key").build()?;
    let error = bare.request_temporary_credentials().await.unwrap_err();
    assert!(say(error).contains("request_token_endpoint"));
    let temporary = TemporaryCredentials::new("p1", "ps1");
    assert!(
        say(bare.authorization_url(&temporary).unwrap_err()).contains("authorization_endpoint")
    );
    let error = bare.exchange(temporary.verifier("v1")?).await.unwrap_err();
    assert!(say(error).contains("access_token_endpoint"));
    assert_eq!(server.requests_in_all(), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_wrong_verifier_or_secret_is_the_server_s_error() -> TestResult {
    let server = oauth1_provider();
    let client = oauth1_builder(&server).build()?;
    let temporary = client.request_temporary_credentials().await?;
    let error = client
        .exchange(temporary.verifier("guess")?)
        .await
        .unwrap_err();
    assert_eq!(
        error.code(),
        Some(&ErrorCode::Other("verifier_invalid".into()))
    );
    assert_eq!(error.status().map(|status| status.as_u16()), Some(401));
    assert_eq!(
        error.response().and_then(|response| response.description()),
        Some("Begin again")
    );
    let forger = oauth1_builder(&server).client_secret("hunter2").build()?;
    let error = forger.request_temporary_credentials().await.unwrap_err();
    assert_eq!(
        error.code(),
        Some(&ErrorCode::Other("signature_invalid".into()))
    );
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    assert_eq!(
        server.count("/access_token"),
        1,
        "no verifier is sent twice"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn answers_that_are_no_credentials_keep_the_old_ones() -> TestResult {
    for (status, body, kind) in [
        (
            200,
            "oauth_token=a&oauth_token_secret=hunter2",
            ErrorKind::Answer,
        ),
        (
            200,
            "oauth_token=a&oauth_token_secret=hunter2&oauth_callback_confirmed=false",
            ErrorKind::Answer,
        ),
        (
            200,
            "oauth_token_secret=hunter2&oauth_callback_confirmed=true",
            ErrorKind::Answer,
        ),
        (
            200,
            "oauth_token=a&oauth_token=b&oauth_token_secret=hunter2&oauth_callback_confirmed=true",
            ErrorKind::Answer,
        ),
        (200, "<html>hunter2</html>", ErrorKind::Answer),
        (200, "{\"oauth_token\": \"hunter2\"", ErrorKind::Answer),
        (200, "", ErrorKind::Answer),
        (302, "", ErrorKind::Answer),
        (401, "<html>hunter2</html>", ErrorKind::Server),
        (500, "hunter2", ErrorKind::Server),
        (
            200,
            "oauth_problem=consumer_key_rejected",
            ErrorKind::Server,
        ),
    ] {
        let server = Server::start(move |_: &Request| {
            Reply::text(status, body).with("location", "/elsewhere")
        });
        let kept = TokenCredentials::new("t0", "ts0");
        let client = oauth1_builder(&server).token(kept.clone()).build()?;
        let error = client.fetch_request_token().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}: {error}");
        assert!(
            !format!("{error} {error:?}").contains("hunter2"),
            "{error:?}"
        );
        assert_eq!(
            server.requests_in_all(),
            1,
            "asked once, no redirect followed"
        );
        assert_eq!(client.token().as_deref(), Some(&kept));
        client.create_authorization_url().unwrap_err();
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn an_answer_without_end_is_cut_off() -> TestResult {
    let server = Server::start(|_: &Request| Reply::text(200, vec![b'a'; 2 * 1024 * 1024]));
    let client = oauth1_builder(&server).build()?;
    let error = client.fetch_request_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer);
    assert!(error.to_string().contains("1 MiB"), "{error}");

    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |_: &Request| {
        held.wait();
        Reply::text(200, "")
    });
    let client = oauth1_builder(&server)
        .timeout(std::time::Duration::from_millis(100))
        .build()?;
    let error = client.fetch_request_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert!(error.outcome_unknown());
    gate.open();
    Ok(())
}

#[maybe_async]
#[test]
async fn a_verifier_that_was_not_sent_is_not_spent() -> TestResult {
    let server = oauth1_provider();
    let closed = ClosedPort::new();
    let client = oauth1_builder(&server)
        .access_token_endpoint(format!("http://{}/access_token", closed.address()))
        .build()?;
    client.fetch_request_token().await?;
    client.set_verifier("v1")?;
    for _ in 0..2 {
        let error = client.fetch_access_token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_session_handle_renews() -> TestResult {
    let server = oauth1_provider();
    let client = oauth1_builder(&server).build()?;
    let temporary = client.request_temporary_credentials().await?;
    let credentials = client.exchange(temporary.verifier("v1")?).await?;
    let child = client.for_token(credentials);
    let renewed = child.refresh_token().await?;
    assert_eq!(renewed.token().expose_secret(), "t10");
    assert_eq!(
        renewed
            .session_handle()
            .map(|handle| handle.expose_secret()),
        Some("h1")
    );
    assert_eq!(child.token(), Some(renewed));
    let text = child.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "t10");
    let sent = found(&server.requests("/api")[0], |_| String::new()).unwrap();
    assert_eq!(sent.own("oauth_session_handle"), None);

    let without = client.for_token(TokenCredentials::new("t1", "ts1"));
    let error = without.refresh_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Token);
    Ok(())
}

#[maybe_async]
#[test]
async fn after_close_every_call_of_every_clone_fails() -> TestResult {
    let server = oauth1_provider();
    let client = oauth1_builder(&server).build()?;
    let child = client.for_token(TokenCredentials::new("t1", "ts1"));
    let clone = client.clone();
    let temporary = client.request_temporary_credentials().await?;
    let request = clone.get(server.url("/api"));
    client.close().await?;
    client.close().await?;
    let verified = TemporaryCredentials::new("p1", "ps1").verifier("v1")?;
    let orphan = clone.for_token(TokenCredentials::new("t1", "ts1"));
    for error in [
        request.send().await.map(drop).unwrap_err(),
        orphan
            .get(server.url("/api"))
            .send()
            .await
            .map(drop)
            .unwrap_err(),
        clone.fetch_request_token().await.unwrap_err(),
        clone
            .request_temporary_credentials()
            .await
            .map(drop)
            .unwrap_err(),
        clone.exchange(verified).await.map(drop).unwrap_err(),
        clone.fetch_access_token().await.map(drop).unwrap_err(),
        clone.refresh_token().await.map(drop).unwrap_err(),
        clone.create_authorization_url().map(drop).unwrap_err(),
        clone.authorization_url(&temporary).map(drop).unwrap_err(),
        clone.parse_authorization_response("").unwrap_err(),
        clone.set_verifier("v1").unwrap_err(),
        clone
            .set_token(TokenCredentials::new("a", "b"))
            .unwrap_err(),
        clone
            .authorize(&mut http::Request::new(
                oauth_twin::reqwest::Method::GET,
                server.url("/api").parse()?,
            ))
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    }
    assert_eq!(clone.token(), None);
    assert_eq!(format!("{clone:?}"), format!("{OAUTH1_CLIENT}(Closed)"));
    let text = child.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "t1", "a child outlives its parent");
    Ok(())
}

#[maybe_async]
#[test]
async fn connections_end_with_the_client() -> TestResult {
    let server = oauth1_provider();
    let client = oauth1_builder(&server).build()?;
    client.get(server.url("/api")).send().await?.text().await?;
    assert!(server.connections() > 0);
    client.close().await?;
    until(|| server.connections() == 0).await;
    let client = oauth1_builder(&server).build()?;
    client.get(server.url("/api")).send().await?.text().await?;
    drop(client);
    until(|| server.connections() == 0).await;
    Ok(())
}

#[maybe_async]
#[test]
async fn no_secret_is_printed() -> TestResult {
    let server = oauth1_provider();
    let builder = oauth1_builder(&server)
        .client_secret("hunter2")
        .token(TokenCredentials::new("hunter2", "hunter2").with_session_handle("hunter2"))
        .signature_method(SignatureMethod::Plaintext);
    let printed = format!("{builder:?}");
    assert!(!printed.contains("hunter2"), "{printed}");
    let client = builder.build()?;
    let request = client.get(server.url("/?a=hunter2"));
    let printed = format!("{client:?} {request:?}");
    assert!(!printed.contains("hunter2"), "{printed}");
    assert_eq!(
        format!("{client:?}"),
        format!(
            "{OAUTH1_CLIENT}(Open {{ client_key: \"key\", token: Some(TokenCredentials {{ \
             token: [redacted], token_secret: [redacted], other members: [] }}), .. }})"
        )
    );
    Ok(())
}

/// A caller that is dropped: a verifier is valid for one request, so the response
/// is kept.
#[maybe_async]
#[test]
async fn credentials_are_kept_though_the_answer_is_slow() -> TestResult {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request: &Request| {
        if request.path == "/access_token" {
            held.wait();
            return Reply::text(200, "oauth_token=t1&oauth_token_secret=ts1");
        }
        Reply::text(
            200,
            "oauth_token=p1&oauth_token_secret=ps1&oauth_callback_confirmed=true",
        )
    });
    let client = oauth1_builder(&server).build()?;
    client.fetch_request_token().await?;
    client.set_verifier("v1")?;
    let fetching = client.clone();
    let fetch = spawn(move || async move { fetching.fetch_access_token().await });
    run_blocking(server.arrivals("/access_token", 1)).await;
    let error = client.fetch_access_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "a verifier is sent once");
    gate.open();
    fetch.join().await?;
    assert_eq!(client.token().unwrap().token().expose_secret(), "t1");
    assert_eq!(server.count("/access_token"), 1);
    Ok(())
}

/// A client with credentials that can be renewed, of a server that answers when the gate opens.
fn renewable(gate: &Gate) -> Result<(Server, OAuth1Client), Error> {
    let held = gate.clone();
    let server = Server::start(move |_: &Request| {
        held.wait();
        Reply::text(
            200,
            "oauth_token=t2&oauth_token_secret=ts2&oauth_session_handle=h2",
        )
    });
    let client = oauth1_builder(&server).build()?;
    client.set_token(TokenCredentials::new("t1", "ts1").with_session_handle("h1"))?;
    Ok((server, client))
}

#[maybe_async]
#[test]
async fn a_renewal_replaces_no_credentials_that_were_set_meanwhile() -> TestResult {
    let gate = Gate::new();
    let (server, client) = renewable(&gate)?;
    let renewing = client.clone();
    let renewal = spawn(move || async move { renewing.refresh_token().await });
    run_blocking(server.arrivals("/access_token", 1)).await;
    let other = TokenCredentials::new("b1", "bs1").with_session_handle("hb1");
    client.set_token(other.clone())?;
    gate.open();
    let renewed = renewal.join().await?;
    assert_eq!(renewed.token().expose_secret(), "t2", "its caller gets it");
    assert_eq!(client.token().as_deref(), Some(&other));
    // They have a renewal of their own.
    client.refresh_token().await?;
    let sent = found(&server.requests("/access_token")[1], |_| String::new()).unwrap();
    assert_eq!(sent.own("oauth_session_handle"), Some("hb1"));
    assert_eq!(client.token().unwrap().token().expose_secret(), "t2");
    Ok(())
}

#[maybe_async]
#[test]
async fn callers_share_a_renewal_of_credentials() -> TestResult {
    let gate = Gate::new();
    let (server, client) = renewable(&gate)?;
    let begun = Arc::new(AtomicUsize::new(0));
    let (callers, counter) = (client.clone(), begun.clone());
    let renewals = spawn(move || async move {
        at_once(4, |_| {
            let (client, begun) = (callers.clone(), counter.clone());
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                client.refresh_token().await
            }
        })
        .await
    });
    until(|| begun.load(Ordering::SeqCst) == 4 && server.count("/access_token") > 0).await;
    // The last of them joins within this time.
    sleep(Duration::from_millis(300)).await;
    gate.open();
    for renewed in renewals.join().await {
        assert_eq!(renewed?.token().expose_secret(), "t2");
    }
    assert_eq!(server.count("/access_token"), 1, "a handle is sent once");
    // Another renewal is a request of its own.
    client.refresh_token().await?;
    let sent = found(&server.requests("/access_token")[1], |_| String::new()).unwrap();
    assert_eq!(sent.own("oauth_session_handle"), Some("h2"));
    Ok(())
}

#[cfg(any(
    feature = "rustls",
    feature = "rustls-aws-lc-rs",
    feature = "native-tls"
))]
#[maybe_async]
#[test]
async fn a_verifier_that_was_not_sent_replaces_no_login_that_was_begun_meanwhile() -> TestResult {
    let server = oauth1_provider();
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    // It never speaks TLS.
    let silent = format!("https://{}/access_token", listener.local_addr()?);
    let client = oauth1_builder(&server)
        .access_token_endpoint(silent)
        .build()?;
    client.fetch_request_token().await?;
    client.set_verifier("v1")?;
    let fetching = client.clone();
    let fetch = spawn(move || async move { fetching.fetch_access_token().await });
    let (connection, _) = run_blocking(move || listener.accept()).await?;
    client.fetch_request_token().await?;
    drop(connection);
    let error = fetch.join().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
    let url = client.create_authorization_url()?;
    assert!(url.as_str().ends_with("&oauth_token=p2"), "{url}");
    Ok(())
}
