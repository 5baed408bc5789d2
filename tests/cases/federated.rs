//! Client authentication by assertions that a platform makes.
//!
//! [RFC 7523 section 2.2](https://www.rfc-editor.org/rfc/rfc7523#section-2.2)

use std::{fs, path::Path};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth_twin::{
    ErrorCode, ErrorKind, Secret,
    oauth2::{ClientAuth, FederatedAssertion, FederatedGrant},
};
use support::folder::Folder;

use super::{test, *};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A provider with all endpoints.
fn server() -> Server {
    let issued = AtomicUsize::new(0);
    Server::start(move |request: &Request| match &*request.path {
        "/token" => {
            let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
            Reply::json(200, tokens(n, 600))
        }
        "/introspect" => Reply::json(200, json!({"active": true})),
        _ => Reply::text(200, ""),
    })
}

fn client(server: &Server, auth: impl ClientAuth + 'static) -> OAuth2ClientBuilder {
    OAuth2Client::builder("id")
        .token_endpoint(server.url("/token"))
        .revocation_endpoint(server.url("/revoke"))
        .introspection_endpoint(server.url("/introspect"))
        .token_endpoint_auth_method(auth)
        .grant(ClientCredentials::new())
}

fn write(path: &Path, assertion: &str) {
    fs::write(path, format!(" {assertion}\r\n")).expect("a file");
}

fn assertions(server: &Server, path: &str) -> Vec<String> {
    let requests = server.requests(path);
    let assertion = |request: &Request| {
        assert_eq!(
            request.parameter("client_assertion_type").as_deref(),
            Some(TYPE)
        );
        assert_eq!(request.parameter("client_id").as_deref(), Some("id"));
        assert_eq!(request.header("authorization"), None);
        request.parameter("client_assertion").expect("an assertion")
    };
    requests.iter().map(assertion).collect()
}

#[maybe_async]
#[test]
async fn a_file_is_read_anew_for_each_request_at_every_endpoint() -> TestResult {
    let server = server();
    let folder = Folder::new("federated-file");
    let path = folder.file("token");
    let client = client(&server, FederatedAssertion::file(&path)).build()?;
    write(&path, "a.1.s");
    client.ensure_active_token().await?;
    write(&path, "a.2.s");
    client.introspect_token().await?;
    write(&path, "a.3.s");
    client.revoke_token().await?;
    write(&path, "a.4.s");
    client.ensure_active_token().await?;
    assert_eq!(assertions(&server, "/token"), ["a.1.s", "a.4.s"]);
    assert_eq!(assertions(&server, "/introspect"), ["a.2.s"]);
    assert_eq!(assertions(&server, "/revoke"), ["a.3.s"]);
    Ok(())
}

