//! Completion of a request by others: signers, functions of the user, platforms, other clients.

use std::{sync::Arc, time::Duration};

use super::{
    super::{
        Assert, FetchAssertion, FetchSubject, Led, boxed, dpop::external_signature, in_callback,
        is_in_callback, maybe_async, run_blocking, with_timeout,
    },
    EndpointCall,
};
use crate::{
    error::{Error, Result},
    oauth2::{
        assertion::expired::expiry,
        grant::id_jag::SecondRequest,
        request::{AssertionSource, EndpointRequest, Outstanding, SourceRead, SubjectKind},
        token::Token,
    },
    secret::Secret,
};

/// What completes requests by callbacks. Each callback of a builder leads to it, so that a program whose
/// clients have none does not contain it.
pub(in super::super::super) trait RequestCompletion: Send + Sync {
    fn complete<'a>(
        &self,
        call: &'a EndpointCall<'_>,
        request: &'a mut EndpointRequest,
        outstanding: Outstanding,
        limit: Duration,
    ) -> Led<'a, Result<()>>;
}

/// Completion by the callbacks of a client.
pub(in super::super::super) struct ByCallbacks;

impl RequestCompletion for ByCallbacks {
    fn complete<'a>(
        &self,
        call: &'a EndpointCall<'_>,
        request: &'a mut EndpointRequest,
        outstanding: Outstanding,
        limit: Duration,
    ) -> Led<'a, Result<()>> {
        boxed(call.complete_by_callback(request, outstanding, limit))
    }
}

#[maybe_async]
impl EndpointCall<'_> {
    /// Completes a request by the user's own code or by its platform, within `limit`.
    pub(super) async fn complete(
        &self,
        request: &mut EndpointRequest,
        outstanding: Outstanding,
        limit: Duration,
    ) -> Result<()> {
        if is_in_callback(self.slot.completing()) {
            return Err(Error::reentrant("a request that needs the callback"));
        }
        if let Outstanding::Source(_, source) = outstanding {
            return request.assert(self.read_source(source, limit).await?);
        }
        match self.shared.settings.completion {
            Some(completion) => completion.complete(self, request, outstanding, limit).await,
            None => Err(missing(name_of(&outstanding))),
        }
    }

    async fn complete_by_callback(
        &self,
        request: &mut EndpointRequest,
        outstanding: Outstanding,
        limit: Duration,
    ) -> Result<()> {
        let settings = &self.shared.settings;
        let marks = [self.slot.id(), self.slot.completing()];
        let name = name_of(&outstanding);
        match outstanding {
            Outstanding::Signature(_, input) => {
                let sign = configured(settings.sign.as_ref(), name)?.clone();
                let message = input.as_bytes().to_vec();
                let signature = external_signature(sign, message, marks, limit).await;
                request.sign(&signature?)
            }
            Outstanding::Assertion(_) => {
                let assert = configured(settings.assert.as_ref(), name)?.clone();
                let assertion = with_timeout(limit, move || assertion(assert, marks)).await;
                request.assert(assertion.unwrap_or_else(|| Err(too_late(ASSERTION)))?)
            }
            Outstanding::ClientAssertion(_) => {
                let make = settings.workload.assert.as_ref();
                let assert = configured(make, name)?.clone();
                let assertion = with_timeout(limit, move || assertion(assert, marks)).await;
                request.assert(assertion.unwrap_or_else(|| Err(too_late(ASSERTION)))?)
            }
            Outstanding::Source(..) => Ok(()),
            Outstanding::Subject(kind) => {
                let subject = settings.workload.subject.as_ref();
                let fetch = configured(subject, name)?.clone();
                let subject = with_timeout(limit, move || subject_of(fetch, kind, marks)).await;
                let token = subject.unwrap_or_else(|| Err(too_late(SUBJECT)))?;
                let (subject, expires_at) = chosen(&token, kind)?;
                request.set_subject(subject, expires_at);
                Ok(())
            }
            Outstanding::IdJag(_) => {
                let identity = settings.workload.identity.as_ref();
                let fetch = configured(identity, name)?.clone();
                let second = SecondRequest::of(request);
                let work = move || identity_assertion(fetch, second, marks);
                let assertion = with_timeout(limit, work).await;
                request.assert(assertion.unwrap_or_else(|| Err(too_late(SUBJECT)))?)
            }
        }
    }
}

#[maybe_async]
impl EndpointCall<'_> {
    /// The assertion of a platform, which is read anew for each attempt.
    async fn read_source(
        &self,
        source: Arc<dyn AssertionSource>,
        limit: Duration,
    ) -> Result<Secret> {
        let reading = source.clone();
        let work = move || {
            let read = reading.read();
            read.map_err(|error| Error::refused_by(SOURCE, error))
        };
        let read = run_blocking(limit, work).await;
        let request = match read.unwrap_or_else(|| Err(too_late(SOURCE)))? {
            SourceRead::Assertion(assertion) => return Ok(assertion),
            SourceRead::Request(request) => request,
        };
        let transport = &self.shared.transport;
        transport.trust_platform(request.url());
        let response = transport.ask(&request, limit).await;
        let response = response.map_err(|error| error.of_call(&request.call()))?;
        source.read_response(&request, &response)
    }
}

/// The token of this kind that the other client has, and its own expiry.
fn chosen(token: &Token, kind: SubjectKind) -> Result<(Secret, Option<u64>)> {
    match kind {
        SubjectKind::AccessToken => Ok((token.access_token().clone(), token.expires_at_unix())),
        SubjectKind::IdToken => {
            let id_token = token.id_token().ok_or_else(|| {
                Error::usage(
                    "the client that the token is exchanged from has no ID token; ask for the \
                     scope openid when its user logs in",
                )
            })?;
            Ok((id_token.clone(), expiry(id_token.expose_secret())))
        }
    }
}

#[maybe_async]
async fn subject_of(fetch: FetchSubject, kind: SubjectKind, marks: [usize; 2]) -> Result<Token> {
    let token = in_callback(&marks, move || fetch(kind)).await;
    token.map_err(|error| Error::refused_by(SUBJECT, error))
}

#[maybe_async]
async fn identity_assertion(
    fetch: FetchAssertion,
    second: SecondRequest,
    marks: [usize; 2],
) -> Result<Secret> {
    let assertion = in_callback(&marks, move || fetch(second)).await;
    assertion.map_err(|error| Error::refused_by(SUBJECT, error))
}

#[maybe_async]
async fn assertion(assert: Assert, marks: [usize; 2]) -> Result<Secret> {
    let assertion = in_callback(&marks, move || assert()).await;
    assertion.map_err(|error| Error::failed_in(ASSERTION, error))
}

const ASSERTION: &str = "the function that makes the assertion";
const SOURCE: &str = "the source of the assertion";
const SUBJECT: &str = "the client that the token is exchanged from";

fn too_late(what: &'static str) -> Error {
    Error::failed_in(what, "it timed out".into())
}

pub(super) fn configured<'a, T>(callback: Option<&'a T>, name: &str) -> Result<&'a T> {
    callback.ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Error {
    Error::usage(format!("there is no {name}; set it on the builder"))
}

/// The setting that completes it.
fn name_of(outstanding: &Outstanding) -> &'static str {
    match outstanding {
        Outstanding::Signature(..) => "signer",
        Outstanding::Assertion(_) => "assertion",
        Outstanding::ClientAssertion(_) => "client_assertion",
        Outstanding::Source(..) => "source of an assertion",
        Outstanding::Subject(_) => "exchanged_from",
        Outstanding::IdJag(_) => "id_jag_from",
    }
}
