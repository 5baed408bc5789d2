//! Settings of an assertion client: each invalid one is named.

use std::time::Duration;

use oauth_twin::{
    BoxError, Secret,
    jose::Algorithm,
    oauth2::{Audience, ClientSecretPost, NoClientAuthentication, PrivateKeyJwt},
};
use support::jwt::signing_key;

use super::{test, *};

fn good() -> AssertionClientBuilder {
    AssertionClient::builder("https://id.example/token")
        .issuer("robot")
        .signing_key(signing_key(Algorithm::ES256, "p-256"))
}

fn by_function() -> AssertionClientBuilder {
    AssertionClient::builder("https://id.example/token")
        .assertion(|| Ok::<Secret, BoxError>("saml".into()))
}

#[maybe_async]
#[test]
async fn what_is_needed_is_enough() {
    assert!(good().build().is_ok());
    assert!(
        good()
            .token_endpoint_auth_method(NoClientAuthentication)
            .build()
            .is_ok()
    );
    assert!(by_function().build().is_ok());
    assert!(
        good()
            .token_endpoint_auth_method(ClientSecretPost)
            .client_id("a")
            .client_secret("b")
            .build()
            .is_ok()
    );
}

#[maybe_async]
#[test]
async fn each_bad_setting_is_named() {
    let key = || signing_key(Algorithm::ES256, "p-256");
    for (problem, builder) in [
        (
            "issuer is missing",
            AssertionClient::builder("https://id.example/token").signing_key(key()),
        ),
        (
            "signing_key is missing, and so are signer and assertion",
            AssertionClient::builder("https://id.example/token").issuer("robot"),
        ),
        (
            "the assertion cannot be made: issuer is empty",
            good().issuer(""),
        ),
        (
            "the assertion cannot be made: the claim exp is set by lifetime",
            good().claim("exp", 7),
        ),
        (
            "the assertion cannot be made: the claim jti is new for each request",
            good().claim("jti", "1"),
        ),
        (
            "the assertion cannot be made: the claim scope is set by scope",
            good().claim("scope", "a").scope_as_claim(true),
        ),
        (
            "the assertion cannot be made: the member alg of the header",
            good().header("alg", "none"),
        ),
        (
            "the assertion cannot be made: lifetime is shorter than a second, the minimum",
            good().lifetime(Duration::from_millis(999)),
        ),
        (
            "the assertion cannot be made: lifetime is longer than a day, the maximum",
            good().lifetime(Duration::MAX),
        ),
        (
            "the assertion cannot be made: Audience::Issuer needs the issuer identifier",
            good().audience(Audience::Issuer),
        ),
        ("grant_type is empty", good().grant_type("")),
        ("client_id is empty", good().client_id("")),
        (
            "client_secret is empty",
            good().client_id("id").client_secret(""),
        ),
        (
            "client_secret cannot be used: it needs a client_id",
            good().client_secret("secret"),
        ),
        (
            "client_secret cannot be used: the client_secret is a key in PEM",
            good()
                .client_id("id")
                .client_secret("-----BEGIN PRIVATE KEY-----"),
        ),
        (
            "token_endpoint_auth_method cannot be used: it needs a client_id",
            good().token_endpoint_auth_method(PrivateKeyJwt::new(key())),
        ),
        (
            "token_endpoint_auth_method cannot be used: client_secret_post needs a client_secret",
            good()
                .client_id("id")
                .token_endpoint_auth_method(ClientSecretPost),
        ),
        ("scope cannot be sent", good().scope("a\"b")),
        ("resource is not an absolute URI", good().resource("api")),
        (
            "timeout must be longer than zero",
            good().timeout(Duration::ZERO),
        ),
        (
            "close_timeout must be longer than zero",
            good().close_timeout(Duration::ZERO),
        ),
        (
            "issuer has no effect beside assertion",
            by_function().issuer("robot"),
        ),
        (
            "signing_key has no effect beside assertion",
            by_function().signing_key(key()),
        ),
        (
            "lifetime has no effect beside",
            by_function().lifetime(Duration::from_secs(9)),
        ),
        (
            "claim has no effect beside assertion",
            by_function().claim("a", 1),
        ),
    ] {
        let found = bad_settings(builder.build());
        assert!(found.starts_with(problem), "{problem}: {found}");
    }
}

#[maybe_async]
#[test]
async fn the_token_endpoint_has_to_be_https() {
    for (url, problem) in [
        ("/token", "token_endpoint is not an absolute URL"),
        ("http://id.example/token", "token_endpoint must be https"),
        (
            "https://id.example/token#a",
            "token_endpoint must not have a fragment",
        ),
        (
            "https://a:b@id.example/",
            "token_endpoint must not contain a user name",
        ),
    ] {
        let builder = AssertionClient::builder(url)
            .issuer("robot")
            .signing_key(signing_key(Algorithm::ES256, "p-256"));
        assert!(bad_settings(builder.build()).starts_with(problem), "{url}");
    }
    let plain = AssertionClient::builder("http://id.example/token")
        .issuer("robot")
        .signing_key(signing_key(Algorithm::ES256, "p-256"))
        .dangerous_allow_http();
    assert!(plain.build().is_ok());
}

#[maybe_async]
#[test]
async fn all_bad_settings_are_named_at_once() {
    let builder = AssertionClient::builder("nonsense")
        .scope("\"")
        .timeout(Duration::ZERO);
    let found = bad_settings(builder.build());
    assert_eq!(found.split("; ").count(), 5, "{found}");
}

#[maybe_async]
#[test]
async fn invalid_service_account_files_are_refused() {
    for (file, problem) in [
        ("", "is not a JSON object"),
        (
            include_str!("../vectors/authorized_user.json"),
            "is of the type authorized_user",
        ),
    ] {
        let error = AssertionClient::from_service_account(file).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("the service account file {problem}")),
            "{text}"
        );
    }
}

#[maybe_async]
#[test]
async fn debug_tells_no_secret() {
    let text = format!(
        "{:?}",
        AssertionClient::builder("https://id.example/token?key=hunter2")
            .issuer("robot")
            .signing_key(signing_key(Algorithm::ES256, "p-256"))
            .client_secret("hunter2")
            .token(Token::new("hunter2"))
    );
    let name = CLIENT.replace("OAuth2Client", "AssertionClientBuilder");
    assert!(text.starts_with(&format!(
        "{name} {{ server: AuthorizationServer {{ issuer: None, \
         token_endpoint: Some(\"https://id.example/token\"), "
    )));
    assert!(!text.contains("hunter2"), "{text}");
}
