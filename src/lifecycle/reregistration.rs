//! State of a registration that may be replaced while the client runs: once for all callers that find
//! it to be of no use.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::pacing::Pacing;
use crate::{
    clock::Clock,
    error::{Error, Result},
    oauth2::endpoint::registration::request::RegistrationRequest,
    signal::Signal,
};

/// What a client that registers itself needs to do so again.
pub(crate) struct Reregistration {
    /// None of a client for a resource, whose metadata are read again.
    pub(crate) request: Option<RegistrationRequest>,
    /// Whether the client authentication is that of the registration.
    pub(crate) follows_method: bool,
    /// Whether a login without a callback is a reason.
    pub(crate) without_callback: bool,
    progress: Mutex<RegistrationProgress>,
}

#[derive(Default)]
struct RegistrationProgress {
    /// The client that the server does not know any longer.
    refused: Option<String>,
    /// The client that was registered in this process and was accepted nowhere yet: another one would
    /// fare no better.
    unproven: Option<String>,
    running: Option<Arc<Signal<Result<()>>>>,
    pacing: Pacing,
}

/// Step of a caller whose registration is of no use.
pub(crate) enum RegistrationStep {
    Fail(Error),
    Wait(Arc<Signal<Result<()>>>),
    Lead(RegistrationClaim),
}

/// Right to register the client. When it is dropped, in whatever way, no caller waits any longer.
pub(crate) struct RegistrationClaim {
    anew: Arc<Reregistration>,
    ended: Arc<Signal<Result<()>>>,
    clock: Clock,
}

impl Reregistration {
    pub(crate) fn new(
        request: Option<RegistrationRequest>,
        follows_method: bool,
        without_callback: bool,
    ) -> Self {
        Self {
            request,
            follows_method,
            without_callback,
            progress: Mutex::default(),
        }
    }

    /// Notes that the server has refused the client itself.
    pub(crate) fn note_refusal(&self, client_id: &str) {
        self.lock().refused = Some(client_id.to_owned());
    }

    /// Notes that the calling code wants another registration, however new this one is.
    pub(crate) fn note_forgotten(&self, client_id: &str) {
        let mut progress = self.lock();
        progress.refused = Some(client_id.to_owned());
        progress
            .unproven
            .take_if(|unproven| *unproven == *client_id);
    }

    /// Notes that the client was registered a moment ago; perhaps at another server, under the
    /// identifier that it had before.
    pub(crate) fn note_registration(&self, client_id: &str) {
        let mut progress = self.lock();
        progress.refused.take_if(|refused| *refused == *client_id);
        progress.unproven = Some(client_id.to_owned());
    }

    /// Notes that the server knows the client.
    pub(crate) fn note_acceptance(&self, client_id: &str) {
        let mut progress = self.lock();
        progress.refused.take_if(|refused| *refused == *client_id);
        progress
            .unproven
            .take_if(|unproven| *unproven == *client_id);
    }

    /// Whether the registration may be replaced.
    pub(crate) fn may_replace(&self, client_id: &str) -> bool {
        self.lock().unproven.as_deref() != Some(client_id)
    }

    pub(crate) fn is_refused(&self, client_id: &str) -> bool {
        self.lock().refused.as_deref() == Some(client_id)
    }

    pub(crate) fn next(self: &Arc<Self>, clock: &Clock) -> RegistrationStep {
        let mut progress = self.lock();
        if let Some(running) = &progress.running {
            return RegistrationStep::Wait(running.clone());
        }
        if let Some(error) = progress.pacing.error(clock.monotonic()) {
            return RegistrationStep::Fail(error);
        }
        let ended = Arc::<Signal<Result<()>>>::default();
        progress.running = Some(ended.clone());
        RegistrationStep::Lead(RegistrationClaim {
            anew: self.clone(),
            ended,
            clock: clock.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, RegistrationProgress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RegistrationClaim {
    pub(crate) fn finish(&self, outcome: Result<()>) -> Result<()> {
        let now = self.clock.monotonic();
        let mut progress = self.anew.lock();
        let own = progress
            .running
            .take_if(|running| Arc::ptr_eq(running, &self.ended));
        if own.is_some() {
            match &outcome {
                Ok(()) => progress.pacing = Pacing::default(),
                Err(error) => progress.pacing.fail(now, error.clone()),
            }
        }
        drop(progress);
        self.ended.set(outcome.clone());
        outcome
    }
}

impl Drop for RegistrationClaim {
    fn drop(&mut self) {
        // Nothing, if it has ended.
        let _ = self.finish(Err(Error::interrupted(
            "the registration of the client was interrupted",
        )));
    }
}
