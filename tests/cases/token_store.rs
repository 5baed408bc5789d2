//! Tokens that are kept outside of the client, for several that share them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use oauth_twin::{BoxError, Error, ErrorKind, Lease, StoredToken, TokenUpdate};
use support::folder::Folder;

use super::{test, *};

/// A store that can be seen into, and told to fail.
#[derive(Clone, Default)]
pub struct Shelf(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    stored: Option<StoredToken>,
    leased: bool,
    /// What happened, in order.
    story: Vec<String>,
    /// What goes wrong with the next calls.
    faults: VecDeque<Fault>,
    /// Stored by somebody else as soon as the lease is asked for.
    meanwhile: Option<Token>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Load,
    Lease,
    Save,
    /// It is stored, and the answer is lost.
    Saved,
    HangingLoad,
    HangingLease,
    HangingSave,
    PanickingLoad,
}

impl Shelf {
    pub fn with(token: Token) -> Self {
        let shelf = Self::default();
        shelf.put(Some(token));
        shelf
    }

    /// Stores what somebody else does, who heeds no lease.
    pub fn put(&self, token: Option<Token>) {
        let mut inside = self.0.lock().unwrap();
        let version = inside.stored.as_ref().map_or(0, |stored| stored.version);
        inside.stored = Some(StoredToken::new(token, version + 1));
    }

    fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.0.lock().unwrap().faults.extend(faults);
    }

    pub fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().story.push(what.into());
    }

    /// What happened since the last time that it was asked.
    pub fn story(&self) -> String {
        std::mem::take(&mut self.0.lock().unwrap().story).join(" ")
    }

    /// `3:t2`, or `3:-` for a version without a token.
    pub fn held(&self) -> String {
        let inside = self.0.lock().unwrap();
        let stored = inside.stored.as_ref();
        stored.map_or_else(|| "nothing".to_owned(), short)
    }

    fn is_leased(&self) -> bool {
        self.0.lock().unwrap().leased
    }

    /// Whether the next call, which is one of these, has a fault.
    fn fault(&self, of: &[Fault]) -> Option<Fault> {
        let mut inside = self.0.lock().unwrap();
        let is_next = inside.faults.front().is_some_and(|next| of.contains(next));
        if is_next {
            return inside.faults.pop_front();
        }
        None
    }
}

fn short(stored: &StoredToken) -> String {
    let token = stored.token.as_ref();
    let token = token.map_or("-", |token| token.access_token().expose_secret());
    format!("{}:{token}", stored.version)
}

struct Release(Shelf);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().leased = false;
        self.0.note("release");
    }
}

