//! Responses of the token endpoint.
//!
//! [RFC 6749 section 5](https://www.rfc-editor.org/rfc/rfc6749#section-5)

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    error::{Error, ErrorResponse, Result},
    oauth2::{
        dpop::nonce::Nonce,
        provider::quirks::{refuses_refresh_token, reported_error},
        request::{EndpointRequest, Exchange},
        response::EndpointResponse,
        token::{Token, answer::TokenAnswer},
    },
    secret::Secret,
    wire::redaction::without_secrets,
};

/// The token in a response to `request` that arrived at `now`, and the members that are left out
/// because they cannot be read.
pub(crate) fn read(
    request: &EndpointRequest,
    response: &EndpointResponse,
    now: Duration,
) -> Result<(Token, Vec<&'static str>)> {
    let plain = match response.status().is_success() {
        true => TokenAnswer::plain(response.body()),
        false => None,
    };
    let members = match plain {
        Some(members) => members,
        None => answer(request, response)?.into(),
    };
    let left_out = members.unreadable();
    let invalid =
        |problem: String| Error::answer(problem, response.status()).of_call(&request.call());
    let token = match request.exchange() {
        None => Token::from_answer(members, now).map_err(invalid)?,
        Some(exchange) => exchanged(exchange, members, now).map_err(invalid)?,
    };
    let refresh_token = request.form().value("refresh_token");
    let token = token.answering(refresh_token, request.refresh_parameters());
    let token = match request.proved() {
        Some(proved) if token.is_dpop() => {
            let nonce = Nonce::of(response.headers()).or_else(|| proved.nonce.clone());
            token.bound(&proved.thumbprint, nonce.as_ref().map(Nonce::as_str))
        }
        _ => token,
    };
    // "Boolean value indicating server support for mutual-TLS client certificate-bound access
    // tokens."
    let binds = request
        .server()
        .tls_client_certificate_bound_access_tokens();
    let token = match response.certificate() {
        Some(thumbprint) if binds => token.with_certificate_thumbprint(thumbprint),
        _ => token,
    };
    Ok((token, left_out))
}

/// The token in the response to an exchange, or what is wrong with it.
fn exchanged(exchange: &Exchange, members: TokenAnswer, now: Duration) -> Result<Token, String> {
    let asked = exchange.requested.as_deref();
    // "issued_token_type REQUIRED."
    let issued = members.other("issued_token_type").and_then(Value::as_str);
    let issued = issued.filter(|issued| !issued.is_empty());
    let Some(issued) = issued else {
        return Err("the response has no issued_token_type".to_owned());
    };
    if let Some(asked) = asked.filter(|asked| *asked != issued) {
        return Err(format!(
            "the response has a token of another type than {asked}, which was asked for"
        ));
    }
    let token = Token::from_answer(members, now).map_err(|problem| match asked {
        Some(asked) => format!("{problem}; a token of the type {asked} was asked for"),
        None => problem,
    })?;
    Ok(match exchange.latest_expiry {
        Some(latest) => token.expiring_by(latest),
        None => token,
    })
}

/// The members of a response that is not an error.
pub(crate) fn answer(
    request: &EndpointRequest,
    response: &EndpointResponse,
) -> Result<Map<String, Value>> {
    let answer = response.answer();
    let members = answer.read(answer.json(), |members| {
        error_response(request, response, members?)
    });
    members.map_err(|error| error.of_call(&request.call()))
}

/// The error response, if the response is one, under any of the names that providers have for it.
fn error_response(
    request: &EndpointRequest,
    response: &EndpointResponse,
    members: &Map<String, Value>,
) -> Option<ErrorResponse> {
    let status = response.status();
    let is_failure = status.is_client_error() || status.is_server_error();
    let error = reported_error(members, !is_failure)?;
    let (code, description) = (error.code.as_str(), error.description.as_deref());
    let redacted = |text: &str| without_secrets(text, secrets(request));
    let uri = members.get("error_uri").and_then(Value::as_str);
    let host = request.url().host_str().unwrap_or_default();
    let is_refused =
        response.refuses_refresh_token() || refuses_refresh_token(host, code, description);
    let refused = response
        .answer()
        .error()
        .with_hint(hint(request, code))
        .with_error(
            &redacted(code),
            description.map(redacted).as_deref(),
            uri.map(redacted).as_deref(),
        )
        .refusing_refresh_token(is_refused && grant_type(request) == "refresh_token");
    Some(refused)
}

fn grant_type(request: &EndpointRequest) -> &str {
    let grant_type = request.form().value("grant_type");
    grant_type.map_or("", Secret::expose_secret)
}

