//! Settings of a client that registers itself.

use std::sync::Arc;

use super::super::RegistrationCalls;
use crate::{
    error::Problems,
    lifecycle::reregistration::Reregistration,
    oauth2::{
        authorization::response_jwt::SignedResponseRules,
        client::RegisteredClient,
        client_auth::ClientAuth,
        endpoint::{
            introspection_jwt::IntrospectionRules, registration::request::RegistrationRequest,
        },
    },
    oidc::{id_token_rules::IdTokenRules, userinfo::UserInfoRules},
};

/// Rules for what the server signs, as the calling code has set them: another registration may have other
/// algorithms.
pub(in super::super) struct RulesOfCaller {
    pub(in super::super) id_token: IdTokenRules,
    pub(in super::super) userinfo: UserInfoRules,
    pub(in super::super) response: SignedResponseRules,
    pub(in super::super) introspection: IntrospectionRules,
}

/// Settings of a client that registers itself.
#[derive(Default)]
pub(in super::super) struct RegistrationSettings {
    /// The request by which it was registered.
    pub(in super::super) request: Option<RegistrationRequest>,
    /// Whether it was registered a moment ago.
    pub(in super::super) is_new: bool,
    /// The client authentication that follows from the registration.
    pub(in super::super) auth: Option<Arc<dyn ClientAuth>>,
    pub(in super::super) without_callback: bool,
    /// Of a client that is registered.
    pub(in super::super) calls: Option<&'static dyn RegistrationCalls>,
}

impl RegistrationSettings {
    /// What the client needs to be registered anew.
    pub(in super::super) fn reregistration(
        &self,
        registered: Option<&RegisteredClient>,
        current: Option<&Arc<dyn ClientAuth>>,
    ) -> Reregistration {
        let auth = self.auth.as_ref().zip(current);
        let follows_method = auth.is_some_and(|(own, current)| Arc::ptr_eq(own, current));
        let anew = Reregistration::new(self.request.clone(), follows_method, self.without_callback);
        if let Some(registered) = registered.filter(|_| self.is_new) {
            anew.note_registration(registered.client_id());
        }
        anew
    }

    /// Notes a setting of no effect. `registers` says whether the client registers itself.
    pub(in super::super) fn check(&self, registers: bool, problems: &mut Problems) {
        if self.without_callback && !registers {
            problems.add(
                "register_again_without_callback",
                "is for a client that registers itself: call register of the builder, or set \
                 client_metadata of a client for a resource, without a client_id",
            );
        }
    }
}
