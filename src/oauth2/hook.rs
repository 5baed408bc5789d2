//! Compliance hooks: where a provider departs from the RFC, and the client has to follow.

use std::{fmt, sync::Arc};

use http::{HeaderMap, Method};
use url::Url;

use crate::{
    error::{BoxError, Error, Result},
    oauth2::{request::EndpointRequest, response::EndpointResponse},
};

/// A change to one of the seven messages of a client that has a token: a plain function on data,
/// the same in both modes. Hooks run in the order in which they were given.
///
/// ```
/// use oauth_twin::oauth2::Hook;
///
/// // A server that wants the client's identifier in a header of its own.
/// let request = Hook::access_token_request(|request| {
///     let id = request.client_id().parse()?;
///     request.headers_mut().insert("x-client", id);
///     Ok(())
/// });
/// // A server that calls the token by another name.
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

/// Which exchange with the server's endpoints a hook is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Access,
    Refresh,
    Revocation,
    Introspection,
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
    /// Before a token request is authenticated and sent, unless it is a refresh.
    access_token_request: Request(Access) on EndpointRequest;
    /// Before its answer is read.
    access_token_response: Response(Access) on EndpointResponse;
    /// Before a refresh is authenticated and sent.
    refresh_token_request: Request(Refresh) on EndpointRequest;
    /// Before its answer is read.
    refresh_token_response: Response(Refresh) on EndpointResponse;
    /// Before a revocation is authenticated and sent.
    revoke_token_request: Request(Revocation) on EndpointRequest;
    /// Before an introspection is authenticated and sent.
    introspect_token_request: Request(Introspection) on EndpointRequest;
    /// Before a request to an API is sent, after the token was put on it.
    protected_request: Protected on ProtectedRequest;
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

/// A request to an API as a hook sees it: all but the body.
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
    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The URL, to be changed. It must stay HTTPS or loopback.
    pub fn url_mut(&mut self) -> &mut Url {
        &mut self.url
    }

    /// The headers, the token's among them.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The headers, to be changed.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }
}

impl ProtectedRequest {
    pub(crate) fn new(method: Method, url: Url, headers: HeaderMap) -> Self {
        Self {
            method,
            url,
            headers,
        }
    }

    pub(crate) fn into_parts(self) -> (Url, HeaderMap) {
        (self.url, self.headers)
    }
}

/// Without the query and the values of headers.
impl fmt::Debug for ProtectedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectedRequest")
            .field("method", &self.method)
            .field("url", &crate::wire::secure_url::without_query(&self.url))
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// All hooks of a client, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hooks(Arc<[Hook]>);

impl Hooks {
    pub(crate) fn new(hooks: impl IntoIterator<Item = Hook>) -> Self {
        Self(hooks.into_iter().collect())
    }

    pub(crate) fn on_request(&self, of: Message, request: &mut EndpointRequest) -> Result<()> {
        self.0.iter().try_for_each(|hook| match &hook.0 {
            Kind::Request(message, hook) if *message == of => called(hook(request)),
            _ => Ok(()),
        })
    }

    pub(crate) fn on_response(&self, of: Message, response: &mut EndpointResponse) -> Result<()> {
        self.0.iter().try_for_each(|hook| match &hook.0 {
            Kind::Response(message, hook) if *message == of => called(hook(response)),
            _ => Ok(()),
        })
    }
}

impl Hooks {
    /// Whether requests to an API are touched at all.
    pub(crate) fn has_protected(&self) -> bool {
        self.0
            .iter()
            .any(|hook| matches!(hook.0, Kind::Protected(_)))
    }

    pub(crate) fn on_protected(&self, request: &mut ProtectedRequest) -> Result<()> {
        self.0.iter().try_for_each(|hook| match &hook.0 {
            Kind::Protected(hook) => called(hook(request)),
            _ => Ok(()),
        })
    }
}

fn called(result: Result<(), BoxError>) -> Result<()> {
    result.map_err(|error| Error::refused_by("a compliance hook", error))
}