/// Advice about an error code.
fn hint(request: &EndpointRequest, code: &str) -> Option<&'static str> {
    match (code, grant_type(request)) {
        ("invalid_client", _) => request.advice(),
        ("invalid_grant", "authorization_code") => Some(
            "a code is valid once and for a short time, and only with the redirect_uri of its \
             authorization request",
        ),
        ("unauthorized_client", _) => {
            Some("the registration of the client at the server has to allow this grant")
        }
        ("redirect_uri_mismatch", _) => {
            Some("redirect_uri must be exactly one that is registered at the server")
        }
        _ => None,
    }
}

/// The secrets that the request contained.
fn secrets(request: &EndpointRequest) -> impl Iterator<Item = &str> {
    /// Parameters that are not secret, and so may appear in a description.
    const NOT_SECRET: [&str; 8] = [
        "grant_type",
        "client_id",
        "scope",
        "resource",
        "audience",
        "redirect_uri",
        "token_type_hint",
        "client_assertion_type",
    ];
    let credentials = request.authorization();
    let credentials = credentials.and_then(|value| value.split_once(' '));
    request
        .form()
        .iter()
        .filter(|(name, _)| !NOT_SECRET.contains(name))
        .map(|(_, value)| value)
        .chain(request.client_secret())
        .map(Secret::expose_secret)
        .chain(credentials.map(|(_scheme, credentials)| credentials))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        error::{ErrorCode, ErrorKind},
        oauth2::{AuthorizationServer, ClientRegistration, RefreshToken, TokenEndpoint},
        secret::Secret,
    };

    fn answer_to(grant: &RefreshToken, status: u16, body: &[u8]) -> Result<Token> {
        let server = AuthorizationServer::default().with_token_endpoint("https://id.example/token");
        let client = ClientRegistration::new("id").with_client_secret("hunter2");
        let endpoint = TokenEndpoint::new(&server, &client).expect("a URL");
        let request = endpoint.request(grant).expect("a request");
        let status = StatusCode::from_u16(status).expect("a status");
        let response = EndpointResponse::new(status, HeaderMap::new(), body);
        read(&request, &response, Duration::ZERO).map(|(token, _)| token)
    }

    fn answer(status: u16, body: &str) -> Result<Token> {
        answer_to(&RefreshToken::new("refresh-me"), status, body.as_bytes())
    }

    #[test]
    fn a_token() {
        let token = answer(200, r#"{"access_token":"a","token_type":"bearer"}"#).expect("a token");
        assert_eq!(token.access_token(), &Secret::from("a"));
        assert_eq!(token.refresh_token(), Some(&Secret::from("refresh-me")));
    }

    #[test]
    fn an_error_is_an_error_with_any_status() {
        for status in [200, 400, 401, 500] {
            let error = answer(
                status,
                r#"{"error":"invalid_grant","error_description":"gone","error_uri":"https://e",
                    "access_token":"a"}"#,
            )
            .expect_err("an error");
            let verb = if status < 500 {
                "refused"
            } else {
                "could not process"
            };
            assert_eq!(error.kind(), ErrorKind::Server);
            assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
            assert_eq!(error.status().map(|status| status.as_u16()), Some(status));
            assert_eq!(
                error.to_string(),
                format!(
                    "the token endpoint id.example/token {verb} the refresh token: {status} \
                     invalid_grant: gone"
                )
            );
            assert_eq!(
                error.response().and_then(ErrorResponse::uri),
                Some("https://e")
            );
            assert_eq!(
                error.needs_login(),
                status < 500,
                "a server that fails refuses nothing"
            );
        }
    }

    #[test]
    fn odd_errors() {
        let error = answer(200, r#"{"error":{"message":"m","type":"T"}}"#).expect_err("an error");
        assert_eq!(
            error.to_string(),
            "the token endpoint id.example/token refused the refresh token: 200 T: m"
        );
        let error = answer(400, r#"{"error":true}"#).expect_err("an error");
        assert_eq!(
            error.to_string(),
            "the token endpoint id.example/token refused the refresh token: 400 unknown_error"
        );
        let error = answer(400, r#"{"errorCode":"invalid_client","errorSummary":"x"}"#);
        assert_eq!(
            error.expect_err("an error").to_string(),
            "the token endpoint id.example/token refused the refresh token: 400 invalid_client: x \
             (check client_id and client_secret; some servers read them only from the body: \
             ClientSecretPost)"
        );
        let error = answer(400, r#"{"b\n":"hunter2","a":7}"#).expect_err("an error");
        assert_eq!(
            error.to_string(),
            "the token endpoint id.example/token refused the refresh token: 400 Bad Request, with \
             the members a, b "
        );
        let response = error.response().expect("a response");
        assert_eq!(response.members()["a"], 7);
        assert!(!format!("{error:?} {response:?}").contains("hunter2"));
        assert!(answer(200, r#"{"error":null,"access_token":"a"}"#).is_ok());
        assert!(answer(200, r#"{"error":"","access_token":"a"}"#).is_ok());
    }

    #[test]
    fn a_refused_refresh_token_under_any_name() {
        for (status, body, needs_login) in [
            (200, r#"{"error":"bad_refresh_token"}"#, true),
            (
                401,
                r#"{"error":{"code":"refresh_token_reused","type":"invalid_request_error"}}"#,
                true,
            ),
            (400, r#"{"status":"BAD_REFRESH_TOKEN","message":"m"}"#, true),
            (500, r#"{"error":"bad_refresh_token"}"#, false),
            (400, r#"{"error":"invalid_code"}"#, false),
            (400, r#"{"error":"invalid_scope"}"#, false),
        ] {
            let error = answer(status, body).expect_err("an error");
            assert_eq!(error.needs_login(), needs_login, "{body}");
        }
    }

    #[test]
    fn an_error_does_not_repeat_what_was_secret() {
        let body = r#"{"error":"bad refresh-me",
            "error_description":"token refresh-me of hunter2, Basic aWQ6aHVudGVyMg=="}"#;
        let error = answer(400, body).expect_err("an error");
        assert_eq!(
            error.to_string(),
            "the token endpoint id.example/token refused the refresh token: 400 bad [redacted]: \
             token [redacted] of [redacted], Basic [redacted]"
        );
    }

    #[test]
    fn an_error_status_is_no_token_whatever_the_body() {
        for status in [400, 401, 403, 404, 429, 500, 502, 503] {
            for body in ["", "<html>", r#"{"access_token":"a"}"#, "[]", "7"] {
                let error = answer(status, body).expect_err("an error");
                assert_eq!(error.kind(), ErrorKind::Server, "{status} {body}");
                assert_eq!(error.code(), None);
            }
        }
    }

    #[test]
    fn what_is_no_json_object_is_no_token() {
        let deep = "[".repeat(100_000);
        for body in [
            "",
            "<html>hunter2</html>",
            "access_token=hunter2",
            "[]",
            "\"hunter2\"",
            "null",
            "{",
            r#"{"access_token":"hunter2""#,
            r#"{"access_token":"hunter2","access_token":"other"}"#,
            r#"{"access_token":"hunter2","x":1,"x":2}"#,
            r#"{"access_token":{"hunter2":1}}"#,
            r#"{"access_token":"hunter2"} trailing"#,
            &format!(r#"{{"access_token":"hunter2","x":{deep}"#),
        ] {
            let error = answer(200, body).expect_err(&body[..body.len().min(60)]);
            assert_eq!(error.kind(), ErrorKind::Answer);
            assert!(
                error.outcome_unknown(),
                "the server may have issued a token"
            );
            assert!(
                !format!("{error} {error:?}").contains("hunter2"),
                "{error:?}"
            );
        }
        let invalid = answer_to(&RefreshToken::new("r"), 200, b"{\"access_token\":\"\xff\"}");
        assert_eq!(invalid.expect_err("UTF-8").kind(), ErrorKind::Answer);
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        let token = answer(200, "\u{feff}{\"access_token\":\"a\"}").expect("a token");
        assert_eq!(token.access_token(), &Secret::from("a"));
        let error = answer(400, "\u{feff}{\"error\":\"invalid_grant\"}").expect_err("an error");
        assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
    }

    #[test]
    fn redirects_and_empty_answers() {
        for status in [301, 302, 307, 308] {
            let error = answer(status, "").expect_err("a redirect");
            assert_eq!(error.kind(), ErrorKind::Answer);
            assert!(error.to_string().contains("redirect"), "{error}");
            assert!(!error.outcome_unknown());
        }
        let error = answer(204, "").expect_err("nothing");
        assert_eq!(
            error.to_string(),
            "the response of the token endpoint id.example/token has no body (status 204 No Content)"
        );
    }

    proptest! {
        #[test]
        fn no_answer_panics(body: Vec<u8>, status in 100_u16..600) {
            let _ = answer_to(&RefreshToken::new("r"), status, &body);
        }
    }
}
