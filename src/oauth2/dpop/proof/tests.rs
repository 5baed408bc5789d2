use std::{
    collections::HashSet,
    time::{Duration, UNIX_EPOCH},
};

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::jose::{Algorithm, Jwk, Jws, VerifyingKey};

/// The proofs of RFC 9449: section 5 (figure 1), section 7.1 (figure 12).
const OF_THE_RFC: [&str; 2] = [
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNo\
     UklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERW\
     clUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh\
     0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8\
     v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg",
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNo\
     UklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERW\
     clUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR\
     1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCw\
     iYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-E\
     y71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA",
];

/// The access token of RFC 9449.
const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";

fn key() -> DpopKey {
    DpopKey::generate(Algorithm::ES256).expect("a key")
}

fn at(seconds: u64) -> Clock {
    Clock::from_fn(move || UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Header and claims of a proof that is verified by the key in its header.
fn read(proof: &str) -> (Value, Value) {
    let jws = Jws::parse(proof).expect("a JWS");
    let jwk = jws.header().get("jwk").expect("a key").clone();
    let public: Jwk = serde_json::from_value(jwk.clone()).expect("a JWK");
    let key = VerifyingKey::from_jwk(jws.header().algorithm(), &public).expect("a key");
    let claims = jws.verify(&key).expect("the key has signed it");
    assert_eq!(jws.header().typ(), Some("dpop+jwt"));
    (jwk, serde_json::from_slice(claims).expect("claims"))
}

fn url(url: &str) -> Url {
    url.parse().expect("a URL")
}

/// The claims of our proof of a request, without its identifier.
fn claims_of(proof: &DpopProof<'_>) -> Value {
    let signed = proof.sign(&key()).expect("a proof");
    assert!(signed.is_sensitive());
    let (_, mut claims) = read(signed.to_str().expect("text"));
    let members = claims.as_object_mut().expect("an object");
    let jti = members.remove("jti").expect("an identifier");
    assert_eq!(jti.as_str().map(str::len), Some(22));
    claims
}

#[test]
fn the_proofs_of_rfc_9449_have_the_claims_of_ours() {
    let (method, token_endpoint) = (Method::POST, url("https://server.example.com/token"));
    let ours = DpopProof::new(&method, &token_endpoint).clock(at(1_562_262_616));
    let resource = url("https://resource.example.org/protectedresource");
    let at_resource = DpopProof::new(&Method::GET, &resource)
        .access_token(&TOKEN.into())
        .clock(at(1_562_262_618));
    for (theirs, ours) in OF_THE_RFC.into_iter().zip([ours, at_resource]) {
        let (jwk, mut claims) = read(theirs);
        let public: Jwk = serde_json::from_value(jwk.clone()).expect("a JWK");
        assert_eq!(
            public.thumbprint().expect("a thumbprint"),
            "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
        );
        let same_key = DpopKey::external(Algorithm::ES256, &public).expect("a key");
        let unsigned = ours
            .unsigned(&same_key)
            .expect("a proof")
            .with_signature(&[7; 64]);
        let header = Jws::parse(unsigned.expose_secret())
            .expect("a JWS")
            .header()
            .clone();
        assert_eq!(header.get("jwk"), Some(&jwk));
        claims.as_object_mut().expect("an object").remove("jti");
        assert_eq!(claims_of(&ours), claims);
    }
}

#[test]
fn query_and_fragment_are_not_part_of_the_target() {
    for (given, target) in [
        ("https://a.example/p?q=1#f", "https://a.example/p"),
        ("https://a.example:443", "https://a.example/"),
        (
            "https://A.example:8443/%7e/?",
            "https://a.example:8443/%7e/",
        ),
        ("https://a.example/a|b'c", "https://a.example/a|b'c"),
        ("https://a.example/@me?a@b", "https://a.example/@me"),
        ("https://a.example/a\"b/\\c", "https://a.example/a%22b//c"),
        // Ones that JSON has to escape, in each part of a short and of a long URL.
        ("http://a\"b/", "http://a\"b/"),
        (
            "http://a\"b.a-host-with-a-long-name.example/",
            "http://a\"b.a-host-with-a-long-name.example/",
        ),
        ("app:a\\b\"c", "app:a\\b\"c"),
        (
            "app://host/a/path/of/some/length/a\\b/and/more",
            "app://host/a/path/of/some/length/a\\b/and/more",
        ),
        ("app:/16-characters\\", "app:/16-characters\\"),
    ] {
        let (get, url) = (Method::GET, url(given));
        let proof = DpopProof::new(&get, &url).clock(at(7)).nonce("n-1");
        let expected = json!({"htm": "GET", "htu": target, "iat": 7, "nonce": "n-1"});
        assert_eq!(claims_of(&proof), expected, "{given}");
    }
}

#[test]
fn a_proof_of_any_length_is_signed() {
    let key = key();
    let paths = [0, 300, 350, 380, 400, 420, 450, 600, 5000].map(|length| "p".repeat(length));
    for path in paths {
        let url = url(&format!("https://a.example/{path}"));
        let nonce = "n".repeat(1 + path.len() % 1000);
        let proof = DpopProof::new(&Method::GET, &url).nonce(&nonce);
        let signed = proof.sign(&key).expect("a proof");
        let (_, claims) = read(signed.to_str().expect("text"));
        assert_eq!(claims["htu"], url.as_str());
        assert_eq!(claims["nonce"], nonce);
    }
}

#[test]
fn each_proof_is_new() {
    let (key, url) = (key(), url("https://a.example/"));
    let proof = DpopProof::new(&Method::GET, &url).clock(at(7));
    let identifiers: HashSet<_> = (0..100)
        .map(|_| {
            let signed = proof.sign(&key).expect("a proof");
            let (_, claims) = read(signed.to_str().expect("text"));
            claims["jti"].to_string()
        })
        .collect();
    assert_eq!(identifiers.len(), 100);
}

#[test]
fn the_private_key_is_not_in_the_proof() {
    let url = url("https://a.example/");
    let signed = DpopProof::new(&Method::GET, &url)
        .sign(&key())
        .expect("a proof");
    let (jwk, _) = read(signed.to_str().expect("text"));
    let names: Vec<_> = jwk.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["crv", "kty", "x", "y"]);
}

#[test]
fn what_cannot_be_proved_is_an_error() {
    let (key, plain, named) = (
        key(),
        url("https://a.example/"),
        url("https://u:p@a.example/"),
    );
    let proof = DpopProof::new(&Method::GET, &plain);
    for nonce in ["", "a\"b", "a\\b", "a b", "\u{e4}", &"n".repeat(1025)] {
        let error = proof.clone().nonce(nonce).sign(&key).expect_err(nonce);
        assert!(error.to_string().contains("nonce"), "{error}");
    }
    let long = url("https://u:p@a.example/a/path/of/more/than/sixteen/characters");
    for named in [
        named,
        long,
        url("https://u@a.example/"),
        url("https://:p@a.example/"),
    ] {
        let error = DpopProof::new(&Method::GET, &named)
            .sign(&key)
            .expect_err("a user name");
        let shown = format!("{error:?}");
        assert!(
            shown.contains("user name") && !shown.contains("u:p"),
            "{shown}"
        );
    }
    let public = Jwk::from_slice(
        br#"{"kty":"EC","crv":"P-256","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}"#,
    );
    let external = DpopKey::external(Algorithm::ES256, &public.expect("a JWK")).expect("a key");
    let error = proof.sign(&external).expect_err("an external key");
    assert!(error.to_string().contains("external"), "{error}");
}

#[test]
fn numbers_are_decimal() {
    for number in [
        0,
        7,
        9,
        10,
        99,
        100,
        101,
        999,
        1_000,
        1_790_000_000,
        u64::MAX,
    ] {
        let mut json = b"=".to_vec();
        write_number(&mut json, number).expect("space");
        assert_eq!(json, format!("={number}").as_bytes());
    }
}

proptest! {
    #[test]
    fn any_url_makes_claims_that_are_json(path in "[ -~]*", seconds: u64) {
        let mut target = url("https://a.example/");
        target.set_path(&path);
        let claims = DpopProof::new(&Method::GET, &target).clock(at(seconds % 9_999_999_999)).claims();
        let claims: Value = serde_json::from_slice(&claims.expect("claims")).expect("JSON");
        prop_assert_eq!(claims["htu"].as_str(), Some(&target[..Position::AfterPath]));
    }
}
