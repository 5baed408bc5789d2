//! Invalid requests, responses and files.

use oauth_twin::oauth2::TokenPlacement;

use super::{test, *};

/// A request with an `Authorization` header of the caller's own, in each placement.
#[maybe_async]
#[test]
async fn a_token_is_never_put_beside_the_caller_s_own_authorization() -> TestResult {
    use TokenPlacement::{Body, Header, Query};
    for placement in [Header, Query, Body] {
        let server = provider(600);
        let client = builder(&server)
            .token(Token::new("t0"))
            .token_placement(placement)
            .build()?;
        let url = server.url("/api");
        let mut with_user = oauth_twin::reqwest::Url::parse(&url)?;
        with_user.set_username("user").expect("a host");
        let requests = [
            client.post(&url).header("authorization", "Custom mine"),
            client.post(&url).header("Authorization", ""),
            client.post(&url).header("authorization", "Bearer mine"),
            client.post(with_user),
        ];
        for request in requests {
            let error = request.form(&[("a", "b")]).send().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{placement:?}");
            assert!(
                error.to_string().contains("Authorization header"),
                "{error}"
            );
        }
        let method = oauth_twin::reqwest::Method::POST;
        let mut request = http::Request::new(method, url.parse()?);
        let mine = "Custom mine".parse()?;
        request.headers_mut().insert("authorization", mine);
        let error = client.authorize(&mut request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{placement:?}");
        assert_eq!(
            (request.url().query(), request.body().is_none()),
            (None, true)
        );
        assert_eq!(server.requests_in_all(), 0, "{placement:?}");
    }
    Ok(())
}

/// Answers with `"scope": ""`, with a scope and without, each followed by a refresh.
#[maybe_async]
#[test]
async fn an_empty_scope_is_none_and_a_refresh_sends_none() -> TestResult {
    for (scope, granted) in [(Some(""), None), (Some("a b"), Some("a b")), (None, None)] {
        let server = Server::start(move |_: &Request| {
            let mut answer = tokens(1, 600);
            if let Some(scope) = scope {
                answer["scope"] = scope.into();
            }
            Reply::json(200, answer)
        });
        let client = builder(&server).build()?;
        let token = client.fetch_token(ClientCredentials::new()).await?;
        assert_eq!(token.scope(), granted);
        for _ in 0..2 {
            let token = client.refresh_token().await?;
            assert_eq!(token.scope(), granted);
        }
        for request in &server.requests("/token")[1..] {
            let parameters = (
                request.parameter("refresh_token"),
                request.parameter("scope"),
            );
            assert_eq!(parameters, (Some("r1".into()), None), "{scope:?}");
        }
    }
    Ok(())
}

/// The path of a `FileTokenStore` is a FIFO, which nobody writes to.
#[cfg(unix)]
#[maybe_async]
#[test]
async fn a_store_on_a_fifo_is_an_error_at_once() -> TestResult {
    let folder = support::folder::Folder::new("fifo");
    let path = folder.file("token.json");
    let made = std::process::Command::new("mkfifo").arg(&path).status()?;
    assert!(made.success());
    // Lets go whoever waits for a writer at the end, so that this fails and does not hang.
    let _writer = Writer(path.clone());
    let server = provider(600);
    let client = with_credentials(&server)
        .token_store(FileTokenStore::new(&path))
        .build()?;
    let begun = Instant::now();
    let outcome = client.ensure_active_token().await;
    // A call of the store may last for ten seconds.
    assert_within(seconds(8), begun);
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(!error.is_transient(), "it is not the time that it took");
    let source = cause(&error);
    assert!(source.contains("token.json"), "{source}");
    assert_eq!(server.count("/token"), 0);
    client.close().await?;
    Ok(())
}

/// Guard that opens a FIFO for writing when it is dropped.
#[cfg(unix)]
struct Writer(std::path::PathBuf);

#[cfg(unix)]
impl Drop for Writer {
    fn drop(&mut self) {
        let mut options = std::fs::OpenOptions::new();
        drop(options.read(true).write(true).open(&self.0));
    }
}

/// An answer whose access token has a line break, while the old token is still valid.
#[maybe_async]
#[test]
async fn a_token_that_no_header_can_carry_replaces_nothing() -> TestResult {
    let issued = AtomicUsize::new(0);
    let server = Server::start(move |request: &Request| match &*request.path {
        "/token" => {
            let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
            let mut answer = tokens(n, 600);
            if n == 1 {
                answer["access_token"] = "t1\nX-Injected: yes".into();
            }
            Reply::json(200, answer)
        }
        _ => Reply::authorization_of(request),
    });
    let (clock, updates) = (ManualClock::new(), Updates::default());
    let shelf = Shelf::with(first_token(&clock, 600));
    let client = builder(&server)
        .token_store(shelf.clone())
        .clock(clock.clock())
        .update_token(recording(&updates))
        .build()?;
    let error = client.refresh_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer);
    assert!(!format!("{error} {error:?}").contains("X-Injected"));
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer t0");
    // The refresh token that came with it is all that is left of the login.
    let kept = |token: &Token| {
        let refresh_token = token.refresh_token().map(|token| token.expose_secret());
        format!("{} {}", access_token(token), refresh_token.unwrap_or("-"))
    };
    let stored = shelf.load().await.expect("a store").expect("a row");
    assert_eq!(kept(&client.token().expect("a token")), "t0 r1");
    assert_eq!(kept(&stored.token.expect("a token")), "t0 r1");
    let told: Vec<_> = updates
        .lock()
        .unwrap()
        .iter()
        .map(|u| kept(&u.token))
        .collect();
    assert_eq!(told, ["t0 r1"]);

    clock.advance(seconds(2));
    client.refresh_token().await?;
    let sent = server.requests("/token")[1].parameter("refresh_token");
    assert_eq!((sent.as_deref(), &*in_use(&client)), (Some("r1"), "t2"));
    Ok(())
}
