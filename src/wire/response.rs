//! Responses of endpoints, of either protocol.
//!
//! [RFC 6749 section 5](https://www.rfc-editor.org/rfc/rfc6749#section-5),
//! [RFC 5849 section 2.1](https://www.rfc-editor.org/rfc/rfc5849#section-2.1)

use std::{collections::BTreeSet, fmt, sync::Arc};

use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};

use crate::{
    encoding::without_byte_order_mark,
    error::{Error, ErrorResponse, Result},
    json::Members,
    wire::{form::parameters, hint},
};

/// Response of an endpoint before it is read, which hooks may change.
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
    refuses_refresh_token: bool,
    /// The thumbprint of the certificate that the client presented on the connection.
    certificate: Option<Arc<str>>,
}

impl EndpointResponse {
    /// Makes a response from its parts.
    pub fn new(status: StatusCode, headers: HeaderMap, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers,
            body: body.into(),
            refuses_refresh_token: false,
            certificate: None,
        }
    }

    /// The response on a connection with a client certificate.
    #[allow(dead_code, reason = "the clients know their connections")]
    pub(crate) fn with_certificate(mut self, thumbprint: Option<Arc<str>>) -> Self {
        self.certificate = thumbprint;
        self
    }

    /// The thumbprint of the client certificate, if there was one.
    pub(crate) fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The status, mutably.
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

    /// The body, mutably.
    pub fn body_mut(&mut self) -> &mut Vec<u8> {
        &mut self.body
    }

    /// The members of the body, if it is a JSON object without duplicate members.
    pub fn json(&self) -> Option<Map<String, Value>> {
        Members::from_slice(&self.body).ok()
    }

    /// Replaces the body by a JSON object.
    pub fn set_json(&mut self, members: &Map<String, Value>) {
        // A map with strings as keys always serialises.
        if let Ok(body) = serde_json::to_vec(members) {
            self.body = body;
        }
    }

    /// Converts a form-encoded body into a JSON object of strings. A body that begins like JSON or
    /// HTML, or that repeats a parameter, stays unchanged. A parameter that is not percent-encoded
    /// UTF-8 is left out.
    pub fn form_to_json(&mut self) {
        if let Ok(form) = form(&self.body) {
            self.set_json(&form.members);
        }
    }

    /// Marks an error response to a refresh as a refusal of the refresh token, so that
    /// [`needs_login`](crate::Error::needs_login) is true: for a server that has its own name for
    /// `invalid_grant`. The names of well-known providers are known.
    ///
    /// ```
    /// use oauth_twin::oauth2::Hook;
    ///
    /// let hook = Hook::refresh_token_response(|response| {
    ///     let members = response.json().unwrap_or_default();
    ///     if members.get("error").is_some_and(|error| error == "session_gone") {
    ///         response.refuse_refresh_token();
    ///     }
    ///     Ok(())
    /// });
    /// ```
    pub fn refuse_refresh_token(&mut self) {
        self.refuses_refresh_token = true;
    }

    pub(crate) fn refuses_refresh_token(&self) -> bool {
        self.refuses_refresh_token
    }

    /// The response as input for reading.
    pub(crate) fn answer(&self) -> Answer<'_> {
        Answer {
            status: self.status,
            headers: &self.headers,
            body: &self.body,
        }
    }
}

/// Converts the response of an HTTP library that uses the types of the crate `http`.
impl<B: Into<Vec<u8>>> From<http::Response<B>> for EndpointResponse {
    fn from(response: http::Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        Self::new(parts.status, parts.headers, body)
    }
}

/// Omits header values and the body.
impl fmt::Debug for EndpointResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointResponse")
            .field("status", &self.status)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish()
    }
}

/// Response of an endpoint, borrowed to be read.
#[derive(Clone, Copy)]
pub(crate) struct Answer<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

