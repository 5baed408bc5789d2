//! State of the simulation: slots, callers, server, store and hook.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Weak},
    time::{Duration, UNIX_EPOCH},
};

use super::{
    events::{Event, Index, Life, Reference, Row, Saving},
    users::Stores,
};
use crate::{
    lifecycle::{
        now::Now,
        outbox::{Due, InProgress},
        published::Published,
        reconcile::{HeldLease, SlotSnapshot, Unsaved},
        single_flight::{Claim, Flight, Need},
        slot::Slot,
        slots::Slots,
        table::to_the_end,
        testing::{self, TestSlot, access_token, at, store, store_of},
    },
    oauth2::token::Token,
    token_store::StoredToken,
};

/// A flight and its stage.
pub(super) struct Attempt {
    pub(super) claim: Claim,
    /// By monotonic time.
    pub(super) started: Duration,
    pub(super) stage: Stage,
}

pub(super) enum Stage {
    /// The store is being read, with this content.
    Loading(SlotSnapshot, Option<StoredToken>),
    /// The store is read next, as in each renewal of a client that has one.
    Reading,
    /// A request with this refresh token was sent.
    Requesting(String, Option<HeldLease>),
}

/// A failed attempt, by monotonic time.
pub(super) struct Failed {
    pub(super) at: Duration,
    pub(super) retry_after: Duration,
    /// The token to be renewed.
    pub(super) token: Option<Arc<Published>>,
}

/// A token of a response, to be delivered to the hook.
pub(super) struct Issued {
    pub(super) slot: Weak<Slot>,
    pub(super) superseded: bool,
}

/// An update in delivery to the hook.
type DeliveryNow = (String, InProgress);
/// A save in progress.
type SavingNow = (TestSlot, usize, Unsaved, InProgress);

pub(super) struct World {
    pub(super) slots: Slots,
    pub(super) has_hook: bool,
    pub(super) has_users: bool,
    pub(super) now: Now,
    /// The first of them is the client, which has a store if there is one.
    pub(super) handles: Vec<TestSlot>,
    /// The number of the store of each handle.
    pub(super) homes: Vec<Option<usize>>,
    /// All slots so far.
    pub(super) seen: Vec<Weak<Slot>>,
    pub(super) flights: Vec<Attempt>,
    pub(super) waiters: Vec<Arc<Flight>>,
    deliveries: Vec<DeliveryNow>,
    saving: Vec<SavingNow>,
    /// All tokens so far.
    tokens: Vec<Token>,
    /// The login of each refresh token, and those that are or were in a store.
    logins: HashMap<String, usize>,
    kept: HashSet<usize>,
    /// The monotonic time since which the successor of a refresh token is known.
    pub(super) spent: HashMap<String, Duration>,
    /// Refresh tokens that were revoked by others.
    pub(super) revoked: HashSet<String>,
    pub(super) refused: HashSet<String>,
    pub(super) failed: HashMap<usize, Failed>,
    /// When the last renewal of a token that was good ended without a request.
    pub(super) unsent: HashMap<usize, (Duration, Arc<Published>)>,
    pub(super) issued: HashMap<String, Issued>,
    pub(super) delivered: HashSet<String>,
    pub(super) stores: Stores,
}

impl World {
    pub(super) fn new(reference: &Reference) -> Self {
        let slots = testing::slots();
        let home = reference.has_store.then_some(0);
        let slot = slots.first(None, home.map(store), at(0));
        let mut world = Self {
            slots,
            has_hook: reference.has_hook,
            has_users: reference.has_users,
            homes: vec![home],
            now: at(10_000),
            seen: vec![Arc::downgrade(&slot)],
            handles: vec![slot],
            flights: Vec::new(),
            waiters: Vec::new(),
            deliveries: Vec::new(),
            saving: Vec::new(),
            tokens: Vec::new(),
            logins: HashMap::new(),
            kept: HashSet::new(),
            spent: HashMap::new(),
            revoked: HashSet::new(),
            refused: HashSet::new(),
            failed: HashMap::new(),
            unsent: HashMap::new(),
            issued: HashMap::new(),
            delivered: HashSet::new(),
            stores: Stores::default(),
        };
        let login = world.token(Row::Login);
        match reference.has_store {
            true => {
                world.keep(&login);
                world.stores.put(0, StoredToken::new(Some(login), 1));
            }
            false => world.set(0, Some(login)),
        }
        world
    }

