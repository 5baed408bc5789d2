//! JWT assertions: the settings and claims that client authentication and grants have in common.
//!
//! [RFC 7523 section 3](https://www.rfc-editor.org/rfc/rfc7523#section-3)

use std::{
    borrow::Cow,
    fmt,
    io::{self, Cursor, Write as _},
    sync::OnceLock,
    time::Duration,
};

use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;

use crate::{
    error::{Error, Result},
    jose::{Algorithm, ExternalKey, Header, SigningInput, SigningKey, encoded_prefix, signed},
    oauth2::{
        assertion::audience::Audience,
        client::ClientRegistration,
        request::EndpointRequest,
        server::{AuthorizationServer, tenants::one_issuer},
    },
    random,
    secret::Secret,
};

/// Claims that each assertion sets itself, and what sets them.
const RESERVED_CLAIMS: [(&str, &str); 7] = [
    ("iss", "is set by the client"),
    ("sub", "is set by the client"),
    ("aud", "is set by audience"),
    ("exp", "is set by lifetime"),
    ("iat", "is the time of the request"),
    ("nbf", "is set by not_before"),
    ("jti", "is new for each request"),
];

/// Maximum lifetime of an assertion. No server accepts a longer one, and most accept less.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Maximum length of the claims that are new for each assertion, in bytes.
const MAX_NEW_CLAIMS_BYTES: usize = 128;

/// Key that signs an assertion.
#[derive(Clone, Debug)]
pub(crate) enum AssertionKey {
    Local(SigningKey),
    /// The external key of the registration.
    External,
}

/// Assertion, signed or to be signed externally.
pub(crate) enum Assertion {
    Signed(Secret),
    Unsigned(SigningInput),
}

/// Settings of JWT assertions, each of which is used once.
#[derive(Clone)]
pub(crate) struct JwtAssertion {
    pub(crate) audience: Option<Audience>,
    pub(crate) lifetime: Duration,
    pub(crate) not_before: bool,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    /// Set by the first assertion.
    encoded_prefix: OnceLock<EncodedPrefix>,
}

impl Default for JwtAssertion {
    fn default() -> Self {
        Self {
            audience: None,
            lifetime: Duration::from_secs(60),
            not_before: false,
            header: Map::new(),
            claims: Map::new(),
            encoded_prefix: OnceLock::new(),
        }
    }
}

impl JwtAssertion {
    pub(crate) fn add_header(&mut self, name: String, value: Value) {
        self.header.insert(name, value);
        self.encoded_prefix = OnceLock::new();
    }

    pub(crate) fn add_claim(&mut self, name: String, value: Value) {
        self.claims.insert(name, value);
        self.encoded_prefix = OnceLock::new();
    }

    pub(crate) fn has_claim(&self, name: &str) -> bool {
        self.claims.contains_key(name)
    }

    /// Checks that the settings are valid for this server.
    pub(crate) fn check(&self, server: &AuthorizationServer) -> Result<()> {
        let own = |given| RESERVED_CLAIMS.iter().find(|(name, _)| name == given);
        if let Some((name, instead)) = self.claims.keys().find_map(own) {
            return Err(Error::usage(format!("the claim {name} {instead}")));
        }
        let is_reserved = |(name, value): &(&String, &Value)| match name.as_str() {
            // Another name of EdDSA.
            "alg" => *value != "Ed25519",
            name => name == "crit",
        };
        if let Some((name, _)) = self.header.iter().find(is_reserved) {
            return Err(Error::usage(format!(
                "the member {name} of the header cannot be set, but for the alg Ed25519"
            )));
        }
        if self.lifetime < Duration::from_secs(1) {
            return Err(Error::usage(
                "lifetime is shorter than a second, the minimum",
            ));
        }
        if self.lifetime > MAX_LIFETIME {
            return Err(Error::usage("lifetime is longer than a day, the maximum"));
        }
        if matches!(self.audience, Some(Audience::TokenEndpoint))
            && server.token_endpoint().is_none()
        {
            return Err(Error::usage(
                "Audience::TokenEndpoint needs the URL of the token endpoint, which is not known; \
                 set token_endpoint",
            ));
        }
        if matches!(self.audience, Some(Audience::Issuer)) && one_issuer(server.issuer()).is_none()
        {
            return Err(Error::usage(
                "Audience::Issuer needs the issuer identifier of the server, which is not known, or \
                 has a placeholder for tenants; set issuer, or use Audience::TokenEndpoint",
            ));
        }
        Ok(())
    }

