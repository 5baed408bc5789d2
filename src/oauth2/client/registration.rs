//! Client registrations: identifier, secret, redirection URIs.
//!
//! [RFC 7591 section 2](https://www.rfc-editor.org/rfc/rfc7591#section-2)

use std::{any::Any, fmt, sync::Arc};

use crate::{jose::ExternalKey, oauth2::scope::Scope, secret::Secret};

/// Registration of a client at an authorization server. Together with an
/// [`AuthorizationServer`](crate::oauth2::AuthorizationServer), it makes the endpoints.
///
/// Cheap to clone. A [`ClientAuth`](crate::oauth2::ClientAuth) authenticates the client with these
/// values.
///
/// ```
/// use oauth_twin::oauth2::{AuthorizationServer, ClientRegistration, TokenEndpoint};
///
/// let server = AuthorizationServer::default().with_token_endpoint("https://id.example.com/token");
/// let client = ClientRegistration::new("client-id")
///     .with_client_secret("client-secret")
///     .with_redirect_uris(["https://app.example.com/callback"]);
/// let endpoint = TokenEndpoint::new(&server, &client)?;
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 7591 section 2](https://www.rfc-editor.org/rfc/rfc7591#section-2)
#[derive(Clone, Default)]
pub struct ClientRegistration(Arc<Registered>);

#[derive(Clone, Default)]
struct Registered {
    client_id: Option<String>,
    client_secret: Option<Secret>,
    redirect_uris: Vec<String>,
    scope: Option<Scope>,
    resource: Vec<String>,
    external_key: Option<ExternalKey>,
    /// The authentication by such a key, which is of a type above. It comes with the key, so that
    /// only programs with one contain what makes assertions.
    by_external_key: Option<&'static (dyn Any + Send + Sync)>,
}

impl ClientRegistration {
    /// Makes the registration of a client with this identifier. Begin with
    /// [`default`](Self::default) for a client without one, which an assertion identifies.
    pub fn new(client_id: impl Into<String>) -> Self {
        Self::default().with_client_id(client_id)
    }

    /// Sets the client's identifier.
    #[must_use]
    pub fn with_client_id(self, client_id: impl Into<String>) -> Self {
        self.with(|client| client.client_id = Some(client_id.into()))
    }

    /// Sets the client's secret.
    #[must_use]
    pub fn with_client_secret(self, secret: impl Into<Secret>) -> Self {
        self.with(|client| client.client_secret = Some(secret.into()))
    }

    /// Sets the redirection URIs. The first is the default of requests.
    ///
    /// [RFC 6749 section 3.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.1.2)
    #[must_use]
    pub fn with_redirect_uris(
        self,
        redirect_uris: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let redirect_uris = redirect_uris.into_iter().map(Into::into);
        self.with(|client| client.redirect_uris = redirect_uris.collect())
    }

    /// Sets the default scope of requests.
    ///
    /// [RFC 6749 section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)
    #[must_use]
    pub fn with_scope(self, scope: impl Into<Scope>) -> Self {
        self.with(|client| client.scope = Some(scope.into()))
    }

    /// Adds a default resource of requests.
    ///
    /// [RFC 8707 section 2](https://www.rfc-editor.org/rfc/rfc8707#section-2)
    #[must_use]
    pub fn with_resource(self, resource: impl Into<String>) -> Self {
        self.with(|client| client.resource.push(resource.into()))
    }

    /// Sets the external key with the default authentication of those who have one.
    pub(crate) fn authenticated_by(
        self,
        key: ExternalKey,
        auth: &'static (dyn Any + Send + Sync),
    ) -> Self {
        self.with(|client| (client.external_key, client.by_external_key) = (Some(key), Some(auth)))
    }

    #[allow(dead_code, reason = "only the clients are registered anew")]
    pub(crate) fn without_secret(self) -> Self {
        self.with(|client| client.client_secret = None)
    }

    fn with(mut self, change: impl FnOnce(&mut Registered)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The client's identifier; empty if it has none.
    pub fn client_id(&self) -> &str {
        self.0.client_id.as_deref().unwrap_or_default()
    }

    /// The client's secret, if it has one.
    pub fn client_secret(&self) -> Option<&Secret> {
        self.0.client_secret.as_ref()
    }

    /// The redirection URIs.
    pub fn redirect_uris(&self) -> &[String] {
        &self.0.redirect_uris
    }

    /// The default scope of requests.
    pub fn scope(&self) -> Option<&Scope> {
        self.0.scope.as_ref()
    }

    /// The default resources of requests.
    pub fn resource(&self) -> &[String] {
        &self.0.resource
    }

    /// The external key that signs for the client, if there is one.
    pub fn external_key(&self) -> Option<&ExternalKey> {
        self.0.external_key.as_ref()
    }

    /// The default authentication by that key.
    pub(crate) fn by_external_key(&self) -> Option<&'static (dyn Any + Send + Sync)> {
        self.0.by_external_key
    }

    /// Whether an identifier was set, even an empty one.
    pub fn has_client_id(&self) -> bool {
        self.0.client_id.is_some()
    }

    /// The default redirection URI of requests.
    pub(crate) fn redirect_uri(&self) -> Option<&str> {
        self.0.redirect_uris.first().map(String::as_str)
    }
}

impl fmt::Debug for ClientRegistration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRegistration")
            .field("client_id", &self.client_id())
            .field("client_secret", &self.client_secret())
            .field("redirect_uris", &self.redirect_uris())
            .field("scope", &self.scope())
            .field("resource", &self.resource())
            .field("external_key", &self.external_key())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_apart() {
        let first = ClientRegistration::new("id").with_redirect_uris(["https://a/", "https://b/"]);
        let second = first.clone().with_redirect_uris(["https://c/"]);
        assert_eq!(first.redirect_uri(), Some("https://a/"));
        assert_eq!(second.redirect_uris(), ["https://c/"]);
        assert_eq!(second.client_id(), "id");
        assert_eq!(ClientRegistration::default().client_id(), "");
        assert_eq!(ClientRegistration::default().redirect_uri(), None);
    }

    #[test]
    fn debug_tells_no_secret() {
        let client = ClientRegistration::new("id").with_client_secret("hunter2");
        assert_eq!(
            format!("{client:?}"),
            "ClientRegistration { client_id: \"id\", client_secret: Some([redacted]), \
             redirect_uris: [], scope: None, resource: [], external_key: None }"
        );
    }
}
