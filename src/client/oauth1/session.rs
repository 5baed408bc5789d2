//! Inside of an OAuth 1.0 client: connections and settings that are shared with its children, and
//! the credentials of one user, or of none.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use reqwest::{Method, Url};

use super::super::{http, in_span, maybe_async, run_to_completion, transport::Transport, wait_for};
use super::renewal::{CredentialsRenewal, RenewalLeader, RenewalRole};
use super::shared::{OpenSession, SignedSettings, SignedShared, configured, signer};
use super::sign::sign;
use crate::{
    error::{Call, Error, ErrorKind, Result},
    oauth1::{Signer, TemporaryCredentials, TokenCredentials, VerifiedCredentials},
    trace,
    wire::response::EndpointResponse,
};

const TOO_LATE: &str =
    "timed out waiting for the token credentials that another task or thread renews";

/// Handle of a client. Clones are the same client.
#[derive(Clone)]
pub(in super::super::super) struct SignedSession(Arc<RwLock<Option<SignedState>>>);

/// State of an open client.
struct SignedState {
    shared: Arc<SignedShared>,
    /// Signs with the token, if there is one.
    signer: Arc<Signer>,
    token: Option<Arc<TokenCredentials>>,
    renewal: CredentialsRenewal,
    login: LoginProgress,
}

/// Progress of the login of the client's own user.
#[derive(Default)]
enum LoginProgress {
    #[default]
    None,
    Begun(TemporaryCredentials),
    Verified(VerifiedCredentials),
}

impl SignedSession {
    pub(in super::super) fn new(
        settings: SignedSettings,
        transport: Transport,
        token: Option<TokenCredentials>,
    ) -> Self {
        let shared = Arc::new(SignedShared {
            settings,
            transport,
        });
        Self::open(shared, token)
    }

    fn open(shared: Arc<SignedShared>, token: Option<TokenCredentials>) -> Self {
        let token = token.map(Arc::new);
        let state = SignedState {
            signer: signer(&shared, token.as_deref()),
            shared,
            token,
            renewal: CredentialsRenewal::default(),
            login: LoginProgress::None,
        };
        Self(Arc::new(RwLock::new(Some(state))))
    }

    /// A client for the token of another user, on the same connections.
    pub(in super::super) fn child(&self, token: TokenCredentials) -> Self {
        match self.live() {
            Ok(live) => Self::open(live.shared, Some(token)),
            Err(_closed) => Self(Arc::default()),
        }
    }

    pub(in super::super) fn live(&self) -> Result<OpenSession> {
        let state = self.read();
        let live = state.as_ref().map(SignedState::live);
        live.ok_or_else(Error::closed)
    }

    pub(in super::super) fn token(&self) -> Option<Arc<TokenCredentials>> {
        self.read().as_ref()?.token.clone()
    }

    pub(in super::super) fn set_token(
        &self,
        token: TokenCredentials,
    ) -> Result<Arc<TokenCredentials>> {
        let mut state = self.write();
        let state = state.as_mut().ok_or_else(Error::closed)?;
        Ok(state.set_token(token))
    }

    /// Uses the renewed token, unless another one than `old` is in use by now.
    fn set_renewed(
        &self,
        old: &Arc<TokenCredentials>,
        token: TokenCredentials,
    ) -> Result<Arc<TokenCredentials>> {
        let mut state = self.write();
        let state = state.as_mut().ok_or_else(Error::closed)?;
        match &state.token {
            Some(current) if Arc::ptr_eq(current, old) => Ok(state.set_token(token)),
            _ => Ok(Arc::new(token)),
        }
    }

    fn join_renewal(&self) -> Result<RenewalRole> {
        let mut state = self.write();
        let state = state.as_mut().ok_or_else(Error::closed)?;
        let Some(old) = state.token.clone() else {
            return Err(Error::token("there are no token credentials to renew"));
        };
        let live = state.live();
        state.renewal.join(live, old)
    }

