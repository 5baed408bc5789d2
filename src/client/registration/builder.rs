//! Builder methods of a client that is registered by itself.

use std::sync::Arc;

use super::{
    super::{
        maybe_async,
        oauth2::{OAuth2Client, OAuth2ClientBuilder},
        transport::Follow,
    },
    kept::KeptRegistrations,
};
use crate::{
    error::{Error, Result},
    oauth2::{
        client::RegisteredClient,
        client_auth::registered::registered_client_auth,
        endpoint::registration::{endpoint::RegistrationEndpoint, request::RegistrationRequest},
    },
};

impl OAuth2Client {
    /// Creates a builder for a client that the server does not know yet. It has no identifier until
    /// `register` or `registered_client` of the builder set one; built without, it can discover and
    /// [`register`](Self::register).
    ///
    /// [RFC 7591](https://www.rfc-editor.org/rfc/rfc7591)
    pub fn unregistered() -> OAuth2ClientBuilder {
        OAuth2ClientBuilder::unregistered()
    }
}

impl OAuth2ClientBuilder {
    /// The registration of the client, as an earlier run has kept it: its identifier, its secret,
    /// its client authentication, the algorithms of what the server signs for it, and its redirection
    /// URIs; the last three if none are set. It is an error for a server with another issuer.
    ///
    /// [RFC 7591 section 3.2.1](https://www.rfc-editor.org/rfc/rfc7591#section-3.2.1)
    pub fn registered_client(mut self, registered: RegisteredClient) -> Self {
        self.client = registered.apply_to(self.client);
        if self.authentication.token.is_none() {
            self.authentication.token = registered_client_auth(&registered);
        }
        self.registered = Some(Box::new(registered));
        self
    }
}

#[maybe_async]
impl OAuth2ClientBuilder {
    /// Uses the registration that the `token_store` keeps for this server, or registers the client
    /// now and keeps that, by issuer. Set the server, the `token_store` and the HTTP settings before
    /// it.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/register_at_start.md"),
        include_str!("../../../docs/examples/async/register_at_start.md")
    )]
    ///
    /// A registration whose secret has expired, or that has none of the redirection URIs, is replaced
    /// by a new one, and the stored token of the old client is removed. Of any number of processes
    /// with the same store one registers. Without a `token_store`, or with one that keeps no
    /// registrations, each start registers another client.
    ///
    /// If the server answers a token request of the client with `invalid_client`, the registration
    /// is dropped from the store, and the next start registers anew.
    ///
    /// # Errors
    ///
    /// The error of the server or of the transport;
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) if the store fails.
    ///
    /// [RFC 7591 section 3](https://www.rfc-editor.org/rfc/rfc7591#section-3)
    pub async fn register(self, request: impl Into<RegistrationRequest>) -> Result<Self> {
        let request = request.into();
        let unknown = self.discovery.as_ref();
        let unknown = unknown.filter(|found| found.metadata.is_none());
        let mut builder = match unknown.map(|found| found.discovery.clone()) {
            Some(discovery) => self.discover(discovery).await?,
            None => self,
        };
        let found = builder.discovery.as_ref();
        let server = match found {
            Some(found) => found.provisional(&builder.server),
            None => builder.server.clone(),
        };
        let Some(issuer) = server.issuer() else {
            return Err(Error::usage(
                "a client is registered at an issuer, which is not known; set issuer",
            ));
        };
        let guard = found.map(|found| found.guard.clone());
        let http = &mut builder.http;
        let transport = Arc::new(http.transport(Follow::Nothing, guard)?);
        http.is_used = true;
        let endpoint = RegistrationEndpoint::with_http(&server, http.allow_http);
        let endpoint = endpoint.map(|endpoint| endpoint.clock(http.clock.clone()));
        let kept = KeptRegistrations {
            store: builder.tokens.store.clone(),
            clock: http.clock.clone(),
            timeout: http.timeout,
        };
        let registered = kept.obtain(&transport, endpoint, issuer, &request).await?;
        Ok(builder.registered_client(registered))
    }
}
