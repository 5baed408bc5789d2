//! The profile of FAPI 2.0: what it sets, and what it refuses.

use oauth_twin::{
    jose::{Algorithm, SigningKey},
    oauth2::{
        Audience, AuthorizationCode, AuthorizationServer, ClientSecretJwt, Discovery, DpopKey,
        IntrospectionRules, Password, Pkce, PrivateKeyJwt, Profile, RequestObject, ResponseType,
        SignedResponseRules, TokenPlacement,
    },
    oidc::{IdTokenRules, UserInfoRules},
};
use support::jwt::{Assertion, signing_key};

use super::{super::test, *};

pub fn key() -> SigningKey {
    signing_key(Algorithm::ES256, "p-256").with_key_id("1")
}

fn dpop_key() -> DpopKey {
    DpopKey::new(key()).expect("a key")
}

#[cfg(feature = "rustls")]
fn certificate() -> oauth_twin::oauth2::ClientCertificate {
    let chain = include_str!("../../vectors/p-256.certificate.pem");
    let key = include_str!("../../vectors/p-256.pkcs8.pem");
    oauth_twin::oauth2::ClientCertificate::from_pem(chain, key).expect("a certificate")
}

/// A provider of the profile, which names itself in its responses.
pub fn bank() -> Provider {
    let provider = Provider::start();
    provider.lie(|lies| {
        lies.metadata = json!({"authorization_response_iss_parameter_supported": true});
    });
    provider
}

/// A builder that has all that the profile demands.
#[maybe_async]
async fn builder_at(provider: &Provider) -> Result<OAuth2ClientBuilder, Error> {
    let builder = OAuth2Client::builder("id")
        .clock(provider.clock.clock())
        .dpop(dpop_key());
    let builder = builder.discover(provider.issuer()).await?;
    Ok(builder
        .redirect_uri(CALLBACK)
        .token_endpoint_auth_method(PrivateKeyJwt::new(key()))
        .profile(Profile::Fapi2))
}

/// The problem of a client that contradicts the profile.
#[maybe_async]
async fn violation(change: impl FnOnce(OAuth2ClientBuilder) -> OAuth2ClientBuilder) -> String {
    let builder = builder_at(&bank()).await.expect("a server");
    let error = change(builder).build().expect_err("a violation");
    assert_eq!(error.kind(), ErrorKind::Usage);
    error.to_string()
}

/// A setting that contradicts the profile is named with its clause.
macro_rules! violations {
    ($($name:ident: $change:expr, $setting:literal, $clause:literal;)+) => {
        $(
            #[maybe_async]
            #[test]
            async fn $name() {
                let problem = violation($change).await;
                assert!(problem.contains($setting), "{problem}");
                assert!(problem.contains($clause), "{problem}");
                assert!(problem.contains("Profile::Fapi2"), "{problem}");
            }
        )+
    };
}

