//! One exchange with an endpoint of the server: a request, its response, and another attempt if the
//! first was certainly not processed.

mod clock;
pub(super) mod completion;
pub(super) mod google;
pub(super) mod proof;
mod push;
mod registration;

use std::{
    sync::{Mutex, PoisonError, atomic::AtomicBool},
    time::{Duration, Instant},
};

use reqwest::StatusCode;

use super::{boxed, in_span, maybe_async, settings::Identity, shared::Shared, sleep};
use crate::{
    error::{Error, ErrorKind, Result},
    lifecycle::{single_flight::Claim, slot::Slot},
    oauth2::{
        assertion::expired,
        endpoint::{
            device_authorization::{
                polling::named_interval, request::DeviceAuthorizationRequest,
                response::DeviceAuthorization,
            },
            introspection::TokenTypeHint,
            introspection_jwt::IntrospectionResponse,
        },
        grant::{Grant, device_code::DeviceCode},
        request::EndpointRequest,
        response::EndpointResponse,
        token::Token,
    },
    random,
    secret::Secret,
    trace,
};
use proof::{demanded_nonce, without_nonce};

/// Limit of attempts within one call.
const ATTEMPTS: u32 = 3;
/// The wait before the second attempt, which doubles.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Longest `Retry-After` that is waited for within a call.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Cases in which a request may be sent again within one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repetition {
    /// None: the caller polls, and repeats the request itself.
    ByCaller,
    /// Nothing was sent: a code is valid for one request.
    Unsent,
    /// Or the server was too busy for it: a refresh token may be valid for one request, and a proxy
    /// may answer 503 after the server has processed it.
    Refused,
    /// Or the server or a proxy could not process it: nothing is lost by another one.
    Unavailable,
}

impl Repetition {
    fn of(grant: &dyn Grant) -> Self {
        match grant {
            grant if grant.single_use() => Self::Unsent,
            grant if grant.replayable() => Self::Unavailable,
            _ => Self::Refused,
        }
    }

    /// Whether the request was certainly not processed.
    fn is_certain(self, error: &Error) -> bool {
        let is_busy = error.status() == Some(StatusCode::TOO_MANY_REQUESTS);
        match self {
            Self::ByCaller => false,
            Self::Unsent => error.is_unsent(),
            Self::Refused => error.is_unsent() || is_busy,
            Self::Unavailable => error.is_transient() && !error.outcome_unknown(),
        }
    }

    /// Whether a request may be sent again after the server has refused what the client has signed:
    /// a code is sent once in any case.
    fn is_harmless(self) -> bool {
        self != Self::Unsent
    }

    /// Marks the outcome of this kind of request as unknown, where it is.
    fn classify(self, error: Error) -> Error {
        match error.status() {
            Some(StatusCode::SERVICE_UNAVAILABLE)
                if matches!(self, Self::Unsent | Self::Refused) =>
            {
                error.ambiguous()
            }
            _ => error,
        }
    }
}

/// Call of one of the server's endpoints.
pub(in super::super) struct EndpointCall<'a> {
    shared: &'a Shared,
    /// The slot that marks the callbacks for which the call waits.
    slot: &'a Slot,
    /// The renewal that the call is a part of.
    claim: Option<&'a Claim>,
    /// Whether the server has refused the client itself.
    is_refused: AtomicBool,
}

impl<'a> EndpointCall<'a> {
    pub(super) fn new(shared: &'a Shared, slot: &'a Slot) -> Self {
        Self {
            shared,
            slot,
            claim: None,
            is_refused: AtomicBool::new(false),
        }
    }

    /// The same for a renewal, which sends nothing once it has been abandoned.
    pub(super) fn for_claim(shared: &'a Shared, claim: &'a Claim) -> Self {
        Self {
            shared,
            slot: &claim.slot,
            claim: Some(claim),
            is_refused: AtomicBool::new(false),
        }
    }

    /// What a response says.
    fn answer<T>(
        &self,
        request: &EndpointRequest,
        response: Result<EndpointResponse>,
        read: impl Fn(&EndpointRequest, EndpointResponse) -> Result<T>,
    ) -> Result<T> {
        let response = response?;
        self.observe(request, response.headers());
        read(request, response)
    }

    /// What is left of `time` for a request, which must not last longer than the renewal may: then
    /// another caller sends the same refresh token.
    fn left(&self, time: Duration) -> Duration {
        match self.claim {
            Some(claim) => time.min(claim.left(self.shared.settings.clock.monotonic())),
            None => time,
        }
    }
}

