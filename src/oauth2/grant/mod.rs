//! Grants.
//!
//! [RFC 6749 section 1.3](https://www.rfc-editor.org/rfc/rfc6749#section-1.3)

pub(crate) mod authorization_code;
pub(crate) mod client_credentials;
pub(crate) mod device_code;
pub(crate) mod extension;
pub(crate) mod federated;
pub(crate) mod id_jag;
pub(crate) mod jwt_bearer;
pub(crate) mod options;
pub(crate) mod password;
pub(crate) mod refresh_token;
pub(crate) mod token_exchange;
pub(crate) mod token_type;

use crate::{
    error::BoxError,
    oauth2::{client::ClientRegistration, request::TokenRequest, server::AuthorizationServer},
    wire::form::Form,
};

/// Grant by which a token is obtained. The built-in ones are [`ClientCredentials`],
/// [`AuthorizationCode`], [`DeviceCode`], [`Password`], [`RefreshToken`], [`JwtBearer`],
/// [`FederatedGrant`], [`IdJag`], [`TokenExchange`] and [`ExtensionGrant`]; a custom one is a few
/// lines:
///
/// ```
/// use oauth_twin::{BoxError, Secret, oauth2::{Grant, TokenRequest}};
///
/// struct Ticket(Secret);
///
/// impl Grant for Ticket {
///     fn grant_type(&self) -> &str {
///         "urn:example:grant-type:ticket"
///     }
///
///     fn add_parameters(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError> {
///         request.push("ticket", &self.0);
///         request.push_scope_and_resource(None);              // the scope and resource of the client
///         Ok(())
///     }
/// }
/// ```
///
/// [RFC 6749 section 4.5](https://www.rfc-editor.org/rfc/rfc6749#section-4.5)
///
/// [`ClientCredentials`]: crate::oauth2::ClientCredentials
/// [`AuthorizationCode`]: crate::oauth2::AuthorizationCode
/// [`DeviceCode`]: crate::oauth2::DeviceCode
/// [`Password`]: crate::oauth2::Password
/// [`RefreshToken`]: crate::oauth2::RefreshToken
/// [`ExtensionGrant`]: crate::oauth2::ExtensionGrant
/// [`JwtBearer`]: crate::oauth2::JwtBearer
/// [`FederatedGrant`]: crate::oauth2::FederatedGrant
/// [`IdJag`]: crate::oauth2::IdJag
/// [`TokenExchange`]: crate::oauth2::TokenExchange
pub trait Grant: Send + Sync {
    /// The value of the parameter `grant_type`.
    fn grant_type(&self) -> &str;

    /// Adds the grant's parameters. It is called for each attempt, so that single-use parameters,
    /// such as an assertion, can be made here.
    ///
    /// # Errors
    ///
    /// If the grant cannot be sent. Nothing is sent then.
    fn add_parameters(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError>;

    /// Whether the grant is used up once it has been sent, whatever the outcome. Such a grant is
    /// never sent again, even if the server responds that it has not processed it. True for a code.
    fn single_use(&self) -> bool {
        false
    }

    /// Whether the same grant may be sent again when its token has expired: true for client
    /// credentials, never for a code.
    fn replayable(&self) -> bool {
        false
    }

    /// Checks that a client with this registration can send the grant to this server. Builders of
    /// clients call it.
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

    /// The parameters that a refresh of the token repeats, such as `resource` and `audience`.
    /// Defaults to none.
    fn refresh_parameters(&self) -> Form {
        Form::new()
    }
}
