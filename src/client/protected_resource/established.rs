//! The client at the server of the resource.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::super::settings::Bound;
use crate::oauth2::{
    client::{ClientRegistration, RegisteredClient},
    client_auth::ClientAuth,
    protected_resource::{metadata::ProtectedResource, scope_set::ScopeSet},
    server::metadata::AuthorizationServer,
    token::Token,
};

/// Client at the server of the resource.
pub(in super::super) struct Established {
    pub(super) issuer: String,
    pub(super) server: Option<AuthorizationServer>,
    /// Whether the server's metadata can be fetched again.
    pub(super) is_discovered: bool,
    pub(super) client: ClientRegistration,
    pub(super) auth: Option<Arc<dyn ClientAuth>>,
    pub(super) registered: Option<RegisteredClient>,
    pub(super) metadata: ProtectedResource,
}

impl Established {
    /// Member of what a token carries: the server has no metadata, and its endpoints are where MCP
    /// placed them once.
    pub(super) const LEGACY: &str = "legacy";

    /// The identifier of the resource, as it is sent to the server.
    pub(super) fn resource(&self) -> Option<&str> {
        self.client.resource().first().map(String::as_str)
    }

    /// Whether the client has to be registered anew.
    pub(super) fn has_expired_at(&self, now: Duration) -> bool {
        let registered = self.registered.as_ref();
        registered.is_some_and(|registered| registered.has_expired_by(now))
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.issuer == other.issuer
            && self.client.client_id() == other.client.client_id()
            && self.client.client_secret() == other.client.client_secret()
            && self.client.resource() == other.client.resource()
            && self.client.redirect_uris() == other.client.redirect_uris()
    }

    /// What each token of this client carries, so that it is never sent to another server.
    pub(super) fn bound(&self) -> Bound {
        let mut member = json!({
            "issuer": self.issuer,
            "client_id": self.client.client_id(),
            "resource": self.resource(),
        });
        if !self.is_discovered {
            member[Self::LEGACY] = true.into();
        }
        if let Some(registered) = &self.registered {
            member["registration"] = serde_json::to_value(registered).unwrap_or(Value::Null);
            if let Some(members) = member["registration"].as_object_mut() {
                // What changes the registration has no business in each token.
                members.remove("registration_access_token");
                members.remove("registration_client_uri");
            }
        }
        Bound {
            issuer: self.issuer.clone(),
            is_named: false,
            member,
        }
    }
}

/// The scope that was requested for a token, as far as it is known: what it was granted, and what
/// its login has asked for. "OPTIONAL, if identical to the scope requested by the client."
///
/// [RFC 6749 section 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)
pub(super) fn requested_for(token: &Token) -> ScopeSet {
    let asked = ScopeSet::of(token.login_scope().unwrap_or_default());
    ScopeSet::of(token.scope().unwrap_or_default()).and(&asked)
}
