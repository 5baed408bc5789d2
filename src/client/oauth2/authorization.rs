//! Authorization requests that are signed or pushed, and responses that are signed.

use super::super::{
    keys::Unverified, maybe_async, oauth2::builder::OAuth2ClientBuilder, session::Live,
    waiting::Deadline,
};
use crate::{
    error::{Error, Result},
    oauth2::{
        authorization::{
            endpoint::AuthorizationUrl,
            pending::PendingAuthorization,
            request::AuthorizationRequest,
            request_object::RequestObject,
            response_jwt::{SignedResponseRules, signed_response},
        },
        endpoint::{introspection_jwt::IntrospectionRules, pushed_authorization::Push},
    },
    wire::callback::CallbackParameters,
};

/// Settings of logins.
impl OAuth2ClientBuilder {
    /// Whether authorization requests are pushed to the server, by `begin_authorization`, so that
    /// the URL has only a reference. Defaults to [`Push::WhenRequired`].
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/push.md"),
        include_str!("../../../docs/examples/async/push.md")
    )]
    ///
    /// [RFC 9126](https://www.rfc-editor.org/rfc/rfc9126)
    #[doc(alias = "PAR")]
    pub fn pushed_authorization_requests(mut self, push: Push) -> Self {
        self.authorization.push = push;
        self
    }

    /// The URL of the endpoint that authorization requests are pushed to.
    ///
    /// [RFC 9126 section 5](https://www.rfc-editor.org/rfc/rfc9126#section-5)
    pub fn pushed_authorization_request_endpoint(mut self, url: impl Into<String>) -> Self {
        self.server = self.server.with_pushed_authorization_request_endpoint(url);
        self
    }

    /// Signs authorization requests as request objects: with a key, or as the settings say.
    ///
    /// [RFC 9101](https://www.rfc-editor.org/rfc/rfc9101)
    #[doc(alias = "JAR")]
    pub fn request_object(mut self, settings: impl Into<RequestObject>) -> Self {
        self.authorization.sign_requests(settings.into());
        self
    }

    /// Repeats `response_type` and `scope` in the URL beside a request object or a `request_uri`,
    /// for a server that wants them there, too. By default only `client_id` is there.
    ///
    /// [OpenID Connect Core section 6.1](https://openid.net/specs/openid-connect-core-1_0.html#RequestParameter)
    pub fn repeat_authorization_parameters(mut self) -> Self {
        self.authorization.repeats_parameters = true;
        self
    }

    /// The rules for signed authorization responses, which logins ask for by
    /// [`ResponseMode::Jwt`](crate::oauth2::ResponseMode::Jwt).
    ///
    /// [JARM section 3](https://openid.net/specs/oauth-v2-jarm.html#section-3)
    #[doc(alias = "JARM")]
    pub fn signed_response(mut self, rules: SignedResponseRules) -> Self {
        self.authorization.signed_response = rules;
        self
    }

    /// Takes over the time of the server, by the `Date` header of its response, where it refuses
    /// what the client has signed and the clocks differ by more than seconds and less than a day.
    /// The request is then sent once more, unless it has a code. Defaults to `false`, or `true`
    /// with a profile.
    ///
    /// Only what is signed for that server has its time: client assertions, request objects and
    /// DPoP proofs. Nothing is verified by it. A `tracing` event tells of it. Proofs for an API have the
    /// time of the client's clock, and an API that finds it wrong refuses them (`invalid_dpop_proof`).
    ///
    /// [FAPI 2.0 Security Profile section 5.3.3.1](https://openid.net/specs/fapi-security-profile-2_0-final.html#section-5.3.3.1)
    pub fn correct_clock(mut self, correct: bool) -> Self {
        self.authorization.corrects_clock = Some(correct);
        self
    }

    /// The rules for introspection responses: whether they have to be signed.
    ///
    /// [RFC 9701 section 6](https://www.rfc-editor.org/rfc/rfc9701#section-6)
    pub fn introspection(mut self, rules: IntrospectionRules) -> Self {
        self.introspection = rules;
        self
    }
}

impl Live {
    /// The URL of an authorization request that needs no I/O.
    pub(super) fn authorization_url(
        &self,
        request: AuthorizationRequest,
    ) -> Result<AuthorizationUrl> {
        let settings = &self.shared.settings;
        let server = self.shared.known_server()?;
        if settings.pushes(&server) {
            return Err(Error::usage(
                "the authorization requests of this client are pushed to the server; call \
                 begin_authorization, which does that",
            ));
        }
        self.check_pkce(&server)?;
        let request = self.bind_code(request)?;
        settings.authorization_endpoint(&server)?.request(request)
    }
}

#[maybe_async]
impl Live {
    /// The URL of an authorization request, which is signed and pushed if it has to be.
    pub(super) async fn begin_authorization(
        &self,
        request: AuthorizationRequest,
    ) -> Result<AuthorizationUrl> {
        let settings = &self.shared.settings;
        let server = self.shared.fetch_server(settings.timeout).await?;
        self.check_pkce(&server)?;
        let endpoint = settings.authorization_endpoint(&server)?;
        let mut prepared = endpoint.prepare(self.bind_code(request)?)?;
        if settings.pushes(&server) {
            // Last, as what it returns lasts for seconds.
            let pushed = self.call().push(&prepared, &server).await?;
            return Ok(prepared.pushed(pushed));
        }
        self.call().sign(&mut prepared).await?;
        prepared.url()
    }

    /// The parameters in a callback; if it is signed, after they have been verified.
    pub(super) async fn callback_parameters(
        &self,
        pending: &PendingAuthorization,
        callback: &str,
    ) -> Result<CallbackParameters> {
        if !pending.is_signed {
            return pending.plain_parameters(callback);
        }
        let response = signed_response(pending, callback)?;
        let settings = &self.shared.settings;
        let deadline = Deadline::after(settings.timeout);
        let server = self.shared.known_or_fetched_server().await?;
        let verifier = settings.signed_response_verifier(&server)?;
        let jws = verifier.parse(&response)?;
        let allowed = [jws.header().algorithm()];
        let payload = self.verify(&jws, &allowed, deadline).await;
        verifier.parameters(&payload.map_err(Unverified::into_error)?)
    }
}
