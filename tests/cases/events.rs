//! The spans and events that are logged, and what is not in them.

use std::{sync::Mutex, time::Duration};

use oauth_twin::{
    Clock,
    jose::Algorithm,
    oauth2::{AuthorizationRequest, Password, PrivateKeyJwt},
    oidc::IdTokenRules,
};
use support::{
    jwt::signing_key,
    log::{self, Entry},
};

use super::{
    authorization_code::{callback, created},
    device::{Polled, begun},
    oauth1_login::{oauth1_builder, oauth1_provider},
    test,
    token_store::Shelf,
    *,
};

/// The guide that states the names and fields.
const GUIDE: &str = include_str!("../../docs/logging.md");

mod stores;

/// The entries of a test with this name, once there are some, each of which the guide describes.
#[maybe_async]
pub async fn logged(test: &str, name: &str) -> Vec<Entry> {
    until(|| log::of(test).iter().any(|entry| entry.name() == name)).await;
    let all = log::of(test);
    all.iter().for_each(check_by_guide);
    all.into_iter()
        .filter(|entry| entry.name() == name)
        .collect()
}

/// Asserts that this was logged once, as a warning whose field says `word`.
#[maybe_async]
pub async fn warned(test: &str, name: &str, field: &str, word: &str) {
    let entries = logged(test, name).await;
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (entry.level(), entry.field(field).contains(word)))
        .collect();
    assert_eq!(told, [("warn".to_owned(), true)], "{entries:?}");
    assert!(!log::text().contains("planted"), "{}", log::text());
}

/// The rows of the guide's tables: name, level, fields.
fn rows() -> Vec<(String, String, String)> {
    let rows = GUIDE.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    cells
        .map(|cells| {
            let name = cells[0].trim_end_matches('`').to_owned();
            (name, cells[1].to_owned(), cells[2].to_owned())
        })
        .collect()
}

fn check_by_guide(entry: &Entry) {
    let rows = rows();
    let row = rows.iter().find(|(name, _, _)| name == entry.name());
    let (_, level, fields) = row.unwrap_or_else(|| panic!("{} is not in the guide", entry.name()));
    assert_eq!(*level, entry.level(), "{entry:?}");
    for field in entry.fields.keys().filter(|field| **field != "message") {
        assert!(fields.contains(&format!("`{field}`")), "{field}: {entry:?}");
    }
}

#[maybe_async]
#[test]
async fn the_guide_names_all_that_is_logged_and_nothing_else() {
    let source = include_str!("../../src/trace/enabled.rs");
    let quoted = |text: &str| Some(text.split_once('"')?.0.to_owned());
    let events = source.split("name: \"").skip(1).filter_map(quoted);
    let spans = source.split("info_span!(").skip(1);
    let spans = spans.filter_map(|text| quoted(text.split_once('"')?.1));
    let mut logged: Vec<_> = events.chain(spans).collect();
    let mut named: Vec<_> = rows().into_iter().map(|(name, _, _)| name).collect();
    logged.sort();
    named.sort();
    assert_eq!(logged, named);
    assert!(logged.len() > 15, "{logged:?}");
}

/// A client whose token expires by `clock`.
fn timed(server: &Server, clock: &ManualClock) -> OAuth2ClientBuilder {
    with_first_token(server, clock, 600)
}

#[maybe_async]
#[test]
async fn each_token_request_has_a_span_with_its_reason_and_outcome() -> TestResult {
    const TEST: &str = "reasons";
    let _marked = log::marked(TEST);
    let server = accepting_the_renewed_token();
    let clock = ManualClock::new();

    let first = with_credentials(&server).clock(clock.clock()).build()?;
    first.ensure_active_token().await?;
    let early = timed(&server, &clock).build()?;
    clock.advance(seconds(550));
    early.ensure_active_token().await?;
    let expired = timed(&server, &clock).build()?;
    clock.advance(seconds(700));
    expired.ensure_active_token().await?;
    let refused = timed(&server, &clock).build()?;
    refused.get(server.url("/api")).send().await?;
    let forced = timed(&server, &clock).build()?;
    forced.refresh_token().await?;
    forced.fetch_token(ClientCredentials::new()).await?;
    forced.exchange(Password::new("alice", "pw")).await?;
    let web = timed(&server, &clock)
        .authorization_endpoint(server.url("/authorize"))
        .build()?;
    let login = created(&web);
    let callback = callback(&login.url, "the-code");
    web.complete_authorization(login.pending, &callback).await?;

    let spans = logged(TEST, "token_request").await;
    let told: Vec<_> = spans
        .iter()
        .map(|span| (span.field("reason"), span.field("grant")))
        .collect();
    assert_eq!(
        told,
        [
            ("first", "client_credentials"),
            ("early", "refresh_token"),
            ("expired", "refresh_token"),
            ("401", "refresh_token"),
            ("forced", "refresh_token"),
            ("fetch", "client_credentials"),
            ("exchange", "password"),
            ("login", "authorization_code"),
        ]
    );
    let now = clock.now().duration_since(UNIX_EPOCH)?.as_secs();
    for span in &spans {
        assert_eq!(span.field("client"), "id");
        assert_eq!(span.field("endpoint"), server.address().to_string());
        assert_eq!(span.field("outcome"), "issued");
    }
    assert_eq!(spans[7].field("expires_at"), (now + 600).to_string());
    let entries = logged(TEST, "token_obtained").await;
    assert_eq!(entries.len(), 8);
    let entries = logged(TEST, "token_kept").await;
    assert_eq!(entries.len(), 1);
    let entries = logged(TEST, "exchange").await;
    assert_eq!(entries[0].field("grant"), "password");
    let entries = logged(TEST, "login").await;
    assert_eq!(entries[0].field("client"), "id");
    Ok(())
}

