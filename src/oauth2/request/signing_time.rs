//! Times in what is signed for a server.

use std::time::Duration;

use super::EndpointRequest;
use crate::clock::ClockOffset;

impl EndpointRequest {
    /// The same request with times, in what is signed, by the clock of the server.
    pub(crate) fn with_clock_offset(mut self, clock_offset: ClockOffset) -> Self {
        self.clock_offset = clock_offset;
        self
    }

    /// The time in what is signed for the server.
    pub(crate) fn signing_time(&self) -> Duration {
        self.clock_offset.at_server(self.clock.unix())
    }
}
