//! Compliance hooks, for providers that deviate from the RFC.

use std::{fmt, sync::Arc};

use http::{HeaderMap, Method};
use url::Url;

use crate::{
    error::{BoxError, Error, Result},
    oauth2::{request::EndpointRequest, response::EndpointResponse},
};

/// Compliance hook: a function that changes one of eleven kinds of messages. It is the same in both
/// modes. Hooks run in the order in which they were added.
///
/// ```
/// use oauth_twin::oauth2::Hook;
///
/// // A server that requires the client's identifier in a custom header.
/// let request = Hook::access_token_request(|request| {
///     let id = request.client_id().parse()?;
///     request.headers_mut().insert("x-client", id);
///     Ok(())
/// });
/// // A server that uses another name for the token.
/// let response = Hook::access_token_response(|response| {
///     if let Some(mut members) = response.json() {
///         if let Some(token) = members.remove("accessToken") {
///             members.insert("access_token".to_owned(), token);
///             response.set_json(&members);
///         }
///     }
///     Ok(())
/// });
/// ```
#[derive(Clone)]
pub struct Hook(Kind);

type OnRequest = Arc<dyn Fn(&mut EndpointRequest) -> Result<(), BoxError> + Send + Sync>;
type OnResponse = Arc<dyn Fn(&mut EndpointResponse) -> Result<(), BoxError> + Send + Sync>;
type OnProtected = Arc<dyn Fn(&mut ProtectedRequest) -> Result<(), BoxError> + Send + Sync>;

#[derive(Clone)]
enum Kind {
    Request(Message, OnRequest),
    Response(Message, OnResponse),
    Protected(OnProtected),
}

/// Kind of message to an endpoint that a hook applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Access,
    Refresh,
    Revocation,
    Introspection,
    Device,
    PushedAuthorization,
}