/// The words of a server may name a user, also where an error code belongs.
#[maybe_async]
#[test]
async fn a_failed_request_has_an_outcome_without_the_words_of_the_server() -> TestResult {
    const TEST: &str = "outcomes";
    let _marked = log::marked(TEST);
    let answers = Mutex::new(vec![
        Reply::json(
            400,
            json!({"error": "invalid_grant", "error_description": "planted-user is locked"}),
        ),
        Reply::json(
            400,
            json!({"error": "planted-user", "error_uri": "https://planted-user"}),
        ),
        Reply::text(200, "no JSON, planted-user").with("content-type", "planted user/json"),
        Reply::json(
            429,
            json!({"error": "slow_down", "error_description": "planted-user"}),
        )
        .with("retry-after", "0"),
        Reply::error(401, "invalid_client"),
    ]);
    let server = Server::start(move |_: &Request| answers.lock().unwrap().remove(0));
    let client = builder(&server)
        .token_endpoint(server.url("/planted-tenant/token"))
        .build()?;
    for _ in 0..4 {
        client
            .exchange(Password::new("planted-user", "planted-password"))
            .await
            .unwrap_err();
    }
    let closed = ClosedPort::new();
    let offline = OAuth2Client::builder("id")
        .token_endpoint(format!("http://{}/token?key=planted-key", closed.address()))
        .build()?;
    offline
        .exchange(ClientCredentials::new())
        .await
        .unwrap_err();

    let spans = logged(TEST, "token_request").await;
    let outcomes: Vec<_> = spans.iter().map(|span| span.field("outcome")).collect();
    assert_eq!(
        outcomes,
        [
            "invalid_grant",
            "server",
            "answer",
            "invalid_client",
            "transport"
        ]
    );
    let failed = logged(TEST, "token_request_failed").await;
    assert_eq!(failed.len(), 5);
    assert!(
        failed[0].field("error").contains("invalid_grant"),
        "{failed:?}"
    );
    assert!(failed[1].field("error").contains("400"), "{failed:?}");
    let retried = logged(TEST, "request_retried").await;
    assert!(retried[0].field("error").contains("429"), "{retried:?}");
    assert!(!log::text().contains("planted"), "{}", log::text());
    Ok(())
}

