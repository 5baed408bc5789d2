//! Algorithms of what the server signs, as it has registered them for the client.
//!
//! [OpenID Connect Registration section 2](https://openid.net/specs/openid-connect-registration-1_0.html#ClientMetadata)

use std::sync::Arc;

use super::super::settings::{RulesOfCaller, Settings};

impl Settings {
    /// Takes over the algorithms of the registration where the calling code has set none: a plain
    /// answer is then refused where a signed one was registered.
    pub(in super::super) fn follow_registration(&mut self) {
        let Some(registered) = &self.registered else {
            return;
        };
        let openid = &mut self.openid;
        let response = &mut self.authorization.signed_response;
        let rules = self.rules_of_caller.get_or_insert_with(|| {
            Arc::new(RulesOfCaller {
                id_token: openid.id_token.clone(),
                userinfo: openid.userinfo.clone(),
                response: response.clone(),
                introspection: self.introspection.clone(),
            })
        });
        openid.id_token = rules.id_token.clone();
        openid.userinfo = rules.userinfo.clone();
        *response = rules.response.clone();
        self.introspection = rules.introspection.clone();
        let algorithm = |member| registered.algorithm(member);
        openid
            .id_token
            .register(algorithm("id_token_signed_response_alg"));
        openid
            .userinfo
            .register(algorithm("userinfo_signed_response_alg"));
        response.register(algorithm("authorization_signed_response_alg"));
        self.introspection
            .register(algorithm("introspection_signed_response_alg"));
    }
}
