//! Another authentication of the user, and refusals that are about no token.

use oauth_twin::{jose::Algorithm, oauth2::DpopKey};
use support::dpop::claims_of;

use super::{super::test, *};

/// A resource whose path `/mcp/pay` needs a login of the class `phr`. Each login of the world
/// issues one token.
pub fn strict(world: &World) -> Server {
    world.change(|state| state.needs.extend([("/mcp", "read")]));
    let behind = world.clone();
    Server::start(move |request: &Request| {
        let token = request.header("authorization");
        let login = token.and_then(|it| it.strip_prefix("Bearer t")?.parse::<usize>().ok());
        let (Some(login), "/mcp/pay") = (login, &*request.path) else {
            return behind.answer(request);
        };
        let asked = behind.visits();
        let class = asked
            .get(login - 1)
            .and_then(|asked| asked.get("acr_values"));
        match class.map(String::as_str) {
            Some("phr") => behind.answer(request),
            _ => demand(),
        }
    })
}

fn demand() -> Reply {
    refusal(r#"Bearer error="insufficient_user_authentication", acr_values="phr", max_age=60"#)
}

fn refusal(challenge: &str) -> Reply {
    Reply::text(401, "no").with("www-authenticate", challenge)
}

/// A resource that refuses each token by `challenge`.
fn refusing(world: &World, challenge: &'static str) -> Server {
    let behind = world.clone();
    Server::start(
        move |request: &Request| match request.header("authorization") {
            Some(_) if request.path == "/mcp" => refusal(challenge),
            _ => behind.answer(request),
        },
    )
}

#[maybe_async]
#[test]
async fn the_login_of_the_user_is_the_one_that_is_demanded() -> TestResult {
    let world = World::new();
    let (server, resource) = (world.server(""), strict(&world));
    let client = attended(&resource, &world).build()?;
    opened(&client, &resource, "/mcp").await?;
    let request = client.post(resource.url("/mcp/pay")).body("a body");
    let found = request.send().await?.text().await?;
    assert_eq!(found, "a body");
    let visits = world.visits();
    assert_eq!(visits.len(), 2);
    assert!(!visits[0].contains_key("acr_values"));
    for (name, value) in [
        ("acr_values", "phr"),
        ("max_age", "60"),
        ("scope", "read"),
        ("resource", &*resource.url("/mcp")),
    ] {
        assert_eq!(visits[1][name], value);
    }
    // The server is known by now, and a refresh would change nothing.
    assert_eq!(paths(&server), [OAUTH, "/register", "/token", "/token"]);
    assert_eq!(resource.count(PATH), 1);
    for sent in server.requests("/token") {
        let grant_type = sent.parameter("grant_type");
        assert_eq!(grant_type.as_deref(), Some("authorization_code"));
    }
    opened(&client, &resource, "/mcp/pay").await?;
    opened(&client, &resource, "/mcp").await?;
    assert_eq!(world.visits().len(), 2);
    Ok(())
}

#[maybe_async]
#[test]
async fn one_login_serves_all_of_whom_it_is_demanded() -> TestResult {
    let world = World::new();
    let (server, resource) = (world.server(""), strict(&world));
    let client = attended(&resource, &world).build()?;
    opened(&client, &resource, "/mcp").await?;
    let (crowd, url) = (client.clone(), resource.url("/mcp/pay"));
    let statuses = at_once(CROWD.min(32), |_| {
        let request = crowd.get(&url);
        async move {
            let response = request.send().await;
            response.map(|response| response.status().as_u16())
        }
    })
    .await;
    for status in statuses {
        assert_eq!(status?, 200);
    }
    assert_eq!((world.visits().len(), server.count("/token")), (2, 2));
    Ok(())
}

/// One login for a request, and few for the resource; then it is an error.
#[maybe_async]
#[test]
async fn logins_that_help_nothing_are_few() -> TestResult {
    const DEMAND: &str = r#"Bearer error="insufficient_user_authentication", acr_values="phr""#;
    let (world, clock) = (World::new(), ManualClock::new());
    let (_server, resource) = (world.server(""), refusing(&world, DEMAND));
    let client = attended(&resource, &world).clock(clock.clock()).build()?;
    for logins in [2, 3] {
        let response = client.get(resource.url("/mcp")).send().await?;
        assert_eq!(response.status(), 401);
        let error = client.check_challenge(&response).expect_err("a challenge");
        assert!(error.login_request().is_some());
        let text = response.text().await?;
        assert_eq!((&*text, world.visits().len()), ("no", logins));
        clock.advance(seconds(60));
    }
    for _ in 0..2 {
        let error = status(&client, &resource, "/mcp").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Login, "{error}");
        assert!(error.to_string().contains("authentication"), "{error}");
        clock.advance(seconds(60));
    }
    assert_eq!(world.visits().len(), 3);
    Ok(())
}

