//! PEM, the text format of keys and certificates, as files have it and as environment variables do.
//!
//! [RFC 7468](https://www.rfc-editor.org/rfc/rfc7468)

use rustls_pki_types::{PrivateKeyDer, pem::PemObject as _};
use zeroize::Zeroizing;

use crate::{
    encoding::without_byte_order_mark,
    error::{Error, Result},
};

/// The first unencrypted private key in `pem`. `kind` is part of the error, as in "no RSA private
/// key".
pub(crate) fn private_key(pem: &[u8], kind: &str) -> Result<PrivateKeyDer<'static>> {
    let pem = unescaped(pem);
    // The error may quote the text.
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_error| {
        // OpenSSL's own encryption does not change the label of the section.
        let markers: [&[u8]; 2] = [b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED"];
        let wanted = format!("{kind}private key");
        Error::usage(match markers.iter().any(|marker| contains(&pem, marker)) {
            true => format!("the {wanted} is encrypted; decrypt it first, as with `openssl pkey`"),
            false => {
                let labels = "BEGIN PRIVATE KEY, BEGIN RSA PRIVATE KEY or BEGIN EC PRIVATE KEY";
                without(&pem, &wanted, labels)
            }
        })
    })
}

/// The text without a byte order mark, and as it was before it became an environment variable:
/// without quotes around it, and with line breaks instead of `\n`.
pub(crate) fn unescaped(pem: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut pem = without_byte_order_mark(pem).trim_ascii();
    for quote in *b"\"'" {
        if let [first, inner @ .., last] = pem
            && *first == quote
            && *last == quote
        {
            pem = inner;
        }
    }
    let mut text = Zeroizing::new(Vec::with_capacity(pem.len()));
    let mut rest = pem;
    while let [byte, after @ ..] = rest {
        rest = match (byte, after) {
            (b'\\', [b'n', after @ ..]) => {
                text.push(b'\n');
                after
            }
            (b'\\', [b'r', after @ ..]) => after,
            _ => {
                text.push(*byte);
                after
            }
        };
    }
    text
}

/// The message about a text without a section of the `wanted` kind, which has one of the `labels`:
/// what it is instead, and what to do.
pub(crate) fn without(pem: &[u8], wanted: &str, labels: &str) -> String {
    let a_wanted = match wanted.starts_with("RSA") {
        true => format!("an {wanted}"),
        false => format!("a {wanted}"),
    };
    let instead = |what: &str, advice: &str| {
        format!("the PEM contains {what} instead of {a_wanted}; {advice}")
    };
    let has = |marker: &str| contains(pem, marker.as_bytes());
    let is_text = std::str::from_utf8(pem).ok();
    let is_path = is_text.is_some_and(|text| {
        let ends = |end: &&str| text.to_ascii_lowercase().ends_with(end);
        let has_end = [".pem", ".key", ".crt", ".cer", ".p8", ".json"]
            .iter()
            .any(ends);
        text.len() < 1024 && !text.contains('\n') && (has_end || text.starts_with(['/', '.', '~']))
    });
    if has("BEGIN OPENSSH PRIVATE KEY") {
        instead(
            "a private key in the format of OpenSSH",
            "convert it by `ssh-keygen -p -m PKCS8 -f KEY`",
        )
    } else if has("BEGIN CERTIFICATE REQUEST") || has("BEGIN NEW CERTIFICATE REQUEST") {
        instead(
            "a certificate request",
            "pass the key or the certificate itself",
        )
    } else if has("PRIVATE KEY-----") && !wanted.ends_with("private key") {
        let advice = match wanted {
            "public key" => "read it as a SigningKey and call verifying_key",
            _ => "pass the certificate that belongs to it",
        };
        instead("a private key", advice)
    } else if has("BEGIN CERTIFICATE") && !wanted.ends_with("certificate") {
        instead("a certificate", "pass the key that belongs to it")
    } else if has("PUBLIC KEY-----") && !wanted.ends_with("public key") {
        instead(
            "a public key",
            "pass the private key, which only its owner has",
        )
    } else if pem.is_empty() {
        format!("the PEM is empty; it needs {a_wanted}")
    } else if is_path {
        format!("the text is the name of a file instead of {a_wanted}; pass the file's content")
    } else if pem.starts_with(b"ssh-") || pem.starts_with(b"ecdsa-sha2-") {
        instead(
            "a public key in the format of OpenSSH",
            "pass the key in PEM",
        )
    } else if pem.starts_with(b"{") {
        format!(
            "the text is JSON instead of {a_wanted} in PEM; read a JWK as a Jwk, and the file of a \
             service account as a ServiceAccount"
        )
    } else if pem.starts_with(&[0x30]) && is_text.is_none() {
        format!("the {wanted} is in DER instead of PEM; read it by from_der")
    } else if has("-----BEGIN ") && !pem.contains(&b'\n') {
        format!("the PEM has lost its line breaks, so that its {wanted} cannot be read")
    } else {
        format!(
            "the PEM contains no {wanted}: it needs a complete section {labels}, with its labels \
             on separate lines"
        )
    }
}

