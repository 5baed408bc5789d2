use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;
use serde_json::json;

use super::*;
use crate::error::ErrorKind;

const ISSUER: &str = "https://id.example/a";
const OPENID: &str = "https://id.example/a/.well-known/openid-configuration";
const OAUTH: &str = "https://id.example/.well-known/oauth-authorization-server/a";

fn source(discovery: impl Into<Discovery>) -> ServerSource {
    let discovery = discovery.into();
    let guard = AddressGuard::new(discovery.allow_private);
    if let Ok(url) = discovery.url(true) {
        guard.trust(&url);
    }
    ServerSource {
        discovery,
        given: AuthorizationServer::default(),
        guard: Arc::new(guard),
        allow_http: false,
        clock: Clock::from_fn(|| UNIX_EPOCH + Duration::from_secs(1000)),
        profile: None,
        progress: Progress::default(),
    }
}

fn response(status: u16, body: impl ToString) -> EndpointResponse {
    let status = StatusCode::from_u16(status).expect("a status");
    EndpointResponse::new(status, HeaderMap::new(), body.to_string())
}

fn redirect(to: &str) -> EndpointResponse {
    let headers = HeaderMap::from_iter([(LOCATION, to.parse().expect("a value"))]);
    EndpointResponse::new(StatusCode::FOUND, headers, "")
}

/// The outcome of these responses, and the URLs that were requested.
fn run(
    mut source: ServerSource,
    responses: impl IntoIterator<Item = EndpointResponse>,
) -> (Result<AuthorizationServer>, Vec<String>) {
    let (mut asked, mut response) = (Vec::new(), None);
    let mut responses = responses.into_iter();
    loop {
        match source.step(response) {
            FetchStep::Done(server) => return (server, asked),
            FetchStep::Get(url) => {
                source.guard.check_request(&url).expect("permitted");
                asked.push(url.into());
                response = Some(Ok(responses.next().expect("no more requests")));
            }
        }
    }
}

fn document(members: Value) -> EndpointResponse {
    let mut document = json!({"issuer": ISSUER});
    let all = document.as_object_mut().expect("an object");
    all.extend(members.as_object().cloned().expect("an object"));
    response(200, document)
}

fn error(responses: impl IntoIterator<Item = EndpointResponse>) -> Error {
    run(source(ISSUER), responses).0.expect_err("no server")
}

#[test]
fn the_first_place_with_the_metadata_counts() {
    let (server, asked) = run(source(ISSUER), [document(json!({"x": 1}))]);
    let server = server.expect("a server");
    assert_eq!(server.get("x"), Some(&json!(1)));
    assert_eq!(asked, [OPENID]);
    let at = |seconds| Some(UNIX_EPOCH + Duration::from_secs(seconds));
    assert_eq!(server.fetched_at(), at(1000));
    assert_eq!(server.fresh_until(), at(4600));
}

