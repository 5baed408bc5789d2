//! Codes of OAuth errors.
//!
//! [IANA: OAuth Extensions Error Registry](https://www.iana.org/assignments/oauth-parameters/oauth-parameters.xhtml#extensions-error)

use std::fmt;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)+) => {
        /// Code of an OAuth error: those of RFC 6749, of the IANA registry for OAuth and OpenID
        /// Connect, and of CIBA.
        ///
        /// ```
        /// use oauth_twin::ErrorCode;
        ///
        /// assert_eq!(ErrorCode::from("invalid_grant"), ErrorCode::InvalidGrant);
        /// assert_eq!(ErrorCode::from("made_up").as_str(), "made_up");
        /// ```
        ///
        /// [RFC 6749 section 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)+
            /// A code that has no variant of its own.
            Other(String),
        }

        impl ErrorCode {
            /// The code as on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(code) => code,
                }
            }
        }

        impl From<&str> for ErrorCode {
            fn from(code: &str) -> Self {
                // One by one, as a match on text is many times the code, in each program.
                static KNOWN: &[ErrorCode] = &[$(ErrorCode::$variant,)+];
                let known = KNOWN.iter().find(|known| known.as_str() == code);
                known.map_or_else(|| Self::Other(code.to_owned()), Clone::clone)
            }
        }
    };
}

