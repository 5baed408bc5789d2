//! What a client knows about its resource: the server, its own registration there, and what is in
//! progress.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reqwest::{StatusCode, Url};

use super::{
    super::{
        settings::{ResourceSettings, Settings},
        shared::Shared,
        transport::{Guard, Transport},
    },
    established::{Established, requested_for},
    forgotten::Forgotten,
    parts::{ResourcePart, ResourceParts},
};
use crate::{
    error::{Error, Result},
    lifecycle::{now::Now, pacing::Pacing, published::Published},
    oauth2::{
        client::{ClientMetadata, RegisteredClient},
        protected_resource::scope_set::ScopeSet,
        token::Token,
    },
    signal::Signal,
};

/// Limit of logins for one set of scopes that the resource demands.
const LOGINS_PER_SET: u32 = 2;
/// Limit of sets of scopes that are logged in for: a resource that names new ones for ever is
/// given up.
const SETS: usize = 8;
/// Limit of tokens in a row that the resource refuses as soon as they are issued …
const REFUSED_TOKENS: u32 = 3;
/// … and the time after which it is asked once more: it may have been out of order.
const REFUSAL_PAUSE: Duration = Duration::from_secs(600);

/// State of a client for a protected resource, which its children share.
pub(in super::super) struct ResourceState {
    pub(super) url: Url,
    pub(super) settings: ResourceSettings,
    /// The settings of the client, without a server and a registration.
    pub(super) template: Settings,
    pub(super) transport: Arc<Transport>,
    /// The guard of the addresses that strangers name.
    pub(super) guard: Guard,
    state: Mutex<ResourceProgress>,
}

#[derive(Default)]
pub(super) struct ResourceProgress {
    pub(super) established: Option<Arc<Established>>,
    /// The established part, those that older tokens belong to, and the one without a server.
    parts: ResourceParts,
    /// The scope that the last login of the client's own user asked for.
    requested: ScopeSet,
    /// Registrations by issuer.
    pub(super) registrations: BTreeMap<String, RegisteredClient>,
    /// Registrations that their servers do not know any longer, and tokens may still name.
    pub(super) forgotten: Forgotten,
    /// The issuer to which a configured client identifier belongs, once it was used.
    configured_issuer: Option<String>,
    step_ups: Vec<(ScopeSet, u32)>,
    /// The authorization in progress: that of the client itself, and those of its children.
    in_flight: [Option<Arc<Signal<Result<()>>>>; 2],
    pacing: Pacing,
    /// The number of tokens in a row that the resource has refused as soon as they were issued.
    refused: u32,
    /// The monotonic time of the last one.
    refused_at: Duration,
}

/// Step of a caller whose request was refused.
pub(super) enum AuthorizationStep {
    /// There is another token than the refused one.
    Done,
    Wait(Arc<Signal<Result<()>>>),
    Lead(AuthorizationClaim),
    Fail(Error),
}

/// Right to authorise the client. When it is dropped, in whatever way, no caller waits any longer.
pub(super) struct AuthorizationClaim {
    resource: Arc<ResourceState>,
    is_child: bool,
    ended: Arc<Signal<Result<()>>>,
}

impl ResourceState {
    pub(in super::super) fn new(
        url: Url,
        settings: ResourceSettings,
        template: Settings,
        transport: Arc<Transport>,
        guard: Guard,
    ) -> Self {
        Self {
            url,
            settings,
            template,
            transport,
            guard,
            state: Mutex::default(),
        }
    }

    /// The part of a client whose server is not known yet.
    pub(in super::super) fn provisional(&self) -> Arc<Shared> {
        let part = self.part(self.template.clone());
        let mut state = self.lock();
        let unused = state.take_unused_parts();
        state.parts.add(None, part.clone());
        drop(state);
        drop(unused);
        part
    }

    /// All parts that are in use or owe anything.
    pub(super) fn parts(&self) -> Vec<Arc<Shared>> {
        self.lock().parts.all()
    }

    fn part(&self, settings: Settings) -> Arc<Shared> {
        Arc::new(Shared::new(settings, self.transport.clone()))
    }

    /// The part of the established client; none if nothing is established.
    pub(super) fn current(&self) -> Option<Arc<Shared>> {
        let established = self.established()?;
        Some(self.part_for(established))
    }

