//! Endpoints of the authorization server: the requests to them, and their answers.
//!
//! [RFC 6749 section 3](https://www.rfc-editor.org/rfc/rfc6749#section-3)

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value};
use url::Url;

use super::{
    ClientAuth, Form,
    client_auth::default_client_auth,
    compliance_hook::{Hooks, Message},
    secure_url::without_query,
};
use crate::{
    error::{Error, Result},
    json::Members,
    secret::Secret,
};

/// A client's registration at one endpoint: what the token, revocation and introspection
/// endpoints have in common.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) url: Url,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<Secret>,
    pub(crate) auth: Option<Arc<dyn ClientAuth>>,
    pub(crate) method: Method,
    pub(crate) hooks: Hooks,
}

impl Endpoint {
    pub(crate) fn new(url: Url, client_id: String) -> Self {
        Self {
            url,
            client_id,
            client_secret: None,
            auth: None,
            method: Method::POST,
            hooks: Hooks::default(),
        }
    }

    /// The request with `form`, changed by the hooks and authenticated.
    pub(super) fn request(&self, form: Form, message: Message) -> Result<EndpointRequest> {
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::ACCEPT, json);
        let mut request = EndpointRequest {
            method: self.method.clone(),
            url: self.url.clone(),
            headers,
            form,
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.clone(),
        };
        self.hooks.on_request(message, &mut request)?;
        let auth = match &self.auth {
            Some(auth) => auth.clone(),
            None => default_client_auth(self.client_secret.is_some()),
        };
        auth.authenticate(&mut request)
            .map_err(|error| Error::refused_by("the client authentication", error))?;
        Ok(request)
    }
}

/// Without the query of the URL, in which some servers want a key.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("url", &without_query(&self.url))
            .field("client_id", &self.client_id)
            .field("client_secret", &self.client_secret)
            .finish_non_exhaustive()
    }
}

/// The constructor and the settings of a type with a field `endpoint`, made from an [`Endpoint`].
macro_rules! registration {
    ($name:ident: $what:literal) => {
        impl $name {
            #[doc = concat!("The client `client_id` at the ", $what, " `url`.")]
            ///
            /// # Errors
            ///
            /// If the URL is not absolute, not HTTPS (loopback is exempt), or has a fragment, a
            /// user name or a password.
            pub fn new(url: &str, client_id: impl Into<String>) -> $crate::error::Result<Self> {
                let url =
                    $crate::oauth2::secure_url::check_endpoint(url, false).map_err(|problem| {
                        $crate::error::Error::usage(format!(concat!("the ", $what, " {}"), problem))
                    })?;
                Ok(Self::from($crate::oauth2::endpoint::Endpoint::new(
                    url,
                    client_id.into(),
                )))
            }

            /// The client's secret.
            #[must_use]
            pub fn client_secret(mut self, secret: impl Into<$crate::secret::Secret>) -> Self {
                self.endpoint.client_secret = Some(secret.into());
                self
            }

            /// How the client authenticates:
            /// [`ClientSecretBasic`](crate::oauth2::ClientSecretBasic) if it has a secret, else
            /// [`PublicClient`](crate::oauth2::PublicClient), unless told.
            #[must_use]
            pub fn auth_method(mut self, auth: impl $crate::oauth2::ClientAuth + 'static) -> Self {
                self.endpoint.auth = Some(std::sync::Arc::new(auth));
                self
            }

            /// The method of requests: `POST` unless told, as the RFC has it.
            ///
            /// # Security
            ///
            /// With `GET`, everything that is secret stands in the URL, and so in logs.
            #[must_use]
            pub fn method(mut self, method: http::Method) -> Self {
                self.endpoint.method = method;
                self
            }

            /// The compliance hooks, in order.
            #[must_use]
            pub fn compliance_hooks(
                mut self,
                hooks: impl IntoIterator<Item = $crate::oauth2::Hook>,
            ) -> Self {
                self.endpoint.hooks = $crate::oauth2::compliance_hook::Hooks::new(hooks);
                self
            }
        }
    };
}
pub(super) use registration;

/// A request to an endpoint of the server, before it is sent: what client authentication and
/// hooks may change.
///
/// ```
/// use oauth_twin::{BoxError, oauth2::EndpointRequest};
///
/// // A server that wants its own header instead of a standard method.
/// fn by_header(request: &mut EndpointRequest) -> Result<(), BoxError> {
///     let id = request.client_id().parse()?;
///     request.headers_mut().insert("x-client", id);
///     request.form_mut().remove("scope");
///     Ok(())
/// }
/// # let _: fn(&mut EndpointRequest) -> _ = by_header;
/// ```
///
/// With the method `GET` the form goes into the query, else into the body.
#[derive(Clone)]
pub struct EndpointRequest {
    method: Method,
    url: Url,
    headers: HeaderMap,
    form: Form,
    client_id: String,
    client_secret: Option<Secret>,
}

impl EndpointRequest {
    /// The client's identifier.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The client's secret, if it has one.
    pub fn client_secret(&self) -> Option<&Secret> {
        self.client_secret.as_ref()
    }

    /// The method: `POST` unless changed.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The method, to be changed.
    pub fn method_mut(&mut self) -> &mut Method {
        &mut self.method
    }

