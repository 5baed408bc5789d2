//! Requests with the client's token, renewed once if a server refuses it.
//!
//! [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)

use std::sync::Arc;

use reqwest::{
    Method, StatusCode, Url,
    header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};

use super::{
    super::{
        boxed, http, maybe_async,
        session::{Live, Session},
        settings::Settings,
        transport::Transport,
        waiting::Deadline,
    },
    Next,
};
use crate::{
    error::{Error, Result},
    lifecycle::{published::Published, single_flight::Need},
    oauth2::{
        hook::ProtectedRequest,
        token::bearer::{TokenPlacement, is_invalid_token},
    },
    trace,
};

/// Authorizer of one request with a bearer token.
pub(in super::super) struct Bearer {
    session: Session,
    live: Live,
    deadline: Option<Deadline>,
    /// The token of the request.
    token: Option<Arc<Published>>,
    /// The earlier token of the request, which was refused.
    refused: Option<Arc<Published>>,
    /// A copy of the request without a token, to be sent again.
    kept: Option<Box<http::Request>>,
    /// The URL of the request that is sent again.
    url: Option<Box<Url>>,
}

impl Bearer {
    pub(in super::super) fn new(session: Session) -> Result<Self> {
        Ok(Self {
            live: session.live()?,
            session,
            deadline: None,
            token: None,
            refused: None,
            kept: None,
            url: None,
        })
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.live.shared.transport
    }

    /// The step that follows the response.
    pub(super) fn next(&mut self, response: &http::Response) -> Next {
        if let (Some(_), Some(token), Some(url)) = (&self.refused, &self.token, &self.url) {
            // A new token did not help, so the token was not the reason: no renewal for each of the
            // 401s that will follow.
            self.live
                .slot
                .note_refusal(is_refusal(response, url), token, self.live.shared.now());
            return Next::Done;
        }
        match self.kept.take() {
            Some(request) if is_refusal(response, request.url()) => Next::Renew(*request),
            _ => Next::Done,
        }
    }

    /// The end of the waits for this request.
    fn deadline(&mut self) -> Deadline {
        *self.deadline.get_or_insert_with(|| self.live.deadline())
    }

    fn place(&mut self, request: &mut http::Request, token: Arc<Published>) -> Result<()> {
        if let (Some(_), Some(deadline)) = (request.timeout(), self.deadline) {
            // The wait for the token is part of the timeout.
            *request.timeout_mut() = Some(deadline.left());
        }
        self.live.place(request, &token)?;
        self.token = Some(token);
        Ok(())
    }

    /// Whether the request may be given a token.
    fn check(&self, request: &http::Request) -> Result<()> {
        if request.headers().contains_key(AUTHORIZATION) {
            return Err(Error::usage(
                "the request has an Authorization header, or a user name in its URL, already; \
                 take it out, or call withhold_token",
            ));
        }
        self.transport().check(request.url())
    }
}

#[maybe_async]
impl Bearer {
    /// Adds the token to the request; keeps a copy of the request if it could be retried.
    pub(in super::super) async fn authorize(&mut self, request: &mut http::Request) -> Result<()> {
        let token = self.token(request).await?;
        match self.refused {
            Some(_) => self.url = Some(Box::new(request.url().clone())),
            None if self.live.slot.may_retry(|| self.live.caller()) => {
                self.kept = request.try_clone().map(Box::new);
            }
            None => {}
        }
        self.place(request, token)
    }

    /// The token for the request.
    async fn token(&mut self, request: &http::Request) -> Result<Arc<Published>> {
        self.check(request)?;
        if self.deadline.is_none()
            && let Some(limit) = request.timeout()
        {
            self.deadline = Some(Deadline::after(*limit));
        }
        if let Some(token) = self.token.take().or_else(|| self.live.fresh()) {
            return Ok(token);
        }
        let deadline = self.deadline();
        let obtained = boxed(self.session.obtain(Need::Usable, deadline)).await?;
        Ok(obtained.for_request())
    }

    /// Obtains a token other than the refused one; whether there is one.
    pub(super) async fn renew(&mut self) -> bool {
        let Some(refused) = self.token.take() else {
            return false;
        };
        let deadline = self.deadline();
        let need = Need::Other(refused.clone());
        let renewed = boxed(self.session.obtain(need, deadline)).await;
        self.refused = Some(refused.clone());
        match renewed {
            Ok(obtained) if obtained.published.is_same(&refused) => false,
            Ok(obtained) => {
                self.token = Some(obtained.for_request());
                true
            }
            Err(error) => {
                trace::unauthorized(self.live.shared.settings.name(), &error);
                false
            }
        }
    }
}

#[maybe_async]
impl Session {
    pub(in super::super) async fn authorize(&self, request: &mut http::Request) -> Result<()> {
        let mut bearer = Bearer::new(self.clone())?;
        let token = bearer.token(request).await?;
        bearer.place(request, token)
    }

    pub(in super::super) async fn authorization_header(&self) -> Result<HeaderValue> {
        self.usable().await?.for_request().header()
    }
}

impl Live {
    /// Adds the token to the request by its placement, and applies the hooks.
    fn place(&self, request: &mut http::Request, published: &Published) -> Result<()> {
        let Settings {
            placement, hooks, ..
        } = &self.shared.settings;
        match placement {
            TokenPlacement::Header => {
                let header = published.header()?;
                request.headers_mut().insert(AUTHORIZATION, header);
            }
            TokenPlacement::Query => {
                published.token.add_to_query(request.url_mut())?;
                // "Clients using the URI Query Parameter method SHOULD also send a Cache-Control
                // header containing the "no-store" option."
                let no_store = HeaderValue::from_static("no-store");
                request
                    .headers_mut()
                    .entry(CACHE_CONTROL)
                    .or_insert(no_store);
            }
            TokenPlacement::Body => {
                let mut body = form_body(request)?.to_vec();
                published.token.add_to_form(&mut body)?;
                let form = HeaderValue::from_static("application/x-www-form-urlencoded");
                request.headers_mut().entry(CONTENT_TYPE).or_insert(form);
                *request.body_mut() = Some(body.into());
            }
        }
        if hooks.0.iter().any(|hook| hook.protected().is_some()) {
            let headers = std::mem::take(request.headers_mut());
            let (method, url) = (request.method().clone(), request.url().clone());
            let mut protected = ProtectedRequest::new(method, url, headers);
            protected.apply_hooks(&hooks.0)?;
            let (url, headers) = protected.into_parts();
            self.shared.transport.check(&url)?;
            *request.url_mut() = url;
            *request.headers_mut() = headers;
        }
        Ok(())
    }
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

/// Whether the intended server refused the token; a server to which it redirected has not received
/// the token.
fn is_refusal(response: &http::Response, sent_to: &Url) -> bool {
    response.status() == StatusCode::UNAUTHORIZED
        && response.url().origin() == sent_to.origin()
        && is_invalid_token(response.headers())
}
