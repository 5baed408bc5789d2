//! Requests that bring the metadata of a protected resource.
//!
//! [RFC 9728 section 3](https://www.rfc-editor.org/rfc/rfc9728#section-3)

use std::collections::VecDeque;

use http::{StatusCode, header::LOCATION};
use url::Url;

use super::{
    identifier::{ResourceMatch, well_known_urls},
    metadata::ProtectedResource,
};
use crate::{
    error::{Error, ErrorKind, Result, one_line},
    wire::{
        document::{DocumentSource, FetchStep},
        response::EndpointResponse,
        secure_url::{check_endpoint_url, without_query},
    },
};

/// Limit of redirects within the origin.
const REDIRECT_LIMIT: usize = 3;

/// Source of the metadata of a protected resource.
pub(crate) struct ResourceSource {
    resource: Url,
    rule: ResourceMatch,
    allow_http: bool,
    /// Whether the resource may have none, which is then an empty document.
    may_be_absent: bool,
    /// The place that its challenge names, which is the only one then.
    challenged: Option<String>,
    current: Option<Url>,
    redirects: usize,
    candidates: VecDeque<Url>,
    problems: Vec<Error>,
}

impl ResourceSource {
    /// The source for the resource at this URL, whose challenge may have named the place.
    pub(crate) fn new(
        resource: Url,
        challenged: Option<String>,
        rule: ResourceMatch,
        allow_http: bool,
        may_be_absent: bool,
    ) -> Self {
        Self {
            resource,
            rule,
            allow_http,
            may_be_absent,
            challenged,
            current: None,
            redirects: 0,
            candidates: VecDeque::new(),
            problems: Vec::new(),
        }
    }

    /// The places to ask, or what is wrong with the one that is named.
    fn begin(&self) -> Result<VecDeque<Url>> {
        let Some(named) = &self.challenged else {
            return Ok(well_known_urls(&self.resource).into());
        };
        let refused = |problem: &str| {
            let shown = one_line(named.split(['?', '#']).next().unwrap_or_default());
            Error::untrusted(format!(
                "the resource_metadata {shown:?} in the challenge of the resource {problem}"
            ))
        };
        let url = Url::parse(named).map_err(|_| refused("is not an absolute URL"))?;
        check_endpoint_url(&url, self.allow_http).map_err(|problem| refused(&problem))?;
        Ok([url].into())
    }

    /// Asks the next place, or reports why none has the metadata.
    fn next(&mut self) -> FetchStep<ProtectedResource> {
        self.redirects = 0;
        match self.candidates.pop_front() {
            Some(url) => self.get(url),
            None => FetchStep::Done(self.failure()),
        }
    }

    fn get(&mut self, url: Url) -> FetchStep<ProtectedResource> {
        self.current = Some(url.clone());
        FetchStep::Get(url)
    }

    /// The next hop of a redirect, within the origin.
    fn redirect(&mut self, response: &EndpointResponse) -> Option<Url> {
        if !response.status().is_redirection() {
            return None;
        }
        let current = self.current.as_ref()?;
        let location = response.headers().get(LOCATION)?.to_str().ok()?;
        let next = current.join(location).ok()?;
        self.redirects += 1;
        let is_permitted = next.origin() == current.origin()
            && check_endpoint_url(&next, self.allow_http).is_ok()
            && self.redirects <= REDIRECT_LIMIT;
        is_permitted.then_some(next)
    }

    /// The outcome if no place has the metadata. Those of another resource take precedence over a
    /// missing page.
    fn failure(&mut self) -> Result<ProtectedResource> {
        let problems = std::mem::take(&mut self.problems);
        let is_missing = |error: &Error| {
            error
                .status()
                .is_some_and(|status| status != StatusCode::OK)
        };
        if self.may_be_absent && self.challenged.is_none() && problems.iter().all(is_missing) {
            return Ok(ProtectedResource::default());
        }
        let other = problems.iter().find(|error| error.status().is_none());
        match other.or(problems.first()) {
            Some(error) => Err(error.clone()),
            None => Err(Error::untrusted("there are no metadata of the resource")),
        }
    }
}

impl DocumentSource for ResourceSource {
    type Document = ProtectedResource;

    const NAME: &'static str = "resource_metadata";

