//! The client credentials grant.
//!
//! [RFC 6749 section 4.4](https://www.rfc-editor.org/rfc/rfc6749#section-4.4)

use super::{
    Form, Grant, TokenRequest,
    grant::{Asked, asking},
};
use crate::error::BoxError;

/// The client acts for itself: its own authentication is the grant.
///
/// ```
/// # #[cfg(feature = "blocking")] {
/// use oauth_twin::{OAuth2Client, oauth2::ClientCredentials};
///
/// let builder = OAuth2Client::builder("id")
///     .client_secret("secret")
///     .grant(ClientCredentials::new().scope("reports:read").param("audience", "reports"));
/// # }
/// ```
///
/// [RFC 6749 section 4.4](https://www.rfc-editor.org/rfc/rfc6749#section-4.4)
#[derive(Clone, Debug, Default)]
pub struct ClientCredentials {
    asked: Asked,
}

impl ClientCredentials {
    /// Asks for the client's own scope and resource.
    pub fn new() -> Self {
        Self::default()
    }
}

asking!(ClientCredentials);

impl Grant for ClientCredentials {
    fn grant_type(&self) -> &str {
        "client_credentials"
    }

    fn fill(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError> {
        request.extend(&self.asked.parameters);
        request.ask_for(self.asked.scope.as_ref());
        Ok(())
    }

    fn replayable(&self) -> bool {
        true
    }

    fn refresh_parameters(&self) -> Form {
        self.asked.parameters.clone()
    }
}
