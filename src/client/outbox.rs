//! What a slot has yet to store and to tell: one thing at a time, and again until it is done.

use std::{collections::VecDeque, sync::Arc};

use super::{
    Outcome,
    slot::{Current, Slot, State},
};
use crate::{
    lifecycle::update::TokenUpdate,
    oauth2::token::Token,
    token_store::{
        StoredToken,
        reading::{By, is_news},
    },
};

/// How many attempts to store something are remembered whose outcome is unknown.
const ATTEMPTS: usize = 16;

#[derive(Default)]
pub(super) struct Backlog {
    /// Not told yet; the last of them is merged with the next.
    updates: VecDeque<TokenUpdate>,
    /// The version that the token store is known to hold, once it was read.
    version: Option<u64>,
    /// The store does not hold what the slot does, which is a token or none.
    unsaved: Option<By>,
    /// What the store was given without saying that it took it: it may yet.
    attempted: VecDeque<StoredToken>,
    /// Set while something is stored, so that it is done one after the other.
    saving: Option<Arc<Outcome<()>>>,
    /// The same for what is told.
    telling: Option<Arc<Outcome<()>>>,
}

impl Backlog {
    pub(super) fn tell(&mut self, mut update: TokenUpdate) {
        let follows = |earlier: &TokenUpdate| !earlier.superseded;
        if !update.superseded
            && self.updates.back().is_some_and(follows)
            && let Some(earlier) = self.updates.pop_back()
        {
            update = update.after(earlier);
        }
        self.updates.push_back(update);
    }

    /// Another token has taken the place of those that are to be told.
    pub(super) fn supersede(&mut self) {
        for update in &mut self.updates {
            update.superseded = true;
        }
    }

    pub(super) fn save(&mut self, by: By) {
        self.unsaved = Some(match (by, self.unsaved) {
            // What descends from a token of the caller's counts like that one.
            (By::Renewal, Some(By::Caller)) => By::Caller,
            _ => by,
        });
    }

    /// Whether the token store has been read.
    pub(super) fn has_read(&self) -> bool {
        self.version.is_some()
    }

    fn is_empty(&self) -> bool {
        self.updates.is_empty() && self.unsaved.is_none()
    }

    fn lane(&mut self, lane: Lane) -> &mut Option<Arc<Outcome<()>>> {
        match lane {
            Lane::Saving => &mut self.saving,
            Lane::Telling => &mut self.telling,
        }
    }
}

/// Storing waits for no hook, as a login that is to be stored would wait for it, too.
#[derive(Clone, Copy)]
enum Lane {
    Saving,
    Telling,
}

/// What a slot was like when its store was asked.
pub(super) struct Asked {
    generation: u64,
    version: Option<u64>,
}

/// What is to be stored.
pub(super) struct Unsaved {
    /// Nothing as long as the store has not been read.
    pub(super) next: Option<StoredToken>,
    current: Option<Arc<Current>>,
}

/// Who does the next thing.
pub(super) enum Next<T> {
    Nothing,
    Mine(T, Doing),
    /// Somebody else is at it: until then.
    Other(Arc<Outcome<()>>),
}

impl Slot {
    pub(super) fn has_backlog(&self) -> bool {
        !self.read().backlog.is_empty()
    }

    /// Whether nothing is to be stored or told, nor is under way.
    pub(super) fn is_settled(&self) -> bool {
        let backlog = &self.read().backlog;
        backlog.is_empty() && backlog.saving.is_none() && backlog.telling.is_none()
    }

    /// To be taken before the store is asked.
    pub(super) fn asked(&self) -> Asked {
        let state = self.read();
        Asked {
            generation: state.generation,
            version: state.backlog.version,
        }
    }

