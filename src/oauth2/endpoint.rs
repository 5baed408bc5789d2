//! Endpoints of the authorization server, and the requests to them.
//!
//! [RFC 6749 section 3](https://www.rfc-editor.org/rfc/rfc6749#section-3)

use std::fmt;

use http::{HeaderMap, HeaderValue, Method, header};
use url::Url;

use super::{Form, secure_url::without_query};
use crate::secret::Secret;

/// A request to an endpoint of the server, before it is sent: what client authentication may
/// change.
///
/// ```
/// use oauth_twin::{BoxError, oauth2::EndpointRequest};
///
/// // A server that wants its own header instead of a standard method.
/// fn by_header(request: &mut EndpointRequest) -> Result<(), BoxError> {
///     let id = request.client_id().parse()?;
///     request.headers_mut().insert("x-client", id);
///     request.form_mut().remove("scope");
///     Ok(())
/// }
/// # let _: fn(&mut EndpointRequest) -> _ = by_header;
/// ```
#[derive(Clone)]
pub struct EndpointRequest {
    method: Method,
    url: Url,
    headers: HeaderMap,
    form: Form,
    client_id: String,
    client_secret: Option<Secret>,
}

impl EndpointRequest {
    /// A `POST` that accepts JSON.
    pub(crate) fn post(
        url: Url,
        form: Form,
        client_id: String,
        client_secret: Option<Secret>,
    ) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        Self {
            method: Method::POST,
            url,
            headers,
            form,
            client_id,
            client_secret,
        }
    }

    /// The client's identifier.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The client's secret, if it has one.
    pub fn client_secret(&self) -> Option<&Secret> {
        self.client_secret.as_ref()
    }

    /// The method: `POST` unless changed.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The method, to be changed.
    pub fn method_mut(&mut self) -> &mut Method {
        &mut self.method
    }

    /// The endpoint.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The endpoint, to be changed. It must stay HTTPS or loopback.
    pub fn url_mut(&mut self) -> &mut Url {
        &mut self.url
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The headers, to be changed.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    /// The parameters of the body.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// The parameters of the body, to be changed.
    pub fn form_mut(&mut self) -> &mut Form {
        &mut self.form
    }
}

/// Without header values and without the query, which client authentication may have filled.
impl fmt::Debug for EndpointRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointRequest")
            .field("method", &self.method)
            .field("url", &without_query(&self.url))
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("form", &self.form)
            .field("client_id", &self.client_id)
            .field("client_secret", &self.client_secret)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_no_secret() {
        let mut form = Form::new();
        form.push("password", "hunter2");
        let mut request = EndpointRequest::post(
            Url::parse("https://id.example/token?secret=hunter2").expect("a URL"),
            form,
            "me".to_owned(),
            Some("hunter2".into()),
        );
        request
            .headers_mut()
            .insert("authorization", HeaderValue::from_static("Basic hunter2"));
        assert_eq!(
            format!("{request:?}"),
            "EndpointRequest { method: POST, url: \"https://id.example/token\", \
             headers: [\"accept\", \"authorization\"], form: {\"password\": [redacted]}, \
             client_id: \"me\", client_secret: Some([redacted]) }"
        );
    }
}
