//! The settings of a client at a server, and the client that a token belongs to.

use super::{
    super::{
        server::ByMetadata,
        settings::{Bound, DiscoverySettings, Settings},
    },
    discovery::legacy_server,
    established::Established,
    state::ResourceState,
};
use crate::oauth2::{
    client::{ClientRegistration, RegisteredClient},
    client_auth::registered::registered_client_auth,
    protected_resource::{identifier::origin, metadata::ProtectedResource},
    server::{metadata::AuthorizationServer, tenants::is_one_issuer},
    token::Token,
};
use std::sync::Arc;

impl ResourceState {
    /// The settings of a client at the server.
    pub(super) fn settings_of(&self, established: &Established) -> Settings {
        let mut settings = self.template.clone();
        settings.client = established.client.clone();
        settings.registered = established.registered.clone().map(Box::new);
        settings.follow_registration();
        if settings.authentication.token.is_none() {
            settings.authentication.token = established.auth.clone();
        }
        let named = self.named_issuer();
        let is_named = named.is_some_and(|named| is_one_issuer(named, &established.issuer));
        settings.bound = Some(Arc::new(Bound {
            is_named,
            ..established.bound()
        }));
        // The clock of one server says nothing about that of another.
        settings.clock_offset = settings.authorization.clock_offset();
        match (&established.server, established.is_discovered) {
            (Some(server), false) => settings.server = server.clone(),
            (server, _) => {
                settings.discovery = Some(DiscoverySettings {
                    discovery: self.settings.discovery(&established.issuer),
                    guard: self.guard.clone(),
                    by: &ByMetadata,
                    metadata: server.clone(),
                });
                settings.server = AuthorizationServer::default();
            }
        }
        settings
    }

    /// The client to which a token belongs, if it is known and can still be used.
    ///
    /// A registration that the store keeps may be newer than that of the token.
    pub(super) fn owner_of(
        &self,
        token: &Token,
        kept: Option<RegisteredClient>,
    ) -> Option<Established> {
        let member = token.get(Bound::MEMBER)?;
        let issuer = member.get("issuer")?.as_str()?;
        let client_id = member.get("client_id")?.as_str()?;
        let resource = member.get("resource")?.as_str()?;
        if !self.settings.rule.permits(resource, &self.url) {
            return None;
        }
        let template = &self.template.client;
        let configured = Some(template.client_id()).filter(|id| !id.is_empty());
        let (client, registered) = match (configured, self.settings.document.as_deref()) {
            (Some(configured), _) => {
                let known = self.configured_issuer();
                let is_own = configured == client_id
                    && known.is_none_or(|known| is_one_issuer(&known, issuer));
                is_own.then(|| (self.configured(), None))?
            }
            (None, Some(document)) if document == client_id => (self.by_document(document), None),
            (None, _) => {
                let is_it = |registered: &RegisteredClient| {
                    registered.issuer() == issuer && registered.client_id() == client_id
                };
                let own = || {
                    let registered = member.get("registration")?.clone();
                    serde_json::from_value(registered).ok().filter(is_it)
                };
                let is_known = |registered: &RegisteredClient| !self.has_forgotten(registered);
                let registered = kept.filter(is_it).or_else(own).filter(is_known)?;
                (registered.apply_to(template.clone()), Some(registered))
            }
        };
        let is_legacy = member.get(Established::LEGACY) == Some(&true.into())
            && self.settings.mcp_2025_03_26
            && issuer == origin(&self.url);
        Some(Established {
            issuer: issuer.to_owned(),
            server: is_legacy.then(|| legacy_server(issuer)),
            is_discovered: !is_legacy,
            client: client.with_resource(resource),
            auth: registered.as_ref().and_then(registered_client_auth),
            registered,
            metadata: ProtectedResource::new(resource),
        })
    }

    /// The registration of a client that a document describes.
    pub(super) fn by_document(&self, document: &str) -> ClientRegistration {
        self.configured().with_client_id(document)
    }

    /// The registration as it is configured, with the redirection URIs of the client's metadata if
    /// there are no others.
    pub(super) fn configured(&self) -> ClientRegistration {
        let client = self.template.client.clone();
        let uris = self.settings.metadata.as_ref();
        let uris = uris.and_then(|metadata| metadata.redirect_uris());
        match uris.filter(|_| client.redirect_uris().is_empty()) {
            Some(uris) => client.with_redirect_uris(uris),
            None => client,
        }
    }
}
