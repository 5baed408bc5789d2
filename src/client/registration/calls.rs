//! Registrations at the server of a client: new ones, and what is done with them later.

use super::{
    super::{maybe_async, oauth2::OAuth2Client, session::Live},
    kept::register,
};
use crate::{
    error::Result,
    oauth2::{
        client::{ClientMetadata, RegisteredClient},
        endpoint::registration::{
            configuration::ClientConfigurationEndpoint, request::RegistrationRequest,
        },
        request::EndpointRequest,
        response::EndpointResponse,
    },
};

#[maybe_async]
impl OAuth2Client {
    /// Registers a client at the server, and leaves this one unchanged. Keep the result, and pass it
    /// to `registered_client` of a builder: each registration makes a new client.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/register.md"),
        include_str!("../../../docs/examples/async/register.md")
    )]
    ///
    /// What the metadata do not say is chosen from what the server supports, such as the client
    /// authentication. What the server returns counts, and may differ from what was asked for.
    ///
    /// # Errors
    ///
    /// If the server has no `registration_endpoint` or no issuer, or the metadata cannot be sent;
    /// the error of the server or of the transport. The request is sent once.
    ///
    /// [RFC 7591 section 3](https://www.rfc-editor.org/rfc/rfc7591#section-3)
    pub async fn register(
        &self,
        request: impl Into<RegistrationRequest>,
    ) -> Result<RegisteredClient> {
        let request = request.into();
        let live = self.session.live()?;
        let _passage = live.gate().pass()?;
        let settings = &live.shared.settings;
        let server = live.shared.fetch_server(settings.timeout).await?;
        let endpoint = settings.registration_endpoint(&server)?;
        register(
            &live.shared.transport,
            &endpoint,
            &request,
            settings.timeout,
        )
        .await
    }

    /// Reads a registration at the server. Keep the result instead of what was kept: the server may
    /// have issued another secret or another token. This client goes on with what it was built with,
    /// also if the registration is its own: where the secret has changed, build another one from the
    /// result.
    ///
    /// # Errors
    ///
    /// If the server has sent no `registration_client_uri` or `registration_access_token`, or that
    /// URL cannot be sent a token; the error of the server or of the transport.
    ///
    /// [RFC 7592 section 2.1](https://www.rfc-editor.org/rfc/rfc7592#section-2.1)
    pub async fn read_registration(
        &self,
        registered: &RegisteredClient,
    ) -> Result<RegisteredClient> {
        let live = self.session.live()?;
        let _passage = live.gate().pass()?;
        let endpoint = live.configuration_endpoint(registered)?;
        let request = endpoint.read()?;
        let response = live.ask_configuration(&request).await?;
        let registered = endpoint.read_response(&request, &response)?;
        live.shared.kept_registrations().update(&registered).await?;
        Ok(registered)
    }

    /// Replaces the metadata of a registration at the server; what `metadata` leave out is deleted
    /// there. Begin with [`RegisteredClient::metadata`]. Keep the result instead of what was kept, and
    /// build the client anew if the registration is its own, as after
    /// [`read_registration`](Self::read_registration).
    ///
    /// # Errors
    ///
    /// Those of [`read_registration`](Self::read_registration), and metadata that cannot be sent.
    ///
    /// [RFC 7592 section 2.2](https://www.rfc-editor.org/rfc/rfc7592#section-2.2)
    pub async fn update_registration(
        &self,
        registered: &RegisteredClient,
        metadata: ClientMetadata,
    ) -> Result<RegisteredClient> {
        let live = self.session.live()?;
        let _passage = live.gate().pass()?;
        let endpoint = live.configuration_endpoint(registered)?;
        let request = endpoint.update(metadata)?;
        let response = live.ask_configuration(&request).await?;
        let registered = endpoint.read_response(&request, &response)?;
        live.shared.kept_registrations().update(&registered).await?;
        Ok(registered)
    }

    /// Deletes a registration at the server, and in the `token_store` if that keeps it. The server
    /// usually revokes the tokens of the client, too.
    ///
    /// # Errors
    ///
    /// Those of [`read_registration`](Self::read_registration).
    ///
    /// [RFC 7592 section 2.3](https://www.rfc-editor.org/rfc/rfc7592#section-2.3)
    pub async fn delete_registration(&self, registered: &RegisteredClient) -> Result<()> {
        let live = self.session.live()?;
        let _passage = live.gate().pass()?;
        let endpoint = live.configuration_endpoint(registered)?;
        let request = endpoint.delete()?;
        let response = live.ask_configuration(&request).await?;
        endpoint.read_deletion(&request, &response)?;
        live.shared.kept_registrations().forget(registered).await?;
        Ok(())
    }

    /// Drops the registration of this client from its `token_store`, so that the next login, or the
    /// next `register` of a builder, makes a new one: for a server that does not know the client any
    /// longer, and shows an error page instead of a login. Nothing is sent.
    ///
    /// A client [for a resource](OAuth2Client::for_resource) makes a new one at the next login, and
    /// the tokens of the old one go with it, in memory and in the `token_store`. If its server is not
    /// known yet, that is discovered.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) if the store fails.
    pub async fn forget_registration(&self) -> Result<()> {
        let live = self.session.live()?;
        let _passage = live.gate().pass()?;
        if let Some(resource) = live.resource().cloned() {
            let live = self.session.live()?;
            return resource.forget_registration(&self.session, live).await;
        }
        if let Some(registered) = &live.shared.settings.registered {
            if let Some(anew) = &live.shared.settings.reregistration {
                anew.note_forgotten(registered.client_id());
            }
            live.shared.kept_registrations().forget(registered).await?;
        }
        Ok(())
    }
}

#[maybe_async]
impl Live {
    async fn ask_configuration(&self, request: &EndpointRequest) -> Result<EndpointResponse> {
        let limit = self.shared.settings.timeout;
        let response = self.shared.transport.ask(request, limit).await;
        response.map_err(|error| error.of_call(&request.call()))
    }
}

impl Live {
    fn configuration_endpoint(
        &self,
        registered: &RegisteredClient,
    ) -> Result<ClientConfigurationEndpoint> {
        self.shared.settings.configuration_endpoint(registered)
    }
}
