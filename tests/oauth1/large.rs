//! Large forms, of which no text is made.

use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use oauth_twin::oauth1::{SignatureMethod, SignatureType, Signer};
use proptest::prelude::*;
use ring::hmac;

/// Above this, in bytes.
const LARGE: usize = 40_000;

fn signer(method: SignatureMethod) -> Signer {
    Signer::new("key")
        .client_secret("secret")
        .token("token", "token secret")
        .signature_method(method)
        .nonce("nonce")
        .timestamp(137131202)
}

/// The same method as custom one, which gets the text.
fn by_text(method: &SignatureMethod) -> SignatureMethod {
    let algorithm = match method {
        SignatureMethod::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        SignatureMethod::HmacSha256 => hmac::HMAC_SHA256,
        _ => hmac::HMAC_SHA512,
    };
    SignatureMethod::from_fn(method.name(), move |base_string, secrets| {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let key = hmac::Key::new(algorithm, secrets.key().expose_secret().as_bytes());
        Ok(STANDARD.encode(hmac::sign(&key, base_string.as_bytes())))
    })
}

fn authorization(signer: &Signer, url: &str, form: &str) -> Result<HeaderValue, String> {
    let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, form_type)]);
    let signed = signer.sign(&Method::POST, url, &headers, form);
    let signed = signed.map_err(|error| error.to_string())?;
    Ok(signed.authorization.expect("a header"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_large_form_is_signed_as_its_text_is(
        pairs in prop::collection::vec(
            ("([a-c]|%41|%3d|[+%~-]|\u{e4}){0,4}", "([a-c]|%20|%C3%A4|[=+%~-]|.){0,30}"),
            1..200,
        ),
        query in "([ab]=[12]&?){0,3}",
    ) {
        let form: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut form = form.join("&");
        form = form.repeat(LARGE / form.len() + 1);
        let url = format!("https://api.example/upload?{query}");
        for method in [
            SignatureMethod::HmacSha1,
            SignatureMethod::HmacSha256,
            SignatureMethod::HmacSha512,
        ] {
            let text = signer(by_text(&method));
            prop_assert_eq!(
                authorization(&signer(method), &url, &form),
                authorization(&text, &url, &form)
            );
        }
    }
}

#[test]
fn the_protocol_s_names_are_refused_in_a_large_form() {
    let form = format!("a={}", "1".repeat(LARGE));
    let url = "https://api.example/upload";
    for method in [
        SignatureMethod::HmacSha1,
        SignatureMethod::Plaintext,
        by_text(&SignatureMethod::HmacSha1),
    ] {
        let signer = signer(method);
        assert!(authorization(&signer, url, &form).is_ok());
        let form = format!("{form}&%6Fauth_token=1");
        let error = authorization(&signer, url, &form).expect_err("a name that is taken");
        assert!(
            error.contains("the body of the request already has a parameter oauth_token"),
            "{error}"
        );
    }
}

#[test]
fn a_large_form_in_the_body_keeps_its_bytes() {
    let form = format!("b={}&a=+%2b&&c", "1".repeat(LARGE));
    let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, form_type)]);
    for method in [SignatureMethod::HmacSha1, SignatureMethod::Plaintext] {
        let signer = signer(method).signature_type(SignatureType::Body);
        let signed = signer.sign(&Method::POST, "https://api.example/", &headers, &form);
        let body = signed.expect("a signature").body.expect("a body");
        let expected = format!("{form}&oauth_consumer_key=key&");
        assert!(body.starts_with(expected.as_bytes()));
    }
}
