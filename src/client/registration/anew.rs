//! Registration of a running client anew, when its server does not know it any longer: once for all
//! callers that find that together.
//!
//! [RFC 7591 section 3](https://www.rfc-editor.org/rfc/rfc7591#section-3)

use std::sync::Arc;

use super::super::{
    Led, boxed, is_in_callback, maybe_async,
    registration::kept::KeptRegistrations,
    run_detached_for,
    session::{Live, Session},
    settings::Settings,
    shared::Shared,
    wait_for,
    waiting::Deadline,
};
use crate::{
    error::{Error, Result},
    lifecycle::reregistration::{RegistrationClaim, RegistrationStep, Reregistration},
    oauth2::{client::RegisteredClient, client_auth::registered::registered_client_auth},
};

impl Live {
    /// The registration of the client and what replaces it. That of a child belongs to its token.
    fn own_registration(&self) -> Option<(&RegisteredClient, &Arc<Reregistration>)> {
        let settings = &self.shared.settings;
        let registered = settings.registered.as_deref()?;
        let anew = settings.reregistration.as_ref()?;
        (!self.is_child()).then_some((registered, anew))
    }

    /// The same, unless another registration would fare no better.
    fn replaceable(&self) -> Option<(&RegisteredClient, &Arc<Reregistration>)> {
        let own = self.own_registration();
        own.filter(|(registered, anew)| anew.may_replace(registered.client_id()))
    }

    /// Whether a token request of the client itself was refused for its registration, which may be
    /// replaced. The token of a user would be lost with it.
    pub(in super::super) fn replaces_refused(&self) -> bool {
        let replaceable = self.replaceable();
        replaceable.is_some_and(|(registered, anew)| anew.is_refused(registered.client_id()))
            && self.caller().grant.is_some()
    }

    /// Whether a login needs another registration.
    fn is_unfit_for_login(&self) -> bool {
        let now = self.shared.settings.clock.unix();
        let own = self.own_registration();
        own.is_some_and(|(registered, anew)| {
            let is_refused = anew.is_refused(registered.client_id());
            registered.has_expired_by(now)
                || (is_refused && anew.may_replace(registered.client_id()))
        })
    }

    /// Whether a login that failed with this error is to be repeated with another registration.
    #[allow(
        dead_code,
        reason = "without the feature `login` the calling code logs the user in"
    )]
    pub(in super::super) fn replaces_after(&self, error: &Error) -> bool {
        self.replaceable().is_some_and(|(registered, anew)| {
            let lacks_callback = anew.without_callback && error.is_without_callback();
            anew.is_refused(registered.client_id()) || (lacks_callback && self.fresh().is_none())
        })
    }
}

/// What is done about a registration that is of no use. Registered clients lead to it, so that a program
/// whose clients have their identifiers from elsewhere does not contain it.
pub(in super::super) trait RegistrationCalls: Send + Sync {
    /// Drops a registration from the store.
    fn forget<'a>(
        &self,
        shared: &'a Shared,
        registered: &'a RegisteredClient,
    ) -> Led<'a, Result<bool>>;

    /// Registers the client anew.
    fn register_anew<'a>(
        &self,
        session: &'a Session,
        old: &'a Live,
        deadline: Option<Deadline>,
    ) -> Led<'a, Result<()>>;
}

/// What is done about every registration.
pub(in super::super) struct OwnRegistrations;

impl RegistrationCalls for OwnRegistrations {
    fn forget<'a>(
        &self,
        shared: &'a Shared,
        registered: &'a RegisteredClient,
    ) -> Led<'a, Result<bool>> {
        boxed(forget(shared.kept_registrations(), registered))
    }

    fn register_anew<'a>(
        &self,
        session: &'a Session,
        old: &'a Live,
        deadline: Option<Deadline>,
    ) -> Led<'a, Result<()>> {
        boxed(session.register(old, deadline))
    }
}

#[maybe_async]
async fn forget(kept: KeptRegistrations, registered: &RegisteredClient) -> Result<bool> {
    kept.forget(registered).await
}

#[maybe_async]
impl Session {
    /// The state of the client, whose registration is fit for a login.
    pub(in super::super) async fn registered(&self, live: Live) -> Result<Live> {
        match live.is_unfit_for_login() && self.is_at(&live)? {
            true => {
                self.register_anew(&live, None).await?;
                self.live()
            }
            false => Ok(live),
        }
    }

