//! Registrations that the server does not know any longer.

use std::sync::atomic::Ordering;

use reqwest::StatusCode;

use super::{super::maybe_async, EndpointCall};
use crate::error::{Error, ErrorCode, Result};

impl EndpointCall<'_> {
    /// Notes a refusal of the client itself. An error of what completes a request is none: it may be
    /// about another client.
    pub(super) fn note_refusal(&self, error: &Error) {
        if is_unknown_client(error) {
            self.is_refused.store(true, Ordering::Relaxed);
        }
    }
}

#[maybe_async]
impl EndpointCall<'_> {
    /// The outcome of a call for which the client has authenticated. A registration that the server
    /// does not know any longer is dropped.
    pub(super) async fn of_registered<T: Send>(&self, outcome: Result<T>) -> Result<T> {
        let settings = &self.shared.settings;
        let registered = settings.registered.as_deref();
        let Some((registered, calls)) = registered.zip(settings.registrations) else {
            return outcome;
        };
        match outcome {
            Ok(answer) => {
                if let Some(anew) = &settings.reregistration {
                    anew.note_acceptance(registered.client_id());
                }
                Ok(answer)
            }
            Err(error) if self.is_refused.load(Ordering::Relaxed) => {
                if let Some(anew) = &settings.reregistration {
                    anew.note_refusal(registered.client_id());
                }
                let dropped = calls.forget(self.shared, registered).await;
                let advice = match dropped {
                    Ok(true) => {
                        "the registration was dropped from token_store; register the client anew"
                    }
                    _ => "the server may have dropped the client; register it anew",
                };
                Err(error.advised(Some(advice)))
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether the server does not know the client any longer, or not its secret.
fn is_unknown_client(error: &Error) -> bool {
    let status = error.status();
    error.code() == Some(&ErrorCode::InvalidClient)
        && matches!(
            status,
            Some(StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED)
        )
}
