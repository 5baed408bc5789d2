//! Fixes for one deviation each, whichever provider has it.

use serde_json::Value;

use super::fixes::{ComplianceFix, change, on_token_responses};
use crate::{
    error::BoxError,
    oauth2::{hook::Hook, request::EndpointRequest},
};

/// Fix for servers that have names of their own for the token type `Bearer`: tokens of these types
/// are used as bearer tokens. Without it a token of another type is refused.
///
/// ```
/// use oauth_twin::oauth2::compliance;
///
/// let fix = compliance::bearer_token_types(["User Access Token"]);
/// ```
///
/// # Security
///
/// A token of another type, such as `DPoP`, is worth nothing, or less protected, without its proof.
/// Name only types that the provider documents as bearer tokens.
///
/// [RFC 6749 section 7.1](https://www.rfc-editor.org/rfc/rfc6749#section-7.1)
pub fn bearer_token_types<T: Into<String>>(types: impl IntoIterator<Item = T>) -> ComplianceFix {
    let types: Vec<String> = types.into_iter().map(Into::into).collect();
    on_token_responses(move |response| {
        change(response, |members| {
            if let Some(Value::String(token_type)) = members.get_mut("token_type")
                && types.iter().any(|it| it.eq_ignore_ascii_case(token_type))
            {
                "Bearer".clone_into(token_type);
            }
        });
    })
}

/// Fix for servers that have names of their own for the error `invalid_grant` in the response to a
/// refresh: [`needs_login`](crate::Error::needs_login) is then true. The names of well-known
/// providers, such as GitHub's `bad_refresh_token`, are known without it.
///
/// ```
/// use oauth_twin::oauth2::compliance;
///
/// let fix = compliance::refused_refresh_token_codes(["session_gone"]);
/// ```
///
/// [RFC 6749 section 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)
pub fn refused_refresh_token_codes<T: Into<String>>(
    codes: impl IntoIterator<Item = T>,
) -> ComplianceFix {
    let codes: Vec<String> = codes.into_iter().map(Into::into).collect();
    ComplianceFix::from([Hook::refresh_token_response(move |response| {
        let members = response.json().unwrap_or_default();
        let reported = super::quirks::reported_error(&members, response.status().is_success());
        if reported.is_some_and(|error| codes.contains(&error.code)) {
            response.refuse_refresh_token();
        }
        Ok(())
    })])
}

/// Fix for servers that read requests in JSON only: token requests, revocations and introspections
/// have a JSON object as their body instead of a form.
///
/// ```
/// use oauth_twin::oauth2::compliance;
///
/// let fix = compliance::json_requests();
/// ```
pub fn json_requests() -> ComplianceFix {
    let send = |request: &mut EndpointRequest| -> Result<(), BoxError> {
        request.send_as_json();
        Ok(())
    };
    ComplianceFix::from([
        Hook::access_token_request(send),
        Hook::refresh_token_request(send),
        Hook::revoke_token_request(send),
        Hook::introspect_token_request(send),
    ])
}

/// Fix for servers that wrap the token in a member of their responses, such as `data`.
///
/// ```
/// use oauth_twin::oauth2::compliance;
///
/// // {"code":0,"data":{"access_token":"…"}}
/// let fix = compliance::nested_in("data");
/// ```
pub fn nested_in(member: impl Into<String>) -> ComplianceFix {
    let member = member.into();
    on_token_responses(move |response| {
        change(response, |members| {
            if members.contains_key("access_token") {
                return;
            }
            match members.remove(&member) {
                Some(Value::Object(inner)) if inner.contains_key("access_token") => {
                    members.extend(inner);
                }
                Some(other) => drop(members.insert(member.clone(), other)),
                None => {}
            }
        });
    })
}

/// Fix for servers that send `expires_in: 0` for tokens that do not expire, such as VK and Mailchimp.
///
/// ```
/// use oauth_twin::oauth2::compliance;
///
/// let fix = compliance::zero_is_never();
/// ```
pub fn zero_is_never() -> ComplianceFix {
    on_token_responses(|response| {
        change(response, |members| {
            let zero = members.get("expires_in");
            if zero.is_some_and(|zero| zero == 0 || zero == "0") {
                members.remove("expires_in");
            }
        });
    })
}
