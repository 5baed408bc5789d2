//! Identifiers of token types, for exchanges.
//!
//! [RFC 8693 section 3](https://www.rfc-editor.org/rfc/rfc8693#section-3)

/// Identifier of the type of a token that is exchanged or asked for.
///
/// ```
/// use oauth_twin::oauth2::TokenTypeIdentifier;
///
/// let known = TokenTypeIdentifier::AccessToken;
/// assert_eq!(known.as_str(), "urn:ietf:params:oauth:token-type:access_token");
/// assert_eq!(TokenTypeIdentifier::from("urn:example:ticket").as_str(), "urn:example:ticket");
/// ```
///
/// [RFC 8693 section 3](https://www.rfc-editor.org/rfc/rfc8693#section-3)
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenTypeIdentifier {
    /// An access token of the server.
    AccessToken,
    /// A refresh token of the server.
    RefreshToken,
    /// An ID token.
    IdToken,
    /// A JWT that is none of the others.
    Jwt,
    /// A SAML 1.1 assertion, in base64url.
    Saml1,
    /// A SAML 2.0 assertion, in base64url.
    Saml2,
    /// An identity assertion that is a grant for the server of a resource.
    IdJag,
    /// Any other type, by its URI.
    Other(String),
}

impl TokenTypeIdentifier {
    /// The URI.
    pub fn as_str(&self) -> &str {
        match self {
            Self::AccessToken => "urn:ietf:params:oauth:token-type:access_token",
            Self::RefreshToken => "urn:ietf:params:oauth:token-type:refresh_token",
            Self::IdToken => "urn:ietf:params:oauth:token-type:id_token",
            Self::Jwt => "urn:ietf:params:oauth:token-type:jwt",
            Self::Saml1 => "urn:ietf:params:oauth:token-type:saml1",
            Self::Saml2 => "urn:ietf:params:oauth:token-type:saml2",
            Self::IdJag => "urn:ietf:params:oauth:token-type:id-jag",
            Self::Other(uri) => uri,
        }
    }
}

impl From<&str> for TokenTypeIdentifier {
    fn from(uri: &str) -> Self {
        let known = [
            Self::AccessToken,
            Self::RefreshToken,
            Self::IdToken,
            Self::Jwt,
            Self::Saml1,
            Self::Saml2,
            Self::IdJag,
        ];
        let found = known.into_iter().find(|known| known.as_str() == uri);
        found.unwrap_or_else(|| Self::Other(uri.to_owned()))
    }
}
