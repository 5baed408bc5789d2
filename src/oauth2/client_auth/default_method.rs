//! Default client authentication.

use std::sync::{Arc, LazyLock};

use super::{
    ClientAuth,
    jwt::PrivateKeyJwt,
    none::{NoClientAuthentication, PublicClient},
    offered::offers_method,
    secret::{ClientSecretBasic, ClientSecretPost},
};
use crate::oauth2::{client::ClientRegistration, server::metadata::AuthorizationServer};

// Each request asks for one of them.
static BASIC: LazyLock<Arc<dyn ClientAuth>> = LazyLock::new(|| Arc::new(ClientSecretBasic));
static POST: LazyLock<Arc<dyn ClientAuth>> = LazyLock::new(|| Arc::new(ClientSecretPost));
static PUBLIC: LazyLock<Arc<dyn ClientAuth>> = LazyLock::new(|| Arc::new(PublicClient));

/// The authentication method of a client for which none was set, at an endpoint of the server. Where
/// this lists no methods, "the default is `client_secret_basic`".
///
/// [RFC 8414 section 2](https://www.rfc-editor.org/rfc/rfc8414#section-2),
/// [RFC 7591 section 2](https://www.rfc-editor.org/rfc/rfc7591#section-2)
pub(crate) fn default_client_auth(
    registration: &ClientRegistration,
    server: &AuthorizationServer,
    endpoint: &str,
) -> Arc<dyn ClientAuth> {
    let offers = |method| offers_method(server, endpoint, method);
    match registration {
        client
            if client.client_secret().is_some()
                && !offers("client_secret_basic")
                && offers("client_secret_post") =>
        {
            POST.clone()
        }
        client if client.client_secret().is_some() => BASIC.clone(),
        client if client.external_key().is_some() => Arc::new(PrivateKeyJwt::external()),
        client if !client.has_client_id() => Arc::new(NoClientAuthentication),
        _ => PUBLIC.clone(),
    }
}
