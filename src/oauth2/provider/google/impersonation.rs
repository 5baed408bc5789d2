//! Impersonation of service accounts: a token of another account, by one's own.
//!
//! [Service Account Credentials API](https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken)

use std::time::Duration;

use http::{HeaderValue, Method, header};
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    credentials::Wanted,
    hosts::google_url,
    journal::{Journal, Outgoing, Paused, PlainRequest},
};
use crate::{
    error::{Error, Result},
    json::Members,
    oauth2::{
        response::EndpointResponse,
        token::{Token, date},
    },
    secret::Secret,
};

/// The method of the service in the URL.
const ACCESS_TOKEN: &str = ":generateAccessToken";
const ID_TOKEN: &str = ":generateIdToken";

/// "If not provided, this defaults to one hour. The minimum is 600, and the maximum 43200."
const LIFETIMES: std::ops::RangeInclusive<u64> = 600..=43_200;

/// Service account whose tokens another account may get.
#[derive(Clone, Debug)]
pub(super) struct Impersonation {
    url: Url,
    delegates: Vec<String>,
    lifetime: Duration,
}

impl Impersonation {
    /// Reads the members of a credential file about it, if it has them.
    pub(super) fn from_members(
        members: &Map<String, Value>,
        universe: &str,
    ) -> Result<Option<Self>> {
        const MEMBER: &str = "service_account_impersonation_url";
        let url = match members.get(MEMBER) {
            None | Some(Value::Null) => return Ok(None),
            Some(url) => url.as_str().unwrap_or_default(),
        };
        let url = google_url(MEMBER, url, "iamcredentials", universe)?;
        if !url.path().ends_with(ACCESS_TOKEN) {
            return Err(Error::usage(format!(
                "the {MEMBER} of the credential file does not end with {ACCESS_TOKEN}"
            )));
        }
        let options = members.get("service_account_impersonation");
        let seconds = match options.and_then(|options| options.get("token_lifetime_seconds")) {
            None | Some(Value::Null) => 3600,
            Some(value) => {
                let seconds = value.as_u64().or_else(|| value.as_str()?.parse().ok());
                let seconds = seconds.filter(|seconds| LIFETIMES.contains(seconds));
                seconds.ok_or_else(|| {
                    Error::usage(
                        "service_account_impersonation.token_lifetime_seconds of the credential \
                         file is not between 600 and 43200",
                    )
                })?
            }
        };
        let delegates = members.get("delegates").and_then(Value::as_array);
        let delegates = delegates.into_iter().flatten().filter_map(Value::as_str);
        Ok(Some(Self {
            url,
            delegates: delegates.map(str::to_owned).collect(),
            lifetime: Duration::from_secs(seconds),
        }))
    }

    /// The email address of the account.
    pub(super) fn email(&self) -> Option<&str> {
        let name = self.url.path().strip_suffix(ACCESS_TOKEN)?;
        name.rsplit('/').next()
    }

    /// A token of the account, by one of an account that may get it.
    pub(super) fn token(
        &self,
        own: &Token,
        wanted: &Wanted<'_>,
        journal: &mut Journal,
    ) -> Paused<Token> {
        let (sent, response) = journal.send(|| self.request(own, wanted))?;
        let Outgoing::Plain(request) = sent else {
            return Err(Error::usage("the request is not one of an impersonation").into());
        };
        let members = members(&request, &response)?;
        let text = |name| {
            members
                .get(name)
                .and_then(Value::as_str)
                .filter(|it| !it.is_empty())
        };
        let refused = |problem| Error::answer(format!("{SERVICE} {problem}"), response.status());
        if wanted.audience.is_some() {
            let token = text("token").ok_or_else(|| refused("returned no token"))?;
            return Ok(super::credentials::id_token(&token.into(), wanted.clock)?);
        }
        let token = text("accessToken").ok_or_else(|| refused("returned no accessToken"))?;
        let expiry = text("expireTime").and_then(date::seconds);
        let expiry = expiry.ok_or_else(|| refused("returned no date as expireTime"))?;
        Ok(Token::new(token)
            .with_issued_at(wanted.clock.now())
            .with_expires_at(std::time::UNIX_EPOCH + Duration::from_secs(expiry)))
    }

    fn request(&self, own: &Token, wanted: &Wanted<'_>) -> Result<Outgoing> {
        let mut url = self.url.clone();
        let body = match wanted.audience {
            None => json!({
                "delegates": self.delegates,
                "scope": wanted.scopes().collect::<Vec<_>>(),
                "lifetime": format!("{}s", self.lifetime.as_secs()),
            }),
            Some(audience) => {
                let path = url.path().strip_suffix(ACCESS_TOKEN).unwrap_or_default();
                let path = format!("{path}{ID_TOKEN}");
                url.set_path(&path);
                json!({
                    "delegates": self.delegates,
                    "audience": audience,
                    "includeEmail": true,
                })
            }
        };
        let mut request = PlainRequest::get(SERVICE, url);
        request.method = Method::POST;
        let bearer = Secret::new(format!("Bearer {}", own.access_token().expose_secret()));
        let bearer = HeaderValue::from_str(bearer.expose_secret());
        let mut bearer = bearer.map_err(|_| {
            Error::untrusted("the token for the impersonation cannot stand in a header")
        })?;
        bearer.set_sensitive(true);
        request.headers.insert(header::AUTHORIZATION, bearer);
        let json = HeaderValue::from_static("application/json");
        request.headers.insert(header::CONTENT_TYPE, json);
        request.body = Some(Secret::from(body.to_string()));
        Ok(Outgoing::Plain(Box::new(request)))
    }
}

const SERVICE: &str = "the impersonation of the service account";

fn members(request: &PlainRequest, response: &EndpointResponse) -> Result<Map<String, Value>> {
    if response.status() != http::StatusCode::OK {
        return Err(request.refusal(response).unattended());
    }
    Members::from_slice(response.body()).map_err(|_| {
        Error::answer(
            format!("{SERVICE} returned no JSON object"),
            response.status(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{super::hosts::GOOGLE, *};

    fn read(members: Value) -> Result<Option<Impersonation>> {
        Impersonation::from_members(members.as_object().expect("an object"), GOOGLE)
    }

    const URL: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b.iam.gserviceaccount.com:generateAccessToken";

    #[test]
    fn members_of_a_file() {
        assert!(read(json!({})).expect("none").is_none());
        let read_ = read(
            json!({"service_account_impersonation_url": URL, "delegates": ["d"],
            "service_account_impersonation": {"token_lifetime_seconds": 2800}}),
        );
        let read_ = read_.expect("one").expect("one");
        assert_eq!(read_.email(), Some("a@b.iam.gserviceaccount.com"));
        assert_eq!((read_.lifetime.as_secs(), read_.delegates.len()), (2800, 1));
        for lifetime in [json!(599), json!(43_201), json!("x"), json!(-1)] {
            let error = read(json!({"service_account_impersonation_url": URL,
                "service_account_impersonation": {"token_lifetime_seconds": lifetime}}));
            assert!(error.is_err());
        }
        for url in [
            json!("https://evil.example/a:generateAccessToken"),
            json!(7),
            json!("https://iamcredentials.googleapis.com/v1/x"),
        ] {
            assert!(read(json!({"service_account_impersonation_url": url})).is_err());
        }
    }
}
