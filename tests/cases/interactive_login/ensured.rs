//! Logins only where there is no token: of one program run again, and of many at once.

use super::{
    super::{test, token_store::Shelf},
    *,
};
use crate::support::{folder::Folder, gate::Gate};

/// A browser that logs the user in, and counts how often it is opened.
fn browser(shown: &Shown) -> (InteractiveLogin, Arc<AtomicUsize>) {
    let opened = Arc::new(AtomicUsize::new(0));
    let count = opened.clone();
    let login = shown.login(move |url| {
        count.fetch_add(1, Ordering::SeqCst);
        // Long enough for the others to come.
        std::thread::sleep(Duration::from_millis(500));
        visited(&callback(url, "c"));
    });
    (login, opened)
}

#[maybe_async]
#[test]
async fn the_next_run_needs_no_login() -> TestResult {
    let server = provider(600);
    let folder = Folder::new("ensure-login");
    let client = || {
        command_line(&server)
            .token_store(FileTokenStore::new(folder.file("token.json")))
            .build()
    };
    let shown = Shown::default();
    let (login, opened) = browser(&shown);
    let first = client()?;
    let token = first.ensure_login(login.clone()).await?;
    assert_eq!(access_token(&token), "t1");
    let answer = first.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(answer, "Bearer t1");
    first.close().await?;
    let token = client()?.ensure_login(login.clone()).await?;
    assert_eq!(access_token(&token), "t1");
    assert_eq!(
        (opened.load(Ordering::SeqCst), server.count("/token")),
        (1, 1)
    );
    // `login` logs in again.
    let second = client()?;
    second.login(login).await?;
    let token = client()?.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t2");
    Ok(())
}

