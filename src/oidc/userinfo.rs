//! UserInfo endpoint.
//!
//! [OpenID Connect Core section 5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)

use std::{fmt, sync::Arc};

use http::{HeaderValue, Method, header};
use url::Url;

use super::{claims::StandardClaims, id_token_verifier::IdTokenVerifier};
use crate::{
    clock::{Clock, ClockOffset},
    error::{Error, Result},
    jose::{Algorithm, Claims, JwkSet, Jws},
    json::Object,
    oauth2::{
        client::ClientRegistration,
        request::EndpointRequest,
        response::EndpointResponse,
        server::{AuthorizationServer, algorithms::offered_algorithms},
        token::{Token, dpop::BoundToken},
    },
    secret::Secret,
    wire::secure_url::without_query,
};

/// Rules for the UserInfo endpoint that depend on the registration of the client.
///
/// ```
/// use oauth_twin::{jose::Algorithm, oidc::UserInfoRules};
///
/// let rules = UserInfoRules::new().token_in_body().signed([Algorithm::ES256]);
/// ```
///
/// [OpenID Connect Core section 5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)
#[derive(Clone, Debug, Default)]
pub struct UserInfoRules {
    token_in_body: bool,
    signed: Option<Vec<Algorithm>>,
}

#[allow(dead_code, reason = "profiles of clients ask")]
impl UserInfoRules {
    pub(crate) fn has_token_in_body(&self) -> bool {
        self.token_in_body
    }

    pub(crate) fn registered_algorithms(&self) -> Vec<Algorithm> {
        self.signed.clone().unwrap_or_default()
    }

    /// Takes over the algorithm of a registration, unless others are set.
    pub(crate) fn register(&mut self, algorithm: Option<Algorithm>) {
        let registered = || algorithm.map(|algorithm| vec![algorithm]);
        self.signed = self.signed.take().or_else(registered);
    }
}

impl UserInfoRules {
    /// The token in the header, and a response that is JSON or signed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends the token in a form by `POST`, for a provider that wants it there.
    ///
    /// [RFC 6750 section 2.2](https://www.rfc-editor.org/rfc/rfc6750#section-2.2)
    #[must_use]
    pub fn token_in_body(mut self) -> Self {
        self.token_in_body = true;
        self
    }

    /// Expects a response that is signed by one of these algorithms, as registered
    /// (`userinfo_signed_response_alg`). A plain one is refused. Defaults to the algorithm of the
    /// client's registration, if that has one.
    #[must_use]
    pub fn signed(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.signed = Some(algorithms.into_iter().collect());
        self
    }
}

/// Client at a UserInfo endpoint.
///
/// ```
/// # fn demo(
/// #     server: oauth_twin::oauth2::AuthorizationServer, client: oauth_twin::oauth2::ClientRegistration,
/// #     token: oauth_twin::Token, id_token: oauth_twin::oidc::IdToken, keys: oauth_twin::jose::JwkSet,
/// #     send: impl Fn(oauth_twin::oauth2::EndpointRequest) -> oauth_twin::oauth2::EndpointResponse,
/// # ) -> oauth_twin::Result<()> {
/// let endpoint = oauth_twin::oidc::UserInfoEndpoint::new(&server, &client)?;
/// let response = send(endpoint.request(&token)?);
/// let profile = endpoint.read_response(&response, id_token.claims().subject(), &keys)?;
/// println!("{:?}", profile.email());
/// # Ok(()) }
/// ```
///
/// [OpenID Connect Core section 5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)
#[derive(Clone)]
pub struct UserInfoEndpoint {
    url: Arc<Url>,
    server: AuthorizationServer,
    client: ClientRegistration,
    rules: UserInfoRules,
    clock: Clock,
    clock_offset: ClockOffset,
}

/// Response of the UserInfo endpoint before it is checked.
pub(crate) enum UserInfoResponse {
    Plain(Object),
    Signed(Secret),
}

