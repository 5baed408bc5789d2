//! What a client is at a server.
//!
//! [RFC 7591 section 2](https://www.rfc-editor.org/rfc/rfc7591#section-2)

use std::fmt;

use url::Url;

use crate::{clock::Clock, jose::ExternalKey, secret::Secret, wire::secure_url::without_query};

/// What a client is registered as, and where: what a [`ClientAuth`](crate::oauth2::ClientAuth) works with.
///
/// ```
/// use oauth_twin::oauth2::{ClientAuth, EndpointRequest};
/// # use oauth_twin::BoxError;
///
/// fn by_issuer(request: &mut EndpointRequest) -> Result<(), BoxError> {
///     let registration = request.registration();
///     let issuer = registration.issuer().unwrap_or_default().to_owned();
///     let id = registration.client_id().to_owned();
///     request.form_mut().set("client", format!("{id}@{issuer}"));
///     Ok(())
/// }
/// # fn is_client_auth(_: impl ClientAuth) {}
/// # is_client_auth(by_issuer);
/// ```
#[derive(Clone)]
pub struct ClientRegistration {
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<Secret>,
    pub(crate) issuer: Option<String>,
    pub(crate) token_endpoint: Option<Url>,
    pub(crate) external_key: Option<ExternalKey>,
    pub(crate) clock: Clock,
}

impl ClientRegistration {
    pub(crate) fn new(client_id: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret: None,
            issuer: None,
            token_endpoint: None,
            external_key: None,
            clock: Clock::system(),
        }
    }

    /// The client's identifier.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The client's secret, if it has one.
    pub fn client_secret(&self) -> Option<&Secret> {
        self.client_secret.as_ref()
    }

    /// The server's issuer identifier, where known.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The server's token endpoint, where known.
    pub fn token_endpoint(&self) -> Option<&Url> {
        self.token_endpoint.as_ref()
    }

    /// The key that signs for the client elsewhere, if there is one.
    pub fn external_key(&self) -> Option<&ExternalKey> {
        self.external_key.as_ref()
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// Without the query of the token endpoint, in which some servers want a key.
impl fmt::Debug for ClientRegistration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.token_endpoint.as_ref().map(without_query);
        f.debug_struct("ClientRegistration")
            .field("client_id", &self.client_id)
            .field("client_secret", &self.client_secret)
            .field("issuer", &self.issuer)
            .field("token_endpoint", &endpoint)
            .field("external_key", &self.external_key)
            .finish_non_exhaustive()
    }
}
