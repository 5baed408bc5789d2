//! Bearer tokens in requests.
//!
//! [RFC 6750 section 2](https://www.rfc-editor.org/rfc/rfc6750#section-2)

use reqwest::{
    Method,
    header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};

use super::super::{http, session::Live};
use crate::{
    error::{Error, Result},
    lifecycle::published::{Credential, Published},
    oauth2::{
        dpop::nonce::Nonce,
        hook::{Hooks, ProtectedRequest},
        token::bearer::TokenPlacement,
    },
};

impl Live {
    /// Adds the token to the request by its placement, and applies the hooks. A token that is bound
    /// to a local key gets its proof, with the nonce that the server demanded or its last one,
    /// which is returned.
    #[inline]
    pub(super) fn place(
        &self,
        request: &mut http::Request,
        published: &Published,
        demanded: Option<Nonce>,
    ) -> Result<Option<Nonce>> {
        match self.shared.settings.placement {
            TokenPlacement::Header => match published.credential()? {
                Credential::Bearer(header) => {
                    request.headers_mut().insert(AUTHORIZATION, header.clone());
                }
                Credential::Bound(bound) => return self.place_bound(request, bound, demanded),
                Credential::Expired => {
                    let header = published.header()?;
                    request.headers_mut().insert(AUTHORIZATION, header);
                }
            },
            TokenPlacement::Query => add_to_query(request, published)?,
            TokenPlacement::Body => add_to_body(request, published)?,
        }
        self.apply_hooks(request)?;
        Ok(None)
    }

    /// Applies the hooks for requests to an API.
    #[inline]
    pub(super) fn apply_hooks(&self, request: &mut http::Request) -> Result<()> {
        match self.shared.settings.hooks.has_protected() {
            false => Ok(()),
            true => self.apply_some(request),
        }
    }

    #[cold]
    fn apply_some(&self, request: &mut http::Request) -> Result<()> {
        let Hooks(hooks) = &self.shared.settings.hooks;
        let headers = std::mem::take(request.headers_mut());
        let (method, url) = (request.method().clone(), request.url().clone());
        let mut protected = ProtectedRequest::new(method, url, headers);
        protected.apply_hooks(hooks)?;
        let (url, headers) = protected.into_parts();
        self.shared.transport.check(&url)?;
        *request.url_mut() = url;
        *request.headers_mut() = headers;
        Ok(())
    }
}

#[cold]
fn add_to_query(request: &mut http::Request, published: &Published) -> Result<()> {
    published.token.add_to_query(request.url_mut())?;
    // "Clients using the URI Query Parameter method SHOULD also send a Cache-Control header containing
    // the "no-store" option."
    let no_store = HeaderValue::from_static("no-store");
    let cache_control = request.headers_mut().entry(CACHE_CONTROL);
    cache_control.or_insert(no_store);
    Ok(())
}

#[cold]
fn add_to_body(request: &mut http::Request, published: &Published) -> Result<()> {
    let mut body = form_body(request)?.to_vec();
    published.token.add_to_form(&mut body)?;
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().entry(CONTENT_TYPE).or_insert(form);
    *request.body_mut() = Some(body.into());
    Ok(())
}

/// The form to which a token may be added: one that is complete, or an empty body of a method that
/// has one.
///
/// [RFC 6750 section 2.2](https://www.rfc-editor.org/rfc/rfc6750#section-2.2)
fn form_body(request: &http::Request) -> Result<&[u8]> {
    let content_type = request.headers().get(CONTENT_TYPE);
    let is_form = content_type.is_some_and(|value| {
        let value = value.to_str().unwrap_or_default();
        let essence = value.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    });
    // "The HTTP request method is one for which the request-body has defined semantics. In
    // particular, this means that the "GET" method MUST NOT be used."
    let has_body = !matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    match request.body() {
        None if has_body && (is_form || content_type.is_none()) => Ok(&[]),
        Some(body) if has_body && is_form => body.as_bytes().ok_or_else(not_a_form),
        _ => Err(not_a_form()),
    }
}

fn not_a_form() -> Error {
    Error::usage(
        "the token is placed in the body, which has to be a form of a POST, PUT or PATCH; \
         use TokenPlacement::Header for other requests",
    )
}
