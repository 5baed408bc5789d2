//! Signed requests: their bodies, and the placement of the protocol parameters.
//!
//! [RFC 5849 section 3.5](https://www.rfc-editor.org/rfc/rfc5849#section-3.5)

use std::{borrow::Cow, fmt};

use http::HeaderValue;

/// Placement of the protocol parameters in a request.
///
/// ```
/// use http::{HeaderMap, Method};
/// use oauth_twin::oauth1::{SignatureType, Signer};
///
/// let signer = Signer::new("key").signature_type(SignatureType::Query);
/// let url = "https://api.example/photos?size=original";
/// let signed = signer.sign(&Method::GET, url, &HeaderMap::new(), "")?;
/// assert!(signed.url.starts_with("https://api.example/photos?size=original&oauth_consumer_key="));
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 5849 section 3.5](https://www.rfc-editor.org/rfc/rfc5849#section-3.5)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureType {
    /// In the `Authorization` header.
    #[default]
    Header,
    /// In the query of the URL.
    Query,
    /// In the body, which has to be a form, or empty to become one.
    Body,
}

/// Body of a request to be signed.
///
/// Bytes and text convert into it; empty ones are no body. A body is signed if its `Content-Type`
/// is that of a form, and is otherwise never changed.
///
/// ```
/// use http::{HeaderMap, Method};
/// use oauth_twin::oauth1::{Body, Signer};
///
/// // A body that is not a form is not signed, and so need not be known.
/// let signer = Signer::new("key");
/// let url = "https://api.example/upload";
/// let signed = signer.sign(&Method::PUT, url, &HeaderMap::new(), Body::Stream)?;
/// assert!(signed.body.is_none());
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 5849 section 3.4.1.3.1](https://www.rfc-editor.org/rfc/rfc5849#section-3.4.1.3.1)
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Body<'a> {
    /// The whole body.
    Bytes(&'a [u8]),
    /// A body whose content is only known while it is sent.
    Stream,
}

impl<'a> From<&'a [u8]> for Body<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Body<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Body<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a str> for Body<'a> {
    fn from(text: &'a str) -> Self {
        Self::Bytes(text.as_bytes())
    }
}

impl<'a> From<&'a String> for Body<'a> {
    fn from(text: &'a String) -> Self {
        Self::Bytes(text.as_bytes())
    }
}

/// Converts `None` into no body.
impl<'a, B: Into<Self>> From<Option<B>> for Body<'a> {
    fn from(body: Option<B>) -> Self {
        body.map_or(Self::Bytes(b""), Into::into)
    }
}

/// Shows only the length.
impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Stream => f.write_str("Stream"),
        }
    }
}

/// Signed request: the parts that differ from the request that was given.
///
/// ```
/// use http::{HeaderMap, Method};
/// use oauth_twin::oauth1::{SignatureType, Signer};
///
/// let signer = Signer::new("key").signature_type(SignatureType::Body);
/// let url = "https://api.example/photos";
/// let signed = signer.sign(&Method::POST, url, &HeaderMap::new(), "")?;
/// assert_eq!(signed.url, url);
/// assert!(signed.authorization.is_none());
/// assert!(signed.body.unwrap().starts_with(b"oauth_consumer_key="));
/// assert_eq!(signed.content_type.unwrap(), "application/x-www-form-urlencoded");
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// # Security
///
/// It is valid for one attempt: a server refuses a nonce that it has seen. Sign again for each
/// further attempt, including redirects.
#[derive(Clone)]
#[non_exhaustive]
pub struct SignedRequest<'a> {
    /// The URL: byte for byte the given one, except for parameters at the end of its query.
    pub url: Cow<'a, str>,
    /// The `Authorization` header to set.
    pub authorization: Option<HeaderValue>,
    /// The body that replaces the given one.
    pub body: Option<Vec<u8>>,
    /// The `Content-Type` to set.
    pub content_type: Option<HeaderValue>,
}

/// Omits the query and the body, which may contain protocol parameters.
impl fmt::Debug for SignedRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.split(['?', '#']).next();
        // A URL with a user name or a password is not shown.
        let url = url.filter(|url| !url.contains('@')).unwrap_or("..");
        f.debug_struct("SignedRequest")
            .field("url", &url)
            .field("authorization", &self.authorization)
            .field("body", &self.body.as_deref().map(Body::Bytes))
            .field("content_type", &self.content_type)
            .finish()
    }
}