#[maybe_async]
#[test]
async fn a_clock_that_is_corrected_is_told() -> TestResult {
    const TEST: &str = "clock";
    let _marked = log::marked(TEST);
    let server = Server::start(|_: &Request| {
        Reply::error(401, "invalid_client").with("date", "Mon, 01 Jan 2035 00:00:00 GMT")
    });
    let now = UNIX_EPOCH + Duration::from_secs(2_051_218_800);
    let client = builder(&server)
        .token_endpoint_auth_method(PrivateKeyJwt::new(signing_key(Algorithm::ES256, "p-256")))
        .clock(Clock::from_fn(move || now))
        .correct_clock(true)
        .build()?;
    client
        .fetch_token(ClientCredentials::new())
        .await
        .expect_err("refused");
    let corrected = logged(TEST, "clock_corrected").await;
    assert_eq!(corrected[0].field("seconds"), "3600", "{corrected:?}");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_refused_login_is_logged_without_the_user() -> TestResult {
    const TEST: &str = "logins";
    let _marked = log::marked(TEST);
    let server = provider(600);
    let client = builder(&server)
        .authorization_endpoint(server.url("/authorize"))
        .build()?;
    let request = || AuthorizationRequest::new().param("login_hint", "planted-user");
    let denied = client.create_authorization_url(request())?;
    let state = denied.pending.state().to_owned();
    for (pending, callback) in [
        (
            client.create_authorization_url(request())?.pending,
            "?code=planted-code&state=planted-state".to_owned(),
        ),
        (
            denied.pending,
            format!("?error=access_denied&error_description=planted-user&state={state}"),
        ),
    ] {
        client
            .complete_authorization(pending, &callback)
            .await
            .unwrap_err();
    }
    let refused = logged(TEST, "login_failed").await;
    assert!(refused[0].field("error").contains("state"), "{refused:?}");
    assert!(
        refused[1].field("error").contains("access_denied"),
        "{refused:?}"
    );
    assert_eq!(refused[1].field("client"), "id");
    assert!(
        log::of(TEST)
            .iter()
            .all(|entry| entry.name() == "login_failed")
    );
    assert!(!log::text().contains("planted"), "{}", log::text());
    assert!(!log::text().contains(&state), "{}", log::text());
    Ok(())
}

/// One event for one login, and none for a token whose ID token is refused.
#[maybe_async]
#[test]
async fn a_login_on_a_device_is_logged_once_it_is_completed() -> TestResult {
    const TEST: &str = "device logins";
    let _marked = log::marked(TEST);
    let polled = Polled::new(600, |_| Reply::json(200, tokens(1, 600)));
    let rules = IdTokenRules::new().algorithms([Algorithm::HS256]);
    let openid = polled
        .builder()
        .issuer("https://id.example")
        .client_secret("planted-secret-of-thirty-two-bytes")
        .id_token(rules)
        .scope("openid")
        .build()?;
    let device = begun(&openid).await;
    let refused = openid.complete_device_authorization(device).await;
    assert!(refused.is_err());
    let failed = logged(TEST, "login_failed").await;
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].field("error").contains("ID token"), "{failed:?}");
    assert!(log::of(TEST).iter().all(|entry| entry.name() != "login"));
    let client = polled.builder().build()?;
    let device = begun(&client).await;
    client.complete_device_authorization(device).await?;
    let (logins, failed) = (
        logged(TEST, "login").await,
        logged(TEST, "login_failed").await,
    );
    assert_eq!((logins.len(), failed.len()), (1, 1));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_revocation_is_logged_and_so_is_its_failure() -> TestResult {
    const TEST: &str = "revocations";
    let _marked = log::marked(TEST);
    for status in [200, 503] {
        let server = Server::start(move |_: &Request| Reply::text(status, "planted-text"));
        let client = builder(&server)
            .revocation_endpoint(server.url("/revoke"))
            .token(Token::new("planted-token"))
            .build()?;
        let _ = client.revoke_token().await;
    }
    let entries = logged(TEST, "revocation").await;
    assert_eq!(entries.len(), 1);
    let failed = logged(TEST, "revocation_failed").await;
    assert!(failed[0].field("error").contains("503"), "{failed:?}");
    assert!(!log::text().contains("planted"), "{}", log::text());
    Ok(())
}

#[maybe_async]
#[test]
async fn failures_that_no_caller_gets_are_logged_as_warnings() -> TestResult {
    const TEST: &str = "failures";
    let _marked = log::marked(TEST);
    let server = Server::start(|request: &Request| match &*request.path {
        "/token" => Reply::error(400, "invalid_grant"),
        "/api" => Reply::text(200, ""),
        _ => Reply::text(401, ""),
    });
    let clock = ManualClock::new();
    let refused = timed(&server, &clock).build()?;
    refused
        .get(server.url("/other?code=planted"))
        .send()
        .await?;
    let early = timed(&server, &clock).build()?;
    clock.advance(seconds(550));
    early.get(server.url("/api")).send().await?;
    let failed = logged(TEST, "renewal_after_401_failed").await;
    assert!(
        failed[0].field("error").contains("invalid_grant"),
        "{failed:?}"
    );
    let failed = logged(TEST, "early_renewal_failed").await;
    assert_eq!(failed[0].level(), "warn");
    assert_eq!(failed[0].field("client"), "id");

    let server = provider(600);
    let hook = builder(&server)
        .token(expired_token())
        .update_token(move |_| Err("planted-user was not found".into()))
        .build()?;
    hook.get(server.url("/api")).send().await?;
    let failed = logged(TEST, "update_failed").await;
    assert_eq!(failed[0].level(), "warn");

    let spent = Token::new("planted-access").with_expires_at(UNIX_EPOCH);
    let shelf = Shelf::with(spent);
    let reader = builder(&server).token_store(shelf.clone()).build()?;
    reader.ensure_active_token().await.unwrap_err();
    shelf.put(Some(Token::new("planted-other")));
    reader.ensure_active_token().await?;
    let loaded = logged(TEST, "token_loaded").await;
    assert_eq!(loaded[0].field("client"), "id");
    assert!(!log::text().contains("planted"), "{}", log::text());
    Ok(())
}