macro_rules! hooks {
    ($($(#[$doc:meta])* $name:ident: $kind:ident $(($message:ident))? on $data:ty;)+) => {
        impl Hook {
            $(
                $(#[$doc])*
                pub fn $name(
                    hook: impl Fn(&mut $data) -> Result<(), BoxError> + Send + Sync + 'static,
                ) -> Self {
                    Self(Kind::$kind($(Message::$message,)? Arc::new(hook)))
                }
            )+
        }
    };
}

hooks! {
    /// Makes a hook that runs before a token request, other than a refresh, is authenticated and
    /// sent.
    access_token_request: Request(Access) on EndpointRequest;
    /// Makes a hook that runs before the response to a token request, other than a refresh, is
    /// read.
    access_token_response: Response(Access) on EndpointResponse;
    /// Makes a hook that runs before a refresh is authenticated and sent.
    refresh_token_request: Request(Refresh) on EndpointRequest;
    /// Makes a hook that runs before the response to a refresh is read.
    refresh_token_response: Response(Refresh) on EndpointResponse;
    /// Makes a hook that runs before a revocation is authenticated and sent.
    revoke_token_request: Request(Revocation) on EndpointRequest;
    /// Makes a hook that runs before an introspection is authenticated and sent.
    introspect_token_request: Request(Introspection) on EndpointRequest;
    /// Makes a hook that runs before a device authorization request is authenticated and sent.
    device_authorization_request: Request(Device) on EndpointRequest;
    /// Makes a hook that runs before the response to a device authorization request is read.
    device_authorization_response: Response(Device) on EndpointResponse;
    /// Makes a hook that runs before a pushed authorization request is authenticated and sent.
    pushed_authorization_request: Request(PushedAuthorization) on EndpointRequest;
    /// Makes a hook that runs before the response to a pushed authorization request is read.
    pushed_authorization_response: Response(PushedAuthorization) on EndpointResponse;
    /// Makes a hook that runs before a request to an API is sent, after the token was added.
    protected_request: Protected on ProtectedRequest;
}

impl Hook {
    /// The function, if it applies to requests to an API.
    pub(crate) fn protected(&self) -> Option<&OnProtected> {
        match &self.0 {
            Kind::Protected(hook) => Some(hook),
            _ => None,
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Request(message, _) => write!(f, "Hook({message:?} request)"),
            Kind::Response(message, _) => write!(f, "Hook({message:?} response)"),
            Kind::Protected(_) => f.write_str("Hook(protected request)"),
        }
    }
}

/// Request to an API, without its body, which a hook may change.
///
/// ```
/// use oauth_twin::oauth2::Hook;
///
/// let hook = Hook::protected_request(|request| {
///     request.url_mut().query_pairs_mut().append_pair("site", "stackoverflow");
///     Ok(())
/// });
/// ```
#[derive(Clone)]
pub struct ProtectedRequest {
    method: Method,
    url: Url,
    headers: HeaderMap,
}

impl ProtectedRequest {
    /// Makes a request from its parts.
    pub fn new(method: Method, url: Url, headers: HeaderMap) -> Self {
        Self {
            method,
            url,
            headers,
        }
    }

    /// Applies those of `hooks` that are for requests to an API, in order. The clients of this
    /// crate do so themselves.
    ///
    /// ```
    /// use http::{HeaderMap, Method};
    /// use oauth_twin::oauth2::{Hook, ProtectedRequest};
    /// use url::Url;
    ///
    /// let hooks = [Hook::protected_request(|request| {
    ///     request.url_mut().query_pairs_mut().append_pair("site", "stackoverflow");
    ///     Ok(())
    /// })];
    /// let url = Url::parse("https://api.example.com/me")?;
    /// let mut request = ProtectedRequest::new(Method::GET, url, HeaderMap::new());
    /// request.apply_hooks(&hooks)?;
    /// let (url, headers) = request.into_parts();
    /// assert_eq!(url.query(), Some("site=stackoverflow"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The error of the first hook that fails.
    pub fn apply_hooks(&mut self, hooks: &[Hook]) -> Result<()> {
        let mut hooks = hooks.iter().filter_map(Hook::protected);
        hooks.try_for_each(|hook| hook_result(hook(self)))
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The URL, mutably. It must stay HTTPS or on loopback.
    pub fn url_mut(&mut self) -> &mut Url {
        &mut self.url
    }

    /// The headers, including that of the token.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The headers, mutably.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    /// Takes the URL and the headers out.
    pub fn into_parts(self) -> (Url, HeaderMap) {
        (self.url, self.headers)
    }
}

/// Omits the query and the values of headers.
impl fmt::Debug for ProtectedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectedRequest")
            .field("method", &self.method)
            .field("url", &crate::wire::secure_url::without_query(&self.url))
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// Hooks of a client, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hooks(pub(crate) Arc<[Hook]>);

impl Hooks {
    pub(crate) fn new(hooks: impl IntoIterator<Item = Hook>) -> Self {
        Self(hooks.into_iter().collect())
    }

    /// Whether one of them is for requests to an API.
    #[inline]
    #[allow(dead_code, reason = "only the clients send them")]
    pub(crate) fn has_protected(&self) -> bool {
        self.0.iter().any(|hook| hook.protected().is_some())
    }

    /// The hooks with one more.
    #[allow(dead_code, reason = "only the clients add one")]
    pub(crate) fn followed_by(&self, hook: Hook) -> Self {
        Self::new(self.0.iter().cloned().chain([hook]))
    }

    pub(crate) fn on_request(&self, of: Message, request: &mut EndpointRequest) -> Result<()> {
        self.0.iter().try_for_each(|hook| match &hook.0 {
            Kind::Request(message, hook) if *message == of => hook_result(hook(request)),
            _ => Ok(()),
        })
    }

    pub(crate) fn on_response(&self, of: Message, response: &mut EndpointResponse) -> Result<()> {
        self.0.iter().try_for_each(|hook| match &hook.0 {
            Kind::Response(message, hook) if *message == of => hook_result(hook(response)),
            _ => Ok(()),
        })
    }
}

fn hook_result(result: Result<(), BoxError>) -> Result<()> {
    result.map_err(|error| Error::refused_by("a compliance hook", error))
}
