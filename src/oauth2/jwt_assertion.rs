//! JWTs that say who a client is, or for whom it acts: what all of them have.
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

use super::{Audience, ClientRegistration};
use crate::{
    error::{Error, Result},
    jose::{Algorithm, ExternalKey, Header, SigningInput, SigningKey, beginning, signed},
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

/// As many bytes as the claims take at the most that are new for each assertion.
const ROOM: usize = 128;

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
    header: Map<String, Value>,
    claims: Map<String, Value>,
    /// From the first assertion on.
    begun: OnceLock<Begun>,
}

impl Default for JwtAssertion {
    fn default() -> Self {
        Self {
            audience: None,
            lifetime: Duration::from_secs(60),
            not_before: false,
            header: Map::new(),
            claims: Map::new(),
            begun: OnceLock::new(),
        }
    }
}

impl JwtAssertion {
    pub(super) fn add_header(&mut self, name: String, value: Value) {
        self.header.insert(name, value);
        self.begun = OnceLock::new();
    }

    pub(super) fn add_claim(&mut self, name: String, value: Value) {
        self.claims.insert(name, value);
        self.begun = OnceLock::new();
    }

    pub(super) fn has_claim(&self, name: &str) -> bool {
        self.claims.contains_key(name)
    }

    /// Whether the settings are good.
    pub(super) fn check(&self, registration: &ClientRegistration) -> Result<()> {
        let own = |given| OWN_CLAIMS.iter().find(|(name, _)| name == given);
        if let Some((name, instead)) = self.claims.keys().find_map(own) {
            return Err(Error::usage(format!("the claim {name} {instead}")));
        }
        let reserved = |given: &&String| ["alg", "crit"].contains(&given.as_str());
        if let Some(name) = self.header.keys().find(reserved) {
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
        if matches!(self.audience, Some(Audience::TokenEndpoint))
            && registration.token_endpoint().is_none()
        {
            return Err(Error::usage(
                "Audience::TokenEndpoint needs the token endpoint, which is not known here; name it",
            ));
        }
        if matches!(self.audience, Some(Audience::Issuer)) && registration.issuer().is_none() {
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
        let mut room = [0; ROOM];
        // It fails only for want of room.
        let new = self.new_claims(&id, now, &mut room).unwrap_or_default();
        let claims = LastingClaims {
            aud: self.audience(registration, endpoint),
            iss: issuer,
            sub: subject,
            others: &self.claims,
        };
        Ok(match key {
            AssertionKey::Here(key) => {
                Assertion::Signed(signed(&self.beginning(key, &claims)?, new, key)?)
            }
            AssertionKey::Elsewhere => {
                let header = self.with_own_members(external(registration)?.header());
                let beginning = beginning(&header.encode()?, &claims);
                Assertion::Unsigned(SigningInput::new(&beginning, new))
            }
        })
    }

    /// The claims that are new for each assertion: the rest of the JSON object. They are put together
    /// in `room`, without an allocation.
    fn new_claims<'a>(&self, id: &[u8], now: Duration, room: &'a mut [u8]) -> io::Result<&'a [u8]> {
        let mut json = Cursor::new(&mut *room);
        json.write_all(br#""jti":""#)?;
        // Letters and digits.
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
        Ok(&room[..length])
    }

    /// What assertions by `key` with these claims begin with.
    fn beginning(&self, key: &SigningKey, claims: &LastingClaims<'_>) -> Result<Cow<'_, str>> {
        if let Some(begun) = self.begun.get()
            && begun.is_for(key, claims)
        {
            return Ok(begun.encoded.as_str().into());
        }
        let header = self.with_own_members(key.header()).encode()?;
        let encoded = beginning(&header, claims);
        // Were it there for others, it would stay.
        let _ = self.begun.set(Begun {
            algorithm: key.algorithm(),
            audience: claims.aud.to_owned(),
            issuer: claims.iss.to_owned(),
            subject: claims.sub.map(str::to_owned),
            encoded: encoded.clone(),
        });
        Ok(encoded.into())
    }

    fn with_own_members(&self, header: Header) -> Header {
        let mut header = header.with_typ("JWT");
        for (name, value) in &self.header {
            header = header.with(name, value.clone());
        }
        header
    }

    fn audience<'a>(&'a self, registration: &'a ClientRegistration, endpoint: &'a Url) -> &'a str {
        match (&self.audience, registration.issuer()) {
            (Some(Audience::Other(audience)), _) => audience,
            (None | Some(Audience::Issuer), Some(issuer)) => issuer,
            _ => registration.token_endpoint().unwrap_or(endpoint).as_str(),
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

/// The claims that an assertion has like the one before, borrowed from where they stand.
#[derive(Serialize)]
struct LastingClaims<'a> {
    aud: &'a str,
    iss: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    #[serde(flatten)]
    others: &'a Map<String, Value>,
}

/// What assertions begin with, and which ones.
#[derive(Clone)]
struct Begun {
    algorithm: Algorithm,
    audience: String,
    issuer: String,
    subject: Option<String>,
    /// Header and claims.
    encoded: String,
}

impl Begun {
    /// Nothing else can have changed: of a key that is here only the algorithm does, and with the
    /// caller's claims and members of the header this goes, too.
    fn is_for(&self, key: &SigningKey, claims: &LastingClaims<'_>) -> bool {
        self.algorithm == key.algorithm()
            && self.audience == claims.aud
            && self.issuer == claims.iss
            && self.subject.as_deref() == claims.sub
    }
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
                self.assertion.add_header(name.into(), value.into());
                self
            }

            /// Adds a claim. Those that are new for each assertion have methods of their own.
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
pub(super) use asserting;

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, time::UNIX_EPOCH};

