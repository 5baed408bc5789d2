//! Bearer tokens on requests, and the challenge that answers a bad one.
//!
//! [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)

use http::{HeaderMap, HeaderValue};
use url::Url;
use zeroize::Zeroizing;

use crate::{
    error::{Error, Result},
    oauth2::token::Token,
    wire::challenge::Challenge,
};

/// The value of the `Authorization` header.
///
/// [RFC 6750 section 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)
pub(crate) fn authorization(token: &Token) -> Result<HeaderValue> {
    let value = Zeroizing::new(format!("Bearer {}", access_token(token)?));
    let mut value = HeaderValue::try_from(value.as_str())
        .map_err(|_invalid| Error::usage("the access token cannot be put into a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The access token, if it may be put on a request.
fn access_token(token: &Token) -> Result<&str> {
    // "The client MUST NOT use an access token if it does not understand the token type."
    if !token.token_type().eq_ignore_ascii_case("bearer") {
        let token_type: String = token.token_type().chars().take(40).collect();
        return Err(Error::usage(format!(
            "the token is of type {token_type:?}, which this client cannot use; it can use bearer"
        )));
    }
    let access_token = token.access_token().expose_secret();
    // Visible ASCII only: HeaderValue itself would let a tab, a space and UTF-8 through.
    if access_token.is_empty() || !access_token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::usage(
            "the access token is empty or holds characters that a header cannot carry",
        ));
    }
    Ok(access_token)
}

/// Where the token stands in a request to an API.
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
pub enum TokenPlacement {
    /// In the `Authorization` header.
    #[default]
    Header,
    /// In the body, which has to be a form or empty; other bodies are an error.
    Body,
    /// In the query of the URL.
    ///
    /// # Security
    ///
    /// URLs end up in logs and histories, and reqwest's `Response` knows its URL.
    Query,
}

/// The URL with the token in its query, the rest of it as it was.
///
/// [RFC 6750 section 2.3](https://www.rfc-editor.org/rfc/rfc6750#section-2.3)
pub(crate) fn query_with_token(url: &mut Url, token: &Token) -> Result<()> {
    if url.query_pairs().any(|(name, _)| name == "access_token") {
        return Err(Error::usage(
            "the URL has an access_token already; take it out, or call withhold_token",
        ));
    }
    let access_token = access_token(token)?;
    url.query_pairs_mut()
        .append_pair("access_token", access_token);
    Ok(())
}

/// The form-encoded body with the token in it.
///
/// [RFC 6750 section 2.2](https://www.rfc-editor.org/rfc/rfc6750#section-2.2)
pub(crate) fn body_with_token(form: &[u8], token: &Token) -> Result<Vec<u8>> {
    if url::form_urlencoded::parse(form).any(|(name, _)| name == "access_token") {
        return Err(Error::usage(
            "the body has an access_token already; take it out, or call withhold_token",
        ));
    }
    let access_token = access_token(token)?;
    let mut body = form.to_vec();
    if !body.is_empty() {
        body.push(b'&');
    }
    body.extend_from_slice(b"access_token=");
    body.extend(url::form_urlencoded::byte_serialize(access_token.as_bytes()).flat_map(str::bytes));
    Ok(body)
}

/// Whether a 401 with these headers says that the token is the reason: it says `invalid_token`,
/// or says nothing.
///
/// [RFC 6750 section 3](https://www.rfc-editor.org/rfc/rfc6750#section-3)
pub(crate) fn is_invalid_token(headers: &HeaderMap) -> bool {
    let challenges = Challenge::all(headers);
    let bearer = challenges
        .iter()
        .filter(|challenge| challenge.is_scheme("bearer"));
    let mut errors = bearer
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
            &["Basic realm=\"x\""],
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
            &["Bearer error=invalid_request, realm=\"x\""],
            &["Bearer realm=\"error=\\\"invalid_token\\\"\", error=\"insufficient_scope\""],
        ] {
            assert!(!challenged(said), "{said:?}");
        }
    }

    #[test]
    fn the_header_is_sensitive_and_bearer() {
        let value =
            authorization(&Token::new("a.b-c").with_token_type("bEARER")).expect("a header");
        assert_eq!(value, "Bearer a.b-c");
        assert!(value.is_sensitive());
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
            let error = authorization(&Token::new(bad)).expect_err(bad);
            assert!(!error.to_string().contains("hunter2"));
        }
        let error = authorization(&Token::new("t").with_token_type("mac")).expect_err("mac");
        assert!(error.to_string().contains("\"mac\""), "{error}");
    }

    #[test]
    fn in_the_query_and_in_the_body() {
        let token = Token::new("a+b/c=");
        let mut url = Url::parse("https://a.example/?q=1%202&r=+").expect("a URL");
        query_with_token(&mut url, &token).expect("a URL");
        assert_eq!(
            url.as_str(),
            "https://a.example/?q=1%202&r=+&access_token=a%2Bb%2Fc%3D"
        );
        assert!(
            query_with_token(&mut url, &token).is_err(),
            "there is one already"
        );
        let body = body_with_token(b"q=1%202", &token).expect("a body");
        assert_eq!(body, b"q=1%202&access_token=a%2Bb%2Fc%3D");
        assert!(
            body_with_token(&body, &token).is_err(),
            "there is one already"
        );
        assert_eq!(
            body_with_token(b"", &token).expect("a body"),
            b"access_token=a%2Bb%2Fc%3D"
        );
    }

    proptest! {
        #[test]
        fn no_challenge_panics(value in "[ -~]*") {
            challenged(&[&value]);
        }
    }
}