    /// The part of a client with this token, whose handle would have `shared` otherwise. A token of
    /// another server, at which the client is not known, is at none.
    pub(super) fn part_of(&self, token: &Token, shared: Arc<Shared>) -> Arc<Shared> {
        let is_bound = shared.settings.bound.is_some();
        if is_bound && shared.settings.permits(token) {
            return shared;
        }
        match self.owner_of(token, None) {
            Some(owner) => self.part_for(Arc::new(owner)),
            None if is_bound => self.provisional(),
            None => shared,
        }
    }

    pub(super) fn part_for(&self, established: Arc<Established>) -> Arc<Shared> {
        let mut state = self.lock();
        let unused = state.take_unused_parts();
        let part = state.parts.of(&established).unwrap_or_else(|| {
            let part = self.part(self.settings_of(&established));
            state.parts.add(Some(established), part.clone());
            part
        });
        drop(state);
        drop(unused);
        part
    }

    /// Makes this the established client. Its part is the current one, if only the metadata of the
    /// server were fetched again.
    pub(super) fn establish(&self, established: Established) -> Arc<Established> {
        let established = Arc::new(established);
        let mut state = self.lock();
        if let Some(registered) = &established.registered {
            state.forgotten.retract(registered);
            let registrations = &mut state.registrations;
            registrations.insert(established.issuer.clone(), registered.clone());
        }
        let is_same = state
            .established
            .as_ref()
            .is_some_and(|current| current.is_same(&established));
        // Its part may be in use and could not find the server.
        if let (Some(server), true) = (&established.server, established.is_discovered)
            && let Some(part) = state.parts.of(&established)
        {
            part.server.learn(server.clone());
        }
        state.established = Some(established.clone());
        if !is_same {
            state.requested = ScopeSet::default();
        }
        established
    }

    pub(super) fn established(&self) -> Option<Arc<Established>> {
        self.lock().established.clone()
    }

    /// The registration at this server, unless it cannot be used any longer.
    pub(super) fn registration(&self, issuer: &str) -> Option<RegisteredClient> {
        let known = self.lock().registrations.get(issuer).cloned();
        known.filter(|known| self.is_usable(known))
    }

    /// Whether a registration has not expired, and is for the client as it is set.
    pub(super) fn is_usable(&self, registered: &RegisteredClient) -> bool {
        let wanted = self.client_metadata();
        !registered.is_expired_at(self.template.clock.unix())
            && wanted.is_none_or(|metadata| registered.serves(&metadata))
    }

    /// The metadata of the client with the redirection URIs of its settings.
    pub(super) fn client_metadata(&self) -> Option<ClientMetadata> {
        let metadata = self.settings.metadata.clone()?;
        let own = self.template.client.redirect_uris();
        Some(match own.is_empty() {
            true => metadata,
            false => metadata.with_redirect_uris(own),
        })
    }

    /// The issuer to which the configured client identifier belongs, if that is known.
    /// The issuer that the calling code names, or else the one that its client was used with first.
    pub(super) fn configured_issuer(&self) -> Option<String> {
        let named = self.named_issuer().map(str::to_owned);
        named.or_else(|| self.lock().configured_issuer.clone())
    }

    /// The issuer that the calling code names, by itself or with the registration that it has kept.
    pub(super) fn named_issuer(&self) -> Option<&str> {
        let registered = self.template.registered.as_ref();
        let issuer = self.template.server.issuer();
        issuer.or_else(|| registered.map(|registered| registered.issuer()))
    }

    pub(super) fn bind_configured(&self, issuer: &str) {
        self.lock()
            .configured_issuer
            .get_or_insert_with(|| issuer.to_owned());
    }

    /// Restores the client to which a stored token belongs.
    pub(super) fn restore(
        &self,
        token: &Token,
        kept: Option<RegisteredClient>,
    ) -> Option<Arc<Shared>> {
        let owner = self.owner_of(token, kept)?;
        if !self.template.client.client_id().is_empty() {
            self.bind_configured(&owner.issuer);
        }
        self.establish(owner);
        self.lock().requested = requested_for(token);
        self.current()
    }

    /// The scope that was requested by now.
    pub(super) fn requested(&self) -> ScopeSet {
        self.lock().requested.clone()
    }

