//! Public keys in files.
//!
//! SubjectPublicKeyInfo ([RFC 5280](https://www.rfc-editor.org/rfc/rfc5280#section-4.1)), PKCS#1
//! ([RFC 8017](https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.1)), and certificates

use ring::signature::{
    self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer, pem::PemObject as _};

use crate::{
    error::{Error, Result},
    jose::{
        Algorithm,
        algorithm::KeyType,
        der::{CONTEXT_0, Der, INTEGER, OBJECT_IDENTIFIER, SEQUENCE},
    },
    pem,
};

/// Minimum size of an RSA key, in bits. Smaller ones are not secure.
const RSA_BITS: usize = 2048;
const RSA_BITS_AT_MOST: usize = 8192;

/// Public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PublicKey {
    /// An RSA key: modulus and exponent, without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// An uncompressed point of a curve, or the 32 bytes of an Ed25519 key.
    Point(KeyType, Vec<u8>),
}

impl PublicKey {
    pub(super) fn key_type(&self) -> KeyType {
        match self {
            Self::Rsa { .. } => KeyType::Rsa,
            Self::Point(curve, _) => *curve,
        }
    }

    /// Checks that it can verify signatures by `algorithm`.
    pub(super) fn check_type(&self, algorithm: Algorithm) -> Result<(), String> {
        let (is, needed) = (self.key_type(), algorithm.key_type());
        match is == needed {
            true => Ok(()),
            false => Err(format!("the key is {is}, but {algorithm} needs {needed}")),
        }
    }

    /// Whether it has signed `message` by `algorithm`, which is one of its type.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            Self::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(rsa(algorithm), message, signature)
            }
            Self::Point(curve, point) => {
                UnparsedPublicKey::new(of_curve(*curve), point).verify(message, signature)
            }
        };
        verified.is_ok()
    }

    /// Reads the first public key, or that of the first certificate.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self> {
        let pem = pem::unescaped(pem);
        // The PEM reader does not know this label. The format is recognised by the content.
        let pem = match pem::contains(&pem, b"RSA PUBLIC KEY") {
            true => {
                let text = String::from_utf8_lossy(&pem);
                text.replace("RSA PUBLIC KEY", "PUBLIC KEY")
                    .into_bytes()
                    .into()
            }
            false => pem,
        };
        if let Ok(key) = SubjectPublicKeyInfoDer::from_pem_slice(&pem) {
            return Self::from_der(&key);
        }
        match CertificateDer::from_pem_slice(&pem) {
            Ok(certificate) => Self::from_der(&certificate),
            // The error may quote the text.
            Err(_error) => {
                let labels = "BEGIN PUBLIC KEY, BEGIN RSA PUBLIC KEY or BEGIN CERTIFICATE";
                Err(Error::usage(pem::without(&pem, "public key", labels)))
            }
        }
    }

    /// Reads a SubjectPublicKeyInfo, a PKCS#1 key or a certificate.
    pub(super) fn from_der(der: &[u8]) -> Result<Self> {
        let key = Der::sequence(der).ok_or_else(invalid_key)?;
        if key.tag() == Some(INTEGER) {
            return Self::from_pkcs1(der);
        }
        match subject_public_key_info(key) {
            Some(certified) => Self::from_info(certified),
            None => Self::from_info(key),
        }
    }

    fn from_info(mut info: Der<'_>) -> Result<Self> {
        let algorithm = info.nested(SEQUENCE).ok_or_else(invalid_key)?;
        let key = info.bits().ok_or_else(invalid_key)?;
        match key_type(algorithm).map_err(Error::usage)? {
            KeyType::Rsa => Self::from_pkcs1(key),
            curve => Self::point(curve, key),
        }
    }

    fn from_pkcs1(der: &[u8]) -> Result<Self> {
        let mut key = Der::sequence(der).ok_or_else(invalid_key)?;
        let n = key.unsigned().ok_or_else(invalid_key)?;
        let e = key.unsigned().ok_or_else(invalid_key)?;
        match key.is_end() {
            true => Self::rsa(n, e),
            false => Err(invalid_key()),
        }
    }

    /// An RSA key with its modulus and exponent.
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Result<Self> {
        // Some servers' JWK Sets have the leading zero of a signed number in the modulus.
        let [n, e] = [n, e].map(|number| {
            let start = number.iter().position(|byte| *byte != 0);
            number[start.unwrap_or(number.len())..].to_vec()
        });
        let bits = bits(&n);
        if !(RSA_BITS..=RSA_BITS_AT_MOST).contains(&bits) {
            return Err(Error::usage(format!(
                "the RSA key has {bits} bits; it must have {RSA_BITS} to {RSA_BITS_AT_MOST}"
            )));
        }
        // An even exponent is invalid, and 1 would accept any signature.
        if e.last().is_none_or(|last| last % 2 == 0) || e == [1] || e.len() > 5 {
            return Err(Error::usage("the exponent of the RSA key is invalid"));
        }
        Ok(Self::Rsa { n, e })
    }

    /// A point of a curve. It is checked to be on the curve when it is used.
    pub(super) fn point(curve: KeyType, point: &[u8]) -> Result<Self> {
        let expected = match (curve, curve.coordinate()) {
            (KeyType::Ed25519, Some(length)) => point.len() == length,
            (_, Some(length)) if point.len() == 1 + length && matches!(point, [2 | 3, ..]) => {
                return Err(Error::usage(
                    "the EC key is compressed; convert it with `openssl ec -conv_form \
                     uncompressed`",
                ));
            }
            (_, Some(length)) => point.len() == 1 + 2 * length && matches!(point, [4, ..]),
            (_, None) => false,
        };
        match expected {
            true => Ok(Self::Point(curve, point.to_vec())),
            false => Err(invalid_key()),
        }
    }
}

