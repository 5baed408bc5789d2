//! Keys of an issuer, and their rotation.
//!
//! [OpenID Connect Core section 10.1.1](https://openid.net/specs/openid-connect-core-1_0.html#RotateSigKeys)

use std::{
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::{
    clock::Clock,
    error::{Error, Result},
    jose::{Algorithm, Header, Jwk, JwkSet, Jws},
    json::Members,
    wire::{
        document::{Document, DocumentSource, FetchStep, Freshness},
        response::EndpointResponse,
        secure_url::without_query,
    },
};

/// Limit of the keys of a set.
const KEYS_LIMIT: usize = 256;
/// Size limit of a set, in bytes. Certificates in it may be large.
const SIZE_LIMIT: usize = 512 * 1024;

/// Keys of an issuer as its `jwks_uri` published them, with their lifetime.
///
/// It decides when they are fetched again, and leaves the fetching to the caller: the clients of
/// this crate do both by themselves. It serialises, so that another process need not fetch them.
///
/// ```
/// use std::time::{Duration, SystemTime, UNIX_EPOCH};
/// use oauth_twin::{
///     jose::{Algorithm, Claims, Jws, SigningKey},
///     oauth2::EndpointResponse,
///     oidc::{KeyDecision, KeySet},
/// };
///
/// # let pem = include_str!("../../tests/vectors/p-256.pkcs8.pem");
/// # let signing_key = SigningKey::from_pem(Algorithm::ES256, pem)?.with_key_id("2");
/// # let jwk = serde_json::to_string(&signing_key.public_jwk().unwrap()).unwrap();
/// let url = "https://id.example.com/keys".parse().unwrap();
/// let response = http::Response::builder()
///     .header("cache-control", "max-age=600")
///     .body(format!(r#"{{"keys":[{jwk}]}}"#))
///     .unwrap();
/// let now = SystemTime::now();
/// let keys = KeySet::read_response(&url, &EndpointResponse::from(response), now)?;
///
/// let token = Claims::new().with_subject("me").sign(&signing_key)?;
/// let jws = Jws::parse(token.expose_secret())?;
/// assert_eq!(keys.decide(jws.header(), now), KeyDecision::Use);
/// assert!(keys.verify(&jws, &[Algorithm::ES256]).is_ok());
/// let later = now + Duration::from_secs(600);
/// assert_eq!(keys.decide(jws.header(), later), KeyDecision::Refetch);
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// # Security
///
/// A set that cannot be read, or has no key that this crate can use, is an error, and never a
/// reason to skip the verification. Received tokens cause one fetch a minute at most.
///
/// [OpenID Connect Core section 10.1.1](https://openid.net/specs/openid-connect-core-1_0.html#RotateSigKeys)
///
/// Cheap to clone.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "KeptKeySet", into = "KeptKeySet")]
pub struct KeySet {
    document: Arc<KeyDocument>,
    freshness: Freshness,
}

#[derive(PartialEq)]
struct KeyDocument {
    jwks_uri: String,
    jwks: JwkSet,
    /// Keys that were skipped, each with the reason.
    skipped: Vec<String>,
}

/// Serialised form of a [`KeySet`].
#[derive(Serialize, Deserialize)]
struct KeptKeySet {
    jwks_uri: String,
    jwks: JwkSet,
    freshness: Freshness,
}

impl From<KeptKeySet> for KeySet {
    fn from(kept: KeptKeySet) -> Self {
        Self {
            document: Arc::new(KeyDocument {
                jwks_uri: kept.jwks_uri,
                jwks: kept.jwks,
                skipped: Vec::new(),
            }),
            freshness: kept.freshness,
        }
    }
}

impl From<KeySet> for KeptKeySet {
    fn from(keys: KeySet) -> Self {
        Self {
            jwks_uri: keys.document.jwks_uri.clone(),
            jwks: keys.document.jwks.clone(),
            freshness: keys.freshness,
        }
    }
}

/// Decision on the keys for a received token.
///
/// [OpenID Connect Core section 10.1.1](https://openid.net/specs/openid-connect-core-1_0.html#RotateSigKeys)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyDecision {
    /// The keys may verify the token.
    Use,
    /// The keys have to be fetched again first. If that fails, they stay in use, and the decision is
    /// made once more.
    Refetch,
    /// The token is refused: the keys were fetched a moment ago, and none of them fits.
    Refuse,
}

