//! Tokens in a store that several clients share.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use oauth_twin::{BoxError, Error, ErrorKind, Lease, StoredToken, TokenUpdate};
use support::folder::Folder;

use super::{test, *};

mod callers;
mod failures;
mod files;
mod pauses;
mod races;
mod releases;
mod sharing;
mod unsaved;

/// Store with a record of its calls, and with faults to be injected.
#[derive(Clone, Default)]
pub struct Shelf(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    stored: Option<StoredToken>,
    leased: bool,
    /// The calls, in order.
    story: Vec<String>,
    /// Faults of the next calls.
    faults: VecDeque<Fault>,
    /// Stored by another process as soon as the lease is requested.
    meanwhile: Option<Token>,
    /// Calls of this kind wait until it is another.
    holding: Option<&'static str>,
    /// Tokens that were passed to the store and may be stored later.
    late: Option<StoredToken>,
    /// The requested time of the lease.
    lease_time: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    Load,
    Lease,
    Save,
    /// It is stored, and the answer is lost.
    Saved,
    HangingLoad,
    HangingLease,
    HangingSave,
    /// The same, but what was given is stored [later](Shelf::land).
    LateSave,
    PanickingLoad,
}

impl Shelf {
    pub fn with(token: Token) -> Self {
        let shelf = Self::default();
        shelf.put(Some(token));
        shelf
    }

    /// Stores a token of another process that has no lease.
    pub fn put(&self, token: Option<Token>) {
        let mut inside = self.0.lock().unwrap();
        let version = inside.stored.as_ref().map_or(0, |stored| stored.version);
        inside.stored = Some(StoredToken::new(token, version + 1));
    }

    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.0.lock().unwrap().faults.extend(faults);
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.0.lock().unwrap().faults.clear();
    }

    /// Lets calls of this kind wait, or none.
    pub fn hold(&self, what: Option<&'static str>) {
        self.0.lock().unwrap().holding = what;
    }

    fn is_held(&self, what: &str) -> bool {
        self.0.lock().unwrap().holding == Some(what)
    }

    /// Whether that has happened since the story was told last.
    pub fn has_seen(&self, what: &str) -> bool {
        let inside = self.0.lock().unwrap();
        inside
            .story
            .iter()
            .any(|happened| happened.starts_with(what))
    }

    /// A delayed save is completed, if it still can be.
    pub fn land(&self) {
        let mut inside = self.0.lock().unwrap();
        if let Some(late) = inside.late.take() {
            inside.store(&late);
        }
    }

    pub fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().story.push(what.into());
    }

    /// The calls since the last time.
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

    /// How many have it.
    fn owners(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Whether a call is still to fail.
    pub fn has_fault(&self) -> bool {
        !self.0.lock().unwrap().faults.is_empty()
    }

    /// Whether the next call, which is one of these, has a fault.
    pub fn fault(&self, of: &[Fault]) -> Option<Fault> {
        let mut inside = self.0.lock().unwrap();
        let is_next = inside.faults.front().is_some_and(|next| of.contains(next));
        if is_next {
            return inside.faults.pop_front();
        }
        None
    }
}

impl Inside {
    /// Stores `next` if that is its turn.
    fn store(&mut self, next: &StoredToken) -> bool {
        let version = self.stored.as_ref().map_or(0, |stored| stored.version);
        let is_next = version == next.replaces();
        if is_next {
            self.stored = Some(next.clone());
        }
        is_next
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
        while self.is_held("load") {
            sleep(Duration::from_millis(5)).await;
        }
        match self.fault(&[Fault::Load, Fault::HangingLoad, Fault::PanickingLoad]) {
            Some(Fault::HangingLoad) => sleep(Duration::from_secs(60)).await,
            Some(Fault::PanickingLoad) => panic!("the store panics"),
            Some(_) => return Err("the disk is gone".into()),
            None => {}
        }
        Ok(self.0.lock().unwrap().stored.clone())
    }

    async fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        self.note(format!("save({})", short(next)));
        while self.is_held("save") {
            sleep(Duration::from_millis(5)).await;
        }
        let faults = [
            Fault::Save,
            Fault::Saved,
            Fault::HangingSave,
            Fault::LateSave,
        ];
        let fault = self.fault(&faults);
        if fault == Some(Fault::LateSave) {
            self.0.lock().unwrap().late = Some(next.clone());
        }
        match fault {
            Some(Fault::HangingSave) => {
                sleep(Duration::from_secs(60)).await;
                return Err("it comes to nothing".into());
            }
            Some(Fault::LateSave) => {
                while self.0.lock().unwrap().late.is_some() {
                    sleep(Duration::from_millis(5)).await;
                }
                return Err("the answer is lost".into());
            }
            Some(Fault::Save) => return Err("the disk is full".into()),
            _ => {}
        }
        let is_stored = self.0.lock().unwrap().store(next);
        match fault {
            Some(Fault::Saved) => Err("the answer is lost".into()),
            _ => Ok(is_stored),
        }
    }

    async fn lease(&self, time: Duration) -> Result<Option<Lease>, BoxError> {
        self.0.lock().unwrap().lease_time = time;
        if self.is_held("lease") {
            self.note("leasing");
        }
        while self.is_held("lease") {
            sleep(Duration::from_millis(5)).await;
        }
        match self.fault(&[Fault::Lease, Fault::HangingLease]) {
            Some(Fault::HangingLease) => sleep(Duration::from_secs(60)).await,
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

/// A server that revokes everything if a refresh token is used twice, and notes its requests.
pub fn strict(shelf: &Shelf, expires_in: u64) -> Server {
    let shelf = shelf.clone();
    let state = Mutex::new((0, "r0".to_owned()));
    Server::start(move |request: &Request| {
        if request.path != "/token" {
            return Reply::authorization_of(request);
        }
        let (issued, good) = &mut *state.lock().unwrap();
        let refresh = request.parameter("refresh_token");
        shelf.note(format!("request({})", refresh.as_deref().unwrap_or("-")));
        if refresh.is_some_and(|refresh| refresh != *good) {
            *good = "nothing".to_owned();
            return Reply::error(400, "invalid_grant");
        }
        *issued += 1;
        *good = format!("r{issued}");
        Reply::json(200, tokens(*issued, expires_in))
    })
}

/// A clock, a store with the first token, which lives for `stored` seconds, and a strict server
/// whose tokens live for `issued` seconds.
fn with_stored_token(stored: u64, issued: u64) -> (ManualClock, Shelf, Server) {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, stored));
    let server = strict(&shelf, issued);
    (clock, shelf, server)
}

/// The same with a store that holds nothing yet.
fn with_empty_store(issued: u64) -> (ManualClock, Shelf, Server) {
    let shelf = Shelf::default();
    let server = strict(&shelf, issued);
    (ManualClock::new(), shelf, server)
}

/// A client of its own with that store.
fn process(server: &Server, shelf: &Shelf, clock: &ManualClock) -> OAuth2ClientBuilder {
    builder(server)
        .token_store(shelf.clone())
        .clock(clock.clock())
}

/// Waits until that has happened.
#[maybe_async]
async fn seen(shelf: &Shelf, what: &str) {
    until(|| shelf.has_seen(what)).await;
}

/// Something that a hook waits for.
#[derive(Clone, Default)]
struct Flag(Arc<std::sync::atomic::AtomicBool>);

impl Flag {
    fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn clear(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
