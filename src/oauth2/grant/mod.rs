//! Grants: what a token is asked with.
//!
//! [RFC 6749 section 1.3](https://www.rfc-editor.org/rfc/rfc6749#section-1.3)

pub(crate) mod authorization_code;
pub(crate) mod client_credentials;
pub(crate) mod extension;
pub(crate) mod jwt_bearer;
pub(crate) mod options;
pub(crate) mod password;
pub(crate) mod refresh_token;

use crate::{
    error::BoxError,
    oauth2::{client::ClientRegistration, request::TokenRequest, server::AuthorizationServer},
    wire::form::Form,
};

/// What a token is obtained with. The built-in ones are [`ClientCredentials`],
/// [`AuthorizationCode`], [`Password`], [`RefreshToken`], [`JwtBearer`] and [`ExtensionGrant`]; a
/// server's own is a few lines:
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
///         request.push_scope_and_resource(None);              // the scope and resource that the client has
///         Ok(())
///     }
/// }
/// ```
///
/// [RFC 6749 section 4.5](https://www.rfc-editor.org/rfc/rfc6749#section-4.5)
///
/// [`ClientCredentials`]: crate::oauth2::ClientCredentials
/// [`AuthorizationCode`]: crate::oauth2::AuthorizationCode
/// [`Password`]: crate::oauth2::Password
/// [`RefreshToken`]: crate::oauth2::RefreshToken
/// [`ExtensionGrant`]: crate::oauth2::ExtensionGrant
/// [`JwtBearer`]: crate::oauth2::JwtBearer
pub trait Grant: Send + Sync {
    /// The value of the parameter `grant_type`.
    fn grant_type(&self) -> &str;

    /// Adds the grant's parameters. Called anew for each attempt, so that what must not be sent
    /// twice, such as an assertion, is made here.
    ///
    /// # Errors
    ///
    /// When the grant cannot be sent as it is; nothing is sent then.
    fn add_parameters(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError>;

    /// Whether it is spent once it has been sent, whatever came of it: then it is not sent again
    /// even where the server says that it has not looked at it. True for a code.
    fn single_use(&self) -> bool {
        false
    }

    /// Whether the same grant may be sent again when its token has expired: yes for client
    /// credentials, never for a code.
    fn replayable(&self) -> bool {
        false
    }

    /// Whether it can be sent to this server by a client that is registered so; the builder of a
    /// client asks.
    ///
    /// # Errors
    ///
    /// What is missing or cannot be sent. Defaults to none.
    fn check(
        &self,
        registration: &ClientRegistration,
        server: &AuthorizationServer,
    ) -> Result<(), BoxError> {
        let _ = (registration, server);
        Ok(())
    }

    /// What is repeated when the token of this grant is refreshed, such as `resource` and
    /// `audience`. Nothing unless told.
    fn refresh_parameters(&self) -> Form {
        Form::new()
    }
}
