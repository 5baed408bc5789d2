//! Interactive logins whose future is dropped: neither a port nor a lease is left.

use std::{net::TcpStream, time::Instant};

use oauth_twin::{FileTokenStore, url::Url};
use tokio::test;

use crate::{
    cases::{
        TestResult,
        interactive_login::{Shown, command_line, leases::TimedStore},
        provider, seconds,
    },
    support::{folder::Folder, server::has_closed},
};

/// The port to which the browser is to return.
fn port(url: &Url) -> u16 {
    let mut parameters = url.query_pairs();
    let uri = parameters
        .find(|(name, _)| name == "redirect_uri")
        .unwrap()
        .1;
    Url::parse(&uri).unwrap().port().unwrap()
}

#[test]
async fn a_login_that_is_dropped_leaves_no_port_and_no_lease() -> TestResult {
    let server = provider(600);
    let folder = Folder::new("dropped-login");
    let store = || FileTokenStore::new(folder.file("token.json"));
    let client = command_line(&server).token_store(store()).build()?;
    let shown = Shown::default();
    let login = shown.login(|_| {}).timeout(seconds(600));
    let user = client.clone();
    let task = tokio::spawn(async move { user.ensure_login(login).await });
    while shown.url().is_none() {
        tokio::task::yield_now().await;
    }
    let port = port(&shown.url().unwrap());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    assert!(store().try_lease().unwrap().is_none());
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert!(has_closed(("127.0.0.1", port)));
    assert!(store().try_lease().unwrap().is_some());
    assert_eq!(server.count("/token"), 0);
    // Another call begins anew.
    let login = shown.login(|_| {}).timeout(seconds(0));
    let error = client.ensure_login(login).await.unwrap_err();
    assert!(
        error.to_string().contains("timed out waiting for the user"),
        "{error}"
    );
    Ok(())
}

/// The task of the dropped future cannot wait for the release of the lease.
#[test]
async fn a_login_that_is_dropped_releases_a_lease_that_ends_by_time() -> TestResult {
    let server = provider(600);
    let store = TimedStore::new("dropped");
    let client = command_line(&server).token_store(store.clone()).build()?;
    let shown = Shown::default();
    let login = shown.login(|_| {}).timeout(seconds(600));
    let task = tokio::spawn(async move { client.ensure_login(login).await });
    while shown.url().is_none() {
        tokio::task::yield_now().await;
    }
    assert!(store.is_leased());
    assert!(store.longest() <= seconds(30), "{:?}", store.longest());
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    let dropped = Instant::now();
    while store.is_leased() {
        assert!(dropped.elapsed() < seconds(10), "the lease is left");
        tokio::task::yield_now().await;
    }
    Ok(())
}
