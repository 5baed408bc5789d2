//! The error response of an OAuth endpoint.
//!
//! [RFC 6749 section 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)

use std::{
    borrow::Cow,
    fmt,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use serde_json::{Map, Value};

use super::{ErrorCode, text::one_line};

/// Error response of a server.
///
/// ```
/// # fn show(error: &oauth_twin::Error) {
/// if let Some(response) = error.response() {
///     eprintln!("{:?} {:?}", response.status(), response.description());
/// }
/// # }
/// ```
///
/// [RFC 6749 section 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)
#[derive(Clone)]
pub struct ErrorResponse {
    status: Option<StatusCode>,
    headers: HeaderMap,
    code: Option<ErrorCode>,
    description: Option<String>,
    uri: Option<String>,
    hint: Option<Cow<'static, str>>,
    members: Map<String, Value>,
    /// Whether the error is the provider's own for a refresh token that is no longer valid.
    refuses_refresh_token: bool,
    /// Whether the client or the grant has no end-user who could log in.
    pub(super) unattended: bool,
}

impl ErrorResponse {
    /// An error response without an OAuth error in its body.
    pub(crate) fn new(status: StatusCode, headers: HeaderMap) -> Self {
        Self {
            status: Some(status),
            headers,
            code: None,
            description: None,
            uri: None,
            hint: None,
            members: Map::new(),
            refuses_refresh_token: false,
            unattended: false,
        }
    }

    /// The same without headers and further members, and without a long description.
    pub(super) fn in_brief(self) -> Self {
        /// Bytes of a description.
        const LONG: usize = 300;
        Self {
            headers: HeaderMap::new(),
            members: Map::new(),
            description: self.description.filter(|text| text.len() <= LONG),
            uri: None,
            ..self
        }
    }

    /// An error in the query of a callback.
    pub(crate) fn in_callback(code: &str, description: Option<&str>, uri: Option<&str>) -> Self {
        let callback = Self {
            status: None,
            ..Self::new(StatusCode::OK, HeaderMap::new())
        };
        callback.with_error(code, description, uri)
    }

    /// Sets the members `error`, `error_description` and `error_uri`, sanitized for a single log
    /// line.
    pub(crate) fn with_error(
        self,
        code: &str,
        description: Option<&str>,
        uri: Option<&str>,
    ) -> Self {
        Self {
            code: Some(ErrorCode::from(one_line(code).as_str())),
            description: description.map(one_line),
            uri: uri.map(one_line),
            ..self
        }
    }

    /// Sets the advice for the caller, unless there is some already.
    pub(crate) fn with_hint(self, hint: Option<impl Into<Cow<'static, str>>>) -> Self {
        let hint = self.hint.or_else(|| hint.map(Into::into));
        Self { hint, ..self }
    }

    /// Sets a description without a code: the server's own text about the error.
    #[must_use]
    pub(crate) fn with_description(self, description: &str) -> Self {
        let description = Some(one_line(description)).filter(|text| !text.trim().is_empty());
        Self {
            description: self.description.or(description),
            ..self
        }
    }

    /// Marks the error as a refusal of the refresh token, whatever its code.
    pub(crate) fn refusing_refresh_token(self, refuses_refresh_token: bool) -> Self {
        Self {
            refuses_refresh_token,
            ..self
        }
    }

    /// Sets all members of the body.
    pub(crate) fn with_members(self, members: Map<String, Value>) -> Self {
        Self { members, ..self }
    }

    /// The HTTP status; none if the error came in a callback.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The headers of the response.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The member `error`, if the response is an OAuth error.
    pub fn code(&self) -> Option<&ErrorCode> {
        self.code.as_ref()
    }

    /// The member `error_description`: text for the developer, in the server's words. Secrets of
    /// the request that the server repeats there are replaced by `[redacted]`.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The member `error_uri`: the URL of a page about the error.
    pub fn uri(&self) -> Option<&str> {
        self.uri.as_deref()
    }

    /// Possible cause of the error, in this library's words, where it knows one.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// All members of the body, if it is a JSON object, for providers with errors of their own.
    ///
    /// ```
    /// # fn show(error: &oauth_twin::Error) {
    /// // Microsoft Entra ID has error codes of its own beside `error`.
    /// let codes = error.response().and_then(|response| response.members().get("error_codes"));
    /// # }
    /// ```
    ///
    /// # Security
    ///
    /// Unlike [`description`](Self::description), the values are as the server sent them, and may
    /// repeat secrets of the request. `Debug` shows only the names.
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// The delay that the server asks for before a retry: `Retry-After` in seconds or as a date.
    ///
    /// [RFC 9110 section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        match value.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => {
                let date = httpdate::parse_http_date(value).ok()?;
                Some(date.duration_since(SystemTime::now()).unwrap_or_default())
            }
        }
    }

    pub(crate) fn needs_login(&self) -> bool {
        let code = self.code.as_ref();
        let failed = self.status.is_some_and(|status| status.is_server_error());
        !self.unattended
            && !failed
            && (self.refuses_refresh_token || code.is_some_and(ErrorCode::needs_login))
    }

    pub(crate) fn is_transient(&self) -> bool {
        self.status.is_some_and(|status| {
            status.is_server_error()
                || status == StatusCode::TOO_MANY_REQUESTS
                || status == StatusCode::REQUEST_TIMEOUT
        }) || self.code == Some(ErrorCode::TemporarilyUnavailable)
    }
}