    /// Makes a new assertion by `issuer` about `subject`, for `request`. The settings have been
    /// checked.
    pub(crate) fn make(
        &self,
        key: &AssertionKey,
        request: &EndpointRequest,
        issuer: &str,
        subject: Option<&str>,
    ) -> Result<Assertion> {
        let now = request.signing_time();
        let id = random::identifier(now)?;
        let mut buffer = [0; MAX_NEW_CLAIMS_BYTES];
        // It fails only if the buffer is too small.
        let new = self.new_claims(&id, now, &mut buffer).unwrap_or_default();
        let claims = StableClaims {
            aud: self.audience(request.server(), request.url()),
            iss: issuer,
            sub: subject,
            others: &self.claims,
        };
        Ok(match key {
            AssertionKey::Local(key) => {
                Assertion::Signed(signed(&self.prefix(key, &claims)?, new, key)?)
            }
            AssertionKey::External => {
                let header =
                    self.with_header_members(external(request.registration())?.header())?;
                let prefix = encoded_prefix(&header.encode()?, &claims, "");
                Assertion::Unsigned(SigningInput::new(&prefix, new))
            }
        })
    }

    /// The claims that are new for each assertion, as the rest of the JSON object. They are written
    /// to a buffer, without an allocation.
    fn new_claims<'a>(
        &self,
        id: &[u8],
        now: Duration,
        buffer: &'a mut [u8],
    ) -> io::Result<&'a [u8]> {
        let mut json = Cursor::new(&mut *buffer);
        json.write_all(br#""jti":""#)?;
        // It consists of letters and digits, which need no escape.
        json.write_all(id)?;
        for (name, time) in [
            (r#"","exp":"#, Some(now.saturating_add(self.lifetime))),
            (r#","iat":"#, Some(now)),
            (r#","nbf":"#, self.not_before.then_some(now)),
        ] {
            if let Some(time) = time {
                json.write_all(name.as_bytes())?;
                serde_json::to_writer(&mut json, &time.as_secs())?;
            }
        }
        json.write_all(b"}")?;
        let length = json.position() as usize;
        Ok(&buffer[..length])
    }

    /// The encoded prefix of assertions by `key` with these claims.
    fn prefix(&self, key: &SigningKey, claims: &StableClaims<'_>) -> Result<Cow<'_, str>> {
        if let Some(encoded_prefix) = self.encoded_prefix.get()
            && encoded_prefix.is_for(key, claims)
        {
            return Ok(encoded_prefix.encoded.as_str().into());
        }
        let header = self.with_header_members(key.header())?.encode()?;
        let encoded = encoded_prefix(&header, claims, "");
        // A prefix for other claims is kept, and not replaced.
        let _ = self.encoded_prefix.set(EncodedPrefix {
            algorithm: key.algorithm(),
            audience: claims.aud.to_owned(),
            issuer: claims.iss.to_owned(),
            subject: claims.sub.map(str::to_owned),
            encoded: encoded.clone(),
        });
        Ok(encoded.into())
    }

    fn with_header_members(&self, header: Header) -> Result<Header> {
        if self.header.contains_key("alg") && header.algorithm() != Algorithm::EdDSA {
            return Err(Error::usage(format!(
                "the alg Ed25519 of the header is not that of the key, which signs by {}",
                header.algorithm()
            )));
        }
        let mut header = header.with_typ("JWT");
        for (name, value) in &self.header {
            header = header.with(name, value.clone());
        }
        Ok(header)
    }

    fn audience<'a>(&'a self, server: &'a AuthorizationServer, endpoint: &'a Url) -> &'a str {
        match (&self.audience, one_issuer(server.issuer())) {
            (Some(Audience::Other(audience)), _) => audience,
            (None | Some(Audience::Issuer), Some(issuer)) => issuer,
            _ => match server.token_endpoint() {
                Some(token_endpoint) if is_of_server(token_endpoint, server, endpoint) => {
                    token_endpoint.as_str()
                }
                _ => endpoint.as_str(),
            },
        }
    }

    /// Whether the audience of assertions is the issuer.
    pub(crate) fn is_for_issuer(&self, server: &AuthorizationServer) -> bool {
        let issuer = one_issuer(server.issuer());
        match &self.audience {
            None | Some(Audience::Issuer) => issuer.is_some(),
            Some(Audience::TokenEndpoint) => false,
            Some(Audience::Other(audience)) => issuer == Some(audience),
        }
    }
}

/// Whether a token endpoint is that of the server with this `endpoint`: on the same origin, on that of
/// its issuer, or set by the caller. The metadata of a server may name any other, whose owner would
/// accept the assertion.
fn is_of_server(token_endpoint: &Url, server: &AuthorizationServer, endpoint: &Url) -> bool {
    let origin = token_endpoint.origin();
    let is_of_issuer = |issuer| Url::parse(issuer).is_ok_and(|issuer| issuer.origin() == origin);
    endpoint.origin() == origin || server.issuer().is_none_or(is_of_issuer)
}

/// Shows only the names of the caller's claims: values may be personal data.
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

/// Claims that an assertion has in common with the previous one.
#[derive(Serialize)]
struct StableClaims<'a> {
    aud: &'a str,
    iss: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    #[serde(flatten)]
    others: &'a Map<String, Value>,
}

