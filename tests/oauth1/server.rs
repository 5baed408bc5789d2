//! A server after RFC 5849 section 3.2, as simple as can be, that sees only what is sent.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use oauth_twin::{
    oauth1::{SignatureType, Signer},
    reqwest::Method,
};
use proptest::prelude::*;
use ring::hmac;

fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn parse(form: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(form.as_bytes())
        .into_owned()
        .collect()
}

/// Whether the signature is that of the two secrets, and the parameters but for those of the
/// protocol.
fn verify(
    method: &Method,
    url: &str,
    authorization: Option<&str>,
    form: &str,
    secrets: [&str; 2],
) -> (bool, Vec<(String, String)>) {
    let url = url::Url::parse(url).expect("a URL");
    let mut parameters = parse(url.query().unwrap_or_default());
    parameters.extend(parse(form));
    for parameter in authorization
        .into_iter()
        .flat_map(|header| header[6..].split(", "))
    {
        let (name, value) = parameter.split_once('=').expect("a parameter");
        if name != "realm" {
            parameters.extend(parse(&format!("{name}={}", value.trim_matches('"'))));
        }
    }
    let signature = parameters
        .iter()
        .position(|(name, _)| name == "oauth_signature");
    let (_, signature) = parameters.remove(signature.expect("a signature"));
    let mut pairs: Vec<_> = parameters
        .iter()
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut uri = url.clone();
    uri.set_query(None);
    uri.set_fragment(None);
    let base_string = [method.as_str(), uri.as_str(), &pairs.join("&")]
        .map(encode)
        .join("&");
    let key = secrets.map(encode).join("&");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    let tag = STANDARD.decode(signature).expect("base64");
    let verified = hmac::verify(&key, base_string.as_bytes(), &tag).is_ok();
    parameters.retain(|(name, _)| !name.starts_with("oauth_"));
    (verified, parameters)
}

proptest! {
    #[test]
    fn a_server_reads_what_was_meant_and_verifies_it(
        key: String, secret: String, token: String, token_secret: String, callback: String,
        query in prop::collection::vec(any::<(String, String)>(), 0..5),
        fields in prop::collection::vec(any::<(String, String)>(), 0..40),
        path: String, realm in "[^\\pC\",]*",
        placement in prop::sample::select(vec![SignatureType::Header, SignatureType::Query, SignatureType::Body]),
    ) {
        prop_assume!(!key.is_empty());
        let mut url = url::Url::parse("https://a.example:8443/").expect("a URL");
        url.set_path(&path);
        url.query_pairs_mut().extend_pairs(&query);
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
        let signer = Signer::new(key)
            .client_secret(secret.as_str())
            .token(token, token_secret.as_str())
            .callback(callback)
            .realm(realm)
            .signature_type(placement);
        let headers = super::form();
        let signed = signer.sign(&Method::POST, url.as_str(), &headers, &body);
        let signed = signed.expect("a signature");
        let sent = signed.body.as_deref().unwrap_or(body.as_bytes());
        let sent = std::str::from_utf8(sent).expect("ASCII");
        let header = signed.authorization.as_ref();
        // A realm need not be ASCII.
        let header = header.map(|header| String::from_utf8(header.as_bytes().to_vec()).expect("UTF-8"));
        let secrets = [secret.as_str(), token_secret.as_str()];
        let (verified, mut received) =
            verify(&Method::POST, &signed.url, header.as_deref(), sent, secrets);
        prop_assert!(verified);
        let mut meant: Vec<_> = query.into_iter().chain(fields).collect();
        received.sort();
        meant.sort();
        prop_assert_eq!(received, meant);
    }
}
