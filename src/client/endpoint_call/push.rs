//! Authorization requests that are signed and pushed.
//!
//! [RFC 9126 section 2](https://www.rfc-editor.org/rfc/rfc9126#section-2)

use std::time::Instant;

use super::{
    super::{is_in_callback, maybe_async, with_timeout},
    EndpointCall, Repetition,
    completion::{SIGNER, configured, signature, too_late},
};
use crate::{
    error::{Error, Result},
    oauth2::{
        authorization::prepared::PreparedAuthorization,
        endpoint::pushed_authorization::PushedAuthorization, server::metadata::AuthorizationServer,
    },
};

#[maybe_async]
impl EndpointCall<'_> {
    /// Signs the request object by the user's own code, if that is still to be done.
    pub(in super::super) async fn sign(&self, prepared: &mut PreparedAuthorization) -> Result<()> {
        let Some(input) = prepared.unsigned() else {
            return Ok(());
        };
        let settings = &self.shared.settings;
        let marks = [self.slot.id(), self.slot.completing()];
        if is_in_callback(self.slot.completing()) {
            return Err(Error::reentrant("a request that needs the callback"));
        }
        let sign = configured(settings.sign.as_ref(), "signer")?.clone();
        let message = input.as_bytes().to_vec();
        let signed = with_timeout(settings.timeout, move || signature(sign, message, marks)).await;
        prepared.sign(&signed.unwrap_or_else(|| Err(too_late(SIGNER)))?)
    }

    /// Pushes an authorization request to the server.
    pub(in super::super) async fn push(
        &self,
        prepared: &PreparedAuthorization,
        server: &AuthorizationServer,
    ) -> Result<PushedAuthorization> {
        let settings = &self.shared.settings;
        let endpoint = settings.pushed_authorization_endpoint(server)?;
        self.exchange(
            Instant::now(),
            // A request that was lost leads to nothing.
            Repetition::Unavailable,
            || endpoint.request(prepared),
            |request, response| endpoint.read_response(request, response),
        )
        .await
    }
}
