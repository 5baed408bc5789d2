//! Requests to an API, with the client's token.

use std::{fmt, time::Duration};

use reqwest::{
    IntoUrl, Method, StatusCode, Url, Version,
    header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use serde::Serialize;

use super::{
    execute, http, maybe_async,
    oauth1::session::SignedSession,
    session::{Live, Session},
    settings::Settings,
    slot::{Current, Wanted},
};
use crate::{
    error::{Error, ErrorKind, Result},
    oauth2::{
        hook::ProtectedRequest,
        token::bearer::{TokenPlacement, is_invalid_token},
    },
    trace,
};

paired! {
    /// A request that gets the client's token, or its OAuth 1.0 signature, when it is sent:
    /// reqwest's own builder, with the same methods, and [`reqwest`](Self::reqwest) for the rest of them.
    ///
    #[doc = by_mode!(
        include_str!("../../docs/examples/blocking/request_builder.md"),
        include_str!("../../docs/examples/async/request_builder.md")
    )]
    ///
    /// The token goes into the `Authorization` header
    /// ([RFC 6750 section 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)) unless another
    /// placement is set; the body is not touched then, and never buffered. A signature goes where
    /// the client has its `signature_type`, and covers method, URL and a form body as they are
    /// sent.
    ///
    /// # Security
    ///
    /// A request with an `Authorization` header of the caller's own, or to a URL that is neither
    /// HTTPS nor loopback, is an error and is not sent. A redirect that leaves the origin is
    /// followed without the token; one that leaves HTTPS is returned as it is, and so is one
    /// within an origin after another was visited. Redirects of signed requests are returned.
    #[must_use = "a request does nothing until it is sent"]
    pub struct RequestBuilder | AsyncRequestBuilder {
        authorizer: Authorizer,
        inner: Result<http::RequestBuilder>,
        withhold_token: bool,
    }
}

impl RequestBuilder {
    /// Adds to the query of the URL.
    pub fn query<T: Serialize + ?Sized>(self, query: &T) -> Self {
        self.reqwest(|builder| builder.query(query))
    }

    /// Sends `json` as JSON.
    pub fn json<T: Serialize + ?Sized>(self, json: &T) -> Self {
        self.reqwest(|builder| builder.json(json))
    }

    /// Sends `form` form-encoded.
    pub fn form<T: Serialize + ?Sized>(self, form: &T) -> Self {
        self.reqwest(|builder| builder.form(form))
    }

    /// Sends `body`, which may be a stream.
    pub fn body(self, body: impl Into<http::Body>) -> Self {
        self.reqwest(|builder| builder.body(body))
    }

    /// Sends a multipart form.
    pub fn multipart(self, form: http::Form) -> Self {
        self.reqwest(|builder| builder.multipart(form))
    }

    /// Adds a header.
    pub fn header<K, V>(self, name: K, value: V) -> Self
    where
        HeaderName: TryFrom<K, Error: Into<::http::Error>>,
        HeaderValue: TryFrom<V, Error: Into<::http::Error>>,
    {
        self.reqwest(|builder| builder.header(name, value))
    }

    /// Sets headers, in the place of those of the same names.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.reqwest(|builder| builder.headers(headers))
    }

    /// The time within which the answer has to be there, the body included.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.reqwest(|builder| builder.timeout(timeout))
    }

    /// The version of HTTP.
    pub fn version(self, version: Version) -> Self {
        self.reqwest(|builder| builder.version(version))
    }

    /// Changes reqwest's builder inside: everything that it can do, this one can.
    pub fn reqwest(
        mut self,
        change: impl FnOnce(http::RequestBuilder) -> http::RequestBuilder,
    ) -> Self {
        self.inner = self.inner.map(change);
        self
    }

    /// Sends the request without a token or a signature, on the client's connections.
    pub fn withhold_token(mut self) -> Self {
        self.withhold_token = true;
        self
    }
}

