//! Names of providers that differ from those of the RFCs, as data: for refused refresh tokens, errors,
//! token types, and the expiry of tokens that other libraries have stored.

use serde_json::{Map, Value};

/// Error by which a provider says that a refresh token is no longer valid.
struct RefusedRefreshToken {
    code: &'static str,
    /// Hosts of token endpoints to which this is restricted, where the code alone may mean something
    /// else: the host itself, or with a leading dot the end of its name.
    hosts: &'static [&'static str],
    /// Part of the description that is required, if the code has other meanings there, too.
    description: &'static str,
}

const fn anywhere(code: &'static str) -> RefusedRefreshToken {
    at(&[], code, "")
}

const fn at(
    hosts: &'static [&'static str],
    code: &'static str,
    description: &'static str,
) -> RefusedRefreshToken {
    RefusedRefreshToken {
        code,
        hosts,
        description,
    }
}

const ZOHO: &[&str] = &[
    "accounts.zoho.com",
    "accounts.zoho.eu",
    "accounts.zoho.in",
    "accounts.zoho.com.au",
    "accounts.zoho.com.cn",
    "accounts.zoho.jp",
    "accounts.zoho.sa",
    "accounts.zohocloud.ca",
];
const WECHAT: &[&str] = &["api.weixin.qq.com"];

/// The names that providers have for `invalid_grant` in the response to a refresh.
const REFUSED_REFRESH_TOKENS: [RefusedRefreshToken; 16] = [
    // GitHub, with status 200:
    // https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens
    anywhere("bad_refresh_token"),
    // OpenAI, with status 401: https://github.com/openai/codex
    anywhere("refresh_token_expired"),
    anywhere("refresh_token_reused"),
    anywhere("refresh_token_invalidated"),
    // Slack, with status 200: https://docs.slack.dev/authentication/using-token-rotation
    anywhere("invalid_refresh_token"),
    // HubSpot, in `status`: https://developers.hubspot.com/docs/api/oauth-quickstart-guide
    anywhere("BAD_REFRESH_TOKEN"),
    // Zoho, with status 200: https://www.zoho.com/accounts/protocol/oauth/web-apps/access-token-expiry.html
    at(ZOHO, "invalid_code", ""),
    // WeChat, with status 200, in `errcode`:
    // https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html
    at(WECHAT, "40030", ""),
    at(WECHAT, "42002", ""),
    at(WECHAT, "42007", ""),
    at(WECHAT, "61023", ""),
    // Atlassian, with status 403:
    // https://developer.atlassian.com/cloud/oauth/getting-started/refresh-tokens/
    at(
        &["auth.atlassian.com"],
        "unauthorized_client",
        "refresh_token is invalid",
    ),
    // Twitch, with the text of the status in `error`, or without it:
    // https://dev.twitch.tv/docs/authentication/refresh-tokens/
    // https://github.com/twitchdev/issues/issues/1037
    at(&["id.twitch.tv"], "Bad Request", "Invalid refresh token"),
    at(&["id.twitch.tv"], "400", "Invalid refresh token"),
    // Zoom, with status 401: https://developers.zoom.us/docs/integrations/oauth/
    at(&["zoom.us"], "invalid_request", "Invalid Token"),
    // Strava, in a list: https://developers.strava.com/docs/authentication/
    at(&["www.strava.com"], "invalid", "RefreshToken"),
];

/// Whether this error, in the response of the token endpoint at `host` to a refresh, means that the
/// refresh token is no longer valid.
pub(crate) fn refuses_refresh_token(host: &str, code: &str, description: Option<&str>) -> bool {
    let description = description.unwrap_or_default();
    REFUSED_REFRESH_TOKENS.iter().any(|refused| {
        let is_here = refused.hosts.is_empty() || refused.hosts.contains(&host);
        is_here && refused.code == code && description.contains(refused.description)
    })
}

/// Members for the code of an error and its description, instead of `error` and
/// `error_description`.
struct ErrorMembers {
    code: &'static str,
    descriptions: &'static [&'static str],
    /// Whether the name of the first says that it is an error, also with status 200.
    is_plain: bool,
}

const fn members(
    code: &'static str,
    descriptions: &'static [&'static str],
    is_plain: bool,
) -> ErrorMembers {
    ErrorMembers {
        code,
        descriptions,
        is_plain,
    }
}

