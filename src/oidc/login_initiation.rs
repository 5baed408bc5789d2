//! Logins that a third party initiates.
//!
//! [OpenID Connect Core section 4](https://openid.net/specs/openid-connect-core-1_0.html#ThirdPartyInitiatedLogin)

use std::fmt;

use url::Url;

use crate::{
    error::{Error, Result},
    oauth2::authorization::request::AuthorizationRequest,
    secret::Secret,
    wire::callback::CallbackParameters,
};

/// Request of a third party, such as the portal of a provider, to log the end-user in, which comes
/// to the `initiate_login_uri` of the client.
///
/// ```
/// use oauth_twin::oidc::LoginInitiation;
///
/// let initiation = LoginInitiation::read(
///     "https://app.example.com/login?iss=https%3A%2F%2Fid.example.com&login_hint=alice",
///     ["https://id.example.com"],
/// )?;
/// assert_eq!(initiation.issuer, "https://id.example.com");
/// // With the client of that issuer:
/// let request = initiation.authorization_request().scope("openid");
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [OpenID Connect Core section 4](https://openid.net/specs/openid-connect-core-1_0.html#ThirdPartyInitiatedLogin)
#[derive(Clone)]
#[non_exhaustive]
pub struct LoginInitiation {
    /// The issuer at which the end-user is to log in, one of those that were given.
    pub issuer: String,
    /// The hint about the end-user.
    pub login_hint: Option<Secret>,
    /// The page to show after the login, which is of the origin of the request.
    pub target_link_uri: Option<Url>,
}

impl LoginInitiation {
    /// Reads the URL of the request, to which the parameters of a form are appended as a query if
    /// they came by `POST`.
    ///
    /// # Errors
    ///
    /// If it is not a URL, a parameter is repeated, the issuer is not one of `issuers`, or the
    /// `target_link_uri` is of another origin.
    ///
    /// # Security
    ///
    /// "The RP MUST verify the value of the target_link_uri to prevent being used as an open
    /// redirector to external sites." Anyone can make the request: it begins a login, and nothing else.
    ///
    /// [OpenID Connect Core section 4](https://openid.net/specs/openid-connect-core-1_0.html#ThirdPartyInitiatedLogin)
    pub fn read(url: &str, issuers: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self> {
        let own = Url::parse(url).map_err(|_invalid| {
            Error::callback("the request to initiate a login is not an absolute URL")
        })?;
        let mut parameters = CallbackParameters::in_query(url)?;
        let iss = parameters.take("iss")?;
        let iss = iss.as_ref().map(Secret::expose_secret).unwrap_or_default();
        let known = issuers.into_iter().find(|issuer| issuer.as_ref() == iss);
        let Some(issuer) = known.map(|issuer| issuer.as_ref().to_owned()) else {
            return Err(Error::callback(
                "the issuer of the request to initiate a login (`iss`) is not one of those of this \
                 client",
            ));
        };
        let target = parameters.take("target_link_uri")?;
        let target = target.map(|target| Url::parse(target.expose_secret()));
        let target_link_uri = match target.transpose() {
            Ok(None) => None,
            Ok(Some(target)) if target.origin().is_tuple() && target.origin() == own.origin() => {
                Some(target)
            }
            _ => {
                return Err(Error::callback(
                    "the `target_link_uri` of the request to initiate a login is not of this origin",
                ));
            }
        };
        Ok(Self {
            issuer,
            login_hint: parameters.take("login_hint")?,
            target_link_uri,
        })
    }

    /// The authorization request, with the hint about the end-user.
    pub fn authorization_request(&self) -> AuthorizationRequest {
        let request = AuthorizationRequest::new();
        match &self.login_hint {
            Some(hint) => request.login_hint(hint),
            None => request,
        }
    }
}

/// Omits the query of the page, which may be confidential.
impl fmt::Debug for LoginInitiation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginInitiation")
            .field("issuer", &self.issuer)
            .field("login_hint", &self.login_hint)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUERS: [&str; 2] = ["https://id.example", "https://other.example"];

    fn read(query: &str) -> Result<LoginInitiation> {
        LoginInitiation::read(&format!("https://app.example/login?{query}"), ISSUERS)
    }

    #[test]
    fn a_known_issuer_and_a_page_of_this_origin() {
        let initiation = read(
            "iss=https://other.example&login_hint=alice\
             &target_link_uri=https%3A%2F%2Fapp.example%2Fcart%3Fx%3D1",
        )
        .expect("good");
        assert_eq!(initiation.issuer, "https://other.example");
        assert_eq!(initiation.login_hint, Some("alice".into()));
        let target = initiation.target_link_uri.as_ref().expect("a page");
        assert_eq!(target.as_str(), "https://app.example/cart?x=1");
        assert!(!format!("{initiation:?}").contains("alice"));
        assert!(
            read("iss=https://id.example")
                .expect("good")
                .login_hint
                .is_none()
        );
    }

    #[test]
    fn another_issuer_and_another_origin_are_refused() {
        for (query, word) in [
            ("", "iss"),
            ("iss=", "iss"),
            ("iss=https://evil.example", "iss"),
            ("iss=https://id.example/", "iss"),
            ("iss=HTTPS://id.example", "iss"),
            ("iss=https://id.example&iss=https://id.example", "iss"),
            (
                "iss=https://id.example&target_link_uri=https://evil.example/",
                "origin",
            ),
            (
                "iss=https://id.example&target_link_uri=http://app.example/",
                "origin",
            ),
            (
                "iss=https://id.example&target_link_uri=https://app.example:8443/",
                "origin",
            ),
            (
                "iss=https://id.example&target_link_uri=https://app.example@evil.example/",
                "origin",
            ),
            (
                "iss=https://id.example&target_link_uri=//evil.example",
                "origin",
            ),
            (
                "iss=https://id.example&target_link_uri=javascript:alert(1)",
                "origin",
            ),
        ] {
            let error = read(query).expect_err(query);
            assert!(error.to_string().contains(word), "{query}: {error}");
            assert!(!error.to_string().contains("evil"), "{error}");
        }
        assert!(LoginInitiation::read("?iss=https://id.example", ISSUERS).is_err());
    }
}