#[maybe_async(AFIT)]
impl TokenStore for Shelf {
    async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        self.note("load");
        match self.fault(&[Fault::Load, Fault::HangingLoad, Fault::PanickingLoad]) {
            Some(Fault::HangingLoad) => pause(Duration::from_secs(60)).await,
            Some(Fault::PanickingLoad) => panic!("the store panics"),
            Some(_) => return Err("the disk is gone".into()),
            None => {}
        }
        Ok(self.0.lock().unwrap().stored.clone())
    }

    async fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        self.note(format!("save({})", short(next)));
        let fault = self.fault(&[Fault::Save, Fault::Saved, Fault::HangingSave]);
        match fault {
            Some(Fault::HangingSave) => pause(Duration::from_secs(60)).await,
            Some(Fault::Save) => return Err("the disk is full".into()),
            _ => {}
        }
        let mut inside = self.0.lock().unwrap();
        let version = inside.stored.as_ref().map_or(0, |stored| stored.version);
        if version != next.replaces() {
            return Ok(false);
        }
        inside.stored = Some(next.clone());
        match fault {
            Some(Fault::Saved) => Err("the answer is lost".into()),
            _ => Ok(true),
        }
    }

    async fn lease(&self, _time: Duration) -> Result<Option<Lease>, BoxError> {
        match self.fault(&[Fault::Lease, Fault::HangingLease]) {
            Some(Fault::HangingLease) => pause(Duration::from_secs(60)).await,
            Some(_) => return Err("the lock is broken".into()),
            None => {}
        }
        let meanwhile = self.0.lock().unwrap().meanwhile.take();
        if meanwhile.is_some() {
            self.put(meanwhile);
        }
        let mut inside = self.0.lock().unwrap();
        if std::mem::replace(&mut inside.leased, true) {
            inside.story.push("held".to_owned());
            return Ok(None);
        }
        inside.story.push("lease".to_owned());
        Ok(Some(Lease::new(Release(self.clone()))))
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A server that revokes everything if a refresh token is used twice, and notes its requests.
fn strict(shelf: &Shelf, expires_in: u64) -> Server {
    let shelf = shelf.clone();
    let state = Mutex::new((0, "r0".to_owned()));
    Server::start(move |request: &Request| {
        if request.path != "/token" {
            return Reply::text(200, request.header("authorization").unwrap_or_default());
        }
        let (issued, good) = &mut *state.lock().unwrap();
        let refresh = request.parameter("refresh_token");
        shelf.note(format!("request({})", refresh.as_deref().unwrap_or("-")));
        if refresh.is_some_and(|refresh| refresh != *good) {
            *good = "nothing".to_owned();
            return Reply::json(400, json!({"error": "invalid_grant"}));
        }
        *issued += 1;
        *good = format!("r{issued}");
        Reply::json(200, tokens(*issued, expires_in))
    })
}

/// A process of its own on that shelf.
fn process(server: &Server, shelf: &Shelf, clock: &ManualClock) -> OAuth2ClientBuilder {
    builder(server)
        .token_store(shelf.clone())
        .clock(clock.clock())
}

fn access_token(token: &Token) -> &str {
    token.access_token().expose_secret()
}

#[maybe_async]
#[test]
async fn read_at_the_first_need_renewed_under_the_lease_stored_told_released() -> TestResult {
    let (shelf, clock) = (Shelf::default(), ManualClock::new());
    let server = strict(&shelf, 600);
    let told = shelf.clone();
    let client = process(&server, &shelf, &clock)
        .grant(ClientCredentials::new())
        .update_token(move |update: TokenUpdate| {
            told.note(format!("told({})", access_token(&update.token)));
            Ok(())
        })
        .build()?;
    assert_eq!((client.token(), &*shelf.story()), (None, ""));
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer t1");
    assert_eq!(
        shelf.story(),
        "load load lease load request(-) save(1:t1) told(t1) release"
    );
    client.get(server.url("/api")).send().await?;
    client.close().await?;
    assert_eq!(shelf.story(), "");
    assert_eq!(shelf.held(), "1:t1");
    Ok(())
}

#[maybe_async]
#[test]
async fn the_next_run_goes_on_with_the_token_and_sends_nothing() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 600));
    let server = strict(&shelf, 600);
    let client = process(&server, &shelf, &clock).build()?;
    let token = client.ensure_active_token().await?;
    assert_eq!(*token, first_token(&clock, 600));
    client.ensure_active_token().await?;
    client.close().await?;
    assert_eq!(shelf.story(), "load");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_crowd_reads_the_store_once() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 600));
    let server = strict(&shelf, 600);
    let client = process(&server, &shelf, &clock).build()?;
    let tokens = at_once(CROWD, |_| {
        let client = client.clone();
        async move { client.ensure_active_token().await }
    })
    .await;
    for token in tokens {
        assert_eq!(access_token(&*token?), "t0");
    }
    assert_eq!(shelf.story(), "load");
    Ok(())
}

#[maybe_async]
#[test]
async fn an_expired_token_is_renewed_with_its_own_refresh_token() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 10));
    let server = strict(&shelf, 600);
    clock.advance(seconds(11));
    let client = process(&server, &shelf, &clock).build()?;
    client.ensure_active_token().await?;
    assert_eq!(
        shelf.story(),
        "load load lease load request(r0) save(2:t1) release"
    );
    clock.advance(seconds(601));
    client.ensure_active_token().await?;
    assert_eq!(
        shelf.story(),
        "load lease load request(r1) save(3:t2) release"
    );
    Ok(())
}

/// The token is still good for a while, and the first request of a run is no different from others.
#[maybe_async]
#[test]
async fn a_stored_token_that_ends_soon_is_renewed_early() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 600));
    let server = strict(&shelf, 600);
    clock.advance(seconds(560));
    let client = process(&server, &shelf, &clock).build()?;
    let token = client.ensure_active_token().await?;
    assert_eq!((access_token(&token), &*shelf.held()), ("t1", "2:t1"));
    Ok(())
}

