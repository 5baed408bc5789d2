//! Client metadata documents, whose URL is the identifier of the client.
//!
//! [Client ID Metadata Document](https://datatracker.ietf.org/doc/html/draft-ietf-oauth-client-id-metadata-document)

use http::StatusCode;
use serde_json::Value;
use url::Url;

use super::metadata::ClientMetadata;
use crate::{
    error::{Error, Result},
    json::Members,
    wire::response::EndpointResponse,
};

/// Maximum size of a document, in bytes.
const MAX_BYTES: usize = 5 * 1024;

/// Methods of client authentication that need a secret, which the public document could not have.
const SECRET_METHODS: [&str; 3] = [
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
];

impl ClientMetadata {
    /// Makes the client metadata document to be published at `url`, in JSON: with this URL as the
    /// `client_id`, and what the requests of a client with these metadata say.
    ///
    /// Serve it with the media type `application/json`, and without a redirect. A client with it has
    /// the URL as its identifier, exactly as it is written here.
    ///
    /// ```
    /// use oauth_twin::oauth2::ClientMetadata;
    ///
    /// let url = "https://app.example.com/client.json";
    /// let document = ClientMetadata::native("Reports").document(url)?;
    /// assert!(document.contains(r#""client_id": "https://app.example.com/client.json""#));
    /// assert!(document.contains("http://127.0.0.1/callback"));
    /// # Ok::<(), oauth_twin::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the URL cannot be that of a document, or a member is missing, secret, or too long for one.
    ///
    /// [Client ID Metadata Document section 4](https://datatracker.ietf.org/doc/html/draft-ietf-oauth-client-id-metadata-document#section-4)
    pub fn document(&self, url: &str) -> Result<String> {
        check_document_url(url)?;
        self.check()?;
        let complete = self
            .clone()
            .or_member("token_endpoint_auth_method", || "none".into())
            .or_member("grant_types", || {
                ["authorization_code", "refresh_token"].as_slice().into()
            })
            .or_member("response_types", || ["code"].as_slice().into())
            .with_member("client_id", url);
        let usage = |problem| Error::usage(format!("the client metadata document {problem}"));
        complete.check_document(url).map_err(usage)?;
        // Metadata always serialise.
        let text = serde_json::to_string_pretty(&complete).unwrap_or_default();
        match text.len() > MAX_BYTES {
            true => Err(usage("is larger than 5 kB".to_owned())),
            false => Ok(text),
        }
    }

