//! The token slot: the published token, at most one renewal in flight, and the undelivered tokens.
//!
//! Its lock is held only to read or to swap a pointer, never across I/O, so that a renewal does not
//! delay callers with a usable token.

use std::{
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, SystemTime},
};

use super::now::Now;
use super::{
    outbox::Outbox,
    pacing::Pacing,
    published::Published,
    reconcile::StoreState,
    registry::Registry,
    single_flight::{Claim, Flight},
    table::{UserLimits, key, key_map::Key, to_the_end},
};
use crate::{
    error::{Error, Result},
    oauth2::token::{Token, dpop::BindingKeys, refresh::RefreshPolicy},
};

/// Rules of a client.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) leeway: Duration,
    pub(crate) policy: RefreshPolicy,
    /// Whether refresh tokens count, or the grant alone.
    pub(crate) use_refresh_tokens: bool,
    /// Limit of a renewal in flight, after which the next caller leads another.
    pub(crate) flight_limit: Duration,
    pub(crate) users: UserLimits,
    /// The keys that tokens have to be bound to.
    pub(crate) dpop: Option<Arc<dyn BindingKeys>>,
}

impl Rules {
    /// The rules for a client whose token requests may each last for `timeout`, and which uses
    /// refresh tokens.
    pub(crate) fn new(
        leeway: Duration,
        policy: RefreshPolicy,
        timeout: Duration,
        has_store: bool,
    ) -> Self {
        // The token may be requested in two ways, under a lease that is waited for, between calls of
        // the store.
        let with_store = match has_store {
            true => timeout.saturating_add(Duration::from_secs(40)),
            false => Duration::ZERO,
        };
        let flight_limit = timeout
            .saturating_mul(2)
            .saturating_add(with_store)
            .saturating_add(Duration::from_secs(1));
        Self {
            leeway,
            policy,
            use_refresh_tokens: true,
            flight_limit,
            users: UserLimits::default(),
            dpop: None,
        }
    }

