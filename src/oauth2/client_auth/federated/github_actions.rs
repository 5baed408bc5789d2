//! ID tokens of GitHub Actions.
//!
//! [OpenID Connect reference](https://docs.github.com/en/actions/reference/security/oidc)

use std::sync::Arc;

use http::{HeaderValue, Method, header};
use serde_json::Value;
use zeroize::Zeroizing;

use super::read::assertion;
use crate::{
    clock::Clock,
    error::{BoxError, Error, Result},
    oauth2::{
        client::ClientRegistration,
        request::{AssertionSource, EndpointRequest, SourceRead},
        response::EndpointResponse,
        server::AuthorizationServer,
    },
    secret::Secret,
    wire::secure_url::check_endpoint,
};

const URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// The service of GitHub Actions that makes ID tokens for a job.
pub(super) struct GitHubActions {
    audience: String,
}

impl GitHubActions {
    pub(super) fn new(audience: String) -> Self {
        Self { audience }
    }

    /// The request for an ID token, by the values of the two environment variables.
    fn request(&self, url: &str, token: &str) -> Result<EndpointRequest, BoxError> {
        let mut url = check_endpoint(url, false)
            .map_err(|problem| format!("the variable {URL} {problem}"))?;
        url.query_pairs_mut()
            .append_pair("audience", &self.audience);
        let mut request = EndpointRequest::new(
            "github_actions_id_token_service",
            Method::GET,
            Arc::new(url),
            AuthorizationServer::default(),
            ClientRegistration::default(),
            Clock::system(),
        );
        let value = Zeroizing::new(format!("Bearer {token}"));
        let mut value = HeaderValue::try_from(value.as_str())
            .map_err(|_invalid| format!("the variable {TOKEN} has no token"))?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
        Ok(request)
    }
}

impl AssertionSource for GitHubActions {
    fn read(&self) -> Result<SourceRead, BoxError> {
        let variable = |name: &str| {
            std::env::var(name).map_err(|_absent| {
                format!(
                    "the variable {name} is not set: the job needs `permissions: id-token: write`"
                )
            })
        };
        let token = Secret::new(variable(TOKEN)?);
        self.request(&variable(URL)?, token.expose_secret())
            .map(SourceRead::Request)
    }

    fn read_response(
        &self,
        request: &EndpointRequest,
        response: &EndpointResponse,
    ) -> Result<Secret> {
        let answer = response.answer();
        let members = answer.read(answer.json(), |_| None);
        let members = members.map_err(|error| error.of_call(&request.call()))?;
        let invalid = |problem: &str| {
            Error::answer(format!("the response {problem}"), response.status())
                .of_call(&request.call())
        };
        match members.get("value") {
            Some(Value::String(token)) => assertion(token.clone().into_bytes(), "its value")
                .map_err(|_none| invalid("has no ID token")),
            _ => Err(invalid("has no ID token")),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn request(url: &str, token: &str) -> Result<EndpointRequest, BoxError> {
        GitHubActions::new("https://id.example/a b".to_owned()).request(url, token)
    }

    #[test]
    fn the_request_has_the_audience_and_the_token_of_the_job() {
        let url = "https://pipelines.example/token?api-version=2.0";
        let request = request(url, "t").expect("a request");
        assert_eq!(request.method(), Method::GET);
        assert_eq!(
            request.url_and_body().0.as_str(),
            "https://pipelines.example/token?api-version=2.0&audience=https%3A%2F%2Fid.example%2Fa+b"
        );
        assert_eq!(request.headers()["authorization"], "Bearer t");
        assert!(request.headers()["authorization"].is_sensitive());
    }

    #[test]
    fn the_token_of_the_job_goes_to_no_insecure_place() {
        for (url, token) in [
            ("http://pipelines.example/token", "t"),
            ("pipelines.example", "t"),
            ("", "t"),
            ("https://pipelines.example/token", "hunter\n2"),
        ] {
            let error = request(url, token).expect_err(url).to_string();
            assert!(!error.contains("hunter"), "{error}");
        }
    }

    #[test]
    fn the_id_token_is_the_value_of_the_response() {
        let source = GitHubActions::new("a".to_owned());
        let request = request("https://pipelines.example/token", "t").expect("a request");
        let read = |status, body: &str| {
            let status = StatusCode::from_u16(status).expect("a status");
            let response = EndpointResponse::new(status, HeaderMap::new(), body);
            source.read_response(&request, &response)
        };
        let token = read(200, r#"{"count":1,"value":"a.b.c"}"#).expect("a token");
        assert_eq!(token.expose_secret(), "a.b.c");
        for (status, body) in [
            (200, "{}"),
            (200, r#"{"value":""}"#),
            (200, r#"{"value":"hunter2 hunter2"}"#),
            (200, r#"{"value":["hunter2"]}"#),
            (200, "hunter2"),
            (403, r#"{"value":"hunter2"}"#),
            (500, ""),
            (302, ""),
        ] {
            let error = read(status, body).expect_err(body);
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
            assert!(!error.needs_login());
        }
    }
}
