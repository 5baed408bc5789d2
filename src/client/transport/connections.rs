//! Connections with one client certificate, or without any.

use std::{sync::Arc, time::Duration};

use reqwest::{
    Url,
    header::HeaderValue,
    redirect::{Attempt, Policy},
};

use super::{
    super::{http, http_client, with_stall_limit, with_timeout_of_calls},
    presentation::Presentation,
    resolver::Guard,
};
use crate::{
    error::Result,
    oauth2::{
        client_auth::certificate::certified_key::CertifiedKey,
        provider::google::hosts::permits_plain_http, token::bearer::TokenPlacement,
    },
    tls,
    wire::secure_url::is_secure,
};

/// The user's change to reqwest's builder.
pub(in super::super) type ConfigureHttp =
    Arc<dyn Fn(http::ClientBuilder) -> http::ClientBuilder + Send + Sync>;

/// APIs such as GitHub's refuse requests without one.
pub(super) static OWN_USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("oauth-twin/", env!("CARGO_PKG_VERSION")));

/// Limit of the silence of an endpoint within its response.
const STALL_LIMIT: Duration = Duration::from_secs(30);

/// Timeout for establishing a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// As many redirects as browsers follow, halved.
const REDIRECT_LIMIT: usize = 10;

/// Environment variables from which reqwest takes a proxy, in lower or upper case.
const PROXY_VARIABLES: [&str; 3] = ["http_proxy", "https_proxy", "all_proxy"];

/// Settings of connections.
pub(in super::super) struct ConnectionSettings {
    pub(in super::super) configure: Option<ConfigureHttp>,
    /// Of a whole call of an endpoint.
    pub(in super::super) timeout: Duration,
    pub(in super::super) allow_http: bool,
    pub(in super::super) follow: Follow,
    /// Of the endpoints of a server that was discovered.
    pub(in super::super) guard: Option<Guard>,
}

/// A certificate as it was read, and what presents it.
type Shown<'a> = (&'a CertifiedKey, &'static dyn Presentation);

/// Redirects of API calls that reqwest follows.
#[derive(Clone, Copy)]
pub(in super::super) enum Follow {
    /// None: a signature is valid for one request.
    Nothing,
    /// All that take no token out of its origin.
    Bearer(TokenPlacement),
}

/// Connections with one client certificate, or without any.
pub(in super::super) struct Connections {
    pub(super) pools: Pools,
    /// The same without the proxy of the environment, if that names one: secrets that are sent to
    /// loopback stay on the machine.
    direct: Option<Pools>,
    /// The thumbprint of the certificate, if tokens may be bound to it.
    pub(super) certificate: Option<Arc<str>>,
}

pub(super) struct Pools {
    pub(super) endpoints: http::Client,
    pub(super) resources: http::Client,
}

impl Connections {
    pub(super) fn new(settings: &ConnectionSettings) -> Result<Self> {
        Self::with(settings, None)
    }

    /// The same with the certificate as it was read.
    pub(super) fn presenting(
        settings: &ConnectionSettings,
        certificate: &CertifiedKey,
        by: &'static dyn Presentation,
        binding: bool,
    ) -> Result<Self> {
        let connections = Self::with(settings, Some((certificate, by)))?;
        let thumbprint = certificate.thumbprint.clone();
        Ok(Self {
            certificate: Some(thumbprint).filter(|_| binding),
            ..connections
        })
    }

    fn with(settings: &ConnectionSettings, shown: Option<Shown<'_>>) -> Result<Self> {
        let environment_has_proxy = PROXY_VARIABLES
            .into_iter()
            .flat_map(|name| [name.to_owned(), name.to_ascii_uppercase()])
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
        Ok(Self {
            pools: Pools::new(settings, shown, false)?,
            direct: match environment_has_proxy {
                true => Some(Pools::new(settings, shown, true)?),
                false => None,
            },
            certificate: None,
        })
    }

    /// Whether all requests are made on the same connections.
    #[inline]
    pub(super) fn is_one_pool(&self) -> bool {
        self.direct.is_none()
    }

    /// The connections for API calls of `url`.
    #[inline]
    pub(in super::super) fn for_resource(&self, url: &Url) -> &http::Client {
        &self.pools(url).resources
    }

    /// The connections for requests to `url`.
    #[inline]
    pub(super) fn pools(&self, url: &Url) -> &Pools {
        match &self.direct {
            Some(direct) if permits_plain_http(url) => direct,
            _ => &self.pools,
        }
    }
}

impl Pools {
    fn new(
        settings: &ConnectionSettings,
        shown: Option<Shown<'_>>,
        without_environment: bool,
    ) -> Result<Self> {
        let configure = settings.configure.as_ref();
        let (timeout, allow_http) = (settings.timeout, settings.allow_http);
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
                    let builder = match shown {
                        Some((certificate, by)) => by.present(builder, certificate, false)?,
                        None => builder,
                    };
                    Ok(configure(builder))
                }
                None => match shown {
                    Some((certificate, by)) => by.present(builder, certificate, true),
                    None => tls::preconfigured!(builder),
                },
            }
        };
        let with_user_agent = || http::ClientBuilder::new().user_agent(OWN_USER_AGENT.clone());
        // A call that may last no longer than an endpoint may be silent needs no timer for that.
        let endpoints = match configure.is_some() || timeout > STALL_LIMIT {
            true => with_stall_limit(with_user_agent(), timeout.min(STALL_LIMIT)),
            false => with_user_agent(),
        };
        let endpoints = base(endpoints)?
            // A code and an assertion must not be sent twice, which reqwest does where HTTP/2 says
            // that the server has not processed them. Our own repetition makes new ones.
            .retry(reqwest::retry::never())
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(timeout.min(CONNECT_TIMEOUT));
        let endpoints = match configure {
            // The user's own timeout is that of API calls.
            Some(_) => endpoints.timeout(timeout),
            None => with_timeout_of_calls(endpoints, timeout),
        };
        let endpoints = match &settings.guard {
            Some(guard) => guard.set(endpoints),
            None => endpoints,
        };
        // An event stream may be silent for as long as the user allows.
        let resources = match configure {
            Some(_) => base(with_user_agent())?,
            None => base(http::ClientBuilder::new())?,
        };
        let resources = resources
            .redirect(match settings.follow {
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