/// A server that says `expires_in: 0` and has no refresh tokens says nothing about the lifetime.
#[maybe_async]
#[test]
async fn the_next_run_needs_no_login_for_a_lifetime_of_zero() -> TestResult {
    let server = Server::start(|request: &Request| match &*request.path {
        "/token" => Reply::json(
            200,
            serde_json::json!({"access_token": "t1", "expires_in": 0}),
        ),
        _ => Reply::authorization_of(request),
    });
    let folder = Folder::new("ensure-login-zero");
    let (login, opened) = browser(&Shown::default());
    for _ in 0..2 {
        let client = command_line(&server)
            .token_store(FileTokenStore::new(folder.file("token.json")))
            .build()?;
        client.ensure_login(login.clone()).await?;
        let answer = client.get(server.url("/api")).send().await?.text().await?;
        assert_eq!(answer, "Bearer t1");
        client.close().await?;
        assert_eq!(opened.load(Ordering::SeqCst), 1);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_that_can_be_renewed_needs_no_login() -> TestResult {
    let server = provider(600);
    let client = command_line(&server).token(expired_token()).build()?;
    let shown = Shown::default();
    let (login, opened) = browser(&shown);
    let token = client.ensure_login(login.clone()).await?;
    assert_eq!(access_token(&token), "t1");
    assert_eq!(opened.load(Ordering::SeqCst), 0);
    // What cannot is replaced, and a server that is down is no reason for a login.
    for (status, code, logins) in [(400, "invalid_grant", 1), (503, "server_error", 1)] {
        let server = Server::start(move |request: &Request| {
            match request.parameter("grant_type").as_deref() {
                Some("refresh_token") => Reply::error(status, code),
                _ => Reply::json(200, tokens(2, 600)),
            }
        });
        let client = command_line(&server).token(expired_token()).build()?;
        let token = client.ensure_login(login.clone()).await;
        assert_eq!(token.is_ok(), status == 400, "{token:?}");
        assert_eq!(opened.load(Ordering::SeqCst), logins, "{status}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn of_many_clients_that_start_at_once_one_opens_a_browser() -> TestResult {
    let server = Arc::new(provider(600));
    let folder = Arc::new(Folder::new("many-logins"));
    let shown = Shown::default();
    let (login, opened) = browser(&shown);
    let tokens = at_once(8, |_| {
        let (server, folder, login) = (server.clone(), folder.clone(), login.clone());
        async move {
            let client = command_line(&server)
                .token_store(FileTokenStore::new(folder.file("token.json")))
                .build()
                .unwrap();
            let token = client.ensure_login(login).await.unwrap();
            client.close().await.unwrap();
            access_token(&token).to_owned()
        }
    })
    .await;
    assert_eq!(tokens, ["t1"; 8]);
    assert_eq!(
        (opened.load(Ordering::SeqCst), server.count("/token")),
        (1, 1)
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn callers_of_one_client_without_a_store_share_one_login() -> TestResult {
    let server = provider(600);
    let client = command_line(&server).build()?;
    let shown = Shown::default();
    let (login, opened) = browser(&shown);
    let tokens = at_once(8, |_| {
        let (client, login) = (client.clone(), login.clone());
        async move {
            let token = client.ensure_login(login).await.unwrap();
            access_token(&token).to_owned()
        }
    })
    .await;
    assert_eq!(tokens, ["t1"; 8]);
    assert_eq!(
        (opened.load(Ordering::SeqCst), server.count("/token")),
        (1, 1)
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_wait_for_the_login_of_another_process_times_out() -> TestResult {
    let server = provider(600);
    let folder = Folder::new("waiting-login");
    let store = || FileTokenStore::new(folder.file("token.json"));
    let other = store().try_lease().unwrap().expect("a lease");
    let client = command_line(&server).token_store(store()).build()?;
    let shown = Shown::default();
    let (login, opened) = browser(&shown);
    let login = login.timeout(Duration::from_millis(700));
    let error = client.ensure_login(login).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Login);
    assert!(error.to_string().contains("another process"), "{error}");
    assert_eq!(opened.load(Ordering::SeqCst), 0);
    let waits = |prompt: &LoginPrompt| matches!(prompt, LoginPrompt::WaitingForOther { .. });
    assert!(shown.prompts().iter().any(waits));
    drop(other);
    Ok(())
}

/// A server that grants `granted`, and a browser that notes the scopes that are asked for.
fn granting(granted: Option<&'static str>) -> (Server, InteractiveLogin, Arc<Mutex<Vec<String>>>) {
    let server = Server::start(move |_: &Request| {
        let mut answer = tokens(1, 600);
        answer["scope"] = granted.into();
        Reply::json(200, answer)
    });
    let scopes = Arc::new(Mutex::new(Vec::new()));
    let noted = scopes.clone();
    let login = Shown::default().login(move |url| {
        let scope = asked(url).remove("scope").unwrap_or_default();
        noted.lock().unwrap().push(scope);
        visited(&callback(url, "c"));
    });
    (server, login, scopes)
}

fn token_for(scope: Option<&str>) -> Token {
    let token = serde_json::json!({"access_token": "t0", "expires_in": 600, "scope": scope});
    serde_json::from_value(token).unwrap()
}

#[maybe_async]
#[test]
async fn a_token_without_a_scope_that_is_asked_for_leads_to_one_login_for_both() -> TestResult {
    // The server grants less than it is asked for, or says nothing about it.
    for granted in [Some("read"), None] {
        let (server, login, scopes) = granting(granted);
        let folder = Folder::new(&format!("scopes-{}", granted.is_some()));
        let client = || {
            command_line(&server)
                .token_store(FileTokenStore::new(folder.file("token.json")))
                .build()
        };
        let first = client()?;
        let token = first.ensure_login(login.clone().scope("read")).await?;
        assert_eq!(access_token(&token), "t1");
        first.close().await?;
        for (scope, asked) in [
            ("read", None),
            ("write read", Some("write read")),
            // It was asked for before, and asking again changes nothing.
            ("write", None),
            ("read write", None),
            ("admin write", Some("admin write read")),
            ("admin", None),
            ("", None),
        ] {
            scopes.lock().unwrap().clear();
            let next = client()?;
            next.ensure_login(login.clone().scope(scope)).await?;
            next.close().await?;
            let found = scopes.lock().unwrap().clone();
            assert_eq!(
                found,
                asked.into_iter().collect::<Vec<_>>(),
                "{granted:?}: {scope}"
            );
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_of_an_unknown_scope_or_that_may_be_narrower_needs_no_login() -> TestResult {
    for (scope, accepts, is_asked) in [
        (Some("read"), false, true),
        (Some("read"), true, false),
        (Some("write read"), false, false),
        (None, false, false),
    ] {
        let (server, login, scopes) = granting(None);
        // The scope is the client's here.
        let client = command_line(&server).scope("read write");
        let client = client.token(token_for(scope)).build()?;
        let login = match accepts {
            true => login.accept_narrower_scope(),
            false => login,
        };
        let token = client.ensure_login(login).await?;
        let expected = if is_asked { "t1" } else { "t0" };
        assert_eq!(access_token(&token), expected, "{scope:?} {accepts}");
        let asked = scopes.lock().unwrap().clone();
        let expected: &[&str] = if is_asked { &["read write"] } else { &[] };
        assert_eq!(asked, expected, "{scope:?} {accepts}");
    }
    Ok(())
}

/// The token that is there stays in use, and is renewed by others, while the user takes their time.
#[maybe_async]
#[test]
async fn a_login_for_more_scope_holds_up_no_renewal() -> TestResult {
    let server = Server::start(move |request: &Request| {
        let is_renewal = request.parameter("grant_type").as_deref() == Some("refresh_token");
        Reply::json(200, tokens(if is_renewal { 1 } else { 2 }, 600))
    });
    let shelf = Shelf::with(token_for(Some("read")));
    let (gate, opened) = (Gate::new(), Arc::new(AtomicUsize::new(0)));
    let (held, count) = (gate.clone(), opened.clone());
    let login = Shown::default().login(move |url| {
        count.fetch_add(1, Ordering::SeqCst);
        held.wait();
        visited(&callback(url, "c"));
    });
    let client = |timeout| {
        command_line(&server)
            .token_store(shelf.clone())
            .timeout(timeout)
            .build()
    };
    let asking = client(seconds(30))?;
    let login = login.scope("read write");
    let user = spawn(move || async move { asking.ensure_login(login).await });
    until(|| opened.load(Ordering::SeqCst) == 1).await;
    // It expires, and another process needs it.
    shelf.put(Some(expired_token()));
    let renewed = client(seconds(5))?.ensure_active_token().await?;
    assert_eq!(access_token(&renewed), "t1");
    gate.open();
    let token = user.join().await?;
    assert_eq!(access_token(&token), "t2");
    assert!(shelf.held().ends_with(":t2"), "{}", shelf.held());
    Ok(())
}
