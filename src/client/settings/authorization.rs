//! Settings of logins.

use super::Settings;
use crate::{
    clock::ClockOffset,
    error::{Error, Problems, Result},
    oauth2::{
        authorization::{
            endpoint::AuthorizationEndpoint,
            request_object::RequestObject,
            response_jwt::{SignedResponseRules, SignedResponseVerifier},
        },
        client::ClientRegistration,
        endpoint::pushed_authorization::{Push, PushedAuthorizationEndpoint},
        grant::Grant,
        request::EndpointRequest,
        server::{
            metadata::AuthorizationServer,
            profile::{Clause, Profile},
        },
    },
    secret::Secret,
};

/// Settings of authorization requests and of their responses.
#[derive(Clone, Default)]
pub(in super::super) struct AuthorizationSettings {
    pub(in super::super) push: Push,
    pub(in super::super) request_object: Option<RequestObject>,
    /// What checks it: not contained in programs without one.
    check_object: Option<CheckObject>,
    pub(in super::super) repeats_parameters: bool,
    pub(in super::super) signed_response: SignedResponseRules,
    pub(in super::super) corrects_clock: Option<bool>,
    pub(in super::super) profile: Option<Profile>,
}

type CheckObject = fn(&RequestObject, &ClientRegistration, &AuthorizationServer) -> Result<()>;

impl AuthorizationSettings {
    pub(in super::super) fn sign_requests(&mut self, settings: RequestObject) {
        self.request_object = Some(settings);
        self.check_object = Some(RequestObject::check);
    }

    /// The difference of the server's clock, which is corrected if that is set.
    pub(in super::super) fn clock_offset(&self) -> ClockOffset {
        match self.corrects_clock.unwrap_or(self.profile.is_some()) {
            true => ClockOffset::correctable(),
            false => ClockOffset::default(),
        }
    }

    pub(in super::super) fn check(
        &self,
        client: &ClientRegistration,
        server: &AuthorizationServer,
        problems: &mut Problems,
    ) {
        if let Some((object, check)) = self.request_object.as_ref().zip(self.check_object) {
            let checked = check(object, client, server);
            problems.note_unusable("request_object", checked.map_err(Into::into));
        }
    }
}

impl Settings {
    pub(in super::super) fn authorization_endpoint(
        &self,
        server: &AuthorizationServer,
    ) -> Result<AuthorizationEndpoint> {
        if !self.client.has_client_id() {
            return Err(Error::usage(
                "the client has no client_id, as it is not registered yet; call register of the \
                 builder, or set registered_client",
            ));
        }
        let requires_signed = self.registration_demands("require_signed_request_object");
        if requires_signed && self.authorization.request_object.is_none() {
            return Err(Error::usage(
                "the client is registered for signed authorization requests \
                 (require_signed_request_object); set request_object",
            ));
        }
        let endpoint = AuthorizationEndpoint::with_http(server, &self.client, self.allow_http)?;
        let mut endpoint = endpoint
            .clock(self.clock.clone())
            .with_clock_offset(self.clock_offset.clone());
        if let Some(profile) = self.authorization.profile {
            endpoint = endpoint.profile(profile);
        }
        if let Some(settings) = &self.authorization.request_object {
            endpoint = endpoint.request_object(settings.clone());
        }
        match self.authorization.repeats_parameters {
            true => Ok(endpoint.repeat_parameters()),
            false => Ok(endpoint),
        }
    }

    /// Whether authorization requests are pushed.
    pub(in super::super) fn pushes(&self, server: &AuthorizationServer) -> bool {
        let is_demanded = self.registration_demands("require_pushed_authorization_requests");
        self.authorization.push.applies_to(server, is_demanded)
    }

    /// Whether this member of the client's registration is true.
    fn registration_demands(&self, member: &str) -> bool {
        let registered = self.registered.as_deref();
        let member = registered.and_then(|registered| registered.metadata().get(member));
        member.is_some_and(|value| *value == true)
    }

    /// Refuses a grant that the profile of the client does not permit.
    pub(in super::super) fn check_grant(&self, grant: &dyn Grant) -> Result<()> {
        match self.authorization.profile {
            Some(profile) if grant.grant_type() == "password" => Err(Error::usage(
                profile.problem("the grant is a password", Clause::AuthorizationCode),
            )),
            _ => Ok(()),
        }
    }

    /// The token request, unless the profile of the client does not permit it: a code without PKCE.
    pub(in super::super) fn permitted(&self, request: EndpointRequest) -> Result<EndpointRequest> {
        let Some(profile) = self.authorization.profile else {
            return Ok(request);
        };
        let value = |name| request.form().value(name).map(Secret::expose_secret);
        let is_code = value("grant_type") == Some("authorization_code");
        match is_code && value("code_verifier").is_none() {
            true => Err(Error::usage(
                profile.problem("the code has no code_verifier", Clause::Pkce),
            )),
            false => Ok(request),
        }
    }

    pub(in super::super) fn pushed_authorization_endpoint(
        &self,
        server: &AuthorizationServer,
    ) -> Result<PushedAuthorizationEndpoint> {
        let name = "pushed_authorization_request_endpoint";
        Ok(self.endpoint(name, server, None)?.into())
    }

    pub(in super::super) fn signed_response_verifier(
        &self,
        server: &AuthorizationServer,
    ) -> Result<SignedResponseVerifier> {
        let verifier = SignedResponseVerifier::new(server, &self.client)?;
        let rules = self.authorization.signed_response.clone();
        Ok(verifier.rules(rules).clock(self.clock.clone()))
    }
}