    /// Registers the client of `old` anew, to the end, and points the handle to that. The caller
    /// waits until its `deadline` at most; a login has none of its own.
    pub(in super::super) async fn register_anew(
        &self,
        old: &Live,
        deadline: Option<Deadline>,
    ) -> Result<()> {
        match old.shared.settings.registrations {
            Some(registrations) => registrations.register_anew(self, old, deadline).await,
            None => Err(Error::usage("the client was not registered by itself")),
        }
    }

    async fn register(&self, old: &Live, deadline: Option<Deadline>) -> Result<()> {
        let settings = &old.shared.settings;
        let Some(anew) = &settings.reregistration else {
            return Err(Error::usage("the client was not registered by itself"));
        };
        // It would wait for itself.
        if is_in_callback(old.shared.registering()) {
            return Err(Error::reentrant("a registration"));
        }
        // The metadata of the resource and of the server, the lease, the registration.
        let limit = settings.timeout.saturating_mul(6);
        let limit = deadline.map_or(limit, |deadline| deadline.left_of(limit));
        if !self.is_at(old)? {
            return Ok(());
        }
        let outcome = match anew.next(&settings.clock) {
            RegistrationStep::Fail(error) => return Err(error),
            RegistrationStep::Wait(ended) => wait_for(&ended, limit).await,
            RegistrationStep::Lead(claim) => {
                let (session, old) = (self.clone(), old.clone());
                let run = move || session.lead_registration(old, claim);
                run_detached_for(limit, run).await
            }
        };
        outcome.unwrap_or_else(|| Err(too_late()))
    }

    async fn lead_registration(self, old: Live, claim: RegistrationClaim) -> Result<()> {
        let outcome = self.replace_registration(&old).await;
        claim.finish(outcome)
    }

    async fn replace_registration(&self, old: &Live) -> Result<()> {
        // Another caller may have done it a moment ago.
        if !self.is_at(old)? {
            return Ok(());
        }
        let _passage = old.gate().pass()?;
        let (shared, settings) = (&old.shared, &old.shared.settings);
        let (Some(registered), Some(anew)) = (&settings.registered, &settings.reregistration)
        else {
            return Ok(());
        };
        let kept = shared.kept_registrations();
        kept.forget(registered).await?;
        if let Some(resource) = old.resource() {
            resource.forget_client(registered);
            return resource.clone().rediscovered(self).await;
        }
        let Some(request) = &anew.request else {
            return Ok(());
        };
        let server = shared.fetch_server(settings.timeout).await?;
        let endpoint = settings.registration_endpoint(&server);
        let issuer = registered.issuer();
        let new = kept
            .obtain(&shared.transport, endpoint, issuer, request)
            .await?;
        if new.is_new {
            anew.note_registration(new.registered.client_id());
        }
        let mut next = settings.replacing(registered, new.registered, anew.follows_method)?;
        if let Some(found) = &mut next.discovery {
            found.metadata = Some(server);
        }
        let part = Arc::new(Shared::new(next, shared.transport.clone()));
        part.succeed(shared);
        self.move_to(part, None)
    }
}

impl Session {
    /// Whether the handle is still at the registration of `old`.
    fn is_at(&self, old: &Live) -> Result<bool> {
        Ok(Arc::ptr_eq(&self.live()?.shared, &old.shared))
    }
}

impl Settings {
    /// The settings with another registration by the same request, to which the server may have
    /// answered otherwise.
    fn replacing(
        &self,
        old: &RegisteredClient,
        new: RegisteredClient,
        follows_method: bool,
    ) -> Result<Self> {
        let mut settings = self.clone();
        settings.client = new.apply_instead_of(old, self.client.clone());
        if follows_method {
            let auth = registered_client_auth(&new).ok_or_else(|| {
                Error::usage(format!(
                    "the server has registered the client anew for {}, which needs a \
                     token_endpoint_auth_method of the builder",
                    new.token_endpoint_auth_method()
                ))
            })?;
            settings.authentication.token = Some(auth);
        }
        settings.registered = Some(Box::new(new));
        settings.check_registered_algorithms()?;
        settings.follow_registration();
        settings.apply_profile();
        Ok(settings)
    }
}

fn too_late() -> Error {
    Error::timed_out("timed out waiting for the registration of the client")
}
