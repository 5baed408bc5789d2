//! Bad settings of certificates.

use super::{test, *};

fn identity() -> Identity {
    Authority::new().issue("client.example")
}

fn at_example() -> OAuth2ClientBuilder {
    OAuth2Client::builder("id").token_endpoint("https://id.example/token")
}

#[maybe_async]
#[test]
async fn an_authentication_by_certificate_needs_one() {
    let transport = certificate(&identity()).transport_only();
    let needs = "is tls_client_auth, which needs a certificate; set client_certificate";
    let only = "is tls_client_auth, but the client_certificate is for transport only";
    for (builder, problems) in [
        (
            at_example().token_endpoint_auth_method(TlsClientAuth),
            [format!("token_endpoint_auth_method {needs}")],
        ),
        (
            at_example().revocation_endpoint_auth_method(TlsClientAuth),
            [format!("revocation_endpoint_auth_method {needs}")],
        ),
        (
            at_example()
                .introspection_endpoint_auth_method(TlsClientAuth)
                .client_certificate(transport),
            [format!("introspection_endpoint_auth_method {only}")],
        ),
        (
            at_example().token_endpoint_auth_method(SelfSignedTlsClientAuth),
            ["is self_signed_tls_client_auth, which needs a certificate".to_owned()],
        ),
    ] {
        let error = bad_settings(builder.build());
        for problem in problems {
            assert!(error.contains(&problem), "{error}");
        }
    }
    let assertion = AssertionClient::builder("https://id.example/token")
        .client_id("id")
        .issuer("me")
        .signing_key(
            oauth_twin::jose::SigningKey::hmac(
                oauth_twin::jose::Algorithm::HS256,
                "a secret of thirty-two characters",
            )
            .expect("a key"),
        )
        .token_endpoint_auth_method(TlsClientAuth);
    let error = bad_settings(assertion.build());
    assert!(error.contains(needs), "{error}");
}

#[maybe_async]
#[test]
async fn a_certificate_authenticates_at_any_of_the_endpoints() {
    let builder = at_example()
        .client_certificate(certificate(&identity()))
        .token_endpoint_auth_method(TlsClientAuth)
        .revocation_endpoint_auth_method(SelfSignedTlsClientAuth);
    builder.build().expect("a client");
}

#[maybe_async]
#[test]
async fn a_method_that_the_server_does_not_offer_is_named() {
    let server = AuthorizationServer::new("https://id.example")
        .with_token_endpoint("https://id.example/token")
        .with_token_endpoint_auth_methods_supported(["self_signed_tls_client_auth"]);
    let builder = |server| {
        OAuth2Client::builder("id")
            .server(server)
            .client_certificate(certificate(&identity()))
    };
    let unlisted = builder(server.clone()).token_endpoint_auth_method(TlsClientAuth);
    let error = bad_settings(unlisted.build());
    let problem = "is tls_client_auth, which the server does not offer";
    assert!(error.contains(problem), "{error}");
    let listed = builder(server).token_endpoint_auth_method(SelfSignedTlsClientAuth);
    listed.build().expect("a client");
}

#[maybe_async]
#[test]
async fn a_bad_alias_is_named() {
    for (alias, problem) in [
        ("http://id.example/token", "must be https"),
        ("/token", "is not an absolute URL"),
        ("https://id.example/token#a", "must not have a fragment"),
    ] {
        let server = AuthorizationServer::new("https://id.example")
            .with_token_endpoint("https://id.example/token")
            .with_member("mtls_endpoint_aliases", json!({"token_endpoint": alias}));
        let error = bad_settings(OAuth2Client::builder("id").server(server).build());
        let named = format!("mtls_endpoint_aliases.token_endpoint {problem}");
        assert!(error.contains(&named), "{error}");
    }
}

/// The discovery has used the connections already.
#[maybe_async]
#[test]
async fn a_certificate_after_discover_is_a_bad_setting() -> TestResult {
    let provider = Provider::start();
    let identity = provider.clients.issue("client.example");
    let builder = provider
        .trusting(OAuth2Client::builder("id"))
        .discover(provider.plain.https(""))
        .await?
        .client_certificate(certificate(&identity));
    let error = bad_settings(builder.build());
    assert!(error.contains("client_certificate was changed after discover"));
    Ok(())
}
