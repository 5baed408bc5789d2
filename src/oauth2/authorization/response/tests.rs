use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;

use super::*;
use crate::{
    error::ErrorKind,
    oauth2::{AuthorizationServer, ClientRegistration, TokenEndpoint, callback_state},
};

fn pending() -> PendingAuthorization {
    PendingAuthorization {
        state: "the-state".into(),
        code_verifier: Some("v".repeat(43).into()),
        redirect_uri: Some("https://app.example/cb".to_owned()),
        issuer: Some("https://id.example".to_owned()),
        scope: None,
        iss_required: false,
        resource: vec!["urn:a".to_owned()],
        response_type: ResponseType::Code,
        in_fragment: false,
        is_signed: false,
        is_unpushed: false,
        is_unscoped: false,
        url_expires_at: None,
        dpop_thumbprint: None,
        authentication: AuthenticationRequest::default(),
        created_at: 0,
        expires_at: u64::MAX,
    }
}

fn refusal(callback: &str) -> Error {
    pending()
        .authorization_response(callback)
        .expect_err(callback)
}

#[test]
fn a_url_a_query_or_a_body() {
    for callback in [
        "https://app.example/cb?code=the-code&state=the-state",
        "https://app.example/cb?code=the-code&state=the-state#_=_",
        "/cb?state=the-state&code=the-code&iss=https%3A%2F%2Fid.example",
        "?code=the-code&state=the-state&session_state=x",
        "code=the-code&state=the-state&more=a?b://c",
        "com.example.app:/oauth2redirect/example-provider?code=the-code&state=the-state",
        "https://app.example/cb?code=the-code&state=the-state\n",
        "?state=the-state&code=the-code\r\n",
        " \"https://app.example/cb?code=the-code&state=the-state\"",
        "\u{feff}code=the-code&state=the-state",
    ] {
        let grant = pending().authorization_response(callback).expect(callback);
        let text = format!("{grant:?}");
        assert!(
            text.contains("redirect_uri: Some(\"https://app.example/cb\")"),
            "{text}"
        );
    }
}

#[test]
fn a_pending_login_is_found_by_the_state_of_its_callback() {
    assert_eq!(pending().state(), "the-state");
    for callback in [
        "https://app.example/cb?code=c&state=the-state",
        "https://app.example/cb?code=c&state=the-state#_=_",
        "code=c&state=the%2Dstate",
        "?error=access_denied&state=the-state",
        "https://app.example/cb#access_token=t&state=the-state",
        " 'com.example.app:/cb?state=the-state'\n",
    ] {
        assert_eq!(callback_state(callback).expect(callback), "the-state");
    }
}

#[test]
fn a_callback_without_one_state_has_none() {
    for (callback, problem) in [
        ("", "the callback has no `state`"),
        ("https://app.example/cb", "the callback has no `state`"),
        ("?code=c&state=", "the callback has no `state`"),
        ("https://app.example/cb#_=_", "the callback has no `state`"),
        (
            "?error=access_denied",
            "the callback has no `state`; it claims the error `access_denied`, which is not verified",
        ),
        ("?error=call+0900", "the callback has no `state`"),
        (
            "?state=a&state=b",
            "the callback repeats the parameter `state`",
        ),
        (
            "?state=%FF",
            "the parameter `state` of the callback is not percent-encoded UTF-8",
        ),
    ] {
        let error = callback_state(callback).expect_err(callback);
        assert_eq!(error.to_string(), problem, "{callback}");
        assert_eq!(
            error.kind(),
            pending()
                .authorization_response(callback)
                .expect_err(callback)
                .kind()
        );
    }
}