const ERROR_MEMBERS: [ErrorMembers; 9] = [
    // Twitch, Zoom and others have one of these instead of `error_description`.
    members(
        "error",
        &["error_description", "message", "reason", "msg", "detail"],
        true,
    ),
    // Okta: https://developer.okta.com/docs/reference/error-codes/
    members("errorCode", &["errorSummary", "errorMessage"], true),
    // WeChat, DingTalk: https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html
    members("errcode", &["errmsg"], true),
    // TikTok's first version, Baidu, VK
    members("error_code", &["description", "error_msg", "message"], true),
    // Instagram: https://developers.facebook.com/docs/instagram-platform/
    members("error_type", &["error_message", "message"], true),
    // Fitbit, in a list: https://dev.fitbit.com/build/reference/web-api/troubleshooting-guide/error-handling/
    members("errorType", &["message"], true),
    // Notion, Discord, Strava: https://developers.notion.com/reference/status-codes
    members("code", &["message", "msg", "resource"], false),
    // HubSpot; Anthropic and Meta within `error`
    members("status", &["message"], false),
    // Problem details: https://www.rfc-editor.org/rfc/rfc9457
    members("type", &["detail", "message", "title"], false),
];

/// Members in which errors are objects, or lists of objects: OpenAI, Meta, Google and Anthropic;
/// Fitbit and Strava; TikTok's first version.
const NESTED_ERRORS: [&str; 3] = ["error", "errors", "data"];

/// Error in a response, under any of the names that providers have for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ReportedError {
    pub(crate) code: String,
    pub(crate) description: Option<String>,
}

/// The error in a response, if it is one: with a status of success only by a name that says so,
/// and only if there is no token.
pub(crate) fn reported_error(
    members: &Map<String, Value>,
    is_success: bool,
) -> Option<ReportedError> {
    if let Some(error) = error_member(members) {
        return Some(error);
    }
    if is_success && members.contains_key("access_token") {
        return None;
    }
    let names = || ERROR_MEMBERS.iter().filter(|it| it.is_plain || !is_success);
    let nested = NESTED_ERRORS
        .iter()
        .filter_map(|name| object(members, name));
    let objects = nested.chain([members]);
    objects.into_iter().find_map(|object| {
        let (code, name) = names().find_map(|it| Some((text(object.get(it.code)?)?, it)))?;
        let description = descriptions(name, object).or_else(|| descriptions(name, members));
        Some(ReportedError { code, description })
    })
}

/// The member `error`: a code, or an object.
fn error_member(members: &Map<String, Value>) -> Option<ReportedError> {
    let unknown = || ReportedError {
        code: "unknown_error".to_owned(),
        description: None,
    };
    match members.get("error")? {
        Value::Null => None,
        Value::String(code) if code.is_empty() => None,
        Value::String(code) => Some(ReportedError {
            code: code.clone(),
            description: descriptions(&ERROR_MEMBERS[0], members),
        }),
        Value::Object(error) => {
            // Meta's `code` is a number, and its `type` a name; OpenAI's `code` is the name.
            let named = ["code", "type", "error", "status"].iter();
            let code = named
                .clone()
                .find_map(|name| error.get(*name)?.as_str().map(str::to_owned))
                .or_else(|| named.clone().find_map(|name| text(error.get(*name)?)));
            Some(match code {
                Some(code) => ReportedError {
                    code,
                    description: ["message", "error_description", "description", "detail"]
                        .iter()
                        .find_map(|name| text(error.get(*name)?)),
                },
                None => ReportedError {
                    description: text(error.get("message").unwrap_or(&Value::Null)),
                    ..unknown()
                },
            })
        }
        _ => Some(unknown()),
    }
}

fn object<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    match members.get(name)? {
        Value::Object(object) => Some(object),
        Value::Array(list) => list.first()?.as_object(),
        _ => None,
    }
}

fn descriptions(name: &ErrorMembers, members: &Map<String, Value>) -> Option<String> {
    let mut names = name.descriptions.iter();
    names.find_map(|name| members.get(*name)?.as_str().map(str::to_owned))
}

/// A usable code: neither empty nor a word for success.
fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let is_success = ["", "0", "200", "ok", "success", "error"];
    (!is_success.contains(&text.to_ascii_lowercase().as_str())).then_some(text)
}

/// Token types that mean bearer at eBay.
///
/// [eBay: OAuth tokens](https://developer.ebay.com/api-docs/static/oauth-tokens.html)
pub(crate) const EBAY_TYPES: [&str; 2] = ["User Access Token", "Application Access Token"];

/// Hosts of token endpoints that refuse a refresh without `scope`.
///
/// [Microsoft Entra ID](https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow#refresh-the-access-token)
pub(crate) const NEEDS_SCOPE: [&str; 3] = [
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
];

/// Names under which other libraries store the time of expiry: `expiry` of Go's `oauth2` in RFC 3339,
/// `expiry_date` of Google's for Node.js in milliseconds, `expiresAt` of MSAL and of Spring.
pub(crate) const EXPIRES_AT: [&str; 4] = ["expires_at", "expiry", "expiry_date", "expiresAt"];

