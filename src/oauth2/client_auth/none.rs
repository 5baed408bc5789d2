//! Public clients, and clients without any identification.
//!
//! [RFC 6749 section 3.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.2.1)

use super::{
    ClientAuth,
    identity::{add_client_id, require_client_id},
};
use crate::{
    error::BoxError,
    oauth2::{client::ClientRegistration, request::EndpointRequest, server::AuthorizationServer},
};

/// `none`: the client identifier only. The default of a client without a secret.
///
/// ```
/// # #[cfg(feature = "blocking")] {
/// use oauth_twin::{OAuth2Client, oauth2::PublicClient};
///
/// let builder = OAuth2Client::builder("id").token_endpoint_auth_method(PublicClient);
/// # }
/// ```
///
/// [RFC 6749 section 3.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.2.1)
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a name, written as a value")]
pub struct PublicClient;

impl ClientAuth for PublicClient {
    fn authenticate(&self, request: &mut EndpointRequest) -> Result<(), BoxError> {
        add_client_id(request);
        request.advise("the client has no secret; if the server has issued one, set client_secret");
        Ok(())
    }

    fn check(
        &self,
        registration: &ClientRegistration,
        _server: &AuthorizationServer,
    ) -> Result<(), BoxError> {
        Ok(require_client_id(registration)?)
    }

    fn method(&self) -> Option<&str> {
        Some("none")
    }
}

/// No identification of the client at all, for grants that identify it, such as the assertion of a
/// service account. The default of an `AssertionClient` without a `client_id`.
///
/// ```
/// use oauth_twin::oauth2::{
///     AuthorizationServer, ClientRegistration, NoClientAuthentication, ServiceAccount, TokenEndpoint,
/// };
///
/// # let file = include_bytes!("../../../tests/vectors/service_account.json");
/// let account = ServiceAccount::from_json(file)?;
/// let server = AuthorizationServer::default().with_token_endpoint(account.token_uri());
/// let endpoint = TokenEndpoint::new(&server, &ClientRegistration::default())?
///     .auth_method(NoClientAuthentication);
/// let request = endpoint.request(&account.grant())?;
/// assert!(request.form().value("client_id").is_none());
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 7521 section 4.1](https://www.rfc-editor.org/rfc/rfc7521#section-4.1)
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a name, written as a value")]
pub struct NoClientAuthentication;

impl ClientAuth for NoClientAuthentication {
    fn authenticate(&self, _request: &mut EndpointRequest) -> Result<(), BoxError> {
        Ok(())
    }
}