impl UserInfoEndpoint {
    /// Makes the client at the `userinfo_endpoint` of the server.
    ///
    /// # Errors
    ///
    /// If the server's metadata lacks that URL, or it is not absolute, not HTTPS (loopback is
    /// exempt), or has a fragment, a user name or a password.
    pub fn new(server: &AuthorizationServer, client: &ClientRegistration) -> Result<Self> {
        let url = server.required_endpoint("userinfo_endpoint", false)?;
        Ok(Self::at(url, server, client))
    }

    /// The same at one of the endpoint's URLs.
    pub(crate) fn at(
        url: Arc<Url>,
        server: &AuthorizationServer,
        client: &ClientRegistration,
    ) -> Self {
        Self {
            url,
            server: server.clone(),
            client: client.clone(),
            rules: UserInfoRules::new(),
            clock: Clock::system(),
            clock_offset: ClockOffset::default(),
        }
    }

    /// Sets the rules.
    #[must_use]
    pub fn rules(mut self, rules: UserInfoRules) -> Self {
        self.rules = rules;
        self
    }

    /// Sets the clock. Defaults to the system clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Proves possession with the time by the clock of the server.
    #[allow(dead_code, reason = "only the clients prove by themselves")]
    pub(crate) fn with_clock_offset(self, clock_offset: ClockOffset) -> Self {
        Self {
            clock_offset,
            ..self
        }
    }

    /// Builds a request with the access token.
    ///
    /// # Errors
    ///
    /// If the token cannot be sent.
    ///
    /// [OpenID Connect Core section 5.3.1](https://openid.net/specs/openid-connect-core-1_0.html#UserInfoRequest)
    pub fn request(&self, token: &Token) -> Result<EndpointRequest> {
        match self.rules.token_in_body {
            true => {
                token.check_bearer()?;
                let mut request = self.begin(Method::POST);
                let form = request.form_mut();
                form.push("access_token", token.access_token());
                Ok(request)
            }
            false => Ok(self.authorized(token.authorization_header()?)),
        }
    }

    /// The request with a token that is bound to a key, which gets its proof afterwards.
    #[allow(dead_code, reason = "only the clients prove by themselves")]
    pub(crate) fn bound_request(&self, bound: &BoundToken) -> Result<EndpointRequest> {
        match self.rules.token_in_body {
            true => Err(Error::usage(
                "a DPoP token is sent in the header; leave out UserInfoRules::token_in_body",
            )),
            false => Ok(self.authorized(bound.header.clone())),
        }
    }

