//! Logins that a resource server demands: step-up authentication.
//!
//! [RFC 9470](https://www.rfc-editor.org/rfc/rfc9470)

use std::{error::Error as StdError, fmt};

use http::{HeaderMap, StatusCode};

use crate::{
    error::Error,
    oauth2::{authorization::request::AuthorizationRequest, scope::Scope},
    secret::Secret,
    wire::challenge::Challenge,
};

/// Error code of a challenge for a token that was issued after too weak or too old an
/// authentication.
const INSUFFICIENT_USER_AUTHENTICATION: &str = "insufficient_user_authentication";

impl AuthorizationRequest {
    /// Adds what the challenge of a resource server demands: its `acr_values`, one of which is
    /// required of the ID token if the scope has `openid`, its `max_age`, and its `scope`, beside
    /// the scope that has been set by then. Nothing that the request itself demands is weakened: the
    /// shorter `max_age` counts, and of the classes that [`require_acr`](Self::require_acr) demands
    /// those that are in the challenge, too, or else all.
    ///
    /// The client does it by itself where `check_challenge` returns the error.
    ///
    /// ```
    /// use http::{HeaderMap, header::WWW_AUTHENTICATE};
    /// use oauth_twin::oauth2::{AuthorizationRequest, Challenge};
    ///
    /// let mut headers = HeaderMap::new(); // of a 401
    /// let line = r#"Bearer error="insufficient_user_authentication", acr_values="phr", max_age=5"#;
    /// headers.insert(WWW_AUTHENTICATE, line.parse().unwrap());
    /// let challenge = &Challenge::all(&headers)[0];
    /// let request = AuthorizationRequest::new().scope("openid").challenge(challenge);
    /// ```
    ///
    /// [RFC 9470 section 4](https://www.rfc-editor.org/rfc/rfc9470#section-4)
    #[must_use]
    pub fn challenge(self, challenge: &Challenge) -> Self {
        let parameter = |name: &str| {
            let value = challenge.parameter(name);
            value.filter(|value| !value.is_empty()).map(str::to_owned)
        };
        let mut request = self.demanding(parameter);
        if let Some(scope) = parameter("scope") {
            let scope = Scope::from(scope);
            // Of a scope that cannot be sent nothing is known to be demanded.
            if scope.validate().is_ok() {
                request.scope = Some(request.scope.unwrap_or_default().including(&scope));
            }
        }
        request
    }

    /// Adds the `acr_values` and the `max_age` that a challenge demands.
    pub(crate) fn demanding(mut self, demanded: impl Fn(&str) -> Option<String>) -> Self {
        if let Some(acr_values) = demanded("acr_values") {
            let acr_values = self.permitted_acr(&acr_values);
            self.own.set("acr_values", acr_values);
            self.acr_is_challenged = true;
        }
        // "The value of the max_age parameter is a non-negative integer".
        if let Some(max_age) = demanded("max_age").and_then(|it| it.parse::<u64>().ok()) {
            let own = self.own.value("max_age").map(Secret::expose_secret);
            let own = own.and_then(|own| own.parse::<u64>().ok());
            let max_age = own.map_or(max_age, |own| own.min(max_age));
            self.own.set("max_age", max_age.to_string());
        }
        self
    }

    /// Of the challenged classes those that the request permits.
    fn permitted_acr(&self, challenged: &str) -> String {
        let own = self.own.value("acr_values").map(Secret::expose_secret);
        let Some(own) = own.filter(|_| self.require_acr) else {
            return challenged.to_owned();
        };
        let is_own = |class: &&str| own.split_whitespace().any(|one| one == *class);
        let both: Vec<_> = challenged.split_whitespace().filter(is_own).collect();
        match both.is_empty() {
            true => own.to_owned(),
            false => both.join(" "),
        }
    }
}

/// The challenge for another login in a response, if there is one.
///
/// "The resource server responds with [...] status code 401".
#[allow(dead_code, reason = "only the clients send")]
pub(crate) fn login_challenge(status: StatusCode, headers: &HeaderMap) -> Option<Challenge> {
    if status != StatusCode::UNAUTHORIZED {
        return None;
    }
    let challenges = Challenge::all(headers).into_iter();
    let mut challenges = challenges.filter(|it| it.is_scheme("Bearer") || it.is_scheme("DPoP"));
    challenges.find(|it| it.parameter("error") == Some(INSUFFICIENT_USER_AUTHENTICATION))
}

/// A login that is required: the source of its error.
#[derive(Debug)]
struct RequiredLogin {
    challenge: Option<Challenge>,
    request: AuthorizationRequest,
}

