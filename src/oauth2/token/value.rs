//! Access tokens.
//!
//! [RFC 6749 section 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)

use std::{
    fmt,
    num::NonZeroU64,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value};

use super::{dpop::SCHEME, members::LATEST};
use crate::{
    clock::{Clock, since_epoch},
    secret::Secret,
    wire::form::Form,
};

/// Access token with all members of the server's response.
///
/// It serialises to the names on the wire, with the absolute times `expires_at` and `issued_at` in
/// seconds since 1970 instead of `expires_in`, and deserialises from the same; what Authlib has
/// stored can be read, too. Members that OAuth does not define are kept, and so are those of your
/// own in a stored token, through renewals, too.
///
/// Clones share the members: a clone costs no allocation.
///
/// ```
/// use std::time::Duration;
/// use oauth_twin::Token;
///
/// let stored = r#"{
///     "access_token": "2YotnFZFEjr1zCsicMWpAA", "token_type": "Bearer",
///     "refresh_token": "tGzv3JOkF0XG5Qx2TlKWIA", "expires_at": 1700000000, "tenant": "a"
/// }"#;
/// let token: Token = serde_json::from_str(stored)?;
/// assert!(token.is_expired(Duration::ZERO));
/// assert_eq!(token.refresh_token().unwrap().expose_secret(), "tGzv3JOkF0XG5Qx2TlKWIA");
/// assert_eq!(token.get("tenant").unwrap(), "a");
/// assert_eq!(serde_json::to_value(&token)?["expires_at"], 1700000000);
///
/// let made = Token::new("2YotnFZFEjr1zCsicMWpAA").with_refresh_token("tGzv3JOkF0XG5Qx2TlKWIA");
/// assert!(!made.is_expired(Duration::ZERO));           // without a known expiry it never expires
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// [RFC 6749 section 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)
#[derive(Clone, PartialEq)]
pub struct Token(pub(super) Arc<TokenMembers>);

#[derive(Clone, PartialEq)]
pub(super) struct TokenMembers {
    /// Behind its scheme in one text, which is also the value of the header.
    pub(super) access_token: Secret,
    pub(super) token_type: TokenType,
    pub(super) refresh_token: Option<Secret>,
    pub(super) scope: Option<Box<str>>,
    pub(super) expires_at: Option<Seconds>,
    pub(super) issued_at: Option<Seconds>,
    /// None if all of it is empty.
    pub(super) rest: Option<Box<Rest>>,
}

/// Members that most tokens do not have.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Rest {
    pub(super) id_token: Option<Secret>,
    pub(super) refresh_parameters: Form,
    /// The thumbprint of the certificate that the token is bound to.
    pub(super) certificate: Option<Box<str>>,
    pub(super) extra: Map<String, Value>,
}

impl Rest {
    pub(super) fn unless_empty(self) -> Option<Box<Self>> {
        let is_empty = self.id_token.is_none()
            && self.refresh_parameters.is_empty()
            && self.certificate.is_none()
            && self.extra.is_empty();
        (!is_empty).then(|| Box::new(self))
    }
}

impl Token {
    /// Makes a bearer token without any other members.
    pub fn new(access_token: impl Into<Secret>) -> Self {
        Self::from(TokenMembers {
            access_token: TokenType::Bearer.before(&access_token.into()),
            token_type: TokenType::Bearer,
            refresh_token: None,
            scope: None,
            expires_at: None,
            issued_at: None,
            rest: None,
        })
    }

    pub(super) fn change_rest(&mut self, change: impl FnOnce(&mut Rest)) {
        let members = self.members_mut();
        let mut rest = members.rest.take().map_or_else(Rest::default, |rest| *rest);
        change(&mut rest);
        members.rest = rest.unless_empty();
    }

    /// The members, to be changed in this clone alone.
    pub(super) fn members_mut(&mut self) -> &mut TokenMembers {
        Arc::make_mut(&mut self.0)
    }

    /// Sets the refresh token.
    #[must_use]
    pub fn with_refresh_token(mut self, refresh_token: impl Into<Secret>) -> Self {
        self.members_mut().refresh_token = Some(refresh_token.into());
        self
    }

    /// Sets a member that OAuth does not define.
    #[allow(dead_code, reason = "the clients mark their tokens")]
    pub(crate) fn with_member(mut self, name: &str, value: Value) -> Self {
        self.change_rest(|rest| {
            rest.extra.insert(name.to_owned(), value);
        });
        self
    }

