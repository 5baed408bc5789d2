//! Endpoint requests.
//!
//! [RFC 6749 section 3](https://www.rfc-editor.org/rfc/rfc6749#section-3)

mod call;
mod outstanding;
mod proof;
mod signing_time;
mod token_request;

pub(crate) use outstanding::{AssertionSource, Exchange, Outstanding, SourceRead, SubjectKind};
pub use token_request::TokenRequest;

use std::{
    borrow::Cow,
    collections::VecDeque,
    fmt,
    sync::{Arc, LazyLock},
};

use http::{HeaderMap, HeaderValue, Method, header};
use url::Url;

use crate::{
    clock::{Clock, ClockOffset},
    error::{Error, Result},
    oauth2::{
        client::ClientRegistration,
        dpop::binding::{Binding, Proved},
        server::AuthorizationServer,
    },
    secret::Secret,
    wire::{form::Form, secure_url::without_query},
};

/// Request to an endpoint of the server before it is sent, which client authentication and hooks
/// may change.
///
/// ```
/// use oauth_twin::{BoxError, oauth2::EndpointRequest};
///
/// // A server that requires a custom header instead of a standard method.
/// fn by_header(request: &mut EndpointRequest) -> Result<(), BoxError> {
///     let id = request.client_id().parse()?;
///     request.headers_mut().insert("x-client", id);
///     request.form_mut().remove("scope");
///     Ok(())
/// }
/// # let _: fn(&mut EndpointRequest) -> _ = by_header;
/// ```
///
/// With the method `GET` the form is sent in the query, else in the body.
///
/// [RFC 6749 section 3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.2)
#[derive(Clone)]
pub struct EndpointRequest {
    method: Method,
    url: Arc<Url>,
    /// The default headers until one is changed.
    headers: Cow<'static, HeaderMap>,
    form: Form,
    /// A body in JSON instead of the form.
    json: Option<Secret>,
    server: AuthorizationServer,
    registration: ClientRegistration,
    clock: Clock,
    /// Difference of the server's clock, for what is signed.
    clock_offset: ClockOffset,
    /// The parameters of a token request that a refresh of the token repeats.
    refresh_parameters: Form,
    outstanding: VecDeque<Outstanding>,
    /// Whether a platform or another server has made an assertion in the form.
    has_foreign_assertion: bool,
    /// Whether no user can help if the server refuses the grant.
    is_unattended: bool,
    /// What a token that is exchanged has to be.
    exchange: Option<Box<Exchange>>,
    advice: Option<&'static str>,
    /// The name of the endpoint in the metadata of the server.
    endpoint: &'static str,
    /// The key that what is sent is bound to, if it is bound.
    binding: Option<Box<Binding>>,
    proved: Option<Box<Proved>>,
}

/// Headers that are added to a request before it is sent.
const ROOM: usize = 5;

const JSON: &str = "application/json";

/// Default headers of a request.
static HEADERS: LazyLock<HeaderMap> = LazyLock::new(|| {
    let json = HeaderValue::from_static(JSON);
    HeaderMap::from_iter([(header::ACCEPT, json)])
});

const FORM: &str = "application/x-www-form-urlencoded";

/// The same with those of a form, and with room in the index, which clones have as well.
static HEADERS_OF_FORM: LazyLock<HeaderMap> = LazyLock::new(|| {
    let mut headers = HeaderMap::with_capacity(HEADERS.len() + ROOM);
    headers.extend(HEADERS.clone());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FORM));
    headers
});

impl EndpointRequest {
    pub(crate) fn new(
        endpoint: &'static str,
        method: Method,
        url: Arc<Url>,
        server: AuthorizationServer,
        registration: ClientRegistration,
        clock: Clock,
    ) -> Self {
        Self {
            method,
            url,
            headers: Cow::Borrowed(&HEADERS),
            form: Form::new(),
            json: None,
            server,
            registration,
            clock,
            clock_offset: ClockOffset::default(),
            refresh_parameters: Form::new(),
            outstanding: VecDeque::new(),
            has_foreign_assertion: false,
            is_unattended: false,
            exchange: None,
            advice: None,
            endpoint,
            binding: None,
            proved: None,
        }
    }

    /// The authorization server.
    pub fn server(&self) -> &AuthorizationServer {
        &self.server
    }

    /// The registration of the client at the server.
    pub fn registration(&self) -> &ClientRegistration {
        &self.registration
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The client's identifier.
    pub fn client_id(&self) -> &str {
        self.registration.client_id()
    }

    /// The client's secret, if it has one.
    pub fn client_secret(&self) -> Option<&Secret> {
        self.registration.client_secret()
    }

    /// The HTTP method. Defaults to `POST`.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The HTTP method, mutably.
    pub fn method_mut(&mut self) -> &mut Method {
        &mut self.method
    }

    /// The URL of the endpoint.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The URL of the endpoint, mutably. It must stay HTTPS or on loopback.
    pub fn url_mut(&mut self) -> &mut Url {
        Arc::make_mut(&mut self.url)
    }

    /// All headers of the request: those that were set, and those of the body in its current form.
    /// `Content-Type` is that of a form unless a hook has set another, which is kept; a `POST`
    /// without a body has `Content-Length: 0`.
    ///
    /// [RFC 6749 section 3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.2)
    pub fn headers(&self) -> HeaderMap {
        if let (Cow::Borrowed(_), true) = (&self.headers, self.has_body()) {
            return HEADERS_OF_FORM.clone();
        }
        // With room for those of the HTTP library.
        let mut headers = HeaderMap::with_capacity(self.headers.len() + ROOM);
        for (name, value) in self.headers.iter() {
            headers.append(name, value.clone());
        }
        if self.has_body() {
            let form = HeaderValue::from_static(FORM);
            headers.entry(header::CONTENT_TYPE).or_insert(form);
        } else if self.method == Method::POST {
            // "A user agent SHOULD send Content-Length in a request when the method defines a
            // meaning for enclosed content and it is not sending Transfer-Encoding." Some servers
            // insist on it (status 411).
            let none = HeaderValue::from_static("0");
            headers.insert(header::CONTENT_LENGTH, none);
        }
        headers
    }

    /// The `Authorization` header, if one was set.
    pub(crate) fn authorization(&self) -> Option<&str> {
        self.headers.get(header::AUTHORIZATION)?.to_str().ok()
    }

    /// The headers that were set, mutably.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers.to_mut()
    }