impl Answer<'_> {
    /// The members of the body, unless they or the headers are an `error`, or the status is not a
    /// success.
    ///
    /// The content type is ignored: some servers send `text/html` or none at all, and a JSON object
    /// is not an HTML page. The `error` is checked before the status: some servers, GitHub among
    /// them, send it with status 200.
    pub(crate) fn read<T>(
        self,
        members: Result<T, String>,
        error: impl FnOnce(Option<&T>) -> Option<ErrorResponse>,
    ) -> Result<T> {
        let status = self.status;
        if let Some(error) = error(members.as_ref().ok()) {
            return Err(Error::refused(error));
        }
        if status.is_client_error() || status.is_server_error() {
            return Err(Error::refused(self.refusal()));
        }
        if status.is_redirection() {
            let target = hint::target(self.headers);
            let problem = format!(
                "the endpoint redirects{target}, and redirects of endpoints are not followed; set \
                 the URL that it redirects to"
            );
            return Err(Error::answer(problem, status));
        }
        if !status.is_success() {
            return Err(Error::answer("the response is not final", status));
        }
        members.map_err(|problem| self.unreadable(&problem))
    }

    /// The error about a response other than 200 to a request for a document.
    pub(crate) fn failure(self, what: &str) -> Error {
        match self.status {
            status if status.is_client_error() || status.is_server_error() => {
                Error::refused(self.error())
            }
            status if status.is_redirection() => Error::answer(
                format!("{what} redirects, and its redirects are not followed"),
                status,
            ),
            status => Error::answer(format!("{what} has no document"), status),
        }
    }

    /// The error response with this status, these headers and members, without a code.
    pub(crate) fn error(self) -> ErrorResponse {
        ErrorResponse::new(self.status, self.headers.clone())
            .with_members(self.json().unwrap_or_default())
    }

    /// The same, with advice.
    pub(crate) fn refusal(self) -> ErrorResponse {
        let hint = hint::about_status(self.status, self.headers, self.body);
        self.error().with_hint(hint)
    }

    /// The members of a body that is a JSON object, or why it is not one.
    pub(crate) fn json(self) -> Result<Map<String, Value>, String> {
        json(self.body)
    }

    /// The parameters of a body that is a form, whatever its content type, or the members of the
    /// JSON object that some servers send; or why it is neither.
    pub(crate) fn form_or_json(self) -> Result<FormMembers, String> {
        match without_byte_order_mark(self.body).trim_ascii_start() {
            [b'{', ..] => json(self.body).map(|members| FormMembers {
                members,
                unreadable: BTreeSet::new(),
            }),
            _ => form(self.body).map_err(str::to_owned),
        }
    }

    /// The error about an unreadable body, with its media type and length; its content is not
    /// quoted.
    fn unreadable(self, problem: &str) -> Error {
        let what = match self.body {
            [] => format!("the response {problem}"),
            body => {
                let kind = content_type(self.headers);
                format!("the response {problem} ({kind}, {} bytes)", body.len())
            }
        };
        let hint = hint::about_body(self.headers, self.body, problem);
        Error::answer(what, self.status).advised(hint)
    }
}

/// Parameters of a form, each with a distinct name.
#[derive(Debug)]
pub(crate) struct FormMembers {
    /// The parameters that are percent-encoded UTF-8, as strings.
    pub(crate) members: Map<String, Value>,
    /// The names of the other parameters.
    pub(crate) unreadable: BTreeSet<String>,
}

const NO_BODY: &str = "has no body";

fn json(body: &[u8]) -> Result<Map<String, Value>, String> {
    if without_byte_order_mark(body).trim_ascii().is_empty() {
        return Err(NO_BODY.to_owned());
    }
    // The error may quote the body.
    Members::from_slice(body).map_err(|error| {
        let problem = match error.classify() {
            serde_json::error::Category::Data => "is not a JSON object, or has a duplicate member",
            serde_json::error::Category::Eof => "is truncated JSON",
            _ => "is not JSON",
        };
        let (line, column) = (error.line(), error.column());
        format!("{problem}, at line {line}, column {column}")
    })
}

fn form(body: &[u8]) -> Result<FormMembers, &'static str> {
    let body = without_byte_order_mark(body).trim_ascii();
    match body.first() {
        None => return Err(NO_BODY),
        Some(b'{' | b'[' | b'<' | b'"') => return Err("is neither a form nor a JSON object"),
        Some(_) if !body.contains(&b'=') => return Err("is neither a form nor a JSON object"),
        Some(_) => {}
    }
    let (mut members, mut unreadable) = (Map::new(), BTreeSet::new());
    for (name, value) in parameters(body) {
        if members.contains_key(&name) || unreadable.contains(&name) {
            return Err("is a form with a duplicate parameter");
        }
        match value {
            Some(value) => drop(members.insert(name, value.into())),
            None => drop(unreadable.insert(name)),
        }
    }
    Ok(FormMembers {
        members,
        unreadable,
    })
}

/// The media type, for error messages, which quote nothing else of the server.
fn content_type(headers: &HeaderMap) -> &str {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return "no content type";
    };
    let media_type = value
        .to_str()
        .ok()
        .and_then(|value| value.split(';').next());
    media_type
        .map(str::trim)
        .filter(|value| value.len() < 100 && is_media_type(value))
        .unwrap_or("an invalid content type")
}

/// "type/subtype", each of which is a token.
///
/// [RFC 9110 section 5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2)
fn is_media_type(text: &str) -> bool {
    let is_token = |text: &str| {
        let is_of_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        !text.is_empty() && text.chars().all(is_of_token)
    };
    text.split_once('/')
        .is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}

#[cfg(test)]
mod tests;
