//! The token store: one of all who share it renews, and the others take what it has stored.

use std::{
    ops::ControlFlow::{self, Break, Continue},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    Store,
    backlog::Next,
    briefly, detached,
    flight::Lead,
    is_marked, marked, maybe_async,
    session::Live,
    sleep,
    slot::{Current, Turn, Wanted, expired, no_token},
};
use crate::{
    error::{Error, ErrorCode, Result},
    oauth2::{RefreshToken, Token},
    random,
    token_store::{Lease, StoredToken},
    trace,
};

/// How long a call of the store may last. A lease is asked for the time of a token request and of
/// the two calls that are made under it.
const CALL: Duration = Duration::from_secs(10);

/// How long to wait for a lease before it is asked for again, doubled each time …
const FIRST_WAIT: Duration = Duration::from_millis(10);
/// … up to this.
const LONGEST_WAIT: Duration = Duration::from_millis(250);

/// How often somebody else may store something before a token of the caller's is.
const REFUSALS: u32 = 10;

/// Where a token came from that can be used.
pub(super) enum Obtained {
    /// From the server, under the lease if there is a store.
    New(Box<Token>, Option<Lease>),
    /// From the store, where somebody else has put it; or from the caller in the meantime, and
    /// then it is in the slot.
    Stored(Option<Arc<Current>>),
}

#[maybe_async]
impl Live {
    /// Reads the store, for those who wait for it.
    pub(super) async fn load(self, lead: Lead) -> Result<()> {
        let read = self.read_store().await;
        lead.flight.outcome.set(read.clone().map(|()| None));
        read
    }

    /// Reads the store, so that the slot holds what it does.
    pub(super) async fn sync(&self) -> Result<()> {
        // Within a callback, what is published counts, and nothing is waited for.
        if self.store().is_none() || is_marked(self.slot.id()) {
            return Ok(());
        }
        loop {
            match self.slot.reading() {
                Turn::Load(lead) => return detached(self.clone().load(lead)).await,
                Turn::Wait(flight) => flight.landed.wait().await,
                _ => return Ok(()),
            }
        }
    }

    /// A new token, or that which somebody else has stored.
    pub(super) async fn obtained(&self, lead: &mut Lead) -> Result<Obtained> {
        let Some(store) = self.store() else {
            return Ok(Obtained::New(Box::new(self.renewed(lead).await?), None));
        };
        let lease = match self.lease(store, lead).await? {
            Continue(lease) => Some(lease),
            Break(stored) => return Ok(stored),
        };
        let spent = lead.old.clone();
        let error = match self.renewed(lead).await {
            Ok(token) => return Ok(Obtained::New(Box::new(token), lease)),
            Err(error) => error,
        };
        if error.code() != Some(&ErrorCode::InvalidGrant) {
            return Err(error);
        }
        // Somebody who heeds no lease may have spent the refresh token and stored another.
        if let Break(stored) = self.look(lead).await? {
            return Ok(stored);
        }
        if same(&spent, &lead.old) {
            return Err(error);
        }
        Ok(Obtained::New(Box::new(self.renewed(lead).await?), lease))
    }

