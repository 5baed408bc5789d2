//! Nonces, custom methods, and allocations of a signature.

use std::collections::HashSet;

use oauth_twin::{
    http::{Method, header::HeaderMap},
    oauth1::{SignatureMethod, SignatureType, Signer},
};

use super::{form, header, signer};

#[test]
fn nonces_are_new_and_timestamps_the_clock_s() {
    let signer = Signer::new("key");
    let nonces: HashSet<String> = (0..100)
        .map(|_| {
            let signed = signer.sign(&Method::GET, "https://a.example/", &HeaderMap::new(), "");
            let header = header(&signed.expect("a signature"));
            let value = |name: &str| {
                let (_, rest) = header.split_once(&format!("{name}=\"")).expect(name);
                rest.split('"').next().expect(name).to_owned()
            };
            let timestamp: u64 = value("oauth_timestamp").parse().expect("a number");
            assert!(timestamp > 1_700_000_000);
            value("oauth_nonce")
        })
        .collect();
    assert_eq!(nonces.len(), 100);
    let clock = oauth_twin::Clock::from_fn(|| std::time::UNIX_EPOCH);
    let signed = signer.clock(clock);
    let signed = signed.sign(&Method::GET, "https://a.example/", &HeaderMap::new(), "");
    assert!(header(&signed.expect("a signature")).contains("oauth_timestamp=\"0\""));
}

#[test]
fn own_methods() {
    let method = SignatureMethod::from_fn("X-OWN", |base_string, secrets| match base_string {
        _ if secrets.token_secret().is_empty() => Err("no token".into()),
        _ => Ok(format!(
            "{} {}",
            base_string.len(),
            secrets.key().expose_secret()
        )),
    });
    assert_eq!(format!("{method:?}"), "X-OWN");
    let signer = signer().signature_method(method);
    let url = "https://a.example/";
    assert_eq!(
        signer
            .sign(&Method::GET, url, &HeaderMap::new(), "")
            .expect_err(url)
            .to_string(),
        "the signature method could not complete the request"
    );
    let signer = signer.token("t", "s");
    let signed = signer
        .sign(&Method::GET, url, &HeaderMap::new(), "")
        .expect(url);
    assert!(header(&signed).contains("oauth_signature_method=\"X-OWN\""));
    assert!(
        header(&signed).ends_with("oauth_signature=\"172%20secret%26s\""),
        "{}",
        header(&signed)
    );
}

/// Parameters that are encoded once for all requests are encoded again after a change.
#[test]
fn a_setting_counts_after_a_signature_too() {
    let plain = || signer().nonce("n / 1").timestamp(1);
    let sign = |signer: &Signer| {
        let signed = signer.sign(&Method::PUT, "https://a.example/", &HeaderMap::new(), "");
        let signed = signed.expect("a signature");
        (signed.url.into_owned(), signed.authorization, signed.body)
    };
    let used = plain();
    let first = sign(&used);
    let settings: [fn(Signer) -> Signer; 13] = [
        |signer| signer.client_secret("other"),
        |signer| signer.token("to ken", "other"),
        |signer| signer.signature_method(SignatureMethod::HmacSha256),
        |signer| signer.signature_method(SignatureMethod::Plaintext),
        |signer| signer.signature_type(SignatureType::Query),
        |signer| signer.signature_type(SignatureType::Body),
        |signer| signer.realm("realm"),
        |signer| signer.force_include_body(true),
        |signer| signer.callback("https://app.example/?a=b c"),
        |signer| signer.verifier("veri fier"),
        |signer| signer.session_handle("hand le"),
        |signer| signer.nonce("other"),
        |signer| signer.without_version(),
    ];
    for (n, change) in settings.into_iter().enumerate() {
        let changed = sign(&change(used.clone()));
        assert_eq!(changed, sign(&change(plain())), "{n}");
        assert_ne!(changed, first, "{n}");
    }
}

/// Beyond the header itself: the one text in which all is put together.
#[test]
fn a_signature_needs_two_allocations() {
    let signer = Signer::new("dpf43f3p2l4k3l03").client_secret("kd94hf93k423kf44");
    let signer = signer.token("nnch734d00sl2jdk", "pfkkdhi9sl3r4s00");
    let form = form();
    let body = "status=Hello%20Ladies%20%2B%20Gentlemen&a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9";
    let url = "https://api.example.com/1.1/statuses/update.json?include_entities=true";
    let sign = || {
        drop(
            signer
                .sign(&Method::POST, url, &form, body)
                .expect("a signature"),
        )
    };
    sign();
    let measured = allocation_counter::measure(sign);
    assert_eq!(measured.count_total, 2);
}
