//! Logout, from the client to the provider and back.

use std::sync::PoisonError;

use super::super::{
    LogoutTokenIds, boxed, in_callback, maybe_async, oauth2::client::OAuth2Client,
    waiting::Deadline, with_timeout,
};
use crate::{
    error::{Error, Result},
    oidc::{
        logout::{IdTokenHint, LogoutRequest, LogoutUrl},
        logout_token::LogoutToken,
    },
    secret::Secret,
};

impl OAuth2Client {
    /// Creates the URL to which the user is redirected to be logged out at the provider. Nothing is
    /// sent, and the client keeps its token.
    ///
    /// # Errors
    ///
    /// If the server has not been discovered yet or has no `end_session_endpoint`, or the URL is too
    /// long.
    ///
    /// [OpenID Connect RP-Initiated Logout section 2](https://openid.net/specs/openid-connect-rpinitiated-1_0.html#RPLogout)
    pub fn create_logout_url(&self, request: LogoutRequest) -> Result<LogoutUrl> {
        let live = self.session.live()?;
        let server = live.shared.known_server()?;
        let endpoint = live.shared.settings.logout_endpoint(&server)?;
        endpoint.request(request)
    }
}

#[maybe_async]
impl OAuth2Client {
    /// Logs the user out: revokes the client's token if the server has a `revocation_endpoint`,
    /// forgets it, and returns the URL that logs the user out at the provider. The ID token of the
    /// token is the hint, unless the request has one.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/logout.md"),
        include_str!("../../../docs/examples/async/logout.md")
    )]
    ///
    /// # Errors
    ///
    /// Those of [`create_logout_url`](Self::create_logout_url), before anything is revoked; and
    /// those of [`revoke_token`](Self::revoke_token), in which case the client keeps its token.
    ///
    /// [OpenID Connect RP-Initiated Logout section 2](https://openid.net/specs/openid-connect-rpinitiated-1_0.html#RPLogout)
    pub async fn logout(&self, mut request: LogoutRequest) -> Result<LogoutUrl> {
        if self.token().is_none() {
            let live = boxed(self.session.at_owner()).await?;
            if live.resource().is_some() {
                live.shared.known_or_fetched_server().await?;
            }
        }
        let token = self.token();
        if let (IdTokenHint::NotGiven, Some(token)) = (&request.hint, &token)
            && token.id_token().is_some()
        {
            request = request.id_token_hint(token);
        }
        self.fetch_server().await?;
        let url = self.create_logout_url(request)?;
        self.session.end_login().await?;
        Ok(url)
    }

    /// Reads a logout token, which the provider posts to the `backchannel_logout_uri` of the client
    /// as the parameter `logout_token`: verifies it, and takes it once.
    ///
    /// Then end the sessions that it names, and answer with status 200; answer an error with 400.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/logout_token.md"),
        include_str!("../../../docs/examples/async/logout_token.md")
    )]
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Answer`](crate::ErrorKind::Answer) if it is not by the server, a claim is not
    /// what it has to be, or it was used before; the error of the transport if the keys cannot be
    /// fetched; [`ErrorKind::Usage`](crate::ErrorKind::Usage) with the error of `logout_token_ids`.
    ///
    /// [OpenID Connect Back-Channel Logout section 2.6](https://openid.net/specs/openid-connect-backchannel-1_0.html#Validation)
    pub async fn read_logout_token(&self, logout_token: &str) -> Result<LogoutToken> {
        let live = boxed(self.session.discovered()).await?;
        let _passage = live.gate().pass()?;
        let settings = &live.shared.settings;
        let server = live.shared.fetch_server(settings.timeout).await?;
        let verifier = settings.id_token_verifier(&server)?;
        let logout_token = Secret::from(logout_token);
        let jws = verifier.parse_logout_token(&logout_token)?;
        let deadline = Deadline::after(settings.timeout);
        let claims = live.signed_claims(&verifier, &jws, deadline).await?;
        let ended = verifier.check_logout_token(&claims)?;
        let is_new = match settings.openid.logout_token_ids.clone() {
            Some(ids) => {
                let (token, marks) = (ended.clone(), [live.shared.id()]);
                let is_new = move || is_new(ids, token, marks);
                let is_new = with_timeout(settings.timeout, is_new).await;
                is_new.unwrap_or_else(|| Err(Error::failed_in(IDS, "it timed out".into())))?
            }
            None => {
                let used = live.shared.used_logout_tokens.lock();
                let mut used = used.unwrap_or_else(PoisonError::into_inner);
                used.is_new(&ended, settings.clock.unix())
            }
        };
        match is_new {
            true => Ok(ended),
            false => Err(Error::untrusted(
                "the logout token was used before (jti), or too many are remembered",
            )),
        }
    }
}

const IDS: &str = "logout_token_ids";

#[maybe_async]
async fn is_new(ids: LogoutTokenIds, token: LogoutToken, marks: [usize; 1]) -> Result<bool> {
    let is_new = in_callback(&marks, move || ids(token)).await;
    is_new.map_err(|error| Error::failed_in(IDS, error))
}
