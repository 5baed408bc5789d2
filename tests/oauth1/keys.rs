//! RSA keys: formats, refusals, signatures.

use oauth_twin::{
    http::{Method, header::HeaderMap},
    oauth1::{RsaKey, SignatureMethod},
};

use super::{header, signer};

const SMALL_PKCS1: &str = include_str!("../vectors/rsa-1024.pkcs1.pem");
const SMALL_PKCS8: &str = include_str!("../vectors/rsa-1024.pkcs8.pem");
const PKCS1: &str = include_str!("../vectors/rsa-2048.pkcs1.pem");

fn pkcs8() -> String {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../vectors/oauth1.json")).expect("the vectors");
    vectors["rsa_private_key"]
        .as_str()
        .expect("a key")
        .to_owned()
}

#[test]
fn both_kinds_of_pem_are_the_same_key() {
    let [first, second] = [PKCS1.to_owned(), format!("Bag Attributes\n{}", pkcs8())].map(|pem| {
        let key = RsaKey::from_pem(pem).expect("a key");
        assert_eq!(format!("{key:?}"), "RsaKey(2048 bits)");
        let method = SignatureMethod::RsaSha256(key);
        assert_eq!(format!("{method:?}"), "RSA-SHA256(RsaKey(2048 bits))");
        let signed = signer().signature_method(method);
        let signed = signed.sign(&Method::GET, "https://a.example/", &HeaderMap::new(), "");
        header(&signed.expect("a signature"))
    });
    assert_eq!(first, second);
}

#[test]
fn invalid_keys_are_refused_and_not_quoted() {
    let damaged = PKCS1.replace("MII", "MIJ");
    let public = "-----BEGIN PUBLIC KEY-----\naHVudGVyMg==\n-----END PUBLIC KEY-----\n";
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\naHVudGVyMg==\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let other = "-----BEGIN EC PRIVATE KEY-----\naHVudGVyMg==\n-----END EC PRIVATE KEY-----\n";
    for (pem, problem) in [
        ("", "the PEM is empty; it needs an RSA private key"),
        ("hunter2", "the PEM contains no RSA private key"),
        (
            public,
            "the PEM contains a public key instead of an RSA private key",
        ),
        (
            "-----BEGIN PRIVATE KEY-----\nhunter2",
            "the PEM contains no RSA private key",
        ),
        (encrypted, "the RSA private key is encrypted"),
        (
            other,
            "the key in the PEM is not an RSA key; the RSA signature methods need one",
        ),
        (&damaged, "the RSA key is invalid"),
    ] {
        let error = RsaKey::from_pem(pem).expect_err(pem);
        assert!(error.to_string().starts_with(problem), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}

#[cfg(not(feature = "rsa-sha1"))]
#[test]
fn small_keys_and_sha_1_need_the_feature() {
    for pem in [SMALL_PKCS1, SMALL_PKCS8] {
        let error = RsaKey::from_pem(pem).expect_err("a small key");
        assert!(
            error.to_string().contains("the feature rsa-sha1"),
            "{error}"
        );
    }
    let method = SignatureMethod::RsaSha1(RsaKey::from_pem(PKCS1).expect("a key"));
    let error = method.validate().expect_err("SHA-1");
    assert_eq!(
        error.to_string(),
        "RSA-SHA1 needs the feature rsa-sha1 of oauth-twin"
    );
}

/// Signatures by `openssl dgst -sign`.
#[cfg(feature = "rsa-sha1")]
#[test]
fn small_keys_sign_with_every_hash() {
    for pem in [SMALL_PKCS1, SMALL_PKCS8] {
        let key = RsaKey::from_pem(pem).expect("a small key");
        assert_eq!(format!("{key:?}"), "RsaKey(1024 bits)");
        for (method, signature) in [
            (
                SignatureMethod::RsaSha1 as fn(_) -> _,
                "pu+zi46n94Z+QphzotF3HgmYGLugHm97EThSRIDCSb5d8O8NIym5JwyE/XDQSKnjgjPEIQefxRCzeaeQQ4IGjw7mr4ZjLl9FOgX7FyMgoCok8xyJLpJRLeY8+nXgeV4fSAzAzcfTWlH6APuCzLeAA2kc75u5LbMAN6dUowMFiiQ=",
            ),
            (
                SignatureMethod::RsaSha256 as fn(_) -> _,
                "f0gcXqlxdiax/U3CgM8oSAbf4E70c7uj947wtqiXXLU6NAcMJGP9YO9ginyYSIwRMN/7zaKuBnaE7IW+YYm9vVkQUpkG6bjt0j6M3sFwaGoIJGyTz3pHJa2dLjzT2d+NQ6eg3/0OJNkoIbJtgDSfl2sEaHhB7Z4Uw+LtsC/JGTE=",
            ),
            (
                SignatureMethod::RsaSha512 as fn(_) -> _,
                "rTnaIOIOZq4jlQhfq5mD5pyZMSkmFD5dLySJknw4Q05B5g6/nk2Nhey31qyzV/d4gd8A61GyFKsSJDY07bWaNvHVphIznoIlcZuqsPog2iyCJ2J0l8mjZ9LCzb8ri5i9KLBrBGJiK9Q0pn3E74eHz0ze1pgrIaoG5g7qx858l4g=",
            ),
        ] {
            let signer = signer().signature_method(method(key.clone()));
            let signed = signer.sign(&Method::GET, "https://a.example", &HeaderMap::new(), "");
            let header = header(&signed.expect("a signature"));
            let header = header
                .replace("%2B", "+")
                .replace("%2F", "/")
                .replace("%3D", "=");
            assert!(header.contains(signature), "{header}");
        }
    }
}
