//! JWTs that say who a client is, or for whom it acts: what all of them have.
//!
//! [RFC 7523 section 3](https://www.rfc-editor.org/rfc/rfc7523#section-3)

use std::{borrow::Cow, fmt, sync::OnceLock, time::Duration};

use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;

use super::ClientRegistration;
use crate::{
    error::{Error, Result},
    jose::{Algorithm, ExternalKey, Header, SigningInput, SigningKey, signed},
    random,
    secret::Secret,
};

/// The claims that every assertion gets anew.
const OWN_CLAIMS: [(&str, &str); 7] = [
    ("iss", "is set by the client"),
    ("sub", "is set by the client"),
    ("aud", "is set by audience"),
    ("exp", "is set by lifetime"),
    ("iat", "is the time of the request"),
    ("nbf", "is set by not_before"),
    ("jti", "is new for each request"),
];

/// No server accepts an assertion that is good for longer than that, and most of them less.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

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

/// What signs.
#[derive(Clone, Debug)]
pub(super) enum AssertionKey {
    Here(SigningKey),
    /// The one of the registration.
    Elsewhere,
}

/// A token that is signed already, or one that will be.
pub(super) enum Assertion {
    Signed(Secret),
    Unsigned(SigningInput),
}

/// How assertions are made, of which none is used twice.
#[derive(Clone)]
pub(super) struct JwtAssertion {
    pub(super) audience: Option<Audience>,
    pub(super) lifetime: Duration,
    pub(super) not_before: bool,
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    /// From the first assertion on, with the algorithm of the key. No other setting of a key that
    /// is here changes.
    pub(super) encoded_header: OnceLock<(Algorithm, String)>,
}

impl Default for JwtAssertion {
    fn default() -> Self {
        Self {
            audience: None,
            lifetime: Duration::from_secs(60),
            not_before: false,
            header: Map::new(),
            claims: Map::new(),
            encoded_header: OnceLock::new(),
        }
    }
}

impl JwtAssertion {
    /// Whether the settings are good.
    pub(super) fn check(&self, registration: &ClientRegistration) -> Result<()> {
        let own = OWN_CLAIMS.iter();
        let own = own.filter(|(name, _)| self.claims.contains_key(*name));
        if let Some((name, instead)) = own.into_iter().next() {
            return Err(Error::usage(format!("the claim {name} {instead}")));
        }
        if let Some(name) = ["alg", "crit"]
            .iter()
            .find(|name| self.header.contains_key(**name))
        {
            return Err(Error::usage(format!(
                "the member {name} of the header is not for the caller to set"
            )));
        }
        if self.lifetime < Duration::from_secs(1) {
            return Err(Error::usage("lifetime is shorter than a second"));
        }
        if self.lifetime > LONGEST {
            return Err(Error::usage("lifetime is longer than a day"));
        }
        if self.audience == Some(Audience::TokenEndpoint) && registration.token_endpoint().is_none()
        {
            return Err(Error::usage(
                "Audience::TokenEndpoint needs the token endpoint, which is not known here; name it",
            ));
        }
        if self.audience == Some(Audience::Issuer) && registration.issuer().is_none() {
            return Err(Error::usage(
                "Audience::Issuer needs the server's issuer, which is not known here; name it",
            ));
        }
        Ok(())
    }

    /// A new assertion by `issuer` about `subject`, for a request to `endpoint`. The settings have
    /// been checked.
    pub(super) fn make(
        &self,
        key: &AssertionKey,
        registration: &ClientRegistration,
        endpoint: &Url,
        issuer: &str,
        subject: Option<&str>,
    ) -> Result<Assertion> {
        let now = registration.clock().unix();
        let id = random::identifier(now)?;
        let claims = Claims {
            aud: &self.audience(registration, endpoint),
            exp: now.saturating_add(self.lifetime).as_secs(),
            iat: now.as_secs(),
            iss: issuer,
            jti: str::from_utf8(&id).unwrap_or_default(),
            nbf: self.not_before.then_some(now.as_secs()),
            sub: subject,
            others: &self.claims,
        };
        Ok(match key {
            AssertionKey::Here(key) => {
                Assertion::Signed(signed(&self.encoded_header(key)?, &claims, key)?)
            }
            AssertionKey::Elsewhere => {
                let header = self.with_own_members(external(registration)?.header());
                Assertion::Unsigned(SigningInput::of(&header.encode()?, &claims))
            }
        })
    }

