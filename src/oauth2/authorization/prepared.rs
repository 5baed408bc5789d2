//! Authorization requests that are complete, before they go into a URL.
//!
//! [RFC 6749 section 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)

use std::{fmt, sync::Arc, time::Duration};

use url::Url;

use crate::{
    error::{Error, Result},
    jose::SigningInput,
    oauth2::{
        authorization::{
            endpoint::AuthorizationUrl,
            pending::PendingAuthorization,
            request_object::{ObjectKey, PreparedObject},
        },
        client::ClientRegistration,
        dpop::binding::Binding,
        server::{
            AuthorizationServer,
            profile::{Clause, Profile},
        },
    },
    secret::Secret,
    wire::{form::Form, secure_url::without_query},
};

/// Authorization request with all its parameters: to be put into a URL, pushed to the server, or
/// published for it. The clients of this crate do that by themselves.
///
/// ```
/// # fn demo(
/// #     server: oauth_twin::oauth2::AuthorizationServer,
/// #     client: oauth_twin::oauth2::ClientRegistration,
/// #     send: impl Fn(&oauth_twin::oauth2::EndpointRequest) -> oauth_twin::oauth2::EndpointResponse,
/// # ) -> oauth_twin::Result<()> {
/// use oauth_twin::oauth2::{
///     AuthorizationEndpoint, AuthorizationRequest, PushedAuthorizationEndpoint,
/// };
///
/// let endpoint = AuthorizationEndpoint::new(&server, &client)?;
/// let prepared = endpoint.prepare(AuthorizationRequest::new().scope("payments"))?;
///
/// // Pushed, and so not in the URL.
/// let push = PushedAuthorizationEndpoint::new(&server, &client)?;
/// let request = push.request(&prepared)?;
/// let pushed = push.read_response(&request, send(&request))?;
/// let created = prepared.pushed(pushed);
/// // redirect to `created.url` until `created.expired()`; keep `created.pending`
/// # Ok(()) }
/// ```
///
/// [RFC 6749 section 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)
#[must_use = "it has to be sent, or put into a URL"]
pub struct PreparedAuthorization {
    pub(super) endpoint: Arc<Url>,
    pub(super) form: Form,
    pub(super) object: Option<PreparedObject>,
    /// Whether `response_type` and `scope` are repeated beside a request object or its URI.
    pub(super) repeats_parameters: bool,
    /// The security profile, whose requests have to be pushed.
    pub(super) profile: Option<Profile>,
    pub(super) pending: PendingAuthorization,
}

impl PreparedAuthorization {
    /// The input of the request object's signature, which an external key has to sign before the
    /// request can be put into a URL or published. Pass the signature to [`sign`](Self::sign).
    ///
    /// A request that is pushed has a request object of its own, which is signed by
    /// [`EndpointRequest::sign`](crate::oauth2::EndpointRequest::sign).
    pub fn unsigned(&self) -> Option<&SigningInput> {
        self.object.as_ref()?.unsigned()
    }

    /// Adds the signature of the input that [`unsigned`](Self::unsigned) returns.
    ///
    /// # Errors
    ///
    /// If it is not a signature by the algorithm of the external key.
    pub fn sign(&mut self, signature: &[u8]) -> Result<()> {
        match &mut self.object {
            Some(object) => object.sign(signature),
            None => Ok(()),
        }
    }

    /// The signed request object, if the client signs its requests: what is published under a URL
    /// for [`published_at`](Self::published_at).
    ///
    /// # Errors
    ///
    /// If it has to be signed by an external key first, or the key cannot sign.
    ///
    /// [RFC 9101 section 4](https://www.rfc-editor.org/rfc/rfc9101#section-4)
    pub fn request_object(&self) -> Result<Option<&Secret>> {
        self.object.as_ref().map(PreparedObject::token).transpose()
    }

    /// The key that the code is to be bound to, if it is.
    pub(crate) fn binding(&self) -> Option<Binding> {
        let thumbprint = self.pending.dpop_thumbprint.as_deref();
        thumbprint.map(Binding::required)
    }