violations! {
    a_client_secret_is_refused:
        |it| it.token_endpoint_auth_method(ClientSecretJwt::new()).client_secret(SECRET),
        "token_endpoint_auth_method is client_secret_jwt", "5.3.3.1, clause 2";
    an_own_client_authentication_is_refused:
        |it| it.revocation_endpoint_auth_method(
            |_: &mut oauth_twin::oauth2::EndpointRequest| -> Result<(), BoxError> { Ok(()) }
        ),
        "revocation_endpoint_auth_method is a method of your own", "5.3.3.1, clause 2";
    an_assertion_for_the_token_endpoint_is_refused:
        |it| it.token_endpoint_auth_method(
            PrivateKeyJwt::new(key()).audience(Audience::TokenEndpoint)
        ),
        "another audience than the issuer", "5.3.3.1, clause 5";
    rs256_is_refused:
        |it| it.token_endpoint_auth_method(
            PrivateKeyJwt::new(signing_key(Algorithm::RS256, "rsa-2048"))
        ),
        "signs by RS256", "5.4.1, clause 1";
    a_token_in_the_query_is_refused:
        |it| it.token_placement(TokenPlacement::Query), "token_placement", "5.3.3.1, clause 3";
    a_token_in_the_body_of_userinfo_is_refused:
        |it| it.userinfo(UserInfoRules::new().token_in_body()), "userinfo", "5.3.3.1, clause 3";
    a_server_that_is_written_by_hand_is_refused:
        |it| it.server(AuthorizationServer::new("https://bank.example")),
        "is not discovered", "5.3.3.1, clause 9";
    an_endpoint_that_is_written_by_hand_is_refused:
        |it| it.token_endpoint("https://other.example/token"),
        "token_endpoint is set", "5.3.3.1, clause 9";
    plain_http_is_refused:
        |it| it.discover_later("https://bank.example").dangerous_allow_http(),
        "dangerous_allow_http", "5.3.3.1, clause 10";
    another_issuer_is_refused:
        |it| it.discover_later(Discovery::at("https://a.example").expect_issuer("https://b.example")),
        "Discovery::expect_issuer", "5.3.3.1, clause 11";
    tenants_are_refused:
        |it| it.discover_later(Discovery::at("https://a.example").any_tenant()),
        "Discovery::tenants", "5.3.3.1, clause 11";
    an_assumed_s256_is_refused:
        |it| it.discover_later(Discovery::at("https://a.example").assume_s256()),
        "Discovery::assume_s256", "5.3.3.2, clause 3";
    private_addresses_are_refused:
        |it| it.discover_later(
            Discovery::at("https://a.example").dangerous_allow_private_addresses()
        ),
        "dangerous_allow_private_addresses", "5.3.3.1, clause 10";
    plain_requests_are_refused:
        |it| it.pushed_authorization_requests(Push::Never),
        "pushed_authorization_requests is Push::Never", "5.3.3.2, clause 2";
    repeated_parameters_are_refused:
        |it| it.repeat_authorization_parameters(),
        "repeat_authorization_parameters", "5.3.3.2, clause 6";
    a_plain_redirect_uri_is_refused:
        |it| it.redirect_uri("http://app.example/callback"), "redirect_uri", "5.3.2.2, clause 6";
    an_id_token_without_a_nonce_is_refused:
        |it| it.id_token(IdTokenRules::new().dangerous_without_nonce("https://a.example")),
        "dangerous_without_nonce", "OpenID Connect Core 1.0 section 3.1.3.7, clause 11";
    id_tokens_of_tenants_are_refused:
        |it| it.id_token(IdTokenRules::new().any_tenant()),
        "IdTokenRules::tenants", "3.1.3.7, clause 2";
    id_tokens_of_another_issuer_are_refused:
        |it| it.id_token(IdTokenRules::new().issuer_alias("https://a.example", "a.example")),
        "issuer_alias", "3.1.3.7, clause 2";
    id_tokens_by_rs256_are_refused:
        |it| it.id_token(IdTokenRules::new().algorithms([Algorithm::ES256, Algorithm::RS256])),
        "id_token has RS256", "5.4.1, clause 1";
    userinfo_by_rs256_is_refused:
        |it| it.userinfo(UserInfoRules::new().signed([Algorithm::RS256])),
        "userinfo has RS256", "5.4.1, clause 1";
    responses_by_rs512_are_refused:
        |it| it.signed_response(SignedResponseRules::new().algorithms([Algorithm::RS512])),
        "signed_response has RS512", "5.4.1, clause 1";
    introspection_by_es384_is_refused:
        |it| it.introspection(IntrospectionRules::new().signed([Algorithm::ES384])),
        "introspection has ES384", "5.4.1, clause 1";
    proofs_by_rs256_are_refused:
        |it| it.dpop(DpopKey::new(signing_key(Algorithm::RS256, "rsa-2048")).expect("a key")),
        "dpop has RS256", "5.4.1, clause 1";
    a_request_object_by_rs256_is_refused:
        |it| it.request_object(signing_key(Algorithm::RS256, "rsa-2048")),
        "request_object has RS256", "5.4.1, clause 1";
    a_password_is_refused:
        |it| it.grant(Password::new("u", "p").keep_for_renewal()), "grant is a password",
        "5.3.3.2, clause 1";
    messages_that_are_not_signed_are_refused:
        |it| it.profile(Profile::Fapi2MessageSigning), "request_object is missing",
        "Message Signing section 5.3.2, clause 1";
    a_request_object_for_another_is_refused:
        |it| it.profile(Profile::Fapi2MessageSigning)
            .request_object(RequestObject::new(key()).audience("https://a.example")),
        "another audience than the issuer", "Message Signing section 5.3.2, clause 2";
}

