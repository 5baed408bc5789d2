//! Logins of clients that their server may not know any longer.

use std::sync::atomic::AtomicBool;

use oauth_twin::StoredToken;
use support::folder::Folder;

use super::{
    super::{
        protected_resource::{World, for_resource},
        registered_anew::{Registrar, clients, metadata, unregistered},
        test,
    },
    *,
};

/// A user whose server shows an error page to the clients with these identifiers, and logs in the
/// others; and what was asked for.
fn user(dead: &'static [&'static str]) -> (Shown, InteractiveLogin) {
    let shown = Shown::default();
    let login = shown.login(move |url| {
        if !dead.contains(&&*asked(url)["client_id"]) {
            visited(&callback(url, "c"));
        }
    });
    (shown, login.timeout(Duration::from_millis(1000)))
}

/// The clients whose logins were begun.
fn begun(shown: &Shown) -> Vec<String> {
    let prompts = shown.prompts();
    let urls = prompts.iter().filter_map(|prompt| match prompt {
        LoginPrompt::Browser { url, .. } => Some(url),
        _ => None,
    });
    urls.map(|url| asked(url)["client_id"].clone()).collect()
}

/// A store with a registration of an earlier run, `c1`.
#[maybe_async]
async fn registered_before(server: &Server, folder: &Folder) -> FileTokenStore {
    let store = FileTokenStore::new(folder.file("token.json"));
    let builder = unregistered(server).token_store(store.clone());
    let _ = builder.register(metadata()).await.expect("registered");
    store
}

