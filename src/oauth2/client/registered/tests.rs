use proptest::prelude::*;
use serde_json::json;

use super::*;

const ISSUER: &str = "https://id.example";

fn answer(members: Value) -> Result<RegisteredClient, String> {
    let Value::Object(members) = members else {
        panic!("an object");
    };
    RegisteredClient::from_answer(ISSUER, members, Duration::from_secs(7))
}

/// As an MCP proxy sends it: `null` and `""` for what it has not registered.
#[test]
fn null_and_empty_texts_get_their_defaults() {
    let client = answer(json!({
        "client_id": "c", "client_secret": "s", "grant_types": null, "response_types": null,
        "token_endpoint_auth_method": "", "registration_client_uri": "/register/c",
        "client_id_issued_at": 1_780_531_527,
    }))
    .expect("a client");
    assert_eq!(client.token_endpoint_auth_method(), "client_secret_basic");
    assert_eq!(client.metadata().grant_types(), None);
    assert_eq!(client.registration_client_uri(), Some("/register/c"));
    assert_eq!(client.registered_at(), Some(at(1_780_531_527)));
}

#[test]
fn a_secret_without_an_expiry_or_with_zero_never_expires() {
    let late = Duration::from_secs(LATEST);
    for expiry in [json!(null), json!(0), json!("0"), json!("soon"), json!([])] {
        let mut members = json!({"client_id": "c", "client_secret": "s"});
        members["client_secret_expires_at"] = expiry.clone();
        let client = answer(members).expect("a client");
        assert!(!client.is_expired_at(late), "{expiry}");
    }
    for expiry in [json!(100), json!("100"), json!(100.0)] {
        let client = answer(json!({"client_id": "c", "client_secret_expires_at": expiry}));
        let client = client.expect("a client");
        assert_eq!(client.client_secret_expires_at(), Some(at(100)));
        assert!(!client.is_expired_at(Duration::from_secs(99)));
        assert!(client.is_expired_at(Duration::from_secs(100)));
        assert!(client.is_expired());
    }
}

#[test]
fn what_the_server_returned_counts() {
    let asked = ClientMetadata::native("a").with_token_endpoint_auth_method("none");
    let client = answer(json!({
        "client_id": "c", "client_secret": "s", "issuer": "https://evil.example",
        "token_endpoint_auth_method": "client_secret_post", "redirect_uris": ["https://b/"],
    }))
    .expect("a client")
    .or_redirect_uris(&asked);
    assert_eq!(client.token_endpoint_auth_method(), "client_secret_post");
    assert_eq!(client.issuer(), ISSUER);
    let registration = client.registration();
    assert_eq!(registration.client_id(), "c");
    assert_eq!(registration.client_secret(), Some(&"s".into()));
    assert_eq!(registration.redirect_uris(), ["https://b/"]);
    assert!(!client.serves(&asked), "another redirection URI");
    let silent = answer(json!({"client_id": "c"})).expect("a client");
    assert_eq!(silent.token_endpoint_auth_method(), "none");
    assert!(silent.serves(&asked));
    let silent = silent.or_redirect_uris(&asked);
    assert_eq!(silent.metadata().redirect_uris(), asked.redirect_uris());
    assert!(silent.serves(&asked));
}

#[test]
fn it_is_kept_as_it_is() {
    let members = json!({
        "client_id": "c", "client_secret": "s", "client_secret_expires_at": 9,
        "registration_access_token": "t", "registration_client_uri": "https://id.example/c",
        "client_id_issued_at": 3, "client_name": "a", "x": {"y": [1]},
    });
    let client = answer(members.clone()).expect("a client");
    let kept = serde_json::to_value(&client).expect("JSON");
    assert_eq!(kept["issuer"], ISSUER);
    for (name, value) in members.as_object().expect("an object") {
        assert_eq!(&kept[name], value, "{name}");
    }
    let read: RegisteredClient = serde_json::from_value(kept).expect("a client");
    assert_eq!(read, client);
    for text in [
        r#"{"client_id":"c"}"#,
        r#"{"issuer":"","client_id":"c"}"#,
        r#"{"issuer":"i"}"#,
        r#"{"issuer":"i","client_id":""}"#,
        r#"{"issuer":"i","client_id":7}"#,
        r#"{"issuer":"i","client_id":"c","client_secret":{}}"#,
        r#"{"issuer":"i","client_id":"c","client_id":"c"}"#,
    ] {
        assert!(
            serde_json::from_str::<RegisteredClient>(text).is_err(),
            "{text}"
        );
    }
}

#[test]
fn a_later_answer_may_rotate_what_was_issued_or_leave_it_out() {
    let first = answer(json!({
        "client_id": "c", "client_secret": "s1", "client_secret_expires_at": 9,
        "registration_access_token": "t1", "registration_client_uri": "https://id.example/c",
    }))
    .expect("a client");
    let silent = answer(json!({"client_id": "c", "client_secret": "s1"}));
    let silent = silent.expect("a client").following(&first);
    assert_eq!(silent.registration_access_token(), Some(&"t1".into()));
    assert_eq!(
        silent.registration_client_uri(),
        first.registration_client_uri()
    );
    let rotated = answer(json!({
        "client_id": "c", "client_secret": "s2", "registration_access_token": "t2",
    }));
    let rotated = rotated.expect("a client").following(&first);
    assert_eq!(rotated.client_secret(), Some(&"s2".into()));
    assert_eq!(rotated.client_secret_expires_at(), None);
    assert_eq!(rotated.registration_access_token(), Some(&"t2".into()));
    assert_eq!(rotated.registered_at(), first.registered_at());
    let public = json!({"client_id": "c", "token_endpoint_auth_method": "none"});
    let public = answer(public).expect("a client").following(&first);
    assert_eq!(public.client_secret(), None);
}

#[test]
fn debug_tells_no_secret() {
    let client = answer(json!({
        "client_id": "c", "client_secret": "hunter2", "registration_access_token": "hunter2",
        "software_statement": "hunter2",
    }))
    .expect("a client");
    assert_eq!(
        format!("{client:?}"),
        "RegisteredClient { issuer: \"https://id.example\", client_id: \"c\", client_secret: \
         Some([redacted]), client_secret_expires_at: None, registration_access_token: \
         Some([redacted]), metadata: ClientMetadata { client_name: None, redirect_uris: [], \
         members: [\"software_statement\"] }, .. }"
    );
}

proptest! {
    #[test]
    fn no_answer_panics(id in ".*", time: f64, text in ".*", more: Vec<u8>) {
        let _ = answer(json!({
            "client_id": id, "client_secret_expires_at": time, "client_id_issued_at": text,
            "redirect_uris": more, "client_secret": text,
        }));
    }
}
