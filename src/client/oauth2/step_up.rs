//! Responses of an API that demand another login.

use super::super::{http, oauth2::client::OAuth2Client, session::Live};
use crate::{
    error::{Error, Result},
    oauth2::{
        authorization::{request::AuthorizationRequest, step_up::login_challenge},
        scope::Scope,
    },
};

impl OAuth2Client {
    /// Checks whether an API refuses the token as the end-user's authentication is too weak or too
    /// old for the request. `send` returns such a response as it is, and renews nothing for it; only
    /// a client that is [for a resource](OAuth2Client::for_resource) begins the login itself, or
    /// returns the same error.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/check_challenge.md"),
        include_str!("../../../docs/examples/async/check_challenge.md")
    )]
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Login`](crate::ErrorKind::Login) if it does, with the
    /// [`login_request`](Error::login_request) that begins the right login: for the scope of the
    /// client and of its token, and with the `acr_values` and the `max_age` of the
    /// [`challenge`](Error::challenge), for which the ID token is checked if the scope has
    /// `openid`.
    ///
    /// [RFC 9470 section 3](https://www.rfc-editor.org/rfc/rfc9470#section-3)
    #[doc(alias = "insufficient_user_authentication")]
    #[doc(alias = "step-up")]
    pub fn check_challenge(&self, response: &http::Response) -> Result<()> {
        let Some(challenge) = login_challenge(response.status(), response.headers()) else {
            return Ok(());
        };
        let mut request = AuthorizationRequest::new();
        request.scope = self.session.live()?.scope();
        let request = request.challenge(&challenge);
        Err(Error::login_required(
            "the API demands another authentication of the user; log in by login_request",
            Some(challenge),
            request,
        ))
    }
}

impl Live {
    /// The scope that was requested, as far as it is known: that of the client, and what the token
    /// has beside it.
    fn scope(&self) -> Option<Scope> {
        let published = self.slot.published();
        let granted = published.as_ref().and_then(|it| it.token.scope());
        let configured = self.shared.settings.client.scope();
        match (configured, granted.map(Scope::from)) {
            (Some(configured), Some(granted)) => Some(configured.including(&granted)),
            (configured, granted) => configured.cloned().or(granted),
        }
    }
}
