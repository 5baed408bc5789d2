//! The token store: one of all who share it renews, and the others take what it has stored.

use std::{
    ops::ControlFlow::{self, Break, Continue},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    Store, briefly, detached, is_marked,
    jitter::jitter,
    marked, maybe_async,
    outbox::Next,
    session::Live,
    single_flight::{Ended, Lead},
    sleep,
    slot::{Current, Turn, Wanted, expired, no_token},
};
use crate::{
    error::{Error, ErrorCode, Result},
    oauth2::{grant::refresh_token::RefreshToken, token::Token},
    token_store::{Lease, StoredToken},
    trace,
};

/// How long a call of the store may last.
const CALL: Duration = Duration::from_secs(10);

/// How long to wait for a lease before it is asked for again, doubled each time …
const FIRST_WAIT: Duration = Duration::from_millis(10);
/// … up to this.
const LONGEST_WAIT: Duration = Duration::from_millis(250);

/// How often somebody else may store something before ours is.
const REFUSALS: u32 = 10;

/// How often the slot may change while its store is read.
const READINGS: u32 = 3;

/// A lease, and when it was asked for.
pub(super) struct Leased {
    _lease: Lease,
    asked: Instant,
}

/// How long a lease that another process holds has been waited for.
struct Patience {
    began: Instant,
    wait: Duration,
}

impl Patience {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            wait: FIRST_WAIT,
        }
    }
}

#[maybe_async]
impl Live {
    /// Reads the store, for those who wait for it.
    pub(super) async fn load(self, lead: Lead) -> Result<Ended> {
        let ended = self.read_store().await.map(|()| Ended::Unchanged);
        lead.end(ended.clone());
        ended
    }

    /// Reads the store, so that the slot holds what it does.
    pub(super) async fn sync(&self) -> Result<()> {
        // Within a callback, what is published counts, and nothing is waited for.
        if self.store().is_none() || is_marked(self.slot.id()) {
            return Ok(());
        }
        loop {
            let ended = match self.slot.reading() {
                Turn::Load(lead) => return detached(self.clone().load(lead)).await.map(|_| ()),
                Turn::Wait(flight) => flight.outcome.wait().await,
                _ => return Ok(()),
            };
            // What is just published is newer than what is stored.
            if let Ok(Ended::With(_)) = ended {
                return Ok(());
            }
        }
    }

    /// A new token and the lease that it was renewed under; or what somebody else has stored.
    pub(super) async fn obtained(
        &self,
        lead: &mut Lead,
    ) -> Result<ControlFlow<Ended, (Token, Option<Leased>)>> {
        let Some(store) = self.store() else {
            return Ok(Continue((self.renewed(lead).await?, None)));
        };
        let lease = match self.lease(store, lead).await? {
            Continue(lease) => lease,
            Break(ended) => return Ok(Break(ended)),
        };
        let spent = lead.old.clone();
        let error = match self.renewed(lead).await {
            Ok(token) => return Ok(Continue((token, Some(lease)))),
            Err(error) => error,
        };
        let is_spent = error.code() == Some(&ErrorCode::InvalidGrant);
        // As long as the lease lasts for as much again.
        if !is_spent || lease.asked.elapsed() > CALL {
            return Err(error);
        }
        // Somebody who heeds no lease may have spent the refresh token and stored another.
        if let Break(ended) = self.look(lead).await? {
            return Ok(Break(ended));
        }
        if same(&spent, &lead.old) {
            return Err(error);
        }
        Ok(Continue((self.renewed(lead).await?, Some(lease))))
    }

    /// The lease, unless there is what is as good as a renewed token.
    async fn lease(&self, store: &Store, lead: &mut Lead) -> Result<ControlFlow<Ended, Leased>> {
        let mut patience = Patience::new();
        loop {
            if let Break(ended) = self.look(lead).await? {
                return Ok(Break(ended));
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
                let now = self.shared.settings.clock.unix();
                self.slot.leave_it_to_others(now);
                return Ok(Break(Ended::Unchanged));
            }
            self.wait_for_others(&mut patience).await?;
        }
    }

    /// The lease, for what must not meet a renewal of another process. None without a store.
    pub(super) async fn exclusively(&self) -> Result<Option<Leased>> {
        let Some(store) = self.store() else {
            return Ok(None);
        };
        let mut patience = Patience::new();
        loop {
            if let Some(lease) = self.take_lease(store).await? {
                return Ok(Some(lease));
            }
            self.wait_for_others(&mut patience).await?;
        }
    }

    async fn take_lease(&self, store: &Store) -> Result<Option<Leased>> {
        let (store, mark) = (store.clone(), self.slot.id());
        // Under it, the store is read, the token is asked for, at most in two ways, and stored.
        let time = self.shared.settings.timeout.saturating_mul(2) + 3 * CALL;
        let asked = Instant::now();
        let lease = briefly(self.patience_with_store(), move || lease(store, time, mark)).await;
        let lease = lease.unwrap_or_else(|| Err(Error::store(LATE, None)))?;
        Ok(lease.map(|lease| Leased {
            _lease: lease,
            asked,
        }))
    }

    async fn wait_for_others(&self, patience: &mut Patience) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(Error::closed());
        }
        if patience.began.elapsed() >= self.shared.settings.timeout {
            return Err(Error::store(HELD, None));
        }
        let wait = patience.wait;
        sleep(wait.saturating_add(jitter(wait)?)).await;
        patience.wait = (wait * 2).min(LONGEST_WAIT);
        Ok(())
    }

    /// Reads the store: what it holds is what is renewed, unless it is what is wanted.
    async fn look(&self, lead: &mut Lead) -> Result<ControlFlow<Ended>> {
        self.read_store().await?;
        if !self.slot.is_current(lead) {
            return Ok(Break(Ended::Superseded));
        }
        let stored = self.slot.current();
        (lead.old, lead.grant) = (stored.clone(), self.slot.grant());
        match stored {
            Some(stored) if self.is_wanted(&lead.wanted, &stored) => {
                return Ok(Break(Ended::With(stored)));
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

    /// Reads the store into the slot.
    pub(super) async fn read_store(&self) -> Result<()> {
        let Some(store) = self.store() else {
            return Ok(());
        };
        for _ in 0..READINGS {
            let (store, mark) = (store.clone(), self.slot.id());
            let asked = self.slot.asked();
            let stored = briefly(self.patience_with_store(), move || load(store, mark)).await;
            let stored = stored.unwrap_or_else(|| Err(Error::store(LATE, None)))?;
            match self.slot.learn(&asked, stored) {
                Some(true) => {
                    trace::taken();
                    return Ok(());
                }
                Some(false) => return Ok(()),
                None => {}
            }
        }
        Ok(())
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
        let (store, mark, given) = (store.clone(), self.slot.id(), next.clone());
        let saved = briefly(self.patience_with_store(), move || put(store, given, mark)).await;
        let saved = saved.unwrap_or_else(|| Err(Error::unsaved(LATE)));
        if saved.is_err() {
            self.slot.unanswered(next);
        }
        saved
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