#[maybe_async]
#[test]
async fn what_one_process_has_renewed_the_others_take() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 10));
    let server = strict(&shelf, 100);
    let one = process(&server, &shelf, &clock).build()?;
    let other = process(&server, &shelf, &clock).build()?;
    for client in [&one, &other] {
        let token = client.ensure_active_token().await?;
        assert_eq!(access_token(&token), "t0");
    }
    clock.advance(seconds(11));
    let token = one.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    shelf.story();
    let token = other.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    assert_eq!(shelf.story(), "load");
    // And the other way round, with the refresh token that the other has never been told.
    clock.advance(seconds(101));
    let token = other.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t2");
    let token = one.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t2");
    assert_eq!(server.count("/token"), 2);
    Ok(())
}

#[maybe_async]
#[test]
async fn of_many_processes_that_meet_an_expired_token_one_renews_it() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 10));
    let server = strict(&shelf, 600);
    clock.advance(seconds(11));
    let processes: Result<Vec<_>, Error> = (0..16)
        .map(|_| process(&server, &shelf, &clock).build())
        .collect();
    let processes = processes?;
    let tokens = at_once(16, |n| {
        let client = processes[n].clone();
        async move { client.ensure_active_token().await }
    })
    .await;
    for token in tokens {
        assert_eq!(access_token(&*token?), "t1");
    }
    assert_eq!((server.count("/token"), &*shelf.held()), (1, "2:t1"));
    Ok(())
}

/// `refresh_token` renews whatever the time; those that are called at the same time in other
/// processes join it, and none ever sends a refresh token that is spent.
#[maybe_async]
#[test]
async fn forced_renewals_of_many_processes_never_spend_a_refresh_token_twice() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 600));
    let server = strict(&shelf, 600);
    let processes: Result<Vec<_>, Error> = (0..8)
        .map(|_| process(&server, &shelf, &clock).build())
        .collect();
    let processes = processes?;
    let results = at_once(8, |n| {
        let client = processes[n].clone();
        async move {
            for _ in 0..5 {
                client.refresh_token().await?;
            }
            Ok::<(), Error>(())
        }
    })
    .await;
    for result in results {
        result?;
    }
    let requests = server.count("/token");
    assert!((5..=40).contains(&requests), "{requests}");
    assert_eq!(
        shelf.held(),
        format!("{}:t{requests}", requests + 1),
        "each was stored"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn refresh_token_renews_what_is_stored_even_if_that_is_fresh() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 600));
    let server = strict(&shelf, 600);
    let one = process(&server, &shelf, &clock).build()?;
    let other = process(&server, &shelf, &clock).build()?;
    let token = one.refresh_token().await?;
    assert_eq!(access_token(&token), "t1");
    let token = other.refresh_token().await?;
    assert_eq!(access_token(&token), "t2");
    let token = one.refresh_token().await?;
    assert_eq!(access_token(&token), "t3");
    let spent: Vec<_> = server
        .requests("/token")
        .iter()
        .map(Request::form)
        .collect();
    assert!(spent[2].ends_with("refresh_token=r2"), "{spent:?}");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_that_the_holder_of_the_lease_stores_is_taken_at_once() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 10));
    let server = strict(&shelf, 600);
    clock.advance(seconds(11));
    let held = shelf.lease(seconds(60)).await.unwrap().unwrap();
    let client = process(&server, &shelf, &clock).build()?;
    let waiting = client.clone();
    let waiting = begin(move || async move { waiting.ensure_active_token().await });
    pause(Duration::from_millis(50)).await;
    shelf.put(Some(first_token(&clock, 600)));
    let token = waiting.end().await?;
    assert_eq!((access_token(&token), server.count("/token")), ("t0", 0));
    assert!(shelf.is_leased());
    drop(held);
    Ok(())
}

