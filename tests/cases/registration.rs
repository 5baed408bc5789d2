//! Registration of clients: by the client, at the start, kept by the store, dropped when refused.

use std::collections::BTreeMap;

use oauth_twin::{
    ErrorCode, ErrorKind, StoredToken,
    oauth2::{
        AuthorizationRequest, AuthorizationServer, ClientMetadata, ClientSecretBasic,
        RegisteredClient, RegistrationRequest,
    },
};
use serde_json::Value;
use support::folder::Folder;

use super::{test, *};

/// A server whose n-th registered client is `c<n>`, with `more` members in its response.
fn server(more: Value) -> Server {
    let registered = AtomicUsize::new(0);
    Server::start(move |request: &Request| match &*request.path {
        "/register" => {
            let n = registered.fetch_add(1, Ordering::SeqCst) + 1;
            let mut answer: Value = serde_json::from_slice(&request.body).expect("JSON");
            answer["client_id"] = format!("c{n}").into();
            let members = answer.as_object_mut().expect("an object");
            members.extend(more.as_object().expect("an object").clone());
            Reply::json(201, answer)
        }
        "/token" if request.parameter("client_id").as_deref() == Some("c1") => {
            Reply::error(401, "invalid_client")
        }
        "/token" => Reply::json(200, tokens(1, 600)),
        _ => Reply::authorization_of(request),
    })
}

const ISSUER: &str = "https://id.example";

fn metadata_of(server: &Server) -> AuthorizationServer {
    AuthorizationServer::new(ISSUER)
        .with_registration_endpoint(server.url("/register"))
        .with_authorization_endpoint(server.url("/authorize"))
        .with_token_endpoint(server.url("/token"))
}

fn unregistered(server: &Server) -> OAuth2ClientBuilder {
    OAuth2Client::unregistered().server(metadata_of(server))
}

fn native() -> ClientMetadata {
    ClientMetadata::native("Reports")
}

/// The registration that a store keeps.
fn kept(store: &FileTokenStore) -> Option<RegisteredClient> {
    store.read_registration(ISSUER).expect("readable")
}

fn has_token(store: &FileTokenStore) -> bool {
    let stored = store.read().expect("readable");
    stored.is_some_and(|stored| stored.token.is_some())
}

fn sent(request: &Request) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

#[maybe_async]
#[test]
async fn a_client_registers_another_and_stays_as_it_is() -> TestResult {
    let server = server(json!({}));
    let client = unregistered(&server).build()?;
    let request = RegistrationRequest::new(native().with_software_statement("a.b.c"))
        .initial_access_token("initial");
    let registered = client.register(request).await?;
    assert_eq!(
        (registered.issuer(), registered.client_id()),
        (ISSUER, "c1")
    );
    assert_eq!(registered.token_endpoint_auth_method(), "none");
    let requests = server.requests("/register");
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("authorization"), Some("Bearer initial"));
    assert_eq!(requests[0].header("content-type"), Some("application/json"));
    assert_eq!(
        sent(&requests[0]),
        json!({
            "application_type": "native", "client_name": "Reports",
            "redirect_uris": ["http://127.0.0.1/callback", "http://localhost/callback"],
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
            "token_endpoint_auth_method": "none", "software_statement": "a.b.c",
        })
    );
    let refused = client.create_authorization_url(AuthorizationRequest::new());
    let refused = refused.expect_err("it has no identifier itself");
    assert!(refused.to_string().contains("register"), "{refused}");
    Ok(())
}

