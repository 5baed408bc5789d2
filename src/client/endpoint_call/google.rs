//! A token by Google's credentials: one step after another.

use std::time::{Duration, Instant};

use super::{
    super::{Led, boxed, maybe_async, run_blocking, sleep},
    ATTEMPTS, EndpointCall, FIRST_WAIT, LONGEST_WAIT, Repetition,
};
use crate::{
    error::{Error, Result},
    oauth2::{
        provider::google::{
            ApplicationDefault,
            journal::{CredentialStep, Journal, Outgoing, Pause},
        },
        token::Token,
    },
    random, trace,
};

/// Credentials whose token takes several steps. Clients lead to the steps through this alone, so that
/// a program without such credentials does not contain them.
pub(in super::super) trait TokenInSteps: Send + Sync {
    fn token<'a>(&'a self, call: &'a EndpointCall<'_>, started: Instant) -> Led<'a, Result<Token>>;
}

impl TokenInSteps for ApplicationDefault {
    fn token<'a>(&'a self, call: &'a EndpointCall<'_>, started: Instant) -> Led<'a, Result<Token>> {
        boxed(call.token_by_steps(self, started))
    }
}

#[maybe_async]
impl EndpointCall<'_> {
    /// The token, again from the first step if it was certainly not issued.
    async fn token_by_steps(&self, google: &ApplicationDefault, started: Instant) -> Result<Token> {
        let timeout = self.shared.settings.timeout;
        let mut attempt = 1;
        loop {
            let error = match self.steps(google, started).await {
                Ok(token) => return Ok(token),
                Err(error) => error,
            };
            if !Repetition::Unavailable.is_certain(&error) || attempt == ATTEMPTS {
                return Err(error);
            }
            let wait = match error.retry_after() {
                Some(wait) => wait.saturating_add(random::jitter(FIRST_WAIT)?),
                None => random::jitter(FIRST_WAIT * 2_u32.pow(attempt - 1))?,
            };
            if wait > LONGEST_WAIT || started.elapsed() + wait >= timeout {
                return Err(error);
            }
            trace::retrying(&error, wait);
            sleep(wait).await;
            attempt += 1;
        }
    }

    /// All steps, within the timeout.
    async fn steps(&self, google: &ApplicationDefault, started: Instant) -> Result<Token> {
        let settings = &self.shared.settings;
        let mut journal = Journal::default();
        loop {
            let scope = settings.client.scope();
            let step = match google.token(scope, &settings.clock, &mut journal) {
                Ok(token) => return Ok(token),
                Err(Pause::Failed(error)) => return Err(error),
                Err(Pause::Step(step)) => step,
            };
            if self.claim.is_some_and(|claim| !claim.is_leading()) {
                return Err(Error::timed_out("the renewal of the token was abandoned"));
            }
            let left = settings.timeout.saturating_sub(started.elapsed());
            match step {
                CredentialStep::Send(request) => {
                    let response = self.sent(&request, left).await?;
                    journal.answered(request, response);
                }
                CredentialStep::Run(program) => {
                    let output = run_blocking(left, move || program.run()).await;
                    let late = || {
                        Err(Error::timed_out(
                            "the program of the credential file timed out",
                        ))
                    };
                    journal.ran(output.unwrap_or_else(late)?);
                }
            }
        }
    }

    async fn sent(
        &self,
        request: &Outgoing,
        left: Duration,
    ) -> Result<crate::oauth2::response::EndpointResponse> {
        let transport = &self.shared.transport;
        match request {
            Outgoing::Endpoint(request) => {
                let response = transport.ask(request, left).await;
                response.map_err(|error| error.of_call(&request.call()))
            }
            Outgoing::Plain(request) => {
                let response = transport.ask_service(request, left).await;
                response.map_err(|error| {
                    let advice = request.advice.filter(|_| error.is_unsent());
                    error.of_call(&request.call()).advised(advice)
                })
            }
        }
    }
}