/// As among the tasks of one process, the others wait for nothing.
#[maybe_async]
#[test]
async fn while_another_process_renews_early_the_old_token_goes_on() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 600));
    let server = strict(&shelf, 600);
    let client = process(&server, &shelf, &clock).build()?;
    clock.advance(seconds(550));
    let held = shelf.lease(seconds(60)).await.unwrap().unwrap();
    shelf.story();
    for _ in 0..3 {
        let token = client.ensure_active_token().await?;
        assert_eq!(access_token(&token), "t0");
    }
    assert_eq!(shelf.story(), "load load held", "once a second");
    clock.advance(seconds(1));
    client.ensure_active_token().await?;
    assert_eq!(shelf.story(), "load held");
    shelf.put(Some(Token::new("theirs")));
    clock.advance(seconds(2));
    let token = client.ensure_active_token().await?;
    assert_eq!(
        (access_token(&token), server.count("/token")),
        ("theirs", 0)
    );
    drop(held);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_lease_that_is_never_given_back_is_an_error_that_passes() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 600));
    let server = strict(&shelf, 600);
    let client = process(&server, &shelf, &clock)
        .timeout(Duration::from_millis(100))
        .build()?;
    let held = shelf.lease(seconds(60)).await.unwrap().unwrap();
    clock.advance(seconds(590));
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t0", "it is still good");
    clock.advance(seconds(60));
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_transient()),
        (ErrorKind::Store, true)
    );
    assert!(!error.needs_login() && !error.outcome_unknown());
    assert!(
        error.to_string().contains("holds the lease of token_store"),
        "{error}"
    );
    assert_eq!(server.count("/token"), 0);
    drop(held);
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    assert!(!shelf.is_leased());
    Ok(())
}

#[maybe_async]
#[test]
async fn without_the_store_nothing_is_renewed() -> TestResult {
    let clock = ManualClock::new();
    for (fault, message) in [
        (
            Fault::Load,
            "token_store could not be read: the disk is gone",
        ),
        (
            Fault::Lease,
            "token_store could not be leased: the lock is broken",
        ),
    ] {
        let shelf = Shelf::with(first_token(&clock, 10));
        let server = strict(&shelf, 600);
        let client = process(&server, &shelf, &clock).build()?;
        client.ensure_active_token().await?;
        let late = clock.clone();
        late.advance(seconds(11));
        shelf.fail([fault]);
        let error = client.ensure_active_token().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.is_transient(), server.count("/token")),
            (ErrorKind::Store, false, 0),
            "{fault:?}"
        );
        let source = std::error::Error::source(&error).expect("a source");
        assert_eq!(format!("{error}: {source}"), message);
        assert!(!shelf.is_leased());
        let token = client.ensure_active_token().await?;
        assert_eq!(access_token(&token), "t1");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_store_that_fails_at_first_is_read_again() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 600));
    let server = strict(&shelf, 600);
    let client = process(&server, &shelf, &clock).build()?;
    shelf.fail([Fault::Load]);
    let error = client.get(server.url("/api")).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer t0");
    Ok(())
}

