//! What a refusal by the resource demands of a client: the scope of the login, or an error that names
//! it.

use super::{
    super::{
        session::{Live, ResourceRefusal},
        settings::Bound,
    },
    established::{Established, requested_for},
    state::{ResourceState, differs},
};
use crate::{
    error::{Error, Result},
    oauth2::{
        authorization::request::AuthorizationRequest, protected_resource::scope_set::ScopeSet,
        scope::Scope, server::metadata::AuthorizationServer, token::Token,
    },
    wire::secure_url::without_query,
};

impl ResourceRefusal {
    /// The scope of the refused token, as far as it is of this server.
    fn requested_at(&self, issuer: &str) -> ScopeSet {
        let token = self.token.as_ref().map(|refused| &refused.token);
        let is_own = |token: &&Token| Bound::issuer_of(token).is_none_or(|own| own == issuer);
        token.filter(is_own).map(requested_for).unwrap_or_default()
    }
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

    /// Checks that a login for more scope could help.
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
        let requested = requested.and(&refusal.requested_at(&established.issuer));
        let own = resource.template.client.scope();
        // Where nothing is known to have been asked for, the login is as the first one.
        let is_known = !requested.is_empty() || refusal.challenge.is_insufficient_scope;
        if refusal.is_step_up() && is_known {
            let own = own.filter(|_| refusal.login.is_some()).map(Scope::as_str);
            let scope = requested.and(demanded);
            return scope.and(&ScopeSet::of(own.unwrap_or_default()));
        }
        let metadata = resource.settings.metadata.as_ref();
        let grants = metadata.and_then(|metadata| metadata.grant_types());
        let wants_refresh = grants.is_none_or(|grants| grants.contains(&"refresh_token"));
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
        let what = match &refusal.login {
            Some(_) => "another authentication of the user",
            None => "a login",
        };
        let with_scope = match scope.is_empty() {
            true => String::new(),
            false => format!(" with the scope {:?}", scope.to_scope().as_str()),
        };
        Error::login_required(
            format!(
                "the resource {} demands {what} at {}{with_scope}; begin it by login_request",
                without_query(&resource.url),
                established.issuer
            ),
            refusal.login.clone(),
            request(&established, &scope, refusal),
        )
    }
}

/// The authorization request for this scope, and for the authentication that is demanded.
pub(super) fn request(
    established: &Established,
    scope: &ScopeSet,
    refusal: &ResourceRefusal,
) -> AuthorizationRequest {
    let mut request = AuthorizationRequest::new();
    if !scope.is_empty() {
        request = request.scope(scope.to_scope());
    }
    if let Some(resource) = established.resource() {
        request = request.resource(resource);
    }
    match &refusal.login {
        Some(challenge) => request.challenge(challenge),
        None => request,
    }
}