#[test]
fn what_is_no_metadata_leads_to_the_next_place() {
    for first in [
        response(400, ""),
        response(401, ""),
        response(404, "<html>"),
        response(429, ""),
        response(204, ""),
        response(200, ""),
        response(200, "<html>"),
        response(200, "[]"),
        response(200, r#"{"issuer":"https://id.example/a","issuer":"b"}"#),
        response(200, "{}"),
        response(200, json!({"issuer": 7})),
        response(200, json!({"issuer": "https://other.example"})),
        response(302, ""),
        redirect("https://other.example/"),
        redirect("http://id.example/"),
        redirect("https://id.example:8443/"),
        redirect("//169.254.169.254/"),
        redirect("https://me:secret@id.example/"),
    ] {
        let shown = format!("{first:?}");
        let (server, asked) = run(source(ISSUER), [first, document(json!({}))]);
        server.expect(&shown);
        assert_eq!(asked, [OPENID, OAUTH], "{shown}");
    }
}

#[test]
fn a_server_error_stops() {
    for status in [500, 502, 503] {
        let (server, asked) = run(source(ISSUER), [response(status, "")]);
        assert_eq!(server.expect_err("down").kind(), ErrorKind::Server);
        assert_eq!(asked.len(), 1);
    }
    let mut source = source(ISSUER);
    assert!(matches!(source.step(None), FetchStep::Get(_)));
    let failed = Err(Error::interrupted("no connection"));
    assert!(matches!(source.step(Some(failed)), FetchStep::Done(Err(_))));
}

#[test]
fn redirects_are_followed_within_the_origin() {
    let hops = ["/1", "https://id.example/2", "3"].map(redirect);
    let (server, asked) = run(
        source(ISSUER),
        hops.into_iter().chain([document(json!({}))]),
    );
    server.expect("a server");
    assert_eq!(
        asked[1..],
        [
            "https://id.example/1",
            "https://id.example/2",
            "https://id.example/3"
        ]
    );
    // Not for ever.
    let hops = ["/1", "/2", "/3", "/4"].map(redirect);
    let (server, asked) = run(source(ISSUER), hops.into_iter().chain([response(404, "")]));
    server.expect_err("no end");
    assert_eq!(asked.len(), 5);
}

#[test]
fn nothing_that_was_found_is_named_with_its_reason() {
    let error = error([response(404, ""), response(200, "<html>")]);
    assert_eq!(error.kind(), ErrorKind::Answer);
    assert!(!error.needs_login());
    let text = error.to_string();
    for word in [ISSUER, OPENID, "404", OAUTH, "not a JSON object"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(self::error([response(429, ""), response(404, "")]).is_transient());
}

#[test]
fn another_issuer_is_shown_beside_the_expected_one() {
    for (found, words) in [
        ("https://id.example/a/", "differ by the terminating `/`"),
        ("https://ID.example/a", "\"https://ID.example/a\""),
        ("https://id.example:443/a", "\"https://id.example:443/a\""),
        ("http://id.example/a", "\"http://id.example/a\""),
        (
            "https://id.example/a\u{202e}\nb",
            "\"https://id.example/a b\"",
        ),
        ("https://id.example/{tenantid}", "Discovery::tenants"),
        ("", "\"\""),
    ] {
        let other = response(200, json!({"issuer": found}));
        for other in [
            [other.clone(), response(404, "")],
            [response(404, ""), other],
        ] {
            let error = error(other);
            assert_eq!(error.kind(), ErrorKind::Answer);
            let text = error.to_string();
            assert!(
                text.contains(words) && text.contains("\"https://id.example/a\""),
                "{text}"
            );
            assert!(text.contains("Discovery::"), "{text}");
        }
    }
}

#[test]
fn an_exception_is_for_one_issuer() {
    let other = "https://t.example/11111111-2222-3333-4444-555555555555/v2.0/";
    let at = "https://t.example/.well-known/openid-configuration?p=b2c_1_in";
    let found = response(200, json!({"issuer": other}));
    let discovery = Discovery::at(at).expect_issuer(other);
    let (server, asked) = run(source(discovery.clone()), [found.clone()]);
    assert_eq!(server.expect("a server").issuer(), Some(other));
    assert_eq!(asked, [at]);
    let (server, _) = run(source(Discovery::at(at)), [found]);
    server.expect_err("not expected");
    let (server, _) = run(source(discovery), [document(json!({}))]);
    server.expect_err("another one");
}

#[test]
fn endpoints_that_are_not_https_are_named() {
    let members = json!({
        "authorization_endpoint": "http://id.example/authorize",
        "jwks_uri": "http://id.example/jwks?key=hunter2",
        "token_endpoint": "https://id.example/token",
        "op_policy_uri": "http://id.example/policy",
        "mtls_endpoint_aliases": {"token_endpoint": "http://mtls.example/token"},
    });
    let mut given = source(ISSUER);
    let error = error([document(members.clone())]);
    let text = error.to_string();
    for word in [
        "authorization_endpoint http://id.example/authorize",
        "jwks_uri http://id.example/jwks",
        "mtls_endpoint_aliases.token_endpoint",
        "ends TLS",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    for word in ["hunter2", "https://id.example/token", "policy"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    given.allow_http = true;
    run(given, [document(members)]).0.expect("permitted");
    // Another scheme or no URL is no concern before it is used.
    let odd = json!({"token_endpoint": "/token", "jwks_uri": 7, "userinfo_endpoint": "ftp://a/"});
    run(source(ISSUER), [document(odd)]).0.expect("not used");
}

#[test]
fn a_public_server_names_no_private_endpoint() {
    for (name, url) in [
        ("token_endpoint", "https://127.0.0.1/token"),
        ("token_endpoint", "http://localhost:8080/token"),
        ("jwks_uri", "https://[::ffff:10.0.0.1]/keys"),
        ("registration_endpoint", "https://2130706433/"),
        (
            "userinfo_endpoint",
            "https://169.254.169.254/latest/meta-data",
        ),
    ] {
        let (server, _) = run(source(ISSUER), [document(json!({name: url}))]);
        let text = server.expect_err("refused").to_string();
        assert!(text.contains(name), "{text}");
        let aliases = json!({"mtls_endpoint_aliases": {name: url}});
        run(source(ISSUER), [document(aliases)])
            .0
            .expect_err("refused");
        let permitted = Discovery::at(ISSUER).dangerous_allow_private_addresses();
        let (server, _) = run(source(permitted), [document(json!({name: url}))]);
        assert_eq!(server.is_ok(), !url.contains("169.254"), "{url}");
    }
    // One that the code names and that is private may.
    let intranet = "https://10.0.0.1";
    let members = json!({"issuer": intranet, "token_endpoint": "https://10.0.0.2/token"});
    run(source(intranet), [response(200, members)])
        .0
        .expect("private itself");
}

#[test]
fn only_what_is_used_is_demanded() {
    for members in [
        json!({"subject_types_supported": []}),
        json!({"request_parameter_supported": "true", "claims_parameter_supported": "true"}),
        json!({"response_modes_supported": ["query", "of the future", 7]}),
        json!({"token_endpoint_auth_methods_supported": "client_secret_basic"}),
        json!({"issuer": ISSUER, "jwks_uri": null}),
    ] {
        let (server, _) = run(source(ISSUER), [document(members.clone())]);
        let server = server.expect("a server");
        for (name, value) in members.as_object().expect("an object") {
            assert_eq!(server.get(name), Some(value));
        }
    }
    let strict = json!({
        "authorization_response_iss_parameter_supported": "true",
        "require_pushed_authorization_requests": "True",
        "request_parameter_supported": "true",
    });
    let server = run(source(ISSUER), [document(strict)]).0.expect("a server");
    assert!(server.authorization_response_iss_parameter_supported());
    assert!(server.require_pushed_authorization_requests());
    assert!(!server.request_parameter_supported());
}

#[test]
fn what_the_code_says_comes_before_the_metadata() {
    let mut source = source(Discovery::at(ISSUER).assume_s256());
    source.given = source
        .given
        .with_token_endpoint("https://own.example/token");
    let members = json!({
        "token_endpoint": "https://id.example/token",
        "code_challenge_methods_supported": ["plain"],
    });
    let server = run(source, [document(members)]).0.expect("a server");
    let url = server.token_endpoint().map(Url::as_str);
    assert_eq!(url, Some("https://own.example/token"));
    let methods = server.code_challenge_methods_supported();
    assert_eq!(methods, Some(vec!["plain", "S256"]));
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// Any JSON of a small depth.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
            "https?://[a-z0-9.\\[\\]:@/?#]{0,16}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 8, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z_]{1,12}", inner, 0..4)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    const NAMES: [&str; 9] = [
        "issuer",
        "token_endpoint",
        "jwks_uri",
        "authorization_endpoint",
        "mtls_endpoint_aliases",
        "code_challenge_methods_supported",
        "token_endpoint_auth_methods_supported",
        "authorization_response_iss_parameter_supported",
        "jwks",
    ];

    proptest! {
        #[test]
        fn any_document_is_read_or_refused(
            values in prop::collection::vec((0..NAMES.len(), value()), 0..8),
            is_right in any::<bool>(),
            status in prop_oneof![Just(200_u16), 100_u16..600],
        ) {
            let mut members = Map::new();
            for (name, value) in values {
                members.insert(NAMES[name].to_owned(), value);
            }
            if is_right {
                members.insert("issuer".to_owned(), ISSUER.into());
            }
            let found = response(status, Value::from(members.clone()));
            let (server, asked) = run(source(ISSUER), [found, response(404, "")]);
            prop_assert!(asked.len() <= 2);
            if let Ok(server) = server {
                prop_assert_eq!(server.issuer(), Some(ISSUER));
                prop_assert_eq!(serde_json::to_value(&server).expect("JSON"), Value::from(members));
                let _ = (server.token_endpoint(), server.jwks(), server.mtls_endpoint_aliases());
                let _ = server.code_challenge_methods_supported();
                for (_, url) in server.urls().filter(|(name, _)| is_called(name)) {
                    prop_assert_ne!(url.scheme(), "http");
                }
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(body: Vec<u8>, location in "[ -~]{0,24}") {
            let mut found = response(302, "");
            *found.body_mut() = body.clone();
            *found.status_mut() = StatusCode::OK;
            let _ = run(source(ISSUER), [found, response(404, "")]);
            let (server, asked) = run(source(ISSUER), [redirect(location.trim()), response(404, ""), response(404, "")]);
            prop_assert!(server.is_err());
            for url in asked {
                prop_assert!(url.starts_with("https://id.example/"), "{}", url);
            }
        }

        #[test]
        fn any_text_is_an_issuer_or_refused(text in ".{0,40}", path in "[ -~]{0,24}") {
            for text in [text, format!("https://id.example/{path}")] {
                let discovery = Discovery::at(&text);
                let _ = discovery.expected_issuer();
                if let Ok(url) = discovery.url(false) {
                    prop_assert!(!discovery.candidates(url).is_empty());
                }
            }
        }
    }
}
