//! What is told to `tracing`, and what is not.

use std::{
    fmt::{Debug, Write as _},
    sync::{Mutex, OnceLock},
    time::Duration,
};

use ::tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

use super::{test, *};

/// Everything that this crate has told in this process, as text.
fn log() -> &'static Mutex<String> {
    static LOG: OnceLock<Mutex<String>> = OnceLock::new();
    LOG.get_or_init(|| {
        ::tracing::subscriber::set_global_default(Listener).expect("the only subscriber");
        Mutex::default()
    })
}

struct Listener;

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").expect("a string takes everything");
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("oauth_twin")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut log = log()
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        write!(log, "{}", event.metadata().level()).expect("a string takes everything");
        event.record(&mut Text(&mut log));
        log.push('\n');
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The lines that hold `marker`, once there are some.
#[maybe_async]
async fn lines_with(marker: &str) -> Vec<String> {
    loop {
        let log = log().lock().unwrap().clone();
        let lines: Vec<_> = log
            .lines()
            .filter(|line| line.contains(marker))
            .map(Into::into)
            .collect();
        if !lines.is_empty() {
            return lines;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

#[maybe_async]
#[test]
async fn failures_that_no_caller_gets_are_told_and_secrets_are_not() -> TestResult {
    let _ = log();
    let failing = |marker: &'static str| {
        let refresh = AtomicUsize::new(0);
        Server::start(move |request: &Request| match &*request.path {
            "/token" if marker == "retried" && refresh.fetch_add(1, Ordering::SeqCst) > 0 => {
                Reply::json(200, tokens(1, 600))
            }
            "/token" => {
                let body = json!({"error": marker, "error_description": "not planted-refresh"});
                Reply::json(if marker == "retried" { 429 } else { 400 }, body)
            }
            "/api" => Reply::text(200, ""),
            _ => Reply::text(401, ""),
        })
    };
    let client = |server: &Server, clock: &ManualClock| {
        let token = Token::new("planted-access")
            .with_refresh_token("planted-refresh")
            .with_issued_at(clock.now())
            .with_expires_at(clock.now() + Duration::from_secs(600));
        builder(server)
            .client_secret("planted-secret")
            .token(token)
            .clock(clock.clock())
            .build()
    };
    let clock = ManualClock::new();

    let server = failing("early-failure");
    let early = client(&server, &clock)?;
    clock.advance(Duration::from_secs(550));
    early.get(server.url("/api")).send().await?;
    let lines = lines_with("early-failure").await;
    assert!(
        lines[0].starts_with("WARN") && lines[0].contains("the old token stays in use"),
        "{lines:?}"
    );

    let server = failing("after-401");
    let refused = client(&server, &clock)?;
    refused
        .get(server.url("/other?code=planted-code"))
        .send()
        .await?;
    let lines = lines_with("after-401").await;
    assert!(
        lines[0].starts_with("WARN") && lines[0].contains("was refused"),
        "{lines:?}"
    );

    let server = failing("retried");
    client(&server, &clock)?.refresh_token().await?;
    let lines = lines_with("retried").await;
    assert!(
        lines[0].starts_with("INFO") && lines[0].contains("retrying"),
        "{lines:?}"
    );

    let server = provider(600);
    let calls = AtomicUsize::new(0);
    let hook = builder(&server)
        .token(
            Token::new("planted-access")
                .with_refresh_token("planted-refresh")
                .with_expires_at(std::time::UNIX_EPOCH),
        )
        .update_token(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
            0 => Err("update-failure".into()),
            _ => Ok(()),
        })
        .build()?;
    hook.get(server.url("/api")).send().await?;
    let lines = lines_with("the token could not be stored").await;
    assert!(lines[0].starts_with("WARN"), "{lines:?}");

    let spent = Token::new("planted-access").with_expires_at(std::time::UNIX_EPOCH);
    let shelf = super::token_store::Shelf::with(spent);
    let reader = builder(&server).token_store(shelf.clone()).build()?;
    reader.ensure_active_token().await.unwrap_err();
    shelf.put(Some(Token::new("planted-other")));
    reader.ensure_active_token().await?;
    let lines = lines_with("loaded the token from the token store").await;
    assert!(lines[0].starts_with("DEBUG"), "{lines:?}");

    let log = log().lock().unwrap();
    assert!(!log.contains("planted"), "{log}");
    Ok(())
}

/// The hook fails for ever, and more logins come and go than are kept.
#[maybe_async]
#[test]
async fn updates_that_are_given_up_are_told() -> TestResult {
    let _ = log();
    let server = provider(600);
    let client = builder(&server)
        .update_token(|_| Err("disk full".into()))
        .build()?;
    for login in 0..=65 {
        client.set_token(Token::new("t0").with_refresh_token(format!("r-{login}")))?;
        client.refresh_token().await.unwrap_err();
    }
    let lines = lines_with("superseded logins").await;
    assert!(lines[0].starts_with("ERROR"), "{lines:?}");
    Ok(())
}