#[maybe_async]
#[test]
async fn the_token_stays_if_the_login_fails() -> TestResult {
    let world = World::new();
    let (_server, resource) = (world.server(""), strict(&world));
    let client = attended(&resource, &world).build()?;
    opened(&client, &resource, "/mcp").await?;
    let token = client.token();
    world.change(|state| state.refuses = true);
    let error = status(&client, &resource, "/mcp/pay").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Login, "{error}");
    assert_eq!(client.token(), token);
    opened(&client, &resource, "/mcp").await
}

#[maybe_async]
#[test]
async fn the_error_of_a_web_back_end_begins_the_login_that_is_demanded() -> TestResult {
    let world = World::new();
    let (server, resource) = (world.server(""), strict(&world));
    let back_end = || {
        for_resource(&resource)
            .redirect_uri("https://app.example/cb")
            .build()
    };
    let client = back_end()?;
    let error = status(&client, &resource, "/mcp").await.unwrap_err();
    assert!(error.challenge().is_none());
    let mut request = error.login_request().expect("a request");
    let mut child = client.clone();
    for path in ["/mcp", "/mcp/pay"] {
        if path == "/mcp/pay" {
            let error = status(&child, &resource, path).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Login);
            let challenge = error.challenge().expect("a challenge");
            assert_eq!(challenge.parameter("acr_values"), Some("phr"));
            request = error.login_request().expect("a request");
        }
        let begun = client.begin_authorization(request.clone()).await?;
        let callback = world.visit(&begun.url).unwrap();
        let login = client
            .complete_authorization(begun.pending, callback.expose_secret())
            .await?;
        child = login.client;
        opened(&child, &resource, path).await?;
    }
    let visits = world.visits();
    for (name, value) in [("acr_values", "phr"), ("max_age", "60"), ("scope", "read")] {
        assert_eq!(visits[1][name], value);
    }
    assert_eq!((visits.len(), server.count("/token")), (2, 2));
    // A process that has not met the server yet, with the weaker token.
    let child = back_end()?.for_token(Token::new("t1").with_scope("read"));
    let error = status(&child, &resource, "/mcp/pay").await.unwrap_err();
    assert!(error.challenge().is_some(), "{error}");
    assert!(error.login_request().is_some(), "{error}");
    Ok(())
}

