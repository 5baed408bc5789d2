//! Settings of a client at a server, and what is wrong with them.

use std::sync::Arc;

use super::{
    ClientAuth, certificate::value::ClientCertificate, default_method::default_client_auth,
    mtls::is_mutual_tls, offered::check_offered,
};
use crate::{
    error::Problems,
    oauth2::{
        client::{ClientRegistration, RegisteredClient},
        scope::Scope,
        server::metadata::AuthorizationServer,
    },
    secret::Secret,
    wire::secure_url::check_endpoint,
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

/// Authentication of the client: at the token endpoint, and at each other endpoint that has none
/// of its own.
#[derive(Clone, Default)]
pub(crate) struct Authentication {
    pub(crate) token: Option<Arc<dyn ClientAuth>>,
    pub(crate) revocation: Option<Arc<dyn ClientAuth>>,
    pub(crate) introspection: Option<Arc<dyn ClientAuth>>,
}

impl Authentication {
    /// The authentication at the token endpoint of `server`.
    pub(crate) fn at_token_endpoint(
        &self,
        client: &ClientRegistration,
        server: &AuthorizationServer,
    ) -> Arc<dyn ClientAuth> {
        match &self.token {
            Some(auth) => auth.clone(),
            None => default_client_auth(client, server, "token_endpoint"),
        }
    }
}

/// The certificate of a client, as far as it is known.
#[derive(Clone, Copy)]
pub(crate) struct KnownCertificate<'a> {
    pub(crate) certificate: Option<&'a ClientCertificate>,
    /// Whether the user's configuration of the HTTP client may set one, which cannot be seen.
    pub(crate) may_be_hidden: bool,
}

impl KnownCertificate<'_> {
    /// Notes a client authentication by certificate where there is none for it.
    pub(crate) fn check(self, setting: &str, auth: &dyn ClientAuth, problems: &mut Problems) {
        if !is_mutual_tls(auth) || self.may_be_hidden && self.certificate.is_none() {
            return;
        }
        let method = auth.method().unwrap_or_default();
        match self.certificate {
            None => problems.add(
                setting,
                &format!("is {method}, which needs a certificate; set client_certificate"),
            ),
            Some(certificate) if !certificate.is_credential() => problems.add(
                setting,
                &format!(
                    "is {method}, but the client_certificate is for transport only; leave out \
                     transport_only"
                ),
            ),
            Some(_) => {}
        }
    }
}

/// Client at a server, as its builder is to make it.
#[derive(Clone, Copy)]
pub(crate) struct ClientAt<'a> {
    pub(crate) client: &'a ClientRegistration,
    pub(crate) server: &'a AuthorizationServer,
    pub(crate) authentication: &'a Authentication,
    pub(crate) certificate: KnownCertificate<'a>,
    pub(crate) allow_http: bool,
}

impl ClientAt<'_> {
    /// Notes what is wrong with the URLs of the server's endpoints.
    pub(crate) fn check_endpoints(self, problems: &mut Problems) {
        for name in ENDPOINTS {
            check_endpoint_of(self.server, name, self.allow_http, problems);
        }
    }

    /// Notes what does not fit the registration of the client.
    pub(crate) fn check_registered(
        self,
        registered: Option<&RegisteredClient>,
        problems: &mut Problems,
    ) {
        if self.client.has_client_id() && self.client.client_id().is_empty() {
            problems.add("client_id", "is empty");
        }
        let Some(registered) = registered else {
            return;
        };
        if self.server.issuer() != Some(registered.issuer()) {
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

    /// Notes client authentication that cannot be used, or that the server does not offer, if it says
    /// so.
    pub(crate) fn check_authentication(self, problems: &mut Problems) {
        let (client, server, auth) = (self.client, self.server, self.authentication);
        check_secret(client, problems);
        for (name, auth) in [
            ("token_endpoint_auth_method", &auth.token),
            ("revocation_endpoint_auth_method", &auth.revocation),
            ("introspection_endpoint_auth_method", &auth.introspection),
        ] {
            let Some(auth) = auth else { continue };
            problems.note_unusable(name, auth.check(client, server));
            self.certificate.check(name, &**auth, problems);
        }
        let by_default = auth.at_token_endpoint(client, server);
        for (endpoint, auth) in [
            ("token_endpoint", Some(&by_default)),
            ("revocation_endpoint", auth.revocation.as_ref()),
            ("introspection_endpoint", auth.introspection.as_ref()),
        ] {
            if let Some(Err(problem)) =
                auth.map(|auth| check_offered(&**auth, client, server, endpoint))
            {
                problems.add(&format!("{endpoint}_auth_method"), &problem);
            }
        }
    }

    /// Notes what is wrong with the default authentication, by the setting that it was chosen for.
    pub(crate) fn check_default(self, problems: &mut Problems) {
        let client = self.client;
        if self.authentication.token.is_some() || client.client_id().is_empty() {
            return;
        }
        let setting = match client.client_secret() {
            Some(_) => "client_secret",
            None => "signer",
        };
        let auth = default_client_auth(client, self.server, "token_endpoint");
        problems.note_unusable(setting, auth.check(client, self.server));
    }

    /// Notes what is wrong with the issuer of the server.
    pub(crate) fn check_issuer(self, problems: &mut Problems) {
        let issuer = self.server.issuer();
        match issuer.map(|issuer| check_endpoint(issuer, self.allow_http)) {
            Some(Ok(url)) if url.query().is_some() => {
                problems.add("issuer", "must not have a query");
            }
            Some(Err(problem)) => problems.add("issuer", &problem),
            Some(Ok(_)) | None => {}
        }
        let is_compared = self.server.authorization_response_iss_parameter_supported();
        if is_compared && issuer.is_none() {
            problems.add(
                "issuer",
                "is missing; the iss of a callback is compared with it",
            );
        }
    }
}

/// Notes what is wrong with the URLs of an endpoint.
pub(crate) fn check_endpoint_of(
    server: &AuthorizationServer,
    name: &str,
    allow_http: bool,
    problems: &mut Problems,
) {
    if let Err(problem) = server.endpoint(name, allow_http) {
        problems.add(name, &problem);
    }
    if let Err(problem) = server.alias(name, allow_http) {
        problems.add(&format!("mtls_endpoint_aliases.{name}"), &problem);
    }
}

/// Notes an empty secret.
pub(crate) fn check_secret(client: &ClientRegistration, problems: &mut Problems) {
    if client.client_secret().is_some_and(Secret::is_empty) {
        let problem = "is empty; leave it out for a public client";
        problems.add("client_secret", problem);
    }
}

/// Notes a scope and resources that cannot be sent.
pub(crate) fn check_scope(client: &ClientRegistration, problems: &mut Problems) {
    if let Some(Err(error)) = client.scope().map(Scope::validate) {
        problems.add("scope", &format!("cannot be sent: {error}"));
    }
    for resource in client.resource() {
        problems.note_bad_uri("resource", resource);
    }
}

/// Notes redirection URIs that are none.
pub(crate) fn check_redirect_uris(client: &ClientRegistration, problems: &mut Problems) {
    // Some servers' word for "no redirection".
    let is_uri = |uri: &&String| *uri != "urn:ietf:wg:oauth:2.0:oob";
    for uri in client.redirect_uris().iter().filter(is_uri) {
        problems.note_bad_uri("redirect_uri", uri);
    }
}
