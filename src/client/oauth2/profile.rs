//! Security profiles of clients, checked when they are built.
//!
//! [FAPI 2.0 Security Profile section 5.3.3](https://openid.net/specs/fapi-security-profile-2_0-final.html#section-5.3.3)

use std::mem::take;

use reqwest::Url;

use super::super::{oauth2::builder::OAuth2ClientBuilder, settings::Settings};
use crate::{
    error::{Error, Problems, Result},
    oauth2::{
        assertion::audience::Audience,
        client_auth::{
            ClientAuth, certificate::value::ClientCertificate, default_method::default_client_auth,
        },
        endpoint::pushed_authorization::Push,
        server::{
            metadata::AuthorizationServer,
            profile::{Clause, Profile},
        },
        token::bearer::TokenPlacement,
    },
    wire::secure_url::is_loopback,
};

/// Client authentication that FAPI permits.
const METHODS: [&str; 3] = [
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
];

/// Members of a registration with algorithms of what the server signs.
const SIGNED_RESPONSES: [&str; 4] = [
    "id_token_signed_response_alg",
    "userinfo_signed_response_alg",
    "authorization_signed_response_alg",
    "introspection_signed_response_alg",
];

/// Notes all that contradicts the profile: led to from the setting alone, so that programs whose clients
/// follow none do not contain it.
pub(super) type CheckProfile = fn(&OAuth2ClientBuilder, &AuthorizationServer, &mut Problems);

impl Settings {
    /// Sets what the profile demands. It has been checked that nothing contradicts it.
    pub(in super::super) fn apply_profile(&mut self) {
        let Some(profile) = self.authorization.profile else {
            return;
        };
        self.authorization.push = Push::Always;
        if profile.signs_messages() && !self.introspection.is_signed() {
            self.introspection = take(&mut self.introspection).signed(Profile::ALGORITHMS);
        }
    }

    /// Checks the algorithms of a registration that came after the settings were checked.
    pub(in super::super) fn check_registered_algorithms(&self) -> Result<()> {
        let registered = self.registered.as_ref().zip(self.authorization.profile);
        let Some((registered, profile)) = registered else {
            return Ok(());
        };
        let algorithms = SIGNED_RESPONSES
            .into_iter()
            .filter_map(|member| registered.algorithm(member));
        match profile.other_algorithm(algorithms) {
            None => Ok(()),
            Some(other) => {
                let problem = format!(
                    "the server has registered the client anew with {other}; it has to register \
                     PS256, ES256 or EdDSA"
                );
                Err(Error::usage(profile.problem(&problem, Clause::Algorithms)))
            }
        }
    }
}

