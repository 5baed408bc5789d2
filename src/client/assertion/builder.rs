//! Builder of an assertion client.

mod callers_assertion;
mod google;

use std::{fmt, sync::Arc, time::Duration};

use serde_json::Value;

use super::super::{
    Assert, ByCallbacks,
    assertion::client::AssertionClient,
    http,
    session::Session,
    settings::{
        HttpSettings, Identity, Settings, TokenSettings, http_settings, timeout_with_renewal,
        token_settings,
    },
};
use crate::{
    error::{Problems, Result},
    jose::SigningKey,
    oauth2::{
        assertion::audience::Audience,
        client::ClientRegistration,
        client_auth::{
            ClientAuth,
            none::{NoClientAuthentication, PublicClient},
            secret::ClientSecretBasic,
            settings::check_endpoint_of,
        },
        grant::{Grant, jwt_bearer::JwtBearer},
        server::AuthorizationServer,
    },
    secret::Secret,
    wire::form::Form,
};
use google::GoogleClient;

paired! {
    /// Settings of an assertion client. Setters cannot fail; [`build`](Self::build) reports every
    /// invalid setting by name.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/assertion_client_builder.md"),
        include_str!("../../../docs/examples/async/assertion_client_builder.md")
    )]
    #[must_use = "a builder makes no client until it is built"]
    pub struct AssertionClientBuilder | AsyncAssertionClientBuilder {
        server: AuthorizationServer,
        pub(in super::super::super) client: ClientRegistration,
        issuer: Option<String>,
        subject: Option<String>,
        audience: Option<Audience>,
        signing_key: Option<SigningKey>,
        key_id: Option<String>,
        assertion: Option<Assert>,
        header: Vec<(String, Value)>,
        claims: Vec<(String, Value)>,
        lifetime: Option<Duration>,
        not_before: bool,
        scope_as_claim: bool,
        grant_type: Option<String>,
        parameters: Form,
        auth: Option<Arc<dyn ClientAuth>>,
        google: Option<GoogleClient>,
        pub(in super::super::super) tokens: TokenSettings,
        http: HttpSettings,
    }
}

impl AssertionClientBuilder {
    pub(in super::super) fn new(token_endpoint: String) -> Self {
        Self {
            server: AuthorizationServer::default().with_token_endpoint(token_endpoint),
            client: ClientRegistration::default(),
            issuer: None,
            subject: None,
            audience: None,
            signing_key: None,
            key_id: None,
            assertion: None,
            header: Vec::new(),
            claims: Vec::new(),
            lifetime: None,
            not_before: false,
            scope_as_claim: false,
            grant_type: None,
            parameters: Form::new(),
            auth: None,
            google: None,
            tokens: TokenSettings::new(),
            http: HttpSettings::new(),
        }
    }

    /// The issuer (`iss`): the service account, the client.
    ///
    /// [RFC 7523 section 3](https://www.rfc-editor.org/rfc/rfc7523#section-3)
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// The subject (`sub`): the user or account that the token is for. Defaults to none, as Google
    /// expects; the RFC requires one.
    ///
    /// [RFC 7523 section 3](https://www.rfc-editor.org/rfc/rfc7523#section-3)
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// The audience (`aud`). Defaults to the token endpoint.
    ///
    /// [RFC 7523 section 3](https://www.rfc-editor.org/rfc/rfc7523#section-3)
    pub fn audience(mut self, audience: impl Into<Audience>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// The key that signs the assertions, by its algorithm.
    pub fn signing_key(mut self, key: SigningKey) -> Self {
        self.signing_key = Some(key);
        self
    }

    /// The key's identifier at the server. Defaults to that of the key.
    ///
    /// [RFC 7515 section 4.1.4](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.4)
    pub fn key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }

