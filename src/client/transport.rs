//! The connections of a client and its children: separate ones for the server's endpoints and for
//! API calls, which follow redirects differently.

mod connections;
mod presentation;
mod resolver;
mod rotation;

use std::{ops::Deref, sync::Arc, time::Duration};

use reqwest::{
    IntoUrl, Method, Url,
    header::{ACCEPT, HeaderValue, USER_AGENT},
};

use super::{execute, http, limit_by_itself, maybe_async, read_capped, require_runtime, within};
use crate::{
    error::{Error, Result},
    oauth2::{
        client_auth::certificate::value::ClientCertificate,
        provider::google::{hosts::permits_plain_http, journal::PlainRequest},
        request::EndpointRequest,
        token::Token,
    },
    wire::{response::EndpointResponse, secure_url::is_secure},
};

pub(super) use connections::{ConfigureHttp, ConnectionSettings, Follow};
use connections::{Connections, OWN_USER_AGENT};
use presentation::Presented;
pub(super) use presentation::{ByTls, Presentation};
pub(super) use resolver::Guard;
use resolver::refused_address;
use rotation::CertificateRotation;

/// Size limit of an endpoint's response, in bytes after decompression.
const ANSWER_LIMIT: usize = 1024 * 1024;

pub(super) struct Transport {
    connections: Current,
    settings: ConnectionSettings,
    /// Whether API calls are given the crate's `User-Agent`. Otherwise it is a default header of the
    /// connections, which the user's configuration may have replaced; that costs each call more.
    adds_user_agent: bool,
    /// Whether tokens may be bound to a certificate, or this may change.
    has_certificate: bool,
}

/// The connections in use.
enum Current {
    /// The same ones until the end.
    Fixed(Box<Connections>),
    /// Those of the certificate as it was read last.
    Changing(Box<CertificateRotation>),
}

/// The same, borrowed or as they are now.
pub(super) enum InUse<'a> {
    Fixed(&'a Connections),
    Current(Arc<Connections>),
}

/// What makes a request to an endpoint, once.
type Prepare<'a> = &'a mut (dyn FnMut() -> Result<http::Request> + Send);

impl Deref for InUse<'_> {
    type Target = Connections;

    #[inline]
    fn deref(&self) -> &Connections {
        match self {
            Self::Fixed(connections) => connections,
            Self::Current(connections) => connections,
        }
    }
}

impl Transport {
    /// Sets up all connections.
    pub(super) fn new(
        settings: ConnectionSettings,
        certificate: Option<(ClientCertificate, &'static dyn Presentation)>,
    ) -> Result<Self> {
        Ok(Self {
            adds_user_agent: settings.configure.is_none(),
            has_certificate: certificate.is_some(),
            connections: match certificate {
                Some((certificate, by)) => match by.connections(certificate, &settings)? {
                    Presented::Fixed(connections) => Current::Fixed(Box::new(connections)),
                    Presented::Changing(rotation) => Current::Changing(Box::new(rotation)),
                },
                None => Current::Fixed(Box::new(Connections::new(&settings)?)),
            },
            settings,
        })
    }

    /// The timeout of a call of an endpoint.
    pub(super) fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// Trusts a host that the platform names.
    pub(super) fn trust_platform(&self, url: &Url) {
        if let Some(guard) = &self.settings.guard {
            guard.addresses.trust_platform(url);
        }
    }

    /// Creates an API call, which [`send`](Self::send) sends.
    #[inline]
    pub(super) fn request(&self, method: Method, url: impl IntoUrl) -> http::RequestBuilder {
        self.connections().pools.resources.request(method, url)
    }

    /// Adds a `User-Agent` to an API call that has none: best as its first header, which needs no
    /// look-up.
    #[inline]
    pub(super) fn add_user_agent(&self, request: &mut http::Request) {
        let headers = request.headers_mut();
        if self.adds_user_agent && (headers.is_empty() || !headers.contains_key(USER_AGENT)) {
            headers.insert(USER_AGENT, OWN_USER_AGENT.clone());
        }
    }

    /// Whether a request without a timeout can be handed over to reqwest before the response is waited
    /// for: a timeout that the user has configured would begin at once, in the runtime that is there.
    #[inline]
    pub(super) fn can_begin(&self) -> bool {
        self.settings.configure.is_none()
    }

    /// Sends an API call by `execute`, with a `User-Agent` if it has none.
    pub(super) fn send<T>(
        &self,
        mut request: http::Request,
        execute: impl FnOnce(&http::Client, http::Request) -> T,
    ) -> Result<T> {
        require_runtime()?;
        self.add_user_agent(&mut request);
        let connections = self.connections();
        Ok(execute(connections.for_resource(request.url()), request))
    }

    /// The connections in use.
    #[inline]
    pub(super) fn connections(&self) -> InUse<'_> {
        match &self.connections {
            Current::Fixed(connections) => InUse::Fixed(connections),
            Current::Changing(rotation) => InUse::Current(rotation.connections()),
        }
    }

    /// Whether all API calls are made on the same connections.
    #[inline]
    pub(super) fn has_one_pool(&self) -> bool {
        matches!(&self.connections, Current::Fixed(connections) if connections.is_one_pool())
    }

    /// Whether [`accepts`](Self::accepts) is to be asked at all.
    #[inline]
    pub(super) fn has_certificate(&self) -> bool {
        self.has_certificate
    }

