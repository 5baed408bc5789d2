//! Clients as a server has registered them.
//!
//! [RFC 7591 section 3.2.1](https://www.rfc-editor.org/rfc/rfc7591#section-3.2.1)

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap as _};
use serde_json::{Map, Value};

use super::{metadata::ClientMetadata, registration::ClientRegistration};
use crate::{
    clock::Clock,
    error::Result,
    jose::Algorithm,
    json::{Members, number::number},
    secret::Secret,
};

/// The latest time that is read, in seconds: the end of the year 9999.
const LATEST: u64 = 253_402_300_799;

/// Client as a server has registered it: its identifier and secret, and the metadata that the server
/// has accepted. It belongs to the issuer at which it was registered.
///
/// It serialises to one JSON object, to be kept: registering again at each start leaves abandoned
/// clients at the server.
///
/// ```
/// use oauth_twin::oauth2::RegisteredClient;
///
/// let kept = r#"{
///     "issuer": "https://id.example.com", "client_id": "s6BhdRkqt3",
///     "client_secret": "ZJYCqe3GGRvdrudKyZS0XhGv", "client_secret_expires_at": 0,
///     "redirect_uris": ["https://app.example.com/callback"]
/// }"#;
/// let client: RegisteredClient = serde_json::from_str(kept)?;
/// assert_eq!(client.issuer(), "https://id.example.com");
/// assert_eq!(client.token_endpoint_auth_method(), "client_secret_basic");
/// assert_eq!(client.client_secret_expires_at(), None);
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// [RFC 7591 section 3.2.1](https://www.rfc-editor.org/rfc/rfc7591#section-3.2.1)
#[derive(Clone, PartialEq)]
pub struct RegisteredClient {
    issuer: String,
    client_id: String,
    client_secret: Option<Secret>,
    /// Seconds since 1970; none if it never expires.
    client_secret_expires_at: Option<u64>,
    /// Seconds since 1970.
    registered_at: Option<u64>,
    registration_client_uri: Option<String>,
    registration_access_token: Option<Secret>,
    metadata: ClientMetadata,
}

impl RegisteredClient {
    /// The issuer identifier of the server at which the client is registered.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The client's identifier.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The client's secret, if the server has issued one.
    pub fn client_secret(&self) -> Option<&Secret> {
        self.client_secret.as_ref()
    }

    /// The time at which the secret expires, if it does.
    pub fn client_secret_expires_at(&self) -> Option<SystemTime> {
        self.client_secret_expires_at.map(at)
    }

    /// The time of the registration, as the server tells it or else by the clock of the client.
    pub fn registered_at(&self) -> Option<SystemTime> {
        self.registered_at.map(at)
    }

    /// Whether the secret has expired by the system clock, so that the client has to be registered
    /// anew.
    pub fn is_expired(&self) -> bool {
        self.is_expired_at(Clock::system().unix())
    }

    pub(crate) fn is_expired_at(&self, now: Duration) -> bool {
        self.client_secret_expires_at
            .is_some_and(|at| Duration::from_secs(at) <= now)
    }

    /// The same for a secret that had not expired when it was issued, as some servers say.
    #[allow(dead_code, reason = "only the clients are registered anew")]
    pub(crate) fn has_expired_by(&self, now: Duration) -> bool {
        let issued = self.registered_at.map(Duration::from_secs);
        self.is_expired_at(now) && issued.is_none_or(|issued| !self.is_expired_at(issued))
    }

    /// The metadata as the server has registered them, which may differ from what was asked for.
    pub fn metadata(&self) -> &ClientMetadata {
        &self.metadata
    }

    /// The client authentication that the server has registered. Where it names none, "the default
    /// is `client_secret_basic`" for a client with a secret, and `none` for one without.
    ///
    /// [RFC 7591 section 2](https://www.rfc-editor.org/rfc/rfc7591#section-2)
    pub fn token_endpoint_auth_method(&self) -> &str {
        let default = match self.client_secret {
            Some(_) => "client_secret_basic",
            None => "none",
        };
        self.metadata
            .token_endpoint_auth_method()
            .unwrap_or(default)
    }

    /// The algorithm in a member of the metadata, if it is a known one.
    #[allow(dead_code, reason = "only the clients follow their registration")]
    pub(crate) fn algorithm(&self, member: &str) -> Option<Algorithm> {
        self.metadata.get(member)?.as_str()?.parse().ok()
    }

    /// The URL at which the registration can be read, updated and deleted, as the server sent it.
    ///
    /// [RFC 7592 section 3](https://www.rfc-editor.org/rfc/rfc7592#section-3)
    pub fn registration_client_uri(&self) -> Option<&str> {
        self.registration_client_uri.as_deref()
    }

    /// The token for that URL.
    ///
    /// [RFC 7592 section 3](https://www.rfc-editor.org/rfc/rfc7592#section-3)
    pub fn registration_access_token(&self) -> Option<&Secret> {
        self.registration_access_token.as_ref()
    }

    /// The registration of the client, for the endpoints of the server.
    pub fn registration(&self) -> ClientRegistration {
        self.apply_to(ClientRegistration::default())
    }

    /// `client` with what the server has issued; its own redirection URIs count, if it has any.
    pub(crate) fn apply_to(&self, mut client: ClientRegistration) -> ClientRegistration {
        client = client.with_client_id(&self.client_id);
        if let Some(secret) = &self.client_secret {
            client = client.with_client_secret(secret.clone());
        }
        match (
            client.redirect_uris().is_empty(),
            self.metadata.redirect_uris(),
        ) {
            (true, Some(uris)) => client.with_redirect_uris(uris),
            _ => client,
        }
    }

