//! The server of a client: its keys.

use super::super::{keys::Unverified, maybe_async, oauth2::client::OAuth2Client};
use crate::{
    error::Result,
    jose::{Algorithm, Claims, Jws},
    oidc::key_set::KeySet,
};

impl OAuth2Client {
    /// The keys of the server, once they have been fetched; children share them. Serialise them to
    /// save the next process a request, which passes them to `key_set` of its builder.
    ///
    /// [OpenID Connect Core section 10.1.1](https://openid.net/specs/openid-connect-core-1_0.html#RotateSigKeys)
    pub fn key_set(&self) -> Option<KeySet> {
        self.session.live().ok()?.shared.keys.document()
    }
}

#[maybe_async]
impl OAuth2Client {
    /// Returns the keys of the server: those in memory, or fetched from its `jwks_uri` if there are
    /// none yet or their lifetime has ended. One request serves any number of callers.
    ///
    /// # Errors
    ///
    /// If the server has no `jwks_uri`; the error of the server or of the transport, unless old keys
    /// can stay in use.
    ///
    /// [OpenID Connect Core section 10.1.1](https://openid.net/specs/openid-connect-core-1_0.html#RotateSigKeys)
    pub async fn fetch_key_set(&self) -> Result<KeySet> {
        let live = self.session.live()?;
        let _passage = live.gate().pass()?;
        live.keys(live.deadline()).await
    }

    /// Verifies that the server has signed `token`, by one of the `allowed` algorithms, and returns
    /// its claims, which are not validated: that is up to
    /// [`Claims::validate`](crate::jose::Claims::validate).
    ///
    /// The keys of the server are fetched if there are none yet, and again if none of them fits the
    /// token or the one that does has not signed it: at most once, and not within a minute after the
    /// last time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Answer`](crate::ErrorKind::Answer) if the server has not signed it; the error of
    /// the server or of the transport if the keys cannot be fetched.
    ///
    /// [RFC 7515 section 5.2](https://www.rfc-editor.org/rfc/rfc7515#section-5.2)
    pub async fn verify_signature(&self, token: &str, allowed: &[Algorithm]) -> Result<Claims> {
        let live = self.session.live()?;
        let _passage = live.gate().pass()?;
        let jws = Jws::parse(token)?;
        let verified = live.verify(&jws, allowed, live.deadline()).await;
        Claims::from_slice(&verified.map_err(Unverified::into_error)?)
    }
}
