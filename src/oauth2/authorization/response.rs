//! The authorization response: what the person comes back with, and whether it is theirs.
//!
//! [RFC 6749 section 4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2),
//! [RFC 9207](https://www.rfc-editor.org/rfc/rfc9207)

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    clock::Clock,
    error::{Error, ErrorResponse, Result},
    oauth2::{grant::authorization_code::AuthorizationCode, token::Token},
    secret::{self, Secret},
};

/// No callback is longer, in bytes.
const LONGEST: usize = 64 * 1024;

/// An authorization request that has not been answered yet: all that its answer is checked
/// against.
///
/// It belongs into the session of the person who was sent away, and nowhere else: out of it, it
/// is consumed by the answer. It serialises, secrets included.
///
/// ```
/// use oauth_twin::{Clock, oauth2::{AuthorizationEndpoint, AuthorizationRequest}};
///
/// let endpoint = AuthorizationEndpoint::new("https://id.example.com/authorize", "id")?;
/// let created = endpoint
///     .create_authorization_url(AuthorizationRequest::new(), &Clock::system())?;
/// let session = serde_json::to_string(&created.pending).unwrap();
///
/// // The callback, in another process perhaps. Somebody else's answer is refused:
/// let pending: oauth_twin::oauth2::PendingAuthorization = serde_json::from_str(&session).unwrap();
/// let error = pending
///     .authorization_response("https://app.example.com/callback?code=1&state=forged")
///     .unwrap_err();
/// assert_eq!(error.to_string(), "the state of the callback is not that of this login");
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// # Security
///
/// Whoever has it, and the callback, can finish the login. Keep it where only the person's own
/// browser leads to, and take it out before it is used.
#[derive(Deserialize, Serialize)]
pub struct PendingAuthorization {
    #[serde(with = "secret::exposed")]
    pub(crate) state: Secret,
    #[serde(default, with = "secret::exposed_option")]
    pub(crate) code_verifier: Option<Secret>,
    #[serde(default)]
    pub(crate) redirect_uri: Option<String>,
    #[serde(default)]
    pub(crate) issuer: Option<String>,
    #[serde(default)]
    pub(crate) iss_required: bool,
    #[serde(default)]
    pub(crate) resource: Vec<String>,
    /// Seconds since 1970.
    pub(crate) created_at: u64,
    /// Seconds since 1970.
    pub(crate) expires_at: u64,
}

impl PendingAuthorization {
    /// The grant in the callback: a URL, its query, or the form body of a `form_post`.
    ///
    /// Checked in this order: that no parameter stands twice, that `state` is that of this
    /// request, that the request has not expired, that `iss` is the issuer if both are known,
    /// that it is not an error, that there is a code.
    ///
    /// # Errors
    ///
    /// What the callback fails; or the server's own error, such as `access_denied`.
    ///
    /// [RFC 6749 section 4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2)
    pub fn authorization_response(self, callback: &str) -> Result<AuthorizationCode> {
        self.authorization_response_at(callback, &Clock::system())
    }

    /// The same by another clock.
    pub(crate) fn authorization_response_at(
        self,
        callback: &str,
        clock: &Clock,
    ) -> Result<AuthorizationCode> {
        let mut parameters = self.checked(query(callback)?, clock.unix())?;
        let code = take(&mut parameters, "code")
            .ok_or_else(|| Error::callback("the callback has no code"))?;
        // That of the request, or none, whatever the client has by now.
        let redirect_uri = self.redirect_uri.unwrap_or_default();
        let mut grant = AuthorizationCode::new(code).redirect_uri(redirect_uri);
        if let Some(code_verifier) = self.code_verifier {
            grant = grant.code_verifier(code_verifier);
        }
        for resource in self.resource {
            grant = grant.resource(resource);
        }
        Ok(grant)
    }

    /// The token in the fragment of the callback, for the implicit grant, after the same checks.
    ///
    /// # Errors
    ///
    /// What the callback fails; or the server's own error.
    ///
    /// [RFC 6749 section 4.2.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.2.2)
    pub fn token_from_fragment(self, url: &str) -> Result<Token> {
        let fragment = url
            .split_once('#')
            .map(|(_, fragment)| fragment)
            .ok_or_else(|| Error::callback("the callback has no fragment"))?;
        let now = Clock::system().unix();
        let parameters = self.checked(parse(fragment)?, now)?;
        Token::from_answer(parameters, now).map_err(Error::callback)
    }

