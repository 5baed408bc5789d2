//! Validation of the claims of a token.
//!
//! [RFC 7519 section 4.1](https://www.rfc-editor.org/rfc/rfc7519#section-4.1)

use std::time::Duration;

use crate::{
    clock::Clock,
    error::{Error, Result},
    jose::Claims,
};

/// Expected claims of a token: its issuer, its audience, and its validity now.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use oauth_twin::{Clock, jose::{Claims, ClaimsValidation}};
///
/// let expected = ClaimsValidation::new()
///     .issuer("https://id.example.com")
///     .audience("reports")
///     .leeway(Duration::from_secs(10))
///     .clock(Clock::from_fn(|| UNIX_EPOCH + Duration::from_secs(1_700_000_000)));
/// let claims = Claims::from_slice(
///     br#"{"iss":"https://id.example.com","aud":["reports"],"exp":1699999999}"#,
/// )?;
/// claims.validate(&expected)?;
/// let error = claims.validate(&expected.leeway(Duration::ZERO)).unwrap_err();
/// assert_eq!(error.to_string(), "the token has expired");
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 7519 section 4.1](https://www.rfc-editor.org/rfc/rfc7519#section-4.1)
#[derive(Clone, Debug)]
pub struct ClaimsValidation {
    issuer: Option<String>,
    subject: Option<String>,
    audience: Option<String>,
    leeway: Duration,
    any_audience: bool,
    endless: bool,
    clock: Clock,
}

impl Default for ClaimsValidation {
    fn default() -> Self {
        Self {
            issuer: None,
            subject: None,
            audience: None,
            leeway: Duration::from_secs(60),
            any_audience: false,
            endless: false,
            clock: Clock::system(),
        }
    }
}

impl ClaimsValidation {
    /// Expects an `exp` in the future, and no `aud`, which would name another recipient.
    pub fn new() -> Self {
        Self::default()
    }

    /// Expects this `iss`.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Expects this `sub`.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Expects this `aud`, alone or among others.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Accepts a token with any `aud`, or without one.
    ///
    /// # Security
    ///
    /// Any recipient of a token can replay it here.
    #[must_use]
    pub fn dangerous_any_audience(mut self) -> Self {
        self.any_audience = true;
        self
    }

    /// Sets the permitted difference of the clocks. Defaults to 60 seconds.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Accepts a token without `exp`.
    ///
    /// # Security
    ///
    /// A stolen token can be used for ever.
    #[must_use]
    pub fn dangerous_without_expiry(mut self) -> Self {
        self.endless = true;
        self
    }

    /// Sets the clock. Defaults to the system clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}

impl Claims {
    /// Validates the claims against the expected ones.
    ///
    /// # Errors
    ///
    /// If a claim is missing or not the expected one, or the token has expired or is not valid yet.
    /// An `iat` in the future is refused, too.
    ///
    /// [RFC 7519 section 4.1](https://www.rfc-editor.org/rfc/rfc7519#section-4.1)
    pub fn validate(&self, expected: &ClaimsValidation) -> Result<()> {
        let refused = |problem: &str| Err(Error::untrusted(problem));
        for (name, wanted, is) in [
            ("iss", &expected.issuer, self.issuer()),
            ("sub", &expected.subject, self.subject()),
        ] {
            if wanted.is_some() && wanted.as_deref() != is {
                return refused(&format!("the claim {name} is not the expected one"));
            }
        }
        // "If the principal processing the claim does not identify itself with a value in the
        // "aud" claim when this claim is present, then the JWT MUST be rejected."
        let is_ours = match &expected.audience {
            Some(audience) => self.audience().any(|one| one == audience),
            None => self.get("aud").is_none(),
        };
        if !(is_ours || expected.any_audience) {
            return refused("the token is for another recipient (aud)");
        }
        let now = expected.clock.unix();
        let latest = now.saturating_add(expected.leeway);
        // "the current date/time MUST be before the expiration date/time listed in the "exp"
        // claim", give or take the leeway.
        match self.seconds("exp") {
            Some(expires_at) if now >= expires_at.saturating_add(expected.leeway) => {
                return refused("the token has expired");
            }
            None if !expected.endless => return refused("the token has no expiry (exp)"),
            _ => {}
        }
        if self.seconds("nbf").is_some_and(|begins| begins > latest) {
            return refused("the token is not valid yet (nbf)");
        }
        if self.seconds("iat").is_some_and(|issued| issued > latest) {
            return refused("the token was issued in the future (iat)");
        }
        Ok(())
    }
}
