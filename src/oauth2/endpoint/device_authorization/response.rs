//! Device authorization responses.
//!
//! [RFC 8628 section 3.2](https://www.rfc-editor.org/rfc/rfc8628#section-3.2)

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    json::number::number,
    oauth2::{grant::device_code::DeviceCode, request::EndpointRequest, token::members::LATEST},
    secret::{self, Secret},
    wire::secure_url::check_endpoint_url,
};

/// Interval between polls if the server names none, in seconds.
const DEFAULT_INTERVAL: u64 = 5;

/// Longest code that a user is asked to type, in characters.
const LONGEST_USER_CODE: usize = 64;

/// Device authorization: the code that the user enters on another device, and where.
///
/// It serialises, including the secret device code, so that a program that is started again can go
/// on waiting. Show [`user_code`](Self::user_code) also beside
/// [`verification_uri_complete`](Self::verification_uri_complete): the user compares it with the
/// one on the page.
///
/// ```no_run
/// # #[cfg(feature = "blocking")]
/// # fn main() -> oauth_twin::Result<()> {
/// use oauth_twin::{OAuth2Client, oauth2::DeviceAuthorizationRequest};
///
/// let client = OAuth2Client::builder("client-id")
///     .device_authorization_endpoint("https://id.example.com/device_authorization")
///     .token_endpoint("https://id.example.com/token")
///     .build()?;
/// let device = client.device_authorization(DeviceAuthorizationRequest::new().scope("profile"))?;
/// println!("Open {} and enter {}", device.verification_uri(), device.user_code());
/// let login = client.complete_device_authorization(device)?;
/// # Ok(()) }
/// # #[cfg(not(feature = "blocking"))] fn main() {}
/// ```
///
/// [RFC 8628 section 3.2](https://www.rfc-editor.org/rfc/rfc8628#section-3.2)
#[derive(Clone, Deserialize, Serialize)]
pub struct DeviceAuthorization {
    #[serde(with = "secret::exposed")]
    device_code: Secret,
    user_code: String,
    #[serde(with = "as_text")]
    verification_uri: Url,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verification_uri_complete: Option<String>,
    /// Seconds since 1970.
    expires_at: u64,
    /// Seconds.
    #[serde(default = "default_interval")]
    interval: u64,
    #[serde(default, with = "secret::exposed_option")]
    code_verifier: Option<Secret>,
    #[serde(default)]
    resource: Vec<String>,
    #[serde(default)]
    issuer: Option<String>,
    #[serde(default)]
    openid: bool,
    /// Whether no scope was asked for.
    #[serde(default)]
    is_unscoped: bool,
}

