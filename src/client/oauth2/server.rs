//! The server of a client: its keys.

use super::super::{boxed, keys::Unverified, maybe_async, oauth2::client::OAuth2Client};
use crate::{
    error::Result,
    jose::{Algorithm, Claims, Jws},
    oauth2::server::metadata::AuthorizationServer,
    oidc::key_set::KeySet,
};

impl OAuth2Client {
    /// The metadata of the server; none after `close`, nor before a server that is discovered later
    /// has been discovered. Nothing is sent. With a [`profile`](crate::oauth2::Profile), lists of the
    /// algorithms by which the server signs have only those that the profile permits.
    ///
    /// [RFC 8414 section 2](https://www.rfc-editor.org/rfc/rfc8414#section-2)
    pub fn server(&self) -> Option<AuthorizationServer> {
        self.session.live().ok()?.shared.server()
    }

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
    /// Returns the metadata of the server: discovered if they are not known yet, or fetched again
    /// if their lifetime has ended. One request serves any number of callers.
    ///
    /// # Errors
    ///
    /// The error of the server or of the transport, unless old metadata can stay in use;
    /// [`ErrorKind::Answer`](crate::ErrorKind::Answer) if the metadata are those of another issuer,
    /// or name endpoints that no request may be sent to.
    ///
    /// [RFC 8414 section 3](https://www.rfc-editor.org/rfc/rfc8414#section-3)
    pub async fn fetch_server(&self) -> Result<AuthorizationServer> {
        let live = boxed(self.session.established()).await?;
        let _passage = live.gate().pass()?;
        live.shared.fetch_server(live.deadline().left()).await
    }

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
        let live = boxed(self.session.discovered()).await?;
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
        let live = boxed(self.session.discovered()).await?;
        let _passage = live.gate().pass()?;
        let jws = Jws::parse(token)?;
        let verified = live.verify(&jws, allowed, live.deadline()).await;
        Claims::from_slice(&verified.map_err(Unverified::into_error)?)
    }
}
