//! Login of a user on another device.
//!
//! [RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)

use std::time::Duration;

use super::super::{
    boxed, maybe_async,
    oauth2::{client::OAuth2Client, login::Login},
    run_to_completion,
    session::Live,
    sleep, wait_for,
    waiting::Deadline,
};
use crate::{
    error::{Error, Result},
    oauth2::{
        endpoint::device_authorization::{
            polls::{PollLeader, PollRole},
            request::DeviceAuthorizationRequest,
            response::DeviceAuthorization,
        },
        grant::{authorization_code::ExpectedIdToken, device_code::DeviceCode},
        token::Token,
    },
};

/// Longest sleep, after which a client that was closed is noticed, and a clock that was moved.
const SLICE: Duration = Duration::from_millis(100);

/// A function that is called during the wait for the user, with the time that is left.
pub(in super::super) type Tick<'a> = dyn FnMut(Duration) -> Result<()> + Send + 'a;

/// A poll that has been answered, or was not.
enum Polled {
    /// The polling goes on.
    Pending(PollLeader),
    /// The token or the error for all that wait.
    Ended(Result<Token>),
}

#[maybe_async]
impl OAuth2Client {
    /// Requests a code that the user enters on another device. The client keeps nothing.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/device.md"),
        include_str!("../../../docs/examples/async/device.md")
    )]
    ///
    /// # Errors
    ///
    /// If there is no `device_authorization_endpoint`, or a parameter cannot be sent; or the error
    /// of the server or of the transport.
    ///
    /// [RFC 8628 section 3.1](https://www.rfc-editor.org/rfc/rfc8628#section-3.1)
    pub async fn device_authorization(
        &self,
        request: DeviceAuthorizationRequest,
    ) -> Result<DeviceAuthorization> {
        let live = boxed(self.session.established()).await?;
        let _passage = live.gate().pass()?;
        live.call().authorize_device(&request).await
    }

    /// Waits until the user has decided, and returns the login. The client itself is unchanged.
    ///
    /// It polls as often as the server permits, and goes on after timeouts and while the server is
    /// busy or down, until the code expires. Of several callers with the same code one polls, and
    /// all get the outcome.
    ///
    #[doc = by_mode!(
        "It ends early if the client is closed.",
        "It ends early if the client is closed, and where its future is dropped; another call \
         with the same code then goes on, also if it was dropped in the middle of the poll that \
         brought the token."
    )]
    ///
    /// # Errors
    ///
    /// The error of the server: [`ErrorCode::AccessDenied`](crate::ErrorCode::AccessDenied) if the
    /// user has refused. [`ErrorKind::Login`](crate::ErrorKind::Login) if the code has expired.
    ///
    /// [RFC 8628 section 3.4](https://www.rfc-editor.org/rfc/rfc8628#section-3.4)
    pub async fn complete_device_authorization(
        &self,
        device: DeviceAuthorization,
    ) -> Result<Login> {
        self.await_device(device, &mut |_| Ok(())).await
    }

    /// The same, which calls `tick` with the time that is left, again and again. It ends with an
    /// error of that.
    pub(in super::super) async fn await_device(
        &self,
        device: DeviceAuthorization,
        tick: &mut Tick<'_>,
    ) -> Result<Login> {
        let live = boxed(self.session.discovered()).await?;
        let server = live
            .shared
            .fetch_server(live.shared.settings.timeout)
            .await?;
        let issuers = [device.issuer(), server.issuer()];
        if let [Some(own), Some(other)] = issuers
            && own != other
        {
            return Err(Error::usage(
                "the device authorization was made by another server than that of this client",
            ));
        }
        let mut expected = ExpectedIdToken::default();
        expected.asked.openid = device.is_openid();
        // The keys are there before the code is spent.
        let deadline = Deadline::after(live.shared.settings.timeout);
        live.prepare(&expected, deadline).await?;
        let waiter = live
            .shared
            .device_polls
            .join(&device, &live.shared.settings.clock);
        let mut last_poll = None;
        loop {
            let outcome = match waiter.role() {
                // Where this caller stops waiting, another goes on.
                PollRole::Lead(leader) => Some(self.poll(&live, &device, leader, tick).await?),
                PollRole::Follow(signal) => wait_for(&signal, SLICE).await.flatten(),
            };
            if let Some(outcome) = outcome {
                let login = self.logged_in_on_device(&live, &expected, outcome).await;
                // It is one login, however many wait for it.
                if waiter.take() {
                    live.report_login(&login);
                }
                return login;
            }
            self.session.live()?;
            let settings = &live.shared.settings;
            tick(device.left(settings.clock.now()))?;
            // Also if the caller that polls does not go on. Its last poll may be under way.
            if let Err(expired) = waiter.wait(&settings.clock)
                && last_poll
                    .get_or_insert_with(|| Deadline::after(settings.timeout.saturating_mul(2)))
                    .is_over()
            {
                return Err(expired);
            }
        }
    }

    /// The login with a token, and with its ID token, if one came or has to. It has no `nonce`.
    async fn logged_in_on_device(
        &self,
        live: &Live,
        expected: &ExpectedIdToken,
        outcome: Result<Token>,
    ) -> Result<Login> {
        let token = outcome?;
        live.check_binding(&token)?;
        let (token, id_token) = live.id_token_of(token, expected).await?;
        self.logged_in(token, id_token)
    }

    /// Polls to the end, and returns the outcome for all that wait for it. An error is that of this
    /// caller alone.
    async fn poll(
        &self,
        live: &Live,
        device: &DeviceAuthorization,
        mut leader: PollLeader,
        tick: &mut Tick<'_>,
    ) -> Result<Result<Token>> {
        let grant = device.grant();
        loop {
            // It is the same one as long as the client is open.
            self.session.live()?;
            let clock = &live.shared.settings.clock;
            let wait = match leader.wait(clock) {
                Ok(wait) => wait,
                Err(expired) => return Ok(leader.finish(Err(expired))),
            };
            tick(device.left(clock.now()))?;
            if !wait.is_zero() {
                sleep(wait.min(SLICE)).await;
                continue;
            }
            match run_to_completion(live.clone().poll(grant.clone(), leader)).await? {
                Polled::Pending(again) => leader = again,
                Polled::Ended(outcome) => return Ok(outcome),
            }
        }
    }
}

#[maybe_async]
impl Live {
    /// One poll. It does not end with its caller: the code is used up by the one that brings the
    /// token.
    async fn poll(self, grant: DeviceCode, leader: PollLeader) -> Result<Polled> {
        let _passage = self.gate().pass()?;
        let (token, interval) = self.call().poll(&grant).await;
        let now = self.shared.settings.clock.monotonic();
        Ok(match leader.after(token, interval, now) {
            Ok(outcome) => Polled::Ended(outcome),
            Err(leader) => Polled::Pending(leader),
        })
    }
}
