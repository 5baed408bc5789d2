//! The token slot: the published token, a generation number, at most one renewal in flight, and
//! what has not been stored and told yet.
//!
//! Its lock is held for as long as it takes to look or to swap a pointer, never across I/O, so a
//! renewal holds up nobody who has a token to go on with.

use std::{
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use reqwest::header::HeaderValue;

use super::{
    outbox::Backlog,
    single_flight::{Flight, Lead},
};
use crate::{
    error::{Error, Result},
    lifecycle::{
        decision::{Backoff, Decision, Lifetime, Situation, decide},
        update::TokenUpdate,
    },
    oauth2::{
        grant::Grant,
        token::{Token, refresh::RefreshPolicy},
    },
    token_store::reading::By,
};

/// A published token, ready to be put on a request.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) token: Arc<Token>,
    /// Made once, cloned per request; or why the token cannot be put on one.
    header: Result<HeaderValue>,
    lifetime: Lifetime,
}

impl Current {
    /// Whether it can still be used.
    pub(super) fn is_alive(&self, now: Duration) -> bool {
        self.lifetime.is_alive(now)
    }

    /// Whether it can be used and nothing is to be done for it.
    pub(super) fn is_fresh(&self, now: Duration) -> bool {
        self.lifetime.is_fresh(now)
    }

    pub(super) fn new(token: Token, leeway: Duration) -> Self {
        Self {
            header: token.authorization_header(),
            lifetime: Lifetime::of(&token, leeway),
            token: Arc::new(token),
        }
    }

    pub(super) fn header(&self) -> Result<HeaderValue> {
        self.header.clone()
    }
}

/// What a caller wants of the slot.
#[derive(Clone)]
pub(super) enum Wanted {
    /// A token that can be used.
    Usable,
    /// A renewed one, whatever the time.
    Renewed,
    /// Another one than this, which a server refused.
    Other(Arc<Current>),
}

/// What the caller is to do.
pub(super) enum Turn {
    Use(Arc<Current>),
    Wait(Arc<Flight>),
    /// Read the token store, and look again.
    Load(Lead),
    /// Renew; with a token to go on with if that fails, or none.
    Lead(Lead, Option<Arc<Current>>),
    Fail(Error),
}

/// What a slot is made with, and goes back to when it is given another token.
#[derive(Default)]
pub(super) struct Origin {
    /// Sent anew when there is no refresh token. Only ever the client's own: a child of it acts
    /// for somebody else.
    pub(super) grant: Option<Arc<dyn Grant>>,
    /// Whether the slot is that of a `for_token` child.
    pub(super) child: bool,
    /// Whether the token is kept in a store, too.
    pub(super) stored: bool,
}

/// The rules that a client has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) leeway: Duration,
    pub(super) policy: RefreshPolicy,
    /// Whether there is a token endpoint at all.
    pub(super) can_ask: bool,
    /// Whether refresh tokens count, or the grant alone.
    pub(super) use_refresh_tokens: bool,
}

pub(super) struct Slot {
    pub(super) origin: Origin,
    pub(super) rules: Rules,
    state: RwLock<State>,
}

pub(super) struct State {
    pub(super) current: Option<Arc<Current>>,
    pub(super) generation: u64,
    pub(super) grant: Option<Arc<dyn Grant>>,
    flight: Option<Arc<Flight>>,
    pub(super) backlog: Backlog,
    /// Counts the tokens that callers have put here: whoever they belong to.
    owner: u64,
    backoff: Backoff,
    /// While another process renews early.
    others_renew: Backoff,
    /// After a renewed token that was refused as the old one was.
    unhelpful: Backoff,
}

impl State {
    pub(super) fn own(&self) -> Option<&Token> {
        self.current.as_ref().map(|current| &*current.token)
    }

    /// Another token is no reason to wait any longer.
    pub(super) fn stop_waiting(&mut self) {
        self.backoff = Backoff::default();
        self.others_renew = Backoff::default();
    }

    /// Whether there may be a way to another token.
    fn renewable(&self, slot: &Slot) -> bool {
        let refresh_token = self.own().and_then(Token::refresh_token);
        let can_ask = slot.rules.can_ask && (refresh_token.is_some() || self.grant.is_some());
        can_ask || slot.origin.stored
    }
}

