//! Audience of client assertions.
//!
//! [RFC 7523 section 3](https://www.rfc-editor.org/rfc/rfc7523#section-3)

/// Audience of a client assertion (`aud`), as a string.
///
/// ```
/// # #[cfg(feature = "blocking")] {
/// use oauth_twin::{OAuth2Client, oauth2::{Audience, ClientSecretJwt}};
///
/// // A server that requires its token endpoint as the audience, and not its issuer.
/// let builder = OAuth2Client::builder("id")
///     .client_secret("a secret of at least thirty-two bytes")
///     .token_endpoint_auth_method(ClientSecretJwt::new().audience(Audience::TokenEndpoint));
/// # }
/// ```
///
/// [RFC 7523 section 3](https://www.rfc-editor.org/rfc/rfc7523#section-3)
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Audience {
    /// The server's issuer identifier. The default if it is known, as another server cannot replay
    /// such an assertion.
    Issuer,
    /// The URL of the token endpoint, also at the other endpoints. The default if no issuer is
    /// known; if neither is, the default is the URL of the endpoint itself. That is the audience, too,
    /// where the token endpoint has the origin neither of the endpoint nor of the issuer: metadata
    /// may name that of another server.
    TokenEndpoint,
    /// Another value that the server requires.
    Other(String),
}

impl From<&str> for Audience {
    fn from(audience: &str) -> Self {
        Self::Other(audience.to_owned())
    }
}

impl From<String> for Audience {
    fn from(audience: String) -> Self {
        Self::Other(audience)
    }
}