impl KeySet {
    /// Reads the response of the `jwks_uri`, received at `now`. `Cache-Control` and `Expires` say
    /// how long the keys are valid: at least a minute, at most a day, and an hour by default.
    ///
    /// Keys of unknown types and malformed keys are skipped, and private members are dropped.
    ///
    /// # Errors
    ///
    /// If the response is not a JWK Set, is larger than 512 KiB, has more than 256 keys, or has none
    /// that this crate can use.
    ///
    /// [RFC 7517 section 5](https://www.rfc-editor.org/rfc/rfc7517#section-5)
    pub fn read_response(
        jwks_uri: &Url,
        response: &EndpointResponse,
        now: SystemTime,
    ) -> Result<Self> {
        let status = response.status();
        if status != StatusCode::OK {
            return Err(response.answer().failure("the jwks_uri"));
        }
        let refused = |problem: &str| Err(Error::answer(format!("the JWK Set {problem}"), status));
        if response.body().len() > SIZE_LIMIT {
            return refused("is larger than 512 KiB");
        }
        let Some(Value::Array(entries)) = Members::from_slice(response.body())
            .ok()
            .and_then(|mut members| members.remove("keys"))
        else {
            return refused("is not a JSON object with an array `keys`, or has a duplicate member");
        };
        if entries.is_empty() {
            return refused("has no keys");
        }
        if entries.len() > KEYS_LIMIT {
            return refused("has more than 256 keys");
        }
        let (mut keys, mut skipped) = (Vec::new(), Vec::new());
        for (at, entry) in entries.into_iter().enumerate() {
            match usable(entry) {
                Ok(key) => keys.push(key),
                Err(problem) => skipped.push(format!("key {}: {problem}", at + 1)),
            }
        }
        if keys.is_empty() {
            let problems = skipped.join("; ");
            return refused(&format!("has no key that can be used: {problems}"));
        }
        Ok(Self {
            document: Arc::new(KeyDocument {
                jwks_uri: jwks_uri.as_str().to_owned(),
                jwks: JwkSet::new(keys),
                skipped,
            }),
            freshness: Freshness::of(response.headers(), now),
        })
    }

    /// The keys.
    pub fn keys(&self) -> &JwkSet {
        &self.document.jwks
    }

    /// The URL that they were fetched from.
    pub fn jwks_uri(&self) -> &str {
        &self.document.jwks_uri
    }

    /// The time at which they were fetched.
    pub fn fetched_at(&self) -> SystemTime {
        // What was kept may have any values.
        let fetched_at = UNIX_EPOCH.checked_add(self.freshness.fetched_at());
        fetched_at.unwrap_or(UNIX_EPOCH)
    }

    /// Keys that were skipped, each with the reason. They are not serialised.
    pub fn skipped(&self) -> impl Iterator<Item = &str> {
        self.document.skipped.iter().map(String::as_str)
    }

    /// Whether the keys are within their lifetime.
    pub fn is_fresh(&self, now: SystemTime) -> bool {
        self.freshness.is_fresh(now)
    }

    /// Decides on the keys for a token with this header, of which `kid` and `alg` count.
    ///
    /// They are fetched again when their lifetime has ended, and when none of them fits: the issuer
    /// may have changed them a moment ago. After an attempt by reason of a token, or one that
    /// failed, there is none for a minute.
    ///
    /// [OpenID Connect Core section 10.1.1](https://openid.net/specs/openid-connect-core-1_0.html#RotateSigKeys)
    pub fn decide(&self, header: &Header, now: SystemTime) -> KeyDecision {
        let cools_down = self.freshness.is_cooling_down(now);
        match self.document.jwks.has_key_for(header) {
            true if cools_down || self.is_fresh(now) => KeyDecision::Use,
            false if cools_down => KeyDecision::Refuse,
            _ => KeyDecision::Refetch,
        }
    }

