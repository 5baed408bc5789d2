//! Google's credentials. What depends on the environment is tested with processes of their own.
//!
//! [AIP-4110](https://google.aip.dev/auth/4110), [AIP-4117](https://google.aip.dev/auth/4117)

use oauth_twin::{
    Secret,
    google::ApplicationDefault,
    jose::Algorithm,
    oauth2::{DpopKey, Hook},
};
use serde_json::Value;
use support::{
    folder::Folder,
    google::{self, CLOUD_PLATFORM, claims, external_account, impersonation},
    jwt::SERVICE_ACCOUNT,
};

use super::{test, *};

const AUTHORIZED_USER: &str = include_str!("../vectors/authorized_user.json");

/// The file with other members.
fn changed(file: &str, members: Value) -> Value {
    let mut file: Value = serde_json::from_str(file).expect("JSON");
    for (name, value) in members.as_object().expect("an object") {
        file[name] = value.clone();
    }
    file
}

fn credentials(file: &Value) -> ApplicationDefault {
    ApplicationDefault::from_json(file.to_string()).expect("credentials")
}

/// What the API got.
#[maybe_async]
async fn seen(client: &AssertionClient, server: &Server) -> oauth_twin::Result<Value> {
    Ok(client.get(server.url("/api")).send().await?.json().await?)
}

/// The token of a client with these credentials and this scope, and the project that it names.
#[maybe_async]
async fn token_by(
    credentials: ApplicationDefault,
    scope: &str,
    server: &Server,
) -> oauth_twin::Result<(String, Option<String>)> {
    let client = AssertionClient::google(credentials).scope(scope).build()?;
    let seen = seen(&client, server).await?;
    client.close().await?;
    let text = |name: &str| seen[name].as_str().map(str::to_owned);
    let token = text("authorization").unwrap_or_default();
    let token = token.strip_prefix("Bearer ").unwrap_or_default().to_owned();
    Ok((token, text("project")))
}

#[maybe_async]
#[test]
async fn a_service_account() -> TestResult {
    let server = google::google("");
    let file = changed(SERVICE_ACCOUNT, json!({"token_uri": server.url("/token")}));
    let (token, _) = token_by(credentials(&file), "a b", &server).await?;
    assert_eq!(token, "account|a|b");
    let (token, _) = token_by(credentials(&file), "", &server).await?;
    assert_eq!(token, format!("account|{CLOUD_PLATFORM}"));
    let (token, _) = token_by(credentials(&file).id_token("https://run"), "", &server).await?;
    assert_eq!(claims(&token).expect("claims")["aud"], "https://run");
    Ok(())
}

/// Elsewhere the key of the account signs the token itself.
#[maybe_async]
#[test]
async fn a_service_account_of_another_universe() -> TestResult {
    let server = google::google("");
    let file = changed(
        SERVICE_ACCOUNT,
        json!({"token_uri": server.url("/token"), "universe_domain": "example.goog"}),
    );
    let found = credentials(&file);
    assert_eq!(found.universe_domain(), "example.goog");
    let (token, _) = token_by(found, "a b", &server).await?;
    let claims = claims(&token).expect("claims");
    assert_eq!(claims["scope"], "a b");
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&file["client_email"], &file["client_email"])
    );
    assert_eq!(server.count("/token"), 0);
    Ok(())
}

