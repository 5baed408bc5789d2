//! Keys in files: formats, refusals, and that each format contains the same key.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use oauth_twin::{
    ErrorKind, Result,
    jose::{Algorithm, ExternalKey, Jwk, JwkSet, SigningKey, VerifyingKey},
};
use serde_json::Value;

use super::{
    SIGNING_FORMS, VECTORS, VERIFYING_FORMS, algorithms, assert_pair, jwk, key, list, text,
    verifying_key,
};

/// One form of a key, by its name in the vectors.
fn signing(algorithm: Algorithm, key: &Value, form: &str) -> Result<SigningKey> {
    let content = text(key, form);
    match form.ends_with("_der") {
        true => SigningKey::from_der(algorithm, STANDARD.decode(content).unwrap()),
        false => SigningKey::from_pem(algorithm, content),
    }
}

fn verifying(algorithm: Algorithm, key: &Value, form: &str) -> Result<VerifyingKey> {
    let content = text(key, form);
    match form.ends_with("_der") {
        true => VerifyingKey::from_der(algorithm, STANDARD.decode(content).unwrap()),
        false => VerifyingKey::from_pem(algorithm, content),
    }
}

fn forms<'a>(key: &'a Value, names: &[&str]) -> Vec<&'a str> {
    let members = key.as_object().unwrap().keys();
    let is_form = |form: &&String| {
        let name = form.strip_suffix("_pem").or(form.strip_suffix("_der"));
        name.is_some_and(|name| names.contains(&name))
    };
    members.filter(is_form).map(String::as_str).collect()
}

#[test]
fn every_form_of_a_private_key_is_the_same_key() {
    let mut read = 0;
    for key in list(&VECTORS, "keys") {
        // ring signs with no key of this size.
        if key["supported"] == false || key["kty"] == "oct" || key["name"] == "rsa-2560" {
            continue;
        }
        for algorithm in algorithms(key) {
            let verifying = verifying_key(algorithm, key);
            for form in forms(key, SIGNING_FORMS) {
                let signing = signing(algorithm, key, form).expect(form);
                assert_eq!(signing.algorithm(), algorithm);
                assert_pair(&signing, &verifying);
                read += 1;
            }
            let signing = SigningKey::from_jwk(algorithm, &jwk(&key["private_jwk"])).unwrap();
            assert_pair(&signing, &verifying);
        }
    }
    assert!(read > 80, "{read}");
}

#[test]
fn every_form_of_a_public_key_is_the_same_key() {
    for key in list(&VECTORS, "keys") {
        if key["supported"] == false || key["kty"] == "oct" || key["name"] == "rsa-2560" {
            continue;
        }
        for algorithm in algorithms(key) {
            let signing = SigningKey::from_jwk(algorithm, &jwk(&key["private_jwk"])).unwrap();
            for form in forms(key, VERIFYING_FORMS) {
                assert_pair(&signing, &verifying(algorithm, key, form).expect(form));
            }
            assert_pair(&signing, &signing.verifying_key());
        }
    }
}

#[test]
fn a_public_jwk_is_the_one_of_the_key() {
    for name in ["rsa-2048", "p-256", "p-384", "ed25519"] {
        let key = key(name);
        let algorithm = algorithms(key)[0];
        let signing = SigningKey::from_jwk(algorithm, &jwk(&key["private_jwk"])).unwrap();
        let public = signing.public_jwk().unwrap();
        assert!(!public.is_private());
        assert_eq!(public.thumbprint().unwrap(), text(key, "thumbprint_sha256"));
        let written = serde_json::to_value(&public).unwrap();
        for (member, value) in key["public_jwk"].as_object().unwrap() {
            assert_eq!(&written[member], value, "{name}: {member}");
        }
        assert_eq!(
            (&written["alg"], &written["use"]),
            (&algorithm.as_str().into(), &"sig".into())
        );
    }
}

