//! Renewal of token credentials: one for all tasks and threads that request it.

use std::sync::{Arc, Weak};

use super::shared::OpenSession;
use crate::{
    error::{Error, Result},
    oauth1::TokenCredentials,
    secret::Secret,
    signal::Signal,
};

type RenewalOutcome = Result<Arc<TokenCredentials>>;

/// A renewal, as long as it is under way.
#[derive(Default)]
pub(super) struct CredentialsRenewal {
    old: Weak<TokenCredentials>,
    outcome: Weak<Signal<RenewalOutcome>>,
}

/// Part of a caller.
pub(super) enum RenewalRole {
    /// To send the request, for all others too.
    Lead(RenewalLeader),
    /// To wait for the outcome.
    Follow(Arc<Signal<RenewalOutcome>>),
}

/// The caller that sends the request. Dropped without an outcome, it gives the others an error.
pub(super) struct RenewalLeader {
    pub(super) live: OpenSession,
    pub(super) old: Arc<TokenCredentials>,
    pub(super) session_handle: Secret,
    outcome: Arc<Signal<RenewalOutcome>>,
}

impl CredentialsRenewal {
    /// Joins the renewal of `old`, or begins one.
    pub(super) fn join(
        &mut self,
        live: OpenSession,
        old: Arc<TokenCredentials>,
    ) -> Result<RenewalRole> {
        if self.old.as_ptr() == Arc::as_ptr(&old)
            && let Some(outcome) = self.outcome.upgrade()
            && !outcome.is_set()
        {
            return Ok(RenewalRole::Follow(outcome));
        }
        let Some(session_handle) = old.session_handle().cloned() else {
            return Err(Error::token(
                "the token credentials have no oauth_session_handle, without which they cannot be \
                 renewed",
            ));
        };
        let outcome = Arc::new(Signal::default());
        *self = Self {
            old: Arc::downgrade(&old),
            outcome: Arc::downgrade(&outcome),
        };
        Ok(RenewalRole::Lead(RenewalLeader {
            live,
            old,
            session_handle,
            outcome,
        }))
    }
}

impl RenewalLeader {
    /// Gives the outcome to all that wait, and returns it.
    pub(super) fn finish(self, outcome: RenewalOutcome) -> RenewalOutcome {
        self.outcome.set(outcome.clone());
        outcome
    }
}

impl Drop for RenewalLeader {
    fn drop(&mut self) {
        // It keeps the first value.
        let interrupted = Error::interrupted("the renewal of the token credentials broke off");
        self.outcome.set(Err(interrupted));
    }
}
