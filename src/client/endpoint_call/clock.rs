//! Clocks of servers, where that of the client is wrong.

use super::EndpointCall;
use crate::{error::Error, oauth2::request::EndpointRequest, trace};

impl EndpointCall<'_> {
    /// Takes over the time of the server, if that may be the reason why it refuses what the client
    /// has signed. Returns whether there is another time to sign now.
    pub(super) fn correct_clock(&self, request: &EndpointRequest, error: &Error) -> bool {
        let settings = &self.shared.settings;
        let Some(at_server) = request.time_of_refusal(error) else {
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
