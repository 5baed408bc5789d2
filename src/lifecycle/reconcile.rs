//! What a slot and its token store know of each other.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::now::Now;
use super::{
    outbox::{Due, InProgress, Task},
    pacing::Pacing,
    published::Published,
    single_flight::Waiter,
    slot::{Slot, State},
};
use crate::{
    oauth2::token::Token,
    token_store::{Lease, StoredToken},
};

/// How many attempts to store something are remembered whose outcome is unknown.
const ATTEMPTS: usize = 16;

/// Whose doing it is that the client holds something else than its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A renewal brought it. If somebody else has stored another in the meantime, that one counts.
    Renewal,
    /// A revocation ended it. Another one that was stored in the meantime counts, as it lives.
    Revocation,
    /// The caller: a login, a token from elsewhere. It counts, whatever is stored.
    Caller,
}

/// Whether `stored` takes the place of the client's `own` token.
///
/// `known` is the version that the client has read or stored last, and `unsaved` what of its own
/// is not stored yet.
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
        // A store that lost everything and began anew may have come to the same version.
        None => {
            let stored = stored.token.as_ref();
            other_version || own.map(Token::access_token) != stored.map(Token::access_token)
        }
    }
}

/// A lease that was taken for a renewal, and how long it lasts by monotonic time.
#[derive(Debug)]
pub(crate) struct HeldLease {
    #[expect(dead_code, reason = "it is only there to be dropped")]
    lease: Lease,
    until: Duration,
}

impl HeldLease {
    pub(crate) fn new(lease: Lease, until: Duration) -> Self {
        Self { lease, until }
    }

    /// How much of its time is left.
    pub(crate) fn left(&self, now: Now) -> Duration {
        self.until.saturating_sub(now.monotonic)
    }
}

/// What a slot knows of its store.
#[derive(Debug)]
pub(super) struct StoreState<W> {
    /// The version that the store is known to hold, once it was read.
    version: Option<u64>,
    /// The store does not hold what the slot does, which is a token or none.
    unsaved: Option<Origin>,
    /// What the store was given without saying that it took it: it may yet.
    attempted: VecDeque<StoredToken>,
    /// Set while something is stored, so that it is done one after the other.
    pub(super) saving: Option<W>,
    /// The lease under which a token was renewed that is not stored yet.
    pub(super) lease: Option<HeldLease>,
    /// While another process renews early.
    pub(super) deferred: Pacing,
}

impl<W> Default for StoreState<W> {
    fn default() -> Self {
        Self {
            version: None,
            unsaved: None,
            attempted: VecDeque::new(),
            saving: None,
            lease: None,
            deferred: Pacing::default(),
        }
    }
}

impl<W> StoreState<W> {
    /// Whether the store has been read.
    pub(super) fn has_read(&self) -> bool {
        self.version.is_some()
    }

    pub(super) fn is_saved(&self) -> bool {
        self.unsaved.is_none()
    }

    /// Notes that the slot holds something else than the store.
    pub(super) fn save(&mut self, origin: Origin) {
        self.unsaved = Some(match (origin, self.unsaved) {
            // What descends from a token of the caller's counts like that one.
            (Origin::Renewal, Some(Origin::Caller)) => Origin::Caller,
            _ => origin,
        });
    }

    /// The same store for another slot: what is known of it goes along, what is being done does
    /// not.
    pub(super) fn moved(self, origin: Origin) -> Self {
        Self {
            unsaved: Some(origin),
            saving: None,
            lease: None,
            ..self
        }
    }
}

/// What a slot was like when its store was asked.
pub(crate) struct Asked {
    generation: u64,
    version: Option<u64>,
}

/// What is to be stored.
pub(crate) struct Unsaved {
    /// Nothing as long as the store has not been read.
    pub(crate) next: Option<StoredToken>,
    published: Option<Arc<Published>>,
}

/// What a slot makes of what its store holds.
pub(super) enum Reading {
    /// The slot has changed since the store was asked: nothing was learnt.
    Changed,
    /// The slot goes on with what it has.
    Known,
    /// What is stored counts.
    Adopt(Option<Token>),
}

