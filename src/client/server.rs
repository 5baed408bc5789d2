//! The server of a client as it is known: given, or discovered when it is needed.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    Led, boxed,
    documents::{SHARE, cache::DocumentFetch},
    maybe_async,
    settings::DiscoverySettings,
    shared::Shared,
};
use crate::{
    error::{Error, Problems, Result},
    oauth2::{
        TokenEndpoint,
        server::{metadata::AuthorizationServer, profile::Profile, source::ServerSource},
    },
};

/// What discovers a server. Clients lead to it through their settings alone, so that a program whose
/// servers are all given does not contain it.
pub(super) trait Discovers: fmt::Debug + Send + Sync {
    /// The metadata, fetched if they are not known or not current.
    fn discover<'a>(
        &self,
        shared: &'a Shared,
        found: &'a DiscoverySettings,
        limit: Duration,
    ) -> Led<'a, Result<AuthorizationServer>>;

    /// What is known of the server before, beside the metadata that are `given`.
    fn provisional(
        &self,
        found: &DiscoverySettings,
        given: &AuthorizationServer,
    ) -> AuthorizationServer;

    /// Notes what is wrong with the settings of a builder.
    fn check(
        &self,
        found: &DiscoverySettings,
        given: &AuthorizationServer,
        allow_http: bool,
        problems: &mut Problems,
    );

    /// The settings of the client, with the server as it is known.
    fn settled(
        &self,
        found: DiscoverySettings,
        given: &AuthorizationServer,
        server: AuthorizationServer,
        profile: Option<Profile>,
    ) -> DiscoverySettings;
}

/// Discovery by metadata.
#[derive(Debug)]
pub(super) struct ByMetadata;

impl Discovers for ByMetadata {
    fn discover<'a>(
        &self,
        shared: &'a Shared,
        found: &'a DiscoverySettings,
        limit: Duration,
    ) -> Led<'a, Result<AuthorizationServer>> {
        boxed(shared.discover_server(found, limit))
    }

    fn provisional(
        &self,
        found: &DiscoverySettings,
        given: &AuthorizationServer,
    ) -> AuthorizationServer {
        found.provisional(given)
    }

    fn check(
        &self,
        found: &DiscoverySettings,
        given: &AuthorizationServer,
        allow_http: bool,
        problems: &mut Problems,
    ) {
        found.check(given, allow_http, problems);
    }

    fn settled(
        &self,
        found: DiscoverySettings,
        given: &AuthorizationServer,
        server: AuthorizationServer,
        profile: Option<Profile>,
    ) -> DiscoverySettings {
        found.settled(given, server, profile)
    }
}

impl Shared {
    /// The metadata of the server, unless it has not been discovered yet.
    pub(super) fn server(&self) -> Option<AuthorizationServer> {
        match self.settings.discovery {
            Some(_) => self.server.document(),
            None => Some(self.settings.server.clone()),
        }
    }

    /// The same for a method without I/O.
    pub(super) fn known_server(&self) -> Result<AuthorizationServer> {
        self.server().ok_or_else(|| {
            Error::usage(
                "the server has not been discovered yet; call begin_authorization, which does \
                 that, or fetch_server before",
            )
        })
    }
}

#[maybe_async]
impl Shared {
    /// The metadata of the server: discovered if they are not known yet, or fetched again if their
    /// lifetime has ended. If that fails, old ones stay in use.
    ///
    /// They are waited for up to `limit`, which belongs to what they are for; so if there are old ones, no
    /// longer than a part of it.
    pub(super) async fn fetch_server(&self, limit: Duration) -> Result<AuthorizationServer> {
        match &self.settings.discovery {
            None => Ok(self.settings.server.clone()),
            Some(found) => {
                let limit = match self.server() {
                    Some(_) => limit.min(self.settings.timeout / SHARE),
                    None => limit,
                };
                found.by.discover(self, found, limit).await
            }
        }
    }

    /// The token endpoint: made once for a server that is given, and anew for one that is discovered, as
    /// its metadata may change.
    pub(super) async fn token_endpoint(&self) -> Result<Arc<TokenEndpoint>> {
        let settings = &self.settings;
        if settings.discovery.is_none() {
            let make = || settings.token_endpoint(&settings.server).map(Arc::new);
            return self.token_endpoint.get_or_init(make).clone();
        }
        let server = self.fetch_server(settings.timeout).await?;
        settings.token_endpoint(&server).map(Arc::new)
    }

    /// The metadata of the server as they are known, or discovered: for responses of a server that
    /// was asked a moment ago.
    pub(super) async fn known_or_fetched_server(&self) -> Result<AuthorizationServer> {
        match self.server() {
            Some(server) => Ok(server),
            None => self.fetch_server(self.settings.timeout).await,
        }
    }

    async fn discover_server(
        &self,
        found: &DiscoverySettings,
        limit: Duration,
    ) -> Result<AuthorizationServer> {
        let clock = &self.settings.clock;
        let now = clock.now();
        let fetch: DocumentFetch<ServerSource> = DocumentFetch {
            source: self.settings.server_source(found),
            transport: self.transport.clone(),
            clock: clock.clone(),
        };
        let is_current = |server: &AuthorizationServer| server.is_current(now);
        self.server.obtain(fetch, is_current, |_| true, limit).await
    }
}
