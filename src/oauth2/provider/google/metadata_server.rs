//! The metadata server of Google's machines.
//!
//! [AIP-4115](https://google.aip.dev/auth/4115)

use http::{HeaderValue, header::HeaderName};
use url::Url;

use super::{
    credentials::{Wanted, id_token},
    hosts::{METADATA_HOST, permits_plain_http},
    journal::{Journal, Outgoing, Paused, PlainRequest},
};
use crate::{
    error::{Error, Result},
    json::Members,
    oauth2::token::Token,
};

const SERVICE: &str = "the metadata server of Google";

const FLAVOR: HeaderName = HeaderName::from_static("metadata-flavor");

/// The metadata server of the machine, which gives tokens of its service account.
#[derive(Clone, Debug)]
pub(super) struct MetadataServer(Url);

impl MetadataServer {
    /// The server at the host that `GCE_METADATA_HOST` names, or at its usual name.
    pub(super) fn new(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let host = variable("GCE_METADATA_HOST").filter(|host| !host.is_empty());
        let host = host.unwrap_or_else(|| METADATA_HOST.to_owned());
        let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/");
        let url = Url::parse(&url).ok().filter(|url| {
            let is_plain = url.query().is_none() && url.username().is_empty();
            permits_plain_http(url) && is_plain && url.path().ends_with("/default/")
        });
        url.map(Self).ok_or_else(|| {
            Error::usage(format!(
                "GCE_METADATA_HOST is neither {METADATA_HOST}, 169.254.169.254 nor on loopback"
            ))
        })
    }

    pub(super) fn token(&self, wanted: &Wanted<'_>, journal: &mut Journal) -> Paused<Token> {
        let (request, response) = journal.send(|| self.request(wanted))?;
        let Outgoing::Plain(request) = request else {
            return Err(Error::usage("the request is not one of the metadata server").into());
        };
        let text = request.read_text(&response)?;
        let refused =
            |problem: &str| Error::answer(format!("{SERVICE} {problem}"), response.status());
        // Another server at this name has no business with tokens.
        let flavor = response.headers().get(FLAVOR);
        if flavor.is_none_or(|flavor| flavor != "Google") {
            return Err(refused("did not name itself in the header Metadata-Flavor").into());
        }
        if wanted.audience.is_some() {
            return Ok(id_token(&text, wanted.clock)?);
        }
        let members = Members::from_slice(text.expose_secret().as_bytes())
            .map_err(|_| refused("returned no JSON object"))?;
        let token = Token::from_answer(members, wanted.clock.unix());
        Ok(token.map_err(|problem| refused(&problem))?)
    }

    fn request(&self, wanted: &Wanted<'_>) -> Result<Outgoing> {
        let mut url = self.0.clone();
        let path = match wanted.audience {
            None => "token",
            Some(_) => "identity",
        };
        let path = format!("{}{path}", url.path());
        url.set_path(&path);
        match (wanted.audience, wanted.asked_scopes()) {
            (Some(audience), _) => {
                let mut query = url.query_pairs_mut();
                query
                    .append_pair("audience", audience)
                    .append_pair("format", "full");
            }
            // Without any, the scopes of the machine count.
            (None, Some(scopes)) => {
                let scopes: Vec<_> = scopes.collect();
                url.query_pairs_mut()
                    .append_pair("scopes", &scopes.join(","));
            }
            (None, None) => {}
        }
        let mut request = PlainRequest::get(SERVICE, url);
        request
            .headers
            .insert(FLAVOR, HeaderValue::from_static("Google"));
        request.advice = Some(
            "no credentials were found elsewhere: set GOOGLE_APPLICATION_CREDENTIALS to a \
             credential file, or run gcloud auth application-default login",
        );
        Ok(Outgoing::Plain(Box::new(request)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let server = |host: Option<&str>| {
            let host = host.map(str::to_owned);
            MetadataServer::new(&move |name: &str| {
                host.clone().filter(|_| name == "GCE_METADATA_HOST")
            })
        };
        for (host, url) in [
            (None, "http://metadata.google.internal/"),
            (Some(""), "http://metadata.google.internal/"),
            (Some("169.254.169.254"), "http://169.254.169.254/"),
            (Some("127.0.0.1:8080"), "http://127.0.0.1:8080/"),
        ] {
            let server = server(host).expect("a server");
            assert!(server.0.as_str().starts_with(url), "{}", server.0);
        }
        for host in [
            "evil.example",
            "evil.example/#",
            "127.0.0.1/x?",
            "a b",
            "user@localhost",
            "10.0.0.1",
        ] {
            assert!(server(Some(host)).is_err(), "{host}");
        }
    }
}