impl<W: Waiter> State<W> {
    /// Learns what the store holds, and what has taken the place of that, if its refresh token is
    /// spent.
    pub(super) fn read(
        &mut self,
        asked: &Asked,
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
        if (generation, store.version) != (asked.generation, asked.version) {
            return Reading::Changed;
        }
        let Some(stored) = stored else {
            // It may have lost its token, which is no reason to lose ours.
            store.version = Some(0);
            return Reading::Known;
        };
        let known = store.version.replace(stored.version);
        let access_token = own.as_deref().map(Token::access_token);
        let is_own = access_token == stored.token.as_ref().map(Token::access_token);
        let is_outdated =
            newer.is_some_and(|newer| access_token == Some(newer.token.access_token()));
        // What we stored ourselves, later than it was waited for, is not somebody else's.
        let is_late = is_outdated || store.attempted.contains(&stored);
        let adopt = !is_late && supersedes_local(known, store.unsaved, own.as_deref(), &stored);
        if adopt || (is_late && is_own) {
            store.unsaved = None;
        }
        if newer.is_some() && (adopt || is_outdated) {
            store.save(Origin::Renewal);
        }
        match adopt {
            // What was stored and not told of may be our own all the same.
            true if !is_own => self.outbox.supersede(),
            true => {}
            false => return Reading::Known,
        }
        Reading::Adopt(stored.token)
    }
}

impl<W: Waiter> Slot<W> {
    /// To be taken before the store is asked.
    pub(crate) fn asked(&self) -> Asked {
        let state = self.read();
        Asked {
            generation: state.generation,
            version: state.store.as_ref().and_then(|store| store.version),
        }
    }

    /// What is to be stored, if anything is.
    pub(crate) fn take_unsaved(self: &Arc<Self>) -> Due<Unsaved, W> {
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
        let token = published
            .as_ref()
            .map(|published| (*published.token).clone());
        let next = |version: u64| StoredToken::new(token, version.saturating_add(1));
        let unsaved = Unsaved {
            next: store.version.map(next),
            published,
        };
        let progress: InProgress<W> = self.begin(&mut state, Task::Save, None);
        Due::Mine(unsaved, progress)
    }

    /// The store did not say that it took `next`.
    pub(crate) fn unanswered(&self, next: StoredToken) {
        if let Some(store) = &mut self.write().store
            && !store.attempted.contains(&next)
        {
            store.attempted.truncate(ATTEMPTS - 1);
            store.attempted.push_front(next);
        }
    }

    /// The store holds it now. The lease of the renewal that brought it comes back, to be given
    /// back.
    pub(crate) fn saved(&self, saved: &Unsaved, next: &StoredToken) -> Option<HeldLease> {
        let mut state = self.write();
        let published = state.published.as_ref().map(Arc::as_ptr);
        let store = state.store.as_mut()?;
        store.attempted.clear();
        if store.version == Some(next.replaces()) {
            store.version = Some(next.version);
        }
        if published != saved.published.as_ref().map(Arc::as_ptr) {
            return None;
        }
        store.unsaved = None;
        let lease = store.lease.take();
        self.check_settled(&state);
        lease
    }

    /// The lease of an earlier renewal whose token is not stored yet, for the next renewal or to be
    /// given back.
    pub(crate) fn take_lease(&self) -> Option<HeldLease> {
        self.write().store.as_mut()?.lease.take()
    }

    /// How long the lease lasts of an earlier renewal whose token is not stored yet.
    pub(crate) fn lease_left(&self, now: Now) -> Option<Duration> {
        let state = self.read();
        let lease = state.store.as_ref()?.lease.as_ref()?;
        Some(lease.left(now))
    }

    /// Another process renews early: it is looked for what comes of that a little later.
    pub(crate) fn defer(&self, now: Now) {
        if let Some(store) = &mut self.write().store {
            let error = crate::error::Error::store("another process renews the token", None);
            store.deferred.fail(now.monotonic, error);
        }
    }
}

#[cfg(test)]
mod tests;
