//! Clocks of servers, where that of the client is wrong.

use std::time::SystemTime;

use reqwest::header::DATE;

use super::EndpointCall;
use crate::{
    clock::since_epoch,
    error::{Error, ErrorCode},
    oauth2::{dpop::proof::DPOP, request::EndpointRequest},
    trace,
};

/// Parameters and headers with a time that the client has signed.
const SIGNED_PARAMETERS: [&str; 3] = ["client_assertion", "assertion", "request"];

impl EndpointCall<'_> {
    /// Takes over the time of the server, if that may be the reason why it refuses what the client
    /// has signed. Returns whether there is another time to sign now.
    ///
    /// "a client should consider using the HTTP date header returned from the server to synchronize
    /// its own clock when generating client assertions."
    ///
    /// [FAPI 2.0 Security Profile section 5.3.3.1](https://openid.net/specs/fapi-security-profile-2_0-final.html#section-5.3.3.1)
    pub(super) fn correct_clock(&self, request: &EndpointRequest, error: &Error) -> bool {
        let settings = &self.shared.settings;
        let has = |name: &&str| request.form().value(name).is_some();
        let may_be_the_time = match error.code() {
            Some(
                ErrorCode::InvalidClient
                | ErrorCode::InvalidRequestObject
                | ErrorCode::InvalidDpopProof,
            ) => SIGNED_PARAMETERS.iter().any(has) || request.headers().contains_key(DPOP),
            // Of an assertion; a refresh token that is refused has nothing to do with the time.
            Some(ErrorCode::InvalidGrant) => has(&"assertion"),
            _ => false,
        };
        if !may_be_the_time || request.has_foreign_assertion() {
            return false;
        }
        let date = error
            .response()
            .and_then(|response| response.headers().get(DATE));
        let date = date.and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        let Some(at_server) = date.map(|date: SystemTime| since_epoch(date)) else {
            return false;
        };
        let corrected = settings
            .clock_offset
            .correct(at_server, settings.clock.unix());
        if let Some(seconds) = corrected {
            trace::clock_corrected(settings.name(), seconds);
        }
        corrected.is_some()
    }
}