    /// Sends the parameters as a JSON object instead of a form, for servers that read nothing else.
    /// A parameter that is repeated becomes a list. Setting the `Content-Type` `application/json`
    /// does the same.
    ///
    /// ```
    /// use oauth_twin::oauth2::Hook;
    ///
    /// let hook = Hook::access_token_request(|request| {
    ///     request.send_as_json();
    ///     Ok(())
    /// });
    /// ```
    pub fn send_as_json(&mut self) {
        let json = HeaderValue::from_static(JSON);
        self.headers_mut().insert(header::CONTENT_TYPE, json);
    }

    /// Sends this JSON object instead of a form.
    pub(crate) fn set_json(&mut self, json: Secret) {
        self.send_as_json();
        self.json = Some(json);
    }

    /// The JSON object that is sent instead of a form.
    pub(crate) fn json(&self) -> Option<&Secret> {
        self.json.as_ref()
    }

    /// Whether the `Content-Type` is that of JSON.
    fn is_json(&self) -> bool {
        let content_type = self.headers.get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let media_type = content_type.and_then(|value| value.split(';').next());
        media_type.is_some_and(|it| it.trim().eq_ignore_ascii_case(JSON))
    }

    /// The parameters.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// The parameters, mutably.
    pub fn form_mut(&mut self) -> &mut Form {
        &mut self.form
    }

    pub(crate) fn refresh_parameters(&self) -> &Form {
        &self.refresh_parameters
    }

    pub(crate) fn set_refresh_parameters(&mut self, parameters: Form) {
        self.refresh_parameters = parameters;
    }

    /// Advice for the case that the server refuses the client authentication.
    pub(crate) fn advice(&self) -> Option<&'static str> {
        self.advice
    }

    pub(crate) fn advise(&mut self, advice: &'static str) {
        self.advice = Some(advice);
    }

    /// The URL and the body as they are sent, without parameters that are still
    /// [`unsigned`](Self::unsigned).
    pub fn url_and_body(&self) -> (Url, Option<Secret>) {
        let mut url = (*self.url).clone();
        if self.has_body() {
            let body = match &self.json {
                Some(json) => json.clone(),
                None if self.is_json() => self.form.to_json(),
                None => self.form.encode(),
            };
            return (url, Some(body));
        }
        if self.form.is_empty() {
            return (url, None);
        }
        let mut query = url.query_pairs_mut();
        for (name, value) in self.form.iter() {
            query.append_pair(name, value.expose_secret());
        }
        drop(query);
        (url, None)
    }

    /// The request as it is sent, without parameters that are still [`unsigned`](Self::unsigned),
    /// for HTTP libraries that use the types of the crate `http`.
    ///
    /// ```
    /// use oauth_twin::oauth2::{
    ///     AuthorizationServer, ClientCredentials, ClientRegistration, TokenEndpoint,
    /// };
    ///
    /// let server = AuthorizationServer::default()
    ///     .with_token_endpoint("https://id.example.com/token");
    /// let endpoint = TokenEndpoint::new(&server, &ClientRegistration::new("id"))?;
    /// let request = endpoint.request(&ClientCredentials::new())?.to_http()?;
    /// assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
    /// assert_eq!(request.body(), b"grant_type=client_credentials&client_id=id");
    /// # Ok::<(), oauth_twin::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the crate `http` does not accept the URL, for example if it is longer than 64 KiB.
    pub fn to_http(&self) -> Result<http::Request<Vec<u8>>> {
        let (url, body) = self.url_and_body();
        let uri = http::Uri::try_from(String::from(url)).map_err(|_invalid| {
            Error::usage("the URL of the request is invalid or too long for the crate http; use POST for long forms")
        })?;
        let body = body.map(|body| body.expose_secret().as_bytes().to_vec());
        let mut request = http::Request::new(body.unwrap_or_default());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers();
        Ok(request)
    }

    /// Whether the form is sent in the body, and not in the query.
    fn has_body(&self) -> bool {
        self.method != Method::GET && (self.json.is_some() || !self.form.is_empty())
    }
}

/// Omits header values and the query, which client authentication may have set.
impl fmt::Debug for EndpointRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointRequest")
            .field("method", &self.method)
            .field("url", &without_query(&self.url))
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("form", &self.form)
            .field("client_id", &self.client_id())
            .field("client_secret", &self.client_secret())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
