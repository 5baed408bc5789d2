//! A token in a file.

use super::{test, *};

#[maybe_async]
#[test]
async fn a_file_keeps_a_login_from_run_to_run() -> TestResult {
    let folder = Folder::new("runs");
    let (log, clock) = (Shelf::default(), ManualClock::new());
    let server = strict(&log, 600);
    let path = folder.file("token.json");
    let run = || {
        builder(&server)
            .revocation_endpoint(server.url("/revoke"))
            .token_store(FileTokenStore::new(&path))
            .clock(clock.clock())
            .build()
    };
    let client = run()?;
    let error = client.ensure_active_token().await.unwrap_err();
    assert!(error.needs_login());
    client.fetch_token(ClientCredentials::new()).await?;
    client.close().await?;
    let client = run()?;
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    clock.advance(seconds(601));
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t2");
    let others: Result<Vec<_>, Error> = (0..8).map(|_| run()).collect();
    let others = others?;
    clock.advance(seconds(601));
    let tokens = tokens_at_once(others).await;
    for token in tokens {
        assert_eq!(access_token(&token?), "t3");
    }
    client.revoke_token().await?;
    let sent = server.requests("/revoke")[0].parameter("token");
    assert_eq!(sent.as_deref(), Some("r3"));
    let client = run()?;
    let error = client.ensure_active_token().await.unwrap_err();
    assert!(error.needs_login());
    assert_eq!(server.count("/token"), 3);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_file_of_something_else_is_an_error_that_names_it() -> TestResult {
    let folder = Folder::new("strange");
    let path = folder.file("token.json");
    std::fs::write(&path, "hunter2")?;
    let server = provider(600);
    let client = with_credentials(&server)
        .token_store(FileTokenStore::new(&path))
        .build()?;
    let error = client.ensure_active_token().await.unwrap_err();
    let source = cause(&error);
    let shown = format!("{error} {source} {error:?}");
    assert!(
        shown.contains("token.json does not contain a token; move it away"),
        "{shown}"
    );
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(
        (error.kind(), server.count("/token")),
        (ErrorKind::Store, 0)
    );
    let result = client.fetch_token(ClientCredentials::new()).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Update);
    assert_eq!(std::fs::read_to_string(&path)?, "hunter2");
    Ok(())
}