    /// The URL with all parameters, or with the request object.
    ///
    /// # Errors
    ///
    /// If the request object has to be signed first, or the endpoint follows a security profile: its
    /// requests are pushed.
    pub fn url(mut self) -> Result<AuthorizationUrl> {
        self.check_unpushed()?;
        let Some(object) = self.request_object()?.cloned() else {
            let form = std::mem::take(&mut self.form);
            return Ok(self.created(&form));
        };
        self.pending.url_expires_at = self.object.as_ref().map(|object| object.expires_at);
        let form = self.beside("request", object);
        Ok(self.created(&form))
    }

    /// The URL with the `request_uri` under which you have published the
    /// [`request_object`](Self::request_object): HTTPS, and registered if the server wants that.
    ///
    /// # Errors
    ///
    /// If the client does not sign its requests, the request object has to be signed first, the URI is
    /// not an absolute URL with `https`, or the endpoint follows a security profile.
    ///
    /// [RFC 9101 section 5.2](https://www.rfc-editor.org/rfc/rfc9101#section-5.2)
    pub fn published_at(mut self, request_uri: &str) -> Result<AuthorizationUrl> {
        self.check_unpushed()?;
        if self.request_object()?.is_none() {
            return Err(Error::usage(
                "only a signed request can be published; set request_object",
            ));
        }
        if !Url::parse(request_uri).is_ok_and(|url| url.scheme() == "https") {
            return Err(Error::usage("the request_uri is not an absolute https URL"));
        }
        self.pending.url_expires_at = self.object.as_ref().map(|object| object.expires_at);
        let form = self.beside("request_uri", request_uri.into());
        Ok(self.created(&form))
    }

    /// The parameters of a request that is pushed, and a request object that an external key has to
    /// sign. A request object is new each time: its time may be wrong, and a server may accept its
    /// `jti` once. `now` is the time at the server.
    ///
    /// [RFC 9126 section 2.1](https://www.rfc-editor.org/rfc/rfc9126#section-2.1)
    pub(crate) fn pushed_form(
        &self,
        client: &ClientRegistration,
        server: &AuthorizationServer,
        now: Duration,
    ) -> Result<(Form, Option<SigningInput>)> {
        let Some(object) = &self.object else {
            return Ok((self.form.clone(), None));
        };
        let mut form = Form::new();
        form.push("client_id", self.client_id());
        if let Some(token) = object.signed_externally() {
            form.push("request", token);
            return Ok((form, None));
        }
        let object = object.settings.make(&self.form, client, server, now)?;
        match object.key {
            ObjectKey::Local(key) => {
                form.push("request", object.input.sign(&key)?);
                Ok((form, None))
            }
            ObjectKey::External(_) => Ok((form, Some(object.input))),
        }
    }

    /// The URL with the `request_uri` of the server, until then.
    pub(crate) fn with_request_uri(
        mut self,
        request_uri: Secret,
        expires_at: Option<Duration>,
    ) -> AuthorizationUrl {
        self.pending.url_expires_at = expires_at.map(|expires_at| expires_at.as_secs());
        self.pending.is_unpushed = false;
        let form = self.beside("request_uri", request_uri);
        self.created(&form)
    }

    /// Checks that no profile demands that the request is pushed.
    fn check_unpushed(&self) -> Result<()> {
        match self.profile {
            Some(profile) => Err(Error::usage(
                profile.problem("the request is not pushed", Clause::Pushed),
            )),
            None => Ok(()),
        }
    }

    fn client_id(&self) -> Secret {
        self.form.value("client_id").cloned().unwrap_or_default()
    }

    /// The parameters in the URL of a request whose others are elsewhere.
    fn beside(&self, name: &'static str, value: Secret) -> Form {
        let mut form = Form::new();
        form.push("client_id", self.client_id());
        if self.repeats_parameters {
            for name in ["response_type", "scope"] {
                if let Some(value) = self.form.value(name) {
                    form.push(name, value);
                }
            }
        }
        form.push(name, value);
        form
    }

    fn created(self, form: &Form) -> AuthorizationUrl {
        let mut url = (*self.endpoint).clone();
        let mut query = url.query_pairs_mut();
        for (name, value) in form.iter() {
            query.append_pair(name, value.expose_secret());
        }
        drop(query);
        AuthorizationUrl {
            url,
            pending: self.pending,
        }
    }
}

/// Omits the query of the URL and the values of the parameters.
impl fmt::Debug for PreparedAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedAuthorization")
            .field("endpoint", &without_query(&self.endpoint))
            .field("form", &self.form)
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}
