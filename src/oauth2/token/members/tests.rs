use serde_json::json;

use super::*;

fn answer(mut members: Value) -> Token {
    let members = members.as_object_mut().expect("an object");
    members.entry("access_token").or_insert("t".into());
    Token::from_answer(members.clone(), Duration::from_secs(1000)).expect("a token")
}

#[test]
fn expires_in_as_number_string_or_float() {
    for (expires_in, expires_at) in [
        (json!(60), Some(1060)),
        (json!("60"), Some(1060)),
        (json!(" 60 "), Some(1060)),
        (json!("60.9"), Some(1060)),
        (json!(60.9), Some(1060)),
        (json!(0), Some(1000)),
        (json!(-5), Some(999)),
        (json!("-5"), Some(999)),
        (json!(-0.5), Some(999)),
        (json!(u64::MAX), Some(LATEST)),
        (json!(1e300), Some(LATEST)),
        (json!("99999999999999999999999999"), Some(LATEST)),
        (json!(null), None),
        (json!("soon"), None),
        (json!("NaN"), None),
        (json!([60]), None),
    ] {
        let token = answer(json!({ "expires_in": expires_in }));
        assert_eq!(token.expires_at_unix(), expires_at, "{expires_in}");
        assert_eq!(token.issued_at_unix(), Some(1000));
    }
}

#[test]
fn milliseconds_are_recognised() {
    for (stored, expires_at) in [
        (
            json!({"expires_at": 1_420_262_924_658_u64}),
            Some(1_420_262_924),
        ),
        (json!({"expires_at": "1420262924658"}), Some(1_420_262_924)),
        (
            json!({"expires_in": "1799", "issued_at": "1420262924658"}),
            Some(1_420_264_723),
        ),
        (json!({"expires_at": LATEST}), Some(LATEST)),
        (json!({"expires_at": LATEST + 1}), Some(LATEST / 1000)),
        (json!({"expires_at": u64::MAX}), Some(LATEST)),
    ] {
        let mut stored = stored;
        stored["access_token"] = "t".into();
        let token: Token = serde_json::from_value(stored.clone()).expect("a token");
        assert_eq!(token.expires_at_unix(), expires_at, "{stored}");
    }
}

#[test]
fn an_empty_scope_is_none() {
    for scope in [json!(""), json!(" "), json!([]), json!(null)] {
        assert_eq!(answer(json!({ "scope": scope })).scope(), None, "{scope}");
    }
}

#[test]
fn relative_expiry_goes_before_the_server_s_clock() {
    assert_eq!(
        answer(json!({"expires_in": 5, "expires_at": 9})).expires_at_unix(),
        Some(1005)
    );
    assert_eq!(answer(json!({"expires_at": 9})).expires_at_unix(), Some(9));
}

#[test]
fn lenient_members() {
    let token = answer(json!({"scope": ["a", "b"], "refresh_token": "", "id_token": null}));
    assert_eq!(token.scope(), Some("a b"));
    assert_eq!(token.token_type(), "Bearer");
    assert_eq!((token.refresh_token(), token.id_token()), (None, None));
}

#[test]
fn what_is_no_token_is_refused_without_quoting_it() {
    for (members, word) in [
        (json!({}), "access_token"),
        (json!({"access_token": ""}), "access_token"),
        (json!({"access_token": null}), "access_token"),
        (json!({"access_token": 7_777_777}), "access_token"),
        (
            json!({"access_token": "t", "token_type": 7_777_777}),
            "token_type",
        ),
    ] {
        let text = members.to_string();
        let error = serde_json::from_value::<Token>(members)
            .expect_err(&text)
            .to_string();
        assert!(
            error.contains(word) && !error.contains("7777777"),
            "{text}: {error}"
        );
    }
}

fn unreadable(members: &Value) -> Vec<&'static str> {
    TokenAnswer::from(members.as_object().expect("an object").clone()).unreadable()
}