    /// The endpoint.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The endpoint, to be changed. It must stay HTTPS or loopback.
    pub fn url_mut(&mut self) -> &mut Url {
        &mut self.url
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The headers, to be changed.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    /// The parameters.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// The parameters, to be changed.
    pub fn form_mut(&mut self) -> &mut Form {
        &mut self.form
    }

    /// The URL and the body as they are sent.
    pub fn url_and_body(&self) -> (Url, Option<Secret>) {
        let mut url = self.url.clone();
        if self.form.is_empty() {
            return (url, None);
        }
        if self.method != Method::GET {
            return (url, Some(self.form.encode()));
        }
        let mut query = url.query_pairs_mut();
        for (name, value) in self.form.iter() {
            query.append_pair(name, value.expose_secret());
        }
        drop(query);
        (url, None)
    }
}

/// Without header values and without the query, which client authentication may have filled.
impl fmt::Debug for EndpointRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointRequest")
            .field("method", &self.method)
            .field("url", &without_query(&self.url))
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("form", &self.form)
            .field("client_id", &self.client_id)
            .field("client_secret", &self.client_secret)
            .finish()
    }
}

/// An endpoint's answer, before it is read: what hooks may change.
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use oauth_twin::oauth2::EndpointResponse;
///
/// let mut response = EndpointResponse::new(StatusCode::OK, HeaderMap::new(), "a=1&b=2");
/// response.form_to_json();
/// assert_eq!(response.json().unwrap()["b"], "2");
/// ```
#[derive(Clone)]
pub struct EndpointResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl EndpointResponse {
    /// The answer as it came.
    pub fn new(status: StatusCode, headers: HeaderMap, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers,
            body: body.into(),
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The status, to be changed.
    pub fn status_mut(&mut self) -> &mut StatusCode {
        &mut self.status
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body, to be changed.
    pub fn body_mut(&mut self) -> &mut Vec<u8> {
        &mut self.body
    }

    /// The members of the body, if it is a JSON object in which each stands once.
    pub fn json(&self) -> Option<Map<String, Value>> {
        let members: Members = serde_json::from_slice(&self.body).ok()?;
        Some(members.0)
    }

    /// Puts a JSON object in the place of the body.
    pub fn set_json(&mut self, members: &Map<String, Value>) {
        // A map with strings as keys always serialises.
        if let Ok(body) = serde_json::to_vec(members) {
            self.body = body;
        }
    }

    /// Turns a form-encoded body into a JSON object of strings; leaves one that begins like JSON
    /// or HTML, or in which a name stands twice, as it is.
    pub fn form_to_json(&mut self) {
        let start = self.body.trim_ascii_start().first();
        if start.is_some_and(|start| !b"{[<\"".contains(start)) && self.body.contains(&b'=') {
            let mut members = Map::new();
            for (name, value) in url::form_urlencoded::parse(&self.body) {
                if members.insert(name.into_owned(), value.into()).is_some() {
                    return;
                }
            }
            self.set_json(&members);
        }
    }
}

/// Without header values and body.
impl fmt::Debug for EndpointResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointResponse")
            .field("status", &self.status)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_no_secret() {
        let url = Url::parse("https://id.example/token?secret=hunter2").expect("a URL");
        let mut endpoint = Endpoint::new(url, "me".to_owned());
        endpoint.client_secret = Some("hunter2".into());
        assert_eq!(
            format!("{endpoint:?}"),
            "Endpoint { url: \"https://id.example/token\", client_id: \"me\", \
             client_secret: Some([redacted]), .. }"
        );
        let mut form = Form::new();
        form.push("password", "hunter2");
        let request = endpoint.request(form, Message::Access);
        assert_eq!(
            format!("{:?}", request.expect("a request")),
            "EndpointRequest { method: POST, url: \"https://id.example/token\", \
             headers: [\"accept\", \"authorization\"], form: {\"password\": [redacted]}, \
             client_id: \"me\", client_secret: Some([redacted]) }"
        );
        let response = EndpointResponse::new(StatusCode::OK, HeaderMap::new(), "hunter2");
        assert_eq!(
            format!("{response:?}"),
            "EndpointResponse { status: 200, headers: [], body: 7 bytes }"
        );
    }

    #[test]
    fn a_get_has_its_form_in_the_query() {
        let url = Url::parse("https://id.example/token?a=%20").expect("a URL");
        let mut endpoint = Endpoint::new(url, "me".to_owned());
        endpoint.method = Method::GET;
        let request = endpoint.request(Form::new(), Message::Access);
        let (url, body) = request.expect("a request").url_and_body();
        assert_eq!(url.as_str(), "https://id.example/token?a=%20&client_id=me");
        assert_eq!(body, None);
    }

    #[test]
    fn only_forms_become_json() {
        for (before, after) in [
            ("a=1&b=x%20y&c", r#"{"a":"1","b":"x y","c":""}"#),
            (r#"{"a":"b=c"}"#, r#"{"a":"b=c"}"#),
            ("<html a=b>", "<html a=b>"),
            ("", ""),
            ("no form", "no form"),
            ("a=1&a=2", "a=1&a=2"),
        ] {
            let mut response = EndpointResponse::new(StatusCode::OK, HeaderMap::new(), before);
            response.form_to_json();
            assert_eq!(response.body(), after.as_bytes());
        }
    }
}