/// The parameters of an RSA algorithm.
fn rsa(algorithm: Algorithm) -> &'static RsaParameters {
    match algorithm {
        Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => &signature::RSA_PKCS1_2048_8192_SHA256,
    }
}

/// The one algorithm of a curve.
fn of_curve(curve: KeyType) -> &'static dyn VerificationAlgorithm {
    match curve {
        KeyType::P256 => &signature::ECDSA_P256_SHA256_FIXED,
        KeyType::P384 => &signature::ECDSA_P384_SHA384_FIXED,
        KeyType::Ed25519 | KeyType::Secret | KeyType::Rsa => &signature::ED25519,
    }
}

/// The SubjectPublicKeyInfo of a certificate, whose outer sequence is `certificate`.
///
/// [RFC 5280 section 4.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.1)
fn subject_public_key_info(mut certificate: Der<'_>) -> Option<Der<'_>> {
    let mut signed = certificate.nested(SEQUENCE)?;
    // Version, which version 1 omits, and serial number.
    signed.optional(CONTEXT_0);
    signed.read(INTEGER)?;
    // Signature algorithm, issuer, validity, subject.
    for _ in 0..4 {
        signed.read(SEQUENCE)?;
    }
    signed.nested(SEQUENCE)
}

/// The key type that an AlgorithmIdentifier names, or why it cannot be used.
///
/// [RFC 8410 section 3](https://www.rfc-editor.org/rfc/rfc8410#section-3),
/// [RFC 5480 section 2.1](https://www.rfc-editor.org/rfc/rfc5480#section-2.1)
pub(super) fn key_type(mut algorithm: Der<'_>) -> Result<KeyType, String> {
    let not_supported = |name: &str| Err(format!("{name} keys are not supported"));
    match algorithm.read(OBJECT_IDENTIFIER) {
        Some(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01") => Ok(KeyType::Rsa),
        Some(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a") => Err(
            "the key is restricted to RSASSA-PSS, which is not supported; use a plain RSA key, \
             which signs PS256, too"
                .to_owned(),
        ),
        Some(b"\x2b\x65\x70") => Ok(KeyType::Ed25519),
        Some(b"\x2b\x65\x71") => not_supported("Ed448"),
        Some(b"\x2b\x65\x6e" | b"\x2b\x65\x6f") => {
            Err("the key is for key agreement and cannot sign".to_owned())
        }
        Some(b"\x2a\x86\x48\xce\x38\x04\x01") => not_supported("DSA"),
        Some(b"\x2a\x86\x48\xce\x3d\x02\x01") => match algorithm.read(OBJECT_IDENTIFIER) {
            Some(name) => curve(name),
            None => Err("the EC key does not name its curve".to_owned()),
        },
        _ => Err("the type of the key is unknown".to_owned()),
    }
}

/// The curve that an object identifier names.
///
/// [RFC 5480 section 2.1.1.1](https://www.rfc-editor.org/rfc/rfc5480#section-2.1.1.1)
pub(super) fn curve(name: &[u8]) -> Result<KeyType, String> {
    let not_supported = |name: &str| {
        Err(format!(
            "the EC key is on {name}, which is not supported; use P-256 or P-384"
        ))
    };
    match name {
        b"\x2a\x86\x48\xce\x3d\x03\x01\x07" => Ok(KeyType::P256),
        b"\x2b\x81\x04\x00\x22" => Ok(KeyType::P384),
        b"\x2b\x81\x04\x00\x23" => not_supported("P-521"),
        b"\x2b\x81\x04\x00\x0a" => not_supported("secp256k1"),
        _ => not_supported("another curve"),
    }
}

/// The number of bits of a number without leading zeros.
pub(super) fn bits(number: &[u8]) -> usize {
    let zeros = number.first().map_or(0, |first| first.leading_zeros());
    number.len() * 8 - zeros as usize
}

fn invalid_key() -> Error {
    Error::usage(
        "the public key is invalid, or in another format than SubjectPublicKeyInfo, PKCS#1 or a \
         certificate",
    )
}
