//! Login of a user on another device.
//!
//! [RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)

use std::time::Duration;

use super::super::{
    boxed,
    device::{PollLeader, PollRole},
    maybe_async,
    oauth2::{client::OAuth2Client, login::Login},
    session::Live,
    sleep,
    waiting::Deadline,
};
use crate::{
    error::{Error, Result},
    oauth2::{
        endpoint::device_authorization::{
            request::DeviceAuthorizationRequest, response::DeviceAuthorization,
        },
        grant::authorization_code::ExpectedIdToken,
        token::Token,
    },
};

/// Longest sleep, after which a client that was closed is noticed, and a clock that was moved.
const SLICE: Duration = Duration::from_millis(100);

/// A function that is called during the wait for the user, with the time that is left.
pub(in super::super) type Tick<'a> = dyn FnMut(Duration) -> Result<()> + Send + 'a;

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
         with the same code then goes on."
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
        loop {
            let followed = match waiter.role() {
                PollRole::Lead(leader) => {
                    // Where this caller stops waiting, another goes on.
                    let outcome = self.poll(&live, &device, &leader, tick).await?;
                    leader.finish(outcome.clone());
                    live.report_login(&outcome);
                    return self.logged_in_on_device(&live, &expected, outcome?).await;
                }
                PollRole::Follow(signal) => signal.wait_for(SLICE).await,
            };
            self.session.live()?;
            tick(device.left(live.shared.settings.clock.now()))?;
            if let Some(Some(outcome)) = followed {
                return self.logged_in_on_device(&live, &expected, outcome?).await;
            }
        }
    }

    /// The login with a token, and with its ID token, if one came or has to. It has no `nonce`.
    async fn logged_in_on_device(
        &self,
        live: &Live,
        expected: &ExpectedIdToken,
        token: Token,
    ) -> Result<Login> {
        live.check_binding(&token)?;
        let id_token = live.id_token_of(&token, expected).await?;
        self.logged_in(token, id_token)
    }

    /// Polls to the end, and returns the outcome for all that wait for it. An error is that of this
    /// caller alone.
    async fn poll(
        &self,
        live: &Live,
        device: &DeviceAuthorization,
        leader: &PollLeader<'_>,
        tick: &mut Tick<'_>,
    ) -> Result<Result<Token>> {
        let grant = device.grant();
        loop {
            // It is the same one as long as the client is open.
            self.session.live()?;
            let clock = &live.shared.settings.clock;
            let wait = match leader.polling(|polling| polling.wait(clock)) {
                Ok(wait) => wait,
                Err(expired) => return Ok(Err(expired)),
            };
            tick(device.left(clock.now()))?;
            if !wait.is_zero() {
                sleep(wait.min(SLICE)).await;
                continue;
            }
            let _passage = live.gate().pass()?;
            let polled = live.call().poll(&grant).await;
            let (token, interval) = match polled {
                Ok((token, interval)) => (token, interval),
                Err(error) => (Err(error), None),
            };
            let now = clock.monotonic();
            let outcome = leader.polling(|polling| polling.after(token, interval, now));
            if let Some(outcome) = outcome.transpose() {
                return Ok(outcome);
            }
        }
    }
}
