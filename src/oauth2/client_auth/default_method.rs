//! Default client authentication.

use std::sync::Arc;

use super::{ClientAuth, jwt::PrivateKeyJwt, none::PublicClient, secret::ClientSecretBasic};
use crate::oauth2::client::ClientRegistration;

/// The authentication method of a client for which none was set.
///
/// [RFC 7591 section 2](https://www.rfc-editor.org/rfc/rfc7591#section-2)
pub(crate) fn default_client_auth(registration: &ClientRegistration) -> Arc<dyn ClientAuth> {
    match registration {
        client if client.client_secret().is_some() => Arc::new(ClientSecretBasic),
        client if client.external_key().is_some() => Arc::new(PrivateKeyJwt::external()),
        _ => Arc::new(PublicClient),
    }
}
