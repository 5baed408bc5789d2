//! From a challenge to the server of the resource.
//!
//! [RFC 9728 section 5](https://www.rfc-editor.org/rfc/rfc9728#section-5),
//! [RFC 8414 section 3](https://www.rfc-editor.org/rfc/rfc8414#section-3)

use super::{
    super::{
        documents::cache::{DocumentCache, DocumentFetch},
        maybe_async,
    },
    established::Established,
    state::ResourceState,
};
use crate::{
    error::{Error, ErrorKind, Result, one_line},
    oauth2::{
        client::RegisteredClient,
        protected_resource::{
            challenge::ResourceChallenge,
            identifier::{canonical, origin},
            metadata::ProtectedResource,
            source::ResourceSource,
        },
        server::{
            metadata::AuthorizationServer,
            source::{Progress, ServerSource},
            tenants::is_one_issuer,
        },
    },
    wire::document::DocumentSource,
};

/// Limit of the servers that an error names.
const SHOWN: usize = 5;

/// Server of the resource.
pub(super) struct FoundServer {
    pub(super) issuer: String,
    pub(super) server: AuthorizationServer,
    /// Whether its metadata were found.
    pub(super) is_discovered: bool,
}

#[maybe_async]
impl ResourceState {
    /// Discovers the server of the resource, and the client's registration there.
    pub(super) async fn discover(&self, challenge: &ResourceChallenge) -> Result<Established> {
        let (found, metadata) = self.discover_server(challenge).await?;
        let resource = metadata.resource().map(str::to_owned);
        let resource = resource.unwrap_or_else(|| canonical(&self.url));
        self.established_at(found, metadata, &resource).await
    }

    /// Discovers the server of the resource alone.
    async fn discover_server(
        &self,
        challenge: &ResourceChallenge,
    ) -> Result<(FoundServer, ProtectedResource)> {
        let metadata = self.resource_metadata(challenge).await?;
        let found = self.server(&metadata).await?;
        Ok((found, metadata))
    }

    /// The registration that is known at the server of the resource, or is kept. None is made.
    pub(super) async fn known_registration(&self) -> Result<Option<RegisteredClient>> {
        if let Some(established) = self.established() {
            return Ok(established.registered.clone());
        }
        let (found, _) = self.discover_server(&ResourceChallenge::default()).await?;
        self.kept_registrations().load(&found.issuer).await
    }

    async fn resource_metadata(&self, challenge: &ResourceChallenge) -> Result<ProtectedResource> {
        let source = ResourceSource::new(
            self.url.clone(),
            challenge.metadata.clone(),
            self.settings.rule,
            self.template.allow_http(),
            self.settings.mcp_2025_03_26,
        );
        self.fetch(source).await
    }

    async fn server(&self, metadata: &ProtectedResource) -> Result<FoundServer> {
        let is_legacy = metadata.resource().is_none();
        let issuer = match is_legacy {
            true => origin(&self.url),
            false => self.choose_server(metadata)?,
        };
        self.check_owner(&issuer, metadata)?;
        let source = ServerSource {
            discovery: self.settings.discovery(&issuer),
            given: AuthorizationServer::default(),
            guard: self.guard.addresses.clone(),
            allow_http: self.template.allow_http(),
            clock: self.template.clock.clone(),
            profile: None,
            progress: Progress::default(),
        };
        let found = self.fetch(source).await;
        match found {
            Ok(server) => Ok(FoundServer {
                issuer,
                server,
                is_discovered: true,
            }),
            Err(error) if is_legacy && is_missing(&error) => {
                let server = legacy_server(&issuer);
                Ok(FoundServer {
                    issuer,
                    server,
                    is_discovered: false,
                })
            }
            Err(error) => Err(error),
        }
    }

    async fn fetch<S: DocumentSource>(&self, source: S) -> Result<S::Document> {
        let fetch = DocumentFetch {
            source,
            transport: self.transport.clone(),
            clock: self.template.clock.clone(),
        };
        let limit = self.template.timeout;
        DocumentCache::new(None)
            .obtain(fetch, |_| true, |_| true, limit)
            .await
    }
}

impl ResourceState {
    /// The issuer to use of those that the resource names.
    fn choose_server(&self, metadata: &ProtectedResource) -> Result<String> {
        let named = metadata.authorization_servers();
        if named.is_empty() {
            return Err(Error::untrusted(
                "the metadata of the resource name no authorization server",
            ));
        }
        if let Some(choose) = &self.settings.choose_server {
            let chosen = choose(metadata);
            return match chosen.filter(|chosen| named.contains(&&**chosen)) {
                Some(chosen) => Ok(chosen),
                None => Err(Error::usage(format!(
                    "none of the authorization servers of the resource was chosen, which are {}",
                    shown(&named)
                ))),
            };
        }
        let own = self.configured_issuer();
        let own = own.and_then(|own| {
            let mut spellings = named.iter().filter(|named| is_one_issuer(named, &own));
            let verbatim = named.iter().find(|named| **named == own);
            verbatim.or_else(|| spellings.next()).copied()
        });
        Ok(own.unwrap_or(named[0]).to_owned())
    }

    /// Credentials are never sent to another server than the one that issued them, whoever chose it.
    fn check_owner(&self, issuer: &str, metadata: &ProtectedResource) -> Result<()> {
        let is_other = |own: &String| !is_one_issuer(own, issuer);
        let Some(own) = self.configured_issuer().filter(is_other) else {
            return Ok(());
        };
        let is_named = |named: &[&str]| named.iter().any(|named| is_one_issuer(named, &own));
        let named = match metadata.authorization_servers() {
            named if is_named(&named) || named.is_empty() => vec![issuer],
            named => named,
        };
        Err(Error::usage(format!(
            "the client belongs to the issuer {:?}, and the resource is used with tokens of {}; \
             register the client there, and pass its client_id and issuer",
            one_line(&own),
            shown(&named)
        )))
    }
}

fn shown(issuers: &[&str]) -> String {
    let issuers = issuers.iter().take(SHOWN);
    let issuers: Vec<_> = issuers.map(|issuer| one_line(issuer)).collect();
    issuers.join(", ")
}

/// Whether the metadata are nowhere, and nothing else is wrong.
fn is_missing(error: &Error) -> bool {
    let status = error.status();
    error.kind() == ErrorKind::Answer && status.is_some_and(|status| status.is_client_error())
}

/// The endpoints of a server without metadata, as MCP placed them before 2025-06-18.
pub(super) fn legacy_server(issuer: &str) -> AuthorizationServer {
    AuthorizationServer::new(issuer)
        .with_authorization_endpoint(format!("{issuer}/authorize"))
        .with_token_endpoint(format!("{issuer}/token"))
        .with_registration_endpoint(format!("{issuer}/register"))
        .with_code_challenge_methods_supported(["S256"])
}
