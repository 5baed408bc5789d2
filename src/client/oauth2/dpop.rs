//! DPoP of a client with a key for each login, or with requests that are sent by other means.

use super::super::{http, oauth2::client::OAuth2Client, session::Live};
use crate::{
    error::{Error, Result},
    oauth2::{
        authorization::request::AuthorizationRequest, dpop::key::DpopKey, server::profile::Clause,
    },
};

impl OAuth2Client {
    /// Keeps the nonce in a response to a request that [`authorize`](Self::authorize) has
    /// prepared and another HTTP client has sent, for the next proof at that server. After a 401
    /// with a new `DPoP-Nonce`, `authorize` a new request and send that once. Without `dpop` it
    /// does nothing.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/observe.md"),
        include_str!("../../../docs/examples/async/observe.md")
    )]
    ///
    /// [RFC 9449 section 8.2](https://www.rfc-editor.org/rfc/rfc9449#section-8.2)
    pub fn observe(&self, response: &http::Response) {
        self.session.observe(response);
    }

    /// Adds a key, which the client and its children know from now on by its thumbprint: that of one
    /// login, see [`AuthorizationRequest::dpop`], or of one user's stored token, before
    /// [`for_token`](Self::for_token).
    ///
    /// # Errors
    ///
    /// If the client is closed or has no `dpop` of its own, the key is external, or the
    /// [`profile`](crate::oauth2::Profile) of the client does not permit its algorithm.
    ///
    /// [RFC 9449 section 10](https://www.rfc-editor.org/rfc/rfc9449#section-10)
    pub fn add_dpop_key(&self, key: DpopKey) -> Result<()> {
        let live = self.session.live()?;
        let dpop = live.shared.dpop.as_deref().ok_or_else(no_dpop)?;
        if key.local().is_none() {
            return Err(Error::usage(
                "an external DPoP key is a setting of the builder; give it to dpop_signer",
            ));
        }
        let profile = live.shared.settings.authorization.profile;
        if let Some(profile) = profile
            && let Some(other) = profile.other_algorithm([key.algorithm()])
        {
            let what = format!("the DPoP key signs by {other}; use PS256, ES256 or EdDSA");
            return Err(Error::usage(profile.problem(&what, Clause::Algorithms)));
        }
        dpop.keys.add(key);
        Ok(())
    }

    /// Forgets a key that [`add_dpop_key`](Self::add_dpop_key) has added. Children whose token is
    /// bound to it keep it until they are renewed.
    ///
    /// # Errors
    ///
    /// If the client is closed or has no `dpop`.
    pub fn remove_dpop_key(&self, thumbprint: &str) -> Result<()> {
        let live = self.session.live()?;
        let dpop = live.shared.dpop.as_deref().ok_or_else(no_dpop)?;
        dpop.keys.remove(thumbprint);
        Ok(())
    }
}

impl Live {
    /// An authorization request whose code is bound to the key of the login, or else of the client.
    pub(in super::super) fn bind_code(
        &self,
        request: AuthorizationRequest,
    ) -> Result<AuthorizationRequest> {
        match (&self.shared.dpop, &request.dpop_thumbprint) {
            (None, None) => Ok(request),
            (None, Some(_)) => Err(no_dpop()),
            (Some(dpop), None) => Ok(request.dpop(dpop.keys.present())),
            (Some(dpop), Some(thumbprint)) => match dpop.keys.find(thumbprint) {
                Some(_) => Ok(request),
                None => Err(Error::usage(
                    "the client does not know the DPoP key of the login; add it by add_dpop_key \
                     first",
                )),
            },
        }
    }
}

fn no_dpop() -> Error {
    Error::usage("the client has no DPoP key of its own; give the builder one, by dpop")
}
