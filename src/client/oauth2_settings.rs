//! From what the builder was told to what a client works with, naming all that is wrong.

use std::{sync::Arc, time::Duration};

use reqwest::{Method, Url};

use super::{oauth2_builder::OAuth2ClientBuilder, session::Settings, slot::Rules};
use crate::{
    error::{Error, Result},
    oauth2::{
        AuthorizationEndpoint, ClientAuth, Endpoint, Hooks, Scope, TokenEndpoint, check_endpoint,
    },
    secret::Secret,
};

impl OAuth2ClientBuilder {
    /// The settings, if all of them are good.
    pub(super) fn settings(&self) -> Result<Settings> {
        let mut problems = Problems(Vec::new());
        self.check(&mut problems);
        let [authorization, token, revocation, introspection] = [
            ("authorization_endpoint", &self.authorization_endpoint),
            ("token_endpoint", &self.token_endpoint),
            ("revocation_endpoint", &self.revocation_endpoint),
            ("introspection_endpoint", &self.introspection_endpoint),
        ]
        .map(|(name, url)| self.url(name, url.as_deref(), &mut problems));
        if !problems.0.is_empty() {
            return Err(Error::configuration(problems.0));
        }
        let hooks = Hooks::new(self.hooks.iter().cloned());
        let token = token.map(|url| self.endpoint(url, None, &hooks));
        let revocation =
            revocation.map(|url| self.endpoint(url, self.revocation_auth.as_ref(), &hooks));
        let introspection =
            introspection.map(|url| self.endpoint(url, self.introspection_auth.as_ref(), &hooks));
        Ok(Settings {
            client_id: self.client_id.clone(),
            rules: Rules {
                leeway: self.leeway,
                policy: self.policy,
                can_ask: token.is_some(),
            },
            authorization_endpoint: authorization.map(|url| self.as_authorization_endpoint(url)),
            token_endpoint: token.map(|endpoint| self.as_token_endpoint(endpoint)),
            revocation_endpoint: revocation.map(Into::into),
            introspection_endpoint: introspection.map(Into::into),
            placement: self.placement,
            hooks,
            timeout: self.timeout,
            close_timeout: self.close_timeout,
            hook: self.update.clone(),
            clock: self.clock.clone(),
        })
    }

    /// Notes what is wrong with all but the endpoints' URLs.
    fn check(&self, problems: &mut Problems) {
        if self.client_id.is_empty() {
            problems.add("client_id", "is empty");
        }
        if self.client_secret.as_ref().is_some_and(Secret::is_empty) {
            problems.add(
                "client_secret",
                "is empty; leave it out for a public client",
            );
        }
        for (name, auth) in [
            ("token_endpoint_auth_method", &self.auth),
            ("revocation_endpoint_auth_method", &self.revocation_auth),
            (
                "introspection_endpoint_auth_method",
                &self.introspection_auth,
            ),
        ] {
            let auth = auth.as_ref();
            if let Some(Err(error)) =
                auth.map(|auth| auth.check(&self.client_id, self.client_secret.as_ref()))
            {
                problems.add(name, &format!("cannot be used: {error}"));
            }
        }
        if !matches!(self.token_endpoint_method, Method::POST | Method::GET) {
            problems.add("token_endpoint_method", "must be POST or GET");
        }
        if let Some(url) = self.url("issuer", self.issuer.as_deref(), problems)
            && url.query().is_some()
        {
            problems.add("issuer", "must not have a query");
        }
        if self.iss_required && self.issuer.is_none() {
            problems.add("issuer", "is missing, with which iss would be compared");
        }
        if let Some(Err(error)) = self.scope.as_ref().map(Scope::validate) {
            problems.add("scope", &format!("cannot be sent: {error}"));
        }
        // RFC 8707: "Its value MUST be an absolute URI [...]. The URI MUST NOT include a
        // fragment". RFC 6749 section 3.1.2 says the same of redirection URIs.
        let uris = self.resource.iter().map(|uri| ("resource", uri));
        for (name, uri) in uris.chain(self.redirect_uri.iter().map(|uri| ("redirect_uri", uri))) {
            // Some servers' word for "no redirection".
            if uri == "urn:ietf:wg:oauth:2.0:oob" {
                continue;
            }
            match Url::parse(uri) {
                Err(error) => problems.add(name, &format!("is not an absolute URI ({error})")),
                Ok(uri) if uri.fragment().is_some() => {
                    problems.add(name, "must not have a fragment")
                }
                Ok(_) => {}
            }
        }
        for (name, duration) in [
            ("timeout", self.timeout),
            ("close_timeout", self.close_timeout),
        ] {
            if duration == Duration::ZERO {
                problems.add(name, "must be longer than zero");
            }
        }
        if let Some(grant) = &self.grant {
            if !grant.replayable() {
                problems.add(
                    "grant",
                    "cannot be sent again for a renewal; hand it to fetch_token instead",
                );
            }
            if self.token_endpoint.is_none() {
                problems.add("token_endpoint", "is missing, which grant needs");
            }
        }
    }

    fn url(&self, name: &str, url: Option<&str>, problems: &mut Problems) -> Option<Url> {
        match check_endpoint(url?, self.allow_http) {
            Ok(url) => Some(url),
            Err(problem) => {
                problems.add(name, &problem);
                None
            }
        }
    }

    /// What all endpoints of the client have in common. One setting of the authentication serves
    /// them all, unless there is one for this.
    fn endpoint(&self, url: Url, auth: Option<&Arc<dyn ClientAuth>>, hooks: &Hooks) -> Endpoint {
        let mut endpoint = Endpoint::new(url, self.client_id.clone());
        endpoint.client_secret = self.client_secret.clone();
        endpoint.auth = auth.or(self.auth.as_ref()).cloned();
        endpoint.hooks = hooks.clone();
        endpoint
    }

    fn as_token_endpoint(&self, mut endpoint: Endpoint) -> TokenEndpoint {
        endpoint.method = self.token_endpoint_method.clone();
        let mut endpoint = TokenEndpoint::from(endpoint);
        if let Some(issuer) = &self.issuer {
            endpoint = endpoint.issuer(issuer);
        }
        if let Some(redirect_uri) = &self.redirect_uri {
            endpoint = endpoint.redirect_uri(redirect_uri);
        }
        if let Some(scope) = &self.scope {
            endpoint = endpoint.scope(scope.clone());
        }
        let resources = self.resource.iter();
        resources.fold(endpoint, |endpoint, resource| endpoint.resource(resource))
    }

    fn as_authorization_endpoint(&self, url: Url) -> AuthorizationEndpoint {
        let mut endpoint = AuthorizationEndpoint::checked(url, self.client_id.clone())
            .authorization_response_iss_parameter_supported(self.iss_required);
        if let Some(redirect_uri) = &self.redirect_uri {
            endpoint = endpoint.redirect_uri(redirect_uri);
        }
        if let Some(issuer) = &self.issuer {
            endpoint = endpoint.issuer(issuer);
        }
        if let Some(scope) = &self.scope {
            endpoint = endpoint.scope(scope.clone());
        }
        let resources = self.resource.iter();
        resources.fold(endpoint, |endpoint, resource| endpoint.resource(resource))
    }
}

/// What is wrong, each with the name of the setting.
struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, setting: &str, problem: &str) {
        self.0.push(format!("{setting} {problem}"));
    }
}
