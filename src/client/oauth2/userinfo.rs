//! Claims from the UserInfo endpoint.

use std::sync::Arc;

use reqwest::StatusCode;

use super::super::{
    maybe_async,
    oauth2::{client::OAuth2Client, login::Login},
    session::{Live, Session},
    waiting::Deadline,
};
use crate::{
    error::{Error, Result},
    lifecycle::{published::Published, single_flight::Need},
    oauth2::{response::EndpointResponse, token::bearer::is_invalid_token},
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
        let live = self.live()?;
        let _passage = live.gate().pass()?;
        let settings = &live.shared.settings;
        let server = live.shared.fetch_server(settings.timeout).await?;
        let endpoint = settings.userinfo_endpoint(&server)?;
        let token = self.usable().await?.for_request();
        let mut response = live.ask_userinfo(&endpoint, &token).await?;
        let is_refused = response.status() == StatusCode::UNAUTHORIZED
            && live.shared.settings.rules.policy.on_unauthorized()
            && is_invalid_token(response.headers());
        if is_refused {
            let need = Need::Other(token.clone());
            match self.obtain(need, live.deadline()).await {
                Ok(renewed) if !renewed.published.is_same(&token) => {
                    response = live.ask_userinfo(&endpoint, &renewed.for_request()).await?;
                }
                Ok(_) => {}
                Err(error) => trace::unauthorized(live.shared.settings.name(), &error),
            }
        }
        live.read_userinfo(&endpoint, &response, subject).await
    }
}

#[maybe_async]
impl Live {
    async fn ask_userinfo(
        &self,
        endpoint: &UserInfoEndpoint,
        published: &Arc<Published>,
    ) -> Result<EndpointResponse> {
        let request = endpoint.request(&published.token)?;
        let limit = self.shared.settings.timeout;
        self.shared.transport.ask(&request, limit).await
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
