use serde_json::json;

use super::*;

fn server(members: Value) -> AuthorizationServer {
    serde_json::from_value(members).expect("metadata")
}

#[test]
fn members_are_typed_and_unknown_ones_are_kept() {
    let metadata = json!({
        "issuer": "https://id.example",
        "token_endpoint": "https://id.example/token?tenant=a",
        "scopes_supported": ["openid", "email"],
        "authorization_response_iss_parameter_supported": true,
        "mtls_endpoint_aliases": {"token_endpoint": "https://mtls.id.example/token"},
        "x_own": {"a": [1]},
    });
    let server = server(metadata.clone());
    assert_eq!(server.issuer(), Some("https://id.example"));
    let url = server.token_endpoint().map(Url::as_str);
    assert_eq!(url, Some("https://id.example/token?tenant=a"));
    assert_eq!(server.scopes_supported(), Some(vec!["openid", "email"]));
    assert!(server.authorization_response_iss_parameter_supported());
    assert_eq!(server.mtls_endpoint_aliases().map(Map::len), Some(1));
    assert_eq!(server.get("x_own"), Some(&json!({"a": [1]})));
    assert_eq!(serde_json::to_value(&server).expect("JSON"), metadata);
}

#[test]
fn what_is_absent_or_of_another_type_is_not_known() {
    let odd = json!({
        "issuer": 7, "token_endpoint": ["https://id.example/token"], "jwks_uri": "/keys",
        "scopes_supported": "openid", "request_parameter_supported": "true",
        "mtls_endpoint_aliases": [],
    });
    for server in [server(odd), AuthorizationServer::default()] {
        assert_eq!(server.issuer(), None);
        assert_eq!(server.token_endpoint(), None);
        assert_eq!(server.jwks_uri(), None);
        assert_eq!(server.scopes_supported(), None);
        assert!(!server.request_parameter_supported());
        assert_eq!(server.mtls_endpoint_aliases(), None);
    }
}

#[test]
fn a_duplicate_member_and_what_is_no_object_are_refused() {
    for text in ["[]", "7", "null", r#"{"issuer":"a","issuer":"b"}"#, "{"] {
        assert!(
            serde_json::from_str::<AuthorizationServer>(text).is_err(),
            "{text}"
        );
    }
}

#[test]
fn an_endpoint_is_checked_when_it_is_made() {
    let endpoint = |value: Value, allow_http| {
        let server = AuthorizationServer::default().with_member("token_endpoint", value);
        server.endpoint("token_endpoint", allow_http)
    };
    for (value, problem) in [
        (json!("id.example/token"), "is not an absolute URL"),
        (json!(""), "is not an absolute URL"),
        (json!(7), "is not an absolute URL"),
        (json!("http://id.example/token"), "must be https"),
        (
            json!("https://id.example/token#a"),
            "must not have a fragment",
        ),
        (
            json!("https://a:b@id.example/"),
            "must not contain a user name",
        ),
        (json!("ftp://id.example/"), "must be an https URL"),
    ] {
        let found = endpoint(value, false).expect_err(problem);
        assert!(found.starts_with(problem), "{found}");
    }
    assert!(endpoint(json!("http://id.example/token"), true).is_ok());
    assert_eq!(endpoint(Value::Null, false), Ok(None));
    let error = AuthorizationServer::default().required_endpoint("token_endpoint", true);
    assert_eq!(
        error.expect_err("no endpoint").to_string(),
        "the token_endpoint of the server is not known; set it"
    );
}

#[test]
fn the_last_value_counts_and_clones_are_apart() {
    let first = AuthorizationServer::new("a").with_token_endpoint("https://id.example/1");
    let second = first.clone().with_token_endpoint("/2");
    assert_eq!(second.token_endpoint(), None);
    assert!(second.endpoint("token_endpoint", false).is_err());
    assert!(first.token_endpoint().is_some());
}

#[test]
fn debug_tells_no_secret() {
    let server = AuthorizationServer::new("https://id.example")
        .with_token_endpoint("https://me:hunter2@id.example/token?key=hunter2")
        .with_member("own", "hunter2");
    assert_eq!(
        format!("{server:?}"),
        "AuthorizationServer { issuer: Some(\"https://id.example\"), \
         token_endpoint: Some(\"https://id.example/token\"), \
         members: [\"issuer\", \"own\", \"token_endpoint\"] }"
    );
}
