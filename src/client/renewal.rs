//! Renewing a token: by one caller for all, to the end, published before it is told.

use std::{
    ops::ControlFlow::{Break, Continue},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{
    aside, detached, is_marked, marked, maybe_async,
    outbox::Next,
    session::Live,
    single_flight::{Ended, Lead},
    slot::{Current, Turn, Wanted},
};
use crate::{
    error::{Error, ErrorCode, ErrorKind, Result},
    oauth2::{
        grant::{Grant, refresh_token::RefreshToken},
        token::Token,
    },
    trace,
};

#[maybe_async]
impl Live {
    /// A token that can be used, waiting at most `limit` where there is one to go on with.
    pub(super) async fn usable(&self, limit: Duration) -> Result<Arc<Current>> {
        match self.slot.fresh(self.shared.settings.clock.unix()) {
            Some(current) => Ok(current),
            None => self.obtain(Wanted::Usable, limit).await,
        }
    }

    /// The token that is wanted, by leading a renewal, waiting for one, or not at all.
    pub(super) async fn obtain(&self, mut wanted: Wanted, limit: Duration) -> Result<Arc<Current>> {
        // A callback runs within a renewal: it gets what is published, the hook what has just been,
        // and waits for nothing.
        if is_marked(self.slot.id()) {
            let completing = is_marked(self.slot.completing());
            let current = self.slot.current();
            let current = current.filter(|current| !completing || self.is_alive(current));
            return current.ok_or_else(|| Error::reentrant("a renewal"));
        }
        loop {
            // A call that was under way when the client was closed renews nothing any more.
            if self.closed.load(Ordering::SeqCst) {
                return Err(Error::closed());
            }
            let ended = match self.slot.turn(&wanted, self.shared.settings.clock.unix()) {
                Turn::Use(current) => return Ok(current),
                Turn::Fail(error) => return Err(error),
                Turn::Wait(flight) => flight.outcome.wait().await?,
                Turn::Load(lead) => detached(self.clone().load(lead)).await?,
                Turn::Lead(lead, None) => detached(self.clone().renew(lead)).await?,
                Turn::Lead(lead, Some(old)) => {
                    let live = self.clone();
                    let renewal = aside(limit, move || live.renew(lead)).await;
                    match renewal {
                        Some(Ok(ended)) => ended,
                        Some(Err(error)) if error.kind() == ErrorKind::Update => return Err(error),
                        Some(Err(error)) if !self.is_alive(&old) => return Err(error),
                        Some(Err(error)) => {
                            trace::renewal_failed(&error);
                            return Ok(old);
                        }
                        None if self.is_alive(&old) => return Ok(old),
                        // It has expired while the renewal lasted: now it is waited for.
                        None => Ended::Unchanged,
                    }
                }
            };
            match ended {
                Ended::With(current) => return Ok(current),
                Ended::Superseded => wanted = Wanted::Usable,
                Ended::Unchanged => {}
            }
        }
    }

    /// The renewal itself: answer, publish, store, tell, release.
    async fn renew(self, mut lead: Lead) -> Result<Ended> {
        if self.slot.has_backlog() {
            let saved = self.clone().save().await;
            // A hook that runs already is at it, and may take its time.
            let told = self.tell_hook(false).await;
            if let Err(error) = saved.and(told) {
                trace::update_failed(&error);
            }
        }
        let (token, lease) = match self.obtained(&mut lead).await {
            Ok(Continue(obtained)) => obtained,
            Ok(Break(ended)) => {
                lead.end(Ok(ended.clone()));
                return Ok(ended);
            }
            // It was about a token that is not in use any more, and so is its error.
            Err(_) if !self.slot.is_current(&lead) => {
                lead.end(Ok(Ended::Superseded));
                return Ok(Ended::Superseded);
            }
            Err(error) => {
                let now = self.shared.settings.clock.unix();
                self.slot.back_off(now, error.retry_after());
                lead.end(Err(error.clone()));
                return Err(error);
            }
        };
        trace::renewed();
        let current = self
            .slot
            .publish(&lead, token, self.shared.settings.hook.is_some());
        if self.slot.is_child()
            && let (Some(old), Some(new)) = (&lead.old, &current)
        {
            let now = self.shared.settings.clock.unix();
            self.shared
                .children
                .rotated(&self.slot, &old.token, &new.token, now);
        }
        lead.end(Ok(current.clone().map_or(Ended::Superseded, Ended::With)));
        self.clone().tell().await?;
        drop((lease, lead));
        // Somebody else's token may have turned out to count.
        let current = current.filter(|current| self.slot.holds(current));
        Ok(current.map_or(Ended::Superseded, Ended::With))
    }

    /// A new token by the refresh token, or by the grant that may be sent again.
    pub(super) async fn renewed(&self, lead: &Lead) -> Result<Token> {
        if self.shared.settings.rules.use_refresh_tokens
            && let Some(old) = &lead.old
            && let Some(refresh) = RefreshToken::of(&old.token, lead.grant.as_deref())
        {
            let renewed = self.request_token(&refresh).await;
            match renewed {
                Err(error)
                    if lead.grant.is_some() && error.code() == Some(&ErrorCode::InvalidGrant) => {}
                renewed => return Ok(renewed?.inheriting(&old.token)),
            }
        }
        match &lead.grant {
            Some(grant) => self.request_token(&**grant).await,
            None => Err(Error::token("there is no refresh token")),
        }
    }

    /// Obtains a token by the caller's grant and publishes it.
    pub(super) async fn fetch(self, grant: Arc<dyn Grant>) -> Result<Arc<Current>> {
        let token = self.request_token(&*grant).await?;
        trace::renewed();
        let replayable = grant.replayable().then_some(grant);
        let old = self.slot.current();
        let current = self.slot.replace(token, replayable);
        self.moved(old.as_deref(), Some(&current));
        self.save().await?;
        Ok(current)
    }

    /// Stores what is not stored yet, then tells `update_token` what it has not taken yet. What
    /// fails is tried again some time later.
    pub(super) async fn tell(self) -> Result<()> {
        let saved = self.clone().save().await;
        // Whatever the store does: the hook may be all that keeps the token.
        let told = self.tell_hook(true).await;
        saved.and(told)
    }

    /// With or without waiting for what is being told by somebody else.
    async fn tell_hook(&self, waiting: bool) -> Result<()> {
        let Some(hook) = &self.shared.settings.hook else {
            return Ok(());
        };
        loop {
            match self.slot.take_update() {
                Next::Nothing => return Ok(()),
                Next::Other(_) if !waiting => return Ok(()),
                Next::Other(ended) => ended.wait().await,
                Next::Mine(update, doing) => {
                    marked(&[self.slot.id()], || hook(update))
                        .await
                        .map_err(Error::update)?;
                    doing.done();
                }
            }
        }
    }

    /// Waits for a renewal that is under way, and sees that nothing is left to be done.
    pub(in super::super) async fn settle(self) -> Result<()> {
        let limit = self.shared.settings.close_timeout;
        if let Some(flight) = self.slot.flight() {
            let landed = flight.landed.wait_for(limit).await;
            if landed.is_none() {
                return Err(Error::interrupted(
                    "a renewal is still under way; close again to wait for it",
                ));
            }
        }
        if self.slot.is_settled() {
            return Ok(());
        }
        aside(limit, move || self.tell()).await.unwrap_or_else(|| {
            Err(Error::interrupted(
                "token_store or update_token is still running; close again to wait for it",
            ))
        })
    }
}

impl Live {
    pub(super) fn is_alive(&self, current: &Current) -> bool {
        current.is_alive(self.shared.settings.clock.unix())
    }
}
