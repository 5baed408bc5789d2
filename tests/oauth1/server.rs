//! Verification by a server that has only the sent request.

use oauth_twin::{
    http::Method,
    oauth1::{SignatureType, Signer},
};
use proptest::prelude::*;

#[path = "../support/signature.rs"]
mod signature;

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
        let found = signature::verify("POST", &signed.url, header.as_deref(), sent, secrets);
        let found = found.expect("a signature");
        prop_assert!(found.verified);
        let mut received = found.parameters;
        let mut meant: Vec<_> = query.into_iter().chain(fields).collect();
        received.sort();
        meant.sort();
        prop_assert_eq!(received, meant);
    }
}