#[maybe_async]
impl RequestBuilder {
    /// Obtains or renews the token if need be, puts it on the request and sends that.
    ///
    /// A 401 that is about the token is answered by one more try with a renewed one, if there is
    /// something to renew it with and the body is no stream; otherwise the 401 is returned. Like
    /// reqwest, it does not make an error of an error status.
    ///
    /// # Errors
    ///
    /// If there is no usable token and none can be obtained, if the request must not be sent with
    /// a token, or if the transport fails.
    pub async fn send(self) -> Result<http::Response> {
        let request = self.inner?.build()?;
        match self.authorizer {
            Authorizer::Bearer(session) => {
                let live = session.live()?;
                match self.withhold_token {
                    true => live.execute(request).await,
                    false => live.send(request).await,
                }
            }
            Authorizer::Signed(session) => {
                let live = session.live()?;
                match self.withhold_token {
                    true => live.execute(request).await,
                    false => live.send(request).await,
                }
            }
        }
    }
}

impl fmt::Debug for RequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(by_mode!("RequestBuilder", "AsyncRequestBuilder"))
            .field("withhold_token", &self.withhold_token)
            .finish_non_exhaustive()
    }
}

/// Whose request it is.
enum Authorizer {
    Bearer(Session),
    Signed(SignedSession),
}

impl SignedSession {
    /// Begins a request on the connections of the client.
    pub(super) fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        let inner = self
            .live()
            .map(|live| live.shared.transport.request(method, url));
        RequestBuilder {
            authorizer: Authorizer::Signed(self.clone()),
            inner,
            withhold_token: false,
        }
    }
}

impl Session {
    /// Begins a request on the connections of the client.
    pub(super) fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        let inner = self
            .live()
            .map(|live| live.shared.transport.request(method, url));
        RequestBuilder {
            authorizer: Authorizer::Bearer(self.clone()),
            inner,
            withhold_token: false,
        }
    }
}

#[maybe_async]
impl Session {
    pub(super) async fn authorize(&self, request: &mut http::Request) -> Result<()> {
        let live = self.live()?;
        live.check(request)?;
        let current = live.usable(live.patience(request)).await?;
        live.place(request, &current)
    }

    pub(super) async fn authorization_header(&self) -> Result<HeaderValue> {
        let live = self.live()?;
        let limit = live.shared.settings.timeout;
        live.usable(limit).await?.header()
    }
}

#[maybe_async]
impl Live {
    /// Sends as it is.
    async fn execute(&self, request: http::Request) -> Result<http::Response> {
        let client = self.shared.transport.resources(request.url());
        Ok(execute(client, request).await?)
    }

    /// Sends with the token, once more if a server refuses it.
    async fn send(&self, mut request: http::Request) -> Result<http::Response> {
        self.check(&request)?;
        let limit = self.patience(&request);
        let current = self.usable(limit).await?;
        let again = if self.slot.may_retry() {
            request.try_clone()
        } else {
            None
        };
        self.place(&mut request, &current)?;
        let response = self.execute(request).await?;
        let Some(mut again) = again.filter(|sent| is_refusal(&response, sent.url())) else {
            return Ok(response);
        };
        let renewed = self.obtain(Wanted::Other(current.clone()), limit).await;
        match renewed {
            Ok(other) if other.token.access_token() != current.token.access_token() => {
                drop(response);
                let url = again.url().clone();
                self.place(&mut again, &other)?;
                let response = self.execute(again).await?;
                // A new token did not help, so the token was not the reason: spare the server
                // a renewal for each of the 401s that are to be expected now.
                let now = self.shared.settings.clock.unix();
                self.slot.note_refusal(is_refusal(&response, &url), now);
                Ok(response)
            }
            Ok(_) => Ok(response),
            Err(error) if error.kind() == ErrorKind::Update => Err(error),
            Err(error) => {
                trace::unauthorized(&error);
                Ok(response)
            }
        }
    }
}

impl Live {
    /// Whether the request may be given a token.
    fn check(&self, request: &http::Request) -> Result<()> {
        if self.shared.settings.placement == TokenPlacement::Header
            && request.headers().contains_key(AUTHORIZATION)
        {
            return Err(Error::usage(
                "the request has an Authorization header, or a user name in its URL, already; \
                 take it out, or call withhold_token",
            ));
        }
        self.shared.transport.check(request.url())
    }

