//! A login with `ureq` instead of the clients: this crate provides the protocol, and another
//! library the I/O. Such a program needs neither reqwest nor tokio.
//!
//! ```sh
//! cargo run --manifest-path examples/ureq/Cargo.toml
//! ```

#[path = "../../provider/mod.rs"]
mod provider;

use std::time::Duration;

use oauth_twin::{
    BoxError, Clock, Token,
    http::{Request, Response, StatusCode, header},
    lifecycle::{Decision, TokenState},
    oauth2::{
        AuthorizationEndpoint, AuthorizationRequest, AuthorizationServer, AuthorizationUrl,
        Challenge, ClientRegistration, EndpointRequest, EndpointResponse, Grant, RefreshToken,
        TokenEndpoint,
    },
};
use provider::{CLIENT_ID, CLIENT_SECRET, LIFETIME, Provider, REDIRECT_URI};
use ureq::Agent;

/// Time before its expiry at which a token is renewed.
const LEEWAY: Duration = Duration::from_secs(2);

/// Maximum size of an endpoint's response, in bytes.
const ANSWER_LIMIT: u64 = 1024 * 1024;

/// State of the program, which replaces a client.
struct Api {
    agent: Agent,
    token_endpoint: TokenEndpoint,
    token: Token,
    clock: Clock,
}

impl Api {
    /// Exchanges the authorization response for a token.
    fn log_in(
        token_endpoint: TokenEndpoint,
        grant: &dyn Grant,
        clock: Clock,
    ) -> Result<Self, BoxError> {
        let agent = Agent::config_builder()
            // An error status is a response with a body. A code must not be sent to a redirect.
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .new_agent();
        let token = fetch_token(&agent, &token_endpoint, grant)?;
        Ok(Self {
            agent,
            token_endpoint,
            token,
            clock,
        })
    }

    /// Sends a `GET` with the token, which is refreshed when it is about to expire. If the server
    /// responds that it is invalid, it is refreshed and the request is retried once.
    fn get(&mut self, url: &str) -> Result<Response<ureq::Body>, BoxError> {
        if self.is_due() {
            println!("the token is about to expire");
            self.refresh()?;
        }
        let response = self.send(url)?;
        if response.status() != StatusCode::UNAUTHORIZED || !is_invalid_token(&response) {
            return Ok(response);
        }
        println!("the token was refused");
        self.refresh()?;
        self.send(url)
    }

    fn send(&self, url: &str) -> Result<Response<ureq::Body>, BoxError> {
        let header = self.token.authorization_header()?;
        let request = Request::get(url).header(header::AUTHORIZATION, header);
        Ok(self.agent.run(request.body(())?)?)
    }

    /// The rule by which the clients of oauth-twin decide.
    fn is_due(&self) -> bool {
        let state = TokenState::new(Some(&self.token), LEEWAY).renewable(true);
        state.decide(self.clock.now()) != Decision::Use
    }

    /// Refreshes the token. The new one inherits the members that the server omits, such as the
    /// refresh token.
    fn refresh(&mut self) -> Result<(), BoxError> {
        let grant = RefreshToken::of(&self.token, None).ok_or("there is no refresh token")?;
        let token = fetch_token(&self.agent, &self.token_endpoint, &grant)?;
        self.token = token.inheriting(&self.token);
        Ok(())
    }
}

/// Fetches a token by `grant`: the endpoint builds the request and reads the response.
fn fetch_token(
    agent: &Agent,
    endpoint: &TokenEndpoint,
    grant: &dyn Grant,
) -> Result<Token, BoxError> {
    let request = endpoint.request(grant)?;
    let response = ask(agent, &request)?;
    Ok(endpoint.read_response(&request, response)?)
}

/// Sends a request to any endpoint.
fn ask(agent: &Agent, request: &EndpointRequest) -> Result<EndpointResponse, BoxError> {
    let (parts, mut body) = agent.run(request.to_http()?)?.into_parts();
    let body = body.with_config().limit(ANSWER_LIMIT).read_to_vec()?;
    Ok(Response::from_parts(parts, body).into())
}

/// Whether the challenge is about the token.
fn is_invalid_token(response: &Response<ureq::Body>) -> bool {
    let challenges = Challenge::all(response.headers());
    let error = |challenge: &Challenge| challenge.parameter("error") == Some("invalid_token");
    challenges.iter().any(error)
}

fn main() -> Result<(), BoxError> {
    let provider = Provider::start();
    let server = AuthorizationServer::default()
        .with_authorization_endpoint(provider.url("/authorize"))
        .with_token_endpoint(provider.url("/token"));
    let client = ClientRegistration::new(CLIENT_ID)
        .with_client_secret(CLIENT_SECRET)
        .with_redirect_uris([REDIRECT_URI])
        .with_scope("profile");
    let token_endpoint = TokenEndpoint::new(&server, &client)?.clock(provider.clock());

    // The login: state and PKCE are included.
    let AuthorizationUrl { url, pending, .. } = AuthorizationEndpoint::new(&server, &client)?
        .clock(provider.clock())
        .request(AuthorizationRequest::new())?;
    let callback = provider.user_logs_in(&url); // open `url`, then the callback
    let code = pending.authorization_response(&callback)?;
    let mut api = Api::log_in(token_endpoint, &code, provider.clock())?;

    // A request with the token.
    let mut answer = api.get(&provider.url("/me"))?;
    println!("{}", answer.body_mut().read_to_string()?);
    assert_eq!(provider.count().issued, 1);

    // A request when the token is about to expire: it is refreshed first.
    provider.advance(LIFETIME - LEEWAY);
    let mut answer = api.get(&provider.url("/reports/7"))?;
    println!("{}", answer.body_mut().read_to_string()?);
    assert_eq!((provider.count().issued, provider.count().refused), (2, 0));

    // A request when the server has revoked the token: the challenge says so.
    provider.revoke_all();
    let answer = api.get(&provider.url("/reports/7"))?;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!((provider.count().issued, provider.count().refused), (3, 1));

    // The refusal of an endpoint is an error with the server's code.
    let refused = fetch_token(&api.agent, &api.token_endpoint, &RefreshToken::new("spent"));
    let error = refused.err().ok_or("a used refresh token was accepted")?;
    let error = error.downcast::<oauth_twin::Error>()?;
    println!("{error}");
    assert!(error.needs_login() && !error.is_transient());
    Ok(())
}