    pub(in super::super) fn create_authorization_url(&self) -> Result<Url> {
        match self.read().as_ref().ok_or_else(Error::closed)? {
            SignedState {
                shared,
                login: LoginProgress::Begun(temporary),
                ..
            } => shared.settings.authorization_url(temporary),
            _ => Err(not_begun()),
        }
    }

    /// Completes the pending login. A callback that does not answer it leaves it unchanged.
    pub(in super::super) fn verify(
        &self,
        verify: impl FnOnce(TemporaryCredentials) -> Result<VerifiedCredentials>,
    ) -> Result<()> {
        let mut state = self.write();
        let state = state.as_mut().ok_or_else(Error::closed)?;
        let LoginProgress::Begun(temporary) = std::mem::take(&mut state.login) else {
            return Err(not_begun());
        };
        let kept = temporary.duplicate();
        match verify(temporary) {
            Ok(verified) => {
                state.login = LoginProgress::Verified(verified);
                Ok(())
            }
            Err(error) => {
                if error.kind() == ErrorKind::Answer {
                    state.login = LoginProgress::Begun(kept);
                }
                Err(error)
            }
        }
    }

    /// Releases everything.
    pub(in super::super::super) fn abandon(&self) {
        *self.write() = None;
    }

    fn begin_login(&self, temporary: TemporaryCredentials) -> Result<()> {
        let mut state = self.write();
        state.as_mut().ok_or_else(Error::closed)?.login = LoginProgress::Begun(temporary);
        Ok(())
    }

    /// Puts a login back whose verifier was not sent, unless another one was begun meanwhile.
    fn put_back(&self, verified: VerifiedCredentials) -> Result<()> {
        let mut state = self.write();
        let login = &mut state.as_mut().ok_or_else(Error::closed)?.login;
        if matches!(login, LoginProgress::None) {
            *login = LoginProgress::Verified(verified);
        }
        Ok(())
    }