#[maybe_async]
#[test]
async fn the_assertion_is_sent_with_every_refresh() -> TestResult {
    let server = server();
    let folder = Folder::new("federated-refresh");
    let path = folder.file("token");
    let client = client(&server, FederatedAssertion::file(&path)).build()?;
    for n in 1..4 {
        write(&path, &format!("a.{n}.s"));
        client.refresh_token().await?;
    }
    assert_eq!(assertions(&server, "/token"), ["a.1.s", "a.2.s", "a.3.s"]);
    let requests = server.requests("/token");
    let grants = requests
        .iter()
        .map(|request| request.parameter("grant_type"));
    let grants: Vec<_> = grants.flatten().collect();
    assert_eq!(
        grants,
        ["client_credentials", "refresh_token", "refresh_token"]
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn it_is_read_anew_for_each_attempt() -> TestResult {
    let folder = Folder::new("federated-attempt");
    let path = folder.file("token");
    write(&path, "a.1.s");
    let rotated = path.clone();
    let attempts = AtomicUsize::new(0);
    let server = Server::start(move |_: &Request| {
        if attempts.fetch_add(1, Ordering::SeqCst) == 0 {
            write(&rotated, "a.2.s");
            return Reply::text(503, "").with("retry-after", "0");
        }
        Reply::json(200, tokens(1, 600))
    });
    let client = client(&server, FederatedAssertion::file(&path)).build()?;
    client.ensure_active_token().await?;
    assert_eq!(assertions(&server, "/token"), ["a.1.s", "a.2.s"]);
    Ok(())
}

/// As Entra ID refuses the token of a file that was read a day ago.
#[maybe_async]
#[test]
async fn a_refusal_is_not_repeated_and_a_stale_file_is_named() -> TestResult {
    let server = Server::start(|request: &Request| {
        let assertion = request.parameter("client_assertion").unwrap_or_default();
        Reply::json(
            401,
            json!({
                "error": "invalid_client",
                "error_description": format!("AADSTS700024: {assertion} is expired"),
            }),
        )
        // Nor does the clock of the server help: the platform has signed by its own.
        .with("date", "Tue, 01 Jan 2030 00:00:00 GMT")
    });
    let folder = Folder::new("federated-stale");
    let path = folder.file("token");
    let clock = ManualClock::new();
    let now = clock.now().duration_since(UNIX_EPOCH)?.as_secs();
    for (expiry, is_stale) in [(now - 1, true), (now + 600, false)] {
        let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{expiry}}}"#));
        let jwt = format!("e30.{claims}.hunter2");
        write(&path, &jwt);
        let before = server.count("/token");
        let client = client(&server, FederatedAssertion::file(&path));
        let client = client.clock(clock.clock()).build()?;
        let error = client.ensure_active_token().await.expect_err("refused");
        assert_eq!(error.code(), Some(&ErrorCode::InvalidClient));
        assert!(!error.needs_login());
        assert_eq!(error.to_string().contains("is stale"), is_stale, "{error}");
        assert!(!format!("{error:?}").contains(&jwt), "{error:?}");
        assert_eq!(server.count("/token"), before + 1, "sent once");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn what_cannot_be_read_is_named_and_nothing_is_sent() -> TestResult {
    let server = server();
    let folder = Folder::new("federated-missing");
    let missing = folder.file("missing");
    for (source, word) in [
        (
            FederatedAssertion::file(&missing),
            "missing could not be read",
        ),
        (
            FederatedAssertion::env("OAUTH_TWIN_NO_VARIABLE"),
            "OAUTH_TWIN_NO_VARIABLE is not set",
        ),
        (
            FederatedAssertion::command("/nonexistent/program", ["hunter2"]),
            "could not be run",
        ),
        (
            FederatedAssertion::from_fn(|| Err("no token today".into())),
            "no token today",
        ),
        (FederatedAssertion::from_fn(|| Ok(Secret::new(""))), "empty"),
    ] {
        let client = client(&server, source).build()?;
        let error = client.ensure_active_token().await.expect_err(word);
        assert_eq!(error.kind(), ErrorKind::Usage, "{error:?}");
        let text = format!("{error:?}");
        assert!(text.contains(word), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(!error.needs_login());
    }
    assert_eq!(server.count("/token"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_function_and_a_program_are_asked_for_each_request() -> TestResult {
    let server = server();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let source = FederatedAssertion::from_fn(move || {
        let n = counter.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(format!("a.{n}.s").into())
    });
    let by_function = client(&server, source).build()?;
    by_function.ensure_active_token().await?;
    by_function.refresh_token().await?;
    assert_eq!(assertions(&server, "/token"), ["a.1.s", "a.2.s"]);
    if cfg!(unix) {
        let source = FederatedAssertion::command("printf", ["%s\\n", "a.$HOME.s"]);
        client(&server, source)
            .build()?
            .ensure_active_token()
            .await?;
        assert_eq!(
            assertions(&server, "/token")[2],
            "a.$HOME.s",
            "without a shell"
        );
    }
    let by_environment = FederatedAssertion::env("CARGO_PKG_NAME");
    let by_environment = client(&server, by_environment).build()?;
    by_environment.ensure_active_token().await?;
    let sent = assertions(&server, "/token");
    assert_eq!(sent.last().map(String::as_str), Some("oauth-twin"));
    Ok(())
}

/// A callback of the client's own mode.
#[maybe_async]
fn with_callback(builder: OAuth2ClientBuilder) -> OAuth2ClientBuilder {
    builder.client_assertion(|| async { Ok::<_, BoxError>(Secret::new("a.b.s")) })
}

#[maybe_async]
#[test]
async fn a_callback_of_the_builder_makes_client_assertions() -> TestResult {
    let server = server();
    let client = with_callback(client(&server, FederatedAssertion::env("UNUSED"))).build()?;
    client.ensure_active_token().await?;
    client.revoke_token().await?;
    assert_eq!(assertions(&server, "/token"), ["a.b.s"]);
    assert_eq!(assertions(&server, "/revoke"), ["a.b.s"]);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_spiffe_workload_names_its_type_and_needs_no_client_id() -> TestResult {
    let server = server();
    let folder = Folder::new("federated-spiffe");
    let path = folder.file("svid");
    write(&path, "a.b.s");
    let client = OAuth2Client::unregistered()
        .token_endpoint(server.url("/token"))
        .token_endpoint_auth_method(FederatedAssertion::spiffe(&path))
        .grant(ClientCredentials::new())
        .build()?;
    client.ensure_active_token().await?;
    let request = &server.requests("/token")[0];
    assert_eq!(
        request.parameter("client_assertion_type").as_deref(),
        Some("urn:ietf:params:oauth:client-assertion-type:jwt-spiffe")
    );
    assert_eq!(request.parameter("client_id"), None);
    Ok(())
}

#[maybe_async]
#[test]
async fn the_platform_s_token_is_a_grant_of_a_client_without_an_identifier() -> TestResult {
    let server = Server::start(|request: &Request| match request.parameter("assertion") {
        Some(assertion) if assertion == "bad" => Reply::error(400, "invalid_grant"),
        _ => Reply::json(200, json!({"access_token": "t1", "expires_in": 600})),
    });
    let folder = Folder::new("federated-grant");
    let path = folder.file("token");
    write(&path, "good");
    let grant = FederatedGrant::new(FederatedAssertion::file(&path))
        .resource("https://api.example/")
        .scope("a");
    let client = OAuth2Client::unregistered()
        .token_endpoint(server.url("/token"))
        .grant(grant)
        .build()?;
    client.ensure_active_token().await?;
    assert_eq!(
        server.requests("/token")[0].form(),
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer\
         &resource=https%3A%2F%2Fapi.example%2F&scope=a&assertion=good"
    );
    write(&path, "bad");
    let error = client.refresh_token().await.expect_err("refused");
    assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
    assert!(!error.needs_login(), "no user can help");
    assert_eq!(server.count("/token"), 2, "a refusal is not repeated");
    Ok(())
}

/// Tells this program, when it runs itself as a job of GitHub Actions, where to send.
const TARGET: &str = "OAUTH_TWIN_TEST_GITHUB_TARGET";

/// The inner program: a job of GitHub Actions.
#[maybe_async]
#[test]
async fn inner() -> TestResult {
    let Ok(target) = std::env::var(TARGET) else {
        return Ok(());
    };
    let auth = FederatedAssertion::github_actions("https://id.example");
    let client = OAuth2Client::builder("id")
        .token_endpoint(format!("{target}/token"))
        .token_endpoint_auth_method(auth)
        .grant(ClientCredentials::new())
        .build()?;
    client.ensure_active_token().await?;
    client.refresh_token().await?;
    Ok(())
}

/// Runs `inner` with this path of the service that makes ID tokens.
fn run_inner(server: &Server, path: &str) -> bool {
    let name = std::thread::current().name().map(str::to_owned);
    let name = name.expect("a test has a name");
    let (module, _) = name.rsplit_once("::").expect("a path");
    let output = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args([&format!("{module}::inner"), "--exact"])
        .env(TARGET, server.url(""))
        .env("ACTIONS_ID_TOKEN_REQUEST_URL", server.url(path))
        .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "job-token")
        .output();
    output.expect("a run").status.success()
}

#[maybe_async]
#[test]
async fn github_actions_is_asked_for_each_request() -> TestResult {
    let issued = AtomicUsize::new(0);
    let server = Server::start(move |request: &Request| match &*request.path {
        "/id-token" => {
            let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
            Reply::json(200, json!({"count": 1, "value": format!("a.{n}.s")}))
        }
        "/forbidden" => Reply::text(403, ""),
        _ => Reply::json(200, tokens(1, 600)),
    });
    assert!(run_inner(&server, "/id-token?api-version=2.0"));
    assert_eq!(assertions(&server, "/token"), ["a.1.s", "a.2.s"]);
    for request in server.requests("/id-token") {
        assert_eq!(request.method, "GET");
        assert_eq!(
            request.query,
            "api-version=2.0&audience=https%3A%2F%2Fid.example"
        );
        assert_eq!(request.header("authorization"), Some("Bearer job-token"));
    }
    assert!(!run_inner(&server, "/forbidden"));
    assert_eq!(server.count("/forbidden"), 1);
    assert_eq!(server.count("/token"), 2, "nothing is sent without one");
    Ok(())
}

#[maybe_async]
#[test]
async fn debug_names_the_source_and_no_argument() -> TestResult {
    let source = FederatedAssertion::command("vault", ["hunter2"]);
    assert_eq!(
        format!("{source:?}"),
        "FederatedAssertion(\"the program vault\")"
    );
    Ok(())
}
