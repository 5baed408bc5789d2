use std::collections::HashMap;

use serde_json::json;

use super::*;
use crate::oauth2::{
    authorization::{endpoint::AuthorizationEndpoint, pending::PendingAuthorization},
    client::ClientRegistration,
};

fn server() -> AuthorizationServer {
    AuthorizationServer::new("https://id.example")
        .with_authorization_endpoint("https://id.example/authorize")
        .with_response_modes_supported(["query", "fragment", "form_post"])
}

fn requested(
    request: AuthorizationRequest,
) -> Result<(HashMap<String, String>, PendingAuthorization)> {
    let client = ClientRegistration::new("id").with_redirect_uris(["https://app.example/cb"]);
    let created = AuthorizationEndpoint::new(&server(), &client)?.request(request)?;
    Ok((
        created.url.query_pairs().into_owned().collect(),
        created.pending,
    ))
}

fn openid() -> AuthorizationRequest {
    AuthorizationRequest::new().scope("profile openid")
}

#[test]
fn a_nonce_goes_with_openid_and_is_kept() {
    let [first, second] = [(); 2].map(|()| requested(openid()).expect("a URL"));
    assert_eq!(first.0["nonce"].len(), 43);
    assert_ne!(first.0["nonce"], second.0["nonce"]);
    let asked = first.1.authentication();
    assert!(asked.is_openid() && asked.pkce);
    assert_eq!(asked.nonce, Some(Secret::from(&*first.0["nonce"])));
    let stored = serde_json::to_string(&first.1).expect("JSON");
    let restored: PendingAuthorization = serde_json::from_str(&stored).expect("a pending login");
    assert_eq!(restored.authentication().nonce, asked.nonce);
    assert_eq!(restored.authentication().state, asked.state);

    let own = "n".repeat(22);
    let (parameters, _) = requested(openid().nonce(&*own)).expect("a URL");
    assert_eq!(parameters["nonce"], own);
    for scope in ["profile", "openid_profile", ""] {
        let (parameters, pending) =
            requested(AuthorizationRequest::new().scope(scope)).expect("a URL");
        assert!(!parameters.contains_key("nonce"));
        assert!(!pending.authentication().is_openid());
    }
}

#[test]
fn every_parameter_of_the_specification() {
    let claims = json!({"userinfo": {"email": null}});
    let request = openid()
        .max_age(Duration::from_secs(900))
        .acr_values(["a", "b"])
        .prompt("login consent")
        .login_hint("alice@example.com")
        .id_token_hint("e30.e30.")
        .ui_locales(["fr-CA", "fr"])
        .display("popup")
        .claims(claims.clone())
        .response_mode(ResponseMode::FormPost);
    let (parameters, _) = requested(request).expect("a URL");
    for (name, value) in [
        ("max_age", "900"),
        ("acr_values", "a b"),
        ("prompt", "login consent"),
        ("login_hint", "alice@example.com"),
        ("id_token_hint", "e30.e30."),
        ("ui_locales", "fr-CA fr"),
        ("display", "popup"),
        ("claims", &claims.to_string()),
        ("response_mode", "form_post"),
    ] {
        assert_eq!(parameters[name], value, "{name}");
    }
}

#[test]
fn what_is_asked_for_in_any_way_is_pending() {
    let asked = |request| requested(request).expect("a URL").1.authentication();
    for request in [
        openid().max_age(Duration::from_secs(900)),
        openid().param("max_age", "900"),
    ] {
        assert_eq!(asked(request).max_age, Some(900));
    }
    for request in [
        openid().max_age(Duration::ZERO),
        openid().param("max_age", "0"),
        openid().prompt("login"),
        openid().param("prompt", "consent login"),
    ] {
        assert!(asked(request).not_before.is_some());
    }
    assert_eq!(asked(openid().prompt("select_account")).not_before, None);
    let claims = json!({"id_token": {
        "auth_time": {"essential": true},
        "acr": {"essential": true, "value": "a", "values": ["b", "c"]},
        "sub": {"value": "alice"},
    }});
    for request in [
        openid().claims(claims.clone()),
        openid().param("claims", claims.to_string()),
    ] {
        let asked = asked(request);
        assert!(asked.auth_time);
        assert_eq!(asked.acr, ["a", "b", "c"]);
        assert_eq!(asked.subject.as_deref(), Some("alice"));
    }
    // The classes are voluntary, unless they are required.
    assert!(asked(openid().acr_values(["a", "b"])).acr.is_empty());
    let required = openid().param("acr_values", "a b").require_acr();
    assert_eq!(asked(required).acr, ["a", "b"]);
    let hint = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJib2IifQ.";
    let silent = openid().id_token_hint(hint).prompt("none");
    assert_eq!(asked(silent).subject.as_deref(), Some("bob"));
    assert_eq!(asked(openid().id_token_hint(hint)).subject, None);
}