/// Serialisation of a URL.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use url::Url;

    pub(super) fn serialize<S: Serializer>(url: &Url, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(url.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Url, D::Error> {
        Url::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

fn default_interval() -> u64 {
    DEFAULT_INTERVAL
}

impl DeviceAuthorization {
    /// The device authorization in a response to `request` that arrived at `now`, or why there is
    /// none.
    pub(super) fn from_answer(
        members: &Map<String, Value>,
        request: &EndpointRequest,
        allow_http: bool,
        now: Duration,
    ) -> Result<Self, String> {
        let text = |name: &str| {
            let text = members.get(name).and_then(Value::as_str);
            text.filter(|text| !text.is_empty())
        };
        let required = |name: &str| text(name).ok_or(format!("the response has no {name}"));
        let user_code = required("user_code")?;
        // It is shown on a terminal.
        let is_shown = user_code
            .chars()
            .all(|c| c.is_alphanumeric() || c == ' ' || c.is_ascii_punctuation());
        if !is_shown || user_code.chars().count() > LONGEST_USER_CODE {
            return Err("the user_code of the response cannot be shown".to_owned());
        }
        // Google and Azure AD, whose endpoints are older than the RFC, send `verification_url`.
        let uri = text("verification_uri").or(text("verification_url"));
        let uri = uri.ok_or("the response has no verification_uri")?;
        let verification_uri = shown_url(uri, allow_http)
            .map_err(|problem| format!("the verification_uri of the response {problem}"))?;
        let complete = text("verification_uri_complete").or(text("verification_url_complete"));
        let seconds = |name: &str| members.get(name).and_then(number);
        let expires_in = seconds("expires_in").ok_or("the response has no expires_in")?;
        // Casts of floats saturate.
        let expires_at = now.as_secs().saturating_add(expires_in as u64).min(LATEST);
        let repeated = request.refresh_parameters();
        let interval = seconds("interval").map_or(DEFAULT_INTERVAL, |seconds| seconds as u64);
        Ok(Self {
            device_code: required("device_code")?.into(),
            user_code: user_code.to_owned(),
            verification_uri,
            // It only saves the user the typing.
            verification_uri_complete: complete
                .and_then(|uri| shown_url(uri, allow_http).ok())
                .map(String::from),
            expires_at,
            interval: interval.max(1),
            code_verifier: repeated.value("code_verifier").cloned(),
            resource: repeated
                .iter()
                .filter(|(name, _)| *name == "resource")
                .map(|(_, resource)| resource.expose_secret().to_owned())
                .collect(),
            issuer: request.server().issuer().map(str::to_owned),
            openid: request.form().value("scope").is_some_and(|scope| {
                let mut scopes = scope.expose_secret().split(' ');
                scopes.any(|scope| scope == "openid")
            }),
            is_unscoped: request.form().value("scope").is_none(),
        })
    }

    /// The device code, which each poll sends.
    pub fn device_code(&self) -> &Secret {
        &self.device_code
    }

    /// The issuer identifier of the server, if it is known.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Whether the scope has `openid`, so that there has to be an ID token.
    pub fn is_openid(&self) -> bool {
        self.openid
    }

    pub(crate) fn is_unscoped(&self) -> bool {
        self.is_unscoped
    }

    /// The code that the user enters.
    pub fn user_code(&self) -> &str {
        &self.user_code
    }

    /// The page on which the user enters the code. It is HTTPS, or on loopback.
    pub fn verification_uri(&self) -> &Url {
        &self.verification_uri
    }

    /// The same page with the code in it, if the server offers that: for a link or a QR code.
    ///
    /// [RFC 8628 section 3.3.1](https://www.rfc-editor.org/rfc/rfc8628#section-3.3.1)
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.verification_uri_complete.as_deref()
    }

    /// The time at which the codes expire.
    pub fn expires_at(&self) -> SystemTime {
        // What was kept may have any values.
        UNIX_EPOCH + Duration::from_secs(self.expires_at.min(LATEST))
    }

    /// The shortest time between two polls: at least a second, and 5 if the server named none.
    pub fn interval(&self) -> Duration {
        Duration::from_secs(self.interval.max(1))
    }

    /// The grant of each poll.
    pub fn grant(&self) -> DeviceCode {
        let mut grant = DeviceCode::new(&self.device_code);
        if let Some(code_verifier) = &self.code_verifier {
            grant = grant.code_verifier(code_verifier);
        }
        for resource in &self.resource {
            grant = grant.resource(resource);
        }
        grant
    }

    /// The time that is left at `now`, until the codes expire.
    pub fn left(&self, now: SystemTime) -> Duration {
        self.expires_at().duration_since(now).unwrap_or_default()
    }
}

/// A URL that is shown to the user and may be opened.
fn shown_url(url: &str, allow_http: bool) -> Result<Url, String> {
    let url = Url::parse(url).map_err(|error| format!("is not an absolute URL ({error})"))?;
    let mut checked = url.clone();
    // A single-page application may have its route there.
    checked.set_fragment(None);
    check_endpoint_url(&checked, allow_http)?;
    Ok(url)
}

/// Omits the codes: whoever knows the user's can enter it elsewhere.
impl fmt::Debug for DeviceAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceAuthorization")
            .field("device_code", &self.device_code)
            .field("verification_uri", &self.verification_uri.as_str())
            .field("expires_at", &self.expires_at)
            .field("interval", &self.interval)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
