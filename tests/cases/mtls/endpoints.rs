//! The endpoints that a client with a certificate uses.

use oauth_twin::jose::{Algorithm, SigningKey};

use super::{test, *};

/// What a client does at each of the endpoints that have an alias.
#[maybe_async]
async fn use_all_endpoints(client: &OAuth2Client) -> TestResult {
    client.fetch_token(ClientCredentials::new()).await?;
    client.refresh_token().await?;
    client.introspect_token().await?;
    client.userinfo("alice").await?;
    let device = DeviceAuthorizationRequest::new();
    client.device_authorization(device).await?;
    client.revoke_token().await?;
    Ok(())
}

/// All requests have gone to the aliases, with the certificate.
fn all_used_aliases(provider: &Provider, identity: &Identity, name: &str) {
    assert_eq!(provider.plain.requests_in_all(), 0, "{name}");
    for (_, path) in ENDPOINTS {
        let thumbprints = provider.thumbprints(path);
        assert!(!thumbprints.is_empty(), "{name}: {path}");
        assert!(thumbprints.iter().all(|it| *it == identity.thumbprint()));
    }
}

/// The name of the test in the conformance suite: the token endpoint is that of
/// `mtls_endpoint_aliases`.
#[maybe_async]
#[test]
async fn oidcc_client_test_mtls_endpoint_aliases() -> TestResult {
    let provider = Provider::start();
    let identity = provider.clients.issue("client.example");
    let client = provider
        .builder(&identity)
        .token_endpoint_auth_method(TlsClientAuth)
        .build()?;
    use_all_endpoints(&client).await?;
    all_used_aliases(&provider, &identity, "tls_client_auth");
    for form in provider.mtls.requests("/token") {
        assert_eq!(form.parameter("client_id").as_deref(), Some("id"));
        assert_eq!(form.header("authorization"), None);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn the_aliases_serve_every_client_authentication() -> TestResult {
    let key = include_str!("../../vectors/p-256.pkcs8.pem");
    let key = SigningKey::from_pem(Algorithm::ES256, key)?;
    for n in 0..4 {
        let provider = Provider::start();
        let identity = provider.clients.issue("client.example");
        let builder = provider.builder(&identity);
        let (name, builder) = match n {
            0 => (
                "self-signed",
                builder.token_endpoint_auth_method(SelfSignedTlsClientAuth),
            ),
            1 => (
                "private_key_jwt",
                builder.token_endpoint_auth_method(PrivateKeyJwt::new(key.clone())),
            ),
            2 => ("none", builder.token_endpoint_auth_method(PublicClient)),
            _ => ("client_secret_basic", builder.client_secret("secret")),
        };
        use_all_endpoints(&builder.build()?).await?;
        all_used_aliases(&provider, &identity, name);
    }
    Ok(())
}

/// An assertion for the token endpoint names the server's own, which identifies it, and not the URL
/// that the request is sent to.
#[maybe_async]
#[test]
async fn an_assertion_names_the_plain_endpoint() -> TestResult {
    use oauth_twin::oauth2::Audience;
    let key = include_str!("../../vectors/p-256.pkcs8.pem");
    let key = SigningKey::from_pem(Algorithm::ES256, key)?;
    let verifying = key.verifying_key();
    let provider = Provider::start();
    let identity = provider.clients.issue("client.example");
    let auth = PrivateKeyJwt::new(key).audience(Audience::TokenEndpoint);
    let client = provider.builder(&identity).token_endpoint_auth_method(auth);
    let client = client.build()?;
    client.fetch_token(ClientCredentials::new()).await?;
    let sent = provider.mtls.requests("/token");
    let assertion = sent[0].parameter("client_assertion").expect("an assertion");
    let jws = oauth_twin::jose::Jws::parse(&assertion)?;
    let claims = oauth_twin::jose::Claims::from_slice(jws.verify(&verifying)?)?;
    let audience: Vec<_> = claims.audience().collect();
    assert_eq!(audience, [provider.plain.https("/token")]);
    Ok(())
}

#[maybe_async]
#[test]
async fn the_aliases_of_a_discovered_server_are_used() -> TestResult {
    for now in [true, false] {
        let provider = Provider::start();
        let identity = provider.clients.issue("client.example");
        let builder = provider
            .trusting(OAuth2Client::builder("id"))
            .client_certificate(certificate(&identity))
            .token_endpoint_auth_method(TlsClientAuth);
        let issuer = provider.plain.https("");
        let builder = match now {
            true => builder.discover(issuer).await?,
            false => builder.discover_later(issuer),
        };
        let client = builder.build()?;
        use_all_endpoints(&client).await?;
        let discovery = provider.plain.count("/.well-known/openid-configuration");
        assert_eq!((discovery, provider.plain.requests_in_all()), (1, 1));
        let thumbprints = provider.thumbprints("/token");
        assert_eq!(thumbprints, [identity.thumbprint(), identity.thumbprint()]);
        // What the server says of itself is not changed.
        let server = client.server().expect("metadata");
        let token_endpoint = server.token_endpoint().map(|url| url.as_str().to_owned());
        assert_eq!(token_endpoint, Some(provider.plain.https("/token")));
    }
    Ok(())
}

/// Endpoints without an alias are used as they are.
#[maybe_async]
#[test]
async fn a_missing_alias_is_no_obstacle() -> TestResult {
    let provider = Provider::start();
    let identity = provider.clients.issue("client.example");
    let token = json!({"token_endpoint": provider.mtls.https("/token"), "x": 7});
    for aliases in [token.clone(), json!({"token_endpoint": null}), json!(null)] {
        let server = provider.metadata();
        let server = server.with_member("mtls_endpoint_aliases", aliases.clone());
        let client = provider.builder(&identity).server(server).build()?;
        client.fetch_token(ClientCredentials::new()).await?;
        client.revoke_token().await?;
    }
    let counts = |server: &Server| (server.count("/token"), server.count("/revoke"));
    assert_eq!(counts(&provider.plain), (2, 3));
    assert_eq!(counts(&provider.mtls), (1, 0));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_certificate_for_transport_alone_leads_to_the_plain_endpoints() -> TestResult {
    let provider = Provider::start();
    let identity = provider.clients.issue("client.example");
    // Here the gateway in front of the plain endpoints asks for the certificate.
    let mut server = provider.metadata();
    for (name, path) in ENDPOINTS {
        server = server.with_member(name, provider.mtls.https(path));
    }
    let elsewhere = aliases(&provider.plain);
    let server = server.with_member("mtls_endpoint_aliases", elsewhere);
    let client = provider
        .builder(&identity)
        .client_certificate(certificate(&identity).transport_only())
        .server(server)
        .client_secret("secret")
        .build()?;
    use_all_endpoints(&client).await?;
    all_used_aliases(&provider, &identity, "transport only");
    let token = client.fetch_token(ClientCredentials::new()).await?;
    assert_eq!(token.certificate_thumbprint(), None);
    Ok(())
}

/// Without a certificate of the client nothing changes.
#[maybe_async]
#[test]
async fn without_a_certificate_the_plain_endpoints_are_used() -> TestResult {
    let provider = Provider::start();
    let client = provider
        .trusting(OAuth2Client::builder("id").server(provider.metadata()))
        .client_secret("secret")
        .build()?;
    use_all_endpoints(&client).await?;
    assert_eq!(provider.mtls.requests_in_all(), 0);
    let token = client.fetch_token(ClientCredentials::new()).await?;
    assert_eq!(token.certificate_thumbprint(), None);
    Ok(())
}

/// A certificate that only `configure_http` knows authenticates the client just as well.
#[maybe_async]
#[test]
async fn a_certificate_of_configure_http_leads_to_the_aliases_if_it_authenticates() -> TestResult {
    let provider = Provider::start();
    let identity = provider.clients.issue("client.example");
    let (root, presented) = (provider.authority.pem(), identity.of_reqwest());
    let client = OAuth2Client::builder("id")
        .server(provider.metadata())
        .configure_http(move |http| {
            let root = reqwest::Certificate::from_pem(root.as_bytes()).expect("a certificate");
            http.tls_certs_merge([root]).identity(presented.clone())
        })
        .token_endpoint_auth_method(TlsClientAuth)
        .build()?;
    use_all_endpoints(&client).await?;
    all_used_aliases(&provider, &identity, "configure_http");
    Ok(())
}

/// A server that wants a certificate and is not shown one is a failure of the transport.
#[maybe_async]
#[test]
async fn a_stranger_s_certificate_is_refused() -> TestResult {
    let provider = Provider::start();
    let stranger = provider.authority.issue("client.example");
    let client = provider
        .builder(&stranger)
        .token_endpoint_auth_method(TlsClientAuth)
        .timeout(seconds(5))
        .build()?;
    let fetched = client.fetch_token(ClientCredentials::new()).await;
    assert_eq!(fetched.unwrap_err().kind(), ErrorKind::Transport);
    assert_eq!(provider.mtls.requests_in_all(), 0);
    Ok(())
}