#[maybe_async]
#[test]
async fn a_client_whose_tokens_are_not_bound_is_refused() -> TestResult {
    let provider = bank();
    let builder = OAuth2Client::builder("id")
        .discover(provider.issuer())
        .await?;
    let built = builder
        .redirect_uri(CALLBACK)
        .token_endpoint_auth_method(PrivateKeyJwt::new(key()))
        .profile(Profile::Fapi2)
        .build();
    let problem = built.expect_err("a bearer token").to_string();
    assert!(problem.contains("dpop is missing"), "{problem}");
    assert!(problem.contains("5.3.3.1, clause 1"), "{problem}");
    // All problems at once.
    let built = OAuth2Client::builder("id").profile(Profile::Fapi2).build();
    let problem = built.expect_err("nothing is right").to_string();
    for clause in [
        "5.3.3.1, clause 1)",
        "5.3.3.1, clause 2)",
        "5.3.3.1, clause 9)",
    ] {
        assert!(problem.contains(clause), "{problem}");
    }
    Ok(())
}

#[cfg(feature = "rustls")]
#[maybe_async]
#[test]
async fn a_certificate_binds_tokens_as_well_as_a_key() -> TestResult {
    let builder = OAuth2Client::builder("id").client_certificate(certificate());
    let client = builder
        .discover(binding_bank().issuer())
        .await?
        .redirect_uri(CALLBACK)
        .token_endpoint_auth_method(PrivateKeyJwt::new(key()))
        .profile(Profile::Fapi2)
        .build()?;
    drop(client);
    let transport_only = certificate().transport_only();
    let builder = OAuth2Client::builder("id").client_certificate(transport_only);
    let built = builder
        .discover(binding_bank().issuer())
        .await?
        .redirect_uri(CALLBACK)
        .token_endpoint_auth_method(PrivateKeyJwt::new(key()))
        .profile(Profile::Fapi2)
        .build();
    let problem = built.expect_err("nothing binds tokens").to_string();
    assert!(problem.contains("5.3.3.1, clause 1"), "{problem}");
    Ok(())
}

/// A bank that binds tokens to certificates.
#[cfg(feature = "rustls")]
fn binding_bank() -> Provider {
    let provider = bank();
    provider.lie(|lies| lies.metadata["tls_client_certificate_bound_access_tokens"] = true.into());
    provider
}

/// A server that does not say that it binds tokens to certificates issues bearer tokens.
#[cfg(feature = "rustls")]
#[maybe_async]
#[test]
async fn a_certificate_binds_nothing_at_a_server_that_binds_by_other_means() -> TestResult {
    let member = "tls_client_certificate_bound_access_tokens";
    let builder = || {
        OAuth2Client::builder("id")
            .client_certificate(certificate())
            .redirect_uri(CALLBACK)
            .token_endpoint_auth_method(PrivateKeyJwt::new(key()))
            .profile(Profile::Fapi2)
    };
    let provider = bank();
    let known = builder().discover(provider.issuer()).await?.build();
    let later = builder().discover_later(provider.issuer()).build()?;
    let later = later.begin_authorization(AuthorizationRequest::new()).await;
    for problem in [
        known.expect_err("a bearer token").to_string(),
        later.expect_err("a bearer token").to_string(),
    ] {
        assert!(problem.contains(member), "{problem}");
        assert!(problem.contains("5.3.3.1, clause 1)"), "{problem}");
    }
    // A key binds them anywhere.
    let bound = builder()
        .dpop(dpop_key())
        .discover(provider.issuer())
        .await?;
    drop(bound.build()?);
    Ok(())
}

