//! Settings of a client that finds its server by the resource that it is for.
//!
//! [RFC 9728](https://www.rfc-editor.org/rfc/rfc9728)

use std::{sync::Arc, time::Duration};

use super::super::{
    LogIn, OwnRegistrations, Visit, in_callback, login_method, maybe_async,
    oauth2::{builder::OAuth2ClientBuilder, client::OAuth2Client},
    oidc::id_tokens::SignedIdTokens,
    protected_resource::state::ResourceState,
    session::Session,
    settings::{ResourceLogin, ResourceSettings},
    transport::Guard,
};
use crate::{
    error::{Error, Problems, Result},
    oauth2::{
        authorization::{endpoint::AuthorizationUrl, request::AuthorizationRequest},
        client::ClientMetadata,
        client_auth::settings::check_secret,
        grant::token_exchange::TOKEN_EXCHANGE,
        protected_resource::{identifier::ResourceMatch, metadata::ProtectedResource},
        server::profile::Clause,
        token::Token,
    },
    secret::Secret,
};

/// The longest time of a login that the calling code carries out.
const VISIT_LIMIT: Duration = Duration::from_secs(600);

/// Settings of a client for a resource, and what is done with them: led to from here alone, so that
/// programs without such a client do not contain it.
pub(in super::super) struct ForResource {
    pub(in super::super) settings: ResourceSettings,
    pub(super) check: fn(&OAuth2ClientBuilder, &ResourceSettings, &mut Problems),
    pub(super) build: fn(OAuth2ClientBuilder) -> Result<OAuth2Client>,
}

impl OAuth2Client {
    /// Creates a builder for a client of the API at this URL, which says itself what it needs: its
    /// authorization server, where the client registers if it has to, and its scope. MCP servers
    /// are such APIs.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/for_resource.md"),
        include_str!("../../../docs/examples/async/for_resource.md")
    )]
    ///
    /// Nothing is sent until a request is. A request that the resource refuses with 401 leads to
    /// its metadata, to the server, to the client there (with the `client_id` that is set, or one
    /// that was registered before, or a metadata document, or by registration), and to a login or
    /// the `grant`; then it is sent again, unless its body is a stream. A 403 for
    /// `insufficient_scope` leads to a login for what was requested and what is missing together.
    /// One such chain serves any number of callers that are refused together, and goes on if they
    /// leave. A later 401 that no renewal resolves begins with the metadata again, as the resource
    /// may have moved to another server.
    ///
    /// With a `token_store`, the token is kept together with the server and the registration, so
    /// that the next start needs no request for them.
    ///
    /// Without a login and a `grant`, and in each [`for_token`](Self::for_token) child, the chain
    /// ends in an error of [`ErrorKind::Login`](crate::ErrorKind::Login), whose
    /// [`login_request`](crate::Error::login_request) is to be passed to
    /// [`begin_authorization`](Self::begin_authorization).
    ///
    /// # Security
    ///
    /// What the resource names is a stranger's word. Its metadata have to name the resource itself,
    /// and those of the server its issuer, character by character but for the `/` after an origin.
    /// Private addresses are refused, and loopback unless the resource is there. Tokens and
    /// registrations are never used at another server than the one that issued them; a refresh token of
    /// which that is not known goes only to a server whose `issuer` is set. Requests to other URLs get the
    /// token as well: do not send any to other services.
    ///
    /// [RFC 9728 section 5](https://www.rfc-editor.org/rfc/rfc9728#section-5)
    #[doc(alias = "mcp")]
    pub fn for_resource(url: impl Into<String>) -> OAuth2ClientBuilder {
        let mut builder = OAuth2ClientBuilder::unregistered();
        builder.resource = Some(Box::new(ForResource {
            settings: ResourceSettings::new(url.into()),
            check: OAuth2ClientBuilder::check_for_resource,
            build: OAuth2ClientBuilder::build_for_resource,
        }));
        builder.openid.verified_by = Some(&SignedIdTokens);
        builder.registering.calls = Some(&OwnRegistrations);
        builder
    }
}

