//! Settings of an OAuth 2.0 client from its builder, with every problem by name.

use std::{mem::take, sync::Arc};

use reqwest::Method;
use serde_json::Value;

use super::super::{oauth2::builder::OAuth2ClientBuilder, session::Session, settings::Settings};
use crate::{
    error::{Problems, Result},
    lifecycle::reregistration::Reregistration,
    oauth2::{
        client_auth::settings::{ClientAt, check_redirect_uris},
        grant::Grant,
        server::metadata::AuthorizationServer,
    },
};

/// Client of whose token that of another one is made.
pub(in super::super) struct TokenSource {
    pub(in super::super) session: Session,
    /// Whether the grant sends its token.
    pub(in super::super) is_used: bool,
    /// The grant by which the token is made.
    pub(in super::super) grant: Arc<dyn Grant>,
}

impl OAuth2ClientBuilder {
    /// The settings, if all of them are valid. The builder has no use for them any longer.
    pub(in super::super) fn settings(&mut self) -> Result<Settings> {
        let mut problems = Problems::default();
        let server = match &self.discovery {
            Some(found) => found.by.provisional(found, &self.server),
            None => self.server.clone(),
        };
        for setting in &self.misplaced {
            problems.add(setting, "is a setting of OAuth2Client::for_resource alone");
        }
        match &self.resource {
            Some(resource) => (resource.check)(self, &resource.settings, &mut problems),
            None => self.check(&server, &mut problems),
        }
        if let Some(found) = &self.discovery {
            let allow_http = self.http.allow_http;
            found
                .by
                .check(found, &self.server, allow_http, &mut problems);
        }
        self.registering.check(self.registers(), &mut problems);
        self.at(&server).check_endpoints(&mut problems);
        problems.result()?;
        let reregistration = self.reregistration().map(Arc::new);
        let authorization = take(&mut self.authorization);
        let discovery = self.discovery.take().map(|found| {
            let (by, given) = (found.by, &self.server);
            by.settled(found, given, server, authorization.profile)
        });
        let (server, client) = (take(&mut self.server), take(&mut self.client));
        let mut settings = Settings::new(server, client, &self.tokens, &self.http);
        settings.discovery = discovery;
        settings.authentication = take(&mut self.authentication);
        settings.key_set = self.key_set.take();
        settings.openid = take(&mut self.openid);
        settings.registered = self.registered.take();
        settings.registrations = self.registering.calls;
        settings.reregistration = reregistration;
        settings.clock_offset = authorization.clock_offset();
        settings.authorization = authorization;
        settings.introspection = take(&mut self.introspection);
        settings.follow_registration();
        if let Some(source) = &self.source {
            self.grant = Some(source.grant.clone());
            // The other client has the login, and this one's token is made anew.
            settings.rules.use_refresh_tokens = false;
        }
        settings.apply_profile();
        settings.token_endpoint_method = take(&mut self.token_endpoint_method);
        Ok(settings)
    }

    /// The client at this server.
    fn at<'a>(&'a self, server: &'a AuthorizationServer) -> ClientAt<'a> {
        ClientAt {
            client: &self.client,
            server,
            authentication: &self.authentication,
            certificate: self.http.known_certificate(),
            allow_http: self.http.allow_http,
        }
    }

    /// What a client that registers itself needs to do so again; a `client_id` that is set is never
    /// replaced.
    fn reregistration(&self) -> Option<Reregistration> {
        let auth = self.authentication.token.as_ref();
        let registered = self.registered.as_deref();
        self.registers()
            .then(|| self.registering.reregistration(registered, auth))
    }

    /// The grant of the client's token.
    pub(super) fn repeated_grant(&self) -> Option<&Arc<dyn Grant>> {
        let of_source = self.source.as_ref().map(|source| &source.grant);
        of_source.or(self.grant.as_ref())
    }

    fn registers(&self) -> bool {
        match &self.resource {
            Some(resource) => resource.settings.metadata.is_some() && !self.client.has_client_id(),
            None => self.registering.request.is_some(),
        }
    }

    /// Notes the problems of all settings but the endpoints' URLs.
    fn check(&self, server: &AuthorizationServer, problems: &mut Problems) {
        let client = self.at(server);
        client.check_registered(self.registered.as_deref(), problems);
        self.check_source(problems);
        client.check_authentication(problems);
        self.authorization.check(&self.client, server, problems);
        if let Some(check) = self.check_profile {
            check(self, server, problems);
        }
        // A problem of the default is a problem of the setting that it was chosen for.
        client.check_default(problems);
        if !matches!(self.token_endpoint_method, Method::POST | Method::GET) {
            problems.add("token_endpoint_method", "must be POST or GET");
        }
        client.check_issuer(problems);
        self.check_common(problems);
        if let Some(grant) = self.repeated_grant() {
            if server.get("token_endpoint").is_none_or(Value::is_null) {
                problems.add("token_endpoint", "is missing, which grant needs");
            }
            if let Err(error) = grant.check(&self.client, server) {
                problems.add("grant", &format!("cannot be sent: {error}"));
            }
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
        if self.grant.is_some() {
            problems.add(
                "grant",
                "cannot be set, as the token is made of that of another client",
            );
        }
        let workload = &self.tokens.workload;
        if workload.subject.is_some() && workload.identity.is_some() {
            problems.add("id_jag_from", "cannot be set beside exchanged_from");
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
        check_redirect_uris(client, problems);
        self.http.check(problems);
        if self
            .repeated_grant()
            .is_some_and(|grant| !grant.replayable())
        {
            problems.add(
                "grant",
                "cannot be sent again for a renewal; hand it to fetch_token instead",
            );
        }
    }
}