#[test]
fn what_is_not_an_answer_to_this_request_is_refused() {
    for (callback, word) in [
        ("https://app.example/cb", "no `state`"),
        ("", "no `state`"),
        ("?code=c", "no `state`"),
        ("?code=c&state=", "no `state`"),
        ("?code=c&state=other", "does not match this login"),
        ("?code=c&state=the-stat", "does not match this login"),
        ("?code=c&state=THE-STATE", "does not match this login"),
        (
            "?error=access_denied&state=other",
            "does not match this login",
        ),
        ("?error=access_denied", "no `state`"),
        ("?code=c&code=d&state=the-state", "repeats the parameter"),
        (
            "?code=c&state=the-state&state=the-state",
            "repeats the parameter",
        ),
        ("?code=c&state=the-state&x=1&x=2", "repeats the parameter"),
        ("?state=the-state", "no `code`"),
        ("?state=the-state&code=", "no `code`"),
        ("?error_code=1&state=the-state", "no `code`"),
        (
            "?code=c&state=the-state&iss=https://evil.example",
            "the issuer of the callback",
        ),
        (
            "?code=c&state=the-state&iss=https://id.example/",
            "the issuer of the callback",
        ),
        ("#code=c&state=the-state", "no `state`"),
    ] {
        let error = refusal(callback);
        assert!(error.to_string().contains(word), "{callback}: {error}");
        assert_eq!(error.kind(), ErrorKind::Answer);
        assert!(!error.outcome_unknown() && !error.is_transient());
    }
}

#[test]
fn an_error_is_the_server_s() {
    let error = refusal(
        "?error=access_denied&error_description=The+user%0Arefused&state=the-state\
         &iss=https://id.example&code=c",
    );
    assert_eq!(error.kind(), ErrorKind::Server);
    assert_eq!(
        error.to_string(),
        "the server refused the login: access_denied: The user refused"
    );
    assert_eq!(error.status(), None);
}

#[test]
fn a_missing_iss_is_refused_where_the_server_always_sends_it() {
    let required = || PendingAuthorization {
        iss_required: true,
        ..pending()
    };
    let callback = "?code=c&state=the-state";
    let error = required()
        .authorization_response(callback)
        .expect_err("iss");
    assert!(error.to_string().contains("has no issuer"), "{error}");
    let refused = "?error=access_denied&state=the-state";
    assert!(required().authorization_response(refused).is_err());
    let callback = "?code=c&state=the-state&iss=https%3A%2F%2Fid.example";
    assert!(required().authorization_response(callback).is_ok());
}

/// A registered code, marked as not verified, and nothing else.
#[test]
fn an_error_without_a_state_is_hardly_shown() {
    let claimed = "the callback has no `state`; it claims the error `invalid_request`, which is \
                   not verified";
    let bare = "the callback has no `state`";
    let details = "error_description=call+0900&error_uri=https://evil.example";
    for (callback, iss_required, text) in [
        ("?error=invalid_request", false, claimed),
        ("?error=invalid_request&state=", false, claimed),
        (
            "?error=invalid_request&iss=https://id.example",
            true,
            claimed,
        ),
        (
            "?error=invalid_request&iss=https://evil.example",
            false,
            bare,
        ),
        ("?error=invalid_request&iss=%FF", false, bare),
        ("?error=invalid_request", true, bare),
        ("?error=call_0900", false, bare),
        ("?error=", false, bare),
        ("?code=c", false, bare),
    ] {
        let pending = PendingAuthorization {
            iss_required,
            ..pending()
        };
        let callback = format!("{callback}&{details}");
        let error = pending.authorization_response(&callback).expect_err(text);
        assert_eq!(error.to_string(), text, "{callback}");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Answer, None));
    }
    let other = refusal("?error=invalid_request&state=other").to_string();
    assert!(!other.contains("invalid_request"), "{other}");
}

#[test]
fn a_code_that_cannot_be_decoded_is_not_sent() {
    for code in ["%FF", "%ZZ", "c%"] {
        let error = refusal(&format!("?code={code}&state=the-state"));
        assert_eq!(
            error.to_string(),
            "the parameter `code` of the callback is not percent-encoded UTF-8"
        );
    }
    let token = "https://app.example/cb#access_token=%FF&state=the-state";
    assert!(pending().token_from_fragment(token).is_err());
}

