//! Endpoint calls that the caller requests: a token by a grant, revocation, introspection.

use std::sync::Arc;

use super::{
    boxed,
    delivery::Delivery,
    keys::Unverified,
    maybe_async,
    oidc::id_tokens::ExpectedLogin,
    run_to_completion,
    session::{Live, Session},
    store_sync::StoreSync,
    waiting::{Deadline, is_set_until},
};
use crate::{
    error::{Error, Result},
    oauth2::{
        endpoint::{
            introspection::{Introspection, TokenTypeHint},
            introspection_jwt::IntrospectionResponse,
        },
        grant::{Grant, token_exchange::TOKEN_EXCHANGE},
        token::Token,
    },
    secret::Secret,
    trace,
};

#[maybe_async]
impl Session {
    pub(super) async fn fetch_token(
        &self,
        grant: Arc<dyn Grant>,
        expected: ExpectedLogin,
    ) -> Result<Token> {
        self.live_outside_hook("fetch_token")?;
        run_to_completion(self.clone().fetch(grant, expected)).await
    }

    /// Obtains a token with the caller's grant and keeps it.
    async fn fetch(self, grant: Arc<dyn Grant>, expected: ExpectedLogin) -> Result<Token> {
        let live = boxed(self.discovered()).await?;
        let _passage = live.gate().pass()?;
        let (token, _verified) = live.log_in(&*grant, &expected, "fetch").await?;
        let grant = grant.replayable().then_some(grant);
        self.keep_issued(token, grant, None).await
    }

    /// Keeps the token of a login that this client has completed.
    pub(super) async fn keep(&self, token: Token) -> Result<Token> {
        self.live_outside_hook("keep")?;
        run_to_completion(self.clone().keep_login(token, None)).await
    }

    /// The same of a user, whose client `login` is from now on.
    pub(super) async fn keep_for(&self, token: Token, login: Self) -> Result<Token> {
        self.live_outside_hook("keep_for")?;
        run_to_completion(self.clone().keep_login(token, Some(login))).await
    }

    async fn keep_login(self, token: Token, login: Option<Self>) -> Result<Token> {
        let live = self.live()?;
        let _passage = live.gate().pass()?;
        // A code is not a grant that can be sent again, so there is none.
        self.keep_issued(token, None, login).await
    }

    /// Uses a new token from now on, and stores it. `close`, if it was called meanwhile, waits for it.
    async fn keep_issued(
        &self,
        token: Token,
        grant: Option<Arc<dyn Grant>>,
        login: Option<Self>,
    ) -> Result<Token> {
        let live = self.live_or_closing()?;
        if let Err(problem) = live.shared.settings.rules.check(&token) {
            return Err(Error::useless_answer(&problem));
        }
        let slot = self.replace(Some(token.clone()), grant)?;
        // It is held until the token is stored: the last handle would store it by itself.
        if let Some(login) = &login {
            login.belong_to(self, &token);
        }
        // For a resource, it may be at another server by now.
        let shared = self.live_or_closing()?.shared;
        trace::token_kept(shared.settings.name());
        Delivery::new(shared, slot).store().await?;
        Ok(token)
    }

    pub(super) async fn exchange(
        &self,
        grant: Arc<dyn Grant>,
        expected: ExpectedLogin,
    ) -> Result<Token> {
        let live = boxed(self.discovered()).await?;
        let _passage = live.gate().pass()?;
        let (token, _verified) = live.log_in(&*grant, &expected, "exchange").await?;
        // An assertion for another server is no token for an API, and is not kept as one.
        let is_assertion = grant.grant_type() == TOKEN_EXCHANGE && !token.is_applicable();
        if !is_assertion {
            live.check_binding(&token)?;
        }
        trace::exchanged(live.shared.settings.name(), grant.grant_type());
        Ok(token)
    }

    pub(super) async fn revoke_token(&self) -> Result<()> {
        self.live_outside_hook("revoke_token")?;
        boxed(self.at_owner()).await?;
        match run_to_completion(self.clone().end_own(true)).await? {
            true => Ok(()),
            false => Err(no_own_token()),
        }
    }

    /// Forgets the client's own token, after revoking it where that is possible.
    pub(super) async fn end_login(&self) -> Result<()> {
        self.live_outside_hook("logout")?;
        let live = boxed(self.at_owner()).await?;
        if live.slot.published().is_none() && live.slot.is_saved() {
            return Ok(());
        }
        let server = live.shared.known_or_fetched_server().await?;
        let revokes = server.revocation_endpoint().is_some();
        let ended = run_to_completion(self.clone().end_own(revokes)).await;
        match ended {
            // The tokens of a client that the server does not know are of no use to anyone.
            Err(error) if live.forgets_unknown(&error) => {
                run_to_completion(self.clone().end_own(false)).await?;
            }
            ended => {
                ended?;
            }
        }
        Ok(())
    }

