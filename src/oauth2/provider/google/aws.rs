//! AWS: a signed request as subject token.
//!
//! [AIP-4117](https://google.aip.dev/auth/4117#determining-the-subject-token-in-aws),
//! [AWS Signature Version 4](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html)

use std::{fmt::Write as _, time::Duration};

use http::{HeaderValue, Method};
use ring::{digest, hmac};
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    hosts::aws_url,
    journal::{Journal, Outgoing, Paused, PlainRequest},
};
use crate::{
    encoding::percent_encode,
    error::{Error, Result},
    secret::Secret,
};

/// The name of the service in error messages.
const SERVICE: &str = "the metadata server of AWS";

/// Where the security credentials and the region of AWS come from.
#[derive(Clone, Debug)]
pub(super) struct AwsSource {
    region_url: Option<Url>,
    url: Option<Url>,
    /// With `{region}` in it.
    verification_url: String,
    session_token_url: Option<Url>,
}

/// Keys that sign a request.
struct SecurityCredentials {
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Option<Secret>,
}

impl AwsSource {
    /// Reads a `credential_source` that has an `environment_id`.
    pub(super) fn from_members(source: &Map<String, Value>) -> Result<Self> {
        match source.get("environment_id").and_then(Value::as_str) {
            Some("aws1") => {}
            Some(_) | None => {
                return Err(Error::usage(
                    "the credential_source of the credential file has an environment_id other than \
                     aws1, which is not known here",
                ));
            }
        }
        let text = |name: &str| source.get(name).and_then(Value::as_str);
        let url = |name: &'static str| text(name).map(|url| aws_url(name, url)).transpose();
        let verification_url = text("regional_cred_verification_url").ok_or_else(|| {
            Error::usage(
                "the credential file lacks credential_source.regional_cred_verification_url",
            )
        })?;
        request_url(verification_url, "us-east-1")?;
        Ok(Self {
            region_url: url("region_url")?,
            url: url("url")?,
            verification_url: verification_url.to_owned(),
            session_token_url: url("imdsv2_session_token_url")?,
        })
    }

    /// A signed request for the identity of the caller, as text. Google sends it to AWS.
    pub(super) fn subject_token(
        &self,
        audience: &str,
        now: Duration,
        variable: &dyn Fn(&str) -> Option<String>,
        journal: &mut Journal,
    ) -> Paused<Secret> {
        let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
        let keys = SecurityCredentials::from_environment(variable);
        let session = match (&self.session_token_url, &region, &keys) {
            (_, Some(_), Some(_)) | (None, _, _) => None,
            (Some(url), _, _) => Some(session_token(url, journal)?),
        };
        let region = match region {
            Some(region) => region,
            None => {
                let url = self
                    .region_url
                    .as_ref()
                    .ok_or_else(|| missing("AWS_REGION", "region_url"))?;
                let zone = get(url, session.as_ref(), journal)?;
                let zone = zone.expose_secret();
                // "The region should be determined by stripping the last character."
                let end = zone.char_indices().next_back().map_or(0, |(at, _)| at);
                zone[..end].to_owned()
            }
        };
        let keys = match keys {
            Some(keys) => keys,
            None => {
                let url = self
                    .url
                    .as_ref()
                    .ok_or_else(|| missing("AWS_ACCESS_KEY_ID", "url"))?;
                let role = get(url, session.as_ref(), journal)?;
                let url = of_role(url, role.expose_secret());
                SecurityCredentials::from_json(&get(&url, session.as_ref(), journal)?)?
            }
        };
        Ok(journal.once(|| self.signed_request(&region, &keys, audience, now))?)
    }

    fn signed_request(
        &self,
        region: &str,
        keys: &SecurityCredentials,
        audience: &str,
        now: Duration,
    ) -> Result<Secret> {
        let is_region = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if region.is_empty() || !region.chars().all(is_region) {
            return Err(Error::usage(
                "the region of AWS is not one; AWS_REGION sets it, such as us-east-1",
            ));
        }
        let (url, parsed) = request_url(&self.verification_url, region)?;
        let date = timestamp(now);
        let mut headers = vec![
            ("host", parsed.host_str().unwrap_or_default()),
            ("x-amz-date", &date),
            ("x-goog-cloud-target-resource", audience),
        ];
        if let Some(token) = &keys.session_token {
            headers.push(("x-amz-security-token", token.expose_secret()));
        }
        let authorization = authorization("POST", &parsed, &headers, "", region, keys, &date);
        headers.push(("Authorization", &authorization));
        let headers: Vec<Value> = headers
            .into_iter()
            .map(|(key, value)| json!({"key": key, "value": value}))
            .collect();
        let request = json!({"url": url, "method": "POST", "headers": headers});
        Ok(percent_encode(&request.to_string()).into())
    }
}

