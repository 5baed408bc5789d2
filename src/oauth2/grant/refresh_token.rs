//! Refresh token grant.
//!
//! [RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)

use std::fmt;

use crate::{
    error::BoxError,
    oauth2::{
        dpop::binding::Binding,
        grant::{
            Grant,
            options::{GrantOptions, grant_options},
        },
        request::TokenRequest,
        token::Token,
    },
    secret::Secret,
    wire::form::Form,
};

/// Refresh token grant, which obtains a new access token.
///
/// Clients refresh their tokens themselves; use this for a refresh token from elsewhere.
///
/// ```no_run
/// # #[cfg(feature = "blocking")]
/// # fn main() -> oauth_twin::Result<()> {
/// use oauth_twin::{OAuth2Client, oauth2::RefreshToken};
///
/// # let client = OAuth2Client::builder("id").build()?;
/// let token = client.fetch_token(RefreshToken::new("tGzv3JOkF0XG5Qx2TlKWIA"))?;
/// # Ok(()) }
/// # #[cfg(not(feature = "blocking"))] fn main() {}
/// ```
///
/// [RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)
#[derive(Clone, Debug)]
pub struct RefreshToken {
    refresh_token: RefreshTokenSource,
    options: GrantOptions,
    /// The DPoP key that the token is bound to.
    binding: Option<Binding>,
}

/// Source of the refresh token.
#[derive(Clone)]
enum RefreshTokenSource {
    Secret(Secret),
    /// That of a token, which is not copied.
    Token(Token),
}

impl RefreshTokenSource {
    fn refresh_token(&self) -> Option<&Secret> {
        match self {
            Self::Secret(refresh_token) => Some(refresh_token),
            Self::Token(token) => token.refresh_token(),
        }
    }
}

impl fmt::Debug for RefreshTokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.refresh_token() {
            Some(refresh_token) => refresh_token.fmt(f),
            None => f.write_str("None"),
        }
    }
}

impl RefreshToken {
    /// Makes the grant with `refresh_token` and no scope, so that the new token has the scope of
    /// the old one.
    pub fn new(refresh_token: impl Into<Secret>) -> Self {
        Self {
            refresh_token: RefreshTokenSource::Secret(refresh_token.into()),
            options: GrantOptions::default(),
            binding: None,
        }
    }

    /// Makes the grant that the clients of this crate refresh `token` by: without a scope, which means
    /// the granted one, and with the parameters that the token was requested with, or if these are not
    /// known, those that `grant` repeats. None if the token has no refresh token.
    ///
    /// ```
    /// use http::{HeaderMap, StatusCode};
    /// use oauth_twin::{Token, oauth2::{
    ///     AuthorizationServer, ClientRegistration, EndpointResponse, RefreshToken, TokenEndpoint,
    /// }};
    ///
    /// let server = AuthorizationServer::default()
    ///     .with_token_endpoint("https://id.example.com/token");
    /// let token = Token::new("2YotnFZFEjr1zCsicMWpAA").with_refresh_token("tGzv3JOkF0XG5Qx2TlKWIA");
    /// let endpoint = TokenEndpoint::new(&server, &ClientRegistration::new("id"))?;
    /// if let Some(grant) = RefreshToken::of(&token, None) {
    ///     let request = endpoint.request(&grant)?;
    ///     // … send it, then:
    ///     let body = r#"{"access_token":"SlAV32hkKG","token_type":"Bearer"}"#;
    ///     let response = EndpointResponse::new(StatusCode::OK, HeaderMap::new(), body);
    ///     let renewed = endpoint.read_response(&request, response)?.inheriting(&token);
    ///     assert_eq!(renewed.refresh_token(), token.refresh_token());
    /// }
    /// # Ok::<(), oauth_twin::Error>(())
    /// ```
    ///
    /// [RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)
    pub fn of(token: &Token, grant: Option<&dyn Grant>) -> Option<Self> {
        let of_grant = || grant.map_or_else(Form::new, Grant::refresh_parameters);
        let parameters = token.refresh(of_grant)?;
        Some(Self {
            refresh_token: RefreshTokenSource::Token(token.clone()),
            options: GrantOptions {
                scope: None,
                parameters,
            },
            binding: token.binding(),
        })
    }
}

grant_options!(RefreshToken);

impl Grant for RefreshToken {
    fn grant_type(&self) -> &str {
        "refresh_token"
    }

    fn add_parameters(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError> {
        if let Some(refresh_token) = self.refresh_token.refresh_token() {
            request.push("refresh_token", refresh_token);
        }
        request.bind(self.binding.clone());
        // Never the client's own scope, which may exceed the granted one.
        if let Some(scope) = &self.options.scope {
            request.push("scope", scope.as_str());
        }
        request.extend(&self.options.parameters);
        request.push_resource();
        Ok(())
    }

    fn refresh_parameters(&self) -> Form {
        self.options.parameters.clone()
    }
}
