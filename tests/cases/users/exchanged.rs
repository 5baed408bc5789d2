//! Clients whose token is made of that of a user, or of one that several processes share: it ends with the
//! login, whoever ends that.

use super::{
    super::exchange::{exchanged, exchanging, expect},
    test, *,
};

/// Each call for a user has a client of its own.
#[maybe_async]
#[test]
async fn what_is_made_of_the_token_of_a_user_ends_with_the_login() -> TestResult {
    let (server, shelves, clock) = service(600);
    let users = replica(&server, &shelves, &clock).build()?;
    let resource = exchanging(600);
    let login = log_in(&users, "alice").await;
    let of_login = login.client.clone();
    login.keep_for("alice").await?;
    log_in(&users, "carol").await.keep_for("carol").await?;
    let alice = users.for_user("alice");
    let made = |source: &OAuth2Client| exchanged(&resource, source).clock(clock.clock()).build();
    let (client, second, of_carol) = (
        made(&alice)?,
        made(&of_login)?,
        made(&users.for_user("carol"))?,
    );
    expect(&client, &resource, "Bearer alice1+1").await?;
    expect(&second, &resource, "Bearer alice1+2").await?;
    expect(&of_carol, &resource, "Bearer carol1+3").await?;
    // A renewal is no other login.
    users.for_user("alice").refresh_token().await?;
    expect(&client, &resource, "Bearer alice1+1").await?;

    log_in(&users, "bob").await.keep_for("alice").await?;
    assert_eq!((client.token(), second.token()), (None, None));
    expect(&client, &resource, "Bearer bob1+4").await?;
    expect(&second, &resource, "Bearer bob1+5").await?;

    users
        .for_user("alice")
        .set_token(Token::new("given").with_refresh_token("given-0"))?;
    expect(&client, &resource, "Bearer given+6").await?;

    users.forget_user("alice").await?;
    assert_eq!((client.token(), second.token()), (None, None));
    let error = client.ensure_active_token().await.unwrap_err();
    assert!(error.needs_login(), "{error}");

    // That of another user is not concerned.
    expect(&of_carol, &resource, "Bearer carol1+3").await?;
    assert_eq!(resource.count("/token"), 6);
    Ok(())
}

/// Another process logs another user in, and out.
#[maybe_async]
#[test]
async fn what_is_made_of_a_stored_token_ends_when_another_is_read() -> TestResult {
    let (server, shelves, clock) = service(600);
    let shelf = shelves.named("shared");
    let process = || {
        without_store(&server, &clock)
            .token_store(shelf.clone())
            .build()
    };
    let (source, other) = (process()?, process()?);
    let resource = exchanging(600);
    let client = exchanged(&resource, &source).clock(clock.clock()).build()?;
    shelf.put(Some(Token::new("alice").with_refresh_token("alice-0")));
    // The store is read for the first time during the exchange.
    expect(&client, &resource, "Bearer alice+1").await?;
    source.introspect_token().await.unwrap_err();
    expect(&client, &resource, "Bearer alice+1").await?;

    other.set_token(Token::new("bob").with_refresh_token("bob-0"))?;
    until(|| shelf.held() == "2:bob").await;
    source.introspect_token().await.unwrap_err();
    assert_eq!(client.token(), None);
    expect(&client, &resource, "Bearer bob+2").await?;

    other.revoke_token().await?;
    source.introspect_token().await.unwrap_err();
    assert_eq!((source.token(), client.token()), (None, None));
    let error = client.ensure_active_token().await.unwrap_err();
    assert!(error.needs_login(), "{error}");
    assert_eq!(resource.count("/token"), 2);
    Ok(())
}
