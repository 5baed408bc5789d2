use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::UNIX_EPOCH,
};

use http::{HeaderMap, HeaderValue, header::RETRY_AFTER};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    error::ErrorCode,
    oauth2::{AuthorizationServer, ClientRegistration},
};

/// A clock that stands until it is moved, in seconds.
struct Hand(Arc<AtomicU64>);

impl Hand {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1000)))
    }

    fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    fn clock(&self) -> Clock {
        let time = self.0.clone();
        Clock::from_fn(move || UNIX_EPOCH + Duration::from_secs(time.load(Ordering::SeqCst)))
    }
}

fn device(interval: u64, expires_in: u64) -> DeviceAuthorization {
    let kept = json!({
        "device_code": "d", "user_code": "U", "verification_uri": "https://id.example/",
        "expires_at": 1000 + expires_in, "interval": interval,
    });
    serde_json::from_value(kept).expect("a device authorization")
}

fn endpoint() -> TokenEndpoint {
    let server = AuthorizationServer::default().with_token_endpoint("https://id.example/token");
    TokenEndpoint::new(&server, &ClientRegistration::new("id")).expect("a URL")
}

/// The outcome of a poll with this response.
fn polled(
    polling: &mut DevicePolling,
    clock: &Clock,
    status: u16,
    body: &str,
    retry_after: Option<&'static str>,
) -> Result<Option<Token>> {
    let endpoint = endpoint();
    let request = endpoint.request(&device(5, 60).grant()).expect("a request");
    let mut headers = HeaderMap::new();
    if let Some(retry_after) = retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(retry_after));
    }
    let status = StatusCode::from_u16(status).expect("a status");
    let response = EndpointResponse::new(status, headers, body);
    polling.read_response(&endpoint, &request, response, clock)
}

const PENDING: &str = r#"{"error":"authorization_pending"}"#;
const SLOW_DOWN: &str = r#"{"error":"slow_down"}"#;
const HTML: &str = "<html>busy</html>";

