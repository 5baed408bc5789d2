use std::path::Path;

use serde_json::json;

use super::*;
use crate::{error::ErrorKind, oauth2::certificate_thumbprint};

const CHAIN: &str = include_str!("../../../../../tests/vectors/p-256.certificate.pem");
const KEY: &str = include_str!("../../../../../tests/vectors/p-256.pkcs8.pem");
const RSA_CHAIN: &str = include_str!("../../../../../tests/vectors/rsa-2048.certificate.pem");
const RSA_KEY: &str = include_str!("../../../../../tests/vectors/rsa-2048.pkcs1.pem");
const SEC1_KEY: &str = "-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIFPArMC9zp9bD7pVCA7ZmkV7WEhPEiQJR/XVz95unqfkoAoGCCqGSM49
AwEHoUQDQgAET1KVrv8X8uUo9lZ9kjA9RMcQ3+YiD5RYtuX37/tiRBKFkuoPnh9+
ZovhuhcRcZGBtxWJ2tJM9FkVrEcQIdhAAg==
-----END EC PRIVATE KEY-----
";

/// By `openssl x509 -outform DER | openssl dgst -sha256 -binary`, in base64url.
const THUMBPRINT: &str = "cqC6HjuY---ER5mBXyyMrvNHyidRYWpqsamaFexmIhA";
const RSA_THUMBPRINT: &str = "l6eNqLIHKsJcKRFOMUWE1wUdANQxC8pZ3gGHiC0rLBo";

/// The certificate of RFC 8705 appendix A.
const RFC_8705: &str = "-----BEGIN CERTIFICATE-----
MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx
ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ
/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID
SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV
bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=
-----END CERTIFICATE-----
";

fn problem(chain: &str, key: &str) -> String {
    let error = ClientCertificate::from_pem(chain, key).expect_err("a bad certificate");
    assert_eq!(error.kind(), ErrorKind::Usage);
    error.to_string()
}

#[test]
fn the_example_of_rfc_8705_appendix_a() {
    use rustls_pki_types::{CertificateDer, pem::PemObject as _};
    let certificate = CertificateDer::from_pem_slice(RFC_8705.as_bytes()).expect("a certificate");
    let thumbprint = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0";
    assert_eq!(certificate_thumbprint(&certificate), thumbprint);
    let confirmation = json!({"x5t#S256": thumbprint});
    assert_eq!(confirmed_thumbprint(&confirmation), Some(thumbprint));
}

#[test]
fn every_format_of_a_key_is_read_and_written() {
    let both = format!("{KEY}{CHAIN}");
    let chain = format!("{CHAIN}{RSA_CHAIN}");
    let escaped = CHAIN.replace('\n', "\\n");
    for (chain, key, thumbprint, length) in [
        (CHAIN, KEY, THUMBPRINT, 1),
        (CHAIN, SEC1_KEY, THUMBPRINT, 1),
        (RSA_CHAIN, RSA_KEY, RSA_THUMBPRINT, 1),
        (&both, &both, THUMBPRINT, 1),
        (&chain, KEY, THUMBPRINT, 2),
        (&escaped, KEY, THUMBPRINT, 1),
    ] {
        let certificate = ClientCertificate::from_pem(chain, key).expect("a certificate");
        assert_eq!(certificate.thumbprint(), thumbprint);
        let current = certificate.current();
        assert_eq!(current.chain.len(), length);
        let (chain, key) = (current.chain_pem(), current.key_pem());
        let again = ClientCertificate::from_pem(&chain, key.as_str()).expect("a certificate");
        assert_eq!(again.current().chain, current.chain);
        assert_eq!(again.current().key, current.key);
        assert!(
            chain
                .lines()
                .chain(key.lines())
                .all(|line| line.len() <= 64)
        );
    }
}

#[test]
fn what_is_no_certificate_with_its_key_is_named() {
    let not_first = format!("{RSA_CHAIN}{CHAIN}");
    let encrypted = KEY.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let truncated = CHAIN.replace("-----END", "");
    let not_der = "-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n";
    for (chain, key, said) in [
        (
            CHAIN,
            RSA_KEY,
            "the private key does not belong to the first certificate",
        ),
        (
            &not_first,
            KEY,
            "the private key does not belong to the first certificate",
        ),
        (
            RFC_8705,
            KEY,
            "the private key does not belong to the first certificate",
        ),
        (
            KEY,
            KEY,
            "the PEM contains a private key instead of a certificate",
        ),
        (
            CHAIN,
            CHAIN,
            "the PEM contains a certificate instead of a private key",
        ),
        (CHAIN, &encrypted, "the private key is encrypted"),
        ("", KEY, "the PEM is empty; it needs a certificate"),
        (CHAIN, "", "the PEM is empty; it needs a private key"),
        (
            "client.pem",
            KEY,
            "the text is the name of a file instead of a certificate",
        ),
        (&truncated, KEY, "the PEM contains no certificate"),
        (not_der, KEY, "the certificate cannot be used: "),
    ] {
        let problem = problem(chain, key);
        assert!(problem.starts_with(said), "{problem}");
        assert!(!problem.contains("aHVudGVyMg"), "{problem}");
    }
}

#[test]
fn only_its_own_thumbprint_confirms_it() {
    let certificate = ClientCertificate::from_pem(CHAIN, KEY).expect("a certificate");
    assert!(certificate.is_confirmed_by(Some(&json!({"x5t#S256": THUMBPRINT, "jkt": "a"}))));
    assert!(!certificate.is_confirmed_by(None));
    let padded = format!("{THUMBPRINT}=");
    for confirmation in [
        json!(null),
        json!({}),
        json!(THUMBPRINT),
        json!({"jkt": THUMBPRINT}),
        json!({"x5t": THUMBPRINT}),
        json!({"x5t#S256": RSA_THUMBPRINT}),
        json!({"x5t#S256": padded}),
        json!({"x5t#S256": [THUMBPRINT]}),
        json!({"x5t#S256": ""}),
    ] {
        assert!(
            !certificate.is_confirmed_by(Some(&confirmation)),
            "{confirmation}"
        );
    }
}

#[test]
fn missing_files_are_named() {
    let missing = Path::new("/nonexistent/hunter2.pem");
    let error = ClientCertificate::from_files(missing, missing).expect_err("no file");
    assert_eq!(error.kind(), ErrorKind::Usage);
    let said = "the file /nonexistent/hunter2.pem of the client certificate cannot be read: ";
    assert!(error.to_string().starts_with(said), "{error}");
}

#[test]
fn debug_tells_no_key() {
    let certificate = ClientCertificate::from_pem(CHAIN, KEY).expect("a certificate");
    assert_eq!(
        format!("{:?}", certificate.clone().transport_only()),
        format!("ClientCertificate {{ thumbprint: {THUMBPRINT:?}, transport_only: true, .. }}")
    );
    assert_eq!(
        format!("{:?}", certificate.current()),
        format!("CertifiedKey {{ thumbprint: {THUMBPRINT:?}, .. }}")
    );
}
