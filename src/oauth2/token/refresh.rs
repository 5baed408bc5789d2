//! Refreshes of tokens: their triggers, and the parts of the old token that the new one inherits.
//!
//! [RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)

use super::Token;
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
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

/// Parameters of a refresh request.
pub(crate) struct Refresh {
    pub(crate) refresh_token: Secret,
    pub(crate) parameters: Form,
}

/// Inheritance from one token to the next.
impl Token {
    /// The refresh of this token, with the parameters that the token was requested with, or if these
    /// are not known, with `parameters`.
    ///
    /// Without a scope: "if omitted is treated as equal to the scope originally granted by the
    /// resource owner". Some servers refuse the scope that they said they had granted.
    pub(crate) fn refresh(&self, parameters: impl FnOnce() -> Form) -> Option<Refresh> {
        Some(Refresh {
            refresh_token: self.refresh_token.clone()?,
            parameters: match self.refresh_parameters.is_empty() {
                true => parameters(),
                false => self.refresh_parameters.clone(),
            },
        })
    }

    /// The token of a response, completed from its request: with the refresh token that was sent,
    /// if the response has no other, and with the parameters that the next refresh repeats.
    ///
    /// "The authorization server MAY issue a new refresh token".
    pub(crate) fn answering(mut self, sent: Option<&Secret>, parameters: &Form) -> Self {
        self.refresh_token = self.refresh_token.or_else(|| sent.cloned());
        self.with_refresh_parameters(parameters.clone())
    }

    /// The renewed token, completed from `old` by the members that the server omitted. The clients
    /// of this crate do so themselves.
    ///
    /// "The authorization server MAY issue a new refresh token"; if it does not, the old one stays
    /// valid. An omitted `scope` is unchanged.
    ///
    /// ```
    /// use oauth_twin::Token;
    ///
    /// let old = Token::new("2YotnFZFEjr1zCsicMWpAA").with_refresh_token("tGzv3JOkF0XG5Qx2TlKWIA");
    /// let renewed = Token::new("SlAV32hkKG").inheriting(&old);
    /// assert_eq!(renewed.refresh_token(), old.refresh_token());
    /// ```
    ///
    /// [RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)
    #[must_use]
    pub fn inheriting(mut self, old: &Self) -> Self {
        self.refresh_token = self.refresh_token.or_else(|| old.refresh_token.clone());
        self.id_token = self.id_token.or_else(|| old.id_token.clone());
        self.scope = self.scope.or_else(|| old.scope.clone());
        self
    }
}