    use serde_json::json;

    use super::*;
    use crate::{
        clock::Clock,
        jose::{Claims, Jws},
        oauth2::{ClientAuth as _, ClientCredentials, ClientSecretJwt, JwtBearer, TokenEndpoint},
    };

    const SECRET: [u8; 64] = [b'a'; 64];

    fn endpoint(client_id: &str) -> TokenEndpoint {
        TokenEndpoint::new("https://id.example/token", client_id)
            .expect("a URL")
            .client_secret(str::from_utf8(&SECRET).expect("ASCII"))
            .clock(Clock::from_fn(|| UNIX_EPOCH + Duration::from_secs(1000)))
    }

    fn read(token: &str) -> (Header, Claims) {
        let jws = Jws::parse(token).expect("a token");
        let key = SigningKey::hmac(jws.header().algorithm(), SECRET).expect("a key");
        let payload = jws.verify(&key.verifying_key()).expect("a signature");
        let claims = Claims::from_slice(payload).expect("claims, each of them once");
        (jws.header().clone(), claims)
    }

    fn sent(auth: &ClientSecretJwt, endpoint: &TokenEndpoint) -> (Header, Claims) {
        let request = endpoint.request(&ClientCredentials::new());
        let mut request = request.expect("a request");
        auth.authenticate(&mut request).expect("an assertion");
        let token = request.form().value("client_assertion");
        read(token.expect("an assertion").expose_secret())
    }

    /// Without the identifier, which is another one each time.
    fn is(claims: &Claims, mut expected: Value) {
        expected["jti"] = claims.id().expect("jti").into();
        assert_eq!(claims.to_json(), expected.to_string());
    }

