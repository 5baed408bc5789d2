//! Ready-made fixes for providers that depart from the RFC, as data: each is a list of [`Hook`]s.
//!
//! ```
//! # #[cfg(feature = "blocking")] {
//! use oauth_twin::{OAuth2Client, oauth2::compliance};
//!
//! let builder = OAuth2Client::builder("id").compliance_fix(compliance::github());
//! # }
//! ```
//!
//! What providers do that needs no fix, as it is tolerated from everybody: errors with status 200,
//! a missing `token_type`, `expires_in` as a string, `scope` as an array, `#_=_` behind a callback.

use serde_json::{Map, Value};

use crate::{
    error::BoxError,
    oauth2::{hook::Hook, request::EndpointRequest, response::EndpointResponse},
};

/// The hooks that one provider needs.
///
/// ```
/// use oauth_twin::oauth2::{Hook, compliance::ComplianceFix};
///
/// let own = ComplianceFix::from([Hook::access_token_response(|response| {
///     response.form_to_json();
///     Ok(())
/// })]);
/// assert_eq!(own.hooks().len(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct ComplianceFix(Vec<Hook>);

impl ComplianceFix {
    /// The hooks, in order.
    pub fn hooks(&self) -> &[Hook] {
        &self.0
    }
}

impl<const N: usize> From<[Hook; N]> for ComplianceFix {
    fn from(hooks: [Hook; N]) -> Self {
        Self(hooks.into())
    }
}

impl IntoIterator for ComplianceFix {
    type Item = Hook;
    type IntoIter = std::vec::IntoIter<Hook>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// GitHub answers in a form to whoever does not ask for JSON loudly enough, and separates scopes
/// by commas.
pub fn github() -> ComplianceFix {
    on_token_responses(|response| {
        response.form_to_json();
        change(response, scopes_by_spaces);
    })
}

/// Slack says `ok: false` with status 200, has the person's token in `authed_user`, calls its
/// token types `bot` and `user`, and separates scopes by commas.
///
/// The bot's token is the token; where there is none, that of the person is. `authed_user` stays
/// readable by `Token::get`.
pub fn slack() -> ComplianceFix {
    on_token_responses(|response| {
        change(response, |members| {
            if let Some(Value::Object(user)) = members.get("authed_user").cloned()
                && !members.contains_key("access_token")
            {
                for name in ["access_token", "refresh_token", "expires_in", "scope"] {
                    if let Some(value) = user.get(name) {
                        members.insert(name.to_owned(), value.clone());
                    }
                }
            }
            members.remove("token_type");
            scopes_by_spaces(members);
        });
    })
}

/// Facebook has answered in a form, and calls `expires_in` `expires`.
pub fn facebook() -> ComplianceFix {
    on_token_responses(|response| {
        response.form_to_json();
        change(response, |members| rename(members, "expires", "expires_in"));
    })
}

/// Azure AD's endpoints of version 1 want a `resource` in every token request.
pub fn azure(resource: impl Into<String>) -> ComplianceFix {
    let resource = resource.into();
    let set = move |request: &mut EndpointRequest| -> Result<(), BoxError> {
        request.form_mut().set("resource", resource.as_str());
        Ok(())
    };
    ComplianceFix::from([
        Hook::access_token_request(set.clone()),
        Hook::refresh_token_request(set),
    ])
}

/// Fitbit's errors are a list: `{"errors":[{"errorType":"invalid_grant","message":"…"}]}`.
pub fn fitbit() -> ComplianceFix {
    on_token_responses(|response| {
        change(response, |members| {
            if let Some(Value::Array(errors)) = members.get("errors").cloned()
                && let Some(Value::Object(error)) = errors.first()
            {
                copy(error, "errorType", members, "error");
                copy(error, "message", members, "error_description");
            }
        });
    })
}

/// Stack Exchange answers in a form, calls `expires_in` `expires`, and wants the `site` in every
/// request to its API.
pub fn stack_exchange(site: impl Into<String>) -> ComplianceFix {
    let site = site.into();
    let mut fix = facebook();
    fix.0.push(Hook::protected_request(move |request| {
        if !request.url().query_pairs().any(|(name, _)| name == "site") {
            request
                .url_mut()
                .query_pairs_mut()
                .append_pair("site", &site);
        }
        Ok(())
    }));
    fix
}

/// LinkedIn wants the version of its protocol in a header of every request to its API.
pub fn linkedin() -> ComplianceFix {
    ComplianceFix::from([Hook::protected_request(|request| {
        let version = http::HeaderValue::from_static("2.0.0");
        request
            .headers_mut()
            .entry("x-restli-protocol-version")
            .or_insert(version);
        Ok(())
    })])
}

/// Mailchimp says `expires_in: 0` of tokens that do not expire.
pub fn mailchimp() -> ComplianceFix {
    on_token_responses(|response| {
        change(response, |members| {
            if members.get("expires_in").and_then(Value::as_u64) == Some(0) {
                members.remove("expires_in");
            }
        });
    })
}

/// Instagram's errors are `{"error_type":"…","error_message":"…"}`. Its API wants the token in the
/// query: set `TokenPlacement::Query`.
pub fn instagram() -> ComplianceFix {
    on_token_responses(|response| {
        change(response, |members| {
            rename(members, "error_type", "error");
            rename(members, "error_message", "error_description");
        });
    })
}

/// The same hook for the answer to every token request.
fn on_token_responses(fix: fn(&mut EndpointResponse)) -> ComplianceFix {
    let hook = move |response: &mut EndpointResponse| -> Result<(), BoxError> {
        fix(response);
        Ok(())
    };
    ComplianceFix::from([
        Hook::access_token_response(hook),
        Hook::refresh_token_response(hook),
    ])
}

/// Changes the members of an answer that is a JSON object.
fn change(response: &mut EndpointResponse, change: impl FnOnce(&mut Map<String, Value>)) {
    if let Some(mut members) = response.json() {
        change(&mut members);
        response.set_json(&members);
    }
}

fn rename(members: &mut Map<String, Value>, from: &str, to: &str) {
    if !members.contains_key(to)
        && let Some(value) = members.remove(from)
    {
        members.insert(to.to_owned(), value);
    }
}

fn copy(from: &Map<String, Value>, name: &str, to: &mut Map<String, Value>, new_name: &str) {
    if let Some(value) = from.get(name) {
        to.insert(new_name.to_owned(), value.clone());
    }
}

fn scopes_by_spaces(members: &mut Map<String, Value>) {
    if let Some(Value::String(scope)) = members.get_mut("scope") {
        *scope = scope.replace(',', " ");
    }
}