#[test]
fn what_stands_beside_a_token_does_not_cost_it() {
    for (name, value) in [
        ("refresh_token", json!(["x"])),
        ("refresh_token", json!(7)),
        ("id_token", json!({"a": 1})),
        ("scope", json!(7)),
        ("scope", json!(["a", 7])),
    ] {
        let members = json!({ "access_token": "t", name: value });
        assert_eq!(unreadable(&members), [name], "{members}");
        let token = answer(members);
        assert_eq!(token.access_token().expose_secret(), "t");
        assert_eq!((token.refresh_token(), token.id_token()), (None, None));
        assert_eq!(token.scope(), None);
    }
    let members = json!({"refresh_token": "r", "id_token": null, "scope": ["a", "b"]});
    assert!(unreadable(&members).is_empty());
}

#[test]
fn an_expiry_that_other_libraries_have_stored() {
    for (stored, expires_at) in [
        // Go, with the zero value for "never".
        (
            json!({"expiry": "2015-01-03T06:28:44.658+01:00"}),
            Some(1_420_262_924),
        ),
        (json!({"expiry": "0001-01-01T00:00:00Z"}), None),
        // Google's library for Node.js.
        (
            json!({"expiry_date": 1_420_262_924_658_u64, "expires_in": 3600}),
            Some(1_420_262_924),
        ),
        // Google's library for Apps Script.
        (
            json!({"expires_in": 3600, "granted_time": 1_577_836_800}),
            Some(1_577_840_400),
        ),
        (
            json!({"expires_in": 3600, "created_at": 1_577_836_800}),
            Some(1_577_840_400),
        ),
        (
            json!({"expires_at": "2015-01-03T05:28:44Z"}),
            Some(1_420_262_924),
        ),
        // What cannot be read is not known, rather than an hour from each load.
        (json!({"expires_at": "soon", "expires_in": 3600}), None),
        (
            json!({"expires_at": "2015-01-03T05:28:44", "expires_in": 3600}),
            None,
        ),
        (json!({"granted_time": "then", "expires_in": 3600}), None),
        (json!({"expiry": [7], "expires_in": 3600}), None),
    ] {
        let mut stored = stored;
        stored["access_token"] = "t".into();
        let token: Token = serde_json::from_value(stored.clone()).expect("a token");
        assert_eq!(token.expires_at_unix(), expires_at, "{stored}");
    }
    let stored = json!({"access_token": "t", "expires_at": null, "expires_in": 3600});
    let token: Token = serde_json::from_value(stored).expect("a token");
    assert!(token.expires_at().is_some() && !token.is_expired(Duration::ZERO));
}

#[test]
fn stored_tokens_read_back() {
    let token = answer(json!({"expires_in": 60, "refresh_token": "r", "scope": "a",
        "id_token": "i", "token_type": "bearer", "user": {"id": 1}}));
    let stored = serde_json::to_string(&token).expect("JSON");
    assert_eq!(
        serde_json::from_str::<Token>(&stored).expect("a token"),
        token
    );
}

#[test]
fn reads_what_authlib_stored() {
    let token: Token = serde_json::from_value(json!({
        "access_token": "t", "token_type": "Bearer", "expires_in": 864_000,
        "expires_at": 1_700_000_000, "refresh_token": "r",
    }))
    .expect("a token");
    assert_eq!(token.expires_at_unix(), Some(1_700_000_000));
    assert_eq!(token.issued_at_unix(), None);
    let float: Token =
        serde_json::from_value(json!({"access_token": "t", "expires_at": 1_700_000_000.25}))
            .expect("a token");
    assert_eq!(float.expires_at_unix(), Some(1_700_000_000));
}

#[test]
fn debug_tells_no_secret() {
    let token = answer(
        json!({"access_token": "hunter2", "refresh_token": "hunter2",
        "id_token": "hunter2", "expires_in": 1, "nested_token": "hunter2"}),
    );
    assert_eq!(
        format!("{token:?}"),
        "Token { access_token: [redacted], token_type: \"Bearer\", \
         refresh_token: Some([redacted]), id_token: Some([redacted]), scope: None, \
         expires_at: Some(1001), issued_at: Some(1000), refresh_parameters: {}, other members: [\"nested_token\"] }"
    );
}
