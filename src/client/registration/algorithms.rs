//! Algorithms of what the server signs, as it has registered them for the client.
//!
//! [OpenID Connect Registration section 2](https://openid.net/specs/openid-connect-registration-1_0.html#ClientMetadata)

use super::super::settings::Settings;

impl Settings {
    /// Takes over the algorithms of the registration where the calling code has set none: a plain
    /// answer is then refused where a signed one was registered.
    pub(in super::super) fn follow_registration(&mut self) {
        let Some(registered) = &self.registered else {
            return;
        };
        let algorithm = |member| registered.algorithm(member);
        let openid = &mut self.openid;
        openid
            .id_token
            .register(algorithm("id_token_signed_response_alg"));
        openid
            .userinfo
            .register(algorithm("userinfo_signed_response_alg"));
        let response = &mut self.authorization.signed_response;
        response.register(algorithm("authorization_signed_response_alg"));
        self.introspection
            .register(algorithm("introspection_signed_response_alg"));
    }
}
