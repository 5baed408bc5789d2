//! Settings of a session: the server, the client's registration there, and how the two talk.

use std::{sync::Arc, time::Duration};

use reqwest::{Method, Url};

use super::{
    super::{
        Assert, IdTokens, LogoutTokenIds, RegistrationCalls, RequestCompletion, Sign, Store,
        TokenInSteps, UpdateDelivery, UserStore, dpop::Dpop, transport::Guard,
    },
    AuthorizationSettings, Bound, DiscoverySettings, HttpSettings, RulesOfCaller, TokenSettings,
    WorkloadSettings,
};
use crate::{
    clock::{Clock, ClockOffset},
    error::{Error, Result},
    lifecycle::{reregistration::Reregistration, slot::Rules},
    oauth2::{
        client::{ClientRegistration, RegisteredClient},
        client_auth::{
            ClientAuth, certificate::value::ClientCertificate, mtls::is_mutual_tls,
            settings::Authentication,
        },
        endpoint::{
            authenticated::Endpoint,
            device_authorization::request::DeviceAuthorizationEndpoint,
            introspection::IntrospectionEndpoint,
            introspection_jwt::IntrospectionRules,
            registration::{
                configuration::ClientConfigurationEndpoint, endpoint::RegistrationEndpoint,
            },
            revocation::RevocationEndpoint,
            token::TokenEndpoint,
        },
        hook::Hooks,
        server::{metadata::AuthorizationServer, profile::FollowedProfile, source::ServerSource},
        token::{Token, bearer::TokenPlacement},
    },
    oidc::{
        id_token_rules::IdTokenRules,
        id_token_verifier::IdTokenVerifier,
        key_set::KeySet,
        logout::LogoutEndpoint,
        userinfo::{UserInfoEndpoint, UserInfoRules},
    },
    token_store::UserKey,
};

#[derive(Clone)]
pub(in super::super) struct Settings {
    /// The metadata that the calling code sets: all there are, unless the server is discovered.
    pub(in super::super) server: AuthorizationServer,
    /// Of a server that is discovered.
    pub(in super::super) discovery: Option<DiscoverySettings>,
    pub(in super::super) client: ClientRegistration,
    pub(in super::super) authentication: Authentication,
    /// The certificate that authenticates the client or binds its tokens.
    certificate: Option<ClientCertificate>,
    pub(in super::super) identity: Identity,
    pub(in super::super) token_endpoint_method: Method,
    pub(in super::super) placement: TokenPlacement,
    pub(in super::super) hooks: Hooks,
    pub(in super::super) rules: Rules,
    pub(in super::super) timeout: Duration,
    pub(in super::super) close_timeout: Duration,
    pub(in super::super) hook: Option<UpdateDelivery>,
    pub(in super::super) store: Option<Store>,
    user_store: Option<UserStore>,
    /// What completes requests by the callbacks.
    pub(in super::super) completion: Option<&'static dyn RequestCompletion>,
    /// Signer that replaces a local key: a KMS, an HSM.
    pub(in super::super) sign: Option<Sign>,
    /// Source of assertions.
    pub(in super::super) assert: Option<Assert>,
    /// Google's credentials, by which tokens are obtained in several steps.
    pub(in super::super) google: Option<Arc<dyn TokenInSteps>>,
    pub(in super::super) workload: WorkloadSettings,
    pub(in super::super) clock: Clock,
    /// Difference of the server's clock, for what is signed.
    pub(in super::super) clock_offset: ClockOffset,
    pub(in super::super) openid: OpenIdSettings,
    /// The registration by which the client is known to the server.
    pub(in super::super) registered: Option<Box<RegisteredClient>>,
    /// What is done about that registration if it is of no use.
    pub(in super::super) registrations: Option<&'static dyn RegistrationCalls>,
    /// What a client that registers itself needs to do so again.
    pub(in super::super) reregistration: Option<Arc<Reregistration>>,
    /// Keys of the server that were kept.
    pub(in super::super) key_set: Option<KeySet>,
    pub(in super::super) authorization: AuthorizationSettings,
    pub(in super::super) introspection: IntrospectionRules,
    /// The rules that the algorithms of a registration were added to.
    pub(in super::super) rules_of_caller: Option<Arc<RulesOfCaller>>,
    /// What the tokens of a client for a protected resource carry.
    pub(in super::super) bound: Option<Arc<Bound>>,
    /// Keys and nonces of a client that proves possession.
    pub(in super::super) dpop: Option<Arc<Dpop>>,
    pub(super) allow_http: bool,
}

/// Settings of OpenID Connect.
#[derive(Clone, Default)]
pub(in super::super::super) struct OpenIdSettings {
    pub(in super::super) id_token: IdTokenRules,
    /// What verifies ID tokens that nobody asked for: of a client that can do so.
    pub(in super::super) verified_by: Option<&'static dyn IdTokens>,
    pub(in super::super) userinfo: UserInfoRules,
    pub(in super::super::super) logout_token_ids: Option<LogoutTokenIds>,
}