    /// Reads a certificate in files again if they have changed, at most once a second.
    pub(super) fn update_certificate(&self) {
        if let Current::Changing(rotation) = &self.connections {
            rotation.update_at_intervals(&self.settings);
        }
    }

    /// Whether a token can be used on the connections: it is not bound to another certificate than
    /// theirs. A certificate in files is read again first.
    pub(super) fn accepts(&self, token: &Token) -> bool {
        self.update_certificate();
        let connections = self.connections();
        let (bound, present) = (token.certificate_thumbprint(), &connections.certificate);
        bound.is_none() || present.is_none() || bound == present.as_deref()
    }

    /// The request to an endpoint.
    fn prepared(&self, request: &EndpointRequest) -> Result<http::Request> {
        let (url, body) = request.url_and_body();
        let mut sent = http::Request::new(request.method().clone(), url);
        *sent.headers_mut() = request.headers();
        *sent.body_mut() = body.map(|body| body.expose_secret_owned().into());
        self.check(sent.url())?;
        Ok(sent)
    }

    /// Begins to send the request that `prepare` makes by `execute`, with the thumbprint of the
    /// certificate of the connection.
    fn begin<T>(
        &self,
        prepare: Prepare<'_>,
        limit: Duration,
        execute: impl FnOnce(&http::Client, http::Request) -> T,
    ) -> Result<(Option<Arc<str>>, T)> {
        let mut request = prepare()?;
        limit_by_itself(&mut request, limit);
        let connections = self.connections();
        let endpoints = &connections.pools(request.url()).endpoints;
        let certificate = connections.certificate.clone();
        Ok((certificate, execute(endpoints, request)))
    }

    /// Whether a token may be sent to `url`.
    #[inline]
    pub(super) fn check(&self, url: &Url) -> Result<()> {
        if is_secure(url, self.settings.allow_http) {
            return Ok(());
        }
        Err(Error::usage(
            "a token is sent only over https, or to loopback; \
             dangerous_allow_http permits plain http, withhold_token leaves the token out",
        ))
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
        let (url, status_suffices) = (request.url(), request.is_answered_by_status());
        self.exchange(&mut || self.prepared(request), url, limit, status_suffices)
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
        let url = request.url().clone();
        self.check(&url)?;
        let mut request = Some(request);
        self.exchange(&mut || taken(&mut request), &url, limit, false)
            .await
    }

    /// Asks a service of a cloud; the metadata server of the machine by plain HTTP.
    pub(super) async fn ask_service(
        &self,
        request: &PlainRequest,
        limit: Duration,
    ) -> Result<EndpointResponse> {
        if !permits_plain_http(&request.url) {
            self.check(&request.url)?;
        }
        let mut prepare = || {
            let mut sent = http::Request::new(request.method.clone(), request.url.clone());
            *sent.headers_mut() = request.headers.clone();
            let body = request.body.as_ref();
            *sent.body_mut() = body.map(|body| body.expose_secret().to_owned().into());
            Ok(sent)
        };
        self.exchange(&mut prepare, &request.url, limit, false)
            .await
    }

    /// The response to a request to `url`, which errors name. If its status says everything, a body that
    /// cannot be read is no error.
    ///
    /// The request is made when it is sent, as each future that it is passed to keeps room for it.
    async fn exchange(
        &self,
        prepare: Prepare<'_>,
        url: &Url,
        limit: Duration,
        status_suffices: bool,
    ) -> Result<EndpointResponse> {
        if let Some(guard) = &self.settings.guard {
            let checked = guard.addresses.check_request(url);
            checked.map_err(|refused| Error::untrusted(refused.to_string()))?;
        }
        if let Current::Changing(rotation) = &self.connections {
            rotation.update(&self.settings);
        }
        require_runtime()?;
        let mut response = None;
        // Until the last byte.
        let body = within(limit, self.answered(prepare, limit, &mut response)).await;
        let body = body.unwrap_or_else(|_late| Err(Error::unanswered(url)));
        let Some(mut response) = response else {
            return Err(body.err().unwrap_or_else(|| Error::unanswered(url)));
        };
        let status = response.status();
        *response.body_mut() = match body {
            Ok(Some(body)) => body,
            _ if status_suffices && status.is_success() => Vec::new(),
            // An error page may be of any size: the status tells enough.
            Ok(None) if status.is_client_error() || status.is_server_error() => Vec::new(),
            Ok(None) => return Err(Error::answer("the response is larger than 1 MiB", status)),
            Err(error) => return Err(error),
        };
        Ok(response)
    }

    /// The body, unless it is too large; before it, the response without it.
    async fn answered(
        &self,
        prepare: Prepare<'_>,
        limit: Duration,
        answered: &mut Option<EndpointResponse>,
    ) -> Result<Option<Vec<u8>>> {
        let (certificate, sent) = self.begin(prepare, limit, execute)?;
        let response = sent.await;
        let mut response = response.map_err(|error| match refused_address(&error) {
            Some(refused) => Error::untrusted(refused.to_string()),
            None => error.into(),
        })?;
        let headers = std::mem::take(response.headers_mut());
        let head = EndpointResponse::new(response.status(), headers, Vec::new());
        *answered = Some(head.with_certificate(certificate));
        read_capped(&mut response, ANSWER_LIMIT).await
    }
}

fn taken(request: &mut Option<http::Request>) -> Result<http::Request> {
    let sent_before = || Error::interrupted("the request was sent already");
    request.take().ok_or_else(sent_before)
}