/// A file must not name its own domain, and thereby the hosts that it sends things to.
#[maybe_async]
#[test]
async fn the_hosts_of_a_universe_that_nobody_expects_are_not_used() -> TestResult {
    let server = google::google("");
    let members = json!({"token_uri": server.url("/token"), "universe_domain": "evil.example"});
    let user = changed(AUTHORIZED_USER, members);
    let built = |credentials: ApplicationDefault| AssertionClient::google(credentials).build();
    for refused in [
        credentials(&user),
        credentials(&user).in_universe("example.goog"),
        credentials(&user).in_universe("googleapis.com"),
        credentials(&changed(SERVICE_ACCOUNT, json!({}))).in_universe("example.goog"),
    ] {
        let error = built(refused).expect_err("another universe");
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(
            error.to_string().contains("GOOGLE_CLOUD_UNIVERSE_DOMAIN"),
            "{error}"
        );
    }
    let (token, _) = token_by(credentials(&user).in_universe("evil.example"), "", &server).await?;
    assert_eq!(token, "user-token|");
    // That of the machine comes from no file.
    let of_machine = ApplicationDefault::metadata_server()?.in_universe("example.goog");
    assert_eq!(of_machine.universe_domain(), "example.goog");
    built(of_machine)?.close().await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn the_login_of_a_user() -> TestResult {
    let server = google::google("");
    let file = changed(AUTHORIZED_USER, json!({"token_uri": server.url("/token")}));
    let (token, project) = token_by(credentials(&file), "", &server).await?;
    assert_eq!(
        (token.as_str(), project.as_deref()),
        ("user-token|", Some("oauth-twin-vectors"))
    );
    let own = credentials(&file).quota_project("mine");
    let (token, project) = token_by(own, "a", &server).await?;
    assert_eq!(
        (token.as_str(), project.as_deref()),
        ("user-token|a", Some("mine"))
    );

    let client = AssertionClient::google(credentials(&file)).build()?;
    let token = client.refresh_token().await?;
    // The file keeps it, and nobody verifies the other.
    assert_eq!((token.refresh_token(), token.id_token()), (None, None));

    let gone = changed(&file.to_string(), json!({"refresh_token": "gone"}));
    let client = AssertionClient::google(credentials(&gone)).build()?;
    let error = client.refresh_token().await.unwrap_err();
    assert!(error.needs_login(), "{error}");
    assert!(
        error
            .to_string()
            .contains("gcloud auth application-default login"),
        "{error}"
    );

    let client = AssertionClient::google(credentials(&file).id_token("x")).build()?;
    let error = client.refresh_token().await.unwrap_err();
    assert!(error.to_string().contains("no ID tokens"), "{error}");
    Ok(())
}

/// The file of a platform is rewritten while the client lives.
#[maybe_async]
#[test]
async fn an_external_account_by_a_file_that_changes() -> TestResult {
    let server = google::google("subject");
    let folder = Folder::new("google-file");
    let file = folder.file("token");
    let account = external_account(&server, json!({"file": file}));
    let client = AssertionClient::google(credentials(&account))
        .scope("a b")
        .build()?;
    let error = client.refresh_token().await.unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
    assert!(
        !error.needs_login() && error.kind() == ErrorKind::Usage,
        "{error}"
    );
    for n in 0..3 {
        std::fs::write(&file, format!("  subject{n}\n"))?;
        let token = client.refresh_token().await?;
        let expected = format!("federated|subject{n}|a|b");
        assert_eq!(token.access_token(), &Secret::from(expected));
    }
    assert_eq!(server.count("/v1/token"), 3);
    Ok(())
}

#[maybe_async]
#[test]
async fn an_external_account_by_a_url() -> TestResult {
    let server = google::google("subject");
    let source = |headers: Value| {
        json!({
            "url": server.url("/subject"), "headers": headers,
            "format": {"type": "json", "subject_token_field_name": "access_token"},
        })
    };
    let account = external_account(&server, source(json!({"Metadata": "True"})));
    let (token, _) = token_by(credentials(&account), "a", &server).await?;
    assert_eq!(token, "federated|subject-url|a");

    let account = external_account(&server, source(json!({"Metadata": "hunter2"})));
    let error = token_by(credentials(&account), "a", &server)
        .await
        .unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(400));
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    Ok(())
}

