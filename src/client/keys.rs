//! Keys of the server, and the signatures that it made with them.

use reqwest::Url;

use super::{
    documents::cache::DocumentFetch, maybe_async, session::Live, shared::Shared, waiting::Deadline,
};
use crate::{
    error::{Error, Result},
    jose::{Algorithm, JwkSet, Jws},
    oidc::key_set::{KeyDecision, KeySet, KeySource},
};

/// Reason for which a token of the server was not verified.
#[derive(Clone, Debug)]
pub(super) enum Unverified {
    /// The keys could not be fetched, so that nothing is known of the token.
    KeysOutOfReach(Error),
    /// The token is not by the server, or not by an algorithm that is allowed.
    Refused(Error),
}

impl Unverified {
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::KeysOutOfReach(error) | Self::Refused(error) => error,
        }
    }
}

impl From<Error> for Unverified {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<Unverified> for Error {
    fn from(unverified: Unverified) -> Self {
        unverified.into_error()
    }
}

#[maybe_async]
impl Live {
    /// The keys of the server: those in memory, or fetched if there are none or their lifetime has
    /// ended. If that fails, old ones stay in use.
    pub(super) async fn keys(&self, deadline: Deadline) -> Result<KeySet> {
        let server = self.shared.fetch_server(deadline.left()).await?;
        let url = self.shared.settings.jwks_uri(&server)?;
        let now = self.shared.settings.clock.now();
        let is_current = |keys: &KeySet| keys.is_current(&url, now);
        let is_usable = |keys: &KeySet| keys.is_of(&url);
        self.fetch_keys(&url, is_current, is_usable, deadline).await
    }

    /// Other keys than `old`, which did not fit a token.
    async fn other_keys(&self, old: &KeySet, deadline: Deadline) -> Result<KeySet> {
        let server = self.shared.fetch_server(deadline.left()).await?;
        let url = self.shared.settings.jwks_uri(&server)?;
        // Another caller may have fetched them, or tried to, meanwhile.
        let is_current = |keys: &KeySet| keys.is_of(&url) && !keys.is_same_fetch(old);
        self.fetch_keys(&url, is_current, |_| false, deadline).await
    }

    async fn fetch_keys(
        &self,
        jwks_uri: &Url,
        is_current: impl Fn(&KeySet) -> bool + Send + Sync,
        is_usable: impl Fn(&KeySet) -> bool + Send + Sync,
        deadline: Deadline,
    ) -> Result<KeySet> {
        let Shared {
            settings,
            transport,
            keys,
            ..
        } = &*self.shared;
        let source = KeySource {
            jwks_uri: jwks_uri.clone(),
            clock: settings.clock.clone(),
        };
        let fetch = DocumentFetch {
            source,
            transport: transport.clone(),
            clock: settings.clock.clone(),
        };
        keys.obtain(fetch, is_current, is_usable, deadline.left())
            .await
    }

    /// Verifies the signature of a token of the server, and returns the payload. The keys are
    /// fetched again at most once, if none of them fits or the one that does has not signed it.
    ///
    /// [OpenID Connect Core section 10.1.1](https://openid.net/specs/openid-connect-core-1_0.html#RotateSigKeys)
    pub(super) async fn verify(
        &self,
        jws: &Jws<'_>,
        allowed: &[Algorithm],
        deadline: Deadline,
    ) -> Result<Vec<u8>, Unverified> {
        if !allowed.contains(&jws.header().algorithm()) {
            // Nothing is fetched for it.
            let refused = jws
                .verify_with(&JwkSet::default(), allowed)
                .map(<[u8]>::to_vec);
            return refused.map_err(Unverified::Refused);
        }
        let clock = &self.shared.settings.clock;
        let mut keys = self
            .keys(deadline)
            .await
            .map_err(Unverified::KeysOutOfReach)?;
        let mut verified = keys.verify(jws, allowed).map(<[u8]>::to_vec);
        if verified.is_err() && keys.decide_after_failure(clock.now()) == KeyDecision::Refetch {
            let other = self.other_keys(&keys, deadline).await;
            keys = other.map_err(Unverified::KeysOutOfReach)?;
            verified = keys.verify(jws, allowed).map(<[u8]>::to_vec);
        }
        verified.map_err(|error| match keys.has_failed(clock.now()) {
            true => Unverified::KeysOutOfReach(error),
            false => Unverified::Refused(error),
        })
    }
}
