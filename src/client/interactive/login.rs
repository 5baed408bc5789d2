//! Login of the user of a command line, in one call.

use std::time::Duration;

use super::{
    super::{
        boxed, maybe_async,
        oauth2::{Login, OAuth2Client},
        session::Live,
        sleep,
        waiting::Deadline,
    },
    attempt::LoginAttempt,
    conclusion::Conclusion,
    login_lease::LoginLease,
    login_lock::LoginLock,
};
use crate::{
    error::{Error, ErrorKind, Result},
    login::{prompt::LoginPrompt, settings::InteractiveLogin},
    oauth2::token::Token,
    random,
};

/// Interval at which the store is read while another process logs the user in.
const STORE_INTERVAL: Duration = Duration::from_millis(400);

/// Time in which a process whose user is logging in gets back the lease if it had just released that.
const GAP_TIME: Duration = Duration::from_millis(200);

/// Time in which another process gets back the lease that it had released for a moment. It is shorter
/// than the time after which that happens again.
const TAKEOVER_TIME: Duration = Duration::from_secs(1);

/// The right to log the user in.
struct LoginPermit {
    _lock: LoginLock,
    /// The lease of the store, for which other processes wait.
    lease: Option<LoginLease>,
}

impl LoginPermit {
    /// Whether a process that logs the user in may be without its lease at this moment.
    fn may_be_anothers(&self) -> bool {
        self.lease.as_ref().is_some_and(LoginLease::is_repeated)
    }
}

#[maybe_async]
impl LoginPermit {
    async fn release(mut self) {
        if let Some(lease) = self.lease.take() {
            lease.release().await;
        }
    }
}

