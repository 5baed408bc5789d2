//! Grants: what a token is asked with.
//!
//! [RFC 6749 section 1.3](https://www.rfc-editor.org/rfc/rfc6749#section-1.3)

use super::{ClientRegistration, Form, Scope, TokenRequest};
use crate::error::BoxError;

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
///     fn fill(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError> {
///         request.push("ticket", &self.0);
///         request.ask_for(None);              // the scope and resource that the client has
///         Ok(())
///     }
/// }
/// ```
///
/// [RFC 6749 section 4.5](https://www.rfc-editor.org/rfc/rfc6749#section-4.5)
///
/// [`ClientCredentials`]: super::ClientCredentials
/// [`AuthorizationCode`]: super::AuthorizationCode
/// [`Password`]: super::Password
/// [`RefreshToken`]: super::RefreshToken
/// [`ExtensionGrant`]: super::ExtensionGrant
/// [`JwtBearer`]: super::JwtBearer
pub trait Grant: Send + Sync {
    /// The value of the parameter `grant_type`.
    fn grant_type(&self) -> &str;

    /// Adds the grant's parameters. Called anew for each attempt, so that what must not be sent
    /// twice, such as an assertion, is made here.
    ///
    /// # Errors
    ///
    /// When the grant cannot be sent as it is; nothing is sent then.
    fn fill(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError>;

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

    /// Whether it can be sent by a client that is registered so; the builder of a client asks.
    ///
    /// # Errors
    ///
    /// What is missing or cannot be sent. Nothing unless told.
    fn check(&self, registration: &ClientRegistration) -> Result<(), BoxError> {
        let _ = registration;
        Ok(())
    }

    /// What is repeated when the token of this grant is refreshed, such as `resource` and
    /// `audience`. Nothing unless told.
    fn refresh_parameters(&self) -> Form {
        Form::new()
    }
}

/// Scope and further parameters of a grant.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) scope: Option<Scope>,
    pub(super) parameters: Form,
}

/// The builder methods of a grant that has a field `asked`.
macro_rules! asking {
    ($grant:ty) => {
        impl $grant {
            /// Asks for this scope, instead of the client's.
            ///
            /// [RFC 6749 section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)
            #[must_use]
            pub fn scope(mut self, scope: impl Into<$crate::oauth2::Scope>) -> Self {
                self.asked.scope = Some(scope.into());
                self
            }

            /// Asks for a token for this resource, instead of the client's; call it again for
            /// more than one.
            ///
            /// [RFC 8707 section 2](https://www.rfc-editor.org/rfc/rfc8707#section-2)
            #[must_use]
            pub fn resource(self, resource: impl Into<String>) -> Self {
                self.param("resource", resource.into())
            }

            /// Adds a parameter that the server wants beside the standard ones, such as
            /// `audience`. It is sent again whenever the token is renewed.
            #[must_use]
            pub fn param(
                mut self,
                name: impl Into<std::borrow::Cow<'static, str>>,
                value: impl Into<$crate::secret::Secret>,
            ) -> Self {
                self.asked.parameters.push(name, value);
                self
            }
        }
    };
}
pub(super) use asking;