/// The old token goes on while the store is down.
#[maybe_async]
#[test]
async fn a_store_that_is_down_costs_no_token_that_is_good() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 600));
    let server = strict(&shelf, 600);
    let client = process(&server, &shelf, &clock).build()?;
    client.ensure_active_token().await?;
    clock.advance(seconds(590));
    shelf.fail([Fault::Load]);
    let token = client.ensure_active_token().await?;
    assert_eq!((access_token(&token), server.count("/token")), ("t0", 0));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_that_could_not_be_stored_is_in_use_and_stored_later() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 10));
    let server = strict(&shelf, 600);
    let told = shelf.clone();
    let client = process(&server, &shelf, &clock)
        .update_token(move |update: TokenUpdate| {
            told.note(format!("told({})", access_token(&update.token)));
            Ok(())
        })
        .build()?;
    clock.advance(seconds(11));
    shelf.fail([Fault::Save, Fault::Save]);
    let error = client.get(server.url("/api")).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    let source = std::error::Error::source(&error).expect("a source");
    assert_eq!(
        format!("{error}: {source}"),
        "the client goes on with what it has, but token_store did not take it: the disk is full"
    );
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!((&*text, &*shelf.held()), ("Bearer t1", "1:t0"));
    let story = shelf.story();
    assert!(story.ends_with("request(r0) save(2:t1) release"), "{story}");
    // By `close`, which fails once more …
    let error = client.close().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    // … and is called again.
    client.close().await?;
    assert_eq!(shelf.story(), "save(2:t1) save(2:t1) told(t1)");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_that_could_not_be_stored_is_stored_before_the_next_renewal() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 10));
    let server = strict(&shelf, 10);
    let client = process(&server, &shelf, &clock).build()?;
    clock.advance(seconds(11));
    shelf.fail([Fault::Save]);
    client.ensure_active_token().await.unwrap_err();
    clock.advance(seconds(11));
    shelf.story();
    client.ensure_active_token().await?;
    assert_eq!(
        shelf.story(),
        "save(2:t1) load lease load request(r1) save(3:t2) release"
    );
    // Even if that fails, too, it is the newest refresh token that is spent.
    clock.advance(seconds(11));
    shelf.fail([Fault::Save]);
    client.ensure_active_token().await.unwrap_err();
    clock.advance(seconds(11));
    shelf.story();
    shelf.fail([Fault::Save]);
    client.ensure_active_token().await?;
    assert_eq!(
        shelf.story(),
        "save(4:t3) load lease load request(r3) save(4:t4) release"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn what_was_stored_though_the_answer_was_lost_is_not_stored_twice() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 10));
    let server = strict(&shelf, 600);
    let client = process(&server, &shelf, &clock).build()?;
    clock.advance(seconds(11));
    shelf.fail([Fault::Saved]);
    client.ensure_active_token().await.unwrap_err();
    client.close().await?;
    assert_eq!(shelf.held(), "2:t1");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_elsewhere_counts_more_than_a_renewal() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 10));
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |_: &Request| {
        held.wait();
        Reply::json(200, tokens(1, 600))
    });
    let told: Arc<Mutex<Vec<(String, bool)>>> = Arc::default();
    let note = told.clone();
    let client = process(&server, &shelf, &clock)
        .update_token(move |update: TokenUpdate| {
            let token = access_token(&update.token).to_owned();
            note.lock().unwrap().push((token, update.superseded));
            Ok(())
        })
        .build()?;
    clock.advance(seconds(11));
    let renewing = client.clone();
    let renewing = begin(move || async move { renewing.ensure_active_token().await });
    let server = Arc::new(server);
    let arrived = server.clone();
    meanwhile(move || arrived.wait_for("/token", 1)).await;
    shelf.put(Some(Token::new("login").with_refresh_token("r9")));
    gate.open();
    let token = renewing.end().await?;
    assert_eq!(access_token(&token), "login");
    assert_eq!(access_token(&client.token().unwrap()), "login");
    assert_eq!(shelf.held(), "2:login");
    assert_eq!(*told.lock().unwrap(), [("t1".to_owned(), true)]);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_here_takes_the_place_of_whatever_is_stored() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(Token::new("old"));
    let server = strict(&shelf, 600);
    let client = process(&server, &shelf, &clock).build()?;
    client.fetch_token(ClientCredentials::new()).await?;
    assert_eq!(shelf.held(), "2:t1");
    assert_eq!(shelf.story(), "request(-) load save(2:t1)");
    shelf.put(Some(Token::new("elsewhere")));
    client.fetch_token(ClientCredentials::new()).await?;
    assert_eq!(shelf.held(), "4:t2");
    shelf.put(Some(Token::new("elsewhere")));
    client.set_token(Token::new("given"))?;
    client.close().await?;
    assert_eq!(shelf.held(), "6:given");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_that_could_not_be_stored_is_returned_as_an_error_and_kept() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::default();
    let server = strict(&shelf, 600);
    let client = process(&server, &shelf, &clock).build()?;
    shelf.fail([Fault::Load, Fault::Save]);
    for _ in 0..2 {
        let result = client.fetch_token(ClientCredentials::new()).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Update);
    }
    assert_eq!(access_token(&client.token().unwrap()), "t2");
    client.close().await?;
    assert_eq!(shelf.held(), "1:t2");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_store_that_refuses_for_ever_is_not_asked_for_ever() -> TestResult {
    #[derive(Clone)]
    struct Stubborn;
    #[maybe_async(AFIT)]
    impl TokenStore for Stubborn {
        async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
            Ok(None)
        }
        async fn save(&self, _: &StoredToken) -> Result<bool, BoxError> {
            Ok(false)
        }
        async fn lease(&self, _: Duration) -> Result<Option<Lease>, BoxError> {
            Ok(Some(Lease::new(())))
        }
    }
    let server = provider(600);
    let client = with_credentials(&server).token_store(Stubborn).build()?;
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    assert_eq!(server.count("/token"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_revoked_token_is_revoked_for_all() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 10));
    let server = strict(&shelf, 600);
    let revoking = || process(&server, &shelf, &clock).revocation_endpoint(server.url("/revoke"));
    let other = revoking().build()?;
    other.ensure_active_token().await?;
    // A new run, which has not read the store yet.
    let client = revoking().build()?;
    client.revoke_token().await?;
    let request = &server.requests("/revoke")[0];
    assert_eq!(request.parameter("token").as_deref(), Some("r0"));
    assert_eq!((&*shelf.held(), client.token()), ("2:-", None));
    clock.advance(seconds(11));
    for client in [&client, &other] {
        let error = client.ensure_active_token().await.unwrap_err();
        assert!(error.needs_login(), "{error}");
        assert_eq!(client.token(), None);
    }
    assert_eq!(server.count("/token"), 0);
    // The next login is the next version.
    client.set_token(Token::new("again"))?;
    client.close().await?;
    assert_eq!(shelf.held(), "3:again");
    let token = other.ensure_active_token().await?;
    assert_eq!(access_token(&token), "again");
    Ok(())
}