    pub(super) async fn revoke(&self, token: Secret, hint: Option<TokenTypeHint>) -> Result<()> {
        let live = boxed(self.discovered()).await?;
        let _passage = live.gate().pass()?;
        live.call().revoke(&token, hint.as_ref()).await
    }

    pub(super) async fn introspect_token(&self) -> Result<Introspection> {
        let live = boxed(self.at_owner()).await?;
        let _passage = live.gate().pass()?;
        let published = live.slot.published().ok_or_else(no_own_token)?;
        let access_token = published.token.access_token();
        let hint = TokenTypeHint::AccessToken;
        live.introspect(access_token, Some(&hint)).await
    }

    pub(super) async fn introspect(
        &self,
        token: Secret,
        hint: Option<TokenTypeHint>,
    ) -> Result<Introspection> {
        let live = boxed(self.discovered()).await?;
        let _passage = live.gate().pass()?;
        live.introspect(&token, hint.as_ref()).await
    }

    /// Revokes the client's own refresh token, or else its access token, if it `revokes`, and forgets
    /// both. False if there is no token.
    async fn end_own(self, revokes: bool) -> Result<bool> {
        loop {
            let live = self.live_now()?;
            let _passage = live.gate().pass()?;
            let deadline = Deadline::after(live.shared.settings.rules.flight_limit);
            // The token of a renewal in flight is to be revoked, too.
            let is_idle = match live.slot.in_flight() {
                Some(flight) => is_set_until(&flight.outcome, deadline).await,
                None => true,
            };
            // So is the stored token of another process, and none may renew it meanwhile.
            let sync = live.store_sync();
            let lease = sync.lease(live.gate()).await?;
            let ended = self.end_under_lease(&live, &sync, revokes, is_idle).await;
            sync.end_attempt(lease).await;
            if let Some(ended) = ended? {
                return Ok(ended);
            }
        }
    }

    /// The same under the lease of the store. None if another token came meanwhile, or may come by a
    /// renewal that has begun since the slot `was_idle`.
    async fn end_under_lease(
        &self,
        live: &Live,
        sync: &StoreSync,
        revokes: bool,
        was_idle: bool,
    ) -> Result<Option<bool>> {
        sync.reload().await?;
        let Some(published) = live.slot.published() else {
            // It may be stored still, though it was forgotten.
            let is_removed = live.slot.is_saved();
            return live.delivery().store().await.map(|()| Some(!is_removed));
        };
        let settings = &live.shared.settings;
        let refresh_token = published.token.refresh_token();
        // A server that a resource names gets no refresh token that may be of another one.
        let (token, hint) = match refresh_token.filter(|_| settings.may_refresh(&published.token)) {
            Some(token) => (token, TokenTypeHint::RefreshToken),
            None => (published.token.access_token(), TokenTypeHint::AccessToken),
        };
        if revokes {
            live.call().revoke(token, Some(&hint)).await?;
        }
        // Only a lease keeps others from that. One that begins from now on has a revoked refresh token.
        let is_renewed = was_idle && sync.store().is_none() && live.slot.in_flight().is_some();
        if is_renewed || !live.slot.holds(&published) || !self.points_to(&live.slot) {
            return Ok(None);
        }
        let slot = self.forget()?;
        let delivery = Delivery::new(live.shared.clone(), slot);
        delivery.store().await.map(|()| Some(true))
    }
}

#[maybe_async]
impl Live {
    /// Introspects a token; a response that is signed is verified.
    async fn introspect(
        &self,
        token: &Secret,
        hint: Option<&TokenTypeHint>,
    ) -> Result<Introspection> {
        let jwt = match self.call().introspect(token, hint).await? {
            IntrospectionResponse::Plain(introspection) => return Ok(introspection),
            IntrospectionResponse::Signed(jwt) => jwt,
        };
        let settings = &self.shared.settings;
        let server = self.shared.known_or_fetched_server().await?;
        let endpoint = settings.introspection_endpoint(&server)?;
        let jws = endpoint.parse(&server, &jwt)?;
        let deadline = Deadline::after(settings.timeout);
        let allowed = [jws.header().algorithm()];
        let payload = self.verify(&jws, &allowed, deadline).await;
        let payload = payload.map_err(Unverified::into_error)?;
        endpoint.introspection(&server, settings.client.client_id(), &payload)
    }
}

fn no_own_token() -> Error {
    Error::token("the client has no token")
}