#[test]
fn keys_that_cannot_sign_are_refused_and_say_why() {
    for (name, algorithm, word) in [
        ("rsa-1024", Algorithm::RS256, "too small: it has 1024 bits"),
        (
            "rsa-2560",
            Algorithm::PS256,
            "an unusual size: it has 2560 bits",
        ),
        (
            "rsa-2048-e3",
            Algorithm::RS256,
            "exponent of the RSA key is below 65537",
        ),
        ("p-521", Algorithm::ES256, "P-521"),
        ("secp256k1", Algorithm::ES256, "secp256k1"),
        ("ed448", Algorithm::EdDSA, "Ed448"),
        ("x25519", Algorithm::EdDSA, "key agreement"),
        (
            "rsa-2048",
            Algorithm::ES256,
            "is an RSA key, but ES256 needs an EC key on P-256",
        ),
        (
            "p-256",
            Algorithm::ES384,
            "is an EC key on P-256, but ES384 needs an EC key on P-384",
        ),
        (
            "p-384",
            Algorithm::RS256,
            "is an EC key on P-384, but RS256 needs an RSA key",
        ),
        (
            "ed25519",
            Algorithm::ES256,
            "is an Ed25519 key, but ES256 needs",
        ),
    ] {
        let forms = forms(key(name), SIGNING_FORMS);
        assert!(!forms.is_empty(), "{name}");
        for form in forms {
            let error = signing(algorithm, key(name), form).expect_err(form);
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains(word), "{name} {form}: {error}");
        }
    }
}

#[test]
fn keys_that_cannot_be_trusted_are_refused_and_say_why() {
    for (name, algorithm, word) in [
        ("rsa-1024", Algorithm::RS256, "1024 bits"),
        ("p-521", Algorithm::ES256, "P-521"),
        ("secp256k1", Algorithm::ES256, "secp256k1"),
        ("ed448", Algorithm::EdDSA, "Ed448"),
        ("x25519", Algorithm::EdDSA, "key agreement"),
        (
            "rsa-2048",
            Algorithm::EdDSA,
            "is an RSA key, but EdDSA needs an Ed25519 key",
        ),
    ] {
        for form in forms(key(name), VERIFYING_FORMS) {
            let error = verifying(algorithm, key(name), form).expect_err(form);
            assert!(error.to_string().contains(word), "{name} {form}: {error}");
        }
    }
}

#[test]
fn encrypted_keys_are_named_as_such() {
    for name in ["rsa-2048", "p-256"] {
        for form in ["encrypted_pkcs8_pem", "encrypted_traditional_pem"] {
            let error = signing(algorithms(key(name))[0], key(name), form).expect_err(form);
            assert!(
                error.to_string().contains("is encrypted"),
                "{form}: {error}"
            );
        }
    }
}

/// As tools and editors write them, and among others.
#[test]
fn a_key_is_found_in_what_stands_around_it() {
    let vector = key("p-256");
    let pem = text(vector, "pkcs8_pem");
    let encrypted = text(vector, "encrypted_pkcs8_pem");
    for around in [
        pem.replace('\n', "\r\n"),
        format!("\u{feff}{pem}"),
        format!("Bag Attributes\n    friendlyName: me\n{pem}"),
        format!("{}{pem}", text(vector, "spki_pem")),
        format!("{pem}{encrypted}"),
        format!("{encrypted}{pem}"),
    ] {
        assert!(
            SigningKey::from_pem(Algorithm::ES256, &around).is_ok(),
            "{around}"
        );
    }
}

