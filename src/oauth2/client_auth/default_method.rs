//! Default client authentication.

use std::sync::{Arc, LazyLock};

use super::{
    ClientAuth,
    jwt::PrivateKeyJwt,
    none::{NoClientAuthentication, PublicClient},
    offered::offers_method,
    secret::{ClientSecretBasic, ClientSecretPost},
};
use crate::{
    jose::ExternalKey,
    oauth2::{client::ClientRegistration, server::metadata::AuthorizationServer},
};

type Method = LazyLock<Arc<dyn ClientAuth>>;

// Each request asks for one of them.
static BASIC: Method = LazyLock::new(|| Arc::new(ClientSecretBasic));
static POST: Method = LazyLock::new(|| Arc::new(ClientSecretPost));
static PUBLIC: Method = LazyLock::new(|| Arc::new(PublicClient));
static SIGNED: Method = LazyLock::new(|| Arc::new(PrivateKeyJwt::external()));

impl ClientRegistration {
    /// Sets the external key that signs for the client; see
    /// [`EndpointRequest::unsigned`](crate::oauth2::EndpointRequest::unsigned).
    #[must_use]
    pub fn with_external_key(self, key: ExternalKey) -> Self {
        self.authenticated_by(key, &SIGNED)
    }
}

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
    let signed = registration.by_external_key();
    let signed = signed.and_then(|auth| auth.downcast_ref::<Method>());
    match registration {
        client
            if client.client_secret().is_some()
                && !offers("client_secret_basic")
                && offers("client_secret_post") =>
        {
            POST.clone()
        }
        client if client.client_secret().is_some() => BASIC.clone(),
        client => match signed {
            Some(signed) => Arc::clone(signed),
            None if !client.has_client_id() => Arc::new(NoClientAuthentication),
            None => PUBLIC.clone(),
        },
    }
}
