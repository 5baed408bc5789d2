//! Compliance fixes for providers that deviate from the RFC. Each is a list of [`Hook`]s.
//!
//! ```
//! # #[cfg(feature = "blocking")] {
//! use oauth_twin::{OAuth2Client, oauth2::compliance};
//!
//! let builder = OAuth2Client::builder("id").compliance_fix(compliance::github());
//! # }
//! ```
//!
//! Some deviations are tolerated from all providers and need no fix: errors with status 200, a
//! missing `token_type`, `expires_in` as a string, `scope` as an array, `#_=_` after a callback, errors
//! under the names of other providers.

use serde_json::{Map, Value};

use crate::{
    error::BoxError,
    oauth2::{
        hook::Hook, provider::quirks::EBAY_TYPES, request::EndpointRequest,
        response::EndpointResponse,
    },
};

pub use super::deviations::{
    bearer_token_types, json_requests, nested_in, refused_refresh_token_codes, zero_is_never,
};

/// Hooks that a provider needs.
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

    /// Adds the hooks of another fix, to run after these.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other);
        self
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

/// Fix for GitHub, which responds with a form unless JSON is requested explicitly, and separates
/// scopes by commas.
pub fn github() -> ComplianceFix {
    on_token_responses(|response| {
        response.form_to_json();
        change(response, scopes_by_spaces);
    })
}

/// Fix for Slack, which responds `ok: false` with status 200, sends the user's token in
/// `authed_user`, has the token types `bot` and `user`, and separates scopes by commas.
///
/// The token is the bot's, or if there is none, the user's. `authed_user` stays available from
/// `Token::get`.
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

/// Fix for Facebook, which has responded with a form, and has `expires` instead of `expires_in`.
pub fn facebook() -> ComplianceFix {
    on_token_responses(|response| {
        response.form_to_json();
        change(response, |members| rename(members, "expires", "expires_in"));
    })
}

/// Fix for the version 1 endpoints of Azure AD, which require a `resource` in every token request.
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

/// Fix for Fitbit, whose errors are a list:
/// `{"errors":[{"errorType":"invalid_grant","message":"…"}]}`.
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

/// Fix for Stack Exchange, which responds with a form, has `expires` instead of `expires_in`, and
/// requires the `site` in every request to its API.
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

/// Fix for LinkedIn, which requires its protocol version in a header of every request to its API.
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

/// Fix for Mailchimp, which sends `expires_in: 0` for tokens that do not expire.
pub fn mailchimp() -> ComplianceFix {
    zero_is_never()
}

/// Fix for VK, which sends `expires_in: 0` for tokens with the scope `offline`, that do not expire.
///
/// [VK: authorization](https://dev.vk.com/api/access-token/authcode-flow-user)
pub fn vk() -> ComplianceFix {
    zero_is_never()
}

/// Fix for Instagram, whose errors are `{"error_type":"…","error_message":"…"}`. Its API requires
/// the token in the query: set `TokenPlacement::Query`.
pub fn instagram() -> ComplianceFix {
    on_token_responses(|response| {
        change(response, |members| {
            rename(members, "error_type", "error");
            rename(members, "error_message", "error_description");
        });
    })
}

/// Fix for eBay, whose bearer tokens have types of their own.
///
/// [eBay: OAuth tokens](https://developer.ebay.com/api-docs/static/oauth-tokens.html)
pub fn ebay() -> ComplianceFix {
    bearer_token_types(EBAY_TYPES)
}

/// Fix for TikTok, which calls the `client_id` `client_key`, separates scopes by commas, and in its
/// first version wraps the token in `data`.
///
/// In authorization requests, set the parameter `client_key` yourself.
///
/// [TikTok: manage user access tokens](https://developers.tiktok.com/doc/oauth-user-access-token-management)
pub fn tiktok() -> ComplianceFix {
    let fix = on_token_requests(|request| {
        let id = request.client_id().to_owned();
        request.form_mut().set("client_key", id);
    });
    let commas = on_token_responses(|response| change(response, scopes_by_spaces));
    fix.and(nested_in("data")).and(commas)
}

/// Fix for WeChat, whose token endpoint reads `appid` and `secret` from the query, and sends no
/// `token_type`.
///
/// Set the method `GET` for the token endpoint, and the client authentication
/// [`NoClientAuthentication`](crate::oauth2::NoClientAuthentication). WeChat has another URL for
/// refreshes, which the fix sets: the `refresh_token` beside the `access_token` of the endpoint. The
/// API takes the token in the query: set `TokenPlacement::Query`.
///
/// [WeChat: web page authorization](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html)
pub fn wechat() -> ComplianceFix {
    let identify = |request: &mut EndpointRequest| {
        let id = request.client_id().to_owned();
        let form = request.form_mut();
        form.remove("client_id");
        form.remove("redirect_uri");
        form.set("appid", id);
    };
    ComplianceFix::from([
        Hook::access_token_request(move |request| {
            identify(request);
            let secret = request.client_secret().cloned();
            let secret = secret.ok_or("WeChat needs a client_secret")?;
            request.form_mut().set("secret", secret);
            Ok(())
        }),
        Hook::refresh_token_request(move |request| {
            identify(request);
            let path = request
                .url()
                .path()
                .replace("access_token", "refresh_token");
            request.url_mut().set_path(&path);
            Ok(())
        }),
    ])
}

/// Fix for the user's token of Slack, beside that of the bot: the token is that in `authed_user`.
///
/// Both rotate, each by its own refresh token: keep two tokens, and use two clients, one with
/// [`slack`] and one with this fix.
///
/// [Slack: token rotation](https://docs.slack.dev/authentication/using-token-rotation)
pub fn slack_user() -> ComplianceFix {
    let user = on_token_responses(|response| {
        change(response, |members| {
            if let Some(Value::Object(user)) = members.remove("authed_user")
                && user.contains_key("access_token")
            {
                for name in ["access_token", "refresh_token", "expires_in", "scope"] {
                    members.remove(name);
                }
                members.extend(user);
            }
        });
    });
    user.and(slack())
}

/// One hook for all token requests.
fn on_token_requests(
    fix: impl Fn(&mut EndpointRequest) + Clone + Send + Sync + 'static,
) -> ComplianceFix {
    let hook = move |request: &mut EndpointRequest| -> Result<(), BoxError> {
        fix(request);
        Ok(())
    };
    ComplianceFix::from([
        Hook::access_token_request(hook.clone()),
        Hook::refresh_token_request(hook),
    ])
}

/// One hook for the responses to all token requests.
pub(super) fn on_token_responses(
    fix: impl Fn(&mut EndpointResponse) + Clone + Send + Sync + 'static,
) -> ComplianceFix {
    let hook = move |response: &mut EndpointResponse| -> Result<(), BoxError> {
        fix(response);
        Ok(())
    };
    ComplianceFix::from([
        Hook::access_token_response(hook.clone()),
        Hook::refresh_token_response(hook),
    ])
}

/// Changes the members of a response that is a JSON object.
pub(super) fn change(
    response: &mut EndpointResponse,
    change: impl FnOnce(&mut Map<String, Value>),
) {
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
