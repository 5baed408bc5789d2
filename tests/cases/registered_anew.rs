//! Running clients whose server does not know them any longer: registered anew, once.

mod algorithms;
mod children;
mod stores;
mod timeouts;

use std::{collections::HashSet, sync::Mutex};

use oauth_twin::{
    ErrorCode, StoredToken,
    oauth2::{
        AuthorizationRequest, AuthorizationServer, ClientMetadata, Push, RegisteredClient,
        TokenExchange,
    },
};
use serde_json::Value;
use support::folder::Folder;

use super::{device::begun, test, *};

pub const ISSUER: &str = "https://id.example";

/// A server whose n-th registered client is `c<n>` with the secret `s<n>`, and which drops clients.
#[derive(Clone, Default)]
pub struct Registrar(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    registered: usize,
    issued: usize,
    dropped: HashSet<String>,
    /// Whether it registers no client.
    refuses: bool,
    /// Changes of what it answers to a registration.
    answer: Vec<(&'static str, Value)>,
}

impl Registrar {
    pub fn start(&self) -> Server {
        let registrar = self.clone();
        Server::start(move |request: &Request| registrar.answer(request))
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().expect("a lock"));
    }

    pub fn drop_client(&self, client_id: &str) {
        self.change(|state| state.dropped.extend([client_id.to_owned()]));
    }

    fn answer(&self, request: &Request) -> Reply {
        let mut state = self.0.lock().expect("a lock");
        let client = request.parameter("client_id").unwrap_or_default();
        match &*request.path {
            "/register" if state.refuses => Reply::error(403, "access_denied"),
            "/register" => {
                state.registered += 1;
                let n = state.registered;
                let mut answer: Value = serde_json::from_slice(&request.body).expect("JSON");
                answer["client_id"] = format!("c{n}").into();
                answer["client_secret"] = format!("s{n}").into();
                for (name, value) in &state.answer {
                    answer[*name] = value.clone();
                }
                Reply::json(201, answer)
            }
            "/token" | "/par" | "/device" if state.dropped.contains(&client) => {
                Reply::error(401, "invalid_client")
            }
            "/token" => {
                state.issued += 1;
                let mut answer = tokens(state.issued, 60);
                if request.parameter("grant_type").as_deref() == Some("client_credentials") {
                    answer["refresh_token"] = Value::Null;
                }
                Reply::json(200, answer)
            }
            "/device" => Reply::json(
                200,
                json!({
                    "device_code": "d", "user_code": "U", "expires_in": 60, "interval": 1,
                    "verification_uri": "https://id.example/device",
                }),
            ),
            "/userinfo" => Reply::json(200, json!({"sub": "alice"})),
            "/introspect" => Reply::json(200, json!({"active": true})),
            "/par" => Reply::json(201, json!({"request_uri": "urn:x", "expires_in": 60})),
            _ => Reply::authorization_of(request),
        }
    }
}

fn metadata_of(server: &Server) -> AuthorizationServer {
    AuthorizationServer::new(ISSUER)
        .with_registration_endpoint(server.url("/register"))
        .with_authorization_endpoint(server.url("/authorize"))
        .with_pushed_authorization_request_endpoint(server.url("/par"))
        .with_device_authorization_endpoint(server.url("/device"))
        .with_introspection_endpoint(server.url("/introspect"))
        .with_userinfo_endpoint(server.url("/userinfo"))
        .with_token_endpoint(server.url("/token"))
}

pub fn unregistered(server: &Server) -> OAuth2ClientBuilder {
    OAuth2Client::unregistered().server(metadata_of(server))
}

pub fn metadata() -> ClientMetadata {
    ClientMetadata::native("Reports").with_token_endpoint_auth_method("client_secret_post")
}

fn kept(store: &FileTokenStore) -> Option<RegisteredClient> {
    store.read_registration(ISSUER).expect("readable")
}

/// The clients that have requested tokens, in order.
pub fn clients(server: &Server) -> Vec<String> {
    let requests = server.requests("/token");
    let client = |request: &Request| request.parameter("client_id").unwrap_or_default();
    requests.iter().map(client).collect()
}

