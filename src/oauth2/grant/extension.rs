//! Extension grants.
//!
//! [RFC 6749 section 4.5](https://www.rfc-editor.org/rfc/rfc6749#section-4.5)

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

/// Extension grant: any `grant_type` with its parameters.
///
/// ```no_run
/// # #[cfg(feature = "blocking")]
/// # fn main() -> oauth_twin::Result<()> {
/// use oauth_twin::{OAuth2Client, oauth2::ExtensionGrant};
///
/// # let client = OAuth2Client::builder("id").build()?;
/// let token = client.fetch_token(
///     ExtensionGrant::new("urn:ietf:params:oauth:grant-type:token-exchange")
///         .param("subject_token", "accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC")
///         .param("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
/// )?;
/// # Ok(()) }
/// # #[cfg(not(feature = "blocking"))] fn main() {}
/// ```
///
/// [RFC 6749 section 4.5](https://www.rfc-editor.org/rfc/rfc6749#section-4.5)
#[derive(Clone, Debug)]
pub struct ExtensionGrant {
    grant_type: String,
    kept: bool,
    options: GrantOptions,
}

impl ExtensionGrant {
    /// Makes the grant with this `grant_type`, an absolute URI.
    pub fn new(grant_type: impl Into<String>) -> Self {
        Self {
            grant_type: grant_type.into(),
            kept: false,
            options: GrantOptions::default(),
        }
    }

    /// Keeps the parameters in memory, to send them again when the token has expired and there is
    /// no refresh token.
    #[must_use]
    pub fn keep_for_renewal(mut self) -> Self {
        self.kept = true;
        self
    }
}

grant_options!(ExtensionGrant);

impl Grant for ExtensionGrant {
    fn grant_type(&self) -> &str {
        &self.grant_type
    }

    fn add_parameters(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError> {
        request.extend(&self.options.parameters);
        request.push_scope_and_resource(self.options.scope.as_ref());
        Ok(())
    }

    fn replayable(&self) -> bool {
        self.kept
    }

    /// Repeats only `resource` and `audience`, as the other parameters are the grant itself.
    fn refresh_parameters(&self) -> Form {
        let mut repeated = Form::new();
        for (name, value) in self.options.parameters.iter() {
            if matches!(name, "resource" | "audience") {
                repeated.push(name.to_owned(), value);
            }
        }
        repeated
    }
}
