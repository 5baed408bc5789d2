//! Reconciliation of a slot and its token store.

use std::{any::Any, collections::VecDeque, sync::Arc, time::Duration};

use super::now::Now;
use super::{
    outbox::{Due, Task},
    pacing::Pacing,
    published::Published,
    slot::{Slot, State},
};
use crate::{
    error::Error,
    oauth2::token::Token,
    signal::Signal,
    token_store::{Lease, StoredToken},
};

/// Limit of remembered saves of unknown outcome.
const ATTEMPTS: usize = 16;

/// Origin of a difference between the client and its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A renewal. If another process has stored a token in the meantime, that one counts.
    Renewal,
    /// A revocation. Another token that was stored in the meantime counts, as it is valid.
    Revocation,
    /// The caller: a login, `set_token`. It counts, whatever is stored.
    Caller,
}

/// Whether `stored` replaces the client's `own` token.
///
/// `known` is the version that the client has read or stored last, and `unsaved` the origin of its
/// own unsaved token.
pub(super) fn supersedes_local(
    known: Option<u64>,
    unsaved: Option<Origin>,
    own: Option<&Token>,
    stored: &StoredToken,
) -> bool {
    let other_version = known != Some(stored.version);
    match unsaved {
        Some(Origin::Caller) => false,
        Some(Origin::Renewal | Origin::Revocation) => other_version,
        // A store that lost everything and began again may have reached the same version.
        None => {
            let stored = stored.token.as_ref();
            other_version || own.map(Token::access_token) != stored.map(Token::access_token)
        }
    }
}

/// Lease of a renewal, and its end by monotonic time.
#[derive(Debug)]
pub(crate) struct HeldLease {
    lease: Lease,
    until: Duration,
}

impl HeldLease {
    pub(crate) fn new(lease: Lease, until: Duration) -> Self {
        Self { lease, until }
    }

    #[allow(dead_code, reason = "only logins hold a lease for long")]
    pub(crate) fn ends_with_process(&self) -> bool {
        self.lease.ends_with_process()
    }

    /// The lease, to be released.
    pub(crate) fn into_lease(self) -> Lease {
        self.lease
    }

    /// The remaining time.
    pub(crate) fn left(&self, now: Now) -> Duration {
        self.until.saturating_sub(now.monotonic)
    }
}

/// Knowledge of a slot about its store.
#[derive(Debug)]
pub(crate) struct StoreState<S: ?Sized = dyn Any + Send + Sync> {
    /// Whether it is that of a user, who is in the table, so that the token is in use without a
    /// handle.
    pub(super) is_of_user: bool,
    /// The version in the store, once it was read.
    version: Option<u64>,
    /// The origin of the slot's token, or of none, if it is not saved.
    unsaved: Option<Origin>,
    /// Saves that have begun and of which the store has not said that it took them: it may have, or
    /// may still do. Seldom any.
    #[allow(
        clippy::box_collection,
        reason = "each slot has one, and even an empty one takes four words"
    )]
    attempted: Option<Box<VecDeque<StoredToken>>>,
    /// Set during a save, so that saves are done one after the other.
    pub(super) saving: Option<Arc<Signal<()>>>,
    /// The lease under which the unsaved token was renewed.
    pub(super) lease: Option<Box<HeldLease>>,
    /// Active after a renewal that ended without a request while the token was good.
    pub(super) deferred: Option<Box<Pacing>>,
    /// The store itself, whose type the clients know: here it is only kept.
    pub(super) store: S,
}

impl<S> StoreState<S> {
    pub(crate) fn new(store: S) -> Self {
        Self {
            is_of_user: false,
            version: None,
            unsaved: None,
            attempted: None,
            saving: None,
            lease: None,
            deferred: None,
            store,
        }
    }
}

impl StoreState {
    /// Whether the store has been read.
    pub(super) fn has_read(&self) -> bool {
        self.version.is_some()
    }

