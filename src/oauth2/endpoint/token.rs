//! The token endpoint: the request to it, and the answer.
//!
//! [RFC 6749 section 3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.2)

use crate::{
    error::{Error, Result},
    oauth2::{
        endpoint::{
            authenticated::{Endpoint, registration},
            token_response,
        },
        grant::Grant,
        hook::Message,
        request::{EndpointRequest, TokenDefaults, TokenRequest},
        response::EndpointResponse,
        scope::Scope,
        token::Token,
    },
    wire::form::Form,
};

/// A client's registration at a token endpoint: builds requests and reads answers, and leaves the
/// sending to you. The clients of this crate do all of it.
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use oauth_twin::oauth2::{ClientCredentials, EndpointResponse, TokenEndpoint};
///
/// let endpoint = TokenEndpoint::new("https://id.example.com/token", "id")?
///     .client_secret("secret")
///     .scope("reports:read");
/// let request = endpoint.request(&ClientCredentials::new())?;
/// assert_eq!(
///     request.form().encode().expose_secret(),
///     "grant_type=client_credentials&scope=reports%3Aread",
/// );
/// // … send request.method(), headers() and url_and_body() with any HTTP library, then:
/// let body = r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"Bearer"}"#;
/// let response = EndpointResponse::new(StatusCode::OK, HeaderMap::new(), body);
/// let token = endpoint.token(&request, response)?;
/// assert_eq!(token.token_type(), "Bearer");
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 6749 section 3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.2)
#[derive(Clone, Debug)]
pub struct TokenEndpoint {
    endpoint: Endpoint,
    defaults: TokenDefaults,
}

registration!(TokenEndpoint: "token endpoint");

impl TokenEndpoint {
    /// The redirection URI that codes were asked for with, unless the grant names another.
    #[must_use]
    pub fn redirect_uri(mut self, redirect_uri: impl Into<String>) -> Self {
        self.defaults.redirect_uri = Some(redirect_uri.into());
        self
    }

    /// The scope of grants that name none.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<Scope>) -> Self {
        self.defaults.scope = Some(scope.into());
        self
    }

    /// The resource of grants that name none; call it again for more than one.
    #[must_use]
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.defaults.resource.push(resource.into());
        self
    }

    /// The token request for `grant`, authenticated. Make a new one for each attempt.
    ///
    /// # Errors
    ///
    /// If the grant, a hook or the client authentication cannot make one.
    pub fn request(&self, grant: &dyn Grant) -> Result<EndpointRequest> {
        let mut token_request = TokenRequest {
            request: self.endpoint.begin(),
            defaults: &self.defaults,
        };
        token_request.push("grant_type", grant.grant_type());
        grant
            .add_parameters(&mut token_request)
            .map_err(|error| Error::refused_by("the grant", error))?;
        let request = token_request.request;
        let message = message(request.form());
        // What the server granted it takes back, whatever that is.
        if matches!(message, Message::Access)
            && let Some(scope) = request.form().value("scope")
        {
            Scope::from(scope.expose_secret()).validate()?;
        }
        self.endpoint.finish(request, message)
    }

    /// The token in the server's answer to `request`.
    ///
    /// # Errors
    ///
    /// The server's own error, whatever the status it came with, or one that says in what the
    /// answer is not a token.
    ///
    /// [RFC 6749 section 5](https://www.rfc-editor.org/rfc/rfc6749#section-5)
    pub fn token(
        &self,
        request: &EndpointRequest,
        mut response: EndpointResponse,
    ) -> Result<Token> {
        let hooks = &self.endpoint.hooks;
        hooks.on_response(message(request.form()), &mut response)?;
        let now = self.endpoint.registration().clock.unix();
        token_response::read(request, &response, now)
    }
}

impl From<Endpoint> for TokenEndpoint {
    fn from(mut endpoint: Endpoint) -> Self {
        endpoint.registration_mut().token_endpoint = Some((*endpoint.url).clone());
        Self {
            endpoint,
            defaults: TokenDefaults::default(),
        }
    }
}

/// Whether hooks for refreshes count, or those for all other grants.
fn message(form: &Form) -> Message {
    match form.value("grant_type") {
        Some(grant_type) if grant_type.expose_secret() == "refresh_token" => Message::Refresh,
        _ => Message::Access,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth2::{ClientCredentials, RefreshToken};

    fn endpoint() -> TokenEndpoint {
        TokenEndpoint::new("https://id.example/token", "id")
            .expect("a URL")
            .scope("all")
            .resource("https://a.example")
            .resource("https://b.example")
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

    #[test]
    fn a_bad_endpoint_is_refused() {
        for (url, word) in [
            ("id.example/token", "absolute"),
            ("http://id.example/token", "https"),
            ("https://id.example/token#x", "fragment"),
            ("https://a:b@id.example/token", "password"),
            ("ftp://id.example/token", "https"),
            ("", "absolute"),
        ] {
            let error = TokenEndpoint::new(url, "id").expect_err(url);
            assert!(error.to_string().contains(word), "{url}: {error}");
        }
    }

    #[test]
    fn debug_tells_no_secret() {
        let endpoint = endpoint().client_secret("hunter2");
        assert_eq!(
            format!("{endpoint:?}"),
            "TokenEndpoint { endpoint: Endpoint { url: \"https://id.example/token\", \
             registration: ClientRegistration { client_id: \"id\", \
             client_secret: Some([redacted]), issuer: None, \
             token_endpoint: Some(\"https://id.example/token\"), external_key: None, .. }, .. }, \
             defaults: TokenDefaults { redirect_uri: None, scope: Some(Scope(\"all\")), \
             resource: [\"https://a.example\", \"https://b.example\"] } }"
        );
        assert_eq!(
            format!("{:?}", RefreshToken::new("hunter2").param("a", "hunter2")),
            "RefreshToken { refresh_token: [redacted], options: GrantOptions { scope: None, \
             parameters: {\"a\": [redacted]} } }"
        );
    }
}