/// Status and code, the server's description, and the hint; without a code and a description the
/// names of the members.
impl fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status, &self.code) {
            (Some(status), Some(code)) => write!(f, "{} {code}", status.as_u16())?,
            // "404 Not Found"
            (Some(status), None) => write!(f, "{status}")?,
            (None, Some(code)) => write!(f, "{code}")?,
            (None, None) => f.write_str("without a reason")?,
        }
        match &self.description {
            Some(description) => write!(f, ": {description}")?,
            None if self.code.is_none() && !self.members.is_empty() => {
                let names = self.members.keys().take(10).map(|name| one_line(name));
                let names: Vec<_> = names.collect();
                write!(f, ", with the members {}", names.join(", "))?;
            }
            None => {}
        }
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// Omits the headers, which may contain cookies, and the values of the members.
impl fmt::Debug for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorResponse")
            .field("status", &self.status)
            .field("code", &self.code)
            .field("description", &self.description)
            .field("uri", &self.uri)
            .field("hint", &self.hint)
            .field("members", &self.members.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl std::error::Error for ErrorResponse {}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn response(retry_after: &'static str) -> ErrorResponse {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(retry_after));
        ErrorResponse::new(StatusCode::SERVICE_UNAVAILABLE, headers)
    }

    #[test]
    fn retry_after_in_seconds_as_a_date_or_not_at_all() {
        assert_eq!(response("7").retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(
            response("Sun, 06 Nov 1994 08:49:37 GMT").retry_after(),
            Some(Duration::ZERO)
        );
        for bad in ["", "-1", "soon", "99999999999999999999999"] {
            assert_eq!(response(bad).retry_after(), None, "{bad}");
        }
    }

    #[test]
    fn a_description_cannot_break_a_line() {
        let response = response("1").with_error("bad\r\ncode", Some("a\nb\u{1b}[31m"), None);
        assert_eq!(response.to_string(), "503 bad  code: a b [31m");
        let long = "x".repeat(10_000);
        let response = response.with_error("e", Some(&long), None);
        assert_eq!(response.description().map(str::len), Some(300));
    }

    #[test]
    fn no_character_changes_the_order_or_the_lines_of_a_message() {
        let text = "a\u{202e}b\u{2066}c\u{2069}\u{200f}\u{61c}\u{feff}d\u{2028}e\u{2029}f\u{85}g";
        let response = response("1").with_error(text, Some(text), Some(text));
        assert_eq!(response.to_string(), "503 abcd e f g: abcd e f g");
        assert_eq!(response.uri(), Some("abcd e f g"));
        // Letters of any script stay.
        let response = response.with_error("e", Some("\u{5e9}\u{5dc} \u{e4}"), None);
        assert_eq!(response.description(), Some("\u{5e9}\u{5dc} \u{e4}"));
    }

    #[test]
    fn debug_leaves_headers_out() {
        assert_eq!(
            format!(
                "{:?}",
                response("1").with_error("invalid_grant", None, None)
            ),
            "ErrorResponse { status: Some(503), code: Some(InvalidGrant), description: None, uri: None, hint: None, members: [], .. }"
        );
    }
}
