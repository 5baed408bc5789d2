//! Claims: their types, and their validation.

use std::time::{Duration, UNIX_EPOCH};

use oauth_twin::{
    Clock, ErrorKind,
    jose::{Claims, ClaimsValidation},
};
use serde_json::{Value, json};

const NOW: u64 = 1_700_000_000;

fn expected() -> ClaimsValidation {
    ClaimsValidation::new()
        .issuer("https://id.example")
        .subject("alice")
        .audience("reports")
        .leeway(Duration::from_secs(10))
        .clock(Clock::from_fn(|| UNIX_EPOCH + Duration::from_secs(NOW)))
}

fn good() -> Value {
    json!({
        "iss": "https://id.example", "sub": "alice", "aud": "reports",
        "exp": NOW + 60, "nbf": NOW - 60, "iat": NOW - 60, "jti": "1",
    })
}

fn claims(members: &Value) -> oauth_twin::Result<Claims> {
    Claims::from_slice(members.to_string().as_bytes())
}

fn with(member: &str, value: Value) -> Value {
    let mut members = good();
    members[member] = value;
    members
}

#[test]
fn expected_claims_are_accepted() {
    for members in [
        good(),
        with("aud", json!(["other", "reports"])),
        // Up to the leeway.
        with("exp", json!(NOW - 9)),
        with("exp", json!(NOW as f64 - 9.5)),
        with("nbf", json!(NOW + 10)),
        with("iat", json!(NOW + 10)),
        with("exp", json!(u64::MAX)),
        with("exp", json!(1e300)),
    ] {
        let claims = claims(&members).expect("claims");
        claims.validate(&expected()).expect("what is expected");
    }
}

#[test]
fn unexpected_claims_are_refused() {
    for (member, value, problem) in [
        (
            "iss",
            json!("https://id.example/"),
            "the claim iss is not the expected one",
        ),
        ("iss", json!(""), "the claim iss is not the expected one"),
        (
            "sub",
            json!("Alice"),
            "the claim sub is not the expected one",
        ),
        (
            "aud",
            json!("report"),
            "the token is for another recipient (aud)",
        ),
        ("aud", json!([]), "the token is for another recipient (aud)"),
        (
            "aud",
            json!(["a", "b"]),
            "the token is for another recipient (aud)",
        ),
        ("exp", json!(NOW - 10), "the token has expired"),
        ("exp", json!(0), "the token has expired"),
        ("exp", json!(-1), "the token has expired"),
        ("nbf", json!(NOW + 11), "the token is not valid yet (nbf)"),
        ("nbf", json!(1e300), "the token is not valid yet (nbf)"),
        (
            "iat",
            json!(NOW + 11),
            "the token was issued in the future (iat)",
        ),
    ] {
        let claims = claims(&with(member, value.clone())).expect("claims");
        let error = claims.validate(&expected()).expect_err(member);
        assert_eq!(error.kind(), ErrorKind::Answer);
        assert_eq!(error.to_string(), problem, "{member} {value}");
    }
}

#[test]
fn what_is_missing_is_refused() {
    for (member, problem) in [
        ("iss", "the claim iss is not the expected one"),
        ("sub", "the claim sub is not the expected one"),
        ("aud", "the token is for another recipient (aud)"),
        ("exp", "the token has no expiry (exp)"),
    ] {
        let mut members = good();
        members.as_object_mut().unwrap().remove(member);
        let claims = claims(&members).expect("claims");
        let error = claims.validate(&expected()).expect_err(member);
        assert_eq!(error.to_string(), problem);
    }
    let for_somebody = claims(&json!({"aud": "a", "exp": NOW + 60})).unwrap();
    let anybody =
        ClaimsValidation::new().clock(Clock::from_fn(|| UNIX_EPOCH + Duration::from_secs(NOW)));
    let error = for_somebody
        .validate(&anybody)
        .expect_err("nobody is expected");
    assert_eq!(
        error.to_string(),
        "the token is for another recipient (aud)"
    );
    assert!(
        for_somebody
            .validate(&anybody.dangerous_any_audience())
            .is_ok()
    );
    let endless = Claims::new();
    assert!(endless.validate(&ClaimsValidation::new()).is_err());
    assert!(
        endless
            .validate(&ClaimsValidation::new().dangerous_without_expiry())
            .is_ok()
    );
}

#[test]
fn registered_claims_have_their_types() {
    for (member, value) in [
        ("iss", json!(7)),
        ("sub", json!(["a"])),
        ("jti", json!(7)),
        ("aud", json!(7)),
        ("aud", json!(["a", 7])),
        ("aud", json!(null)),
        ("exp", json!("1700000000")),
        ("exp", json!(null)),
        ("nbf", json!("soon")),
        ("iat", json!(true)),
    ] {
        let error = claims(&with(member, value.clone())).expect_err(member);
        assert_eq!(
            error.to_string(),
            format!("the claim {member} has the wrong type")
        );
    }
    for payload in ["", "[]", "null", "7", "{", r#"{"a":1,"a":2}"#] {
        assert!(Claims::from_slice(payload.as_bytes()).is_err(), "{payload}");
    }
}

#[test]
fn claims_read_as_they_were_made() {
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    let made = Claims::new()
        .with_issuer("i")
        .with_subject("s")
        .with_audience("a")
        .with_expires_at(at(3))
        .with_not_before(at(1))
        .with_issued_at(at(2))
        .with_id("j")
        .with("x", json!({"y": [1, null]}));
    let read = Claims::from_slice(made.to_json().as_bytes()).unwrap();
    assert_eq!(read, made);
    assert_eq!(
        (read.issuer(), read.subject(), read.id()),
        (Some("i"), Some("s"), Some("j"))
    );
    assert_eq!(read.audience().collect::<Vec<_>>(), ["a"]);
    assert_eq!(read.expires_at(), Some(at(3)));
    assert_eq!(
        (read.not_before(), read.issued_at()),
        (Some(at(1)), Some(at(2)))
    );
    // They may be about users.
    assert_eq!(
        format!("{read:?}"),
        r#"{"aud", "exp", "iat", "iss", "jti", "nbf", "sub", "x"}"#
    );
}