impl OAuth2ClientBuilder {
    /// Follows a security profile: sets all that it demands, and reports each setting that
    /// contradicts it, with the clause. So does discovery for the metadata of the server.
    ///
    /// [FAPI 2.0 Security Profile section 5.3.3](https://openid.net/specs/fapi-security-profile-2_0-final.html#section-5.3.3)
    #[doc(alias = "FAPI")]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.authorization.profile = Some(profile);
        self.check_profile = Some(Self::note_violations);
        self
    }

    /// Notes all that contradicts the profile.
    fn note_violations(&self, server: &AuthorizationServer, problems: &mut Problems) {
        let Some(profile) = self.authorization.profile else {
            return;
        };
        let mut violations = Violations { profile, problems };
        self.check_tokens(&mut violations);
        self.check_authentication(server, &mut violations);
        self.check_server(&mut violations);
        self.check_logins(&mut violations);
        self.check_algorithms(&mut violations);
    }

    fn check_tokens(&self, violations: &mut Violations<'_>) {
        if !self.is_sender_constrained() {
            violations.note(
                "dpop",
                "is missing, and so is a client_certificate; set one of them",
                Clause::SenderConstraint,
            );
        }
        if self.tokens.placement != TokenPlacement::Header {
            let problem = "is not the header";
            violations.note("token_placement", problem, Clause::TokenInHeader);
        }
        if self.openid.userinfo.has_token_in_body() {
            let problem = "sends the token in the body";
            violations.note("userinfo", problem, Clause::TokenInHeader);
        }
        let grant_type = self.repeated_grant().map(|grant| grant.grant_type());
        if grant_type == Some("password") {
            violations.note("grant", "is a password", Clause::AuthorizationCode);
        }
    }

    /// Whether access tokens are bound to a key of the client.
    fn is_sender_constrained(&self) -> bool {
        let certificate = self.http.certificate.as_ref();
        self.tokens.dpop.is_set() || certificate.is_some_and(ClientCertificate::is_credential)
    }

    fn check_authentication(&self, server: &AuthorizationServer, violations: &mut Violations<'_>) {
        let auth = &self.authentication;
        let by_default = || default_client_auth(&self.client, server, "token_endpoint");
        let token = auth.token.clone().unwrap_or_else(by_default);
        for (endpoint, auth) in [
            ("token_endpoint", Some(&token)),
            ("revocation_endpoint", auth.revocation.as_ref()),
            ("introspection_endpoint", auth.introspection.as_ref()),
        ] {
            let Some(auth) = auth else { continue };
            let setting = format!("{endpoint}_auth_method");
            self.check_method(&**auth, &setting, violations);
        }
    }

    fn check_method(&self, auth: &dyn ClientAuth, setting: &str, violations: &mut Violations<'_>) {
        let method = auth.method().unwrap_or("a method of your own");
        if !METHODS.contains(&method) {
            let problem = format!("is {method}; use PrivateKeyJwt or a client certificate");
            violations.note(setting, &problem, Clause::ClientAuthentication);
        }
        if auth.audience().is_some_and(|it| *it != Audience::Issuer) {
            let problem = "has another audience than the issuer";
            violations.note(setting, problem, Clause::AssertionAudience);
        }
        let algorithm = auth.signing_algorithm(&self.client);
        if let Some(other) = violations.profile.other_algorithm(algorithm) {
            let problem = format!("signs by {other}; use PS256, ES256 or EdDSA");
            violations.note(setting, &problem, Clause::Algorithms);
        }
    }

    fn check_server(&self, violations: &mut Violations<'_>) {
        let Some(found) = &self.discovery else {
            violations.note(
                "the server",
                "is not discovered; use discover or discover_later",
                Clause::Metadata,
            );
            return;
        };
        for name in self.server.names() {
            let problem = "is set, and not taken from the metadata of the server";
            violations.note(name, problem, Clause::Metadata);
        }
        if self.http.allow_http {
            let setting = "dangerous_allow_http";
            violations.note(setting, "is set", Clause::AuthoritativeIssuer);
        }
        for (setting, is_set, clause) in [
            (
                "Discovery::expect_issuer",
                found.discovery.has_exception(),
                Clause::SameIssuer,
            ),
            (
                "Discovery::tenants",
                found.discovery.has_tenants(),
                Clause::SameIssuer,
            ),
            (
                "Discovery::assume_s256",
                found.discovery.assume_s256,
                Clause::Pkce,
            ),
            (
                "Discovery::dangerous_allow_private_addresses",
                found.discovery.allow_private,
                Clause::AuthoritativeIssuer,
            ),
        ] {
            if is_set {
                violations.note(setting, "is set", clause);
            }
        }
        if let Some(metadata) = &found.metadata {
            for violation in violations
                .profile
                .violations(metadata, self.tokens.dpop.is_set())
            {
                violations.problems.add("the server:", &violation);
            }
        }
    }

    fn check_logins(&self, violations: &mut Violations<'_>) {
        let authorization = &self.authorization;
        if authorization.push == Push::Never {
            let setting = "pushed_authorization_requests";
            violations.note(setting, "is Push::Never", Clause::Pushed);
        }
        if authorization.repeats_parameters {
            let setting = "repeat_authorization_parameters";
            violations.note(setting, "is set", Clause::OnlyReference);
        }
        for uri in self.client.redirect_uris() {
            let is_plain = |uri: &Url| uri.scheme() == "http" && !is_loopback(uri);
            if Url::parse(uri).is_ok_and(|uri| is_plain(&uri)) {
                violations.note("redirect_uri", "is not https", Clause::RedirectUri);
            }
        }
        if self.openid.id_token.is_without_nonce() {
            let setting = "IdTokenRules::dangerous_without_nonce";
            violations.note(setting, "is set", Clause::IdTokenNonce);
        }
        if self.openid.id_token.has_other_issuers() {
            let setting = "IdTokenRules::tenants or issuer_alias";
            violations.note(setting, "is set", Clause::IdTokenIssuer);
        }
        if !violations.profile.signs_messages() {
            return;
        }
        match &authorization.request_object {
            None => violations.note("request_object", "is missing", Clause::SignedRequest),
            Some(object) if object.has_audience() => violations.note(
                "request_object",
                "has another audience than the issuer",
                Clause::RequestAudience,
            ),
            Some(_) => {}
        }
    }

    /// Notes algorithms of what the client signs or verifies.
    fn check_algorithms(&self, violations: &mut Violations<'_>) {
        let object = self.authorization.request_object.as_ref();
        let object = object.and_then(|object| object.algorithm(&self.client));
        let registered = |member| {
            let registered = self.registered.as_ref();
            registered.and_then(|registered| registered.algorithm(member))
        };
        for (setting, algorithms) in [
            ("request_object", object.into_iter().collect()),
            ("dpop", self.tokens.dpop.algorithms()),
            ("id_token", self.openid.id_token.registered_algorithms()),
            ("userinfo", self.openid.userinfo.registered_algorithms()),
            (
                "signed_response",
                self.authorization.signed_response.registered_algorithms(),
            ),
            ("introspection", self.introspection.registered_algorithms()),
            (
                "registered_client",
                SIGNED_RESPONSES
                    .into_iter()
                    .filter_map(registered)
                    .collect(),
            ),
        ] {
            let algorithms: Vec<_> = algorithms;
            if let Some(other) = violations.profile.other_algorithm(algorithms) {
                let problem = format!("has {other}; use PS256, ES256 or EdDSA");
                violations.note(setting, &problem, Clause::Algorithms);
            }
        }
    }
}

/// Violations of a profile, noted among the problems of the settings.
struct Violations<'a> {
    profile: Profile,
    problems: &'a mut Problems,
}

impl Violations<'_> {
    fn note(&mut self, setting: &str, what: &str, clause: Clause) {
        self.problems
            .add(setting, &self.profile.problem(what, clause));
    }
}
