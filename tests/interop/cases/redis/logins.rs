//! The lease of a login, during which a process may be killed.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use oauth_twin::{
    InteractiveLogin,
    url::{Position, Url},
};

use super::{super::super::mode::spawn, proxy::Proxy, test, *};
use crate::gate::Gate;

/// A login of a user who waits until `gate` is open.
fn login(gate: &Gate) -> InteractiveLogin {
    let gate = gate.clone();
    let open = move |url: &Url| {
        gate.wait();
        let asked = |name: &str| {
            let mut asked = url.query_pairs().into_owned();
            asked.find(|(asked, _)| asked == name).unwrap().1
        };
        let mut callback = Url::parse(&asked("redirect_uri")).unwrap();
        let mut query = callback.query_pairs_mut();
        query.append_pair("code", "c");
        query.append_pair("state", &asked("state"));
        drop(query);
        visit(&callback);
        Ok::<(), BoxError>(())
    };
    InteractiveLogin::new()
        .timeout(Duration::from_secs(60))
        .on_prompt(|_| {})
        .open_with(open)
}

/// Loads the page, and the one that it redirects to, as long as something is there.
fn visit(page: &Url) {
    let place = (page.host_str().unwrap(), page.port().unwrap());
    let Ok(mut stream) = TcpStream::connect(place) else {
        return;
    };
    let target = &page[Position::BeforePath..];
    let (host, port) = place;
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
    )
    .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let mut lines = reply.lines();
    if let Some(next) = lines.find_map(|line| line.strip_prefix("Location: ")) {
        visit(&page.join(next).unwrap());
    }
}

fn client(server: &Server, url: &str) -> OAuth2Client {
    let store = RedisTokenStore::new(&Redis::open(url).unwrap(), ROW);
    client_of(server)
        .authorization_endpoint(server.url("/authorize"))
        .timeout(Duration::from_secs(1))
        .token_store(store)
        .build()
        .unwrap()
}

/// Whether the lease is held within half a second, and for how many milliseconds at most.
#[maybe_async]
async fn held_for(redis: &RedisServer) -> Option<u64> {
    for _ in 0..50 {
        if let Ok(left) = redis.cli(&["PTTL", LEASE]).parse() {
            return Some(left);
        }
        sleep(Duration::from_millis(10)).await;
    }
    None
}

#[maybe_async]
#[test]
async fn a_process_that_is_killed_during_a_login_leaves_a_short_lease() -> TestResult {
    let server = Server::start(|_: &Request| {
        Reply::json(200, json!({"access_token": "t1", "expires_in": 600}))
    });
    let redis = RedisServer::start("logins");
    let proxy = Proxy::start(&redis.url());
    let gate = Gate::new();
    let killed = client(&server, &proxy.url());
    let (user, own) = (killed.clone(), login(&gate));
    let logging_in = spawn(move || async move { user.ensure_login(own).await });
    // It is held for as long as the user takes.
    for _ in 0..5 {
        let left = held_for(&redis).await;
        assert!(left.is_some_and(|left| left <= 9000), "{left:?}");
        sleep(Duration::from_secs(1)).await;
    }
    // Nothing of the process reaches the server any more.
    proxy.hold(Some("EVAL"));
    let begun = Instant::now();
    let free = Gate::new();
    free.open();
    let next = client(&server, &redis.url());
    let token = next.ensure_login(login(&free)).await?;
    assert_eq!(token.access_token().expose_secret(), "t1");
    assert!(begun.elapsed() < Duration::from_secs(30));
    next.close().await?;
    let is_free = is_free_in_the_end(&redis).await;
    assert!(is_free);
    killed.close().await?;
    gate.open();
    let ended = logging_in.join().await;
    assert!(ended.is_err());
    Ok(())
}