    /// Sets the expiry, to the second.
    #[must_use]
    pub fn with_expires_at(mut self, expires_at: SystemTime) -> Self {
        let expires_at = since_epoch(expires_at).as_secs().min(LATEST);
        self.members_mut().expires_at = Some(Seconds::new(expires_at));
        self
    }

    /// Sets the time of issue, to the second.
    #[must_use]
    pub fn with_issued_at(mut self, issued_at: SystemTime) -> Self {
        let issued_at = since_epoch(issued_at).as_secs().min(LATEST);
        self.members_mut().issued_at = Some(Seconds::new(issued_at));
        self
    }

    /// Sets the scope.
    #[must_use]
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.members_mut().scope = Some(scope.into().into());
        self
    }

    /// Sets the token type, as the server spells it.
    #[must_use]
    pub fn with_token_type(mut self, token_type: impl Into<String>) -> Self {
        let members = self.members_mut();
        let token_type = TokenType::new(token_type.into());
        if members.token_type.scheme() != token_type.scheme() {
            members.access_token = token_type.before(&members.access_token);
        }
        members.token_type = token_type;
        self
    }

    /// Sets the parameters of a refresh. Clients and
    /// [`TokenEndpoint`](crate::oauth2::TokenEndpoint) set them themselves.
    #[must_use]
    pub fn with_refresh_parameters(mut self, parameters: Form) -> Self {
        self.change_rest(|rest| rest.refresh_parameters = parameters);
        self
    }

    /// Binds the token to the certificate with this thumbprint. Clients set it themselves.
    ///
    /// [RFC 8705 section 3](https://www.rfc-editor.org/rfc/rfc8705#section-3)
    #[must_use]
    pub fn with_certificate_thumbprint(mut self, thumbprint: impl Into<String>) -> Self {
        let thumbprint = thumbprint.into();
        self.change_rest(|rest| rest.certificate = Some(thumbprint.into()));
        self
    }

    /// The token without its ID token.
    #[allow(
        dead_code,
        reason = "the clients drop an ID token that they cannot verify"
    )]
    pub(crate) fn without_id_token(mut self) -> Self {
        self.change_rest(|rest| rest.id_token = None);
        self
    }

    /// The token without what renews it and without its ID token.
    #[allow(
        dead_code,
        reason = "only the clients get tokens by Google's credentials"
    )]
    pub(crate) fn with_access_token_alone(self) -> Self {
        let mut token = self.without_id_token();
        token.members_mut().refresh_token = None;
        token.change_rest(|rest| rest.refresh_parameters = Form::NONE);
        token
    }

    /// The access token.
    pub fn access_token(&self) -> &Secret {
        &self.0.access_token
    }

    /// The token type, as the server spells it. Defaults to `Bearer`.
    ///
    /// [RFC 6749 section 7.1](https://www.rfc-editor.org/rfc/rfc6749#section-7.1)
    pub fn token_type(&self) -> &str {
        self.0.token_type.as_str()
    }

    /// The refresh token, if there is one.
    pub fn refresh_token(&self) -> Option<&Secret> {
        self.0.refresh_token.as_ref()
    }

    /// The ID token as received. It is not validated here.
    pub fn id_token(&self) -> Option<&Secret> {
        self.0.rest.as_ref()?.id_token.as_ref()
    }

    /// The granted scope, if the server returned it.
    pub fn scope(&self) -> Option<&str> {
        self.0.scope.as_deref()
    }

    /// The expiry, to the second, if it is known.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at_unix().map(at)
    }

    /// The time of issue, to the second, if it is known.
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.issued_at_unix().map(at)
    }

    /// The parameters of the token request that a refresh repeats, such as `resource` and
    /// `audience`.
    ///
    /// They are stored with the token, form-encoded as its member `refresh_parameters`, so that a
    /// token is refreshed in the same way after it was stored and loaded.
    ///
    /// ```
    /// use oauth_twin::{Token, oauth2::Form};
    ///
    /// let mut parameters = Form::new();
    /// parameters.push("resource", "https://api.example");
    /// let token = Token::new("t").with_refresh_parameters(parameters);
    /// let stored = serde_json::to_value(&token)?;
    /// assert_eq!(stored["refresh_parameters"], "resource=https%3A%2F%2Fapi.example");
    /// assert_eq!(serde_json::from_value::<Token>(stored)?, token);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn refresh_parameters(&self) -> &Form {
        static NONE: Form = Form::NONE;
        let rest = self.0.rest.as_ref();
        rest.map_or(&NONE, |rest| &rest.refresh_parameters)
    }

    /// The thumbprint of the client certificate that the token is bound to, if it is. It is stored
    /// with the token, as its member `certificate_thumbprint`.
    ///
    /// ```
    /// use oauth_twin::{Token, oauth2::ClientCertificate};
    ///
    /// fn is_usable(token: &Token, certificate: &ClientCertificate) -> bool {
    ///     token.certificate_thumbprint().is_none_or(|bound| bound == certificate.thumbprint())
    /// }
    /// ```
    ///
    /// [RFC 8705 section 3](https://www.rfc-editor.org/rfc/rfc8705#section-3)
    pub fn certificate_thumbprint(&self) -> Option<&str> {
        self.0.rest.as_ref()?.certificate.as_deref()
    }

    /// Whether the token has expired, or will within `leeway`, by the system clock. A token without
    /// a known expiry never expires.
    #[doc(alias = "expired")]
    pub fn is_expired(&self, leeway: Duration) -> bool {
        let now = Clock::system().unix();
        self.expires_at_unix()
            .is_some_and(|at| Duration::from_secs(at).saturating_sub(leeway) <= now)
    }

    /// Any other member of the server's response.
    pub fn get(&self, member: &str) -> Option<&Value> {
        self.0.rest.as_ref()?.extra.get(member)
    }

    pub(crate) fn expires_at_unix(&self) -> Option<u64> {
        self.0.expires_at.map(Seconds::get)
    }

    /// The token with an expiry that is no later than that, in seconds since 1970.
    pub(crate) fn expiring_by(mut self, latest: u64) -> Self {
        let expires_at = self.expires_at_unix().map_or(latest, |at| at.min(latest));
        self.members_mut().expires_at = Some(Seconds::new(expires_at));
        self
    }

    pub(crate) fn issued_at_unix(&self) -> Option<u64> {
        self.0.issued_at.map(Seconds::get)
    }
}

