//! Logins that are kept for a user.

use oauth_twin::FileTokenStore;

use super::{test, *};
use support::folder::Folder;

#[maybe_async]
#[test]
async fn a_login_is_kept_for_its_user_and_any_replica_uses_it() -> TestResult {
    let (server, shelves, clock) = service(600);
    let client = replica(&server, &shelves, &clock).build()?;
    let kept = log_in(&client, "alice").await.keep_for("alice").await?;
    assert_eq!(access_token(&kept), "alice1");
    assert_eq!(shelves.held("alice"), "1:alice1");
    shelves.named("alice").story();
    sees(&client, &server, "alice", "alice1").await?;
    // The token is in memory.
    assert_eq!(shelves.named("alice").story(), "");
    // The client itself has no token.
    assert_eq!(client.token(), None);
    // Another replica, or this one after a restart.
    let other = replica(&server, &shelves, &clock).build()?;
    assert_eq!(other.for_user("alice").token(), None);
    for _ in 0..3 {
        sees(&other, &server, "alice", "alice1").await?;
    }
    assert_eq!(shelves.named("alice").story(), "load");
    assert_eq!(other.for_user("alice").token(), Some(kept));
    assert_eq!(server.count("/token"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn the_client_of_a_login_and_the_users_share_one_token() -> TestResult {
    let (server, shelves, clock) = service(600);
    let client = replica(&server, &shelves, &clock).build()?;
    let before = client.for_user("alice");
    let login = log_in(&client, "alice").await;
    let (child, row) = (login.client.clone(), client.for_token(login.token.clone()));
    // Renewed before it is kept.
    child.refresh_token().await?;
    login.keep_for("alice").await?;
    assert_eq!(shelves.held("alice"), "1:alice2");
    sees(&client, &server, "alice", "alice2").await?;
    let renewed = child.refresh_token().await?;
    assert_eq!(access_token(&renewed), "alice3");
    assert_eq!(shelves.held("alice"), "2:alice3");
    for handle in [&before, &row, &client.for_user("alice")] {
        assert_eq!(handle.token().as_ref(), Some(&renewed));
    }
    assert_eq!(refreshes(&server), ["alice-1", "alice-2"]);
    Ok(())
}

/// Whether or not the server issues refresh tokens, by which the two are known to be one.
#[maybe_async]
#[test]
async fn the_client_of_a_login_is_one_of_its_user_until_the_end() -> TestResult {
    for refreshes in [true, false] {
        let issued = AtomicUsize::new(0);
        let server = Server::start(move |request: &Request| match &*request.path {
            "/token" => {
                let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
                let mut answer = tokens(n, 600);
                if !refreshes {
                    answer.as_object_mut().unwrap().remove("refresh_token");
                }
                Reply::json(200, answer)
            }
            _ => Reply::authorization_of(request),
        });
        let (shelves, clock) = (Shelves::default(), ManualClock::new());
        let client = replica(&server, &shelves, &clock).build()?;
        let login = log_in(&client, "alice").await;
        let of_login = login.client.clone();
        let of_user = client.for_user("alice");
        login.keep_for("alice").await?;
        assert_eq!(shelves.held("alice"), "1:t1");
        // Its user is logged out …
        client.forget_user("alice").await?;
        assert_eq!((of_login.token(), &*shelves.held("alice")), (None, "2:-"));
        let error = of_login.get(server.url("/api")).send().await;
        assert!(error.unwrap_err().needs_login(), "{refreshes}");
        // … and in again …
        log_in(&client, "alice").await.keep_for("alice").await?;
        let seen = of_login.get(server.url("/api")).send().await?;
        let seen = seen.text().await?;
        assert_eq!(seen, "Bearer t2");
        // … and it logs them out for all.
        of_login.revoke_token().await?;
        assert_eq!((of_user.token(), &*shelves.held("alice")), (None, "4:-"));
        assert_eq!(server.count("/revoke"), 2);
        // What is set then is that of the user.
        of_login.set_token(Token::new("given"))?;
        client.close().await?;
        assert_eq!(of_user.token(), Some(Token::new("given")));
        assert_eq!(shelves.held("alice"), "5:given");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn names_lead_to_the_token_of_their_user_alone() -> TestResult {
    let folder = Folder::new("users-names");
    let (server, clock) = (Accounts::default().server(600), ManualClock::new());
    let path = folder.file("tokens");
    let client = without_store(&server, &clock)
        .user_store(move |user: &UserKey| FileTokenStore::new(path.join(format!("{user}.json"))))
        .build()?;
    let long = "n".repeat(300);
    let longer = "n".repeat(301);
    let names = [
        "a:b", "a%3Ab", "a%3ab", "x}{y", "../alice", "a/b", "Alice", "alice", "..", "ä", &long,
        &longer,
    ];
    for (n, name) in names.iter().enumerate() {
        let account = format!("{}x", char::from(b'a' + u8::try_from(n)?));
        log_in(&client, &account).await.keep_for(name).await?;
    }
    client.close().await?;
    // Each has a file of its own in the folder.
    let files = std::fs::read_dir(folder.file("tokens"))?;
    let tokens = files.flatten().filter(|file| {
        file.path()
            .extension()
            .is_some_and(|extension| extension == "json")
    });
    assert_eq!(tokens.count(), names.len());
    let path = folder.file("tokens");
    let client = without_store(&server, &clock)
        .user_store(move |user: &UserKey| FileTokenStore::new(path.join(format!("{user}.json"))))
        .build()?;
    for (n, name) in names.iter().enumerate() {
        let account = format!("{}x", char::from(b'a' + u8::try_from(n)?));
        sees(&client, &server, name, format!("{account}1")).await?;
    }
    for error in [
        ask(&client, &server, "").await.unwrap_err(),
        client.forget_user("").await.unwrap_err(),
        log_in(&client, "zx").await.keep_for("").await.unwrap_err(),
    ] {
        assert_eq!(
            (error.kind(), &*error.to_string()),
            (ErrorKind::Usage, "the name of the user is empty")
        );
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_user_without_a_token_has_to_log_in() -> TestResult {
    let (server, shelves, clock) = service(600);
    let client = replica(&server, &shelves, &clock).build()?;
    let alice = client.for_user("alice");
    for _ in 0..2 {
        let error = alice.get(server.url("/api")).send().await.unwrap_err();
        assert!(error.needs_login() && !error.is_transient());
        assert_eq!(
            error.to_string(),
            "the user is not logged in; complete a login and call keep_for"
        );
        let error = alice.refresh_token().await.unwrap_err();
        assert!(error.needs_login());
    }
    assert_eq!((server.count("/api"), server.count("/token")), (0, 0));
    // The login on another replica is seen by the next call.
    let other = replica(&server, &shelves, &clock).build()?;
    log_in(&other, "alice").await.keep_for("alice").await?;
    let text = alice.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "alice1");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_new_login_replaces_the_token_for_all_clients_of_the_user() -> TestResult {
    let (server, shelves, clock) = service(600);
    let client = replica(&server, &shelves, &clock).build()?;
    let first = log_in(&client, "first").await;
    let old = first.client.clone();
    first.keep_for("alice").await?;
    let alice = client.for_user("alice");
    sees(&client, &server, "alice", "first1").await?;
    log_in(&client, "second").await.keep_for("alice").await?;
    for handle in [&alice, &old, &client.for_user("alice")] {
        let text = handle.get(server.url("/api")).send().await?.text().await?;
        assert_eq!(text, "second1");
    }
    assert_eq!(shelves.held("alice"), "2:second1");
    // So does a token that the calling code sets.
    alice.set_token(Token::new("third1"))?;
    assert_eq!(
        access_token(&client.for_user("alice").token().unwrap()),
        "third1"
    );
    client.close().await?;
    assert_eq!(shelves.held("alice"), "3:third1");
    assert_eq!(server.count("/revoke"), 0);
    Ok(())
}

/// A login has one refresh token, whoever it is kept for.
#[maybe_async]
#[test]
async fn a_login_may_be_kept_for_two_users() -> TestResult {
    let (server, shelves, clock) = service(600);
    let client = replica(&server, &shelves, &clock).build()?;
    let login = log_in(&client, "both").await;
    let again = client.for_token(login.token.clone());
    login.keep_for("alice").await?;
    client.for_user("bob").set_token(again.token().unwrap())?;
    until(|| shelves.held("bob") == "1:both1").await;
    assert_eq!(shelves.held("alice"), "1:both1");
    client.for_user("alice").refresh_token().await?;
    client.for_user("bob").refresh_token().await?;
    assert_eq!(refreshes(&server), ["both-1", "both-2"]);
    Ok(())
}
