//! What a refusal by the resource demands of a client: the scope of the login, or an error that names
//! it.

use std::sync::Arc;

use super::{
    super::session::Live,
    established::{Established, requested_for},
    state::{ResourceState, differs},
};
use crate::{
    error::{Error, Result},
    lifecycle::published::Published,
    oauth2::{
        authorization::request::AuthorizationRequest,
        protected_resource::{challenge::ResourceChallenge, scope_set::ScopeSet},
        server::metadata::AuthorizationServer,
    },
    wire::secure_url::without_query,
};

/// Refusal of a request by the resource.
#[derive(Clone, Default)]
pub(in super::super) struct ResourceRefusal {
    pub(in super::super) challenge: ResourceChallenge,
    /// The token that it was sent with.
    pub(in super::super) token: Option<Arc<Published>>,
}

impl Live {
    pub(super) fn has_other(&self, refusal: &ResourceRefusal) -> bool {
        let current = self.slot.published();
        let now = self.shared.settings.clock.unix();
        let current = current.filter(|current| current.is_alive(now));
        differs(current.as_deref(), refusal.token.as_deref())
    }

    /// Checks that the server of a resource supports PKCE.
    ///
    /// "If `code_challenge_methods_supported` is absent, the authorization server does not support
    /// PKCE and MCP clients MUST refuse to proceed."
    pub(in super::super) fn check_pkce(&self, server: &AuthorizationServer) -> Result<()> {
        let methods = server.code_challenge_methods_supported();
        let has_s256 = methods.is_some_and(|methods| methods.contains(&"S256"));
        match has_s256 || self.resource().is_none() {
            true => Ok(()),
            false => Err(Error::usage(
                "the server of the resource does not say that it supports PKCE with S256 \
                 (code_challenge_methods_supported); assume_s256 of the builder says that it does",
            )),
        }
    }

    /// Whether the client can obtain a token by itself: by a grant, or by its user's login.
    pub(super) fn is_attended(&self, resource: &ResourceState) -> bool {
        !self.is_child() && (self.caller().grant.is_some() || resource.settings.login.is_some())
    }

    /// The scope that was requested for the current token, as far as it is known.
    fn requested(&self, resource: &ResourceState) -> ScopeSet {
        let published = self.slot.published();
        let own = published.map(|it| requested_for(&it.token));
        let own = own.unwrap_or_default();
        match self.is_child() {
            true => own,
            false => resource.requested().and(&own),
        }
    }

    /// Checks that another login could help.
    pub(super) fn check_step_up(
        &self,
        resource: &ResourceState,
        refusal: &ResourceRefusal,
    ) -> Result<()> {
        let requested = self.requested(resource);
        let demanded = &refusal.challenge.scope;
        if !demanded.is_empty() && !requested.contains_all(demanded) {
            return Ok(());
        }
        Err(Error::untrusted(format!(
            "the resource {} demands the scope {:?}, which the last login has asked for already; \
             the user or the server has not granted it",
            without_query(&resource.url),
            demanded.to_scope().as_str()
        )))
    }

    /// The scope of the login that the refusal leads to.
    pub(super) fn scope_of_login(
        &self,
        resource: &ResourceState,
        established: &Established,
        server: &AuthorizationServer,
        refusal: &ResourceRefusal,
    ) -> ScopeSet {
        let demanded = &refusal.challenge.scope;
        let requested = self.requested(resource);
        if refusal.challenge.is_insufficient_scope {
            return requested.and(demanded);
        }
        let metadata = resource.settings.metadata.as_ref();
        let grants = metadata.and_then(|metadata| metadata.grant_types());
        let wants_refresh = grants.is_none_or(|grants| grants.contains(&"refresh_token"));
        let own = resource.template.client.scope();
        ScopeSet::of_login(own, demanded, &established.metadata, server, wants_refresh)
            .and(&requested)
    }

    /// The error of a client whose user logs in elsewhere, with what to begin.
    pub(super) fn login_required(
        &self,
        resource: &ResourceState,
        refusal: &ResourceRefusal,
    ) -> Error {
        let Some(established) = resource.established() else {
            return Error::login("the resource demands a login, and its server is not known");
        };
        let server = established.server.clone().unwrap_or_default();
        let scope = self.scope_of_login(resource, &established, &server, refusal);
        Error::login_required(
            format!(
                "the resource {} demands a login at {}; begin it by login_request",
                without_query(&resource.url),
                established.issuer
            ),
            None,
            request(&established, &scope),
        )
    }
}

/// The authorization request for this scope.
pub(super) fn request(established: &Established, scope: &ScopeSet) -> AuthorizationRequest {
    let mut request = AuthorizationRequest::new();
    if !scope.is_empty() {
        request = request.scope(scope.to_scope());
    }
    match established.resource() {
        Some(resource) => request.resource(resource),
        None => request,
    }
}
