//! Authorization requests that are signed and pushed.
//!
//! [RFC 9126 section 2](https://www.rfc-editor.org/rfc/rfc9126#section-2)

use std::time::Instant;

use super::{
    super::{dpop::external_signature, maybe_async},
    EndpointCall, Repetition,
    completion::configured,
};
use crate::{
    error::Result,
    oauth2::{
        authorization::prepared::PreparedAuthorization,
        endpoint::pushed_authorization::PushedAuthorization, server::metadata::AuthorizationServer,
    },
};

#[maybe_async]
impl EndpointCall<'_> {
    /// Signs the request object of a request that is not pushed by the user's own code, if that is
    /// still to be done.
    pub(in super::super) async fn sign(&self, prepared: &mut PreparedAuthorization) -> Result<()> {
        let Some(input) = prepared.unsigned() else {
            return Ok(());
        };
        let settings = &self.shared.settings;
        let marks = [self.slot.id(), self.slot.completing()];
        let sign = configured(settings.sign.as_ref(), "signer")?.clone();
        let message = input.as_bytes().to_vec();
        let signed = external_signature(sign, message, marks, settings.timeout).await;
        prepared.sign(&signed?)
    }

    /// Pushes an authorization request to the server.
    pub(in super::super) async fn push(
        &self,
        prepared: &PreparedAuthorization,
        server: &AuthorizationServer,
    ) -> Result<PushedAuthorization> {
        let settings = &self.shared.settings;
        let endpoint = settings.pushed_authorization_endpoint(server)?;
        let pushed = self
            .exchange(
                Instant::now(),
                // A request that was lost leads to nothing.
                Repetition::Unavailable,
                || endpoint.request(prepared),
                |request, response| endpoint.read_response(request, response),
            )
            .await;
        self.of_registered(pushed).await
    }
}
