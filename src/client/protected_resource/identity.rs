//! The client's own registration at the server of the resource.
//!
//! [RFC 7591](https://www.rfc-editor.org/rfc/rfc7591)

use super::{
    super::{maybe_async, registration::kept::KeptRegistrations},
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
        let (client, registered) = match self.known_client(&found) {
            Some(known) => known,
            None => {
                let registered = self.register(&found).await?;
                (registered.apply_to(template.clone()), Some(registered))
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

    async fn register(&self, found: &FoundServer) -> Result<RegisteredClient> {
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
        }
    }

    /// The client, if it need not be registered.
    fn known_client(
        &self,
        found: &FoundServer,
    ) -> Option<(ClientRegistration, Option<RegisteredClient>)> {
        let template = &self.template.client;
        if !template.client_id().is_empty() {
            self.bind_configured(&found.issuer);
            return Some((self.configured(), None));
        }
        if let Some(registered) = self.registration(&found.issuer) {
            return Some((registered.apply_to(template.clone()), Some(registered)));
        }
        let document = self.settings.document.as_deref()?;
        let is_supported = found.server.client_id_metadata_document_supported();
        is_supported.then(|| (self.by_document(document), None))
    }
}

fn no_client(found: &FoundServer, reason: &str) -> Error {
    Error::usage(format!(
        "the client is not known to the server {:?}: there is no client_id, {reason}; register the \
         client there and pass its client_id, or set client_metadata",
        one_line(&found.issuer)
    ))
}
