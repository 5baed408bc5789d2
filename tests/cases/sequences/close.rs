//! Closing during calls and renewals.

use std::sync::Mutex;

use oauth_twin::Clock;

use super::{test, *};

/// Number of requests of a web back end that are given up.
const HANDLERS: usize = 20;

/// Requests of a web back end, each with a child for its user, are given up in the middle of the
/// renewal; then the client is closed.
#[maybe_async]
#[test]
async fn close_waits_for_the_renewals_of_children_that_nobody_holds() -> TestResult {
    let (gate, updates) = (Gate::new(), Updates::default());
    let server = gated(&gate);
    let client = builder(&server).update_token(recording(&updates)).build()?;
    let url = server.url("/api");
    let outcomes = at_once(HANDLERS, |n| {
        let child = client.for_token(row_of(n));
        let request = child.get(&url).timeout(Duration::from_millis(300));
        async move { request.send().await.map(|_| ()) }
    })
    .await;
    for outcome in outcomes {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Interrupted);
    }
    run_blocking(server.arrivals("/token", HANDLERS)).await;
    let closing = client.clone();
    let closing = spawn(move || async move { closing.close().await });
    sleep(Duration::from_millis(100)).await;
    assert_eq!(updates.lock().unwrap().len(), 0);
    gate.open();
    closing.join().await?;
    assert_each_row_was_told(&updates, HANDLERS);
    Ok(())
}

/// The n-th user's row, with a token that has expired.
pub fn row_of(n: usize) -> Token {
    expired_token().with_refresh_token(format!("user-{n}"))
}

/// Fails unless each of the rows was told of once, with a new token.
pub fn assert_each_row_was_told(updates: &Updates, rows: usize) {
    let updates = updates.lock().unwrap();
    let spent = |update: &TokenUpdate| {
        let spent = update.previous_refresh_token.as_ref().expect("the row");
        spent.expose_secret().to_owned()
    };
    let mut told: Vec<_> = updates.iter().map(spent).collect();
    let mut all: Vec<_> = (0..rows).map(|n| format!("user-{n}")).collect();
    told.sort();
    all.sort();
    assert_eq!(told, all);
}

/// Calls that may ask for a token.
#[derive(Clone, Copy, Debug)]
enum Call {
    EnsureActiveToken,
    RefreshToken,
    Send,
    FetchToken,
    Exchange,
}

/// Outcome of `close`: whether it succeeded, and the number of token requests by then.
type Closed = Arc<Mutex<Option<(bool, usize)>>>;

/// The client is closed each time that a call reads the clock, which it does between any two of
/// its steps.
#[maybe_async]
#[test]
async fn after_close_no_token_request_begins() -> TestResult {
    use Call::{EnsureActiveToken, Exchange, FetchToken, RefreshToken, Send};
    for call in [EnsureActiveToken, RefreshToken, Send, FetchToken, Exchange] {
        let mut closed_in_time = 0;
        for reading in 0.. {
            let server = Arc::new(accepting_the_renewed_token());
            let (closing, closed) = (Arc::<Mutex<_>>::default(), Closed::default());
            let token = match call {
                Send => Token::new("t0").with_refresh_token("r0"),
                _ => expired_token(),
            };
            let client = builder(&server)
                .token(token)
                .close_timeout(Duration::from_millis(50))
                .clock(closing_clock(reading, &server, &closing, &closed))
                .build()?;
            *closing.lock().unwrap() = Some(client.clone());
            // Whatever comes of it.
            let _ = match call {
                EnsureActiveToken => client.ensure_active_token().await.map(|_| ()),
                RefreshToken => client.refresh_token().await.map(|_| ()),
                Send => client.get(server.url("/api")).send().await.map(|_| ()),
                FetchToken => {
                    let grant = ClientCredentials::new();
                    client.fetch_token(grant).await.map(|_| ())
                }
                Exchange => client.exchange(ClientCredentials::new()).await.map(|_| ()),
            };
            closing.lock().unwrap().take();
            let closed = *closed.lock().unwrap();
            match closed {
                None => break,
                Some((true, requests)) => {
                    sleep(Duration::from_millis(5)).await;
                    let later = server.count("/token") - requests;
                    assert_eq!(later, 0, "{call:?}, closed at reading {reading}");
                    closed_in_time += usize::from(requests == 0);
                }
                Some((false, _)) => {}
            }
        }
        let never_asks = matches!(call, FetchToken | Exchange);
        assert!(closed_in_time > 0 || never_asks, "{call:?}");
    }
    Ok(())
}

/// The system's clock, at whose n-th reading `client` is closed.
#[maybe_async]
fn closing_clock(
    n: usize,
    server: &Arc<Server>,
    client: &Arc<Mutex<Option<OAuth2Client>>>,
    closed: &Closed,
) -> Clock {
    let (server, client, closed) = (server.clone(), client.clone(), closed.clone());
    let readings = AtomicUsize::new(0);
    Clock::from_fn(move || {
        let mut client = client.lock().unwrap();
        let is_next = client.is_some() && readings.fetch_add(1, Ordering::SeqCst) == n;
        let taken = client.take_if(|_| is_next);
        // Closing may read the clock, too.
        drop(client);
        if let Some(client) = taken {
            let outcome = run_alone(|| async move { client.close().await });
            *closed.lock().unwrap() = Some((outcome.is_ok(), server.count("/token")));
        }
        std::time::SystemTime::now()
    })
}
