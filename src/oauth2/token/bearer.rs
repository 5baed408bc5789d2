//! Bearer tokens in requests, and the challenge of a server that refuses one.
//!
//! [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use url::Url;

use super::{Token, value::TokenMembers};
use crate::{
    error::{Error, Result},
    wire::challenge::Challenge,
};

/// Placement of the token in a request to an API.
///
/// ```
/// # #[cfg(feature = "blocking")] {
/// use oauth_twin::{OAuth2Client, oauth2::TokenPlacement};
///
/// let builder = OAuth2Client::builder("id").token_placement(TokenPlacement::Query);
/// # }
/// ```
///
/// [RFC 6750 section 2](https://www.rfc-editor.org/rfc/rfc6750#section-2)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "bearer")]
pub enum TokenPlacement {
    /// In the `Authorization` header.
    #[default]
    Header,
    /// In the body, which has to be a form or empty. Other bodies are an error.
    Body,
    /// In the query of the URL.
    ///
    /// # Security
    ///
    /// URLs end up in logs and histories, and reqwest's `Response` contains its URL.
    Query,
}

/// Placement of the token in a request of any HTTP library. The clients of this crate place it
/// themselves.
impl Token {
    /// The value of the `Authorization` header, marked as sensitive. It shares the text of the token.
    ///
    /// ```
    /// use http::{Request, header::AUTHORIZATION};
    /// use oauth_twin::Token;
    ///
    /// let token = Token::new("mF_9.B5f-4.1JqM");
    /// let mut request = Request::get("https://api.example.com/reports/7").body(())?;
    /// request.headers_mut().insert(AUTHORIZATION, token.authorization_header()?);
    /// assert_eq!(request.headers()[AUTHORIZATION], "Bearer mF_9.B5f-4.1JqM");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the token is not a bearer token, or contains characters that a header cannot carry.
    ///
    /// [RFC 6750 section 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)
    #[doc(alias = "bearer")]
    pub fn authorization_header(&self) -> Result<HeaderValue> {
        self.usable()?;
        self.header_text()
    }

    /// Checks that there is such a value.
    pub(crate) fn check_bearer(&self) -> Result<()> {
        self.usable().map(drop)
    }

    /// Whether the response was about an access token, or at least one to be used like it: "N_A" is said
    /// of others, which an exchange makes for another server.
    ///
    /// [RFC 8693 section 2.2.1](https://www.rfc-editor.org/rfc/rfc8693#section-2.2.1)
    pub(crate) fn is_applicable(&self) -> bool {
        !self.token_type().eq_ignore_ascii_case("N_A")
    }

