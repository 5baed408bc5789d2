//! The answers of endpoints.
//!
//! [RFC 6749 section 5](https://www.rfc-editor.org/rfc/rfc6749#section-5)

use std::fmt;

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use crate::json::Members;

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
        let response = EndpointResponse::new(StatusCode::OK, HeaderMap::new(), "hunter2");
        assert_eq!(
            format!("{response:?}"),
            "EndpointResponse { status: 200, headers: [], body: 7 bytes }"
        );
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