    /// Learns what the store holds, and takes it if that is news. Nothing is learnt if the slot has
    /// changed since the store was asked.
    pub(super) fn learn(&self, asked: &Asked, stored: Option<StoredToken>) -> Option<bool> {
        let mut state = self.write();
        let version = state.backlog.version;
        if (state.generation, version) != (asked.generation, asked.version) {
            return None;
        }
        let Some(stored) = stored else {
            // It may have lost its token, which is no reason to lose ours.
            state.backlog.version = Some(0);
            return Some(false);
        };
        state.backlog.version = Some(stored.version);
        let own = state.own().map(Token::access_token);
        let is_own = own == stored.token.as_ref().map(Token::access_token);
        // What we stored ourselves, later than it was waited for, is not somebody else's.
        let is_late = state.backlog.attempted.contains(&stored);
        let unsaved = state.backlog.unsaved;
        let is_news = !is_late && is_news(version, unsaved, state.own(), &stored);
        if is_news || (is_late && is_own) {
            state.backlog.unsaved = None;
        }
        if is_news {
            // What was stored and not told of may be our own all the same.
            if !is_own {
                state.backlog.supersede();
            }
            self.take(&mut state, stored.token);
        }
        Some(is_news)
    }

    fn take(&self, state: &mut State, stored: Option<Token>) {
        if stored.is_none() {
            // Nobody is logged in, and nothing that the caller gave us may log in again.
            state.grant = self.origin.grant.clone();
        }
        state.stop_waiting();
        let leeway = self.rules.leeway;
        state.current = stored.map(|token| Arc::new(Current::new(token, leeway)));
    }

    /// What is to be stored, if anything is.
    pub(super) fn take_unsaved(self: &Arc<Self>) -> Next<Unsaved> {
        self.begin(Lane::Saving, |state| {
            state.backlog.unsaved?;
            let next = |version: u64| StoredToken::new(state.own().cloned(), version);
            let unsaved = Unsaved {
                next: state
                    .backlog
                    .version
                    .map(|stored| next(stored.saturating_add(1))),
                current: state.current.clone(),
            };
            Some((unsaved, None))
        })
    }

    /// The store did not say that it took `next`.
    pub(super) fn unanswered(&self, next: StoredToken) {
        let attempted = &mut self.write().backlog.attempted;
        if !attempted.contains(&next) {
            attempted.truncate(ATTEMPTS - 1);
            attempted.push_front(next);
        }
    }

    /// The store holds it now.
    pub(super) fn saved(&self, saved: &Unsaved, next: &StoredToken) {
        let mut state = self.write();
        state.backlog.attempted.clear();
        if state.backlog.version == Some(next.replaces()) {
            state.backlog.version = Some(next.version);
        }
        let [now, then] = [&state.current, &saved.current].map(|one| one.as_ref().map(Arc::as_ptr));
        if now == then {
            state.backlog.unsaved = None;
        }
    }

    /// The next update that is to be told. It goes back unless it is [`Doing::done`].
    pub(super) fn take_update(self: &Arc<Self>) -> Next<TokenUpdate> {
        self.begin(Lane::Telling, |state| {
            let update = state.backlog.updates.pop_front()?;
            Some((update.clone(), Some(update)))
        })
    }

    /// Begins what there is to be done, and what goes back if it is not, unless something is being
    /// done.
    fn begin<T>(
        self: &Arc<Self>,
        lane: Lane,
        work: impl FnOnce(&mut State) -> Option<(T, Option<TokenUpdate>)>,
    ) -> Next<T> {
        let mut state = self.write();
        if let Some(other) = state.backlog.lane(lane) {
            return Next::Other(other.clone());
        }
        let Some((work, undone)) = work(&mut state) else {
            return Next::Nothing;
        };
        let ended = Arc::new(Outcome::new());
        *state.backlog.lane(lane) = Some(ended.clone());
        let doing = Doing {
            slot: self.clone(),
            lane,
            undone,
            ended,
        };
        Next::Mine(work, doing)
    }
}

/// The right to store or to tell. If a hook fails, panics or is cut off, what it was told is to be
/// told again; what is to be stored stays so until it is [`Slot::saved`].
pub(super) struct Doing {
    slot: Arc<Slot>,
    lane: Lane,
    undone: Option<TokenUpdate>,
    ended: Arc<Outcome<()>>,
}

impl Doing {
    pub(super) fn done(mut self) {
        self.undone = None;
    }
}

impl Drop for Doing {
    fn drop(&mut self) {
        let mut state = self.slot.write();
        if let Some(update) = self.undone.take() {
            state.backlog.updates.push_front(update);
        }
        *state.backlog.lane(self.lane) = None;
        drop(state);
        self.ended.set(());
    }
}