    /// The access token behind its scheme, as the value of a header.
    pub(super) fn header_text(&self) -> Result<HeaderValue> {
        let text = Bytes::from_owner(HeaderText(self.0.clone()));
        let mut value = HeaderValue::from_maybe_shared(text).map_err(|_invalid| {
            Error::usage("the access token contains characters that a header cannot carry")
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Adds the token to the query of `url`, which is otherwise unchanged. Such a request should
    /// have the header `Cache-Control: no-store`.
    ///
    /// ```
    /// use oauth_twin::Token;
    /// use url::Url;
    ///
    /// let mut url = Url::parse("https://api.example.com/reports?year=2025")?;
    /// Token::new("mF_9.B5f-4.1JqM").add_to_query(&mut url)?;
    /// assert_eq!(url.query(), Some("year=2025&access_token=mF_9.B5f-4.1JqM"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the token is not a bearer token, or the query already has an `access_token`.
    ///
    /// # Security
    ///
    /// URLs end up in logs and histories.
    ///
    /// [RFC 6750 section 2.3](https://www.rfc-editor.org/rfc/rfc6750#section-2.3)
    pub fn add_to_query(&self, url: &mut Url) -> Result<()> {
        if url.query_pairs().any(|(name, _)| name == "access_token") {
            return Err(Error::usage(
                "the URL already has a parameter access_token; remove it, or call withhold_token",
            ));
        }
        let access_token = self.usable()?;
        url.query_pairs_mut()
            .append_pair("access_token", access_token);
        Ok(())
    }

    /// Adds the token to `form`, a form-encoded body that may be empty. The request must have the
    /// `Content-Type` of a form, and a method with a body.
    ///
    /// ```
    /// use oauth_twin::Token;
    ///
    /// let mut body = b"year=2025".to_vec();
    /// Token::new("mF_9.B5f-4.1JqM").add_to_form(&mut body)?;
    /// assert_eq!(body, b"year=2025&access_token=mF_9.B5f-4.1JqM");
    /// # Ok::<(), oauth_twin::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the token is not a bearer token, or the form already has an `access_token`.
    ///
    /// [RFC 6750 section 2.2](https://www.rfc-editor.org/rfc/rfc6750#section-2.2)
    pub fn add_to_form(&self, form: &mut Vec<u8>) -> Result<()> {
        if url::form_urlencoded::parse(form).any(|(name, _)| name == "access_token") {
            return Err(Error::usage(
                "the body already has a parameter access_token; remove it, or call withhold_token",
            ));
        }
        let access_token = self.usable()?;
        if !form.is_empty() {
            form.push(b'&');
        }
        form.extend_from_slice(b"access_token=");
        let encoded = url::form_urlencoded::byte_serialize(access_token.as_bytes());
        form.extend(encoded.flat_map(str::bytes));
        Ok(())
    }

    /// The access token, if it may be used in a request.
    fn usable(&self) -> Result<&str> {
        // "The client MUST NOT use an access token if it does not understand the token type."
        if self.is_dpop() {
            return Err(Error::usage(
                "a DPoP token needs a proof of possession with each request; give the builder the \
                 key that it is bound to, by dpop, and send requests with the client, or add both \
                 by its authorize",
            ));
        }
        if !self.token_type().eq_ignore_ascii_case("bearer") {
            let token_type: String = self.token_type().chars().take(40).collect();
            return Err(Error::usage(format!(
                "the token type {token_type:?} is not supported, only bearer tokens are; if the \
                 provider means a bearer token by it, name it to compliance::bearer_token_types"
            )));
        }
        self.sendable()
    }

    /// The access token, if a header can carry it.
    pub(super) fn sendable(&self) -> Result<&str> {
        let access_token = self.access_token().expose_secret();
        // Visible ASCII only: HeaderValue itself would accept a tab, a space and UTF-8.
        // To the end, as the processor takes many bytes at once if none of them may be the last.
        let is_visible = access_token
            .bytes()
            .fold(true, |all, byte| all & byte.is_ascii_graphic());
        if access_token.is_empty() || !is_visible {
            return Err(Error::usage(
                "the access token is empty or contains characters that a header cannot carry",
            ));
        }
        Ok(access_token)
    }
}

/// Owner of the text of a header: the token, which overwrites it when it is dropped.
struct HeaderText(Arc<TokenMembers>);

impl AsRef<[u8]> for HeaderText {
    fn as_ref(&self) -> &[u8] {
        self.0.access_token.with_what_precedes().as_bytes()
    }
}

/// Whether a 401 with these headers is about the bearer token: its challenge says `invalid_token`,
/// or gives no reason. Challenges of other schemes alone are not about the token.
///
/// [RFC 6750 section 3](https://www.rfc-editor.org/rfc/rfc6750#section-3)
#[allow(dead_code, reason = "only the clients need it")]
pub(crate) fn is_invalid_token(headers: &HeaderMap) -> bool {
    is_refused(headers, &["bearer"])
}

/// Whether a 401 with these headers is about a token that is sent by one of `schemes`.
pub(super) fn is_refused(headers: &HeaderMap, schemes: &[&str]) -> bool {
    let challenges = Challenge::all(headers);
    let is_ours = |challenge: &&Challenge| schemes.iter().any(|it| challenge.is_scheme(it));
    if !challenges.is_empty() && !challenges.iter().any(|challenge| is_ours(&challenge)) {
        return false;
    }
    let ours = challenges.iter().filter(is_ours);
    let mut errors = ours
        .filter_map(|challenge| challenge.parameter("error"))
        .peekable();
    errors.peek().is_none() || errors.any(|error| error.eq_ignore_ascii_case("invalid_token"))
}

#[cfg(test)]
mod tests {
    use http::header::WWW_AUTHENTICATE;
    use proptest::prelude::*;

    use super::*;

    fn challenged(values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().expect("a header"));
        }
        is_invalid_token(&headers)
    }

    #[test]
    fn invalid_token_or_nothing_said() {
        for said in [
            &[][..],
            &["Bearer"],
            &["Bearer realm=\"example\", error=\"invalid_token\""],
            &["bearer ERROR=invalid_token"],
            &["Basic realm=\"a, Bearer error=\\\"no\\\"\", Bearer error=\"invalid_token\""],
            &[
                "Basic realm=\"x\"",
                "Bearer error=\"invalid_token\", error_description=\"a, b\"",
            ],
            &["Bearer error = \"invalid_token\""],
            &["Bearer , error=\"invalid_token\""],
        ] {
            assert!(challenged(said), "{said:?}");
        }
    }

    #[test]
    fn another_error_is_not_about_the_token() {
        for said in [
            &["Bearer error=\"insufficient_scope\""][..],
            &["Basic realm=\"x\""],
            &["Negotiate", "OAuth realm=\"Bearer\""],
            &["Bearer error=invalid_request, realm=\"x\""],
            &["Bearer realm=\"error=\\\"invalid_token\\\"\", error=\"insufficient_scope\""],
        ] {
            assert!(!challenged(said), "{said:?}");
        }
    }

    #[test]
    fn the_header_is_sensitive_and_bearer() {
        let token = Token::new("a.b-c").with_token_type("bEARER");
        let value = token.authorization_header().expect("a header");
        assert_eq!(value, "Bearer a.b-c");
        assert!(value.is_sensitive());
    }

    #[test]
    fn a_token_its_clones_and_its_headers_share_one_text() {
        let token = Token::new("a.b-c").with_refresh_token("r");
        let (clone, header) = (
            token.clone(),
            token.authorization_header().expect("a header"),
        );
        let text = token.access_token().expose_secret().as_ptr();
        assert_eq!(header.as_bytes()["Bearer ".len()..].as_ptr(), text);
        assert_eq!(clone.access_token().expose_secret().as_ptr(), text);
        // A changed clone is a token of its own.
        let changed = clone.with_scope("s");
        assert_eq!((token.scope(), changed.scope()), (None, Some("s")));
        drop((token, changed));
        assert_eq!(header, "Bearer a.b-c");
    }

    #[test]
    fn what_a_header_cannot_carry_is_refused_without_quoting_it() {
        for bad in [
            "",
            "hunter2 ",
            "hunter2\n",
            "hunter2\u{e4}",
            "hunter2\0",
            "hunter2\tx",
        ] {
            let error = Token::new(bad).authorization_header().expect_err(bad);
            assert!(!error.to_string().contains("hunter2"));
        }
        let mac = Token::new("t").with_token_type("mac");
        let error = mac.authorization_header().expect_err("mac");
        assert!(error.to_string().contains("\"mac\""), "{error}");
    }

    #[test]
    fn in_the_query_and_in_the_body() {
        let token = Token::new("a+b/c=");
        let mut url = Url::parse("https://a.example/?q=1%202&r=+").expect("a URL");
        token.add_to_query(&mut url).expect("a URL");
        assert_eq!(
            url.as_str(),
            "https://a.example/?q=1%202&r=+&access_token=a%2Bb%2Fc%3D"
        );
        let mut body = b"q=1%202".to_vec();
        token.add_to_form(&mut body).expect("a body");
        assert_eq!(body, b"q=1%202&access_token=a%2Bb%2Fc%3D");
        let mut empty = Vec::new();
        token.add_to_form(&mut empty).expect("a body");
        assert_eq!(empty, b"access_token=a%2Bb%2Fc%3D");
    }

    #[test]
    fn a_token_is_added_once_and_whole_or_not_at_all() {
        let token = Token::new("new");
        for query in ["access_token=old", "a=1&access%5Ftoken=old", "access_token"] {
            let mut url = Url::parse(&format!("https://a.example/?{query}")).expect("a URL");
            let error = token.add_to_query(&mut url).expect_err(query);
            assert!(error.to_string().contains("access_token"), "{error}");
            assert_eq!(url.query(), Some(query));
            let mut form = query.as_bytes().to_vec();
            token.add_to_form(&mut form).expect_err(query);
            assert_eq!(form, query.as_bytes());
        }
        for bad in [
            Token::new(""),
            Token::new("a b"),
            token.with_token_type("DPoP"),
        ] {
            let mut url = Url::parse("https://a.example/").expect("a URL");
            bad.add_to_query(&mut url).expect_err("no bearer token");
            let mut form = Vec::new();
            bad.add_to_form(&mut form).expect_err("no bearer token");
            assert_eq!((url.query(), form.len()), (None, 0));
        }
    }

    proptest! {
        #[test]
        fn no_challenge_panics(value in "[ -~]*") {
            challenged(&[&value]);
        }
    }
}
