//! The loopback receiver by itself.
//!
//! [RFC 8252 section 7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)

use std::{fmt, time::Duration};

use super::super::{maybe_async, sleep, waiting::Deadline};
use crate::{
    error::{Error, Result},
    login::{loopback_uri::LoopbackUri, receiver::Receiver},
    oauth2::authorization::pending::PendingAuthorization,
    secret::Secret,
};

/// Interval at which the sockets and the terminal are polled.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// The time that a browser has to load the page of the end.
const FINAL_PAGE_TIME: Duration = Duration::from_secs(2);

/// The time that a user has, unless it is set.
const TIMEOUT: Duration = Duration::from_secs(300);

paired! {
    /// Receiver for the browser of a user who logs in: the part of
    #[doc = by_mode!(
        "[`login`](crate::OAuth2Client::login)",
        "[`login`](crate::AsyncOAuth2Client::login)"
    )]
    /// that listens on loopback, for programs that do the rest themselves.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/loopback.md"),
        include_str!("../../../docs/examples/async/loopback.md")
    )]
    ///
    /// Its port is free again when it is dropped.
    ///
    /// # Security
    ///
    /// It listens on loopback only, answers only its own path under its own host, and takes only
    /// what has the `state` of the pending login. Nothing else ends the wait.
    ///
    /// [RFC 8252 section 7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)
    #[must_use = "it listens until it is dropped"]
    pub struct Loopback | AsyncLoopback {
        receiver: Receiver,
        redirect_uri: String,
        timeout: Duration,
    }
}

impl Loopback {
    /// Listens for a redirection URI as it was registered: host, path, and the port if that is
    /// fixed; else a free port is used.
    ///
    /// # Errors
    ///
    /// If it is not an `http` URI on loopback; [`ErrorKind::Login`](crate::ErrorKind::Login) if its
    /// port is in use, in either family if the host is `localhost`.
    pub fn bind(redirect_uri: impl AsRef<str>) -> Result<Self> {
        let uri = LoopbackUri::parse(redirect_uri.as_ref())?.ok_or_else(|| {
            Error::usage("the redirect_uri must be on loopback, such as http://127.0.0.1/callback")
        })?;
        let receiver = Receiver::bind(uri)?;
        Ok(Self {
            redirect_uri: receiver.redirect_uri(),
            receiver,
            timeout: TIMEOUT,
        })
    }

    /// The redirection URI of the authorization request, with the port that is listened on.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Takes the callback from a form, too, as the server sends it with
    /// `response_mode=form_post`.
    pub fn form_post(mut self) -> Self {
        self.receiver.take_posts();
        self
    }

    /// Sets the HTML page that the browser shows in the end. It can load nothing and run nothing.
    pub fn page(mut self, html: impl Into<String>) -> Self {
        self.receiver.set_page(html.into());
        self
    }

    /// Sets the time that the user has. Defaults to five minutes.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

#[maybe_async]
impl Loopback {
    /// Waits for the callback of `pending`, to be given to `complete_authorization`, which checks
    /// it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Login`](crate::ErrorKind::Login) if the browser has not returned in time.
    ///
    /// [RFC 8252 section 7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)
    pub async fn wait(mut self, pending: &PendingAuthorization) -> Result<Secret> {
        let deadline = Deadline::after(self.timeout);
        loop {
            let answer = self
                .receiver
                .step(|callback| pending.is_answered_by(callback));
            if let Some(answer) = answer {
                serve_final_page(self.receiver, pending).await;
                return Ok(answer);
            }
            if deadline.is_over() {
                return Err(no_callback());
            }
            sleep(TICK.min(deadline.left())).await;
        }
    }
}

pub(super) const TOO_LATE: &str = "timed out waiting for the user to log in; begin again";

/// The browser has not returned in time.
pub(super) fn no_callback() -> Error {
    Error::without_callback(TOO_LATE)
}

/// Serves the page of the end, also to a browser that loads the callback of `pending` again, and
/// closes.
#[maybe_async]
pub(super) async fn serve_final_page(mut receiver: Receiver, pending: &PendingAuthorization) {
    let deadline = Deadline::after(FINAL_PAGE_TIME);
    while !receiver.is_finished() && !deadline.is_over() {
        sleep(TICK).await;
        receiver.step(|callback| pending.is_answered_by(callback));
    }
}

impl fmt::Debug for Loopback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(by_mode!("Loopback", "AsyncLoopback"))
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}