#[maybe_async]
#[test]
async fn a_wait_for_another_process_is_logged_with_its_length() -> TestResult {
    const TEST: &str = "leases";
    let _marked = log::marked(TEST);
    let server = provider(600);
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 600));
    // Not all threads of the test are within its span.
    let client = OAuth2Client::builder(TEST)
        .token_endpoint(server.url("/token"))
        .token_store(shelf.clone())
        .clock(clock.clock())
        .build()?;
    let lease = TokenStore::lease(&shelf, seconds(60)).await;
    assert!(matches!(lease, Ok(Some(_))));
    clock.advance(seconds(550));
    client.ensure_active_token().await?;
    let deferred = logged(TEST, "renewal_deferred").await;
    assert_eq!(deferred[0].field("client"), TEST);
    assert!(
        log::of(TEST)
            .iter()
            .all(|entry| entry.name() != "lease_wait")
    );

    clock.advance(seconds(100));
    let waiting = spawn_ensure_active_token(&client);
    let begun = logged(TEST, "lease_wait").await;
    assert_eq!((begun.len(), begun[0].field("client")), (1, TEST));
    drop(lease);
    let renewed = waiting.join().await?;
    assert_eq!(access_token(&renewed), "t1");
    let ended = logged(TEST, "lease_wait_ended").await;
    let waited: u64 = ended[0].field("waited_ms").parse()?;
    assert!(waited > 0, "{ended:?}");
    Ok(())
}

/// The hook fails for ever, and more logins come and go than are kept.
#[maybe_async]
#[test]
async fn updates_that_are_given_up_are_logged_as_errors() -> TestResult {
    const TEST: &str = "dropped";
    let _marked = log::marked(TEST);
    let server = provider(600);
    let client = builder(&server)
        .update_token(|_| Err("disk full".into()))
        .build()?;
    for login in 0..=65 {
        client.set_token(Token::new("t0").with_refresh_token(format!("r-{login}")))?;
        client.refresh_token().await.unwrap_err();
    }
    let dropped = logged(TEST, "updates_dropped").await;
    assert_eq!(dropped[0].level(), "error");
    assert_eq!(dropped[0].field("client"), "id");
    assert_eq!(dropped[0].field("count"), "1");
    Ok(())
}

/// The issuer is the client; the subject may be a user.
#[maybe_async]
#[test]
async fn an_assertion_client_is_named_by_its_issuer_and_its_subject_is_not() -> TestResult {
    const TEST: &str = "assertions";
    let _marked = log::marked(TEST);
    let server = provider(600);
    let client = AssertionClient::builder(server.url("/token"))
        .issuer("robot")
        .subject("planted-user")
        .claim("email", "planted-user")
        .signing_key(signing_key(Algorithm::ES256, "p-256"))
        .build()?;
    client.ensure_active_token().await?;
    let spans = logged(TEST, "token_request").await;
    assert_eq!(spans[0].field("reason"), "first");
    assert_eq!(spans[0].field("client"), "robot");
    assert!(!log::text().contains("planted"), "{}", log::text());
    Ok(())
}

#[maybe_async]
#[test]
async fn each_request_for_credentials_of_oauth_1_has_a_span() -> TestResult {
    const TEST: &str = "oauth1";
    let _marked = log::marked(TEST);
    let server = oauth1_provider();
    let client = oauth1_builder(&server).build()?;
    client.fetch_request_token().await?;
    client.set_verifier("v1")?;
    client.fetch_access_token().await?;
    client.fetch_request_token().await?;
    client.set_verifier("planted-verifier")?;
    client.fetch_access_token().await.unwrap_err();
    let spans = logged(TEST, "credentials_request").await;
    let told: Vec<_> = spans
        .iter()
        .map(|span| {
            (
                span.field("client"),
                span.field("step"),
                span.field("outcome"),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("key", "temporary", "issued"),
            ("key", "token", "issued"),
            ("key", "temporary", "issued"),
            ("key", "token", "server"),
        ]
    );
    let entries = logged(TEST, "credentials_obtained").await;
    assert_eq!(entries.len(), 3);
    assert!(!log::text().contains("planted"), "{}", log::text());
    Ok(())
}

#[maybe_async]
#[test]
async fn members_that_cannot_be_read_are_told_by_name() -> TestResult {
    const TEST: &str = "left out";
    let _marked = log::marked(TEST);
    let server = Server::start(|_: &Request| {
        let answer = json!({"access_token": "t", "refresh_token": ["planted"], "scope": 7});
        Reply::json(200, answer)
    });
    let client = builder(&server).build()?;
    client.fetch_token(ClientCredentials::new()).await?;
    let entries = logged(TEST, "members_left_out").await;
    let members: Vec<_> = entries.iter().map(|entry| entry.field("members")).collect();
    assert_eq!(members, ["refresh_token, scope"]);
    assert!(!log::text().contains("planted"), "{}", log::text());
    Ok(())
}