    /// The lease, unless there is what is as good as a renewed token.
    async fn lease(&self, store: &Store, lead: &mut Lead) -> Result<ControlFlow<Obtained, Lease>> {
        let timeout = self.shared.settings.timeout;
        let started = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            if let Break(stored) = self.look(lead).await? {
                return Ok(Break(stored));
            }
            if !self.can_renew(lead) {
                return Err(lead.old.as_ref().map_or_else(no_token, |_| expired()));
            }
            if let Some(lease) = self.take_lease(store).await? {
                // Once more, as somebody else may have had it a moment ago.
                let looked = self.look(lead).await?;
                return Ok(looked.map_continue(|()| lease));
            }
            if let (Wanted::Usable, Some(old)) = (&lead.wanted, &lead.old)
                && self.is_alive(old)
            {
                // Somebody else renews it early; it is looked for again a little later.
                let now = self.shared.settings.clock.unix();
                self.slot.back_off(now, None);
                return Ok(Break(Obtained::Stored(Some(old.clone()))));
            }
            if self.closed.load(Ordering::SeqCst) {
                return Err(Error::closed());
            }
            if started.elapsed() >= timeout {
                return Err(Error::store(HELD, None));
            }
            sleep(wait.saturating_add(random::jitter(wait)?)).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Reads the store: what it holds is what is renewed, unless it is what is wanted.
    async fn look(&self, lead: &mut Lead) -> Result<ControlFlow<Obtained>> {
        self.read_store().await?;
        if !self.slot.is_current(lead) {
            return Ok(Break(Obtained::Stored(None)));
        }
        let stored = self.slot.current();
        lead.old = stored.clone();
        match stored {
            Some(stored) if self.is_wanted(&lead.wanted, &stored) => {
                return Ok(Break(Obtained::Stored(Some(stored))));
            }
            // From now on, what somebody else stores is as good as a renewed one.
            stored => {
                if let Wanted::Renewed = lead.wanted {
                    lead.wanted = stored.map_or(Wanted::Usable, Wanted::Other);
                }
            }
        }
        Ok(Continue(()))
    }

    async fn read_store(&self) -> Result<()> {
        let Some(store) = self.store().cloned() else {
            return Ok(());
        };
        let asked = self.slot.asked();
        let mark = self.slot.id();
        let stored = briefly(self.patience_with_store(), move || load(store, mark)).await;
        let stored = stored.unwrap_or_else(|| Err(Error::store(LATE, None)))?;
        if self.slot.learn(&asked, stored) {
            trace::taken();
        }
        Ok(())
    }

    async fn take_lease(&self, store: &Store) -> Result<Option<Lease>> {
        let (store, mark) = (store.clone(), self.slot.id());
        let time = self.shared.settings.timeout.saturating_add(CALL * 2);
        let lease = briefly(self.patience_with_store(), move || lease(store, time, mark)).await;
        lease.unwrap_or_else(|| Err(Error::store(LATE, None)))
    }

    /// Brings the store up to date. What fails is tried again some time later.
    pub(super) async fn save(self) -> Result<()> {
        let Some(store) = self.store() else {
            return Ok(());
        };
        let mut refusals = 0;
        while refusals < REFUSALS {
            match self.slot.take_unsaved() {
                Next::Nothing => return Ok(()),
                Next::Other(ended) => ended.wait().await,
                Next::Mine(unsaved, doing) => {
                    let saved = match unsaved.next.clone() {
                        Some(next) => self.put(store, next).await?,
                        None => false,
                    };
                    match &unsaved.next {
                        Some(next) if saved => self.slot.saved(&unsaved, next),
                        _ => {
                            refusals += 1;
                            self.read_store().await.map_err(Error::unsaved)?;
                        }
                    }
                    doing.done();
                }
            }
        }
        Err(Error::unsaved("others stored theirs again and again"))
    }

    async fn put(&self, store: &Store, next: StoredToken) -> Result<bool> {
        let (store, mark) = (store.clone(), self.slot.id());
        let saved = briefly(self.patience_with_store(), move || put(store, next, mark)).await;
        saved.unwrap_or_else(|| Err(Error::unsaved(LATE)))
    }
}

const LATE: &str = "token_store did not answer in time";
const HELD: &str = "another process holds the lease of token_store and does not give it back";

#[maybe_async]
async fn load(store: Store, mark: usize) -> Result<Option<StoredToken>> {
    let stored = marked(&[mark], move || store.load()).await;
    stored.map_err(|error| Error::store("token_store could not be read", Some(error)))
}

#[maybe_async]
async fn lease(store: Store, time: Duration, mark: usize) -> Result<Option<Lease>> {
    let lease = marked(&[mark], move || store.lease(time)).await;
    lease.map_err(|error| Error::store("token_store could not be leased", Some(error)))
}

#[maybe_async]
async fn put(store: Store, next: StoredToken, mark: usize) -> Result<bool> {
    let saved = marked(&[mark], move || store.save(next)).await;
    saved.map_err(Error::unsaved)
}

impl Live {
    fn store(&self) -> Option<&Store> {
        let store = self.shared.settings.store.as_ref();
        store.filter(|_| self.slot.origin.stored)
    }

    fn patience_with_store(&self) -> Duration {
        self.shared.settings.timeout.min(CALL)
    }

    /// Whether there is something to renew with.
    fn can_renew(&self, lead: &Lead) -> bool {
        let rules = self.slot.rules;
        let refresh_token = lead.old.as_ref().filter(|_| rules.use_refresh_tokens);
        let refresh_token =
            refresh_token.and_then(|old| RefreshToken::of(&old.token, lead.grant.as_deref()));
        rules.can_ask && (lead.grant.is_some() || refresh_token.is_some())
    }

    /// Whether a token of the store is what the caller wants.
    fn is_wanted(&self, wanted: &Wanted, current: &Current) -> bool {
        let now = self.shared.settings.clock.unix();
        match wanted {
            Wanted::Usable => current.is_fresh(now) || !self.slot.rules.policy.by_time(),
            Wanted::Renewed => false,
            Wanted::Other(refused) => {
                let other = refused.token.access_token() != current.token.access_token();
                other && self.is_alive(current)
            }
        }
    }
}

/// Whether the same refresh token would be sent.
fn same(one: &Option<Arc<Current>>, other: &Option<Arc<Current>>) -> bool {
    let [one, other] = [one, other].map(|current| Some(current.as_ref()?.token.refresh_token()));
    one == other
}