    pub(super) fn apply(&mut self, event: Event) {
        // The caller's own tokens end the wait, and move the stores.
        if let Event::Set(..) | Event::Forget(_) | Event::KeepFor(..) | Event::ForgetUser(_) = event
        {
            self.unsent.clear();
        }
        match event {
            Event::Ask(handle, demand) => self.ask(handle, demand),
            Event::Reload(handle) => {
                let action = self.handle(handle).reload(self.now);
                self.carry_out(handle, &Need::Usable, action);
            }
            Event::Proceed(flight) => self.proceed(flight),
            Event::Answer(flight, rotation, life) => self.answer(flight, rotation, life),
            Event::Fail(flight, failure) => self.fail(flight, failure),
            Event::CutOff(flight) => drop(take(&mut self.flights, flight)),
            Event::Refuse(handle, refused) => {
                let slot = self.handle(handle).clone();
                if let Some(published) = slot.published() {
                    slot.note_refusal(refused, &published, self.now);
                    if !refused {
                        self.failed.remove(&slot.id());
                    }
                }
            }
            Event::Set(handle, row) => {
                let token = match self.homes[self.index(handle)] {
                    Some(_) => self.token_for_store(row),
                    None => self.token(row),
                };
                self.set(handle, Some(token));
            }
            Event::Forget(handle) => self.set(handle, None),
            Event::Child(row) => {
                let token = self.token(row);
                let slot = self.slots.find(token, self.now);
                self.see(&slot);
                self.handles.push(slot);
                self.homes.push(None);
            }
            Event::Close(handle) => {
                let child = 1 + usize::from(handle) % (self.handles.len() - 1);
                let slot = self.handles.remove(child);
                self.homes.remove(child);
                self.slots.forget_handle(slot);
            }
            Event::BeginDelivery(slot) => {
                let mut pending = self.slots.pending();
                if let Some(slot) = take(&mut pending, slot)
                    && let Due::Mine(update, progress) = slot.take_update()
                {
                    self.deliveries
                        .push((access_token(&update.token), progress));
                }
            }
            Event::EndDelivery(delivery, is_taken) => {
                if let Some((name, progress)) = take(&mut self.deliveries, delivery)
                    && is_taken
                {
                    self.delivered.insert(name);
                    self.slots.delivered(progress, self.now);
                }
            }
            Event::BeginSaving(slot) => {
                let mut pending = self.slots.pending();
                if let Some(slot) = take(&mut pending, slot)
                    && let Some(store) = store_of(&slot)
                    && let Due::Mine(unsaved, progress) = slot.take_unsaved()
                {
                    self.saving.push((slot, store, unsaved, progress));
                }
            }
            Event::EndSaving(saving, how) => {
                if let Some(saving) = take(&mut self.saving, saving) {
                    self.save(saving, how);
                }
            }
            Event::External(store, what) => self.act_externally(store, what),
            Event::Break(store) => {
                let store = self.store(store);
                self.stores.toggle_broken(store);
            }
            Event::ForUser(user) => self.for_user(user),
            Event::KeepFor(user, child) => self.keep_for(user, child),
            Event::ForgetUser(user) => self.forget_user(user),
            Event::Pass(millis) => {
                let time = Duration::from_millis(millis.into());
                self.now.monotonic += time;
                self.now.unix += time;
            }
            Event::SetClock(seconds) => {
                let by = Duration::from_secs(seconds.unsigned_abs());
                self.now.unix = match seconds < 0 {
                    true => self.now.unix.saturating_sub(by),
                    false => self.now.unix + by,
                };
            }
        }
    }

    pub(super) fn index(&self, handle: Index) -> usize {
        usize::from(handle) % self.handles.len()
    }

    pub(super) fn handle(&self, index: Index) -> &TestSlot {
        &self.handles[self.index(index)]
    }

    pub(super) fn see(&mut self, slot: &TestSlot) {
        let slot = Arc::downgrade(slot);
        if !self.seen.iter().any(|seen| seen.ptr_eq(&slot)) {
            self.seen.push(slot);
        }
    }

    fn set(&mut self, handle: Index, token: Option<Token>) {
        let at = self.index(handle);
        let slot = self.handles[at].clone();
        if let Some(user @ 1..) = self.homes[at] {
            return self.assign(user, &slot, token);
        }
        let has_store = self.homes[at].is_some();
        let next = self.slots.replace(&slot, token, has_store, self.now);
        self.see(&next);
        self.handles[at] = next;
    }

