//! Token requests.
//!
//! [RFC 6749 section 4](https://www.rfc-editor.org/rfc/rfc6749#section-4)

use std::borrow::Cow;

use url::Url;

use super::{EndpointRequest, Exchange, Outstanding};
use crate::{
    clock::Clock,
    jose::SigningInput,
    oauth2::{
        client::ClientRegistration, dpop::binding::Binding, scope::Scope,
        server::AuthorizationServer,
    },
    secret::Secret,
    wire::form::Form,
};

/// Token request to which a [`Grant`](crate::oauth2::Grant) adds its parameters.
///
/// [RFC 6749 section 3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.2)
#[derive(Debug)]
pub struct TokenRequest<'a> {
    pub(crate) request: &'a mut EndpointRequest,
}

impl TokenRequest<'_> {
    /// The authorization server.
    pub fn server(&self) -> &AuthorizationServer {
        self.request.server()
    }

    /// The registration of the client at the server.
    pub fn registration(&self) -> &ClientRegistration {
        self.request.registration()
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        self.request.clock()
    }

    /// The client's identifier.
    pub fn client_id(&self) -> &str {
        self.registration().client_id()
    }

    /// The token endpoint.
    pub fn token_endpoint(&self) -> &Url {
        self.request.url()
    }

    /// The server's issuer identifier, if it is known.
    pub fn issuer(&self) -> Option<&str> {
        self.server().issuer()
    }

    /// The client's scope, if it has one.
    pub fn scope(&self) -> Option<&Scope> {
        self.registration().scope()
    }

    /// The client's redirection URI, if it has one.
    pub fn redirect_uri(&self) -> Option<&str> {
        self.registration().redirect_uri()
    }

    /// Adds a parameter.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Secret>) {
        self.request.form_mut().push(name, value);
    }

    /// Adds a token as the parameter `name`, to be signed by the
    /// [`external_key`](ClientRegistration::external_key).
    pub fn sign_externally(&mut self, name: impl Into<Cow<'static, str>>, input: SigningInput) {
        self.request.sign_externally(name, input);
    }

    /// Leaves a parameter to be supplied later.
    pub(crate) fn complete_later(&mut self, outstanding: Outstanding) {
        self.request.complete_later(outstanding);
    }

    /// Says that no user has a part in the grant, and that none can help if it is refused.
    pub(crate) fn set_unattended(&mut self) {
        self.request.set_unattended();
    }

    /// Says what the token in the response has to be.
    pub(crate) fn expect_exchanged(&mut self, exchange: Exchange) {
        self.request.expect_exchanged(exchange);
    }

    /// Binds what the grant exchanges to a DPoP key.
    pub(crate) fn bind(&mut self, binding: Option<Binding>) {
        self.request.bind(binding);
    }

    /// Adds parameters.
    pub fn extend(&mut self, parameters: &Form) {
        self.request.form_mut().extend(parameters);
    }

    /// Adds `scope` or else the client's own, and the client's resources unless the grant has added
    /// one.
    pub fn push_scope_and_resource(&mut self, scope: Option<&Scope>) {
        self.push_scope(
            scope
                .or(self.request.registration.scope())
                .cloned()
                .as_ref(),
        );
        self.push_resource();
    }

    /// Adds `scope`, if there is one.
    pub(crate) fn push_scope(&mut self, scope: Option<&Scope>) {
        if let Some(scope) = scope.filter(|scope| !scope.is_empty()) {
            self.push("scope", scope.as_str().to_owned());
        }
    }

    /// Adds the client's resources unless the grant has added one.
    ///
    /// [RFC 8707 section 2.2](https://www.rfc-editor.org/rfc/rfc8707#section-2.2)
    pub fn push_resource(&mut self) {
        if self.request.form.value("resource").is_none() {
            for resource in self.request.registration.resource() {
                self.request.form.push("resource", resource.as_str());
            }
        }
    }
}