/// It has no user.
#[maybe_async]
#[test]
async fn a_grant_is_not_sent_again_for_another_authentication() -> TestResult {
    let world = World::new();
    let (server, resource) = (world.server(""), strict(&world));
    let client = OAuth2Client::for_resource(resource.url("/mcp"))
        .client_id("robot")
        .client_secret("secret")
        .issuer(server.url(""))
        .scope("read")
        .grant(ClientCredentials::new())
        .build()?;
    opened(&client, &resource, "/mcp").await?;
    let response = client.get(resource.url("/mcp/pay")).send().await?;
    assert_eq!(response.status(), 401);
    let error = client.check_challenge(&response).expect_err("a challenge");
    assert_eq!(error.challenge().unwrap().parameter("max_age"), Some("60"));
    assert_eq!((server.count("/token"), resource.count("/mcp/pay")), (1, 1));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_refusal_that_is_about_no_token_is_the_caller_s() -> TestResult {
    for challenge in [
        "DPoP error=\"invalid_dpop_proof\"",
        "DPoP error=\"use_dpop_nonce\"",
        "Bearer error=\"invalid_request\"",
        "Basic realm=\"x\"",
    ] {
        let world = World::new();
        let (server, resource) = (world.server(""), refusing(&world, challenge));
        let client = attended(&resource, &world).token(Token::new("t")).build()?;
        let child = client.for_token(Token::new("u").with_refresh_token("r"));
        for client in [&client, &child] {
            let found = status(client, &resource, "/mcp").await?;
            assert_eq!(found, 401, "{challenge}");
        }
        assert_eq!(
            (
                world.visits().len(),
                server.requests_in_all(),
                resource.requests_in_all()
            ),
            (0, 0, 2),
            "{challenge}"
        );
    }
    // An error that nobody has registered may be about the token.
    for challenge in [
        "Bearer error=\"invalid_token\"",
        "Bearer error=\"expired_token\"",
        "Bearer",
        "DPoP",
    ] {
        let world = World::new();
        let (_server, resource) = (world.server(""), refusing(&world, challenge));
        let client = attended(&resource, &world).token(Token::new("t")).build()?;
        let found = status(&client, &resource, "/mcp").await?;
        assert_eq!((found, world.visits().len()), (401, 1), "{challenge}");
    }
    Ok(())
}

/// Some resources name an error where nothing is wrong but that the token is missing.
#[maybe_async]
#[test]
async fn a_request_without_a_token_lacks_one_whatever_the_error() -> TestResult {
    let world = World::new();
    let (_server, behind) = (world.server(""), world.clone());
    let resource = Server::start(
        move |request: &Request| match request.header("authorization") {
            None if request.path == "/mcp" => refusal("Bearer error=\"invalid_request\""),
            _ => behind.answer(request),
        },
    );
    let client = attended(&resource, &world).build()?;
    opened(&client, &resource, "/mcp").await?;
    assert_eq!(world.visits().len(), 1);
    Ok(())
}

/// Otherwise a user who had agreed to more before the restart is asked twice.
#[maybe_async]
#[test]
async fn the_scope_of_a_refused_token_is_asked_for_again() -> TestResult {
    let world = World::new();
    world.change(|state| {
        state
            .needs
            .extend([("/mcp", "read"), ("/mcp/write", "write")])
    });
    let (_server, resource) = (world.server(""), world.resource());
    let given = Token::new("gone").with_scope("read write");
    let client = attended(&resource, &world).token(given).build()?;
    opened(&client, &resource, "/mcp").await?;
    opened(&client, &resource, "/mcp/write").await?;
    assert_eq!(world.scopes(), ["read write"]);
    // And one that was stored with its server, and cannot be renewed.
    let token = client.token().expect("a token");
    world.revoke(token.access_token().expose_secret());
    world.change(|state| state.refuses_refresh = true);
    let client = attended(&resource, &world).token(token).build()?;
    opened(&client, &resource, "/mcp").await?;
    opened(&client, &resource, "/mcp/write").await?;
    assert_eq!(world.scopes(), ["read write"; 2]);
    Ok(())
}

#[maybe_async]
#[test]
async fn the_nonce_of_the_first_refusal_is_in_the_first_proof() -> TestResult {
    let world = World::new();
    world.change(|state| state.token_type = Some("DPoP"));
    let (_server, behind) = (world.server(""), world.clone());
    let resource = Server::start(move |request: &Request| {
        let proof = request.header("dpop");
        match proof.map(|proof| claims_of(proof)["nonce"] == "n1") {
            Some(true) => Reply::text(200, ""),
            Some(false) => refusal("DPoP error=\"use_dpop_nonce\"").with("DPoP-Nonce", "n1"),
            None => behind.answer(request).with("DPoP-Nonce", "n1"),
        }
    });
    let key = DpopKey::generate(Algorithm::ES256)?;
    let client = attended(&resource, &world).dpop(key).build()?;
    opened(&client, &resource, "/mcp").await?;
    assert_eq!(resource.count("/mcp"), 2);
    Ok(())
}