/// Another process may have renewed the token: that is the one to be revoked.
#[maybe_async]
#[test]
async fn revocation_and_introspection_are_about_what_is_stored() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 600));
    let server = Server::start(|_: &Request| Reply::json(200, json!({"active": true})));
    let client = process(&server, &shelf, &clock)
        .revocation_endpoint(server.url("/revoke"))
        .introspection_endpoint(server.url("/introspect"))
        .build()?;
    client.introspect_token().await?;
    shelf.put(Some(Token::new("t5").with_refresh_token("r5")));
    client.introspect_token().await?;
    client.revoke_token().await?;
    let sent = |path: &str| -> Vec<_> {
        let requests = server.requests(path);
        requests
            .iter()
            .filter_map(|r| r.parameter("token"))
            .collect()
    };
    assert_eq!(
        (sent("/introspect"), sent("/revoke")),
        (vec!["t0".into(), "t5".into()], vec!["r5".into()])
    );
    shelf.fail([Fault::Load]);
    let error = client.revoke_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    Ok(())
}

#[maybe_async]
#[test]
async fn after_invalid_grant_the_store_is_read_before_anybody_is_asked_to_log_in() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 10));
    let other = shelf.clone();
    let issued = AtomicUsize::new(0);
    let now = clock.clone();
    // While the first request is under way, somebody who heeds no lease stores a token.
    let server = Server::start(move |request: &Request| {
        match (
            issued.fetch_add(1, Ordering::SeqCst),
            request.parameter("refresh_token").as_deref(),
        ) {
            (0, Some("r0")) => {
                other.put(Some(first_token(&now, 600).with_refresh_token("r5")));
                Reply::json(400, json!({"error": "invalid_grant"}))
            }
            (1, Some("r5")) => {
                other.put(Some(first_token(&now, 0).with_refresh_token("r6")));
                Reply::json(400, json!({"error": "invalid_grant"}))
            }
            (2, Some("r6")) => Reply::json(200, tokens(7, 600)),
            _ => Reply::json(400, json!({"error": "invalid_grant"})),
        }
    });
    let client = process(&server, &shelf, &clock).build()?;
    clock.advance(seconds(11));
    let token = client.ensure_active_token().await?;
    assert_eq!(token.refresh_token().unwrap().expose_secret(), "r5");
    clock.advance(seconds(601));
    let token = client.ensure_active_token().await?;
    assert_eq!((access_token(&token), &*shelf.held()), ("t7", "4:t7"));
    // Nobody has: the person has to log in again, and nothing was lost.
    clock.advance(seconds(601));
    let error = client.ensure_active_token().await.unwrap_err();
    assert!(error.needs_login(), "{error}");
    assert_eq!((server.count("/token"), &*shelf.held()), (4, "4:t7"));
    assert!(!shelf.is_leased());
    Ok(())
}

#[maybe_async]
#[test]
async fn after_a_401_another_token_in_the_store_is_as_good_as_a_renewed_one() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 600));
    let story = shelf.clone();
    let server = Server::start(move |request: &Request| match &*request.path {
        "/token" => {
            story.note("request");
            Reply::json(200, tokens(1, 600))
        }
        _ => match request.header("authorization") {
            Some("Bearer t0") => Reply::text(401, ""),
            token => Reply::text(200, token.unwrap_or_default()),
        },
    });
    let client = process(&server, &shelf, &clock).build()?;
    client.ensure_active_token().await?;
    shelf.put(Some(first_token(&clock, 600)));
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(
        (&*text, server.count("/token")),
        ("Bearer t1", 1),
        "it was the same"
    );
    shelf.put(Some(first_token(&clock, 600)));
    let other = process(&server, &shelf, &clock).build()?;
    other.ensure_active_token().await?;
    shelf.put(Some(Token::new("t5")));
    let text = other.get(server.url("/api")).send().await?.text().await?;
    assert_eq!((&*text, server.count("/token")), ("Bearer t5", 1));
    Ok(())
}

