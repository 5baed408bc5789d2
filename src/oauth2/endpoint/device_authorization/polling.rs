//! Polls of the token endpoint: when, and what their responses mean.
//!
//! [RFC 8628 section 3.5](https://www.rfc-editor.org/rfc/rfc8628#section-3.5)

use std::time::Duration;

use http::StatusCode;

use super::response::DeviceAuthorization;
use crate::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    json::number::number,
    oauth2::{
        endpoint::token::TokenEndpoint, request::EndpointRequest, response::EndpointResponse,
        scope::missing_scope, token::Token,
    },
};

/// "[...] polling should continue, but the interval MUST be increased by 5 seconds for this and all
/// subsequent requests."
const SLOWER_BY: Duration = Duration::from_secs(5);

/// Longest wait after failures, unless the interval itself is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

const EXPIRED: &str =
    "the device code has expired before the user has decided; begin again with a new one";

/// Meaning of the response to a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Pending,
    TooFast,
    /// The user has refused, under whatever name.
    Refused,
    /// The code has expired by the server's clock.
    Expired,
    /// No answer, or none of the server's own: the device code is as good as before.
    Unanswered,
    /// Anything else ends the polling.
    Ended,
}

/// Error codes and their meaning, with the provider for those that are not in RFC 8628.
const MEANINGS: [(&str, Meaning); 5] = [
    ("authorization_pending", Meaning::Pending),
    ("slow_down", Meaning::TooFast),
    ("access_denied", Meaning::Refused),
    ("expired_token", Meaning::Expired),
    // Microsoft Entra ID.
    ("authorization_declined", Meaning::Refused),
];

/// Polling of the token endpoint for a device code: when the next poll is due, until the user has
/// decided or the code has expired.
///
/// The clients of this crate poll by it. For any other HTTP library:
///
/// ```no_run
/// use oauth_twin::{
///     Clock, Error, Token,
///     oauth2::{DeviceAuthorization, DevicePolling, EndpointRequest, EndpointResponse, TokenEndpoint},
/// };
///
/// fn poll(
///     endpoint: &TokenEndpoint,
///     device: &DeviceAuthorization,
///     send: impl Fn(&EndpointRequest) -> Result<EndpointResponse, Error>,
/// ) -> Result<Token, Error> {
///     let clock = Clock::system();
///     let mut polling = DevicePolling::new(device, &clock);
///     loop {
///         let wait = polling.wait(&clock)?;
///         if !wait.is_zero() {
///             std::thread::sleep(wait);
///             continue;
///         }
///         let request = endpoint.request(&device.grant())?;
///         let polled = match send(&request) {
///             Ok(response) => polling.read_response(endpoint, &request, response, &clock)?,
///             Err(_no_connection) => polling.unanswered(&clock),
///         };
///         if let Some(token) = polled {
///             return Ok(token);
///         }
///     }
/// }
/// ```
///
/// [RFC 8628 section 3.5](https://www.rfc-editor.org/rfc/rfc8628#section-3.5)
#[derive(Clone, Debug)]
pub struct DevicePolling {
    interval: Duration,
    /// Number of consecutive polls without a response.
    failures: u32,
    /// The time of the next poll and that of the expiry, by the monotonic clock.
    due: Duration,
    deadline: Duration,
    /// Whether no scope was asked for.
    is_unscoped: bool,
}

impl DevicePolling {
    /// Begins to poll: the first time after one interval.
    pub fn new(device: &DeviceAuthorization, clock: &Clock) -> Self {
        let now = clock.monotonic();
        let interval = device.interval();
        Self {
            interval,
            failures: 0,
            due: now.saturating_add(interval),
            deadline: now.saturating_add(device.left(clock.now())),
            is_unscoped: device.is_unscoped(),
        }
    }

    /// The time until the next poll is due; zero if it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Login`] once the code has expired, whatever the server says.
    pub fn wait(&self, clock: &Clock) -> Result<Duration> {
        let now = clock.monotonic();
        if now >= self.deadline {
            return Err(Error::login(EXPIRED));
        }
        Ok(self.due.min(self.deadline).saturating_sub(now))
    }

