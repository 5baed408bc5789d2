//! Files of all types, the public examples among them, and what may stand in none.

use super::*;
use crate::oauth2::provider::google::ApplicationDefault;

const SERVICE_ACCOUNT: &str = include_str!("../../../../../tests/vectors/service_account.json");
const AUTHORIZED_USER: &str = include_str!("../../../../../tests/vectors/authorized_user.json");
const EXTERNAL_ACCOUNTS: &str = include_str!("../../../../../tests/vectors/external_accounts.json");

fn read(file: &Value) -> Result<ApplicationDefault> {
    ApplicationDefault::from_json(file.to_string())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn the_examples_of_aip_4117() {
    let files = json(EXTERNAL_ACCOUNTS);
    let files = files.as_array().expect("a list");
    assert_eq!(files.len(), 5);
    for file in files {
        let credentials = read(file).expect("credentials");
        assert_eq!(credentials.kind(), "external_account");
        assert_eq!(credentials.universe_domain(), GOOGLE);
    }
}

#[test]
fn kinds() {
    for (file, kind) in [
        (json(SERVICE_ACCOUNT), "service_account"),
        (json(AUTHORIZED_USER), "authorized_user"),
        (
            impersonated(&json(SERVICE_ACCOUNT)),
            "impersonated_service_account",
        ),
    ] {
        let credentials = read(&file).expect("credentials");
        assert_eq!(credentials.kind(), kind);
        let shown = format!("{credentials:?}");
        for secret in ["PRIVATE", "throw-away", "secret"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

fn impersonated(source: &Value) -> Value {
    serde_json::json!({
        "type": "impersonated_service_account", "source_credentials": source,
        "service_account_impersonation_url":
            "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b:generateAccessToken",
    })
}

#[test]
fn what_is_no_credential_file_is_described() {
    let user = json(AUTHORIZED_USER);
    let account = json(EXTERNAL_ACCOUNTS)[0].clone();
    let changed = |file: &Value, member: &str, value: Value| {
        let mut file = file.clone();
        file[member] = value;
        file
    };
    let null = Value::Null;
    for (file, word) in [
        (Value::from(7), "not a JSON object"),
        (serde_json::json!({}), "no known type"),
        (serde_json::json!({"type": "api_key"}), "no known type"),
        (serde_json::json!({"installed": {}}), "an OAuth client"),
        (serde_json::json!({"type": "gdch_service_account"}), "gdch"),
        (
            serde_json::json!({"type": "external_account_authorized_user"}),
            "workforce user",
        ),
        (
            changed(&user, "refresh_token", null.clone()),
            "lacks refresh_token",
        ),
        (
            changed(&user, "client_secret", "".into()),
            "lacks client_secret",
        ),
        (
            changed(&user, "token_uri", "https://evil.example/token".into()),
            "token_uri",
        ),
        (
            changed(&user, "universe_domain", "evil.example/x".into()),
            "universe_domain",
        ),
        (
            changed(&user, "universe_domain", "evil@example.com".into()),
            "universe_domain",
        ),
        (
            changed(&account, "audience", null.clone()),
            "lacks audience",
        ),
        (
            changed(&account, "token_url", "https://evil.example/".into()),
            "token_url",
        ),
        (
            changed(&account, "credential_source", null.clone()),
            "credential_source",
        ),
        (
            changed(
                &account,
                "service_account_impersonation_url",
                "https://evil.example/x:generateAccessToken".into(),
            ),
            "service_account_impersonation_url",
        ),
        (
            changed(&account, "workforce_pool_user_project", "7".into()),
            "workforce",
        ),
        (impersonated(&null), "source_credentials"),
        (impersonated(&impersonated(&user)), "impersonates"),
        (
            changed(
                &impersonated(&user),
                "service_account_impersonation_url",
                null,
            ),
            "lacks service_account",
        ),
    ] {
        let error = read(&file).expect_err(word);
        assert!(error.to_string().contains(word), "{word}: {error}");
        assert!(!format!("{error:?}").contains("throw-away"), "{error:?}");
    }
}

#[test]
fn an_id_token_has_an_expiry() {
    let clock = Clock::system();
    for bad in ["", "x", "a.b.c", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"] {
        assert!(id_token(&bad.into(), &clock).is_err(), "{bad}");
    }
}

proptest::proptest! {
    #[test]
    fn no_file_panics(text in ".*", member in "type|token_url|credential_source|audience", value in ".*") {
        let _ = ApplicationDefault::from_json(&text);
        let mut file = json(EXTERNAL_ACCOUNTS)[1].clone();
        file[&member] = value.into();
        let _ = read(&file);
    }
}
