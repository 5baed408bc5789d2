//! The state that all parts share: limits, switches and counters.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use oauth_twin::{Error, ErrorKind, Token};

use crate::{callers::Action, ledger::Ledger, random::RngStreams, services::User};

/// The timeout of the clients.
pub const CLIENT_TIMEOUT: Duration = Duration::from_secs(2);
/// The `close_timeout` of the clients.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// The time by which a call may exceed its own limit.
pub const SLACK: Duration = Duration::from_secs(20);
/// How long before a call began a token may have expired that it returns…
const EXPIRED_BEFORE_CALL: Duration = Duration::from_millis(500);
/// … and how long before it returned, or a request arrived: threads and tasks have to wait for the
/// processor.
pub const EXPIRED_IN_TRANSIT: Duration = Duration::from_secs(6);

/// The number of descriptions that are kept of each kind of failure.
const NOTES: usize = 5;

pub struct Soak {
    pub ledger: Arc<Ledger>,
    pub random: RngStreams,
    /// Set when there are to be no more faults.
    pub faultless: AtomicBool,
    /// Set when there are to be no more calls.
    pub stopping: AtomicBool,
    pub counters: Counters,
    pub provider: OnceLock<SocketAddr>,
}

#[derive(Default)]
pub struct Counters {
    pub calls: AtomicUsize,
    pub succeeded: AtomicUsize,
    pub aborted: AtomicUsize,
    pub restarts: AtomicUsize,
    pub undriven: AtomicUsize,
    pub hung: AtomicUsize,
    pub panics: AtomicUsize,
    pub expired: AtomicUsize,
    pub expired_at_api: AtomicUsize,
    pub unclosed: AtomicUsize,
    /// Descriptions of the first failures of each kind.
    notes: Mutex<BTreeMap<&'static str, Vec<String>>>,
    /// Calls that failed, by the kind of the error.
    failed: Mutex<BTreeMap<String, usize>>,
}

/// The result of a call that succeeds.
pub enum Reply {
    Token(Token),
    Status(u16),
    Closed,
}

impl Soak {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            ledger: Arc::default(),
            random: RngStreams::new(seed),
            faultless: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            counters: Counters::default(),
            provider: OnceLock::new(),
        })
    }

    pub fn url(&self, path: &str) -> String {
        let address = self.provider.get().expect("a provider that has started");
        format!("http://{address}{path}")
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Counts the outcome of a call, and returns whether a login may be needed.
    pub fn judge(
        &self,
        action: Action,
        user: &User,
        began: Instant,
        outcome: Result<Reply, Error>,
    ) -> bool {
        let now = Instant::now();
        if now - began > action.limit() + SLACK {
            self.counters.hung(action, user);
        }
        match outcome {
            Ok(Reply::Token(token)) => {
                self.counters.succeeded.fetch_add(1, Ordering::SeqCst);
                let [before, after] = [began, now].map(|at| self.ledger.expired_for(&token, at));
                if before > EXPIRED_BEFORE_CALL || after > EXPIRED_IN_TRANSIT {
                    self.counters.expired.fetch_add(1, Ordering::SeqCst);
                    let more = format!(" {before:?} before it began, {after:?} before it ended");
                    let what = "gave a token that had expired";
                    self.counters.note(what, action, user, more);
                }
                false
            }
            Ok(Reply::Status(401)) => {
                self.counters.note_failure("401".to_owned());
                true
            }
            Ok(_) => {
                self.counters.succeeded.fetch_add(1, Ordering::SeqCst);
                false
            }
            Err(error) => {
                let code = error.code().map(|code| format!(" {code}"));
                let kind = format!("{:?}{}", error.kind(), code.unwrap_or_default());
                self.counters.note_failure(kind);
                error.needs_login() || error.kind() == ErrorKind::Token
            }
        }
    }
}

impl Counters {
    pub fn hung(&self, action: Action, user: &User) {
        self.hung.fetch_add(1, Ordering::SeqCst);
        self.note("hung", action, user, String::new());
    }

    pub fn panicked(&self, action: Action, user: &User) {
        self.panics.fetch_add(1, Ordering::SeqCst);
        self.note("panicked", action, user, String::new());
    }

    fn note(&self, what: &'static str, action: Action, user: &User, more: String) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let notes = notes.entry(what).or_default();
        if notes.len() < NOTES {
            notes.push(format!("user {}: {action:?} {what}{more}", user.number));
        }
    }

    pub fn notes(&self) -> Vec<String> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.values().flatten().cloned().collect()
    }

    fn note_failure(&self, kind: String) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        *failed.entry(kind).or_default() += 1;
    }

    pub fn failed(&self) -> BTreeMap<String, usize> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.clone()
    }
}
