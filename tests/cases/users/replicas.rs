//! Replicas with one store: of all of them one renews.

use super::{test, *};

#[maybe_async]
#[test]
async fn one_renewal_serves_all_tasks_of_all_replicas() -> TestResult {
    let (server, shelves, clock) = service(60);
    let replicas = [
        replica(&server, &shelves, &clock).build()?,
        replica(&server, &shelves, &clock).build()?,
    ];
    for user in ["alice", "bob"] {
        log_in(&replicas[0], user).await.keep_for(user).await?;
        // The other replica has the token in memory.
        sees(&replicas[1], &server, user, format!("{user}1")).await?;
    }
    for expiry in 2..5 {
        clock.advance(seconds(61));
        let url = server.url("/api");
        let texts = at_once(24, |n| {
            let client = replicas[n % 2].for_user(["alice", "bob"][n % 3 % 2]);
            let url = url.clone();
            async move {
                let response = client.get(url).send().await.expect("an answer");
                response.text().await.expect("a text")
            }
        })
        .await;
        for text in texts {
            assert!(
                text == format!("alice{expiry}") || text == format!("bob{expiry}"),
                "{text}"
            );
        }
    }
    let mut sent = refreshes(&server);
    sent.sort_unstable();
    assert_eq!(
        sent,
        ["alice-1", "alice-2", "alice-3", "bob-1", "bob-2", "bob-3"]
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_restarted_replica_goes_on_where_the_last_one_ended() -> TestResult {
    let (server, shelves, clock) = service(60);
    let client = replica(&server, &shelves, &clock).build()?;
    log_in(&client, "alice").await.keep_for("alice").await?;
    client.close().await?;
    for expiry in 2..5 {
        clock.advance(seconds(61));
        let client = replica(&server, &shelves, &clock).build()?;
        sees(&client, &server, "alice", format!("alice{expiry}")).await?;
        client.close().await?;
        assert_eq!(shelves.held("alice"), format!("{expiry}:alice{expiry}"));
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn what_another_replica_renewed_is_adopted() -> TestResult {
    let (server, shelves, clock) = service(600);
    let one = replica(&server, &shelves, &clock).build()?;
    let two = replica(&server, &shelves, &clock).build()?;
    log_in(&one, "alice").await.keep_for("alice").await?;
    sees(&two, &server, "alice", "alice1").await?;
    one.for_user("alice").refresh_token().await?;
    // A usable token is used without a look at the store.
    sees(&two, &server, "alice", "alice1").await?;
    clock.advance(seconds(601));
    one.for_user("alice").ensure_active_token().await?;
    sees(&two, &server, "alice", "alice3").await?;
    assert_eq!(refreshes(&server), ["alice-1", "alice-2"]);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_new_login_on_another_replica_is_seen_when_the_token_is_refused_or_expires() -> TestResult
{
    let accounts = Accounts::default();
    let (server, shelves, clock) = (
        accounts.clone().server(600),
        Shelves::default(),
        ManualClock::new(),
    );
    let one = replica(&server, &shelves, &clock).build()?;
    let two = replica(&server, &shelves, &clock).build()?;
    log_in(&one, "first").await.keep_for("alice").await?;
    sees(&two, &server, "alice", "first1").await?;
    log_in(&one, "second").await.keep_for("alice").await?;
    sees(&two, &server, "alice", "first1").await?;
    accounts.end("first");
    sees(&two, &server, "alice", "second1").await?;
    log_in(&one, "third").await.keep_for("alice").await?;
    clock.advance(seconds(601));
    sees(&two, &server, "alice", "third2").await?;
    assert_eq!(refreshes(&server), ["third-1"]);
    Ok(())
}

/// The refresh token is dead: each call looks at the store, and none sends it again.
#[maybe_async]
#[test]
async fn a_refused_user_logs_in_on_another_replica() -> TestResult {
    let accounts = Accounts::default();
    let (server, shelves, clock) = (
        accounts.clone().server(60),
        Shelves::default(),
        ManualClock::new(),
    );
    let one = replica(&server, &shelves, &clock).build()?;
    let two = replica(&server, &shelves, &clock).build()?;
    log_in(&one, "alice").await.keep_for("alice").await?;
    accounts.end("alice");
    clock.advance(seconds(61));
    for _ in 0..3 {
        needs_login(&two, &server, "alice").await;
    }
    assert_eq!(refreshes(&server), ["alice-1"]);
    log_in(&one, "alice").await.keep_for("alice").await?;
    sees(&two, &server, "alice", "alice2").await?;
    Ok(())
}