#[test]
fn an_expired_login_is_refused_by_the_clock_of_whoever_uses_it() {
    let expired = || PendingAuthorization {
        expires_at: 100,
        ..pending()
    };
    let at = |seconds| Clock::from_fn(move || UNIX_EPOCH + Duration::from_secs(seconds));
    let server = AuthorizationServer::default().with_token_endpoint("https://id.example/token");
    let endpoint = TokenEndpoint::new(&server, &ClientRegistration::new("id"));
    let endpoint = endpoint.expect("a URL");
    let fragment = "https://app.example/cb#access_token=t&expires_in=60&state=the-state";
    for (clock, passes) in [
        (at(0), true),
        (at(99), true),
        (at(100), false),
        (Clock::system(), false),
    ] {
        let grant = expired()
            .authorization_response("?code=c&state=the-state")
            .expect("a grant");
        let request = endpoint.clone().clock(clock.clone()).request(&grant);
        let token = expired().token_from_fragment_at(fragment, &clock);
        assert_eq!((request.is_ok(), token.is_ok()), (passes, passes));
        if let (Err(request), Err(token)) = (request, token) {
            assert!(request.to_string().contains("expired"), "{request}");
            assert_eq!(request.to_string(), token.to_string());
            assert_eq!(request.kind(), ErrorKind::Answer);
        }
    }
    assert!(expired().token_from_fragment(fragment).is_err());
}

#[test]
fn it_is_the_same_after_a_session() {
    let session = serde_json::to_string(&pending()).expect("JSON");
    let back: PendingAuthorization = serde_json::from_str(&session).expect("a pending");
    assert_eq!(serde_json::to_string(&back).expect("JSON"), session);
    assert!(
        back.authorization_response("?code=c&state=the-state")
            .is_ok()
    );
}

#[test]
fn an_implicit_token() {
    let token = pending()
        .token_from_fragment(
            "https://app.example/cb#access_token=t&token_type=bearer&expires_in=60\
             &state=the-state&tenant=a",
        )
        .expect("a token");
    assert_eq!(token.access_token(), &Secret::from("t"));
    assert!(token.expires_at().is_some());
    assert_eq!(
        (token.get("tenant"), token.get("state")),
        (Some(&"a".into()), None)
    );
    for (url, word) in [
        ("https://app.example/cb", "no fragment"),
        ("https://app.example/cb#access_token=t", "no `state`"),
        (
            "https://app.example/cb#access_token=t&state=x",
            "does not match this login",
        ),
        ("https://app.example/cb#state=the-state", "access_token"),
        (
            "https://app.example/cb#error=access_denied&state=the-state",
            "access_denied",
        ),
        (
            "https://app.example/cb?access_token=t&state=the-state#_=_",
            "no `state`",
        ),
    ] {
        let error = pending().token_from_fragment(url).expect_err(url);
        assert!(error.to_string().contains(word), "{url}: {error}");
    }
}

#[test]
fn debug_tells_no_secret() {
    assert_eq!(
        format!("{:?}", pending()),
        "PendingAuthorization { state: [redacted], code_verifier: Some([redacted]), \
         redirect_uri: Some(\"https://app.example/cb\"), issuer: Some(\"https://id.example\"), \
         expires_at: 18446744073709551615, .. }"
    );
}

proptest! {
    #[test]
    fn no_callback_panics_or_passes(callback: String) {
        prop_assert!(pending().authorization_response(&callback).is_err());
        prop_assert!(pending().token_from_fragment(&callback).is_err());
    }
}

/// Some servers give nothing to a login that asks for nothing.
#[test]
fn a_refusal_of_a_login_without_a_scope_says_so() {
    let refused = |is_unscoped, code: &str| {
        let pending = PendingAuthorization {
            is_unscoped,
            ..pending()
        };
        let callback = format!("error={code}&state=the-state");
        pending.authorization_response(&callback).expect_err(code)
    };
    for code in ["access_denied", "invalid_scope"] {
        let error = refused(true, code);
        let hint = error.response().and_then(|response| response.hint());
        assert!(hint.is_some_and(|hint| hint.contains("no scope was asked for")));
        assert!(
            error.to_string().contains("scope of the builder"),
            "{error}"
        );
        assert!(
            !refused(false, code).to_string().contains("scope of"),
            "{code}"
        );
    }
    for code in ["login_required", "server_error", "invalid_request"] {
        assert!(
            !refused(true, code).to_string().contains("scope of"),
            "{code}"
        );
    }
}
