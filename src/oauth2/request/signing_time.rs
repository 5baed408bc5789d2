//! Times in what is signed for a server.

use std::time::Duration;

use http::header::DATE;

use super::EndpointRequest;
use crate::{
    clock::{ClockOffset, since_epoch},
    error::{Error, ErrorCode},
    oauth2::dpop::proof::DPOP,
};

/// Parameters with a time that the client has signed.
const SIGNED_PARAMETERS: [&str; 3] = ["client_assertion", "assertion", "request"];

impl EndpointRequest {
    /// The same request with times, in what is signed, by the clock of the server.
    pub(crate) fn with_clock_offset(mut self, clock_offset: ClockOffset) -> Self {
        self.clock_offset = clock_offset;
        self
    }

    /// The time of the server, if the client's own may be the reason why the server refuses what
    /// was signed.
    ///
    /// "a client should consider using the HTTP date header returned from the server to synchronize
    /// its own clock when generating client assertions."
    ///
    /// [FAPI 2.0 Security Profile section 5.3.3.1](https://openid.net/specs/fapi-security-profile-2_0-final.html#section-5.3.3.1)
    pub(crate) fn time_of_refusal(&self, error: &Error) -> Option<Duration> {
        let has = |name: &&str| self.form().value(name).is_some();
        let may_be_the_time = match error.code() {
            Some(
                ErrorCode::InvalidClient
                | ErrorCode::InvalidRequestObject
                | ErrorCode::InvalidDpopProof,
            ) => SIGNED_PARAMETERS.iter().any(has) || self.headers().contains_key(DPOP),
            // Of an assertion; a refresh token that is refused has nothing to do with the time.
            Some(ErrorCode::InvalidGrant) => has(&"assertion"),
            _ => false,
        };
        if !may_be_the_time || self.has_foreign_assertion() {
            return None;
        }
        let date = error.response()?.headers().get(DATE)?.to_str().ok()?;
        httpdate::parse_http_date(date).ok().map(since_epoch)
    }

    /// The time in what is signed for the server.
    pub(crate) fn signing_time(&self) -> Duration {
        self.clock_offset.at_server(self.clock.unix())
    }
}
