//! The purpose of a request, as error messages name it.

use http::Method;

use super::EndpointRequest;
use crate::{error::Call, secret::Secret};

impl EndpointRequest {
    /// The endpoint and what it is asked, for error messages.
    pub(crate) fn call(&self) -> Call {
        let grant_type = self.form.value("grant_type").map(Secret::expose_secret);
        let asked = match (grant_type, self.endpoint) {
            (Some("refresh_token"), _) => "the refresh token",
            (Some("authorization_code"), _) => "the authorization code",
            (Some("client_credentials"), _) => "the client credentials",
            (Some("password"), _) => "the password",
            (Some("urn:ietf:params:oauth:grant-type:device_code"), _) => "the device code",
            (Some("urn:ietf:params:oauth:grant-type:token-exchange"), _) => "the token exchange",
            (
                Some(
                    "urn:ietf:params:oauth:grant-type:jwt-bearer"
                    | "urn:ietf:params:oauth:grant-type:saml2-bearer",
                ),
                _,
            ) => "the assertion",
            (Some(_own), _) => "the grant",
            (None, "revocation_endpoint") => "the revocation",
            (None, "introspection_endpoint") => "the introspection",
            (None, "registration_endpoint") => "the registration",
            (None, "pushed_authorization_request_endpoint") => "the authorization request",
            (None, _) => "the request",
        };
        Call::new(self.endpoint, &self.url, asked)
    }

    /// Whether the status of the response says everything: "The content of the response body is
    /// ignored by the client".
    ///
    /// [RFC 7009 section 2.2](https://www.rfc-editor.org/rfc/rfc7009#section-2.2)
    #[allow(dead_code, reason = "only the clients read bodies")]
    pub(crate) fn is_answered_by_status(&self) -> bool {
        let is_deletion =
            || self.endpoint == "client_configuration_endpoint" && self.method == Method::DELETE;
        self.endpoint == "revocation_endpoint" || is_deletion()
    }
}