    /// Adds a member to the header of the assertions. `typ` defaults to `JWT`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.header.push((name.into(), value.into()));
        self
    }

    /// Adds a claim. Claims that are new for each assertion have methods of their own.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.push((name.into(), value.into()));
        self
    }

    /// The lifetime of an assertion (`exp`), in whole seconds, at most a day. Defaults to 60
    /// seconds.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Whether an assertion has the claim `nbf`, the time of its creation. Defaults to `false`.
    pub fn not_before(mut self, not_before: bool) -> Self {
        self.not_before = not_before;
        self
    }

    /// Whether the scope is the claim `scope`, as for Google, instead of a parameter.
    pub fn scope_as_claim(mut self, as_claim: bool) -> Self {
        self.scope_as_claim = as_claim;
        self
    }

    /// The `grant_type`. Defaults to that of RFC 7523,
    /// `urn:ietf:params:oauth:grant-type:jwt-bearer`. For SAML 2.0 it is
    /// `urn:ietf:params:oauth:grant-type:saml2-bearer`, with an [`assertion`](Self::assertion) in base64url.
    ///
    /// [RFC 7522 section 2.1](https://www.rfc-editor.org/rfc/rfc7522#section-2.1)
    pub fn grant_type(mut self, grant_type: impl Into<String>) -> Self {
        self.grant_type = Some(grant_type.into());
        self
    }

    /// Adds a parameter to the token requests, beside the standard ones.
    pub fn param(
        mut self,
        name: impl Into<std::borrow::Cow<'static, str>>,
        value: impl Into<Secret>,
    ) -> Self {
        self.parameters.push(name, value);
        self
    }

    /// The client identifier, if the server requires one beside the assertion. Defaults to none.
    ///
    /// [RFC 7521 section 4.1](https://www.rfc-editor.org/rfc/rfc7521#section-4.1)
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client = self.client.with_client_id(client_id);
        self
    }

    /// The client secret, if the server requires client authentication beside the assertion.
    pub fn client_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.client = self.client.with_client_secret(secret);
        self
    }

    /// The client authentication beside the assertion. Defaults to
    /// [`ClientSecretBasic`](crate::oauth2::ClientSecretBasic) if the client has a secret, else to
    /// the identifier alone, if it has one.
    ///
    /// [RFC 6749 section 2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3)
    pub fn token_endpoint_auth_method(mut self, auth: impl ClientAuth + 'static) -> Self {
        self.auth = Some(Arc::new(auth));
        self
    }

    pub(in super::super::super) fn made_by(mut self, assert: Assert) -> Self {
        self.assertion = Some(assert);
        self.tokens.completion = Some(&ByCallbacks);
        self
    }

    /// Creates the client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage), which names every invalid setting; or if TLS
    /// cannot be set up.
    pub fn build(self) -> Result<AssertionClient> {
        let (settings, grant) = self.settings()?;
        let transport = self.http.transport(self.tokens.follow(), None)?;
        let session = Session::new(settings, transport, self.tokens.token, Some(grant));
        Ok(AssertionClient::new(session))
    }

    fn settings(&self) -> Result<(Settings, Arc<dyn Grant>)> {
        if let Some(google) = &self.google {
            return (google.settings)(self, &google.credentials);
        }
        let mut problems = Problems::default();
        let allow_http = self.http.allow_http;
        check_endpoint_of(&self.server, "token_endpoint", allow_http, &mut problems);
        let grant = self.grant(&mut problems);
        self.check(&mut problems);
        let Some(grant) = grant.filter(|_| problems.is_empty()) else {
            // Without a grant, a problem was noted.
            return Err(problems.into_error());
        };
        let (server, client) = (self.server.clone(), self.client.clone());
        let mut settings = Settings::new(server, client, &self.tokens, &self.http);
        settings.identity = Identity::Issuer(self.issuer.clone());
        settings.authentication.token = Some(self.auth());
        settings.assert = self.assertion.clone();
        // "Refresh tokens are not typically issued in response to a request with an assertion"; a
        // new assertion is as good as one.
        settings.rules.use_refresh_tokens = false;
        Ok((settings, grant))
    }

    /// Notes the problems of all settings but the token endpoint's URL and the assertion.
    fn check(&self, problems: &mut Problems) {
        let client = &self.client;
        let id_is_empty = client.has_client_id() && client.client_id().is_empty();
        if id_is_empty {
            problems.add("client_id", "is empty; leave it out if there is none");
        }
        if client.client_secret().is_some_and(Secret::is_empty) {
            problems.add("client_secret", "is empty; leave it out if there is none");
        }
        if self.signing_key.is_some() && self.tokens.sign.is_some() && self.auth.is_none() {
            problems.add(
                "signer",
                "cannot be used together with signing_key; remove one of them",
            );
        }
        let auth = self.auth();
        let certificate = self.http.known_certificate();
        certificate.check("token_endpoint_auth_method", &*auth, problems);
        if !id_is_empty && let Err(error) = auth.check(client, &self.server) {
            let setting = match &self.auth {
                Some(_) => "token_endpoint_auth_method",
                None => "client_secret",
            };
            problems.add(setting, &format!("cannot be used: {error}"));
        }
        if self.grant_type.as_ref().is_some_and(String::is_empty) {
            problems.add("grant_type", "is empty");
        }
        self.tokens.check(client, problems);
        self.http.check(problems);
    }

    fn auth(&self) -> Arc<dyn ClientAuth> {
        match &self.auth {
            Some(auth) => auth.clone(),
            None if self.client.client_secret().is_some() => Arc::new(ClientSecretBasic),
            None if self.client.has_client_id() => Arc::new(PublicClient),
            None => Arc::new(NoClientAuthentication),
        }
    }

    /// The grant of the token requests.
    fn grant(&self, problems: &mut Problems) -> Option<Arc<dyn Grant>> {
        if self.assertion.is_some() {
            return Some(self.callers_assertion(problems));
        }
        let issuer = self.issuer.as_deref().unwrap_or_default();
        if self.issuer.is_none() {
            problems.add("issuer", "is missing");
        }
        let grant = match (&self.signing_key, &self.tokens.sign, &self.key_id) {
            (Some(key), _, None) => JwtBearer::new(issuer, key.clone()),
            (Some(key), _, Some(id)) => JwtBearer::new(issuer, key.clone().with_key_id(id)),
            (None, Some(_), None) => JwtBearer::external(issuer),
            (None, Some(_), Some(id)) => JwtBearer::external(issuer).header("kid", id.as_str()),
            (None, None, _) => {
                problems.add("signing_key", "is missing, and so are signer and assertion");
                return None;
            }
        };
        let grant = self.configured(grant);
        if self.issuer.is_some()
            && let Err(error) = grant.check(&self.client, &self.server)
        {
            problems.add("the assertion", &format!("cannot be made: {error}"));
        }
        Some(Arc::new(grant))
    }

    fn configured(&self, mut grant: JwtBearer) -> JwtBearer {
        if let Some(subject) = &self.subject {
            grant = grant.subject(subject);
        }
        if let Some(audience) = &self.audience {
            grant = grant.audience(audience.clone());
        }
        if let Some(lifetime) = self.lifetime {
            grant = grant.lifetime(lifetime);
        }
        if let Some(grant_type) = &self.grant_type {
            grant = grant.with_grant_type(grant_type);
        }
        for (name, value) in &self.header {
            grant = grant.header(name, value.clone());
        }
        for (name, value) in &self.claims {
            grant = grant.claim(name, value.clone());
        }
        for (name, value) in self.parameters.iter() {
            grant = grant.param(name.to_owned(), value);
        }
        grant
            .not_before(self.not_before)
            .scope_as_claim(self.scope_as_claim)
    }
}

token_settings!(AssertionClientBuilder);
http_settings!(
    AssertionClientBuilder,
    timeout: timeout_with_renewal!(),
    clock: "The clock for every expiry, and for the times in assertions.",
);

/// Without the query of the endpoint, in which some servers expect a key.
impl fmt::Debug for AssertionClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(by_mode!(
            "AssertionClientBuilder",
            "AsyncAssertionClientBuilder"
        ))
        .field("server", &self.server)
        .field("issuer", &self.issuer)
        .field("subject", &self.subject)
        .field("signing_key", &self.signing_key)
        .field("scope", &self.client.scope())
        .field("token", &self.tokens.token)
        .finish_non_exhaustive()
    }
}
