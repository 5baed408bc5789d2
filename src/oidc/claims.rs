//! Claims about an end-user.
//!
//! [OpenID Connect Core section 5.1](https://openid.net/specs/openid-connect-core-1_0.html#StandardClaims)

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::json::Object;

/// Claims about an end-user, from an ID token or the UserInfo endpoint, after all checks.
///
/// A getter gives nothing for a claim that it cannot read; [`get`](Self::get) gives the value as it
/// came. It serialises to the JSON object of the claims.
///
/// ```
/// # fn demo(claims: &oauth_twin::oidc::StandardClaims) {
/// println!("{} is {}", claims.subject(), claims.name().unwrap_or("nameless"));
/// if claims.email_verified() == Some(true) {
///     println!("mail goes to {:?}", claims.email());
/// }
/// println!("{:?}", claims.get("groups"));
/// # }
/// ```
///
/// # Security
///
/// A user is identified by the issuer and the [`subject`](Self::subject) together, never by the
/// e-mail address, which may change hands.
///
/// [OpenID Connect Core section 5.1](https://openid.net/specs/openid-connect-core-1_0.html#StandardClaims)
#[derive(Clone, Default, PartialEq)]
pub struct StandardClaims(Object);

/// Getters of claims that are text.
macro_rules! text_claims {
    ($($name:ident $doc:literal;)+) => {
        impl StandardClaims {
            $(
                #[doc = $doc]
                pub fn $name(&self) -> Option<&str> {
                    self.text(stringify!($name))
                }
            )+
        }
    };
}

text_claims! {
    name "Full name, for display.";
    given_name "Given names, separated by spaces.";
    family_name "Family names, separated by spaces.";
    middle_name "Middle names, separated by spaces.";
    nickname "Casual name.";
    preferred_username "Name by which the end-user wishes to be called. It is not unique.";
    profile "URL of the profile page.";
    picture "URL of the profile picture.";
    website "URL of the web page or blog.";
    email "Preferred e-mail address. It is no identifier of the end-user.";
    gender "Gender.";
    birthdate "Birthday as `YYYY-MM-DD`, `0000-MM-DD` or `YYYY`.";
    zoneinfo "Time zone, such as `Europe/Paris`.";
    locale "Language tag, such as `en-US`.";
    phone_number "Preferred telephone number.";
}

impl StandardClaims {
    pub(super) fn new(claims: Object) -> Self {
        Self(claims)
    }

    /// The identifier of the end-user at the issuer, which is never assigned to another. It is
    /// always there.
    pub fn subject(&self) -> &str {
        self.text("sub").unwrap_or_default()
    }

    /// Whether the e-mail address has been verified: `true`, `false`, or one of them as text, which
    /// Amazon Cognito and Apple send. Anything else is not given.
    pub fn email_verified(&self) -> Option<bool> {
        self.flag("email_verified")
    }

    /// Whether the telephone number has been verified.
    pub fn phone_number_verified(&self) -> Option<bool> {
        self.flag("phone_number_verified")
    }

    /// The preferred postal address.
    pub fn address(&self) -> Option<Address<'_>> {
        self.get("address")?.as_object().map(Address)
    }

    /// The time of the last update of the claims, if it is a number of seconds, also as text.
    pub fn updated_at(&self) -> Option<SystemTime> {
        let seconds = match self.get("updated_at")? {
            Value::Number(seconds) => seconds.as_f64()?,
            Value::String(seconds) => seconds.parse().ok()?,
            _ => return None,
        };
        let since_epoch = Duration::try_from_secs_f64(seconds).ok()?;
        UNIX_EPOCH.checked_add(since_epoch)
    }

    /// Any claim as it came.
    pub fn get(&self, claim: &str) -> Option<&Value> {
        self.0.get(claim)
    }

    /// The names of all claims.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name)
    }

    fn text(&self, claim: &str) -> Option<&str> {
        self.get(claim)?.as_str()
    }

    fn flag(&self, claim: &str) -> Option<bool> {
        match self.get(claim)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }
}

impl Serialize for StandardClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Shows only the names of the claims: values are personal data.
impl fmt::Debug for StandardClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// Postal address of an end-user.
///
/// ```
/// # fn demo(claims: &oauth_twin::oidc::StandardClaims) {
/// let country = claims.address().and_then(|address| address.country());
/// # }
/// ```
///
/// [OpenID Connect Core section 5.1.1](https://openid.net/specs/openid-connect-core-1_0.html#AddressClaim)
#[derive(Clone, Copy)]
pub struct Address<'a>(&'a Map<String, Value>);

