//! The client credentials grant.
//!
//! [RFC 6749 section 4.4](https://www.rfc-editor.org/rfc/rfc6749#section-4.4)

use crate::{
    error::BoxError,
    oauth2::{
        grant::{
            Grant,
            options::{GrantOptions, grant_options},
        },
        request::TokenRequest,
    },
    wire::form::Form,
};

/// Client credentials grant, by which a client acts on its own behalf.
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
    options: GrantOptions,
}

impl ClientCredentials {
    /// Makes the grant with the client's own scope and resource.
    pub fn new() -> Self {
        Self::default()
    }
}

grant_options!(ClientCredentials);

impl Grant for ClientCredentials {
    fn grant_type(&self) -> &str {
        "client_credentials"
    }

    fn add_parameters(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError> {
        request.extend(&self.options.parameters);
        request.push_scope_and_resource(self.options.scope.as_ref());
        Ok(())
    }

    fn replayable(&self) -> bool {
        true
    }

    fn refresh_parameters(&self) -> Form {
        self.options.parameters.clone()
    }
}
