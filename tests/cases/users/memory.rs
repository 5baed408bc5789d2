//! Users who are in memory, and who leave it.

use super::{test, *};

/// A client with the given users logged in.
#[maybe_async]
async fn logged_in(client: &OAuth2Client, shelves: &Shelves, users: &[&str]) {
    for user in users {
        log_in(client, user)
            .await
            .keep_for(user)
            .await
            .expect("a store");
        shelves.named(user).story();
    }
}

#[maybe_async]
#[test]
async fn a_token_stays_in_memory_for_five_idle_minutes() -> TestResult {
    let (server, shelves, clock) = service(6000);
    let client = replica(&server, &shelves, &clock).build()?;
    logged_in(&client, &shelves, &["alice"]).await;
    for _ in 0..5 {
        clock.advance(seconds(299));
        ask(&client, &server, "alice").await?;
    }
    assert_eq!(shelves.named("alice").story(), "");
    clock.advance(seconds(300));
    ask(&client, &server, "alice").await?;
    assert_eq!(shelves.named("alice").story(), "load");

    // A client of the user that is in use keeps it.
    let alice = client.for_user("alice");
    clock.advance(seconds(1000));
    ask(&client, &server, "alice").await?;
    alice.get(server.url("/api")).send().await?;
    assert_eq!(shelves.named("alice").story(), "");

    let client = replica(&server, &shelves, &clock)
        .user_idle_timeout(seconds(10))
        .build()?;
    for _ in 0..2 {
        ask(&client, &server, "alice").await?;
        clock.advance(seconds(10));
    }
    assert_eq!(shelves.named("alice").story(), "load load");
    Ok(())
}

#[maybe_async]
#[test]
async fn of_too_many_users_some_leave() -> TestResult {
    let (server, shelves, clock) = service(6000);
    let client = replica(&server, &shelves, &clock)
        .max_idle_users(2)
        .build()?;
    let users = ["alice", "bob", "carol", "dave"];
    logged_in(&client, &shelves, &users).await;
    for user in users {
        sees(&client, &server, user, format!("{user}1")).await?;
    }
    let loads = users.map(|user| shelves.named(user).story());
    assert!(
        loads.iter().filter(|story| *story == "load").count() >= 2,
        "{loads:?}"
    );
    assert_eq!(server.count("/token"), 4);
    Ok(())
}

/// The store is down when the token is renewed, and the user goes away.
#[maybe_async]
#[test]
async fn a_token_that_is_not_stored_yet_stays_until_it_is() -> TestResult {
    let (server, shelves, clock) = service(600);
    let updates = Updates::default();
    let client = replica(&server, &shelves, &clock)
        .max_idle_users(1)
        .update_token(recording(&updates))
        .build()?;
    logged_in(&client, &shelves, &["alice", "bob", "carol"]).await;
    shelves.named("alice").fail([Fault::Save; 40]);
    let error = client.for_user("alice").refresh_token().await.unwrap_err();
    assert_eq!(
        (error.kind(), &*shelves.held("alice")),
        (ErrorKind::Update, "1:alice1")
    );
    clock.advance(seconds(301));
    for _ in 0..3 {
        for user in ["bob", "carol"] {
            ask(&client, &server, user).await?;
        }
        clock.advance(seconds(20));
    }
    // The old refresh token is in the store, and the new token is what counts.
    sees(&client, &server, "alice", "alice2").await?;
    assert_eq!(shelves.held("alice"), "1:alice1");
    let alice = shelves.named("alice");
    while alice.fault(&[Fault::Save]).is_some() {}
    client.close().await?;
    assert_eq!(shelves.held("alice"), "2:alice2");
    assert_eq!(refreshes(&server), ["alice-1"]);
    assert_eq!(updates.lock().unwrap().len(), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_thousand_users_are_served_at_once() -> TestResult {
    let (server, shelves, clock) = service(600);
    let client = replica(&server, &shelves, &clock)
        .max_idle_users(100)
        .build()?;
    let name = |n: usize| {
        format!(
            "u{}x",
            (0..4)
                .map(|at| char::from(b'a' + u8::try_from(n >> (4 * at) & 15).unwrap()))
                .collect::<String>()
        )
    };
    for n in 0..1000 {
        let key = UserKey::new(name(n))?;
        let token =
            Token::new(format!("{}1", name(n))).with_refresh_token(format!("{}-1", name(n)));
        shelves.of(&key).put(Some(token));
    }
    for _ in 0..2 {
        let tokens = at_once(200, |task| {
            let client = client.clone();
            async move {
                let mut tokens = Vec::new();
                for n in 0..5 {
                    let user = name(task * 5 + n);
                    let token = client
                        .for_user(&user)
                        .ensure_active_token()
                        .await
                        .expect("a token");
                    tokens.push((user, access_token(&token).to_owned()));
                }
                tokens
            }
        })
        .await;
        for (user, token) in tokens.into_iter().flatten() {
            assert_eq!(token, format!("{user}1"));
        }
    }
    assert_eq!(server.count("/token"), 0);
    Ok(())
}