    /// The header of what `key` signs, which is the same for all assertions.
    fn encoded_header(&self, key: &SigningKey) -> Result<Cow<'_, str>> {
        if let Some((algorithm, header)) = self.encoded_header.get()
            && *algorithm == key.algorithm()
        {
            return Ok(header.into());
        }
        let header = self.with_own_members(key.header()).encode()?;
        // Were it there for another algorithm, it would stay.
        let _ = self.encoded_header.set((key.algorithm(), header.clone()));
        Ok(header.into())
    }

    fn with_own_members(&self, header: Header) -> Header {
        let mut header = header.with_typ("JWT");
        for (name, value) in &self.header {
            header = header.with(name, value.clone());
        }
        header
    }

    fn audience<'a>(
        &'a self,
        registration: &'a ClientRegistration,
        endpoint: &'a Url,
    ) -> Cow<'a, str> {
        match (&self.audience, registration.issuer()) {
            (Some(Audience::Other(audience)), _) => audience.into(),
            (None | Some(Audience::Issuer), Some(issuer)) => issuer.into(),
            _ => registration
                .token_endpoint()
                .unwrap_or(endpoint)
                .as_str()
                .into(),
        }
    }

    /// Whether assertions are for the issuer.
    pub(super) fn is_for_issuer(&self, registration: &ClientRegistration) -> bool {
        let issuer = registration.issuer();
        match &self.audience {
            None | Some(Audience::Issuer) => issuer.is_some(),
            Some(Audience::TokenEndpoint) => false,
            Some(Audience::Other(audience)) => issuer == Some(audience),
        }
    }
}

/// The names of the caller's claims alone: some of them are about people.
impl fmt::Debug for JwtAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAssertion")
            .field("audience", &self.audience)
            .field("lifetime", &self.lifetime)
            .field("header", &self.header.keys().collect::<Vec<_>>())
            .field("claims", &self.claims.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// The claims of one assertion, borrowed from where they stand.
#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    exp: u64,
    iat: u64,
    iss: &'a str,
    jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    #[serde(flatten)]
    others: &'a Map<String, Value>,
}

/// The key that is elsewhere.
pub(super) fn external(registration: &ClientRegistration) -> Result<&ExternalKey> {
    registration
        .external_key()
        .ok_or_else(|| Error::usage("there is no signer, and the key is to be elsewhere; set one"))
}

/// The builder methods of a type that has a field `assertion`.
macro_rules! asserting {
    ($name:ty) => {
        impl $name {
            /// Whom the assertion is for (`aud`): the issuer where it is known, else the token
            /// endpoint, unless told.
            #[must_use]
            pub fn audience(mut self, audience: impl Into<$crate::oauth2::Audience>) -> Self {
                self.assertion.audience = Some(audience.into());
                self
            }

            /// How long an assertion is good for (`exp`), in whole seconds: 60 seconds unless told, and
            /// a day at most.
            #[must_use]
            pub fn lifetime(mut self, lifetime: std::time::Duration) -> Self {
                self.assertion.lifetime = lifetime;
                self
            }

            /// Whether the assertion says that it is not good before it was made (`nbf`); no
            /// unless told.
            #[must_use]
            pub fn not_before(mut self, not_before: bool) -> Self {
                self.assertion.not_before = not_before;
                self
            }

            /// Adds a member to the header. `typ` is `JWT` unless told.
            #[must_use]
            pub fn header(
                mut self,
                name: impl Into<String>,
                value: impl Into<serde_json::Value>,
            ) -> Self {
                self.assertion.header.insert(name.into(), value.into());
                self.assertion.encoded_header = std::sync::OnceLock::new();
                self
            }

            /// Adds a claim. Those that are new for each assertion have methods of their own.
            #[must_use]
            pub fn claim(
                mut self,
                name: impl Into<String>,
                value: impl Into<serde_json::Value>,
            ) -> Self {
                self.assertion.claims.insert(name.into(), value.into());
                self
            }
        }
    };
}
pub(super) use asserting;

#[cfg(test)]
mod tests {
    use crate::{
        jose::{Algorithm, Header, Jws},
        oauth2::{ClientAuth as _, ClientCredentials, ClientSecretJwt, TokenEndpoint},
    };

    fn sent(auth: &ClientSecretJwt) -> Header {
        let endpoint = TokenEndpoint::new("https://id.example/token", "id")
            .expect("a URL")
            .client_secret("a".repeat(64));
        let request = endpoint.request(&ClientCredentials::new());
        let mut request = request.expect("a request");
        auth.authenticate(&mut request).expect("an assertion");
        let token = request.form().value("client_assertion");
        let jws = Jws::parse(token.expect("an assertion").expose_secret());
        jws.expect("a token").header().clone()
    }

    #[test]
    fn a_header_that_was_sent_is_not_kept_for_other_settings() {
        let auth = ClientSecretJwt::new();
        let hs256 = Header::new(Algorithm::HS256).with_typ("JWT");
        assert_eq!(sent(&auth), hs256);
        assert_eq!(sent(&auth), hs256);
        let auth = auth.algorithm(Algorithm::HS512);
        let hs512 = Header::new(Algorithm::HS512).with_typ("JWT");
        assert_eq!(sent(&auth), hs512);
        assert_eq!(sent(&auth), hs512);
        let auth = auth.header("x", 7);
        assert_eq!(sent(&auth), hs512.with("x", 7));
    }
}
