//! The connections of a client and its children: separate ones for the server's endpoints and for
//! API calls, which follow redirects differently.

mod resolver;

use std::{sync::Arc, time::Duration};

use reqwest::{
    IntoUrl, Method, Url,
    header::{ACCEPT, HeaderValue, USER_AGENT},
    redirect::{Attempt, Policy},
};

use super::{
    execute, http, http_client, maybe_async, read_capped, require_runtime, with_stall_limit,
};
use crate::{
    error::{Error, Result},
    oauth2::{
        request::EndpointRequest, server::address::AddressGuard, token::bearer::TokenPlacement,
    },
    tls,
    wire::{
        response::EndpointResponse,
        secure_url::{is_loopback, is_secure},
    },
};

use resolver::{GuardedResolver, refused_address};

/// The user's change to reqwest's builder.
pub(super) type ConfigureHttp =
    Arc<dyn Fn(http::ClientBuilder) -> http::ClientBuilder + Send + Sync>;

/// Size limit of an endpoint's response, in bytes after decompression.
const ANSWER_LIMIT: usize = 1024 * 1024;

/// APIs such as GitHub's refuse requests without one.
static OWN_USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("oauth-twin/", env!("CARGO_PKG_VERSION")));

/// Limit of the silence of an endpoint within its response.
const STALL_LIMIT: Duration = Duration::from_secs(30);

/// Timeout for establishing a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// As many redirects as browsers follow, halved.
const REDIRECT_LIMIT: usize = 10;

/// Environment variables from which reqwest takes a proxy, in lower or upper case.
const PROXY_VARIABLES: [&str; 3] = ["http_proxy", "https_proxy", "all_proxy"];

pub(super) struct Transport {
    connections: Connections,
    /// The same without the proxy of the environment, if that names one: secrets that are sent to
    /// loopback stay on the machine.
    direct: Option<Connections>,
    timeout: Duration,
    allow_http: bool,
    /// Of the endpoints of a server that was discovered.
    guard: Option<Arc<AddressGuard>>,
    /// Whether API calls are given the crate's `User-Agent`. Otherwise it is a default header of the
    /// connections, which the user's configuration may have replaced; that costs each call more.
    adds_user_agent: bool,
}

/// Redirects of API calls that reqwest follows.
#[derive(Clone, Copy)]
pub(super) enum Follow {
    /// None: a signature is valid for one request.
    Nothing,
    /// All that take no token out of its origin.
    Bearer(TokenPlacement),
}

struct Connections {
    endpoints: http::Client,
    resources: http::Client,
}

impl Transport {
    /// Sets up both kinds. `timeout` is that of a whole call of an endpoint.
    pub(super) fn new(
        configure: Option<&ConfigureHttp>,
        timeout: Duration,
        allow_http: bool,
        follow: Follow,
        guard: Option<Arc<AddressGuard>>,
    ) -> Result<Self> {
        let connections = |without_environment| {
            let guard = guard.as_ref();
            Connections::new(
                configure,
                without_environment,
                timeout,
                allow_http,
                follow,
                guard,
            )
        };
        let environment_has_proxy = PROXY_VARIABLES
            .into_iter()
            .flat_map(|name| [name.to_owned(), name.to_uppercase()])
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
        Ok(Self {
            connections: connections(false)?,
            direct: match environment_has_proxy {
                true => Some(connections(true)?),
                false => None,
            },
            timeout,
            allow_http,
            guard,
            adds_user_agent: configure.is_none(),
        })
    }

    /// The timeout of a call of an endpoint.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Creates an API call, which [`resources`](Self::resources) executes.
    #[inline]
    pub(super) fn request(&self, method: Method, url: impl IntoUrl) -> http::RequestBuilder {
        self.connections.resources.request(method, url)
    }

    /// The connections for an API call, which is given a `User-Agent` if it has none.
    pub(super) fn resources(&self, request: &mut http::Request) -> Result<&http::Client> {
        require_runtime()?;
        if self.adds_user_agent {
            let user_agent = request.headers_mut().entry(USER_AGENT);
            user_agent.or_insert_with(|| OWN_USER_AGENT.clone());
        }
        Ok(&self.connections(request.url()).resources)
    }

    fn connections(&self, url: &Url) -> &Connections {
        match &self.direct {
            Some(direct) if is_loopback(url) => direct,
            _ => &self.connections,
        }
    }

    /// Whether a token may be sent to `url`.
    pub(super) fn check(&self, url: &Url) -> Result<()> {
        if is_secure(url, self.allow_http) {
            return Ok(());
        }
        Err(Error::usage(
            "a token is sent only over https, or to loopback; \
             dangerous_allow_http permits plain http, withhold_token leaves the token out",
        ))
    }
}

