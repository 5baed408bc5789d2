use serde_json::json;

use super::*;

fn endpoint() -> LogoutEndpoint {
    let server = AuthorizationServer::new("https://id.example")
        .with_end_session_endpoint("https://id.example/logout?tenant=a");
    LogoutEndpoint::new(&server, &ClientRegistration::new("me")).expect("an endpoint")
}

fn token(id_token: &str) -> Token {
    let members = json!({"access_token": "t", "id_token": id_token});
    serde_json::from_value(members).expect("a token")
}

fn with_return() -> LogoutRequest {
    LogoutRequest::new().post_logout_redirect_uri("https://app.example/bye")
}

#[test]
fn a_logout_from_url_to_return() {
    let request = with_return()
        .id_token_hint(&token("e30.e30.e30"))
        .logout_hint("alice")
        .ui_locales(["fr", "en"])
        .param("logout_uri", "https://app.example/");
    let LogoutUrl { url, pending } = endpoint().request(request).expect("a URL");
    let text = url.as_str();
    let state = text.split("&state=").nth(1).expect("a state");
    let state = state.split('&').next().expect("a state");
    assert_eq!(state.len(), 43);
    assert_eq!(
        text,
        format!(
            "https://id.example/logout?tenant=a&id_token_hint=e30.e30.e30&client_id=me\
             &logout_hint=alice&ui_locales=fr+en\
             &post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fbye&state={state}\
             &logout_uri=https%3A%2F%2Fapp.example%2F"
        )
    );
    let stored = serde_json::to_string(&pending).expect("JSON");
    let pending: PendingLogout = serde_json::from_str(&stored).expect("a pending logout");
    let callback = format!("https://app.example/bye?state={state}");
    pending.logout_response(&callback).expect("the state");
}

#[test]
fn a_return_without_the_state_is_refused() {
    for callback in [
        "https://app.example/bye",
        "https://app.example/bye?state=",
        "?state=forged-forged-forged-forged",
        "?state=a&state=a",
        "",
    ] {
        let pending = endpoint().request(with_return()).expect("a URL").pending;
        let error = pending.logout_response(callback).expect_err(callback);
        assert!(error.to_string().contains("state"), "{callback}: {error}");
    }
    let pending = endpoint()
        .request(LogoutRequest::new())
        .expect("a URL")
        .pending;
    assert!(pending.logout_response("?state=x").is_err());
}

#[test]
fn what_providers_refuse_is_refused_first() {
    let long = format!("e30.{}.e30", "A".repeat(8000));
    for (request, word) in [
        (
            LogoutRequest::new().id_token_hint(&token(&long)),
            "logout_hint",
        ),
        (
            LogoutRequest::new().id_token_hint(&Token::new("t")),
            "no ID token",
        ),
        (with_return().param("state", "x"), "state"),
        (LogoutRequest::new().param("state", "x"), "state"),
        (LogoutRequest::new().param("client_id", "x"), "client_id"),
        (
            LogoutRequest::new()
                .param("logout_uri", "a")
                .param("logout_uri", "b"),
            "logout_uri of a logout request is set twice",
        ),
        (
            LogoutRequest::new().param("tenant", "b"),
            "tenant of a logout request is set twice",
        ),
    ] {
        let error = endpoint().request(request).expect_err(word);
        assert!(error.to_string().contains(word), "{error}");
        assert!(!error.to_string().contains("AAAA"));
    }
    let server = AuthorizationServer::new("https://id.example")
        .with_end_session_endpoint("https://id.example/logout?client_id=other");
    let with_client_id = LogoutEndpoint::new(&server, &ClientRegistration::new("me"));
    let with_client_id = with_client_id.expect("an endpoint");
    let error = with_client_id.request(LogoutRequest::new());
    let error = error.expect_err("two").to_string();
    assert!(error.contains("client_id"), "{error}");
    let nearly = "A".repeat(7900);
    let request = LogoutRequest::new().id_token_hint(&token(&nearly));
    assert!(endpoint().request(request).is_ok());
}

#[test]
fn an_endpoint_is_never_guessed() {
    let client = ClientRegistration::new("me");
    for (server, word) in [
        (
            AuthorizationServer::new("https://id.example"),
            "end_session_endpoint",
        ),
        (
            AuthorizationServer::default().with_end_session_endpoint("http://id.example/logout"),
            "https",
        ),
    ] {
        let error = LogoutEndpoint::new(&server, &client).expect_err(word);
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn debug_tells_no_secret() {
    let request = with_return()
        .id_token_hint(&token("hunter2"))
        .logout_hint("hunter2");
    let text = format!("{request:?}");
    assert!(!text.contains("hunter2"), "{text}");
    let created = endpoint().request(request).expect("a URL");
    assert_eq!(
        format!("{created:?}"),
        "LogoutUrl { url: \"https://id.example/logout\", pending: PendingLogout { \
         state: Some([redacted]) } }"
    );
}
