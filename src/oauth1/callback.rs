//! Resource owner authorization: sending the person away, and what they come back with.
//!
//! [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)

use std::collections::BTreeMap;

use url::Url;

use crate::{
    error::{Error, ErrorResponse, Result},
    oauth1::TemporaryCredentials,
    secret::Secret,
};

/// No callback is longer, in bytes.
const LONGEST: usize = 64 * 1024;

/// Temporary credentials that the person has granted access to, with the verification code that
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

    /// `oauth_verifier`.
    pub fn verifier(&self) -> &Secret {
        &self.verifier
    }
}

impl TemporaryCredentials {
    /// The URL to redirect the person to, or to open in a browser. `endpoint` may have a query of
    /// its own, with what the provider asks for beside (`perms`, `force_login`).
    ///
    /// # Errors
    ///
    /// If the endpoint is not an absolute `http` or `https` URL, has a fragment, a user name or a
    /// password, or an `oauth_token` already.
    ///
    /// [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)
    pub fn authorization_url(&self, endpoint: &str) -> Result<Url> {
        let refused = |problem: &str| {
            Err(Error::usage(format!(
                "the authorization endpoint {problem}"
            )))
        };
        let mut url = match Url::parse(endpoint) {
            Ok(url) if matches!(url.scheme(), "https" | "http") => url,
            _ => return refused("is not an absolute http or https URL"),
        };
        if url.fragment().is_some() {
            return refused("has a fragment (the part behind #)");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused("holds a user name or password");
        }
        if url.query_pairs().any(|(name, _)| name == "oauth_token") {
            return refused("has an oauth_token already");
        }
        url.query_pairs_mut()
            .append_pair("oauth_token", self.token().expose_secret());
        Ok(url)
    }

    /// What the callback verifies: a URL or its query.
    ///
    /// Checked in this order: that no parameter stands twice, that `oauth_token` is that of these
    /// credentials, that it is not a refusal (`oauth_problem`, and X's `denied`), that there is a
    /// verifier.
    ///
    /// # Errors
    ///
    /// What the callback fails; or the server's own error.
    ///
    /// [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)
    pub fn authorization_response(self, callback: &str) -> Result<VerifiedCredentials> {
        let mut parameters = parse(callback)?;
        // X names the token of a login that the person refused by `denied`, and no other.
        let denied = parameters.remove("denied");
        let token = parameters.remove("oauth_token").or_else(|| denied.clone());
        match token.map(Secret::new) {
            None => return Err(Error::callback("the callback has no oauth_token")),
            Some(token) if token != *self.token() => {
                return Err(Error::callback(
                    "the oauth_token of the callback is not that of this login",
                ));
            }
            Some(_) => {}
        }
        let problem = parameters.remove("oauth_problem");
        if let Some(problem) = problem.or_else(|| denied.map(|_| "access_denied".to_owned())) {
            let advice = parameters.remove("oauth_problem_advice");
            let refusal = ErrorResponse::in_callback(&problem, advice.as_deref(), None);
            return Err(Error::refused(refusal));
        }
        match parameters.remove("oauth_verifier") {
            Some(verifier) => self.verifier(verifier),
            None => Err(Error::callback("the callback has no oauth_verifier")),
        }
    }

    /// With the verification code that the person was shown and has typed (a callback of `oob`).
    /// Spaces around it are taken off.
    ///
    /// # Errors
    ///
    /// If there is nothing but spaces.
    ///
    /// [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)
    pub fn verifier(self, verifier: impl Into<Secret>) -> Result<VerifiedCredentials> {
        let verifier = verifier.into();
        let verifier = verifier.expose_secret().trim();
        if verifier.is_empty() {
            return Err(Error::callback("the verifier is empty"));
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

/// The parameters in the query of a callback; an empty one counts as absent.
fn parse(callback: &str) -> Result<BTreeMap<String, String>> {
    if callback.len() > LONGEST {
        return Err(Error::callback("the callback is longer than 64 KiB"));
    }
    let callback = callback.split('#').next().unwrap_or_default();
    let query = match callback.split_once('?') {
        // A verifier may have a question mark, a name of a parameter has none.
        Some((start, query)) if !start.contains('=') => query,
        None if callback.starts_with('/') || callback.contains("://") => "",
        _ => callback,
    };
    let mut parameters = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        // "each parameter MUST NOT appear more than once per request".
        if parameters
            .insert(name.into_owned(), value.into_owned())
            .is_some()
        {
            return Err(Error::callback("a parameter stands twice in the callback"));
        }
    }
    parameters.retain(|_, value| !value.is_empty());
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::{ErrorCode, ErrorKind};

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
            ("", "the callback has no oauth_token"),
            ("https://app.example/cb", "the callback has no oauth_token"),
            ("?oauth_verifier=1", "the callback has no oauth_token"),
            (
                "?oauth_token=&oauth_verifier=1",
                "the callback has no oauth_token",
            ),
            (
                "?oauth_token=other&oauth_verifier=1",
                "the oauth_token of the callback is not that of this login",
            ),
            (
                "?denied=other",
                "the oauth_token of the callback is not that of this login",
            ),
            (
                "?oauth_token=other&oauth_problem=user_refused",
                "the oauth_token of the callback is not that of this login",
            ),
            (
                "?oauth_token=the+token",
                "the callback has no oauth_verifier",
            ),
            (
                "?oauth_token=the+token&oauth_verifier=",
                "the callback has no oauth_verifier",
            ),
            (
                "?oauth_token=the+token&oauth_verifier=+",
                "the verifier is empty",
            ),
            (
                "?oauth_token=the+token&oauth_token=other&oauth_verifier=1",
                "a parameter stands twice in the callback",
            ),
            (
                "?oauth_token=the+token&oauth_verifier=1&oauth_verifier=1",
                "a parameter stands twice in the callback",
            ),
        ] {
            let error = temporary()
                .authorization_response(callback)
                .expect_err(callback);
            assert_eq!(error.to_string(), problem, "{callback}");
            assert_eq!(error.kind(), ErrorKind::Answer);
        }
        let long = "a".repeat(LONGEST + 1);
        assert!(temporary().authorization_response(&long).is_err());
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
