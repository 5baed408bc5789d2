use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, StatusCode};
use proptest::prelude::*;

use super::*;
use crate::{
    clock::Clock,
    error::{ErrorKind, Result},
    oauth2::{EndpointResponse, TokenEndpoint},
};

const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

fn endpoint() -> TokenEndpoint {
    let server = AuthorizationServer::default().with_token_endpoint("https://id.example/token");
    let client = ClientRegistration::new("id").with_scope("all");
    let endpoint = TokenEndpoint::new(&server, &client).expect("a URL");
    endpoint.clock(Clock::from_fn(|| UNIX_EPOCH + Duration::from_secs(1000)))
}

fn read(exchange: &TokenExchange, body: &str) -> Result<Token> {
    let request = endpoint().request(exchange).expect("a request");
    let response = EndpointResponse::new(StatusCode::OK, HeaderMap::new(), body);
    endpoint().read_response(&request, response)
}

fn exchange() -> TokenExchange {
    TokenExchange::new("hunter2", TokenTypeIdentifier::AccessToken)
}

#[test]
fn every_parameter_is_sent() {
    let exchange = exchange()
        .actor("a", TokenTypeIdentifier::Jwt)
        .requested_token_type(JWT)
        .audience("one")
        .audience("two")
        .resource("https://a.example/")
        .resource("https://b.example/")
        .scope("x y");
    let request = endpoint().request(&exchange).expect("a request");
    assert_eq!(
        request.form().encode().expose_secret(),
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
         &subject_token=hunter2\
         &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token\
         &actor_token=a&actor_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt\
         &requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt\
         &audience=one&audience=two&resource=https%3A%2F%2Fa.example%2F\
         &resource=https%3A%2F%2Fb.example%2F&scope=x+y&client_id=id"
    );
    assert!(!exchange.replayable(), "the subject is used up some day");
    for empty in [
        TokenExchange::new("", JWT),
        TokenExchange::new("s", JWT).actor("", JWT),
    ] {
        assert!(endpoint().request(&empty).is_err());
    }
}

#[test]
fn the_issued_token_type_is_required_and_as_asked() {
    let asked = exchange().requested_token_type(TokenTypeIdentifier::Jwt);
    let good = format!(r#"{{"access_token":"t","issued_token_type":"{JWT}"}}"#);
    assert!(read(&asked, &good).is_ok());
    assert!(read(&exchange(), &good).is_ok(), "none was asked for");
    for (body, word) in [
        (r#"{"access_token":"t"}"#.to_owned(), "no issued_token_type"),
        (
            r#"{"access_token":"t","issued_token_type":""}"#.to_owned(),
            "no issued_token_type",
        ),
        (
            r#"{"access_token":"t","issued_token_type":7}"#.to_owned(),
            "no issued_token_type",
        ),
        (good.replace(":jwt", ":access_token"), "another type"),
        (good.replace(":jwt", ":JWT"), "another type"),
    ] {
        let error = read(&asked, &body).expect_err(word);
        assert_eq!(error.kind(), ErrorKind::Answer, "{body}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

/// As a Go provider answers.
#[test]
fn an_empty_token_is_none_and_the_error_says_what_was_asked_for() {
    let asked = exchange().requested_token_type(JWT);
    let body = format!(r#"{{"access_token":"","issued_token_type":"{JWT}","token_type":""}}"#);
    let error = read(&asked, &body).expect_err("empty").to_string();
    assert!(error.contains(JWT), "{error}");
    assert!(!error.contains("hunter2"));
}

#[test]
fn a_token_of_the_type_not_applicable_is_never_sent() {
    for token_type in ["N_A", "n_a", "N_a"] {
        let body = format!(
            r#"{{"access_token":"t","issued_token_type":"{JWT}","token_type":"{token_type}"}}"#
        );
        let token = read(&exchange(), &body).expect("a token");
        assert_eq!(token.access_token().expose_secret(), "t");
        assert!(token.authorization_header().is_err(), "{token_type}");
        let mut url = url::Url::parse("https://api.example/").expect("a URL");
        assert!(token.add_to_query(&mut url).is_err());
        assert!(token.add_to_form(&mut Vec::new()).is_err());
    }
}

#[test]
fn the_new_token_does_not_outlive_its_subject() {
    let body = |more: &str| format!(r#"{{"access_token":"t","issued_token_type":"{JWT}"{more}}}"#);
    let subject = |seconds| {
        let at = UNIX_EPOCH + Duration::from_secs(seconds);
        TokenExchange::of_token(&Token::new("s").with_expires_at(at))
    };
    for (exchange, more, expiry) in [
        (subject(1100), r#","expires_in":600"#, Some(1100)),
        (subject(1100), r#","expires_in":60"#, Some(1060)),
        (subject(1100), "", Some(1100)),
        (exchange(), r#","expires_in":600"#, Some(1600)),
        (
            TokenExchange::of_token(&Token::new("s")),
            r#","expires_in":600"#,
            Some(1600),
        ),
        (exchange(), "", None),
    ] {
        let token = read(&exchange, &body(more)).expect("a token");
        assert_eq!(token.expires_at_unix(), expiry, "{more}");
    }
}

#[test]
fn debug_tells_no_secret() {
    let exchange = exchange().actor("hunter2", JWT);
    assert!(!format!("{exchange:?}").contains("hunter2"));
}

proptest! {
    #[test]
    fn no_answer_panics(issued in ".*", text in ".*") {
        let body = serde_json::json!({
            "access_token": text, "issued_token_type": issued, "token_type": issued,
        });
        let _ = read(&exchange(), &body.to_string());
    }
}
