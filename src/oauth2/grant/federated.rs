//! JWT bearer grants by an assertion that a platform makes.
//!
//! [RFC 7523 section 2.1](https://www.rfc-editor.org/rfc/rfc7523#section-2.1)

use crate::{
    error::BoxError,
    oauth2::{
        client_auth::federated::FederatedAssertion,
        grant::{
            Grant,
            jwt_bearer::JWT_BEARER,
            options::{GrantOptions, grant_options},
        },
        request::TokenRequest,
    },
    wire::form::Form,
};

/// JWT bearer grant by the assertion of a platform, which is read anew for each attempt: the token of
/// a job instead of a secret, for a server that trusts the platform. The client need not be
/// registered there.
///
/// ```
/// # #[cfg(feature = "blocking")]
/// # fn main() -> oauth_twin::Result<()> {
/// use oauth_twin::{OAuth2Client, oauth2::{FederatedAssertion, FederatedGrant}};
///
/// let token = FederatedAssertion::file("/var/run/secrets/tokens/id.example.com");
/// let client = OAuth2Client::unregistered()
///     .token_endpoint("https://id.example.com/token")
///     .grant(FederatedGrant::new(token).scope("reports:read"))
///     .build()?;
/// # Ok(()) }
/// # #[cfg(not(feature = "blocking"))] fn main() {}
/// ```
///
/// # Security
///
/// As of a [`FederatedAssertion`]: in a client for a resource, set the `issuer` that the assertion is for.
///
/// [RFC 7523 section 2.1](https://www.rfc-editor.org/rfc/rfc7523#section-2.1)
#[derive(Clone, Debug)]
pub struct FederatedGrant {
    assertion: FederatedAssertion,
    options: GrantOptions,
}

impl FederatedGrant {
    /// Makes the grant of this assertion.
    pub fn new(assertion: FederatedAssertion) -> Self {
        Self {
            assertion,
            options: GrantOptions::default(),
        }
    }
}

grant_options!(FederatedGrant);

impl Grant for FederatedGrant {
    fn grant_type(&self) -> &str {
        JWT_BEARER
    }

    fn add_parameters(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError> {
        request.set_unattended();
        request.extend(&self.options.parameters);
        request.push_scope_and_resource(self.options.scope.as_ref());
        request.complete_later(self.assertion.outstanding("assertion"));
        Ok(())
    }

    fn replayable(&self) -> bool {
        true
    }

    fn refresh_parameters(&self) -> Form {
        self.options.parameters.clone()
    }
}