    /// Decides the same after the keys did not verify the signature of a token: some issuers use a
    /// `kid` again for another key.
    pub fn decide_after_failure(&self, now: SystemTime) -> KeyDecision {
        match self.freshness.is_cooling_down(now) {
            true => KeyDecision::Refuse,
            false => KeyDecision::Refetch,
        }
    }

    /// Records the outcome of fetching the keys again: other keys, or none if that failed. The old
    /// ones are kept then.
    pub fn refetched(&mut self, keys: Option<Self>, now: SystemTime) {
        match keys {
            Some(mut keys) => {
                keys.freshness.replace(&self.freshness, now);
                *self = keys;
            }
            None => self.freshness.fail(now),
        }
    }

    /// Verifies the signature of a token by one of the `allowed` algorithms, and returns its
    /// payload.
    ///
    /// # Errors
    ///
    /// As for [`Jws::verify_with`]; the error names the keys that were skipped.
    pub fn verify<'a>(&self, jws: &'a Jws<'_>, allowed: &[Algorithm]) -> Result<&'a [u8]> {
        jws.verify_with(&self.document.jwks, allowed)
            .map_err(|error| {
                if self.document.skipped.is_empty() || self.document.jwks.has_key_for(jws.header())
                {
                    return error;
                }
                let skipped = self.document.skipped.join("; ");
                Error::untrusted(format!("{error}; keys that cannot be used: {skipped}"))
            })
    }

    /// Whether the last attempt to fetch the keys again failed within the last minute.
    pub(crate) fn has_failed(&self, now: SystemTime) -> bool {
        self.freshness.has_failed(now)
    }

    /// Whether the keys need not be fetched, as they are fresh or could not be fetched a moment ago.
    pub(crate) fn is_current(&self, jwks_uri: &Url, now: SystemTime) -> bool {
        self.is_of(jwks_uri) && (self.is_fresh(now) || self.freshness.is_cooling_down(now))
    }

    /// Whether the keys are those of this URL.
    pub(crate) fn is_of(&self, jwks_uri: &Url) -> bool {
        self.document.jwks_uri == jwks_uri.as_str()
    }

    /// Whether these are the same keys, fetched at the same time.
    pub(crate) fn is_same_fetch(&self, other: &Self) -> bool {
        self.freshness == other.freshness && self.document.jwks == other.document.jwks
    }
}

/// The entry as a public key that this crate can use, or the reason why it is not one.
fn usable(entry: Value) -> Result<Jwk, String> {
    let Value::Object(_) = entry else {
        return Err("it is not a JSON object".to_owned());
    };
    let key: Jwk = serde_json::from_value(entry).map_err(|error| error.to_string())?;
    if key.public_key_use().is_some_and(|purpose| purpose != "sig") {
        return Err("it is not intended for signatures (use)".to_owned());
    }
    key.check_public_key().map_err(|error| error.to_string())?;
    Ok(key.public())
}

impl Document for KeySet {
    fn freshness_mut(&mut self) -> &mut Freshness {
        &mut self.freshness
    }

    fn skipped(&self) -> &[String] {
        &self.document.skipped
    }
}

/// Fetches the keys.
pub(crate) struct KeySource {
    pub(crate) jwks_uri: Url,
    pub(crate) clock: Clock,
}

impl DocumentSource for KeySource {
    type Document = KeySet;

    const NAME: &'static str = "jwks_uri";

    fn step(&mut self, response: Option<Result<EndpointResponse>>) -> FetchStep<KeySet> {
        match response {
            None => FetchStep::Get(self.jwks_uri.clone()),
            Some(response) => FetchStep::Done(response.and_then(|response| {
                KeySet::read_response(&self.jwks_uri, &response, self.clock.now())
            })),
        }
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = Url::parse(&self.document.jwks_uri).map(|url| without_query(&url));
        let ids = self.document.jwks.keys().iter().map(Jwk::key_id);
        f.debug_struct("KeySet")
            .field("jwks_uri", &url.unwrap_or_default())
            .field("key_ids", &ids.collect::<Vec<_>>())
            .field("freshness", &self.freshness)
            .field("skipped", &self.document.skipped)
            .finish()
    }
}

#[cfg(test)]
mod tests;