#[maybe_async]
#[test]
async fn a_client_that_is_dropped_is_registered_anew_for_a_whole_crowd() -> TestResult {
    let (registrar, clock) = (Registrar::default(), ManualClock::new());
    let server = Arc::new(registrar.start());
    let folder = Folder::new("dropped-while-running");
    let store = FileTokenStore::new(folder.file("token.json"));
    for store in [Some(store), None] {
        registrar.change(|state| *state = State::default());
        let before = server.requests_in_all();
        let mut builder = unregistered(&server).clock(clock.clock());
        if let Some(store) = store.clone() {
            builder = builder.token_store(store);
        }
        let builder = builder.register(metadata()).await?;
        let client = builder.grant(ClientCredentials::new()).build()?;
        client.ensure_active_token().await?;
        registrar.drop_client("c1");
        clock.advance(seconds(61));
        let headers = at_once(16, |_| {
            let (client, server) = (client.clone(), server.clone());
            async move {
                let response = client.get(server.url("/api")).send().await.expect("sent");
                response.text().await.expect("a body")
            }
        })
        .await;
        assert_eq!(headers, ["Bearer t2"; 16]);
        let sent: Vec<_> = server.all().into_iter().skip(before).collect();
        let count = |path: &str| sent.iter().filter(|it| it.path == path).count();
        assert_eq!((count("/register"), count("/token")), (2, 3));
        let last = sent.iter().rfind(|it| it.path == "/token").expect("one");
        let secret = last.parameter("client_secret");
        assert_eq!(secret.as_deref(), Some("s2"), "that of the new one");
        // The new one is like the first: it lasts, and is replaced when it is dropped.
        clock.advance(seconds(61));
        client.ensure_active_token().await?;
        assert_eq!(clients(&server).last().map(String::as_str), Some("c2"));
        if let Some(store) = store {
            assert_eq!(
                kept(&store).map(|it| it.client_id().to_owned()),
                Some("c2".into())
            );
        }
        registrar.drop_client("c2");
        clock.advance(seconds(61));
        client.ensure_active_token().await?;
        assert_eq!(clients(&server).last().map(String::as_str), Some("c3"));
        client.close().await?;
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_new_registration_that_is_refused_as_well_is_the_end() -> TestResult {
    let (registrar, clock) = (Registrar::default(), ManualClock::new());
    let server = registrar.start();
    let builder = unregistered(&server).clock(clock.clock());
    let builder = builder.register(metadata()).await?;
    let client = builder.grant(ClientCredentials::new()).build()?;
    client.ensure_active_token().await?;
    for client in ["c1", "c2", "c3"] {
        registrar.drop_client(client);
    }
    for _ in 0..5 {
        clock.advance(seconds(120));
        let error = client.ensure_active_token().await.expect_err("refused");
        assert_eq!(error.code(), Some(&ErrorCode::InvalidClient), "{error}");
    }
    assert_eq!(server.count("/register"), 2);
    assert_eq!(clients(&server)[..3], ["c1", "c1", "c2"]);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_registration_that_fails_is_the_error_and_is_paced() -> TestResult {
    let (registrar, clock) = (Registrar::default(), ManualClock::new());
    let server = registrar.start();
    let builder = unregistered(&server).clock(clock.clock());
    let builder = builder.register(metadata()).await?;
    let client = builder.grant(ClientCredentials::new()).build()?;
    client.ensure_active_token().await?;
    registrar.drop_client("c1");
    registrar.change(|state| state.refuses = true);
    clock.advance(seconds(61));
    for _ in 0..4 {
        let error = client.ensure_active_token().await.expect_err("refused");
        assert!(
            error.to_string().contains("registration endpoint"),
            "{error}"
        );
    }
    assert_eq!(server.count("/register"), 2, "one more");
    registrar.change(|state| state.refuses = false);
    clock.advance(seconds(5));
    client.ensure_active_token().await?;
    assert_eq!(server.count("/register"), 3);
    Ok(())
}

/// The token of a user would be lost with the registration, so that is for the next login.
#[maybe_async]
#[test]
async fn a_client_with_a_user_is_registered_anew_when_the_next_login_begins() -> TestResult {
    let (registrar, clock) = (Registrar::default(), ManualClock::new());
    let server = registrar.start();
    let folder = Folder::new("user-of-a-dropped-client");
    let store = FileTokenStore::new(folder.file("token.json"));
    let builder = || {
        let builder = unregistered(&server).clock(clock.clock());
        builder.token_store(store.clone())
    };
    // In an earlier run.
    let _ = builder().register(metadata()).await?;
    let client = builder().register(metadata()).await?.build()?;
    let token = first_token(&clock, 60);
    let stored = store.replace(&StoredToken::new(Some(token.clone()), 1));
    assert!(stored.is_ok_and(|stored| stored));
    client.ensure_active_token().await?;
    let child = client.for_token(token.with_refresh_token("another"));
    registrar.drop_client("c1");
    clock.advance(seconds(61));
    for refused in [&client, &child] {
        let error = refused.ensure_active_token().await.expect_err("refused");
        assert_eq!(error.code(), Some(&ErrorCode::InvalidClient));
    }
    assert_eq!(server.count("/register"), 1);
    let request = AuthorizationRequest::new();
    let url = client.begin_authorization(request.clone()).await?.url;
    assert!(url.as_str().contains("client_id=c2"), "{url}");
    assert_eq!(server.count("/register"), 2);
    assert_eq!(client.token(), None, "it belonged to the old client");
    let stored = store
        .read()
        .expect("readable")
        .and_then(|stored| stored.token);
    assert!(stored.is_none(), "and so did that in the store");
    let url = client.begin_authorization(request).await?.url;
    assert!(url.as_str().contains("client_id=c2"), "{url}");
    assert_eq!(server.count("/register"), 2, "once");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_does_not_begin_with_a_secret_that_has_expired() -> TestResult {
    let (registrar, clock) = (Registrar::default(), ManualClock::new());
    let server = registrar.start();
    let at = clock.now().duration_since(UNIX_EPOCH)?.as_secs() + 600;
    registrar.change(|state| state.answer = vec![("client_secret_expires_at", at.into())]);
    let builder = unregistered(&server).clock(clock.clock());
    let client = builder.register(metadata()).await?.build()?;
    let child = client.for_token(Token::new("t").with_refresh_token("r"));
    let url = client
        .begin_authorization(AuthorizationRequest::new())
        .await?
        .url;
    assert!(url.as_str().contains("client_id=c1"), "{url}");
    clock.advance(seconds(600));
    registrar.change(|state| state.answer = vec![("client_secret_expires_at", 0.into())]);
    let url = child
        .begin_authorization(AuthorizationRequest::new())
        .await?
        .url;
    assert!(
        url.as_str().contains("client_id=c1"),
        "not by a child: {url}"
    );
    let url = client
        .begin_authorization(AuthorizationRequest::new())
        .await?
        .url;
    assert!(url.as_str().contains("client_id=c2"), "{url}");
    Ok(())
}

/// Some servers say so of secrets that they accept.
#[maybe_async]
#[test]
async fn a_secret_that_has_expired_as_it_is_issued_is_used() -> TestResult {
    let (registrar, clock) = (Registrar::default(), ManualClock::new());
    let server = registrar.start();
    registrar.change(|state| state.answer = vec![("client_secret_expires_at", 1.into())]);
    let builder = unregistered(&server).clock(clock.clock());
    let client = builder.register(metadata()).await?.build()?;
    for _ in 0..3 {
        let begun = client.begin_authorization(AuthorizationRequest::new());
        let url = begun.await?.url;
        assert!(url.as_str().contains("client_id=c1"), "{url}");
        clock.advance(seconds(600));
    }
    assert_eq!(server.count("/register"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_pushed_request_that_is_refused_drops_the_registration_too() -> TestResult {
    let registrar = Registrar::default();
    let server = registrar.start();
    let builder = unregistered(&server).pushed_authorization_requests(Push::Always);
    let builder = builder.register(metadata()).await?;
    let client = builder.redirect_uri("http://127.0.0.1/own").build()?;
    let begin = || client.begin_authorization(AuthorizationRequest::new());
    begin().await?;
    registrar.drop_client("c1");
    let error = begin().await.expect_err("refused");
    assert_eq!(error.code(), Some(&ErrorCode::InvalidClient));
    let url = begin().await?.url;
    assert!(url.as_str().contains("client_id=c2"), "{url}");
    let pushed = server.requests("/par");
    let uris: Vec<_> = pushed
        .iter()
        .filter_map(|it| it.parameter("redirect_uri"))
        .collect();
    assert_eq!(uris, ["http://127.0.0.1/own"; 3], "that which is set stays");
    Ok(())
}

#[maybe_async]
#[test]
async fn what_was_set_beside_the_registration_stays() -> TestResult {
    let (registrar, clock) = (Registrar::default(), ManualClock::new());
    let server = registrar.start();
    let builder = unregistered(&server).clock(clock.clock());
    let builder = builder.register(metadata()).await?;
    let client = builder
        .client_secret("own")
        .scope("reports")
        .grant(ClientCredentials::new())
        .build()?;
    client.ensure_active_token().await?;
    registrar.drop_client("c1");
    clock.advance(seconds(61));
    client.ensure_active_token().await?;
    let last = server.requests("/token").pop().expect("one");
    for (name, value) in [
        ("client_id", "c2"),
        ("client_secret", "own"),
        ("scope", "reports"),
    ] {
        assert_eq!(last.parameter(name).as_deref(), Some(value));
    }
    Ok(())
}

/// The server of the source does not know the source: that says nothing about this client.
#[maybe_async]
#[test]
async fn the_refusal_of_another_client_is_not_that_of_this_one() -> TestResult {
    let registrar = Registrar::default();
    let server = registrar.start();
    let other = Server::start(|_: &Request| Reply::error(401, "invalid_client"));
    let source = builder(&other).grant(ClientCredentials::new()).build()?;
    let folder = Folder::new("refused-source");
    let store = FileTokenStore::new(folder.file("token.json"));
    let builder = unregistered(&server).token_store(store.clone());
    let _ = builder.register(metadata()).await?;
    let registered = kept(&store).expect("a registration");
    let client = unregistered(&server)
        .registered_client(registered)
        .exchanged_from(&source, TokenExchange::of_client())
        .build()?;
    let error = client.ensure_active_token().await.expect_err("refused");
    assert_eq!(error.code(), Some(&ErrorCode::InvalidClient));
    assert!(!error.to_string().contains("dropped"), "{error}");
    assert_eq!(server.count("/token"), 0);
    assert!(kept(&store).is_some());
    Ok(())
}

#[maybe_async]
#[test]
async fn a_client_that_is_dropped_while_its_device_polls_is_registered_anew() -> TestResult {
    let registrar = Registrar::default();
    let server = registrar.start();
    let folder = Folder::new("dropped-while-polling");
    let store = FileTokenStore::new(folder.file("token.json"));
    // One that was made a moment ago is not replaced.
    let builder = unregistered(&server).token_store(store.clone());
    let _ = builder.register(metadata()).await?;
    let builder = unregistered(&server).token_store(store.clone());
    let client = builder.register(metadata()).await?.build()?;
    let device = begun(&client).await;
    registrar.drop_client("c1");
    let outcome = client.complete_device_authorization(device).await;
    let error = outcome.expect_err("refused");
    assert_eq!(error.code(), Some(&ErrorCode::InvalidClient));
    assert!(
        error.to_string().contains("the registration was dropped"),
        "{error}"
    );
    assert_eq!(kept(&store), None);
    let device = begun(&client).await;
    client.complete_device_authorization(device).await?;
    assert_eq!(clients(&server), ["c1", "c2"]);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_registration_that_was_passed_is_never_replaced() -> TestResult {
    let (registrar, clock) = (Registrar::default(), ManualClock::new());
    let server = registrar.start();
    let registering = unregistered(&server).build()?;
    let registered = registering.register(metadata()).await?;
    let client = unregistered(&server)
        .clock(clock.clock())
        .registered_client(registered.clone())
        .grant(ClientCredentials::new())
        .build()?;
    client.ensure_active_token().await?;
    registrar.drop_client("c1");
    clock.advance(seconds(61));
    let error = client.ensure_active_token().await.expect_err("refused");
    assert_eq!(error.code(), Some(&ErrorCode::InvalidClient));
    assert!(error.to_string().contains("register it anew"), "{error}");
    assert_eq!(server.count("/register"), 1);

    // So the setting has no effect, for this one and for others.
    let without = || unregistered(&server).register_again_without_callback();
    let builders = [
        without().registered_client(registered.clone()),
        without().client_id("set"),
        without()
            .register(metadata())
            .await?
            .registered_client(registered),
        OAuth2Client::for_resource(server.url("/mcp")).register_again_without_callback(),
        OAuth2Client::for_resource(server.url("/mcp"))
            .client_id("set")
            .client_metadata(metadata())
            .register_again_without_callback(),
    ];
    for builder in builders {
        let problem = bad_settings(builder.build());
        assert!(
            problem.contains("register_again_without_callback"),
            "{problem}"
        );
    }
    let resource = OAuth2Client::for_resource(server.url("/mcp"));
    let resource = resource.client_metadata(metadata());
    resource.register_again_without_callback().build()?;
    without().register(metadata()).await?.build()?;
    Ok(())
}
