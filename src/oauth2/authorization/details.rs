//! Rich authorization requests.
//!
//! [RFC 9396](https://www.rfc-editor.org/rfc/rfc9396)

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use crate::{
    error::{Error, Result},
    oauth2::{
        authorization::request::AuthorizationRequest, server::AuthorizationServer, token::Token,
    },
    secret::Secret,
};

/// Name of the parameter and of the member of a token.
const NAME: &str = "authorization_details";

/// One authorization that is asked for or was granted, by its type: what may be done where. The
/// common members have methods, all others [`with`](Self::with) and [`get`](Self::get).
///
/// ```
/// use oauth_twin::oauth2::{AuthorizationDetail, AuthorizationRequest};
/// use serde_json::json;
///
/// let payment = AuthorizationDetail::new("payment_initiation")
///     .locations(["https://example.com/payments"])
///     .actions(["initiate", "status", "cancel"])
///     .with("instructedAmount", json!({"currency": "EUR", "amount": "123.50"}));
/// let request = AuthorizationRequest::new().authorization_details([payment]);
/// ```
///
/// [RFC 9396 section 2](https://www.rfc-editor.org/rfc/rfc9396#section-2)
#[derive(Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct AuthorizationDetail(Map<String, Value>);

impl AuthorizationDetail {
    /// Makes an authorization of this type, which the server or its API defines.
    pub fn new(detail_type: impl Into<String>) -> Self {
        Self(Map::new()).with("type", detail_type.into())
    }

    /// Sets the locations of the resource: mostly URIs.
    #[must_use]
    pub fn locations(self, locations: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with_list("locations", locations)
    }

    /// Sets the actions on the resource.
    #[must_use]
    pub fn actions(self, actions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with_list("actions", actions)
    }

    /// Sets the kinds of data of the resource.
    #[must_use]
    pub fn datatypes(self, datatypes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with_list("datatypes", datatypes)
    }

    /// Sets the identifier of a specific resource.
    #[must_use]
    pub fn identifier(self, identifier: impl Into<String>) -> Self {
        self.with("identifier", identifier.into())
    }

    /// Sets the levels of privilege at the resource.
    #[must_use]
    pub fn privileges(self, privileges: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with_list("privileges", privileges)
    }

    /// Sets any other member.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    fn with_list(self, name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        self.with(name, values)
    }

    /// The type.
    pub fn detail_type(&self) -> &str {
        self.0
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Any member.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The texts of a member that is a list, such as `actions`.
    ///
    /// ```
    /// use oauth_twin::oauth2::AuthorizationDetail;
    ///
    /// let detail = AuthorizationDetail::new("account_information").actions(["list_accounts"]);
    /// assert_eq!(detail.list("actions"), ["list_accounts"]);
    /// assert!(detail.list("locations").is_empty());
    /// ```
    pub fn list(&self, name: &str) -> Vec<&str> {
        let values = self.0.get(name).and_then(Value::as_array);
        let values = values.into_iter().flatten();
        values.filter_map(Value::as_str).collect()
    }
}

/// "type: [...] This field is REQUIRED."
impl<'de> Deserialize<'de> for AuthorizationDetail {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Map::deserialize(deserializer)?;
        match members.get("type") {
            Some(Value::String(_)) => Ok(Self(members)),
            _ => Err(de::Error::custom("an authorization detail without a type")),
        }
    }
}

/// Shows the type and the names of the members only: their values may be personal data.
impl fmt::Debug for AuthorizationDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationDetail")
            .field("type", &self.detail_type())
            .field("members", &self.0.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// Authorizations that are asked for or were granted, which serialise to the parameter
/// `authorization_details`.
///
/// ```
/// use oauth_twin::{Token, oauth2::{AuthorizationDetail, AuthorizationDetails, RefreshToken}};
///
/// # fn demo(token: Token, refresh_token: &str) {
/// if let Some(granted) = token.authorization_details() {
///     for detail in granted.iter() {
///         println!("{}: {:?}", detail.detail_type(), detail.list("actions"));
///     }
/// }
/// // In a token request they narrow what was granted.
/// let less = AuthorizationDetails::from([AuthorizationDetail::new("account_information")]);
/// let grant = RefreshToken::new(refresh_token).param("authorization_details", less);
/// # }
/// ```
///
/// [RFC 9396 section 2](https://www.rfc-editor.org/rfc/rfc9396#section-2)
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
#[doc(alias = "RAR")]
pub struct AuthorizationDetails(Vec<AuthorizationDetail>);

impl AuthorizationDetails {
    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &AuthorizationDetail> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of them.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<const N: usize> From<[AuthorizationDetail; N]> for AuthorizationDetails {
    fn from(details: [AuthorizationDetail; N]) -> Self {
        details.into_iter().collect()
    }
}

impl From<Vec<AuthorizationDetail>> for AuthorizationDetails {
    fn from(details: Vec<AuthorizationDetail>) -> Self {
        Self(details)
    }
}

impl FromIterator<AuthorizationDetail> for AuthorizationDetails {
    fn from_iter<I: IntoIterator<Item = AuthorizationDetail>>(details: I) -> Self {
        Self(details.into_iter().collect())
    }
}

/// The value of the parameter, for [`param`](crate::oauth2::AuthorizationCode::param) of a grant.
impl From<AuthorizationDetails> for Secret {
    fn from(details: AuthorizationDetails) -> Self {
        Self::new(Value::from_iter(details.0.into_iter().map(|detail| detail.0)).to_string())
    }
}

impl AuthorizationRequest {
    /// Sets the authorizations that are asked for, beside or instead of a scope. The token says
    /// which were granted.
    ///
    /// [RFC 9396 section 3](https://www.rfc-editor.org/rfc/rfc9396#section-3)
    #[must_use]
    pub fn authorization_details(mut self, details: impl Into<AuthorizationDetails>) -> Self {
        let details: AuthorizationDetails = details.into();
        self.own.set(NAME, details);
        self
    }
}

impl Token {
    /// The authorizations that were granted, if the server names any. A refresh keeps them unless
    /// the server names others.
    ///
    /// [RFC 9396 section 7](https://www.rfc-editor.org/rfc/rfc9396#section-7)
    pub fn authorization_details(&self) -> Option<AuthorizationDetails> {
        AuthorizationDetails::deserialize(self.get(NAME)?).ok()
    }
}

/// Checks that the server knows the types of what is asked for, if it lists them.
pub(super) fn check(request: &AuthorizationRequest, server: &AuthorizationServer) -> Result<()> {
    let Some(details) = request.own.value(NAME) else {
        return Ok(());
    };
    let details: AuthorizationDetails =
        serde_json::from_str(details.expose_secret()).unwrap_or_default();
    if details.is_empty() {
        return Err(Error::usage(
            "authorization_details has no element; leave it out",
        ));
    }
    if details.iter().any(|detail| detail.detail_type().is_empty()) {
        return Err(Error::usage(
            "an element of authorization_details has no type; set it",
        ));
    }
    let listed = server.authorization_details_types_supported();
    let Some(listed) = listed.filter(|listed| !listed.is_empty()) else {
        return Ok(());
    };
    let unknown = details
        .iter()
        .find(|detail| !listed.contains(&detail.detail_type()));
    match unknown {
        None => Ok(()),
        Some(detail) => Err(Error::usage(format!(
            "the server does not offer the authorization details type {:?} \
             (authorization_details_types_supported: {})",
            detail.detail_type(),
            listed.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests;