    fn step(&mut self, response: Option<Result<EndpointResponse>>) -> FetchStep<ProtectedResource> {
        let response = match response {
            None => match self.begin() {
                Ok(candidates) => {
                    self.candidates = candidates;
                    return self.next();
                }
                Err(error) => return FetchStep::Done(Err(error)),
            },
            Some(Err(error)) => return FetchStep::Done(Err(error)),
            Some(Ok(response)) => response,
        };
        if let Some(url) = self.redirect(&response) {
            return self.get(url);
        }
        match ProtectedResource::read_response(&response, &self.resource, self.rule) {
            Ok(resource) => FetchStep::Done(Ok(resource)),
            Err(error) if error.kind() == ErrorKind::Server => FetchStep::Done(Err(error)),
            Err(error) => {
                let place = self.current.as_ref().map(without_query).unwrap_or_default();
                self.problems
                    .push(error.advised(Some(&format!("this is what {place} says"))));
                self.next()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const URL: &str = "https://mcp.example/mcp";
    const PATH: &str = "https://mcp.example/.well-known/oauth-protected-resource/mcp";
    const ROOT: &str = "https://mcp.example/.well-known/oauth-protected-resource";

    fn source(challenged: Option<&str>, may_be_absent: bool) -> ResourceSource {
        let url = Url::parse(URL).expect("a URL");
        let challenged = challenged.map(str::to_owned);
        ResourceSource::new(url, challenged, ResourceMatch::Prefix, false, may_be_absent)
    }

    fn response(status: u16, body: impl Into<Vec<u8>>) -> EndpointResponse {
        let status = StatusCode::from_u16(status).expect("a status");
        EndpointResponse::new(status, HeaderMap::new(), body)
    }

    fn redirect(to: &str) -> EndpointResponse {
        let headers = HeaderMap::from_iter([(LOCATION, to.parse().expect("a value"))]);
        EndpointResponse::new(StatusCode::FOUND, headers, "")
    }

    fn document(resource: &str) -> EndpointResponse {
        response(200, json!({"resource": resource}).to_string())
    }

    fn run(
        mut source: ResourceSource,
        responses: impl IntoIterator<Item = EndpointResponse>,
    ) -> (Result<ProtectedResource>, Vec<String>) {
        let (mut asked, mut response) = (Vec::new(), None);
        let mut responses = responses.into_iter();
        loop {
            match source.step(response) {
                FetchStep::Done(done) => return (done, asked),
                FetchStep::Get(url) => {
                    asked.push(url.into());
                    response = Some(Ok(responses.next().expect("no more requests")));
                }
            }
        }
    }

    #[test]
    fn the_named_place_is_the_only_one() {
        let other = "https://meta.example/custom.json?x=1";
        let (found, asked) = run(source(Some(other), false), [document(URL)]);
        assert_eq!(found.expect("metadata").resource(), Some(URL));
        assert_eq!(asked, [other]);
        let (found, asked) = run(source(Some(other), true), [response(404, "")]);
        assert!(found.is_err());
        assert_eq!(asked, [other]);
    }

    #[test]
    fn else_the_path_and_then_the_origin() {
        let (found, asked) = run(
            source(None, false),
            [response(404, ""), document("https://mcp.example")],
        );
        assert_eq!(
            found.expect("metadata").resource(),
            Some("https://mcp.example")
        );
        assert_eq!(asked, [PATH, ROOT]);
        // A page for everything is no metadata.
        let page = response(200, "<html>");
        let (found, _) = run(source(None, false), [page, document(URL)]);
        assert!(found.is_ok());
    }

    #[test]
    fn the_metadata_of_another_resource_are_reported() {
        let evil = || document("https://evil.example/mcp");
        for responses in [[evil(), response(404, "")], [response(404, ""), evil()]] {
            for may_be_absent in [true, false] {
                let (found, _) = run(source(None, may_be_absent), responses.clone());
                let error = found.expect_err("another resource");
                assert!(error.to_string().contains("evil.example"), "{error}");
            }
        }
    }

    #[test]
    fn absent_metadata_are_permitted_only_where_nothing_is_there() {
        let nothing = || [response(404, ""), response(401, "")];
        let (found, _) = run(source(None, true), nothing());
        assert_eq!(found.expect("none").resource(), None);
        assert!(run(source(None, false), nothing()).0.is_err());
        let (found, _) = run(source(None, true), [response(404, ""), response(200, "x")]);
        assert!(found.is_err());
        let (found, asked) = run(source(None, true), [response(503, "")]);
        assert!(found.expect_err("down").is_transient());
        assert_eq!(asked.len(), 1);
    }

    #[test]
    fn redirects_stay_within_the_origin_and_are_few() {
        let (found, asked) = run(source(None, false), [redirect("/moved"), document(URL)]);
        assert!(found.is_ok());
        assert_eq!(asked[1], "https://mcp.example/moved");
        for to in [
            "https://evil.example/",
            "http://mcp.example/",
            "//evil.example/x",
        ] {
            let (found, asked) = run(source(Some(PATH), false), [redirect(to)]);
            assert!(found.is_err() && asked.len() == 1, "{to}");
        }
        let (found, asked) = run(
            source(Some(PATH), false),
            std::iter::repeat_with(|| redirect("/again")).take(REDIRECT_LIMIT + 1),
        );
        assert!(found.is_err());
        assert_eq!(asked.len(), REDIRECT_LIMIT + 1);
    }

    #[test]
    fn a_place_that_nothing_is_sent_to_is_refused() {
        for bad in [
            "",
            "/relative",
            "http://mcp.example/m",
            "ftp://mcp.example/",
            "https://a:b@mcp.example/",
        ] {
            let (found, asked) = run(source(Some(bad), true), []);
            assert!(found.is_err() && asked.is_empty(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_stranger_causes_few_requests(
            named in proptest::option::of("(https://[a-z]{1,5}\\.example/)?\\PC{0,20}"),
            statuses in proptest::collection::vec((200_u16..500, "\\PC{0,60}", "[ -~]{0,30}"), 16),
        ) {
            let responses = statuses.into_iter().map(|(status, body, location)| {
                let headers = HeaderMap::from_iter([(LOCATION, location.parse().expect("a value"))]);
                EndpointResponse::new(StatusCode::from_u16(status).expect("a status"), headers, body)
            });
            let (_, asked) = run(source(named.as_deref(), true), responses);
            prop_assert!(asked.len() <= 2 * (REDIRECT_LIMIT + 1));
            prop_assert!(asked.iter().all(|url| url.starts_with("https://")));
        }
    }
}