/// Whether `pem` contains `text`.
pub(crate) fn contains(pem: &[u8], text: &[u8]) -> bool {
    pem.windows(text.len()).any(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = include_str!("../tests/vectors/p-256.pkcs8.pem");

    #[test]
    fn a_key_from_an_environment_variable() {
        let escaped = KEY.trim().replace('\n', "\\n");
        let windows = KEY.trim().replace('\n', "\\r\\n");
        for text in [
            KEY.to_owned(),
            escaped.clone(),
            windows,
            format!("\"{escaped}\""),
            format!("'{escaped}\\n'\n"),
            format!("\u{feff}\"{KEY}\""),
        ] {
            let key = private_key(text.as_bytes(), "").expect("a key");
            let plain = private_key(KEY.as_bytes(), "").expect("a key");
            assert_eq!(key.secret_der(), plain.secret_der());
        }
    }

    #[test]
    fn what_was_found_instead_is_said() {
        let section =
            |label: &str| format!("-----BEGIN {label}-----\nhunter2\n-----END {label}-----\n");
        for (text, said) in [
            (
                section("CERTIFICATE"),
                "the PEM contains a certificate instead of a private key; pass the key that belongs to it",
            ),
            (
                section("CERTIFICATE REQUEST"),
                "the PEM contains a certificate request instead",
            ),
            (
                section("PUBLIC KEY"),
                "the PEM contains a public key instead of a private key",
            ),
            (
                section("RSA PUBLIC KEY"),
                "the PEM contains a public key instead of a private key",
            ),
            (
                section("OPENSSH PRIVATE KEY"),
                "the PEM contains a private key in the format of OpenSSH instead of a private key; convert it by `ssh-keygen",
            ),
            (
                section("ENCRYPTED PRIVATE KEY"),
                "the private key is encrypted; decrypt it first",
            ),
            (
                "ssh-ed25519 AAAA hunter2".to_owned(),
                "the PEM contains a public key in the format of OpenSSH",
            ),
            (
                "/etc/hunter2".to_owned(),
                "the text is the name of a file instead of a private key",
            ),
            (
                "hunter2.pem".to_owned(),
                "the text is the name of a file instead of a private key",
            ),
            (
                "{\"hunter2\":1}".to_owned(),
                "the text is JSON instead of a private key in PEM",
            ),
            (String::new(), "the PEM is empty"),
            (KEY.replace('\n', " "), "the PEM has lost its line breaks"),
            (
                "hunter2".to_owned(),
                "the PEM contains no private key: it needs a complete section",
            ),
        ] {
            let error = private_key(text.as_bytes(), "")
                .expect_err(said)
                .to_string();
            assert!(error.starts_with(said), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let error = private_key(&[0x30, 0x82, 0xff, 0xfe], "").expect_err("DER");
        assert!(error.to_string().contains("from_der"), "{error}");
    }
}