    /// Reads the response to a poll: the token, or none if the polling goes on.
    ///
    /// # Errors
    ///
    /// The server's own error, if it ends the polling, or an error about an invalid response.
    /// [`ErrorKind::Login`] if the server says that the code has expired.
    pub fn read_response(
        &mut self,
        endpoint: &TokenEndpoint,
        request: &EndpointRequest,
        response: EndpointResponse,
        clock: &Clock,
    ) -> Result<Option<Token>> {
        let interval = named_interval(&response);
        let polled = endpoint.read_response(request, response);
        self.after(polled, interval, clock.monotonic())
    }

    /// Notes a poll without a response, such as one that timed out. The next one comes later; no
    /// token is returned.
    pub fn unanswered(&mut self, clock: &Clock) -> Option<Token> {
        self.go_on(Meaning::Unanswered, None, clock.monotonic());
        None
    }

    /// The outcome of a poll, with the interval that its response named: the token, none if the
    /// polling goes on, or the error that ends it.
    pub(crate) fn after(
        &mut self,
        polled: Result<Token>,
        interval: Option<Duration>,
        now: Duration,
    ) -> Result<Option<Token>> {
        let error = match polled {
            Ok(token) => return Ok(Some(token)),
            Err(error) => error,
        };
        match meaning(&error) {
            Meaning::Ended => return Err(self.with_advice(error)),
            Meaning::Refused => return Err(self.with_advice(refused(error))),
            Meaning::Expired => return Err(Error::login_refused(EXPIRED, error)),
            meaning => self.go_on(meaning, interval, now),
        }
        let pause = error.retry_after().unwrap_or_default();
        self.due = self.due.max(now.saturating_add(pause));
        Ok(None)
    }

    /// The error that ends the polling, with advice if no scope was asked for.
    fn with_advice(&self, error: Error) -> Error {
        let code = error.code().filter(|_| self.is_unscoped);
        let hint = code.and_then(missing_scope);
        error.hinted(hint)
    }

    fn go_on(&mut self, meaning: Meaning, named: Option<Duration>, now: Duration) {
        match meaning {
            Meaning::Unanswered => self.failures += 1,
            _ => self.failures = 0,
        }
        if meaning == Meaning::TooFast {
            // GitHub names the new interval.
            let slower = self.interval.saturating_add(SLOWER_BY);
            self.interval = slower.max(named.unwrap_or_default());
        }
        let doubled = self.interval.saturating_mul(1 << self.failures.min(16));
        let wait = doubled.min(LONGEST_WAIT.max(self.interval));
        self.due = now.saturating_add(wait);
    }
}

/// The member `interval` of a response to a poll.
pub(crate) fn named_interval(response: &EndpointResponse) -> Option<Duration> {
    let seconds = number(response.json()?.get("interval")?)?;
    Some(Duration::from_secs(seconds as u64))
}

fn meaning(error: &Error) -> Meaning {
    let code = error.code().map(|code| code.as_str());
    let known = MEANINGS.iter().find(|(name, _)| Some(*name) == code);
    match known {
        Some((_, meaning)) => *meaning,
        None => match (error.kind(), error.status()) {
            // Auth0 and Okta answer 429 with any body, and proxies 502 with HTML.
            (_, Some(status)) if is_busy(status) => Meaning::Unanswered,
            (ErrorKind::Transport | ErrorKind::Interrupted, _) if error.is_transient() => {
                Meaning::Unanswered
            }
            _ => Meaning::Ended,
        },
    }
}

fn is_busy(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
        )
}

/// The refusal under the name that the RFC has for it.
fn refused(error: Error) -> Error {
    match error.response().cloned() {
        Some(response) => {
            let [description, uri] =
                [response.description(), response.uri()].map(|text| text.map(str::to_owned));
            let (description, uri) = (description.as_deref(), uri.as_deref());
            Error::refused(response.with_error("access_denied", description, uri))
        }
        None => error,
    }
}

#[cfg(test)]
mod tests;