/// Settings of a client that is [for a resource](OAuth2Client::for_resource). For other clients they
/// are errors of [`build`](Self::build), but for `client_id`, which replaces the one of the builder.
impl OAuth2ClientBuilder {
    /// The client's identifier, if it was registered at the server by hand. Set the
    /// [`issuer`](Self::issuer) as well, so that a secret is sent to no other server; without it,
    /// the first server that the resource names counts.
    ///
    /// [RFC 6749 section 2.2](https://www.rfc-editor.org/rfc/rfc6749#section-2.2)
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client = self.client.with_client_id(client_id);
        self
    }

    /// The URL of the client's metadata document, which is its identifier at servers that support
    /// such documents. [`ClientMetadata::document`] makes the document.
    ///
    /// [Client ID Metadata Document section 3](https://datatracker.ietf.org/doc/html/draft-ietf-oauth-client-id-metadata-document)
    pub fn client_metadata_document(self, url: impl Into<String>) -> Self {
        self.with_resource("client_metadata_document", |resource| {
            resource.document = Some(url.into());
        })
    }

    /// The metadata with which the client is registered at a server that does not know it.
    ///
    /// [RFC 7591 section 2](https://www.rfc-editor.org/rfc/rfc7591#section-2)
    pub fn client_metadata(self, metadata: ClientMetadata) -> Self {
        self.with_resource("client_metadata", |resource| {
            resource.metadata = Some(metadata);
        })
    }

    /// The token that the server requires of clients that register. It needs the `issuer` of that
    /// server.
    ///
    /// [RFC 7591 section 1.2](https://www.rfc-editor.org/rfc/rfc7591#section-1.2)
    pub fn initial_access_token(self, token: impl Into<Secret>) -> Self {
        self.with_resource("initial_access_token", |resource| {
            resource.initial_access_token = Some(token.into());
        })
    }

    /// The choice among the authorization servers that the resource names. Defaults to the first,
    /// or to the [`issuer`](Self::issuer) of a client with a `client_id`.
    ///
    /// [RFC 9728 section 7.6](https://www.rfc-editor.org/rfc/rfc9728#section-7.6)
    pub fn choose_authorization_server(
        self,
        choose: impl Fn(&ProtectedResource) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.with_resource("choose_authorization_server", |resource| {
            resource.choose_server = Some(Arc::new(choose));
        })
    }

    /// The rule for the `resource` in the metadata of the resource. Defaults to
    /// [`ResourceMatch::Prefix`].
    ///
    /// [RFC 9728 section 3.3](https://www.rfc-editor.org/rfc/rfc9728#section-3.3)
    pub fn resource_match(self, rule: ResourceMatch) -> Self {
        self.with_resource("resource_match", |resource| resource.rule = rule)
    }

    /// Permits what MCP had before 2025-06-18: a resource without metadata whose server is at its
    /// own origin, perhaps without metadata, too, with its endpoints at `/authorize`, `/token` and
    /// `/register`.
    ///
    /// [MCP 2025-03-26: Authorization](https://modelcontextprotocol.io/specification/2025-03-26/basic/authorization)
    pub fn mcp_2025_03_26(self) -> Self {
        self.with_resource("mcp_2025_03_26", |resource| resource.mcp_2025_03_26 = true)
    }

    /// Assumes that the server supports PKCE with S256, whatever its metadata say. Otherwise a
    /// server that does not list it is refused.
    ///
    /// [RFC 8414 section 2](https://www.rfc-editor.org/rfc/rfc8414#section-2)
    pub fn assume_s256(self) -> Self {
        self.with_resource("assume_s256", |resource| resource.assume_s256 = true)
    }

    /// Permits private addresses of the resource's metadata and of its server. Link-local addresses
    /// stay refused.
    ///
    /// # Security
    ///
    /// Whoever controls the resource can have requests sent into the network of the client.
    pub fn dangerous_allow_private_addresses(self) -> Self {
        self.with_resource("dangerous_allow_private_addresses", |resource| {
            resource.allow_private = true;
        })
    }

    pub(in super::super::super) fn visiting(self, visit: Visit) -> Self {
        let log_in: LogIn =
            login_method(move |session, request| visited(session, request, visit.clone()));
        self.with_login("login_with", log_in, VISIT_LIMIT)
    }

    /// Sets the method by which the user logs in.
    pub(in super::super) fn with_login(
        self,
        setting: &'static str,
        log_in: LogIn,
        limit: Duration,
    ) -> Self {
        self.with_resource(setting, |resource| {
            resource.login = Some(ResourceLogin { log_in, limit });
        })
    }

    fn with_resource(
        mut self,
        setting: &'static str,
        change: impl FnOnce(&mut ResourceSettings),
    ) -> Self {
        match &mut self.resource {
            Some(resource) => change(&mut resource.settings),
            None => self.misplaced.push(setting),
        }
        self
    }

    /// Notes the problems of a client whose server and registration are not known yet.
    fn check_for_resource(&self, resource: &ResourceSettings, problems: &mut Problems) {
        let client = &self.client;
        resource.check(self.http.allow_http, problems);
        if self.discovery.is_some() || self.server.names().any(|name| name != "issuer") {
            problems.add(
                "the server",
                "is found by the resource; leave its settings out",
            );
        }
        if let Some(profile) = self.authorization.profile {
            // "only use authorization server metadata [...] obtained from an authoritative source".
            let problem = "cannot be followed at a server that the resource names";
            problems.add(
                "profile",
                &profile.problem(problem, Clause::AuthoritativeIssuer),
            );
        }
        if !client.resource().is_empty() {
            problems.add("resource", "is that of for_resource; leave it out");
        }
        if client.client_secret().is_some() && client.client_id().is_empty() {
            problems.add("client_secret", "needs a client_id");
        }
        check_secret(client, problems);
        if let (Some(issuer), Some(registered)) = (self.server.issuer(), &self.registered)
            && issuer != registered.issuer()
        {
            problems.add(
                "registered_client",
                "is registered at another issuer than the one that is set",
            );
        }
        if self.server.issuer().is_none() {
            self.check_credentials_without_issuer(resource, problems);
        }
        self.check_source(problems);
        self.check_common(problems);
    }

    /// What the calling code has for one server is not sent to the one that a stranger names.
    fn check_credentials_without_issuer(
        &self,
        resource: &ResourceSettings,
        problems: &mut Problems,
    ) {
        const PROBLEM: &str = "would be sent to whatever server the resource names; set the issuer of \
                               the server that it is for";
        if resource.initial_access_token.is_some() {
            problems.add("initial_access_token", PROBLEM);
        }
        // An assertion, unlike these, is for an audience: the server that it is sent to, unless the
        // calling code has set another, or a platform has. Workloads may have no other way to a server
        // that a resource names, so that is documented.
        let grant_type = self.repeated_grant().map(|grant| grant.grant_type());
        if matches!(grant_type, Some("password" | TOKEN_EXCHANGE)) {
            problems.add("the credential of the grant", PROBLEM);
        }
    }

    /// The client of the resource.
    fn build_for_resource(mut self) -> Result<OAuth2Client> {
        let template = self.settings()?;
        let Some(resource) = self.resource.take() else {
            return Err(Error::usage("there is no resource"));
        };
        let resource = resource.settings;
        let url = resource.url(self.http.allow_http).map_err(Error::usage)?;
        let guard = Guard::new(resource.guard(&url));
        let follow = self.tokens.follow();
        let transport = Arc::new(self.http.transport(follow, Some(guard.clone()))?);
        let state = ResourceState::new(url, resource, template, transport, guard);
        let session = Session::for_resource(Arc::new(state), self.tokens.token, self.grant);
        if let Some(source) = self.source {
            source.session.add_dependent(&session);
        }
        Ok(OAuth2Client::new(session))
    }
}

/// A login that the calling code carries out: it visits the URL of the request, and returns the
/// callback.
#[maybe_async]
async fn visited(session: Session, request: AuthorizationRequest, visit: Visit) -> Result<Token> {
    let client = OAuth2Client::new(session);
    let AuthorizationUrl { url, pending } = client.begin_authorization(request).await?;
    let live = client.session.live()?;
    let marks = [live.slot.id(), live.shared.id()];
    let callback = in_callback(&marks, move || visit(url)).await;
    let callback = callback.map_err(|error| Error::login_because("login_with failed", error))?;
    let callback = callback.expose_secret();
    let login = client.complete_authorization(pending, callback).await?;
    login.keep().await
}