/// Nothing but the reference is in the URL, and the client asks for what the profile has.
#[maybe_async]
#[test]
async fn what_the_profile_demands_is_on() -> TestResult {
    let provider = bank();
    let client = builder_at(&provider).await?.build()?;
    let request = AuthorizationRequest::new().scope("openid");
    let begun = client.begin_authorization(request).await?;
    let names: Vec<_> = begun
        .url
        .query_pairs()
        .map(|(name, _)| name.into_owned())
        .collect();
    assert_eq!(names, ["client_id", "request_uri"]);
    let push = &provider.server.requests("/par")[0];
    assert_eq!(push.parameter("redirect_uri").as_deref(), Some(CALLBACK));
    assert_eq!(
        push.parameter("code_challenge_method").as_deref(),
        Some("S256")
    );
    let assertion = Assertion::of(push, "client_assertion", &key().verifying_key());
    let claims: serde_json::Value = serde_json::from_str(&assertion.claims.to_json())?;
    assert_eq!(claims["aud"], provider.issuer());
    // `iss` is demanded.
    let callback = provider.authorize(&begun.url);
    let error = client
        .complete_authorization(begun.pending, &callback)
        .await;
    let error = error.expect_err("no iss").to_string();
    assert!(error.contains("`iss`"), "{error}");
    assert_eq!(provider.server.count("/token"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_that_contradicts_the_profile_is_refused() -> TestResult {
    let provider = bank();
    let client = builder_at(&provider).await?.build()?;
    let without_uri = builder_at(&provider)
        .await?
        .redirect_uri("com.example.app:/cb")
        .build()?;
    without_uri
        .begin_authorization(AuthorizationRequest::new())
        .await?;
    for (request, clause) in [
        (
            AuthorizationRequest::new()
                .response_type(ResponseType::CodeIdToken)
                .scope("openid"),
            "5.3.3.2, clause 1",
        ),
        (
            AuthorizationRequest::new().pkce(Pkce::Plain),
            "5.3.3.2, clause 3",
        ),
        (
            AuthorizationRequest::new().pkce(Pkce::Off),
            "5.3.3.2, clause 3",
        ),
        (
            AuthorizationRequest::new().redirect_uri("http://app.example/cb"),
            "5.3.2.2, clause 6",
        ),
    ] {
        let error = client.begin_authorization(request).await.expect_err(clause);
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains(clause), "{clause}: {error}");
    }
    let error = client
        .fetch_token(Password::new("u", "p"))
        .await
        .expect_err("a password");
    assert!(error.to_string().contains("5.3.3.2, clause 1"), "{error}");
    let code = AuthorizationCode::new("a code").redirect_uri(CALLBACK);
    let error = client.fetch_token(code).await.expect_err("no PKCE");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("5.3.3.2, clause 3"), "{error}");
    assert_eq!(provider.server.count("/token"), 0);
    Ok(())
}

/// A key that is added after the client was built.
#[maybe_async]
#[test]
async fn a_later_dpop_key_of_another_algorithm_is_refused() -> TestResult {
    let provider = bank();
    let client = builder_at(&provider).await?.build()?;
    for key in [
        DpopKey::new(signing_key(Algorithm::RS256, "rsa-2048"))?,
        DpopKey::generate(Algorithm::ES384)?,
    ] {
        let error = client.add_dpop_key(key.clone()).expect_err("a violation");
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("5.4.1, clause 1"), "{error}");
        let request = AuthorizationRequest::new().dpop(&key);
        let begun = client.begin_authorization(request).await;
        assert_eq!(begun.expect_err("no such key").kind(), ErrorKind::Usage);
    }
    assert_eq!(provider.server.count("/par"), 0);
    client.add_dpop_key(dpop_key())?;
    // Without a profile the key is the caller's choice.
    let client = client_of(&provider).dpop(dpop_key()).build()?;
    client.add_dpop_key(DpopKey::new(signing_key(Algorithm::RS256, "rsa-2048"))?)?;
    Ok(())
}