    /// Checks that a token that was issued can be sent.
    #[allow(dead_code, reason = "only the clients obtain tokens")]
    pub(crate) fn check(&self, token: &Token) -> Result<()> {
        match &self.dpop {
            None => token.check_bearer(),
            Some(keys) => keys.check(token),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Slot {
    pub(super) registry: Arc<Registry>,
    state: RwLock<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) published: Option<Arc<Published>>,
    /// Counts the tokens that were published.
    pub(super) generation: u32,
    pub(super) flight: Option<Arc<Flight>>,
    pub(super) pacing: Pacing,
    /// The refusal after which the refresh token must not be sent again.
    pub(super) refusal: Option<Box<Error>>,
    pub(super) outbox: Outbox,
    pub(super) store: Option<Box<StoreState>>,
    /// The key by which the table leads here.
    pub(super) key: Option<Key>,
    /// The key that was used to renew the token, which leads to it for some time.
    pub(super) spent: Option<Key>,
    /// The handles that point here.
    pub(super) handles: u32,
    /// The last handle was pointed to another slot: the token is not in use.
    pub(super) superseded: bool,
    /// The slot with which this one was merged.
    pub(super) forwarded: Option<Arc<Slot>>,
}

impl Slot {
    pub(super) fn new(
        published: Option<Arc<Published>>,
        store: Option<Box<StoreState>>,
        key: Option<Key>,
        registry: Arc<Registry>,
    ) -> Self {
        let state = State {
            published,
            generation: 0,
            flight: None,
            pacing: Pacing::default(),
            refusal: None,
            outbox: Outbox::default(),
            store,
            key,
            spent: None,
            handles: 1,
            superseded: false,
            forwarded: None,
        };
        Self {
            registry,
            state: RwLock::new(state),
        }
    }

    /// Marks the callbacks that run for the slot.
    pub(crate) fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Marks the callbacks that complete a request, and so must not send another one that has to be
    /// completed. No other slot has this address.
    pub(crate) fn completing(&self) -> usize {
        self.id() + 1
    }

    pub(crate) fn published(&self) -> Option<Arc<Published>> {
        self.read().published.clone()
    }

    /// The token if it need not be renewed: the fast path.
    pub(crate) fn fresh(&self, now: SystemTime) -> Option<Arc<Published>> {
        self.read().fresh(now).cloned()
    }

    /// The slot with which this one was merged.
    pub(crate) fn forwarded(&self) -> Option<Arc<Self>> {
        self.read().forwarded.clone()
    }

    /// The slot that holds the token by now.
    #[allow(dead_code, reason = "only the clients need it")]
    pub(crate) fn by_now(self: &Arc<Self>) -> Arc<Self> {
        to_the_end(self.clone())
    }

    /// Whether both are one slot by now.
    #[allow(dead_code, reason = "only the clients need it")]
    pub(crate) fn is_one_with(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        Arc::ptr_eq(&self.by_now(), &other.by_now())
    }

    /// Whether the token is kept in a store.
    pub(crate) fn is_stored(&self) -> bool {
        self.read().store.is_some()
    }

    /// The same for the slot that holds the token by now.
    #[allow(dead_code, reason = "only the clients need it")]
    pub(crate) fn is_stored_by_now(&self) -> bool {
        let state = self.read();
        let Some(next) = state.forwarded.clone() else {
            return state.store.is_some();
        };
        // Only one slot is locked at a time.
        drop(state);
        next.is_stored_by_now()
    }

    /// The store in which the token is kept. A client has stores of one type.
    pub(crate) fn store<S: Clone + 'static>(&self) -> Option<S> {
        let state = self.read();
        state.store.as_ref()?.store.downcast_ref().cloned()
    }

    /// The error of a caller without a token, or whose token cannot be renewed.
    pub(crate) fn no_token(&self) -> Error {
        self.read().no_token()
    }

    /// Notes whether a renewed token was refused, too.
    pub(crate) fn note_refusal(&self, refused: bool, published: &Published, now: Now) {
        let mut state = self.write();
        let is_published = state.published.as_ref();
        if is_published.is_some_and(|current| current.is_same(published)) {
            match refused {
                true => state.pacing.refuse(now.monotonic, refused_as_issued()),
                false => state.pacing.accept(),
            }
        }
    }

    /// Whether this is the published token.
    pub(crate) fn holds(&self, published: &Arc<Published>) -> bool {
        let held = &self.read().published;
        held.as_ref()
            .is_some_and(|held| Arc::ptr_eq(held, published))
    }

    pub(crate) fn in_flight(&self) -> Option<Arc<Flight>> {
        self.read().flight.clone()
    }

    /// Whether nothing is in flight, undelivered or in delivery.
    pub(crate) fn is_settled(&self) -> bool {
        self.read().is_settled()
    }

    /// Whether something is undelivered.
    pub(crate) fn has_undelivered(&self) -> bool {
        let state = self.read();
        !state.outbox.is_empty() || !state.is_saved()
    }

    /// Whether the store, if there is one, has the token.
    pub(crate) fn is_saved(&self) -> bool {
        self.read().is_saved()
    }

    /// Removes the slot from the registry once everything is delivered.
    pub(super) fn check_settled(&self, state: &State) {
        if state.is_settled() {
            self.registry.remove(self);
        }
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn is_current(&self, claim: &Claim) -> bool {
        self.generation == claim.generation && self.is_in_flight(&claim.flight)
    }

    /// Whether this flight has not ended.
    pub(super) fn is_in_flight(&self, flight: &Arc<Flight>) -> bool {
        let current = self.flight.as_ref();
        current.is_some_and(|current| Arc::ptr_eq(current, flight))
    }

    /// Whether the renewal of `claim`, which brought `token`, has spent the refresh token that the slot
    /// still has, although another token with it, from the caller or the store, was published meanwhile.
    /// That refresh token must not be sent again.
    pub(super) fn has_spent_its_own(&self, claim: &Claim, token: &Token) -> bool {
        if !self.is_in_flight(&claim.flight) {
            return false;
        }
        let spent = claim.old.as_ref().and_then(|old| key(&old.token));
        let is_rotated = spent.is_some() && spent != key(token);
        is_rotated && spent == self.own().and_then(key)
    }

    /// Puts a token, or none, in use. It ends any wait after failures.
    pub(super) fn publish(&mut self, published: Option<Arc<Published>>) {
        self.generation = self.generation.wrapping_add(1);
        self.pacing = Pacing::default();
        self.refusal = None;
        if let Some(store) = &mut self.store {
            store.deferred = None;
        }
        self.published = published;
    }

    pub(super) fn fresh(&self, now: SystemTime) -> Option<&Arc<Published>> {
        let published = self.published.as_ref()?;
        (published.lifetime.is_fresh(now) && self.forwarded.is_none()).then_some(published)
    }

    pub(super) fn refusal(&self) -> Option<Error> {
        self.refusal.as_deref().cloned()
    }

    fn is_settled(&self) -> bool {
        let is_saving = |store: &StoreState| store.saving.is_some();
        self.flight.is_none()
            && self.outbox.is_empty()
            && self.outbox.delivering.is_none()
            && self.is_saved()
            && !self.store.as_deref().is_some_and(is_saving)
    }

    pub(super) fn is_saved(&self) -> bool {
        self.store.as_ref().is_none_or(|store| store.is_saved())
    }

    /// Whether the token is that of a user in the table.
    pub(super) fn is_of_user(&self) -> bool {
        self.store.as_ref().is_some_and(|store| store.is_of_user)
    }

    pub(super) fn no_token(&self) -> Error {
        match (&self.published, self.is_of_user()) {
            (Some(published), _) => published.problem().unwrap_or_else(expired),
            (None, true) => not_logged_in(),
            (None, false) => no_token(),
        }
    }

    pub(super) fn own(&self) -> Option<&Token> {
        self.published.as_ref().map(|published| &published.token)
    }
}

pub(super) fn expired() -> Error {
    Error::token(
        "the token has expired or was refused, and there is no refresh token, or no token_endpoint, to renew it with",
    )
}

fn no_token() -> Error {
    Error::token("there is no token; set one, call fetch_token, or give the builder a grant")
}

fn not_logged_in() -> Error {
    Error::token("the user is not logged in; complete a login and call keep_for")
}

fn refused_as_issued() -> Error {
    Error::useless_token("the server refused a token that it had just issued")
}

pub(super) fn expired_as_issued() -> Error {
    Error::useless_token("the server issued a token that had expired already")
}