/// The project is named to APIs alone: the exchange and the impersonation refuse it.
#[maybe_async]
#[test]
async fn an_external_account_that_impersonates() -> TestResult {
    let server = google::google("subject");
    let folder = Folder::new("google-impersonation");
    let file = folder.file("token");
    std::fs::write(&file, "subject")?;
    let account = external_account(&server, json!({"file": file}));
    let account = changed(
        &account.to_string(),
        json!({
            "service_account_impersonation_url": impersonation(&server),
            "quota_project_id": "payer",
        }),
    );
    let (token, project) = token_by(credentials(&account), "a b", &server).await?;
    assert_eq!(
        (token.as_str(), project.as_deref()),
        ("impersonated|a|b", Some("payer"))
    );
    let exchanged = server.requests("/v1/token");
    assert_eq!(
        exchanged[0].parameter("scope").as_deref(),
        Some(CLOUD_PLATFORM)
    );
    let (token, _) = token_by(credentials(&account).id_token("https://run"), "", &server).await?;
    assert_eq!(claims(&token).expect("claims")["aud"], "https://run");

    let client = AssertionClient::google(credentials(&account)).build()?;
    let token = client.refresh_token().await?;
    assert_eq!(
        token.expires_at(),
        Some(UNIX_EPOCH + Duration::from_secs(4_094_636_483))
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn an_impersonated_service_account() -> TestResult {
    let server = google::google("");
    let source = changed(AUTHORIZED_USER, json!({"token_uri": server.url("/token")}));
    let file = json!({
        "type": "impersonated_service_account", "source_credentials": source,
        "service_account_impersonation_url": impersonation(&server), "delegates": ["d"],
    });
    let (token, project) = token_by(credentials(&file), "a", &server).await?;
    assert_eq!((token.as_str(), project), ("impersonated|a", None));
    Ok(())
}

/// One renewal for all callers, in as many requests as one needs.
#[maybe_async]
#[test]
async fn all_callers_share_one_chain() -> TestResult {
    let server = google::google("subject");
    let folder = Folder::new("google-crowd");
    let file = folder.file("token");
    std::fs::write(&file, "subject")?;
    let account = external_account(&server, json!({"file": file}));
    let account = changed(
        &account.to_string(),
        json!({"service_account_impersonation_url": impersonation(&server)}),
    );
    let client = AssertionClient::google(credentials(&account)).build()?;
    let tokens = at_once(8, |_| {
        let client = client.clone();
        async move { client.ensure_active_token().await.expect("a token") }
    })
    .await;
    assert!(tokens.iter().all(|token| token == &tokens[0]));
    assert_eq!(server.requests_in_all(), 2);
    Ok(())
}

/// A service that is overloaded is asked once more, from the first step on, with a new subject token.
#[maybe_async]
#[test]
async fn a_chain_that_broke_off_begins_anew() -> TestResult {
    let folder = Folder::new("google-again");
    let file = folder.file("token");
    std::fs::write(&file, "first")?;
    let (path, count) = (file.clone(), Arc::new(AtomicUsize::new(0)));
    let exchanges = count.clone();
    let server = Server::start(move |_| {
        if count.fetch_add(1, Ordering::SeqCst) == 0 {
            std::fs::write(&path, "second").expect("a file");
            return Reply::text(503, "");
        }
        let token = json!({
            "access_token": "t", "token_type": "Bearer", "expires_in": 3600,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        });
        Reply::json(200, token)
    });
    let account = external_account(&server, json!({"file": file}));
    let client = AssertionClient::google(credentials(&account)).build()?;
    client.refresh_token().await?;
    assert_eq!(exchanges.load(Ordering::SeqCst), 2);
    let sent: Vec<_> = server.requests("/v1/token");
    let subjects = sent
        .iter()
        .map(|request| request.parameter("subject_token"));
    assert_eq!(subjects.flatten().collect::<Vec<_>>(), ["first", "second"]);
    Ok(())
}

#[maybe_async]
#[test]
async fn an_exchange_that_issues_another_kind_of_token_is_refused() -> TestResult {
    for (member, value) in [
        (
            "issued_token_type",
            json!("urn:ietf:params:oauth:token-type:jwt"),
        ),
        ("issued_token_type", Value::Null),
        ("access_token", json!("")),
    ] {
        let mut answer = json!({
            "access_token": "hunter2", "token_type": "Bearer", "expires_in": 3600,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        });
        answer[member] = value;
        let server = Server::start(move |_| Reply::json(200, answer.clone()));
        let folder = Folder::new(&format!("google-kind-{member}"));
        let file = folder.file("token");
        std::fs::write(&file, "subject")?;
        let account = external_account(&server, json!({"file": file}));
        let client = AssertionClient::google(credentials(&account)).build()?;
        let error = client.refresh_token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Answer, "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    Ok(())
}

/// A refusal is not repeated, and no user can help by logging in.
#[maybe_async]
#[test]
async fn a_refusal_is_told_as_it_is() -> TestResult {
    let server = google::google("subject");
    let folder = Folder::new("google-refusal");
    let file = folder.file("token");
    std::fs::write(&file, "hunter2")?;
    let account = external_account(&server, json!({"file": file}));
    let client = AssertionClient::google(credentials(&account)).build()?;
    let error = client.refresh_token().await.unwrap_err();
    assert!(
        error.to_string().contains("another subject token"),
        "{error}"
    );
    assert!(
        !error.needs_login() && !format!("{error:?}").contains("hunter2"),
        "{error:?}"
    );
    assert_eq!(server.count("/v1/token"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn settings_that_have_no_effect_are_refused() {
    let file: Value = serde_json::from_str(SERVICE_ACCOUNT).expect("JSON");
    let error = AssertionClient::google(credentials(&file))
        .issuer("me")
        .client_id("id")
        .param("a", "b")
        .resource("https://a.example")
        .token_placement(oauth_twin::oauth2::TokenPlacement::Query)
        .compliance_hook(Hook::access_token_request(|_| Ok(())))
        .dpop(DpopKey::generate(Algorithm::ES256).expect("a key"))
        .build()
        .unwrap_err()
        .to_string();
    for setting in [
        "issuer",
        "client_id",
        "param",
        "resource",
        "token_placement",
        "compliance_hook",
        "dpop",
    ] {
        assert!(error.contains(&format!("{setting} ")), "{error}");
    }
    let bad = credentials(&file).quota_project("a\nb");
    let error = AssertionClient::google(bad)
        .build()
        .unwrap_err()
        .to_string();
    assert!(error.contains("quota project"), "{error}");
}
