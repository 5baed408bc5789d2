//! Settings of a client for a protected resource.

use std::{sync::Arc, time::Duration};

use reqwest::Url;

use super::super::LogIn;
use crate::{
    error::Problems,
    oauth2::{
        client::{ClientMetadata, document::check_document_url},
        protected_resource::{identifier::ResourceMatch, metadata::ProtectedResource},
        server::{address::AddressGuard, discovery::Discovery},
    },
    secret::Secret,
    wire::secure_url::check_endpoint,
};

/// The user's choice among the authorization servers of a resource.
type ChooseServer = Arc<dyn Fn(&ProtectedResource) -> Option<String> + Send + Sync>;

/// Settings of a client for a protected resource.
#[derive(Clone)]
pub(in super::super) struct ResourceSettings {
    pub(in super::super) url: String,
    pub(in super::super) rule: ResourceMatch,
    pub(in super::super) document: Option<String>,
    pub(in super::super) metadata: Option<ClientMetadata>,
    pub(in super::super) initial_access_token: Option<Secret>,
    pub(in super::super) choose_server: Option<ChooseServer>,
    pub(in super::super) login: Option<ResourceLogin>,
    pub(in super::super) mcp_2025_03_26: bool,
    pub(in super::super) assume_s256: bool,
    pub(in super::super) allow_private: bool,
}

/// Method by which the user logs in, and the longest time that it takes.
#[derive(Clone)]
pub(in super::super) struct ResourceLogin {
    pub(in super::super) log_in: LogIn,
    pub(in super::super) limit: Duration,
}

impl ResourceSettings {
    pub(in super::super) fn new(url: String) -> Self {
        Self {
            url,
            rule: ResourceMatch::default(),
            document: None,
            metadata: None,
            initial_access_token: None,
            choose_server: None,
            login: None,
            mcp_2025_03_26: false,
            assume_s256: false,
            allow_private: false,
        }
    }

    /// The checked URL of the resource, or what is wrong with it.
    pub(in super::super) fn url(&self, allow_http: bool) -> Result<Url, String> {
        let without_fragment = self.url.split('#').next().unwrap_or_default();
        check_endpoint(without_fragment, allow_http)
    }

    /// The guard of all requests but those to the resource itself.
    pub(in super::super) fn guard(&self, url: &Url) -> AddressGuard {
        AddressGuard::of_resource(url, self.allow_private)
    }

    pub(in super::super) fn discovery(&self, issuer: &str) -> Discovery {
        let mut discovery = Discovery::of_resource(issuer);
        discovery.assume_s256 = self.assume_s256;
        discovery.allow_private = self.allow_private;
        discovery
    }

    pub(in super::super) fn check(&self, allow_http: bool, problems: &mut Problems) {
        if let Err(problem) = self.url(allow_http) {
            problems.add("the URL of the resource", &problem);
        }
        if let Some(Err(error)) = self.document.as_deref().map(check_document_url) {
            problems.add(
                "client_metadata_document",
                &format!("cannot be used: {error}"),
            );
        }
    }
}