    #[test]
    fn what_was_sent_is_not_kept_for_other_settings() {
        let auth = ClientSecretJwt::new();
        let id = endpoint("id");
        let hs256 = Header::new(Algorithm::HS256).with_typ("JWT");
        assert_eq!(sent(&auth, &id).0, hs256);
        assert_eq!(sent(&auth, &id).0, hs256);
        let (before, auth) = (auth.clone(), auth.header("x", 7));
        assert_eq!(sent(&auth, &id).0, hs256.clone().with("x", 7));
        assert_eq!(sent(&before, &id).0, hs256);
        let (before, auth) = (auth.clone(), auth.claim("y", 8));
        assert_eq!(sent(&auth, &id).1.get("y"), Some(&8.into()));
        assert_eq!(sent(&before, &id).1.get("y"), None);
        let auth = auth.algorithm(Algorithm::HS512);
        let hs512 = Header::new(Algorithm::HS512).with_typ("JWT").with("x", 7);
        assert_eq!(sent(&auth, &id).0, hs512);
        assert_eq!(sent(&auth, &id).0, hs512);
        let auth = auth
            .audience("a")
            .lifetime(Duration::from_secs(5))
            .not_before(true);
        let mut expected = json!({
            "aud": "a", "exp": 1005, "iat": 1000, "iss": "id", "nbf": 1000, "sub": "id", "y": 8,
        });
        is(&sent(&auth, &id).1, expected.clone());
        expected["y"] = 9.into();
        is(&sent(&auth.claim("y", 9), &id).1, expected);
    }

    #[test]
    fn what_was_sent_is_not_kept_for_other_clients() {
        let auth = ClientSecretJwt::new();
        let token = "https://id.example/token";
        for _ in 0..2 {
            for (endpoint, id, audience) in [
                (endpoint("a"), "a", token),
                (endpoint("b"), "b", token),
                (endpoint("a").issuer("x"), "a", "x"),
                (endpoint("a").issuer("y"), "a", "y"),
            ] {
                let expected = json!({
                    "aud": audience, "exp": 1060, "iat": 1000, "iss": id, "sub": id,
                });
                is(&sent(&auth, &endpoint).1, expected);
            }
        }
    }

    #[test]
    fn what_was_sent_is_not_kept_for_another_subject_or_scope() {
        let key = SigningKey::hmac(Algorithm::HS256, SECRET).expect("a key");
        let grant = JwtBearer::new("robot", key).audience("a");
        let claims = |grant: &JwtBearer, scope: &str| {
            let request = endpoint("id").scope(scope).request(grant);
            let request = request.expect("a request");
            let token = request.form().value("assertion").expect("an assertion");
            read(token.expose_secret()).1
        };
        assert_eq!(claims(&grant, "x").subject(), None);
        let grant = grant.subject("alice");
        assert_eq!(claims(&grant, "x").subject(), Some("alice"));
        assert_eq!(
            claims(&grant.clone().subject("bob"), "x").subject(),
            Some("bob")
        );
        assert_eq!(claims(&grant, "x").get("scope"), None);
        let grant = grant.scope_as_claim(true);
        for scope in ["x", "y", "x"] {
            assert_eq!(claims(&grant, scope).get("scope"), Some(&scope.into()));
        }
    }

    #[test]
    fn the_latest_of_all_times_finds_room() {
        let assertion = JwtAssertion {
            not_before: true,
            ..JwtAssertion::default()
        };
        let id = [b'a'; random::LENGTH];
        let mut room = [0; ROOM];
        let claims = assertion.new_claims(&id, Duration::MAX, &mut room);
        assert!(
            claims
                .expect("room")
                .ends_with(b",\"nbf\":18446744073709551615}")
        );
    }

    #[test]
    fn claims_of_any_length_are_one_object() {
        let mut identifiers = HashSet::new();
        for audience in ["", "a", "ab", "abc", "a\"b\\", "\u{1}", "ä", "☃", "}"] {
            for other in [json!(7), json!("ä}"), json!({"a": [{}]}), json!(null)] {
                let auth = ClientSecretJwt::new()
                    .audience(audience)
                    .claim("z", other.clone());
                for _ in 0..2 {
                    let (_, claims) = sent(&auth, &endpoint("id"));
                    identifiers.insert(claims.id().expect("jti").to_owned());
                    let expected = json!({
                        "aud": audience, "exp": 1060, "iat": 1000, "iss": "id", "sub": "id",
                        "z": other,
                    });
                    is(&claims, expected);
                }
            }
        }
        assert_eq!(identifiers.len(), 9 * 4 * 2);
    }
}
