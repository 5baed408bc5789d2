//! OAuth 1.0 without I/O: signatures, their placement in a request, and the three steps of a login.
//!
//! [`Signer`] signs any request, for any HTTP library:
//!
//! ```
//! use http::{HeaderMap, Method};
//! use oauth_twin::oauth1::Signer;
//!
//! let signer = Signer::new("consumer-key")
//!     .client_secret("consumer-secret")
//!     .token("token", "token-secret");
//! let url = "https://api.example/photos?size=original";
//! let signed = signer.sign(&Method::GET, url, &HeaderMap::new(), "")?;
//! assert_eq!(signed.url, url);
//! let header = signed.authorization.unwrap();
//! assert!(header.to_str().unwrap().starts_with("OAuth oauth_consumer_key="));
//! # Ok::<(), oauth_twin::Error>(())
//! ```
//!
//! A login goes through [`TemporaryCredentials`], [`VerifiedCredentials`] and [`TokenCredentials`],
//! in that order.
//!
//! [RFC 5849](https://www.rfc-editor.org/rfc/rfc5849)

mod callback;
mod credential_response;
mod credentials;
mod credentials_hook;
mod custom_method;
mod nonce;
mod parameters;
mod problem;
mod protocol_parameters;
mod rsa_key;
mod signature_method;
mod signed_request;
mod signer;
mod signing;
mod target;

#[cfg_attr(feature = "rsa-sha1", path = "legacy_rsa/enabled.rs")]
#[cfg_attr(not(feature = "rsa-sha1"), path = "legacy_rsa/disabled.rs")]
mod legacy_rsa;

pub use {
    callback::VerifiedCredentials,
    credentials::{TemporaryCredentials, TokenCredentials},
    credentials_hook::CredentialsHook,
    custom_method::{SignatureAlgorithm, SigningSecrets},
    rsa_key::RsaKey,
    signature_method::SignatureMethod,
    signed_request::{Body, SignatureType, SignedRequest},
    signer::Signer,
};
