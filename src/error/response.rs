//! The error response of an OAuth endpoint.
//!
//! [RFC 6749 section 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};

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
    hint: Option<&'static str>,
    /// Whether the client has no end-user who could log in.
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
            unattended: false,
        }
    }

    /// An error in the query of a callback.
    pub(crate) fn in_callback(code: &str, description: Option<&str>, uri: Option<&str>) -> Self {
        let callback = Self {
            status: None,
            headers: HeaderMap::new(),
            code: None,
            description: None,
            uri: None,
            hint: None,
            unattended: false,
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

    /// Sets the advice for the caller.
    pub(crate) fn with_hint(self, hint: Option<&'static str>) -> Self {
        Self { hint, ..self }
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
        self.hint
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
        !self.unattended && !failed && code.is_some_and(ErrorCode::needs_login)
    }

    pub(crate) fn is_transient(&self) -> bool {
        self.status.is_some_and(|status| {
            status.is_server_error()
                || status == StatusCode::TOO_MANY_REQUESTS
                || status == StatusCode::REQUEST_TIMEOUT
        }) || self.code == Some(ErrorCode::TemporarilyUnavailable)
    }
}

impl fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.code, self.status) {
            (Some(code), _) => write!(f, "the server responded with the error {code}")?,
            (None, Some(status)) => write!(f, "the server responded with status {status}")?,
            (None, None) => f.write_str("the server refused the request")?,
        }
        if let Some(description) = &self.description {
            write!(f, ": {description}")?;
        }
        match self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// Omits the headers, which may contain cookies.
impl fmt::Debug for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorResponse")
            .field("status", &self.status)
            .field("code", &self.code)
            .field("description", &self.description)
            .field("uri", &self.uri)
            .field("hint", &self.hint)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for ErrorResponse {}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)+) => {
        /// Code of an OAuth error.
        ///
        /// ```
        /// use oauth_twin::ErrorCode;
        ///
        /// assert_eq!(ErrorCode::from("invalid_grant"), ErrorCode::InvalidGrant);
        /// assert_eq!(ErrorCode::from("made_up").as_str(), "made_up");
        /// ```
        ///
        /// [RFC 6749 section 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)+
            /// A code that has no variant of its own.
            Other(String),
        }

        impl ErrorCode {
            /// The code as on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(code) => code,
                }
            }
        }

        impl From<&str> for ErrorCode {
            fn from(code: &str) -> Self {
                match code {
                    $($text => Self::$variant,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}

error_codes! {
    /// Missing, repeated or malformed parameter.
    InvalidRequest = "invalid_request",
    /// Failed client authentication.
    InvalidClient = "invalid_client",
    /// Code, refresh token or assertion that is invalid, expired, revoked or issued to another
    /// client.
    InvalidGrant = "invalid_grant",
    /// Grant that the client may not use.
    UnauthorizedClient = "unauthorized_client",
    /// Grant that the server does not support.
    UnsupportedGrantType = "unsupported_grant_type",
    /// Response type that the server does not support.
    UnsupportedResponseType = "unsupported_response_type",
    /// Scope that is unknown, malformed or exceeds the granted one.
    InvalidScope = "invalid_scope",
    /// Resource that is unknown or malformed ([RFC
    /// 8707](https://www.rfc-editor.org/rfc/rfc8707#section-2)).
    InvalidTarget = "invalid_target",
    /// Refusal by the resource owner or the server.
    AccessDenied = "access_denied",
    /// Failure of the server.
    ServerError = "server_error",
    /// Server that is overloaded or down for maintenance.
    TemporarilyUnavailable = "temporarily_unavailable",
    /// Token type that the server does not revoke ([RFC
    /// 7009](https://www.rfc-editor.org/rfc/rfc7009#section-2.2.1)).
    UnsupportedTokenType = "unsupported_token_type",
    /// Access token that is expired, revoked or malformed ([RFC
    /// 6750](https://www.rfc-editor.org/rfc/rfc6750#section-3.1)).
    InvalidToken = "invalid_token",
    /// Required login of the end-user ([OpenID Connect
    /// Core](https://openid.net/specs/openid-connect-core-1_0.html#AuthError)).
    LoginRequired = "login_required",
    /// Required consent of the end-user.
    ConsentRequired = "consent_required",
    /// Required interaction with the end-user.
    InteractionRequired = "interaction_required",
}

impl ErrorCode {
    /// Whether only the end-user can resolve the error.
    pub(crate) fn needs_login(&self) -> bool {
        matches!(
            self,
            Self::InvalidGrant
                | Self::LoginRequired
                | Self::ConsentRequired
                | Self::InteractionRequired
        )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Up to 300 characters of `text`, without those that break a line, control a terminal or reorder
/// the displayed text.
fn one_line(text: &str) -> String {
    text.chars()
        .filter(|c| !is_invisible(*c))
        .map(|c| match c {
            '\u{2028}' | '\u{2029}' => ' ',
            c if c.is_control() => ' ',
            c => c,
        })
        .take(300)
        .collect()
}

/// Whether a character only affects its neighbours: marks, embeddings, overrides and isolates of
/// the bidirectional algorithm, joiners, tags, a byte order mark.
///
/// [UAX #9 section 2](https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters)
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

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
        assert_eq!(
            response.to_string(),
            "the server responded with the error bad  code: a b [31m"
        );
        let long = "x".repeat(10_000);
        let response = response.with_error("e", Some(&long), None);
        assert_eq!(response.description().map(str::len), Some(300));
    }

    #[test]
    fn no_character_changes_the_order_or_the_lines_of_a_message() {
        let text = "a\u{202e}b\u{2066}c\u{2069}\u{200f}\u{61c}\u{feff}d\u{2028}e\u{2029}f\u{85}g";
        let response = response("1").with_error(text, Some(text), Some(text));
        assert_eq!(
            response.to_string(),
            "the server responded with the error abcd e f g: abcd e f g"
        );
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
            "ErrorResponse { status: Some(503), code: Some(InvalidGrant), description: None, uri: None, hint: None, .. }"
        );
    }
}