impl fmt::Display for RequiredLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = self.request.scope.as_ref().map(Scope::as_str);
        write!(
            f,
            "the login needs the scope {:?}",
            scope.unwrap_or_default()
        )?;
        for name in ["acr_values", "max_age"] {
            if let Some(value) = self.request.own.value(name) {
                write!(f, ", {name} {:?}", value.expose_secret())?;
            }
        }
        Ok(())
    }
}

impl StdError for RequiredLogin {}

/// Logins that an error asks for.
impl Error {
    /// An error that `request` resolves. `what` says who demands it, and quotes no secret.
    #[allow(dead_code, reason = "only the clients send")]
    pub(crate) fn login_required(
        what: impl Into<String>,
        challenge: Option<Challenge>,
        request: AuthorizationRequest,
    ) -> Self {
        let required = RequiredLogin { challenge, request };
        Self::login_because(what, required)
    }

    /// The challenge of the resource server, if the error is about one.
    ///
    /// [RFC 9470 section 3](https://www.rfc-editor.org/rfc/rfc9470#section-3)
    pub fn challenge(&self) -> Option<&Challenge> {
        self.required_login()?.challenge.as_ref()
    }

    /// The authorization request that begins the login which resolves the error, with all that is
    /// demanded of it; none if the error is about something else.
    ///
    /// ```
    /// # #[cfg(feature = "blocking")]
    /// # fn demo(
    /// #     client: oauth_twin::OAuth2Client, url: &str,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let response = client.get(url).send()?;
    /// if let Err(error) = client.check_challenge(&response) {
    ///     let request = error.login_request().ok_or(error)?;
    ///     let login = client.begin_authorization(request)?;
    ///     // … redirect the user to `login.url`, and keep `login.pending`
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// [RFC 9470 section 4](https://www.rfc-editor.org/rfc/rfc9470#section-4)
    #[doc(alias = "insufficient_user_authentication")]
    pub fn login_request(&self) -> Option<AuthorizationRequest> {
        Some(self.required_login()?.request.clone())
    }

    fn required_login(&self) -> Option<&RequiredLogin> {
        self.source()?.downcast_ref()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderValue, header::WWW_AUTHENTICATE};

    use super::*;
    use crate::{
        error::ErrorKind,
        oauth2::{
            authorization::{endpoint::AuthorizationEndpoint, pending::PendingAuthorization},
            client::ClientRegistration,
            server::AuthorizationServer,
        },
    };

