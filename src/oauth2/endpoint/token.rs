//! The token endpoint: its requests and responses.
//!
//! [RFC 6749 section 3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.2)

use crate::{
    error::{Error, Result},
    oauth2::{
        endpoint::{
            authenticated::{Endpoint, authenticated_endpoint},
            token_response,
        },
        grant::Grant,
        hook::Message,
        request::{EndpointRequest, TokenRequest},
        response::EndpointResponse,
        scope::Scope,
        token::Token,
    },
    secret::Secret,
    wire::form::Form,
};

/// Token endpoint of a server, for one client. It builds requests and reads responses, which you send and receive
/// with any HTTP library. The clients of this crate use it themselves.
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use oauth_twin::oauth2::{
///     AuthorizationServer, ClientCredentials, ClientRegistration, EndpointResponse, TokenEndpoint,
/// };
///
/// let server = AuthorizationServer::default().with_token_endpoint("https://id.example.com/token");
/// let client = ClientRegistration::new("id")
///     .with_client_secret("secret")
///     .with_scope("reports:read");
/// let endpoint = TokenEndpoint::new(&server, &client)?;
/// let request = endpoint.request(&ClientCredentials::new())?;
/// assert_eq!(
///     request.form().encode().expose_secret(),
///     "grant_type=client_credentials&scope=reports%3Aread",
/// );
/// // … send request.method(), headers() and url_and_body() with any HTTP library, then:
/// let body = r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"Bearer"}"#;
/// let response = EndpointResponse::new(StatusCode::OK, HeaderMap::new(), body);
/// let token = endpoint.read_response(&request, response)?;
/// assert_eq!(token.token_type(), "Bearer");
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 6749 section 3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.2)
#[derive(Clone, Debug)]
pub struct TokenEndpoint(Endpoint);

authenticated_endpoint!(TokenEndpoint at "token_endpoint");

impl TokenEndpoint {
    /// Builds an authenticated token request for `grant`. Build a new one for each attempt.
    ///
    /// # Errors
    ///
    /// If the grant, a hook or the client authentication fails.
    pub fn request(&self, grant: &dyn Grant) -> Result<EndpointRequest> {
        let mut request = self.0.begin();
        let mut token_request = TokenRequest {
            request: &mut request,
        };
        token_request.push(
            "grant_type",
            match grant.grant_type() {
                REFRESH_TOKEN => Secret::known(REFRESH_TOKEN),
                other => other.into(),
            },
        );
        grant
            .add_parameters(&mut token_request)
            .map_err(|error| Error::refused_by("the grant", error))?;
        request.set_refresh_parameters(grant.refresh_parameters());
        let message = message(request.form());
        // The server accepts any scope that it has granted.
        if matches!(message, Message::Access)
            && let Some(scope) = request.form().value("scope")
        {
            Scope::from(scope.expose_secret()).validate()?;
        }
        self.0.finish(request, message)
    }

    /// Reads the token in the server's response to `request`.
    ///
    /// # Errors
    ///
    /// The server's own error, with any status, or an error about an invalid response.
    ///
    /// [RFC 6749 section 5](https://www.rfc-editor.org/rfc/rfc6749#section-5)
    pub fn read_response(
        &self,
        request: &EndpointRequest,
        response: EndpointResponse,
    ) -> Result<Token> {
        self.read(request, response).map(|(token, _)| token)
    }

    /// The token, and the members that are left out because they cannot be read.
    pub(crate) fn read(
        &self,
        request: &EndpointRequest,
        mut response: EndpointResponse,
    ) -> Result<(Token, Vec<&'static str>)> {
        let hooks = &self.0.hooks;
        hooks.on_response(message(request.form()), &mut response)?;
        let read = token_response::read(request, &response, self.0.clock.unix());
        read.map_err(|error| match request.is_unattended() {
            true => error.unattended(),
            false => error,
        })
    }
}

/// The most frequent grant type, which is not copied for each request.
const REFRESH_TOKEN: &str = "refresh_token";

/// The kind of message, which selects the hooks: a refresh, or a request by any other grant.
fn message(form: &Form) -> Message {
    match form.value("grant_type") {
        Some(grant_type) if grant_type.expose_secret() == REFRESH_TOKEN => Message::Refresh,
        _ => Message::Access,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::oauth2::{AuthorizationServer, ClientCredentials, ClientRegistration, RefreshToken};

    fn endpoint() -> TokenEndpoint {
        let server = AuthorizationServer::default().with_token_endpoint("https://id.example/token");
        let client = ClientRegistration::new("id")
            .with_scope("all")
            .with_resource("https://a.example")
            .with_resource("https://b.example");
        TokenEndpoint::new(&server, &client).expect("a URL")
    }

    fn form(grant: &dyn Grant) -> String {
        let request = endpoint().request(grant).expect("a request");
        request.form().encode().expose_secret().to_owned()
    }

    #[test]
    fn the_client_s_scope_and_resources_are_the_default() {
        assert_eq!(
            form(&ClientCredentials::new()),
            "grant_type=client_credentials&scope=all&resource=https%3A%2F%2Fa.example\
             &resource=https%3A%2F%2Fb.example&client_id=id"
        );
        assert_eq!(
            form(
                &ClientCredentials::new()
                    .scope(["x", "y"])
                    .resource("urn:r")
                    .param("audience", "z")
            ),
            "grant_type=client_credentials&resource=urn%3Ar&audience=z&scope=x+y&client_id=id"
        );
    }

    #[test]
    fn a_refresh_never_asks_for_the_client_s_scope() {
        assert_eq!(
            form(&RefreshToken::new("r").resource("urn:r")),
            "grant_type=refresh_token&refresh_token=r&resource=urn%3Ar&client_id=id"
        );
    }

    /// Parameters that the server omits from its response.
    #[test]
    fn a_token_keeps_what_a_refresh_repeats() {
        let read = |grant: &dyn Grant| {
            let request = endpoint().request(grant).expect("a request");
            let body = r#"{"access_token":"a","token_type":"bearer"}"#;
            let response = EndpointResponse::new(StatusCode::OK, HeaderMap::new(), body);
            endpoint()
                .read_response(&request, response)
                .expect("a token")
        };
        let token = read(&RefreshToken::new("r").param("audience", "x"));
        assert_eq!(token.refresh_token(), Some(&"r".into()));
        let parameters = token.refresh_parameters().encode();
        assert_eq!(parameters.expose_secret(), "audience=x");
        let token = read(&ClientCredentials::new());
        assert_eq!(token.refresh_token(), None);
        assert!(token.refresh_parameters().is_empty());
    }

    #[test]
    fn debug_tells_no_secret() {
        assert_eq!(
            format!("{:?}", RefreshToken::new("hunter2").param("a", "hunter2")),
            "RefreshToken { refresh_token: [redacted], options: GrantOptions { scope: None, \
             parameters: {\"a\": [redacted]} }, binding: None }"
        );
    }
}
