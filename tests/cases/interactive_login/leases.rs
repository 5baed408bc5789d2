//! The lease of a store during a login, where nothing but its time ends it.

use oauth_twin::{Lease, StoredToken};

use super::{super::test, *};
use crate::{mode::TokenStore, support::gate::Gate};

/// A row that processes share, and its lease, which ends by its time.
#[derive(Default)]
struct Row {
    stored: Option<StoredToken>,
    /// Who holds the lease, and until when.
    lease: Option<(usize, Instant)>,
    leases: usize,
    /// The times for which a lease was requested.
    times: Vec<Duration>,
    /// The processes that were granted one, in order.
    holders: Vec<&'static str>,
}

/// The store of one process.
#[derive(Clone)]
pub struct TimedStore {
    row: Arc<Mutex<Row>>,
    process: &'static str,
    is_killed: Arc<Mutex<bool>>,
    /// How long a release takes after the lease has ended.
    delay: Duration,
}

/// Its lease, of which nothing becomes when it is dropped.
struct Held(usize);

impl TimedStore {
    pub fn new(process: &'static str) -> Self {
        Self {
            row: Arc::default(),
            process,
            is_killed: Arc::default(),
            delay: Duration::ZERO,
        }
    }

    /// The store of another process.
    pub fn beside(&self, process: &'static str) -> Self {
        Self {
            row: self.row.clone(),
            process,
            is_killed: Arc::default(),
            delay: self.delay,
        }
    }

    /// Nothing of this process reaches the store any more.
    fn kill(&self) {
        *self.is_killed.lock().unwrap() = true;
    }

    pub fn is_leased(&self) -> bool {
        self.row.lock().unwrap().is_leased()
    }

    fn holders(&self) -> Vec<&'static str> {
        self.row.lock().unwrap().holders.clone()
    }

    /// The longest time for which a lease was requested.
    pub fn longest(&self) -> Duration {
        let row = self.row.lock().unwrap();
        row.times.iter().max().copied().unwrap_or_default()
    }

    fn row(&self) -> Result<std::sync::MutexGuard<'_, Row>, BoxError> {
        match *self.is_killed.lock().unwrap() {
            true => Err("the process was killed".into()),
            false => Ok(self.row.lock().unwrap()),
        }
    }
}

impl Row {
    fn is_leased(&self) -> bool {
        self.lease.is_some_and(|(_, until)| until > Instant::now())
    }
}

#[maybe_async(AFIT)]
impl TokenStore for TimedStore {
    async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        Ok(self.row()?.stored.clone())
    }

    async fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        let mut row = self.row()?;
        let version = row.stored.as_ref().map_or(0, |stored| stored.version);
        let is_next = version == next.replaces();
        if is_next {
            row.stored = Some(next.clone());
        }
        Ok(is_next)
    }

    async fn lease(&self, time: Duration) -> Result<Option<Lease>, BoxError> {
        let mut row = self.row()?;
        row.times.push(time);
        if row.is_leased() {
            return Ok(None);
        }
        row.leases += 1;
        let number = row.leases;
        row.lease = Some((number, Instant::now() + time));
        row.holders.push(self.process);
        Ok(Some(Lease::new(Held(number))))
    }

    async fn release(&self, lease: Lease) -> Result<(), BoxError> {
        let Held(number) = lease.into_guard().map_err(|_| "another lease")?;
        self.row()?.lease.take_if(|(held, _)| *held == number);
        sleep(self.delay).await;
        Ok(())
    }
}

/// A login of a user who waits until `gate` is open, and how often its browser was opened.
fn held(gate: &Gate) -> (InteractiveLogin, Arc<AtomicUsize>) {
    let opened = Arc::new(AtomicUsize::new(0));
    let (count, gate) = (opened.clone(), gate.clone());
    let login = Shown::default().login(move |url| {
        count.fetch_add(1, Ordering::SeqCst);
        gate.wait();
        // The login may have ended by now.
        let target = callback(url, "c");
        if is_open(target.as_str()) {
            visited(&target);
        }
    });
    (login, opened)
}

fn client(server: &Server, store: &TimedStore) -> OAuth2Client {
    let builder = command_line(server).timeout(seconds(3));
    builder.token_store(store.clone()).build().unwrap()
}

#[maybe_async]
#[test]
async fn a_process_that_is_killed_holds_up_the_next_one_for_a_moment() -> TestResult {
    let server = provider(600);
    let (gate, store) = (Gate::new(), TimedStore::new("killed"));
    let killed = client(&server, &store);
    let (login, opened) = held(&gate);
    let user = killed.clone();
    let login = login.timeout(seconds(600));
    let logging_in = spawn(move || async move { user.ensure_login(login).await });
    until(|| opened.load(Ordering::SeqCst) == 1).await;
    store.kill();
    let next = client(&server, &store.beside("next"));
    let free = Gate::new();
    free.open();
    let (login, opened) = held(&free);
    let begun = Instant::now();
    let token = next.ensure_login(login.timeout(seconds(40))).await?;
    assert_eq!(access_token(&token), "t1");
    assert!(begun.elapsed() < seconds(30), "{:?}", begun.elapsed());
    assert_eq!(opened.load(Ordering::SeqCst), 1);
    next.close().await?;
    assert!(!store.is_leased());
    killed.close().await?;
    gate.open();
    logging_in.join().await.unwrap_err();
    Ok(())
}

#[maybe_async]
#[test]
async fn a_user_who_takes_their_time_is_asked_once() -> TestResult {
    let server = Arc::new(provider(600));
    // Others get the lease for a moment, while it is released for the next one.
    let store = TimedStore {
        delay: Duration::from_millis(500),
        ..TimedStore::new("first")
    };
    let gate = Gate::new();
    let (login, opened) = held(&gate);
    let (first, user) = (client(&server, &store), login.clone());
    let logging_in = spawn(move || async move { first.ensure_login(user).await });
    until(|| opened.load(Ordering::SeqCst) == 1).await;
    let others = ["second", "third"].map(|process| {
        let (other, login) = (client(&server, &store.beside(process)), login.clone());
        spawn(move || async move { other.ensure_login(login).await })
    });
    let count = |which: &str| {
        let holders = store.holders();
        holders.iter().filter(|holder| **holder == which).count()
    };
    until(|| count("first") >= 3 && count("second") + count("third") > 0).await;
    assert!(store.longest() <= seconds(9), "{:?}", store.longest());
    gate.open();
    let token = logging_in.join().await?;
    assert_eq!(access_token(&token), "t1");
    for other in others {
        let token = other.join().await?;
        assert_eq!(access_token(&token), "t1");
    }
    assert_eq!(opened.load(Ordering::SeqCst), 1, "{:?}", store.holders());
    assert_eq!(server.count("/token"), 1);
    assert!(!store.is_leased());
    Ok(())
}
