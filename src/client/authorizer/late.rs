//! Requests that wait for their token or their proof, and those that other HTTP clients send.

use std::sync::Arc;

use reqwest::header::{AUTHORIZATION, HeaderValue};

use super::{
    super::{
        boxed, execute, http, maybe_async,
        session::{Live, Session},
        waiting::Deadline,
    },
    attempt::{FirstAttempt, Kept, is_signed_externally, limit},
    copy::RequestCopy,
};
use crate::{
    error::{Error, ErrorCode, ErrorKind, Result},
    lifecycle::{published::Published, single_flight::Need},
    oauth2::token::bearer::TokenPlacement,
};

#[maybe_async]
impl Session {
    /// A token for a request, which is obtained first; none if its resource is to say what it needs.
    pub(super) async fn token_for(
        &self,
        live: &mut Live,
        request: &mut http::Request,
        own: Option<Deadline>,
    ) -> Result<Option<Arc<Published>>> {
        if let Some((token, _)) = live.fresh_or_renewable() {
            return Ok(Some(token));
        }
        if live.resource().is_none() {
            return live.obtain_for(self, request, own).await.map(Some);
        }
        let (now, token) = boxed(self.obtain_for_resource(live.clone(), request, own)).await?;
        *live = now;
        Ok(token)
    }

    /// Sends a request with a token that was obtained first, or whose proof has to be.
    pub(super) async fn send_late(
        self,
        live: Live,
        mut request: http::Request,
        token: Arc<Published>,
        own: Option<Deadline>,
    ) -> Result<http::Response> {
        let is_renewable = live.can_renew();
        let copy = RequestCopy::for_token(&request, &token, is_renewable);
        let left = own.unwrap_or_else(|| live.deadline()).left();
        let nonce = live.place_late(&mut request, &token, None, left).await?;
        if let Some(own) = own {
            limit(&mut request, own);
        }
        let kept = Kept::of(self, copy, Some(token), is_renewable, own, nonce);
        let sent = live.shared.transport.send(request, execute)?;
        FirstAttempt(kept).response(sent).await
    }

    /// The token for a request to a resource, or none if that has to say what it needs.
    async fn obtain_for_resource(
        &self,
        live: Live,
        request: &mut http::Request,
        own: Option<Deadline>,
    ) -> Result<(Live, Option<Arc<Published>>)> {
        let deadline = |live: &Live| own.unwrap_or_else(|| live.deadline());
        let by = deadline(&live);
        let mut live = self.restored(live, by).await?;
        let mut obtained = live.obtain_for(self, request, own).await;
        let mut is_unknown = false;
        if let Err(error) = &obtained
            && live.forgets_unknown(error)
        {
            is_unknown = true;
            // Another process may have changed the secret, or registered the client anew.
            let by = deadline(&live);
            live = self.restored(live, by).await?;
            if live.shared.settings.bound.is_some() && !live.is_child() {
                obtained = live.obtain_for(self, request, own).await;
                if let Err(error) = &obtained {
                    live.forgets_unknown(error);
                }
            }
        }
        match obtained {
            Ok(token) => Ok((live, Some(token))),
            Err(error) if is_unknown || live.asks_resource(&error) => Ok((live, None)),
            Err(error) => Err(error),
        }
    }

    /// Sends a request to a resource, which may need no token for it.
    pub(super) async fn send_without_token(
        self,
        mut request: http::Request,
        own: Option<Deadline>,
    ) -> Result<http::Response> {
        let copy = RequestCopy::of(&request);
        let kept = Kept::of(self.clone(), copy, None, true, own, None);
        if let Some(own) = own {
            limit(&mut request, own);
        }
        let live = self.serving()?;
        live.shared.transport.update_certificate();
        let response = live.shared.transport.send(request, execute)?.await?;
        self.observe(&response);
        match FirstAttempt(kept).refused(&response) {
            Some(kept) => boxed((*kept.with(response)).repeat()).await,
            None => Ok(response),
        }
    }

    pub(in super::super) async fn authorize(&self, request: &mut http::Request) -> Result<()> {
        let live = self.serving()?;
        live.check(request)?;
        let token = match live.fresh() {
            Some(token) => token,
            None => {
                let own = request.timeout().copied().map(Deadline::after);
                let deadline = own.unwrap_or_else(|| live.deadline());
                let live = boxed(self.restored(live.clone(), deadline)).await?;
                boxed(live.obtain_for(self, request, own)).await?
            }
        };
        let placed = match is_signed_externally(&token) {
            false => live.place(request, &token, None),
            true => {
                let limit = live.deadline().left();
                boxed(live.place_late(request, &token, None, limit)).await
            }
        };
        placed.map(drop)
    }

    pub(in super::super) async fn authorization_header(&self) -> Result<HeaderValue> {
        self.usable().await?.for_request().header()
    }
}

#[maybe_async]
impl Live {
    /// A token for the request, which waits for it no longer than its own timeout.
    async fn obtain_for(
        &self,
        session: &Session,
        request: &mut http::Request,
        own: Option<Deadline>,
    ) -> Result<Arc<Published>> {
        let deadline = own.unwrap_or_else(|| self.deadline());
        let obtained = session.obtain(Need::Usable, deadline).await?;
        limit(request, deadline);
        Ok(obtained.for_request())
    }
}

impl Live {
    /// Whether the resource has to say how another token is obtained: by a login, or at a server
    /// that it names by now, if the one of an earlier process cannot be found or refuses the grant.
    fn asks_resource(&self, error: &Error) -> bool {
        let is_lost = || {
            let kind = matches!(error.kind(), ErrorKind::Transport | ErrorKind::Answer);
            kind && self.shared.server().is_none()
        };
        let is_refused = || error.code() == Some(&ErrorCode::InvalidGrant);
        self.resource().is_some() && (error.needs_login() || is_refused() || is_lost())
    }

    /// Whether the request can be given its token by the call of `send`: neither the user's code runs,
    /// nor does a time limit begin, before the response is waited for.
    #[inline]
    pub(super) fn can_begin(&self, request: &http::Request) -> bool {
        request.timeout().is_none()
            && !self.shared.settings.hooks.has_protected()
            && self.shared.transport.can_begin()
    }

    /// Whether it can be given its token under the lock of the client, too: no code of the user's runs
    /// meanwhile, also none that drops a body, and the client has the same connections for all requests.
    #[inline]
    pub(super) fn can_begin_at_once(&self, request: &http::Request) -> bool {
        let settings = &self.shared.settings;
        self.can_begin(request)
            && settings.clock.is_system()
            && settings.dpop.is_none()
            && matches!(settings.placement, TokenPlacement::Header)
            && self.shared.transport.has_one_pool()
    }

    /// Adds the `User-Agent` before the token, where that needs no look-up, unless a hook is to see the
    /// request as the caller made it; then it is added when the request is sent.
    #[inline]
    pub(super) fn add_user_agent(&self, request: &mut http::Request) {
        if !self.shared.settings.hooks.has_protected() {
            self.shared.transport.add_user_agent(request);
        }
    }

    /// Whether the request may be given a token.
    pub(super) fn check(&self, request: &http::Request) -> Result<()> {
        let headers = request.headers();
        if !headers.is_empty() && headers.contains_key(AUTHORIZATION) {
            return Err(Error::usage(
                "the request has an Authorization header, or a user name in its URL, already; \
                 take it out, or call withhold_token",
            ));
        }
        self.shared.transport.check(request.url())
    }
}
