//! Requests that discover a server, and the checks of its metadata.
//!
//! [RFC 8414 section 3.3](https://www.rfc-editor.org/rfc/rfc8414#section-3.3)

use std::{collections::VecDeque, sync::Arc};

use http::{StatusCode, header::LOCATION};
use serde_json::{Map, Value};
use url::Url;

use super::{
    address::AddressGuard,
    discovery::Discovery,
    metadata::AuthorizationServer,
    profile::FollowedProfile,
    tenants::{ExpectedIssuer, TENANT},
};
use crate::{
    clock::Clock,
    error::{Error, Result, one_line},
    json::Members,
    wire::{
        document::{DocumentSource, FetchStep, Freshness},
        response::EndpointResponse,
        secure_url::{check_endpoint_url, without_query},
    },
};

/// Limit of redirects within the origin.
const REDIRECT_LIMIT: usize = 3;

/// Source of the metadata of a server.
pub(crate) struct ServerSource {
    pub(crate) discovery: Discovery,
    /// Members that the calling code sets, which replace those of the metadata.
    pub(crate) given: AuthorizationServer,
    pub(crate) guard: Arc<AddressGuard>,
    pub(crate) allow_http: bool,
    pub(crate) clock: Clock,
    /// Profile of the client, which the metadata have to follow.
    pub(crate) profile: Option<FollowedProfile>,
    pub(crate) progress: Progress,
}

/// Progress of a discovery.
#[derive(Default)]
pub(crate) struct Progress {
    /// The place that was asked last.
    current: Option<Url>,
    redirects: usize,
    candidates: VecDeque<Url>,
    problems: Vec<Problem>,
}

/// Place without the metadata.
struct Problem {
    text: String,
    is_other_issuer: bool,
    response: EndpointResponse,
}

/// Reason for which a response is not the metadata.
struct NoMetadata {
    text: String,
    is_other_issuer: bool,
}

impl NoMetadata {
    fn because(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_other_issuer: false,
        }
    }
}

impl DocumentSource for ServerSource {
    type Document = AuthorizationServer;

    const NAME: &'static str = "metadata_endpoint";

    fn step(
        &mut self,
        response: Option<Result<EndpointResponse>>,
    ) -> FetchStep<AuthorizationServer> {
        let response = match response {
            None => match self.discovery.url(self.allow_http) {
                Ok(url) => {
                    self.progress.candidates = self.discovery.candidates(url);
                    return self.next();
                }
                Err(problem) => {
                    let error = Error::usage(format!("the issuer to discover {problem}"));
                    return FetchStep::Done(Err(error));
                }
            },
            Some(Err(error)) => return FetchStep::Done(Err(error)),
            Some(Ok(response)) => response,
        };
        if response.status().is_server_error() {
            let error = response.answer().failure("the metadata of the server");
            return FetchStep::Done(Err(error));
        }
        if let Some(url) = self.redirect(&response) {
            return self.get(url);
        }
        let problem = match self.read(&response) {
            Ok(members) => return FetchStep::Done(self.checked(members, &response)),
            Err(problem) => problem,
        };
        let place = self.progress.current.as_ref().map(without_query);
        self.progress.problems.push(Problem {
            text: format!("{}: {}", place.unwrap_or_default(), problem.text),
            is_other_issuer: problem.is_other_issuer,
            response,
        });
        self.next()
    }
}

impl ServerSource {
    /// Asks the next place, or reports why none has the metadata.
    fn next(&mut self) -> FetchStep<AuthorizationServer> {
        self.progress.redirects = 0;
        match self.progress.candidates.pop_front() {
            Some(url) => self.get(url),
            None => FetchStep::Done(Err(self.failure())),
        }
    }

    fn get(&mut self, url: Url) -> FetchStep<AuthorizationServer> {
        self.progress.current = Some(url.clone());
        FetchStep::Get(url)
    }

    /// The next hop of a redirect, within the origin.
    fn redirect(&mut self, response: &EndpointResponse) -> Option<Url> {
        if !response.status().is_redirection() {
            return None;
        }
        let current = self.progress.current.as_ref()?;
        let location = response.headers().get(LOCATION)?.to_str().ok()?;
        let next = current.join(location).ok()?;
        self.progress.redirects += 1;
        let is_permitted = next.origin() == current.origin()
            && check_endpoint_url(&next, self.allow_http).is_ok()
            && self.progress.redirects <= REDIRECT_LIMIT;
        is_permitted.then_some(next)
    }

    /// The metadata of the expected issuer, or why they are not there.
    fn read(&self, response: &EndpointResponse) -> Result<Map<String, Value>, NoMetadata> {
        if response.status().is_redirection() {
            let problem = "it redirects to another origin, or too often";
            return Err(NoMetadata::because(problem));
        }
        if response.status() != StatusCode::OK {
            return Err(NoMetadata::because(format!("status {}", response.status())));
        }
        let Ok(members) = Members::from_slice(response.body()) else {
            let problem = "it is not a JSON object, or has a duplicate member";
            return Err(NoMetadata::because(problem));
        };
        let Some(Value::String(issuer)) = members.get("issuer") else {
            return Err(NoMetadata::because("it has no issuer"));
        };
        let expected = self.discovery.expected_issuer();
        if !expected.is_in_metadata(issuer) {
            return Err(NoMetadata {
                text: other_issuer(&expected, issuer),
                is_other_issuer: true,
            });
        }
        Ok(members)
    }

