//! New private keys.
//!
//! [RFC 5958](https://www.rfc-editor.org/rfc/rfc5958)

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair,
    },
};
use zeroize::Zeroizing;

use crate::{
    error::{Error, Result},
    jose::{Algorithm, algorithm::KeyType},
    secret::Secret,
};

/// A new private key for `algorithm`, in PKCS#8.
pub(crate) fn generate(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>> {
    let random = SystemRandom::new();
    let document = match algorithm.key_type() {
        KeyType::P256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random),
        KeyType::P384 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random),
        KeyType::Ed25519 => Ed25519KeyPair::generate_pkcs8(&random),
        KeyType::Rsa | KeyType::Secret => {
            return Err(Error::usage(format!(
                "no key can be generated for {algorithm}; ring generates keys for ES256, ES384 \
                 and EdDSA"
            )));
        }
    };
    match document {
        Ok(document) => Ok(Zeroizing::new(document.as_ref().to_vec())),
        Err(_unspecified) => Err(Error::random()),
    }
}

/// PKCS#8 as PEM.
///
/// [RFC 7468 section 10](https://www.rfc-editor.org/rfc/rfc7468#section-10)
pub(crate) fn to_pem(pkcs8: &[u8]) -> Secret {
    let encoded = Zeroizing::new(STANDARD.encode(pkcs8));
    let mut pem = String::with_capacity(encoded.len() + encoded.len() / 64 + 64);
    pem.push_str("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = &encoded[..];
    while !rest.is_empty() {
        let (line, others) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = others;
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    Secret::new(pem)
}
