//! Builder methods of a client that is registered by itself.

use std::sync::Arc;

use super::{
    super::{
        maybe_async,
        oauth2::{OAuth2Client, OAuth2ClientBuilder},
        oidc::id_tokens::SignedIdTokens,
        settings::RegistrationSettings,
        transport::Follow,
    },
    anew::OwnRegistrations,
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
        self.registering = RegistrationSettings {
            without_callback: self.registering.without_callback,
            calls: Some(&OwnRegistrations),
            ..RegistrationSettings::default()
        };
        if self.authentication.token.is_none() {
            let auth = registered_client_auth(&registered);
            self.authentication.token = auth.clone();
            self.registering.auth = auth;
        }
        self.registered = Some(Box::new(registered));
        self.openid.verified_by = Some(&SignedIdTokens);
        self
    }

    /// Registers the client anew, once, when a login gets no callback: its server may have dropped
    /// the registration, and shows the user an error page instead of a login. Then the user is asked
    /// to log in once more. Defaults to an error that names the registration.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/register_again_without_callback.md"),
        include_str!("../../../docs/examples/async/register_again_without_callback.md")
    )]
    ///
    /// It is for clients that register themselves, by [`register`](Self::register) or as clients
    /// [for a resource](OAuth2Client::for_resource). The tokens of the old registration go with it,
    /// so one with which the client has a usable token stays, and so does one that was made a moment
    /// ago. An error in a callback is none of that: the server knows the client.
    ///
    /// [RFC 7591 section 5](https://www.rfc-editor.org/rfc/rfc7591#section-5)
    pub fn register_again_without_callback(mut self) -> Self {
        self.registering.without_callback = true;
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
    /// If the server answers a request of the client with `invalid_client`, the registration is
    /// dropped from the store. A client with a grant is then registered anew at once, and sends its
    /// request again; one whose users log in, with the next login, and so it is after its secret has
    /// expired. A new registration that has brought no token yet is not replaced.
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
            mark: None,
        };
        let obtained = kept.obtain(&transport, endpoint, issuer, &request).await?;
        let mut builder = builder.registered_client(obtained.registered);
        builder.registering.request = Some(request);
        builder.registering.is_new = obtained.is_new;
        Ok(builder)
    }
}