/// At once, or when it is discovered.
#[maybe_async]
#[test]
async fn a_server_that_does_not_follow_the_profile_is_refused() -> TestResult {
    for (metadata, clause) in [
        (
            json!({"authorization_response_iss_parameter_supported": true,
                "pushed_authorization_request_endpoint": null}),
            "5.3.3.2, clause 2",
        ),
        (json!({}), "5.3.3.2, clause 5"),
        (
            json!({"authorization_response_iss_parameter_supported": true,
                "id_token_signing_alg_values_supported": ["RS256"]}),
            "5.4.1, clause 1",
        ),
    ] {
        let provider = bank();
        provider.lie(|lies| lies.metadata = metadata);
        let built = builder_at(&provider).await?.build();
        let problem = built.expect_err(clause).to_string();
        assert!(problem.contains(clause), "{problem}");
        let later = OAuth2Client::builder("id")
            .dpop(dpop_key())
            .discover_later(provider.issuer())
            .redirect_uri(CALLBACK)
            .token_endpoint_auth_method(PrivateKeyJwt::new(key()))
            .profile(Profile::Fapi2)
            .build()?;
        let begun = later.begin_authorization(AuthorizationRequest::new()).await;
        let error = begun.expect_err(clause);
        assert_eq!(error.kind(), ErrorKind::Answer);
        assert!(error.to_string().contains(clause), "{error}");
        assert_eq!(provider.server.count("/par"), 0);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn messages_are_signed_both_ways() -> TestResult {
    let provider = bank();
    let client = builder_at(&provider)
        .await?
        .profile(Profile::Fapi2MessageSigning)
        .request_object(key())
        .build()?;
    let begun = client
        .begin_authorization(AuthorizationRequest::new())
        .await?;
    let push = &provider.server.requests("/par")[0];
    let object = Assertion::of(push, "request", &key().verifying_key());
    assert_eq!(object.claims.get("response_mode"), Some(&json!("jwt")));
    assert_eq!(object.header.typ(), Some("oauth-authz-req+jwt"));
    // A plain response is refused.
    provider.lie(|lies| lies.response.is_signed = Some(false));
    let callback = provider.authorize(&begun.url);
    let error = client
        .complete_authorization(begun.pending, &callback)
        .await;
    let error = error.expect_err("it is plain").to_string();
    assert!(error.contains("no signed response"), "{error}");
    let plain = AuthorizationRequest::new().response_mode(ResponseMode::Query);
    let error = client
        .begin_authorization(plain)
        .await
        .expect_err("it is plain");
    assert!(error.to_string().contains("5.4.2, clause 1"), "{error}");
    Ok(())
}

/// What is not permitted is not verified either, though the metadata list it.
#[maybe_async]
#[test]
async fn a_response_by_another_algorithm_is_refused() -> TestResult {
    let provider = bank();
    let rsa = signing_key(Algorithm::RS256, "rsa-2048").with_key_id("rsa");
    provider.keys.rotate(&[&rsa]);
    provider.lie(|lies| {
        lies.key = rsa;
        lies.metadata["authorization_signing_alg_values_supported"] = json!(["RS256", "PS256"]);
    });
    let client = builder_at(&provider)
        .await?
        .profile(Profile::Fapi2MessageSigning)
        .request_object(key())
        .build()?;
    let error = log_in(&provider, &client, AuthorizationRequest::new()).await;
    let error = error.expect_err("RS256").to_string();
    assert!(error.contains("RS256"), "{error}");
    Ok(())
}
