//! The client's own registration at the server of the resource.
//!
//! [RFC 7591](https://www.rfc-editor.org/rfc/rfc7591)

use super::{
    super::{
        maybe_async,
        registration::kept::{KeptRegistrations, ObtainedRegistration},
    },
    discovery::FoundServer,
    established::Established,
    state::ResourceState,
};
use crate::{
    error::{Error, Result, one_line},
    oauth2::{
        client::{ClientRegistration, RegisteredClient},
        client_auth::registered::registered_client_auth,
        endpoint::registration::{endpoint::RegistrationEndpoint, request::RegistrationRequest},
        protected_resource::metadata::ProtectedResource,
    },
};

#[maybe_async]
impl ResourceState {
    /// The client at this server: as it is configured, or was registered before, or as its document
    /// says, or as it is registered now.
    pub(super) async fn established_at(
        &self,
        found: FoundServer,
        metadata: ProtectedResource,
        resource: &str,
    ) -> Result<Established> {
        let template = &self.template.client;
        let (client, registered) = match self.configured_client(&found) {
            Some(configured) => (configured, None),
            None => {
                let registered = self.registered_or_document(&found).await?;
                let client = match &registered {
                    Some(registered) => registered.apply_to(template.clone()),
                    None => self.by_document(self.settings.document.as_deref().unwrap_or_default()),
                };
                (client, registered)
            }
        };
        let FoundServer {
            issuer,
            server,
            is_discovered,
        } = found;
        Ok(Established {
            issuer,
            server: Some(server),
            is_discovered,
            client: client.with_resource(resource),
            auth: registered.as_ref().and_then(registered_client_auth),
            registered,
            metadata,
        })
    }

    /// The registration of the client, in the order of what it was registered as before, its
    /// document, for which there is none, and a new one.
    async fn registered_or_document(
        &self,
        found: &FoundServer,
    ) -> Result<Option<RegisteredClient>> {
        if let Some(registered) = self.registration(&found.issuer) {
            return Ok(Some(registered));
        }
        if self.settings.document.is_some() && found.server.client_id_metadata_document_supported()
        {
            let kept = self.kept_registrations().load(&found.issuer).await?;
            return Ok(kept.filter(|kept| self.is_usable(kept)));
        }
        let ObtainedRegistration { registered, is_new } = self.register(found).await?;
        if let Some(anew) = self.template.reregistration.as_ref().filter(|_| is_new) {
            anew.note_registration(registered.client_id());
        }
        Ok(Some(registered))
    }

    async fn register(&self, found: &FoundServer) -> Result<ObtainedRegistration> {
        let Some(metadata) = self.client_metadata() else {
            return Err(no_client(found, "and client_metadata is not set"));
        };
        if found.server.registration_endpoint().is_none()
            && self
                .kept_registrations()
                .load(&found.issuer)
                .await?
                .is_none()
        {
            return Err(no_client(found, "and it registers no clients"));
        }
        let mut request = RegistrationRequest::new(metadata);
        if let Some(token) = &self.settings.initial_access_token {
            request = request.initial_access_token(token.clone());
        }
        let endpoint = RegistrationEndpoint::with_http(&found.server, self.template.allow_http());
        let endpoint = endpoint.map(|endpoint| endpoint.clock(self.template.clock.clone()));
        let issuer = &found.issuer;
        self.kept_registrations()
            .obtain(&self.transport, endpoint, issuer, &request)
            .await
    }
}

impl ResourceState {
    /// The registrations that the token store keeps.
    pub(super) fn kept_registrations(&self) -> KeptRegistrations {
        KeptRegistrations {
            store: self.template.store.clone(),
            clock: self.template.clock.clone(),
            timeout: self.template.timeout,
            mark: None,
        }
    }

    /// The client as the calling code configures it, if it does.
    fn configured_client(&self, found: &FoundServer) -> Option<ClientRegistration> {
        let is_configured = !self.template.client.client_id().is_empty();
        is_configured.then(|| {
            self.bind_configured(&found.issuer);
            self.configured()
        })
    }
}

fn no_client(found: &FoundServer, reason: &str) -> Error {
    Error::usage(format!(
        "the client is not known to the server {:?}: there is no client_id, {reason}; register the \
         client there and pass its client_id, or set client_metadata",
        one_line(&found.issuer)
    ))
}