    fn save(&mut self, (slot, store, unsaved, progress): SavingNow, how: Saving) {
        let how = match self.stores.is_broken(store) {
            true => Saving::Failed,
            false => how,
        };
        let Some(next) = unsaved.next.clone() else {
            progress.done();
            return self.read(&slot);
        };
        let row = self.stores.row(store);
        let is_free = row.map_or(0, |row| row.version) == next.replaces();
        let is_taken = is_free && !matches!(how, Saving::Failed);
        if is_taken {
            self.stores.put(store, next.clone());
        }
        match how {
            Saving::CutOff => return,
            Saving::Answered if is_taken => drop(slot.saved(&unsaved, &next)),
            Saving::Answered => self.read(&slot),
            Saving::Unanswered | Saving::Failed => {}
        }
        progress.done();
    }

    /// The token of a row.
    pub(super) fn token(&mut self, row: Row) -> Token {
        match row {
            Row::Login => self.make(None, Life::Seconds(90)),
            Row::Known(index) => self.known(index).clone(),
            Row::Newer(index) => {
                let refresh_token = refresh_token(self.known(index));
                self.make(refresh_token, Life::Seconds(90))
            }
        }
    }

    pub(super) fn known(&self, index: Index) -> &Token {
        &self.tokens[usize::from(index) % self.tokens.len()]
    }

    pub(super) fn make(&mut self, refresh_token: Option<String>, life: Life) -> Token {
        let number = self.tokens.len();
        let issued_at = UNIX_EPOCH + self.now.unix;
        let refresh_token = refresh_token.unwrap_or_else(|| format!("r{number}"));
        let token = Token::new(number.to_string())
            .with_refresh_token(refresh_token.clone())
            .with_issued_at(issued_at);
        let token = match life {
            Life::Seconds(life) => token.with_expires_at(issued_at + Duration::from_secs(life)),
            Life::Negative => token.with_expires_at(issued_at - Duration::from_secs(5)),
            Life::Endless => token,
        };
        self.logins.entry(refresh_token.clone()).or_insert(number);
        self.tokens.push(token.clone());
        token
    }

    /// The same for a store. With users it is a new one, as a login that is in two stores has two
    /// slots.
    pub(super) fn token_for_store(&mut self, row: Row) -> Token {
        let token = match self.has_users {
            true => self.token(Row::Login),
            false => self.token(row),
        };
        self.keep(&token);
        token
    }

    /// Notes that `new` continues the login of `old`.
    pub(super) fn inherit(&mut self, old: &Token, new: &Token) {
        let [old, new] = [old, new].map(refresh_token);
        let login = old.and_then(|old| self.logins.get(&old).copied());
        self.logins.extend(new.zip(login));
    }

    pub(super) fn keep(&mut self, token: &Token) {
        self.kept.extend(self.login(token));
    }

    /// Whether the login of a token is or was in a store.
    pub(super) fn is_kept(&self, token: &Token) -> bool {
        self.login(token)
            .is_none_or(|login| self.kept.contains(&login))
    }

    fn login(&self, token: &Token) -> Option<usize> {
        self.logins.get(&refresh_token(token)?).copied()
    }

    /// Completes all work; nothing may be left afterwards.
    pub(super) fn wind_up(mut self) {
        self.stores.repair();
        self.flights.clear();
        self.deliveries.clear();
        self.saving.clear();
        self.check();
        if self.homes[0].is_some() {
            let slot = to_the_end(self.handles[0].clone());
            self.read(&slot);
        }
        for slot in self.slots_of_users() {
            self.read(&slot);
        }
        for slot in self.slots.pending() {
            while let Due::Mine(update, progress) = slot.take_update() {
                self.delivered.insert(access_token(&update.token));
                self.slots.delivered(progress, self.now);
            }
            while let Due::Mine(unsaved, progress) = slot.take_unsaved() {
                let store = store_of(&slot).expect("what it is saved in");
                self.save((slot.clone(), store, unsaved, progress), Saving::Answered);
            }
        }
        self.check();
        self.check_delivered();
        self.handles.clear();
        self.let_users_go();
        let left = self.seen.iter().filter(|slot| slot.strong_count() > 0);
        assert_eq!(left.count(), 0, "unused slots are kept");
    }
}

/// Takes one of several, if there is any.
pub(super) fn take<T>(from: &mut Vec<T>, index: Index) -> Option<T> {
    (!from.is_empty()).then(|| from.swap_remove(usize::from(index) % from.len()))
}

pub(super) fn refresh_token(token: &Token) -> Option<String> {
    let refresh_token = token.refresh_token()?;
    Some(refresh_token.expose_secret().to_owned())
}
