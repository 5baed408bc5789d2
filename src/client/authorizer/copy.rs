//! Copies of requests, for another attempt.

use std::time::Duration;

use reqwest::{Method, Url, Version, header::HeaderMap};

use super::super::http;
use crate::lifecycle::published::Published;

/// Request as it is kept to be sent again.
pub(super) enum RequestCopy {
    /// Without a body and a timeout: its parts alone, as most of a request is room for others.
    Plain {
        method: Method,
        url: Url,
        headers: Option<Box<HeaderMap>>,
        version: Version,
    },
    Whole(Box<http::Request>),
}

impl RequestCopy {
    /// A copy of the request, unless its body is a stream.
    ///
    /// `try_clone` makes a place for a timeout in each copy, which costs more than all the rest.
    #[inline]
    pub(super) fn of(request: &http::Request) -> Option<Self> {
        if request.body().is_some() || request.timeout().is_some() {
            return Self::whole(request);
        }
        let headers = request.headers();
        Some(Self::Plain {
            method: request.method().clone(),
            url: request.url().clone(),
            headers: (!headers.is_empty()).then(|| Box::new(headers.clone())),
            version: request.version(),
        })
    }

    /// The same for the response that may lead to another attempt, if there may be one.
    #[inline]
    pub(super) fn for_token(
        request: &http::Request,
        token: &Published,
        is_renewable: bool,
    ) -> Option<Self> {
        match is_renewable || token.bound().is_some() {
            true => Self::of(request),
            false => None,
        }
    }

    #[cold]
    fn whole(request: &http::Request) -> Option<Self> {
        request.try_clone().map(Box::new).map(Self::Whole)
    }

    pub(super) fn url(&self) -> &Url {
        match self {
            Self::Plain { url, .. } => url,
            Self::Whole(request) => request.url(),
        }
    }

    pub(super) fn timeout(&self) -> Option<Duration> {
        match self {
            Self::Plain { .. } => None,
            Self::Whole(request) => request.timeout().copied(),
        }
    }

    /// The request, to be sent.
    pub(super) fn request(&self) -> Option<http::Request> {
        match self {
            Self::Plain {
                method,
                url,
                headers,
                version,
            } => {
                let mut request = http::Request::new(method.clone(), url.clone());
                if let Some(headers) = headers {
                    request.headers_mut().clone_from(headers);
                }
                *request.version_mut() = *version;
                Some(request)
            }
            Self::Whole(request) => request.try_clone(),
        }
    }
}

impl From<http::Request> for RequestCopy {
    fn from(request: http::Request) -> Self {
        Self::Whole(Box::new(request))
    }
}