impl<'a> Address<'a> {
    /// The whole address, for display or a label; it may have several lines.
    pub fn formatted(self) -> Option<&'a str> {
        self.text("formatted")
    }

    /// Street, house number, post office box; it may have several lines.
    pub fn street_address(self) -> Option<&'a str> {
        self.text("street_address")
    }

    /// City or locality.
    pub fn locality(self) -> Option<&'a str> {
        self.text("locality")
    }

    /// State, province, prefecture or region.
    pub fn region(self) -> Option<&'a str> {
        self.text("region")
    }

    /// Postal code.
    pub fn postal_code(self) -> Option<&'a str> {
        self.text("postal_code")
    }

    /// Country.
    pub fn country(self) -> Option<&'a str> {
        self.text("country")
    }

    /// Any member as it came.
    pub fn get(self, member: &str) -> Option<&'a Value> {
        self.0.get(member)
    }

    fn text(self, member: &str) -> Option<&'a str> {
        self.get(member)?.as_str()
    }
}

/// Shows only the names of the members: values are personal data.
impl fmt::Debug for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(members: Value) -> StandardClaims {
        StandardClaims::new(members.as_object().expect("an object").clone().into())
    }

    #[test]
    fn standard_claims_are_typed_and_others_open() {
        let claims = claims(json!({
            "sub": "alice", "name": "Alice", "email": "a@example.com", "email_verified": true,
            "address": {"country": "FR", "street_address": "1, rue A\nParis"}, "groups": ["a"],
            "updated_at": 1.5, "phone_number": "+1", "locale": "en",
        }));
        assert_eq!((claims.subject(), claims.name()), ("alice", Some("Alice")));
        assert_eq!(claims.email(), Some("a@example.com"));
        let address = claims.address().expect("an address");
        assert_eq!(address.country(), Some("FR"));
        assert_eq!(address.street_address(), Some("1, rue A\nParis"));
        assert_eq!(address.region(), None);
        assert_eq!(claims.get("groups"), Some(&json!(["a"])));
        let updated_at = UNIX_EPOCH + Duration::from_millis(1500);
        assert_eq!(claims.updated_at(), Some(updated_at));
        assert_eq!(claims.names().count(), 9);
    }

    #[test]
    fn a_verified_flag_is_true_for_true_alone() {
        for (value, flag) in [
            (json!(true), Some(true)),
            (json!("true"), Some(true)),
            (json!(false), Some(false)),
            (json!("false"), Some(false)),
            (json!("True"), None),
            (json!("1"), None),
            (json!("yes"), None),
            (json!(" true"), None),
            (json!(""), None),
            (json!(1), None),
            (json!(null), None),
            (json!(["true"]), None),
        ] {
            let claims = claims(json!({"email_verified": value, "phone_number_verified": value}));
            assert_eq!(claims.email_verified(), flag, "{value}");
            assert_eq!(claims.phone_number_verified(), flag, "{value}");
        }
    }

    #[test]
    fn what_a_getter_cannot_read_is_not_given_and_stays_open() {
        for value in [
            json!("2025-12-23T10:59:07.841Z"),
            json!("20210429153515.465Z"),
            json!("Wed Apr 04 18:45:44 CEST 2018"),
            json!(-1),
            json!(1e300),
            json!("NaN"),
            json!({}),
        ] {
            let claims = claims(json!({"updated_at": value, "name": 7, "address": "Paris"}));
            assert_eq!(claims.updated_at(), None, "{value}");
            assert_eq!(claims.get("updated_at"), Some(&value));
            assert_eq!(claims.name(), None);
            assert!(claims.address().is_none());
        }
        let claims = claims(json!({"updated_at": "1698757200"}));
        let updated_at = UNIX_EPOCH + Duration::from_secs(1_698_757_200);
        assert_eq!(claims.updated_at(), Some(updated_at));
    }

    #[test]
    fn debug_tells_no_personal_data() {
        let claims = claims(json!({"email": "hunter2", "address": {"country": "hunter2"}}));
        assert_eq!(format!("{claims:?}"), r#"{"address", "email"}"#);
        let address = claims.address().expect("an address");
        assert_eq!(format!("{address:?}"), r#"{"country"}"#);
    }
}