/// Identity of a client, for `Debug` and for errors.
#[derive(Clone)]
pub(in super::super) enum Identity {
    Client,
    /// The issuer of assertions, if it is known.
    Issuer(Option<String>),
}

impl Settings {
    /// The settings of a client that refreshes its tokens. Settings that only some clients have
    /// are set afterwards.
    pub(in super::super) fn new(
        server: AuthorizationServer,
        client: ClientRegistration,
        tokens: &TokenSettings,
        http: &HttpSettings,
    ) -> Self {
        let dpop = tokens.dpop.dpop().map(Arc::new);
        let mut rules = Rules::new(
            tokens.leeway,
            tokens.policy,
            http.timeout,
            tokens.store.is_some() || tokens.user_store.is_some(),
        );
        rules.users = tokens.users;
        rules.dpop = dpop.as_ref().map(|dpop| dpop.binding.clone());
        Self {
            rules,
            dpop,
            server,
            discovery: None,
            client,
            authentication: Authentication::default(),
            certificate: http.certificate.clone(),
            identity: Identity::Client,
            token_endpoint_method: Method::POST,
            placement: tokens.placement,
            hooks: Hooks::new(tokens.hooks.iter().cloned()),
            timeout: http.timeout,
            close_timeout: tokens.close_timeout,
            hook: tokens.update.clone(),
            store: tokens.store.clone(),
            user_store: tokens.user_store.clone(),
            completion: tokens.completion,
            sign: tokens.sign.clone(),
            assert: None,
            google: None,
            workload: tokens.workload.clone(),
            clock: http.clock.clone(),
            clock_offset: ClockOffset::default(),
            openid: OpenIdSettings::default(),
            registered: None,
            registrations: None,
            reregistration: None,
            key_set: None,
            authorization: AuthorizationSettings::default(),
            introspection: IntrospectionRules::default(),
            rules_of_caller: None,
            bound: None,
            allow_http: http.allow_http,
        }
    }
}

impl Settings {
    /// The token with what it belongs to.
    pub(in super::super) fn bind(&self, token: Token) -> Token {
        match &self.bound {
            Some(bound) => token.with_member(Bound::MEMBER, bound.member.clone()),
            None => token,
        }
    }

    /// Whether the token may be used with the server: that of another one never is.
    pub(in super::super) fn permits(&self, token: &Token) -> bool {
        let bound = self.bound.as_ref();
        bound.is_none_or(|bound| bound.permits(token))
    }

    /// Whether the refresh token may be sent to the server.
    pub(in super::super) fn may_refresh(&self, token: &Token) -> bool {
        let bound = self.bound.as_ref();
        bound.is_none_or(|bound| bound.may_refresh(token))
    }

    /// The guard of a server that is discovered.
    pub(in super::super) fn guard(&self) -> Option<Guard> {
        Some(self.discovery.as_ref()?.guard.clone())
    }

    pub(in super::super) fn allow_http(&self) -> bool {
        self.allow_http
    }

    /// The name of the client in logs.
    pub(in super::super) fn name(&self) -> &str {
        match &self.identity {
            Identity::Client => self.client.client_id(),
            Identity::Issuer(issuer) => issuer.as_deref().unwrap_or_default(),
        }
    }

    /// The store of the token of a user.
    pub(in super::super) fn user_store(&self, user: &UserKey) -> Result<Store> {
        let user_store = self.user_store.as_ref().ok_or_else(|| {
            Error::usage("there is no user_store; set one to use for_user and keep_for")
        })?;
        user_store(user).map_err(|error| Error::store("user_store made no store", Some(error)))
    }
}

/// The endpoints, made for each call at the server as it is known by then.
impl Settings {
    pub(in super::super) fn has_token_endpoint(&self) -> bool {
        let is_known = self.discovery.is_some() || self.server.token_endpoint().is_some();
        is_known || self.google.is_some()
    }

    /// Whether the client does not authenticate at the token endpoint.
    pub(in super::super) fn is_public(&self, server: &AuthorizationServer) -> bool {
        let auth = self.authentication.at_token_endpoint(&self.client, server);
        auth.method() == Some("none")
    }

    pub(in super::super) fn id_token_verifier(
        &self,
        server: &AuthorizationServer,
    ) -> Result<IdTokenVerifier> {
        let verifier = IdTokenVerifier::new(server, &self.client)?;
        let mut rules = self.openid.id_token.clone();
        if let Some(found) = &self.discovery {
            rules = rules.or_tenants(&found.discovery.tenants);
        }
        Ok(verifier.rules(rules).clock(self.clock.clone()))
    }

    /// Whether it is known by what ID tokens are verified.
    pub(in super::super) fn can_verify_id_tokens(&self, server: &AuthorizationServer) -> bool {
        let has_keys = || server.jwks_uri().is_some();
        let verifier = self.id_token_verifier(server);
        verifier.is_ok_and(|verifier| !verifier.needs_keys() || has_keys())
    }

