//! The signer: credentials and settings.
//!
//! [RFC 5849 section 3](https://www.rfc-editor.org/rfc/rfc5849#section-3)

use std::{fmt, sync::OnceLock};

use ring::hmac;

use crate::{
    clock::Clock,
    oauth1::{
        SignatureMethod, SignatureType, SigningSecrets, TemporaryCredentials, TokenCredentials,
        VerifiedCredentials, protocol_parameters::ProtocolParameters,
    },
    secret::Secret,
};

/// Signer of requests, for any HTTP library.
///
/// Without a token it signs as the client alone (two-legged). Clone it to sign for another token
/// or with another setting.
///
/// ```
/// use http::{HeaderMap, Method};
/// use oauth_twin::oauth1::Signer;
///
/// // RFC 5849 section 1.2, the last step.
/// let signer = Signer::new("dpf43f3p2l4k3l03")
///     .client_secret("kd94hf93k423kf44")
///     .token("nnch734d00sl2jdk", "pfkkdhi9sl3r4s00")
///     .realm("Photos")
///     .nonce("chapoH")
///     .timestamp(137131202)
///     .without_version();
/// let url = "http://photos.example.net/photos?file=vacation.jpg&size=original";
/// let signed = signer.sign(&Method::GET, url, &HeaderMap::new(), "")?;
/// let header = signed.authorization.unwrap();
/// assert!(header.to_str().unwrap().contains("MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D"));
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 5849 section 3](https://www.rfc-editor.org/rfc/rfc5849#section-3)
#[derive(Clone)]
pub struct Signer {
    pub(super) client_key: String,
    pub(super) client_secret: Secret,
    pub(super) token: Option<Secret>,
    pub(super) token_secret: Secret,
    pub(super) method: SignatureMethod,
    pub(super) placement: SignatureType,
    pub(super) realm: Option<String>,
    pub(super) include_body: bool,
    pub(super) callback: Option<String>,
    pub(super) verifier: Option<Secret>,
    pub(super) session_handle: Option<Secret>,
    pub(super) nonce: Option<String>,
    pub(super) timestamp: Option<u64>,
    pub(super) version: bool,
    pub(super) clock: Clock,
    pub(super) allow_http: bool,
    pub(super) allow_unconfirmed_callback: bool,
    /// Computed when first needed, and again after a change.
    prepared: OnceLock<Prepared>,
}

/// Values that all requests of a signer share.
#[derive(Clone)]
pub(super) struct Prepared {
    /// The key of an HMAC method.
    pub(super) hmac_key: Option<hmac::Key>,
    pub(super) parameters: ProtocolParameters,
}

impl Signer {
    /// Makes a signer for the client with the identifier `client_key` (its `oauth_consumer_key`).
    pub fn new(client_key: impl Into<String>) -> Self {
        Self {
            client_key: client_key.into(),
            client_secret: Secret::default(),
            token: None,
            token_secret: Secret::default(),
            method: SignatureMethod::default(),
            placement: SignatureType::default(),
            realm: None,
            include_body: false,
            callback: None,
            verifier: None,
            session_handle: None,
            nonce: None,
            timestamp: None,
            version: true,
            clock: Clock::system(),
            allow_http: false,
            allow_unconfirmed_callback: false,
            prepared: OnceLock::new(),
        }
    }

    /// Sets the client's shared secret, which the RSA methods do not use.
    #[must_use]
    pub fn client_secret(mut self, client_secret: impl Into<Secret>) -> Self {
        self.client_secret = client_secret.into();
        self.changed()
    }

    /// Sets the token. The verifier and the session handle of a previous token are removed.
    #[must_use]
    pub fn token(mut self, token: impl Into<Secret>, token_secret: impl Into<Secret>) -> Self {
        self.token = Some(token.into());
        self.token_secret = token_secret.into();
        (self.verifier, self.session_handle) = (None, None);
        self.changed()
    }

    /// Sets the token credentials.
    #[must_use]
    pub fn credentials(self, credentials: &TokenCredentials) -> Self {
        self.token(credentials.token(), credentials.token_secret())
    }

    /// Sets the temporary credentials without a verifier, for servers that still speak the first
    /// version of OAuth 1.0, and for polling.
    #[must_use]
    pub fn temporary(self, credentials: &TemporaryCredentials) -> Self {
        self.token(credentials.token(), credentials.token_secret())
    }

    /// Sets the verified temporary credentials, for the request for token credentials.
    ///
    /// [RFC 5849 section 2.3](https://www.rfc-editor.org/rfc/rfc5849#section-2.3)
    #[must_use]
    pub fn verified(self, credentials: &VerifiedCredentials) -> Self {
        let signer = self.token(credentials.token(), credentials.token_secret());
        match credentials.verifier().is_empty() {
            true => signer,
            false => signer.verifier(credentials.verifier()),
        }
    }

    /// Sets the signature method. Defaults to [`SignatureMethod::HmacSha1`].
    #[must_use]
    pub fn signature_method(mut self, method: SignatureMethod) -> Self {
        self.method = method;
        self.changed()
    }

    /// Sets the placement of the protocol parameters. Defaults to [`SignatureType::Header`].
    #[must_use]
    pub fn signature_type(mut self, placement: SignatureType) -> Self {
        self.placement = placement;
        self.changed()
    }

    /// Sets the realm. It is sent in the header only, not in another placement, and is not signed.
    ///
    /// [RFC 5849 section 3.5.1](https://www.rfc-editor.org/rfc/rfc5849#section-3.5.1)
    #[must_use]
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self.changed()
    }

    /// Includes a hash of each body that is not a form, even of an empty one (`oauth_body_hash`).
    /// The hash is that of the signature method.
    ///
    /// [OAuth Request Body Hash](https://datatracker.ietf.org/doc/html/draft-eaton-oauth-bodyhash-00)
    #[must_use]
    pub fn force_include_body(mut self, include: bool) -> Self {
        self.include_body = include;
        self
    }

    /// Sets `oauth_callback`, for the request for temporary credentials only: the URI that the user
    /// is redirected back to, or `oob`.
    ///
    /// [RFC 5849 section 2.1](https://www.rfc-editor.org/rfc/rfc5849#section-2.1)
    #[must_use]
    pub fn callback(mut self, callback: impl Into<String>) -> Self {
        self.callback = Some(callback.into());
        self.changed()
    }

    /// Sets `oauth_verifier`, for the request for token credentials only;
    /// [`verified`](Self::verified) does so, too.
    ///
    /// [RFC 5849 section 2.3](https://www.rfc-editor.org/rfc/rfc5849#section-2.3)
    #[must_use]
    pub fn verifier(mut self, verifier: impl Into<Secret>) -> Self {
        self.verifier = Some(verifier.into());
        self.changed()
    }

    /// Sets `oauth_session_handle`, for the request that renews token credentials only.
    ///
    /// [OAuth Session Extension](https://oauth.googlecode.com/svn/spec/ext/session/1.0/drafts/1/spec.html)
    #[must_use]
    pub fn session_handle(mut self, session_handle: impl Into<Secret>) -> Self {
        self.session_handle = Some(session_handle.into());
        self.changed()
    }

    /// Fixes the nonce, for tests. Defaults to a new random one for each request.
    #[must_use]
    pub fn nonce(mut self, nonce: impl Into<String>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    /// Fixes the timestamp, in seconds since 1970, for tests.
    #[must_use]
    pub fn timestamp(mut self, timestamp: u64) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// Sets the source of the timestamp. Defaults to the system clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Omits `oauth_version`, which is `1.0` and optional.
    ///
    /// [RFC 5849 section 3.1](https://www.rfc-editor.org/rfc/rfc5849#section-3.1)
    #[must_use]
    pub fn without_version(mut self) -> Self {
        self.version = false;
        self.changed()
    }

    /// Permits PLAINTEXT, which sends the secrets themselves, over plain HTTP to other machines.
    ///
    /// # Security
    ///
    /// Anyone on the network path can read them.
    #[must_use]
    pub fn dangerous_allow_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    /// Permits temporary credentials without `oauth_callback_confirmed=true`, for servers such as
    /// TripIt's, which speak the first version of OAuth 1.0.
    ///
    /// # Security
    ///
    /// In that version a login can be started by an attacker and finished by another user, whose
    /// data the attacker then gets. Tie the callback to the session of the user who was redirected.
    ///
    /// [RFC 5849 section 2.1](https://www.rfc-editor.org/rfc/rfc5849#section-2.1)
    #[must_use]
    pub fn dangerous_allow_unconfirmed_callback(mut self) -> Self {
        self.allow_unconfirmed_callback = true;
        self
    }

    pub(super) fn secrets(&self) -> SigningSecrets<'_> {
        SigningSecrets {
            client_secret: &self.client_secret,
            token_secret: &self.token_secret,
        }
    }

    pub(super) fn prepared(&self) -> &Prepared {
        self.prepared.get_or_init(|| {
            let key = |algorithm| {
                let key = self.secrets().key();
                hmac::Key::new(algorithm, key.expose_secret().as_bytes())
            };
            Prepared {
                hmac_key: self.method.hmac().map(key),
                parameters: ProtocolParameters::new(self),
            }
        })
    }

    fn changed(mut self) -> Self {
        self.prepared = OnceLock::new();
        self
    }
}

/// Redacts secrets, token and verifier.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("client_key", &self.client_key)
            .field("client_secret", &self.client_secret)
            .field("token", &self.token)
            .field("token_secret", &self.token_secret)
            .field("signature_method", &self.method)
            .field("signature_type", &self.placement)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_no_secret() {
        let signer = Signer::new("me")
            .client_secret("hunter2")
            .token("hunter2", "hunter2")
            .verifier("hunter2")
            .callback("https://app.example/?hunter2");
        assert_eq!(
            format!("{signer:?}"),
            "Signer { client_key: \"me\", client_secret: [redacted], token: Some([redacted]), \
             token_secret: [redacted], signature_method: HMAC-SHA1, signature_type: Header, \
             realm: None, .. }"
        );
    }
}