#[maybe_async]
impl OAuth2Client {
    /// Logs the user in, unless there is a token that can be used or renewed, and returns the token.
    /// The client keeps it, and so does its `token_store`.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/ensure_login.md"),
        include_str!("../../../docs/examples/async/ensure_login.md")
    )]
    ///
    /// With a `token_store`, several processes that start at once log the user in once: one has the
    /// lease of the store meanwhile, and the others wait for its token. So do several tasks or
    /// threads of one client. A lease that ends by its time is short and acquired again and again, so
    /// that the next start waits for half a minute at most if the process is killed, by Ctrl-C for
    /// example. A login for more scope, beside a token that can be used, does not hold
    /// the lease: others renew that token meanwhile, and each process asks its own user.
    ///
    /// If the token is known to lack some of the scope of `login`, the user logs in again, for that
    /// scope and the one that the token has;
    /// [`accept_narrower_scope`](InteractiveLogin::accept_narrower_scope) turns that off. Where the
    /// server has granted less than was asked for, it is not asked again: the scope that a login has
    /// asked for is stored with its token, as the member `login_scope`.
    ///
    #[doc = by_mode!(
        "The time that it takes is limited by the login's own timeout.",
        "The time that it takes is limited by the login's own timeout. If it is dropped, no port, \
         thread or lease is left."
    )]
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Login`](crate::ErrorKind::Login) if there is no terminal, which says what to
    /// run, or if the user has not logged in in time. The errors of
    /// [`complete_authorization`](Self::complete_authorization) and of
    /// [`complete_device_authorization`](Self::complete_device_authorization). Errors of a renewal
    /// or of the store that no login resolves.
    ///
    /// [RFC 8252 section 7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)
    pub async fn ensure_login(&self, login: InteractiveLogin) -> Result<Token> {
        let ensured = self.ensure_login_once(&login).await;
        match ensured {
            Err(error) => {
                self.register_after(error).await?;
                self.ensure_login_once(&login).await
            }
            ensured => ensured,
        }
    }

    /// Logs the user in, whether or not there is a token. The client keeps the new one, and so does
    /// its `token_store`.
    ///
    /// A browser is opened, which returns to a port of this machine; at the same time, on Unix, the
    /// address of the last page may be pasted into the terminal. Where no browser can be opened, and in a
    /// remote session, the device flow is used if the server has it.
    ///
    /// # Errors
    ///
    /// Those of [`ensure_login`](Self::ensure_login).
    ///
    /// [RFC 8252 section 7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)
    pub async fn login(&self, login: InteractiveLogin) -> Result<Login> {
        let completed = self.login_once(&login).await;
        match completed {
            Err(error) => {
                self.register_after(error).await?;
                self.login_once(&login).await
            }
            completed => completed,
        }
    }
}

#[maybe_async]
impl OAuth2Client {
    /// The same as `ensure_login` with the registration that the client has.
    pub(super) async fn ensure_login_once(&self, login: &InteractiveLogin) -> Result<Token> {
        let deadline = Deadline::after(login.browser_timeout());
        let mut attempt = LoginAttempt::new(self, login);
        self.session.live_outside_hook("ensure_login")?;
        let usable = self.session.ensure_active_token().await;
        let live = self.session.live()?;
        let own = live.shared.settings.client.scope().cloned();
        let own = own.as_ref();
        let has_token = usable.is_ok();
        match usable {
            Ok(token) if login.widened(&token, own).is_none() => return Ok(token),
            Ok(_) => {}
            Err(error) if error.needs_login() || is_held(&error) => {}
            Err(error) if live.forgets_unknown(&error) => {}
            Err(error) => return Err(error),
        }
        attempt.check()?;
        // A client may have to be registered first, which takes the same lease.
        let live = boxed(self.session.established()).await?;
        // Another process may have released it for a moment, before this one has seen that it is held.
        let (mut was_anothers, mut may_be_gap) = (false, true);
        loop {
            let permit = self.permit(&live, has_token).await?;
            let (wait, is_anothers) = match permit {
                // The other one gets it back before the next attempt, if it has not ended.
                Some(permit) if (was_anothers || may_be_gap) && permit.may_be_anothers() => {
                    permit.release().await;
                    may_be_gap = false;
                    match std::mem::take(&mut was_anothers) {
                        true => (TAKEOVER_TIME, true),
                        false => (GAP_TIME, false),
                    }
                }
                Some(permit) => {
                    let logged_in = self.log_in_once(attempt, login).await;
                    permit.release().await;
                    let (token, conclusion) = logged_in?;
                    if let Some(conclusion) = conclusion {
                        conclusion.show().await;
                    }
                    return Ok(token);
                }
                None => {
                    was_anothers = true;
                    (STORE_INTERVAL, true)
                }
            };
            if deadline.is_over() {
                return Err(Error::login(
                    "timed out waiting for a login in another process; begin again",
                ));
            }
            if is_anothers {
                let left = deadline.left();
                attempt
                    .surface
                    .tick(|| LoginPrompt::WaitingForOther { left });
            }
            sleep(random::jitter(wait)?).await;
            let stored = self.stored().await?;
            if let Some(token) = stored
                && login.widened(&token, own).is_none()
            {
                return Ok(token);
            }
        }
    }

    /// The same as `login` with the registration that the client has.
    pub(super) async fn login_once(&self, login: &InteractiveLogin) -> Result<Login> {
        self.session.live_outside_hook("login")?;
        let mut attempt = LoginAttempt::new(self, login);
        attempt.check()?;
        let mut completed = attempt.run().await?;
        completed.token = self.kept(&completed, login).await?;
        attempt.into_conclusion().show().await;
        Ok(completed)
    }

    /// Registers the client anew if that is why its login failed; otherwise returns the error.
    async fn register_after(&self, error: Error) -> Result<()> {
        match self.session.live() {
            Ok(live) if live.replaces_after(&error) => {
                boxed(self.session.register_anew(&live, None)).await
            }
            _ => Err(error),
        }
    }

    /// The token of a login, unless another process has one by now, and what is left to say of it.
    async fn log_in_once(
        &self,
        attempt: LoginAttempt<'_>,
        login: &InteractiveLogin,
    ) -> Result<(Token, Option<Conclusion>)> {
        // Another process may have logged the user in a moment ago.
        let stored = self.stored().await?;
        let live = self.session.live()?;
        let mut wider = None;
        if let Some(token) = stored {
            wider = login.widened(&token, live.shared.settings.client.scope());
            if wider.is_none() {
                return Ok((token, None));
            }
        }
        let login = wider.as_ref().unwrap_or(login);
        let mut attempt = attempt.with(login);
        let completed = attempt.run().await?;
        let token = self.kept(&completed, login).await?;
        Ok((token, Some(attempt.into_conclusion())))
    }

    /// Keeps the token of a login that was completed, and notes the scope that was asked for.
    async fn kept(&self, completed: &Login, login: &InteractiveLogin) -> Result<Token> {
        let live = self.session.live()?;
        let token = completed.client.token();
        let mut token = token.unwrap_or_else(|| completed.token.clone());
        if let Some(scope) = login.scope_or(live.shared.settings.client.scope()) {
            token = token.with_login_scope(scope);
        }
        self.session.keep(token).await
    }

    /// The token that the store has by now, if it can be used.
    async fn stored(&self) -> Result<Option<Token>> {
        self.session.reload().await?;
        let fresh = self.session.live()?.fresh();
        Ok(fresh.map(|published| published.token.clone()))
    }

    /// The right to log the user in, unless another process, task or thread has it. Beside a token
    /// that can be used it is without the lease, in which no other process could renew that token
    /// as long as the user takes; that the store gives it shows that the next token can be kept.
    async fn permit(&self, live: &Live, has_token: bool) -> Result<Option<LoginPermit>> {
        let Some(_lock) = LoginLock::try_acquire(live.shared.id()) else {
            return Ok(None);
        };
        let sync = self.session.live()?.store_sync();
        if has_token || sync.store().is_none() {
            // The lease of a token that is not saved yet stays.
            if has_token && !sync.has_lease() {
                let lease = sync.try_lease().await?;
                sync.release(lease).await;
            }
            return Ok(Some(LoginPermit { _lock, lease: None }));
        }
        let lease = sync.try_lease_for(LoginLease::time(&sync)).await?;
        Ok(lease.map(|lease| LoginPermit {
            _lock,
            lease: Some(LoginLease::keep(sync, lease)),
        }))
    }
}

/// Whether another process holds the lease of the store: perhaps it logs the user in.
fn is_held(error: &Error) -> bool {
    error.kind() == ErrorKind::Store && error.is_transient()
}
