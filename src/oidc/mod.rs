//! OpenID Connect without I/O: ID tokens, claims, keys, UserInfo, logout.
//!
//! The clients of this crate verify the ID token of a login, and of each refresh, by themselves.
//! With any other HTTP library, an [`IdTokenVerifier`] does the same.
//!
//! [OpenID Connect Core](https://openid.net/specs/openid-connect-core-1_0.html)

pub(crate) mod claims;
mod hashes;
pub(crate) mod id_token;
mod id_token_claims;
pub(crate) mod id_token_rules;
pub(crate) mod id_token_verifier;
pub(crate) mod key_set;
pub(crate) mod login_initiation;
pub(crate) mod logout;
pub(crate) mod logout_token;
mod renewed_id_token;
mod tenants;
pub(crate) mod userinfo;

pub use {
    claims::{Address, StandardClaims},
    id_token::IdToken,
    id_token_rules::IdTokenRules,
    id_token_verifier::IdTokenVerifier,
    key_set::{KeyDecision, KeySet},
    login_initiation::LoginInitiation,
    logout::{LogoutEndpoint, LogoutRequest, LogoutUrl, PendingLogout},
    logout_token::LogoutToken,
    userinfo::{UserInfoEndpoint, UserInfoRules},
};
