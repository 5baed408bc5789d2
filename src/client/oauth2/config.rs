//! Settings of an OAuth 2.0 client from its builder, with every problem by name.

use std::sync::Arc;

use reqwest::Method;
use serde_json::Value;

use super::super::{
    oauth2::builder::OAuth2ClientBuilder,
    session::Session,
    settings::{DiscoverySettings, Problems, Reregistration, Settings},
};
use crate::{
    error::Result,
    oauth2::{
        client_auth::{default_method::default_client_auth, offered::check_offered},
        server::metadata::AuthorizationServer,
    },
    secret::Secret,
};

/// Endpoints that a client calls.
const ENDPOINTS: [&str; 8] = [
    "pushed_authorization_request_endpoint",
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "device_authorization_endpoint",
    "userinfo_endpoint",
    "end_session_endpoint",
];

/// Client of whose token that of another one is made.
pub(in super::super) struct TokenSource {
    pub(in super::super) session: Session,
    /// Whether the grant sends its token.
    pub(in super::super) is_used: bool,
}

impl OAuth2ClientBuilder {
    /// The settings, if all of them are valid.
    pub(in super::super) fn settings(&self) -> Result<Settings> {
        let mut problems = Problems::default();
        let server = match &self.discovery {
            Some(found) => found.provisional(&self.server),
            None => self.server.clone(),
        };
        for setting in &self.misplaced {
            problems.add(setting, "is a setting of OAuth2Client::for_resource alone");
        }
        match &self.resource {
            Some(resource) => (resource.check)(self, &resource.settings, &mut problems),
            None => self.check(&server, &mut problems),
        }
        self.check_discovery(&mut problems);
        self.registering.check(self.registers(), &mut problems);
        self.http
            .check_endpoints(&server, &ENDPOINTS, &mut problems);
        problems.result()?;
        let (given, client) = (self.server.clone(), self.client.clone());
        let discovery = self.discovery.clone().map(|found| {
            found.trust(&given);
            let metadata = found.metadata.is_some().then_some(server);
            let metadata = match self.authorization.profile {
                Some(profile) => metadata.map(|server| profile.narrowed(server)),
                None => metadata,
            };
            DiscoverySettings { metadata, ..found }
        });
        let server = given;
        let mut settings = Settings::new(server, client, &self.tokens, &self.http);
        settings.discovery = discovery;
        settings.authentication = self.authentication.clone();
        settings.key_set = self.key_set.clone();
        settings.openid = self.openid.clone();
        settings.registered = self.registered.clone();
        settings.registrations = self.registering.calls;
        settings.reregistration = self.reregistration().map(Arc::new);
        settings.clock_offset = self.authorization.clock_offset();
        settings.authorization = self.authorization.clone();
        settings.introspection = self.introspection.clone();
        settings.follow_registration();
        if self.source.is_some() {
            // The other client has the login, and this one's token is made anew.
            settings.rules.use_refresh_tokens = false;
        }
        self.apply_profile(&mut settings);
        settings.token_endpoint_method = self.token_endpoint_method.clone();
        Ok(settings)
    }

    /// What a client that registers itself needs to do so again; a `client_id` that is set is never
    /// replaced.
    fn reregistration(&self) -> Option<Reregistration> {
        let auth = self.authentication.token.as_ref();
        let registered = self.registered.as_deref();
        self.registers()
            .then(|| self.registering.reregistration(registered, auth))
    }

    fn registers(&self) -> bool {
        match &self.resource {
            Some(resource) => resource.settings.metadata.is_some() && !self.client.has_client_id(),
            None => self.registering.request.is_some(),
        }
    }

