//! The device code grant.
//!
//! [RFC 8628 section 3.4](https://www.rfc-editor.org/rfc/rfc8628#section-3.4)

use super::{
    Grant,
    authorization_code::validate_verifier,
    options::{GrantOptions, grant_options},
};
use crate::{error::BoxError, oauth2::request::TokenRequest, secret::Secret, wire::form::Form};

/// Device code grant: one poll of the token endpoint.
///
/// `complete_device_authorization` of a client sends it again and again, until the user has decided;
/// [`DevicePolling`](crate::oauth2::DevicePolling) says when, for any other HTTP library.
///
/// ```
/// use oauth_twin::oauth2::{AuthorizationServer, ClientRegistration, DeviceCode, TokenEndpoint};
///
/// let server = AuthorizationServer::default().with_token_endpoint("https://id.example.com/token");
/// let endpoint = TokenEndpoint::new(&server, &ClientRegistration::new("id"))?;
/// let request = endpoint.request(&DeviceCode::new("GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS"))?;
/// assert_eq!(
///     request.form().encode().expose_secret(),
///     "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code\
///      &device_code=GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS&client_id=id",
/// );
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 8628 section 3.4](https://www.rfc-editor.org/rfc/rfc8628#section-3.4)
#[derive(Clone, Debug)]
pub struct DeviceCode {
    device_code: Secret,
    code_verifier: Option<Secret>,
    options: GrantOptions,
}

impl DeviceCode {
    /// Makes the grant with `device_code`.
    pub fn new(device_code: impl Into<Secret>) -> Self {
        Self {
            device_code: device_code.into(),
            code_verifier: None,
            options: GrantOptions::default(),
        }
    }

    /// Sets the code verifier, for a server that demanded a challenge in the device authorization
    /// request. RFC 8628 has none.
    #[must_use]
    pub fn code_verifier(mut self, code_verifier: impl Into<Secret>) -> Self {
        self.code_verifier = Some(code_verifier.into());
        self
    }
}

grant_options!(DeviceCode);

impl Grant for DeviceCode {
    fn grant_type(&self) -> &str {
        "urn:ietf:params:oauth:grant-type:device_code"
    }

    fn add_parameters(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError> {
        request.push("device_code", &self.device_code);
        if let Some(code_verifier) = &self.code_verifier {
            validate_verifier(code_verifier)?;
            request.push("code_verifier", code_verifier);
        }
        // The scope belongs to the device authorization request. It is sent here only if set
        // explicitly.
        if let Some(scope) = &self.options.scope {
            request.push("scope", scope.as_str());
        }
        request.extend(&self.options.parameters);
        request.push_resource();
        // "REQUIRED if the client is not authenticating [...]", and some servers look for it in any
        // case.
        let client_id = request.client_id().to_owned();
        request.push("client_id", client_id);
        Ok(())
    }

    fn refresh_parameters(&self) -> Form {
        self.options.parameters.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth2::{AuthorizationServer, ClientRegistration, ClientSecretPost, TokenEndpoint};

    fn form(client: &ClientRegistration, grant: &DeviceCode) -> String {
        let server = AuthorizationServer::default().with_token_endpoint("https://id.example/token");
        let mut endpoint = TokenEndpoint::new(&server, client).expect("a URL");
        if client.client_secret().is_some() {
            endpoint = endpoint.auth_method(ClientSecretPost);
        }
        let request = endpoint.request(grant).expect("a request");
        request.form().encode().expose_secret().to_owned()
    }

    const START: &str = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code\
                         &device_code=d";

    #[test]
    fn the_client_s_scope_was_asked_for_before_and_its_identifier_stands_once() {
        let client = ClientRegistration::new("id").with_scope("all");
        let grant = DeviceCode::new("d");
        assert_eq!(form(&client, &grant), format!("{START}&client_id=id"));
        let client = client.with_client_secret("s").with_resource("urn:r");
        assert_eq!(
            form(&client, &grant),
            format!("{START}&resource=urn%3Ar&client_id=id&client_secret=s")
        );
        let verifier = "v".repeat(43);
        let grant = grant.code_verifier(verifier.as_str()).resource("urn:x");
        assert_eq!(
            form(&client, &grant),
            format!(
                "{START}&code_verifier={verifier}&resource=urn%3Ax&client_id=id&client_secret=s"
            )
        );
        assert_eq!(
            grant.refresh_parameters().encode().expose_secret(),
            "resource=urn%3Ax"
        );
        assert!(!grant.replayable() && !grant.single_use());
    }

    #[test]
    fn debug_tells_no_secret() {
        let grant = DeviceCode::new("hunter2").code_verifier("hunter2");
        assert_eq!(
            format!("{grant:?}"),
            "DeviceCode { device_code: [redacted], code_verifier: Some([redacted]), options: \
             GrantOptions { scope: None, parameters: {} } }"
        );
    }
}
