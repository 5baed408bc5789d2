//! Claims from the UserInfo endpoint.

use std::sync::Arc;

use reqwest::StatusCode;

use super::super::{
    boxed, maybe_async,
    oauth2::{client::OAuth2Client, login::Login},
    session::{Live, Session},
    waiting::Deadline,
};
use crate::{
    error::{Error, Result},
    lifecycle::{
        published::{Credential, Published},
        single_flight::Need,
    },
    oauth2::{dpop::nonce::Nonce, response::EndpointResponse},
    oidc::{
        claims::StandardClaims,
        userinfo::{UserInfoEndpoint, UserInfoResponse, of_subject},
    },
    trace,
};

#[maybe_async]
impl OAuth2Client {
    /// Fetches the claims about the end-user of the client's token, who has this subject, from the
    /// UserInfo endpoint. The token is renewed first if it has expired, and once if it is refused.
    ///
    /// # Errors
    ///
    /// If there is no `userinfo_endpoint` or no usable token; the error of the server or of the
    /// transport; or if the response is about another end-user, or its signature or its claims are
    /// not what they have to be.
    ///
    /// # Security
    ///
    /// `subject` is that of a verified ID token: `id_token.claims().subject()`.
    ///
    /// [OpenID Connect Core section 5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)
    pub async fn userinfo(&self, subject: &str) -> Result<StandardClaims> {
        self.session.userinfo(subject).await
    }
}

#[maybe_async]
impl Login {
    /// Fetches the claims about the end-user from the UserInfo endpoint. They are about the
    /// end-user of the ID token.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/userinfo.md"),
        include_str!("../../../docs/examples/async/userinfo.md")
    )]
    ///
    /// # Errors
    ///
    /// Those of [`userinfo`](OAuth2Client::userinfo) of a client; and if the login has no ID token
    /// to compare with, as `openid` was not asked for.
    ///
    /// [OpenID Connect Core section 5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)
    pub async fn userinfo(&self) -> Result<StandardClaims> {
        let Some(id_token) = &self.id_token else {
            return Err(Error::usage(
                "the login has no ID token to compare UserInfo with; ask for the scope openid",
            ));
        };
        self.client.userinfo(id_token.claims().subject()).await
    }
}

#[maybe_async]
impl Session {
    async fn userinfo(&self, subject: &str) -> Result<StandardClaims> {
        loop {
            if let Some(claims) = self.userinfo_at_once(subject).await? {
                return Ok(claims);
            }
        }
    }

    /// The claims; none if the client has moved to another server or to another registration meanwhile,
    /// so that a token of the one is not sent to the other.
    async fn userinfo_at_once(&self, subject: &str) -> Result<Option<StandardClaims>> {
        let live = boxed(self.discovered()).await?;
        let _passage = live.gate().pass()?;
        let settings = &live.shared.settings;
        let server = live.shared.fetch_server(settings.timeout).await?;
        let endpoint = settings.userinfo_endpoint(&server)?;
        let mut token = self.usable().await?.for_request();
        let (mut demanded, mut has_resent, mut has_renewed) = (None, false, false);
        let response = loop {
            let now = boxed(self.discovered()).await?;
            if !Arc::ptr_eq(&now.shared, &live.shared) {
                return Ok(None);
            }
            if !settings.permits(&token.token) {
                return Err(Error::login(
                    "the token was issued by another server than the one whose UserInfo is asked; \
                     log in at this server",
                ));
            }
            let (response, sent) = live
                .ask_userinfo(&endpoint, &token, demanded.take())
                .await?;
            if response.status() != StatusCode::UNAUTHORIZED {
                break response;
            }
            let nonce = Nonce::demanded(response.headers(), sent.as_ref());
            demanded = nonce.filter(|_| token.bound().is_some() && !has_resent);
            if demanded.is_some() {
                has_resent = true;
                continue;
            }
            let is_refused = live.shared.settings.rules.policy.on_unauthorized()
                && token.is_refused_by(response.headers());
            if !is_refused || has_renewed {
                break response;
            }
            has_renewed = true;
            let need = Need::Other(token.clone());
            match self.obtain(need, live.deadline()).await {
                Ok(renewed) if renewed.published.is_same(&token) => break response,
                Ok(renewed) => token = renewed.for_request(),
                Err(error) => {
                    trace::unauthorized(live.shared.settings.name(), &error);
                    break response;
                }
            }
        };
        let claims = live.read_userinfo(&endpoint, &response, subject).await?;
        Ok(Some(claims))
    }
}

#[maybe_async]
impl Live {
    /// The response, and the nonce of the proof that was sent.
    async fn ask_userinfo(
        &self,
        endpoint: &UserInfoEndpoint,
        published: &Arc<Published>,
        demanded: Option<Nonce>,
    ) -> Result<(EndpointResponse, Option<Nonce>)> {
        let limit = self.shared.settings.timeout;
        let transport = &self.shared.transport;
        let Some(dpop) = self.shared.dpop.as_deref() else {
            let request = endpoint.request(&published.token)?;
            return Ok((transport.ask(&request, limit).await?, None));
        };
        let Credential::Bound(bound) = published.credential()? else {
            return Err(Error::token(
                "the token is bound to no DPoP key of the client",
            ));
        };
        let mut request = endpoint.bound_request(bound)?;
        let nonce = demanded.or_else(|| dpop.of_resources.last(request.url()));
        let proof = request.proof(&bound.key, nonce.as_ref())?;
        let proof = bound.prove(proof, nonce.as_ref());
        let marks = [self.slot.id(), self.slot.completing()];
        let header = dpop.sign(&bound.key, &proof, limit, marks).await?;
        request.set_proof(header, &bound.key, nonce.clone());
        let response = transport.ask(&request, limit).await?;
        let now = || self.shared.settings.clock.unix().as_secs();
        dpop.of_resources
            .observe(request.url(), response.headers(), now);
        Ok((response, nonce))
    }

    async fn read_userinfo(
        &self,
        endpoint: &UserInfoEndpoint,
        response: &EndpointResponse,
        subject: &str,
    ) -> Result<StandardClaims> {
        let jwt = match endpoint.read(response)? {
            UserInfoResponse::Plain(claims) => return of_subject(claims, subject),
            UserInfoResponse::Signed(jwt) => jwt,
        };
        let server = self.shared.known_or_fetched_server().await?;
        let verifier = self.shared.settings.id_token_verifier(&server)?;
        let jws = endpoint.parse(&jwt)?;
        let deadline = Deadline::after(self.shared.settings.timeout);
        let claims = self.signed_claims(&verifier, &jws, deadline).await?;
        verifier.check_userinfo(claims, subject)
    }
}
