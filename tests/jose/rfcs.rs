//! The examples of RFC 7515, 7517, 7520, 7638, 8037 and 9101.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use oauth_twin::jose::{Algorithm, Claims, Header, Jwk, JwkSet, Jws, SigningKey, VerifyingKey};

use super::{RFCS, jwk, list, text};

#[test]
fn signatures() {
    let mut verified = 0;
    for vector in list(&RFCS, "signatures") {
        let (source, token) = (text(vector, "source"), text(vector, "token"));
        if vector["supported"] == false {
            let error = Jws::parse(token).expect_err(source).to_string();
            assert!(
                error.contains("never accepted") || error.contains("not supported"),
                "{source}: {error}"
            );
            continue;
        }
        verified += 1;
        let algorithm: Algorithm = text(vector, "alg").parse().expect(source);
        let key = jwk(&vector["key"]);
        let jws = Jws::parse(token).expect(source);
        assert_eq!(jws.header().algorithm(), algorithm);
        assert_eq!(jws.header().key_id(), vector["kid"].as_str());
        let verifying = VerifyingKey::from_jwk(algorithm, &key).expect(source);
        let payload = jws.verify(&verifying).expect(source);
        assert_eq!(payload, text(vector, "payload").as_bytes(), "{source}");
        // The same key signs, and where the algorithm lets it, to the same letter.
        let signing = SigningKey::from_jwk(algorithm, &key).expect(source);
        let (input, signature) = token.rsplit_once('.').unwrap();
        let made = signing.sign(input.as_bytes()).expect(source);
        verifying.verify(input.as_bytes(), &made).expect(source);
        if vector["deterministic"] == true {
            let made = URL_SAFE_NO_PAD.encode(made);
            assert_eq!(made, signature, "{source}");
        }
    }
    assert_eq!(
        verified, 7,
        "A.1 to A.3 of RFC 7515, three of RFC 7520, RFC 8037"
    );
}

/// Of these the RFC has the public key alone.
#[test]
fn request_objects() {
    let [vector] = list(&RFCS, "request_objects") else {
        panic!("the one of RFC 9101");
    };
    let token = text(vector, "token");
    let jws = Jws::parse(token).expect("a token");
    assert_eq!(jws.header().key_id(), vector["key"]["kid"].as_str());
    let key = VerifyingKey::from_jwk(Algorithm::RS256, &jwk(&vector["key"])).expect("a key");
    let payload = jws.verify(&key).expect("a signature");
    assert_eq!(payload, text(vector, "payload").as_bytes());
    // Another client cannot take it over.
    let (header, rest) = token.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let other = URL_SAFE_NO_PAD.encode(text(vector, "payload").replace("s6BhdRkqt3", "s6BhdRkqt4"));
    assert_ne!(payload, other);
    let other = format!("{header}.{other}.{signature}");
    assert!(Jws::parse(&other).expect("a token").verify(&key).is_err());
}

#[test]
fn sets() {
    for vector in list(&RFCS, "sets") {
        let source = text(vector, "source");
        let keys = vector["jwks"]["keys"].as_array().unwrap();
        let set: JwkSet = serde_json::from_value(vector["jwks"].clone()).expect(source);
        assert_eq!(set.keys().len(), keys.len(), "{source}");
        // Written as they were read.
        assert_eq!(
            serde_json::to_value(&set).unwrap(),
            vector["jwks"],
            "{source}"
        );
        for (key, vector) in set.keys().iter().zip(keys) {
            assert_eq!(key.key_type(), text(vector, "kty"));
            assert_eq!(
                key.is_private(),
                vector.get("d").or(vector.get("k")).is_some()
            );
        }
    }
    let public = list(&RFCS, "sets")[0]["jwks"].clone();
    let set: JwkSet = serde_json::from_value(public).unwrap();
    // RFC 7517 appendix A.1: the EC key is there for encryption, the RSA key for RS256.
    let error = VerifyingKey::from_jwk(Algorithm::ES256, &set.keys()[0]).expect_err("enc");
    assert!(
        error.to_string().contains("not intended for signatures"),
        "{error}"
    );
    assert!(VerifyingKey::from_jwk(Algorithm::RS256, &set.keys()[1]).is_ok());
    let error = VerifyingKey::from_jwk(Algorithm::PS256, &set.keys()[1]).expect_err("alg");
    assert!(error.to_string().contains("another algorithm"), "{error}");
}

#[test]
fn keys() {
    for vector in list(&RFCS, "keys") {
        let key: Jwk = jwk(&vector["key"]);
        assert_eq!(serde_json::to_value(&key).unwrap(), vector["key"]);
        assert!(key.thumbprint().is_ok(), "{}", text(vector, "source"));
    }
}

#[test]
fn thumbprints() {
    for vector in list(&RFCS, "thumbprints") {
        let thumbprint = jwk(&vector["key"]).thumbprint().unwrap();
        assert_eq!(
            thumbprint,
            text(vector, "sha256"),
            "{}",
            text(vector, "source")
        );
    }
}

#[test]
fn certificates() {
    for vector in list(&RFCS, "certificates") {
        let source = text(vector, "source");
        let der = STANDARD.decode(vector["x5c"][0].as_str().unwrap()).unwrap();
        let certified = VerifyingKey::from_der(Algorithm::RS256, der).expect(source);
        // There is no private key to it, so this is about what is read.
        let key = VerifyingKey::from_jwk(Algorithm::RS256, &jwk(&vector["key"])).expect(source);
        assert_eq!(certified.algorithm(), key.algorithm());
    }
}

/// RFC 7515 appendix A.1.1: the header to the letter, but for its order and its line breaks.
#[test]
fn a_header_is_written_as_it_is_read() {
    let header = Header::new(Algorithm::HS256)
        .with_typ("JWT")
        .with("x", vec![1, 2]);
    let input = header.signing_input(b"").unwrap();
    let token = input.with_signature(b"");
    let jws = Jws::parse(token.expose_secret()).unwrap();
    assert_eq!(jws.header(), &header);
    assert!(header.with("crit", vec!["x"]).signing_input(b"").is_err());
}

#[test]
fn a_header_is_for_the_algorithm_of_its_key() {
    let key = SigningKey::hmac(Algorithm::HS256, [7; 32]).unwrap();
    let claims = Claims::new();
    let error = claims.sign_with_header(&Header::new(Algorithm::HS384), &key);
    assert_eq!(
        error.unwrap_err().to_string(),
        "the header names the algorithm HS384, but the key signs by HS256; use a key of that \
         algorithm"
    );
    // Nothing else can be put in its place.
    let header = key.header().with("alg", "none");
    assert_eq!(header.get("alg"), None);
    let token = claims.sign_with_header(&header, &key).unwrap();
    let jws = Jws::parse(token.expose_secret()).unwrap();
    assert_eq!(jws.header().algorithm(), Algorithm::HS256);
    assert!(jws.verify(&key.verifying_key()).is_ok());
}