impl Connections {
    fn new(
        configure: Option<&ConfigureHttp>,
        without_environment: bool,
        timeout: Duration,
        allow_http: bool,
        follow: Follow,
        guard: Option<&Arc<AddressGuard>>,
    ) -> Result<Self> {
        let base = |builder: http::ClientBuilder| -> Result<http::ClientBuilder> {
            let builder = builder.connect_timeout(CONNECT_TIMEOUT);
            let builder = match without_environment {
                true => builder.no_proxy(),
                false => builder,
            };
            match configure {
                // Then reqwest configures TLS itself: it would silently ignore roots and
                // certificates that are added to a builder with our configuration.
                Some(configure) => {
                    tls::install_provider();
                    Ok(configure(builder))
                }
                None => tls::preconfigured!(builder),
            }
        };
        let with_user_agent = || http::ClientBuilder::new().user_agent(OWN_USER_AGENT.clone());
        let endpoints = base(with_stall_limit(
            with_user_agent(),
            timeout.min(STALL_LIMIT),
        ))?
        // A code and an assertion must not be sent twice, which reqwest does where HTTP/2 says
        // that the server has not processed them. Our own repetition makes new ones.
        .retry(reqwest::retry::never())
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(timeout.min(CONNECT_TIMEOUT))
        .timeout(timeout);
        let endpoints = match guard {
            Some(guard) => endpoints.dns_resolver(Arc::new(GuardedResolver::new(guard.clone()))),
            None => endpoints,
        };
        // An event stream may be silent for as long as the user allows.
        let resources = match configure {
            Some(_) => base(with_user_agent())?,
            None => base(http::ClientBuilder::new())?,
        };
        let resources = resources
            .redirect(match follow {
                Follow::Nothing => Policy::none(),
                Follow::Bearer(placement) => {
                    Policy::custom(move |attempt| redirect(attempt, allow_http, placement))
                }
            })
            .referer(false);
        Ok(Self {
            endpoints: http_client(endpoints)?,
            resources: http_client(resources)?,
        })
    }
}

#[maybe_async]
impl Transport {
    /// Sends a request to an endpoint and reads the response, within `limit`.
    pub(super) async fn ask(
        &self,
        request: &EndpointRequest,
        limit: Duration,
    ) -> Result<EndpointResponse> {
        let (url, body) = request.url_and_body();
        let mut sent = http::Request::new(request.method().clone(), url);
        *sent.headers_mut() = request.headers();
        *sent.body_mut() = body.map(|body| body.expose_secret().to_owned().into());
        self.exchange(sent, limit, request.is_answered_by_status())
            .await
    }

    /// Asks for a document.
    pub(super) async fn get(&self, url: Url, limit: Duration) -> Result<EndpointResponse> {
        let mut request = http::Request::new(Method::GET, url);
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(ACCEPT, json);
        self.call(request, limit).await
    }

    /// The same for a request that is ready to be sent.
    pub(super) async fn call(
        &self,
        request: http::Request,
        limit: Duration,
    ) -> Result<EndpointResponse> {
        self.exchange(request, limit, false).await
    }

    /// The response. If its status says everything, a body that cannot be read is no error.
    async fn exchange(
        &self,
        mut request: http::Request,
        limit: Duration,
        status_suffices: bool,
    ) -> Result<EndpointResponse> {
        self.check(request.url())?;
        if let Some(guard) = &self.guard {
            let checked = guard.check_request(request.url());
            checked.map_err(|refused| Error::untrusted(refused.to_string()))?;
        }
        // On the request, so that it holds until the last byte in both modes.
        *request.timeout_mut() = Some(limit);
        let endpoints = &self.connections(request.url()).endpoints;
        require_runtime()?;
        let response = execute(endpoints, request).await;
        let response = response.map_err(|error| match refused_address(&error) {
            Some(refused) => Error::untrusted(refused.to_string()),
            None => error.into(),
        })?;
        let status = response.status();
        let headers = response.headers().clone();
        let body = match read_capped(response, ANSWER_LIMIT).await {
            Err(_) | Ok(None) if status_suffices && status.is_success() => Some(Vec::new()),
            body => body?,
        };
        let body = match body {
            Some(body) => body,
            // An error page may be of any size: the status tells enough.
            None if status.is_client_error() || status.is_server_error() => Vec::new(),
            None => return Err(Error::answer("the response is larger than 1 MiB", status)),
        };
        Ok(EndpointResponse::new(status, headers, body))
    }
}

/// reqwest drops the token if a redirect leaves the origin. A redirect that would leave HTTPS is
/// returned to the caller.
///
/// So is one within an origin after another was visited: reqwest takes the headers of each hop from
/// the first request and checks only whether that hop changes the origin, so the token would be
/// sent again.
///
/// reqwest keeps a token that is not in the header, so such a request is not followed out of the
/// origin.
fn redirect(
    attempt: Attempt<'_>,
    allow_http: bool,
    placement: TokenPlacement,
) -> reqwest::redirect::Action {
    let (to, previous) = (attempt.url(), attempt.previous());
    let Some(from) = previous.last() else {
        return attempt.stop();
    };
    let left_https = is_secure(from, allow_http) && !is_secure(to, allow_http);
    let origin = to.origin();
    let token_is_back =
        from.origin() == origin && previous.iter().any(|url| url.origin() != origin);
    let taken_along = placement != TokenPlacement::Header && from.origin() != origin;
    if left_https || token_is_back || taken_along {
        attempt.stop()
    } else if previous.len() > REDIRECT_LIMIT {
        attempt.error("more than 10 redirects")
    } else {
        attempt.follow()
    }
}
