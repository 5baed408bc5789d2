//! The resource owner password credentials grant.
//!
//! [RFC 6749 section 4.3](https://www.rfc-editor.org/rfc/rfc6749#section-4.3)

use crate::{
    error::BoxError,
    oauth2::{
        grant::{
            Grant,
            options::{GrantOptions, grant_options},
        },
        request::TokenRequest,
    },
    secret::Secret,
    wire::form::Form,
};

/// Password grant, with the credentials of the resource owner, for servers that support nothing
/// better.
///
/// ```no_run
/// # #[cfg(feature = "blocking")]
/// # fn main() -> oauth_twin::Result<()> {
/// use oauth_twin::{OAuth2Client, oauth2::Password};
///
/// # let client = OAuth2Client::builder("id").build()?;
/// let token = client.fetch_token(Password::new("alice", "wonderland").scope("profile"))?;
/// # Ok(()) }
/// # #[cfg(not(feature = "blocking"))] fn main() {}
/// ```
///
/// # Security
///
/// The program handles the user's password. [RFC 9700 section
/// 2.4](https://www.rfc-editor.org/rfc/rfc9700#section-2.4) forbids the grant.
///
/// [RFC 6749 section 4.3](https://www.rfc-editor.org/rfc/rfc6749#section-4.3)
#[derive(Clone, Debug)]
pub struct Password {
    username: String,
    password: Secret,
    kept: bool,
    options: GrantOptions,
}

impl Password {
    /// Makes the grant with a user name and a password, which are sent once.
    pub fn new(username: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self {
            username: username.into(),
            password: password.into(),
            kept: false,
            options: GrantOptions::default(),
        }
    }

    /// Keeps the password in memory, to send it again when the token has expired and there is no
    /// refresh token.
    #[must_use]
    pub fn keep_for_renewal(mut self) -> Self {
        self.kept = true;
        self
    }
}

grant_options!(Password);

impl Grant for Password {
    fn grant_type(&self) -> &str {
        "password"
    }

    fn add_parameters(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError> {
        request.push("username", self.username.as_str());
        request.push("password", &self.password);
        request.extend(&self.options.parameters);
        request.push_scope_and_resource(self.options.scope.as_ref());
        Ok(())
    }

    fn replayable(&self) -> bool {
        self.kept
    }

    fn refresh_parameters(&self) -> Form {
        self.options.parameters.clone()
    }
}