error_codes! {
    /// Missing, repeated or malformed parameter.
    InvalidRequest = "invalid_request",
    /// Failed client authentication.
    InvalidClient = "invalid_client",
    /// Code, refresh token or assertion that is invalid, expired, revoked or issued to another
    /// client.
    InvalidGrant = "invalid_grant",
    /// Grant that the client may not use.
    UnauthorizedClient = "unauthorized_client",
    /// Grant that the server does not support.
    UnsupportedGrantType = "unsupported_grant_type",
    /// Response type that the server does not support.
    UnsupportedResponseType = "unsupported_response_type",
    /// Scope that is unknown, malformed or exceeds the granted one.
    InvalidScope = "invalid_scope",
    /// Refusal by the resource owner or the server.
    AccessDenied = "access_denied",
    /// Failure of the server.
    ServerError = "server_error",
    /// Server that is overloaded or down for maintenance.
    TemporarilyUnavailable = "temporarily_unavailable",
    /// Access token that is expired, revoked or malformed ([RFC
    /// 6750](https://www.rfc-editor.org/rfc/rfc6750#section-3.1)).
    InvalidToken = "invalid_token",
    /// Access token whose scope does not suffice ([RFC
    /// 6750](https://www.rfc-editor.org/rfc/rfc6750#section-3.1)).
    InsufficientScope = "insufficient_scope",
    /// Token type that the server does not revoke ([RFC
    /// 7009](https://www.rfc-editor.org/rfc/rfc7009#section-2.2.1)).
    UnsupportedTokenType = "unsupported_token_type",
    /// Registration of an invalid redirection URI ([RFC
    /// 7591](https://www.rfc-editor.org/rfc/rfc7591#section-3.2.2)).
    InvalidRedirectUri = "invalid_redirect_uri",
    /// Registration with invalid metadata.
    InvalidClientMetadata = "invalid_client_metadata",
    /// Registration with an invalid software statement.
    InvalidSoftwareStatement = "invalid_software_statement",
    /// Registration with a software statement that the server does not accept.
    UnapprovedSoftwareStatement = "unapproved_software_statement",
    /// Device or backchannel login that the user has not finished yet: poll again ([RFC
    /// 8628](https://www.rfc-editor.org/rfc/rfc8628#section-3.5)).
    AuthorizationPending = "authorization_pending",
    /// Polling that is too fast: wait five seconds longer.
    SlowDown = "slow_down",
    /// Device code that has expired.
    ExpiredToken = "expired_token",
    /// Resource that is unknown or malformed ([RFC
    /// 8707](https://www.rfc-editor.org/rfc/rfc8707#section-2)).
    InvalidTarget = "invalid_target",
    /// Proof-of-possession key that the server does not support ([RFC
    /// 9200](https://www.rfc-editor.org/rfc/rfc9200#section-5.8.3)).
    UnsupportedPopKey = "unsupported_pop_key",
    /// Client and resource server without a common ACE profile.
    IncompatibleAceProfiles = "incompatible_ace_profiles",
    /// Authorization details that are unknown or malformed ([RFC
    /// 9396](https://www.rfc-editor.org/rfc/rfc9396#section-5)).
    InvalidAuthorizationDetails = "invalid_authorization_details",
    /// Invalid DPoP proof ([RFC 9449](https://www.rfc-editor.org/rfc/rfc9449#section-5)).
    InvalidDpopProof = "invalid_dpop_proof",
    /// DPoP proof that lacks the nonce of the server.
    UseDpopNonce = "use_dpop_nonce",
    /// Login that is too old or too weak ([RFC
    /// 9470](https://www.rfc-editor.org/rfc/rfc9470#section-3)).
    InsufficientUserAuthentication = "insufficient_user_authentication",
    /// Required login of the end-user ([OpenID Connect
    /// Core](https://openid.net/specs/openid-connect-core-1_0.html#AuthError)).
    LoginRequired = "login_required",
    /// Required consent of the end-user.
    ConsentRequired = "consent_required",
    /// Required interaction with the end-user.
    InteractionRequired = "interaction_required",
    /// Required choice of an account by the end-user.
    AccountSelectionRequired = "account_selection_required",
    /// `request_uri` that the server cannot use.
    InvalidRequestUri = "invalid_request_uri",
    /// Invalid request object.
    InvalidRequestObject = "invalid_request_object",
    /// Parameter `request`, which the server does not support.
    RequestNotSupported = "request_not_supported",
    /// Parameter `request_uri`, which the server does not support.
    RequestUriNotSupported = "request_uri_not_supported",
    /// Parameter `registration`, which the server does not support.
    RegistrationNotSupported = "registration_not_supported",
    /// Required strength of the login that the server cannot meet ([OpenID
    /// Connect](https://openid.net/specs/openid-connect-unmet-authentication-requirements-1_0.html)).
    UnmetAuthenticationRequirements = "unmet_authentication_requirements",
    /// Expired `login_hint_token` ([CIBA
    /// Core](https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html)).
    ExpiredLoginHintToken = "expired_login_hint_token",
    /// Hint that identifies no user.
    UnknownUserId = "unknown_user_id",
    /// Missing `user_code`.
    MissingUserCode = "missing_user_code",
    /// Wrong `user_code`.
    InvalidUserCode = "invalid_user_code",
    /// Binding message that the server does not accept.
    InvalidBindingMessage = "invalid_binding_message",
    /// Backchannel login that failed on the server.
    TransactionFailed = "transaction_failed",
    /// Unknown issuer ([OpenID
    /// Federation](https://openid.net/specs/openid-federation-1_0.html)).
    InvalidIssuer = "invalid_issuer",
    /// Unknown subject.
    InvalidSubject = "invalid_subject",
    /// Unknown trust anchor.
    InvalidTrustAnchor = "invalid_trust_anchor",
    /// Invalid trust chain.
    InvalidTrustChain = "invalid_trust_chain",
    /// Invalid metadata of an entity.
    InvalidMetadata = "invalid_metadata",
    /// Entity that does not exist.
    NotFound = "not_found",
    /// Parameter that the server does not support.
    UnsupportedParameter = "unsupported_parameter",
    /// Formats that the wallet does not support ([OpenID for Verifiable
    /// Presentations](https://openid.net/specs/openid-4-verifiable-presentations-1_0.html)).
    VpFormatsNotSupported = "vp_formats_not_supported",
    /// Invalid `request_uri_method`.
    InvalidRequestUriMethod = "invalid_request_uri_method",
    /// Wallet that cannot be reached.
    WalletUnavailable = "wallet_unavailable",
    /// Required further claims ([UMA
    /// 2.0](https://docs.kantarainitiative.org/uma/wg/rec-oauth-uma-grant-2.0.html)).
    NeedInfo = "need_info",
    /// Refusal by the policy of the resource owner.
    RequestDenied = "request_denied",
    /// Request that waits for the resource owner: poll again.
    RequestSubmitted = "request_submitted",
}

impl ErrorCode {
    /// Whether only the end-user can resolve the error.
    pub(crate) fn needs_login(&self) -> bool {
        matches!(
            self,
            Self::InvalidGrant
                | Self::LoginRequired
                | Self::ConsentRequired
                | Self::InteractionRequired
        )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lead_there_and_back() {
        for (text, code) in [
            ("authorization_pending", ErrorCode::AuthorizationPending),
            ("slow_down", ErrorCode::SlowDown),
            ("use_dpop_nonce", ErrorCode::UseDpopNonce),
            ("wallet_unavailable", ErrorCode::WalletUnavailable),
        ] {
            assert_eq!(ErrorCode::from(text), code);
            assert_eq!(code.to_string(), text);
            assert!(!code.needs_login(), "{text}");
        }
        for text in ["Invalid_Grant", "invalid grant", ""] {
            assert_eq!(ErrorCode::from(text), ErrorCode::Other(text.to_owned()));
        }
    }
}