    /// Notes what a login has asked for.
    pub(super) fn note_login(&self, scope: &ScopeSet) {
        self.lock().requested = scope.clone();
    }

    /// Notes that a login for this set of scopes begins, unless there were too many.
    pub(super) fn count_step_up(&self, scope: &ScopeSet) -> Result<()> {
        let mut state = self.lock();
        let sets = state.step_ups.len();
        let is_within = match state.step_ups.iter_mut().find(|(set, _)| set == scope) {
            Some((_, count)) if *count < LOGINS_PER_SET => {
                *count += 1;
                true
            }
            None if sets < SETS => {
                state.step_ups.push((scope.clone(), 1));
                true
            }
            _ => false,
        };
        match is_within {
            true => Ok(()),
            false => Err(Error::login(
                "the resource demands more scope or another authentication, and logins for it have \
                 brought no token that it accepts; no further login is begun for it",
            )),
        }
    }

    /// The step of a caller of this kind. `has_other` says whether there is another token than the
    /// refused one by now.
    pub(super) fn next(
        self: &Arc<Self>,
        is_child: bool,
        has_other: impl Fn() -> bool,
        now: Now,
    ) -> AuthorizationStep {
        let mut state = self.lock();
        if let Some(ended) = &state.in_flight[usize::from(is_child)] {
            return AuthorizationStep::Wait(ended.clone());
        }
        if has_other() {
            return AuthorizationStep::Done;
        }
        let pause = state.refused_at.saturating_add(REFUSAL_PAUSE);
        if state.refused >= REFUSED_TOKENS && now.monotonic < pause {
            return AuthorizationStep::Fail(refused_token());
        }
        if let Some(error) = state.pacing.error(now.monotonic) {
            return AuthorizationStep::Fail(error);
        }
        let ended = Arc::<Signal<Result<()>>>::default();
        state.in_flight[usize::from(is_child)] = Some(ended.clone());
        AuthorizationStep::Lead(AuthorizationClaim {
            resource: self.clone(),
            is_child,
            ended,
        })
    }

    /// Notes whether the resource refuses a token that was issued for it a moment ago.
    pub(super) fn note_response(&self, is_refused: bool, now: Now) {
        let mut state = self.lock();
        match is_refused {
            true => {
                state.refused = state.refused.saturating_add(1);
                state.refused_at = now.monotonic;
                state.pacing.fail(now.monotonic, refused_token());
            }
            false => state.refused = 0,
        }
    }

    /// Notes the response of the resource to a request after a login for more scope: one that it
    /// accepts is none of those that bring nothing.
    pub(super) fn note_step_up(&self, status: StatusCode) {
        if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            self.lock().step_ups.clear();
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, ResourceProgress> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResourceProgress {
    fn take_unused_parts(&mut self) -> Vec<ResourcePart> {
        self.parts.take_unused(self.established.as_deref())
    }
}

impl AuthorizationClaim {
    /// Ends the authorization for all that wait for it.
    pub(super) fn finish(&self, outcome: Result<()>) -> Result<()> {
        let now = Now::by(&self.resource.template.clock);
        let mut state = self.resource.lock();
        let own =
            state.in_flight[usize::from(self.is_child)].take_if(|it| Arc::ptr_eq(it, &self.ended));
        if own.is_some() {
            match &outcome {
                Ok(()) => state.pacing = Pacing::default(),
                // What a web back end is told for each request is no attempt that failed.
                Err(error) if error.login_request().is_some() => {}
                Err(error) => state.pacing.fail(now.monotonic, error.clone()),
            }
        }
        drop(state);
        self.ended.set(outcome.clone());
        outcome
    }
}

impl Drop for AuthorizationClaim {
    fn drop(&mut self) {
        // Nothing, if it has ended.
        let _ = self.finish(Err(Error::interrupted(
            "the authorization for the resource was interrupted",
        )));
    }
}

fn refused_token() -> Error {
    Error::token("the resource has refused a token as soon as it was issued for it")
}

/// Whether there is another token than this one.
pub(super) fn differs(current: Option<&Published>, refused: Option<&Published>) -> bool {
    match (current, refused) {
        (Some(current), Some(refused)) => !current.is_same(refused),
        (Some(_), None) => true,
        (None, _) => false,
    }
}