    pub(in super::super) fn userinfo_endpoint(
        &self,
        server: &AuthorizationServer,
    ) -> Result<UserInfoEndpoint> {
        let auth = self.authentication.token.as_ref();
        let url = self.url("userinfo_endpoint", server, auth)?;
        let endpoint = UserInfoEndpoint::at(url, server, &self.client);
        let rules = self.openid.userinfo.clone();
        Ok(endpoint
            .rules(rules)
            .clock(self.clock.clone())
            .with_clock_offset(self.clock_offset.clone()))
    }

    pub(in super::super) fn logout_endpoint(
        &self,
        server: &AuthorizationServer,
    ) -> Result<LogoutEndpoint> {
        LogoutEndpoint::with_http(server, &self.client, self.allow_http)
    }

    /// The checked URL of the server's keys.
    pub(in super::super) fn jwks_uri(&self, server: &AuthorizationServer) -> Result<Arc<Url>> {
        server.required_endpoint("jwks_uri", self.allow_http)
    }

    pub(in super::super) fn token_endpoint(
        &self,
        server: &AuthorizationServer,
    ) -> Result<TokenEndpoint> {
        let endpoint = self.endpoint("token_endpoint", server, None)?;
        let method = self.token_endpoint_method.clone();
        Ok(TokenEndpoint::from(endpoint).method(method))
    }

    pub(in super::super) fn revocation_endpoint(
        &self,
        server: &AuthorizationServer,
    ) -> Result<RevocationEndpoint> {
        let auth = self.authentication.revocation.as_ref();
        Ok(self.endpoint("revocation_endpoint", server, auth)?.into())
    }

    pub(in super::super) fn introspection_endpoint(
        &self,
        server: &AuthorizationServer,
    ) -> Result<IntrospectionEndpoint> {
        let auth = self.authentication.introspection.as_ref();
        let endpoint = self.endpoint("introspection_endpoint", server, auth)?;
        let rules = self.introspection.clone();
        Ok(IntrospectionEndpoint::from(endpoint).rules(rules))
    }

    pub(in super::super) fn device_authorization_endpoint(
        &self,
        server: &AuthorizationServer,
    ) -> Result<DeviceAuthorizationEndpoint> {
        let endpoint = self.endpoint("device_authorization_endpoint", server, None)?;
        Ok(endpoint.into())
    }

    pub(in super::super) fn registration_endpoint(
        &self,
        server: &AuthorizationServer,
    ) -> Result<RegistrationEndpoint> {
        let endpoint = RegistrationEndpoint::with_http(server, self.allow_http)?;
        Ok(endpoint.clock(self.clock.clone()))
    }

    pub(in super::super) fn configuration_endpoint(
        &self,
        registered: &RegisteredClient,
    ) -> Result<ClientConfigurationEndpoint> {
        let endpoint = ClientConfigurationEndpoint::with_http(registered, self.allow_http)?;
        Ok(endpoint.clock(self.clock.clone()))
    }

    /// The source of the metadata of a server that is discovered.
    pub(in super::super) fn server_source(&self, found: &DiscoverySettings) -> ServerSource {
        let profile = self.authorization.profile.map(|profile| FollowedProfile {
            profile,
            has_dpop: self.dpop.is_some(),
        });
        found.source(
            self.server.clone(),
            self.allow_http,
            self.clock.clone(),
            profile,
        )
    }

    pub(super) fn endpoint(
        &self,
        name: &'static str,
        server: &AuthorizationServer,
        auth: Option<&Arc<dyn ClientAuth>>,
    ) -> Result<Endpoint> {
        let auth = auth.or(self.authentication.token.as_ref());
        let url = self.url(name, server, auth)?;
        let mut endpoint = Endpoint::at(url, name, server, &self.client, self.allow_http);
        endpoint.clock = self.clock.clone();
        endpoint.clock_offset = self.clock_offset.clone();
        endpoint.auth = auth.cloned();
        endpoint.hooks = self.hooks.clone();
        // What the server offers is checked when the client is built, if it is known by then.
        if self.discovery.is_some() {
            endpoint.check_offered()?;
        }
        Ok(endpoint)
    }

    /// The URL of an endpoint: that for clients with a TLS certificate, if the certificate
    /// authenticates this one or binds its tokens.
    fn url(
        &self,
        name: &str,
        server: &AuthorizationServer,
        auth: Option<&Arc<dyn ClientAuth>>,
    ) -> Result<Arc<Url>> {
        let certificate = self.certificate.as_ref();
        let wants_alias = certificate.is_some_and(ClientCertificate::is_credential)
            // The certificate may be one that configure_http sets.
            || auth.is_some_and(|auth| is_mutual_tls(&**auth));
        server.required_endpoint_or_alias(name, self.allow_http, wants_alias)
    }
}