    /// The metadata, unless they name an address to which no request may be sent.
    fn checked(
        &self,
        members: Map<String, Value>,
        response: &EndpointResponse,
    ) -> Result<AuthorizationServer> {
        let freshness = Freshness::of(response.headers(), self.clock.now());
        let server = AuthorizationServer::fetched(members, freshness);
        let server = server.overridden_by(&self.given);
        let aliases = server.alias_urls();
        let aliases = aliases.map(|(name, url)| (format!("mtls_endpoint_aliases.{name}"), url));
        let urls = server.urls().filter(|(name, _)| is_called(name));
        let urls = urls.map(|(name, url)| (name.to_owned(), url.clone()));
        let (mut insecure, mut refused) = (Vec::new(), Vec::new());
        for (name, url) in urls.chain(aliases) {
            let shown = without_query(&url);
            let is_refused =
                || self.discovery.public_only || check_endpoint_url(&url, self.allow_http).is_err();
            if url.scheme() == "http" && is_refused() {
                insecure.push(format!("{name} {shown}"));
            } else if let Err(problem) = self.guard.check_url(&url) {
                refused.push(format!("{name} {shown}: {problem}"));
            }
        }
        if !insecure.is_empty() {
            return Err(Error::answer(
                format!(
                    "the metadata of the server name endpoints that are not https, perhaps because \
                     a proxy in front of it ends TLS: {}; set the server's public URL there",
                    insecure.join(", ")
                ),
                response.status(),
            ));
        }
        if !refused.is_empty() {
            let text = format!("the metadata of the server name {}", refused.join("; "));
            return Err(Error::answer(text, response.status()));
        }
        let server = match self.discovery.assume_s256 {
            true => with_s256(server),
            false => server,
        };
        match self.profile {
            Some(followed) => follow(followed, server, response.status()),
            None => Ok(server),
        }
    }

    /// The error if no place has the metadata: another issuer takes precedence over a missing page.
    fn failure(&mut self) -> Error {
        let problems = std::mem::take(&mut self.progress.problems);
        let texts: Vec<_> = problems.iter().map(|problem| &*problem.text).collect();
        let issuer = one_line(&self.discovery.expected_issuer().issuer);
        let text = format!(
            "no metadata of the issuer {issuer:?} were found: {}",
            texts.join("; ")
        );
        if problems.iter().any(|problem| problem.is_other_issuer) {
            return Error::untrusted(text);
        }
        match problems.first().map(|problem| &problem.response) {
            Some(response) if response.status() == StatusCode::TOO_MANY_REQUESTS => {
                response.answer().failure("the metadata of the server")
            }
            Some(response) => Error::answer(text, response.status()),
            None => Error::untrusted(text),
        }
    }
}

/// Whether requests are sent to this member, or the user is.
fn is_called(name: &str) -> bool {
    name.ends_with("_endpoint") || name == "jwks_uri"
}

/// The message about metadata that name another issuer than the expected one, with advice.
fn other_issuer(expected: &ExpectedIssuer, found: &str) -> String {
    let found = one_line(found);
    let wanted = one_line(&expected.issuer);
    let difference = match found.trim_end_matches('/') == wanted.trim_end_matches('/') {
        true => ", which differ by the terminating `/`",
        false => "",
    };
    let way_out = match (expected.is_of_resource, found.contains(TENANT)) {
        (true, _) => "",
        (_, true) => "; name the accepted tenants by Discovery::tenants or any_tenant",
        (_, false) => "; if that is right for this server, name it by Discovery::expect_issuer",
    };
    format!(
        "the metadata name the issuer {found:?}, and {wanted:?} was expected{difference}{way_out}"
    )
}

/// The metadata as a security profile permits them, or all that it does not permit.
fn follow(
    followed: FollowedProfile,
    server: AuthorizationServer,
    status: StatusCode,
) -> Result<AuthorizationServer> {
    let FollowedProfile { profile, has_dpop } = followed;
    let violations = profile.violations(&server, has_dpop);
    match violations.is_empty() {
        true => Ok(profile.narrowed(server)),
        false => Err(Error::answer(
            format!(
                "the server does not follow the profile of the client: {}",
                violations.join("; ")
            ),
            status,
        )),
    }
}

/// The metadata with S256 among the PKCE methods.
fn with_s256(server: AuthorizationServer) -> AuthorizationServer {
    let methods = server
        .code_challenge_methods_supported()
        .unwrap_or_default();
    let others = methods.into_iter().filter(|method| *method != "S256");
    let methods: Vec<_> = others.chain(["S256"]).map(str::to_owned).collect();
    server.with_code_challenge_methods_supported(methods)
}

#[cfg(test)]
mod tests;
