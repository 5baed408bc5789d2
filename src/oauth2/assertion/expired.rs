//! Assertions and other JWTs that have expired before they were sent.
//!
//! [RFC 7523 section 3](https://www.rfc-editor.org/rfc/rfc7523#section-3)

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::{oauth2::request::EndpointRequest, secret::Secret};

/// Advice about a refused request whose assertion had expired. Nothing is verified: it is for an error
/// message.
#[allow(dead_code, reason = "only the clients send requests")]
pub(crate) fn advice(request: &EndpointRequest) -> Option<&'static str> {
    let now = request.clock().unix();
    let form = request.form();
    let assertions = [form.value("client_assertion"), form.value("assertion")];
    let is_expired = |assertion: &Secret| {
        expiry(assertion.expose_secret()).is_some_and(|at| Duration::from_secs(at) <= now)
    };
    let is_stale = assertions.into_iter().flatten().any(is_expired);
    is_stale.then_some(
        "the assertion had expired when it was sent: where it was read is stale, and the platform \
         has to replace it there",
    )
}

/// The claim `exp` of a JWT, which is not verified.
#[allow(dead_code, reason = "only the clients send requests")]
pub(crate) fn expiry(jwt: &str) -> Option<u64> {
    let payload = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    Some(claims.get("exp")?.as_f64()? as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expiry_is_read_where_there_is_one() {
        let jwt = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(expiry(&jwt(r#"{"exp":7}"#)), Some(7));
        assert_eq!(expiry(&jwt(r#"{"exp":7.9}"#)), Some(7));
        for other in [
            "",
            "a",
            "a.b",
            "a.!.c",
            "..",
            &jwt("{}"),
            &jwt("7"),
            &jwt(r#"{"exp":"7"}"#),
        ] {
            assert_eq!(expiry(other), None, "{other}");
        }
    }
}
