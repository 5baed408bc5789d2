//! Requests to an API, with the client's token.

use std::{fmt, time::Duration};

use reqwest::{
    IntoUrl, Method, Version,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde::Serialize;

use super::{
    authorizer::{Authorizer, Begun, Unready},
    boxed, execute, http, maybe_async, require_runtime,
};
use crate::error::Result;

paired! {
    /// A request that gets the client's token, or its OAuth 1.0 signature, when it is sent:
    /// reqwest's own builder, with its most used methods, and [`reqwest`](Self::reqwest) for all
    /// others.
    ///
    #[doc = by_mode!(
        include_str!("../../docs/examples/blocking/request_builder.md"),
        include_str!("../../docs/examples/async/request_builder.md")
    )]
    ///
    /// The token goes into the `Authorization` header
    /// ([RFC 6750 section 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)) unless another
    /// placement is set; the body is not touched then, and never buffered. A signature goes where
    /// the client's `signature_type` says, and covers method, URL and a form body as they are
    /// sent.
    ///
    /// # Security
    ///
    /// A request with an `Authorization` header of its own, or to a URL that is neither HTTPS nor
    /// loopback, is an error and is not sent. A redirect that leaves the origin is followed
    /// without the token; one that leaves HTTPS is returned as it is, and so is one within an
    /// origin after another was visited. Redirects of signed requests are returned.
    #[must_use = "a request does nothing until it is sent"]
    pub struct RequestBuilder | AsyncRequestBuilder {
        authorizer: Authorizer,
        inner: Result<http::RequestBuilder>,
        withhold_token: bool,
        /// Whether the caller may have put a builder of other connections in its place.
        may_be_replaced: bool,
    }
}

impl RequestBuilder {
    pub(super) fn new(authorizer: Authorizer, method: Method, url: impl IntoUrl) -> Self {
        Self {
            inner: authorizer.request(method, url),
            authorizer,
            withhold_token: false,
            may_be_replaced: false,
        }
    }

    /// Adds parameters to the query of the URL.
    pub fn query<T: Serialize + ?Sized>(self, query: &T) -> Self {
        self.changed(|builder| builder.query(query))
    }

    /// Sets the body to JSON.
    pub fn json<T: Serialize + ?Sized>(self, json: &T) -> Self {
        self.changed(|builder| builder.json(json))
    }

    /// Sets the body to a form.
    pub fn form<T: Serialize + ?Sized>(self, form: &T) -> Self {
        self.changed(|builder| builder.form(form))
    }

    /// Sets the body, which may be a stream.
    pub fn body(self, body: impl Into<http::Body>) -> Self {
        self.changed(|builder| builder.body(body))
    }

    /// Sets the body to a multipart form.
    pub fn multipart(self, form: http::Form) -> Self {
        self.changed(|builder| builder.multipart(form))
    }

    /// Adds a header.
    pub fn header<K, V>(self, name: K, value: V) -> Self
    where
        HeaderName: TryFrom<K, Error: Into<::http::Error>>,
        HeaderValue: TryFrom<V, Error: Into<::http::Error>>,
    {
        self.changed(|builder| builder.header(name, value))
    }

    /// Sets headers, which replace those of the same names.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.changed(|builder| builder.headers(headers))
    }

    /// The timeout of the whole of `send` and of reading the response: waiting for a renewal,
    /// renewing, sending and the one retry included.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.changed(|builder| builder.timeout(timeout))
    }

    /// The version of HTTP.
    pub fn version(self, version: Version) -> Self {
        self.changed(|builder| builder.version(version))
    }

    /// Changes the inner builder, with all methods of reqwest. The request is sent on the connections of
    /// the client, whatever builder is returned.
    pub fn reqwest(
        mut self,
        change: impl FnOnce(http::RequestBuilder) -> http::RequestBuilder,
    ) -> Self {
        self.may_be_replaced = true;
        self.changed(change)
    }

    fn changed(
        mut self,
        change: impl FnOnce(http::RequestBuilder) -> http::RequestBuilder,
    ) -> Self {
        self.inner = self.inner.map(change);
        self
    }

    /// Leaves out the token or the signature; the request uses the client's connections.
    pub fn withhold_token(mut self) -> Self {
        self.withhold_token = true;
        self
    }
}