/// The waits, in seconds, before the first poll and after each of these responses.
fn waits(interval: u64, responses: &[(u16, &str, Option<&'static str>)]) -> Vec<u64> {
    let hand = Hand::new();
    let clock = hand.clock();
    let mut polling = DevicePolling::new(&device(interval, 3600), &clock);
    let wait = |polling: &DevicePolling| {
        let wait = polling.wait(&clock).expect("time is left").as_secs();
        hand.advance(wait);
        wait
    };
    let mut waits = vec![wait(&polling)];
    for (status, body, retry_after) in responses {
        let outcome = polled(&mut polling, &clock, *status, body, *retry_after);
        assert_eq!(outcome.expect("it goes on"), None, "{status} {body}");
        waits.push(wait(&polling));
    }
    waits
}

#[test]
fn the_first_poll_waits_and_so_does_each_that_follows() {
    let pending = (400, PENDING, None);
    assert_eq!(waits(5, &[pending, pending]), [5, 5, 5]);
    assert_eq!(waits(0, &[pending]), [1, 1]);
    let hand = Hand::new();
    let polling = DevicePolling::new(&device(5, 60), &hand.clock());
    for (advance, left) in [(0, 5), (3, 2), (2, 0), (7, 0)] {
        hand.advance(advance);
        let wait = polling.wait(&hand.clock()).expect("time is left");
        assert_eq!(wait, Duration::from_secs(left));
    }
}

#[test]
fn absurd_times_that_were_kept_do_not_overflow() {
    let mut kept = serde_json::to_value(device(5, 60)).expect("JSON");
    for name in ["expires_at", "interval"] {
        kept[name] = json!(u64::MAX);
    }
    let device: DeviceAuthorization = serde_json::from_value(kept).expect("a device");
    let clock = Hand::new().clock();
    let mut polling = DevicePolling::new(&device, &clock);
    assert!(polling.wait(&clock).is_ok());
    let outcome = polled(
        &mut polling,
        &clock,
        400,
        SLOW_DOWN,
        Some("18446744073709551615"),
    );
    assert_eq!(outcome.expect("it goes on"), None);
    assert!(polling.wait(&clock).is_ok());
}

#[test]
fn slow_down_counts_for_all_that_follow() {
    let (slow, pending) = ((400, SLOW_DOWN, None), (400, PENDING, None));
    assert_eq!(waits(5, &[slow, pending, slow]), [5, 10, 10, 15]);
    // GitHub answers 200 and names the new interval; the larger of the two counts.
    let pending = (200, PENDING, None);
    let named = r#"{"error":"slow_down","interval":12}"#;
    assert_eq!(waits(5, &[pending, (200, named, None)]), [5, 5, 12]);
    let named = r#"{"error":"slow_down","interval":6}"#;
    assert_eq!(waits(5, &[(200, named, None), pending]), [5, 10, 10]);
    // Google answers 428 and 403.
    let google = [(428, PENDING, None), (403, SLOW_DOWN, None)];
    assert_eq!(waits(5, &google), [5, 5, 10]);
}

#[test]
fn what_is_no_answer_doubles_the_wait() {
    let (broken, pending) = ((502, HTML, None), (400, PENDING, None));
    assert_eq!(
        waits(5, &[broken, broken, broken, broken, broken, pending]),
        [5, 10, 20, 40, 60, 60, 5]
    );
    for status in [408, 429, 500, 503] {
        assert_eq!(waits(5, &[(status, "", None)]), [5, 10], "{status}");
    }
    assert_eq!(waits(90, &[broken]), [90, 90]);
    let hand = Hand::new();
    let mut polling = DevicePolling::new(&device(5, 60), &hand.clock());
    assert_eq!(polling.unanswered(&hand.clock()), None);
    let wait = polling.wait(&hand.clock()).expect("time is left");
    assert_eq!(wait, Duration::from_secs(10));
    let error = Error::interrupted("the connection was cut");
    let outcome = polling.after(Err(error), None, hand.clock().monotonic());
    assert_eq!(outcome.expect("it goes on"), None);
}

#[test]
fn retry_after_is_heeded() {
    for body in ["", HTML, SLOW_DOWN] {
        assert_eq!(waits(5, &[(429, body, Some("20"))]), [5, 20], "{body}");
    }
    assert_eq!(waits(5, &[(503, HTML, Some("20"))]), [5, 20]);
    assert_eq!(waits(5, &[(429, "", Some("1"))]), [5, 10]);
}

#[test]
fn it_ends_with_the_code_whatever_the_server_says() {
    let hand = Hand::new();
    let clock = hand.clock();
    let mut polling = DevicePolling::new(&device(5, 60), &clock);
    let mut polls = 0;
    let error = loop {
        match polling.wait(&clock) {
            Ok(Duration::ZERO) => {
                polls += 1;
                let outcome = polled(&mut polling, &clock, 400, PENDING, None);
                assert_eq!(outcome.expect("it goes on"), None);
            }
            Ok(wait) => hand.advance(wait.as_secs()),
            Err(error) => break error,
        }
    };
    assert_eq!((polls, hand.0.load(Ordering::SeqCst)), (11, 1060));
    assert_eq!(error.kind(), ErrorKind::Login);
    assert!(error.needs_login());
    assert!(error.to_string().contains("expired"), "{error}");
    // No wait is longer than what is left.
    let hand = Hand::new();
    let mut polling = DevicePolling::new(&device(5, 30), &hand.clock());
    let outcome = polled(&mut polling, &hand.clock(), 429, "", Some("3600"));
    assert_eq!(outcome.expect("it goes on"), None);
    let wait = polling.wait(&hand.clock()).expect("time is left");
    assert_eq!(wait, Duration::from_secs(30));
    // One that was kept until it expired is not polled at all.
    hand.advance(30);
    let polling = DevicePolling::new(&device(5, 30), &hand.clock());
    assert!(polling.wait(&hand.clock()).is_err());
}

#[test]
fn any_other_answer_ends_it() {
    let hand = Hand::new();
    let clock = hand.clock();
    for (status, body, code) in [
        (
            400,
            r#"{"error":"access_denied"}"#,
            Some(ErrorCode::AccessDenied),
        ),
        (
            500,
            r#"{"error":"access_denied"}"#,
            Some(ErrorCode::AccessDenied),
        ),
        (
            400,
            r#"{"error":"authorization_declined"}"#,
            Some(ErrorCode::AccessDenied),
        ),
        (
            400,
            r#"{"error":"expired_token"}"#,
            Some(ErrorCode::ExpiredToken),
        ),
        (
            200,
            r#"{"error":"expired_token"}"#,
            Some(ErrorCode::ExpiredToken),
        ),
        (
            400,
            r#"{"error":"invalid_grant"}"#,
            Some(ErrorCode::InvalidGrant),
        ),
        (
            401,
            r#"{"error":"invalid_client"}"#,
            Some(ErrorCode::InvalidClient),
        ),
        (400, HTML, None),
        (404, HTML, None),
        (200, HTML, None),
        (302, "", None),
    ] {
        let mut polling = DevicePolling::new(&device(5, 60), &clock);
        let error = polled(&mut polling, &clock, status, body, None).expect_err(body);
        assert_eq!(error.code(), code.as_ref(), "{status} {body}");
    }
    // The server's lifetime may end before ours.
    let mut polling = DevicePolling::new(&device(5, 60), &clock);
    let body = r#"{"error":"expired_token"}"#;
    let error = polled(&mut polling, &clock, 400, body, None).expect_err("expired");
    assert_eq!(error.kind(), ErrorKind::Login);
    assert!(error.needs_login() && !error.is_transient());
    assert!(error.to_string().contains("begin again"), "{error}");
    let mut polling = DevicePolling::new(&device(5, 60), &clock);
    let body = r#"{"error":"authorization_declined","error_description":"AADSTS70016: no"}"#;
    let error = polled(&mut polling, &clock, 400, body, None).expect_err("a refusal");
    let description = error.response().and_then(|response| response.description());
    assert_eq!(description, Some("AADSTS70016: no"));
    let usage = polling.after(Err(Error::usage("no endpoint")), None, clock.monotonic());
    assert_eq!(usage.expect_err("an error").kind(), ErrorKind::Usage);
}

#[test]
fn a_token_ends_it_well() {
    let hand = Hand::new();
    let mut polling = DevicePolling::new(&device(5, 60), &hand.clock());
    let body = r#"{"access_token":"t","token_type":"bearer"}"#;
    let token = polled(&mut polling, &hand.clock(), 200, body, None).expect("a token");
    let token = token.expect("a token");
    assert_eq!(token.access_token().expose_secret(), "t");
}

#[test]
fn a_refusal_of_a_login_without_a_scope_says_so() {
    let hand = Hand::new();
    let refused = |is_unscoped: bool, code: &str| {
        let mut kept = serde_json::to_value(device(5, 60)).expect("JSON");
        kept["is_unscoped"] = is_unscoped.into();
        let device: DeviceAuthorization = serde_json::from_value(kept).expect("a device");
        let mut polling = DevicePolling::new(&device, &hand.clock());
        let body = format!(r#"{{"error":"{code}"}}"#);
        let outcome = polled(&mut polling, &hand.clock(), 400, &body, None);
        outcome.expect_err(code)
    };
    // Entra ID has a word of its own for the first.
    for code in ["access_denied", "authorization_declined", "invalid_scope"] {
        let error = refused(true, code);
        assert!(
            error.to_string().contains("no scope was asked for"),
            "{error}"
        );
        let hint = error.response().and_then(|response| response.hint());
        assert!(hint.is_some_and(|hint| hint.contains("scope of the builder")));
        assert!(
            !refused(false, code).to_string().contains("asked for"),
            "{code}"
        );
    }
    for code in ["expired_token", "invalid_grant"] {
        assert!(
            !refused(true, code).to_string().contains("asked for"),
            "{code}"
        );
    }
}

proptest! {
    #[test]
    fn no_poll_panics_or_comes_too_early(
        code in "(slow_down|authorization_pending|[a-z_]{0,12})", interval in any::<f64>(),
        status in 100_u16..600, body in any::<String>(),
    ) {
        let hand = Hand::new();
        let named = json!({"error": code, "interval": interval}).to_string();
        for body in [&*named, &*body] {
            let mut polling = DevicePolling::new(&device(5, 60), &hand.clock());
            if let Ok(None) = polled(&mut polling, &hand.clock(), status, body, None) {
                let wait = polling.wait(&hand.clock()).expect("it goes on");
                prop_assert!(wait >= Duration::from_secs(5), "{wait:?}");
            }
        }
    }
}