    /// Whether it is the same client with the same secret, whatever else has changed.
    #[allow(dead_code, reason = "only the clients keep registrations")]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.client_id == other.client_id
            && self.client_secret == other.client_secret
            && self.issuer == other.issuer
    }

    /// `client`, to which `old` was applied, with this registration instead. What is set beside the
    /// old one stays.
    #[allow(dead_code, reason = "only the clients are registered anew")]
    pub(crate) fn apply_instead_of(
        &self,
        old: &Self,
        client: ClientRegistration,
    ) -> ClientRegistration {
        let secret = client.client_secret().cloned();
        let own_secret = secret.filter(|secret| Some(secret) != old.client_secret());
        let uris = client.redirect_uris();
        let is_own = old.metadata.redirect_uris().is_none_or(|old| old != uris);
        let uris = uris.iter().filter(|_| is_own).cloned().collect::<Vec<_>>();
        let client = self.apply_to(client.without_secret().with_redirect_uris(uris));
        match own_secret {
            Some(secret) => client.with_client_secret(secret),
            None => client,
        }
    }

    /// Whether a client with these metadata can use the registration: a redirection URI that it
    /// wants is registered, if it wants any.
    pub(crate) fn serves(&self, metadata: &ClientMetadata) -> bool {
        let wanted = metadata.redirect_uris().unwrap_or_default();
        let registered = self.metadata.redirect_uris().unwrap_or_default();
        wanted.is_empty()
            || registered.is_empty()
            || wanted.iter().any(|uri| registered.contains(uri))
    }

    /// The client in a response of the server, or what is wrong with it.
    pub(crate) fn from_answer(
        issuer: &str,
        members: Map<String, Value>,
        now: Duration,
    ) -> Result<Self, String> {
        let mut client = Self::from_members(issuer.to_owned(), members)?;
        client.registered_at.get_or_insert(now.as_secs());
        Ok(client)
    }

    /// The redirection URIs that were asked for, unless the server has sent others.
    pub(crate) fn or_redirect_uris(mut self, asked: &ClientMetadata) -> Self {
        if let Some(uris) = asked.get("redirect_uris") {
            self.metadata = self.metadata.or_member("redirect_uris", || uris.clone());
        }
        self
    }

    /// The client with what a later response does not repeat.
    pub(crate) fn following(mut self, previous: &Self) -> Self {
        let Self {
            client_secret,
            client_secret_expires_at,
            registration_client_uri,
            registration_access_token,
            registered_at,
            ..
        } = previous.clone();
        if self.client_secret.is_none() && self.token_endpoint_auth_method() != "none" {
            self.client_secret = client_secret;
            self.client_secret_expires_at =
                self.client_secret_expires_at.or(client_secret_expires_at);
        }
        self.registration_client_uri = self.registration_client_uri.or(registration_client_uri);
        self.registration_access_token =
            self.registration_access_token.or(registration_access_token);
        self.registered_at = registered_at.or(self.registered_at);
        self
    }

    fn from_members(issuer: String, members: Map<String, Value>) -> Result<Self, String> {
        let mut metadata = ClientMetadata::given(members);
        metadata.take("issuer");
        let client_id = text(&mut metadata, "client_id")?;
        let client_id = client_id.ok_or_else(|| "has no client_id".to_owned())?;
        let expires_at = metadata.take("client_secret_expires_at");
        let issued_at = metadata.take("client_id_issued_at");
        Ok(Self {
            issuer,
            client_id,
            client_secret: text(&mut metadata, "client_secret")?.map(Secret::from),
            // "the value 0 if it will not expire".
            client_secret_expires_at: expires_at.and_then(seconds).filter(|at| *at != 0),
            registered_at: issued_at.and_then(seconds),
            registration_client_uri: text(&mut metadata, "registration_client_uri")?,
            registration_access_token: text(&mut metadata, "registration_access_token")?
                .map(Secret::from),
            metadata,
        })
    }
}

/// Removes a text, if there is one.
fn text(metadata: &mut ClientMetadata, name: &str) -> Result<Option<String>, String> {
    match metadata.take(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("has a {name} that is not a string")),
    }
}

/// Seconds since 1970. Some servers send them as text (CourtListener's clients have met both).
fn seconds(value: Value) -> Option<u64> {
    // Casts of floats saturate.
    number(&value).map(|seconds| (seconds as u64).min(LATEST))
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

impl Serialize for RegisteredClient {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("issuer", &self.issuer)?;
        map.serialize_entry("client_id", &self.client_id)?;
        for (name, secret) in [
            ("client_secret", &self.client_secret),
            ("registration_access_token", &self.registration_access_token),
        ] {
            if let Some(secret) = secret {
                map.serialize_entry(name, secret.expose_secret())?;
            }
        }
        for (name, time) in [
            ("client_secret_expires_at", self.client_secret_expires_at),
            ("client_id_issued_at", self.registered_at),
        ] {
            if let Some(time) = time {
                map.serialize_entry(name, &time)?;
            }
        }
        if let Some(uri) = &self.registration_client_uri {
            map.serialize_entry("registration_client_uri", uri)?;
        }
        for (name, value) in self.metadata.members() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for RegisteredClient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut members = Members::deserialize(deserializer)?.0;
        match members.remove("issuer") {
            Some(Value::String(issuer)) if !issuer.is_empty() => {
                let problem = |problem| de::Error::custom(format!("the registration {problem}"));
                Self::from_members(issuer, members).map_err(problem)
            }
            _ => Err(de::Error::custom("the registration has no issuer")),
        }
    }
}

impl fmt::Debug for RegisteredClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisteredClient")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .field("client_secret", &self.client_secret)
            .field("client_secret_expires_at", &self.client_secret_expires_at)
            .field("registration_access_token", &self.registration_access_token)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
