//! Whom a client assertion is for.
//!
//! [RFC 7523 section 3](https://www.rfc-editor.org/rfc/rfc7523#section-3)

/// Whom a client assertion is for (`aud`), as a string.
///
/// ```
/// # #[cfg(feature = "blocking")] {
/// use oauth_twin::{OAuth2Client, oauth2::{Audience, ClientSecretJwt}};
///
/// // A server that wants its token endpoint there, and not its issuer.
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
    /// The server's issuer identifier. It is the default where it is known, as a server that
    /// somebody else runs cannot use such an assertion.
    Issuer,
    /// The URL of the token endpoint, at the other endpoints too. The default where no issuer is
    /// known; where neither is, it is the endpoint itself.
    TokenEndpoint,
    /// Whatever else the server wants.
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