    /// Reads the document that was fetched from `url`, as a server does: to check one's own.
    ///
    /// # Errors
    ///
    /// If a server could not use it: a status other than 200, another `client_id`, a missing or
    /// secret member, more than 5 kB.
    ///
    /// [Client ID Metadata Document section 4.1](https://datatracker.ietf.org/doc/html/draft-ietf-oauth-client-id-metadata-document#section-4.1)
    pub fn read_document(url: &str, response: &EndpointResponse) -> Result<Self> {
        check_document_url(url)?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(response.answer().failure("the client metadata document"));
        }
        let invalid = |problem| Error::untrusted(format!("the client metadata document {problem}"));
        if response.body().len() > MAX_BYTES {
            return Err(invalid("is larger than 5 kB".to_owned()));
        }
        let members = Members::from_slice(response.body())
            .map_err(|_invalid| invalid("is not a JSON object".to_owned()))?;
        let metadata = Self::given(members);
        metadata.check_document(url).map_err(invalid)?;
        Ok(metadata)
    }

    /// Checks what a document at `url` has to have, and must not have.
    fn check_document(&self, url: &str) -> Result<(), String> {
        // "The client_id property's value MUST match the URL of the document using simple string
        // comparison".
        if self.get("client_id").and_then(Value::as_str) != Some(url) {
            return Err("has another client_id than its URL".to_owned());
        }
        if self.client_name().is_none() {
            return Err("has no client_name".to_owned());
        }
        if self.redirect_uris().is_none_or(|uris| uris.is_empty()) {
            return Err("has no redirect_uris".to_owned());
        }
        for name in ["client_secret", "client_secret_expires_at"] {
            if self.get(name).is_some() {
                return Err(format!("must not have the member {name}"));
            }
        }
        match self.token_endpoint_auth_method() {
            Some(method) if SECRET_METHODS.contains(&method) => Err(format!(
                "has the token_endpoint_auth_method {method}, which needs a secret"
            )),
            Some("private_key_jwt") if !self.has_keys() => {
                Err("has no keys for private_key_jwt".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// Checks that `url` can be the identifier of a client. It is sent and compared as it is written, so
/// the text is checked, and not what a parser makes of it.
pub(crate) fn check_document_url(url: &str) -> Result<()> {
    let wrong = |problem: &str| {
        Err(Error::usage(format!(
            "the URL of the client metadata document {problem}"
        )))
    };
    let parsed = match Url::parse(url) {
        Ok(parsed) => parsed,
        Err(error) => return wrong(&format!("is not an absolute URL ({error})")),
    };
    // Which a parser removes or replaces.
    let is_odd = |it: char| it.is_ascii_whitespace() || it.is_control() || it == '\\';
    if url.contains(is_odd) {
        return wrong("has white space or a backslash");
    }
    let Some(rest) = url.strip_prefix("https://") else {
        return wrong("must begin with https://");
    };
    if url.contains('#') {
        return wrong("must not have a fragment (the part after #)");
    }
    if !parsed.username().is_empty() || parsed.password().is_some() || parsed.host().is_none() {
        return wrong("must have a host, and no user name or password");
    }
    let without_query = rest.split('?').next().unwrap_or_default();
    let Some((authority, path)) = without_query.split_once('/') else {
        return wrong("must have a path");
    };
    if authority.contains('@') {
        return wrong("must have no user name or password");
    }
    if path.is_empty() {
        return wrong("must have a path");
    }
    let is_dots = |segment: &str| {
        let segment = segment.to_ascii_lowercase().replace("%2e", ".");
        segment == "." || segment == ".."
    };
    if path.split('/').any(is_dots) {
        return wrong("must not have the path segments . and ..");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const URL: &str = "https://app.example/client.json";

    fn fetched(status: u16, body: impl Into<Vec<u8>>) -> Result<ClientMetadata> {
        let status = StatusCode::from_u16(status).expect("a status");
        let response = EndpointResponse::new(status, HeaderMap::new(), body);
        ClientMetadata::read_document(URL, &response)
    }

    #[test]
    fn the_url_is_that_of_a_document() {
        for good in [
            URL,
            "https://app.example:8443/client",
            "https://app.example/a/b/",
            "https://app.example/client?v=2",
            "https://APP.example/%43lient",
            "https://app.example/a..b/.c",
        ] {
            check_document_url(good).expect(good);
        }
        for bad in [
            "",
            "client.json",
            "http://app.example/client.json",
            "http://localhost/client.json",
            "HTTPS://app.example/client.json",
            "https://app.example",
            "https://app.example/",
            "https://app.example?x=/client",
            "https://app.example/client#x",
            "https://app.example/client#",
            "https://user@app.example/client",
            "https://user:password@app.example/client",
            "https://@app.example/client",
            "https://app.example/./client",
            "https://app.example/a/../client",
            "https://app.example/a/..",
            "https://app.example/%2e%2E/client",
            "https://app.example/a/.%2e/client",
            " https://app.example/client",
            "https://app.example/cli\tent",
            "https://app.example\\client/x",
            "https://app.example/client\n",
        ] {
            assert!(check_document_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_document_says_what_the_requests_say_and_can_be_read() {
        let metadata = ClientMetadata::native("Reports").with_scope("reports:read");
        let document = metadata.document(URL).expect("a document");
        let members: Value = serde_json::from_str(&document).expect("JSON");
        assert_eq!(
            members,
            json!({
                "client_id": URL, "client_name": "Reports", "application_type": "native",
                "redirect_uris": ["http://127.0.0.1/callback", "http://localhost/callback"],
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"], "token_endpoint_auth_method": "none",
                "scope": "reports:read",
            })
        );
        let read = fetched(200, document).expect("a document");
        assert_eq!(read.client_name(), Some("Reports"));
        let fixed = metadata.with_loopback_port(8976).document(URL);
        assert!(fixed.expect("a document").contains("localhost:8976"));
    }

    #[test]
    fn the_url_stands_in_the_document_as_it_is_written() {
        let url = "https://APP.example:443/%43lient";
        let document = ClientMetadata::native("a").document(url).expect("one");
        assert!(document.contains(&format!("\"{url}\"")), "{document}");
    }

    #[test]
    fn what_cannot_be_published_is_named() {
        let native = ClientMetadata::native("a");
        for (metadata, word) in [
            (
                native
                    .clone()
                    .with_token_endpoint_auth_method("client_secret_basic"),
                "needs a secret",
            ),
            (
                native
                    .clone()
                    .with_token_endpoint_auth_method("client_secret_jwt"),
                "needs a secret",
            ),
            (
                native
                    .clone()
                    .with_token_endpoint_auth_method("private_key_jwt"),
                "no keys",
            ),
            (
                native.clone().with_member("client_secret", "hunter2"),
                "client_secret",
            ),
            (native.clone().with_client_uri("x".repeat(6000)), "5 kB"),
            (ClientMetadata::web("a"), "redirect_uris"),
            (
                ClientMetadata::default().with_redirect_uris(["https://a.example/"]),
                "client_name",
            ),
        ] {
            let error = metadata.document(URL).expect_err(word).to_string();
            assert!(error.contains(word), "{error}");
            assert!(!error.contains("hunter2"));
        }
        assert!(native.document("https://app.example/").is_err());
    }

    #[test]
    fn a_fetched_document_is_checked() {
        let good = json!({"client_id": URL, "client_name": "a", "redirect_uris": ["https://a/"]});
        assert!(fetched(200, good.to_string()).is_ok());
        for status in [201, 204, 301, 302, 404, 500] {
            assert!(fetched(status, good.to_string()).is_err(), "{status}");
        }
        for (name, value) in [
            ("client_id", json!("https://app.example:443/client.json")),
            ("client_id", Value::Null),
            ("client_name", json!("")),
            ("redirect_uris", json!([])),
            ("redirect_uris", json!("https://a/")),
            ("client_secret", json!("hunter2")),
            ("token_endpoint_auth_method", json!("client_secret_post")),
            ("client_uri", json!("x".repeat(6000))),
        ] {
            let mut changed = good.clone();
            changed[name] = value;
            let error = fetched(200, changed.to_string()).expect_err(name);
            assert!(!format!("{error:?}").contains("hunter2"));
        }
        for body in ["", "[]", "<html>", r#"{"client_id":"a","client_id":"b"}"#] {
            assert!(fetched(200, body).is_err(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_document_and_no_url_panics(body: Vec<u8>, url: String) {
            let _ = fetched(200, body);
            let _ = check_document_url(&url);
            let _ = check_document_url(&format!("https://{url}"));
        }
    }
}
