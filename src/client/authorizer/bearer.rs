//! Requests with the client's token, renewed once if a server refuses it.
//!
//! [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)

use std::sync::Arc;

use reqwest::{
    Method, StatusCode, Url,
    header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};

use super::super::{
    boxed, execute, http, maybe_async,
    session::{Live, Session},
    settings::Settings,
    waiting::Deadline,
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

/// First try to send a request; with what a second one needs, if there may be one.
pub(in super::super) struct FirstTry(Option<Box<Kept>>);

/// Request without a token, to be sent again.
struct Kept {
    session: Session,
    request: http::Request,
    /// The end of the waits for it, if it has a timeout of its own.
    deadline: Option<Deadline>,
    /// The token that it was sent with.
    token: Arc<Published>,
}

/// Refusal of a token, and the request that can be sent again.
pub(in super::super) struct Refusal {
    response: http::Response,
    kept: Box<Kept>,
}

impl FirstTry {
    /// Adds the token to the request, if there is one that need not be renewed; otherwise returns the
    /// session.
    pub(super) fn new(
        session: Session,
        live: &Live,
        request: &mut http::Request,
    ) -> Result<Result<Self, Session>> {
        live.check(request)?;
        let Some((token, is_renewable)) = live.fresh_or_renewable() else {
            return Ok(Err(session));
        };
        let deadline = request.timeout().copied().map(Deadline::after);
        Self::with(session, live, request, token, is_renewable, deadline).map(Ok)
    }

    fn with(
        session: Session,
        live: &Live,
        request: &mut http::Request,
        token: Arc<Published>,
        is_renewable: bool,
        deadline: Option<Deadline>,
    ) -> Result<Self> {
        let copy = match is_renewable {
            true => copy(request),
            false => None,
        };
        live.place(request, &token)?;
        let kept = |request| {
            Box::new(Kept {
                session,
                request,
                deadline,
                token,
            })
        };
        Ok(Self(copy.map(kept)))
    }

    /// The response, unless it refuses the token of a request that can be sent again.
    pub(in super::super) fn accept(
        self,
        response: http::Response,
    ) -> Result<http::Response, Box<Refusal>> {
        match self.0 {
            Some(kept) if is_refusal(&response, kept.request.url()) => {
                Err(Box::new(Refusal { response, kept }))
            }
            _ => Ok(response),
        }
    }
}

#[maybe_async]
impl Refusal {
    /// Sends the request again with another token than the refused one; returns the first response
    /// if there is none.
    pub(in super::super) async fn repeat(self) -> Result<http::Response> {
        let Kept {
            session,
            mut request,
            deadline,
            token,
        } = *self.kept;
        let Ok(live) = session.live() else {
            return Ok(self.response);
        };
        let deadline = deadline.unwrap_or_else(|| live.deadline());
        let renewed = session.obtain(Need::Other(token.clone()), deadline).await;
        let token = match renewed {
            Ok(obtained) if obtained.published.is_same(&token) => return Ok(self.response),
            Ok(obtained) => obtained.for_request(),
            Err(error) => {
                trace::unauthorized(live.shared.settings.name(), &error);
                return Ok(self.response);
            }
        };
        drop(self.response);
        let url = request.url().clone();
        limit(&mut request, deadline);
        live.place(&mut request, &token)?;
        let connections = live.shared.transport.resources(&mut request)?;
        let response = execute(connections, request).await?;
        // If a new token did not help, the token was not the reason: no renewal for each of the
        // 401s that will follow.
        live.slot
            .note_refusal(is_refusal(&response, &url), &token, live.shared.now());
        Ok(response)
    }
}

#[maybe_async]
impl Session {
    /// Sends a request with a token that is obtained first.
    pub(in super::super) async fn send_late(
        self,
        live: Live,
        mut request: http::Request,
    ) -> Result<http::Response> {
        let own = request.timeout().copied().map(Deadline::after);
        let token = live.obtain_for(&self, &mut request, own).await?;
        let is_renewable = live.can_renew();
        let first = FirstTry::with(self, &live, &mut request, token, is_renewable, own)?;
        let connections = live.shared.transport.resources(&mut request)?;
        let response = execute(connections, request).await?;
        match first.accept(response) {
            Ok(response) => Ok(response),
            Err(refusal) => (*refusal).repeat().await,
        }
    }

    pub(in super::super) async fn authorize(&self, request: &mut http::Request) -> Result<()> {
        let live = self.live()?;
        live.check(request)?;
        let token = match live.fresh() {
            Some(token) => token,
            None => {
                let own = request.timeout().copied().map(Deadline::after);
                boxed(live.obtain_for(self, request, own)).await?
            }
        };
        live.place(request, &token)
    }

    pub(in super::super) async fn authorization_header(&self) -> Result<HeaderValue> {
        self.usable().await?.for_request().header()
    }
}

#[maybe_async]
impl Live {
    /// A token for the request, which waits for it no longer than its own timeout.
    async fn obtain_for(
        &self,
        session: &Session,
        request: &mut http::Request,
        own: Option<Deadline>,
    ) -> Result<Arc<Published>> {
        let deadline = own.unwrap_or_else(|| self.deadline());
        let obtained = session.obtain(Need::Usable, deadline).await?;
        limit(request, deadline);
        Ok(obtained.for_request())
    }
}

impl Live {
    /// Whether the request may be given a token.
    fn check(&self, request: &http::Request) -> Result<()> {
        if request.headers().contains_key(AUTHORIZATION) {
            return Err(Error::usage(
                "the request has an Authorization header, or a user name in its URL, already; \
                 take it out, or call withhold_token",
            ));
        }
        self.shared.transport.check(request.url())
    }
}

/// The wait for the token is part of the request's own timeout, if it has one.
fn limit(request: &mut http::Request, deadline: Deadline) {
    if request.timeout().is_some() {
        *request.timeout_mut() = Some(deadline.left());
    }
}

/// A copy of the request, unless its body is a stream.
///
/// `try_clone` makes a place for a timeout in each copy, which costs more than all the rest.
fn copy(request: &http::Request) -> Option<http::Request> {
    if request.body().is_some() || request.timeout().is_some() {
        return request.try_clone();
    }
    let mut copy = http::Request::new(request.method().clone(), request.url().clone());
    if !request.headers().is_empty() {
        copy.headers_mut().clone_from(request.headers());
    }
    *copy.version_mut() = request.version();
    Some(copy)
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
