//! A resource that moves to another server, and credentials that stay where they belong.

use std::{sync::atomic::AtomicBool, time::SystemTime};

use oauth_twin::{
    ErrorCode,
    jose::Algorithm,
    oauth2::{JwtBearer, PrivateKeyJwt},
};
use support::jwt::{Assertion, signing_key};

use super::{super::test, *};

/// Everything that a server has received, as text.
fn received(server: &Server) -> String {
    let all = server.all().into_iter();
    all.map(|request| format!("{} {:?} {}", request.query, request.headers, request.form()))
        .collect()
}

#[maybe_async]
#[test]
async fn a_resource_moves_and_nothing_of_the_old_server_comes_along() -> TestResult {
    let world = World::new();
    let (old, resource) = (world.server(""), world.resource());
    let folder = support::folder::Folder::new("resource-moves");
    let store = FileTokenStore::new(folder.file("token.json"));
    let client = attended(&resource, &world).token_store(store).build()?;
    opened(&client, &resource, "/mcp").await?;
    world.change(|state| {
        state.issuers.clear();
        state.issued.insert("t0".to_owned(), Default::default());
        // Of the same server program, so that only the issuer tells the clients apart.
        state.clients = 100;
    });
    let new = world.server("");
    opened(&client, &resource, "/mcp").await?;
    assert_eq!(paths(&new), [OAUTH, "/register", "/token"]);
    let visits = world.visits();
    assert_eq!(
        (&*visits[0]["client_id"], &*visits[1]["client_id"]),
        ("c1", "c101")
    );
    let sent = received(&new);
    // Whole values, as a random one may have these letters in it.
    for name in ["c1", "r1", "t1"] {
        for secret in [
            format!("={name}&"),
            format!("\"{name}\""),
            format!("Bearer {name}"),
        ] {
            assert!(!sent.contains(&secret), "{secret} in {sent}");
        }
    }
    for secret in ["refresh_token=r1", "access_token=t1", "client_id=c1&"] {
        assert!(!sent.contains(secret), "{secret} in {sent}");
    }
    assert_eq!(client.server().unwrap().issuer(), Some(&*new.url("")));
    let before = old.requests_in_all();
    client.refresh_token().await?;
    assert_eq!((old.requests_in_all(), new.count("/token")), (before, 2));
    client.close().await?;
    Ok(())
}

/// A token of another server, which has expired and can be renewed there.
fn foreign(issuer: &str, client: &str, resource: &Server) -> Token {
    let token = Token::new("foreign")
        .with_refresh_token("refresh-of-the-other")
        .with_issued_at(UNIX_EPOCH + Duration::from_secs(900))
        .with_expires_at(UNIX_EPOCH + Duration::from_secs(1000));
    let mut members: Value = serde_json::to_value(token).unwrap();
    members["oauth_twin_client"] =
        json!({"issuer": issuer, "client_id": client, "resource": resource.url("/mcp")});
    serde_json::from_value(members).unwrap()
}

/// How the program hands a token over to a client that is at another server.
#[derive(Clone, Copy, Debug)]
enum Hand {
    Set,
    ForToken,
}

fn handed(client: &OAuth2Client, token: Token, hand: Hand) -> Result<OAuth2Client, Error> {
    Ok(match hand {
        Hand::Set => {
            client.set_token(token)?;
            client.clone()
        }
        Hand::ForToken => client.for_token(token),
    })
}

/// A client of a document is the same one at both, so that the new server could use the token.
#[maybe_async]
#[test]
async fn a_token_that_is_handed_over_is_renewed_where_it_was_issued() -> TestResult {
    const DOCUMENT: &str = "https://app.example/client";
    for hand in [Hand::Set, Hand::ForToken] {
        let world = World::new();
        let (current, resource) = (world.server(""), world.resource());
        let other = world.server("/other");
        world.change(|state| {
            let by_document = ("client_id_metadata_document_supported", json!(true));
            state.server.push(by_document);
        });
        let client = OAuth2Client::for_resource(resource.url("/mcp"))
            .client_metadata_document(DOCUMENT)
            .redirect_uri("http://127.0.0.1/callback")
            .build()?;
        client.fetch_server().await?;
        let token = foreign(&other.url("/other"), DOCUMENT, &resource);
        let client = handed(&client, token, hand)?;
        client.ensure_active_token().await?;
        assert_eq!(current.count("/token"), 0, "{hand:?}");
        let request = &other.requests("/other/token")[0];
        assert_eq!(
            request.parameter("refresh_token").as_deref(),
            Some("refresh-of-the-other")
        );
    }
    Ok(())
}

