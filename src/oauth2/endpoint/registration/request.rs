//! Registration requests.
//!
//! [RFC 7591 section 3.1](https://www.rfc-editor.org/rfc/rfc7591#section-3.1)

use serde_json::Value;

use crate::{
    oauth2::{client::ClientMetadata, server::AuthorizationServer},
    secret::Secret,
};

/// Registration request: the metadata of a client, and what the server wants to see for them.
///
/// Methods that register a client also take the [`ClientMetadata`] alone.
///
/// ```
/// use oauth_twin::oauth2::{ClientMetadata, RegistrationRequest};
///
/// let request = RegistrationRequest::new(ClientMetadata::native("Reports"))
///     .initial_access_token("7fd1a2b9");
/// ```
///
/// [RFC 7591 section 3.1](https://www.rfc-editor.org/rfc/rfc7591#section-3.1)
#[derive(Clone, Debug)]
pub struct RegistrationRequest {
    pub(crate) metadata: ClientMetadata,
    pub(crate) initial_access_token: Option<Secret>,
}

impl RegistrationRequest {
    /// Makes the request of a client with these metadata.
    pub fn new(metadata: ClientMetadata) -> Self {
        Self {
            metadata,
            initial_access_token: None,
        }
    }

    /// Sets the token that permits to register clients, for servers that demand one.
    ///
    /// [RFC 7591 section 1.2](https://www.rfc-editor.org/rfc/rfc7591#section-1.2)
    #[must_use]
    pub fn initial_access_token(mut self, token: impl Into<Secret>) -> Self {
        self.initial_access_token = Some(token.into());
        self
    }

    /// The metadata to be sent to `server`. What is not set is chosen from what the server
    /// supports: servers that apply their own defaults refuse them afterwards.
    pub(crate) fn metadata_for(&self, server: &AuthorizationServer) -> ClientMetadata {
        let metadata = self.metadata.clone();
        let method = auth_method(&metadata, server);
        let refreshes = server
            .grant_types_supported()
            .is_none_or(|grants| grants.is_empty() || grants.contains(&"refresh_token"));
        let grants: &[&str] = match refreshes {
            true => &["authorization_code", "refresh_token"],
            false => &["authorization_code"],
        };
        let metadata = metadata
            .or_member("token_endpoint_auth_method", || method.into())
            .or_member("grant_types", || grants.into());
        let has_code = metadata
            .grant_types()
            .is_some_and(|grants| grants.contains(&"authorization_code"));
        match has_code {
            true => metadata.or_member("response_types", || Value::from(["code"].as_slice())),
            false => metadata.or_member("response_types", || Value::Array(Vec::new())),
        }
    }
}

impl From<ClientMetadata> for RegistrationRequest {
    fn from(metadata: ClientMetadata) -> Self {
        Self::new(metadata)
    }
}

/// The client authentication to be registered, if none is set: the best one that the server
/// supports.
fn auth_method(metadata: &ClientMetadata, server: &AuthorizationServer) -> &'static str {
    let preferred: &[&str] = match (metadata.has_keys(), metadata.is_native()) {
        (true, _) => &[
            "private_key_jwt",
            "none",
            "client_secret_basic",
            "client_secret_post",
        ],
        // A native client cannot keep a secret.
        (false, true) => &["none", "client_secret_basic", "client_secret_post"],
        (false, false) => &["client_secret_basic", "client_secret_post", "none"],
    };
    let offered = server.token_endpoint_auth_methods_supported();
    let offered = offered.unwrap_or_default();
    let supported = preferred.iter().find(|method| offered.contains(method));
    supported.unwrap_or(&preferred[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(metadata: ClientMetadata, supported: &[&str]) -> String {
        let mut server = AuthorizationServer::new("https://id.example");
        if !supported.is_empty() {
            server = server.with_token_endpoint_auth_methods_supported(supported.iter().copied());
        }
        let metadata = RegistrationRequest::new(metadata).metadata_for(&server);
        let method = metadata.token_endpoint_auth_method();
        method.expect("always sent").to_owned()
    }

    #[test]
    fn the_method_is_always_sent_and_chosen_from_the_list_of_the_server() {
        let (native, web) = (ClientMetadata::native("a"), ClientMetadata::web("a"));
        let keys = web
            .clone()
            .with_jwks_uri("https://app.example.com/keys.json");
        for (metadata, supported, expected) in [
            (&native, &[][..], "none"),
            (&native, &["none", "client_secret_post"], "none"),
            (&native, &["client_secret_post"], "client_secret_post"),
            (&native, &["of_the_future"], "none"),
            (&web, &[], "client_secret_basic"),
            (&web, &["none", "client_secret_post"], "client_secret_post"),
            (&web, &["none"], "none"),
            (&keys, &[], "private_key_jwt"),
            (&keys, &["client_secret_basic"], "client_secret_basic"),
        ] {
            let chosen = method(metadata.clone(), supported);
            assert_eq!(chosen, expected, "{metadata:?} {supported:?}");
        }
        let set = native.with_token_endpoint_auth_method("client_secret_jwt");
        assert_eq!(method(set, &["none"]), "client_secret_jwt");
    }

    #[test]
    fn refresh_tokens_are_registered_unless_the_server_has_none() {
        let request = RegistrationRequest::from(ClientMetadata::native("a"));
        let server = AuthorizationServer::new("https://id.example");
        for (server, grants) in [
            (server.clone(), 2),
            (
                server
                    .clone()
                    .with_grant_types_supported(["authorization_code", "refresh_token"]),
                2,
            ),
            (
                server
                    .clone()
                    .with_grant_types_supported(["authorization_code"]),
                1,
            ),
        ] {
            let metadata = request.metadata_for(&server);
            assert_eq!(metadata.grant_types().expect("grants").len(), grants);
            assert_eq!(metadata.response_types(), Some(vec!["code"]));
        }
        let service = ClientMetadata::default().with_grant_types(["client_credentials"]);
        let service = RegistrationRequest::new(service).metadata_for(&server);
        assert_eq!(service.grant_types(), Some(vec!["client_credentials"]));
        assert_eq!(service.response_types(), Some(vec![]));
    }

    #[test]
    fn debug_tells_no_secret() {
        let request = RegistrationRequest::new(ClientMetadata::default());
        assert_eq!(
            format!("{:?}", request.initial_access_token("hunter2")),
            "RegistrationRequest { metadata: ClientMetadata { client_name: None, redirect_uris: \
             [], members: [] }, initial_access_token: Some([redacted]) }"
        );
    }
}
