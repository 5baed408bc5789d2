//! Settings of an assertion client whose assertions come from a callback.

use std::sync::Arc;

use super::AssertionClientBuilder;
use crate::{
    error::Problems,
    oauth2::grant::{
        Grant,
        jwt_bearer::{CallersAssertion, JWT_BEARER},
    },
};

impl AssertionClientBuilder {
    pub(super) fn callers_assertion(&self, problems: &mut Problems) -> Arc<dyn Grant> {
        for (name, is_set) in [
            ("signing_key", self.signing_key.is_some()),
            ("issuer", self.issuer.is_some()),
            ("subject", self.subject.is_some()),
            ("audience", self.audience.is_some()),
            ("key_id", self.key_id.is_some()),
            ("lifetime", self.lifetime.is_some()),
            ("not_before", self.not_before),
            ("scope_as_claim", self.scope_as_claim),
            ("header", !self.header.is_empty()),
            ("claim", !self.claims.is_empty()),
        ] {
            if is_set {
                problems.add(
                    name,
                    "has no effect beside assertion, which is sent as it is; remove it",
                );
            }
        }
        let grant_type = self.grant_type.as_deref().unwrap_or(JWT_BEARER);
        Arc::new(CallersAssertion {
            grant_type: grant_type.to_owned(),
            parameters: self.parameters.clone(),
        })
    }
}