    /// Puts the token on the request, where it belongs, and shows it to the hooks.
    fn place(&self, request: &mut http::Request, current: &Current) -> Result<()> {
        let Settings {
            placement, hooks, ..
        } = &self.shared.settings;
        match placement {
            TokenPlacement::Header => {
                let header = current.header()?;
                request.headers_mut().insert(AUTHORIZATION, header);
            }
            TokenPlacement::Query => {
                current.token.add_to_query(request.url_mut())?;
                // "Clients using the URI Query Parameter method SHOULD also send a Cache-Control
                // header containing the "no-store" option."
                let no_store = HeaderValue::from_static("no-store");
                request
                    .headers_mut()
                    .entry(CACHE_CONTROL)
                    .or_insert(no_store);
            }
            TokenPlacement::Body => {
                let mut body = form_body(request)?.to_vec();
                current.token.add_to_form(&mut body)?;
                let form = HeaderValue::from_static("application/x-www-form-urlencoded");
                request.headers_mut().entry(CONTENT_TYPE).or_insert(form);
                *request.body_mut() = Some(body.into());
            }
        }
        if hooks.0.iter().any(|hook| hook.protected().is_some()) {
            let headers = std::mem::take(request.headers_mut());
            let (method, url) = (request.method().clone(), request.url().clone());
            let mut protected = ProtectedRequest::new(method, url, headers);
            protected.apply_hooks(&hooks.0)?;
            let (url, headers) = protected.into_parts();
            self.shared.transport.check(&url)?;
            *request.url_mut() = url;
            *request.headers_mut() = headers;
        }
        Ok(())
    }

    /// How long the request waits for an early renewal.
    fn patience(&self, request: &http::Request) -> Duration {
        let timeout = self.shared.settings.timeout;
        request.timeout().map_or(timeout, |own| timeout.min(*own))
    }
}

/// The form that a token may be added to: one that is there in full, or none on a method that has
/// a body.
///
/// [RFC 6750 section 2.2](https://www.rfc-editor.org/rfc/rfc6750#section-2.2)
fn form_body(request: &http::Request) -> Result<&[u8]> {
    let content_type = request.headers().get(CONTENT_TYPE);
    let is_form = content_type.is_some_and(|value| {
        let value = value.to_str().unwrap_or_default();
        let essence = value.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    });
    // "The HTTP request method is one for which the request-body has defined semantics. In
    // particular, this means that the "GET" method MUST NOT be used."
    let has_body = !matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    match request.body() {
        None if has_body && (is_form || content_type.is_none()) => Ok(&[]),
        Some(body) if has_body && is_form => body.as_bytes().ok_or_else(not_a_form),
        _ => Err(not_a_form()),
    }
}

fn not_a_form() -> Error {
    Error::usage(
        "the token is placed in the body, which has to be a form of a POST, PUT or PATCH; \
         use TokenPlacement::Header for other requests",
    )
}

/// Whether the server that was meant refused the token; another one, to which it redirected, has
/// not got it.
fn is_refusal(response: &http::Response, sent_to: &Url) -> bool {
    response.status() == StatusCode::UNAUTHORIZED
        && response.url().origin() == sent_to.origin()
        && is_invalid_token(response.headers())
}

/// The verbs of a client that has a `session`.
macro_rules! verbs {
    ($client:ident: $($(#[$doc:meta])* $verb:ident $method:ident,)+) => {
        impl $client {
            /// Begins a request with `method`.
            pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
                self.session.request(method, url)
            }

            $(
                #[doc = concat!("Begins a `", stringify!($method), "`.")]
                pub fn $verb(&self, url: impl IntoUrl) -> RequestBuilder {
                    self.request(Method::$method, url)
                }
            )+
        }
    };
    ($client:ident) => {
        verbs! {
            $client: get GET, options OPTIONS, head HEAD, post POST, put PUT, patch PATCH,
            delete DELETE,
        }
    };
}
pub(super) use verbs;