    /// Notes the problems of all settings but the endpoints' URLs.
    fn check(&self, server: &AuthorizationServer, problems: &mut Problems) {
        let client = &self.client;
        if client.has_client_id() && client.client_id().is_empty() {
            problems.add("client_id", "is empty");
        }
        self.check_registered(server, problems);
        self.check_source(problems);
        if client.client_secret().is_some_and(Secret::is_empty) {
            problems.add(
                "client_secret",
                "is empty; leave it out for a public client",
            );
        }
        for (name, auth) in [
            ("token_endpoint_auth_method", &self.authentication.token),
            (
                "revocation_endpoint_auth_method",
                &self.authentication.revocation,
            ),
            (
                "introspection_endpoint_auth_method",
                &self.authentication.introspection,
            ),
        ] {
            let Some(auth) = auth else { continue };
            if let Err(error) = auth.check(client, server) {
                problems.add(name, &format!("cannot be used: {error}"));
            }
            self.http.check_client_auth(name, &**auth, problems);
        }
        self.check_offered(server, problems);
        self.authorization.check(client, server, problems);
        if let Some(check) = self.check_profile {
            check(self, server, problems);
        }
        // A problem of the default is a problem of the setting that it was chosen for.
        if self.authentication.token.is_none()
            && !client.client_id().is_empty()
            && let Err(error) =
                default_client_auth(client, server, "token_endpoint").check(client, server)
        {
            let setting = match client.client_secret() {
                Some(_) => "client_secret",
                None => "signer",
            };
            problems.add(setting, &format!("cannot be used: {error}"));
        }
        if !matches!(self.token_endpoint_method, Method::POST | Method::GET) {
            problems.add("token_endpoint_method", "must be POST or GET");
        }
        if let Some(url) = self.http.url("issuer", server.issuer(), problems)
            && url.query().is_some()
        {
            problems.add("issuer", "must not have a query");
        }
        if server.authorization_response_iss_parameter_supported() && server.issuer().is_none() {
            problems.add(
                "issuer",
                "is missing; the iss of a callback is compared with it",
            );
        }
        self.check_common(problems);
        if let Some(grant) = &self.grant {
            if server.get("token_endpoint").is_none_or(Value::is_null) {
                problems.add("token_endpoint", "is missing, which grant needs");
            }
            if let Err(error) = grant.check(client, server) {
                problems.add("grant", &format!("cannot be sent: {error}"));
            }
        }
    }

    /// Notes what does not fit the registration of the client.
    fn check_registered(&self, server: &AuthorizationServer, problems: &mut Problems) {
        let Some(registered) = &self.registered else {
            return;
        };
        if server.issuer() != Some(registered.issuer()) {
            problems.add(
                "registered_client",
                "is registered at another issuer than that of the server; register the client there",
            );
        }
        if self.authentication.token.is_none() {
            problems.add(
                "token_endpoint_auth_method",
                &format!(
                    "is missing; the server has registered the client for {}",
                    registered.token_endpoint_auth_method()
                ),
            );
        }
    }

    /// Notes what does not fit a token that is made of that of another client.
    pub(super) fn check_source(&self, problems: &mut Problems) {
        let Some(source) = &self.source else {
            return;
        };
        if !source.is_used {
            problems.add(
                "exchanged_from",
                "has an exchange with a subject token of its own; begin with \
                 TokenExchange::of_client or of_id_token",
            );
        }
        for (name, is_set) in [
            ("token_store", self.tokens.store.is_some()),
            ("token", self.tokens.token.is_some()),
        ] {
            if is_set {
                problems.add(
                    name,
                    "cannot be set, as the token is made of that of another client, which may have \
                     another user by then",
                );
            }
        }
    }

    /// Notes the problems of settings that do not depend on the server.
    pub(super) fn check_common(&self, problems: &mut Problems) {
        let client = &self.client;
        self.tokens.check(client, problems);
        // Some servers' word for "no redirection".
        let is_uri = |uri: &&String| *uri != "urn:ietf:wg:oauth:2.0:oob";
        for uri in client.redirect_uris().iter().filter(is_uri) {
            problems.note_bad_uri("redirect_uri", uri);
        }
        self.http.check(problems);
        if self.grant.as_ref().is_some_and(|grant| !grant.replayable()) {
            problems.add(
                "grant",
                "cannot be sent again for a renewal; hand it to fetch_token instead",
            );
        }
    }

    /// Notes the problems of the discovery itself.
    fn check_discovery(&self, problems: &mut Problems) {
        let Some(found) = &self.discovery else {
            return;
        };
        if let Err(problem) = found.discovery.url(self.http.allow_http) {
            problems.add("the issuer to discover", &problem);
        }
        let expected = found.discovery.expected_issuer().issuer;
        let other = self.server.issuer().filter(|issuer| *issuer != expected);
        if other.is_some() {
            problems.add(
                "issuer",
                "differs from that of the discovered server; leave it out, or name it by \
                 Discovery::expect_issuer",
            );
        }
    }

    /// Notes what the server does not offer, if it says so.
    fn check_offered(&self, server: &AuthorizationServer, problems: &mut Problems) {
        let auth = &self.authentication;
        let by_default = auth
            .token
            .clone()
            .unwrap_or_else(|| default_client_auth(&self.client, server, "token_endpoint"));
        for (endpoint, auth) in [
            ("token_endpoint", Some(&by_default)),
            ("revocation_endpoint", auth.revocation.as_ref()),
            ("introspection_endpoint", auth.introspection.as_ref()),
        ] {
            if let Some(Err(problem)) =
                auth.map(|auth| check_offered(&**auth, &self.client, server, endpoint))
            {
                problems.add(&format!("{endpoint}_auth_method"), &problem);
            }
        }
    }
}