impl RequestBuilder {
    /// Sends the request with the token, which is obtained or renewed first if necessary.
    ///
    /// After a 401 that is about the token, the token is renewed and the request sent once more, if
    /// something can renew it and the body is no stream; otherwise the 401 is returned. As in
    /// reqwest, an error status is not an error.
    ///
    /// A new token that `token_store` or `update_token` did not take is used all the same, with a
    /// `tracing` event.
    #[doc = by_mode!(
        "",
        "\nA token that can be used at once is added by the call, with its DPoP proof, so the future is to be \
         awaited soon: what happens between the two, such as the end of the token, `set_token` or `close`, \
         is not seen, and servers refuse proofs that are old. Nothing is sent before. Hooks run, and \
         timeouts begin, when it is awaited."
    )]
    ///
    /// # Errors
    ///
    /// If there is no usable token and none can be obtained, if the request must not be sent with
    /// a token, if its timeout ends first, or if the transport fails.
    pub fn send(self) -> pending!(Result<http::Response>) {
        // Not an `async fn`: its future would keep the builder, which is so large that to move it costs
        // more than to add a token.
        answered(self.begin())
    }

    /// Adds the token, if it can be used at once, and hands the request over.
    #[inline(always)]
    fn begin(self) -> Result<Begun<pending!(reqwest::Result<http::Response>)>> {
        let Self {
            authorizer,
            inner,
            withhold_token,
            may_be_replaced,
        } = self;
        // The request is left where it is until reqwest takes it, as each move of it is a copy.
        let (mut client, mut built) = inner?.build_split();
        let Ok(request) = &mut built else {
            return Err(built.map(drop).expect_err("no request").into());
        };
        let is_own = !may_be_replaced;
        match authorizer.begin(&mut client, is_own, request, withhold_token)? {
            Ok(first) => Ok(Begun::Sent(first, execute(&client, built?))),
            Err(client) => {
                let request = built?;
                Ok(Begun::Unready(Box::new(Unready { client, request })))
            }
        }
    }
}

/// The response to a request that has begun.
#[maybe_async]
#[inline(always)]
async fn answered(
    begun: Result<Begun<pending!(reqwest::Result<http::Response>)>>,
) -> Result<http::Response> {
    let (first, sent) = match begun? {
        Begun::Sent(first, sent) => (first, sent),
        Begun::Unready(unready) => return boxed(unready.send()).await,
    };
    require_runtime()?;
    // As by `FirstAttempt::response`, but here: to pass the response on would be one more copy of it. In a
    // block, without which the future would have room for the response.
    let refusal = {
        let response = sent.await?;
        match first.refused(&response) {
            Some(kept) => kept.with(response),
            None => return Ok(response),
        }
    };
    boxed((*refusal).repeat()).await
}

impl fmt::Debug for RequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(by_mode!("RequestBuilder", "AsyncRequestBuilder"))
            .field("withhold_token", &self.withhold_token)
            .finish_non_exhaustive()
    }
}

/// The request methods of a client that has a `session`.
macro_rules! verbs {
    ($client:ident) => {
        verbs! {
            $client: get GET, options OPTIONS, head HEAD, post POST, put PUT, patch PATCH,
            delete DELETE
        }
    };
    ($client:ident: $($verb:ident $method:ident),+) => {
        impl $client {
            /// Begins a request with `method`.
            pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
                RequestBuilder::new((&self.session).into(), method, url)
            }

            $(
                #[doc = concat!("Begins a `", stringify!($method), "`.")]
                pub fn $verb(&self, url: impl IntoUrl) -> RequestBuilder {
                    self.request(Method::$method, url)
                }
            )+
        }
    };
}
pub(super) use verbs;