/// A program that only uses what another one keeps up to date.
#[maybe_async]
#[test]
async fn a_reader_takes_what_others_store() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::default();
    let client = OAuth2Client::builder("id")
        .token_store(shelf.clone())
        .clock(clock.clock())
        .build()?;
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Token);
    shelf.put(Some(first_token(&clock, 10)));
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t0");
    clock.advance(seconds(11));
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.needs_login()),
        (ErrorKind::Token, true)
    );
    shelf.put(Some(Token::new("t1")));
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    let story = shelf.story();
    assert!(
        !story.contains("lease") && !story.contains("save"),
        "{story}"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_store_that_lost_its_token_is_no_reason_to_lose_ours() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 10));
    let server = strict(&shelf, 10);
    let client = process(&server, &shelf, &clock).build()?;
    client.ensure_active_token().await?;
    shelf.0.lock().unwrap().stored = None;
    clock.advance(seconds(11));
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    assert_eq!(shelf.held(), "1:t1");
    // It began anew and came to the same version.
    shelf.0.lock().unwrap().stored = None;
    shelf.put(Some(first_token(&clock, 600)));
    clock.advance(seconds(11));
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t0");
    Ok(())
}

#[maybe_async]
#[test]
async fn children_have_no_store() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(Token::new("parent"));
    let server = strict(&shelf, 600);
    let client = process(&server, &shelf, &clock)
        .revocation_endpoint(server.url("/revoke"))
        .build()?;
    let child = client.for_token(first_token(&clock, 0));
    let token = child.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    child.fetch_token(ClientCredentials::new()).await?;
    child.set_token(Token::new("x"))?;
    child.revoke_token().await?;
    child.close().await?;
    assert_eq!(shelf.held(), "1:parent");
    let story = shelf.story();
    assert!(
        !story.contains("load") && !story.contains("save"),
        "{story}"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_store_that_hangs_is_waited_for_no_longer_than_the_timeout() -> TestResult {
    let clock = ManualClock::new();
    for fault in [Fault::HangingLoad, Fault::HangingLease, Fault::HangingSave] {
        let shelf = Shelf::with(first_token(&clock, 0));
        let server = strict(&shelf, 600);
        let client = process(&server, &shelf, &clock)
            .timeout(Duration::from_millis(300))
            .build()?;
        shelf.fail([fault]);
        let error = client.ensure_active_token().await.unwrap_err();
        let (kind, shown) = match fault {
            Fault::HangingSave => {
                let source = std::error::Error::source(&error).expect("a source");
                (ErrorKind::Update, source.to_string())
            }
            _ => (ErrorKind::Store, error.to_string()),
        };
        assert_eq!(
            (error.kind(), &*shown),
            (kind, "token_store did not answer in time")
        );
        let token = client.ensure_active_token().await?;
        assert_eq!(access_token(&token), "t1");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_and_a_store_are_one_too_many() -> TestResult {
    let error = OAuth2Client::builder("id")
        .token(Token::new("t"))
        .token_store(Shelf::default())
        .build()
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("token is that of token_store; leave it out"),
        "{error}"
    );
    Ok(())
}

/// The last clone goes without `close`.
#[maybe_async]
#[test]
async fn a_client_that_is_dropped_stores_what_is_not_stored_yet() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 0));
    let server = strict(&shelf, 600);
    let client = process(&server, &shelf, &clock).build()?;
    shelf.fail([Fault::Save]);
    client.ensure_active_token().await.unwrap_err();
    drop(client);
    while shelf.held() != "2:t1" {
        pause(Duration::from_millis(5)).await;
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn set_token_stores_without_being_waited_for() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::default();
    let server = strict(&shelf, 600);
    let client = process(&server, &shelf, &clock).build()?;
    client.set_token(Token::new("given"))?;
    while shelf.held() != "1:given" {
        pause(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// A store whose own code uses the client that it belongs to.
#[derive(Clone, Default)]
struct Curious {
    client: Arc<std::sync::OnceLock<OAuth2Client>>,
    seen: Arc<Mutex<Vec<ErrorKind>>>,
}

#[maybe_async(AFIT)]
impl TokenStore for Curious {
    async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        let client = self.client.get().ok_or("no client")?;
        assert_eq!(client.token(), None);
        for refused in [
            client.ensure_active_token().await.map(|_| ()),
            client.refresh_token().await.map(|_| ()),
            client.set_token(Token::new("x")),
            client.close().await,
            client.revoke_token().await,
        ] {
            let kind = refused.expect_err("it would wait for itself").kind();
            self.seen.lock().unwrap().push(kind);
        }
        Ok(None)
    }

    async fn save(&self, _: &StoredToken) -> Result<bool, BoxError> {
        let client = self.client.get().ok_or("no client")?;
        let token = client.ensure_active_token().await?;
        assert_eq!(access_token(&token), "t1");
        Ok(true)
    }

    async fn lease(&self, _: Duration) -> Result<Option<Lease>, BoxError> {
        Ok(Some(Lease::new(())))
    }
}

#[maybe_async]
#[test]
async fn a_store_that_calls_its_client_does_not_wait_for_itself() -> TestResult {
    let server = provider(600);
    let store = Curious::default();
    let client = with_credentials(&server)
        .token_store(store.clone())
        .build()?;
    store.client.set(client.clone()).expect("once");
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    assert!(
        store
            .seen
            .lock()
            .unwrap()
            .iter()
            .all(|kind| *kind == ErrorKind::Reentrant)
    );
    assert!(!store.seen.lock().unwrap().is_empty());
    client.close().await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_store_that_panics_holds_nobody_up() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 600));
    let server = strict(&shelf, 600);
    let client = process(&server, &shelf, &clock).build()?;
    shelf.fail([Fault::PanickingLoad]);
    let panicking = client.clone();
    let panicking = begin(move || async move {
        let _ = panicking.ensure_active_token().await;
    });
    let ended = panicking.outcome().await;
    assert!(ended.is_err(), "the panic is the caller's");
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t0");
    Ok(())
}

