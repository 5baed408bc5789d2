//! OAuth 1.0: invalid settings are named, all at once, before anything is sent.

use std::time::Duration;

use oauth_twin::{
    ErrorKind,
    oauth1::{SignatureMethod, SignatureType},
};

use super::{test, *};

#[maybe_async]
#[test]
async fn each_bad_setting_is_named() {
    let good = || OAuth1Client::builder("key");
    for (name, builder) in [
        ("client_key is empty", OAuth1Client::builder("")),
        ("client_secret is empty", good().client_secret("")),
        (
            "request_token_endpoint is not an absolute URL",
            good().request_token_endpoint("/request_token"),
        ),
        (
            "request_token_endpoint must be https",
            good().request_token_endpoint("http://api.example/request_token"),
        ),
        (
            "authorization_endpoint must be https",
            good().authorization_endpoint("http://api.example/authorize"),
        ),
        (
            "authorization_endpoint must not have parameters of OAuth",
            good().authorization_endpoint("https://api.example/authorize?oauth_token=x"),
        ),
        (
            "access_token_endpoint must not have a fragment",
            good().access_token_endpoint("https://api.example/access_token#x"),
        ),
        (
            "access_token_endpoint must not contain a user name",
            good().access_token_endpoint("https://a:b@api.example/access_token"),
        ),
        ("redirect_uri is neither", good().redirect_uri("ready")),
        ("redirect_uri is neither", good().redirect_uri("")),
        ("realm has a control character", good().realm("a\nb")),
        (
            "realm is sent only in the header",
            good().realm("a").signature_type(SignatureType::Query),
        ),
        (
            "signature_method cannot be used",
            good().signature_method(SignatureMethod::from_fn("", |_, _| Ok(String::new()))),
        ),
        ("timeout must be longer", good().timeout(Duration::ZERO)),
    ] {
        let problems = bad_settings(builder.build());
        assert!(problems.starts_with(name), "{name}: {problems}");
    }
    let all = OAuth1Client::builder("")
        .client_secret("")
        .redirect_uri("")
        .timeout(Duration::ZERO);
    assert_eq!(bad_settings(all.build()).split("; ").count(), 5);
}

#[maybe_async]
#[test]
async fn bad_settings_do_not_show_secrets() {
    let builder = OAuth1Client::builder("")
        .client_secret("hunter2")
        .request_token_endpoint("https://id:hunter2@api.example/?hunter2");
    assert!(!bad_settings(builder.build()).contains("hunter2"));
}

#[maybe_async]
#[test]
async fn plain_http_has_to_be_permitted() -> TestResult {
    let builder = || OAuth1Client::builder("key").access_token_endpoint("http://api.invalid/token");
    assert!(builder().build().is_err());
    let client = builder().dangerous_allow_http().build()?;
    let error = client.get("http://api.invalid/").send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport, "it was tried");
    Ok(())
}