/// The resource may be a stranger's, and so may the server that it names.
#[maybe_async]
#[test]
async fn a_refresh_token_of_unknown_origin_goes_only_to_a_server_that_the_code_names() -> TestResult
{
    for hand in [Hand::Set, Hand::ForToken] {
        for is_named in [false, true] {
            let world = World::new();
            let (server, resource) = (world.server(""), world.resource());
            let revocation = ("revocation_endpoint", json!(server.url("/revoke")));
            world.change(|state| state.server.push(revocation));
            let builder = OAuth2Client::for_resource(resource.url("/mcp"))
                .redirect_uri("http://127.0.0.1/callback")
                .client_metadata(ClientMetadata::native("App"));
            let client = match is_named {
                true => builder.issuer(server.url("")).build()?,
                false => builder.build()?,
            };
            client.fetch_server().await?;
            let token =
                Token::new("from-elsewhere").with_refresh_token("refresh-of-unknown-origin");
            let client = handed(&client, token, hand)?;
            let renewed = client.refresh_token().await;
            let requests = server.requests("/token");
            let sent: Vec<_> = requests
                .iter()
                .filter_map(|it| it.parameter("refresh_token"))
                .collect();
            match is_named {
                true => assert_eq!(sent, ["refresh-of-unknown-origin"], "{hand:?}"),
                false => assert!(sent.is_empty() && renewed.is_err(), "{hand:?}: {sent:?}"),
            }
            client.revoke_token().await.ok();
            let revoked = server.requests("/revoke");
            let all: String = revoked.iter().map(|it| it.form()).collect();
            assert!(is_named || !all.contains("unknown-origin"), "{all}");
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn userinfo_gets_no_token_of_another_server() -> TestResult {
    for hand in [Hand::Set, Hand::ForToken] {
        let world = World::new();
        let (current, resource) = (world.server(""), world.resource());
        let userinfo = ("userinfo_endpoint", json!(current.url("/userinfo")));
        world.change(|state| state.server.push(userinfo));
        let client = OAuth2Client::for_resource(resource.url("/mcp"))
            .redirect_uri("http://127.0.0.1/callback")
            .client_metadata(ClientMetadata::native("App"))
            .build()?;
        client.fetch_server().await?;
        let token = foreign("https://other.example", "id", &resource)
            .with_expires_at(SystemTime::now() + Duration::from_secs(600));
        let client = handed(&client, token, hand)?;
        let error = client.userinfo("alice").await.expect_err("another server");
        assert!(error.needs_login(), "{hand:?}: {error}");
        assert_eq!(current.count("/userinfo"), 0);
    }
    Ok(())
}

/// Nothing is known of the client there, so that it cannot be renewed.
#[maybe_async]
#[test]
async fn a_token_of_a_client_that_is_not_known_is_sent_to_no_server() -> TestResult {
    for hand in [Hand::Set, Hand::ForToken] {
        for is_configured in [true, false] {
            let world = World::new();
            let (current, resource) = (world.server(""), world.resource());
            let builder = OAuth2Client::for_resource(resource.url("/mcp"))
                .redirect_uri("http://127.0.0.1/callback");
            let client = match is_configured {
                true => builder.client_id("id").issuer(current.url("")),
                false => builder.client_metadata(ClientMetadata::native("App")),
            };
            let client = client.build()?;
            client.fetch_server().await?;
            let token = foreign("https://other.example", "id", &resource);
            let client = handed(&client, token, hand)?;
            let error = status(&client, &resource, "/mcp").await.unwrap_err();
            assert!(error.needs_login(), "{hand:?} {is_configured}: {error}");
            assert_eq!(current.count("/token"), 0, "{hand:?} {is_configured}");
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_configured_client_is_never_taken_to_another_server() -> TestResult {
    let world = World::new();
    let (old, resource) = (world.server(""), world.resource());
    for is_named in [true, false] {
        let mut builder = attended(&resource, &world)
            .client_id("i-d")
            .client_secret("s3cret");
        if is_named {
            builder = builder.issuer(old.url(""));
        }
        let client = builder.build()?;
        opened(&client, &resource, "/mcp").await?;
        let token = client.token().unwrap();
        world.revoke(access_token(&token));
        let moved = "https://other.example";
        world.change(|state| {
            state
                .resource
                .push(("authorization_servers", json!([moved])));
            state.revoked.extend((0..10).map(|n| format!("t{n}")));
        });
        let error = status(&client, &resource, "/mcp").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert!(error.to_string().contains(moved), "{error}");
        world.change(|state| {
            state.resource.clear();
            state.revoked.clear();
        });
    }
    // Of several servers, the client's own is taken.
    let other = world.server("");
    world.change(|state| state.issuers.reverse());
    let own = attended(&resource, &world)
        .client_id("i-d")
        .issuer(old.url(""));
    opened(&own.build()?, &resource, "/mcp").await?;
    assert_eq!(other.requests_in_all(), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_registration_that_the_server_has_dropped_is_replaced_once() -> TestResult {
    let world = World::new();
    let (server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).build()?;
    opened(&client, &resource, "/mcp").await?;
    world.change(|state| {
        state.dropped.insert("c1".to_owned());
        state.revoked.insert("t1".to_owned());
    });
    opened(&client, &resource, "/mcp").await?;
    // The renewal has shown that it is dead, so the user is not sent to an error page by it.
    assert_eq!(world.clients(), ["c1", "c2"]);
    assert_eq!(server.count("/register"), 2);
    // A new one that is refused as well is an error.
    world.change(|state| {
        state.dropped.extend(["c2".to_owned(), "c3".to_owned()]);
        state.revoked.extend((0..10).map(|n| format!("t{n}")));
    });
    let error = status(&client, &resource, "/mcp").await.unwrap_err();
    assert_eq!(
        error.code().map(|code| code.as_str()),
        Some("invalid_client")
    );
    assert_eq!(server.count("/register"), 3);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_renewal_comes_before_a_login() -> TestResult {
    let world = World::new();
    let (server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).build()?;
    opened(&client, &resource, "/mcp").await?;
    world.revoke("t1");
    opened(&client, &resource, "/mcp").await?;
    assert_eq!((world.visits().len(), server.count("/token")), (1, 2));
    assert_eq!(resource.count(PATH), 1);
    Ok(())
}

/// The clock of one server says nothing about that of another.
#[maybe_async]
#[test]
async fn the_time_of_the_old_server_is_not_that_of_the_new_one() -> TestResult {
    let world = World::new();
    let resource = world.resource();
    let key = || signing_key(Algorithm::ES256, "p-256");
    // A server whose clock is ahead, and which takes assertions by it.
    let server = |ahead: u64| {
        let (behind, verifying) = (world.clone(), key().verifying_key());
        let server = Server::start(move |request: &Request| {
            if request.path != "/token" {
                return behind.serve("", request);
            }
            let now = SystemTime::now() + Duration::from_secs(ahead);
            let seconds = now.duration_since(UNIX_EPOCH).unwrap().as_secs();
            let assertion = Assertion::of(request, "client_assertion", &verifying);
            match assertion.issued_at().abs_diff(seconds) {
                0..10 => behind.serve("", request),
                _ => {
                    Reply::error(401, "invalid_client").with("date", &httpdate::fmt_http_date(now))
                }
            }
        });
        let issuer = server.url("");
        world.change(|state| state.issuers = vec![issuer]);
        server
    };
    let by_document = ("client_id_metadata_document_supported", json!(true));
    world.change(|state| state.server.push(by_document));
    let old = server(3600);
    let client = OAuth2Client::for_resource(resource.url("/mcp"))
        .client_metadata_document("https://app.example/client")
        .token_endpoint_auth_method(PrivateKeyJwt::new(key()))
        .correct_clock(true)
        .grant(ClientCredentials::new())
        .build()?;
    opened(&client, &resource, "/mcp").await?;
    assert_eq!(old.count("/token"), 2);
    let new = server(0);
    opened(&client, &resource, "/mcp").await?;
    assert_eq!(new.count("/token"), 1);
    Ok(())
}

/// No user can help where an assertion is refused, but the resource may have another server by now.
#[maybe_async]
#[test]
async fn an_assertion_that_the_old_server_refuses_is_sent_to_the_new_one() -> TestResult {
    let (world, clock) = (World::new(), ManualClock::new());
    let refuses = Arc::new(AtomicBool::new(false));
    let server = |refuses: Arc<AtomicBool>| {
        let served = world.clone();
        let server = Server::start(move |request: &Request| {
            match request.path == "/token" && refuses.load(Ordering::SeqCst) {
                true => Reply::error(400, "invalid_grant"),
                false => served.serve("", request),
            }
        });
        world.change(|state| state.issuers = vec![server.url("")]);
        server
    };
    let (old, resource) = (server(refuses.clone()), world.resource());
    let by_document = ("client_id_metadata_document_supported", json!(true));
    world.change(|state| state.server.push(by_document));
    let client = OAuth2Client::for_resource(resource.url("/mcp"))
        .client_metadata_document("https://app.example/client")
        .clock(clock.clock())
        .grant(JwtBearer::new("robot", support::keys::new_key("1")))
        .build()?;
    opened(&client, &resource, "/mcp").await?;
    refuses.store(true, Ordering::SeqCst);
    let new = server(refuses.clone());
    // So have the metadata of the resource.
    clock.advance(seconds(4000));
    let error = status(&client, &resource, "/mcp").await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant), "{error}");
    assert!(!error.needs_login(), "{error}");
    // The old one refuses its refresh token first.
    assert_eq!((old.count("/token"), new.count("/token")), (3, 1));
    refuses.store(false, Ordering::SeqCst);
    clock.advance(seconds(60));
    opened(&client, &resource, "/mcp").await?;
    assert_eq!((old.count("/token"), new.count("/token")), (3, 2));
    Ok(())
}

/// The registration is of an earlier run, and its token is gone.
#[maybe_async]
#[test]
async fn a_stored_registration_that_the_server_has_dropped_is_replaced_after_a_login() -> TestResult
{
    let world = World::new();
    let (server, resource) = (world.server(""), world.resource());
    let folder = support::folder::Folder::new("dropped-before");
    let store = FileTokenStore::new(folder.file("token.json"));
    let client = || {
        attended(&resource, &world)
            .token_store(store.clone())
            .build()
    };
    let first = client()?;
    opened(&first, &resource, "/mcp").await?;
    first.close().await?;
    let version = store
        .read()
        .expect("readable")
        .map_or(0, |stored| stored.version);
    let none = oauth_twin::StoredToken::new(None, version + 1);
    assert!(store.replace(&none).is_ok_and(|stored| stored));
    world.change(|state| state.dropped.extend(["c1".to_owned()]));
    let second = client()?;
    opened(&second, &resource, "/mcp").await?;
    let visits = world.visits();
    let clients: Vec<_> = visits.iter().map(|asked| &*asked["client_id"]).collect();
    assert_eq!(clients, ["c1", "c1", "c2"]);
    assert_eq!(server.count("/register"), 2);
    second.close().await?;
    Ok(())
}

/// No user is asked: the client's own grant serves for its token.
#[maybe_async]
#[test]
async fn a_registered_client_with_a_grant_is_registered_anew_while_it_runs() -> TestResult {
    let (world, clock) = (World::new(), ManualClock::new());
    let (server, resource) = (world.server(""), world.resource());
    let client = for_resource(&resource)
        .clock(clock.clock())
        .grant(ClientCredentials::new())
        .build()?;
    opened(&client, &resource, "/mcp").await?;
    world.change(|state| {
        state.dropped.insert("c1".to_owned());
        state.revoked.insert("t1".to_owned());
    });
    opened(&client, &resource, "/mcp").await?;
    assert_eq!(server.count("/register"), 2);
    let last = server.requests("/token").pop().expect("a request");
    assert_eq!(last.parameter("client_id").as_deref(), Some("c2"));
    assert_eq!(last.parameter("resource"), Some(resource.url("/mcp")));
    // Also where the token has expired, without a refusal by the resource.
    world.change(|state| state.dropped.extend(["c2".to_owned()]));
    clock.advance(seconds(700));
    opened(&client, &resource, "/mcp").await?;
    assert_eq!(server.count("/register"), 3);
    world.change(|state| state.dropped.extend(["c3", "c4"].map(str::to_owned)));
    for _ in 0..3 {
        clock.advance(seconds(700));
        let error = status(&client, &resource, "/mcp").await.unwrap_err();
        let code = error.code().map(|code| code.as_str());
        assert_eq!(code, Some("invalid_client"), "{error}");
    }
    assert_eq!(server.count("/register"), 4, "once more, and no further");
    Ok(())
}