/// Encoded prefix of assertions, with the claims that it is for.
#[derive(Clone)]
struct EncodedPrefix {
    algorithm: Algorithm,
    audience: String,
    issuer: String,
    subject: Option<String>,
    /// Header and claims.
    encoded: String,
}

impl EncodedPrefix {
    /// Whether the prefix is for this key and these claims. Nothing else can have changed: the
    /// header depends on the algorithm and the identifier of a local key, and a change of the
    /// caller's claims or header members discards the prefix.
    fn is_for(&self, key: &SigningKey, claims: &StableClaims<'_>) -> bool {
        self.algorithm == key.algorithm()
            && self.audience == claims.aud
            && self.issuer == claims.iss
            && self.subject.as_deref() == claims.sub
    }
}

/// The external key of the registration.
pub(crate) fn external(registration: &ClientRegistration) -> Result<&ExternalKey> {
    registration.external_key().ok_or_else(|| {
        Error::usage(
            "the private key is external and there is no signer; set \
            signer",
        )
    })
}

/// Builder methods of a type that has a field `assertion`.
macro_rules! assertion_options {
    ($name:ty) => {
        impl $name {
            /// Sets the audience (`aud`). Defaults to the issuer if it is known and has no placeholder
            /// for tenants, else to the token endpoint.
            #[must_use]
            pub fn audience(
                mut self,
                audience: impl Into<$crate::oauth2::assertion::audience::Audience>,
            ) -> Self {
                self.assertion.audience = Some(audience.into());
                self
            }

            /// Sets the lifetime of an assertion (`exp`), in whole seconds, at most a day. Defaults
            /// to 60 seconds.
            #[must_use]
            pub fn lifetime(mut self, lifetime: std::time::Duration) -> Self {
                self.assertion.lifetime = lifetime;
                self
            }

            /// Includes the start of validity (`nbf`), which is the time of issue. Defaults to
            /// `false`.
            #[must_use]
            pub fn not_before(mut self, not_before: bool) -> Self {
                self.assertion.not_before = not_before;
                self
            }

            /// Adds a member to the header. `typ` defaults to `JWT`.
            #[must_use]
            pub fn header(
                mut self,
                name: impl Into<String>,
                value: impl Into<serde_json::Value>,
            ) -> Self {
                self.assertion.add_header(name.into(), value.into());
                self
            }

            /// Adds a claim, other than those that each assertion sets itself.
            #[must_use]
            pub fn claim(
                mut self,
                name: impl Into<String>,
                value: impl Into<serde_json::Value>,
            ) -> Self {
                self.assertion.add_claim(name.into(), value.into());
                self
            }
        }
    };
}
pub(crate) use assertion_options;

#[cfg(test)]
mod tests;