#[maybe_async]
#[test]
async fn a_login_without_a_callback_registers_again_where_the_program_says_so() -> TestResult {
    for (says_so, begun_with, registrations) in [(true, &["c1", "c2"][..], 2), (false, &["c1"], 1)]
    {
        for ensures in [true, false] {
            let server = Registrar::default().start();
            let folder = Folder::new("dead-page");
            let store = registered_before(&server, &folder).await;
            // Of the old client, and of no use.
            let stored = store.replace(&StoredToken::new(Some(Token::new("t0")), 1));
            assert!(stored.is_ok_and(|stored| stored));
            let builder = unregistered(&server).token_store(store.clone());
            let mut builder = builder.register(metadata()).await?;
            if says_so {
                builder = builder.register_again_without_callback();
            }
            let client = builder.build()?;
            client.set_token(expired_token())?;
            let (shown, login) = user(&["c1"]);
            let outcome = match ensures {
                true => {
                    // The refresh token is refused first.
                    client.set_token(Token::new("t0").with_expires_at(UNIX_EPOCH))?;
                    client.ensure_login(login).await
                }
                false => client.login(login).await.map(|login| login.token),
            };
            assert_eq!(begun(&shown), begun_with);
            assert_eq!(server.count("/register"), registrations);
            if says_so {
                assert_eq!(access_token(&outcome?), "t1");
                assert_eq!(clients(&server), ["c2"]);
                let stored = store
                    .read()
                    .expect("readable")
                    .and_then(|stored| stored.token);
                assert_eq!(stored.as_ref().map(access_token), Some("t1"));
            } else {
                let error = outcome.expect_err("no callback");
                assert_eq!(error.kind(), ErrorKind::Login);
                for word in [
                    "c1",
                    "forget_registration",
                    "register_again_without_callback",
                ] {
                    assert!(error.to_string().contains(word), "{error}");
                }
            }
            client.close().await?;
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn it_is_done_once() -> TestResult {
    let server = Registrar::default().start();
    let folder = Folder::new("dead-pages");
    let store = registered_before(&server, &folder).await;
    let builder = unregistered(&server).token_store(store);
    let builder = builder.register(metadata()).await?;
    let client = builder.register_again_without_callback().build()?;
    let (shown, login) = user(&["c1", "c2", "c3"]);
    for _ in 0..3 {
        let error = client.login(login.clone()).await.expect_err("no callback");
        assert!(error.to_string().contains("the client c2"), "{error}");
    }
    assert_eq!(begun(&shown), ["c1", "c2", "c2", "c2"]);
    assert_eq!(server.count("/register"), 2);
    // A registration that was made a moment ago is not replaced at all.
    let builder = unregistered(&server).register(metadata()).await?;
    let client = builder.register_again_without_callback().build()?;
    let (shown, login) = user(&["c3"]);
    let login = client.login(login).await;
    assert!(login.is_err());
    assert_eq!(begun(&shown), ["c3"]);
    assert_eq!(server.count("/register"), 3);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_callback_with_an_error_or_a_usable_token_keeps_the_registration() -> TestResult {
    let server = Registrar::default().start();
    let folder = Folder::new("no-dead-page");
    let store = registered_before(&server, &folder).await;
    let builder = || unregistered(&server).token_store(store.clone());
    let builder = builder().register(metadata()).await?;
    let client = builder.register_again_without_callback().build()?;
    for code in ["access_denied", "invalid_scope", "unauthorized_client"] {
        let shown = Shown::default();
        let login = shown.login(move |url| {
            let mut refused = callback(url, "");
            let state = asked(url)["state"].clone();
            refused.set_query(Some(&format!("error={code}&state={state}")));
            visited(&refused);
        });
        let error = client.login(login).await.expect_err("refused");
        assert_eq!(error.code().map(|code| code.as_str()), Some(code));
        assert_eq!(begun(&shown), ["c1"]);
    }
    // On another device there is no callback in any case.
    client.set_token(Token::new("usable"))?;
    let (shown, login) = user(&["c1"]);
    let login = client.login(login).await;
    assert!(login.is_err());
    assert_eq!(begun(&shown), ["c1"]);
    assert_eq!(server.count("/register"), 1);
    assert_eq!(client.token().as_ref().map(access_token), Some("usable"));
    client.close().await?;
    Ok(())
}

/// A client that is dropped while its user logs in.
#[maybe_async]
#[test]
async fn a_client_that_is_refused_in_a_login_is_registered_anew_without_a_setting() -> TestResult {
    let registrar = Registrar::default();
    let server = registrar.start();
    let folder = Folder::new("dropped-in-a-login");
    let store = registered_before(&server, &folder).await;
    let builder = unregistered(&server).token_store(store);
    let client = builder.register(metadata()).await?.build()?;
    registrar.drop_client("c1");
    let (shown, login) = user(&[]);
    let login = client.login(login.timeout(seconds(60))).await?;
    assert_eq!(access_token(&login.token), "t1");
    assert_eq!(begun(&shown), ["c1", "c2"]);
    assert_eq!(clients(&server), ["c1", "c2"]);
    client.close().await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_registration_that_was_forgotten_is_replaced_with_the_next_login() -> TestResult {
    // Also one that was made a moment ago.
    for is_new in [false, true] {
        let server = Registrar::default().start();
        let folder = Folder::new("forgotten-login");
        let store = match is_new {
            true => FileTokenStore::new(folder.file("token.json")),
            false => registered_before(&server, &folder).await,
        };
        let builder = unregistered(&server).token_store(store);
        let client = builder.register(metadata()).await?.build()?;
        client.forget_registration().await?;
        let (shown, login) = user(&[]);
        client.login(login.timeout(seconds(60))).await?;
        assert_eq!(begun(&shown), ["c2"]);
        assert_eq!(server.count("/register"), 2);
        client.close().await?;
    }
    Ok(())
}

/// The chain of a client for a resource, which begins with the registration of an earlier run.
#[maybe_async]
#[test]
async fn a_client_for_a_resource_registers_again_where_the_program_says_so() -> TestResult {
    for says_so in [true, false] {
        let world = World::new();
        let (server, resource) = (world.server(""), world.resource());
        let folder = Folder::new("dead-page-of-a-resource");
        let store = FileTokenStore::new(folder.file("token.json"));
        let dead = Arc::new(AtomicBool::new(false));
        let logging_in = |shown: &Shown| {
            let (user, dead) = (world.clone(), dead.clone());
            let login = shown.login(move |url| {
                let is_shown_an_error =
                    dead.load(Ordering::SeqCst) && asked(url)["client_id"] == "c1";
                if !is_shown_an_error {
                    let callback = user.visit(url).expect("a callback");
                    visited(&Url::parse(callback.expose_secret()).expect("a URL"));
                }
            });
            login.timeout(Duration::from_millis(1000))
        };
        let builder = |shown: &Shown| {
            let builder = for_resource(&resource).token_store(store.clone());
            let builder = builder.interactive_login(logging_in(shown));
            match says_so {
                true => builder.register_again_without_callback(),
                false => builder,
            }
        };
        let shown = Shown::default();
        let client = builder(&shown).build()?;
        let first = client.get(resource.url("/mcp")).send().await?;
        assert_eq!(
            (first.status().as_u16(), begun(&shown)),
            (200, vec!["c1".to_owned()])
        );
        client.close().await?;
        // The next run has the registration, and a token that is of no use.
        let stored = StoredToken::new(
            None,
            store.read().expect("readable").map_or(0, |it| it.version) + 1,
        );
        assert!(store.replace(&stored).is_ok_and(|stored| stored));
        dead.store(true, Ordering::SeqCst);
        let shown = Shown::default();
        let client = builder(&shown).build()?;
        let second = client.get(resource.url("/mcp")).send().await;
        match says_so {
            true => {
                assert_eq!(second?.status(), 200);
                assert_eq!(begun(&shown), ["c1", "c2"]);
                assert_eq!(server.count("/register"), 2);
            }
            false => {
                let error = second.expect_err("no callback").to_string();
                assert!(error.contains("register_again_without_callback"), "{error}");
                assert_eq!(begun(&shown), ["c1"]);
                assert_eq!(server.count("/register"), 1);
            }
        }
        client.close().await?;
    }
    Ok(())
}