/// The URL of the request for the identity of the caller, as text and parsed.
///
/// The keys of the machine sign the request: it must be no other than that, and for AWS alone.
///
/// [AWS: GetCallerIdentity](https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html)
fn request_url(template: &str, region: &str) -> Result<(String, Url)> {
    let url = template.replace("{region}", region);
    let is_identity = |parsed: &Url| {
        let host = parsed.host_str().unwrap_or_default();
        let domain = host
            .strip_prefix("sts.")
            .or_else(|| host.strip_prefix("sts-fips."));
        let domain = domain.map(|domain| {
            domain
                .strip_prefix(&*format!("{region}."))
                .unwrap_or(domain)
        });
        let is_aws = matches!(
            domain,
            Some("amazonaws.com" | "amazonaws.com.cn" | "api.aws" | "api.amazonwebservices.com.cn")
        );
        let mut actions = parsed.query_pairs().filter(|(name, _)| name == "Action");
        let is_action = matches!(
            (actions.next(), actions.next()),
            (Some((_, action)), None) if action == "GetCallerIdentity"
        );
        let is_root = parsed.path() == "/" && parsed.fragment().is_none();
        let has_no_user = parsed.username().is_empty() && parsed.password().is_none();
        parsed.scheme() == "https"
            && parsed.port().is_none()
            && (is_aws && is_action && is_root && has_no_user)
    };
    let parsed = Url::parse(&url).ok().filter(is_identity);
    let parsed = parsed.ok_or_else(|| {
        Error::usage(
            "the credential_source.regional_cred_verification_url of the credential file is not \
             the https URL of GetCallerIdentity at the Security Token Service of AWS",
        )
    })?;
    Ok((url, parsed))
}

fn missing(variable: &str, member: &str) -> Error {
    Error::usage(format!(
        "neither the environment variable {variable} nor credential_source.{member} of the \
         credential file is set"
    ))
}

/// `url` with the name of the role as its last segment.
fn of_role(url: &Url, role: &str) -> Url {
    let mut url = url.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().push(role);
    }
    url
}

fn session_token(url: &Url, journal: &mut Journal) -> Paused<Secret> {
    let request = || {
        let mut request = PlainRequest::get(SERVICE, url.clone());
        request.method = Method::PUT;
        let lifetime = HeaderValue::from_static("300");
        request
            .headers
            .insert("x-aws-ec2-metadata-token-ttl-seconds", lifetime);
        Ok(Outgoing::Plain(Box::new(request)))
    };
    text(journal.send(request)?)
}

fn get(url: &Url, session: Option<&Secret>, journal: &mut Journal) -> Paused<Secret> {
    let request = || {
        let mut request = PlainRequest::get(SERVICE, url.clone());
        if let Some(session) = session {
            let session = HeaderValue::from_str(session.expose_secret());
            let mut session = session.map_err(|_| {
                Error::untrusted(format!(
                    "{SERVICE} returned a session token that is no header"
                ))
            })?;
            session.set_sensitive(true);
            request.headers.insert("x-aws-ec2-metadata-token", session);
        }
        Ok(Outgoing::Plain(Box::new(request)))
    };
    text(journal.send(request)?)
}

fn text(
    (request, response): (Outgoing, crate::oauth2::response::EndpointResponse),
) -> Paused<Secret> {
    match request {
        Outgoing::Plain(request) => Ok(request.read_text(&response)?),
        Outgoing::Endpoint(_) => Err(Error::usage("the request is not one of AWS").into()),
    }
}

impl SecurityCredentials {
    fn from_environment(variable: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        Some(Self {
            access_key_id: variable("AWS_ACCESS_KEY_ID")?,
            secret_access_key: variable("AWS_SECRET_ACCESS_KEY")?.into(),
            session_token: variable("AWS_SESSION_TOKEN").map(Secret::from),
        })
    }

    fn from_json(json: &Secret) -> Result<Self> {
        let unreadable = || {
            Error::untrusted(format!(
                "{SERVICE} returned no AccessKeyId and SecretAccessKey for the role"
            ))
        };
        let members: Map<String, Value> =
            serde_json::from_str(json.expose_secret()).map_err(|_| unreadable())?;
        let text = |name| members.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            access_key_id: text("AccessKeyId").ok_or_else(unreadable)?,
            secret_access_key: text("SecretAccessKey").ok_or_else(unreadable)?.into(),
            session_token: text("Token").map(Secret::from),
        })
    }
}

/// The `Authorization` header of a request at `date`, with these headers.
fn authorization(
    method: &str,
    url: &Url,
    headers: &[(&str, &str)],
    body: &str,
    region: &str,
    keys: &SecurityCredentials,
    date: &str,
) -> String {
    let mut headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .collect();
    headers.sort();
    let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let mut canonical = format!("{method}\n{}\n{}\n", url.path(), canonical_query(url));
    for (name, value) in &headers {
        let _ = writeln!(canonical, "{name}:{value}");
    }
    let _ = write!(canonical, "\n{names}\n{}", hash(body));
    let host = url.host_str().unwrap_or_default();
    let service = host.split('.').next().unwrap_or_default();
    let day = date.get(..8).unwrap_or_default();
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hash(&canonical));
    let secret = format!("AWS4{}", keys.secret_access_key.expose_secret());
    let mut key = mac(secret.as_bytes(), day);
    for part in [region, service, "aws4_request", &to_sign] {
        key = mac(key.as_ref(), part);
    }
    let signature = hex(key.as_ref());
    let id = &keys.access_key_id;
    format!(
        "AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
}

/// The parameters of the query, sorted and percent-encoded.
fn canonical_query(url: &Url) -> String {
    let mut pairs: Vec<_> = url
        .query_pairs()
        .map(|(name, value)| (percent_encode(&name), percent_encode(&value)))
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hash(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The time as `20110909T233600Z`.
fn timestamp(now: Duration) -> String {
    let date = httpdate::HttpDate::from(std::time::UNIX_EPOCH + now).to_string();
    // "Fri, 09 Sep 2011 23:36:00 GMT"
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let part = |from: usize, to: usize| date.get(from..to).unwrap_or_default();
    let month = MONTHS.find(part(8, 11)).unwrap_or_default() / 3 + 1;
    format!(
        "{}{month:02}{}T{}{}{}Z",
        part(12, 16),
        part(5, 7),
        part(17, 19),
        part(20, 22),
        part(23, 25)
    )
}

#[cfg(test)]
mod tests;
