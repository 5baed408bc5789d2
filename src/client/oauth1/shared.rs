//! Settings and connections that an OAuth 1.0 client shares with its children.

use std::{sync::Arc, time::Duration};

use reqwest::Url;

use super::super::transport::Transport;
use crate::{
    error::{Error, Result},
    oauth1::{CredentialsHook, Signer, TemporaryCredentials, TokenCredentials},
};

/// Connections and settings that a client shares with its children.
pub(in super::super) struct SignedShared {
    pub(in super::super) settings: SignedSettings,
    pub(in super::super) transport: Transport,
}

pub(in super::super) struct SignedSettings {
    pub(in super::super) client_key: String,
    /// Signs without a token.
    pub(in super::super) signer: Signer,
    pub(in super::super) request_token_endpoint: Option<Url>,
    pub(in super::super) authorization_endpoint: Option<Url>,
    pub(in super::super) access_token_endpoint: Option<Url>,
    pub(in super::super) callback: String,
    pub(in super::super) timeout: Duration,
    pub(in super::super) follow_redirects: bool,
    pub(in super::super) hooks: Vec<CredentialsHook>,
}

/// Connections, settings and signer for one request.
pub(in super::super) struct OpenSession {
    pub(in super::super) shared: Arc<SignedShared>,
    pub(in super::super) signer: Arc<Signer>,
}

impl SignedSettings {
    pub(in super::super) fn authorization_url(
        &self,
        temporary: &TemporaryCredentials,
    ) -> Result<Url> {
        let endpoint = configured(&self.authorization_endpoint, "authorization_endpoint")?;
        temporary.checked_authorization_url(endpoint.clone())
    }
}

/// Signs with the token, if there is one.
pub(super) fn signer(shared: &SignedShared, token: Option<&TokenCredentials>) -> Arc<Signer> {
    let signer = shared.settings.signer.clone();
    Arc::new(match token {
        Some(token) => signer.credentials(token),
        None => signer,
    })
}

/// The endpoint, or an error that names its setting.
pub(super) fn configured<'a>(url: &'a Option<Url>, name: &str) -> Result<&'a Url> {
    url.as_ref()
        .ok_or_else(|| Error::usage(format!("there is no {name}; set it on the builder")))
}