/// Runs of a service account's job, one after the other and at the same time.
#[maybe_async]
#[test]
async fn assertion_clients_share_their_token_too() -> TestResult {
    let (shelf, clock) = (Shelf::default(), ManualClock::new());
    let server = strict(&shelf, 600);
    let job = || {
        AssertionClient::builder(server.url("/token"))
            .assertion(|| Ok("an assertion".into()))
            .token_store(shelf.clone())
            .clock(clock.clock())
            .build()
    };
    let first = job()?;
    let token = first.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    assert_eq!(
        shelf.story(),
        "load load lease load request(-) save(1:t1) release"
    );
    first.close().await?;
    let jobs = [job()?, job()?, job()?, job()?];
    for job in &jobs {
        let text = job.get(server.url("/api")).send().await?.text().await?;
        assert_eq!(text, "Bearer t1");
    }
    assert_eq!(shelf.story(), "load load load load");
    clock.advance(seconds(601));
    let renewed = at_once(4, |n| {
        let job = jobs[n].clone();
        async move { job.ensure_active_token().await }
    })
    .await;
    for token in renewed {
        // The refresh token that the server sent along is not used.
        assert_eq!(access_token(&*token?), "t2");
    }
    assert_eq!((server.count("/token"), &*shelf.held()), (2, "2:t2"));
    assert_eq!(
        server.requests("/token")[1].parameter("refresh_token"),
        None
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn another_stores_while_the_lease_is_asked_for() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 0));
    let server = strict(&shelf, 600);
    let client = process(&server, &shelf, &clock).build()?;
    shelf.0.lock().unwrap().meanwhile = Some(Token::new("theirs"));
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "theirs");
    assert_eq!((server.count("/token"), shelf.is_leased()), (0, false));
    Ok(())
}

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
    let tokens = at_once(8, |n| {
        let other = others[n].clone();
        async move { other.ensure_active_token().await }
    })
    .await;
    for token in tokens {
        assert_eq!(access_token(&*token?), "t3");
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
    let source = std::error::Error::source(&error).expect("a source");
    let shown = format!("{error} {source} {error:?}");
    assert!(
        shown.contains("token.json does not hold a token; move it away"),
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