    /// The parameters, if they answer this request.
    fn checked(
        &self,
        mut parameters: Map<String, Value>,
        now: Duration,
    ) -> Result<Map<String, Value>> {
        match take(&mut parameters, "state").map(Secret::new) {
            None => return Err(Error::callback("the callback has no state")),
            Some(state) if state != self.state => {
                return Err(Error::callback(
                    "the state of the callback is not that of this login",
                ));
            }
            Some(_) => {}
        }
        if now.as_secs() >= self.expires_at {
            return Err(Error::callback("the login took too long and has expired"));
        }
        // "Clients MUST then decode the value [...] and compare the result to the issuer identifier
        // of the authorization server where the authorization request was sent to."
        match (take(&mut parameters, "iss"), &self.issuer) {
            (Some(iss), Some(issuer)) if iss != *issuer => {
                return Err(Error::callback(
                    "the callback comes from another issuer (iss) than the login was sent to",
                ));
            }
            // RFC 9207 section 2.4: without it only from servers that are not known to send it.
            (None, _) if self.iss_required => {
                return Err(Error::callback(
                    "the callback does not say from which issuer (iss) it comes",
                ));
            }
            _ => {}
        }
        if let Some(error) = take(&mut parameters, "error") {
            let [description, uri] =
                ["error_description", "error_uri"].map(|name| take(&mut parameters, name));
            return Err(Error::refused(ErrorResponse::in_callback(
                &error,
                description.as_deref(),
                uri.as_deref(),
            )));
        }
        Ok(parameters)
    }
}

impl fmt::Debug for PendingAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingAuthorization")
            .field("state", &self.state)
            .field("code_verifier", &self.code_verifier)
            .field("redirect_uri", &self.redirect_uri)
            .field("issuer", &self.issuer)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// The parameters of a callback, wherever they stand in it.
fn query(callback: &str) -> Result<Map<String, Value>> {
    // Facebook appends `#_=_`. A fragment is no part of a query in any case.
    let callback = callback.split('#').next().unwrap_or_default();
    let is_url = callback.starts_with('/')
        || callback.split_once("://").is_some_and(|(scheme, _)| {
            scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        });
    let query = match callback.split_once('?') {
        Some(("", query)) => query,
        Some((_, query)) if is_url => query,
        None if is_url => "",
        _ => callback,
    };
    parse(query)
}

fn parse(query: &str) -> Result<Map<String, Value>> {
    if query.len() > LONGEST {
        return Err(Error::callback("the callback is longer than 64 KiB"));
    }
    let mut parameters = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        // "Request and response parameters MUST NOT be included more than once."
        if parameters
            .insert(name.into_owned(), value.into_owned().into())
            .is_some()
        {
            return Err(Error::callback("a parameter stands twice in the callback"));
        }
    }
    Ok(parameters)
}

