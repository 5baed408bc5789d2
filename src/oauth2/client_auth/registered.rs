//! Client authentication that a server has registered.
//!
//! [RFC 7591 section 2](https://www.rfc-editor.org/rfc/rfc7591#section-2)

use std::sync::Arc;

use super::{
    ClientAuth,
    jwt::ClientSecretJwt,
    none::PublicClient,
    secret::{ClientSecretBasic, ClientSecretPost},
};
use crate::{jose::Algorithm, oauth2::client::RegisteredClient};

/// The authentication method of a registered client; none if it needs what the calling code has to
/// supply, such as a key.
#[allow(dead_code, reason = "only the clients choose it")]
pub(crate) fn registered_client_auth(client: &RegisteredClient) -> Option<Arc<dyn ClientAuth>> {
    Some(match client.token_endpoint_auth_method() {
        "none" => Arc::new(PublicClient),
        "client_secret_basic" => Arc::new(ClientSecretBasic),
        "client_secret_post" => Arc::new(ClientSecretPost),
        "client_secret_jwt" => {
            let algorithm = client.metadata().token_endpoint_auth_signing_alg();
            let algorithm = algorithm.and_then(|name| name.parse::<Algorithm>().ok());
            let jwt = ClientSecretJwt::new();
            match algorithm {
                Some(algorithm) => Arc::new(jwt.algorithm(algorithm)),
                None => Arc::new(jwt),
            }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_method_is_the_registered_one() {
        for (registered, expected) in [
            ("none", Some("none")),
            ("client_secret_basic", Some("client_secret_basic")),
            ("client_secret_post", Some("client_secret_post")),
            ("client_secret_jwt", Some("client_secret_jwt")),
            ("", Some("client_secret_basic")),
            ("private_key_jwt", None),
            ("tls_client_auth", None),
            ("of_the_future", None),
        ] {
            let client: RegisteredClient = serde_json::from_value(json!({
                "issuer": "i", "client_id": "c", "client_secret": "s",
                "token_endpoint_auth_method": registered,
            }))
            .expect("a client");
            let auth = registered_client_auth(&client);
            let method = auth.as_ref().and_then(|auth| auth.method());
            assert_eq!(method, expected, "{registered}");
        }
    }
}