    fn authorized(&self, authorization: HeaderValue) -> EndpointRequest {
        let mut request = self.begin(Method::GET);
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, authorization);
        request
    }

    fn begin(&self, method: Method) -> EndpointRequest {
        let mut request = EndpointRequest::new(
            "userinfo_endpoint",
            method,
            self.url.clone(),
            self.server.clone(),
            self.client.clone(),
            self.clock.clone(),
        )
        .with_clock_offset(self.clock_offset.clone());
        let accepted = HeaderValue::from_static("application/json, application/jwt");
        request.headers_mut().insert(header::ACCEPT, accepted);
        request
    }

    /// Reads the claims of the end-user with this subject. Keys of the server are needed if the
    /// response is signed.
    ///
    /// # Errors
    ///
    /// If the response is an error, is not what was registered, is not signed by one of `keys`, or
    /// is about another end-user.
    ///
    /// # Security
    ///
    /// The subject is that of the ID token which came with the access token: "The sub Claim in the
    /// UserInfo Response MUST be verified to exactly match the sub Claim in the ID Token; if they do
    /// not match, the UserInfo Response values MUST NOT be used."
    ///
    /// [OpenID Connect Core section 5.3.4](https://openid.net/specs/openid-connect-core-1_0.html#UserInfoResponseValidation)
    pub fn read_response(
        &self,
        response: &EndpointResponse,
        subject: &str,
        keys: &JwkSet,
    ) -> Result<StandardClaims> {
        match self.read(response)? {
            UserInfoResponse::Plain(claims) => of_subject(claims, subject),
            UserInfoResponse::Signed(jwt) => {
                let verifier = IdTokenVerifier::new(&self.server, &self.client)?;
                let verifier = verifier.clock(self.clock.clone());
                let jws = self.parse(&jwt)?;
                let claims = verifier.signed_claims(&jws, keys)?;
                verifier.check_userinfo(claims, subject)
            }
        }
    }

    /// Reads the response as far as no key is needed for it.
    pub(crate) fn read(&self, response: &EndpointResponse) -> Result<UserInfoResponse> {
        let status = response.status();
        if !status.is_success() {
            return Err(response.answer().failure("the UserInfo endpoint"));
        }
        if is_jwt(response) {
            let jwt = std::str::from_utf8(response.body())
                .unwrap_or_default()
                .trim_ascii();
            return Ok(UserInfoResponse::Signed(jwt.into()));
        }
        if self.rules.signed.is_some() {
            return Err(Error::answer(
                "the UserInfo response is not signed, although that was registered",
                status,
            ));
        }
        match Object::from_slice(response.body()) {
            Ok(claims) => Ok(UserInfoResponse::Plain(claims)),
            // The error may quote the body.
            Err(_error) => Err(Error::answer(
                "the UserInfo response is neither a JSON object, each member once, nor a JWT \
                 (application/jwt)",
                status,
            )),
        }
    }

    /// Parses a signed response.
    pub(crate) fn parse<'a>(&self, jwt: &'a Secret) -> Result<Jws<'a>> {
        if jwt.expose_secret().split('.').count() == 5 {
            return Err(Error::untrusted(
                "the UserInfo response is encrypted, which is not supported; register the client \
                 without userinfo_encrypted_response_alg",
            ));
        }
        let jws = Jws::parse(jwt.expose_secret())?;
        let algorithm = jws.header().algorithm();
        let is_allowed = match &self.rules.signed {
            Some(registered) => registered.contains(&algorithm),
            None => {
                let server = &self.server;
                let listed = server
                    .userinfo_signing_alg_values_supported()
                    .or_else(|| server.id_token_signing_alg_values_supported());
                offered_algorithms(listed).contains(&algorithm)
            }
        };
        match is_allowed {
            true => Ok(jws),
            false => Err(Error::untrusted(format!(
                "the UserInfo response is signed by {algorithm}, which is not allowed; \
                 UserInfoRules::signed sets what was registered"
            ))),
        }
    }
}

impl IdTokenVerifier {
    /// Checks the claims of a signed UserInfo response.
    pub(crate) fn check_userinfo(&self, claims: Claims, subject: &str) -> Result<StandardClaims> {
        if claims.issuer().is_some() && !self.is_issuer(&claims) {
            return Err(Error::untrusted(
                "the UserInfo response is from another issuer (iss)",
            ));
        }
        let client_id = self.client_id();
        if claims.get("aud").is_some() && !claims.audience().any(|one| one == client_id) {
            return Err(Error::untrusted(
                "the UserInfo response is for another client (aud)",
            ));
        }
        if claims.get("exp").is_some() {
            self.check_expiry_of(&claims, "the UserInfo response")?;
        }
        of_subject(claims.into_object(), subject)
    }
}

pub(crate) fn of_subject(claims: Object, subject: &str) -> Result<StandardClaims> {
    match claims.get("sub") {
        Some(sub) if sub == subject && !subject.is_empty() => Ok(StandardClaims::new(claims)),
        None => Err(Error::untrusted(
            "the UserInfo response does not say whom it is about (sub)",
        )),
        Some(sub) if !sub.is_string() => Err(Error::untrusted(
            "the subject of the UserInfo response (sub) is not a string, as that of the ID token \
             is",
        )),
        Some(_) => Err(Error::untrusted(
            "the UserInfo response is about another end-user than the ID token (sub)",
        )),
    }
}

/// Whether the response is a JWT, by its media type, in any case and with any parameters.
fn is_jwt(response: &EndpointResponse) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let content_type = content_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/jwt")
}

/// Omits the query of the URL, in which some servers require a key.
impl fmt::Debug for UserInfoEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserInfoEndpoint")
            .field("url", &without_query(&self.url))
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
