//! Client authentication.
//!
//! [RFC 6749 section 2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3)

pub(crate) mod certificate;
pub(crate) mod default_method;
pub(crate) mod federated;
mod identity;
pub(crate) mod jwt;
pub(crate) mod mtls;
pub(crate) mod none;
pub(crate) mod offered;
pub(crate) mod registered;
pub(crate) mod secret;
#[allow(dead_code, reason = "only the builders of clients have settings")]
pub(crate) mod settings;

use crate::{
    error::BoxError,
    jose::Algorithm,
    oauth2::{
        assertion::audience::Audience, client::ClientRegistration, request::EndpointRequest,
        server::AuthorizationServer,
    },
};

/// Authentication method of a client.
///
/// One method serves all endpoints, and is called for each attempt. Use one of
/// [`ClientSecretBasic`], [`ClientSecretPost`], [`ClientSecretJwt`], [`PrivateKeyJwt`],
/// [`TlsClientAuth`], [`SelfSignedTlsClientAuth`], [`FederatedAssertion`], [`PublicClient`], or a
/// closure of your own:
///
/// ```
/// use oauth_twin::{BoxError, oauth2::{ClientAuth, EndpointRequest}};
///
/// let own = |request: &mut EndpointRequest| -> Result<(), BoxError> {
///     let id = request.client_id().to_owned();
///     request.form_mut().set("app", id);
///     Ok(())
/// };
/// # fn is_client_auth(_: impl ClientAuth) {}
/// # is_client_auth(own);
/// ```
///
/// [RFC 6749 section 2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3)
///
/// [`ClientSecretBasic`]: crate::oauth2::ClientSecretBasic
/// [`ClientSecretPost`]: crate::oauth2::ClientSecretPost
/// [`PublicClient`]: crate::oauth2::PublicClient
/// [`ClientSecretJwt`]: crate::oauth2::ClientSecretJwt
/// [`PrivateKeyJwt`]: crate::oauth2::PrivateKeyJwt
/// [`TlsClientAuth`]: crate::oauth2::TlsClientAuth
/// [`SelfSignedTlsClientAuth`]: crate::oauth2::SelfSignedTlsClientAuth
/// [`FederatedAssertion`]: crate::oauth2::FederatedAssertion
pub trait ClientAuth: Send + Sync {
    /// Adds the client's authentication to `request`.
    ///
    /// # Errors
    ///
    /// If it cannot, for example without a secret. Nothing is sent then.
    fn authenticate(&self, request: &mut EndpointRequest) -> Result<(), BoxError>;

    /// Checks the registration of the client at this server. Builders of clients call it.
    ///
    /// # Errors
    ///
    /// If something is missing or cannot be sent. The default implementation returns none.
    fn check(
        &self,
        registration: &ClientRegistration,
        server: &AuthorizationServer,
    ) -> Result<(), BoxError> {
        let _ = (registration, server);
        Ok(())
    }

    /// The registered name of the method, such as `client_secret_post`. A client is not built for a
    /// server whose metadata do not list it. The default implementation returns none, which is not
    /// checked.
    ///
    /// [IANA: OAuth Token Endpoint Authentication Methods](https://www.iana.org/assignments/oauth-parameters/oauth-parameters.xhtml#token-endpoint-auth-method)
    fn method(&self) -> Option<&str> {
        None
    }

    /// The audience of the method's assertions, if it is set. A client with a
    /// [`Profile`](crate::oauth2::Profile) is not built with another than the issuer.
    ///
    /// [RFC 7523 section 3](https://www.rfc-editor.org/rfc/rfc7523#section-3)
    fn audience(&self) -> Option<&Audience> {
        None
    }

    /// The algorithm with which the method signs, if it does. It is checked like the name.
    ///
    /// [RFC 8414 section 2](https://www.rfc-editor.org/rfc/rfc8414#section-2)
    fn signing_algorithm(&self, registration: &ClientRegistration) -> Option<Algorithm> {
        let _ = registration;
        None
    }
}

impl<F> ClientAuth for F
where
    F: Fn(&mut EndpointRequest) -> Result<(), BoxError> + Send + Sync,
{
    fn authenticate(&self, request: &mut EndpointRequest) -> Result<(), BoxError> {
        self(request)
    }
}
