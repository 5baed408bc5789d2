//! Settings of a server that is discovered.

use reqwest::Url;

use super::super::{Discovers, transport::Guard};
use crate::{
    clock::Clock,
    error::Problems,
    oauth2::server::{
        address::AddressGuard,
        discovery::Discovery,
        metadata::AuthorizationServer,
        profile::{FollowedProfile, Profile},
        source::{Progress, ServerSource},
    },
};

/// Settings of a server that is discovered.
#[derive(Clone, Debug)]
pub(in super::super) struct DiscoverySettings {
    pub(in super::super) discovery: Discovery,
    pub(in super::super) guard: Guard,
    pub(in super::super) by: &'static dyn Discovers,
    /// Metadata that were fetched before the client was built.
    pub(in super::super) metadata: Option<AuthorizationServer>,
}

impl DiscoverySettings {
    pub(in super::super) fn new(discovery: Discovery, by: &'static dyn Discovers) -> Self {
        let guard = match discovery.public_only {
            true => AddressGuard::of_stranger(),
            false => AddressGuard::new(discovery.allow_private),
        };
        // An invalid one is reported by build, or when it is used: so is plain HTTP, which a later
        // setting may permit.
        if let (Ok(url), false) = (discovery.url(true), discovery.public_only) {
            guard.trust(&url);
        }
        Self {
            guard: Guard::new(guard),
            by,
            discovery,
            metadata: None,
        }
    }

    /// Trusts the hosts that the calling code names for single endpoints.
    pub(in super::super) fn trust(&self, given: &AuthorizationServer) {
        for (_, url) in given.urls() {
            self.guard.addresses.trust(url);
        }
        for (_, url) in given.alias_urls() {
            self.guard.addresses.trust(&url);
        }
    }

    pub(in super::super) fn source(
        &self,
        given: AuthorizationServer,
        allow_http: bool,
        clock: Clock,
        profile: Option<FollowedProfile>,
    ) -> ServerSource {
        ServerSource {
            profile,
            discovery: self.discovery.clone(),
            given,
            guard: self.guard.addresses.clone(),
            allow_http,
            clock,
            progress: Progress::default(),
        }
    }

    /// The metadata as far as they are known, with what the calling code sets. For the checks of
    /// other settings, the issuer stands in for what is not known yet.
    pub(in super::super) fn provisional(&self, given: &AuthorizationServer) -> AuthorizationServer {
        let metadata = self.metadata.clone().unwrap_or_else(|| {
            let issuer = self.discovery.expected_issuer().issuer;
            let endpoint = Url::parse(&issuer)
                .map(Url::into)
                .unwrap_or_else(|_| issuer.clone());
            AuthorizationServer::new(issuer).with_token_endpoint(endpoint)
        });
        metadata.overridden_by(given)
    }

    /// Notes the problems of the discovery itself, beside the metadata that are `given`.
    pub(in super::super) fn check(
        &self,
        given: &AuthorizationServer,
        allow_http: bool,
        problems: &mut Problems,
    ) {
        if let Err(problem) = self.discovery.url(allow_http) {
            problems.add("the issuer to discover", &problem);
        }
        let expected = self.discovery.expected_issuer().issuer;
        let other = given.issuer().filter(|issuer| *issuer != expected);
        if other.is_some() {
            problems.add(
                "issuer",
                "differs from that of the discovered server; leave it out, or name it by \
                 Discovery::expect_issuer",
            );
        }
    }

    /// The settings of the client, whose server is known by now if its metadata are.
    pub(in super::super) fn settled(
        self,
        given: &AuthorizationServer,
        server: AuthorizationServer,
        profile: Option<Profile>,
    ) -> Self {
        self.trust(given);
        let metadata = self.metadata.is_some().then_some(server);
        let metadata = match profile {
            Some(profile) => metadata.map(|server| profile.narrowed(server)),
            None => metadata,
        };
        Self { metadata, ..self }
    }
}