    fn take_verified(&self) -> Result<VerifiedCredentials> {
        let mut state = self.write();
        let state = state.as_mut().ok_or_else(Error::closed)?;
        match std::mem::take(&mut state.login) {
            LoginProgress::Verified(verified) => Ok(verified),
            other => {
                state.login = other;
                Err(Error::usage(
                    "there is no verified login; call parse_authorization_response, or \
                     set_verifier, first",
                ))
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Option<SignedState>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Option<SignedState>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SignedState {
    fn live(&self) -> OpenSession {
        OpenSession {
            shared: self.shared.clone(),
            signer: self.signer.clone(),
        }
    }

    fn set_token(&mut self, token: TokenCredentials) -> Arc<TokenCredentials> {
        let token = Arc::new(token);
        self.signer = signer(&self.shared, Some(&token));
        self.token = Some(token.clone());
        token
    }
}

#[maybe_async]
impl SignedSession {
    pub(in super::super) async fn fetch_request_token(&self) -> Result<()> {
        let temporary = self.live()?.request_temporary_credentials().await?;
        self.begin_login(temporary)
    }

    pub(in super::super) async fn fetch_access_token(&self) -> Result<Arc<TokenCredentials>> {
        run_to_completion(self.clone().fetch_to_the_end()).await
    }

    pub(in super::super) async fn refresh_token(&self) -> Result<Arc<TokenCredentials>> {
        match self.join_renewal()? {
            RenewalRole::Lead(leader) => run_to_completion(self.clone().renew(leader)).await,
            RenewalRole::Follow(outcome) => {
                let limit = self.live()?.shared.settings.timeout;
                let outcome = wait_for(&outcome, limit).await;
                outcome.unwrap_or_else(|| Err(Error::timed_out(TOO_LATE)))
            }
        }
    }

    /// A verifier is valid for one request, so its token is kept even if the caller is dropped.
    async fn fetch_to_the_end(self) -> Result<Arc<TokenCredentials>> {
        let live = self.live()?;
        let verified = self.take_verified()?;
        match live.request_token_credentials(&verified).await {
            Ok(token) => self.set_token(token),
            Err(error) => {
                // Nothing has been sent, so the verifier is not used up.
                if error.is_unsent() || error.kind() == ErrorKind::Usage {
                    self.put_back(verified)?;
                }
                Err(error)
            }
        }
    }

    async fn renew(self, leader: RenewalLeader) -> Result<Arc<TokenCredentials>> {
        let RenewalLeader {
            live,
            old,
            session_handle,
            ..
        } = &leader;
        let signer = (*live.signer).clone().session_handle(session_handle);
        let renewed = live.token_credentials(&signer, "renewal").await;
        let renewed = renewed.and_then(|token| {
            // Without a new handle the old one remains valid.
            let token = match token.session_handle() {
                Some(_) => token,
                None => token.with_session_handle(session_handle),
            };
            self.set_renewed(old, token)
        });
        leader.finish(renewed)
    }
}

#[maybe_async]
impl OpenSession {
    pub(in super::super) async fn request_temporary_credentials(
        &self,
    ) -> Result<TemporaryCredentials> {
        let settings = &self.shared.settings;
        let url = configured(&settings.request_token_endpoint, "request_token_endpoint")?;
        let signer = settings.signer.clone().callback(&*settings.callback);
        let call = Call::new("request_token_endpoint", url, "the request for credentials");
        let span = trace::credentials_request(&settings.client_key, url, "temporary");
        let answer = in_span(&span, || self.ask(url, &signer, &call)).await;
        let credentials = answer.and_then(|mut answer| {
            for hook in &settings.hooks {
                hook.on_temporary_credentials(&mut answer)?;
            }
            signer
                .read_temporary_credentials(answer.status(), answer.headers(), answer.body())
                .map_err(|error| error.of_call(&call))
        });
        span.end_without_expiry(credentials.as_ref().err());
        credentials
    }

    pub(in super::super) async fn request_token_credentials(
        &self,
        verified: &VerifiedCredentials,
    ) -> Result<TokenCredentials> {
        let signer = self.shared.settings.signer.clone().verified(verified);
        self.token_credentials(&signer, "token").await
    }

    async fn token_credentials(
        &self,
        signer: &Signer,
        step: &'static str,
    ) -> Result<TokenCredentials> {
        let settings = &self.shared.settings;
        let url = configured(&settings.access_token_endpoint, "access_token_endpoint")?;
        let call = Call::new("access_token_endpoint", url, "the request for credentials");
        let span = trace::credentials_request(&settings.client_key, url, step);
        let answer = in_span(&span, || self.ask(url, signer, &call)).await;
        let credentials = answer.and_then(|mut answer| {
            for hook in &settings.hooks {
                hook.on_token_credentials(&mut answer)?;
            }
            signer
                .read_token_credentials(answer.status(), answer.headers(), answer.body())
                .map_err(|error| error.of_call(&call))
        });
        span.end_without_expiry(credentials.as_ref().err());
        credentials
    }

    /// Sends once: afterwards it is unknown whether the server has used up a verifier or a nonce.
    async fn ask(&self, url: &Url, signer: &Signer, call: &Call) -> Result<EndpointResponse> {
        let mut request = http::Request::new(Method::POST, url.clone());
        sign(signer, &mut request)?;
        let timeout = self.shared.settings.timeout;
        let answer = self.shared.transport.call(request, timeout).await;
        answer.map_err(|error| error.of_call(call))
    }
}

fn not_begun() -> Error {
    Error::usage("there is no login under way; call fetch_request_token first")
}

impl fmt::Debug for SignedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.read() {
            Some(state) => f
                .debug_struct("Open")
                .field("client_key", &state.shared.settings.client_key)
                .field("token", &state.token)
                .finish_non_exhaustive(),
            None => f.write_str("Closed"),
        }
    }
}