/// As editors write it, before each kind of text.
#[test]
fn a_byte_order_mark_is_passed_over() {
    let vector = key("rsa-2048");
    let algorithm = algorithms(vector)[0];
    for form in forms(vector, VERIFYING_FORMS) {
        if form.ends_with("_pem") {
            let pem = format!("\u{feff}{}", text(vector, form));
            VerifyingKey::from_pem(algorithm, pem).expect(form);
        }
    }
    let signing = SigningKey::from_pem(algorithm, text(vector, "pkcs8_pem")).unwrap();
    let certificate = format!("\u{feff}{}", text(vector, "certificate_pem"));
    assert!(signing.with_certificate(certificate).is_ok());
    let jwk = format!("\u{feff}{}", vector["public_jwk"]);
    assert!(!Jwk::from_slice(jwk.as_bytes()).unwrap().is_private());
    let set = format!("{{\"keys\":[{}]}}", vector["public_jwk"]);
    for set in [format!("\u{feff}{set}"), set] {
        assert_eq!(JwkSet::from_slice(set.as_bytes()).unwrap().keys().len(), 1);
    }
    for (content, problem) in [
        ("", "the JWK Set is not"),
        ("{}", "the JWK Set is not"),
        ("\u{feff}\u{feff}{\"keys\":[]}", "the JWK Set is not"),
        (r#"{"keys":[],"keys":[],"hunter2":1}"#, "the JWK Set is not"),
    ] {
        let error = JwkSet::from_slice(content.as_bytes())
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(problem), "{error}");
        let error = Jwk::from_slice(content.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("the JWK "), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_public_key_instead_of_a_private_one_is_named_as_such_and_vice_versa() {
    let rsa = key("rsa-2048");
    let error = SigningKey::from_pem(Algorithm::RS256, text(rsa, "spki_pem")).unwrap_err();
    assert!(
        error.to_string().contains("contains a public key instead"),
        "{error}"
    );
    let error = VerifyingKey::from_pem(Algorithm::RS256, text(rsa, "pkcs8_pem")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("a private key instead of a public key"),
        "{error}"
    );
    let error = SigningKey::from_jwk(Algorithm::RS256, &jwk(&rsa["public_jwk"])).unwrap_err();
    assert!(error.to_string().contains("is a public key"), "{error}");
    let error = SigningKey::from_pem(Algorithm::HS256, text(rsa, "pkcs8_pem")).unwrap_err();
    assert!(
        error.to_string().contains("signs with a shared secret"),
        "{error}"
    );
}

#[test]
fn invalid_keys_are_refused_and_not_quoted() {
    for pem in [
        "",
        "hunter2",
        "-----BEGIN PRIVATE KEY-----\nhunter2",
        "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n",
        "-----BEGIN EC PRIVATE KEY-----\n\n-----END EC PRIVATE KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\naHVudGVyMg==\n-----END PUBLIC KEY-----\n",
        "-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n",
    ] {
        for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
            for error in [
                SigningKey::from_pem(algorithm, pem).expect_err(pem),
                SigningKey::from_der(algorithm, pem).expect_err(pem),
                VerifyingKey::from_pem(algorithm, pem).expect_err(pem),
                VerifyingKey::from_der(algorithm, pem).expect_err(pem),
            ] {
                assert_eq!(error.kind(), ErrorKind::Usage);
                assert!(!format!("{error} {error:?}").contains("hunter2"));
            }
        }
    }
}

/// No byte of a key can be cut off, whatever byte is changed.
#[test]
fn damaged_files_never_panic() {
    for (name, form) in [
        ("rsa-2048", "pkcs1_der"),
        ("p-256", "pkcs8_der"),
        ("p-384", "sec1_der"),
        ("ed25519", "pkcs8_v2_der"),
        ("p-256", "certificate_der"),
        ("rsa-2048", "spki_der"),
    ] {
        let key = key(name);
        let algorithm = algorithms(key)[0];
        let der = STANDARD.decode(text(key, form)).unwrap();
        let private = SIGNING_FORMS.contains(&form.trim_end_matches("_der"));
        for length in 0..der.len() {
            let cut = &der[..length];
            assert!(SigningKey::from_der(algorithm, cut).is_err());
            assert!(VerifyingKey::from_der(algorithm, cut).is_err());
        }
        // Some of each, as RSA keys take long to be read.
        for at in (0..der.len()).step_by(if private { 7 } else { 1 }) {
            let mut changed = der.clone();
            changed[at] ^= 0x81;
            let _ = SigningKey::from_der(algorithm, &changed);
            let _ = VerifyingKey::from_der(algorithm, &changed);
        }
    }
}

#[test]
fn contradictory_or_trailing_input_is_refused() {
    let p256 = STANDARD.decode(text(key("p-256"), "pkcs8_der")).unwrap();
    // The curve of PKCS#8 is changed; the key within names none, or its own.
    let name = b"\x2a\x86\x48\xce\x3d\x03\x01\x07";
    let at = p256.windows(8).position(|window| window == name).unwrap();
    let mut changed = p256.clone();
    changed[at + 7] = 1;
    assert!(SigningKey::from_der(Algorithm::ES256, &changed).is_err());
    // SEC1 that names its curve, in a PKCS#8 for another.
    let sec1 = STANDARD.decode(text(key("p-256"), "sec1_der")).unwrap();
    let p384 = b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
    let inner = [&[4, u8::try_from(sec1.len()).unwrap()][..], &sec1].concat();
    let content = [b"\x02\x01\x00", &p384[..], &inner].concat();
    let length = u8::try_from(content.len()).unwrap();
    let outer = [&[0x30, 0x81, length][..], &content].concat();
    let error = SigningKey::from_der(Algorithm::ES384, outer).unwrap_err();
    assert!(
        error.to_string().contains("the private key is invalid"),
        "{error}"
    );
    let public = STANDARD
        .decode(text(key("rsa-2048"), "pkcs1_public_der"))
        .unwrap();
    assert!(VerifyingKey::from_der(Algorithm::RS256, &public).is_ok());
    let mut longer = public.clone();
    longer.push(0);
    assert!(VerifyingKey::from_der(Algorithm::RS256, &longer).is_err());
    // A third number within the sequence.
    let mut third = public.clone();
    third.extend([2, 1, 7]);
    let length = u16::try_from(third.len() - 4).unwrap().to_be_bytes();
    third[2..4].copy_from_slice(&length);
    assert!(VerifyingKey::from_der(Algorithm::RS256, &third).is_err());
}

#[test]
fn a_certificate_names_its_key() {
    for name in ["rsa-2048", "p-256", "p-384", "ed25519"] {
        let vector = key(name);
        let algorithm = algorithms(vector)[0];
        let signing = signing(algorithm, vector, "pkcs8_pem").unwrap();
        let certified = signing
            .with_certificate(text(vector, "certificate_pem"))
            .unwrap();
        let thumbprint = certified.header().get("x5t#S256").cloned();
        assert_eq!(thumbprint.as_ref(), Some(&vector["x5t_s256"]));
        let external = ExternalKey::new(algorithm);
        let external = external
            .with_certificate(text(vector, "certificate_pem"))
            .unwrap();
        assert_eq!(external.header().get("x5t#S256"), thumbprint.as_ref());
    }
    let other =
        ExternalKey::new(Algorithm::ES256).with_certificate(text(key("p-384"), "certificate_pem"));
    assert!(other.unwrap_err().to_string().contains("ES256 needs"));
    let key_of = |name: &str| signing(algorithms(key(name))[0], key(name), "pkcs8_pem").unwrap();
    let other = key_of("p-256").with_certificate(text(key("p-384"), "certificate_pem"));
    assert!(
        other
            .unwrap_err()
            .to_string()
            .contains("belongs to another key")
    );
    let none = key_of("p-256").with_certificate(text(key("p-256"), "spki_pem"));
    assert!(
        none.unwrap_err()
            .to_string()
            .contains("instead of a certificate")
    );
    let shared = SigningKey::hmac(Algorithm::HS256, [7; 32]).unwrap();
    assert!(
        shared
            .with_certificate(text(key("p-256"), "certificate_pem"))
            .is_err()
    );
}

#[test]
fn debug_tells_no_secret() {
    let vector = key("rsa-2048");
    let jwk = jwk(&vector["private_jwk"]);
    let signing = SigningKey::from_jwk(Algorithm::RS256, &jwk)
        .unwrap()
        .with_key_id("1");
    assert_eq!(
        format!("{signing:?}"),
        "SigningKey { algorithm: RS256, key_id: Some(\"1\"), .. }"
    );
    assert_eq!(
        format!("{:?}", signing.verifying_key()),
        "VerifyingKey { algorithm: RS256, key_id: Some(\"1\"), .. }"
    );
    let kid = text(vector, "thumbprint_sha256");
    assert_eq!(
        format!("{jwk:?}"),
        format!(
            "Jwk {{ key_type: \"RSA\", key_id: Some({kid:?}), algorithm: None, private: true, .. }}"
        )
    );
}

/// The point is optional in SEC1, and ring needs it.
#[test]
fn an_ec_key_without_its_public_point_is_refused_with_advice() {
    for pem in [
        include_str!("../vectors/ec-p256-without-public-point.pkcs8.pem"),
        include_str!("../vectors/ec-p256-without-public-point.sec1.pem"),
    ] {
        let error = SigningKey::from_pem(Algorithm::ES256, pem).expect_err("no point");
        assert_eq!(
            error.to_string(),
            "the EC key does not include its public key; `openssl ec -in KEY -out NEW` adds it"
        );
    }
}

#[test]
fn keys_and_certificates_may_come_from_environment_variables() {
    let vector = key("p-256");
    for name in ["spki_pem", "certificate_pem"] {
        let escaped = format!("\"{}\"", text(vector, name).trim().replace('\n', "\\n"));
        assert!(
            VerifyingKey::from_pem(Algorithm::ES256, escaped).is_ok(),
            "{name}"
        );
    }
    for (pem, said) in [
        (
            "keys/public.pem",
            "the text is the name of a file instead of a public key",
        ),
        (
            "ssh-ed25519 AAAA",
            "the PEM contains a public key in the format of OpenSSH",
        ),
    ] {
        let error = VerifyingKey::from_pem(Algorithm::ES256, pem).expect_err(said);
        assert!(error.to_string().starts_with(said), "{error}");
    }
}