#[maybe_async]
impl EndpointCall<'_> {
    /// A token by `grant`, and for logs, the reason to request it.
    pub(super) async fn request_token(
        &self,
        grant: &dyn Grant,
        reason: &'static str,
    ) -> Result<Token> {
        let settings = &self.shared.settings;
        let (client, server) = (settings.name(), || self.shared.server());
        let span = trace::token_request(client, grant.grant_type(), server, reason);
        let token = in_span(&span, || self.token_by(grant)).await;
        span.end(token.as_ref());
        token
    }

    async fn token_by(&self, grant: &dyn Grant) -> Result<Token> {
        let settings = &self.shared.settings;
        settings.check_grant(grant)?;
        let started = Instant::now();
        if let Some(google) = &settings.google {
            return google.token(self, started).await;
        }
        let endpoint = self.shared.token_endpoint().await?;
        let token = self
            .exchange(
                started,
                Repetition::of(grant),
                || settings.permitted(endpoint.request(grant)?),
                |request, response| {
                    let (token, left_out) = endpoint.read(request, response)?;
                    let token = settings.bind(token);
                    trace::members_left_out(&left_out);
                    Ok(token)
                },
            )
            .await;
        match &settings.identity {
            Identity::Issuer(_) => token.map_err(Error::unattended),
            Identity::Client => self.of_registered(token).await,
        }
    }

    /// A code for the user to enter on another device.
    pub(super) async fn authorize_device(
        &self,
        asked: &DeviceAuthorizationRequest,
    ) -> Result<DeviceAuthorization> {
        let settings = &self.shared.settings;
        let started = Instant::now();
        let server = self.shared.fetch_server(settings.timeout).await?;
        let endpoint = settings.device_authorization_endpoint(&server)?;
        let device = self
            .exchange(
                started,
                Repetition::Unavailable,
                || endpoint.request(asked),
                |request, response| endpoint.read_response(request, response),
            )
            .await;
        self.of_registered(device).await
    }

    /// One poll for a device code: the token or the error, and the interval that the response names.
    pub(super) async fn poll(&self, grant: &DeviceCode) -> (Result<Token>, Option<Duration>) {
        // It comes with errors.
        let interval = Mutex::new(None);
        let token = self.polled_token(grant, &interval).await;
        let token = self.of_registered(token).await;
        let interval = interval.into_inner();
        (token, interval.unwrap_or_else(PoisonError::into_inner))
    }

    async fn polled_token(
        &self,
        grant: &DeviceCode,
        interval: &Mutex<Option<Duration>>,
    ) -> Result<Token> {
        let settings = &self.shared.settings;
        let started = Instant::now();
        let endpoint = self.shared.token_endpoint().await?;
        self.exchange(
            started,
            Repetition::ByCaller,
            || endpoint.request(grant),
            |request, response| {
                let named = named_interval(&response);
                *interval.lock().unwrap_or_else(PoisonError::into_inner) = named;
                let token = endpoint.read_response(request, response)?;
                Ok(settings.bind(token))
            },
        )
        .await
    }

    /// Revokes `token`.
    pub(super) async fn revoke(&self, token: &Secret, hint: Option<&TokenTypeHint>) -> Result<()> {
        let settings = &self.shared.settings;
        let started = Instant::now();
        let server = self.shared.fetch_server(settings.timeout).await?;
        let endpoint = settings.revocation_endpoint(&server)?;
        let revoked = self
            .exchange(
                started,
                Repetition::Unavailable,
                || endpoint.request(token, hint),
                |request, response| endpoint.read_response(request, response),
            )
            .await;
        trace::revocation(self.shared.settings.name(), revoked.as_ref().err());
        revoked
    }

    /// Introspects `token`.
    pub(super) async fn introspect(
        &self,
        token: &Secret,
        hint: Option<&TokenTypeHint>,
    ) -> Result<IntrospectionResponse> {
        let settings = &self.shared.settings;
        let started = Instant::now();
        let server = self.shared.fetch_server(settings.timeout).await?;
        let endpoint = settings.introspection_endpoint(&server)?;
        self.exchange(
            started,
            Repetition::Unavailable,
            || endpoint.request(token, hint),
            |request, response| endpoint.read(request, &response),
        )
        .await
    }

    /// Calls an endpoint, repeatedly only if the request was certainly not processed, and within
    /// the timeout for all attempts and for what was done before them.
    async fn exchange<T>(
        &self,
        started: Instant,
        repetition: Repetition,
        request: impl Fn() -> Result<EndpointRequest> + Send + Sync,
        read: impl Fn(&EndpointRequest, EndpointResponse) -> Result<T> + Send + Sync,
    ) -> Result<T> {
        let timeout = self.shared.settings.timeout;
        let mut attempt = 1;
        let mut corrects_clock = true;
        let (mut demanded, mut has_resent) = (None, false);
        loop {
            // New each time: an assertion and a proof must not be sent twice.
            let mut request = request()?;
            let left = || self.left(timeout.saturating_sub(started.elapsed()));
            while let Some(outstanding) = request.outstanding() {
                let outstanding = outstanding.clone();
                boxed(self.complete(&mut request, outstanding, left())).await?;
            }
            if self.shared.dpop.is_some() || request.binding().is_some() {
                boxed(self.prove(&mut request, demanded.take(), left())).await?;
            }
            if let Some(claim) = self.claim
                && !claim.is_leading()
            {
                return Err(Error::timed_out("the renewal of the token was abandoned"));
            }
            // A request that nobody waits for would still use up its refresh token or code.
            if left() < timeout / 100 {
                return Err(Error::timed_out("no time was left for the request"));
            }
            let response = self.shared.transport.ask(&request, left()).await;
            let error = match self.answer(&request, response, &read) {
                Ok(answer) => return Ok(answer),
                Err(error) => error.of_call(&request.call()),
            };
            if corrects_clock && self.correct_clock(&request, &error) && repetition.is_harmless() {
                corrects_clock = false;
                continue;
            }
            demanded = demanded_nonce(&request, &error).filter(|_| !has_resent);
            if demanded.is_some() {
                has_resent = true;
                continue;
            }
            self.note_refusal(&error);
            let error = without_nonce(error);
            let error = match error.kind() {
                ErrorKind::Server => error.advised(expired::advice(&request)),
                _ => error,
            };
            if !repetition.is_certain(&error) || attempt == ATTEMPTS {
                return Err(repetition.classify(error));
            }
            let wait = match error.retry_after() {
                // Clients that were refused together do not come back together.
                Some(wait) => wait.saturating_add(random::jitter(FIRST_WAIT)?),
                None => random::jitter(FIRST_WAIT * 2_u32.pow(attempt - 1))?,
            };
            if wait > LONGEST_WAIT || wait >= left() {
                return Err(repetition.classify(error));
            }
            trace::retrying(&error, wait);
            sleep(wait).await;
            attempt += 1;
        }
    }
}