/// A parameter; an empty one counts as absent, as RFC 6749 section 3.1 has it.
fn take(parameters: &mut Map<String, Value>, name: &str) -> Option<String> {
    match parameters.remove(name)? {
        Value::String(value) if !value.is_empty() => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorKind;

    fn pending() -> PendingAuthorization {
        PendingAuthorization {
            state: "the-state".into(),
            code_verifier: Some("v".repeat(43).into()),
            redirect_uri: Some("https://app.example/cb".to_owned()),
            issuer: Some("https://id.example".to_owned()),
            iss_required: false,
            resource: vec!["urn:a".to_owned()],
            created_at: 0,
            expires_at: u64::MAX,
        }
    }

    fn refusal(callback: &str) -> Error {
        pending()
            .authorization_response(callback)
            .expect_err(callback)
    }

    #[test]
    fn a_url_a_query_or_a_body() {
        for callback in [
            "https://app.example/cb?code=the-code&state=the-state",
            "https://app.example/cb?code=the-code&state=the-state#_=_",
            "/cb?state=the-state&code=the-code&iss=https%3A%2F%2Fid.example",
            "?code=the-code&state=the-state&session_state=x",
            "code=the-code&state=the-state&more=a?b://c",
            "myapp:/x?code=the-code&state=the-state".trim_start_matches("myapp:"),
            "com.example.app://cb?code=the-code&state=the-state",
        ] {
            let grant = pending().authorization_response(callback).expect(callback);
            let text = format!("{grant:?}");
            assert!(
                text.contains("redirect_uri: Some(\"https://app.example/cb\")"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_an_answer_to_this_request_is_refused() {
        for (callback, word) in [
            ("https://app.example/cb", "no state"),
            ("", "no state"),
            ("?code=c", "no state"),
            ("?code=c&state=", "no state"),
            ("?code=c&state=other", "not that of this login"),
            ("?code=c&state=the-stat", "not that of this login"),
            ("?code=c&state=THE-STATE", "not that of this login"),
            ("?error=access_denied&state=other", "not that of this login"),
            ("?error=access_denied", "no state"),
            ("?code=c&code=d&state=the-state", "twice"),
            ("?code=c&state=the-state&state=the-state", "twice"),
            ("?code=c&state=the-state&x=1&x=2", "twice"),
            ("?state=the-state", "no code"),
            ("?state=the-state&code=", "no code"),
            ("?error_code=1&state=the-state", "no code"),
            (
                "?code=c&state=the-state&iss=https://evil.example",
                "another issuer",
            ),
            (
                "?code=c&state=the-state&iss=https://id.example/",
                "another issuer",
            ),
            ("#code=c&state=the-state", "no state"),
        ] {
            let error = refusal(callback);
            assert!(error.to_string().contains(word), "{callback}: {error}");
            assert_eq!(error.kind(), ErrorKind::Answer);
            assert!(!error.outcome_unknown() && !error.is_transient());
        }
        let long = format!("?state=the-state&code={}", "c".repeat(LONGEST));
        assert!(refusal(&long).to_string().contains("64 KiB"));
    }

    #[test]
    fn an_error_is_the_server_s() {
        let error = refusal(
            "?error=access_denied&error_description=The+person%0Arefused&state=the-state\
             &iss=https://id.example&code=c",
        );
        assert_eq!(error.kind(), ErrorKind::Server);
        assert_eq!(
            error.to_string(),
            "the server answered access_denied: The person refused"
        );
        assert_eq!(error.status(), None);
    }

    #[test]
    fn a_missing_iss_is_refused_where_the_server_always_sends_it() {
        let required = || PendingAuthorization {
            iss_required: true,
            ..pending()
        };
        let callback = "?code=c&state=the-state";
        let error = required()
            .authorization_response(callback)
            .expect_err("iss");
        assert!(
            error.to_string().contains("does not say from which issuer"),
            "{error}"
        );
        let refused = "?error=access_denied&state=the-state";
        assert!(required().authorization_response(refused).is_err());
        let callback = "?code=c&state=the-state&iss=https%3A%2F%2Fid.example";
        assert!(required().authorization_response(callback).is_ok());
    }

    #[test]
    fn an_expired_login_is_refused() {
        let mut expired = pending();
        expired.expires_at = 1;
        let error = expired
            .authorization_response("?code=c&state=the-state")
            .expect_err("expired");
        assert!(error.to_string().contains("expired"));
    }

    #[test]
    fn it_is_the_same_after_a_session() {
        let session = serde_json::to_string(&pending()).expect("JSON");
        let back: PendingAuthorization = serde_json::from_str(&session).expect("a pending");
        assert_eq!(serde_json::to_string(&back).expect("JSON"), session);
        assert!(
            back.authorization_response("?code=c&state=the-state")
                .is_ok()
        );
    }

    #[test]
    fn an_implicit_token() {
        let token = pending()
            .token_from_fragment(
                "https://app.example/cb#access_token=t&token_type=bearer&expires_in=60\
                 &state=the-state&tenant=a",
            )
            .expect("a token");
        assert_eq!(token.access_token(), &Secret::from("t"));
        assert!(token.expires_at().is_some());
        assert_eq!(
            (token.get("tenant"), token.get("state")),
            (Some(&"a".into()), None)
        );
        for (url, word) in [
            ("https://app.example/cb", "no fragment"),
            ("https://app.example/cb#access_token=t", "no state"),
            (
                "https://app.example/cb#access_token=t&state=x",
                "not that of this login",
            ),
            ("https://app.example/cb#state=the-state", "access_token"),
            (
                "https://app.example/cb#error=access_denied&state=the-state",
                "access_denied",
            ),
            (
                "https://app.example/cb?access_token=t&state=the-state#_=_",
                "no state",
            ),
        ] {
            let error = pending().token_from_fragment(url).expect_err(url);
            assert!(error.to_string().contains(word), "{url}: {error}");
        }
    }

    #[test]
    fn debug_tells_no_secret() {
        assert_eq!(
            format!("{:?}", pending()),
            "PendingAuthorization { state: [redacted], code_verifier: Some([redacted]), \
             redirect_uri: Some(\"https://app.example/cb\"), issuer: Some(\"https://id.example\"), \
             expires_at: 18446744073709551615, .. }"
        );
    }

    proptest! {
        #[test]
        fn no_callback_panics_or_passes(callback: String) {
            prop_assert!(pending().authorization_response(&callback).is_err());
            prop_assert!(pending().token_from_fragment(&callback).is_err());
        }
    }
}
