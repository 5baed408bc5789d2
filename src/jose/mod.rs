//! JOSE without I/O: keys, signatures and claims, on *ring*.
//!
//! The basis of client assertions, service accounts and ID tokens. An [`Algorithm`] belongs to its
//! key, so that no token can choose how it is verified. Keys are parsed once and used many times.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use oauth_twin::jose::{Algorithm, Claims, ClaimsValidation, Jws, SigningKey};
//!
//! # let pem = include_str!("../../tests/vectors/p-256.pkcs8.pem");
//! let key = SigningKey::from_pem(Algorithm::ES256, pem)?.with_key_id("2026-11");
//! let token = Claims::new()
//!     .with_issuer("https://id.example.com")
//!     .with_audience("reports")
//!     .with_expires_at(SystemTime::now() + Duration::from_secs(60))
//!     .sign(&key)?;
//!
//! let jws = Jws::parse(token.expose_secret())?;
//! assert_eq!(jws.header().key_id(), Some("2026-11"));
//! let claims = Claims::from_slice(jws.verify(&key.verifying_key())?)?;
//! claims.validate(&ClaimsValidation::new().issuer("https://id.example.com").audience("reports"))?;
//! # Ok::<(), oauth_twin::Error>(())
//! ```
//!
//! | | signs and verifies |
//! |---|---|
//! | a shared secret | `HS256`, `HS384`, `HS512` |
//! | RSA, 2048 bits and more | `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512` |
//! | EC on P-256, P-384 | `ES256`, `ES384` |
//! | Ed25519 | `EdDSA` |
//!
//! *ring* does not support `ES512` and `ES256K`; keys for them are refused with an error that says
//! so.
//!
//! [RFC 7515](https://www.rfc-editor.org/rfc/rfc7515),
//! [RFC 7517](https://www.rfc-editor.org/rfc/rfc7517),
//! [RFC 7518](https://www.rfc-editor.org/rfc/rfc7518),
//! [RFC 7519](https://www.rfc-editor.org/rfc/rfc7519)

mod algorithm;
mod claims;
mod claims_validation;
mod der;
mod external_key;
mod header;
mod jwk;
mod jwk_key;
mod jwk_set;
mod jws;
mod private_key;
mod public_key;
mod signing_key;
mod verifying_key;

pub use {
    algorithm::Algorithm,
    claims::Claims,
    claims_validation::ClaimsValidation,
    external_key::ExternalKey,
    header::Header,
    jwk::Jwk,
    jwk_set::JwkSet,
    jws::{Jws, SigningInput},
    signing_key::SigningKey,
    verifying_key::VerifyingKey,
};

pub(crate) use {
    claims::numeric_date,
    jws::{encoded_prefix, signed, signed_bytes},
    private_key::{
        generated::{generate, to_pem},
        is_key_pair,
    },
};