    fn challenge(line: &str) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=x"));
        headers.append(WWW_AUTHENTICATE, line.parse().expect("a header"));
        login_challenge(StatusCode::UNAUTHORIZED, &headers)
    }

    fn begun(request: AuthorizationRequest) -> (String, PendingAuthorization) {
        let server = AuthorizationServer::new("https://id.example")
            .with_authorization_endpoint("https://id.example/authorize");
        let client = ClientRegistration::new("id").with_scope("openid own");
        let endpoint = AuthorizationEndpoint::new(&server, &client).expect("an endpoint");
        let created = endpoint.request(request).expect("a URL");
        (created.url.into(), created.pending)
    }

    /// The challenges of RFC 9470 section 3.
    #[test]
    fn the_challenges_of_the_rfc() {
        let by_class = challenge(
            r#"Bearer error="insufficient_user_authentication", error_description="A different authentication level is required", acr_values="myACR""#,
        );
        let (url, pending) =
            begun(AuthorizationRequest::new().challenge(&by_class.expect("a challenge")));
        assert!(url.contains("&acr_values=myACR"), "{url}");
        assert!(url.contains("&scope=openid+own&"), "{url}");
        assert_eq!(pending.authentication().acr, ["myACR"]);

        let by_age = challenge(
            r#"Bearer error="insufficient_user_authentication", error_description="More recent authentication is required", max_age="5""#,
        );
        let (url, pending) =
            begun(AuthorizationRequest::new().challenge(&by_age.expect("a challenge")));
        assert!(url.contains("&max_age=5"), "{url}");
        assert_eq!(pending.authentication().max_age, Some(5));
        assert!(pending.authentication().acr.is_empty());
    }

    #[test]
    fn other_responses_demand_no_login() {
        for line in [
            "Bearer",
            r#"Bearer error="invalid_token", acr_values="phr""#,
            r#"Bearer error="insufficient_scope", scope="a""#,
            r#"Bearer error="Insufficient_User_Authentication""#,
            r#"Basic error="insufficient_user_authentication""#,
            r#"OAuth error="insufficient_user_authentication""#,
        ] {
            assert_eq!(challenge(line), None, "{line}");
        }
        let mut headers = HeaderMap::new();
        let line = r#"dpop error="insufficient_user_authentication""#;
        headers.append(WWW_AUTHENTICATE, line.parse().expect("a header"));
        for (status, is_challenge) in [(401, true), (200, false), (403, false), (503, false)] {
            let status = StatusCode::from_u16(status).expect("a status");
            let found = login_challenge(status, &headers);
            assert_eq!(found.is_some(), is_challenge, "{status}");
        }
    }

    #[test]
    fn a_challenge_adds_and_takes_nothing_away() {
        let line = r#"Bearer error="insufficient_user_authentication", acr_values="a b", max_age=-1, scope="own more""#;
        let challenge = challenge(line).expect("a challenge");
        let request = AuthorizationRequest::new()
            .scope("email own")
            .challenge(&challenge);
        let (url, pending) = begun(request);
        assert!(url.contains("&scope=email+own+more&"), "{url}");
        assert!(!url.contains("max_age"), "{url}");
        // Without an ID token nothing says which class was used.
        assert!(url.contains("&acr_values=a+b"), "{url}");
        assert!(pending.authentication().acr.is_empty());
        let request = AuthorizationRequest::new()
            .scope("openid")
            .challenge(&challenge);
        assert_eq!(begun(request).1.authentication().acr, ["a", "b"]);
    }

    #[test]
    fn a_challenge_weakens_nothing_that_the_request_demands() {
        for (own, challenged, max_age) in [
            (Some(300), "3600", 300),
            (Some(300), "5", 5),
            (Some(300), "0", 0),
            (None, "3600", 3600),
        ] {
            let line =
                format!(r#"Bearer error="insufficient_user_authentication", max_age={challenged}"#);
            let challenge = challenge(&line).expect("a challenge");
            let request = match own {
                Some(own) => AuthorizationRequest::new().max_age(Duration::from_secs(own)),
                None => AuthorizationRequest::new(),
            };
            let request = request.scope("openid").challenge(&challenge);
            let pending = begun(request).1;
            assert_eq!(pending.authentication().max_age, Some(max_age), "{line}");
        }
        for (own, is_required, challenged, acr) in [
            ("phr phrh", true, "pwd phrh", &["phrh"][..]),
            ("phr phrh", true, "phrh phr", &["phrh", "phr"]),
            ("phr phrh", true, "pwd", &["phr", "phrh"]),
            // A mere preference.
            ("phr phrh", false, "pwd", &["pwd"]),
        ] {
            let line = format!(
                r#"Bearer error="insufficient_user_authentication", acr_values="{challenged}""#
            );
            let challenge = challenge(&line).expect("a challenge");
            let request = AuthorizationRequest::new()
                .scope("openid")
                .acr_values(own.split(' '));
            let request = match is_required {
                true => request.require_acr(),
                false => request,
            };
            let pending = begun(request.challenge(&challenge)).1;
            assert_eq!(pending.authentication().acr, acr, "{challenged}");
        }
    }

    #[test]
    fn a_scope_that_cannot_be_sent_is_left_out() {
        let line =
            r#"Bearer error="insufficient_user_authentication", scope="a\"b", acr_values="""#;
        let challenge = challenge(line).expect("a challenge");
        let request = AuthorizationRequest::new().challenge(&challenge);
        assert_eq!(request.scope, None);
        assert!(request.own.is_empty());
    }

    #[test]
    fn the_error_says_what_is_demanded_and_begins_the_login() {
        let line = r#"Bearer error="insufficient_user_authentication", max_age=5"#;
        let challenge = challenge(line).expect("a challenge");
        let request = AuthorizationRequest::new()
            .scope("openid")
            .challenge(&challenge);
        let error = Error::login_required("the API demands a login", Some(challenge), request);
        assert_eq!(error.kind(), ErrorKind::Login);
        assert!(error.needs_login() && !error.is_transient());
        assert_eq!(
            format!("{error:?}"),
            "Error { kind: Login, message: the API demands a login, source: the login needs the \
             scope \"openid\", max_age \"5\" }"
        );
        let named = error.challenge().and_then(|it| it.parameter("max_age"));
        assert_eq!(named, Some("5"));
        let request = error.clone().login_request().expect("a request");
        assert!(begun(request).0.contains("max_age=5"));
        let other = Error::login("the login timed out");
        assert!(other.login_request().is_none() && other.challenge().is_none());
    }
}