    pub(super) fn is_saved(&self) -> bool {
        self.unsaved.is_none()
    }

    fn has_attempted(&self, stored: &StoredToken) -> bool {
        let attempted = self.attempted.as_ref();
        attempted.is_some_and(|attempted| attempted.contains(stored))
    }

    /// Notes that a save begins: from now on the store may have this.
    fn attempt(&mut self, next: StoredToken) {
        if !self.has_attempted(&next) {
            let attempted = self.attempted.get_or_insert_default();
            attempted.truncate(ATTEMPTS - 1);
            attempted.push_front(next);
        }
    }

    /// Notes that the slot differs from the store.
    pub(super) fn save(&mut self, origin: Origin) {
        self.unsaved = Some(match (origin, self.unsaved) {
            // The successor of a token from the caller counts like that one.
            (Origin::Renewal, Some(Origin::Caller)) => Origin::Caller,
            _ => origin,
        });
    }

    /// The same store for another slot: with the knowledge, and with the lease, under which that slot
    /// is saved, without a save in progress. Another token ends any wait.
    pub(super) fn moved(mut self: Box<Self>, origin: Origin) -> Box<Self> {
        self.unsaved = Some(origin);
        self.saving = None;
        self.deferred = None;
        self
    }
}

/// State of a slot before its store was read.
pub(crate) struct SlotSnapshot {
    generation: u32,
    version: Option<u64>,
}

/// Token, or none, that is to be saved.
pub(crate) struct Unsaved {
    /// None as long as the store has not been read.
    pub(crate) next: Option<StoredToken>,
    published: Option<Arc<Published>>,
}

/// Result of comparing a slot with its store.
pub(super) enum Reading {
    /// The slot has changed since the store was read: there is no result.
    Changed,
    /// The slot keeps its token.
    Known,
    /// The stored token, or none, counts.
    Adopt(Option<Token>),
}

impl State {
    /// Learns what the store holds, and what has taken the place of that, if its refresh token is
    /// spent.
    pub(super) fn read(
        &mut self,
        snapshot: &SlotSnapshot,
        stored: Option<StoredToken>,
        newer: Option<&Published>,
    ) -> Reading {
        let own = self
            .published
            .as_ref()
            .map(|published| published.token.clone());
        let generation = self.generation;
        let Some(store) = &mut self.store else {
            return Reading::Known;
        };
        if (generation, store.version) != (snapshot.generation, snapshot.version) {
            return Reading::Changed;
        }
        let Some(stored) = stored else {
            // The store may have lost its token, which is no reason to lose ours.
            store.version = Some(0);
            return Reading::Known;
        };
        let known = store.version.replace(stored.version);
        let access_token = own.as_ref().map(Token::access_token);
        let is_own = access_token == stored.token.as_ref().map(Token::access_token);
        let is_outdated =
            newer.is_some_and(|newer| access_token == Some(newer.token.access_token()));
        // A save of our own that completed late is not that of another process.
        let is_late = is_outdated || store.has_attempted(&stored);
        // Another slot has used the refresh token: that of another user with the same login.
        let is_spent = newer.is_some() && is_own && store.unsaved.is_none();
        let adopt =
            !is_late && (is_spent || supersedes_local(known, store.unsaved, own.as_ref(), &stored));
        if adopt || (is_late && is_own) {
            store.unsaved = None;
        }
        // A late save of our own has replaced the token that was adopted in the meantime.
        let is_overwritten = is_late && !is_own && store.unsaved.is_none();
        if is_overwritten || (newer.is_some() && (adopt || is_outdated)) {
            store.save(Origin::Renewal);
        }
        match adopt {
            // A save of unknown outcome may be our own all the same.
            true if !is_own || is_spent => self.outbox.supersede(),
            true => {}
            false => return Reading::Known,
        }
        Reading::Adopt(stored.token)
    }