impl Slot {
    pub(super) fn new(token: Option<Token>, rules: Rules, origin: Origin) -> Self {
        let state = State {
            current: token.map(|token| Arc::new(Current::new(token, rules.leeway))),
            generation: 0,
            grant: origin.grant.clone(),
            flight: None,
            backlog: Backlog::default(),
            owner: 0,
            backoff: Backoff::default(),
            others_renew: Backoff::default(),
            unhelpful: Backoff::default(),
        };
        Self {
            origin,
            rules,
            state: RwLock::new(state),
        }
    }

    /// Marks the callbacks that run for the slot.
    pub(super) fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Marks those among them that complete a request, and so must not make another that has to be
    /// completed. No other slot is there.
    pub(super) fn completing(&self) -> usize {
        self.id() + 1
    }

    pub(super) fn is_child(&self) -> bool {
        self.origin.child
    }

    pub(super) fn current(&self) -> Option<Arc<Current>> {
        self.read().current.clone()
    }

    pub(super) fn grant(&self) -> Option<Arc<dyn Grant>> {
        self.read().grant.clone()
    }

    /// The token if nothing is to be done for it: the fast path.
    pub(super) fn fresh(&self, now: Duration) -> Option<Arc<Current>> {
        let state = self.read();
        let current = state.current.as_ref()?;
        current.lifetime.is_fresh(now).then(|| current.clone())
    }

    /// Whether a token that a server refuses could be renewed.
    pub(super) fn may_retry(&self) -> bool {
        self.rules.policy.on_unauthorized() && self.read().renewable(self)
    }

    /// Decides what the caller does; if it leads, nobody else will until the [`Lead`] is dropped.
    pub(super) fn turn(self: &Arc<Self>, wanted: &Wanted, now: Duration) -> Turn {
        let mut state = self.write();
        if self.origin.stored && !state.backlog.has_read() && state.current.is_none() {
            drop(state);
            return self.reading();
        }
        let renewable = state.renewable(self);
        let backing_off = state.backoff.is_active(now);
        let others_renew = state.others_renew.is_active(now);
        let is_current = |refused: &Current| {
            let refused = refused.token.access_token();
            let current = state.current.as_ref();
            current.is_some_and(|current| current.token.access_token() == refused)
        };
        let decision = match wanted {
            Wanted::Usable => decide(
                Situation {
                    lifetime: state.current.as_ref().map(|current| current.lifetime),
                    policy: self.rules.policy,
                    renewable,
                    in_flight: state.flight.is_some(),
                    backing_off: backing_off || others_renew,
                },
                now,
            ),
            Wanted::Other(refused) if !is_current(refused) => Decision::Use,
            _ if state.flight.is_some() => Decision::Wait,
            Wanted::Other(_) if backing_off || state.unhelpful.is_active(now) => Decision::Expired,
            _ if renewable => Decision::Renew,
            _ if state.current.is_some() => Decision::Expired,
            _ => Decision::NoToken,
        };
        match (decision, &state.current, &state.flight) {
            (Decision::Use, Some(current), _) => Turn::Use(current.clone()),
            (Decision::Wait, _, Some(flight)) => Turn::Wait(flight.clone()),
            (Decision::RenewEarly, Some(current), _) => {
                let fallback = Some(current.clone());
                Turn::Lead(self.lead(&mut state, wanted), fallback)
            }
            (Decision::Renew, _, _) => Turn::Lead(self.lead(&mut state, wanted), None),
            (Decision::Expired, _, _) => Turn::Fail(expired()),
            _ => Turn::Fail(no_token()),
        }
    }

    /// What to do to read the token store.
    pub(super) fn reading(self: &Arc<Self>) -> Turn {
        let mut state = self.write();
        match &state.flight {
            Some(flight) => Turn::Wait(flight.clone()),
            None => Turn::Load(self.lead(&mut state, &Wanted::Usable)),
        }
    }

    fn lead(self: &Arc<Self>, state: &mut State, wanted: &Wanted) -> Lead {
        let flight = Arc::new(Flight::new());
        state.flight = Some(flight.clone());
        Lead {
            slot: self.clone(),
            flight,
            wanted: wanted.clone(),
            generation: state.generation,
            old: state.current.clone(),
            grant: state.grant.clone(),
        }
    }

