//! Signing a request as it stands.
//!
//! [RFC 5849 section 3](https://www.rfc-editor.org/rfc/rfc5849#section-3)

use std::borrow::Cow;

use reqwest::{
    Url,
    header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE},
};

use super::super::http;
use crate::{
    error::{Error, Result},
    oauth1::{Body, Signer},
};

/// Signs the request as it is, and adds the signature at the place of the signer.
pub(in super::super) fn sign(signer: &Signer, request: &mut http::Request) -> Result<()> {
    let body = match request.body() {
        None => Body::Bytes(&[]),
        Some(body) => body.as_bytes().map_or(Body::Stream, Body::Bytes),
    };
    let url = request.url().as_str();
    let signed = signer.sign(request.method(), url, request.headers(), body)?;
    let (authorization, content_type) = (signed.authorization, signed.content_type);
    let (url, body) = (owned(signed.url), signed.body);
    if let Some(url) = url {
        *request.url_mut() = Url::parse(&url)
            .map_err(|_| Error::usage("the parameters of OAuth do not fit into the URL"))?;
    }
    if let Some(body) = body {
        // The body has grown.
        request.headers_mut().remove(CONTENT_LENGTH);
        *request.body_mut() = Some(body.into());
    }
    for (name, value) in [(AUTHORIZATION, authorization), (CONTENT_TYPE, content_type)] {
        if let Some(value) = value {
            request.headers_mut().insert(name, value);
        }
    }
    Ok(())
}

fn owned(url: Cow<'_, str>) -> Option<String> {
    match url {
        Cow::Borrowed(_) => None,
        Cow::Owned(url) => Some(url),
    }
}
