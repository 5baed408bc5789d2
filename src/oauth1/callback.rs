//! Resource owner authorization: the redirect to the server, and the callback from it.
//!
//! [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)

use url::Url;

use crate::{
    error::{Error, ErrorResponse, Result},
    oauth1::{TemporaryCredentials, problem::REGISTERED},
    secret::Secret,
    wire::{callback::CallbackParameters, secure_url::check_endpoint},
};

/// Temporary credentials that the user has granted access to, with the verification code that
/// proves it. [`Signer::verified`](super::Signer::verified) signs the request that exchanges them.
///
/// ```
/// use oauth_twin::oauth1::{Signer, TemporaryCredentials};
///
/// let temporary = TemporaryCredentials::new("hh5s93j4hdidpola", "hdhd0244k9j7ao03");
/// let verified = temporary.authorization_response(
///     "http://printer.example.com/ready?oauth_token=hh5s93j4hdidpola&oauth_verifier=hfdp7dh39dks9884",
/// )?;
/// let signer = Signer::new("dpf43f3p2l4k3l03").client_secret("kd94hf93k423kf44").verified(&verified);
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 5849 section 2.3](https://www.rfc-editor.org/rfc/rfc5849#section-2.3)
#[derive(Debug)]
pub struct VerifiedCredentials {
    token: Secret,
    token_secret: Secret,
    verifier: Secret,
}

impl VerifiedCredentials {
    /// `oauth_token` of the temporary credentials.
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// `oauth_token_secret` of the temporary credentials.
    pub fn token_secret(&self) -> &Secret {
        &self.token_secret
    }

    /// `oauth_verifier`; empty if the server has none, which
    /// [`dangerous_allow_unconfirmed_callback`](super::Signer::dangerous_allow_unconfirmed_callback)
    /// permits.
    pub fn verifier(&self) -> &Secret {
        &self.verifier
    }
}

impl TemporaryCredentials {
    /// The URL to redirect the user to, or to open in a browser. `endpoint` may have a query of its
    /// own with further parameters of the provider (`perms`, `force_login`).
    ///
    /// # Errors
    ///
    /// If the endpoint is not an absolute URL, not HTTPS (loopback is exempt), or has a fragment, a
    /// user name, a password or an `oauth_token`.
    ///
    /// [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)
    pub fn authorization_url(&self, endpoint: &str) -> Result<Url> {
        let endpoint = check_endpoint(endpoint, false)
            .map_err(|problem| Error::usage(format!("the authorization endpoint {problem}")))?;
        self.checked_authorization_url(endpoint)
    }

    /// The authorization URL at an endpoint that has been checked.
    pub(crate) fn checked_authorization_url(&self, mut endpoint: Url) -> Result<Url> {
        if endpoint
            .query_pairs()
            .any(|(name, _)| name == "oauth_token")
        {
            return Err(Error::usage(
                "the authorization endpoint already has a parameter oauth_token; remove it",
            ));
        }
        endpoint
            .query_pairs_mut()
            .append_pair("oauth_token", self.token().expose_secret());
        Ok(endpoint)
    }

    /// The verified credentials in the callback: a URL of any scheme, its query, or a form body.
    ///
    /// White space, one pair of quotes and a byte order mark around a pasted callback are ignored.
    /// The checks, in this order: no parameter is repeated, `oauth_token` is that of these
    /// credentials, it is not a refusal (`oauth_problem`, and X's `denied`), there is a verifier.
    ///
    /// # Errors
    ///
    /// The first check that fails, or the server's own error.
    ///
    /// [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)
    pub fn authorization_response(self, callback: &str) -> Result<VerifiedCredentials> {
        let mut parameters = CallbackParameters::in_query(callback)?;
        // X sends only `denied`, with the token, after a login that the user refused.
        let denied = parameters.take("denied")?;
        let is_denied = denied.is_some();
        match parameters.take("oauth_token")?.or(denied) {
            None => {
                let error = parameters.unverified_error("oauth_problem", &REGISTERED);
                let problem = format!("the callback has no `oauth_token`{error}");
                return Err(Error::callback(problem));
            }
            Some(token) if token != *self.token() => {
                return Err(Error::callback(
                    "the `oauth_token` of the callback does not match this login; the user may \
                     have opened an old page",
                ));
            }
            Some(_) => {}
        }
        let problem = match parameters.take("oauth_problem")? {
            Some(problem) => Some(problem),
            None => is_denied.then_some(Secret::known("access_denied")),
        };
        if let Some(problem) = problem {
            let advice = parameters.take_text("oauth_problem_advice");
            let problem = problem.expose_secret();
            let refusal = ErrorResponse::in_callback(problem, advice.as_deref(), None);
            return Err(Error::refused(refusal));
        }
        match parameters.take("oauth_verifier")? {
            Some(verifier) => self.verifier(verifier),
            None if self.is_unconfirmed() => {
                let (token, token_secret) = self.into_parts();
                Ok(VerifiedCredentials {
                    token,
                    token_secret,
                    verifier: Secret::default(),
                })
            }
            None => Err(Error::callback("the callback has no `oauth_verifier`")),
        }
    }

    /// The verified credentials with the verification code that the server showed to the user, who
    /// typed it (for the callback `oob`). Surrounding white space is trimmed.
    ///
    /// # Errors
    ///
    /// If it is empty or white space only.
    ///
    /// [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)
    pub fn verifier(self, verifier: impl Into<Secret>) -> Result<VerifiedCredentials> {
        let verifier = verifier.into();
        let verifier = verifier.expose_secret().trim();
        if verifier.is_empty() {
            return Err(Error::callback(
                "the verifier is empty; ask the user for the code that the \
                server has shown",
            ));
        }
        let verifier = verifier.into();
        let (token, token_secret) = self.into_parts();
        Ok(VerifiedCredentials {
            token,
            token_secret,
            verifier,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::{ErrorCode, ErrorKind};

    const OTHER_LOGIN: &str = "the `oauth_token` of the callback does not match this login; the \
                               user may have opened an old page";

    fn temporary() -> TemporaryCredentials {
        TemporaryCredentials::new("the token", "hunter2")
    }

    #[test]
    fn a_url_a_query_or_a_pin() {
        for callback in [
            "https://app.example/cb?oauth_token=the+token&oauth_verifier=a%2Bb",
            "https://app.example/cb?x=1&oauth_verifier=a%2Bb&oauth_token=the%20token#_=_",
            "/cb?oauth_token=the+token&oauth_verifier=a%2Bb",
            "?oauth_token=the+token&oauth_verifier=a%2Bb",
            "oauth_token=the+token&oauth_verifier=a%2Bb&more=a?b://c",
            "com.example.app:/oauth2redirect/x?oauth_token=the+token&oauth_verifier=a%2Bb",
            " \"https://app.example/cb?oauth_token=the+token&oauth_verifier=a%2Bb\"\r\n",
            "\u{feff}?oauth_token=the+token&oauth_verifier=a%2Bb\r\n",
        ] {
            let verified = temporary()
                .authorization_response(callback)
                .expect(callback);
            assert_eq!(verified.verifier().expose_secret(), "a+b");
            assert_eq!(verified.token().expose_secret(), "the token");
            assert_eq!(verified.token_secret().expose_secret(), "hunter2");
        }
        let verified = temporary().verifier(" 123 456\n").expect("a PIN");
        assert_eq!(verified.verifier().expose_secret(), "123 456");
        assert!(temporary().verifier(" \n").is_err());
        assert_eq!(
            format!("{verified:?}"),
            "VerifiedCredentials { token: [redacted], token_secret: [redacted], \
             verifier: [redacted] }"
        );
    }

    #[test]
    fn another_s_callback_is_refused() {
        for (callback, problem) in [
            ("", "the callback has no `oauth_token`"),
            (
                "https://app.example/cb",
                "the callback has no `oauth_token`",
            ),
            ("?oauth_verifier=1", "the callback has no `oauth_token`"),
            (
                "?oauth_token=&oauth_verifier=1",
                "the callback has no `oauth_token`",
            ),
            ("?oauth_token=other&oauth_verifier=1", OTHER_LOGIN),
            ("?denied=other", OTHER_LOGIN),
            ("?oauth_token=other&oauth_problem=user_refused", OTHER_LOGIN),
            (
                "?oauth_token=the+token",
                "the callback has no `oauth_verifier`",
            ),
            (
                "?oauth_token=the+token&oauth_verifier=",
                "the callback has no `oauth_verifier`",
            ),
            (
                "?oauth_token=the+token&oauth_verifier=+",
                "the verifier is empty; ask the user for the code that the server has shown",
            ),
            (
                "?oauth_token=the+token&oauth_token=other&oauth_verifier=1",
                "the callback repeats the parameter `oauth_token`",
            ),
            (
                "?oauth_token=the+token&oauth_verifier=1&oauth_verifier=1",
                "the callback repeats the parameter `oauth_verifier`",
            ),
            (
                "?oauth_token=the+token&oauth_verifier=%FF",
                "the parameter `oauth_verifier` of the callback is not percent-encoded UTF-8",
            ),
            (
                "?oauth_token=the+token%ZZ&oauth_verifier=1",
                "the parameter `oauth_token` of the callback is not percent-encoded UTF-8",
            ),
            (
                "?oauth_problem=user_refused&oauth_problem_advice=call+0900",
                "the callback has no `oauth_token`; it claims the error `user_refused`, which is \
                 not verified",
            ),
            (
                "?oauth_problem=call+0900",
                "the callback has no `oauth_token`",
            ),
        ] {
            let error = temporary()
                .authorization_response(callback)
                .expect_err(callback);
            assert_eq!(error.to_string(), problem, "{callback}");
            assert_eq!(error.kind(), ErrorKind::Answer);
        }
    }

    #[test]
    fn a_refusal_is_the_server_s_error() {
        for (callback, code, description) in [
            ("?denied=the+token", ErrorCode::AccessDenied, None),
            (
                "?oauth_token=the+token&oauth_problem=user_refused&oauth_problem_advice=No%0A!",
                ErrorCode::Other("user_refused".to_owned()),
                Some("No !"),
            ),
        ] {
            let error = temporary()
                .authorization_response(callback)
                .expect_err(callback);
            assert_eq!(error.code(), Some(&code));
            assert_eq!(
                error.response().and_then(ErrorResponse::description),
                description
            );
            assert_eq!(error.kind(), ErrorKind::Server);
        }
    }

    #[test]
    fn authorization_urls() {
        for (endpoint, url) in [
            (
                "https://a.example/auth",
                "https://a.example/auth?oauth_token=the+token",
            ),
            (
                "https://a.example/auth?perms=a%20b",
                "https://a.example/auth?perms=a%20b&oauth_token=the+token",
            ),
        ] {
            let created = temporary().authorization_url(endpoint).expect(endpoint);
            assert_eq!(created.as_str(), url);
        }
        for endpoint in [
            "/auth",
            "javascript:alert(1)",
            "http://a.example/auth",
            r"http://a.example\@localhost/auth",
            "https://a.example/#f",
            "https://user@a.example/",
            "https://a.example/?oauth_token=1",
        ] {
            assert!(
                temporary().authorization_url(endpoint).is_err(),
                "{endpoint}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_callback_is_read_and_none_is_quoted(callback: String) {
            if let Err(error) = temporary().authorization_response(&callback) {
                prop_assert!(!error.to_string().contains("hunter2"));
            }
        }
    }
}
