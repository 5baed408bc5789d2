//! Tests of `oauth1::Signer` by its public interface.

#![allow(unreachable_pub, reason = "a test program has no outside")]

mod keys;
mod large;
mod methods;
mod placement;
mod refusals;
mod rfc_5849;
mod server;

use oauth_twin::{
    http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    oauth1::{SignedRequest, Signer},
};

const FORM: &str = "application/x-www-form-urlencoded";

fn headers<const N: usize>(headers: [(HeaderName, &str); N]) -> HeaderMap {
    let value = |value| HeaderValue::try_from(value).expect("a header");
    headers
        .into_iter()
        .map(|(name, text)| (name, value(text)))
        .collect()
}

fn form() -> HeaderMap {
    headers([(CONTENT_TYPE, FORM)])
}

fn signer() -> Signer {
    Signer::new("key")
        .client_secret("secret")
        .nonce("abc")
        .timestamp(123)
}

fn header(signed: &SignedRequest<'_>) -> String {
    let header = signed.authorization.as_ref().expect("a header");
    assert!(header.is_sensitive());
    header.to_str().expect("ASCII").to_owned()
}