/// Names for the time of issue: `granted_time` of Google's library for Apps Script, `created_at` of
/// the Ruby gems.
pub(crate) const ISSUED_AT: [&str; 3] = ["issued_at", "granted_time", "created_at"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reported(members: Value, is_success: bool) -> Option<(String, Option<String>)> {
        let Value::Object(members) = members else {
            panic!("an object");
        };
        let error = reported_error(&members, is_success)?;
        Some((error.code, error.description))
    }

    #[test]
    fn errors_under_any_name() {
        for (members, code, description) in [
            (json!({"error": "a", "error_description": "b"}), "a", "b"),
            (json!({"error": "a", "reason": "b", "status": 4}), "a", "b"),
            (json!({"errorCode": "a", "errorSummary": "b"}), "a", "b"),
            (json!({"errcode": 40030, "errmsg": "b"}), "40030", "b"),
            (
                json!({"error": {"code": 190, "type": "a", "message": "b"}}),
                "a",
                "b",
            ),
            (json!({"error": {"code": "a", "message": "b"}}), "a", "b"),
            (
                json!({"errors": [{"errorType": "a", "message": "b"}], "success": false}),
                "a",
                "b",
            ),
            (
                json!({"data": {"error_code": 10010, "description": "b"}, "message": "error"}),
                "10010",
                "b",
            ),
            (json!({"error_type": "a", "error_message": "b"}), "a", "b"),
        ] {
            for is_success in [true, false] {
                let found = reported(members.clone(), is_success);
                let expected = (code.to_owned(), Some(description.to_owned()));
                assert_eq!(found, Some(expected), "{members}");
            }
        }
    }

    #[test]
    fn responses_as_they_were_reported() {
        for (members, code, description) in [
            (
                json!({"status": 400, "message": "Invalid refresh token"}),
                "400",
                "Invalid refresh token",
            ),
            (
                json!({"message": "Bad Request", "errors": [
                    {"resource": "RefreshToken", "field": "refresh_token", "code": "invalid"}]}),
                "invalid",
                "RefreshToken",
            ),
        ] {
            let expected = (code.to_owned(), Some(description.to_owned()));
            assert_eq!(
                reported(members.clone(), false),
                Some(expected),
                "{members}"
            );
        }
    }

    #[test]
    fn names_that_say_little_count_only_with_a_status_of_failure() {
        for members in [
            json!({"status": "BAD_REFRESH_TOKEN", "message": "b"}),
            json!({"code": "x", "message": "b"}),
            json!({"type": "about:blank", "title": "b"}),
        ] {
            assert_eq!(reported(members.clone(), true), None, "{members}");
            let (_, description) = reported(members.clone(), false).expect("an error");
            assert_eq!(description.as_deref(), Some("b"), "{members}");
        }
    }

    #[test]
    fn success_is_no_error() {
        for members in [
            json!({}),
            json!({"error": null}),
            json!({"error": ""}),
            json!({"errcode": 0, "errmsg": "ok"}),
            json!({"error_code": "0"}),
            json!({"access_token": "a", "errorCode": "x"}),
            json!({"code": 0, "message": "success", "data": {"access_token": "a"}}),
            json!({"errors": []}),
        ] {
            assert_eq!(reported(members.clone(), true), None, "{members}");
        }
        let (code, _) = reported(json!({"error": true}), true).expect("an error");
        assert_eq!(code, "unknown_error");
    }

    #[test]
    fn refused_refresh_tokens() {
        for (host, code, description, is_refused) in [
            ("github.example", "bad_refresh_token", None, true),
            ("auth.openai.com", "refresh_token_reused", Some("x"), true),
            ("accounts.zoho.eu", "invalid_code", None, true),
            ("id.example", "invalid_code", None, false),
            ("api.weixin.qq.com", "40030", None, true),
            ("id.example", "40030", None, false),
            (
                "auth.atlassian.com",
                "unauthorized_client",
                Some("refresh_token is invalid"),
                true,
            ),
            ("auth.atlassian.com", "unauthorized_client", None, false),
            (
                "id.example",
                "invalid_request",
                Some("Invalid Token!"),
                false,
            ),
            ("zoom.us", "invalid_request", Some("Invalid Token!"), true),
            ("id.example", "invalid_scope", None, false),
            ("www.strava.com", "invalid", Some("RefreshToken"), true),
            (
                "www.strava.com",
                "invalid",
                Some("AuthorizationCode"),
                false,
            ),
            ("id.twitch.tv", "400", Some("Invalid refresh token"), true),
            ("id.twitch.tv", "400", Some("missing client id"), false),
        ] {
            assert_eq!(
                refuses_refresh_token(host, code, description),
                is_refused,
                "{host} {code}"
            );
        }
    }
}
