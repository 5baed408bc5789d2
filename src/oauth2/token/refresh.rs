//! Refreshes of tokens: their triggers, and the parts of the old token that the new one inherits.
//!
//! [RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)

use super::{Token, refresh_expiry::is_inherited, value::Rest};
use crate::{secret::Secret, wire::form::Form};

/// Events that trigger the renewal of a token.
///
/// ```
/// # #[cfg(feature = "blocking")] {
/// use oauth_twin::{OAuth2Client, oauth2::RefreshPolicy};
///
/// // The token is renewed elsewhere; this client only uses it.
/// let builder = OAuth2Client::builder("id").refresh_policy(RefreshPolicy::Never);
/// # }
/// ```
///
/// [RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "401")]
#[doc(alias = "retry")]
#[doc(alias = "expired")]
pub enum RefreshPolicy {
    /// Expiry, and a 401 that says or may mean that the token is invalid.
    #[default]
    ExpiryAndUnauthorized,
    /// Expiry only.
    Expiry,
    /// A 401 only. An expired token is sent.
    Unauthorized,
    /// No event; only a call of `refresh_token` renews. An expired token is sent.
    Never,
}

impl RefreshPolicy {
    /// Whether expiry triggers a renewal.
    pub fn by_time(self) -> bool {
        matches!(self, Self::ExpiryAndUnauthorized | Self::Expiry)
    }

    /// Whether a 401 triggers a renewal.
    pub fn on_unauthorized(self) -> bool {
        matches!(self, Self::ExpiryAndUnauthorized | Self::Unauthorized)
    }
}

/// Inheritance from one token to the next.
impl Token {
    /// The parameters of a refresh of this token, if it has a refresh token: those that the token was
    /// requested with, or if these are not known, `parameters`.
    ///
    /// Without a scope: "if omitted is treated as equal to the scope originally granted by the
    /// resource owner". Some servers refuse the scope that they said they had granted.
    pub(crate) fn refresh(&self, parameters: impl FnOnce() -> Form) -> Option<Form> {
        self.refresh_token()?;
        let mut parameters = match self.refresh_parameters().is_empty() {
            true => parameters(),
            false => self.refresh_parameters().clone(),
        };
        // Without them: those that were granted. They are sent only to narrow these.
        parameters.remove("authorization_details");
        Some(parameters)
    }

    /// The token of a response, completed from its request: with the refresh token that was sent,
    /// if the response has no other, and with the parameters that the next refresh repeats.
    ///
    /// "The authorization server MAY issue a new refresh token".
    pub(crate) fn answering(mut self, sent: Option<&Secret>, parameters: &Form) -> Self {
        if self.0.refresh_token.is_none() {
            self.members_mut().refresh_token = sent.cloned();
        }
        match parameters.is_empty() {
            true => self,
            false => self.with_refresh_parameters(parameters.clone()),
        }
    }

    /// The renewed token, completed from `old` by the members that the server omitted. The clients
    /// of this crate do so themselves.
    ///
    /// "The authorization server MAY issue a new refresh token"; if it does not, the old one stays
    /// valid. An omitted `scope` is unchanged. Members that OAuth does not define are kept, so that
    /// those of your own in a stored token survive its renewal.
    ///
    /// ```
    /// use oauth_twin::Token;
    ///
    /// let old = Token::new("2YotnFZFEjr1zCsicMWpAA").with_refresh_token("tGzv3JOkF0XG5Qx2TlKWIA");
    /// let renewed = Token::new("SlAV32hkKG").inheriting(&old);
    /// assert_eq!(renewed.refresh_token(), old.refresh_token());
    ///
    /// let stored: Token = serde_json::from_str(r#"{ "access_token": "a", "user": 7 }"#)?;
    /// assert_eq!(renewed.inheriting(&stored).get("user").unwrap(), 7);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// [RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)
    #[must_use]
    pub fn inheriting(mut self, old: &Self) -> Self {
        let old = &*old.0;
        if self.0.refresh_token.is_none() {
            self.members_mut()
                .refresh_token
                .clone_from(&old.refresh_token);
        }
        if self.0.scope.is_none() {
            self.members_mut().scope.clone_from(&old.scope);
        }
        let Some(rest_of_old) = &old.rest else {
            return self;
        };
        let members = self.members_mut();
        let same_refresh_token = members.refresh_token == old.refresh_token;
        let old = rest_of_old;
        let mut rest = members.rest.take().map_or_else(Rest::default, |rest| *rest);
        if rest.id_token.is_none() {
            rest.id_token.clone_from(&old.id_token);
        }
        for (name, value) in &old.extra {
            if !rest.extra.contains_key(name) && is_inherited(name, same_refresh_token) {
                rest.extra.insert(name.clone(), value.clone());
            }
        }
        members.rest = rest.unless_empty();
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stored(members: serde_json::Value) -> Token {
        serde_json::from_value(members).expect("a token")
    }

    #[test]
    fn what_the_server_omits_is_inherited_and_nothing_else() {
        let old = stored(
            json!({"access_token": "a", "refresh_token": "r", "id_token": "i",
            "scope": "s", "expires_at": 7, "user": 7, "tenant": "old",
            "refresh_parameters": "audience=x"}),
        );
        let new = stored(json!({"access_token": "b", "tenant": null}));
        let kept = old.clone();
        assert_eq!(
            serde_json::to_value(new.inheriting(&old)).expect("JSON"),
            json!({"access_token": "b", "token_type": "Bearer", "refresh_token": "r",
                "id_token": "i", "scope": "s", "user": 7, "tenant": null})
        );
        assert_eq!(old, kept);
        let new = stored(
            json!({"access_token": "b", "refresh_token": "q", "scope": "t",
            "id_token": "j"}),
        );
        let renewed = new.clone().inheriting(&old);
        assert_eq!(renewed.refresh_token(), new.refresh_token());
        assert_eq!(
            (renewed.scope(), renewed.id_token()),
            (Some("t"), new.id_token())
        );
    }
}
