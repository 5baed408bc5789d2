//! From what the builder was told to what a client works with, naming all that is wrong.

use std::sync::Arc;

use reqwest::{Method, Url};

use super::super::{
    oauth2::builder::OAuth2ClientBuilder,
    session::{Identity, Settings},
    settings::Problems,
    slot::Rules,
};
use crate::{
    error::Result,
    oauth2::{
        authorization::endpoint::AuthorizationEndpoint,
        client::ClientRegistration,
        client_auth::{ClientAuth, default_method::default_client_auth},
        endpoint::{authenticated::Endpoint, token::TokenEndpoint},
        hook::Hooks,
    },
    secret::Secret,
};

impl OAuth2ClientBuilder {
    /// The settings, if all of them are good.
    pub(in super::super) fn settings(&self) -> Result<Settings> {
        let [mut problems, mut with_urls] = [Problems::default(), Problems::default()];
        let [authorization, token, revocation, introspection] = [
            ("authorization_endpoint", &self.authorization_endpoint),
            ("token_endpoint", &self.token_endpoint),
            ("revocation_endpoint", &self.revocation_endpoint),
            ("introspection_endpoint", &self.introspection_endpoint),
        ]
        .map(|(name, url)| self.http.url(name, url.as_deref(), &mut with_urls));
        let registration = self.registration(token.as_ref());
        self.check(&registration, &mut problems);
        problems.extend(with_urls);
        problems.result()?;
        let registration = Arc::new(registration);
        let hooks = Hooks::new(self.tokens.hooks.iter().cloned());
        // One setting of the authentication serves all endpoints, unless there is one for this.
        let endpoint = |url: Url, auth: &Option<Arc<dyn ClientAuth>>| {
            let mut endpoint = Endpoint::new(url, registration.clone());
            endpoint.auth = auth.as_ref().or(self.auth.as_ref()).cloned();
            endpoint.hooks = hooks.clone();
            endpoint
        };
        let token = token.map(|url| endpoint(url, &None));
        let revocation = revocation.map(|url| endpoint(url, &self.revocation_auth));
        let introspection = introspection.map(|url| endpoint(url, &self.introspection_auth));
        Ok(Settings {
            identity: Identity::Client(self.client_id.clone()),
            rules: Rules {
                leeway: self.tokens.leeway,
                policy: self.tokens.policy,
                can_ask: token.is_some(),
                use_refresh_tokens: true,
            },
            authorization_endpoint: authorization.map(|url| self.as_authorization_endpoint(url)),
            token_endpoint: token.map(|endpoint| self.as_token_endpoint(endpoint)),
            revocation_endpoint: revocation.map(Into::into),
            introspection_endpoint: introspection.map(Into::into),
            placement: self.tokens.placement,
            hooks,
            timeout: self.http.timeout,
            close_timeout: self.tokens.close_timeout,
            hook: self.tokens.update.clone(),
            store: self.tokens.store.clone(),
            sign: self.tokens.sign(),
            assert: None,
            clock: self.http.clock.clone(),
        })
    }

    fn registration(&self, token_endpoint: Option<&Url>) -> ClientRegistration {
        ClientRegistration {
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.clone(),
            issuer: self.issuer.clone(),
            token_endpoint: token_endpoint.cloned(),
            external_key: self.tokens.external_key(),
            clock: self.http.clock.clone(),
        }
    }

    /// Notes what is wrong with all but the endpoints' URLs.
    fn check(&self, registration: &ClientRegistration, problems: &mut Problems) {
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
            if let Some(Err(error)) = auth.as_ref().map(|auth| auth.check(registration)) {
                problems.add(name, &format!("cannot be used: {error}"));
            }
        }
        // What is wrong with the default is wrong with what it was chosen for.
        if self.auth.is_none()
            && !self.client_id.is_empty()
            && let Err(error) = default_client_auth(registration).check(registration)
        {
            let setting = match &self.client_secret {
                Some(_) => "client_secret",
                None => "signer",
            };
            problems.add(setting, &format!("cannot be used: {error}"));
        }
        if !matches!(self.token_endpoint_method, Method::POST | Method::GET) {
            problems.add("token_endpoint_method", "must be POST or GET");
        }
        if let Some(url) = self.http.url("issuer", self.issuer.as_deref(), problems)
            && url.query().is_some()
        {
            problems.add("issuer", "must not have a query");
        }
        if self.iss_required && self.issuer.is_none() {
            problems.add("issuer", "is missing, with which iss would be compared");
        }
        self.tokens.check(problems);
        // Some servers' word for "no redirection".
        let redirect_uri = self.redirect_uri.as_deref();
        if let Some(uri) = redirect_uri.filter(|uri| *uri != "urn:ietf:wg:oauth:2.0:oob") {
            problems.note_bad_uri("redirect_uri", uri);
        }
        self.http.check(problems);
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
            if let Err(error) = grant.check(registration) {
                problems.add("grant", &format!("cannot be sent: {error}"));
            }
        }
    }

    fn as_token_endpoint(&self, mut endpoint: Endpoint) -> TokenEndpoint {
        endpoint.method = self.token_endpoint_method.clone();
        let endpoint = self.tokens.token_endpoint(endpoint);
        match &self.redirect_uri {
            Some(redirect_uri) => endpoint.redirect_uri(redirect_uri),
            None => endpoint,
        }
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
        if let Some(scope) = &self.tokens.scope {
            endpoint = endpoint.scope(scope.clone());
        }
        let resources = self.tokens.resource.iter();
        resources.fold(endpoint, |endpoint, resource| endpoint.resource(resource))
    }
}