impl From<TokenMembers> for Token {
    fn from(members: TokenMembers) -> Self {
        Self(Arc::new(members))
    }
}

/// Omits the values of other members: some servers put tokens there.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = &*self.0;
        let extra = members.rest.iter().flat_map(|rest| rest.extra.keys());
        let mut debug = f.debug_struct("Token");
        debug
            .field("access_token", &members.access_token)
            .field("token_type", &self.token_type())
            .field("refresh_token", &members.refresh_token)
            .field("id_token", &self.id_token())
            .field("scope", &members.scope)
            .field("expires_at", &self.expires_at_unix())
            .field("issued_at", &self.issued_at_unix())
            .field("refresh_parameters", self.refresh_parameters());
        if let Some(thumbprint) = self.certificate_thumbprint() {
            debug.field("certificate_thumbprint", &thumbprint);
        }
        debug
            .field("other members", &extra.collect::<Vec<_>>())
            .finish()
    }
}

/// Seconds since 1970, in the size of a number also where there may be none.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Seconds(NonZeroU64);

impl Seconds {
    pub(super) fn new(seconds: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(seconds))
    }

    pub(super) fn get(self) -> u64 {
        self.0.get() - 1
    }
}

/// Token type, as the server spells it; the common spellings take no memory.
#[derive(Clone, PartialEq)]
pub(super) enum TokenType {
    Bearer,
    LowerCaseBearer,
    Other(Box<str>),
}

impl TokenType {
    pub(super) fn new(token_type: String) -> Self {
        match token_type.as_str() {
            "Bearer" => Self::Bearer,
            "bearer" => Self::LowerCaseBearer,
            _ => Self::Other(token_type.into()),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Bearer => "Bearer",
            Self::LowerCaseBearer => "bearer",
            Self::Other(token_type) => token_type,
        }
    }

    /// The scheme of the `Authorization` header, with the space after it.
    fn scheme(&self) -> &'static str {
        match self {
            Self::Other(other) if other.eq_ignore_ascii_case(SCHEME) => "DPoP ",
            _ => "Bearer ",
        }
    }

    /// The access token behind the scheme, in one text.
    pub(super) fn before(&self, access_token: &Secret) -> Secret {
        access_token.behind(self.scheme())
    }
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}