#[maybe_async]
#[test]
async fn what_the_server_returned_is_what_the_client_uses() -> TestResult {
    let server = server(json!({
        "client_id": "c7", "client_secret": "s", "client_secret_expires_at": 0,
        "token_endpoint_auth_method": "client_secret_post",
        "redirect_uris": ["http://localhost/callback"],
    }));
    let client = unregistered(&server)
        .register(native())
        .await?
        .grant(ClientCredentials::new())
        .build()?;
    client.ensure_active_token().await?;
    let request = &server.requests("/token")[0];
    assert_eq!(request.parameter("client_secret").as_deref(), Some("s"));
    assert_eq!(request.header("authorization"), None);
    let url = client
        .create_authorization_url(AuthorizationRequest::new())?
        .url;
    assert!(url.as_str().contains("client_id=c7"), "{url}");
    assert!(url.as_str().contains("localhost%2Fcallback"), "{url}");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_registration_is_kept_and_belongs_to_its_issuer() -> TestResult {
    let server = server(json!({"client_secret": "s"}));
    let registering = unregistered(&server).build()?;
    let metadata = native().with_token_endpoint_auth_method("client_secret_basic");
    let registered = registering.register(metadata).await?;
    let kept = serde_json::to_string(&registered)?;
    let read: RegisteredClient = serde_json::from_str(&kept)?;
    let client = unregistered(&server)
        .registered_client(read.clone())
        .redirect_uri("http://127.0.0.1:7/callback")
        .build()?;
    let request = AuthorizationRequest::new();
    let url = client.create_authorization_url(request)?.url;
    assert!(url.as_str().contains("client_id=c1"), "{url}");
    assert!(
        url.as_str().contains("127.0.0.1%3A7"),
        "the one that is set: {url}"
    );

    let other =
        AuthorizationServer::new("https://other.example").with_token_endpoint(server.url("/token"));
    let built = OAuth2Client::unregistered()
        .server(other)
        .registered_client(read.clone())
        .build();
    let problem = bad_settings(built);
    assert!(problem.starts_with("registered_client"), "{problem}");
    let later = OAuth2Client::unregistered()
        .discover_later("https://other.example")
        .registered_client(read)
        .build();
    assert!(bad_settings(later).starts_with("registered_client"));
    assert_eq!(server.count("/token"), 0, "it never reaches another server");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_method_that_needs_a_key_is_named() -> TestResult {
    let server = server(json!({"token_endpoint_auth_method": "private_key_jwt"}));
    let builder = unregistered(&server).register(native()).await?;
    let problem = bad_settings(builder.build());
    assert!(problem.contains("private_key_jwt"), "{problem}");
    let builder = unregistered(&server).register(native()).await?;
    let built = builder
        .client_secret("s")
        .token_endpoint_auth_method(ClientSecretBasic)
        .build();
    assert!(built.is_ok(), "a method that is set counts");
    Ok(())
}

#[maybe_async]
#[test]
async fn the_store_keeps_the_registration_by_issuer() -> TestResult {
    let server = server(json!({}));
    let folder = Folder::new("registration");
    let store = || FileTokenStore::new(folder.file("token.json"));
    let registered = |builder: &OAuth2ClientBuilder| format!("{builder:?}");
    for _ in 0..3 {
        let builder = unregistered(&server).token_store(store());
        let builder = builder.register(native()).await?;
        assert!(registered(&builder).contains("\"c1\""));
    }
    assert_eq!(server.count("/register"), 1, "one for all starts");
    // At another server, the client is another one.
    let elsewhere = metadata_of(&server).with_issuer("https://other.example");
    let builder = OAuth2Client::unregistered().server(elsewhere);
    let builder = builder.token_store(store()).register(native()).await?;
    assert!(registered(&builder).contains("\"c2\""));
    assert_eq!(server.count("/register"), 2);
    // So it is with other redirection URIs, none of which is registered.
    let moved = native().with_redirect_uris(["com.example.app:/callback"]);
    let builder = unregistered(&server).token_store(store());
    let builder = builder.register(moved).await?;
    assert!(registered(&builder).contains("\"c3\""));
    assert_eq!(server.count("/register"), 3);
    Ok(())
}

#[maybe_async]
#[test]
async fn an_expired_registration_is_replaced_with_the_token_of_the_old_client() -> TestResult {
    let clock = ManualClock::new();
    let at = clock.now().duration_since(UNIX_EPOCH)?.as_secs() + 600;
    let server = server(json!({
        "client_secret": "s", "client_secret_expires_at": at,
        "token_endpoint_auth_method": "client_secret_post",
    }));
    let folder = Folder::new("expired-registration");
    let store = FileTokenStore::new(folder.file("token.json"));
    let builder = || {
        let builder = unregistered(&server).clock(clock.clock());
        builder.token_store(store.clone())
    };
    let _ = builder().register(native()).await?;
    let token = Token::new("t0").with_refresh_token("r0");
    let stored = store.replace(&StoredToken::new(Some(token), 1));
    assert!(stored.is_ok_and(|stored| stored));
    let _ = builder().register(native()).await?;
    assert_eq!(server.count("/register"), 1, "it lasts");
    assert!(has_token(&store));
    clock.advance(seconds(600));
    let _ = builder().register(native()).await?;
    assert_eq!(server.count("/register"), 2);
    assert!(!has_token(&store));
    let replaced = kept(&store).expect("a registration");
    assert_eq!(replaced.client_id(), "c2");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_client_that_the_server_does_not_know_any_longer_is_registered_anew() -> TestResult {
    let server = server(json!({}));
    let folder = Folder::new("refused-registration");
    let store = FileTokenStore::new(folder.file("token.json"));
    let builder = || unregistered(&server).token_store(store.clone());
    let client = builder().register(native()).await?;
    let client = client.grant(ClientCredentials::new()).build()?;
    let error = client.ensure_active_token().await.expect_err("refused");
    assert_eq!(error.code(), Some(&ErrorCode::InvalidClient));
    assert!(error.to_string().contains("was dropped"), "{error}");
    assert_eq!(kept(&store), None);
    client.close().await?;
    let client = builder().register(native()).await?;
    let client = client.grant(ClientCredentials::new()).build()?;
    client.ensure_active_token().await?;
    assert_eq!(server.count("/register"), 2, "once");
    // Another error does not drop it.
    assert!(kept(&store).is_some());
    client.forget_registration().await?;
    assert_eq!(kept(&store), None);
    client.close().await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_client_id_that_was_set_is_never_replaced() -> TestResult {
    let server = server(json!({}));
    let folder = Folder::new("configured-client");
    let store = FileTokenStore::new(folder.file("token.json"));
    let client = OAuth2Client::builder("c1")
        .server(metadata_of(&server))
        .token_store(store.clone())
        .grant(ClientCredentials::new())
        .build()?;
    let error = client.ensure_active_token().await.expect_err("refused");
    assert_eq!(error.code(), Some(&ErrorCode::InvalidClient));
    assert!(!error.to_string().contains("anew"), "{error}");
    assert_eq!(server.count("/register"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn of_many_processes_one_registers() -> TestResult {
    let server = Arc::new(server(json!({})));
    let folder = Folder::new("crowd-registration");
    let path = folder.file("token.json");
    let ids = at_once(8, |_| {
        let (server, path) = (server.clone(), path.clone());
        async move {
            let store = FileTokenStore::new(path);
            let builder = unregistered(&server).token_store(store);
            let builder = builder.register(native()).await.expect("a registration");
            format!("{builder:?}").contains("\"c1\"")
        }
    })
    .await;
    assert_eq!(ids, [true; 8]);
    assert_eq!(server.count("/register"), 1);
    Ok(())
}

/// A store that cannot keep registrations.
struct Forgetful(Arc<AtomicUsize>);

#[maybe_async(AFIT)]
impl TokenStore for Forgetful {
    async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        Ok(None)
    }

    async fn save(&self, _next: &StoredToken) -> Result<bool, BoxError> {
        Ok(true)
    }

    async fn lease(&self, _time: Duration) -> Result<Option<oauth_twin::Lease>, BoxError> {
        Ok(Some(oauth_twin::Lease::new(())))
    }

    async fn save_registration(
        &self,
        _issuer: &str,
        _registration: Option<&RegisteredClient>,
    ) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Err("the disk is full".into())
    }
}

#[maybe_async]
#[test]
async fn a_registration_is_kept_before_it_is_used() -> TestResult {
    let server = server(json!({}));
    let saves = Arc::new(AtomicUsize::new(0));
    let builder = unregistered(&server).token_store(Forgetful(saves.clone()));
    let error = builder.register(native()).await.expect_err("an error");
    assert_eq!(error.kind(), ErrorKind::Store);
    assert_eq!(cause(&error), "the disk is full");
    assert_eq!(saves.load(Ordering::SeqCst), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn the_answer_of_the_server_is_read_as_it_comes() -> TestResult {
    for (status, body, kind) in [
        (
            400,
            r#"{"error":"invalid_client_metadata"}"#,
            ErrorKind::Server,
        ),
        (401, "", ErrorKind::Server),
        (403, "<html>no</html>", ErrorKind::Server),
        (503, "", ErrorKind::Server),
        (201, "{}", ErrorKind::Answer),
        (201, "not JSON", ErrorKind::Answer),
        (302, "", ErrorKind::Answer),
    ] {
        let server = Server::start(move |_: &Request| {
            Reply::text(status, body).with("location", "https://evil.example/register")
        });
        let client = unregistered(&server).build()?;
        let error = client.register(native()).await.expect_err("an error");
        assert_eq!(error.kind(), kind, "{status} {body}");
        assert!(
            error.to_string().contains("registration endpoint"),
            "{error}"
        );
        assert_eq!(server.count("/register"), 1, "sent once: {status}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_server_without_registration_or_issuer_is_named() -> TestResult {
    let server = AuthorizationServer::new(ISSUER);
    let client = OAuth2Client::unregistered().server(server).build()?;
    let error = client.register(native()).await.expect_err("no endpoint");
    assert!(
        error.to_string().contains("registration_endpoint"),
        "{error}"
    );
    let client = OAuth2Client::unregistered().build()?;
    let error = client.register(native()).await.expect_err("no issuer");
    assert!(error.to_string().contains("set issuer"), "{error}");
    let builder = OAuth2Client::unregistered().register(native()).await;
    let error = builder.expect_err("no issuer");
    assert!(error.to_string().contains("set issuer"), "{error}");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_registration_is_read_updated_and_deleted() -> TestResult {
    let tokens: Arc<std::sync::Mutex<BTreeMap<String, usize>>> = Arc::default();
    let seen = tokens.clone();
    let server = Arc::new(std::sync::OnceLock::<String>::new());
    let own = server.clone();
    let running = Server::start(move |request: &Request| {
        let uri = format!("{}/clients/c", own.get().expect("a URL"));
        let token = request.header("authorization").unwrap_or_default();
        let mut seen = seen.lock().expect("a lock");
        let count = seen.entry(token.to_owned()).or_default();
        *count += 1;
        match (&*request.method, &*request.path) {
            ("POST", "/register") => Reply::json(
                201,
                json!({
                    "client_id": "c", "client_secret": "s1", "client_name": "Reports",
                    "registration_client_uri": uri, "registration_access_token": "t1",
                    "client_secret_expires_at": 0, "client_id_issued_at": 7,
                    "redirect_uris": ["http://127.0.0.1/callback"],
                }),
            ),
            ("GET", "/clients/c") => Reply::json(
                200,
                json!({
                    "client_id": "c", "client_secret": "s2", "client_name": "Reports",
                    "registration_client_uri": uri, "registration_access_token": "t2",
                    "redirect_uris": ["http://127.0.0.1/callback"],
                }),
            ),
            ("PUT", "/clients/c") => Reply::json(200, sent(request)),
            ("DELETE", "/clients/c") => Reply::text(204, ""),
            _ => Reply::text(404, ""),
        }
    });
    server.set(running.url("")).expect("once");
    let folder = Folder::new("managed-registration");
    let store = FileTokenStore::new(folder.file("token.json"));
    let builder = unregistered(&running).token_store(store.clone());
    let client = builder.register(native()).await?.build()?;
    let first = kept(&store).expect("kept");
    let second = client.read_registration(&first).await?;
    assert_eq!(second.client_secret(), Some(&"s2".into()));
    assert_eq!(kept(&store), Some(second.clone()), "stored");
    let renamed = second.metadata().clone().with_client_name("Reports 2");
    let third = client.update_registration(&second, renamed).await?;
    assert_eq!(third.metadata().client_name(), Some("Reports 2"));
    assert_eq!(kept(&store), Some(third.clone()));
    let puts: Vec<_> = running.requests("/clients/c");
    assert_eq!(
        sent(&puts[1]),
        json!({
            "client_id": "c", "client_secret": "s2", "client_name": "Reports 2",
            "redirect_uris": ["http://127.0.0.1/callback"],
        })
    );
    client.delete_registration(&third).await?;
    assert_eq!(kept(&store), None);
    let tokens = tokens.lock().expect("a lock").clone();
    let expected = [("", 1), ("Bearer t1", 1), ("Bearer t2", 2)];
    let expected = expected.map(|(token, count)| (token.to_owned(), count));
    assert_eq!(tokens, BTreeMap::from(expected));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_relative_address_of_the_registration_is_not_completed() -> TestResult {
    let server = server(json!({
        "registration_client_uri": "/register/c", "registration_access_token": "t",
        "grant_types": null, "response_types": null, "token_endpoint_auth_method": "",
        "client_secret": "s",
    }));
    let client = unregistered(&server).build()?;
    let registered = client.register(native()).await?;
    assert_eq!(
        registered.token_endpoint_auth_method(),
        "client_secret_basic"
    );
    let error = client.read_registration(&registered).await;
    let error = error.expect_err("relative").to_string();
    assert!(error.contains("registration_client_uri"), "{error}");
    let deleted = client.delete_registration(&registered).await;
    assert!(deleted.is_err());
    assert_eq!(server.requests_in_all(), 1);
    Ok(())
}

/// A server that registers a client for signed answers, and sends plain ones.
fn plain_server() -> Server {
    Server::start(|request: &Request| match &*request.path {
        "/register" => Reply::json(
            201,
            json!({
                "client_id": "c2",
                "userinfo_signed_response_alg": "ES256",
                "introspection_signed_response_alg": "ES256",
            }),
        ),
        "/userinfo" => Reply::json(200, json!({"sub": "alice"})),
        "/introspect" => Reply::json(200, json!({"active": true})),
        _ => Reply::json(200, tokens(1, 600)),
    })
}

#[maybe_async]
#[test]
async fn a_plain_answer_is_refused_where_a_signed_one_is_registered() -> TestResult {
    let server = plain_server();
    let metadata = metadata_of(&server)
        .with_userinfo_endpoint(server.url("/userinfo"))
        .with_introspection_endpoint(server.url("/introspect"));
    let client = OAuth2Client::unregistered()
        .server(metadata)
        .register(native())
        .await?
        .grant(ClientCredentials::new())
        .build()?;
    client.ensure_active_token().await?;
    for error in [
        client.userinfo("alice").await.expect_err("a plain one"),
        client.introspect_token().await.expect_err("a plain one"),
    ] {
        assert_eq!(error.kind(), ErrorKind::Answer);
        assert!(error.to_string().contains("signed"), "{error}");
    }
    let asked = &server.requests("/introspect")[0];
    let accept = asked.header("accept");
    assert_eq!(accept, Some("application/token-introspection+jwt"));
    Ok(())
}
