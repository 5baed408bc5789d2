//! Algorithms of what the server signs, by the registration that counts.

use oauth_twin::{
    jose::Algorithm,
    oauth2::{DpopKey, IntrospectionRules, PrivateKeyJwt, Profile},
    oidc::UserInfoRules,
};
use support::{
    keys::{new_key, published},
    provider::Provider,
};

use super::{super::test, *};

const MEMBERS: [&str; 2] = [
    "userinfo_signed_response_alg",
    "introspection_signed_response_alg",
];

/// A client whose server has dropped it, and which needs another token. The server answers the two
/// registrations with these algorithms.
#[maybe_async]
async fn replaced(
    algorithms: [Option<&'static str>; 2],
    rules: fn(OAuth2ClientBuilder) -> OAuth2ClientBuilder,
) -> oauth_twin::Result<(Server, OAuth2Client)> {
    let (registrar, clock) = (Registrar::default(), ManualClock::new());
    let server = registrar.start();
    let answer_with = |algorithm: Option<&str>| {
        registrar.change(|state| {
            state.answer = MEMBERS.map(|name| (name, algorithm.into())).to_vec();
        });
    };
    answer_with(algorithms[0]);
    let metadata = MEMBERS.into_iter().fold(metadata(), |metadata, name| {
        metadata.with_member(name, "ES256")
    });
    let builder = unregistered(&server).clock(clock.clock());
    let builder = builder.register(metadata).await?;
    let client = rules(builder.grant(ClientCredentials::new())).build()?;
    client.ensure_active_token().await?;
    registrar.drop_client("c1");
    answer_with(algorithms[1]);
    clock.advance(seconds(61));
    Ok((server, client))
}

/// Whether `client` takes plain answers of both endpoints.
#[maybe_async]
async fn takes_plain_answers(server: &Server, client: &OAuth2Client) -> bool {
    let taken = [
        // It is registered anew for this.
        client.userinfo("alice").await.is_ok(),
        client.introspect_token().await.is_ok(),
    ];
    assert_eq!(clients(server), ["c1", "c1", "c2"]);
    assert_eq!(taken[0], taken[1]);
    taken[0]
}

#[maybe_async]
#[test]
async fn the_algorithms_are_those_of_the_registration_in_use() -> TestResult {
    for (algorithms, is_taken) in [
        ([None, Some("ES256")], false),
        ([Some("ES256"), None], true),
        ([Some("ES256"), Some("RS256")], false),
        ([None, None], true),
    ] {
        let (server, client) = replaced(algorithms, |builder| builder).await?;
        let taken = takes_plain_answers(&server, &client).await;
        assert_eq!(taken, is_taken, "{algorithms:?}");
    }
    // What the calling code has set counts in any case.
    for algorithms in [[None, None], [Some("ES256"), None]] {
        let rules = |builder: OAuth2ClientBuilder| {
            builder
                .userinfo(UserInfoRules::new().signed([Algorithm::ES256]))
                .introspection(IntrospectionRules::new().signed([Algorithm::ES256]))
        };
        let (server, client) = replaced(algorithms, rules).await?;
        let taken = takes_plain_answers(&server, &client).await;
        assert!(!taken, "{algorithms:?}");
    }
    Ok(())
}

/// A server of a profile, which registers another algorithm the second time.
#[maybe_async]
#[test]
async fn another_algorithm_that_a_profile_forbids_is_an_error() -> TestResult {
    let (registrations, requests) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let front = Server::start(move |request: &Request| match &*request.path {
        "/register" => {
            let n = registrations.fetch_add(1, Ordering::SeqCst);
            let mut answer: Value = serde_json::from_slice(&request.body).expect("JSON");
            answer["client_id"] = format!("c{}", n + 1).into();
            answer["id_token_signed_response_alg"] = ["ES256", "RS256"][n].into();
            Reply::json(201, answer)
        }
        _ => match requests.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::json(
                200,
                json!({"access_token": "t", "token_type": "DPoP", "expires_in": 60}),
            ),
            _ => Reply::error(401, "invalid_client"),
        },
    });
    let provider = Provider::start();
    provider.lie(|lies| {
        lies.metadata = json!({
            "authorization_response_iss_parameter_supported": true,
            "registration_endpoint": front.url("/register"),
            "token_endpoint": front.url("/token"),
        });
    });
    let key = || new_key("1");
    let builder = OAuth2Client::unregistered().clock(provider.clock.clock());
    let builder = builder.discover(provider.issuer()).await?;
    let metadata = ClientMetadata::native("Reports")
        .with_token_endpoint_auth_method("private_key_jwt")
        .with_member("jwks", published(&[&key()]));
    let client = builder
        .register(metadata)
        .await?
        .dpop(DpopKey::new(key())?)
        .token_endpoint_auth_method(PrivateKeyJwt::new(key()))
        .profile(Profile::Fapi2)
        .grant(ClientCredentials::new())
        .build()?;
    client.ensure_active_token().await?;
    provider.clock.advance(seconds(61));
    let error = client.ensure_active_token().await.expect_err("RS256");
    assert_eq!(front.count("/register"), 2);
    assert!(error.to_string().contains("RS256"), "{error}");
    assert_eq!(front.count("/token"), 2);
    Ok(())
}
