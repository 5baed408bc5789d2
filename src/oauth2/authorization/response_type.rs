//! Response types and response modes.
//!
//! [OAuth 2.0 Multiple Response Type Encoding Practices](https://openid.net/specs/oauth-v2-multiple-response-types-1_0.html)

use serde::{Deserialize, Serialize};

/// Response type: the content of the authorization response.
///
/// ```
/// use oauth_twin::oauth2::{AuthorizationRequest, ResponseType};
///
/// // The implicit grant, for servers that offer nothing better.
/// let request = AuthorizationRequest::new().response_type(ResponseType::Token);
/// ```
///
/// [RFC 6749 section 3.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.1.1)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ResponseType {
    /// A code.
    #[default]
    #[serde(rename = "code")]
    Code,
    /// A token in the fragment of the URL, by the implicit grant, which [RFC 9700 section
    /// 2.1.2](https://www.rfc-editor.org/rfc/rfc9700#section-2.1.2) advises against.
    #[serde(rename = "token")]
    Token,
    /// An ID token without any access token: the end-user is authenticated, and nothing more.
    #[serde(rename = "id_token")]
    IdToken,
    /// A code and an ID token, the hybrid flow of OpenID Connect.
    #[serde(rename = "code id_token")]
    CodeIdToken,
}

impl ResponseType {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Token => "token",
            Self::IdToken => "id_token",
            Self::CodeIdToken => "code id_token",
        }
    }

    pub(crate) fn has_code(self) -> bool {
        matches!(self, Self::Code | Self::CodeIdToken)
    }

    pub(crate) fn has_id_token(self) -> bool {
        matches!(self, Self::IdToken | Self::CodeIdToken)
    }
}

/// Response mode: the way in which the authorization response comes back.
///
/// ```
/// use oauth_twin::oauth2::{AuthorizationRequest, ResponseMode};
///
/// let request = AuthorizationRequest::new().response_mode(ResponseMode::FormPost);
/// ```
///
/// # Security
///
/// A browser sends the form of [`FormPost`](Self::FormPost) and of
/// [`FormPostJwt`](Self::FormPostJwt) from the site of the provider: the
/// session that the pending login is kept in needs a cookie with `SameSite=None; Secure`.
///
/// [OAuth 2.0 Multiple Response Type Encoding Practices section 2.1](https://openid.net/specs/oauth-v2-multiple-response-types-1_0.html#ResponseModes)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseMode {
    /// In the query of the redirection URI, the default of a code.
    Query,
    /// In the fragment of the redirection URI, the default of everything else. A script of the
    /// page has to pass it on.
    Fragment,
    /// In a form that the browser posts to the redirection URI.
    FormPost,
    /// As a signed JWT in the place that is the default of the response type: the query for a code,
    /// else the fragment. Whatever it says is verified by the keys of the server.
    ///
    /// [JARM section 2.3.4](https://openid.net/specs/oauth-v2-jarm.html#section-2.3.4)
    Jwt,
    /// As a signed JWT in the query.
    ///
    /// [JARM section 2.3.1](https://openid.net/specs/oauth-v2-jarm.html#section-2.3.1)
    QueryJwt,
    /// As a signed JWT in the fragment.
    ///
    /// [JARM section 2.3.2](https://openid.net/specs/oauth-v2-jarm.html#section-2.3.2)
    FragmentJwt,
    /// As a signed JWT in a form.
    ///
    /// [JARM section 2.3.3](https://openid.net/specs/oauth-v2-jarm.html#section-2.3.3)
    FormPostJwt,
}

impl ResponseMode {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
            Self::Jwt => "jwt",
            Self::QueryJwt => "query.jwt",
            Self::FragmentJwt => "fragment.jwt",
            Self::FormPostJwt => "form_post.jwt",
        }
    }
}