    /// Publishes a renewed token, unless another has been set since `generation`, and notes what
    /// is to be stored and told. `None` if it was superseded.
    pub(super) fn publish(&self, lead: &Lead, token: Token, told: bool) -> Option<Arc<Current>> {
        let mut state = self.write();
        let current = Arc::new(Current::new(token, self.rules.leeway));
        let superseded = state.generation != lead.generation;
        if told {
            let old = lead.old.as_ref().map(|old| &*old.token);
            let update = TokenUpdate::new(current.token.clone(), old, superseded);
            state.backlog.tell(update);
        }
        if superseded {
            return None;
        }
        state.stop_waiting();
        state.current = Some(current.clone());
        self.unsaved(&mut state, By::Renewal);
        Some(current)
    }

    /// Publishes a token of the caller's: the next generation.
    pub(super) fn replace(&self, token: Token, grant: Option<Arc<dyn Grant>>) -> Arc<Current> {
        let mut state = self.write();
        let current = Arc::new(Current::new(token, self.rules.leeway));
        state.generation += 1;
        state.stop_waiting();
        state.unhelpful = Backoff::default();
        state.current = Some(current.clone());
        state.grant = grant;
        state.backlog.supersede();
        self.unsaved(&mut state, By::Caller);
        current
    }

    fn unsaved(&self, state: &mut State, by: By) {
        if self.origin.stored {
            state.backlog.save(by);
        }
    }

    /// Publishes a token that came from outside, to be renewed as at the beginning.
    pub(super) fn reset(&self, token: Token) -> Arc<Current> {
        self.replace(token, self.origin.grant.clone())
    }

    /// Another person's token may stand here now.
    pub(super) fn change_owner(&self) {
        self.write().owner += 1;
    }

    /// Lets go of the token and of what would bring it back, if it still is `revoked`.
    pub(super) fn forget(&self, revoked: &Arc<Current>) -> bool {
        let mut state = self.write();
        let current = state.current.as_ref();
        let same = current.is_some_and(|current| Arc::ptr_eq(current, revoked));
        if same {
            state.generation += 1;
            state.owner += 1;
            state.current = None;
            state.grant = self.origin.grant.clone();
            state.backlog.supersede();
            self.unsaved(&mut state, By::Revocation);
        }
        same
    }

    /// Takes `token` if it is newer than the published one and no renewal is under way: the row
    /// was renewed elsewhere.
    pub(super) fn adopt(&self, token: Token) {
        let newer = {
            let state = self.read();
            state.flight.is_none()
                && state.current.as_ref().is_none_or(|current| {
                    let age = |token: &Token| (token.issued_at(), token.expires_at());
                    age(&token) > age(&current.token)
                })
        };
        if newer {
            self.reset(token);
        }
    }

    /// A renewed token was refused too, or was not.
    pub(super) fn note_refusal(&self, refused: bool, now: Duration) {
        let unhelpful = &mut self.write().unhelpful;
        if refused {
            unhelpful.fail(now, None);
        } else {
            *unhelpful = Backoff::default();
        }
    }

    /// Whether the slot still is in the generation that a renewal began from.
    pub(super) fn is_current(&self, lead: &Lead) -> bool {
        self.read().generation == lead.generation
    }

    /// Whether the published token still is this one.
    pub(super) fn holds(&self, current: &Arc<Current>) -> bool {
        let held = &self.read().current;
        held.as_ref().is_some_and(|held| Arc::ptr_eq(held, current))
    }

    /// Tells apart the people whose tokens callers have put here.
    pub(super) fn owner(&self) -> u64 {
        self.read().owner
    }

    /// A renewal failed: the next waits while there is a token to go on with.
    pub(super) fn back_off(&self, now: Duration, retry_after: Option<Duration>) {
        self.write().backoff.fail(now, retry_after);
    }

    /// Another process renews early: it is looked for what comes of that a little later.
    pub(super) fn leave_it_to_others(&self, now: Duration) {
        self.write().others_renew.fail(now, None);
    }

    /// The renewal has ended.
    pub(super) fn land(&self, flight: &Arc<Flight>) {
        let mut state = self.write();
        if state
            .flight
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, flight))
        {
            state.flight = None;
        }
    }

    pub(super) fn flight(&self) -> Option<Arc<Flight>> {
        self.read().flight.clone()
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn expired() -> Error {
    Error::token(
        "the token has expired or was refused, and there is no refresh token, or no token_endpoint, to renew it with",
    )
}

pub(super) fn no_token() -> Error {
    Error::token("there is no token; set one, call fetch_token, or give the builder a grant")
}