    /// Notes that a renewal ended without a request. As long as the token can be used, the store is
    /// read again a little later, and not for each request.
    pub(super) fn defer(&mut self, now: Now) {
        let is_alive = |published: &Arc<Published>| published.is_alive(now.unix);
        if let Some(store) = &mut self.store
            && self.published.as_ref().is_some_and(is_alive)
        {
            let error = Error::store("the token is not renewed yet", None);
            let deferred = store.deferred.get_or_insert_default();
            deferred.fail(now.monotonic, error);
        }
    }
}

impl Slot {
    /// To be called before the store is read.
    pub(crate) fn snapshot(&self) -> SlotSnapshot {
        let state = self.read();
        SlotSnapshot {
            generation: state.generation,
            version: state.store.as_ref().and_then(|store| store.version),
        }
    }

    /// Takes the token to be saved, if there is one.
    pub(crate) fn take_unsaved(self: &Arc<Self>) -> Due<Unsaved> {
        let mut state = self.write();
        let published = state.published.clone();
        let Some(store) = &mut state.store else {
            return Due::Nothing;
        };
        if let Some(other) = &store.saving {
            return Due::Busy(other.clone());
        }
        if store.unsaved.is_none() {
            return Due::Nothing;
        }
        let token = published.as_ref().map(|published| published.token.clone());
        let next = |version: u64| StoredToken::new(token, version.saturating_add(1));
        let next = store.version.map(next);
        // It may be stored long before the save ends, and the slot may have another token by then.
        if let Some(next) = &next {
            store.attempt(next.clone());
        }
        let unsaved = Unsaved { next, published };
        Due::Mine(unsaved, self.begin(&mut state, Task::Save, None))
    }

    /// Notes that the store has the token. Returns the lease of its renewal, to be released.
    pub(crate) fn saved(&self, saved: &Unsaved, next: &StoredToken) -> Option<HeldLease> {
        let mut state = self.write();
        let published = state.published.as_ref().map(Arc::as_ptr);
        let store = state.store.as_mut()?;
        store.attempted = None;
        if store.version == Some(next.replaces()) {
            store.version = Some(next.version);
        }
        if published != saved.published.as_ref().map(Arc::as_ptr) {
            return None;
        }
        store.unsaved = None;
        let lease = store.lease.take().map(|lease| *lease);
        self.check_settled(&state);
        lease
    }

    /// Takes the lease of an earlier renewal whose token is not saved yet, for the next renewal or to
    /// be released.
    pub(crate) fn take_lease(&self) -> Option<HeldLease> {
        let lease = self.write().store.as_mut()?.lease.take();
        lease.map(|lease| *lease)
    }

    /// Puts the lease back for a token that is not saved yet. Returns it if there is none.
    pub(crate) fn keep_lease(&self, lease: HeldLease) -> Option<HeldLease> {
        match &mut self.write().store {
            Some(store) if !store.is_saved() && store.lease.is_none() => {
                store.lease = Some(Box::new(lease));
                None
            }
            _ => Some(lease),
        }
    }

    /// Takes the lease of an earlier renewal whose token does not have to be saved any more, to be
    /// released: another token counts, or the store has taken it without saying so.
    pub(crate) fn take_idle_lease(&self) -> Option<HeldLease> {
        let mut state = self.write();
        let store = state.store.as_mut()?;
        if store.unsaved.is_some() || store.saving.is_some() {
            return None;
        }
        store.lease.take().map(|lease| *lease)
    }

    /// The remaining time of the lease of an earlier renewal whose token is not saved yet.
    pub(crate) fn lease_left(&self, now: Now) -> Option<Duration> {
        let state = self.read();
        let lease = state.store.as_ref()?.lease.as_ref()?;
        Some(lease.left(now))
    }

    /// Notes that another process renews early: the store is read again a little later.
    pub(crate) fn defer(&self, now: Now) {
        self.write().defer(now);
    }
}

#[cfg(test)]
mod tests;