#[test]
fn offline_access_asks_for_consent() {
    let prompt =
        |request: AuthorizationRequest| requested(request).expect("a URL").0.remove("prompt");
    let offline = || AuthorizationRequest::new().scope("openid offline_access");
    assert_eq!(prompt(offline()).as_deref(), Some("consent"));
    assert_eq!(prompt(offline().prompt("login")).as_deref(), Some("login"));
    assert_eq!(
        prompt(offline().param("prompt", "none")).as_deref(),
        Some("none")
    );
    assert_eq!(
        prompt(AuthorizationRequest::new().scope("offline_access")),
        None
    );
    assert_eq!(prompt(openid()), None);
    assert_eq!(prompt(offline().response_type(ResponseType::IdToken)), None);
}

#[test]
fn what_contradicts_itself_or_cannot_be_checked_is_refused() {
    for (word, request) in [
        ("prompt none", openid().prompt("none login")),
        ("prompt none", openid().param("prompt", "consent none")),
        ("nonce", openid().nonce("short")),
        ("nonce", openid().nonce("n".repeat(65))),
        ("nonce", openid().param("nonce", "n".repeat(22))),
        ("max_age", openid().param("max_age", "soon")),
        ("max_age", openid().param("max_age", "-1")),
        (
            "by param",
            openid()
                .param("max_age", "1")
                .max_age(Duration::from_secs(2)),
        ),
        ("acr_values", openid().require_acr()),
        (
            "scope openid",
            AuthorizationRequest::new().acr_values(["a"]).require_acr(),
        ),
        ("claims", openid().claims(json!([]))),
        ("claims", openid().param("claims", "{")),
        (
            "openid",
            AuthorizationRequest::new().response_type(ResponseType::IdToken),
        ),
        (
            "openid",
            AuthorizationRequest::new().response_type(ResponseType::CodeIdToken),
        ),
        (
            "in the query",
            openid()
                .response_type(ResponseType::CodeIdToken)
                .response_mode(ResponseMode::Query),
        ),
        (
            "does not offer",
            openid().param("response_mode", "web_message"),
        ),
    ] {
        let error = requested(request).expect_err(word).to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
}

#[test]
fn the_response_is_read_where_it_was_asked_for() {
    let state = "s".repeat(22);
    let pending =
        |request: AuthorizationRequest| requested(request.state(&*state)).expect("a URL").1;
    let hybrid = || openid().response_type(ResponseType::CodeIdToken);
    let query = format!("code=c&id_token=i&state={state}");
    for callback in [format!("https://app.example/cb#{query}"), query.clone()] {
        let grant = pending(hybrid())
            .authorization_response(&callback)
            .expect("a code");
        let expected = grant.expected_id_token();
        assert_eq!(expected.code, Some("c".into()));
        assert_eq!(expected.front_channel, Some("i".into()));
    }
    let posted = hybrid().response_mode(ResponseMode::FormPost);
    assert!(pending(posted).authorization_response(&query).is_ok());
    let alone = || pending(openid().response_type(ResponseType::IdToken));
    let read = alone().authentication_response(&format!("https://app.example/cb#{query}"));
    assert_eq!(read.expect("an ID token").id_token, "i".into());
    for (callback, word) in [
        (format!("code=c&state={state}"), "`id_token`"),
        (format!("id_token=i&state={state}"), "`code`"),
        (format!("{query}&access_token=t"), "`access_token`"),
        (
            format!("code=c&id_token=i&state={}", "t".repeat(22)),
            "`state`",
        ),
        (
            format!("error=access_denied&state={state}"),
            "access_denied",
        ),
    ] {
        let error = pending(hybrid())
            .authorization_response(&callback)
            .expect_err(word);
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
    assert!(alone().authorization_response(&query).is_err());
    assert!(pending(hybrid()).authentication_response(&query).is_err());
    assert!(
        alone()
            .authentication_response(&format!("state={state}"))
            .is_err()
    );
}

#[test]
fn what_is_checked_has_one_value() {
    for name in ["max_age", "prompt", "claims", "acr_values", "id_token_hint"] {
        let request = openid().param(name, "1").param(name, "0");
        let error = requested(request).expect_err(name).to_string();
        assert!(error.contains(name) && error.contains("twice"), "{error}");
    }
}
